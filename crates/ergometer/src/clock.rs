//! Monotonic time; the only place that asks what time it is.
//!
//! Timestamps count nanoseconds since a minute before the first one of the process: what a sensor shows
//! first may hold for a moment before that. Wall-clock time is asked once
//! a run, for the record's head, and never enters an interval, so a jumping wall clock has no effect.

use std::sync::OnceLock;
use std::time::Duration;

/// What the machine's clock showed when it was first asked, less the head start; wraps.
static ORIGIN: OnceLock<u64> = OnceLock::new();

/// The origin lies so long before the first timestamp, nanoseconds.
const HEAD_START: u64 = 60_000_000_000;

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
    let nanos = machine::nanos();
    match ORIGIN.get() {
        Some(origin) => Timestamp(nanos.wrapping_sub(*origin)),
        None => first(nanos),
    }
}

/// The first moment, or one of the first if several threads ask at once.
#[cold]
fn first(nanos: u64) -> Timestamp {
    let origin = ORIGIN.get_or_init(|| nanos.wrapping_sub(HEAD_START));
    // Another thread may have been first with a later reading; neither is off by the head start.
    Timestamp(nanos.wrapping_sub(*origin))
}

/// `CLOCK_MONOTONIC` as a number. `Instant` shows the same clock, but its difference to another one
/// costs as much again as the reading.
#[cfg(target_os = "linux")]
mod machine {
    use rustix::time::{ClockId, clock_gettime};

    #[inline]
    pub(super) fn nanos() -> u64 {
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

    #[inline]
    pub(super) fn nanos() -> u64 {
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
        assert!(inside >= Duration::from_millis(20));
        assert!(inside >= around, "asked for later: {inside:?}, {around:?}");
        assert!(inside.saturating_sub(around) < Duration::from_secs(1));
    }
}
