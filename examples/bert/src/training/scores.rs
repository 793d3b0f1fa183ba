//! How good a model is on pairs that it has not learned from.

use burn::tensor::{Int, Tensor};

use crate::data::Batch;
use crate::model::Outcome;

/// Sums over batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Negative log-likelihood of the masked words, nats.
    masked_loss: f64,
    masked_right: f64,
    masked: usize,
    /// Negative log-likelihood of what follows, nats.
    next_loss: f64,
    next_right: f64,
    /// Pairs that do not follow.
    random: usize,
    pairs: usize,
}

impl Scores {
    /// Adds what `outcome` is worth on `batch`.
    pub fn add(&mut self, outcome: &Outcome, batch: &Batch) {
        let weights = &batch.weights;
        let likelihood = outcome.words.clone().gather(1, batch.words.clone()) * weights.clone();
        let right = right(&outcome.words, &batch.words) * weights.clone();
        self.masked_loss -= likelihood.sum().into_scalar::<f64>();
        self.masked_right += right.sum().into_scalar::<f64>();
        self.masked += batch.predicted;
        let likelihood = outcome.next.clone().gather(1, batch.random.clone());
        self.next_loss -= likelihood.sum().into_scalar::<f64>();
        self.next_right += self::right(&outcome.next, &batch.random).sum().into_scalar::<f64>();
        let [pairs, _] = batch.random.dims();
        self.pairs += pairs;
        self.random += batch.random_pairs;
    }

    /// Mean loss of a masked word, nats.
    pub fn masked_loss(&self) -> f64 {
        self.masked_loss / self.masked as f64
    }

    /// Share of the masked words that are the likeliest.
    pub fn masked_accuracy(&self) -> f64 {
        self.masked_right / self.masked as f64
    }

    /// Share of the pairs that are classified correctly as following or not.
    pub fn next_accuracy(&self) -> f64 {
        self.next_right / self.pairs as f64
    }

    /// The accuracy of always choosing the more frequent class. It is above one half: a stretch of a single
    /// sentence has nothing that follows, and gets a random second one.
    pub fn next_majority(&self) -> f64 {
        self.random.max(self.pairs - self.random) as f64 / self.pairs as f64
    }

    /// Pairs that were judged.
    pub const fn pairs(&self) -> usize {
        self.pairs
    }

    /// Mean loss of a pair, nats; whoever guesses has ln 2 where half of the pairs follow.
    pub fn next_loss(&self) -> f64 {
        self.next_loss / self.pairs as f64
    }

    /// What training minimises: the mean of a masked word plus the mean of a pair, nats.
    pub fn loss(&self) -> f64 {
        self.masked_loss() + self.next_loss()
    }
}

/// 1 where the likeliest is the target. `[rows, 1]`
fn right(scores: &Tensor<2>, target: &Tensor<2, Int>) -> Tensor<2> {
    scores.clone().argmax(1).equal(target.clone()).float()
}
