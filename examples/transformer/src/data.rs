//! Text → batches: sentence pairs, the vocabulary both sides share, and batches by token count.

mod batch;
mod corpus;
mod loader;
mod numbers;
mod vocabulary;

pub use batch::{Batch, padded};
pub use corpus::{Corpus, Pair};
pub use loader::TokenBatches;
pub use vocabulary::{BOS, EOS, Example, PAD, Vocabulary};
