//! What reading a board takes of a processor, and how often that allows to read it.

use crate::source::nvml::update_times::Window;

/// Share of that for the calls; the rest is for waking and for the ledger.
const FOR_CALLS: f64 = 0.6;
/// However much a read costs, a counter is read after this many seconds, or after this many as make it cost this
/// many times what it may.
const SELDOM: f64 = 3.0;
const EXCESS: f64 = 4.0;
/// Power of a board without a counter may cost this many times what it may, as an update that is missed is energy
/// that is guessed: 2 % of a core at the default share, which a call of 0.1 ms at 50 updates a second needs a
/// quarter of.
const ALONE: f64 = 16.0;
/// And after this many in any case.
const LONGEST: f64 = 8.0;
/// A mean over about this many reads.
const MEMORY: f64 = 16.0;
/// Seconds of a processor that a search for the period may take.
const SEARCH: f64 = 0.25;
/// Reads of a search that costs nothing to speak of.
const SEARCH_READS: f64 = 1000.0;

/// Seconds that the calling thread has used of a processor.
#[cfg(target_os = "linux")]
pub(super) fn thread_seconds() -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Seconds that passed: no less than the calling thread has used.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_seconds() -> f64 {
    crate::clock::now().as_secs_f64()
}

/// A running mean.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    count: f64,
    value: f64,
}

impl Mean {
    fn take(&mut self, value: f64) {
        self.count = (self.count + 1.0).min(MEMORY);
        // One read that was slow for another reason is not to count for long.
        let value = if self.count > 3.0 { value.min(8.0 * self.value + 1e-5) } else { value };
        self.value += (value - self.value) / self.count;
    }
}

/// What reads of one board cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Seconds of a processor, each second, that the calls for this board may take.
    allowance: f64,
    /// Seconds of a processor that a read with the counter takes, and one of power alone.
    counter: Mean,
    power: Mean,
}

impl Cost {
    /// `share` of one core is for `boards` boards.
    pub(super) fn new(share: f64, boards: usize) -> Self {
        let allowance = FOR_CALLS * share / boards.max(1) as f64;
        Self { allowance, counter: Mean::default(), power: Mean::default() }
    }

    /// A read took this many `seconds` of a processor; `counter`: the counter was in it.
    pub(super) fn take(&mut self, counter: bool, seconds: f64) {
        if counter { self.counter.take(seconds) } else { self.power.take(seconds) }
    }

    /// Seconds of a processor that a read of the counter takes.
    pub(super) fn of_counter(&self) -> f64 {
        self.counter.value
    }

    /// Seconds between two reads of the counter, if it would be read every `wanted` seconds.
    pub(super) fn counter_every(&self, wanted: f64) -> f64 {
        let affordable = self.counter.value / self.allowance;
        let seldom = SELDOM.max(affordable / EXCESS).min(LONGEST);
        wanted.max(affordable.min(seldom))
    }

    /// The same of power: beside a counter it may take half; where there is no counter every update counts, and it
    /// may take many times its share.
    pub(super) fn power_every(&self, wanted: f64, beside_counter: bool) -> f64 {
        let share = if beside_counter { 0.5 } else { ALONE };
        wanted.max(self.power.value / (share * self.allowance))
    }

    /// Seconds between two reads of a search that would read every `wanted` seconds, and how many reads it
    /// may have in all.
    pub(super) fn search(&self, wanted: f64) -> (f64, f64) {
        let cost = self.counter.value.max(self.power.value);
        (wanted.max(3.0 * cost), (SEARCH / cost.max(1e-9)).min(SEARCH_READS))
    }
}

/// When to read again a board that did not answer: soon at first, for a call may fail, and after some seconds
/// where the board is gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage {
    /// When the first call failed, and how many have since.
    since: Option<(f64, i32)>,
}

impl Outage {
    const FIRST: f64 = 0.05;
    const LONGEST: f64 = 3.0;

    /// A call failed at `t`.
    pub(super) fn failed(&mut self, t: f64) {
        let (since, count) = self.since.unwrap_or((t, 0));
        self.since = Some((since, count.saturating_add(1)));
    }

    /// A call succeeded at `t`: how long none had, seconds.
    pub(super) fn over(&mut self, t: f64) -> f64 {
        self.since.take().map_or(0.0, |(since, _)| t - since)
    }

    /// When to try again, after the last call failed at `t`.
    pub(super) fn next_try(&self, t: f64) -> Option<Window> {
        let (_, count) = self.since?;
        let pause = (Self::FIRST * 2.0_f64.powi(count.min(16) - 1)).min(Self::LONGEST);
        Some(Window { from: t + pause, by: t + 1.2 * pause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::nvml::DEFAULT_SHARE;

    #[test]
    fn a_quick_driver_is_read_as_wanted_and_a_slow_one_within_its_share() {
        // Milliseconds a call, and what eight boards that are read every 100 ms may then take of a core.
        for (call, share) in [(0.000_5, DEFAULT_SHARE), (0.002_4, 0.01), (0.01, 0.015)] {
            let mut cost = Cost::new(DEFAULT_SHARE, 8);
            for _ in 0..40 {
                cost.take(true, call);
            }
            let every = cost.counter_every(0.1);
            assert!(8.0 * call / every <= share, "{call} s: every {every} s");
            let generous = Cost { allowance: 1.0, ..cost };
            assert!((generous.counter_every(0.1) - 0.1).abs() < 1e-12, "the user allows more");
        }
        let mut quick = Cost::new(DEFAULT_SHARE, 8);
        quick.take(true, 0.000_01);
        assert!((quick.counter_every(0.1) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_read_that_was_slow_once_is_not_held_against_a_driver() {
        let mut cost = Cost::new(DEFAULT_SHARE, 1);
        for k in 0..200 {
            cost.take(true, if k == 100 { 0.5 } else { 0.000_02 });
        }
        assert!((cost.counter_every(0.1) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_lost_board_is_tried_again_every_few_seconds() {
        let mut outage = Outage::default();
        let (mut t, mut tries) = (0.0, 0);
        while t < 600.0 {
            outage.failed(t);
            tries += 1;
            t = outage.next_try(t).unwrap().by;
        }
        assert!((150..220).contains(&tries), "{tries}");
        assert!((590.0..700.0).contains(&outage.over(t)));
        assert_eq!(outage.next_try(t), None);
    }
}
