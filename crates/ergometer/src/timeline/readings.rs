//! What a reading means for the curve: an anchor, a sample, or nothing.

use super::standstill::Stretch;
use super::{Anchor, Interval, PATIENCE, RECTANGULAR, Sample, Timeline, UNBROKEN};
use crate::energy::Method;
use crate::source::{HELD_BACK, Reading, Value};
use crate::units::{Joules, Watts};

/// No domain draws more than this; a reading above it is rejected (`cases`: 10^12 W).
const IMPOSSIBLE: f64 = 100e3;
/// Power above this many times the domain's limit is flagged, and power above that many rejected: the limit may have
/// been raised since the run began.
const ABOVE_LIMIT: f64 = 1.5;
const FAR_ABOVE_LIMIT: f64 = 4.0;
/// A mean power is compared with the limit over this time at least, seconds.
const LIMIT_WINDOW: f64 = 0.05;
/// Seconds after which power is integrated without waiting for the counter any longer: more than any
/// source holds its values back, and less than what others wait for a domain ([`PATIENCE`]).
pub(super) const SILENT_COUNTER: f64 = HELD_BACK + 0.5;
const _: () = assert!(SILENT_COUNTER < PATIENCE.as_secs() as f64);
/// A domain none of whose reads succeeds for this many seconds is gone: no level is held.
const LOST: f64 = 0.1;
/// The same of one that is twice as wide: power in an unseen stretch lies between none and twice the mean.
const TWICE_AS_WIDE: f64 = 2.0 * RECTANGULAR;
/// Seconds that a momentary sample of power stands for.
const LEAST_WINDOW: f64 = 0.002;
/// Averages overlap if they are no further apart than such a share of what they average.
const OVERLAPPING: f64 = 0.5;
/// Intervals that are kept until they are taken.
const MOST_INTERVALS: usize = 4096;

impl Timeline {
    /// Takes a reading in; those of one kind come in the order of their time.
    pub(crate) fn push(&mut self, reading: &Reading) {
        let t = reading.at.as_secs_f64();
        match &reading.value {
            Value::Energy(joules) => self.push_energy(t, reading.within.as_secs_f64(), *joules),
            Value::Power(watts) => self.push_power(t, reading.within.as_secs_f64(), *watts),
            Value::Restarted(reason) => {
                self.health.failed += 1;
                self.health.remark(reason);
                // The next counter value starts a new anchored stretch; power, if any, bridges.
                self.settle_by_power(t);
                self.anchor = None;
                self.counter_since = t;
            }
            Value::Missing(reason) => {
                self.reject(reason);
                let first = self.failing.map_or(t, |(first, _)| first);
                self.failing = Some((first, t));
            }
        }
    }

    /// The domain gave a value for `t`. One from before it failed may come late.
    fn answered(&mut self, t: f64) {
        self.failing = self.failing.filter(|&(first, _)| t <= first);
    }

    /// Whether the domain is gone: read after read failed since the last one that did not.
    pub(super) fn is_lost(&self) -> bool {
        self.failing.is_some_and(|(first, last)| last - first >= LOST)
    }

    /// A reading that is not used, with the reason.
    pub(crate) fn reject(&mut self, reason: &str) {
        self.health.failed += 1;
        self.health.remark(reason);
    }

    fn push_energy(&mut self, t: f64, within: f64, joules: Joules) {
        let value = joules.get();
        let most = self.most();
        let plausible = match self.anchor {
            Some(a) => {
                let length = (t - a.t).max(1.0) + self.asleep(a.t, t);
                value >= a.counter && value - a.counter <= most * length
            }
            None => true,
        };
        if !value.is_finite() || !plausible {
            self.reject("an energy reading that cannot be was rejected");
            return;
        }
        self.health.readings += 1;
        self.answered(t);
        let since = self.anchor.map_or(0.0, |anchor| value - anchor.counter);
        self.watch(t, since > 0.0, since);
        if let Some(anchor) = self.anchor.filter(|anchor| t - anchor.t > LIMIT_WINDOW) {
            // How long it took is known to within the time of both readings.
            self.compare_with_limit(since / (t - anchor.t + within + anchor.within));
        }
        let known = self.shaper.front().map_or(f64::NEG_INFINITY, |(front, _)| front);
        if t < known || (t <= known && self.anchor.is_some()) {
            // It comes late, and power has stood in for it: as an anchor at the curve's end it would
            // give that energy once more.
            return;
        }
        if let Some(anchor) = self.anchor {
            self.settle_by_counter(anchor, t, within, value);
            if self.silent_to > anchor.t && self.silent_to <= known {
                // It went on counting while it was away, and this has all of that.
                self.gaps.make_up(self.silent_from, known, t);
            }
        } else {
            self.settle_by_power(t);
            self.hold_until(t);
            self.shaper.begin(t);
        }
        let e = self.shaper.front().map_or(0.0, |(_, e)| e);
        self.anchor = Some(Anchor { t, within, counter: value, e });
        self.counter_since = t;
    }

