//! What the meter's thread is asked to do.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::budgets::RunBudget;
use super::journaling::JournalWriter;
use crate::clock::Timestamp;
#[cfg(feature = "_export")]
use crate::export::Exporters;
use crate::ledger::run_header::RunHeader;
use crate::record::Record;
use crate::span::word::Word;

/// A message to the meter's thread.
pub(super) enum Command {
    /// A word from a span.
    Word(Word),
    /// What was drawn since this moment will be asked for.
    Pin(Timestamp),
    /// The run began: live figures count from it.
    Start(Arc<RunHeader>),
    /// Wait until a budget is spent.
    Watch(RunBudget),
    /// Keep a journal from now on.
    Journal(Box<JournalWriter>),
    /// Everything that was sent before the meter's thread began this round has come.
    Round(u64),
    /// Close the books and send the record.
    Finish(Ending, Sender<Record>),
    /// Nobody will ask again.
    Stop,
}

/// The end of a run, as the thread is asked for it.
pub(super) struct Ending {
    /// The run's last moment.
    pub end: Timestamp,
    /// Why the program did not finish the run itself: a warning of the record.
    pub interrupted: Option<String>,
    /// How long the sources are waited for.
    pub patience: Duration,
    #[cfg(feature = "_export")]
    pub exporters: Arc<Exporters>,
}
