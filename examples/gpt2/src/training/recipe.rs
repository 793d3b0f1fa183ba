//! What a training of each size is.

use harness::{Hyperparameters, Size};

use crate::data::Tokens;
use crate::model::Options;

/// The sizes this model has.
pub const SIZES: &[Size] =
    &[Size::Smoke, Size::Tiny, Size::Small, Size::Base, Size::Medium, Size::Large, Size::Xl];

/// A model and how it is trained.
///
/// GPT-2's paper names neither optimizer nor schedule. `tiny` and `small` are the two recipes that nanoGPT
/// gives for Shakespeare's text by characters, for a processor and for one GPU; from `base` on it is
/// nanoGPT's and llm.c's for the published models. `tiny` has a quarter of its recipe's steps unless eight
/// epochs are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// The model.
    pub options: Options,
    /// What a token is where nothing else is asked for.
    pub tokens: Tokens,
    /// Windows a batch.
    pub batch: usize,
    /// Batches a step.
    pub accumulation: usize,
    /// Steps an epoch.
    pub steps: usize,
    /// Epochs.
    pub epochs: usize,
    /// Batches of the held-out part that an evaluation reads, at most.
    pub evaluations: usize,
    /// Sentences to generate where no text is given.
    pub sentences: usize,
    /// Learning rate after warm-up.
    pub rate: f64,
    /// Steps in which the learning rate rises.
    pub warmup: usize,
    /// Second momentum of Adam.
    pub beta_2: f32,
}

impl Recipe {
    /// The recipe of one of [`SIZES`].
    pub fn of(size: Size) -> Self {
        let tiny = Self {
            options: Options {
                vocabulary: 512,
                context: 64,
                width: 128,
                heads: 4,
                layers: 4,
                dropout: 0.0,
            },
            tokens: Tokens::Characters,
            batch: 12,
            accumulation: 1,
            steps: 250,
            epochs: 2,
            evaluations: 40,
            sentences: 8_000,
            rate: 1e-3,
            warmup: 100,
            beta_2: 0.99,
        };
        match size {
            Size::Smoke => Self {
                options: Options { context: 16, width: 16, heads: 2, layers: 2, ..tiny.options },
                batch: 4,
                steps: 10,
                evaluations: 4,
                sentences: 100,
                warmup: 2,
                ..tiny
            },
            Size::Small => Self {
                options: Options {
                    context: 256,
                    width: 384,
                    heads: 6,
                    layers: 6,
                    dropout: 0.2,
                    ..tiny.options
                },
                batch: 64,
                epochs: 20,
                sentences: 30_000,
                ..tiny
            },
            Size::Base => Self::published(12, 768, (12, 40)),
            Size::Medium => Self::published(24, 1024, (8, 64)),
            Size::Large => Self::published(36, 1280, (4, 128)),
            Size::Tiny => tiny,
            _ => Self::published(48, 1600, (4, 256)),
        }
    }

    fn published(layers: usize, width: usize, (batch, accumulation): (usize, usize)) -> Self {
        Self {
            options: Options::published(layers, width),
            tokens: Tokens::Bytes,
            batch,
            accumulation,
            steps: 1000,
            epochs: 600,
            evaluations: 200,
            sentences: 400_000,
            rate: 6e-4,
            warmup: 2000,
            beta_2: 0.95,
        }
    }

    /// The same recipe with the user's own numbers.
    #[must_use]
    pub fn with(self, epochs: Option<u32>, steps: Option<u32>) -> Self {
        Self {
            epochs: epochs.map_or(self.epochs, |epochs| epochs as usize),
            steps: steps.map_or(self.steps, |steps| steps as usize),
            ..self
        }
    }

    /// The same recipe with the user's hyperparameters.
    #[must_use]
    pub fn tuned(mut self, hyper: &Hyperparameters) -> Self {
        hyper.apply(&mut self.rate, &mut self.batch, &mut self.options.dropout);
        self.warmup = hyper.warmup(self.warmup);
        self
    }

    /// Operations of a training step.
    pub const fn flops_per_step(&self) -> u64 {
        let per_token = self.options.training_flops_per_token(self.options.context);
        per_token * self.tokens_per_step() as u64
    }

    /// The same recipe for a text of this many different tokens.
    #[must_use]
    pub fn for_vocabulary(self, vocabulary: usize) -> Self {
        Self { options: Options { vocabulary, ..self.options }, ..self }
    }

    /// Tokens that a step predicts.
    pub const fn tokens_per_step(&self) -> usize {
        self.accumulation * self.batch * self.options.context
    }

    /// The learning rate of a step, counted from 0: a linear rise, then half a cosine down to a tenth at the
    /// last step, as in nanoGPT.
    pub fn rate_at(&self, step: usize) -> f64 {
        let last = self.epochs * self.steps;
        if step < self.warmup {
            return self.rate * (step + 1) as f64 / (self.warmup + 1) as f64;
        }
        let low = self.rate / 10.0;
        let past = (step - self.warmup) as f64 / last.saturating_sub(self.warmup).max(1) as f64;
        let share = f64::midpoint(1.0, (std::f64::consts::PI * past.min(1.0)).cos());
        low + share * (self.rate - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_to_a_tenth() {
        let recipe = Recipe::of(Size::Tiny).with(Some(8), None);
        assert_eq!(recipe.epochs * recipe.steps, 2000);
        assert!((recipe.rate_at(0) - 1e-3 / 101.0).abs() < 1e-12);
        assert!((recipe.rate_at(100) - 1e-3).abs() < 1e-12);
        assert!((recipe.rate_at(1050) - 5.5e-4).abs() < 1e-12, "half-way down");
        assert!((recipe.rate_at(2000) - 1e-4).abs() < 1e-12);
    }

    #[test]
    fn published_sizes_read_half_a_million_tokens_a_step() {
        let tokens = |size| Recipe::of(size).tokens_per_step();
        assert_eq!(tokens(Size::Base), 491_520);
        assert_eq!(tokens(Size::Medium), 524_288);
        assert_eq!(tokens(Size::Large), 524_288);
        assert_eq!(tokens(Size::Xl), 1_048_576);
    }
}
