//! What has closed inside a span that is open.

use std::collections::BTreeMap;

use super::amount::Amount;
use super::node::{DEEPEST, Node, node_of};
use super::siblings::{self, Divided, Interval, MOST_HELD};
use super::stats::Step;
use super::step_table::StepTable;
use super::tiling::Tiling;
use crate::energy::StepTotals;
use crate::span::mark::Mark;
use crate::span::{Kind, Label};
use crate::timeline::Timeline;
use crate::units::Joules;

/// Everything that has closed inside an open span.
#[derive(Clone, Default)]
pub(super) struct Inside {
    pub children: BTreeMap<Label, Node>,
    pub steps: StepTable,
    pub tiling: Option<Tiling>,
    /// Spans that may overlap others, in the order of their ends.
    pub held: Vec<Held>,
    pub divided: Divided,
}

/// A closed span, with everything that closed inside it.
#[derive(Clone)]
pub(super) struct Held {
    pub mark: Mark,
    pub amount: Amount,
    pub interval: Interval,
    pub children: BTreeMap<Label, Node>,
    pub steps: StepTable,
    pub tiling: Option<Tiling>,
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
    pub(super) fn add(&mut self, mut held: Held, beside: bool, timelines: &[Timeline]) {
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

    pub(super) fn settle_all(&mut self, timelines: &[Timeline]) {
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
    pub(super) fn live(&self) -> StepTotals {
        let mut sums = self.steps.live();
        for held in &self.held {
            let more = match held.mark.label.kind {
                Kind::Step => StepTotals {
                    count: held.mark.count(),
                    joules: Joules::new(held.amount.iter().map(|drawn| drawn.joules).sum()),
                    seconds: held.mark.seconds(),
                    items: held.mark.items,
                    unit: held.mark.label.unit.into(),
                },
                _ => held.steps.live(),
            };
            sums.add(&more);
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
