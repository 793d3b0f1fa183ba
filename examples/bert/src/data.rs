//! Documents → word pieces → pairs of sentences with masked words → batches.

mod batch;
mod instances;
mod vocabulary;

use harness::{Failure, Fingerprint, english};

pub use batch::Batch;
pub use instances::{Instances, Shape};
pub use vocabulary::{PAD, Vocabulary};

/// Share of the documents that are held out where no file is.
const HELD_OUT: f64 = 0.05;

/// A document: its sentences, one after the other.
pub type Document<S> = Vec<S>;

/// Documents to learn from and documents held out.
#[derive(Clone, Debug, PartialEq)]
pub struct Documents {
    train: Vec<Document<String>>,
    valid: Vec<Document<String>>,
}

impl Documents {
    /// Two documents at least on each side: the sentence that does not follow is from another one.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there are fewer.
    pub fn new(
        train: Vec<Document<String>>,
        valid: Vec<Document<String>>,
    ) -> Result<Self, Failure> {
        let fewest = train.len().min(valid.len());
        if fewest < 2 {
            return Err(Failure::usage(format!(
                "{} documents to train on and {} held out; at least 2 each are needed, with a blank \
                 line between them",
                train.len(),
                valid.len()
            )));
        }
        Ok(Self { train, valid })
    }

    /// Of every sentence, where documents end, and what is held out.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        for documents in [&self.train, &self.valid] {
            for document in documents {
                for sentence in document {
                    fingerprint.text(sentence);
                }
                // No sentence is empty: this ends a document.
                fingerprint.text("");
            }
            fingerprint.text("");
        }
        fingerprint.hex()
    }

    /// The last of `documents` are held out.
    ///
    /// # Errors
    /// As [`Documents::new`].
    pub fn held_out(mut documents: Vec<Document<String>>) -> Result<Self, Failure> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
        let held = ((documents.len() as f64 * HELD_OUT).ceil() as usize).max(2);
        let valid = documents.split_off(documents.len().saturating_sub(held));
        Self::new(documents, valid)
    }
}

/// The documents of a text: a sentence a line, a blank line after each document.
pub fn documents(lines: &[String]) -> Vec<Document<String>> {
    lines
        .split(|line| line.trim().is_empty())
        .filter(|document| !document.is_empty())
        .map(<[String]>::to_vec)
        .collect()
}

/// Generated documents of one theme each.
pub fn generated(seed: u64, count: usize) -> Vec<Document<String>> {
    let document = |sentences: Vec<english::Sentence>| {
        sentences.iter().map(|sentence| sentence.join(" ")).collect()
    };
    english::documents(seed, count).into_iter().map(document).collect()
}

/// Documents as numbers.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What the model learns from.
    pub train: Vec<Document<Vec<u32>>>,
    /// What quality is measured on.
    pub valid: Vec<Document<Vec<u32>>>,
    /// Different tokens.
    pub vocabulary: usize,
}

impl Corpus {
    /// Learns a vocabulary of at most `most` word pieces from the training documents and numbers all.
    ///
    /// # Errors
    /// When no vocabulary can be learned.
    pub fn new(documents: &Documents, most: usize) -> Result<Self, Failure> {
        let vocabulary = Vocabulary::train(&documents.train, most)?;
        Ok(Self {
            train: vocabulary.number(&documents.train)?,
            valid: vocabulary.number(&documents.valid)?,
            vocabulary: vocabulary.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_line_ends_a_document() {
        let lines = ["", "a", "b", "", " ", "c", "d", "e"].map(str::to_owned);
        assert_eq!(documents(&lines), [vec!["a", "b"], vec!["c", "d", "e"]]);
    }

    #[test]
    fn fewer_than_two_documents_on_a_side_are_refused() {
        let document = || vec!["one".to_owned()];
        assert!(Documents::held_out(vec![document(); 4]).is_ok());
        for documents in [0, 1, 3] {
            let refused = Documents::held_out(vec![document(); documents]).unwrap_err();
            assert!(refused.to_string().contains("at least 2 each"), "{refused}");
        }
        let split = Documents::held_out(vec![document(); 100]).unwrap();
        assert_eq!((split.train.len(), split.valid.len()), (95, 5));
    }
}
