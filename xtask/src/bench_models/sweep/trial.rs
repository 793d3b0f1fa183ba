//! A trial: what was tried, what it came to and what it cost.

use ergometer::Record;
use serde::{Deserialize, Serialize};

use super::Sweep;
use super::space::Values;
use crate::bench_models::amount::Amount;

/// One training of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number in the sweep, from 0.
    pub id: u32,
    /// The rung of successive halving, from 0.
    #[serde(default)]
    pub rung: u32,
    /// Epochs, where the method decides them.
    #[serde(default)]
    pub epochs: Option<u32>,
    /// Hyperparameters.
    pub values: Values,
    /// The metric's value; absent where the training failed or diverged.
    #[serde(default)]
    pub quality: Option<f64>,
    /// What it cost; absent where it wrote no record.
    #[serde(default)]
    pub cost: Option<Cost>,
}

/// Energy and what follows from it; what is not known is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds.
    pub seconds: f64,
    /// Energy of the metered domains.
    pub joules: Option<f64>,
    /// Energy of the building: kWh × PUE.
    pub facility_kwh: Option<f64>,
    /// Kilograms of CO2 equivalent.
    pub co2e_kg: Option<f64>,
    /// Cost of electricity. A journal of before has US dollars, by the other name.
    #[serde(default, alias = "electricity_usd")]
    pub electricity: Option<Amount>,
    /// Rent of the accelerators, US dollars from low to high.
    pub cloud_usd: Option<(f64, f64)>,
}

impl Cost {
    /// Of a record.
    pub fn of(record: &Record) -> Self {
        let footprint = &record.footprint;
        let on_cpu = record.facts.get("accelerators").is_some_and(|count| count == "0");
        Self {
            seconds: record.total.seconds,
            joules: record.total.energy.map(|energy| energy.joules.get()),
            facility_kwh: footprint.facility_energy.map(|energy| energy.value.get()),
            co2e_kg: footprint.co2e.map(|gases| gases.value.kilograms()),
            electricity: Amount::of(footprint),
            cloud_usd: footprint
                .cloud_cost
                .filter(|_| !on_cpu)
                .map(|range| (range.low.get(), range.high.get())),
        }
    }

    /// Both; what one of them does not know is not known of the sum, and neither is money in two currencies.
    pub fn plus(self, other: Self) -> Self {
        let sum = |one: Option<f64>, other: Option<f64>| Some(one? + other?);
        Self {
            seconds: self.seconds + other.seconds,
            joules: sum(self.joules, other.joules),
            facility_kwh: sum(self.facility_kwh, other.facility_kwh),
            co2e_kg: sum(self.co2e_kg, other.co2e_kg),
            electricity: self
                .electricity
                .zip(other.electricity)
                .and_then(|(one, other)| one.plus(other)),
            cloud_usd: self
                .cloud_usd
                .zip(other.cloud_usd)
                .map(|((low, high), (more_low, more_high))| (low + more_low, high + more_high)),
        }
    }

    /// The mean over `count` trials.
    pub fn over(self, count: f64) -> Self {
        let share = |value: Option<f64>| value.map(|value| value / count);
        Self {
            seconds: self.seconds / count,
            joules: share(self.joules),
            facility_kwh: share(self.facility_kwh),
            co2e_kg: share(self.co2e_kg),
            electricity: self.electricity.map(|cost| cost.over(count)),
            cloud_usd: self.cloud_usd.map(|(low, high)| (low / count, high / count)),
        }
    }
}

impl Trial {
    /// A trial that has not run.
    pub fn new(id: u32, values: Values) -> Self {
        Self { id, rung: 0, epochs: None, values, quality: None, cost: None }
    }

    /// With what its record says; a loss that is not a number is not in a record.
    pub fn ended(self, record: Option<&Record>, sweep: &Sweep) -> Self {
        let quality = record.and_then(|record| record.results.get(&sweep.metric).copied());
        Self {
            quality: quality.filter(|value| value.is_finite()),
            cost: record.map(Cost::of),
            ..self
        }
    }

    /// Smaller is better, whatever the metric; failures are worst.
    pub fn objective(&self, maximise: bool) -> f64 {
        let sign = if maximise { -1.0 } else { 1.0 };
        self.quality.map_or(f64::INFINITY, |quality| sign * quality)
    }
}
