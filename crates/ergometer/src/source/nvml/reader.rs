//! What the thread that reads takes of a processor, for boards and besides.

use std::cell::Cell;

/// What is taken besides is worked out after this many seconds.
const LOOKED_AT: f64 = 10.0;
/// The least of this many looks counts: bursts of reads, as at the start, wake the thread more often.
const LOOKS: usize = 3;

/// Seconds that the calling thread has used of a processor.
#[cfg(target_os = "linux")]
pub(super) fn seconds() -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Seconds that passed: no less than the calling thread has used.
#[cfg(not(target_os = "linux"))]
pub(super) fn seconds() -> f64 {
    crate::clock::now().as_secs_f64()
}

/// A call into the driver ended at `t` and used this many `seconds` of a processor. Returns how many the calling thread
/// uses each second besides such calls: to wake, and to read other sources.
pub(super) fn besides(t: f64, seconds: f64) -> f64 {
    // Elsewhere only the time that passed is known.
    if !cfg!(target_os = "linux") {
        return 0.0;
    }
    thread_local!(static BESIDES: Cell<Besides> = const { Cell::new(Besides::NONE) });
    let mut known = BESIDES.get();
    known.take(t, seconds, self::seconds);
    BESIDES.set(known);
    known.each_second()
}

/// What one thread uses besides calls into the driver.
#[derive(Clone, Copy, Debug)]
struct Besides {
    /// Since when the calls are counted, with what the thread had used by then.
    since: Option<(f64, f64)>,
    /// What calls have used since.
    calls: f64,
    /// What each second took by the last looks, the newest first.
    looks: [f64; LOOKS],
}

impl Besides {
    const NONE: Self = Self { since: None, calls: 0.0, looks: [f64::INFINITY; LOOKS] };

    /// A call ended at `t` and used this many `seconds` of what the thread has `used`.
    fn take(&mut self, t: f64, seconds: f64, used: impl FnOnce() -> f64) {
        self.calls += seconds;
        let Some((since, before)) = self.since else {
            *self = Self { since: Some((t, used())), ..Self::NONE };
            return;
        };
        if t - since < LOOKED_AT {
            return;
        }
        let used = used();
        let each_second = ((used - before - self.calls) / (t - since)).max(0.0);
        self.looks.rotate_right(1);
        self.looks[0] = each_second;
        (self.since, self.calls) = (Some((t, used)), 0.0);
    }

    fn each_second(&self) -> f64 {
        let least = self.looks.iter().copied().fold(f64::INFINITY, f64::min);
        // The first one is of a burst.
        if self.looks[1].is_finite() { least } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_uses_besides_calls_is_known_after_some_seconds_and_followed() {
        let mut besides = Besides::NONE;
        let (mut t, mut used) = (1e6, 3.0);
        // Calls of 0.5 ms every 250 ms, and besides such a share of a processor.
        let mut run = |share: f64, seconds: u32| {
            for _ in 0..4 * seconds {
                t += 0.25;
                used += 0.25 * share + 0.000_5;
                besides.take(t, 0.000_5, || used);
            }
            besides.each_second()
        };
        assert!(run(0.001, 10).abs() < 1e-12, "it is not known yet");
        assert!((run(0.001, 60) - 0.001).abs() < 1e-9);
        assert!((run(0.004, 20) - 0.001).abs() < 1e-9, "a burst does not count");
        assert!((run(0.002, 60) - 0.002).abs() < 1e-9);
    }

    #[test]
    fn a_call_that_used_more_than_the_thread_leaves_nothing_besides() {
        let mut besides = Besides::NONE;
        for second in 0..60 {
            besides.take(f64::from(second), 0.002, || f64::from(second) * 0.001);
        }
        assert!(besides.each_second().abs() < 1e-12);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_works_between_calls_uses_that_besides() {
        let began = seconds();
        besides(0.0, 0.0);
        let mut each_second = 0.0;
        for t in [10.0, 20.0] {
            let from = seconds();
            let mut sum = 0_u64;
            while seconds() - from < 0.02 {
                sum = std::hint::black_box(sum + 1);
            }
            // By a clock of its own: 0.02 s of a processor in 10 s.
            each_second = besides(t, 0.005);
        }
        let most = (seconds() - began - 0.005) / 10.0;
        assert!(each_second >= 0.001_5 && each_second <= most, "{each_second}, {most}");
    }
}
