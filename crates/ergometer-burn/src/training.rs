//! Burn's supervised training under a meter.

use std::path::Path;
use std::sync::Arc;

use burn::train::{LearnerModel, SupervisedTraining, TrainLoader, ValidLoader};
use ergometer::Meter;

use crate::{EnergyMetric, MeteredLoader, PowerMetric};

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
}

impl<M: LearnerModel> EnergyTraining<M> for SupervisedTraining<M> {
    fn metered(
        meter: &Meter,
        directory: impl AsRef<Path>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
    ) -> Self {
        Self::new(
            directory,
            Arc::new(MeteredLoader::train(meter, train)),
            Arc::new(MeteredLoader::valid(meter, valid)),
        )
        .metric_train_numeric(EnergyMetric::train(meter))
        .metric_valid_numeric(EnergyMetric::valid(meter))
        .metric_train_numeric(PowerMetric::train(meter))
        .metric_valid_numeric(PowerMetric::valid(meter))
    }
}
