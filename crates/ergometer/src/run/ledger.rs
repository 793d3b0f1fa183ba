//! E(t) × intervals → energies.
//!
//! The ledger turns closed spans into energies and adds them up: a step into the statistics of its epoch,
//! any span into the node of its label path. Children close before their parents, so the energy of a span's
//! descendants is known when the span itself arrives. Only a span's contribution to the sums is kept.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::epochs::{EpochRow, Epochs};
use super::numbers::Numbers;
use super::outlived::Outlived;
use super::phase_sums::PhaseSums;
use super::power::LongMarks;
use super::said::Said;
use super::siblings::{self, Divided, Interval, MOST_HELD};
use super::stats::Step;
use super::step_table::StepTable;
use crate::clock::Timestamp;
use crate::meter::recent::{LiveEpoch, RecentEpochs};
use crate::meter::timeline::{Drawn, Timeline};
use crate::meter::{LiveSteps, Progress};
use crate::span::ring::{Mark, NO_SPAN};
use crate::span::{Kind, Label};
use crate::units::Joules;

/// Energy of an interval in every domain.
pub(crate) type Amount = Vec<Drawn>;

/// Consecutive intervals, with the energy inside them and between them.
#[derive(Clone)]
pub(crate) struct Tiling {
    first: Timestamp,
    last: Timestamp,
    /// Joules per domain between the intervals.
    pub between: Vec<f64>,
    /// Joules per domain inside them.
    inside: Vec<f64>,
    /// Whether some of them share a mark, or were open at the same time as others; the outside energy is
    /// then total minus inside.
    shared: bool,
    /// Whether some intervals overlap, so that their sum exceeds the energy of the time that they cover.
    overlapping: bool,
}

impl Tiling {
    fn of(mark: &Mark, joules: &[f64]) -> Self {
        Self {
            first: mark.start,
            last: mark.end,
            between: vec![0.0; joules.len()],
            inside: joules.to_vec(),
            shared: mark.idle > 0,
            overlapping: false,
        }
    }

    fn extend(&mut self, next: &Self, timelines: &[Timeline]) {
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
    fn is_overlapping(&self) -> bool {
        !self.shared && self.overlapping
    }

    /// Joules per domain of `amount` that are not inside the intervals.
    fn rest(tiling: Option<&Self>, amount: &[Drawn]) -> Vec<f64> {
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

/// The energy of spans that share a mark: the energy of the mark's interval, times the share of that time
/// in which a span was open. The power while none was open is assumed to be the same; `gaps` includes how
/// much it may differ.
fn shared_amount(amount: &mut [Drawn], share: f64) {
    /// Relative standard uncertainty of the power inside the spans, if nothing is known about it.
    const UNLIKE: f64 = 0.35;
    for drawn in amount {
        let unlike = UNLIKE * (1.0 - share) * share * drawn.joules;
        drawn.joules *= share;
        drawn.unobserved *= share;
        drawn.parts = drawn.parts.scaled(share);
        drawn.edges_linear *= share;
        drawn.parts.gaps += Joules::new(unlike);
    }
}

/// Levels of nested spans that are kept. The tree is traversed and dropped recursively on a thread with a
/// stack of 2 MiB, while a program may nest its spans to any depth.
const DEEPEST: usize = 64;

/// Labels inside one node that have nodes of their own. The others of a kind share one,
/// [`Label::OTHER_NAMES`].
const MOST_LABELS: usize = 1024;

/// The node of `label`, or the shared one.
fn node_of<'a>(nodes: &'a mut BTreeMap<Label, Node>, label: &Label) -> &'a mut Node {
    let shares = nodes.len() >= MOST_LABELS && !nodes.contains_key(label);
    nodes.entry(if shares { *Label::others(label.kind) } else { *label }).or_default()
}

/// The same for steps, which are identified by name.
pub(super) fn name_of<T>(known: &BTreeMap<&'static str, T>, name: &'static str) -> &'static str {
    let shares = known.len() >= MOST_LABELS && !known.contains_key(name);
    if shares { Label::OTHER_NAMES } else { name }
}

/// All spans of one label path.
#[derive(Clone, Default)]
pub(crate) struct Node {
    pub count: u64,
    /// Number of spans among them that share a mark with others.
    pub folded: u64,
    /// Whether energies are shares of a mark's energy.
    shared: bool,
    pub seconds: f64,
    /// Each moment counted once, divided among the spans that were open at the same time.
    pub amount: Vec<Drawn>,
    /// The machine's whole energy in each span's time, summed over spans and domains.
    pub inclusive: f64,
    pub children: BTreeMap<Label, Node>,
}

impl Node {
    fn add(&mut self, mark: &Mark, amount: &[Drawn], inclusive: f64) {
        self.inclusive += inclusive;
        self.count += mark.count();
        self.folded += u64::from(mark.folded);
        self.shared |= mark.idle > 0;
        self.seconds += mark.seconds();
        add_amount(&mut self.amount, amount);
    }

