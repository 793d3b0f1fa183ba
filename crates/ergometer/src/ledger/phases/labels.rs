//! Marks → which span was innermost, over time.
//!
//! One thread *drives* the device: the one that leaves steps, or, where none does, the one whose spans take
//! the most time. Its innermost span is what the device is taken to be doing; time outside all of its
//! spans is *other*. What other threads do meanwhile is not part of it.

use std::collections::{HashMap, VecDeque};

use crate::clock::Timestamp;
use crate::span::mark::Mark;
use crate::span::{Kind, Label};

/// Number of a label: its place in every vector of powers.
pub(super) type Index = u8;

/// Number of labels that are distinguished; later ones are taken together with the time outside all spans.
pub(super) const LABELS: usize = 24;

/// Outside all spans, and inside spans that found no place.
pub(super) const OTHER: Index = 0;

/// Nobody knows what went on.
const UNKNOWN: Index = Index::MAX;

/// Seconds of each label in an interval.
pub(super) type Seconds = [f64; LABELS];

/// Seconds after which what is not marked by then is taken for unmarked.
const PATIENCE: f64 = 2.0;

/// Seconds without a mark after which a thread drives nothing any more.
const SILENCE: f64 = 10.0;

/// Threads that are compared.
const MOST_THREADS: usize = 64;

/// Marks between two rounds beyond which labels change too fast to tell anything.
const MOST_MARKS: usize = 8192;

/// Announced epochs that are remembered.
const MOST_EPOCHS: usize = 64;

/// Spans inside each other that make a path.
const DEEPEST: usize = 12;

/// From here to the beginning of the next, a label was innermost.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: f64,
    label: Index,
}

/// A thread that leaves marks.
#[derive(Clone, Copy, Debug)]
struct Thread {
    number: u64,
    /// Seconds in steps, and in any span.
    steps: f64,
    spans: f64,
    last: f64,
}

/// The innermost span of the driving thread, over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    threads: Vec<Thread>,
    driver: Option<u64>,
    /// Marks of the driving thread that are not laid out yet.
    recent: Vec<Mark>,
    /// Epochs by identity: they are announced when they begin.
    epochs: VecDeque<(u64, Label)>,
    pieces: VecDeque<Piece>,
    /// Up to here the pieces reach, seconds.
    to: Option<f64>,
    /// End of the last step.
    last_step: f64,
    /// The longest span that was seen of late, seconds.
    longest: f64,
    /// Paths of labels, outermost first, by their number; the first is empty.
    paths: Vec<Vec<Label>>,
    numbers: HashMap<(Index, Label), Index>,
}

impl Labels {
    /// An epoch began.
    pub(super) fn begun(&mut self, mark: &Mark) {
        if mark.label.kind == Kind::Epoch {
            self.epochs.push_back((mark.id, *mark.label));
            if self.epochs.len() > MOST_EPOCHS {
                self.epochs.pop_front();
            }
        }
    }

    /// The paths of labels, by number.
    pub(super) fn paths(&self) -> &[Vec<Label>] {
        &self.paths
    }

    /// Up to where it is known what was innermost, seconds.
    pub(super) fn known_to(&self) -> Option<f64> {
        self.driver.and(self.to)
    }

    /// From where on it is remembered.
    pub(super) fn known_from(&self) -> Option<f64> {
        self.pieces.front().map(|piece| piece.from)
    }

