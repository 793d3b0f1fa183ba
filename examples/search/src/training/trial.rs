//! How one candidate is trained: the bench of the searches.
//!
//! ```text
//! trial ─┬─ train (epoch) ── step ─┬─ forward
//!        │                         ├─ backward
//!        │                         └─ optimizer
//!        ├─ valid (epoch) ── step
//!        └─ train, valid: again for each hurdle that it passes
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use burn::data::dataloader::DataLoader as _;
use burn::module::Module as _;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use ergometer::span::{Finished, Label};
use ergometer::{Kind, Span, track_energy};
use harness::{Fingerprint, Flops, clip_by_global_norm};
use transformer::data::{Batch, TokenBatches};

use super::Recipe;
use crate::data::Data;
use crate::evolution::{Bench, Cost};
use crate::genes::{Candidate, Dimensions};
use crate::model::{Options, Translator};

/// Largest norm of all gradients together: many architectures of the space would diverge without.
const LARGEST_NORM: f64 = 1.0;
/// How long the energy of a trial is waited for. A sensor that is read once a second takes about a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Trains candidates on the same data, each from its own seed.
pub struct Trainer<'a> {
    recipe: &'a Recipe,
    data: &'a Data,
    options: Options,
    device: Device,
    /// Operations of all training steps.
    pub flops: Flops,
    /// Every loss of the part of the search that goes on.
    pub losses: Fingerprint,
    /// Training and held-out loss of each stretch of that part, nats a token.
    pub stretches: Vec<(f64, f64)>,
    /// Whether a line is shown for each trial.
    quiet: bool,
    part: &'static str,
    seed: u64,
    trials: u64,
    /// Trials whose energy is not known yet, with the line that is shown for each.
    ended: VecDeque<(String, Finished)>,
}

/// A candidate in training.
pub struct Training {
    candidate: Candidate,
    model: Option<Translator>,
    optimizer: ModuleOptimizer,
    batches: TokenBatches,
    span: Span,
    step: usize,
    flops: u64,
    loss: f64,
}

impl<'a> Trainer<'a> {
    /// A trainer at the beginning.
    pub fn new(recipe: &'a Recipe, data: &'a Data, device: &Device, quiet: bool) -> Self {
        let dimensions: Dimensions = recipe.space(data.vocabulary).dimensions();
        Self {
            recipe,
            data,
            options: Options {
                dimensions,
                dropout: recipe.dropout,
                longest: recipe.limits.longest,
            },
            device: device.clone(),
            flops: Flops::default(),
            losses: Fingerprint::default(),
            stretches: Vec::new(),
            quiet,
            part: "",
            seed: 0,
            trials: 0,
            ended: VecDeque::new(),
        }
    }

    /// A part of the whole begins, with losses and seeds of its own: its trial i is the same whatever was before it.
    pub fn part(&mut self, part: &'static str, seed: u64) {
        (self.part, self.seed, self.trials) = (part, seed, 0);
        self.losses = Fingerprint::default();
        self.stretches.clear();
    }

    /// Trains `candidate` from the seed `seed` for as long as a trial that passes every hurdle, and gives its held-out
    /// loss, nats a token, and what it took but for its energy.
    pub fn retrain(&mut self, candidate: &Candidate, seed: u64) -> (f64, Cost) {
        self.trials += 1;
        let mut training = self.begin_with(candidate, seed);
        let fitness = self.train(&mut training, self.recipe.longest());
        (-fitness, self.end(training))
    }

    fn begin_with(&mut self, candidate: &Candidate, seed: u64) -> Training {
        let span = Span::enter(Label::new(Kind::Function, "trial"));
        self.device.seed(seed);
        let device = self.device.clone().autodiff();
        let adam = AdamConfig::new().with_beta_1(0.9).with_beta_2(0.98).with_epsilon(1e-9);
        Training {
            model: Some(Translator::new(candidate.architecture(), &self.options, &device)),
            candidate: candidate.clone(),
            optimizer: adam.init(),
            batches: self.data.in_order_of(seed),
            span,
            step: 0,
            flops: 0,
            loss: f64::NAN,
        }
    }

