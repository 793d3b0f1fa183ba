//! The training loop, written by hand under the meter.
//!
//! ```text
//! run ─┬─ baseline                                   perplexity before training
//!      └─ epoch ─┬─ train ── step ─┬─ forward
//!                │                 ├─ backward
//!                │                 └─ optimizer
//!                └─ valid ── step
//! ```

mod adagrad;
mod plan;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use ergometer::{Meter, track_energy};
use harness::{Failure, Flops, Losses, Passes, Split, TrainArgs, clip_by_global_norm};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::data::{Batch, Batches, Corpus};
use crate::model::{Elmo, Hidden, LogUniform, Memory, Options};

pub use plan::{Plan, SIZES};

/// Largest norm of all gradients together, as in the authors' program.
const LARGEST_NORM: f64 = 10.0;

/// Steps between two looks at the loss; a look waits for the device.
const LOOK: usize = 10;

/// What a training came to.
pub struct Trained {
    /// Mean loss a word on the held-out part before training, nats.
    pub untrained: f64,
    /// The losses of every epoch.
    pub losses: Losses,
    /// Operations of the training steps.
    pub flops: Flops,
}

/// Everything a training needs beside the model.
pub struct Trainer<'a> {
    corpus: &'a Corpus,
    plan: &'a Plan,
    /// Operations of a training step for each word.
    flops_per_word: u64,
    /// The device without gradients.
    device: Device,
    optimizer: ModuleOptimizer,
    sampler: LogUniform,
    rng: StdRng,
    passes: Passes,
}

impl<'a> Trainer<'a> {
    /// A trainer at the beginning.
    pub fn new(
        corpus: &'a Corpus,
        plan: &'a Plan,
        options: &Options,
        device: &Device,
        args: &TrainArgs,
    ) -> Self {
        Self {
            corpus,
            plan,
            // The word itself is compared with the sampled ones.
            flops_per_word: options.training_flops_per_word(plan.negatives + 1),
            device: device.clone(),
            optimizer: adagrad::optimizer(),
            sampler: LogUniform::new(corpus.vocabulary()),
            rng: StdRng::seed_from_u64(args.seed),
            passes: Passes::new(args.quiet),
        }
    }

    /// Tells the meter what is planned, so that it can forecast what the run will cost.
    pub fn tell(&self, meter: &Meter) -> Result<(), Failure> {
        let train = self.corpus.train.iter();
        let train =
            self.plan.batches(self.corpus, train, self.plan.steps).map_err(Failure::usage)?;
        let valid = self.held_out()?;
        meter.plan(|plan| {
            plan.epochs = self.plan.epochs as u64;
            plan.train_steps = train.len() as u64;
            plan.valid_steps = valid.len() as u64;
        });
        Ok(())
    }
}

/// Trains `model` to the end of the plan.
#[track_energy(run)]
pub fn train(mut trainer: Trainer<'_>, mut model: Elmo) -> Result<Trained, Failure> {
    #[track_energy(phase = "baseline")]
    let untrained = trainer.baseline(&model.valid())?;
    let epochs = trainer.plan.epochs;
    trainer.passes.start(epochs);
    for epoch in 1..=epochs {
        model = trainer.train_epoch(model)?;
        trainer.validate(&model.valid())?;
        trainer.passes.epoch(epoch);
    }
    let losses = trainer.passes.end();
    Ok(Trained { untrained, losses, flops: trainer.passes.flops() })
}

