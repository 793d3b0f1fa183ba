//! Burn's supervised training under a meter.

use std::path::Path;
use std::sync::Arc;

use burn::train::{
    InferenceStep, LearnerModel, SupervisedTraining, TrainLoader, TrainStep, ValidLoader,
};
use ergometer::{Budget, Meter};

use crate::{
    CarbonMetric, CostMetric, EnergyMetric, ForecastMetric, ItemEnergyMetric, MeteredLoader,
    PowerMetric, TotalEnergyMetric,
};

/// Adds metering to [`SupervisedTraining`].
///
/// See the [crate's documentation](crate) for what is marked where.
pub trait EnergyTraining<M: LearnerModel>: Sized {
    /// [`SupervisedTraining::new`] with both loaders wrapped in a [`MeteredLoader`], and with
    /// [`EnergyMetric`] and [`PowerMetric`] registered for training and validation.
    ///
    /// Everything else of the training is set up as ever. Nothing ends the run: call
    /// [`Meter::finish`] after `launch` for its record.
    #[must_use]
    fn metered(
        meter: &Meter,
        directory: impl AsRef<Path>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
    ) -> Self;

    /// As [`EnergyTraining::metered`], with loaders that were wrapped before, each with settings of its own:
    /// see [`MeteredLoader::sync_every`].
    #[must_use]
    fn metered_loaders(
        meter: &Meter,
        directory: impl AsRef<Path>,
        train: MeteredLoader<<M as TrainStep>::Input>,
        valid: MeteredLoader<<M as InferenceStep>::Input>,
    ) -> Self;

    /// [`SupervisedTraining::checkpoint`], which the meter is told too: its epochs are numbered as Burn's,
    /// from `epoch` + 1, and its forecasts are of what is left.
    ///
    /// What the epochs before have cost, a meter knows that was started with
    /// [`MeterBuilder::resume`](ergometer::MeterBuilder::resume).
    #[must_use]
    fn resumed(self, meter: &Meter, epoch: usize) -> Self;

    /// [`SupervisedTraining::grads_accumulation`], which the record says, as the fact `batches an update`.
    ///
    /// A step of the record is a batch. The weights are updated after so many of them, and after the last one
    /// of an epoch; [`Profiled`](crate::Profiled) counts the updates and has their energy.
    #[must_use]
    fn accumulated(self, meter: &Meter, batches: usize) -> Self;

    /// [`SupervisedTraining::num_epochs`], which the meter is told too: with it, it forecasts what the run
    /// will come to.
    ///
    /// Registers [`ForecastMetric`].
    #[must_use]
    fn planned_epochs(self, meter: &Meter, epochs: usize) -> Self;

    /// Registers what the run has come to so far, as metrics of training: [`TotalEnergyMetric`],
    /// [`CarbonMetric`], [`CostMetric`]; and [`ItemEnergyMetric`] for training and validation.
    #[must_use]
    fn energy_totals(self, meter: &Meter) -> Self;

    /// Stops the training politely when the run has used `budget` up: Burn ends it after the step that is
    /// running, and `LearningResult::interrupted` has the reason, as has the record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`](ergometer::ErrorKind::InvalidSetting) for a budget that limits nothing.
    fn energy_budget(self, meter: &Meter, budget: Budget) -> ergometer::Result<Self>;
}

impl<M: LearnerModel> EnergyTraining<M> for SupervisedTraining<M> {
    fn metered(
        meter: &Meter,
        directory: impl AsRef<Path>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
    ) -> Self {
        let train = MeteredLoader::train(meter, train);
        let valid = MeteredLoader::valid(meter, valid);
        Self::metered_loaders(meter, directory, train, valid)
    }

    fn metered_loaders(
        meter: &Meter,
        directory: impl AsRef<Path>,
        train: MeteredLoader<<M as TrainStep>::Input>,
        valid: MeteredLoader<<M as InferenceStep>::Input>,
    ) -> Self {
        Self::new(directory, Arc::new(train), Arc::new(valid))
            .metric_train_numeric(EnergyMetric::train(meter))
            .metric_valid_numeric(EnergyMetric::valid(meter))
            .metric_train_numeric(PowerMetric::train(meter))
            .metric_valid_numeric(PowerMetric::valid(meter))
    }

    fn resumed(self, meter: &Meter, epoch: usize) -> Self {
        meter.plan(|plan| plan.done = epoch as u64);
        self.checkpoint(epoch)
    }

    fn accumulated(self, meter: &Meter, batches: usize) -> Self {
        meter.fact("batches an update", batches);
        self.grads_accumulation(batches)
    }

    fn planned_epochs(self, meter: &Meter, epochs: usize) -> Self {
        meter.plan(|plan| plan.epochs = epochs as u64);
        self.num_epochs(epochs).metric_train_numeric(ForecastMetric::new(meter))
    }

    fn energy_totals(self, meter: &Meter) -> Self {
        self.metric_train_numeric(TotalEnergyMetric::new(meter))
            .metric_train_numeric(CarbonMetric::new(meter))
            .metric_train_numeric(CostMetric::new(meter))
            .metric_train_numeric(ItemEnergyMetric::train(meter))
            .metric_valid_numeric(ItemEnergyMetric::valid(meter))
    }

    fn energy_budget(self, meter: &Meter, budget: Budget) -> ergometer::Result<Self> {
        let interrupter = self.interrupter();
        meter.budget(budget, move |spent| interrupter.stop(Some(&spent.to_string())))?;
        Ok(self)
    }
}
