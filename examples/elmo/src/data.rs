//! Text → sentences → numbered words → batches of both directions.

mod alphabet;
mod batches;
mod text;
mod vocabulary;

#[cfg(test)]
pub use alphabet::Alphabet;
pub use batches::{Batch, Batches};
pub use text::{TextError, held_out, tokenise};
pub use vocabulary::Corpus;

use harness::Fingerprint;
use harness::english::{self, Sentence};

/// Training and held-out sentences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// What the model learns from; the vocabulary is counted here.
    pub train: Vec<Sentence>,
    /// What perplexity is measured on.
    pub valid: Vec<Sentence>,
}

impl Split {
    /// Of every word, where sentences end, and what is held out.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        for sentences in [&self.train, &self.valid] {
            for sentence in sentences {
                for word in sentence {
                    fingerprint.text(word);
                }
                // No word is empty: this ends a sentence.
                fingerprint.text("");
            }
            fingerprint.text("");
        }
        fingerprint.hex()
    }
}

/// `train` + `valid` generated sentences of English; no sentence is in both parts.
pub fn generated(seed: u64, train: usize, valid: usize) -> Split {
    let (train, valid) = english::sentences(seed, train, valid);
    Split { train, valid }
}
