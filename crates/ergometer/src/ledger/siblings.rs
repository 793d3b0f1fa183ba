//! Divides the energy of spans with one parent while several of them are open, so that each moment counts
//! once.
//!
//! Marks arrive in the order of their ends. When a span ends, it is not yet known which others were open:
//! those that still are open arrive later. So the latest marks are held back until the parent ends or there
//! are many, and are then divided together.

use crate::clock::Timestamp;
use crate::timeline::Timeline;

/// The most spans held back inside one span.
pub(super) const MOST_HELD: usize = 512;

/// A span among its siblings, with the energy that it was assigned so far.
#[derive(Clone)]
pub(super) struct Interval {
    /// Its energy has been assigned up to here.
    from: Timestamp,
    end: Timestamp,
    /// The share of its time in which it was open; below 1 only for spans that share a mark.
    weight: f64,
    /// Joules per domain.
    got: Vec<f64>,
    /// Whether it was open at the same time as others.
    shared: bool,
}

impl Interval {
    pub(super) fn new((start, end): (Timestamp, Timestamp), weight: f64, domains: usize) -> Self {
        Self { from: start, end, weight, got: vec![0.0; domains], shared: false }
    }

    /// The share of its energy that it was assigned, given `alone` joules by domain; `None` if it has all.
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
/// At each moment a span receives its weight, divided by the sum of all weights if that exceeds 1.
pub(super) fn divide(intervals: &mut [&mut Interval], until: Timestamp, timelines: &[Timeline]) {
    let mut edges: Vec<(Timestamp, bool, usize)> = Vec::with_capacity(2 * intervals.len());
    for (index, interval) in intervals.iter().enumerate() {
        let end = interval.end.min(until);
        // An empty interval would end before it begins.
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

/// Sums over divided spans, for spans that end later and overlapped them.
#[derive(Clone, Default)]
pub(super) struct Divided {
    from: Option<Timestamp>,
    /// Spans were divided up to here.
    to: Option<Timestamp>,
    /// Joules per domain that they were assigned, and that they would have been assigned alone.
    got: Vec<f64>,
    alone: Vec<f64>,
}

impl Divided {
    /// Records a span that was assigned `got` of `alone` joules.
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

    /// Assigns `interval`, which was open before all up to here were divided, its part of that time.
    /// Returns the joules per domain that the others have to give up. Their individual times are no longer
    /// known, so they count as spread evenly over the time.
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
            // How many others were open when any was, and the share of the time in which one was.
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
