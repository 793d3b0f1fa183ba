//! What a training of each size is.

use harness::{Hyperparameters, Size};

use crate::data::Shape;
use crate::model::Options;

/// The sizes this model has.
pub const SIZES: &[Size] =
    &[Size::Smoke, Size::Tiny, Size::Mini, Size::Small, Size::Medium, Size::Base, Size::Large];

/// A model and how it is trained.
///
/// From `tiny` on the dimensions are those of the released models of these names. `base` and `large` have
/// the paper's schedule (Devlin et al., 2019, appendix A.2); the smaller ones have short schedules, and a
/// vocabulary that is learned from their text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// The model; its vocabulary is an upper limit until the word pieces are learned.
    pub options: Options,
    /// Shape of the pairs for nine tenths of the steps.
    pub short: Shape,
    /// Shape of the pairs for the last tenth.
    pub long: Shape,
    /// Pairs a batch.
    pub batch: usize,
    /// Batches a step.
    pub accumulation: usize,
    /// Steps an epoch.
    pub steps: usize,
    /// Epochs.
    pub epochs: usize,
    /// Pairs that an evaluation reads at most.
    pub evaluated: usize,
    /// Documents to generate where no text is given.
    pub documents: usize,
    /// Learning rate where its two lines meet.
    pub rate: f64,
    /// Steps in which the learning rate rises.
    pub warmup: usize,
}

const fn shape(length: usize, predictions: usize) -> Shape {
    Shape { length, predictions }
}

impl Recipe {
    /// The recipe of one of [`SIZES`].
    pub fn of(size: Size) -> Self {
        let tiny = Self {
            options: Options { vocabulary: 2000, positions: 256, ..Options::published(2, 128) },
            short: shape(128, 20),
            long: shape(256, 39),
            batch: 16,
            accumulation: 1,
            steps: 200,
            epochs: 3,
            evaluated: 1000,
            documents: 1_000,
            rate: 1e-3,
            warmup: 60,
        };
        let released = |layers, width| Self {
            options: Options { vocabulary: 8000, ..Options::published(layers, width) },
            short: shape(128, 20),
            long: shape(512, 77),
            batch: 32,
            steps: 500,
            epochs: 10,
            evaluated: 1000,
            documents: 10_000,
            rate: 5e-4,
            warmup: 500,
            ..tiny
        };
        let published = |layers, width, batch: usize| Self {
            options: Options::published(layers, width),
            batch,
            accumulation: 256 / batch,
            steps: 10_000,
            epochs: 100,
            evaluated: 10_000,
            documents: 100_000,
            rate: 1e-4,
            warmup: 10_000,
            ..released(layers, width)
        };
        match size {
            Size::Smoke => Self {
                options: Options {
                    vocabulary: 300,
                    positions: 32,
                    width: 16,
                    heads: 2,
                    layers: 1,
                    ..tiny.options
                },
                short: shape(24, 4),
                long: shape(32, 5),
                batch: 4,
                steps: 10,
                epochs: 2,
                evaluated: 16,
                documents: 40,
                warmup: 2,
                ..tiny
            },
            Size::Tiny => tiny,
            Size::Mini => released(4, 256),
            Size::Small => released(4, 512),
            Size::Medium => released(8, 512),
            Size::Base => published(12, 768, 32),
            _ => published(24, 1024, 16),
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

    /// Operations of a training step with pairs of `shape`.
    pub const fn flops_per_step(&self, shape: Shape) -> u64 {
        (self.batch * self.accumulation) as u64 * self.options.training_flops(shape)
    }

    /// The same recipe for a vocabulary of this many word pieces.
    #[must_use]
    pub fn for_vocabulary(self, vocabulary: usize) -> Self {
        Self { options: Options { vocabulary, ..self.options }, ..self }
    }

    /// Steps of the whole training.
    pub const fn all_steps(&self) -> usize {
        self.epochs * self.steps
    }

    /// The shape of a step's pairs; steps are counted from 0.
    pub const fn shape_at(&self, step: usize) -> Shape {
        if step * 10 < self.all_steps() * 9 { self.short } else { self.long }
    }

    /// The learning rate of a step, counted from 0: a line up to `warmup`, and one down to 0 at the last
    /// step, which begins at the first, as in the authors' program.
    pub fn rate_at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.rate * step as f64 / self.warmup as f64;
        }
        self.rate * (1.0 - step as f64 / self.all_steps() as f64).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_is_trained_as_published() {
        let base = Recipe::of(Size::Base);
        assert_eq!((base.all_steps(), base.batch * base.accumulation), (1_000_000, 256));
        assert!((base.rate_at(5_000) - 0.5e-4).abs() < 1e-12);
        assert!((base.rate_at(10_000) - 0.99e-4).abs() < 1e-12);
        assert!(base.rate_at(999_999) < 1e-9 && base.rate_at(0) == 0.0);
        let shapes = [0, 899_999, 900_000].map(|step| base.shape_at(step).length);
        assert_eq!(shapes, [128, 128, 512]);
        // 42.6 thousand million tokens, padding included, at most.
        let tokens = |step| 256 * base.shape_at(step).length as u64;
        assert_eq!(900_000 * tokens(0) + 100_000 * tokens(999_999), 42_598_400_000);
    }
}
