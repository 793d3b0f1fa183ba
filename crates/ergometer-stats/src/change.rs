//! The relative change between two sets of runs, with its 95 % interval.
//!
//! Two things make it uncertain. *How well the values are known*: gain errors of the same sensors are in
//! both sides and cancel in the ratio; models and all else are taken as independent. This does not average
//! out over repeated runs, but for what is random. *How much runs differ*: from the standard deviation of
//! repeated runs by Student's t (Welch); a side of a single run is given the relative deviation of the other
//! side, and two single runs an assumed one.

use serde::{Deserialize, Serialize};

use crate::student::{NORMAL, quantile};
use crate::verdict::Interval;

/// A value of one run, with its relative standard uncertainties.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// The value, above 0.
    pub value: f64,
    /// Of the sensors' gains.
    pub gain: f64,
    /// Of all else that repeats from run to run: models, gaps.
    pub systematic: f64,
    /// Of what does not: edges, quanta.
    pub random: f64,
}

impl Run {
    /// A value that is known exactly; `None` for one that is not above 0, to which nothing is relative.
    #[must_use]
    pub fn exact(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self {
            value,
            gain: 0.0,
            systematic: 0.0,
            random: 0.0,
        })
    }
}

/// How a value changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Mean of the base, in the values' unit.
    pub base: f64,
    /// Mean of what is compared with it.
    pub new: f64,
    /// `new / base - 1`.
    pub relative: f64,
    /// Its 95 % interval.
    #[serde(rename = "interval_95")]
    pub interval: Interval,
    /// Relative standard deviation of single runs: measured, or assumed where each side has one run.
    #[serde(skip)]
    pub run_deviation: f64,
}

impl Change {
    /// `None` where a side has no run. `shared`: the same sensors on both sides; `assumed`: relative standard
    /// deviation of single runs.
    #[must_use]
    pub fn between(base: &[Run], new: &[Run], shared: bool, assumed: f64) -> Option<Self> {
        let (a, b) = (Side::of(base)?, Side::of(new)?);
        let ratio = b.mean / a.mean;
        let gain = if shared { b.gain - a.gain } else { a.gain.hypot(b.gain) };
        let known = gain.hypot(a.systematic.hypot(b.systematic)).hypot(a.random.hypot(b.random));
        let (between_runs, factor) = Side::between_runs(&a, &b, assumed);
        let half = ratio * (NORMAL * known).hypot(factor * between_runs);
        let relative = ratio - 1.0;
        let interval = Interval { low: relative - half, high: relative + half };
        let measured = [(a.deviation, a.count), (b.deviation, b.count)];
        let run_deviation = pooled(&measured).unwrap_or(assumed);
        Some(Self { base: a.mean, new: b.mean, relative, interval, run_deviation })
    }
}

/// Runs of one side: their mean and its relative uncertainties.
struct Side {
    mean: f64,
    gain: f64,
    systematic: f64,
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
            systematic: average(&|run| run.systematic),
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

/// The standard deviation over sides of several runs, by their degrees of freedom.
fn pooled(sides: &[(Option<f64>, f64)]) -> Option<f64> {
    let known =
        sides.iter().filter_map(|(deviation, count)| Some((deviation.as_ref()?, count - 1.0)));
    let (squares, freedom) = known.fold((0.0, 0.0), |(squares, freedom), (deviation, own)| {
        (squares + own * deviation.powi(2), freedom + own)
    });
    (freedom > 0.0).then(|| (squares / freedom).sqrt())
}

/// The 97.5 % quantile of Student's t.
fn student(freedom: f64) -> f64 {
    quantile(0.975, freedom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64, gain: f64) -> Run {
        Run { value, gain, systematic: 0.0, random: 0.0 }
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
        let expected = 1.1 * NORMAL * 0.05 * 2.0_f64.sqrt();
        assert!((width(other.interval) - expected).abs() < 1e-12, "{other:?}");
    }

    #[test]
    fn repeated_runs_are_compared_by_welch() {
        let runs = |values: &[f64]| values.iter().map(|value| run(*value, 0.0)).collect::<Vec<_>>();
        let (base, new) = (runs(&[99.0, 100.0, 101.0]), runs(&[109.0, 110.0, 111.0]));
        let change = Change::between(&base, &new, true, 0.5).unwrap();
        // Relative deviations of 1/100 and 1/110 over three runs each: just below four degrees of freedom.
        let standard = ((1e-4 + 1.0 / 12_100.0) / 3.0_f64).sqrt();
        let factor = width(change.interval) / (1.1 * standard);
        assert!((2.776..2.80).contains(&factor), "{factor}");
        assert!((change.run_deviation - f64::midpoint(1e-4, 1.0 / 12_100.0).sqrt()).abs() < 1e-12);
        // A single run has the deviation of the others.
        let single = Change::between(&base, &runs(&[110.0]), true, 0.5).unwrap();
        let standard = (1e-4_f64 / 3.0 + 1e-4).sqrt();
        assert!((width(single.interval) - 1.1 * 4.302_653 * standard).abs() < 1e-7, "{single:?}");
        // Of two single runs it is assumed.
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
