//! The machine's clocks as numbers: subtracting two `Instant`s would cost as much again as reading them.

#[cfg(target_os = "linux")]
pub(super) use linux::Machine;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Machine;

/// Whether sleep can be detected.
pub(crate) const KNOWS_SLEEP: bool =
    cfg!(any(target_os = "linux", target_vendor = "apple", windows));

/// Whether the clocks of [`Offsets`] may run at slightly different rates, so that only a step of them is an event.
pub(super) const RATES_DIFFER: bool = cfg!(not(target_os = "linux"));

/// Differences between clocks that change when the machine sleeps or the wall clock is set, nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offsets {
    /// Time asleep since the machine was started.
    pub asleep: i64,
    /// The wall clock minus the time since the machine was started.
    pub wall: i64,
}

#[cfg(target_os = "linux")]
mod linux {
    #[cfg(not(target_arch = "x86_64"))]
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::time::{ClockId, clock_gettime};

    use super::Offsets;

    /// Kernel clocks that a program can read without the kernel.
    const COUNTERS: [&str; 2] = ["tsc", "arch_sys_counter"];
    const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    /// How many times to try to read several clocks at one moment, and the longest time that counts as one
    /// moment, nanoseconds.
    const ATTEMPTS: u32 = 8;
    const AT_ONCE: u64 = 20_000;

    /// The processor's counter where the kernel keeps time by it, otherwise the system's clock.
    pub(in super::super) struct Machine {
        counter: Counter,
        /// How many nanoseconds 2^32 ticks of the counter last; 0 if the system's clock is read.
        rate: AtomicU64,
        /// The offsets added to the counter's nanoseconds and to the system's: the origin, and every jump
        /// of the counter.
        counter_offset: AtomicU64,
        system_offset: AtomicU64,
    }

    impl Machine {
        pub(in super::super) const fn new() -> Self {
            Self {
                counter: Counter::new(),
                rate: AtomicU64::new(0),
                counter_offset: AtomicU64::new(0),
                system_offset: AtomicU64::new(0),
            }
        }

        /// It shows `origin` now.
        pub(in super::super) fn start(&self, origin: u64) {
            let rate = self.counter.calibrate();
            // The kernel checks the counter against other clocks, and stops using it when it errs.
            let current = std::fs::read_to_string(CURRENT).unwrap_or_default();
            let trusted = COUNTERS.contains(&current.trim());
            let rate = rate.filter(|_| trusted).unwrap_or_default();
            let shown = scaled(self.counter.read(), rate);
            self.counter_offset.store(origin.wrapping_sub(shown), Ordering::Relaxed);
            let system = nanos(ClockId::Monotonic);
            self.system_offset.store(origin.wrapping_sub(system), Ordering::Relaxed);
            self.rate.store(rate, Ordering::Release);
        }

        #[inline]
        pub(in super::super) fn now(&self) -> u64 {
            self.counted().unwrap_or_else(|| self.system_now())
        }

        /// What the counter shows; `None` where it is not read.
        #[inline]
        pub(in super::super) fn counted(&self) -> Option<u64> {
            let rate = self.rate.load(Ordering::Acquire);
            (rate != 0).then(|| {
                scaled(self.counter.read(), rate)
                    .wrapping_add(self.counter_offset.load(Ordering::Relaxed))
            })
        }

        #[cold]
        fn system_now(&self) -> u64 {
            nanos(ClockId::Monotonic).wrapping_add(self.system_offset.load(Ordering::Relaxed))
        }

        /// Whether the processor's counter is read.
        pub(in super::super) fn counts(&self) -> bool {
            self.rate.load(Ordering::Relaxed) != 0
        }

        /// Shifts the clock by this many nanoseconds.
        pub(in super::super) fn shift(&self, by: i64) {
            for offset in [&self.counter_offset, &self.system_offset] {
                offset.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
            }
        }

