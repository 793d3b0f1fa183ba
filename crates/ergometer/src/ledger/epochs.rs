//! The epochs of a run: rows for the first thousands, sums for the others, and the energy outside them.

use std::collections::{BTreeMap, VecDeque};

use super::step_table::StepTable;
use crate::clock::Timestamp;
use crate::ledger::amount::{Amount, add_amount};
use crate::span::Label;
use crate::timeline::Timeline;

/// Number of epochs with rows of their own.
pub(crate) const MOST_ROWS: usize = 4096;
/// Number of splits with sums of their own; the others share one, under [`Label::OTHER_NAMES`].
const MOST_SPLITS: usize = 256;
/// Number of the latest intervals that a later epoch may still overlap.
const MOST_INTERVALS: usize = 64;

/// A closed epoch.
pub(crate) struct EpochRow {
    pub label: Label,
    pub index: u64,
    /// Number of epochs, if several share a mark because they came too fast; such epochs have no row.
    pub count: u64,
    /// Seconds in which one of them was open.
    pub seconds: f64,
    pub start: Timestamp,
    pub end: Timestamp,
    pub amount: Amount,
    pub steps: Option<StepTable>,
    pub between_steps: Vec<f64>,
    pub overlapping: bool,
}

/// Epochs of a split without rows.
#[derive(Clone, Default)]
pub(crate) struct EpochSums {
    pub count: u64,
    pub seconds: f64,
    pub amount: Amount,
    pub steps: Option<StepTable>,
    pub between_steps: Vec<f64>,
}

/// All epochs that have ended.
#[derive(Default)]
pub(crate) struct Epochs {
    pub rows: Vec<EpochRow>,
    /// Number of rows that the ledger this one was forked from holds.
    elsewhere: usize,
    pub more: BTreeMap<&'static str, EpochSums>,
    outside: Outside,
    /// Whether steps of some epoch overlap.
    pub steps_overlap: bool,
}

impl Epochs {
    /// A copy without the rows.
    pub(super) fn fork(&self) -> Self {
        Self {
            rows: Vec::new(),
            elsewhere: self.elsewhere + self.rows.len(),
            more: self.more.clone(),
            outside: self.outside.clone(),
            steps_overlap: self.steps_overlap,
        }
    }

    /// Adds an epoch that ended after all that were added before.
    pub(super) fn add(&mut self, epoch: EpochRow, timelines: &[Timeline]) {
        // Epochs that share a mark need not cover all of its time.
        self.outside.shared |= epoch.count > 1;
        self.outside.add(epoch.start, epoch.end, timelines);
        self.outside.inside.resize(timelines.len(), 0.0);
        for (sum, drawn) in self.outside.inside.iter_mut().zip(&epoch.amount) {
            *sum += drawn.joules;
        }
        self.steps_overlap |= epoch.overlapping;
        if epoch.count == 1 && self.elsewhere + self.rows.len() < MOST_ROWS {
            self.rows.push(epoch);
            return;
        }
        let split = epoch.label.name;
        let is_new = !self.more.contains_key(split) && self.more.len() >= MOST_SPLITS;
        let split = if is_new { Label::OTHER_NAMES } else { split };
        let sums = self.more.entry(split).or_default();
        sums.count += epoch.count;
        sums.seconds += epoch.seconds;
        add_amount(&mut sums.amount, &epoch.amount);
        match (&mut sums.steps, epoch.steps) {
            (Some(sum), Some(steps)) => sum.merge(&steps),
            (sum, steps) => *sum = sum.take().or(steps),
        }
        sums.between_steps.resize(epoch.between_steps.len(), 0.0);
        for (sum, joules) in sums.between_steps.iter_mut().zip(&epoch.between_steps) {
            *sum += joules;
        }
    }

    /// Joules per domain of `[start, end]` outside every epoch.
    pub(crate) fn outside(
        &self,
        start: Timestamp,
        end: Timestamp,
        timelines: &[Timeline],
    ) -> Vec<f64> {
        self.outside.joules(start, end, timelines)
    }

    /// Whether some epochs overlap in time.
    pub(crate) fn overlap(&self) -> bool {
        self.outside.overlapping && !self.outside.shared
    }

    /// Moments at which energies will be needed.
    pub(super) fn pins(&self) -> impl Iterator<Item = Timestamp> {
        let latest = self.outside.latest.iter();
        latest.flat_map(|&(start, end)| [start, end]).chain(self.outside.first)
    }
}

/// The energy drawn while no epoch was open.
///
/// Epochs arrive in the order of their ends, so only the latest covered intervals can still grow. The
/// energy between the older ones is kept as a sum.
#[derive(Clone, Default)]
struct Outside {
    /// The start of the first epoch.
    first: Option<Timestamp>,
    /// Covered intervals, disjoint and in order.
    latest: VecDeque<(Timestamp, Timestamp)>,
    /// Joules per domain between intervals that are no longer among the latest.
    between: Vec<f64>,
    overlapping: bool,
    /// Joules per domain of all epochs.
    inside: Vec<f64>,
    /// Some intervals contain several epochs and the time between them; the outside energy is then total
    /// minus inside.
    shared: bool,
}

impl Outside {
    fn add(&mut self, mut start: Timestamp, mut end: Timestamp, timelines: &[Timeline]) {
        // Intervals that are no longer among the latest cannot change.
        if !self.between.is_empty()
            && let Some(&(oldest, _)) = self.latest.front()
            && start < oldest
        {
            self.overlapping = true;
            start = oldest;
        }
        while let Some((before, last)) = self.latest.pop_back() {
            if last <= start {
                self.latest.push_back((before, last));
                break;
            }
            self.overlapping = true;
            (start, end) = (start.min(before), end.max(last));
        }
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
        self.latest.push_back((start, end));
        if self.latest.len() > MOST_INTERVALS
            && let Some((_, oldest)) = self.latest.pop_front()
            && let Some(&(next, _)) = self.latest.front()
        {
            self.between.resize(timelines.len(), 0.0);
            add_between(&mut self.between, oldest, next, timelines);
        }
    }

    fn joules(&self, start: Timestamp, end: Timestamp, timelines: &[Timeline]) -> Vec<f64> {
        if self.shared {
            let whole = timelines.iter().map(|line| line.between(start, end).joules);
            return whole
                .zip(&self.inside)
                .map(|(whole, inside)| (whole - inside).max(0.0))
                .collect();
        }
        let mut sum = self.between.clone();
        sum.resize(timelines.len(), 0.0);
        let (Some(first), Some(&(_, last))) = (self.first, self.latest.back()) else {
            add_between(&mut sum, start, end, timelines);
            return sum;
        };
        add_between(&mut sum, start, first, timelines);
        for (&(_, from), &(to, _)) in self.latest.iter().zip(self.latest.iter().skip(1)) {
            add_between(&mut sum, from, to, timelines);
        }
        add_between(&mut sum, last, end, timelines);
        sum
    }
}

fn add_between(sum: &mut [f64], from: Timestamp, to: Timestamp, timelines: &[Timeline]) {
    for (sum, line) in sum.iter_mut().zip(timelines) {
        *sum += line.between(from, to).joules;
    }
}
