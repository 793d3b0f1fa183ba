//! Raw values of a counter → readings of its source.

use std::time::Duration;

use super::Value;
use super::counter::{Advance, Counter};
use crate::clock::{self, Timestamp};
use crate::units::{Joules, Watts};

/// After a longer pause between two reads, a second wrap is considered: a register of 65,536 J wraps in 328
/// s at 200 W.
const ATTENTIVE: Duration = Duration::from_secs(60);

/// A counter with the name of its unit, for messages.
#[derive(Debug)]
pub(super) struct TrackedCounter {
    counter: Counter,
    unit: &'static str,
    limit: Watts,
    /// How long the machine had slept when the counter was last read.
    asleep: Duration,
}

impl TrackedCounter {
    /// A counter of `units_per_joule`, each called `unit`; otherwise as [`Counter::new`].
    pub(super) const fn new(
        units_per_joule: f64,
        unit: &'static str,
        range: Option<u64>,
        limit: Watts,
    ) -> Self {
        let counter = Counter::new(units_per_joule, range, limit);
        Self { counter, unit, limit, asleep: Duration::ZERO }
    }

    /// Takes the value `raw`, read at `at`, and pushes the reading that follows.
    pub(super) fn take(&mut self, raw: u64, at: Timestamp, push: impl FnMut(Value)) {
        self.take_after(clock::asleep(), raw, at, push);
    }

    /// The same, with the total time that the machine has slept.
    fn take_after(
        &mut self,
        asleep: Duration,
        raw: u64,
        at: Timestamp,
        mut push: impl FnMut(Value),
    ) {
        let before = std::mem::replace(&mut self.asleep, asleep);
        self.counter.slept(asleep.saturating_sub(before));
        let interval = self.counter.interval(at);
        let unit = self.unit;
        match self.counter.advance(raw, at) {
            Advance::First | Advance::Advanced(_) | Advance::Wrapped(_) => {
                push(Value::Energy(Joules::new(self.counter.joules())));
                if interval > ATTENTIVE
                    && self.counter.unambiguous().is_some_and(|longest| interval > longest)
                {
                    push(Value::Missing(format!(
                        "{:.0} s between two reads: the counter may have wrapped more often than can be detected",
                        interval.as_secs_f64()
                    )));
                }
            }
            Advance::Restarted => push(Value::Restarted(format!(
                "the counter went to {raw} {unit} in a way that is not a wrap; the energy of the \
                 last {:.1} s is lost",
                interval.as_secs_f64()
            ))),
            Advance::Impossible => push(Value::Missing(format!(
                "{raw} {unit} implies more than {}, which cannot be",
                self.limit
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 32-bit register in units of 2^-16 J, as powercap shows it: 328 s at 200 W.
    const RANGE: u64 = 65_532_610_987;
    const WATTS: f64 = 200.0;

    /// The register at `seconds`, at a constant power of [`WATTS`].
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn register(seconds: f64) -> u64 {
        (WATTS * seconds * 1e6) as u64 % RANGE
    }

    fn follow(times: impl IntoIterator<Item = f64>) -> Vec<Value> {
        let mut followed = TrackedCounter::new(1e6, "µJ", Some(RANGE), Watts::new(2000.0));
        let mut said = Vec::new();
        for seconds in times {
            let at = Timestamp::default().after(Duration::from_secs_f64(seconds));
            followed.take(register(seconds), at, |value| said.push(value));
        }
        said
    }

    #[test]
    fn idle_for_longer_than_a_wrap_period_loses_nothing_when_read_every_half_minute() {
        let said = follow((0..=40).map(|read| f64::from(read) * 30.0));
        assert_eq!(said.len(), 41, "no remark: {said:?}");
        let Some(Value::Energy(joules)) = said.last() else { panic!("{said:?}") };
        // Four wraps lie in the 1200 s.
        assert!((joules.get() - WATTS * 1200.0).abs() < 1e-3, "{joules}");
    }

    #[test]
    fn what_a_counter_counts_while_the_machine_sleeps_is_energy_and_no_mistake() {
        let mut followed = TrackedCounter::new(1e6, "µJ", Some(RANGE), Watts::new(2000.0));
        let hour = Duration::from_hours(1);
        // An hour at 1 W, between two reads that lie 0.1 s apart on the clock.
        let reads =
            [(0.0, Duration::ZERO, 0), (0.1, hour, 3_600_000_000), (0.2, hour, 3_600_020_000)];
        let mut said = Vec::new();
        for (seconds, asleep, raw) in reads {
            let at = Timestamp::from_secs_f64(seconds);
            followed.take_after(asleep, raw, at, |value| said.push(value));
        }
        let [Value::Energy(_), Value::Energy(slept), Value::Missing(why), Value::Energy(last)] =
            &said[..]
        else {
            panic!("{said:?}")
        };
        assert!((slept.get() - 3600.0).abs() < 1e-9 && (last.get() - 3600.02).abs() < 1e-9);
        // At its limit a package passes the end of the range in 33 s.
        assert!(why.contains("3600 s between two reads"), "{why}");
        // Without a sleep the power is impossible.
        let raw = 3_600_020_000 + 3_600_000_000;
        followed.take_after(hour, raw, Timestamp::from_secs_f64(0.3), |value| said.push(value));
        assert!(matches!(said.last(), Some(Value::Missing(_))), "{said:?}");
    }

    #[test]
    fn an_interval_that_may_hide_a_wrap_is_flagged() {
        let said = follow([0.0, 400.0]);
        let [Value::Energy(_), Value::Energy(seen), Value::Missing(why)] = &said[..] else {
            panic!("{said:?}")
        };
        // From 0 past the end to 14.5 kJ: no value went back, so the wrap cannot be seen.
        assert!((seen.get() - (WATTS * 400.0 - 65_532.610_987)).abs() < 1e-3, "{seen}");
        assert!(why.contains("more often"), "{why}");
    }
}
