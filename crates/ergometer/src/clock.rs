//! Monotonic time; the only place that reads the time.
//!
//! Timestamps count nanoseconds from a minute before the first timestamp of the process, because a sensor's
//! first value may hold for a moment before it. Time in which the machine sleeps is not counted.
//!
//! Where the kernel itself keeps time by the processor's invariant counter, that counter is read directly,
//! at half the cost of a call to the kernel. Marks and readings share this clock, so a rate that is off by
//! a few parts in a million affects both alike.
//!
//! A counter may jump, or start again at 0, when a machine sleeps, or when a virtual machine is frozen or
//! moved. So the meter's threads compare it with the kernel's clock whenever they read a sensor, and
//! correct it (`watch`). A program's own threads do not: their timestamps between a jump and its discovery,
//! some tenths of a second, are off. Waits and limits of this library use the system's clock.
//!
//! The wall clock is read only for dates and never enters an interval, so setting it changes no energy.

mod machine;
mod watch;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::time::Duration;

pub(crate) use machine::KNOWS_SLEEP;
use machine::{Machine, Offsets};
use watch::Watch;
pub(crate) use watch::{Event, What};

/// The machine's clock, and what it showed when it was first asked.
static CLOCK: Clock = Clock::new();

/// How far the origin precedes the first timestamp, nanoseconds.
const HEAD_START: u64 = 60_000_000_000;

/// How many times a thread checks whether another has finished comparing the clocks before it continues
/// without.
const SPINS: u32 = 1000;

struct Clock {
    machine: Machine,
    /// Set when it is started.
    watch: OnceLock<Mutex<Watch>>,
    /// How many times it was corrected.
    jumps: AtomicU64,
    /// Nanoseconds for which the machine slept since the first timestamp.
    asleep: AtomicU64,
    /// Nanoseconds by which the wall clock was set forward since then.
    set: AtomicI64,
    /// Offsets that tests add to the reference clocks, nanoseconds.
    pretended_asleep: AtomicI64,
    pretended_wall: AtomicI64,
}

impl Clock {
    const fn new() -> Self {
        Self {
            machine: Machine::new(),
            watch: OnceLock::new(),
            jumps: AtomicU64::new(0),
            asleep: AtomicU64::new(0),
            set: AtomicI64::new(0),
            pretended_asleep: AtomicI64::new(0),
            pretended_wall: AtomicI64::new(0),
        }
    }

    /// Starts it when it is asked for first. Takes up to a millisecond where the processor's counter is to be
    /// calibrated.
    fn started(&self) -> &Mutex<Watch> {
        self.watch.get_or_init(|| {
            self.machine.start(HEAD_START);
            Mutex::new(Watch::start(&self.machine, Machine::offsets()))
        })
    }

    /// A clock that has not been started counts nothing, so that one look tells both.
    #[inline]
    fn now(&self) -> Timestamp {
        match self.machine.counted() {
            Some(nanos) => Timestamp(nanos),
            None => self.started_now(),
        }
    }

    #[cold]
    fn started_now(&self) -> Timestamp {
        self.started();
        Timestamp(self.machine.now())
    }

    /// `None` if nobody will release the lock: in a child that was forked while another thread held it.
    fn watch(&self) -> Option<MutexGuard<'_, Watch>> {
        for _ in 0..SPINS {
            match self.started().try_lock() {
                Ok(watch) => return Some(watch),
                Err(TryLockError::Poisoned(watch)) => return Some(watch.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }

    fn compare(&self, watch: &mut Watch) -> Timestamp {
        let now = watch.compare(&self.machine);
        self.jumps.store(watch.jumps, Ordering::Relaxed);
        Timestamp(now)
    }

    fn offsets(&self) -> Option<Offsets> {
        let Offsets { asleep, wall } = Machine::offsets()?;
        Some(Offsets {
            asleep: asleep.wrapping_add(self.pretended_asleep.load(Ordering::Relaxed)),
            wall: wall.wrapping_add(self.pretended_wall.load(Ordering::Relaxed)),
        })
    }
}

/// A moment on the process's monotonic clock, in nanoseconds since its origin.
///
/// ```
/// use std::time::Duration;
/// use ergometer::clock;
///
/// let start = clock::now();
/// let later = start.after(Duration::from_millis(5));
/// assert_eq!(later.since(start), Duration::from_millis(5));
/// assert_eq!(start.since(later), Duration::ZERO);
/// ```
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

    /// The moment `seconds` after the origin; the origin itself for negative values.
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
    CLOCK.now()
}

fn clock() -> &'static Clock {
    CLOCK.started();
    &CLOCK
}

