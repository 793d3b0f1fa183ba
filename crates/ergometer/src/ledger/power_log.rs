//! What the meter's thread keeps of the power, and a reader of its journal.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::energy::Usage;
use crate::record::power::knots::{Knot, Knots};
use crate::record::power::{LongSpan, MOST_SPANS, PowerHistory, longest};
use crate::span::mark::Mark;
use crate::span::{Kind, Label};
use crate::timeline::Timeline;

/// Marks of long spans that wait to be taken.
const MOST_WAITING: usize = 1024;

/// Marks of spans that are long enough for their edges to be seen in the power.
#[derive(Default)]
pub(crate) struct LongMarks {
    /// Shorter ones are passed over; `None` where nobody takes them.
    least: Option<Duration>,
    marks: Vec<(&'static Label, Timestamp, Timestamp)>,
}

impl LongMarks {
    /// All marks of spans that the finest grid shows.
    pub(crate) fn new() -> Self {
        Self { least: Some(Duration::from_secs_f64(Knots::default().long())), marks: Vec::new() }
    }

    pub(crate) fn add(&mut self, mark: &Mark) {
        let is_long = self.least.is_some_and(|least| mark.end.since(mark.start) >= least);
        if is_long && mark.count() == 1 && self.marks.len() < MOST_WAITING {
            self.marks.push((mark.label, mark.start, mark.end));
        }
    }
}

/// Power of the run so far.
#[derive(Clone, Default)]
pub(crate) struct PowerLog {
    knots: Knots,
    spans: Vec<LongSpan>,
    /// Joules and unobserved seconds of each domain up to the last moment of the grid.
    drawn: Vec<(f64, f64)>,
    /// Seconds from the start of the run to that moment.
    reached: f64,
    /// What the journal does not have yet; `None` without a journal.
    owed: Option<(Knots, Vec<LongSpan>)>,
}

impl PowerLog {
    /// Keeps what is new until it was [`written`](Self::written) to a journal.
    pub(crate) fn keep_for_journal(&mut self) {
        self.owed.get_or_insert_default();
    }

    /// What the journal does not have yet.
    pub(crate) fn owed(&self) -> (&[Knot], &[LongSpan]) {
        self.owed.as_ref().map_or((&[], &[]), |(knots, spans)| (knots.as_slice(), spans))
    }

    /// What was owed is in the journal.
    pub(crate) fn written(&mut self) {
        if let Some((knots, spans)) = &mut self.owed {
            *knots = knots.emptied();
            spans.clear();
        }
    }

    /// Takes the run that began at `start` in up to `until`, where the timelines are settled, with the spans
    /// that ended.
    pub(crate) fn advance(
        &mut self,
        start: Timestamp,
        until: Timestamp,
        timelines: &[Timeline],
        ended: &mut LongMarks,
    ) {
        self.drawn.resize(timelines.len(), (0.0, 0.0));
        loop {
            let (tick, t) = self.knots.next();
            let moment = start.after(Duration::from_secs_f64(t));
            if moment > until {
                break;
            }
            let from = start.after(Duration::from_secs_f64(self.reached));
            for (sum, line) in self.drawn.iter_mut().zip(timelines) {
                let drawn = line.between(from, moment);
                *sum = (sum.0 + drawn.joules, sum.1 + drawn.unobserved);
            }
            self.reached = t;
            self.add(Knot { tick, ..Knot::new(t, &self.drawn) });
        }
        for (label, begin, end) in std::mem::take(&mut ended.marks) {
            self.add_span(start, (label, begin, end), timelines);
        }
        ended.least = Some(Duration::from_secs_f64(self.knots.long()));
    }

    fn add(&mut self, knot: Knot) {
        if let Some((owed, _)) = &mut self.owed {
            owed.add(knot.clone());
        }
        self.knots.add(knot);
    }

    /// Adds the edges of a span, and the span itself unless it is an epoch, which has a row in the record.
    fn add_span(
        &mut self,
        start: Timestamp,
        (label, begin, end): (&Label, Timestamp, Timestamp),
        timelines: &[Timeline],
    ) {
        let seconds = end.since(begin).as_secs_f64();
        for moment in [begin, end].into_iter().filter(|moment| *moment > start) {
            let drawn: Vec<_> = timelines
                .iter()
                .map(|line| line.between(start, moment))
                .map(|drawn| (drawn.joules, drawn.unobserved))
                .collect();
            let t = moment.since(start).as_secs_f64();
            self.add(Knot { span: seconds, ..Knot::new(t, &drawn) });
        }
        if label.kind == Kind::Epoch {
            return;
        }
        let start_s = begin.since(start).as_secs_f64();
        let span = LongSpan { kind: label.kind, name: label.name.to_owned(), start_s, seconds };
        if let Some((_, owed)) = &mut self.owed {
            keep(owed, span.clone());
        }
        keep(&mut self.spans, span);
    }

    /// The power of the run from `start` to `end`, up to which it was advanced.
    pub(crate) fn history(
        &self,
        start: Timestamp,
        end: Timestamp,
        timelines: &[Timeline],
    ) -> Option<PowerHistory> {
        let from = start.after(Duration::from_secs_f64(self.reached)).min(end);
        let mut drawn = self.drawn.clone();
        drawn.resize(timelines.len(), (0.0, 0.0));
        for (sum, line) in drawn.iter_mut().zip(timelines) {
            let more = line.between(from, end);
            *sum = (sum.0 + more.joules, sum.1 + more.unobserved);
        }
        let last = Knot::new(end.since(start).as_secs_f64(), &drawn);
        let known: Vec<bool> = timelines.iter().map(Timeline::gives).collect();
        self.with_spans(&last, &known)
    }

    fn with_spans(&self, last: &Knot, known: &[bool]) -> Option<PowerHistory> {
        let mut history = self.knots.history(last, known)?;
        history.spans.clone_from(&self.spans);
        longest(&mut history.spans, MOST_SPANS);
        known.contains(&true).then_some(history)
    }

    /// Takes in what was read from a journal.
    pub(crate) fn read(&mut self, knots: Vec<Knot>, spans: Vec<LongSpan>) {
        for knot in knots {
            self.knots.add(knot);
        }
        for span in spans {
            keep(&mut self.spans, span);
        }
    }

    /// The power of a run that was read from its journal and had this `total`.
    pub(crate) fn recovered(&self, total: &Usage) -> Option<PowerHistory> {
        let drawn: Vec<(f64, f64)> = total
            .by_domain
            .iter()
            .map(|energy| {
                energy.map_or((0.0, 0.0), |energy| {
                    (energy.joules.get(), (1.0 - energy.coverage) * total.seconds)
                })
            })
            .collect();
        let known: Vec<bool> = total.by_domain.iter().map(Option::is_some).collect();
        self.with_spans(&Knot::new(total.seconds, &drawn), &known)
    }
}

/// Adds a span; of many only the longest are kept.
fn keep(spans: &mut Vec<LongSpan>, span: LongSpan) {
    spans.push(span);
    if spans.len() >= 2 * MOST_SPANS {
        longest(spans, MOST_SPANS);
    }
}
