//! What the meter's thread is asked to do.

use std::sync::Arc;
use std::sync::mpsc::Sender;

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
    /// A span has told this.
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
    /// The meter was dropped unfinished: write and send what is known, then answer.
    GiveUp(Ending, Sender<()>),
    /// Nobody will ask again.
    Stop,
}

/// The end of a run, as the thread is asked for it.
pub(super) struct Ending {
    /// The run's last moment.
    pub end: Timestamp,
    /// The signal that ends the program, if one does.
    pub signal: Option<String>,
    #[cfg(feature = "_export")]
    pub exporters: Arc<Exporters>,
}
