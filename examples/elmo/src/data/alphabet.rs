//! Words as characters: the bytes of their UTF-8 between two marks.

/// Id 0 is the mask that the released models reserve; byte `b` is `b + 1`.
const BYTES_FROM: i32 = 1;
const SENTENCE_BEGIN: i32 = 257;
const SENTENCE_END: i32 = 258;
const WORD_BEGIN: i32 = 259;
const WORD_END: i32 = 260;
const PADDING: i32 = 261;

/// The word that begins a sentence.
pub const BEGIN: &str = "<S>";
/// The word that ends a sentence.
pub const END: &str = "</S>";

/// Encodes words as rows of equal length.
#[derive(Clone, Copy, Debug)]
pub struct Alphabet {
    word_length: usize,
}

impl Alphabet {
    /// An alphabet for words of `word_length` ids, their two marks included.
    pub const fn new(word_length: usize) -> Self {
        Self { word_length }
    }

    /// The ids of `word`; what does not fit is cut off, what is short is padded.
    pub fn encode(self, word: &str) -> Vec<i32> {
        let mut ids = vec![WORD_BEGIN];
        match word {
            BEGIN => ids.push(SENTENCE_BEGIN),
            END => ids.push(SENTENCE_END),
            _ => {
                let bytes = word.bytes().take(self.word_length - 2);
                ids.extend(bytes.map(|byte| i32::from(byte) + BYTES_FROM));
            }
        }
        ids.push(WORD_END);
        ids.resize(self.word_length, PADDING);
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Options;

    #[test]
    fn a_word_is_its_bytes_between_marks() {
        assert_eq!(Alphabet::new(6).encode("ab"), [259, 98, 99, 260, 261, 261]);
        // U+00E9 is the bytes C3 A9.
        assert_eq!(Alphabet::new(6).encode("é"), [259, 0xC4, 0xAA, 260, 261, 261]);
    }

    #[test]
    fn long_words_keep_both_marks() {
        assert_eq!(Alphabet::new(5).encode("abcdef"), [259, 98, 99, 100, 260]);
    }

    #[test]
    fn sentence_marks_are_words_of_their_own() {
        assert_eq!(Alphabet::new(4).encode(BEGIN), [259, 257, 260, 261]);
        assert_eq!(Alphabet::new(4).encode(END), [259, 258, 260, 261]);
    }

    #[test]
    fn every_id_is_in_the_models_embedding() {
        let bytes: String = (0..=255_u8).map(char::from).collect();
        let ids = Alphabet::new(600).encode(&bytes);
        assert_eq!(ids.len(), 600);
        let alphabet = i32::try_from(crate::model::ALPHABET).expect("a few hundred");
        assert!(ids.iter().all(|id| (1..alphabet).contains(id)));
        assert_eq!(ids.iter().max(), Some(&(alphabet - 1)));
        assert_eq!(Options::paper().word_length, 50);
    }
}
