//! `ergometer footprint`: the formula as a calculator.

use ergometer::footprint::{AcceleratorPrice, ElectricityPrice, Familiar, Payer, Site};
use ergometer::report::Column;
use ergometer::units::{Currency, GramsCo2e, Joules, KilowattHours, Money, UsDollars, Watts};
use serde::Serialize;

use crate::outcome::{Outcome, Stop};
use crate::site::SiteArgs;
use crate::table::{grouped, table, wrapped};

/// Work out facility energy, CO2e and cost from power and time, or from an energy
///
/// `ergometer footprint --watts 1515.43 --hours 84 --gpus 8xP100 --preset strubell2019` is the paper's
/// Transformer (big).
#[derive(Debug, clap::Args)]
pub struct Footprint {
    #[command(flatten)]
    site: SiteArgs,
    /// Power of all that computes, watts
    #[arg(long, requires = "hours", conflicts_with = "kwh", allow_negative_numbers = true)]
    watts: Option<f64>,
    /// Energy of all that computes, kilowatt-hours, in place of a power
    #[arg(long, allow_negative_numbers = true)]
    kwh: Option<f64>,
    /// Duration, hours; also of the rent
    #[arg(long, allow_negative_numbers = true)]
    hours: Option<f64>,
    /// Accelerators that are rented: `8xH100`, `64xA100-80GB`, `16xTPUv5e`, `8xP100`; see `ergometer prices`
    #[arg(long, value_name = "NxMODEL", value_parser = Rented::parse)]
    gpus: Option<Rented>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug)]
struct Rented {
    count: u32,
    price: AcceleratorPrice,
}

impl Rented {
    fn parse(text: &str) -> Result<Self, String> {
        let (count, name) = text.split_once(['x', '×']).ok_or("write it as NxMODEL, as 8xP100")?;
        let count =
            count.trim().parse().map_err(|_| format!("'{count}' is not a number of devices"))?;
        let papers = match name.trim().to_ascii_lowercase().replace([' ', '-'], "").as_str() {
            "p100" => Some(AcceleratorPrice::p100()),
            "v100" => Some(AcceleratorPrice::v100()),
            "tpuv2" => Some(AcceleratorPrice::tpu_v2()),
            "tpuv3" => Some(AcceleratorPrice::tpu_v3()),
            _ => None,
        };
        let price = papers.or_else(|| AcceleratorPrice::of_board(name, "")).ok_or_else(|| {
            let known: Vec<_> = AcceleratorPrice::all_boards().map(|price| price.name).collect();
            format!(
                "no price of '{name}'; known are {}, and the paper's P100, V100, TPUv2 and TPUv3",
                known.join(", ")
            )
        })?;
        Ok(Self { count, price })
    }
}

/// The result, with the constants that it comes from.
#[derive(Serialize)]
struct Calculated {
    it_kwh: f64,
    facility_kwh: f64,
    co2e_g: f64,
    co2e_lb: f64,
    co2e_market_g: Option<f64>,
    water_l: Option<f64>,
    /// Cost of electricity in the currency of the site's price.
    electricity_cost: Option<f64>,
    electricity_currency: Option<Currency>,
    cloud_usd: Option<[f64; 2]>,
    hours: Option<f64>,
    site: Site,
    accelerators: Option<(u32, AcceleratorPrice)>,
}

impl Footprint {
    pub fn run(self) -> Result<Outcome, Stop> {
        for (name, value) in [("watts", self.watts), ("kwh", self.kwh), ("hours", self.hours)] {
            if value.is_some_and(|value| !value.is_finite() || value < 0.0) {
                return Err(Stop::new(format!("--{name} is not a finite value of 0 or more")));
            }
        }
        if self.watts.is_none() && self.kwh.is_none() {
            return Err(Stop::new("there is no energy to work with")
                .with_remedy("give `--watts W --hours H`, or `--kwh E`"));
        }
        let site = self.site.site()?;
        let seconds = self.hours.unwrap_or(0.0) * 3600.0;
        let energy = match (self.watts, self.kwh) {
            (Some(watts), _) => Joules::new(watts * seconds),
            (None, kwh) => KilowattHours::new(kwh.unwrap_or(0.0)).to_joules(),
        };
        if self.gpus.is_some() && self.hours.is_none() {
            return Err(
                Stop::new("the rent of accelerators needs a time").with_remedy("add --hours")
            );
        }
        // The formula takes a power and a time; an energy is passed as a power of 1 W for that many seconds.
        let power = Watts::new(1.0);
        let duration = std::time::Duration::try_from_secs_f64(energy.get())
            .map_err(|_| Stop::new("the energy is larger than anything can draw"))?;
        let facility = site.facility_energy(power, duration);
        let gases = site.co2e(facility);
        let cloud = self.gpus.as_ref().zip(self.hours).map(|(rented, hours)| {
            let rent = rented.price.rent(f64::from(rented.count), hours);
            [rent.low.get(), rent.high.get()]
        });
        let calculated = Calculated {
            co2e_market_g: site.market.as_ref().map(|market| facility.get() * market.grams_per_kwh),
            water_l: site.wue.as_ref().map(|wue| energy.to_kwh().get() * wue.value),
            electricity_cost: site.electricity_cost(facility).map(Money::get),
            electricity_currency: site.electricity_price.as_ref().map(|price| price.currency),
            it_kwh: energy.to_kwh().get(),
            facility_kwh: facility.get(),
            co2e_g: gases.get(),
            co2e_lb: gases.pounds(),
            cloud_usd: cloud,
            hours: self.hours,
            accelerators: self.gpus.map(|rented| (rented.count, rented.price)),
            site,
        };
        if self.json { Outcome::json(&calculated) } else { Ok(Outcome::of(calculated.text())) }
    }
}

