//! What the energy means for the building, the climate and the payer.

use super::Section;
use crate::footprint::Footprint;
use crate::record::Record;
use crate::report::columns::Column;
use crate::report::figure::{self, ABSENT, or_absent};

pub(super) fn footprint(record: &Record) -> Section {
    let footprint = &record.footprint;
    let site = &footprint.site;
    let kwh = |estimate: crate::footprint::Estimate<crate::units::KilowattHours>| {
        let (value, error) = (estimate.value.get(), estimate.standard_uncertainty.get());
        figure::plus_minus(value * 1000.0, error * 1000.0, "Wh")
    };
    let gases = or_absent(footprint.co2e, |estimate| {
        let grams =
            figure::plus_minus(estimate.value.get(), estimate.standard_uncertainty.get(), "g");
        format!("{grams} ({} lb)", figure::significant(estimate.value.pounds()))
    });
    let cloud = footprint.cloud_cost.map_or_else(
        || format!("{ABSENT} (no accelerator)"),
        |cost| format!("{} to {}", cost.low, cost.high),
    );
    let rows = vec![
        vec!["IT energy".to_owned(), or_absent(footprint.it_energy, kwh), String::new()],
        vec![
            "facility energy".to_owned(),
            or_absent(footprint.facility_energy, kwh),
            format!("PUE {} ({}, {})", site.pue.value, site.pue.source, site.pue.year),
        ],
        vec!["CO2e".to_owned(), gases, grid(footprint)],
        vec![
            "electricity".to_owned(),
            or_absent(footprint.electricity_cost, |cost| {
                let (value, error) = (cost.value.get(), cost.standard_uncertainty.get());
                format!("${}", figure::pair(value, error))
            }),
            format!(
                "{} a kWh ({}, {})",
                site.electricity_price.value,
                site.electricity_price.source,
                site.electricity_price.year
            ),
        ],
        vec![
            "cloud".to_owned(),
            cloud,
            format!(
                "{}: {} to {} a {} hour ({}, {})",
                site.accelerator.name,
                site.accelerator.low,
                site.accelerator.high,
                site.accelerator.unit.as_str(),
                site.accelerator.source,
                site.accelerator.year
            ),
        ],
    ];
    Section {
        title: "Footprint".to_owned(),
        columns: vec![
            Column::exact(""),
            Column::figure("this run"),
            Column::prose("constant (source, year)"),
        ],
        rows,
    }
}

/// The grid that the CO2e was computed for.
fn grid(footprint: &Footprint) -> String {
    let carbon = &footprint.site.carbon;
    format!(
        "{}{}, {}, {} ({}, {})",
        if carbon.assumed { "ASSUMED, no region was given: " } else { "" },
        intensity(footprint),
        carbon.place,
        carbon.kind.as_str(),
        carbon.source,
        carbon.year
    )
}

/// The intensity that the CO2e was computed with.
fn intensity(footprint: &Footprint) -> String {
    let site = &footprint.site;
    match (footprint.mean_intensity, &site.carbon_series) {
        (Some(mean), Some(series)) => {
            let (count, least, most) = series.range();
            let values = if count == 1 { "value" } else { "values" };
            format!(
                "{mean:.1} g/kWh by energy, {count} {values} of {least:.1} to {most:.1} over time"
            )
        }
        (Some(mean), None) => format!("{mean:.1} g/kWh by energy"),
        (None, _) => format!("{:.1} g/kWh", site.carbon.grams_per_kwh),
    }
}
