//! How many held-out sentences a model translates without a mistake.

use burn::tensor::{Bool, Device, Int, Tensor};
use harness::Failure;

use crate::data::{Example, PAD, Vocabulary, padded};
use crate::model::Transformer;

/// Sentences translated at once.
const BATCH: usize = 200;

/// Held-out sentences with their only right translations.
pub struct ExactMatch<'a> {
    examples: Vec<(Example, String)>,
    vocabulary: &'a Vocabulary,
}

impl<'a> ExactMatch<'a> {
    /// Scores against `examples`.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn new(examples: &[Example], vocabulary: &'a Vocabulary) -> Result<Self, Failure> {
        let mut examples = examples
            .iter()
            .map(|example| Ok((example.clone(), vocabulary.decode(&example.target)?)))
            .collect::<Result<Vec<_>, Failure>>()?;
        // Sentences of like length together: little padding, and short batches end early.
        examples.sort_by_key(|(example, _)| example.target.len());
        Ok(Self { examples, vocabulary })
    }

    /// The fraction of the sentences whose greedy translation is the right one, letter by letter.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn score(&self, model: &Transformer, device: &Device) -> Result<f64, Failure> {
        let _span = ergometer::span("translate");
        let mut right = 0;
        for batch in self.examples.chunks(BATCH) {
            let source: Tensor<2, Int> =
                padded(batch.iter().map(|(example, _)| example.source.as_slice()), device);
            let pad: Tensor<2, Bool> = source.clone().equal_scalar(i64::from(PAD));
            let longest = batch.iter().map(|(example, _)| example.target.len()).max();
            let said = model.translate(source, &pad, longest.unwrap_or(0) + 1);
            for (said, (_, target)) in said.iter().zip(batch) {
                right += usize::from(self.vocabulary.decode(said)? == *target);
            }
        }
        Ok(right as f64 / self.examples.len().max(1) as f64)
    }
}