    /// Scales the energy of a domain, here and in all descendants.
    fn scale(&mut self, domain: usize, share: f64) {
        if let Some(drawn) = self.amount.get_mut(domain) {
            drawn.joules *= share;
            drawn.parts = drawn.parts.scaled(share);
            drawn.edges_linear *= share;
        }
        self.children.values_mut().for_each(|child| child.scale(domain, share));
    }

    /// Adds this many levels of `children`; the energy of deeper ones is included in those above them.
    fn merge_children(&mut self, children: BTreeMap<Label, Node>, levels: usize) {
        if levels == 0 {
            return;
        }
        for (label, node) in children {
            let mine = node_of(&mut self.children, &label);
            mine.count += node.count;
            mine.folded += node.folded;
            mine.shared |= node.shared;
            mine.inclusive += node.inclusive;
            mine.seconds += node.seconds;
            add_amount(&mut mine.amount, &node.amount);
            mine.merge_children(node.children, levels - 1);
        }
    }
}

/// Scales `children` down to the energy of their parent. Shares of an interval in which power changed may
/// exceed it.
fn fit(children: &mut BTreeMap<Label, Node>, amount: &[Drawn]) {
    if !children.values().any(|child| child.shared) {
        return;
    }
    for (domain, whole) in amount.iter().enumerate() {
        let joules = |node: &Node| node.amount.get(domain).map_or(0.0, |drawn| drawn.joules);
        let inside: f64 = children.values().map(joules).sum();
        if inside > whole.joules {
            let share = whole.joules.max(0.0) / inside;
            for child in children.values_mut() {
                child.scale(domain, share);
            }
        }
    }
}

pub(super) fn add_amount(sum: &mut Vec<Drawn>, amount: &[Drawn]) {
    if sum.is_empty() {
        sum.extend_from_slice(amount);
        return;
    }
    for (sum, drawn) in sum.iter_mut().zip(amount) {
        sum.joules += drawn.joules;
        sum.parts = sum.parts.plus(&drawn.parts);
        sum.unobserved += drawn.unobserved;
        sum.edges_linear += drawn.edges_linear;
    }
}

/// Everything that has closed inside an open span.
#[derive(Clone, Default)]
struct Inside {
    children: BTreeMap<Label, Node>,
    steps: StepTable,
    tiling: Option<Tiling>,
    /// Spans that may overlap others, in the order of their ends.
    held: Vec<Held>,
    divided: Divided,
}

/// A closed span, with everything that closed inside it.
#[derive(Clone)]
struct Held {
    mark: Mark,
    amount: Amount,
    interval: Interval,
    children: BTreeMap<Label, Node>,
    steps: StepTable,
    tiling: Option<Tiling>,
}

impl Held {
    /// Scales its sums to its share where other spans were open at the same time.
    fn scale(&mut self, shares: &[f64]) {
        for (domain, &share) in shares.iter().enumerate() {
            let drawn = &mut self.amount[domain];
            drawn.joules *= share;
            drawn.unobserved *= share;
            drawn.parts = drawn.parts.scaled(share);
            self.children.values_mut().for_each(|child| child.scale(domain, share));
            self.steps.scale(domain, share);
            if let Some(tiling) = &mut self.tiling {
                tiling.inside[domain] *= share;
                tiling.shared = true;
            }
        }
    }
}

impl Inside {
    /// Adds a span that closed inside this one.
    fn add(&mut self, mut held: Held, beside: bool, timelines: &[Timeline]) {
        if !beside {
            self.put(held, 0.0, timelines);
            return;
        }
        if let Some(back) = self.divided.late(&mut held.interval, timelines) {
            self.give_back(&back);
        }
        self.held.push(held);
        if self.held.len() >= MOST_HELD {
            self.settle(MOST_HELD / 2, timelines);
        }
    }

    /// Divides the energy of the first `count` spans that are held back.
    fn settle(&mut self, count: usize, timelines: &[Timeline]) {
        let Some(last) = self.held[..count].last() else { return };
        let until = last.mark.end;
        let mut intervals: Vec<&mut Interval> =
            self.held.iter_mut().map(|held| &mut held.interval).collect();
        siblings::divide(&mut intervals, until, timelines);
        let rest = self.held.split_off(count);
        for mut held in std::mem::replace(&mut self.held, rest) {
            let alone: Vec<f64> = held.amount.iter().map(|drawn| drawn.joules).collect();
            let got = held.interval.got().iter().copied().zip(alone.iter().copied());
            self.divided.add((held.mark.start, held.mark.end), got);
            let whole = alone.iter().sum();
            if let Some(shares) = held.interval.shares(alone.into_iter()) {
                held.scale(&shares);
            }
            self.put(held, whole, timelines);
        }
    }

    fn settle_all(&mut self, timelines: &[Timeline]) {
        self.settle(self.held.len(), timelines);
        self.divided = Divided::default();
    }

