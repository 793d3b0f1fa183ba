//! Consecutive spans, and the energy between them.

use crate::clock::Timestamp;
use crate::span::mark::Mark;
use crate::timeline::{Drawn, Timeline};

/// Consecutive intervals, with the energy inside them and between them.
#[derive(Clone)]
pub(crate) struct Tiling {
    pub first: Timestamp,
    pub last: Timestamp,
    /// Joules per domain between the intervals.
    pub between: Vec<f64>,
    /// Joules per domain inside them.
    pub inside: Vec<f64>,
    /// Whether some of them share a mark, or were open at the same time as others; the outside energy is
    /// then total minus inside.
    pub shared: bool,
    /// Whether some intervals overlap, so that their sum exceeds the energy of the time that they cover.
    overlapping: bool,
}

impl Tiling {
    pub(super) fn of(mark: &Mark, joules: &[f64]) -> Self {
        Self {
            first: mark.start,
            last: mark.end,
            between: vec![0.0; joules.len()],
            inside: joules.to_vec(),
            shared: mark.idle > 0,
            overlapping: false,
        }
    }

    pub(super) fn extend(&mut self, next: &Self, timelines: &[Timeline]) {
        self.shared |= next.shared;
        self.overlapping |= next.overlapping || next.first < self.last;
        if next.first > self.last {
            for (sum, line) in self.between.iter_mut().zip(timelines) {
                *sum += line.between(self.last, next.first).joules;
            }
        }
        for (sum, joules) in self.between.iter_mut().zip(&next.between) {
            *sum += joules;
        }
        for (sum, joules) in self.inside.iter_mut().zip(&next.inside) {
            *sum += joules;
        }
        self.last = self.last.max(next.last);
        self.first = self.first.min(next.first);
    }

    /// Whether the sum counts the overlap of some intervals more than once.
    pub(super) fn is_overlapping(&self) -> bool {
        !self.shared && self.overlapping
    }

    /// Joules per domain of `amount` that are not inside the intervals.
    pub(super) fn rest(tiling: Option<&Self>, amount: &[Drawn]) -> Vec<f64> {
        let inside = |domain| tiling.map_or(0.0, |tiling: &Self| tiling.inside[domain]);
        let domains = amount.iter().enumerate();
        domains.map(|(domain, drawn)| (drawn.joules - inside(domain)).max(0.0)).collect()
    }

    /// Joules per domain of `[start, end]` outside the intervals.
    pub(crate) fn outside(
        tiling: Option<&Self>,
        start: Timestamp,
        end: Timestamp,
        timelines: &[Timeline],
    ) -> Vec<f64> {
        let between = |from, to| timelines.iter().map(move |line| line.between(from, to).joules);
        match tiling {
            None => between(start, end).collect(),
            Some(tiling) if tiling.shared => between(start, end)
                .zip(&tiling.inside)
                .map(|(whole, inside)| (whole - inside).max(0.0))
                .collect(),
            Some(tiling) => between(start, tiling.first)
                .zip(between(tiling.last, end))
                .zip(&tiling.between)
                .map(|((before, after), between)| before + between + after)
                .collect(),
        }
    }
}
