//! Differences of a hardware energy counter.
//!
//! One [`Counter`] follows one register, in the register's own integer unit. It compares each raw value
//! only with the last one that it accepted. So a failed read costs nothing: the next good one covers both
//! intervals.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::units::Watts;

/// The result of comparing a raw value with the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The first value: a starting point, no energy.
    First,
    /// The counter grew by this many units.
    Advanced(u64),
    /// The counter passed the end of its range once and grew by this many units.
    Wrapped(u64),
    /// The counter went back, or jumped and stayed there, and a wrap does not explain it. It is followed
    /// from here; the energy in between is unknown.
    Restarted,
    /// The value implies an impossible power. The counter is still followed from the value before.
    Impossible,
}

/// Extra time granted to a difference before its power counts as impossible.
///
/// A register shows the energy of its last update, not of now. So a difference over a short interval may
/// contain one update period more than the interval. The slowest counters known (NVML) update every 0.1 s.
const SLACK: Duration = Duration::from_millis(100);

/// A counter, its range and what has been counted so far.
#[derive(Clone, Debug)]
pub struct Counter {
    units_per_joule: f64,
    range: Option<u64>,
    limit: Watts,
    last: Option<(u64, Timestamp)>,
    /// The value rejected last. If the next value continues from there, the counter has really jumped.
    suspect: Option<(u64, Timestamp)>,
    /// Time since the last accepted value that timestamps do not include, because the machine slept.
    asleep: Duration,
    /// Wider than the register: units of 2^-32 J fill 64 bits after 4.3 GJ.
    total: u128,
}

impl Counter {
    /// A counter of `units_per_joule` that starts again at 0 after `range` units (`None` if the range is
    /// not known). `limit` is the highest power that the device behind it can draw.
    #[must_use]
    pub const fn new(units_per_joule: f64, range: Option<u64>, limit: Watts) -> Self {
        Self {
            units_per_joule,
            range,
            limit,
            last: None,
            suspect: None,
            asleep: Duration::ZERO,
            total: 0,
        }
    }

    /// Joules counted since the first value.
    #[must_use]
    pub fn joules(&self) -> f64 {
        self.total as f64 / self.units_per_joule
    }

