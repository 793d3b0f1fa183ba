//! Text → tokens → windows.

mod tokens;
mod windows;

use harness::{Failure, english};

pub use tokens::Tokens;
pub use windows::{Batch, Windows};

/// Share of the text that is held out, from its end, as nanoGPT does.
const HELD_OUT: f64 = 0.1;

/// A text as numbers.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What the model learns from.
    pub train: Vec<u32>,
    /// What the loss is measured on.
    pub valid: Vec<u32>,
    /// Different tokens.
    pub vocabulary: usize,
}

impl Corpus {
    /// Splits `text` and numbers its tokens, of which there are at most `vocabulary` where they are
    /// learned.
    ///
    /// # Errors
    /// When no tokenizer can be learned from the text.
    pub fn new(text: &str, tokens: Tokens, vocabulary: usize) -> Result<Self, Failure> {
        let (train, valid) = text.split_at(held_out(text));
        let (numbered, vocabulary) = tokens.number(&[train, valid], vocabulary)?;
        let [train, valid] = numbered.try_into().unwrap_or_default();
        Ok(Self { train, valid, vocabulary })
    }

    /// Whether both parts have a window of `context` tokens and the token after it.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the numbers.
    pub fn check(&self, context: usize) -> Result<(), Failure> {
        let shorter = self.train.len().min(self.valid.len());
        if shorter > context {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "a part of the text has {shorter} tokens; the training and the held-out part need at \
             least {} each",
            context + 1
        )))
    }
}

/// Where the held-out part begins: at a character.
fn held_out(text: &str) -> usize {
    let characters = text.chars().count();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
    let train = (characters as f64 * (1.0 - HELD_OUT)) as usize;
    text.char_indices().nth(train).map_or(text.len(), |(index, _)| index)
}

/// Generated English, a sentence a line.
pub fn generated(seed: u64, sentences: usize) -> String {
    let (sentences, _) = english::sentences(seed, sentences, 0);
    sentences.iter().map(|sentence| sentence.join(" ") + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tenth_is_held_out_and_no_character_is_cut() {
        let text = "äöüß".repeat(25);
        let corpus = Corpus::new(&text, Tokens::Characters, 0).unwrap();
        assert_eq!((corpus.train.len(), corpus.valid.len(), corpus.vocabulary), (90, 10, 4));
        assert_eq!(corpus.train[..5], [1, 2, 3, 0, 1], "ä ö ü ß in the order of Unicode");
        assert!(corpus.check(9).is_ok());
        let refused = corpus.check(10).unwrap_err().to_string();
        assert!(refused.contains("has 10 tokens") && refused.contains("at least 11"), "{refused}");
    }

    #[test]
    fn the_seed_decides_the_generated_text() {
        assert_eq!(generated(1, 20), generated(1, 20));
        assert_ne!(generated(1, 20), generated(2, 20));
        assert_eq!(generated(1, 20).lines().count(), 20);
    }
}