/// The present moment, after a comparison with the kernel's clock; for the meter's own threads, which can
/// spend that time.
pub(crate) fn checked_now() -> Timestamp {
    let clock = clock();
    clock.watch().map_or_else(|| clock.now(), |mut watch| clock.compare(&mut watch))
}

/// The same, which also checks whether the machine slept or the wall clock was set.
pub(crate) fn check() -> Timestamp {
    let clock = clock();
    let Some(mut watch) = clock.watch() else { return clock.now() };
    let now = clock.compare(&mut watch);
    let moved = watch.look(now.as_nanos(), clock.offsets(), machine::RATES_DIFFER);
    clock.asleep.fetch_add(moved.asleep.cast_unsigned(), Ordering::Relaxed);
    clock.set.fetch_add(moved.wall, Ordering::Relaxed);
    now
}

/// How many times the clock was corrected so far.
pub(crate) fn jumps() -> u64 {
    clock().jumps.load(Ordering::Relaxed)
}

/// The same, after another comparison.
pub(crate) fn jumps_by_now() -> u64 {
    checked_now();
    jumps()
}

/// The events of the clocks after the first `known` ones; `known` is advanced.
pub(crate) fn events(known: &mut u64) -> Vec<Event> {
    let Some(watch) = clock().watch() else { return Vec::new() };
    let events = watch.since(*known).collect();
    *known = watch.count;
    events
}

/// How long the machine slept since the first timestamp, as of the last [`check`].
pub(crate) fn asleep() -> Duration {
    Duration::from_nanos(clock().asleep.load(Ordering::Relaxed))
}

/// How many nanoseconds the wall clock was set forward since the first timestamp, as of the last [`check`].
pub(crate) fn wall_was_set() -> i64 {
    clock().set.load(Ordering::Relaxed)
}

/// The date according to the wall clock.
pub(crate) fn date() -> jiff::Timestamp {
    let pretended = clock().pretended_wall.load(Ordering::Relaxed);
    jiff::Timestamp::now() + jiff::SignedDuration::from_nanos(pretended)
}

/// Clocks that jump, for tests; everything here affects the whole process.
#[doc(hidden)]
pub mod pretend {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::clock;

    /// The processor's counter jumps by this many nanoseconds.
    pub fn jump(nanos: i64) {
        clock().machine.shift(nanos);
    }

    /// The processor's counter starts again at 0.
    pub fn restart() {
        clock().machine.restart();
    }

    /// The processor's counter stands still from now on, if it is used.
    pub fn stand_still() {
        clock().machine.stand_still();
    }

