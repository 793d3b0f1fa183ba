//! Energy and power as metrics of Burn.

use std::marker::PhantomData;
use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericEntry, SerializedEntry,
    format_float,
};
use ergometer::Meter;
use ergometer::energy::StepTotals;
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};

use crate::loader::{TRAIN, VALID};
use crate::quantity::{self, Shown, shown};
use crate::settled_steps::{SettledSteps, Split};

/// Decimals shown.
const PRECISION: usize = 3;

/// Mean energy of a step, in joules over all metered domains.
///
/// Burn works out metrics on a thread of its own, up to two steps late, and the meter works out
/// energies up to about a second after the fact. So a value is the mean over the steps that were
/// resolved since the previous update, weighted by their number; an update at which nothing new was
/// resolved repeats the last value of the epoch with weight 0. Before the first value of an epoch
/// there is none (`N/A`, a gap in the plot, no line in the file), never a zero.
///
/// The value of an epoch is the mean over its own steps. When an epoch ends the meter reads at once, and the
/// metric waits, on Burn's thread of metrics, until that was read: some milliseconds where a counter can be read
/// at any time, and up to 400 ms with a sensor that is updated seldom. As the training waits for Burn's metrics,
/// all waits of a metric take 0.4 s and 0.2 % of the time at most, and after three waits in vain it waits no more.
/// Steps that are known later than that are in the record alone: they are never shown as another epoch's. The
/// record's mean may differ a little, within its uncertainty: later readings may show that the energy around the
/// epoch's end was drawn a few milliseconds earlier or later.
pub type EnergyMetric = StepMetric<EnergyPerStep>;

/// Mean power during the steps, in watts over all metered domains.
///
/// Values come, are repeated and are missing as those of [`EnergyMetric`] do. The value of an epoch
/// is the energy of its resolved steps over their time.
pub type PowerMetric = StepMetric<PowerInSteps>;

/// Mean energy of an item (a token, an image), in joules over all metered domains.
///
/// Values come, are repeated and are missing as those of [`EnergyMetric`] do; where the loader counts no
/// items there are none.
pub type ItemEnergyMetric = StepMetric<EnergyPerItem>;

/// A quantity that resolved steps have.
pub trait Quantity: Shown {
    /// Its value over some steps; `None` where there are none.
    fn of(sum: &StepTotals) -> Option<f64>;
}

shown! {
    /// The quantity of [`EnergyMetric`].
    EnergyPerStep, "Joules per Step", "J", "mean energy of a step over all metered domains";
    /// The quantity of [`PowerMetric`].
    PowerInSteps, "Watts", "W", "mean power during the steps over all metered domains";
    /// The quantity of [`ItemEnergyMetric`].
    EnergyPerItem, "Joules per Item", "J", "mean energy of an item over all metered domains";
}

impl Quantity for EnergyPerStep {
    fn of(sum: &StepTotals) -> Option<f64> {
        sum.per_step().map(Joules::get)
    }
}

impl Quantity for PowerInSteps {
    fn of(sum: &StepTotals) -> Option<f64> {
        sum.power().map(Watts::get)
    }
}

impl Quantity for EnergyPerItem {
    fn of(sum: &StepTotals) -> Option<f64> {
        sum.per_item().map(Joules::get)
    }
}

/// A metric of one split's steps: see [`EnergyMetric`] and [`PowerMetric`].
///
/// ```
/// use burn::train::metric::Numeric as _;
/// use ergometer::{Meter, source::DomainKind, units::Watts};
/// use ergometer_burn::EnergyMetric;
///
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// assert_eq!(EnergyMetric::NAME, "Joules per Step");
/// let valid = EnergyMetric::valid(&meter); // for `metric_valid_numeric`
/// assert!(valid.value().is_none()); // no step has ended yet, which is not 0 J
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StepMetric<Q> {
    name: MetricName,
    resolved: SettledSteps,
    quantity: PhantomData<fn() -> Q>,
}

impl<Q: Quantity> StepMetric<Q> {
    /// The metric's name in Burn: in its terminal UI, its files and its summary.
    pub const NAME: &str = Q::NAME;

    /// The metric of the training steps.
    #[must_use]
    pub fn train(meter: &Meter) -> Self {
        Self::of_split(meter, Split::Named(TRAIN))
    }

    /// The metric of the validation steps.
    #[must_use]
    pub fn valid(meter: &Meter) -> Self {
        Self::of_split(meter, Split::Named(VALID))
    }

    /// The metric of the steps of an evaluation, whatever its splits are called: of
    /// [`EnergyEvaluation::eval_metered`](crate::EnergyEvaluation::eval_metered) and
    /// [`eval_all_metered`](crate::EnergyEvaluation::eval_all_metered).
    #[must_use]
    pub fn evaluation(meter: &Meter) -> Self {
        Self::of_split(meter, Split::Evaluation)
    }

    /// The metric of the steps of one other split. Of a split that is called otherwise it shows nothing:
    /// see [`StepMetric::evaluation`].
    #[must_use]
    pub fn named(meter: &Meter, split: &str) -> Self {
        Self::of_split(meter, Split::Named(Label::intern(split)))
    }

    fn of_split(meter: &Meter, split: Split) -> Self {
        let resolved = SettledSteps::new(meter, split);
        Self { name: quantity::name::<Q>(), resolved, quantity: PhantomData }
    }

    fn entry(&self, value: Option<&NumericEntry>) -> SerializedEntry {
        quantity::entry(Some(Q::UNIT), value, || self.text())
    }

    fn text(&self) -> String {
        let show = |sum| match Q::of(sum) {
            Some(value) => format_float(value, PRECISION),
            None => SerializedEntry::NOT_AVAILABLE.to_owned(),
        };
        let (epoch, batch) = (show(&self.resolved.epoch), show(&self.resolved.latest));
        format!("epoch {epoch} {unit} - batch {batch} {unit}", unit = Q::UNIT)
    }
}

impl<Q: Quantity> Metric for StepMetric<Q> {
    type Input = ();

    fn name(&self) -> MetricName {
        Arc::clone(&self.name)
    }

    fn description(&self) -> Option<String> {
        Some(Q::DESCRIPTION.to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        quantity::attributes(Some(Q::UNIT))
    }

    fn update(
        &mut self,
        (): &(),
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        if metadata.iteration == Some(1) {
            self.resolved.begin();
        }
        self.resolved.update();
        Ok(self.entry(self.value().as_ref()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        self.resolved.settle();
        let value = Q::of(&self.resolved.epoch).map(NumericEntry::Final);
        Ok(self.entry(value.as_ref()))
    }

    fn clear(&mut self) {
        self.resolved.clear();
    }
}

impl<Q: Quantity> Numeric for StepMetric<Q> {
    fn value(&self) -> Option<NumericEntry> {
        let aggregated_value = Q::of(&self.resolved.latest)?;
        Some(NumericEntry::Aggregated { aggregated_value, count: weight(&self.resolved.fresh) })
    }

    fn running_value(&self) -> Option<NumericEntry> {
        let aggregated_value = Q::of(&self.resolved.epoch)?;
        Some(NumericEntry::Aggregated { aggregated_value, count: weight(&self.resolved.epoch) })
    }

    fn final_value(&self) -> NumericEntry {
        quantity::last(Q::of(&self.resolved.epoch))
    }
}

/// How much a value counts in a mean over several.
fn weight(sum: &StepTotals) -> usize {
    usize::try_from(sum.count).unwrap_or(usize::MAX)
}
