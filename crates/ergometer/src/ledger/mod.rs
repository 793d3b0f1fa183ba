//! E(t) × intervals → energies.
//!
//! The ledger turns closed spans into energies and adds them up: a step into the statistics of its epoch,
//! any span into the node of its label path. Children close before their parents, so the energy of a span's
//! descendants is known when the span itself arrives. Only a span's contribution to the sums is kept.

mod amount;
pub(crate) mod assemble;
mod ended_parents;
mod epoch_numbers;
mod epochs;
mod inside;
pub(crate) mod live;
pub(crate) mod live_epochs;
pub(crate) mod node;
pub(crate) mod phase_sums;
pub(crate) mod phases;
pub(crate) mod power_log;
pub(crate) mod run_header;
mod siblings;
mod span_reports;
mod stats;
pub(crate) mod step_log;
mod step_table;
mod tiling;
mod warnings;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::energy::StepTotals;
use crate::progress::Progress;
use crate::span::mark::{Mark, NO_SPAN};
use crate::span::{Kind, Label};
use crate::timeline::{Drawn, Timeline};
use crate::units::Joules;
use amount::{Amount, shared_amount};
use ended_parents::EndedParents;
use epoch_numbers::EpochNumbers;
use epochs::{EpochRow, Epochs};
use inside::{Held, Inside};
use live::LiveEpoch;
use live_epochs::RecentEpochs;
use node::{DEEPEST, MOST_LABELS, Node, fit, name_of};
use phase_sums::PhaseSums;
use power_log::LongMarks;
use siblings::Interval;
use span_reports::SpanReports;
use step_log::StepLog;
use step_table::StepTable;
use tiling::Tiling;

/// No more marks are taken while this many wait for their energies, 64 bytes each.
const MOST_PENDING: usize = 1 << 15;

/// Books the spans of a run and holds its sums.
pub(crate) struct Ledger {
    domains: usize,
    /// Marks that have not settled yet.
    pending: Vec<Mark>,
    open: HashMap<u64, Inside>,
    outlived: EndedParents,
    pub epochs: Epochs,
    /// Numbers of the epochs.
    pub numbers: EpochNumbers,
    /// Steps per split; a step outside every epoch counts as `run`.
    pub steps: BTreeMap<&'static str, StepTable>,
    /// Steps booked so far by the name of their label, for live display.
    pub live_steps: BTreeMap<&'static str, StepTotals>,
    /// The latest epochs, for live display.
    pub recent: RecentEpochs,
    /// Reports on single spans, printed as soon as their energies are known.
    pub reports: SpanReports,
    /// Single steps for the journal, where there is one.
    pub log: Option<StepLog>,
    /// Counts booked marks, for `finish`.
    pub progress: Arc<Progress>,
    /// Corrections of the sums over spans.
    pub phases: PhaseSums,
    /// Spans that are long enough to be seen in the power over time.
    pub long: LongMarks,
    /// Number of spans that share a mark because they came too fast.
    pub folded: u64,
    /// Number of invalid item counts, by the label of their span.
    pub invalid_items: BTreeMap<Label, u64>,
    /// The latest start of spans without a parent, by label.
    rootless: BTreeMap<Label, Timestamp>,
    /// Labels of those that began while an epoch was open.
    pub strays: BTreeSet<Label>,
}

impl Ledger {
    pub(crate) fn new(domains: usize) -> Self {
        Self {
            domains,
            pending: Vec::new(),
            open: HashMap::new(),
            outlived: EndedParents::default(),
            epochs: Epochs::default(),
            numbers: EpochNumbers::default(),
            steps: BTreeMap::new(),
            live_steps: BTreeMap::new(),
            recent: RecentEpochs::default(),
            reports: SpanReports::default(),
            log: None,
            progress: Arc::default(),
            phases: PhaseSums::default(),
            long: LongMarks::new(),
            folded: 0,
            invalid_items: BTreeMap::new(),
            rootless: BTreeMap::new(),
            strays: BTreeSet::new(),
        }
    }

    /// The ledger as it would be if the run ended at `end`, without the epochs that are already closed.
    ///
    /// `open` are marks of open spans. Runs and epochs among them are closed at `end`.
    pub(crate) fn fork(&self, open: impl Iterator<Item = Mark>, end: Timestamp) -> Self {
        let mut fork = Self {
            domains: self.domains,
            progress: Arc::clone(&self.progress),
            pending: self.pending.clone(),
            open: self.open.clone(),
            outlived: self.outlived.clone(),
            epochs: self.epochs.fork(),
            numbers: self.numbers.clone(),
            steps: self.steps.clone(),
            live_steps: BTreeMap::new(),
            recent: RecentEpochs::default(),
            reports: SpanReports::default(),
            log: None,
            phases: self.phases.clone(),
            long: LongMarks::default(),
            folded: self.folded,
            invalid_items: self.invalid_items.clone(),
            rootless: self.rootless.clone(),
            strays: self.strays.clone(),
        };
        fork.cut(open, end);
        fork
    }

