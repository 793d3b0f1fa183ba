//! Energy and power as metrics of Burn.

use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry, format_float,
};
use ergometer::Meter;
use ergometer::units::{Joules, Watts};

use crate::loader::{TRAIN, VALID};
use crate::resolved::{Resolved, Sum};

/// Decimals shown.
const PRECISION: usize = 3;

macro_rules! step_metric {
    (
        $(#[$doc:meta])*
        $metric:ident, $name:literal, $unit:literal, $description:literal, $quantity:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $metric {
            name: MetricName,
            resolved: Resolved,
        }

        impl $metric {
            /// The metric's name in Burn: in its terminal UI, its files and its summary.
            pub const NAME: &str = $name;

            /// The metric of the training steps.
            #[must_use]
            pub fn train(meter: &Meter) -> Self {
                Self { name: Arc::new(Self::NAME.to_owned()), resolved: Resolved::new(meter, TRAIN) }
            }

            /// The metric of the validation steps.
            #[must_use]
            pub fn valid(meter: &Meter) -> Self {
                Self { name: Arc::new(Self::NAME.to_owned()), resolved: Resolved::new(meter, VALID) }
            }

            fn of(sum: &Sum) -> Option<f64> {
                $quantity(sum)
            }
        }

        impl Metric for $metric {
            type Input = ();

            fn name(&self) -> MetricName {
                Arc::clone(&self.name)
            }

            fn description(&self) -> Option<String> {
                Some($description.to_owned())
            }

            fn attributes(&self) -> MetricAttributes {
                NumericAttributes { unit: Some($unit.to_owned()), higher_is_better: false }.into()
            }

            fn update(
                &mut self,
                (): &(),
                _metadata: &MetricMetadata,
            ) -> Result<SerializedEntry, TensorReadError> {
                self.resolved.update();
                Ok(self.entry(self.value()))
            }

            fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
                self.resolved.settle();
                Ok(self.entry(Self::of(&self.resolved.epoch).map(NumericEntry::Final)))
            }

            fn clear(&mut self) {
                self.resolved.clear();
            }
        }

        impl $metric {
            /// What Burn shows and logs with `value`; a placeholder, which it does not log, without.
            fn entry(&self, value: Option<NumericEntry>) -> SerializedEntry {
                let Some(value) = value else {
                    return SerializedEntry::not_available(Some($unit));
                };
                let show = |sum: &Sum| Self::of(sum).map(|value| format_float(value, PRECISION));
                let (epoch, batch) = (show(&self.resolved.epoch), show(&self.resolved.latest));
                let text = |shown: Option<String>| {
                    shown.unwrap_or_else(|| SerializedEntry::NOT_AVAILABLE.to_owned())
                };
                SerializedEntry::new(
                    format!("epoch {} {unit} - batch {} {unit}", text(epoch), text(batch), unit = $unit),
                    value.serialize(),
                )
            }
        }

        impl Numeric for $metric {
            fn value(&self) -> Option<NumericEntry> {
                let aggregated_value = Self::of(&self.resolved.latest)?;
                Some(NumericEntry::Aggregated { aggregated_value, count: count(&self.resolved.fresh) })
            }

            fn running_value(&self) -> Option<NumericEntry> {
                let aggregated_value = Self::of(&self.resolved.epoch)?;
                Some(NumericEntry::Aggregated { aggregated_value, count: count(&self.resolved.epoch) })
            }

            fn final_value(&self) -> NumericEntry {
                NumericEntry::Final(Self::of(&self.resolved.epoch).unwrap_or(f64::NAN))
            }
        }
    };
}

step_metric!(
    /// Mean energy of a step, in joules over all metered domains.
    ///
    /// Burn works out metrics on a thread of its own, up to two steps late, and the meter works out
    /// energies up to about a second after the fact. So a value is the mean over the steps that were
    /// resolved since the previous update, weighted by their number; an update at which nothing new
    /// was resolved repeats the last value of the epoch with weight 0. Before the first value of an
    /// epoch there is none (`N/A`, a gap in the plot, no line in the file), never a zero.
    ///
    /// The value of an epoch is the mean over the steps resolved during it. When an epoch ends the
    /// meter reads at once, and the metric waits up to 50 ms for the epoch's last steps; steps that
    /// are later than that (and after three waits in vain, any that are late) count in the split's
    /// next epoch. With several devices that is the rule, as Burn then updates once a device. The
    /// meter's record has every step where it belongs.
    EnergyMetric,
    "Joules per Step",
    "J",
    "mean energy of a step over all metered domains, as far as resolved",
    |sum: &Sum| sum.energy_per_step().map(Joules::get)
);

step_metric!(
    /// Mean power during the steps, in watts over all metered domains.
    ///
    /// Values come, are repeated and are missing as those of [`EnergyMetric`] do. The value of an
    /// epoch is the energy of its resolved steps over their time.
    PowerMetric,
    "Watts",
    "W",
    "mean power during the steps over all metered domains, as far as resolved",
    |sum: &Sum| sum.power().map(Watts::get)
);

/// The weight of a value.
fn count(sum: &Sum) -> usize {
    usize::try_from(sum.steps).unwrap_or(usize::MAX)
}
