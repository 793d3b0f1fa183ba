//! The relative change between two sets of runs, with its 95 % interval.
//!
//! Two things make it uncertain. *How well the energies are known*: gain errors of the same sensors are in
//! both sides and cancel in the ratio; models and all else are taken as independent. This does not average
//! out over repeated runs, but for what is random. *How much runs differ*: from the standard deviation of
//! repeated runs by Student's t (Welch); a side of a single run is given the relative deviation of the other
//! side, and two single runs an assumed one.

use ergometer::Record;
use ergometer::energy::Energy;
use serde::Serialize;

use super::Metric;

/// A metric of one run.
pub struct Run {
    value: f64,
    /// Relative standard uncertainties of the value.
    gain: f64,
    other_systematic: f64,
    random: f64,
}

impl Run {
    /// None where the run has no such value, or one of 0, to which nothing is relative.
    pub fn of(metric: Metric, record: &Record) -> Option<Self> {
        let whole = record.whole();
        if metric == Metric::Time {
            return Self::exact(whole.seconds);
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
        Self::measured(value, &energy)
    }

    fn exact(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self {
            value,
            gain: 0.0,
            other_systematic: 0.0,
            random: 0.0,
        })
    }

    /// Parts and means have the relative uncertainty of the run's energy.
    fn measured(value: f64, energy: &Energy) -> Option<Self> {
        let joules = energy.joules.get();
        let of = |part: ergometer::units::Joules| part.get() / joules;
        let parts = energy.parts;
        let exact = Self::exact(value).filter(|_| joules > 0.0)?;
        Some(Self {
            gain: of(parts.gain),
            other_systematic: of(parts.model).hypot(of(parts.gaps)),
            random: of(parts.edges).hypot(of(parts.quantum)),
            ..exact
        })
    }
}

/// From low to high, relative to the base.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn has(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// How a metric changed.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Mean of the base, in joules, seconds or watts.
    pub base: f64,
    /// Mean of what is compared with it.
    pub new: f64,
    /// `new / base - 1`.
    pub relative: f64,
    /// Its 95 % interval.
    #[serde(rename = "interval_95")]
    pub interval: Interval,
}

impl Change {
    /// None where a side has no run. `shared`: the same sensors on both sides; `assumed`: relative standard
    /// deviation of single runs.
    pub fn between(base: &[Run], new: &[Run], shared: bool, assumed: f64) -> Option<Self> {
        let (a, b) = (Side::of(base)?, Side::of(new)?);
        let ratio = b.mean / a.mean;
        let gain = if shared { b.gain - a.gain } else { a.gain.hypot(b.gain) };
        let known = gain
            .hypot(a.other_systematic.hypot(b.other_systematic))
            .hypot(a.random.hypot(b.random));
        let (between_runs, factor) = Side::between_runs(&a, &b, assumed);
        let half = ratio * (NORMAL * known).hypot(factor * between_runs);
        let relative = ratio - 1.0;
        let interval = Interval { low: relative - half, high: relative + half };
        Some(Self { base: a.mean, new: b.mean, relative, interval })
    }
}

/// Runs of one side: their mean and its relative uncertainties.
struct Side {
    mean: f64,
    gain: f64,
    other_systematic: f64,
    random: f64,
    count: f64,
    /// Relative standard deviation of the runs; none of a single one.
    deviation: Option<f64>,
}

