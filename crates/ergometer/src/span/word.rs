//! The messages of a span to its meter.

use std::fmt;
use std::sync::mpsc::Sender;

use super::Label;
use super::mark::Mark;
use crate::budget::Budget;
use crate::clock::Timestamp;
use crate::energy::Usage;

/// A message of a span to the meter's thread, beside its mark.
pub(crate) enum Word {
    /// Read everything now: an epoch or a run begins or ends.
    Nudge,
    /// A run or an epoch began: read everything now. Its mark is as if it ended at once.
    Begun(Mark),
    /// This epoch, by its span's identity, has this number.
    Number(u64, u64),
    /// Report what this span took as soon as it is known.
    Report(u64),
    /// Wait until this span has used up its budget; or why there is none.
    Limit(Began, Result<Budget, &'static str>),
    /// Have this in the record, once.
    #[cfg(feature = "tracing")]
    Warn(String),
    /// Return what a span took that has ended, once it is known.
    Measure(Window),
    /// A span was given a start or an end in the future.
    Future,
    /// Take the marks now: a ring is full, or many threads are new.
    Drain,
    /// A mark of a thread that has no ring any more, because it is being torn down.
    Late(Mark),
}

/// A span that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    pub span: u64,
    pub label: &'static Label,
    pub start: Timestamp,
}

/// A span that has ended, and who waits for what it took.
pub(crate) struct Window {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) reply: Sender<Usage>,
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("start", &self.start)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
