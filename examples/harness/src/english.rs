//! Generated English: the built-in corpus of the language models.

mod grammar;
mod lexicon;

pub use grammar::{documents, sentences};

/// A sentence as words and punctuation.
pub type Sentence = Vec<String>;
