//! Burn's evaluation under a meter.

use std::fmt::Display;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::{EvaluationResult, Evaluator, EvaluatorComponentTypes, InferenceStep};
use ergometer::Meter;

use crate::MeteredLoader;

/// The data that a model is evaluated on.
type TestLoader<EC> =
    Arc<dyn DataLoader<<<EC as EvaluatorComponentTypes>::Model as InferenceStep>::Input>>;

/// Adds metering to [`Evaluator`].
///
/// ```
/// use std::sync::Arc;
/// use burn::data::dataloader::DataLoader;
/// use burn::prelude::*;
/// use burn::train::metric::{Adaptor, LossInput, LossMetric};
/// use burn::train::{EvaluatorBuilder, InferenceStep};
/// use ergometer_burn::{EnergyEvaluation as _, EnergyMetric};
///
/// fn evaluate<M>(
///     meter: &ergometer::Meter,
///     model: M,
///     loader: Arc<dyn DataLoader<M::Input>>,
/// )
/// where
///     M: Module + InferenceStep + std::fmt::Display + 'static,
///     M::Output: Adaptor<LossInput>,
/// {
///     EvaluatorBuilder::new("artifacts")
///         .metric_numeric(LossMetric::new())
///         .metric_numeric(EnergyMetric::evaluation(meter)) // beside the loss, in Burn's files
///         .build(model)
///         .eval_metered(meter, "test", loader); // an epoch `test` in the record
/// }
/// ```
pub trait EnergyEvaluation<EC: EvaluatorComponentTypes>: Sized {
    /// [`Evaluator::eval`] with its loader wrapped in a [`MeteredLoader`]: an epoch called `name`, and a step
    /// for each batch.
    fn eval_metered<S: Display>(
        self,
        meter: &Meter,
        name: S,
        loader: TestLoader<EC>,
    ) -> EvaluationResult;

    /// The same with [`Evaluator::eval_all`]: an epoch for each name.
    ///
    /// [`EnergyMetric::evaluation`](crate::StepMetric::evaluation) has a value for each of them.
    fn eval_all_metered<S: Display>(
        self,
        meter: &Meter,
        splits: impl IntoIterator<Item = (S, TestLoader<EC>)>,
    ) -> EvaluationResult;
}

impl<EC: EvaluatorComponentTypes> EnergyEvaluation<EC> for Evaluator<EC> {
    fn eval_metered<S: Display>(
        self,
        meter: &Meter,
        name: S,
        loader: TestLoader<EC>,
    ) -> EvaluationResult {
        self.eval_all_metered(meter, [(name, loader)])
    }

    fn eval_all_metered<S: Display>(
        self,
        meter: &Meter,
        splits: impl IntoIterator<Item = (S, TestLoader<EC>)>,
    ) -> EvaluationResult {
        self.eval_all(splits.into_iter().map(|(name, loader)| {
            let name = name.to_string();
            let loader: TestLoader<EC> = Arc::new(MeteredLoader::named(meter, &name, loader));
            (name, loader)
        }))
    }
}