    /// Adds `open`, the marks of open spans, and removes everything that ends after `end`: runs and epochs
    /// are closed there, other spans that were still open then are left out.
    pub(crate) fn cut(&mut self, open: impl Iterator<Item = Mark>, end: Timestamp) {
        self.pending.extend(open);
        self.pending.retain_mut(|mark| {
            let cut = mark.end > end;
            if cut {
                mark.end = end;
                mark.outlived = true;
            }
            mark.start <= end && (!cut || matches!(mark.label.kind, Kind::Run | Kind::Epoch))
        });
    }

    /// Whether more marks may be taken; otherwise they stay in their rings, where they share marks.
    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < MOST_PENDING
    }

    /// The list that new marks are added to.
    pub(crate) fn inbox(&mut self) -> &mut Vec<Mark> {
        &mut self.pending
    }

    /// Books every mark that ended at or before `settled`.
    pub(crate) fn book(&mut self, settled: Timestamp, timelines: &[Timeline]) {
        if self.pending.is_empty() {
            return;
        }
        // Sorted by end. Of two spans that end together, the inner one began later, or was opened later.
        self.pending.sort_by(|a, b| {
            (a.end, b.start, b.id).partial_cmp(&(b.end, a.start, a.id)).unwrap_or(Ordering::Equal)
        });
        let ready = self.pending.partition_point(|mark| mark.end <= settled);
        let rest = self.pending.split_off(ready);
        for mark in std::mem::replace(&mut self.pending, rest) {
            self.close(&mark, timelines);
            self.progress.step();
        }
    }

    fn close(&mut self, mark: &Mark, timelines: &[Timeline]) {
        let mut amount: Amount =
            timelines.iter().map(|line| line.between(mark.start, mark.end)).collect();
        if mark.idle > 0 {
            shared_amount(&mut amount, mark.share());
        }
        let seconds = mark.seconds();
        self.long.add(mark);
        self.reports.close(mark, seconds, &amount, timelines);
        if mark.invalid_items > 0 {
            let others = self.invalid_items.len() >= MOST_LABELS;
            let label = if others { Label::others(mark.label.kind) } else { mark.label };
            let invalid = self.invalid_items.entry(*label).or_default();
            *invalid += u64::from(mark.invalid_items);
        }
        let mut inside = self.open.remove(&mark.id).unwrap_or_default();
        inside.settle_all(timelines);
        fit(&mut inside.children, &amount);
        let parent = self.outlived.living(mark.parent);
        if mark.outlived {
            self.outlived.add(mark.id, parent);
        }
        let Inside { children, mut steps, mut tiling, .. } = inside;
        if mark.parent == NO_SPAN && !matches!(mark.label.kind, Kind::Run | Kind::Epoch) {
            let label = if self.rootless.len() < MOST_LABELS {
                mark.label
            } else {
                Label::others(mark.label.kind)
            };
            let latest = self.rootless.entry(*label).or_insert(mark.start);
            *latest = mark.start.max(*latest);
        }
        match mark.label.kind {
            Kind::Epoch => {
                let meanwhile = self.rootless.iter().filter(|(_, start)| **start >= mark.start);
                self.strays.extend(meanwhile.map(|(label, _)| *label));
                let steps = std::mem::take(&mut steps);
                self.close_epoch(mark, amount.clone(), steps, tiling.take(), timelines);
            }
            Kind::Step => self.show_step(mark, &amount),
            Kind::Run | Kind::Phase | Kind::Function => {}
        }
        let beside = mark.beside || parent != mark.parent;
        let mark = Mark { beside, ..*mark };
        let interval = Interval::new((mark.start, mark.end), mark.share(), self.domains);
        let held = Held { mark, amount, interval, children, steps, tiling };
        self.open.entry(parent).or_default().add(held, beside, timelines);
    }

    /// Shows a completed step in the live figures and writes it to the journal, both with its own energy,
    /// whatever else was open.
    fn show_step(&mut self, mark: &Mark, amount: &[Drawn]) {
        let joules: Vec<f64> = amount.iter().map(|drawn| drawn.joules).collect();
        let name = name_of(&self.live_steps, mark.label.name);
        let live = self.live_steps.entry(name).or_default();
        live.count += mark.count();
        live.joules += Joules::new(joules.iter().sum());
        live.seconds += mark.seconds();
        live.items = (live.items + mark.items).min(f64::MAX);
        live.unit = mark.label.unit.into();
        if let Some(log) = &mut self.log {
            log.add(mark, mark.seconds(), &joules);
        }
    }

    fn close_epoch(
        &mut self,
        mark: &Mark,
        amount: Amount,
        mut steps: StepTable,
        tiling: Option<Tiling>,
        timelines: &[Timeline],
    ) {
        let index = self.numbers.next(mark.id, mark.label.name);
        if mark.idle > 0 || tiling.as_ref().is_some_and(|tiling| tiling.shared) {
            steps.fit(&amount);
        }
        let steps = tiling.is_some().then_some(steps);
        if let Some(steps) = &steps {
            self.count_steps(mark.label.name, steps);
        }
        let between_steps = if mark.idle > 0 {
            // Of epochs that share a mark the time between them is nobody's.
            Tiling::rest(tiling.as_ref(), &amount)
        } else {
            Tiling::outside(tiling.as_ref(), mark.start, mark.end, timelines)
        };
        self.recent.end(mark, steps.as_ref().map_or_else(StepTotals::default, StepTable::live));
        let epoch = EpochRow {
            label: *mark.label,
            index,
            count: mark.count(),
            seconds: mark.seconds(),
            start: mark.start,
            end: mark.end,
            amount,
            between_steps,
            overlapping: tiling.is_some_and(|tiling| tiling.is_overlapping()),
            steps,
        };
        self.epochs.add(epoch, timelines);
    }

    /// The latest epochs, with the figures booked so far.
    pub(crate) fn live_epochs(&self) -> Vec<LiveEpoch> {
        self.recent.live(|span| Some(self.open.get(&span)?.live()))
    }

    /// Identity and end of the epochs that are over and not booked yet; without those that share an identity.
    pub(crate) fn over(&self) -> impl Iterator<Item = (u64, Timestamp)> {
        let over = self.pending.iter();
        let over = over.filter(|mark| mark.label.kind == Kind::Epoch && mark.is_announced());
        over.map(|mark| (mark.id, mark.end))
    }

    /// Shows the epochs that were over by `end` with their steps as `timelines` have them now, which reach as far
    /// but may not have settled. They are booked later, as if this had not been.
    pub(crate) fn foresee(&mut self, end: Timestamp, timelines: &[Timeline]) {
        let over: Vec<u64> =
            self.over().filter(|&(_, over)| over <= end).map(|(id, _)| id).collect();
        let mut fork = self.fork(std::iter::empty(), end);
        fork.book(end, timelines);
        for id in over {
            if let Some(steps) = fork.recent.steps_of(id) {
                self.recent.foresee(id, steps);
            }
        }
    }

    fn count_steps(&mut self, split: &'static str, steps: &StepTable) {
        let split = name_of(&self.steps, split);
        self.steps.entry(split).or_default().merge(steps);
    }

    /// Past moments at which energies are still to be computed, so the timelines must stay exact there.
    pub(crate) fn pins(&self) -> impl Iterator<Item = Timestamp> {
        let tilings = self.open.values().filter_map(|inside| inside.tiling.as_ref());
        tilings
            .flat_map(|tiling| [tiling.first, tiling.last])
            .chain(self.epochs.pins())
            .chain(self.open.values().flat_map(|inside| {
                inside.held.iter().flat_map(|held| [held.mark.start, held.mark.end])
            }))
            .chain(self.pending.iter().map(|mark| mark.start))
    }

    /// Closes the ledger. Returns the tree of spans, and the number of spans that were never closed.
    pub(crate) fn finish(&mut self, timelines: &[Timeline]) -> (BTreeMap<Label, Node>, usize) {
        self.open.values_mut().for_each(|inside| inside.settle_all(timelines));
        let root = self.open.remove(&NO_SPAN).unwrap_or_default();
        if root.tiling.is_some() {
            self.count_steps("run", &root.steps);
        }
        let orphans: Vec<Inside> = self.open.drain().map(|(_, inside)| inside).collect();
        let left_open = orphans.len();
        let mut tree = Node { children: root.children, ..Node::default() };
        for orphan in orphans {
            tree.merge_children(orphan.children, DEEPEST + 1);
            if orphan.tiling.is_some() {
                self.count_steps("run", &orphan.steps);
            }
        }
        self.phases.correct(&mut tree.children);
        (tree.children, left_open)
    }
}

#[cfg(test)]
mod tests {
    mod long_run;
}
