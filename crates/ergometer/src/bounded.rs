//! Calls that may hang, each on its own thread.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It has not returned within its limit. Its thread stays until it returns, and drops the result.
    Hangs,
    Panicked,
    /// No thread could be started.
    NoThread,
}

/// Calls `action` on a new thread and waits for its result for at most `limit` of time in which this
/// process could run.
pub(crate) fn call<R: Send + 'static>(
    limit: Duration,
    action: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Failure> {
    let (reply, answer) = mpsc::sync_channel(1);
    let name = "ergometer look".to_owned();
    let begun = thread::Builder::new().name(name).spawn(move || {
        let _ = reply.send(action());
    });
    if begun.is_err() {
        return Err(Failure::NoThread);
    }
    Deadline::after(limit).recv(&answer).map_err(|error| match error {
        RecvTimeoutError::Disconnected => Failure::Panicked,
        RecvTimeoutError::Timeout => Failure::Hangs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_returns_panics_or_hangs_and_says_which() {
        assert_eq!(call(Duration::from_secs(20), || 7), Ok(7));
        assert_eq!(
            call(Duration::from_secs(20), || panic!("as asked")),
            Err::<(), _>(Failure::Panicked)
        );
        let (release, held) = mpsc::channel::<()>();
        let hangs = call(Duration::from_millis(60), move || held.recv().is_ok());
        assert_eq!(hangs, Err(Failure::Hangs));
        drop(release);
    }
}