    /// Takes marks in, all of those that ended before `now` among them or before.
    pub(super) fn take(&mut self, marks: &[Mark], now: Timestamp) {
        let now = now.as_secs_f64();
        self.choose_driver(marks, now);
        let Some(driver) = self.driver else { return };
        let known = self.to.unwrap_or(f64::NEG_INFINITY);
        for mark in marks.iter().filter(|mark| is_phase(mark) && mark.thread() == driver) {
            let (start, end) = (mark.start.as_secs_f64(), mark.end.as_secs_f64());
            if mark.label.kind == Kind::Step {
                self.last_step = self.last_step.max(end);
            }
            self.longest = self.longest.max((end - start).min(SILENCE));
            if end > known {
                self.recent.push(*mark);
            }
        }
        // Inside an open step it is not known yet what is innermost.
        let patience = PATIENCE.max(2.0 * self.longest);
        let to = self.last_step.max(now - patience).min(now);
        match self.to {
            None => {
                let starts = self.recent.iter().map(|mark| mark.start.as_secs_f64());
                self.to = starts.reduce(f64::min);
            }
            Some(from) if to > from => {
                // Spans that share a mark leave open when each of them was.
                let shared = self.recent.iter().any(|mark| mark.idle > 0);
                if shared || self.recent.len() > MOST_MARKS {
                    self.append(from, UNKNOWN);
                } else {
                    self.lay_out(from, to);
                }
                self.recent.retain(|mark| mark.end.as_secs_f64() > to);
                self.to = Some(to);
                self.longest *= 0.999;
            }
            Some(_) => {}
        }
    }

    /// Marks up to `now` were not taken: nobody knows what went on.
    pub(super) fn lose(&mut self, now: Timestamp) {
        let now = now.as_secs_f64();
        if let Some(from) = self.to.filter(|from| *from < now) {
            self.append(from, UNKNOWN);
            self.to = Some(now);
        }
    }