    fn push_power(&mut self, t: f64, within: f64, power: Watts) {
        let watts = power.get();
        if !watts.is_finite() || !(0.0..=self.most()).contains(&watts) {
            self.reject("a power reading that cannot be was rejected");
            return;
        }
        let last = self.samples.last().copied();
        if last.is_some_and(|last| t <= last.t) {
            return;
        }
        self.health.readings += 1;
        self.answered(t);
        self.compare_with_limit(watts);
        let pause = last.map_or(0.0, |last| t - last.t);
        if self.anchor.is_some() && pause > self.longest_pause() {
            // All of the domain was silent: the counter may follow.
            self.counter_since = self.counter_since.max(t);
        }
        // A counter tells better than power whether it moves.
        if self.anchor.is_none() {
            self.watch(t, watts > 0.0, watts * pause);
        }
        self.samples.push(Sample { t, within, watts });
        self.note_sample(t, within, watts);
        // A share of what a counter counted is counted too.
        let counted = self.method == Method::Counter || self.is_counted();
        if !counted || t - self.counter_since > SILENT_COUNTER {
            if self.anchor.take().is_some() {
                self.health.remark("the energy counter fell silent; power was integrated instead");
            }
            self.settle_by_power(t);
        } else {
            self.shaper.witness(t, watts * self.gain());
        }
    }

    /// Power that the domain cannot draw.
    fn most(&self) -> f64 {
        self.limit.map_or(IMPOSSIBLE, |limit| (limit * FAR_ABOVE_LIMIT).min(IMPOSSIBLE))
    }

    fn compare_with_limit(&mut self, watts: f64) {
        if self.limit.is_some_and(|limit| watts > limit * ABOVE_LIMIT) {
            let before = self.health.above_limit.unwrap_or(0.0);
            self.health.above_limit = Some(before.max(watts));
        }
    }

    /// Looks whether the sensor still moves.
    fn watch(&mut self, t: f64, moved: bool, joules: f64) {
        if !self.watched {
            return;
        }
        if let Some(stretch) = self.standstill.take(t, moved, joules) {
            self.stood_still(stretch);
            self.health.remark(
                "the sensor stood still for a while: what was drawn then may not be in the total",
            );
        }
    }

    pub(super) fn stood_still(&mut self, Stretch { from, to, watts }: Stretch) {
        self.gaps.add(from, to, TWICE_AS_WIDE * watts);
    }

    /// Takes note of a sample as the energy of the time that it averages. Two averages of more than the time
    /// between them share most of it: their difference is what was drawn at the one end and not at the other.
    fn note_sample(&mut self, t: f64, within: f64, watts: f64) {
        let window = self.sensor.power_window_s.unwrap_or(0.0).max(LEAST_WINDOW);
        let period = self.sensor.power_period_s.unwrap_or(window);
        let joules = watts * window;
        let (from, to) = (t - window / 2.0, t + window / 2.0);
        if period >= UNBROKEN * window {
            self.note(Interval { from, to, joules, sample: true, more_than: None, within });
        } else if let [.., before, _] = self.samples[..]
            && t - before.t < OVERLAPPING * window
        {
            let joules = joules - before.watts * window;
            let from = before.t + window / 2.0;
            let more_than = Some(window);
            self.note(Interval { from, to, joules, sample: true, more_than, within });
        }
    }

    pub(super) fn note(&mut self, interval: Interval) {
        if self.method != Method::Assumed && self.intervals.len() < MOST_INTERVALS {
            self.intervals.push(interval);
        }
    }

    /// What was read since this was called last, as far as it was a sensor that was read.
    pub(crate) fn take_intervals(&mut self) -> Vec<Interval> {
        std::mem::take(&mut self.intervals)
    }
}