    /// Subtracts joules from the spans already divided.
    fn give_back(&mut self, back: &[f64]) {
        for (domain, back) in back.iter().enumerate() {
            let joules = |node: &Node| node.amount.get(domain).map_or(0.0, |drawn| drawn.joules);
            let sum: f64 = self.children.values().map(joules).sum();
            let share = if sum > 0.0 { (1.0 - back / sum).max(0.0) } else { 1.0 };
            self.children.values_mut().for_each(|child| child.scale(domain, share));
            self.steps.scale(domain, share);
            if let Some(tiling) = &mut self.tiling {
                tiling.inside[domain] *= share;
            }
        }
    }

    /// The sums of its steps, including those that are held back.
    fn live(&self) -> LiveSteps {
        let mut sums = self.steps.live();
        for held in &self.held {
            let more = match held.mark.label.kind {
                Kind::Step => LiveSteps {
                    count: held.mark.count(),
                    joules: Joules::new(held.amount.iter().map(|drawn| drawn.joules).sum()),
                    seconds: held.mark.seconds(),
                    items: held.mark.items,
                    unit: held.mark.label.unit,
                },
                _ => held.steps.live(),
            };
            sums.count += more.count;
            sums.joules += more.joules;
            sums.seconds += more.seconds;
            sums.items += more.items;
            if sums.unit.is_empty() {
                sums.unit = more.unit;
            }
        }
        sums
    }

    /// Adds a span to the sums. `whole` is the energy that it would have drawn alone; 0 if it was alone.
    fn put(&mut self, held: Held, whole: f64, timelines: &[Timeline]) {
        let Held { mark, amount, children, steps, tiling, .. } = held;
        let joules: Vec<f64> = amount.iter().map(|drawn| drawn.joules).collect();
        let whole = if whole > 0.0 { whole } else { joules.iter().sum() };
        let node = node_of(&mut self.children, mark.label);
        node.add(&mark, &amount, whole);
        node.merge_children(children, DEEPEST);
        let tile = match mark.label.kind {
            Kind::Epoch => None,
            Kind::Step => Some(Tiling::of(&mark, &joules)),
            Kind::Run | Kind::Phase | Kind::Function => tiling,
        };
        let Some(mut tile) = tile else { return };
        tile.shared |= mark.beside;
        match &mut self.tiling {
            Some(tiling) => tiling.extend(&tile, timelines),
            empty => *empty = Some(tile),
        }
        if mark.label.kind == Kind::Step {
            let step = Step {
                folded: mark.folded.into(),
                seconds: mark.seconds(),
                items: mark.items,
                unit: mark.label.unit,
                whole,
            };
            self.steps.add(mark.label.name, &joules, step);
            self.steps.nest(&steps);
        } else {
            self.steps.merge(&steps);
        }
    }
}

/// No more marks are taken while this many wait for their energies, 64 bytes each.
const MOST_PENDING: usize = 1 << 15;

/// Books the spans of a run and holds its sums.
pub(crate) struct Ledger {
    domains: usize,
    /// Marks that have not settled yet.
    pending: Vec<Mark>,
    open: HashMap<u64, Inside>,
    outlived: Outlived,
    pub epochs: Epochs,
    /// Numbers of the epochs.
    pub numbers: Numbers,
    /// Steps per split; a step outside every epoch counts as `run`.
    pub steps: BTreeMap<&'static str, StepTable>,
    /// Steps booked so far by the name of their label, for live display.
    pub live_steps: BTreeMap<&'static str, LiveSteps>,
    /// The latest epochs, for live display.
    pub recent: RecentEpochs,
    /// Reports on single spans, printed as soon as their energies are known.
    pub said: Said,
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

/// Single steps, as they were booked.
pub(crate) struct StepLog {
    /// Only every n-th step is kept.
    pub every: u64,
    pub seen: u64,
    pub steps: Vec<StepEntry>,
}

/// One step, or several that share a mark.
pub(crate) struct StepEntry {
    pub name: &'static str,
    pub start: Timestamp,
    pub seconds: f64,
    pub items: f64,
    pub joules: Vec<f64>,
    pub count: u64,
}

impl StepLog {
    fn add(&mut self, mark: &Mark, seconds: f64, joules: &[f64]) {
        let after = self.seen + mark.count();
        if self.seen.next_multiple_of(self.every) < after {
            self.steps.push(StepEntry {
                name: mark.label.name,
                start: mark.start,
                seconds,
                items: mark.items,
                joules: joules.to_vec(),
                count: mark.count(),
            });
        }
        self.seen = after;
    }
}

impl Ledger {
    pub(crate) fn new(domains: usize) -> Self {
        Self {
            domains,
            pending: Vec::new(),
            open: HashMap::new(),
            outlived: Outlived::default(),
            epochs: Epochs::default(),
            numbers: Numbers::default(),
            steps: BTreeMap::new(),
            live_steps: BTreeMap::new(),
            recent: RecentEpochs::default(),
            said: Said::default(),
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
            said: Said::default(),
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
        self.said.close(mark, seconds, &amount, timelines);
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
        live.unit = mark.label.unit;
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
        self.recent.end(mark, steps.as_ref().map_or_else(LiveSteps::default, StepTable::live));
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
