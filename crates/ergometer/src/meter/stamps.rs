//! Moments that cannot be → moments that can.
//!
//! A program's threads stamp their marks without looking whether the clock is right. Where the meter's
//! threads found that it had jumped, what was stamped between the jump and its discovery is put back. And a
//! program may hand in moments of its own: a span is never before the run, nor in the future.

use crate::clock::{self, Event, Timestamp, What};
use crate::printable;
use crate::span::Kind;
use crate::span::mark::Mark;

/// Jumps that are remembered: spans that began at one may end much later.
const REMEMBERED: usize = 64;
/// Jumps that are reported one by one.
const TOLD: usize = 8;

/// What happened to the clocks during a run, and what that does to its marks.
#[derive(Default)]
pub(super) struct Stamps {
    /// How many of the clock's events are known.
    known: u64,
    /// The run's start, and its end once it is over.
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    jumps: Vec<Jump>,
    /// All that ended before this was taken: by the marks that were drained last.
    drained: Timestamp,
    told: usize,
    /// Spans that began before the run.
    early: u64,
    /// Spans that began or ended in the future.
    future: u64,
}

/// Between `from` and `to` the clock began to show `by` nanoseconds more than it should.
#[derive(Clone, Copy)]
struct Jump {
    from: Timestamp,
    to: Timestamp,
    by: i64,
}

impl Jump {
    /// Whether `at` may have been stamped between the jump and its discovery.
    fn may_hold(&self, at: Timestamp) -> bool {
        let true_time = self.put_back(at).as_nanos();
        (self.from.as_nanos()..=self.to.as_nanos()).contains(&true_time)
    }

    fn put_back(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_nanos(at.as_nanos().wrapping_sub(self.by.cast_unsigned()))
    }
}

impl Stamps {
    /// Begins to look, before anything is read.
    pub(super) fn new() -> Self {
        let mut stamps = Self::default();
        clock::events(&mut stamps.known);
        stamps
    }

    /// The run begins.
    pub(super) fn begin(&mut self, start: Timestamp) {
        self.start = Some(start);
    }

    /// The run is over, since `end`.
    pub(super) fn end(&mut self, end: Timestamp) {
        self.end = Some(end);
    }

    /// What happened since the last time; adds what has to be known to `warnings`.
    pub(super) fn look(&mut self, warnings: &mut Vec<String>) -> Vec<Event> {
        let events = clock::events(&mut self.known);
        for event in &events {
            let seconds = event.to.since(event.from).as_secs_f64();
            match event.what {
                What::Jumped { by } => {
                    if self.jumps.len() == REMEMBERED {
                        self.jumps.remove(0);
                    }
                    self.jumps.push(Jump { from: event.from, to: event.to, by });
                    self.told += 1;
                    if self.told <= TOLD {
                        warnings.push(format!(
                            "the processor's counter, which is the clock, jumped by {:+.3} s{}; it was put right by \
                             the system's clock, and times of the {seconds:.3} s around it are uncertain",
                            by as f64 * 1e-9,
                            self.when(event.to),
                        ));
                    }
                }
                What::Left { fast } => {
                    let why = fast.map_or("jumped too often".to_owned(), |fast| {
                        format!("ran off from the system's clock by {:+.2} %", fast * 100.0)
                    });
                    warnings.push(format!(
                        "the processor's counter {why}{}: the system's clock is read from then on",
                        self.when(event.to)
                    ));
                }
                What::Slept { .. } => {}
            }
        }
        events
    }

    fn when(&self, at: Timestamp) -> String {
        let start = self.start.filter(|start| *start <= at);
        start.map_or(" before the run".to_owned(), |start| {
            format!(" {:.1} s into the run", at.since(start).as_secs_f64())
        })
    }

    /// Puts the ends of `marks` where they can be, which were drained by `now`; `began` gives the moment at
    /// which a run or an epoch began, if that is known better.
    pub(super) fn put_right(
        &mut self,
        marks: &mut [Mark],
        now: Timestamp,
        began: impl Fn(&Mark) -> Option<Timestamp>,
    ) {
        for mark in marks {
            let open = nanos(mark).saturating_sub(mark.idle);
            for jump in &self.jumps {
                // What is no moment of the last round was stamped by the wrong clock.
                let strange = mark.end > now || mark.end < self.drained;
                if strange && jump.may_hold(mark.end) {
                    mark.end = jump.put_back(mark.end);
                }
                if jump.may_hold(mark.start) {
                    let edges = matches!(mark.label.kind, Kind::Run | Kind::Epoch);
                    let known = if edges { began(mark) } else { None };
                    // Of one that went back, a span may have begun there before.
                    let back = jump.by < 0 && !edges && jump.put_back(mark.start) <= mark.end;
                    if let Some(known) = known {
                        mark.start = known;
                    } else if mark.start > mark.end || back {
                        mark.start = jump.put_back(mark.start);
                    }
                }
            }
            self.limit(mark, now);
            if mark.idle > 0 {
                // Spans that share a mark were open for as long as they were.
                mark.idle = nanos(mark).saturating_sub(open);
            }
        }
        self.drained = now;
    }

    /// The same of a span that has just begun.
    pub(super) fn put_start_right(&self, start: &mut Timestamp, now: Timestamp) {
        for jump in &self.jumps {
            let strange = *start > now || *start < self.drained;
            if strange && jump.may_hold(*start) {
                *start = jump.put_back(*start);
            }
        }
        *start = (*start).min(now).max(self.start.unwrap_or_default());
    }

    /// No span lies before the run, or in the future, or ends before it begins. What began in the run ends with it.
    ///
    /// Spans whose ends are cut to one moment stay in the order in which they began.
    fn limit(&mut self, mark: &mut Mark, now: Timestamp) {
        let start = self.start.unwrap_or_default();
        let over = self.end.map_or(now, |end| end.min(now)).max(start);
        self.early += u64::from(mark.start < start);
        self.future += u64::from(mark.start > now || mark.end > now);
        mark.start = if mark.start > now { over } else { mark.start.max(start) };
        let latest = if mark.start > over { now } else { over };
        mark.end = mark.end.min(latest).max(mark.start);
    }

    /// A run or an epoch was given an end in the future, or a start; it was limited at once.
    pub(super) fn count_future(&mut self) {
        self.future += 1;
    }

    /// What has to be known at the end.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.told > TOLD {
            let told = self.told;
            warnings.push(format!(
                "the processor's counter jumped {told} times in all, of which the first {TOLD} are reported"
            ));
        }
        if self.early > 0 {
            warnings.push(format!(
                "{} {} given a start before the run's, and counted from there",
                printable::counted(self.early, "span"),
                printable::were(self.early)
            ));
        }
        if self.future > 0 {
            warnings.push(format!(
                "{} {} given a start or an end in the future, and counted up to when that was done, or up to a \
                 second longer",
                printable::counted(self.future, "span"),
                printable::were(self.future)
            ));
        }
        warnings
    }
}

/// From the start of a mark to its end.
fn nanos(mark: &Mark) -> u64 {
    mark.end.as_nanos().saturating_sub(mark.start.as_nanos())
}

#[cfg(test)]
mod tests;
