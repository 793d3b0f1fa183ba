//! The steps of an epoch or a run, by name.

use std::collections::BTreeMap;

use super::stats::{Step, StepStats};
use crate::energy::StepTotals;
use crate::record::{NamedSteps, Steps};
use crate::span::Label;
use crate::timeline::Drawn;

/// Names of steps that have statistics of their own; the others share [`Label::OTHER_NAMES`].
const MOST_NAMES: usize = 64;

type ByName = BTreeMap<&'static str, StepStats>;

/// Statistics of steps by name, separately for outer steps and steps inside others.
#[derive(Clone, Default)]
pub(crate) struct StepTable {
    outer: ByName,
    /// Included in the energy of the outer ones.
    inner: ByName,
}

fn of<'a>(steps: &'a mut ByName, name: &'static str, domains: usize) -> &'a mut StepStats {
    let shares = steps.len() >= MOST_NAMES && !steps.contains_key(name);
    let name = if shares { Label::OTHER_NAMES } else { name };
    steps.entry(name).or_insert_with(|| StepStats::new(domains))
}

fn merge(sums: &mut ByName, more: &ByName) {
    for (name, stats) in more {
        of(sums, name, stats.by_domain.len()).merge(stats);
    }
}

impl StepTable {
    pub(super) fn add(&mut self, name: &'static str, joules: &[f64], step: Step) {
        of(&mut self.outer, name, joules.len()).add(joules, step);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        merge(&mut self.outer, &other.outer);
        merge(&mut self.inner, &other.inner);
    }

    /// Adds the steps inside a step.
    pub(super) fn nest(&mut self, inside: &Self) {
        merge(&mut self.inner, &inside.outer);
        merge(&mut self.inner, &inside.inner);
    }

    /// Scales the sums of a domain.
    pub(super) fn scale(&mut self, domain: usize, share: f64) {
        for stats in self.outer.values_mut().chain(self.inner.values_mut()) {
            stats.by_domain[domain] *= share;
        }
    }

    /// Scales the sums of the outer steps down to the energy around them, if they exceed it.
    pub(super) fn fit(&mut self, around: &[Drawn]) {
        for (domain, around) in around.iter().enumerate() {
            let sum: f64 = self.outer.values().map(|stats| stats.by_domain[domain]).sum();
            if sum > around.joules {
                let share = around.joules.max(0.0) / sum;
                self.outer.values_mut().for_each(|stats| stats.by_domain[domain] *= share);
            }
        }
    }

    /// The sums over the outer steps, for live display.
    pub(crate) fn live(&self) -> StepTotals {
        let mut sum = StepTotals::default();
        self.outer.values().for_each(|steps| sum.add(&steps.live()));
        sum
    }

    /// The number of outer steps, and their joules by domain.
    #[cfg(test)]
    pub(crate) fn totals(&self) -> (u64, Vec<f64>) {
        let mut sums = Vec::new();
        for stats in self.outer.values() {
            sums.resize(stats.by_domain.len(), 0.0);
            sums.iter_mut().zip(&stats.by_domain).for_each(|(sum, joules)| *sum += joules);
        }
        (self.outer.values().map(|stats| stats.count).sum(), sums)
    }

    /// The statistics of all outer steps as data. Rates of items cover only the steps whose names have
    /// items. `None` if there are no steps.
    pub(crate) fn all(&self) -> Option<Steps> {
        let mut stats = self.outer.values();
        let mut all = stats.next()?.clone();
        if self.outer.len() == 1 {
            return all.finish();
        }
        stats.for_each(|more| all.merge(more));
        let with_items = || self.outer.values().filter(|stats| stats.has_items());
        let joules = with_items().map(StepStats::total_joules).sum();
        let seconds = with_items().map(|stats| stats.seconds).sum();
        all.finish_over(joules, seconds)
    }

    /// The same by name; empty if there is only one name and no nested steps.
    pub(crate) fn by_name(&self) -> Vec<NamedSteps> {
        if self.outer.len() < 2 && self.inner.is_empty() {
            return Vec::new();
        }
        let rows = |steps: &ByName, inside_steps: bool| -> Vec<NamedSteps> {
            let row = |(name, stats): (&&str, &StepStats)| {
                let steps = stats.finish()?;
                Some(NamedSteps { name: (*name).to_owned(), inside_steps, steps })
            };
            steps.iter().filter_map(row).collect()
        };
        let mut all = rows(&self.outer, false);
        all.extend(rows(&self.inner, true));
        all
    }

    /// The units of the outer steps' items, if there are several.
    pub(crate) fn units(&self) -> Vec<&'static str> {
        let mut units: Vec<_> = self.outer.values().flat_map(StepStats::units).collect();
        units.sort_unstable();
        units.dedup();
        if units.len() > 1 { units } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(items: f64, unit: &'static str) -> Step {
        Step { folded: 0, seconds: 1.0, items, unit, whole: 1.0 }
    }

    #[test]
    fn rates_are_over_the_steps_that_have_items() {
        let mut table = StepTable::default();
        for _ in 0..4 {
            table.add("train", &[2.0, 1.0], step(10.0, "images"));
        }
        table.add("valid", &[0.5, 0.5], step(0.0, ""));
        let all = table.all().unwrap();
        assert_eq!(all.count, 5);
        let items = all.items.unwrap();
        assert!((items.joules_per_item.get() - 0.3).abs() < 1e-12 && items.unit == "images");
        assert!((items.per_second - 10.0).abs() < 1e-12);
        let rows = table.by_name();
        assert_eq!(rows.iter().map(|row| &*row.name).collect::<Vec<_>>(), ["train", "valid"]);
        assert!((rows[0].steps.joules.mean - 3.0).abs() < 1e-12);
        assert!((rows[1].steps.joules.mean - 1.0).abs() < 1e-12 && rows[1].steps.items.is_none());
    }

    #[test]
    fn two_units_have_a_row_each_and_no_sum() {
        let mut table = StepTable::default();
        table.add("text", &[1.0], step(10.0, "tokens"));
        table.add("vision", &[1.0], step(4.0, "images"));
        assert_eq!(table.all().unwrap().items, None);
        assert_eq!(table.units(), ["images", "tokens"]);
        let units: Vec<String> =
            table.by_name().into_iter().map(|row| row.steps.items.unwrap().unit).collect();
        assert_eq!(units, ["tokens", "images"]);
    }

    #[test]
    fn steps_inside_steps_are_told_and_are_not_in_the_sum() {
        let (mut inside, mut table) = (StepTable::default(), StepTable::default());
        for _ in 0..4 {
            inside.add("micro", &[1.0], step(32.0, "tokens"));
        }
        table.add("step", &[5.0], step(0.0, ""));
        table.nest(&inside);
        let all = table.all().unwrap();
        assert_eq!((all.count, all.by_domain[0].get()), (1, 5.0));
        let rows = table.by_name();
        let micro = &rows[1];
        assert!(micro.inside_steps && micro.name == "micro" && micro.steps.count == 4);
        assert_eq!(micro.steps.items.as_ref().unwrap().count.to_bits(), 128.0_f64.to_bits());
    }
}
