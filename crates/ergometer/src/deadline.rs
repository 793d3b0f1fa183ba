//! Time limits that count only time in which the process could run.
//!
//! A process may be stopped (SIGSTOP, a scheduler that suspends jobs), a machine may sleep, a virtual
//! machine may be frozen. When it continues, the other side of a wait has had no time to answer. So a wait
//! for a [`Deadline`] consists of slices, and no slice counts for more than its nominal length, however
//! long it took.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most that one slice counts for.
const SLICE: Duration = Duration::from_millis(100);

/// The end of a wait, on the system's monotonic clock, counting only time in which the process could run.
///
/// Each call on the deadline counts the time since the call before, 100 ms at most. Call it at least that
/// often, or use [`Deadline::recv`], [`Deadline::wait`] and [`Deadline::sleep`].
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    limit: Duration,
    left: Duration,
    counted: Instant,
}

impl Deadline {
    /// A deadline `limit` from now.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self { limit, left: limit, counted: Instant::now() }
    }

    /// Starts again with the whole limit, after progress of the other side.
    pub fn restart(&mut self) {
        *self = Self::after(self.limit);
    }

    /// Time that is left; zero once the deadline has passed.
    pub fn left(&mut self) -> Duration {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.counted);
        self.left = self.left.saturating_sub(passed.min(SLICE));
        self.counted = now;
        self.left
    }

    /// Whether no time is left.
    pub fn has_passed(&mut self) -> bool {
        self.left().is_zero()
    }

    /// How long to wait before the next call on the deadline; zero once it has passed.
    pub fn slice(&mut self) -> Duration {
        self.left().min(SLICE)
    }

    /// Waits for a message from `inbox`.
    ///
    /// # Errors
    ///
    /// The same as [`Receiver::recv_timeout`].
    pub fn recv<T>(&mut self, inbox: &Receiver<T>) -> Result<T, RecvTimeoutError> {
        loop {
            let slice = self.slice();
            match inbox.recv_timeout(slice) {
                Err(RecvTimeoutError::Timeout) if !slice.is_zero() => {}
                received => return received,
            }
        }
    }

    /// Waits on `condvar` for one slice at most. The caller checks its condition and whether the deadline
    /// has passed.
    pub fn wait<'a, T>(
        &mut self,
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
    ) -> MutexGuard<'a, T> {
        condvar.wait_timeout(guard, self.slice()).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Sleeps for `interval`, but not beyond the deadline.
    pub fn sleep(&mut self, interval: Duration) {
        thread::sleep(self.slice().min(interval));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    /// Pretends that the process was stopped for `time` since the last call on the deadline.
    fn stop(deadline: &mut Deadline, time: Duration) {
        deadline.counted = deadline.counted.checked_sub(time).unwrap();
    }

    #[test]
    fn time_in_which_the_process_was_stopped_is_one_slice() {
        let mut deadline = Deadline::after(LIMIT);
        stop(&mut deadline, Duration::from_secs(33));
        assert_eq!(deadline.left(), LIMIT.saturating_sub(SLICE));
        assert!(!deadline.has_passed());
    }

    #[test]
    fn time_in_which_it_ran_counts_to_the_end() {
        let mut deadline = Deadline::after(LIMIT);
        for _ in 0..40 {
            stop(&mut deadline, Duration::from_millis(50));
            deadline.left();
        }
        assert!(deadline.has_passed());
        assert!(deadline.slice().is_zero());
        deadline.restart();
        assert!(deadline.left() > LIMIT.saturating_sub(SLICE));
    }

    #[test]
    fn whatever_is_waited_for_ends_the_wait_and_so_does_the_deadline() {
        let short = Duration::from_millis(150);
        let (sender, inbox) = mpsc::channel();
        let begin = Instant::now();
        assert_eq!(Deadline::after(short).recv::<u8>(&inbox), Err(RecvTimeoutError::Timeout));
        assert!(begin.elapsed() >= short);
        sender.send(7).unwrap();
        assert_eq!(Deadline::after(Duration::ZERO).recv(&inbox), Ok(7));
        drop(sender);
        assert_eq!(Deadline::after(LIMIT).recv(&inbox), Err(RecvTimeoutError::Disconnected));

        let (never, mutex) = (Condvar::new(), Mutex::new(()));
        let (begin, mut deadline) = (Instant::now(), Deadline::after(short));
        let mut guard = mutex.lock().unwrap();
        while !deadline.has_passed() {
            guard = deadline.wait(&never, guard);
        }
        assert!(begin.elapsed() >= short);
        drop(guard);
        let (begin, mut deadline) = (Instant::now(), Deadline::after(short));
        while !deadline.has_passed() {
            deadline.sleep(Duration::from_secs(1));
        }
        assert!(begin.elapsed() >= short);
    }
}
