//! Word pieces.

use std::collections::{BTreeSet, HashSet};

use ahash::AHashMap;
use harness::Failure;
use tokenizers::decoders::wordpiece::WordPiece as Decoder;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{TokenizerBuilder, TokenizerImpl};

use super::Document;

/// After the end of a short pair.
pub const PAD: u32 = 0;
/// Before the first sentence of a pair; what follows is read from it.
pub const CLS: u32 = 2;
/// After each sentence of a pair.
pub const SEP: u32 = 3;
/// In place of a word that is to be predicted.
pub const MASK: u32 = 4;

/// The special tokens in the order of their numbers.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Word pieces (Wu et al., 2016) of lower-cased text, as the uncased models have them.
pub struct Vocabulary(
    TokenizerImpl<WordPiece, BertNormalizer, BertPreTokenizer, BertProcessing, Decoder>,
);

impl Vocabulary {
    /// Learns at most `most` pieces, the special ones included.
    ///
    /// # Errors
    /// When the tokenizer cannot be trained.
    pub fn train(documents: &[Document<String>], most: usize) -> Result<Self, Failure> {
        let pieces = pieces(&learned(documents, most)?, most);
        let numbered: AHashMap<String, u32> = pieces.into_iter().zip(0..).collect();
        let model = WordPiece::builder()
            .vocab(numbered)
            .unk_token("[UNK]".to_owned())
            .build()
            .map_err(Failure::run)?;
        let tokenizer = TokenizerBuilder::new()
            .with_model(model)
            .with_normalizer(Some(BertNormalizer::default()))
            .with_pre_tokenizer(Some(BertPreTokenizer))
            .with_post_processor(None::<BertProcessing>)
            .with_decoder(None::<Decoder>)
            .build()
            .map_err(Failure::run)?;
        Ok(Self(tokenizer))
    }

    /// How many pieces there are.
    pub fn len(&self) -> usize {
        self.0.get_vocab_size(true)
    }

    /// The numbers of the sentences' pieces. Sentences without any are left out, as are documents without
    /// sentences.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn number(
        &self,
        documents: &[Document<String>],
    ) -> Result<Vec<Document<Vec<u32>>>, Failure> {
        let mut numbered = Vec::with_capacity(documents.len());
        for document in documents {
            let texts = document.iter().map(String::as_str).collect();
            let encodings = self.0.encode_batch(texts, false).map_err(Failure::run)?;
            let sentences: Vec<Vec<u32>> = encodings
                .iter()
                .map(|encoding| encoding.get_ids().to_vec())
                .filter(|ids| !ids.is_empty())
                .collect();
            if !sentences.is_empty() {
                numbered.push(sentences);
            }
        }
        Ok(numbered)
    }
}

/// Where a word begins, among what is learned.
const BEGIN: char = '▁';

/// At most `most` byte pairs of words that begin with [`BEGIN`], those learned first at the front.
///
/// The library's own trainer of word pieces numbers them in the order of a hash map, so that no two runs
/// have the same; its trainer of byte pairs does not.
fn learned(documents: &[Document<String>], most: usize) -> Result<Vec<String>, Failure> {
    let mut trainer = BpeTrainer::builder().vocab_size(most).show_progress(false).build();
    let words = Sequence::new(vec![
        PreTokenizerWrapper::from(BertPreTokenizer),
        PreTokenizerWrapper::from(Metaspace::new(BEGIN, PrependScheme::Always, false)),
    ]);
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(Some(BertNormalizer::default()))
        .with_pre_tokenizer(Some(words))
        .with_post_processor(None::<BertProcessing>)
        .with_decoder(None::<Decoder>)
        .build()
        .map_err(Failure::run)?;
    tokenizer.train(&mut trainer, documents.iter().flatten()).map_err(Failure::run)?;
    let mut pieces: Vec<(String, u32)> = tokenizer.get_vocab(false).into_iter().collect();
    pieces.sort_unstable_by_key(|(_, number)| *number);
    Ok(pieces.into_iter().map(|(piece, _)| piece).collect())
}

/// The special tokens, every character at the beginning of a word and inside one, and of `learned` as many
/// as there is room for; inside a word a piece begins with `##`.
fn pieces(learned: &[String], most: usize) -> Vec<String> {
    let characters: BTreeSet<char> =
        learned.iter().flat_map(|piece| piece.chars()).filter(|&c| c != BEGIN).collect();
    let single = characters.iter().flat_map(|c| [c.to_string(), format!("##{c}")]);
    let longer = learned.iter().filter_map(|piece| match piece.strip_prefix(BEGIN) {
        Some("") => None,
        Some(word) => Some(word.to_owned()),
        None => Some(format!("##{piece}")),
    });
    let mut known = HashSet::new();
    let special = SPECIAL.into_iter().map(str::to_owned);
    special
        .chain(single)
        .chain(longer)
        .filter(|piece| known.insert(piece.clone()))
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_pieces_and_the_special_ones_come_first() {
        let text = "The baker bakes bread. The BAKER baked a cake.".to_owned();
        let documents = vec![vec![text; 20], vec![" ".to_owned()]];
        let vocabulary = Vocabulary::train(&documents, 60).unwrap();
        assert!(vocabulary.len() <= 60);
        for (number, token) in (0..).zip(SPECIAL) {
            assert_eq!(vocabulary.0.token_to_id(token), Some(number), "{token}");
        }
        let numbered = vocabulary.number(&documents).unwrap();
        assert_eq!(numbered.len(), 1, "a document without words is left out");
        let again = Vocabulary::train(&documents, 60).unwrap();
        assert_eq!(vocabulary.0.get_vocab(false), again.0.get_vocab(false));
        assert_eq!(numbered[0][0].len(), 11, "whole words, as they are frequent: {numbered:?}");
        let inside = vocabulary.number(&[vec!["breaker".to_owned()]]).unwrap();
        assert!(inside[0][0].len() > 1, "an unknown word is spelt in pieces: {inside:?}");
        let lower = vocabulary.number(&[vec!["the baker".to_owned()]]).unwrap();
        let upper = vocabulary.number(&[vec!["THE Baker".to_owned()]]).unwrap();
        assert_eq!(lower, upper);
    }
}