        /// Switches to the system's clock, which then shows `now`.
        pub(in super::super) fn leave_the_counter(&self, now: u64) {
            let offset = now.wrapping_sub(nanos(ClockId::Monotonic));
            self.system_offset.store(offset, Ordering::Relaxed);
            self.rate.store(0, Ordering::Release);
        }

        /// This clock's value, the kernel's clock at the same moment, and the time between reading them,
        /// nanoseconds.
        ///
        /// The counter is compared with a clock that is never set or slewed; the system's clock is compared
        /// with itself.
        pub(in super::super) fn both(&self) -> (u64, u64, u64) {
            let kernel = if self.counts() { ClockId::MonotonicRaw } else { ClockId::Monotonic };
            at_once(|| self.now(), || nanos(kernel))
        }

        #[expect(clippy::unnecessary_wraps, reason = "as elsewhere")]
        pub(in super::super) fn offsets() -> Option<Offsets> {
            let between = |outer, inner| {
                let (outer, inner, _) = at_once(|| nanos(outer), || nanos(inner));
                inner.wrapping_sub(outer).cast_signed()
            };
            Some(Offsets {
                asleep: between(ClockId::Monotonic, ClockId::Boottime),
                wall: between(ClockId::Boottime, ClockId::Realtime),
            })
        }

        /// The counter starts again at 0.
        pub(in super::super) fn restart(&self) {
            let origin = self.system_offset.load(Ordering::Relaxed);
            let now = self.now();
            let shown = match self.rate.load(Ordering::Relaxed) {
                0 => now.wrapping_sub(origin),
                rate => scaled(self.counter.read(), rate),
            };
            self.shift(shown.wrapping_neg().cast_signed());
        }

        /// The counter stands still from now on.
        pub(in super::super) fn stand_still(&self) {
            if self.counts() {
                // The slowest possible rate: an hour for each of its microseconds.
                let (now, slow) = (self.now(), scaled(self.counter.read(), 1));
                self.counter_offset.store(now.wrapping_sub(slow), Ordering::Relaxed);
                self.rate.store(1, Ordering::Release);
            }
        }
    }

    /// Reads `outer`, `inner`, `outer` until that took only a moment. Returns the middle of `outer`,
    /// `inner`, and the time between.
    fn at_once(outer: impl Fn() -> u64, inner: impl Fn() -> u64) -> (u64, u64, u64) {
        let mut best = (0, 0, u64::MAX);
        for _ in 0..ATTEMPTS {
            let (before, within, after) = (outer(), inner(), outer());
            // If the clock went back in between, the width is the largest of all.
            let width = after.wrapping_sub(before);
            if width < best.2 {
                best = (before.wrapping_add(width / 2), within, width);
            }
            if width <= AT_ONCE {
                break;
            }
        }
        best
    }