impl<'a> Trainer<'a> {
    /// One pass over the training part, its sentences in a new order.
    #[track_energy(epoch, name = "train")]
    fn train_epoch(&mut self, mut model: Elmo) -> Result<Elmo, Failure> {
        let device = self.device.clone().autodiff();
        let mut order: Vec<&Vec<u32>> = self.corpus.train.iter().collect();
        order.shuffle(&mut self.rng);
        let batches = self
            .plan
            .batches(self.corpus, order.iter().copied(), self.plan.steps)
            .map_err(Failure::usage)?;
        self.passes.pass(Split::Train, batches.len());
        let steps = batches.len();
        let mut memory = model.start(batches.lanes(), &device);
        let mut total = Tensor::<1>::zeros([1], &self.device);
        #[track_energy(step, items = batch.tokens(), unit = "tokens")]
        for (step, batch) in (1..).zip(batches) {
            let words = batch.tokens() as u64;
            #[track_energy(phase = "forward")]
            let loss = {
                let (hidden, next) = model.read(&batch.forward, &batch.backward, memory, &device);
                memory = next.detach();
                self.sampled_loss(&model, hidden, &batch)
            };
            // Times the window's length, as in the authors' program: the step of Adagrad depends
            // on the scale of the gradient.
            #[track_energy(phase = "backward")]
            let gradients = (loss.clone() * self.plan.unroll as f64).backward();
            #[track_energy(phase = "optimizer")]
            {
                let gradients = GradientsParams::from_grads(gradients, &model);
                let gradients = clip_by_global_norm(gradients, &model, LARGEST_NORM);
                model = self.optimizer.step(self.plan.rate, model, gradients);
            }
            self.passes.operations(self.flops_per_word * words);
            total = total + loss.inner();
            if step % LOOK == 0 || step == steps {
                self.passes.step(step, total.clone().into_scalar::<f64>() / step as f64);
            }
        }
        self.passes.passed(total.into_scalar::<f64>() / steps as f64);
        Ok(model)
    }

    /// The mean of both directions' losses against sampled words.
    fn sampled_loss(&mut self, model: &Elmo, hidden: Hidden, batch: &Batch) -> Tensor<1> {
        let mut sample = || self.sampler.sample(self.plan.negatives, &mut self.rng);
        let softmax = model.softmax();
        let forward = softmax.sampled_loss(hidden.forward, &batch.forward_targets, &sample());
        let backward = softmax.sampled_loss(hidden.backward, &batch.backward_targets, &sample());
        (forward + backward) / 2.0
    }

    /// The loss on the held-out part before training, nats a word.
    fn baseline(&self, model: &Elmo) -> Result<f64, Failure> {
        let batches = self.held_out()?;
        let steps = batches.len();
        let mut memory = model.start(batches.lanes(), &self.device);
        let mut total = 0.0;
        for batch in batches {
            let (loss, next) = self.full_loss(model, &batch, memory);
            (total, memory) = (total + loss, next);
        }
        Ok(total / steps as f64)
    }

    /// The evaluation of an epoch.
    #[track_energy(epoch, name = "valid")]
    fn validate(&mut self, model: &Elmo) -> Result<(), Failure> {
        let batches = self.held_out()?;
        let steps = batches.len();
        self.passes.pass(Split::Valid, steps);
        let mut memory = model.start(batches.lanes(), &self.device);
        let mut total = 0.0;
        #[track_energy(step, name = "valid", items = batch.tokens(), unit = "tokens")]
        for (step, batch) in (1..).zip(batches) {
            let (loss, next) = self.full_loss(model, &batch, memory);
            (total, memory) = (total + loss, next);
            self.passes.step(step, total / step as f64);
        }
        self.passes.passed(total / steps as f64);
        Ok(())
    }

    fn held_out(&self) -> Result<Batches<'a>, Failure> {
        let sentences = self.corpus.valid.iter();
        self.plan.batches(self.corpus, sentences, self.plan.evaluations).map_err(Failure::usage)
    }

    /// The mean of both directions' losses over the whole vocabulary.
    fn full_loss(&self, model: &Elmo, batch: &Batch, memory: Memory) -> (f64, Memory) {
        let (hidden, memory) = model.read(&batch.forward, &batch.backward, memory, &self.device);
        let softmax = model.softmax();
        let forward = softmax.full_loss(&hidden.forward, &batch.forward_targets);
        let backward = softmax.full_loss(&hidden.backward, &batch.backward_targets);
        ((forward + backward).into_scalar::<f64>() / 2.0, memory)
    }
}
