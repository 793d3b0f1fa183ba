//! Burn's supervised training under a meter.

use std::path::Path;
use std::sync::Arc;

use burn::train::{Interrupter, LearnerModel, SupervisedTraining, TrainLoader, ValidLoader};
use ergometer::{Meter, ToBudget};

use crate::{
    CarbonMetric, CostMetric, EnergyMetric, ForecastMetric, ItemEnergyMetric, MeteredLoader,
    PowerMetric, TotalEnergyMetric,
};

/// How a training is metered: under which meter, and what the meter and Burn both have to know.
///
/// `&meter` alone is the shortest one.
///
/// ```
/// use ergometer::{Meter, source::DomainKind, units::Watts};
/// use ergometer_burn::Metering;
///
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let metering = Metering::new(&meter).epochs(10).totals().budget("2 kWh")?;
/// assert!(metering.budget("nothing").is_err());
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "it is the first argument of `SupervisedTraining::metered`"]
pub struct Metering {
    meter: Meter,
    epochs: Option<usize>,
    done: Option<usize>,
    batches: Option<usize>,
    totals: bool,
    sync_every: u64,
    /// That of the training, which a budget stops.
    interrupter: Interrupter,
}

impl From<&Meter> for Metering {
    fn from(meter: &Meter) -> Self {
        Self::new(meter)
    }
}

impl Metering {
    /// Metering by `meter`: epochs and steps in the record, energy and power as metrics.
    pub fn new(meter: &Meter) -> Self {
        Self {
            meter: meter.clone(),
            epochs: None,
            done: None,
            batches: None,
            totals: false,
            sync_every: 0,
            interrupter: Interrupter::new(),
        }
    }

    /// Sets [`SupervisedTraining::num_epochs`] and the meter's plan, so that it forecasts what the run will use, as
    /// [`ForecastMetric`] shows.
    pub const fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = Some(epochs);
        self
    }

    /// Sets [`SupervisedTraining::checkpoint`], and numbers the meter's epochs as Burn's: from `epoch` + 1. Forecasts
    /// are of what is left.
    ///
    /// A meter that was started with [`MeterBuilder::resume`](ergometer::MeterBuilder::resume) knows what the
    /// epochs before have used.
    pub const fn resumed(mut self, epoch: usize) -> Self {
        self.done = Some(epoch);
        self
    }

    /// [`SupervisedTraining::grads_accumulation`], which the record has as the fact `batches an update`.
    ///
    /// A step of the record is a batch. The weights are updated after this many of them, and after the last one
    /// of an epoch; [`Profiled`](crate::Profiled) counts the updates and has their energy.
    pub const fn accumulated(mut self, batches: usize) -> Self {
        self.batches = Some(batches);
        self
    }

    /// Shows what the run has used so far, as metrics of training: [`TotalEnergyMetric`], [`CarbonMetric`],
    /// [`CostMetric`]; and [`ItemEnergyMetric`] for training and validation.
    pub const fn totals(mut self) -> Self {
        self.totals = true;
        self
    }

    /// Waits for the device after every `steps`-th step: see [`MeteredLoader::sync_every`].
    pub const fn sync_every(mut self, steps: u64) -> Self {
        self.sync_every = steps;
        self
    }

    /// Stops the training when the run has used `budget` up (`"2 kWh"`, `"500 gCO2e"`, `"3 USD"`): Burn ends
    /// it after the step that is running, and `LearningResult::interrupted` has the reason, as has the record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`](ergometer::ErrorKind::InvalidSetting) for a text that is not a budget, a
    /// budget that limits nothing, and a meter without domains.
    pub fn budget(self, budget: impl ToBudget) -> ergometer::Result<Self> {
        let interrupter = self.interrupter.clone();
        let stop = move |spent: ergometer::Spent| interrupter.stop(Some(&spent.to_string()));
        self.meter.budget(budget.to_budget()?, stop)?;
        Ok(self)
    }
}

/// Adds metering to [`SupervisedTraining`].
///
/// See the [crate's documentation](crate) for what is marked where.
///
/// ```
/// use burn::train::{LearnerModel, SupervisedTraining, TrainLoader, ValidLoader};
/// use ergometer_burn::{EnergyTraining as _, Metering};
///
/// fn training<M: LearnerModel + 'static>(
///     meter: &ergometer::Meter,
///     (train, valid): (TrainLoader<M>, ValidLoader<M>),
/// ) -> SupervisedTraining<M> {
///     let metering = Metering::new(meter).epochs(10).totals();
///     SupervisedTraining::metered(metering, "artifacts", train, valid).summary()
/// }
/// ```
pub trait EnergyTraining<M: LearnerModel>: Sized {
    /// [`SupervisedTraining::new`] with both loaders wrapped in a [`MeteredLoader`], and with
    /// [`EnergyMetric`] and [`PowerMetric`] registered for training and validation.
    ///
    /// `metering` is `&meter`, or a [`Metering`] with more settings. Everything else of the training is set up
    /// as without a meter. Nothing ends the run: call [`Meter::finish`] after `launch` for its record.
    #[must_use]
    fn metered(
        metering: impl Into<Metering>,
        directory: impl AsRef<Path>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
    ) -> Self;
}

impl<M: LearnerModel> EnergyTraining<M> for SupervisedTraining<M> {
    fn metered(
        metering: impl Into<Metering>,
        directory: impl AsRef<Path>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
    ) -> Self {
        let Metering { meter, epochs, done, batches, totals, sync_every, interrupter } =
            metering.into();
        let train = MeteredLoader::train(&meter, train).sync_every(sync_every);
        let valid = MeteredLoader::valid(&meter, valid).sync_every(sync_every);
        let mut training = Self::new(directory, Arc::new(train), Arc::new(valid))
            .with_interrupter(interrupter)
            .metric_train_numeric(EnergyMetric::train(&meter))
            .metric_valid_numeric(EnergyMetric::valid(&meter))
            .metric_train_numeric(PowerMetric::train(&meter))
            .metric_valid_numeric(PowerMetric::valid(&meter));
        if let Some(epochs) = epochs {
            meter.plan(|plan| plan.epochs = epochs as u64);
            training =
                training.num_epochs(epochs).metric_train_numeric(ForecastMetric::new(&meter));
        }
        if let Some(epoch) = done {
            meter.plan(|plan| plan.done = epoch as u64);
            training = training.checkpoint(epoch);
        }
        if let Some(batches) = batches {
            meter.fact("batches an update", batches);
            training = training.grads_accumulation(batches);
        }
        if totals {
            training = training
                .metric_train_numeric(TotalEnergyMetric::new(&meter))
                .metric_train_numeric(CarbonMetric::new(&meter))
                .metric_train_numeric(CostMetric::new(&meter))
                .metric_train_numeric(ItemEnergyMetric::train(&meter))
                .metric_valid_numeric(ItemEnergyMetric::valid(&meter));
        }
        training
    }
}
