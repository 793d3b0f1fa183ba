//! Running statistics in constant memory, for any number of steps.

use sketches_ddsketch::{Config, DDSketch};

use crate::energy::StepTotals;
use crate::record::{Distribution, Items, Steps};
use crate::units::Joules;

/// Relative error of the quantiles.
const QUANTILE_ERROR: f64 = 0.01;

/// Extremes and quantiles of a stream of numbers.
#[derive(Clone)]
pub(crate) struct Running {
    count: u64,
    min: f64,
    max: f64,
    sketch: DDSketch,
}

impl Running {
    pub(crate) fn new() -> Self {
        // 2048 bins of 1 % cover 17 orders of magnitude above 1 nJ or 1 ns.
        let config = Config::new(QUANTILE_ERROR, 2048, 1e-9);
        Self { count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sketch: DDSketch::new(config) }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sketch.add(value);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        // Both were made by `new`, so their bins agree and merging cannot fail.
        let _ = self.sketch.merge(&other.sketch);
    }

    /// The statistics with `mean`, which may cover more numbers than these.
    pub(crate) fn distribution(&self, mean: f64) -> Distribution {
        let known = |value| (self.count > 0).then_some(value);
        let quantile = |q| match self.sketch.quantile(q) {
            Ok(Some(value)) => f64::clamp(value, self.min, self.max),
            _ => mean,
        };
        Distribution {
            mean,
            min: known(self.min),
            max: known(self.max),
            p50: known(quantile(0.5)),
            p95: known(quantile(0.95)),
        }
    }
}

/// Figures of a step, or of several that share a mark, in addition to its energy.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// Number of steps that share the mark; 0 for a single step.
    pub folded: u64,
    pub seconds: f64,
    pub items: f64,
    pub unit: &'static str,
    /// The machine's whole energy in its time, joules, whatever else was open.
    pub whole: f64,
}

/// Statistics of the steps of an epoch or a run.
#[derive(Clone)]
pub(crate) struct StepStats {
    pub count: u64,
    folded: u64,
    pub seconds: f64,
    /// Joules per domain.
    pub by_domain: Vec<f64>,
    /// The machine's whole energy in the time of each step, joules, summed over steps and domains.
    inclusive: f64,
    joules: Running,
    duration: Running,
    items: f64,
    unit: Option<&'static str>,
    /// Another unit of some items; if set, items are not summed.
    other_unit: Option<&'static str>,
}

impl StepStats {
    pub(crate) fn new(domains: usize) -> Self {
        Self {
            count: 0,
            folded: 0,
            seconds: 0.0,
            by_domain: vec![0.0; domains],
            inclusive: 0.0,
            joules: Running::new(),
            duration: Running::new(),
            items: 0.0,
            unit: None,
            other_unit: None,
        }
    }

    pub(crate) fn add(&mut self, joules: &[f64], step: Step) {
        let Step { folded, seconds, items, unit, whole } = step;
        self.count += folded.max(1);
        self.folded += folded;
        self.seconds += seconds;
        self.inclusive += whole;
        for (sum, joules) in self.by_domain.iter_mut().zip(joules) {
            *sum += joules;
        }
        if folded == 0 {
            self.joules.add(whole);
            self.duration.add(seconds);
        }
        if items > 0.0 && items.is_finite() {
            self.add_unit(unit);
            self.items += items;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.folded += other.folded;
        self.seconds += other.seconds;
        self.inclusive += other.inclusive;
        for (sum, joules) in self.by_domain.iter_mut().zip(&other.by_domain) {
            *sum += joules;
        }
        self.joules.merge(&other.joules);
        self.duration.merge(&other.duration);
        other.unit.into_iter().chain(other.other_unit).for_each(|unit| self.add_unit(unit));
        self.items += other.items;
    }

    fn add_unit(&mut self, unit: &'static str) {
        if *self.unit.get_or_insert(unit) != unit {
            self.other_unit.get_or_insert(unit);
        }
    }

    /// The sums, for live display: inclusive, as are those of steps that are not divided yet.
    pub(crate) fn live(&self) -> StepTotals {
        StepTotals {
            count: self.count,
            joules: Joules::new(self.inclusive),
            seconds: self.seconds,
            items: self.items,
            unit: self.unit.unwrap_or_default().into(),
        }
    }

    pub(crate) fn has_items(&self) -> bool {
        self.items > 0.0
    }

    /// The units of its items.
    pub(crate) fn units(&self) -> impl Iterator<Item = &'static str> {
        let unit = |unit: &'static str| if unit.is_empty() { "items" } else { unit };
        self.unit.into_iter().chain(self.other_unit).map(unit)
    }

    pub(crate) fn total_joules(&self) -> f64 {
        self.by_domain.iter().sum()
    }