    /// The machine has slept for this long.
    pub fn sleep(time: Duration) {
        let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        clock().pretended_asleep.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Somebody sets the wall clock forward by this many nanoseconds.
    pub fn set_wall(nanos: i64) {
        clock().pretended_wall.fetch_add(nanos, Ordering::Relaxed);
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
        // Calibration errs by a few parts in a million.
        assert!(inside >= around.mul_f64(0.999), "asked for later: {inside:?}, {around:?}");
        assert!(inside.saturating_sub(around) < Duration::from_secs(1));
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

    /// A clock that nothing else in the process uses.
    fn alone() -> Clock {
        let _ = now();
        let clock = Clock::new();
        clock.started();
        clock
    }

    /// The time that a clock should show, according to the standard library's.
    fn expected(begun: (Timestamp, std::time::Instant)) -> Timestamp {
        begun.0.after(begun.1.elapsed())
    }

    #[track_caller]
    fn close(a: Timestamp, b: Timestamp) {
        let off = a.since(b) + b.since(a);
        assert!(off < Duration::from_millis(20), "{a:?} {b:?}");
    }

    #[test]
    fn a_counter_that_jumps_or_starts_again_is_put_right_and_goes_on() {
        let restart = |clock: &Clock| clock.machine.restart();
        let jumps: [&dyn Fn(&Clock); 4] = [
            &|clock| clock.machine.shift(3_600_000_000_000),
            &|clock| clock.machine.shift(-2_000_000_000),
            &|clock| clock.machine.shift(5_000_000),
            &restart,
        ];
        for jump in jumps {
            let clock = alone();
            let begun = (clock.now(), std::time::Instant::now());
            let before = clock.compare(&mut clock.watch().unwrap());
            jump(&clock);
            let seen = clock.compare(&mut clock.watch().unwrap());
            assert!(seen >= before, "what is read afterwards comes later: {before:?} {seen:?}");
            close(seen, expected(begun));
            close(clock.now(), expected(begun));
            let events: Vec<_> = clock.watch().unwrap().since(0).collect();
            let [Event { from, to, what: What::Jumped { .. } }] = events[..] else {
                panic!("{events:?}")
            };
            assert!(from <= to && to <= clock.now());
            assert_eq!(clock.jumps.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn a_counter_that_stands_still_is_left() {
        let clock = alone();
        if !clock.machine.counts() {
            // The system's clock is used anyway.
            return;
        }
        let begun = (clock.now(), std::time::Instant::now());
        clock.machine.stand_still();
        let stopped = clock.now();
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        while clock.machine.counts() && std::time::Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
            clock.compare(&mut clock.watch().unwrap());
        }
        close(clock.now(), expected(begun));
        assert!(clock.now() > stopped);
        let last = clock.watch().unwrap().since(0).last();
        assert!(matches!(last, Some(Event { what: What::Left { fast: None }, .. })), "{last:?}");
    }

    /// Each comparison found it no more than a millisecond from where it was at the one before, and the time was lost.
    #[test]
    fn a_counter_that_stands_still_loses_no_time_however_often_it_is_compared() {
        let clock = alone();
        let begun = (clock.now(), std::time::Instant::now());
        clock.machine.stand_still();
        while begun.1.elapsed() < Duration::from_millis(300) {
            clock.compare(&mut clock.watch().unwrap());
        }
        let expected = expected(begun);
        let lost = expected.since(clock.now());
        assert!(lost < Duration::from_millis(1), "{lost:?}");
    }

    #[test]
    fn a_sleep_is_seen_once_and_moves_no_time() {
        let clock = alone();
        let look = |slept: i64, set: i64| {
            let offsets = Machine::offsets()?;
            let offsets = Offsets { asleep: offsets.asleep + slept, wall: offsets.wall + set };
            let now = clock.compare(&mut clock.watch().unwrap());
            Some(clock.watch().unwrap().look(now.as_nanos(), Some(offsets), false))
        };
        let Some(first) = look(0, 0) else { return };
        assert_eq!((first.asleep, first.wall), (0, 0));
        let hour = 3_600_000_000_000;
        let near = |a: i64, b: i64| assert!((a - b).abs() < 50_000_000, "{a} {b}");
        let slept = look(hour, 0).unwrap();
        near(slept.asleep, hour);
        assert_eq!(slept.wall, 0);
        let set = look(hour, -hour).unwrap();
        assert_eq!(set.asleep, 0);
        near(set.wall, -hour);
        let again = look(hour, -hour).unwrap();
        assert_eq!((again.asleep, again.wall), (0, 0));
        assert_eq!(clock.watch().unwrap().since(0).count(), 1, "the sleep");
    }

    #[test]
    fn clocks_that_drift_apart_are_no_sleep_and_a_step_between_them_is_one() {
        let millisecond = 1_000_000;
        let offsets = |asleep| Some(Offsets { asleep, wall: -asleep });
        let slept = |rates_differ: bool| {
            let clock = alone();
            let mut watch = Watch::start(&clock.machine, offsets(0));
            let mut look = |asleep| {
                let moved = watch.look(clock.now().as_nanos(), offsets(asleep), rates_differ);
                assert_eq!(moved.wall, -moved.asleep);
                moved.asleep
            };
            let drift: i64 = (1..=100).map(|looks| look(looks * millisecond)).sum();
            (drift, look(3_700_000 * millisecond))
        };
        assert_eq!(slept(true), (0, 3_699_900 * millisecond));
        assert!(slept(false).0 > 0, "where rates are the same, small steps add up");
    }
}
