//! Plain text, a sentence a line.

use std::fmt;

use harness::english::Sentence;

use super::Split;

/// Share of the lines that are held out, from the end of the text.
const HELD_OUT: f64 = 0.05;

/// Why a text cannot be trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    /// There is no sentence to learn from, or none left to measure on.
    TooFewLines {
        /// Lines with at least one word.
        lines: usize,
    },
    /// A part is shorter than a window.
    TooFewWords {
        /// Words and marks of that part.
        words: usize,
        /// Words of the shortest window.
        needed: usize,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewLines { lines } => write!(
                f,
                "the text has {lines} lines with words; at least 2 are needed, \
                 one to train on and one to hold out"
            ),
            Self::TooFewWords { words, needed } => write!(
                f,
                "a part of the text has {words} words; the training and the held-out part \
                 need at least {needed} each"
            ),
        }
    }
}

/// Splits a line into words and punctuation: `"don't, sir!"` is `don't`, `,`, `sir`, `!`.
///
/// Apostrophes and hyphens inside a word belong to it.
pub fn tokenise(line: &str) -> Sentence {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let joins = matches!(character, '\'' | '’' | '-')
            && !word.is_empty()
            && characters.peek().is_some_and(|next| next.is_alphanumeric());
        if character.is_alphanumeric() || joins {
            word.push(character);
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !character.is_whitespace() {
            words.push(character.to_string());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Splits sentences into a training part and the last few percent, held out.
pub fn held_out(mut sentences: Vec<Sentence>) -> Result<Split, TextError> {
    sentences.retain(|sentence| !sentence.is_empty());
    if sentences.len() < 2 {
        return Err(TextError::TooFewLines { lines: sentences.len() });
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
    let held = ((sentences.len() as f64 * HELD_OUT).ceil() as usize).max(1);
    let valid = sentences.split_off(sentences.len() - held);
    Ok(Split { train: sentences, valid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_is_words_of_its_own() {
        let words = tokenise("  \"Well-met, don't go -- 'tis 3 o'clock!\"  ");
        let expected = "\" Well-met , don't go - - ' tis 3 o'clock ! \"";
        assert_eq!(words, expected.split(' ').collect::<Vec<_>>());
        assert!(tokenise(" \t ").is_empty());
    }

    #[test]
    fn the_end_of_the_text_is_held_out() {
        let lines: Vec<Sentence> = (0..100).map(|line| vec![line.to_string()]).collect();
        let split = held_out(lines).expect("enough lines");
        assert_eq!((split.train.len(), split.valid.len()), (95, 5));
        assert_eq!(split.valid[0], ["95"]);
        assert_eq!(
            held_out(vec![Vec::new(), vec!["one".to_owned()]]),
            Err(TextError::TooFewLines { lines: 1 })
        );
    }
}
