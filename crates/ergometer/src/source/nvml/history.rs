//! The samples of power that a driver takes by itself, and keeps for some seconds.

use super::query::{self, Past, Way};
use crate::source::Value;

/// Samples from which their spacing is known.
const ENOUGH: usize = 16;
/// Seconds between two of them, at least and at most: further apart they tell no more than power as it is read.
const SPACING: std::ops::RangeInclusive<f64> = 0.005..=0.05;
/// The last sample is no older than this many seconds, and no sample is newer than the call by more than that.
const OLDEST: f64 = 0.5;
pub(super) const AHEAD: f64 = 0.005;
/// Seconds by which a stamp comes after the time that its sample averages: samples of an H200 fit best if they are the
/// mean of 20 to 25 ms about 11.5 ms before their stamps (`docs/measurements`).
pub(super) const LATE: f64 = 0.001_5;
/// The least that a sample may be misplaced, seconds to either side.
const LEAST: f64 = 0.001;

/// Power is read by itself after this many seconds without a sample.
const SILENT: f64 = 4.0;
/// Samples are asked for again this many seconds later.
const AGAIN: f64 = 60.0;

/// How power is read: by itself or as samples, seconds between two updates, and seconds that each of them averages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sensed {
    pub way: Way,
    pub period: f64,
    pub window: f64,
}

/// Whether a driver goes on giving samples, which nothing obliges it to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    samples: Sensed,
    /// What power is read by while there are none.
    register: Sensed,
    /// When the last sample was given, and since when there are none.
    given: f64,
    ceased: Option<f64>,
    /// Seconds without any, before that.
    without: f64,
    /// When they are asked for again.
    again: f64,
}

impl History {
    /// Of samples this many seconds apart, that are used from `now` on instead of the `register`.
    pub(super) fn new(spacing: f64, register: Sensed, now: f64) -> Self {
        let samples = Sensed { way: Way::Samples, period: spacing, window: spacing };
        Self { samples, register, given: now, ceased: None, without: 0.0, again: now }
    }

    /// A sample was given at `t`.
    pub(super) fn given(&mut self, t: f64) {
        self.given = t;
    }

    /// How to read power from `t` on, where that is another way than before: none was given for a while.
    pub(super) fn give_up(&mut self, t: f64) -> Option<Sensed> {
        if self.ceased.is_some() || t - self.given <= SILENT {
            return None;
        }
        (self.ceased, self.again) = (Some(self.given), t + AGAIN);
        Some(self.register)
    }

    /// Whether samples are to be asked for at `t` though they had ceased.
    pub(super) fn asks_again(&self, t: f64) -> bool {
        self.ceased.is_some() && t >= self.again
    }

    /// What was given at `t` when they were asked for again: how to read power from then on, if they are back.
    pub(super) fn resume(&mut self, t: f64, past: &[Past]) -> Option<Sensed> {
        self.again = t + AGAIN;
        let given = matches!(query::power(past.last()?.watts), Value::Power(_));
        spacing(past).filter(|_| given)?;
        self.without = self.without(t);
        (self.ceased, self.given) = (None, t);
        Some(self.samples)
    }

    /// Seconds up to `t` in which there were none.
    pub(super) fn without(&self, t: f64) -> f64 {
        self.without + self.ceased.map_or(0.0, |since| t - since)
    }
}

/// Seconds between two samples, in the median; `None` of what are no regular samples of late.
pub(super) fn spacing(past: &[Past]) -> Option<f64> {
    let last = past.last()?;
    let fresh = (-AHEAD..=OLDEST).contains(&last.age);
    let spacing = quantile(&mut gaps(past), 0.5)?;
    (past.len() >= ENOUGH && fresh && SPACING.contains(&spacing)).then_some(spacing)
}

/// By how much the moments of samples stray, seconds to either side: a busy board stamps them late. That is half of
/// what the widest of twenty gaps exceeds the median by.
pub(super) fn within(past: &[Past]) -> f64 {
    let mut gaps = gaps(past);
    let [median, wide] = [0.5, 0.95].map(|q| quantile(&mut gaps, q).unwrap_or(0.0));
    ((wide - median) / 2.0).max(LEAST)
}

fn gaps(past: &[Past]) -> Vec<f64> {
    past.windows(2).map(|pair| pair[0].age - pair[1].age).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get((values.len().saturating_sub(1) as f64 * q).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(ages: impl IntoIterator<Item = f64>) -> Vec<Past> {
        ages.into_iter().map(|age| Past { age, watts: 100.0 }).collect()
    }

    #[test]
    fn regular_samples_of_late_have_a_spacing() {
        let regular = past((0..119).rev().map(|k| 0.02 * f64::from(k) + 0.007));
        assert!((spacing(&regular).unwrap() - 0.02).abs() < 1e-9);
        assert!(within(&regular) <= LEAST);
        // Every other one is stamped 9 ms late.
        let late = past((0..118).rev().map(|k| 0.02 * f64::from(k) - 0.009 * f64::from(k % 2)));
        assert!((within(&late) - 0.0045).abs() < 0.005, "{}", within(&late));
    }

    #[test]
    fn what_tells_nothing_of_late_is_not_used() {
        assert_eq!(spacing(&past((0..10).rev().map(|k| 0.02 * f64::from(k)))), None, "too few");
        let old = past((0..119).rev().map(|k| 0.02 * f64::from(k) + 60.0));
        assert_eq!(spacing(&old), None, "a minute old");
        let far = past((0..119).rev().map(|k| 0.1 * f64::from(k)));
        assert_eq!(spacing(&far), None, "as seldom as power is updated");
        // Stamped by no clock of this machine.
        assert_eq!(spacing(&past((0..119).rev().map(|k| 0.02 * f64::from(k) - 1e6))), None);
        assert_eq!((spacing(&[]), within(&[])), (None, LEAST));
    }
}
