//! Sums over the parts that count.

use std::collections::BTreeMap;

use ergometer::units::{Currency, GramsCo2e, Joules, Money, UsDollars};
use serde::Serialize;

use super::{Counted, Part};
use crate::table::{duration, or_absent};

/// Sums over parts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sums {
    pub name: String,
    /// Runs; each part of a run that was interrupted is one.
    pub runs: u64,
    /// How many of them did not end themselves: killed, dropped, or still going on.
    pub not_finished: u64,
    /// Energy of those, joules; like every sum here `None` where nothing was read.
    pub joules_not_finished: Option<f64>,
    /// How many ended with an exit code other than 0, under `ergometer run`.
    pub failed: u64,
    /// Energy of those, joules.
    pub joules_failed: Option<f64>,
    pub seconds: f64,
    /// Accelerators × time.
    pub accelerator_hours: f64,
    pub joules: Option<f64>,
    /// Runs of which no energy could be read: they are in no sum of energy, gases or money.
    pub without_energy: u64,
    pub co2e_g: Option<f64>,
    pub co2e_market_g: Option<f64>,
    pub water_l: Option<f64>,
    /// Cost of electricity by currency: amounts of two currencies have no sum.
    pub electricity_cost: BTreeMap<Currency, f64>,
    pub cloud_low_usd: Option<f64>,
    pub cloud_high_usd: Option<f64>,
}

/// Sums by key, in the order of the keys, and over everything.
pub fn by(parts: &[Counted<'_>], key: impl Fn(&Part) -> String) -> (Vec<Sums>, Sums) {
    let mut rows: BTreeMap<String, Sums> = BTreeMap::new();
    let mut total = Sums { name: "everything".to_owned(), ..Sums::default() };
    for Counted { part, .. } in parts {
        let name = key(part);
        let row = rows.entry(name.clone()).or_insert_with(|| Sums { name, ..Sums::default() });
        row.add(part);
        total.add(part);
    }
    (rows.into_values().collect(), total)
}

impl Sums {
    fn add(&mut self, part: &Part) {
        self.runs += 1;
        self.seconds += part.seconds;
        self.accelerator_hours += part.accelerator_hours();
        add(&mut self.joules, part.joules);
        self.without_energy += u64::from(part.joules.is_none());
        if !part.finished {
            self.not_finished += 1;
            add(&mut self.joules_not_finished, part.joules);
        }
        if part.failed() {
            self.failed += 1;
            add(&mut self.joules_failed, part.joules);
        }
        add(&mut self.co2e_g, part.co2e_g);
        add(&mut self.co2e_market_g, part.co2e_market_g);
        add(&mut self.water_l, part.water_l);
        if let Some((cost, currency)) = part.electricity {
            *self.electricity_cost.entry(currency).or_default() += cost;
        }
        add(&mut self.cloud_low_usd, part.cloud_low_usd);
        add(&mut self.cloud_high_usd, part.cloud_high_usd);
    }

    /// As a row of the table.
    pub fn row(&self) -> Vec<String> {
        let kilowatt_hours = |joules| Joules::new(joules).to_kwh().to_string();
        let apart = |count: u64, joules: Option<f64>| match count {
            0 => "0".to_owned(),
            _ => format!("{count} ({})", or_absent(joules, kilowatt_hours)),
        };
        let costs = self.electricity_cost.iter();
        let costs: Vec<_> = costs.map(|(unit, sum)| unit.show(Money::new(*sum))).collect();
        let cloud = self.cloud_low_usd.zip(self.cloud_high_usd);
        vec![
            self.name.clone(),
            self.runs.to_string(),
            apart(self.not_finished, self.joules_not_finished),
            apart(self.failed, self.joules_failed),
            duration(self.seconds),
            or_absent(self.joules, kilowatt_hours),
            or_absent(self.co2e_g, |grams| GramsCo2e::new(grams).to_string()),
            or_absent((!costs.is_empty()).then_some(costs), |costs| costs.join(" + ")),
            or_absent(cloud, |(low, high)| {
                format!("{} to {}", UsDollars::new(low), UsDollars::new(high))
            }),
        ]
    }
}

/// Adds what was read.
fn add(sum: &mut Option<f64>, value: Option<f64>) {
    if let Some(value) = value {
        *sum = Some(sum.unwrap_or(0.0) + value);
    }
}
