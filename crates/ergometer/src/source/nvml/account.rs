//! What a driver says of who uses a board.

use std::time::Duration;

/// A driver's account of one board.
pub(crate) trait Account: Send {
    /// Who used the board since it was asked last.
    ///
    /// # Errors
    ///
    /// Why the driver does not answer, in one line.
    fn ask(&mut self) -> Result<Use, String>;

    /// The least time to the next question, so that asking takes no more of a processor than it may.
    fn rest(&self) -> Duration;
}

/// Who used a board for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(feature = "nvml", test)), expect(dead_code, reason = "only a driver says so"))]
pub(crate) enum Use {
    /// Processes, by the numbers that the driver knows them by, and percent of the time in which the board's
    /// multiprocessors worked for each. There is at least one, and none has 0 %.
    Percent(Vec<(u32, u32)>),
    /// Nobody: the board was idle.
    Nobody,
    /// The board works, or may, and the driver does not say for whom; perhaps not yet, as it looks but a few times a
    /// second.
    Hidden,
}
