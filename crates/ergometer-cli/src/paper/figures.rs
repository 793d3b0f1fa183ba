//! Each printed figure, and what the paper's formulas make of its inputs.

use std::time::Duration;

use ergometer::footprint::strubell::{Project, Training};
use ergometer::footprint::{AcceleratorPrice, Familiar, Site};
use ergometer::units::{Money, UsDollars, Watts};
use serde::Serialize;

/// Share of each source of energy, percent: renewable, gas, coal, nuclear. Strubell et al. (2019), Table 2,
/// from Burger (2019), the US Department of Energy, the China Electricity Council and Cook et al. (2017).
pub const TABLE_2: [(&str, [u32; 4]); 6] = [
    ("China", [22, 3, 65, 4]),
    ("Germany", [40, 7, 38, 13]),
    ("United States", [17, 35, 27, 19]),
    ("Amazon AWS", [17, 24, 30, 26]),
    ("Google", [56, 14, 15, 10]),
    ("Microsoft", [32, 23, 31, 10]),
];

/// Price of a pre-emptible TPU v2 an hour, as footnote 7 prints it.
const TPU_V2_PRINTED: f64 = 1.46;

const HOURS: &str = "79.2 h (the text's 3.3 days), printed as 79";
const TPU_PRICE: &str = "$1.35 an hour; footnote 7 prints $1.46";
const SLIP: &str = "979 M steps at 10 h for 300 k are 32,633 h; 32,623 is a slip of a digit";
const HALF: &str = "ends in .50 and was rounded down";
const DERIVED: &str = "216.96 W a job, which the printed CO2e gives; the paper prints no power";
const STATED: &str = "from other sources; nothing to work out";

/// A printed figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The row it stands in.
    pub row: &'static str,
    /// What it is.
    pub quantity: &'static str,
    /// As printed.
    pub printed: f64,
    /// Printed in thousands.
    thousands: bool,
    /// From the printed inputs; `None` of a figure that has none.
    pub recomputed: Option<f64>,
    /// From a corrected input, and why.
    pub corrected: Option<(f64, &'static str)>,
    note: &'static str,
}

impl Figure {
    fn new(row: &'static str, quantity: &'static str, printed: f64, recomputed: f64) -> Self {
        let recomputed = Some(recomputed);
        Self { row, quantity, printed, thousands: false, recomputed, corrected: None, note: "" }
    }

    /// With a correction, where the printed inputs do not do.
    fn or(mut self, corrected: f64, why: &'static str) -> Self {
        if !self.recomputed.is_some_and(|value| self.rounds(value)) {
            self.corrected = Some((corrected, why));
        }
        self
    }

    fn noted(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Whether `value` is printed as this figure.
    fn rounds(&self, value: f64) -> bool {
        let unit = if self.thousands { 1000.0 } else { 1.0 };
        // Whole numbers, so they are equal or at least 1 apart.
        ((value / unit).round() - (self.printed / unit).round()).abs() < 0.5
    }

    /// Whether the formulas give the figure, from printed or corrected inputs.
    pub fn agrees(&self) -> bool {
        match (self.recomputed, self.corrected) {
            (None, None) => !self.note.is_empty(),
            // Half a unit is rounded either way in print.
            (_, Some((value, HALF))) => (value - self.printed).abs() <= 0.5,
            (_, Some((value, _))) | (Some(value), None) => self.rounds(value),
        }
    }

    /// Why it needs a correction, or what else is to be known.
    pub fn note(&self) -> &'static str {
        self.corrected.map_or(self.note, |(_, why)| why)
    }

    /// What it is called where it does not agree.
    pub fn name(&self) -> String {
        format!("{}, {}", self.row, self.quantity)
    }
}

fn facility(power: Watts, hours: f64) -> ergometer::units::KilowattHours {
    let duration = Duration::from_secs_f64(hours * 3600.0);
    Site::strubell2019().facility_energy(power, duration)
}

fn pounds(power: Watts, hours: f64) -> f64 {
    Site::strubell2019().co2e(facility(power, hours)).pounds()
}

/// Table 1.
pub fn table_1() -> Vec<Figure> {
    let stated = Familiar::ALL.iter().map(|familiar| Figure {
        recomputed: None,
        ..Figure::new(familiar.name, "lb CO2e", familiar.pounds, 0.0).noted(STATED)
    });
    let of = |model, hardware| {
        let row = Training::find(model, hardware);
        row.and_then(|row| Some(pounds(row.power?, row.hours))).unwrap_or(f64::NAN)
    };
    let computed = [
        (pounds(Project::POWER, Project::TABLE_4[0].hours), DERIVED),
        (pounds(Project::POWER, Project::TABLE_4[2].hours), DERIVED),
        (of("Transformer big", "P100x8"), ""),
        (of("NAS", "P100x8"), ""),
    ];
    let models = Training::TABLE_1.iter().zip(computed).map(|(&(name, printed), (value, note))| {
        Figure::new(name, "lb CO2e", printed, value).noted(note)
    });
    stated.chain(models).collect()
}