    #[inline]
    fn scaled(ticks: u64, rate: u64) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "2^64 ns are 584 years")]
        let nanos = ((u128::from(ticks) * u128::from(rate)) >> 32) as u64;
        nanos
    }

    /// A clock of the kernel. The wall clock fits until the year 2262.
    #[inline]
    fn nanos(clock: ClockId) -> u64 {
        let time = clock_gettime(clock);
        let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
        seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
    }

    /// On x86 the counter is read in place; `quanta` calibrates it, but would read it through a call.
    #[cfg(target_arch = "x86_64")]
    struct Counter;

    #[cfg(target_arch = "x86_64")]
    impl Counter {
        const fn new() -> Self {
            Self
        }

        /// The length of 2^32 ticks in nanoseconds; `None` if `quanta` does not trust the counter.
        fn calibrate(&self) -> Option<u64> {
            let clock = quanta::Clock::new();
            let (before, between, after) = (self.read(), clock.raw(), self.read());
            let trusted = (before..=after).contains(&between);
            trusted.then(|| clock.delta_as_nanos(0, 1 << 32))
        }

        #[inline]
        #[expect(clippy::unused_self, reason = "as elsewhere")]
        fn read(&self) -> u64 {
            safe_arch::read_timestamp_counter()
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    struct Counter(OnceLock<quanta::Clock>);

    #[cfg(not(target_arch = "x86_64"))]
    impl Counter {
        const fn new() -> Self {
            Self(OnceLock::new())
        }

        /// The length of 2^32 ticks in nanoseconds; 2^32 itself if `quanta` asks the system.
        #[expect(clippy::unnecessary_wraps, reason = "as on x86")]
        fn calibrate(&self) -> Option<u64> {
            Some(self.0.get_or_init(quanta::Clock::new).delta_as_nanos(0, 1 << 32))
        }

        #[inline]
        fn read(&self) -> u64 {
            self.0.get().map_or(0, quanta::Clock::raw)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Instant, SystemTime};

    use super::Offsets;

    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);

    /// The standard library's clock.
    pub(in super::super) struct Machine {
        offset: AtomicU64,
    }

    impl Machine {
        pub(in super::super) const fn new() -> Self {
            Self { offset: AtomicU64::new(0) }
        }

        pub(in super::super) fn start(&self, origin: u64) {
            self.offset.store(origin.wrapping_sub(system()), Ordering::Relaxed);
        }

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(in super::super) fn counted(&self) -> Option<u64> {
            None
        }

        #[inline]
        pub(in super::super) fn now(&self) -> u64 {
            system().wrapping_add(self.offset.load(Ordering::Relaxed))
        }

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(in super::super) fn counts(&self) -> bool {
            false
        }

        pub(in super::super) fn shift(&self, by: i64) {
            self.offset.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
        }

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(in super::super) fn leave_the_counter(&self, _now: u64) {}

        /// Where this clock counts on while the machine sleeps, it is compared with one that does not.
        pub(in super::super) fn both(&self) -> (u64, u64, u64) {
            let system = system();
            let (awake, quantum) = awake(system);
            (system.wrapping_add(self.offset.load(Ordering::Relaxed)), awake, quantum)
        }

        pub(in super::super) fn offsets() -> Option<Offsets> {
            let system = system();
            let through_sleep = through_sleep(system)?;
            let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            // It fits until the year 2262.
            let wall = wall.map_or(0, |wall| u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX));
            Some(Offsets {
                asleep: through_sleep.wrapping_sub(awake(system).0).cast_signed(),
                wall: wall.wrapping_sub(through_sleep).cast_signed(),
            })
        }

        pub(in super::super) fn restart(&self) {
            self.shift(system().wrapping_neg().cast_signed());
        }

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(in super::super) fn stand_still(&self) {}
    }

    /// Nanoseconds by the standard library's clock.
    #[inline]
    fn system() -> u64 {
        let first = *FIRST;
        // 2^64 ns are 584 years.
        u64::try_from(first.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds by a clock that stands still while the machine sleeps, and the time between two of its ticks.
    #[cfg(windows)]
    fn awake(system: u64) -> (u64, u64) {
        /// The longest tick of Windows, a 64th of a second.
        const TICK: u64 = 15_625_000;
        // In units of 100 ns. The call has no way to fail.
        let awake = winsafe::QueryUnbiasedInterruptTime().map(|units| units.wrapping_mul(100));
        (awake.unwrap_or(system), TICK)
    }

    /// Elsewhere that is the standard library's clock, on Apple's systems and the BSDs by their documentation.
    #[cfg(not(windows))]
    const fn awake(system: u64) -> (u64, u64) {
        (system, 0)
    }

    /// Nanoseconds by a clock that counts on while the machine sleeps; `None` where none is known.
    #[cfg(target_vendor = "apple")]
    #[expect(clippy::unnecessary_wraps, reason = "as elsewhere")]
    fn through_sleep(_: u64) -> Option<u64> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
        Some(seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos))
    }

    #[cfg(windows)]
    #[expect(clippy::unnecessary_wraps, reason = "as elsewhere")]
    const fn through_sleep(system: u64) -> Option<u64> {
        Some(system)
    }

    #[cfg(not(any(windows, target_vendor = "apple")))]
    const fn through_sleep(_: u64) -> Option<u64> {
        None
    }
}
