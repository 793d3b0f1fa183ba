//! The metrics of a run as values with relative uncertainties.

use ergometer::Record;
use ergometer::energy::Energy;
use ergometer_stats::Run;

use super::Metric;

/// A metric of a run. `None` where the run has no such value, or one of 0, to which nothing is relative.
pub fn run(metric: Metric, record: &Record) -> Option<Run> {
    let whole = record.whole();
    if metric == Metric::Time {
        return Run::exact(whole.seconds);
    }
    let energy = whole.energy?;
    let steps = whole.steps.get("train").or_else(|| whole.steps.get("run"));
    let joules = energy.joules.get();
    let value = match metric {
        Metric::Power => joules / whole.seconds,
        Metric::EnergyPerStep => {
            let steps = steps?;
            steps.joules.get() / steps.count as f64
        }
        Metric::EnergyPerItem => {
            let steps = steps?;
            steps.joules.get() / steps.items
        }
        Metric::Energy | Metric::Time => joules,
    };
    measured(value, &energy)
}

/// Parts and means have the relative uncertainty of the run's energy.
fn measured(value: f64, energy: &Energy) -> Option<Run> {
    let joules = energy.joules.get();
    let of = |part: ergometer::units::Joules| part.get() / joules;
    let parts = energy.parts;
    let exact = Run::exact(value).filter(|_| joules > 0.0)?;
    Some(Run {
        gain: of(parts.gain),
        systematic: of(parts.model).hypot(of(parts.gaps)),
        random: of(parts.edges).hypot(of(parts.quantum)),
        ..exact
    })
}
