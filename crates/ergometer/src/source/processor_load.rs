//! What is observed of processors that are busy.

use std::{fmt, io};

/// Observes the logical processors of a machine.
pub(super) trait ProcessorLoad: fmt::Debug + Send {
    /// How busy they were since the last read that did not return [`Load::TooSoon`]; meaningless on the first
    /// read.
    fn read(&mut self) -> io::Result<Load>;

    /// Where it is read, for messages.
    fn place(&self) -> String;
}

/// How busy processors were in an interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Load {
    /// The busy share of all of them, 0 to 1.
    Busy(f64),
    /// Too little time has passed to know: the interval continues.
    TooSoon,
    /// Not known of this interval, and why.
    Unknown(String),
}