    /// How long the range lasts at the power limit. Over a longer interval a second wrap cannot be
    /// excluded. `None` if the range is not known.
    #[must_use]
    pub fn unambiguous(&self) -> Option<Duration> {
        let seconds = self.range? as f64 / self.units_per_joule / self.limit.get();
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Adds time for which the machine slept since the last value. Timestamps do not include it, but the
    /// counter may have gone on.
    pub fn slept(&mut self, time: Duration) {
        self.asleep += time;
    }

    /// Time from the last accepted value to `at`, including time asleep.
    #[must_use]
    pub fn interval(&self, at: Timestamp) -> Duration {
        self.last.map_or(Duration::ZERO, |(_, last)| at.since(last) + self.asleep)
    }

    /// Takes the value `raw`, read at `at`.
    pub fn advance(&mut self, raw: u64, at: Timestamp) -> Advance {
        let Some(last) = self.last else {
            self.last = Some((raw, at));
            return Advance::First;
        };
        let advance = match self.difference(last, raw) {
            Some((units, wrapped)) if self.possible(units, last.1, at) => {
                if wrapped {
                    Advance::Wrapped(units)
                } else {
                    Advance::Advanced(units)
                }
            }
            // It went back, and no single wrap explains that.
            Some((_, true)) | None => Advance::Restarted,
            Some((_, false)) => self.jumped(raw, at),
        };
        if advance == Advance::Impossible {
            self.suspect = Some((raw, at));
        } else {
            self.suspect = None;
            self.last = Some((raw, at));
            self.asleep = Duration::ZERO;
        }
        if let Advance::Advanced(units) | Advance::Wrapped(units) = advance {
            self.total += u128::from(units);
        }
        advance
    }

    /// Units from the last value to `raw`, and whether the counter wrapped in between; `None` if that
    /// cannot be determined.
    fn difference(&self, (last, _): (u64, Timestamp), raw: u64) -> Option<(u64, bool)> {
        if raw >= last {
            return Some((raw - last, false));
        }
        let to_the_end = self.range?.checked_sub(last)?;
        Some((to_the_end.checked_add(raw)?, true))
    }

    fn possible(&self, units: u64, from: Timestamp, to: Timestamp) -> bool {
        let most = self.limit * (to.since(from) + self.asleep + SLACK);
        units as f64 / self.units_per_joule <= most.get()
    }

    /// Treats a forward jump as a bad read, unless the counter continues from where it jumped to.
    fn jumped(&self, raw: u64, at: Timestamp) -> Advance {
        match self.suspect {
            Some((before, from)) if raw >= before && self.possible(raw - before, from, at) => {
                Advance::Restarted
            }
            _ => Advance::Impossible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Advance::{Advanced, First, Impossible, Restarted, Wrapped};
    use super::*;

    const LIMIT: Watts = Watts::new(2000.0);
    /// A 32-bit register in units of 2^-14 J, as powercap shows it.
    const RANGE: u64 = 262_143_328_850;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs_f64(seconds))
    }

    /// Feeds `(seconds, raw)` and returns each result and the total.
    fn follow(range: Option<u64>, reads: &[(f64, u64)]) -> (Vec<Advance>, u128) {
        let mut counter = Counter::new(1e6, range, LIMIT);
        let said = reads.iter().map(|&(s, raw)| counter.advance(raw, at(s))).collect();
        (said, counter.total)
    }

    #[track_caller]
    fn check(range: Option<u64>, reads: &[(f64, u64)], says: &[Advance], total: u128) {
        assert_eq!(follow(range, reads), (says.to_vec(), total));
    }

    #[test]
    fn a_steady_counter_gives_the_difference_exactly() {
        check(
            Some(RANGE),
            &[(0.0, 5_000_000), (1.0, 105_000_000), (2.0, 205_000_001)],
            &[First, Advanced(100_000_000), Advanced(100_000_001)],
            200_000_001,
        );
    }

    #[test]
    fn from_100_to_10_with_a_range_of_105_are_15() {
        check(Some(105), &[(0.0, 100), (1.0, 10)], &[First, Wrapped(15)], 15);
    }

    #[test]
    fn many_wraps_are_exact_to_the_unit() {
        check(
            Some(1000),
            &[(0.0, 900), (1.0, 100), (2.0, 950), (3.0, 10), (4.0, 5)],
            &[First, Wrapped(200), Advanced(850), Wrapped(60), Wrapped(995)],
            2105,
        );
    }

    #[test]
    fn a_wrap_that_lands_on_0_is_a_wrap() {
        check(
            Some(1000),
            &[(0.0, 900), (1.0, 0), (2.0, 1)],
            &[First, Wrapped(100), Advanced(1)],
            101,
        );
    }

    #[test]
    fn a_read_immediately_after_a_wrap_gives_the_true_difference() {
        check(
            Some(RANGE),
            &[(0.0, RANGE - 1_000_000), (0.01, 500_000), (0.011, 600_000)],
            &[First, Wrapped(1_500_000), Advanced(100_000)],
            1_600_000,
        );
    }

    #[test]
    fn a_read_that_failed_leaves_both_intervals_to_the_next() {
        check(
            Some(RANGE),
            &[(0.0, 100_000_000), (2.0, 300_000_000)],
            &[First, Advanced(200_000_000)],
            200_000_000,
        );
    }

    #[test]
    fn back_to_0_where_no_wrap_is_possible_is_a_restart() {
        check(
            Some(RANGE),
            &[(0.0, 1_000_000_000), (1.0, 0), (2.0, 50_000_000)],
            &[First, Restarted, Advanced(50_000_000)],
            50_000_000,
        );
    }

    #[test]
    fn without_a_range_a_wrap_is_a_restart() {
        check(None, &[(0.0, 900), (1.0, 100), (2.0, 150)], &[First, Restarted, Advanced(50)], 50);
    }

    #[test]
    fn a_value_above_its_own_range_is_a_restart() {
        check(Some(100), &[(0.0, 200), (1.0, 10), (2.0, 15)], &[First, Restarted, Advanced(5)], 5);
    }

    #[test]
    fn one_impossible_value_is_passed_over() {
        check(
            Some(RANGE),
            &[(0.0, 0), (1.0, 10_000_000_000), (2.0, 200_000_000)],
            &[First, Impossible, Advanced(200_000_000)],
            200_000_000,
        );
    }

    #[test]
    fn a_jump_that_stays_is_a_restart() {
        check(
            Some(RANGE),
            &[(0.0, 0), (1.0, 10_000_000_000), (2.0, 10_100_000_000), (3.0, 10_150_000_000)],
            &[First, Impossible, Restarted, Advanced(50_000_000)],
            50_000_000,
        );
    }

    #[test]
    fn two_kilowatts_are_possible_and_three_are_not() {
        assert_eq!(
            follow(None, &[(0.0, 0), (10.0, 20_000_000_000)]).0[1],
            Advanced(20_000_000_000)
        );
        assert_eq!(follow(None, &[(0.0, 0), (10.0, 30_000_000_000)]).0[1], Impossible);
    }
}
