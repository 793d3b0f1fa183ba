//! One vocabulary of byte pairs for both languages.

use harness::Failure;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::NFC;
use tokenizers::{AddedToken, TokenizerBuilder, TokenizerImpl};

use super::Pair;

/// Id of the padding after a short sentence.
pub const PAD: u32 = 0;
/// Id of the token that a translation starts from.
pub const BOS: u32 = 1;
/// Id of the token that ends a sentence.
pub const EOS: u32 = 2;

/// A pair of sentences as ids, each ended by [`EOS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Ids of the sentence to translate.
    pub source: Vec<u32>,
    /// Ids of its translation.
    pub target: Vec<u32>,
}

/// Byte-pair encoding (Sennrich et al., 2016) over bytes, so that no text is outside it.
pub struct Vocabulary(TokenizerImpl<BPE, NFC, ByteLevel, ByteLevel, ByteLevel>);

impl Vocabulary {
    /// Learns at most `size` tokens from both sides of `pairs`.
    ///
    /// # Errors
    /// When the tokenizer cannot be trained.
    pub fn train(pairs: &[Pair], size: usize) -> Result<Self, Failure> {
        let special = ["<pad>", "<s>", "</s>"];
        let mut trainer = BpeTrainer::builder()
            .vocab_size(size)
            .show_progress(false)
            .special_tokens(special.map(|token| AddedToken::from(token, true)).to_vec())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        let mut tokenizer = TokenizerBuilder::new()
            .with_model(BPE::default())
            .with_normalizer(Some(NFC))
            .with_pre_tokenizer(Some(ByteLevel::default()))
            .with_post_processor(Some(ByteLevel::default()))
            .with_decoder(Some(ByteLevel::default()))
            .build()
            .map_err(Failure::run)?;
        let sentences = pairs.iter().flat_map(|pair| [&pair.source, &pair.target]);
        tokenizer.train(&mut trainer, sentences).map_err(Failure::run)?;
        Ok(Self(tokenizer))
    }

    /// How many tokens there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.get_vocab_size(true)
    }

    /// The ids of `pairs`, without those longer than `longest` tokens on either side.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn examples(&self, pairs: &[Pair], longest: usize) -> Result<Vec<Example>, Failure> {
        let sources = self.encode(pairs.iter().map(|pair| pair.source.as_str()))?;
        let targets = self.encode(pairs.iter().map(|pair| pair.target.as_str()))?;
        let examples =
            sources.into_iter().zip(targets).map(|(source, target)| Example { source, target });
        Ok(examples
            .filter(|example| example.source.len().max(example.target.len()) <= longest)
            .collect())
    }

    fn encode<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Vec<Vec<u32>>, Failure> {
        let encodings = self.0.encode_batch(texts.collect(), false).map_err(Failure::run)?;
        Ok(encodings
            .into_iter()
            .map(|encoding| encoding.get_ids().iter().copied().chain([EOS]).collect())
            .collect())
    }

    /// The text that `ids` stand for, up to their end.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Failure> {
        let end = ids.iter().position(|id| *id == EOS).unwrap_or(ids.len());
        let text = self.0.decode(&ids[..end], true).map_err(Failure::run)?;
        Ok(text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_and_both_languages_share_their_tokens() {
        let pair = |source: &str, target: &str| Pair {
            source: source.to_owned(),
            target: target.to_owned(),
        };
        let pairs =
            [pair("one hundred", "einhundert"), pair("a hundred dogs", "hundert große Hunde")];
        let vocabulary = Vocabulary::train(&pairs, 300).unwrap();
        assert!(vocabulary.size() <= 300);
        // "日" was never seen: it is spelt in bytes.
        let examples = vocabulary.examples(&[pair("日 hundred", "hundert")], 50).unwrap();
        assert_eq!(vocabulary.decode(&examples[0].source).unwrap(), "日 hundred");
        assert_eq!(vocabulary.decode(&examples[0].target).unwrap(), "hundert");
        assert_eq!(examples[0].target.last(), Some(&EOS));
        assert!(vocabulary.examples(&pairs, 2).unwrap().is_empty());
    }
}
