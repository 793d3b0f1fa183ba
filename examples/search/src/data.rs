//! The Transformer's sentence pairs, as the batches that every trial of a search learns from and is judged by.

use burn::data::dataloader::DataLoader as _;
use burn::tensor::Device;
use harness::Failure;
use transformer::data::{Batch, Corpus, TokenBatches, Vocabulary};

/// Seed of the choice of held-out batches: the same for every trial of every search.
const HELD_OUT_SEED: u64 = 0x000e_7a10;

/// What trials learn from and are judged by.
pub struct Data {
    train: TokenBatches,
    /// Held-out batches, on the device without gradients.
    pub valid: Vec<Batch>,
    /// Tokens of the vocabulary that both sides share.
    pub vocabulary: usize,
}

impl Data {
    /// Batches of at most `tokens` tokens a side of sentences of at most `longest`, and `evaluations` held-out ones,
    /// over a vocabulary of at most `vocabulary` tokens.
    ///
    /// # Errors
    /// [`Failure::Usage`] where no sentence is short enough; [`Failure::Run`] where the tokenizer fails.
    pub fn new(
        corpus: &Corpus,
        Limits { vocabulary, longest, tokens, evaluations }: Limits,
        device: &Device,
    ) -> Result<Self, Failure> {
        let vocabulary = Vocabulary::train(&corpus.train, vocabulary)?;
        let train = vocabulary.examples(&corpus.train, longest)?;
        let valid = vocabulary.examples(&corpus.valid, longest)?;
        if train.is_empty() || valid.is_empty() {
            return Err(Failure::usage(format!(
                "no sentence pair of {} has at most {longest} tokens a side",
                corpus.name
            )));
        }
        // Batches are in the order of their length until they are shuffled.
        let valid = TokenBatches::new(valid, tokens, device).shuffled(HELD_OUT_SEED);
        let valid = valid.iter().take(evaluations).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            train: TokenBatches::new(train, tokens, &device.clone().autodiff()),
            valid: valid.map_err(Failure::run)?,
            vocabulary: vocabulary.size(),
        })
    }

    /// The training batches in an order of their own.
    pub fn in_order_of(&self, seed: u64) -> TokenBatches {
        self.train.clone().shuffled(seed)
    }
}

/// Sizes of a [`Data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most tokens of the vocabulary.
    pub vocabulary: usize,
    /// Longest sentence, tokens.
    pub longest: usize,
    /// Tokens a side in a batch, padding included.
    pub tokens: usize,
    /// Held-out batches.
    pub evaluations: usize,
}