impl Side {
    fn of(runs: &[Run]) -> Option<Self> {
        if runs.is_empty() {
            return None;
        }
        let count = runs.len() as f64;
        let average = |of: &dyn Fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / count;
        let mean = average(&|run| run.value);
        let squares: f64 = runs.iter().map(|run| (run.value / mean - 1.0).powi(2)).sum();
        Some(Self {
            mean,
            gain: average(&|run| run.gain),
            other_systematic: average(&|run| run.other_systematic),
            random: average(&|run| run.random.powi(2)).sqrt() / count.sqrt(),
            count,
            deviation: (runs.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
        })
    }

    /// Relative standard uncertainty of the ratio that comes from the runs' differences, and how many of it make
    /// a 95 % interval.
    fn between_runs(a: &Self, b: &Self, assumed: f64) -> (f64, f64) {
        let of = |deviation: f64, side: &Self| deviation.powi(2) / side.count;
        match (a.deviation, b.deviation) {
            (Some(one), Some(other)) => {
                let (u, v) = (of(one, a), of(other, b));
                let freedom =
                    (u + v).powi(2) / (u.powi(2) / (a.count - 1.0) + v.powi(2) / (b.count - 1.0));
                ((u + v).sqrt(), student(freedom))
            }
            (Some(known), None) => ((of(known, a) + of(known, b)).sqrt(), student(a.count - 1.0)),
            (None, Some(known)) => ((of(known, a) + of(known, b)).sqrt(), student(b.count - 1.0)),
            (None, None) => ((of(assumed, a) + of(assumed, b)).sqrt(), NORMAL),
        }
    }
}

/// Standard deviations on each side that hold 95 % of a normal distribution.
const NORMAL: f64 = 1.960;

/// The same of Student's t, by degrees of freedom from 1: the 97.5 % quantiles.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// Of fractional degrees of freedom that of the next lower number, which is the larger quantile.
fn student(freedom: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    // Runs that do not differ at all have no degrees of freedom (0 / 0), and nothing to multiply.
    let whole = if freedom.is_finite() { freedom.max(1.0) as usize } else { 1 };
    STUDENT[whole.min(STUDENT.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64, gain: f64) -> Run {
        Run { value, gain, other_systematic: 0.0, random: 0.0 }
    }

    fn width(interval: Interval) -> f64 {
        (interval.high - interval.low) / 2.0
    }

    #[test]
    fn the_gain_of_the_same_sensors_cancels_and_of_others_does_not() {
        let (base, new) = ([run(100.0, 0.05)], [run(110.0, 0.05)]);
        let shared = Change::between(&base, &new, true, 0.0).unwrap();
        assert!((shared.relative - 0.1).abs() < 1e-12 && width(shared.interval) < 1e-12);
        let other = Change::between(&base, &new, false, 0.0).unwrap();
        let expected = 1.1 * 1.960 * 0.05 * 2.0_f64.sqrt();
        assert!((width(other.interval) - expected).abs() < 1e-12, "{other:?}");
    }

    #[test]
    fn repeated_runs_are_compared_by_welch() {
        let runs = |values: &[f64]| values.iter().map(|value| run(*value, 0.0)).collect::<Vec<_>>();
        let (base, new) = (runs(&[99.0, 100.0, 101.0]), runs(&[109.0, 110.0, 111.0]));
        let change = Change::between(&base, &new, true, 0.5).unwrap();
        // Relative deviations of 1/100 and 1/110 over three runs each: just below four degrees of freedom.
        let standard = ((1e-4 + 1.0 / 12_100.0) / 3.0_f64).sqrt();
        assert!((width(change.interval) - 1.1 * 3.182 * standard).abs() < 1e-9, "{change:?}");
        // A single run has the deviation of the others.
        let single = Change::between(&base, &runs(&[110.0]), true, 0.5).unwrap();
        let standard = (1e-4_f64 / 3.0 + 1e-4).sqrt();
        assert!((width(single.interval) - 1.1 * 4.303 * standard).abs() < 1e-9, "{single:?}");
        // Of two it is assumed.
        let assumed = Change::between(&base[..1], &new[..1], true, 0.02).unwrap();
        assert!(width(assumed.interval) > 0.05, "{assumed:?}");
    }

    #[test]
    fn runs_that_do_not_differ_have_an_interval_of_their_uncertainty_alone() {
        let runs = [run(5.0, 0.0), run(5.0, 0.0)];
        let change = Change::between(&runs, &runs, true, 0.02).unwrap();
        assert_eq!((change.interval.low, change.interval.high), (0.0, 0.0));
    }

    #[test]
    fn sides_without_a_value_are_not_compared() {
        assert!(Change::between(&[], &[run(1.0, 0.0)], true, 0.02).is_none());
        assert!(Run::exact(0.0).is_none() && Run::exact(f64::NAN).is_none());
    }
}