impl Calculated {
    fn text(&self) -> String {
        let Site { pue, carbon, market, wue, .. } = &self.site;
        let mut rows = vec![
            vec!["IT energy".to_owned(), format!("{} kWh", grouped(self.it_kwh)), String::new()],
            vec![
                "facility energy".to_owned(),
                format!("{} kWh", grouped(self.facility_kwh)),
                format!("PUE {} ({}, {})", pue.value, pue.source, pue.year),
            ],
            vec![
                "CO2e".to_owned(),
                format!("{} kg ({} lb)", grouped(self.co2e_g / 1000.0), grouped(self.co2e_lb)),
                format!(
                    "{}{:.2} g/kWh, {}, {} ({}, {})",
                    if carbon.assumed { "ASSUMED, no --region was given: " } else { "" },
                    carbon.grams_per_kwh,
                    carbon.place,
                    carbon.kind.as_str(),
                    carbon.source,
                    carbon.year
                ),
            ],
        ];
        if let Some((market, grams)) = market.as_ref().zip(self.co2e_market_g) {
            rows.push(vec![
                "CO2e, market".to_owned(),
                format!("{} kg", grouped(grams / 1000.0)),
                format!(
                    "{:.2} g/kWh, {} ({}, {})",
                    market.grams_per_kwh, market.place, market.source, market.year
                ),
            ]);
        }
        if let Some((wue, litres)) = wue.as_ref().zip(self.water_l) {
            let constant = format!("WUE {} l/kWh ({}, {})", wue.value, wue.source, wue.year);
            rows.push(vec!["water".to_owned(), format!("{} l", grouped(litres)), constant]);
        }
        rows.push(self.electricity_row());
        if let (Some([low, high]), Some((count, rent))) = (self.cloud_usd, &self.accelerators) {
            rows.push(vec![
                "cloud".to_owned(),
                format!("{} to {}", UsDollars::new(low), UsDollars::new(high)),
                format!(
                    "{count} × {}: {} to {} a {} hour ({}, {})",
                    rent.name,
                    rent.low,
                    rent.high,
                    rent.unit.as_str(),
                    rent.source,
                    rent.year
                ),
            ]);
        }
        let columns =
            [Column::exact(""), Column::exact("cost"), Column::prose("constant (source, year)")];
        let mut text = table(columns, [], rows);
        for familiar in Familiar::ALL {
            let times = familiar.times_in(GramsCo2e::new(self.co2e_g));
            text += &wrapped(&format!("{} times: {}", significant(times), familiar.name));
        }
        text + "(familiar consumption: Strubell et al. 2019, Table 1)\n"
    }
}

impl Calculated {
    /// The cost of electricity, or what to write where no price is known.
    fn electricity_row(&self) -> Vec<String> {
        let price = self.site.electricity_price.as_ref();
        let row = |cost: String, constant: String| vec!["electricity".to_owned(), cost, constant];
        if let Some((price, cost)) = price.zip(self.electricity_cost) {
            return row(price.currency.show(Money::new(cost)), price.describe());
        }
        let unknown = ElectricityPrice::find(&self.site.carbon.code, Payer::Industry).err();
        let remedy = unknown.as_ref().and_then(ergometer::Error::remedy).unwrap_or_default();
        row("n/a".to_owned(), format!("no price is known: {remedy}"))
    }
}

/// Three significant digits.
fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of an f64 is within ±308")]
    let exponent = value.abs().log10().floor() as i32;
    format!("{value:.*}", usize::try_from(2 - exponent).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerators_are_read_with_their_count() {
        let rented = Rented::parse("8xP100").unwrap();
        assert_eq!((rented.count, rented.price), (8, AcceleratorPrice::p100()));
        assert_eq!(Rented::parse("16 x TPU v2").unwrap().price, AcceleratorPrice::tpu_v2());
        let h100 = Rented::parse("8xH100").unwrap().price;
        assert_eq!((h100.name.as_str(), h100.quotes.is_empty()), ("NVIDIA H100", false));
        assert_eq!(Rented::parse("16xTPUv5e").unwrap().price.name, "TPU v5e");
        assert!(Rented::parse("8xB300").unwrap_err().contains("NVIDIA B200"));
        assert!(Rented::parse("P100").is_err());
    }
}
