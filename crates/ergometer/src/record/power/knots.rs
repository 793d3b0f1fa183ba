//! E(t) of every domain at a bounded number of moments.

use serde::{Deserialize, Serialize};

use crate::record::power::{MOST_INTERVALS, PowerHistory, seven_digits};
use crate::units::Watts;

/// The finest grid: intervals of 50 ms.
const TICKS_PER_SECOND: f64 = 20.0;
/// A span is long if it takes this many intervals.
const LONG: f64 = 4.0;
/// Knots closer than this share of an interval are one.
const NEAR: f64 = 0.25;

/// The energy that each domain has drawn up to a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Knot {
    /// Seconds from the start of the run.
    pub t: f64,
    /// Its number in the finest grid; 0 for the edge of a span.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tick: u64,
    /// Seconds that the span takes whose edge it is.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub span: f64,
    /// Joules of each domain since the start.
    pub joules: Vec<f64>,
    /// Seconds since the start in which each domain was not observed; empty if there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unobserved: Vec<f64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(tick: &u64) -> bool {
    *tick == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_nothing(seconds: &f64) -> bool {
    *seconds <= 0.0
}

impl Knot {
    /// A knot at `t` with what each domain has drawn and not been observed up to then.
    pub(crate) fn new(t: f64, drawn: &[(f64, f64)]) -> Self {
        let observed = drawn.iter().all(|(_, unobserved)| *unobserved <= 0.0);
        let unobserved = drawn.iter().map(|(_, unobserved)| *unobserved);
        Self {
            t,
            tick: 0,
            span: 0.0,
            joules: drawn.iter().map(|(joules, _)| *joules).collect(),
            unobserved: if observed { Vec::new() } else { unobserved.collect() },
        }
    }

    fn unobserved(&self, domain: usize) -> f64 {
        self.unobserved.get(domain).copied().unwrap_or(0.0)
    }

    /// Whether it has a plausible value for each of this many domains.
    pub(crate) fn fits(&self, domains: usize) -> bool {
        let lists = self.joules.len() == domains
            && (self.unobserved.is_empty() || self.unobserved.len() == domains);
        lists && self.t >= 0.0 && self.joules.iter().all(|joules| *joules >= 0.0)
    }
}

/// Knots in the order of their time, at most [`MOST_INTERVALS`].
#[derive(Clone, Debug)]
pub(crate) struct Knots {
    /// Interval of the grid, in ticks.
    every: u64,
    /// The last tick that was reached.
    last: u64,
    list: Vec<Knot>,
}

impl Default for Knots {
    fn default() -> Self {
        Self { every: 1, last: 0, list: Vec::new() }
    }
}

impl Knots {
    /// Without any knot, on the same grid.
    pub(crate) fn emptied(&self) -> Self {
        Self { list: Vec::new(), ..*self }
    }

    pub(crate) fn as_slice(&self) -> &[Knot] {
        &self.list
    }

    fn interval(&self) -> f64 {
        self.every as f64 / TICKS_PER_SECOND
    }

    /// Spans from this many seconds on have their edges among the knots.
    pub(crate) fn long(&self) -> f64 {
        LONG * self.interval()
    }

    /// The next moment on the grid: number and seconds.
    pub(crate) fn next(&self) -> (u64, f64) {
        let tick = (self.last / self.every + 1) * self.every;
        (tick, tick as f64 / TICKS_PER_SECOND)
    }

    /// Adds a knot, and leaves others out where there are too many.
    pub(crate) fn add(&mut self, knot: Knot) {
        self.last = self.last.max(knot.tick);
        self.put(knot);
        while self.list.len() >= MOST_INTERVALS {
            self.every *= 2;
            for knot in std::mem::take(&mut self.list) {
                self.put(knot);
            }
        }
    }

    /// Adds a knot if it belongs here; the edge of a span replaces a moment of the grid that is near.
    fn put(&mut self, knot: Knot) {
        let belongs = match knot.tick {
            0 => knot.span >= self.long(),
            tick => tick % self.every == 0,
        };
        let near = NEAR * self.interval();
        if !belongs || knot.t < near {
            return;
        }
        let mut at = self.list.partition_point(|known| known.t < knot.t);
        let is_edge = knot.tick == 0;
        let (before, after) = (at.checked_sub(1), at);
        for neighbour in [before, Some(after)].into_iter().flatten() {
            let close = |known: &&Knot| (known.t - knot.t).abs() < near;
            if let Some(known) = self.list.get(neighbour).filter(close)
                && (known.tick == 0 || !is_edge)
            {
                return;
            }
        }
        // Only moments of the grid are near now.
        if self.list.get(at).is_some_and(|known| known.t - knot.t < near) {
            self.list.remove(at);
        }
        if before
            .and_then(|before| self.list.get(before))
            .is_some_and(|known| knot.t - known.t < near)
        {
            at -= 1;
            self.list.remove(at);
        }
        self.list.insert(at, knot);
    }

    /// Mean power between the knots, and from the last of them to `end`, at which the run had drawn this.
    /// `known`: whether each domain has an energy.
    pub(crate) fn history(&self, end: &Knot, known: &[bool]) -> Option<PowerHistory> {
        let near = NEAR * self.interval().min(end.t);
        let inner = self.list.iter().take_while(|knot| knot.t + near <= end.t);
        let knots: Vec<&Knot> = inner.chain([end]).filter(|knot| knot.t > 0.0).collect();
        let mut history = PowerHistory::default();
        for knot in &knots {
            history.ends_s.push(knot.t);
        }
        if knots.is_empty() {
            return None;
        }
        for (domain, known) in known.iter().enumerate() {
            let mut row = Vec::new();
            let (mut t, mut joules, mut unobserved) = (0.0, 0.0_f64, 0.0);
            for knot in knots.iter().filter(|_| *known) {
                let seconds = knot.t - t;
                let total = knot.joules.get(domain).copied().unwrap_or(0.0).max(joules);
                let unseen = knot.unobserved(domain) - unobserved;
                let nothing = total <= joules && unseen >= (1.0 - UNOBSERVED) * seconds;
                let watts = seven_digits((total - joules) / seconds);
                row.push((!nothing).then(|| Watts::new(watts)));
                (t, joules, unobserved) = (knot.t, total, knot.unobserved(domain));
            }
            history.watts.push(row);
        }
        Some(history)
    }
}

/// An interval counts as not observed if at most this share of it was.
const UNOBSERVED: f64 = 1e-6;
