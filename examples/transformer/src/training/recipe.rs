//! What each size means: the model's dimensions and how it is trained.

use harness::{Hyperparameters, Size};

use crate::model::ModelConfig;

/// The sizes this model has.
pub const SIZES: &[Size] = &[Size::Smoke, Size::Tiny, Size::Small, Size::Base, Size::Big];

/// Everything that a size decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// The model; its vocabulary is an upper limit until the tokenizer is trained.
    pub model: ModelConfig,
    /// Tokens a side in a batch, padding included.
    pub batch_tokens: usize,
    /// Batches whose gradients are added up to one update.
    pub accumulation: Option<usize>,
    /// Passes over the training data.
    pub epochs: usize,
    /// Batches an epoch at most.
    pub steps: Option<usize>,
    /// Updates in which the learning rate rises.
    pub warmup: usize,
    /// Scale of the learning rate; 1 in the paper.
    pub rate: f64,
}

impl Recipe {
    /// The recipe of one of [`SIZES`]; `exact` says that the corpus is the built-in one, whose few words need
    /// few tokens.
    pub fn new(size: Size, exact: bool) -> Self {
        let (batch_tokens, accumulation, epochs, steps, warmup, rate) = match size {
            Size::Smoke => (128, None, 2, Some(4), 4, 0.3),
            Size::Tiny => (512, None, 6, Some(200), 150, 0.4),
            Size::Small => (4096, None, 20, Some(500), 1000, 1.0),
            // 25,000 tokens a side and an update, as eight parts: the paper had eight GPUs.
            // 100,000 updates of base and 300,000 of big.
            Size::Base => (3125, Some(8), 40, Some(20_000), 4000, 1.0),
            _ => (3125, Some(8), 120, Some(20_000), 4000, 1.0),
        };
        Self { model: model(size, exact), batch_tokens, accumulation, epochs, steps, warmup, rate }
    }
}

impl Recipe {
    /// Takes the user's hyperparameters.
    pub fn tune(&mut self, hyper: &Hyperparameters) {
        hyper.apply(&mut self.rate, &mut self.batch_tokens, &mut self.model.dropout);
        self.warmup = hyper.warmup(self.warmup);
    }
}

const fn model(size: Size, exact: bool) -> ModelConfig {
    let (d_model, d_ff, heads, layers, dropout, vocabulary, longest) = match size {
        Size::Smoke => (32, 64, 2, 1, 0.0, 300, 64),
        Size::Tiny => (128, 512, 4, 2, 0.0, 4000, 96),
        Size::Small => (256, 1024, 4, 3, 0.1, 8000, 128),
        Size::Base => (512, 2048, 8, 6, 0.1, 37_000, 256),
        _ => (1024, 4096, 16, 6, 0.3, 37_000, 256),
    };
    let vocabulary = if exact && vocabulary > 400 { 400 } else { vocabulary };
    ModelConfig { vocabulary, d_model, d_ff, heads, layers, dropout, longest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_and_big_have_the_papers_parameters() {
        // 65 and 213 million in table 3 of the paper, which had a somewhat larger vocabulary for
        // base; 63.1 and 214.2 million by the formula at 37,000.
        let millions = |size| Recipe::new(size, false).model.parameters() as f64 / 1e6;
        assert!((millions(Size::Base) - 63.1).abs() < 0.05, "{}", millions(Size::Base));
        assert!((millions(Size::Big) - 214.2).abs() < 0.2, "{}", millions(Size::Big));
    }

    #[test]
    fn operations_are_those_of_the_matrix_products() {
        let flops = |size, rows| Recipe::new(size, false).model.training_flops(rows, 64, 64);
        assert_eq!(flops(Size::Base, 1), 24_638_914_560);
        assert_eq!(flops(Size::Big, 1), 83_100_696_576);
        assert_eq!(flops(Size::Big, 3), 3 * 83_100_696_576);
        // 25,000 tokens a side and 100,000 updates: 9.62e17, by Vaswani et al. estimated as 3.3e18.
        let training = 25_000.0 / 64.0 * flops(Size::Base, 1) as f64 * 1e5;
        assert!((training / 9.62e17 - 1.0).abs() < 1e-3, "{training}");
    }

    #[test]
    fn base_and_big_make_the_papers_updates() {
        let updates = |size| {
            let recipe = Recipe::new(size, false);
            recipe.epochs * recipe.steps.unwrap() / recipe.accumulation.unwrap()
        };
        assert_eq!((updates(Size::Base), updates(Size::Big)), (100_000, 300_000));
    }
}
