//! A meter's thread, from its first to the first command that it gets.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::no_thread;
use crate::clock::{self, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::ledger::live::LiveView;
use crate::ledger::run_header::{Notes, RunHeader};
use crate::meter::aggregator::{Aggregator, Desk};
use crate::meter::command::Command;
use crate::meter::journaling::JournalWriter;
use crate::meter::sampler::Guarded;
use crate::progress::Progress;
use crate::span::ring::Rings;
use crate::span::word::Word;

/// A meter that is being started: if it is dropped before it runs, its threads end and its place is free.
pub(super) struct Launch {
    pub(super) rings: Arc<Rings>,
    commands: Sender<Command>,
    launched: bool,
}

impl Launch {
    /// Reserves the place of a meter, and returns the inbox of its thread. With `install` it is the process's own.
    pub(super) fn new(install: bool) -> Result<(Self, Receiver<Command>)> {
        let (commands, inbox) = mpsc::channel();
        let words = commands.clone();
        // A meter that is gone hears nothing more.
        let rings = Rings::new(move |word| drop(words.send(Command::Word(word))));
        if install && !rings.reserve() {
            let message = "a meter is already installed in this process";
            return Err(Error::new(ErrorKind::AlreadyInstalled, message)
                .with_remedy("finish that one first, or use `start` for one of its own"));
        }
        Ok((Self { rings, commands, launched: false }, inbox))
    }

    /// Waits while the baseline is measured, and returns when that began; `None` without a baseline.
    pub(super) fn measure_idle(&self, length: Duration) -> Option<Timestamp> {
        if length.is_zero() {
            return None;
        }
        let from = clock::checked_now();
        thread::sleep(length);
        // As at the edges of an epoch: the readings nearest to it matter most.
        self.rings.tell(Word::Nudge);
        Some(from)
    }

    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Starts the meter's thread, which reads `sources`.
    pub(super) fn sample(
        &self,
        sources: Vec<Guarded>,
        inbox: Receiver<Command>,
        screen: &Arc<LiveView>,
    ) -> Result<(Arc<Mutex<Notes>>, Arc<Progress>)> {
        let (notes, progress) = (Arc::default(), Arc::default());
        let desk = Desk {
            rings: Arc::clone(&self.rings),
            commands: self.commands.clone(),
            inbox,
            screen: Arc::clone(screen),
            notes: Arc::clone(&notes),
            progress: Arc::clone(&progress),
        };
        Aggregator::spawn(sources, desk)
            .map_err(|error| no_thread("the meter's threads", error))?;
        Ok((notes, progress))
    }

    /// The run begins: the meter's thread learns of it, and of its journal.
    pub(super) fn announce(
        &self,
        head: &Arc<RunHeader>,
        journal: Option<Journal>,
        notes: &Arc<Mutex<Notes>>,
        every: u64,
    ) {
        if let Some(idle_from) = head.idle_from {
            self.tell(Command::Pin(idle_from));
        }
        for change in intensity_changes(head) {
            self.tell(Command::Pin(change));
        }
        self.tell(Command::Start(Arc::clone(head)));
        if let Some(journal) = journal {
            let (head, notes) = (Arc::clone(head), Arc::clone(notes));
            let writer = JournalWriter::new(journal, head, notes, every);
            self.tell(Command::Journal(Box::new(writer)));
        }
    }

    pub(super) fn done(mut self) -> (Arc<Rings>, Sender<Command>) {
        self.launched = true;
        (Arc::clone(&self.rings), self.commands.clone())
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        if !self.launched {
            self.rings.uninstall();
            self.tell(Command::Stop);
        }
    }
}

/// When the site's carbon intensity changes, as far as that lies in the future: what was drawn up to then will be
/// asked for.
fn intensity_changes(head: &RunHeader) -> impl Iterator<Item = Timestamp> {
    let series = head.site.carbon_series.iter();
    let changes = series.flat_map(|series| series.changes(head.started));
    changes.map(|after| head.start.after(Duration::from_secs_f64(after)))
}
