//! Word pieces.

use harness::Failure;
use tokenizers::decoders::wordpiece::WordPiece as Decoder;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, TokenizerBuilder, TokenizerImpl};

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
        let mut trainer = WordPieceTrainer::builder()
            .vocab_size(most)
            .show_progress(false)
            .special_tokens(SPECIAL.map(|token| AddedToken::from(token, true)).to_vec())
            .build();
        let mut tokenizer = TokenizerBuilder::new()
            .with_model(WordPiece::default())
            .with_normalizer(Some(BertNormalizer::default()))
            .with_pre_tokenizer(Some(BertPreTokenizer))
            .with_post_processor(None::<BertProcessing>)
            .with_decoder(None::<Decoder>)
            .build()
            .map_err(Failure::run)?;
        tokenizer.train(&mut trainer, documents.iter().flatten()).map_err(Failure::run)?;
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
        let lower = vocabulary.number(&[vec!["the baker".to_owned()]]).unwrap();
        let upper = vocabulary.number(&[vec!["THE Baker".to_owned()]]).unwrap();
        assert_eq!(lower, upper);
    }
}
