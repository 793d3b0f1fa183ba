//! What the meter's thread hears: commands of the meter, and words of the spans.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::{Aggregator, ROUND};
use crate::clock::{self, Timestamp};
use crate::meter::command::Command;
use crate::record::resume::Earlier;
use crate::span::Kind;
use crate::span::word::Word;

/// Rings that are full are emptied this often at most. What comes faster shares marks, so that spans in a tight
/// loop take neither memory nor a processor.
const DRAINS_APART: Duration = Duration::from_millis(100);

impl Aggregator {
    /// Waits until `next` or for something to do; returns what cannot be done here, and a moment before which
    /// nothing was begun that is not known.
    pub(super) fn listen(&mut self, next: Timestamp) -> (Option<Command>, Timestamp) {
        let first = if self.pending.is_empty() { self.wait(next) } else { None };
        // Before anything else is taken: every mark that ended by then has been left, and the message of every
        // epoch that began by then is heard.
        // What was stamped before it was known that the clock had jumped is put right from here on.
        let now = self.watch_the_clock();
        let edge = first.is_some_and(|command| self.note(command));
        self.hear(edge);
        self.budgets.heard_all();
        (self.pending.pop_front(), now)
    }

    /// Takes in what was sent until now, and no more, so that it returns however fast more is sent. However many
    /// asked for a read, or `edge` did, one answers.
    pub(super) fn hear(&mut self, mut edge: bool) {
        self.rounds += 1;
        let _ = self.commands.send(Command::Round(self.rounds));
        loop {
            match self.inbox.recv() {
                Ok(Command::Round(round)) if round == self.rounds => break,
                Ok(command) => edge |= self.note(command),
                // Its own end is among the senders: this does not happen.
                Err(_) => {
                    self.pending.push_back(Command::Stop);
                    break;
                }
            }
        }
        if edge {
            self.sampler.edge();
        }
    }

    /// Waits until `next` or for something to do, which full rings are not if they were emptied just before.
    fn wait(&mut self, mut next: Timestamp) -> Option<Command> {
        loop {
            let now = clock::checked_now();
            // On the system's clock, and never for longer than between two looks at this one.
            let command = self.inbox.recv_timeout(next.since(now).min(ROUND));
            let soonest = self.drained.after(DRAINS_APART);
            match command {
                Ok(Command::Word(Word::Drain)) if clock::checked_now() < soonest => {
                    next = next.min(soonest);
                }
                Ok(command) => return Some(command),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => return Some(Command::Stop),
            }
        }
    }

    /// Takes in what a message says, if that is all it is for, and keeps it else. Returns whether all sources are
    /// to be read.
    fn note(&mut self, command: Command) -> bool {
        self.progress.step();
        match command {
            Command::Word(word) => return self.hear_word(word),
            Command::Pin(moment) => self.pins.push(moment),
            // Before what was sent after it is taken in.
            Command::Start(run) => {
                self.pins.push(run.start);
                self.stamps.begin(run.start);
                self.budgets.begin_run(run.start, Earlier::of(&run.earlier));
                self.run = Some(run);
            }
            Command::Journal(writer) => {
                self.ledger.log = writer.log();
                self.power.keep_for_journal();
                self.writer = Some(*writer);
            }
            Command::Round(_) => {}
            command => self.pending.push_back(command),
        }
        false
    }

    /// Takes in what a span tells. Returns whether all sources are to be read.
    fn hear_word(&mut self, word: Word) -> bool {
        match word {
            Word::Nudge => {
                self.rings.heard_nudge();
                return true;
            }
            Word::Begun(mut mark) => {
                self.stamps.put_start_right(&mut mark.start, self.looked);
                if mark.label.kind == Kind::Epoch {
                    self.ledger.recent.begin(&mark);
                }
                self.open.begin(mark);
                self.phases.begun(&mark);
                return true;
            }
            Word::Measure(mut window) => {
                self.stamps.put_start_right(&mut window.start, self.looked);
                self.windows.add(window);
                return true;
            }
            Word::Number(span, index) => self.ledger.numbers.give(span, index),
            Word::Report(span) => self.ledger.reports.ask(span),
            Word::Limit(mut began, budget) => {
                self.stamps.put_start_right(&mut began.start, self.looked);
                let site = self.run.as_ref().filter(|_| !self.domains.is_empty());
                let site = site.map(|run| &run.site);
                self.budgets.begin(began, budget, site, &mut self.warnings);
            }
            Word::Future => self.stamps.count_future(),
            #[cfg(feature = "tracing")]
            Word::Warn(line) => {
                if !self.warnings.contains(&line) {
                    self.warnings.push(line);
                }
            }
            Word::Late(mark) => self.late.push(mark),
            Word::Drain => {}
        }
        false
    }

    /// Compares the clock with the system's, and tells the timelines what became of it.
    pub(super) fn watch_the_clock(&mut self) -> Timestamp {
        self.looked = clock::check();
        for event in self.stamps.look(&mut self.warnings) {
            self.timelines.iter_mut().for_each(|line| line.interrupted(&event));
        }
        self.looked
    }
}
