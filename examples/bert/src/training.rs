//! The training loop, written by hand under the meter.
//!
//! ```text
//! run ─┬─ baseline                                   quality before training
//!      └─ epoch ─┬─ train ── step ─┬─ forward
//!                │                 ├─ backward
//!                │                 └─ optimizer
//!                └─ valid ── step
//! ```

mod adam;
mod recipe;
mod scores;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use ergometer::{Meter, track_energy};
use harness::{Flops, Losses, Passes, Split, TrainArgs, clip_by_global_norm};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::data::{Batch, Corpus, Instances};
use crate::model::Bert;

pub use recipe::{Recipe, SIZES};
pub use scores::Scores;

/// Largest norm of all gradients together.
const LARGEST_NORM: f64 = 1.0;
/// Steps between two looks at the loss; a look waits for the device.
const LOOK: usize = 10;
/// Seed of the held-out pairs, which are the same in every run and every epoch.
const HELD_OUT_SEED: u64 = 1;

/// What a training came to.
pub struct Trained {
    /// Quality on the held-out part before training.
    pub before: Scores,
    /// And after it.
    pub after: Scores,
    /// The losses of every epoch.
    pub losses: Losses,
    /// Operations of the training steps.
    pub flops: Flops,
}

/// Everything a training needs beside the model.
pub struct Trainer<'a> {
    recipe: &'a Recipe,
    short: Instances<'a>,
    long: Instances<'a>,
    /// Held-out pairs, a batch each.
    valid: Vec<Batch>,
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
        let pairs = |documents, shape| Instances::new(documents, corpus.vocabulary, shape);
        let mut rng = StdRng::seed_from_u64(HELD_OUT_SEED);
        let held_out = pairs(&corpus.valid, recipe.short).sample(recipe.evaluated, &mut rng);
        let valid = held_out.chunks(recipe.batch);
        Self {
            recipe,
            short: pairs(&corpus.train, recipe.short),
            long: pairs(&corpus.train, recipe.long),
            valid: valid.map(|pairs| Batch::new(pairs, recipe.short, device)).collect(),
            device: device.clone(),
            optimizer: adam::optimizer(),
            rng: StdRng::seed_from_u64(args.seed),
            passes: Passes::new(args.quiet),
            step: 0,
        }
    }

    /// Tells the meter what is planned, so that it can forecast what the run will cost.
    pub fn plan(&self, meter: &Meter) {
        let recipe = self.recipe;
        for (shape, fact) in [
            (recipe.short, "training FLOPs a step"),
            (recipe.long, "training FLOPs a step, last tenth"),
        ] {
            meter.fact(fact, recipe.flops_per_step(shape));
        }
        meter.plan(|plan| {
            plan.epochs = recipe.epochs as u64;
            plan.train_steps = recipe.steps as u64;
            plan.valid_steps = self.valid.len() as u64;
        });
    }
}

/// Trains `model` to the end of the recipe.
#[track_energy(run)]
pub fn train(mut trainer: Trainer<'_>, mut model: Bert) -> Trained {
    #[track_energy(phase = "baseline")]
    let before = trainer.baseline(&model.valid());
    let mut after = before;
    let epochs = trainer.recipe.epochs;
    trainer.passes.start(epochs);
    for epoch in 1..=epochs {
        model = trainer.train_epoch(model);
        after = trainer.validate(&model.valid());
        trainer.passes.epoch(epoch);
    }
    let losses = trainer.passes.end();
    Trained { before, after, losses, flops: trainer.passes.flops() }
}

impl Trainer<'_> {
    /// As many steps as an epoch has.
    #[track_energy(epoch, name = "train")]
    fn train_epoch(&mut self, mut model: Bert) -> Bert {
        let Recipe { steps, accumulation, .. } = *self.recipe;
        self.passes.pass(Split::Train, steps);
        let mut total = Tensor::<1>::zeros([1], &self.device);
        for step in 1..=steps {
            let batches: Vec<Batch> = (0..accumulation).map(|_| self.draw()).collect();
            let tokens: usize = batches.iter().map(|batch| batch.tokens).sum();
            #[track_energy(step, items = tokens, unit = "tokens")]
            {
                let mut gradients = GradientsAccumulator::new();
                for batch in batches {
                    #[track_energy(phase = "forward")]
                    let loss = model.forward(&batch).loss / accumulation as f64;
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
            }
            let shape = self.recipe.shape_at(self.step);
            self.passes.operations(self.recipe.flops_per_step(shape));
            self.step += 1;
            if step % LOOK == 0 || step == steps {
                self.passes.step(step, total.clone().into_scalar::<f64>() / step as f64);
            }
        }
        self.passes.passed(total.into_scalar::<f64>() / steps as f64);
        model
    }

    /// The next batch of the training part.
    fn draw(&mut self) -> Batch {
        let shape = self.recipe.shape_at(self.step);
        let pairs = if shape == self.recipe.short { &mut self.short } else { &mut self.long };
        let pairs: Vec<_> = (0..self.recipe.batch).map(|_| pairs.draw(&mut self.rng)).collect();
        Batch::new(&pairs, shape, &self.device.clone().autodiff())
    }

    /// The quality on the held-out part before training.
    fn baseline(&self, model: &Bert) -> Scores {
        let mut scores = Scores::default();
        self.valid.iter().for_each(|batch| scores.add(&model.forward(batch), batch));
        scores
    }

    /// The evaluation of an epoch.
    #[track_energy(epoch, name = "valid")]
    fn validate(&mut self, model: &Bert) -> Scores {
        self.passes.pass(Split::Valid, self.valid.len());
        let mut scores = Scores::default();
        #[track_energy(step, name = "valid", items = batch.tokens, unit = "tokens")]
        for (step, batch) in (1..).zip(&self.valid) {
            scores.add(&model.forward(batch), batch);
            self.passes.step(step, scores.loss());
        }
        self.passes.passed(scores.loss());
        self.passes.remark(&format!(
            "masked accuracy {:.3}; next sentence: loss {:.3}, accuracy {:.3} (the same answer always: {:.3})",
            scores.masked_accuracy(),
            scores.next_loss(),
            scores.next_accuracy(),
            scores.next_majority()
        ));
        scores
    }
}
