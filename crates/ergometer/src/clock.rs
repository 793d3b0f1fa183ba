//! Monotonic time; the only place that asks what time it is.
//!
//! Timestamps count nanoseconds since a minute before the first one of the process: what a sensor shows
//! first may hold for a moment before that. Wall-clock time is asked once
//! a run, for the record's head, and never enters an interval, so a jumping wall clock has no effect.
//!
//! Where the kernel itself keeps time by the processor's invariant counter, that counter is read
//! instead of asking the kernel, at half the cost. Marks and readings share this clock, so that a rate
//! that is off by some parts in a million moves both alike; the meter watches by how much it is.

use std::sync::OnceLock;
use std::time::Duration;

use machine::Machine;

/// The machine's clock, and what it showed when it was first asked.
static CLOCK: OnceLock<Clock> = OnceLock::new();

/// The origin lies so long before the first timestamp, nanoseconds.
const HEAD_START: u64 = 60_000_000_000;

struct Clock {
    machine: Machine,
    /// Of the clock that is read, in its own unit.
    first: u64,
    /// Of the system's clock, nanoseconds.
    first_system: u64,
}

impl Clock {
    fn start() -> Self {
        let machine = Machine::new();
        let (first_system, first) = (machine::system_nanos(), machine.read());
        Self { machine, first, first_system }
    }

    #[inline]
    fn now(&self) -> Timestamp {
        Timestamp(HEAD_START + self.machine.nanos_since(self.first))
    }
}

/// A moment on the process's monotonic clock, in nanoseconds since its origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the origin.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    /// The moment `seconds` after the origin; the origin itself for what lies before it.
    #[must_use]
    pub(crate) fn from_secs_f64(seconds: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped at 0")]
        Self((seconds.max(0.0) * 1e9) as u64)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` after this one.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The moment `duration` before this one, the origin at the earliest.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The present moment.
#[must_use]
#[inline]
pub fn now() -> Timestamp {
    match CLOCK.get() {
        Some(clock) => clock.now(),
        None => first(),
    }
}

/// The first moment. Takes up to a millisecond where the processor's counter is to be calibrated.
#[cold]
fn first() -> Timestamp {
    CLOCK.get_or_init(Clock::start).now()
}

/// By how much this clock has moved away from the system's monotonic one since the first timestamp, as
/// a share of the time since then.
///
/// Some parts in a million are what calibration leaves. More means that the processor's counter jumped,
/// as it may when a virtual machine is frozen or moved to another host.
pub(crate) fn stray() -> f64 {
    let clock = CLOCK.get_or_init(Clock::start);
    let system = machine::system_nanos().wrapping_sub(clock.first_system) as f64;
    let own = clock.machine.nanos_since(clock.first) as f64;
    // Within the first second the two reads themselves, and what lies between them, would tell.
    (own - system) / system.max(1e9)
}

/// The system's clock as a number: a difference of two `Instant`s costs as much again as reading them.
#[cfg(target_os = "linux")]
mod machine {
    use rustix::time::{ClockId, clock_gettime};

    /// Clocks of the kernel that a program can read without it.
    const COUNTERS: [&str; 2] = ["tsc", "arch_sys_counter"];
    const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

    pub(super) enum Machine {
        /// The processor's counter, and how many nanoseconds 2^32 of its ticks last.
        Counter(Counter, u64),
        System,
    }

    impl Machine {
        pub(super) fn new() -> Self {
            // The kernel watches the counter against other clocks, and leaves it when it errs.
            let current = std::fs::read_to_string(CURRENT).unwrap_or_default();
            let counter = COUNTERS.contains(&current.trim()).then(Counter::calibrated).flatten();
            counter.map_or(Self::System, |(counter, rate)| Self::Counter(counter, rate))
        }

        #[inline]
        pub(super) fn read(&self) -> u64 {
            match self {
                Self::Counter(counter, _) => counter.read(),
                Self::System => system_nanos(),
            }
        }

        #[inline]
        pub(super) fn nanos_since(&self, first: u64) -> u64 {
            match self {
                // Another core's counter may be a tick or two behind the first one's.
                Self::Counter(counter, rate) => scaled(counter.read().saturating_sub(first), *rate),
                Self::System => system_nanos().wrapping_sub(first),
            }
        }
    }

    #[inline]
    fn scaled(ticks: u64, rate: u64) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "2^64 ns are 584 years")]
        let nanos = ((u128::from(ticks) * u128::from(rate)) >> 32) as u64;
        nanos
    }

    /// On x86 the counter is read in place; `quanta` calibrates it, but reads it by a call.
    #[cfg(target_arch = "x86_64")]
    pub(super) struct Counter;

    #[cfg(target_arch = "x86_64")]
    impl Counter {
        /// With the length of 2^32 ticks in nanoseconds; `None` if `quanta` does not trust the counter.
        fn calibrated() -> Option<(Self, u64)> {
            let clock = quanta::Clock::new();
            let (before, between, after) = (Self.read(), clock.raw(), Self.read());
            (before..=after).contains(&between).then(|| (Self, clock.delta_as_nanos(0, 1 << 32)))
        }

        #[inline]
        #[expect(clippy::unused_self, reason = "as elsewhere")]
        fn read(&self) -> u64 {
            safe_arch::read_timestamp_counter()
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(super) struct Counter(quanta::Clock);

    #[cfg(not(target_arch = "x86_64"))]
    impl Counter {
        /// With the length of 2^32 ticks in nanoseconds; 2^32 itself if `quanta` asks the system.
        fn calibrated() -> Option<(Self, u64)> {
            let clock = quanta::Clock::new();
            let rate = clock.delta_as_nanos(0, 1 << 32);
            Some((Self(clock), rate))
        }

        #[inline]
        fn read(&self) -> u64 {
            self.0.raw()
        }
    }

    /// `CLOCK_MONOTONIC`.
    #[inline]
    pub(super) fn system_nanos() -> u64 {
        let time = clock_gettime(ClockId::Monotonic);
        let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
        seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
    }
}

#[cfg(not(target_os = "linux"))]
mod machine {
    use std::sync::LazyLock;
    use std::time::Instant;

    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) struct Machine;

    impl Machine {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn read(&self) -> u64 {
            system_nanos()
        }

        #[inline]
        pub(super) fn nanos_since(&self, first: u64) -> u64 {
            system_nanos().saturating_sub(first)
        }
    }

    #[inline]
    pub(super) fn system_nanos() -> u64 {
        let first = *FIRST;
        // 2^64 ns are 584 years.
        u64::try_from(first.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_moment_lies_a_head_start_after_the_origin() {
        let now = now();
        assert!(now.as_nanos() >= HEAD_START);
        assert!(now.before(Duration::from_mins(1)) < now);
    }

    #[test]
    fn it_runs_as_the_standard_clock_does() {
        let (first, outer) = (now(), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let (around, inside) = (outer.elapsed(), now().since(first));
        // Calibration leaves some parts in a million.
        assert!(inside >= around.mul_f64(0.999), "asked for later: {inside:?}, {around:?}");
        assert!(inside.saturating_sub(around) < Duration::from_secs(1));
        assert!(stray().abs() < 1e-3, "{}", stray());
    }

    #[test]
    fn threads_see_one_clock() {
        let mut before = now();
        for _ in 0..200 {
            let there = std::thread::spawn(now).join().unwrap();
            let here = now();
            assert!(before <= there && there <= here, "{before:?} {there:?} {here:?}");
            before = here;
        }
    }
}
