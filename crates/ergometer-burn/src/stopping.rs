//! Stopping when further improvement costs too much energy.

use burn::train::EarlyStoppingStrategy;
use burn::train::metric::Metric;
use burn::train::metric::store::{Aggregate, Direction, EventStoreClient, Split};
use ergometer::Meter;
use ergometer::units::Joules;

/// Stops a training when a metric's last improvement cost more energy than it is worth: when more than a
/// price in joules was drawn since the metric last improved by a share of its value.
///
/// ```
/// use burn::train::metric::LossMetric;
/// use burn::train::metric::store::{Direction, Split};
/// use ergometer::units::KilowattHours;
/// use ergometer_burn::EnergyEarlyStopping;
///
/// # let meter = ergometer::Meter::builder().without_probe().start()?;
/// // At most 0.1 kWh for each hundredth of the validation loss.
/// let stopping = EnergyEarlyStopping::new(
///     &meter,
///     &LossMetric::new(),
///     Direction::Lowest,
///     Split::Valid,
///     0.01,
///     KilowattHours::new(0.1).to_joules(),
/// );
/// // training.early_stopping(stopping)
/// # drop(stopping);
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone)]
pub struct EnergyEarlyStopping {
    meter: Meter,
    metric: String,
    direction: Direction,
    split: Split,
    improvement: f64,
    price: Joules,
    /// The value that has to be bettered, and the run's energy when it was reached.
    best: Option<(f64, Joules)>,
    /// The names of both among the run's results, where the run goes on from after an interruption.
    names: [String; 2],
}

impl EnergyEarlyStopping {
    /// Stops when `metric` of `split`, averaged over an epoch, has not improved by the share `improvement`
    /// of its value for more than `price`.
    ///
    /// A value that is not finite betters nothing. The best value and the energy at which it was reached are
    /// among the record's results, so that a run that is [resumed](ergometer::MeterBuilder::resume) goes on
    /// from them.
    #[must_use]
    pub fn new<Me: Metric>(
        meter: &Meter,
        metric: &Me,
        direction: Direction,
        split: Split,
        improvement: f64,
        price: Joules,
    ) -> Self {
        let metric = metric.name().to_string();
        let about = format!("{metric} ({split:?})");
        let names = [format!("best {about}"), format!("joules at the best {about}")];
        let before = meter.earlier().iter().rev().find_map(|part| {
            let [value, joules] = names.each_ref().map(|name| part.results.get(name).copied());
            Some((value?, Joules::new(joules?)))
        });
        let meter = meter.clone();
        Self { meter, metric, direction, split, improvement, price, best: before, names }
    }

    /// `value` is the one that has to be bettered from now on.
    fn keep(&mut self, value: f64, energy: Joules) {
        self.best = Some((value, energy));
        let [best, joules] = &self.names;
        self.meter.result(best, value);
        self.meter.result(joules, energy.get());
    }

    /// Whether to stop at `value`, when the run has drawn `energy`.
    fn judge(&mut self, value: f64, energy: Joules) -> bool {
        let Some((best, since)) = self.best else {
            if value.is_finite() {
                self.keep(value, energy);
            }
            return false;
        };
        let gain = match self.direction {
            Direction::Lowest => best - value,
            Direction::Highest => value - best,
        };
        if value.is_finite() && gain >= self.improvement * best.abs() {
            self.keep(value, energy);
            return false;
        }
        energy - since > self.price
    }
}

impl EarlyStoppingStrategy for EnergyEarlyStopping {
    /// Asks on the training thread, after each epoch; never stops while the metric or the energy is not
    /// known.
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        let value = store.find_metric(&self.metric, epoch, Aggregate::Mean, &self.split);
        let energy = self.meter.live().whole().energy;
        value.zip(energy).is_some_and(|(value, energy)| self.judge(value, energy))
    }
}

impl std::fmt::Debug for EnergyEarlyStopping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnergyEarlyStopping")
            .field("metric", &self.metric)
            .field("improvement", &self.improvement)
            .field("price", &self.price)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use burn::train::metric::LossMetric;

    use super::*;

    #[test]
    fn it_stops_when_a_hundredth_costs_more_than_its_price() {
        let meter = Meter::builder().without_probe().start().unwrap();
        let new = |direction| {
            let price = Joules::new(100.0);
            EnergyEarlyStopping::new(
                &meter,
                &LossMetric::new(),
                direction,
                Split::Valid,
                0.01,
                price,
            )
        };
        let mut lowest = new(Direction::Lowest);
        for (value, energy, stops) in [
            (2.0, 50.0, false),
            (1.9, 100.0, false),
            // Less than a hundredth better, and 100 J are not over.
            (1.89, 200.0, false),
            // A hundredth better than 1.9, late but in time.
            (1.88, 200.0, false),
            (1.88, 290.0, false),
            (1.875, 301.0, true),
        ] {
            assert_eq!(lowest.judge(value, Joules::new(energy)), stops, "{value} at {energy} J");
        }
        // A value that is not known is neither the best nor an improvement; one that is after it is.
        let mut broken = new(Direction::Lowest);
        for (value, energy, stops) in [
            (f64::NAN, 0.0, false),
            (f64::INFINITY, 200.0, false),
            (2.0, 400.0, false),
            (1.0, 600.0, false),
            (f64::NAN, 650.0, false),
            (0.5, 690.0, false),
            (f64::NEG_INFINITY, 780.0, false),
            (f64::NAN, 791.0, true),
        ] {
            assert_eq!(broken.judge(value, Joules::new(energy)), stops, "{value} at {energy} J");
        }
        let mut highest = new(Direction::Highest);
        for (value, energy, stops) in [(0.5, 0.0, false), (0.6, 200.0, false), (0.5, 301.0, true)] {
            assert_eq!(highest.judge(value, Joules::new(energy)), stops, "{value} at {energy} J");
        }
    }

    #[test]
    fn a_resumed_run_goes_on_from_its_best_value() {
        let stopping = |meter: &Meter| {
            let (loss, price) = (LossMetric::new(), Joules::new(100.0));
            EnergyEarlyStopping::new(meter, &loss, Direction::Lowest, Split::Valid, 0.01, price)
        };
        let folder = tempfile::tempdir().unwrap();
        let meter = Meter::builder().without_probe().journal(folder.path()).start().unwrap();
        let mut first = stopping(&meter);
        assert!(!first.judge(1.0, Joules::new(50.0)));
        let journal = meter.journal().unwrap().to_owned();
        meter.finish().unwrap();
        let meter = Meter::builder().without_probe().resume(journal).start().unwrap();
        let mut second = stopping(&meter);
        assert_eq!(second.best, Some((1.0, Joules::new(50.0))));
        // 1.2 is worse than what the first part reached, and 100 J are over.
        assert!(second.judge(1.2, Joules::new(151.0)));
    }
}
