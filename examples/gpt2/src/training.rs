//! The training loop, written by hand under the meter.
//!
//! ```text
//! run ─┬─ baseline                                   perplexity before training
//!      └─ epoch ─┬─ train ── step ─┬─ forward
//!                │                 ├─ backward
//!                │                 └─ optimizer
//!                └─ valid ── step
//! ```

mod recipe;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use ergometer::{Meter, track_energy};
use harness::{Flops, Losses, Passes, Split, TrainArgs, clip_by_global_norm, without_decay};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::data::{Batch, Corpus, Windows};
use crate::model::Gpt2;

pub use recipe::{Recipe, SIZES};

/// Largest norm of all gradients together.
const LARGEST_NORM: f64 = 1.0;
/// Decay of weights; biases and norms have none.
const DECAY: f32 = 0.1;
/// Steps between two looks at the loss; a look waits for the device.
const LOOK: usize = 10;

/// What a training came to.
pub struct Trained {
    /// Mean loss a token on the held-out part before training, nats.
    pub untrained: f64,
    /// The losses of every epoch.
    pub losses: Losses,
    /// Operations of the training steps.
    pub flops: Flops,
}

/// Everything a training needs beside the model.
pub struct Trainer<'a> {
    recipe: &'a Recipe,
    train: Windows<'a>,
    valid: Windows<'a>,
    /// The device without gradients.
    device: Device,
    optimizer: ModuleOptimizer,
    rng: StdRng,
    passes: Passes,
    /// Steps so far.
    step: usize,
}

impl<'a> Trainer<'a> {
    /// A trainer at the beginning.
    pub fn new(corpus: &'a Corpus, recipe: &'a Recipe, device: &Device, args: &TrainArgs) -> Self {
        let windows = |text| Windows::new(text, recipe.options.context, recipe.batch);
        Self {
            recipe,
            train: windows(&corpus.train),
            valid: windows(&corpus.valid),
            device: device.clone(),
            optimizer: optimizer(recipe.beta_2),
            rng: StdRng::seed_from_u64(args.seed),
            passes: Passes::new(args.quiet),
            step: 0,
        }
    }

    /// Tells the meter what is planned, so that it can forecast what the run will cost.
    pub fn plan(&self, meter: &Meter) {
        let recipe = self.recipe;
        meter.fact("training FLOPs a step", recipe.flops_per_step());
        meter.plan(|plan| {
            plan.epochs = recipe.epochs as u64;
            plan.train_steps = recipe.steps as u64;
            plan.valid_steps = self.valid.spread(recipe.evaluations).len() as u64;
        });
    }
}

/// Adam with decoupled decay, as nanoGPT and llm.c set it: matrices decay, biases and norms do not.
fn optimizer(beta_2: f32) -> ModuleOptimizer {
    let adam = AdamWConfig::new().with_beta_1(0.9).with_beta_2(beta_2).with_epsilon(1e-8);
    let decaying = adam.clone().with_weight_decay(DECAY).init();
    decaying.with_group(without_decay(), adam.with_weight_decay(0.0).build(), None)
}

/// Trains `model` to the end of the recipe.
#[track_energy(run)]
pub fn train(mut trainer: Trainer<'_>, mut model: Gpt2) -> Trained {
    #[track_energy(phase = "baseline")]
    let untrained = trainer.baseline(&model.valid());
    let epochs = trainer.recipe.epochs;
    trainer.passes.start(epochs);
    for epoch in 1..=epochs {
        model = trainer.train_epoch(model);
        trainer.validate(&model.valid());
        trainer.passes.epoch(epoch);
    }
    let losses = trainer.passes.end();
    Trained { untrained, losses, flops: trainer.passes.flops() }
}

