//! What the meter's thread does for the journal.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::timeline::Timeline;
use crate::clock::Timestamp;
use crate::forecast::Forecast;
use crate::run::assemble::{self, Books, Head, Notes};
use crate::run::journal::Journal;
use crate::run::ledger::{Ledger, StepLog};
use crate::run::power::PowerLog;
use crate::source::Domain;
use crate::span::Kind;
use crate::span::ring::Mark;

/// Time between two writes, less some of what passes between two rounds of booking.
const PERIOD: Duration = Duration::from_millis(450);

/// The runs and epochs that are open: their spans have left no mark yet.
#[derive(Default)]
pub(super) struct OpenSpans {
    /// By identity.
    open: HashMap<u64, Mark>,
    /// Spans whose end came before the word of their beginning, which takes another way.
    ended: HashSet<u64>,
}

impl OpenSpans {
    /// A run or an epoch began; `mark` is as it would be if it ended at once.
    pub(super) fn begin(&mut self, mark: Mark) {
        if !self.ended.remove(&mark.id) {
            self.open.insert(mark.id, mark);
        }
    }

    /// These spans are over. Returns how many of them were announced runs and epochs.
    pub(super) fn end(&mut self, marks: &[Mark]) -> usize {
        let announced = marks.iter().filter(|mark| mark.is_announced());
        announced
            .map(|mark| {
                if self.open.remove(&mark.id).is_none() {
                    self.ended.insert(mark.id);
                }
            })
            .count()
    }

    /// When this span began, if it is open.
    pub(super) fn start_of(&self, span: u64) -> Option<Timestamp> {
        self.open.get(&span).map(|mark| mark.start)
    }

    /// When they began.
    pub(super) fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.open.values().map(|mark| mark.start)
    }

    /// How many epochs are open at `end`.
    pub(super) fn epochs(&self, end: Timestamp) -> usize {
        let epoch = |mark: &&Mark| mark.label.kind == Kind::Epoch && mark.start <= end;
        self.open.values().filter(epoch).count()
    }

    /// Their marks if they ended at `end`.
    pub(super) fn cut(&self, end: Timestamp) -> impl Iterator<Item = Mark> {
        self.open.values().map(move |mark| Mark { end: end.max(mark.start), ..*mark })
    }
}

/// The journal, and what its rows are made from beside the books.
pub(crate) struct Keeper {
    journal: Journal,
    head: Arc<Head>,
    notes: Arc<Mutex<Notes>>,
    every: u64,
    due: Timestamp,
}

/// The books as the meter's thread has them.
pub(super) struct Standing<'a> {
    pub timelines: &'a mut [Timeline],
    pub ledger: &'a mut Ledger,
    pub open: &'a OpenSpans,
    pub domains: &'a [Domain],
    pub warnings: &'a [String],
    pub forecasts: &'a [Forecast],
    pub power: &'a mut PowerLog,
}

impl Keeper {
    pub(super) fn new(
        journal: Journal,
        head: Arc<Head>,
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

    pub(super) fn journal(self) -> Journal {
        self.journal
    }

    /// Writes where the run stands at `now`, if it is time to.
    pub(super) fn keep(&mut self, now: Timestamp, standing: Standing<'_>) {
        let early = now < self.due && self.due.since(now) <= PERIOD;
        if early || now < self.head.start {
            return;
        }
        self.due = now.after(PERIOD);
        let Standing { timelines, ledger, open, domains, warnings, forecasts, power } = standing;
        let steps = ledger.log.as_mut().map_or(Vec::new(), |log| std::mem::take(&mut log.steps));
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (head, journal) = (&self.head, &mut self.journal);
        let record = Timeline::preview(timelines, now, |timelines| {
            for epoch in &ledger.epochs.rows[journal.closed()..] {
                journal.epoch(assemble::epoch(domains, timelines, epoch, head.start));
            }
            let mut fork = ledger.fork(open.cut(now), now);
            fork.book(now, timelines);
            let books = Books {
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
        let epochs = open.open.values().filter(|mark| mark.label.kind == Kind::Epoch);
        let mut unfinished: Vec<_> = epochs.map(|mark| (since(mark), mark.label.name)).collect();
        unfinished.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.journal.state(&record, &steps, &unfinished, power, now);
    }

    /// Writes where the run stands at `now`, its last moment.
    pub(super) fn last(&mut self, now: Timestamp, standing: Standing<'_>) {
        self.due = now;
        self.journal.is_last();
        self.keep(now, standing);
    }
}
