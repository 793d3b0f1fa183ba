//! Characters or byte pairs → numbers.

use std::collections::BTreeSet;

use clap::ValueEnum;
use harness::Failure;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::NFC;
use tokenizers::{Encoding, TokenizerBuilder, TokenizerImpl};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tokens {
    /// A character of the text, as in nanoGPT's small recipes
    Characters,
    /// A byte pair, learned from the training part, as in GPT-2
    Bytes,
}

type Pairs = TokenizerImpl<BPE, NFC, ByteLevel, ByteLevel, ByteLevel>;

impl Tokens {
    /// The numbers of each part's tokens, and how many different tokens there are: all characters of
    /// all parts, or at most `most` byte pairs, learned from the first part.
    pub fn number(self, parts: &[&str], most: usize) -> Result<(Vec<Vec<u32>>, usize), Failure> {
        match self {
            Self::Characters => Ok(characters(parts)),
            Self::Bytes => bytes(parts, most),
        }
    }
}

fn characters(parts: &[&str]) -> (Vec<Vec<u32>>, usize) {
    let known: BTreeSet<char> = parts.iter().flat_map(|part| part.chars()).collect();
    let known: Vec<char> = known.into_iter().collect();
    let number = |character: char| {
        let index = known.binary_search(&character).unwrap_or_default();
        u32::try_from(index).unwrap_or(u32::MAX)
    };
    (parts.iter().map(|part| part.chars().map(number).collect()).collect(), known.len())
}

fn bytes(parts: &[&str], most: usize) -> Result<(Vec<Vec<u32>>, usize), Failure> {
    let mut trainer = BpeTrainer::builder()
        .vocab_size(most)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    // GPT-2 adds no space before the first word.
    let level = ByteLevel::new(false, true, true);
    let mut tokenizer: Pairs = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(Some(NFC))
        .with_pre_tokenizer(Some(level))
        .with_post_processor(Some(level))
        .with_decoder(Some(level))
        .build()
        .map_err(Failure::run)?;
    let lines = |part: &&str| part.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let first = parts.first().map(lines).unwrap_or_default();
    tokenizer.train(&mut trainer, first.iter()).map_err(Failure::run)?;
    let mut numbered = Vec::with_capacity(parts.len());
    for part in parts {
        let lines = tokenizer.encode_batch(lines(part), false).map_err(Failure::run)?;
        numbered.push(lines.iter().flat_map(Encoding::get_ids).copied().collect());
    }
    Ok((numbered, tokenizer.get_vocab_size(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_pairs_hold_any_text_and_are_learned_from_the_first_part() {
        let train = "the cat and the hat\n".repeat(50);
        let (numbered, vocabulary) = Tokens::Bytes.number(&[&train, "日 the cat\n"], 300).unwrap();
        assert!((256..=300).contains(&vocabulary), "{vocabulary}");
        let (train, valid) = (&numbered[0], &numbered[1]);
        assert!(train.len() < 50 * 8, "frequent words are one token: {}", train.len());
        // Three bytes, a space with "the", one with "cat", the end of the line.
        assert_eq!(valid.len(), 6, "{valid:?}");
        assert!(train.iter().chain(valid).all(|&id| (id as usize) < vocabulary));
    }
}
