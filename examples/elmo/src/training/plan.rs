//! How long and on how much a size trains.

use harness::{Hyperparameters, Size};

use crate::data::{Batches, Corpus, TextError};
use crate::model::Options;

/// The sizes this model has; the paper trained one, which is both `base` and `big`.
pub const SIZES: &[Size] = &[Size::Smoke, Size::Tiny, Size::Small, Size::Base, Size::Big];

/// The authors' learning rate.
const RATE: f64 = 0.2;

/// Everything about a training that is not the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Lanes of text that are read side by side.
    pub batch: usize,
    /// Words of a window, through which gradients flow.
    pub unroll: usize,
    /// Sampled words of the softmax in each direction of a training step.
    pub negatives: usize,
    /// Learning rate of Adagrad; the authors' is 0.2.
    pub rate: f64,
    /// Words of the softmax at most.
    pub vocabulary: usize,
    /// Passes over the training part.
    pub epochs: usize,
    /// Training steps of an epoch at most.
    pub steps: usize,
    /// Windows of an evaluation at most.
    pub evaluations: usize,
    /// Sentences to generate where no text is given: to train on, to hold out.
    pub sentences: (usize, usize),
}

impl Options {
    /// The model of one of [`SIZES`].
    pub fn of(size: Size) -> Self {
        match size {
            Size::Smoke => Self::smoke(),
            Size::Tiny => Self::tiny(),
            Size::Small => Self::small(),
            _ => Self::paper(),
        }
    }
}

impl Plan {
    /// The plan of one of [`SIZES`]; that of `base` and `big` is the paper's.
    pub fn of(size: Size) -> Self {
        match size {
            Size::Smoke => Self {
                batch: 2,
                unroll: 5,
                negatives: 16,
                rate: RATE,
                vocabulary: 500,
                epochs: 1,
                steps: 4,
                evaluations: 2,
                sentences: (100, 20),
            },
            Size::Tiny => Self {
                batch: 32,
                unroll: 20,
                negatives: 256,
                rate: RATE,
                vocabulary: 4000,
                epochs: 5,
                steps: 40,
                evaluations: 8,
                sentences: (12_000, 600),
            },
            Size::Small => Self {
                batch: 64,
                unroll: 20,
                negatives: 2048,
                rate: RATE,
                vocabulary: 50_000,
                epochs: 10,
                steps: 1000,
                evaluations: 50,
                sentences: (100_000, 6000),
            },
            _ => Self {
                batch: 128,
                unroll: 20,
                negatives: 8192,
                rate: RATE,
                vocabulary: 793_471,
                epochs: 10,
                steps: usize::MAX,
                evaluations: usize::MAX,
                sentences: (100_000, 6000),
            },
        }
    }

    /// The same plan with the user's own numbers.
    #[must_use]
    pub fn with(self, epochs: Option<u32>, steps: Option<u32>) -> Self {
        Self {
            epochs: epochs.map_or(self.epochs, |epochs| epochs as usize),
            steps: steps.map_or(self.steps, |steps| steps as usize),
            ..self
        }
    }

    /// The same plan with the user's hyperparameters, and the model's dropout with them.
    #[must_use]
    pub fn tuned(mut self, hyper: &Hyperparameters, options: &mut Options) -> Self {
        hyper.apply(&mut self.rate, &mut self.batch, &mut options.dropout);
        self
    }

    /// Windows of `sentences` under this plan.
    pub fn batches<'a, 'b>(
        &self,
        corpus: &'a Corpus,
        sentences: impl Iterator<Item = &'b Vec<u32>> + Clone,
        limit: usize,
    ) -> Result<Batches<'a>, TextError> {
        Batches::new(corpus, sentences, self.batch, self.unroll, limit)
    }

    /// Whether both parts of `corpus` have at least one window.
    pub fn check(&self, corpus: &Corpus) -> Result<(), TextError> {
        self.batches(corpus, corpus.train.iter(), 1)?;
        self.batches(corpus, corpus.valid.iter(), 1)?;
        Ok(())
    }
}
