//! The end of a run: the last readings, and the record.

use std::sync::PoisonError;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::Aggregator;
use crate::bounded;
use crate::clock::Timestamp;
#[cfg(feature = "_export")]
use crate::export::LAST_EXPORT;
use crate::ledger::assemble::{self, Snapshot};
use crate::ledger::live::Reach;
use crate::meter::command::Ending;
use crate::meter::sampler::Answer;
use crate::meter::start::STAT_LIMIT;
use crate::printable;
use crate::progress::Doing;
use crate::record::Record;
use crate::span::ring::MOST_ANNOUNCED;

impl Aggregator {
    /// Reads every source for the last time, but waits `patience` at most.
    fn read_last(&mut self, patience: Duration) {
        self.progress.begin(Doing::Reading);
        for answer in self.sampler.finish(patience) {
            match answer {
                Answer::Domains(first, domains) => {
                    for (known, learnt) in self.domains.iter_mut().skip(first).zip(domains) {
                        *known = learnt;
                    }
                }
                Answer::Lost(warning) => self.warnings.push(warning),
                Answer::Gone => {}
            }
        }
        self.collect();
    }

    /// Books everything up to `end`, the end of the run.
    fn close(&mut self, end: Timestamp) {
        self.progress.begin(Doing::Booking);
        let known = self.ledger.inbox().len();
        self.stamps.end(end);
        self.drain();
        self.rings.close();
        let marks = &self.ledger.inbox()[known..];
        self.phases.advance(Some(marks), &mut self.timelines, end);
        for line in &mut self.timelines {
            line.close(end);
        }
        for (domain, line) in self.timelines.iter_mut().enumerate() {
            if let Some(lag) = self.phases.lag(domain) {
                line.health.remark(&format!(
                    "power follows the marks by {:.0} ms: the device runs behind the program; sums of phases \
                     allow for it",
                    lag * 1e3
                ));
            }
        }
        self.ledger.phases = self.phases.sums(&self.timelines);
        self.settled = end;
        self.budgets.end_run();
        self.look_at_budgets(end);
        self.warnings.extend(self.budgets.warnings());
        self.warnings.extend(self.callbacks.warnings());
        self.warnings.extend(self.stamps.warnings());
        self.ledger.book(end, &self.timelines);
        self.follow_power();
        self.windows.answer(end, true, &self.domains, &self.timelines);
        self.show(end, end);
        self.screen.reach(Reach { settled: end, epochs: end }, true);
        if let Some(mut writer) = self.writer.take() {
            self.progress.begin(Doing::Journaling);
            writer.write_last(end, self.run_state());
            self.writer = Some(writer);
        }
    }

    /// Books the runs and epochs that are still open as if they ended at `end`, the end of the run.
    fn cut_open(&mut self, end: Timestamp) {
        let epochs = self.open.epochs(end);
        if epochs > 0 {
            let number = epochs as u64;
            // No more than that are announced.
            let counted = if epochs < MOST_ANNOUNCED {
                printable::counted(number, "epoch")
            } else {
                format!("{epochs} or more epochs")
            };
            self.warnings.push(format!(
                "{counted} {} still open when the run was finished, and counted up to there",
                printable::were(number)
            ));
        }
        self.ledger.cut(self.open.cut(end), end);
        self.ledger.book(end, &self.timelines);
        self.follow_power();
        self.ledger.reports.print();
    }

    /// Ends the run and sends its record, which is in the journal before: whoever asked may have given up.
    pub(super) fn finish(mut self, ending: Ending, reply: &Sender<Record>) {
        self.read_last(ending.patience);
        self.close(ending.end);
        self.cut_open(ending.end);
        #[cfg(feature = "_export")]
        {
            self.progress.begin(Doing::Exporting);
            self.warnings.extend(ending.exporters.finish(LAST_EXPORT));
        }
        let Some(head) = self.run else { return };
        self.progress.begin(Doing::Booking);
        let notes = std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        let books = Snapshot {
            timelines: &self.timelines,
            ledger: self.ledger,
            domains: &self.domains,
            warnings: self.warnings,
            forecasts: self.forecasts,
            power: self.power.history(head.start, ending.end, &self.timelines),
        };
        let mut record = assemble::record(&head, notes, ending.end, books);
        record.run.cpu_utilisation = head
            .utilisation
            .clone()
            .and_then(|since| bounded::call(STAT_LIMIT, move || since.until_now()).ok().flatten());
        if let Some(why) = &ending.interrupted {
            record.run.finished = false;
            record.warnings.push(why.clone());
        }
        if let Some(writer) = self.writer {
            self.progress.begin(Doing::Journaling);
            writer.into_journal().end(&mut record);
        }
        // Its own part of what is exported goes first: an address is free once the meter is dropped.
        drop(ending);
        let _ = reply.send(record);
    }
}
