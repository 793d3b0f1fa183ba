//! How far the meter's thread has come, for those that wait for it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Between two looks. A look that comes late, because the process was stopped, counts as one.
const LOOK: Duration = Duration::from_millis(50);

/// What the meter's thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    Listening,
    Reading,
    Booking,
    Journaling,
    Exporting,
}

impl Doing {
    const ALL: [Self; 5] =
        [Self::Listening, Self::Reading, Self::Booking, Self::Journaling, Self::Exporting];
}

/// Counts what the meter's thread has done. A long queue is not a hang: a waiting thread keeps waiting as long
/// as this counts.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    count: AtomicU64,
    doing: AtomicU8,
}

/// No answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing was done for as long as was to be waited.
    Stuck(Doing),
    /// The thread is gone.
    Gone,
}

impl Progress {
    /// One more thing is done: a span booked, a message taken.
    #[inline]
    pub(crate) fn step(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn begin(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
        self.step();
    }

    fn doing(&self) -> Doing {
        let doing = self.doing.load(Ordering::Relaxed);
        Doing::ALL.into_iter().find(|one| *one as u8 == doing).unwrap_or(Doing::Listening)
    }

    /// Waits for `answer` as long as there is progress; without any for `patience`, time in which this process
    /// could run.
    pub(crate) fn wait<R>(&self, answer: &Receiver<R>, patience: Duration) -> Result<R, Silence> {
        let mut seen = self.count.load(Ordering::Relaxed);
        let mut still = Duration::ZERO;
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::Gone),
                Err(RecvTimeoutError::Timeout) => {
                    let now = self.count.load(Ordering::Relaxed);
                    still = if now == seen { still + LOOK } else { Duration::ZERO };
                    seen = now;
                    if still >= patience {
                        return Err(Silence::Stuck(self.doing()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn who_makes_progress_is_waited_for_beyond_the_limit_and_who_makes_none_is_not() {
        let progress = Arc::new(Progress::default());
        progress.begin(Doing::Booking);
        let (reply, answer) = mpsc::channel::<u32>();
        let stuck = progress.wait(&answer, LOOK * 2);
        assert_eq!(stuck, Err(Silence::Stuck(Doing::Booking)));
        let worker = {
            let progress = Arc::clone(&progress);
            thread::spawn(move || {
                // Many times the limit.
                for _ in 0..40 {
                    thread::sleep(LOOK / 2);
                    progress.step();
                }
                let _ = reply.send(7);
            })
        };
        assert_eq!(progress.wait(&answer, LOOK * 8), Ok(7));
        worker.join().unwrap();
        assert_eq!(progress.wait(&answer, LOOK * 2), Err(Silence::Gone));
    }
}