impl Trainer<'_> {
    /// As many steps as an epoch has.
    #[track_energy(epoch, name = "train")]
    fn train_epoch(&mut self, mut model: Gpt2) -> Gpt2 {
        let Recipe { steps, accumulation, .. } = *self.recipe;
        self.passes.pass(Split::Train, steps);
        let mut total = Tensor::<1>::zeros([1], &self.device);
        #[track_energy(step, items = self.recipe.tokens_per_step(), unit = "tokens")]
        for step in 1..=steps {
            let mut gradients = GradientsAccumulator::new();
            for _ in 0..accumulation {
                let batch = self.draw();
                #[track_energy(phase = "forward")]
                let loss = model.loss(batch) / accumulation as f64;
                #[track_energy(phase = "backward")]
                {
                    let of_batch = GradientsParams::from_grads(loss.backward(), &model);
                    gradients.accumulate(&model, of_batch);
                }
                total = total + loss.inner();
            }
            #[track_energy(phase = "optimizer")]
            {
                let gradients = clip_by_global_norm(gradients.grads(), &model, LARGEST_NORM);
                model = self.optimizer.step(self.recipe.rate_at(self.step), model, gradients);
            }
            self.step += 1;
            self.passes.operations(self.recipe.flops_per_step());
            if step % LOOK == 0 || step == steps {
                self.passes.step(step, total.clone().into_scalar::<f64>() / step as f64);
            }
        }
        self.passes.passed(total.into_scalar::<f64>() / steps as f64);
        model
    }

    /// A batch of the training part, from anywhere.
    fn draw(&mut self) -> Batch {
        self.train.draw(&mut self.rng, &self.device.clone().autodiff())
    }

    /// The loss on the held-out part before training, nats a token.
    fn baseline(&self, model: &Gpt2) -> f64 {
        let mut mean = Mean::default();
        for starts in self.valid.spread(self.recipe.evaluations) {
            mean.add(model, self.valid.at(&starts, &self.device));
        }
        mean.value()
    }

    /// The evaluation of an epoch.
    #[track_energy(epoch, name = "valid")]
    fn validate(&mut self, model: &Gpt2) {
        let batches = self.valid.spread(self.recipe.evaluations);
        self.passes.pass(Split::Valid, batches.len());
        let mut mean = Mean::default();
        #[track_energy(step, name = "valid", items = starts.len() * self.recipe.options.context, unit = "tokens")]
        for (step, starts) in (1..).zip(batches) {
            mean.add(model, self.valid.at(&starts, &self.device));
            self.passes.step(step, mean.value());
        }
        self.passes.passed(mean.value());
    }
}

/// Mean loss a token over batches of different lengths, nats.
#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    tokens: usize,
}

impl Mean {
    fn add(&mut self, model: &Gpt2, batch: Batch) {
        let tokens = batch.tokens;
        self.sum += model.loss(batch).into_scalar::<f64>() * tokens as f64;
        self.tokens += tokens;
    }

    fn value(&self) -> f64 {
        self.sum / self.tokens as f64
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module as _;
    use harness::Size;

    use super::*;

    #[test]
    fn norms_and_biases_do_not_decay() {
        let device = Device::flex().autodiff();
        let options = Recipe::of(Size::Smoke).for_vocabulary(10).options;
        let model = Gpt2::new(&options, &device);
        let text: Vec<u32> = (0..200).map(|index| index % 10).collect();
        let windows = Windows::new(&text, options.context, 2);
        let loss = model.loss(windows.at(&[0, 5], &device)) * 0.0;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let sums = |model: &Gpt2| {
            let gamma: f64 = model.norm_weight().sum().into_scalar();
            let square: f64 = model.token_weight().square().sum().into_scalar();
            (gamma, square)
        };
        let before = sums(&model);
        // A gradient of 0 moves nothing; only decay does.
        let model = optimizer(0.99).step(0.5, model, gradients);
        let after = sums(&model);
        assert!((after.0 - before.0).abs() < 1e-6, "{before:?} {after:?}");
        let kept = (1.0 - 0.5 * f64::from(DECAY)).powi(2);
        assert!((after.1 / before.1 - kept).abs() < 1e-4, "{before:?} {after:?}");
        assert!(model.num_params() > 0);
    }
}
