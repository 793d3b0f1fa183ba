//! What the meter's thread does for the journal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::open_spans::OpenSpans;
use crate::clock::Timestamp;
use crate::forecast::Forecast;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::ledger::assemble::{self, Snapshot};
use crate::ledger::power_log::PowerLog;
use crate::ledger::run_header::{Notes, RunHeader};
use crate::ledger::step_log::StepLog;
use crate::source::Domain;
use crate::span::Kind;
use crate::span::mark::Mark;
use crate::timeline::Timeline;

/// Time between two writes, less some of what passes between two rounds of booking.
const PERIOD: Duration = Duration::from_millis(450);

/// The journal, and what its rows are made from beside the books.
pub(crate) struct JournalWriter {
    journal: Journal,
    head: Arc<RunHeader>,
    notes: Arc<Mutex<Notes>>,
    every: u64,
    due: Timestamp,
}

/// The books as the meter's thread has them.
pub(super) struct RunState<'a> {
    pub timelines: &'a mut [Timeline],
    pub ledger: &'a mut Ledger,
    pub open: &'a OpenSpans,
    pub domains: &'a [Domain],
    pub warnings: &'a [String],
    pub forecasts: &'a [Forecast],
    pub power: &'a mut PowerLog,
}

impl JournalWriter {
    pub(super) fn new(
        journal: Journal,
        head: Arc<RunHeader>,
        notes: Arc<Mutex<Notes>>,
        every: u64,
    ) -> Self {
        let due = head.start;
        Self { journal, head, notes, every, due }
    }

    /// What the ledger is to keep of single steps.
    pub(super) fn log(&self) -> Option<StepLog> {
        (self.every > 0).then(|| StepLog { every: self.every, seen: 0, steps: Vec::new() })
    }

    pub(super) fn into_journal(self) -> Journal {
        self.journal
    }

    /// Writes where the run stands at `now`, if it is time to.
    pub(super) fn write(&mut self, now: Timestamp, state: RunState<'_>) {
        let early = now < self.due && self.due.since(now) <= PERIOD;
        if early || now < self.head.start {
            return;
        }
        self.due = now.after(PERIOD);
        let RunState { timelines, ledger, open, domains, warnings, forecasts, power } = state;
        let steps = ledger.log.as_mut().map_or(Vec::new(), |log| std::mem::take(&mut log.steps));
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (head, journal) = (&self.head, &mut self.journal);
        let record = Timeline::preview(timelines, now, |timelines| {
            for epoch in &ledger.epochs.rows[journal.closed()..] {
                journal.epoch(assemble::epoch(domains, timelines, epoch, head.start));
            }
            let mut fork = ledger.fork(open.cut(now), now);
            fork.book(now, timelines);
            let books = Snapshot {
                timelines,
                ledger: fork,
                domains,
                warnings: warnings.to_vec(),
                forecasts: forecasts.to_vec(),
                // The journal has it in rows of its own.
                power: None,
            };
            assemble::record(head, notes, now, books)
        });
        let since = |mark: &Mark| mark.start.since(self.head.start).as_secs_f64();
        let epochs = open.marks().filter(|mark| mark.label.kind == Kind::Epoch);
        let mut unfinished: Vec<_> = epochs.map(|mark| (since(mark), mark.label.name)).collect();
        unfinished.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.journal.state(&record, &steps, &unfinished, power, now);
    }

    /// Writes where the run stands at `now`, its last moment.
    pub(super) fn write_last(&mut self, now: Timestamp, state: RunState<'_>) {
        self.due = now;
        self.journal.is_last();
        self.write(now, state);
    }
}
