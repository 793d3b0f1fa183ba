//! Words → numbers.

use std::collections::HashMap;

use super::alphabet::{Alphabet, BEGIN, END};
use harness::english::Sentence;

use super::Split;

/// Target of a word outside the vocabulary; the model still reads its characters.
const UNKNOWN: i32 = 2;
/// Targets before the first word: sentence begin, sentence end, unknown.
const SPECIAL: usize = 3;

/// A text as numbers: every distinct word once, and sentences as indices into them.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// Training sentences, marks included.
    pub train: Vec<Vec<u32>>,
    /// Held-out sentences, marks included.
    pub valid: Vec<Vec<u32>>,
    /// Character ids of every distinct word, `word_length` each.
    characters: Vec<i32>,
    word_length: usize,
    /// Vocabulary id of every distinct word.
    targets: Vec<i32>,
    vocabulary: usize,
}

impl Corpus {
    /// Numbers the words of `split`; the vocabulary is the `limit` most frequent words of the
    /// training part, most frequent first (as the log-uniform sampler wants them).
    pub fn new(split: &Split, limit: usize, word_length: usize) -> Self {
        let vocabulary = most_frequent(&split.train, limit.saturating_sub(SPECIAL));
        let alphabet = Alphabet::new(word_length);
        let mut corpus = Self {
            train: Vec::new(),
            valid: Vec::new(),
            characters: Vec::new(),
            word_length,
            targets: Vec::new(),
            vocabulary: SPECIAL + vocabulary.len(),
        };
        let mut forms = HashMap::new();
        corpus.train = corpus.number(&split.train, &mut forms, &vocabulary, alphabet);
        corpus.valid = corpus.number(&split.valid, &mut forms, &vocabulary, alphabet);
        corpus
    }

    fn number<'a>(
        &mut self,
        sentences: &'a [Sentence],
        forms: &mut HashMap<&'a str, u32>,
        vocabulary: &HashMap<&str, i32>,
        alphabet: Alphabet,
    ) -> Vec<Vec<u32>> {
        let mut number = |word: &'a str| {
            *forms.entry(word).or_insert_with(|| {
                let index = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
                self.targets.push(match word {
                    BEGIN => 0,
                    END => 1,
                    _ => vocabulary.get(word).copied().unwrap_or(UNKNOWN),
                });
                self.characters.extend(alphabet.encode(word));
                index
            })
        };
        let mut numbered = Vec::with_capacity(sentences.len());
        for sentence in sentences {
            let words = sentence.iter().map(String::as_str);
            let marked = std::iter::once(BEGIN).chain(words).chain(std::iter::once(END));
            numbered.push(marked.map(&mut number).collect());
        }
        numbered
    }

    /// Character ids of a distinct word.
    pub fn characters(&self, word: u32) -> &[i32] {
        &self.characters[word as usize * self.word_length..][..self.word_length]
    }

    /// Vocabulary id of a distinct word.
    pub fn target(&self, word: u32) -> i32 {
        self.targets[word as usize]
    }

    /// Words of the softmax, the three special ones included.
    pub const fn vocabulary(&self) -> usize {
        self.vocabulary
    }
}

/// The `limit` most frequent words with their ids, from [`SPECIAL`] on; among equals the
/// alphabet decides.
fn most_frequent(sentences: &[Sentence], limit: usize) -> HashMap<&str, i32> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for word in sentences.iter().flatten() {
        *counts.entry(word).or_default() += 1;
    }
    let mut words: Vec<(&str, u64)> = counts.into_iter().collect();
    words.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
    words.into_iter().take(limit).map(|(word, _)| word).zip(UNKNOWN + 1..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokenise;

    #[test]
    fn the_vocabulary_is_the_most_frequent_training_words() {
        let split = Split {
            train: vec![tokenise("b a b c"), tokenise("b a")],
            valid: vec![tokenise("d d d d b")],
        };
        let corpus = Corpus::new(&split, 5, 8);
        assert_eq!(corpus.vocabulary(), 5);
        let targets = |sentence: &[u32]| -> Vec<i32> {
            sentence.iter().map(|&word| corpus.target(word)).collect()
        };
        assert_eq!(targets(&corpus.train[0]), [0, 3, 4, 3, UNKNOWN, 1]);
        assert_eq!(targets(&corpus.valid[0]), [0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, 3, 1]);
        // Outside the vocabulary `c` and `d` share a target, but not their characters.
        let (c, d) = (corpus.train[0][4], corpus.valid[0][1]);
        assert_ne!(corpus.characters(c), corpus.characters(d));
        assert_eq!(corpus.characters(c), Alphabet::new(8).encode("c"));
    }
}
