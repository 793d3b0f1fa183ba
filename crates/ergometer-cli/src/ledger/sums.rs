//! Sums over the parts that count.

use std::collections::BTreeMap;

use ergometer::units::{GramsCo2e, Joules, UsDollars};
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
    /// Energy of those, joules.
    pub joules_not_finished: f64,
    /// How many ended with an exit code other than 0, under `ergometer run`.
    pub failed: u64,
    /// Energy of those, joules.
    pub joules_failed: f64,
    pub seconds: f64,
    /// Accelerators × time.
    pub accelerator_hours: f64,
    pub joules: f64,
    /// Runs of which no energy could be read: they are in no sum of energy, gases or money.
    pub without_energy: u64,
    pub co2e_g: f64,
    pub electricity_usd: f64,
    pub cloud_low_usd: f64,
    pub cloud_high_usd: f64,
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
        let joules = part.joules.unwrap_or(0.0);
        self.runs += 1;
        self.seconds += part.seconds;
        self.accelerator_hours += part.accelerator_hours();
        self.joules += joules;
        self.without_energy += u64::from(part.joules.is_none());
        if !part.finished {
            self.not_finished += 1;
            self.joules_not_finished += joules;
        }
        if part.failed() {
            self.failed += 1;
            self.joules_failed += joules;
        }
        self.co2e_g += part.co2e_g.unwrap_or(0.0);
        self.electricity_usd += part.electricity_usd.unwrap_or(0.0);
        self.cloud_low_usd += part.cloud_low_usd.unwrap_or(0.0);
        self.cloud_high_usd += part.cloud_high_usd.unwrap_or(0.0);
    }

    /// As a row of the table.
    pub fn row(&self) -> Vec<String> {
        // Of runs none of which could be read there is no sum.
        let read = (self.without_energy < self.runs).then_some(());
        let apart = |count: u64, joules: f64| match count {
            0 => "0".to_owned(),
            _ => format!("{count} ({})", Joules::new(joules).to_kwh()),
        };
        let cloud = (self.accelerator_hours > 0.0).then_some(());
        vec![
            self.name.clone(),
            self.runs.to_string(),
            apart(self.not_finished, self.joules_not_finished),
            apart(self.failed, self.joules_failed),
            duration(self.seconds),
            or_absent(read, |()| Joules::new(self.joules).to_kwh().to_string()),
            or_absent(read, |()| GramsCo2e::new(self.co2e_g).to_string()),
            or_absent(read, |()| UsDollars::new(self.electricity_usd).to_string()),
            or_absent(cloud, |()| {
                let (low, high) = (self.cloud_low_usd, self.cloud_high_usd);
                format!("{} to {}", UsDollars::new(low), UsDollars::new(high))
            }),
        ]
    }
}
