//! `ergometer sources`: the constants that are shipped, each with year and source.

use std::fmt::Display;

use ergometer::footprint::{AcceleratorPrice, CarbonIntensity, ElectricityPrice, Familiar, Site};
use ergometer::report::Column;
use serde::Serialize;

use crate::outcome::{Outcome, Stop};
use crate::table::table;

/// List the constants that joules are turned into CO2e and money with, each with year and source
#[derive(Debug, clap::Args)]
pub struct Sources {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A constant, as it is shown.
#[derive(Serialize)]
struct Constant {
    name: String,
    value: String,
    years: String,
    source: String,
}

impl Constant {
    fn new(
        name: impl Into<String>,
        value: impl Into<String>,
        years: impl Display,
        source: &str,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            years: years.to_string(),
            source: source.to_owned(),
        }
    }
}

impl Sources {
    pub fn run(self) -> Result<Outcome, Stop> {
        let mut all: Vec<Constant> = Vec::new();
        for site in [Site::current(), Site::strubell2019()] {
            let Site { name, pue, carbon, electricity_price, .. } = &site;
            let named = |what: &str| format!("{what}, preset {name}");
            let value = pue.value.to_string();
            all.push(Constant::new(named("PUE"), value, pue.year, &pue.source));
            let value = format!("{:.2} g/kWh, {}", carbon.grams_per_kwh, carbon.kind.as_str());
            all.push(Constant::new(named("carbon intensity"), value, carbon.year, &carbon.source));
            if let Some(price) = electricity_price {
                let value = format!("{} a kWh", price.currency.show(price.value));
                all.push(Constant::new(named("electricity"), value, price.year, &price.source));
            }
        }
        let prices = [
            AcceleratorPrice::p100(),
            AcceleratorPrice::v100(),
            AcceleratorPrice::tpu_v2(),
            AcceleratorPrice::tpu_v3(),
        ];
        let boards = AcceleratorPrice::all_boards();
        all.extend(prices.into_iter().chain(boards).map(|price| {
            let value = format!("{} to {} a {} hour", price.low, price.high, price.unit.as_str());
            Constant::new(format!("rent of {}", price.name), value, price.year, &price.source)
        }));
        all.extend(electricity());
        all.extend(grids());
        all.extend(Familiar::ALL.iter().map(|one| {
            let value = format!("{} lb CO2e", one.pounds);
            Constant::new(one.name, value, 2019, "Strubell et al. 2019, Table 1")
        }));
        if self.json {
            return Outcome::json(&all);
        }
        let rows = all
            .into_iter()
            .map(|Constant { name, value, years, source }| vec![name, value, years, source]);
        let text = ["constant", "value", "year", "source"].map(Column::prose);
        let text = table(text, [], rows);
        Ok(Outcome::of(text + "each grid: ergometer regions; each price: ergometer prices\n"))
    }
}

/// The sets of prices of electricity: how many places each has.
fn electricity() -> Vec<Constant> {
    let mut sets: Vec<(ElectricityPrice, usize)> = Vec::new();
    for price in ElectricityPrice::all() {
        let same = |(set, _): &&mut (ElectricityPrice, usize)| {
            set.source == price.source && set.payer == price.payer
        };
        match sets.iter_mut().find(same) {
            Some((_, count)) => *count += 1,
            None => sets.push((price, 1)),
        }
    }
    let one = |(price, count): (ElectricityPrice, usize)| {
        let places = if count == 1 { "place" } else { "places" };
        let name = format!("electricity, {}", price.payer.as_str());
        Constant::new(name, format!("{count} {places}"), price.year, &price.source)
    };
    sets.into_iter().map(one).collect()
}

/// The sets of grids: how many places each has, from which years.
fn grids() -> Vec<Constant> {
    let mut sets: Vec<(String, usize, u16, u16)> = Vec::new();
    for place in CarbonIntensity::places() {
        match sets.iter_mut().find(|(source, ..)| *source == place.source) {
            Some((_, count, first, last)) => {
                *count += 1;
                *first = place.year.min(*first);
                *last = place.year.max(*last);
            }
            None => sets.push((place.source, 1, place.year, place.year)),
        }
    }
    let one = |(source, count, first, last): (String, usize, u16, u16)| {
        let years = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let places = if count == 1 { "place" } else { "places" };
        Constant::new("carbon intensity of grids", format!("{count} {places}"), years, &source)
    };
    sets.into_iter().map(one).collect()
}
