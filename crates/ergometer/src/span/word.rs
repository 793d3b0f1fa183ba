//! What a span tells whoever listens.

use std::fmt;
use std::sync::mpsc::Sender;

use crate::clock::Timestamp;
use crate::energy::Usage;

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
