//! A model whose steps are marked in parts.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::train::{InferenceStep, TrainOutput, TrainStep};

/// A model whose training steps are marked in parts, as phases of the
/// [installed](ergometer::MeterBuilder::install) meter: `model` (forward and backward), `optimizer`, and
/// beside them `data`, which the loader marks; a step of validation has `data` and `model`.
///
/// The model is not edited. Forward and backward lie in one call of it: to tell them apart, mark the forward
/// pass inside, with [`ergometer::span`](ergometer::span()). On asynchronous devices the marks are those of
/// the host, which runs ahead.
///
/// ```
/// # use burn::prelude::*;
/// # use burn::optim::ModuleOptimizer;
/// # use burn::train::{Learner, LearnerModel, SupervisedTraining};
/// # use ergometer_burn::Profiled;
/// # fn train<M: LearnerModel + 'static>(
/// #     training: SupervisedTraining<Profiled<M>>, model: M, optim: ModuleOptimizer,
/// # ) -> M where Profiled<M>: LearnerModel {
/// let result = training.launch(Learner::new(Profiled::new(model), optim, 1e-3));
/// let model = result.model.into_inner();
/// # model
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Profiled<M: Module> {
    model: M,
}

impl<M: Module> Profiled<M> {
    /// Marks the parts of `model`'s steps.
    pub fn new(model: M) -> Self {
        Self { model }
    }

    /// The model itself.
    pub fn into_inner(self) -> M {
        self.model
    }
}

impl<M: Module + TrainStep> TrainStep for Profiled<M> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> TrainOutput<M::Output> {
        let _span = ergometer::span("model");
        self.model.step(item)
    }

    fn optimize(
        self,
        optim: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        let _span = ergometer::span("optimizer");
        Self { model: self.model.optimize(optim, lr, grads) }
    }

    fn optimize_multi(
        self,
        optim: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        grads: MultiGradientsParams,
    ) -> Self {
        let _span = ergometer::span("optimizer");
        Self { model: self.model.optimize_multi(optim, lr, grads) }
    }
}

impl<M: Module + InferenceStep> InferenceStep for Profiled<M> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> M::Output {
        let _span = ergometer::span("model");
        self.model.step(item)
    }
}
