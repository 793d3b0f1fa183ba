//! The training steps of a run without its warm-up.
//!
//! The first epoch of training has the warm-up in it: kernels that are compiled or tuned, caches and memory pools
//! that fill, clocks that rise. It is left out where there is another one, and the report says how many steps that
//! were and what they took.

use ergometer::record::Steps;
use serde::{Deserialize, Serialize};

use super::run::Run;

/// Sums over training steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steady {
    /// Steps.
    pub steps: u64,
    /// Their joules, over all domains; absent where nothing was metered.
    pub joules: Option<f64>,
    /// Their seconds.
    pub seconds: f64,
    /// Items processed in them; absent where the program counted none.
    pub items: Option<f64>,
    /// Unit of the items.
    pub unit: Option<String>,
    /// Their floating-point operations; absent where the program counted none.
    pub flops: Option<f64>,
    /// Steps left out as warm-up.
    pub left_out: u64,
    /// Joules a step of those.
    pub left_out_joules_per_step: Option<f64>,
}

impl Steady {
    /// The training steps of `run`; `None` where it has none.
    pub fn of(run: &Run) -> Option<Self> {
        let train = run.epochs.iter().filter(|epoch| epoch.split == "train");
        let mut epochs: Vec<&Steps> = train.filter_map(|epoch| epoch.steps.as_ref()).collect();
        let result = |name: &str| run.results.get(name).copied();
        let all = result("training_flops");
        let metered = run.energy.is_some();
        // Epochs beyond those that the record lists one by one are in the sum over all only.
        let listed: u64 = epochs.iter().map(|steps| steps.count).sum();
        if epochs.len() < 2 || run.training_steps()?.count != listed {
            return Some(Self { flops: all, ..Self::sum(&[run.training_steps()?], metered) });
        }
        let first = epochs.remove(0);
        let flops = all.zip(result("training_flops_first_epoch"));
        Some(Self {
            flops: flops.map(|(all, first)| all - first),
            left_out: first.count,
            left_out_joules_per_step: Some(first.joules.mean).filter(|_| metered),
            ..Self::sum(&epochs, metered)
        })
    }

    fn sum(steps: &[&Steps], metered: bool) -> Self {
        let items = steps.iter().map(|steps| Some(steps.items.as_ref()?.count));
        Self {
            steps: steps.iter().map(|steps| steps.count).sum(),
            joules: metered
                .then(|| steps.iter().map(|steps| steps.joules.mean * steps.count as f64).sum()),
            seconds: steps.iter().map(|steps| steps.seconds).sum(),
            items: items.sum(),
            unit: steps.iter().find_map(|steps| Some(steps.items.as_ref()?.unit.clone())),
            ..Self::default()
        }
    }

    /// Joules a step.
    pub fn joules_per_step(&self) -> Option<f64> {
        self.joules.filter(|_| self.steps > 0).map(|joules| joules / self.steps as f64)
    }

    /// Joules an item.
    pub fn joules_per_item(&self) -> Option<f64> {
        let items = self.items.filter(|items| *items > 0.0)?;
        self.joules.map(|joules| joules / items)
    }

    /// Items a second.
    pub fn items_per_second(&self) -> Option<f64> {
        self.items.filter(|_| self.seconds > 0.0).map(|items| items / self.seconds)
    }

    /// Operations a second.
    pub fn flops_per_second(&self) -> Option<f64> {
        self.flops.filter(|_| self.seconds > 0.0).map(|flops| flops / self.seconds)
    }

    /// Operations a joule.
    pub fn flops_per_joule(&self) -> Option<f64> {
        let joules = self.joules.filter(|joules| *joules > 0.0)?;
        self.flops.map(|flops| flops / joules)
    }
}
