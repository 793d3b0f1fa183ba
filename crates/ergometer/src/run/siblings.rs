//! What spans inside one span draw while several of them are open: each moment counts once, divided among them.
//!
//! Marks come in the order of their ends, so that of a span that just ended it is not known yet which others were
//! open: those that still are will say so when they end. The latest are held back, until the span around them
//! ends or many have come, and are divided together.

use crate::clock::Timestamp;
use crate::meter::timeline::Timeline;

/// Spans that are held back, inside one span.
pub(super) const MOST_HELD: usize = 512;

/// A span among its siblings, and what it got so far.
#[derive(Clone)]
pub(super) struct Interval {
    /// Up to here it got its part.
    from: Timestamp,
    end: Timestamp,
    /// The share of its time in which it was open; 1 but for spans that share a mark.
    weight: f64,
    /// Joules per domain.
    got: Vec<f64>,
    /// It was not always alone.
    shared: bool,
}

impl Interval {
    pub(super) fn new((start, end): (Timestamp, Timestamp), weight: f64, domains: usize) -> Self {
        Self { from: start, end, weight, got: vec![0.0; domains], shared: false }
    }

    /// The share of its energy, `alone` joules by domain, that it got; `None` of one that has all.
    pub(super) fn shares(&self, alone: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
        let share = |(got, alone): (&f64, f64)| {
            if alone > 0.0 { (got / alone).clamp(0.0, 1.0) } else { 1.0 }
        };
        self.shared.then(|| self.got.iter().zip(alone).map(share).collect())
    }

    pub(super) fn got(&self) -> &[f64] {
        &self.got
    }
}

/// Divides the energy up to `until` among `intervals`.
///
/// At each moment a span gets its weight, divided by the sum of all weights where that is more than 1.
pub(super) fn divide(intervals: &mut [&mut Interval], until: Timestamp, timelines: &[Timeline]) {
    let mut edges: Vec<(Timestamp, bool, usize)> = Vec::with_capacity(2 * intervals.len());
    for (index, interval) in intervals.iter().enumerate() {
        let end = interval.end.min(until);
        // One without length would end before it begins.
        if interval.from < end {
            edges.push((interval.from, true, index));
            edges.push((end, false, index));
        }
    }
    edges.sort_unstable();
    let mut open: Vec<usize> = Vec::new();
    let mut before = None;
    for (at, opens, index) in edges {
        if let Some(before) = before.filter(|before| *before < at)
            && !open.is_empty()
        {
            let sum: f64 = open.iter().map(|&index| intervals[index].weight).sum();
            for (domain, line) in timelines.iter().enumerate() {
                let joules = line.between(before, at).joules / sum.max(1.0);
                for &index in &open {
                    let interval = &mut *intervals[index];
                    interval.got[domain] += joules * interval.weight;
                }
            }
            if sum > 1.0 {
                for &index in &open {
                    intervals[index].shared = true;
                }
            }
        }
        if opens {
            open.push(index);
        } else {
            open.retain(|other| *other != index);
        }
        before = Some(at);
    }
    for interval in intervals.iter_mut() {
        interval.from = interval.from.max(until.min(interval.end));
    }
}

/// What has been divided, for spans that end later and were open before that.
#[derive(Clone, Default)]
pub(super) struct Divided {
    from: Option<Timestamp>,
    /// Up to here spans were divided.
    to: Option<Timestamp>,
    /// Joules per domain that they got, and that they would have got alone.
    got: Vec<f64>,
    alone: Vec<f64>,
}

impl Divided {
    /// A span was divided that got `got` of `alone` joules.
    pub(super) fn add(
        &mut self,
        (start, end): (Timestamp, Timestamp),
        joules: impl Iterator<Item = (f64, f64)>,
    ) {
        self.from = Some(self.from.map_or(start, |from| from.min(start)));
        self.to = Some(self.to.map_or(end, |to| to.max(end)));
        for (domain, (got, alone)) in joules.enumerate() {
            if self.got.len() <= domain {
                self.got.push(0.0);
                self.alone.push(0.0);
            }
            self.got[domain] += got;
            self.alone[domain] += alone;
        }
    }

    /// `interval` was open before all up to here were divided: it gets its part of that time. Gives what the
    /// others are to give back for it, joules per domain. As it is no longer known when each of them was open,
    /// they count as spread over their time.
    pub(super) fn late(
        &mut self,
        interval: &mut Interval,
        timelines: &[Timeline],
    ) -> Option<Vec<f64>> {
        let (from, to) = (self.from?, self.to?);
        let start = interval.from;
        if start >= to {
            return None;
        }
        let to = to.min(interval.end);
        let mut back = Vec::new();
        for (domain, line) in timelines.iter().enumerate() {
            let mine = interval.weight * line.between(start, to).joules;
            let (got, alone) = (self.got[domain], self.alone[domain]);
            let covered = line.between(from.min(start), to).joules;
            // How many others were open where any was, and in which part of the time one was.
            let others = if got > 0.0 { (alone / got).max(1.0) } else { 1.0 };
            let part = if covered > 0.0 { (got / covered).min(1.0) } else { 0.0 };
            let taken = (mine * part / (others + 1.0)).min(got);
            interval.got[domain] += mine * (1.0 - part) + taken;
            self.got[domain] -= taken;
            back.push(taken);
        }
        interval.shared = true;
        interval.from = to;
        Some(back)
    }
}