    /// `steps` further steps; the mean loss, nats a token.
    #[track_energy(epoch, name = "train")]
    fn train_on(
        &self,
        training: &mut Training,
        mut model: Translator,
        steps: usize,
    ) -> (Translator, f64) {
        self.flops.epoch();
        let mut total = Tensor::<1>::zeros([1], &self.device);
        let mut done = 0;
        while done < steps {
            let before = done;
            let batches = training.batches.clone();
            for batch in batches.iter().take(steps - done) {
                let batch = batch.expect("batches are made of what is in memory");
                let loss;
                (model, loss) = self.step(training, model, batch);
                total = total + loss;
                done += 1;
            }
            if done == before {
                break;
            }
        }
        (model, total.into_scalar::<f64>() / done.max(1) as f64)
    }

    /// One update; the loss without gradients.
    #[track_energy(step, items = batch.target_tokens, unit = "tokens")]
    fn step(
        &self,
        training: &mut Training,
        model: Translator,
        batch: Batch,
    ) -> (Translator, Tensor<1>) {
        let ([rows, source], [_, target]) = (batch.source.dims(), batch.target.dims());
        let dimensions = self.options.dimensions;
        let flops =
            dimensions.training_flops(training.candidate.architecture(), [rows, source, target]);
        #[track_energy(phase = "forward")]
        let losses = model.losses(batch);
        #[track_energy(phase = "backward")]
        let gradients = GradientsParams::from_grads(losses.smoothed.backward(), &model);
        #[track_energy(phase = "optimizer")]
        let model = {
            let gradients = clip_by_global_norm(gradients, &model, LARGEST_NORM);
            training.optimizer.step(self.recipe.rate_at(training.step), model, gradients)
        };
        training.step += 1;
        training.flops += flops;
        self.flops.add(flops);
        (model, losses.likelihood.inner())
    }

    /// The loss on the held-out batches, nats a token.
    #[track_energy(epoch, name = "valid")]
    fn validate(&self, model: &Translator) -> f64 {
        let (mut sum, mut tokens) = (0.0, 0.0);
        #[track_energy(step, name = "valid", items = batch.target_tokens, unit = "tokens")]
        for batch in &self.data.valid {
            let count = batch.target_tokens as f64;
            sum += model.losses(batch.clone()).likelihood.into_scalar::<f64>() * count;
            tokens += count;
        }
        sum / tokens
    }
}

impl Bench<Candidate> for Trainer<'_> {
    type Training = Training;

    fn begin(&mut self, candidate: &Candidate) -> Training {
        let seed = seed_of(self.seed, self.trials);
        self.trials += 1;
        self.begin_with(candidate, seed)
    }

    fn train(&mut self, training: &mut Training, steps: usize) -> f64 {
        let Some(model) = training.model.take() else { return f64::NAN };
        let (model, train) = self.train_on(training, model, steps);
        training.loss = self.validate(&model.valid());
        training.model = Some(model);
        self.losses.number(train);
        self.losses.number(training.loss);
        self.stretches.push((train, training.loss));
        -training.loss
    }

    fn end(&mut self, training: Training) -> Cost {
        let Training { span, step, flops, loss, .. } = training;
        let Self { part, trials, .. } = self;
        let line = format!("{part} {trials}: loss {loss:.3} after {step} steps");
        self.ended.push_back((line, span.finish()));
        Cost { joules: None, flops, steps: step as u64 }
    }

    fn energies(&mut self, but: usize) -> Vec<Option<f64>> {
        let known = self.ended.len().saturating_sub(but);
        let ended: Vec<_> = self.ended.drain(..known).collect();
        let energy = |(line, finished): (String, Finished)| {
            let used = finished.await_energy(PATIENCE).ok().and_then(|used| used.energy);
            let joules = used.map(|energy| energy.joules.get());
            if !self.quiet {
                let shown = joules.map_or("unknown energy".to_owned(), |it| format!("{it:.1} J"));
                eprintln!("{line}, {shown}");
            }
            joules
        };
        ended.into_iter().map(energy).collect()
    }
}

/// The seed of trial `number` of a part: `SplitMix64` (Steele, Lea and Flood, 2014), so that neighbours have nothing in
/// common.
pub fn seed_of(part: u64, number: u64) -> u64 {
    let mut bits = part.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_have_seeds_of_their_own() {
        // The first outputs of the published generator from the seed 0.
        assert_eq!(seed_of(0, 0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(seed_of(0, 1), 0x6e78_9e6a_a1b9_65f4);
        assert_ne!(seed_of(1, 0), seed_of(0, 0));
    }
}