    /// The statistics as data; `None` if there are no steps.
    pub(crate) fn finish(&self) -> Option<Steps> {
        self.finish_over(self.total_joules(), self.seconds)
    }

    /// The same, with the joules and seconds in which the items were processed.
    pub(crate) fn finish_over(&self, joules: f64, seconds: f64) -> Option<Steps> {
        let items = (self.items > 0.0 && self.other_unit.is_none()).then(|| Items {
            count: self.items,
            unit: self.unit.filter(|unit| !unit.is_empty()).unwrap_or("items").to_owned(),
            joules_per_item: Joules::new(joules / self.items),
            per_second: if seconds > 0.0 { self.items / seconds } else { 0.0 },
        });
        // A record has no form for numbers beyond the range of floats.
        let finite = |items: &Items| {
            let each = [items.count, items.per_second, items.joules_per_item.get()];
            each.iter().all(|value| value.is_finite())
        };
        let items = items.filter(finite);
        let count = self.count as f64;
        (self.count > 0).then(|| Steps {
            count: self.count,
            seconds: self.seconds,
            by_domain: self.by_domain.iter().copied().map(Joules::new).collect(),
            joules: self.joules.distribution(self.total_joules() / count),
            duration_s: self.duration.distribution(self.seconds / count),
            items,
            folded: self.folded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(items: f64, unit: &'static str) -> Step {
        Step { folded: 0, seconds: 0.5, items, unit, whole: 1.0 }
    }

    #[test]
    fn quantiles_of_a_known_sequence() {
        let mut running = Running::new();
        (1..=1000).for_each(|i| running.add(f64::from(i)));
        let d = running.distribution(500.5);
        for (quantile, expected) in [(d.p50, 500.0), (d.p95, 950.0)] {
            assert!((quantile.unwrap() / expected - 1.0).abs() < 0.011, "{quantile:?}");
        }
        assert_eq!((d.min, d.max), (Some(1.0), Some(1000.0)));
    }

    #[test]
    fn merging_equals_adding_all() {
        let (mut a, mut b, mut all) = (StepStats::new(2), StepStats::new(2), StepStats::new(2));
        for i in 0..50_u32 {
            let joules = [f64::from(i), 1.0];
            if i % 2 == 0 { &mut a } else { &mut b }.add(&joules, step(3.0, "tokens"));
            all.add(&joules, step(3.0, "tokens"));
        }
        a.merge(&b);
        assert_eq!(a.finish(), all.finish());
    }

    #[test]
    fn counts_that_are_no_numbers_are_left_out() {
        let mut stats = StepStats::new(1);
        stats.add(&[1.0], step(f64::NAN, "tokens"));
        stats.add(&[1.0], step(f64::INFINITY, "tokens"));
        stats.add(&[1.0], step(5.0, "tokens"));
        let items = stats.finish().unwrap().items.unwrap();
        assert!((items.count - 5.0).abs() < f64::EPSILON);
        stats.add(&[1.0], step(f64::MAX, "tokens"));
        stats.add(&[1.0], step(f64::MAX, "tokens"));
        assert_eq!(stats.finish().unwrap().items, None, "more than a number can hold");
    }

    #[test]
    fn items_of_different_units_are_not_added_up() {
        let mut stats = StepStats::new(1);
        stats.add(&[1.0], step(5.0, "tokens"));
        stats.add(&[1.0], step(5.0, "sentences"));
        assert_eq!(stats.finish().unwrap().items, None);
    }

    #[test]
    fn folded_steps_count_in_sums_and_not_in_extremes() {
        let mut stats = StepStats::new(1);
        for (joules, folded) in [(2.0, 0), (30.0, 9), (4.0, 0)] {
            stats.add(
                &[joules],
                Step { folded, seconds: joules / 10.0, items: 1.0, unit: "", whole: joules },
            );
        }
        let steps = stats.finish().unwrap();
        assert_eq!((steps.count, steps.folded), (11, 9));
        assert!(
            (steps.seconds - 3.6).abs() < 1e-9 && (steps.by_domain[0].get() - 36.0).abs() < 1e-9
        );
        assert!((steps.joules.mean - 36.0 / 11.0).abs() < 1e-9);
        assert_eq!((steps.joules.min, steps.joules.max), (Some(2.0), Some(4.0)));
        assert_eq!((steps.duration_s.min, steps.duration_s.max), (Some(0.2), Some(0.4)));
        assert_eq!(steps.items.unwrap().count.to_bits(), 3.0_f64.to_bits());
    }

    #[test]
    fn of_folded_steps_alone_the_mean_is_known() {
        let mut stats = StepStats::new(1);
        stats.add(&[30.0], Step { folded: 10, seconds: 1.0, items: 0.0, unit: "", whole: 30.0 });
        let joules = stats.finish().unwrap().joules;
        assert_eq!(joules, Distribution { mean: 3.0, min: None, max: None, p50: None, p95: None });
    }
}