    fn choose_driver(&mut self, marks: &[Mark], now: f64) {
        for mark in marks.iter().filter(|mark| is_phase(mark)) {
            let (number, end) = (mark.thread(), mark.end.as_secs_f64());
            let seconds = end - mark.start.as_secs_f64();
            let index = self.threads.iter().position(|thread| thread.number == number);
            let index = index.unwrap_or_else(|| {
                self.threads.retain(|thread| now - thread.last < SILENCE);
                self.threads.truncate(MOST_THREADS - 1);
                self.threads.push(Thread { number, steps: 0.0, spans: 0.0, last: end });
                self.threads.len() - 1
            });
            let thread = &mut self.threads[index];
            thread.spans += seconds;
            if mark.label.kind == Kind::Step {
                thread.steps += seconds;
            }
            thread.last = thread.last.max(end);
        }
        let alive = |thread: &&Thread| now - thread.last < SILENCE.max(3.0 * self.longest);
        let rank = |thread: &Thread| (thread.steps, thread.spans);
        let threads = || self.threads.iter().filter(alive);
        let best = threads()
            .max_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal));
        let current = threads().find(|thread| Some(thread.number) == self.driver);
        let chosen = match (best, current) {
            (Some(best), Some(current))
                if best.steps > 2.0 * current.steps
                    || (best.steps <= 0.0 && best.spans > 2.0 * current.spans) =>
            {
                Some(best)
            }
            (_, Some(current)) => Some(current),
            (best, None) => best,
        };
        let chosen = chosen.map(|thread| thread.number);
        if chosen != self.driver {
            self.driver = chosen;
            self.recent.clear();
            self.to = self.to.map(|to| {
                // What the next one did in between is not known.
                let from = to;
                self.append(from, UNKNOWN);
                from.max(now)
            });
        }
    }

    /// Appends what was innermost from `from` to `to`.
    fn lay_out(&mut self, from: f64, to: f64) {
        let mut marks = std::mem::take(&mut self.recent);
        marks.sort_by(|a, b| (a.start, b.end).cmp(&(b.start, a.end)));
        let parents: HashMap<u64, (u64, &'static Label)> =
            marks.iter().map(|mark| (mark.id, (mark.parent, mark.label))).collect();
        let mut around = HashMap::new();
        let mut at = from;
        let mut open: Vec<(f64, Index)> = Vec::new();
        for mark in marks.iter().filter(|mark| mark.start.as_secs_f64() < to) {
            let start = mark.start.as_secs_f64();
            at = self.close_until(&mut open, at, start);
            let parent = self.path_of(mark.parent, &parents, &mut around, DEEPEST);
            let label = self.number(parent, mark.label);
            open.push((mark.end.as_secs_f64(), label));
        }
        self.close_until(&mut open, at, to);
        self.recent = marks;
    }

    /// Appends what was innermost from `at` to `until`, of the spans that are open; returns `until`, or `at`.
    fn close_until(&mut self, open: &mut Vec<(f64, Index)>, mut at: f64, until: f64) -> f64 {
        while let Some(&(end, label)) = open.last() {
            if end > at && until > at {
                self.append(at, label);
                at = end.min(until);
            }
            if end > until {
                return at;
            }
            open.pop();
        }
        if until > at {
            self.append(at, OTHER);
            at = until;
        }
        at
    }

    fn append(&mut self, from: f64, label: Index) {
        match self.pieces.back_mut() {
            Some(last) if last.from >= from => last.label = label,
            Some(last) if last.label == label => {}
            _ => self.pieces.push_back(Piece { from, label }),
        }
    }

    /// The path of an ended span, by its identity: of its labels up to an epoch, or to a span that is open.
    fn path_of(
        &mut self,
        span: u64,
        parents: &HashMap<u64, (u64, &'static Label)>,
        known: &mut HashMap<u64, Index>,
        levels: usize,
    ) -> Index {
        if let Some(&path) = known.get(&span) {
            return path;
        }
        let path = match parents.get(&span) {
            Some(&(parent, label)) if levels > 0 => {
                let parent = self.path_of(parent, parents, known, levels - 1);
                self.number(parent, label)
            }
            _ => match self.epochs.iter().find(|(id, _)| *id == span).copied() {
                Some((_, label)) => self.number(OTHER, &label),
                None => OTHER,
            },
        };
        known.insert(span, path);
        path
    }

    /// The number of `label` inside the path `around`; that of everything else where there is no place.
    fn number(&mut self, around: Index, label: &Label) -> Index {
        if self.paths.is_empty() {
            self.paths.push(Vec::new());
        }
        if let Some(&number) = self.numbers.get(&(around, *label)) {
            return number;
        }
        if self.paths.len() >= LABELS {
            return OTHER;
        }
        #[expect(clippy::cast_possible_truncation, reason = "fewer than there are places")]
        let number = self.paths.len() as Index;
        let mut path = self.paths[usize::from(around)].clone();
        path.push(*label);
        self.paths.push(path);
        self.numbers.insert((around, *label), number);
        number
    }

    /// Forgets what lies before `t`.
    pub(super) fn forget(&mut self, t: f64) {
        while self.pieces.get(1).is_some_and(|next| next.from <= t) {
            self.pieces.pop_front();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The stretches of one label each that cover `[from, to]`; `None` where some of it is not known.
    pub(super) fn stretches(
        &self,
        from: f64,
        to: f64,
    ) -> Option<impl Iterator<Item = (f64, f64, Index)> + '_> {
        let first = self.pieces.partition_point(|piece| piece.from <= from).checked_sub(1)?;
        let end = self.known_to().filter(|end| *end >= to)?;
        let stretch = move |index: usize| {
            let piece = self.pieces.get(index).filter(|piece| piece.from < to)?;
            let next = self.pieces.get(index + 1).map_or(end, |next| next.from);
            Some((piece.from.max(from), next.min(to), piece.label))
        };
        let known = (first..).map_while(stretch).all(|(.., label)| label != UNKNOWN);
        known.then(|| (first..).map_while(stretch))
    }

    /// The label at `t`, where it is known.
    pub(super) fn at(&self, t: f64) -> Option<Index> {
        let next = self.pieces.partition_point(|piece| piece.from <= t);
        let label = self.pieces.get(next.checked_sub(1)?)?.label;
        (label != UNKNOWN).then_some(label)
    }

    /// Seconds of each label in `[from, to]`; `None` where some of it is not known.
    pub(super) fn seconds(&self, from: f64, to: f64) -> Option<Seconds> {
        let mut seconds = [0.0; LABELS];
        for (from, to, label) in self.stretches(from, to)? {
            seconds[usize::from(label)] += to - from;
        }
        Some(seconds)
    }
}

fn is_phase(mark: &Mark) -> bool {
    !matches!(mark.label.kind, Kind::Run | Kind::Epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::mark::NO_SPAN;

    fn mark(name: (Kind, &'static str), span: (f64, f64), id: u64, parent: u64) -> Mark {
        let label = Box::leak(Box::new(Label::new(name.0, name.1)));
        let span = (Timestamp::from_secs_f64(span.0), Timestamp::from_secs_f64(span.1));
        Mark { id, parent, ..Mark::new(label, span) }
    }

    const THREAD: u64 = 1 << 40;

    /// A step from 10 to 11 s, with phases inside and one inside that.
    fn step() -> Vec<Mark> {
        vec![
            mark((Kind::Phase, "inner"), (10.3, 10.4), THREAD + 4, THREAD + 3),
            mark((Kind::Phase, "outer"), (10.2, 10.6), THREAD + 3, THREAD + 2),
            mark((Kind::Phase, "last"), (10.9, 11.0), THREAD + 5, THREAD + 2),
            mark((Kind::Step, "step"), (10.0, 11.0), THREAD + 2, NO_SPAN),
        ]
    }

    fn names(labels: &Labels, from: f64, to: f64) -> Vec<(&'static str, f64)> {
        let name = |label: Index| labels.paths()[usize::from(label)].last().map_or("", |l| l.name);
        let stretches = labels.stretches(from, to).into_iter().flatten();
        stretches.map(|(from, to, label)| (name(label), to - from)).collect()
    }

    #[test]
    fn the_innermost_span_is_found_at_every_moment() {
        let mut labels = Labels::default();
        labels.take(&step(), Timestamp::from_secs_f64(11.5));
        labels.take(&[], Timestamp::from_secs_f64(12.0));
        let expected = [
            ("step", 0.2),
            ("outer", 0.1),
            ("inner", 0.1),
            ("outer", 0.2),
            ("step", 0.3),
            ("last", 0.1),
        ];
        let found = names(&labels, 10.0, 11.0);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((name, seconds), (other, expected)) in found.iter().zip(expected) {
            assert!(*name == other && (seconds - expected).abs() < 1e-9, "{found:?}");
        }
        let inner =
            labels.paths().iter().find(|path| path.last().is_some_and(|l| l.name == "inner"));
        let path: Vec<_> = inner.into_iter().flatten().map(|label| label.name).collect();
        assert_eq!(path, ["step", "outer", "inner"]);
    }

    #[test]
    fn nothing_is_known_of_an_open_step() {
        let mut labels = Labels::default();
        labels.take(&step(), Timestamp::from_secs_f64(11.5));
        labels.take(&[], Timestamp::from_secs_f64(11.6));
        assert!(labels.seconds(10.0, 11.0).is_some() && labels.seconds(10.5, 11.2).is_none());
    }

    #[test]
    fn another_thread_s_spans_are_not_what_the_device_does() {
        let mut labels = Labels::default();
        let mut marks = step();
        marks.push(mark((Kind::Phase, "elsewhere"), (10.0, 11.0), (2 << 40) + 1, NO_SPAN));
        labels.take(&marks, Timestamp::from_secs_f64(11.5));
        labels.take(&[], Timestamp::from_secs_f64(12.0));
        assert!(names(&labels, 10.0, 11.0).iter().all(|(name, _)| *name != "elsewhere"));
    }

    #[test]
    fn a_path_too_many_is_taken_for_everything_else() {
        let mut labels = Labels::default();
        let names: Vec<&'static str> = (0..100).map(|i| Label::intern(&format!("l{i}"))).collect();
        let marks: Vec<_> = (0..100_u64)
            .zip(&names)
            .map(|(i, name)| {
                let start = 10.0 + 0.01 * i as f64;
                mark((Kind::Step, name), (start, start + 0.01), THREAD + i + 2, NO_SPAN)
            })
            .collect();
        labels.take(&marks, Timestamp::from_secs_f64(11.5));
        labels.take(&[], Timestamp::from_secs_f64(12.0));
        assert_eq!(labels.paths().len(), LABELS);
        let seconds = labels.seconds(10.0, 11.0).expect("known");
        assert!((seconds.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
