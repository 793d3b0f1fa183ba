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
}

impl EnergyEarlyStopping {
    /// Stops when `metric` of `split`, averaged over an epoch, has not improved by the share `improvement`
    /// of its value for more than `price`.
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
        Self { meter: meter.clone(), metric, direction, split, improvement, price, best: None }
    }

    /// Whether to stop at `value`, when the run has drawn `energy`.
    fn judge(&mut self, value: f64, energy: Joules) -> bool {
        let Some((best, since)) = self.best else {
            self.best = Some((value, energy));
            return false;
        };
        let gain = match self.direction {
            Direction::Lowest => best - value,
            Direction::Highest => value - best,
        };
        if gain >= self.improvement * best.abs() {
            self.best = Some((value, energy));
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
        value.zip(self.meter.live().total).is_some_and(|(value, energy)| self.judge(value, energy))
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
        let mut highest = new(Direction::Highest);
        for (value, energy, stops) in [(0.5, 0.0, false), (0.6, 200.0, false), (0.5, 301.0, true)] {
            assert_eq!(highest.judge(value, Joules::new(energy)), stops, "{value} at {energy} J");
        }
    }
}
