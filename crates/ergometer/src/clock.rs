//! Monotonic time; the only place that asks what time it is.
//!
//! Timestamps count nanoseconds since a minute before the first one of the process: what a sensor shows
//! first may hold for a moment before that. Wall-clock time is asked once
//! a run, for the record's head, and never enters an interval, so a jumping wall clock has no effect.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static FIRST: OnceLock<Instant> = OnceLock::new();

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
    let first = *FIRST.get_or_init(Instant::now);
    let elapsed = Instant::now().saturating_duration_since(first);
    // 2^64 ns are 584 years.
    Timestamp(
        HEAD_START
            + elapsed.as_secs().wrapping_mul(1_000_000_000)
            + u64::from(elapsed.subsec_nanos()),
    )
}
