//! What each size means: the search space, the search, and how a trial is trained.

use harness::{Hyperparameters, Size};

use crate::data::Limits;
use crate::evolution::{Hurdles, Tournament};
use crate::genes::{Dimensions, Space};

/// The sizes this search has.
pub const SIZES: &[Size] = &[Size::Smoke, Size::Tiny, Size::Small, Size::Base];

/// Everything that a size decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Width of the embedding.
    pub d_model: usize,
    /// Heads of the Transformer that the search begins from.
    heads: usize,
    /// Cells of it in encoder and decoder; `None` for the published space.
    cells: Option<usize>,
    /// What the trials learn from.
    pub limits: Limits,
    /// How evolution goes.
    pub tournament: Tournament,
    /// Trials of evolution, its first population included.
    pub trials: usize,
    /// Steps of each stretch of a trial.
    pub stretches: Vec<usize>,
    /// Children after which the next hurdle is made.
    pub every: usize,
    /// Probability that a gene is drawn again; `None` for one in the number of genes.
    rate_of_mutation: Option<f64>,
    /// Fresh seeds on which the winners are trained again.
    pub seeds: usize,
    /// Learning rate at its highest.
    pub rate: f64,
    /// Steps in which the learning rate rises.
    pub warmup: usize,
    /// Dropout of embeddings, attention weights and branches.
    pub dropout: f64,
}

impl Recipe {
    /// The recipe of one of [`SIZES`]; `exact` says that the corpus is the built-in one, whose few words need
    /// few tokens.
    pub fn of(size: Size, exact: bool) -> Self {
        let tiny = Self {
            d_model: 32,
            heads: 4,
            cells: Some(2),
            limits: Limits { vocabulary: 2000, longest: 64, tokens: 256, evaluations: 8 },
            tournament: Tournament { population: 8, sample: 3 },
            trials: 40,
            // The published stretches are 60,000, 60,000 and 120,000 steps.
            stretches: vec![40, 40, 80],
            every: 10,
            rate_of_mutation: None,
            seeds: 5,
            rate: 3e-3,
            warmup: 40,
            dropout: 0.0,
        };
        let mut recipe = match size {
            Size::Smoke => Self {
                d_model: 16,
                cells: Some(1),
                limits: Limits { vocabulary: 300, tokens: 64, evaluations: 2, ..tiny.limits },
                tournament: Tournament { population: 3, sample: 2 },
                trials: 6,
                stretches: vec![2, 2, 2],
                every: 1,
                seeds: 2,
                warmup: 2,
                ..tiny
            },
            Size::Small => Self {
                d_model: 64,
                limits: Limits { vocabulary: 4000, longest: 96, tokens: 512, evaluations: 16 },
                tournament: Tournament { population: 12, sample: 4 },
                trials: 72,
                stretches: vec![60, 60, 120],
                every: 15,
                ..tiny
            },
            Size::Base => Self {
                d_model: 512,
                heads: 8,
                cells: None,
                limits: Limits { vocabulary: 33_288, longest: 256, tokens: 4096, evaluations: 64 },
                tournament: Tournament { population: 100, sample: 30 },
                trials: 15_000,
                stretches: vec![60_000, 60_000, 120_000],
                // Not published: a third of the trials.
                every: 5000,
                rate_of_mutation: Some(0.025),
                rate: 7e-4,
                warmup: 4000,
                dropout: 0.1,
                ..tiny
            },
            _ => tiny,
        };
        if exact {
            recipe.limits.vocabulary = recipe.limits.vocabulary.min(400);
        }
        recipe
    }

    /// Takes the user's hyperparameters.
    pub fn tune(&mut self, hyper: &Hyperparameters) {
        hyper.apply(&mut self.rate, &mut self.limits.tokens, &mut self.dropout);
        self.warmup = hyper.warmup(self.warmup);
    }

    /// Trains every trial to the end at once.
    pub fn without_hurdles(&mut self) {
        self.stretches = vec![self.stretches.iter().sum()];
    }

    /// Steps of a trial that passes every hurdle.
    pub fn longest(&self) -> usize {
        self.stretches.iter().sum()
    }

    /// The hurdles at the beginning of a search.
    pub fn hurdles(&self) -> Hurdles {
        Hurdles::new(self.stretches.clone(), self.every)
    }

    /// The search space over a vocabulary.
    pub fn space(&self, vocabulary: usize) -> Space {
        let dimensions = Dimensions { vocabulary, d_model: self.d_model, heads: self.heads };
        match self.cells {
            Some(cells) => Space::small(dimensions, cells),
            None => Space::published(dimensions),
        }
    }

    /// Probability that a gene of `space` is drawn again.
    pub fn rate_of_mutation(&self, space: &Space) -> f64 {
        self.rate_of_mutation.unwrap_or(1.0 / space.genes() as f64)
    }

    /// The learning rate of a step, counted from 0: a linear rise, then the inverse root. It does not depend on how far
    /// the trial will be trained, which nobody knows yet.
    pub fn rate_at(&self, step: usize) -> f64 {
        let (step, warmup) = ((step + 1) as f64, self.warmup.max(1) as f64);
        self.rate * (step / warmup).min((warmup / step).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_with_the_root() {
        let recipe = Recipe { rate: 1.0, warmup: 4, ..Recipe::of(Size::Tiny, true) };
        let rates = [0, 1, 3, 15].map(|step| recipe.rate_at(step));
        let near = |(rate, expected): (f64, f64)| (rate - expected).abs() < 1e-12;
        assert!(rates.into_iter().zip([0.25, 0.5, 1.0, 0.5]).all(near), "{rates:?}");
        assert!(Recipe { warmup: 0, ..recipe }.rate_at(0).is_finite());
    }

    #[test]
    fn every_size_has_a_space_that_has_its_seed() {
        for size in SIZES {
            let recipe = Recipe::of(*size, false);
            let space = recipe.space(recipe.limits.vocabulary);
            assert!(space.seed().architecture().is_sound(), "{size}");
            assert!(recipe.tournament.sample <= recipe.tournament.population, "{size}");
            assert!(recipe.trials > recipe.tournament.population, "{size}");
            assert!((0.0..1.0).contains(&recipe.rate_of_mutation(&space)), "{size}");
        }
    }

    /// Without hurdles 3.6 billion steps; with them 979 million, most of them of trials that were cut at the first.
    #[test]
    fn the_published_search_is_as_long_as_published() {
        let recipe = Recipe::of(Size::Base, false);
        assert_eq!(recipe.trials * recipe.longest(), 3_600_000_000);
        assert_eq!(recipe.trials * recipe.stretches[0], 900_000_000);
        let space = recipe.space(recipe.limits.vocabulary);
        assert!((space.size() / 7.2959e115 - 1.0).abs() < 1e-5);
    }
}