/// Table 3.
pub fn table_3() -> Vec<Figure> {
    Training::TABLE_3.iter().flat_map(of_row).collect()
}

fn of_row(row: &'static Training) -> Vec<Figure> {
    let mut figures = Vec::new();
    let name = match (row.model, row.hardware) {
        ("BERT base", "TPUv2x16") => "BERT base, TPUv2x16",
        ("NAS", "TPUv2x1") => "NAS, TPUv2x1",
        (model, _) => model,
    };
    let hours = if row.model == "NAS" { SLIP } else { HOURS };
    if let (Some(power), Some(kwh), Some(lb)) = (row.power, row.facility_kwh, row.co2e_pounds) {
        let energy = |hours| facility(power, hours).get();
        figures.push(
            Figure::new(name, "kWh·PUE", kwh, energy(row.hours_printed))
                .or(energy(row.hours), hours),
        );
        figures.push(
            Figure::new(name, "lb CO2e", lb, pounds(power, row.hours_printed))
                .or(pounds(power, row.hours), hours),
        );
    }
    let count = f64::from(row.accelerators);
    let price = row.price();
    let rent = |hours: f64, price: UsDollars| price.get() * (count * hours);
    let (low, high) = (row.cloud.0.get(), row.cloud.1.get());
    let tpu_v2 = row.hardware.starts_with("TPUv2");
    let low_printed = if tpu_v2 { UsDollars::new(TPU_V2_PRINTED) } else { price.low };
    figures.push(
        Figure::new(name, "cloud $, low", low, rent(row.hours_printed, low_printed))
            .or(rent(row.hours, price.low), if tpu_v2 { TPU_PRICE } else { hours }),
    );
    let exact = rent(row.hours, price.high);
    let why = if (exact.fract() - 0.5).abs() < 1e-9 { HALF } else { hours };
    figures.push(
        Figure::new(name, "cloud $, high", high, rent(row.hours_printed, price.high))
            .or(exact, why),
    );
    figures
}

/// Table 4.
pub fn table_4() -> Vec<Figure> {
    let site = Site::strubell2019();
    // The paper's preset has both prices.
    let price = AcceleratorPrice::p100();
    Project::TABLE_4
        .iter()
        .flat_map(|project| {
            let row = match project.models {
                1 => "one model",
                24 => "one tune, 24 models",
                _ => "everything, 4789 models",
            };
            let thousands = project.models == 4789;
            let rent = price.rent(1.0, project.hours);
            let cost = site.electricity_cost(facility(Project::POWER, project.hours));
            let electricity = cost.map_or(f64::NAN, Money::get);
            [
                Figure {
                    thousands,
                    ..Figure::new(row, "cloud $, low", project.cloud.0, rent.low.get())
                },
                Figure {
                    thousands,
                    ..Figure::new(row, "cloud $, high", project.cloud.1, rent.high.get())
                },
                Figure::new(row, "electricity $", project.electricity, electricity).noted(DERIVED),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printed_figure_follows_or_has_a_reason() {
        let figures: Vec<Figure> = [table_1(), table_3(), table_4()].concat();
        assert_eq!(figures.len(), 8 + 5 * 4 + 3 * 2 + 3 * 3);
        for figure in &figures {
            assert!(figure.agrees(), "{figure:?}");
            if figure.corrected.is_some() {
                assert!(!figure.note().is_empty(), "{figure:?}");
            }
        }
        // Three inputs need a correction: BERT's hours, the price of a TPU v2, the hours of NAS on one.
        let corrected: Vec<_> = figures.iter().filter(|f| f.corrected.is_some()).collect();
        let because = |why| corrected.iter().filter(|figure| figure.note() == why).count();
        assert_eq!((because(HOURS), because(TPU_PRICE)), (4, 2));
        assert_eq!(because(SLIP) + because(HALF), 1);
        assert_eq!(corrected.len(), 7);
    }

    #[test]
    fn a_figure_that_does_not_follow_is_found() {
        assert!(Figure::new("row", "kWh", 27.0, 26.6).agrees());
        assert!(!Figure::new("row", "kWh", 27.0, 26.4).agrees());
        assert!(!Figure::new("row", "kWh", 27.0, 26.4).or(27.6, HOURS).agrees());
        assert!(Figure::new("row", "kWh", 27.0, 26.4).or(27.4, HOURS).agrees());
    }
}
