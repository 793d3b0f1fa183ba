//! The mean over the repeats of a model.

use ergometer::energy::{Energy, Uncertainty};
use ergometer::units::Joules;
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::run::Run;
use super::spread::Spread;
use super::steady::Steady;

/// The mean over the repeats of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Energy of the metered domains; systematic parts of the uncertainty do not shrink with more
    /// runs, random ones do.
    pub energy: Option<Energy>,
    /// Duration, seconds.
    pub seconds: Option<Spread>,
    /// Energy of the metered domains, joules.
    pub joules: Option<Spread>,
    /// Mean power of the metered domains, watts.
    pub watts: Option<Spread>,
    /// Energy drawn by the building: kWh × PUE.
    pub facility_kwh: Option<Spread>,
    /// Kilograms of CO2 equivalent.
    pub co2e_kg: Option<Spread>,
    /// Cost of electricity in a report of before prices had a currency: US dollars.
    #[serde(default, skip_serializing)]
    pub electricity_usd: Option<Spread>,
    /// Cost of electricity, in the currency of the runs' price; absent where they have several.
    #[serde(default)]
    pub electricity: Option<Spread>,
    /// Joules a training step.
    pub joules_per_step: Option<Spread>,
    /// Joules an item of a training step.
    pub joules_per_item: Option<Spread>,
    /// Items a second of training steps.
    pub items_per_second: Option<Spread>,
    /// The model's own measure of quality at the end.
    pub quality: Option<Spread>,
    /// Floating-point operations a second of training steps.
    #[serde(default)]
    pub flops_per_second: Option<Spread>,
    /// Floating-point operations a joule of training steps.
    #[serde(default)]
    pub flops_per_joule: Option<Spread>,
}

impl Mean {
    /// Of `runs`.
    pub fn of(runs: &[Run]) -> Self {
        let spread = |value: fn(&Run) -> Option<f64>| Spread::of(runs.iter().map(value));
        Self {
            energy: mean_energy(runs),
            seconds: spread(|run| Some(run.seconds)),
            joules: spread(|run| Some(run.energy?.joules.get())),
            watts: spread(|run| run.watts),
            facility_kwh: spread(|run| Some(run.footprint.facility_energy?.value.get())),
            co2e_kg: spread(|run| Some(run.footprint.co2e?.value.kilograms())),
            electricity_usd: None,
            electricity: mean_cost(runs),
            joules_per_step: spread(|run| Steady::of(run)?.joules_per_step()),
            joules_per_item: spread(|run| Steady::of(run)?.joules_per_item()),
            items_per_second: spread(|run| Steady::of(run)?.items_per_second()),
            flops_per_second: spread(|run| Steady::of(run)?.flops_per_second()),
            flops_per_joule: spread(|run| Steady::of(run)?.flops_per_joule()),
            quality: spread(|run| Some(run.quality.as_ref()?.last)),
        }
    }
}

/// The cost of electricity over runs whose price is in one currency.
fn mean_cost(runs: &[Run]) -> Option<Spread> {
    let costs: Vec<Amount> = runs.iter().filter_map(|run| Amount::of(&run.footprint)).collect();
    let is_one = costs.windows(2).all(|pair| pair[0].currency == pair[1].currency);
    Spread::of(costs.into_iter().map(|cost| Some(cost.value))).filter(|_| is_one)
}

/// The mean of the runs' energies; the method is the least trustworthy one.
fn mean_energy(runs: &[Run]) -> Option<Energy> {
    let energies: Vec<Energy> = runs.iter().filter_map(|run| run.energy).collect();
    let count = energies.len() as f64;
    let method = energies.iter().map(|energy| energy.method).max()?;
    let sum = energies.iter().fold(Uncertainty::default(), |sum, energy| sum.plus(&energy.parts));
    let parts = Uncertainty {
        gain: sum.gain / count,
        model: sum.model / count,
        gaps: sum.gaps / count,
        edges: sum.edges / count,
        quantum: sum.quantum / count,
    };
    Some(Energy {
        joules: energies.iter().map(|energy| energy.joules).sum::<Joules>() / count,
        standard_uncertainty: parts.standard(),
        parts,
        method,
        coverage: energies.iter().map(|energy| energy.coverage).sum::<f64>() / count,
    })
}
