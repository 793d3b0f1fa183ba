//! Running statistics: constant memory, whatever the number of steps.

use sketches_ddsketch::{Config, DDSketch};

use super::record::{Distribution, Items, Steps};
use crate::units::Joules;

/// Relative error of the quantiles.
const QUANTILE_ERROR: f64 = 0.01;

/// Count, mean, extremes and quantiles of a stream of numbers.
#[derive(Clone)]
pub(crate) struct Running {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    sketch: DDSketch,
}

impl Running {
    pub(crate) fn new() -> Self {
        // 2048 bins of 1 % cover 17 orders of magnitude above 1 nJ or 1 ns.
        let config = Config::new(QUANTILE_ERROR, 2048, 1e-9);
        Self {
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sketch: DDSketch::new(config),
        }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sketch.add(value);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        // Both were made by `new`, so their bins agree and merging cannot fail.
        let _ = self.sketch.merge(&other.sketch);
    }

    pub(crate) fn distribution(&self) -> Option<Distribution> {
        if self.count == 0 {
            return None;
        }
        let quantile = |q| match self.sketch.quantile(q) {
            Ok(Some(value)) => f64::clamp(value, self.min, self.max),
            _ => self.sum / self.count as f64,
        };
        Some(Distribution {
            mean: self.sum / self.count as f64,
            min: Some(self.min),
            max: Some(self.max),
            p50: Some(quantile(0.5)),
            p95: Some(quantile(0.95)),
        })
    }
}

/// Statistics of the steps of an epoch or a run.
#[derive(Clone)]
pub(crate) struct StepStats {
    pub count: u64,
    pub seconds: f64,
    /// Joules per domain.
    pub by_domain: Vec<f64>,
    joules: Running,
    duration: Running,
    items: f64,
    unit: Option<&'static str>,
    mixed_units: bool,
}

impl StepStats {
    pub(crate) fn new(domains: usize) -> Self {
        Self {
            count: 0,
            seconds: 0.0,
            by_domain: vec![0.0; domains],
            joules: Running::new(),
            duration: Running::new(),
            items: 0.0,
            unit: None,
            mixed_units: false,
        }
    }

    pub(crate) fn add(&mut self, joules: &[f64], seconds: f64, items: f64, unit: &'static str) {
        self.count += 1;
        self.seconds += seconds;
        for (sum, joules) in self.by_domain.iter_mut().zip(joules) {
            *sum += joules;
        }
        self.joules.add(joules.iter().sum());
        self.duration.add(seconds);
        if items > 0.0 && items.is_finite() {
            self.mixed_units |= self.unit.is_some_and(|known| known != unit);
            self.unit.get_or_insert(unit);
            self.items += items;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.seconds += other.seconds;
        for (sum, joules) in self.by_domain.iter_mut().zip(&other.by_domain) {
            *sum += joules;
        }
        self.joules.merge(&other.joules);
        self.duration.merge(&other.duration);
        self.mixed_units |= other.mixed_units
            || matches!((self.unit, other.unit), (Some(mine), Some(theirs)) if mine != theirs);
        self.unit = self.unit.or(other.unit);
        self.items += other.items;
    }

    pub(crate) fn total_joules(&self) -> f64 {
        self.by_domain.iter().sum()
    }

    /// The statistics as data; `None` when there was no step.
    pub(crate) fn finish(&self) -> Option<Steps> {
        let items = (self.items > 0.0 && !self.mixed_units).then(|| Items {
            count: self.items,
            unit: self.unit.filter(|unit| !unit.is_empty()).unwrap_or("items").to_owned(),
            joules_per_item: Joules::new(self.total_joules() / self.items),
            per_second: if self.seconds > 0.0 { self.items / self.seconds } else { 0.0 },
        });
        // Counts that no number can hold have no form in a record.
        let finite = |items: &Items| items.count.is_finite() && items.per_second.is_finite();
        let items = items.filter(finite);
        Some(Steps {
            count: self.count,
            seconds: self.seconds,
            by_domain: self.by_domain.iter().copied().map(Joules::new).collect(),
            joules: self.joules.distribution()?,
            duration_s: self.duration.distribution()?,
            items,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_known_sequence() {
        let mut running = Running::new();
        (1..=1000).for_each(|i| running.add(f64::from(i)));
        let d = running.distribution().unwrap();
        assert!((d.mean - 500.5).abs() < 1e-9);
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
            if i % 2 == 0 { &mut a } else { &mut b }.add(&joules, 0.5, 3.0, "tokens");
            all.add(&joules, 0.5, 3.0, "tokens");
        }
        a.merge(&b);
        assert_eq!(a.finish(), all.finish());
    }

    #[test]
    fn counts_that_are_no_numbers_are_left_out() {
        let mut stats = StepStats::new(1);
        stats.add(&[1.0], 1.0, f64::NAN, "tokens");
        stats.add(&[1.0], 1.0, f64::INFINITY, "tokens");
        stats.add(&[1.0], 1.0, 5.0, "tokens");
        let items = stats.finish().unwrap().items.unwrap();
        assert!((items.count - 5.0).abs() < f64::EPSILON);
        stats.add(&[1.0], 1.0, f64::MAX, "tokens");
        stats.add(&[1.0], 1.0, f64::MAX, "tokens");
        assert_eq!(stats.finish().unwrap().items, None, "more than a number can hold");
    }

    #[test]
    fn items_of_different_units_are_not_added_up() {
        let mut stats = StepStats::new(1);
        stats.add(&[1.0], 1.0, 5.0, "tokens");
        stats.add(&[1.0], 1.0, 5.0, "sentences");
        assert_eq!(stats.finish().unwrap().items, None);
    }
}
