//! The encoder–decoder that an architecture stands for.
//!
//! ```text
//! source ─► embedding + positions ─► encoder's cells ─► norm ─┐
//! target ─► embedding + positions ─► decoder's cells ─► norm ─┴► embedding transposed ─► next token
//! ```
//!
//! The data and the loss are those of the Transformer's example.

mod branch;
mod stack;

use burn::module::Module;
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, PositionalEncoding,
    PositionalEncodingConfig,
};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor};
use transformer::data::Batch;
use transformer::model::{Losses, losses};

use crate::genes::{Architecture, Dimensions};
use branch::Around;
use stack::Stack;

/// A score that leaves nothing of a token after the softmax.
const MASKED: f32 = -1e9;

/// What a model needs beside its architecture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// What does not change in a search.
    pub dimensions: Dimensions,
    /// Dropout of embeddings, attention weights and branches.
    pub dropout: f64,
    /// Longest sentence in tokens.
    pub longest: usize,
}

/// Encoder and decoder around one embedding, which also weighs the vocabulary at the output.
#[derive(Module, Debug)]
pub struct Translator {
    embedding: Embedding,
    positions: PositionalEncoding,
    dropout: Dropout,
    encoder: Stack,
    decoder: Stack,
}

impl Translator {
    /// A model with random weights on `device`.
    pub fn new(architecture: &Architecture, options: &Options, device: &Device) -> Self {
        let Dimensions { vocabulary, d_model, .. } = options.dimensions;
        let spread = (d_model as f64).powf(-0.5);
        Self {
            embedding: EmbeddingConfig::new(vocabulary, d_model)
                .with_initializer(Initializer::Normal { mean: 0.0, std: spread })
                .init(device),
            positions: PositionalEncodingConfig::new(d_model)
                .with_max_sequence_size(options.longest + 1)
                .init(device),
            dropout: DropoutConfig::new(options.dropout).init(),
            encoder: Stack::new(&architecture.encoder, options, device),
            decoder: Stack::new(&architecture.decoder, options, device),
        }
    }

    /// What a batch came to, under teacher forcing.
    pub fn losses(&self, batch: Batch) -> Losses {
        let device = batch.input.device();
        let padding = hidden_places(batch.source_pad.clone());
        let [rows, source] = batch.source.dims();
        let kept = batch.source_pad.bool_not().float().reshape([rows, source, 1]);
        let own = Around { hidden: padding.clone(), kept: Some(kept), memory: None, causal: false };
        let memory = self.encoder.forward(self.embed(batch.source), &own);

        let [_, time] = batch.input.dims();
        let later = Tensor::<2>::full([time, time], MASKED, &device).triu(1).unsqueeze();
        let own =
            Around { hidden: later, kept: None, memory: Some((memory, padding)), causal: true };
        let decoded = self.decoder.forward(self.embed(batch.input), &own);
        let log_probabilities = self.log_probabilities(decoded);
        losses(log_probabilities, batch.target, &batch.target_pad, batch.target_tokens)
    }

    /// Vectors of `ids`, with their positions. `[batch, time]` → `[batch, time, d_model]`
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let vectors = self.embedding.forward(ids);
        let [_, _, d_model] = vectors.dims();
        self.dropout.forward(self.positions.forward(vectors * (d_model as f64).sqrt()))
    }

    /// Log-probabilities of the vocabulary. `[batch, time, d_model]` → `[batch × time, vocabulary]`
    fn log_probabilities(&self, decoded: Tensor<3>) -> Tensor<2> {
        let [batch, time, d_model] = decoded.dims();
        let weights = self.embedding.weight.val().transpose();
        log_softmax(decoded.reshape([batch * time, d_model]).matmul(weights), 1)
    }
}

/// What is added to the scores so that padding is not attended to. `[batch, time]` → `[batch, 1, 1, time]`
fn hidden_places(pad: Tensor<2, Bool>) -> Tensor<4> {
    let [rows, time] = pad.dims();
    (pad.float() * MASKED).reshape([rows, 1, 1, time])
}

#[cfg(test)]
mod tests {
    use burn::module::Module as _;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use transformer::data::{EOS, Example};

    use super::*;
    use crate::genes::{Candidate, Layer, Space, evolved_transformer};

    fn options(vocabulary: usize, d_model: usize) -> Options {
        let dimensions = Dimensions { vocabulary, d_model, heads: 4 };
        Options { dimensions, dropout: 0.1, longest: 12 }
    }

    /// The seed of a small space, and some of it.
    fn some() -> (Options, Vec<Candidate>) {
        let options = options(50, 16);
        let space = Space::small(options.dimensions, 2);
        let mut rng = StdRng::seed_from_u64(4);
        let random = (0..6).map(|_| space.random(&mut rng));
        (options, std::iter::once(space.seed()).chain(random).collect())
    }

    #[test]
    fn the_formula_counts_what_is_made() {
        let (options, candidates) = some();
        for candidate in candidates {
            let model = Translator::new(candidate.architecture(), &options, &Device::flex());
            assert_eq!(model.num_params(), candidate.parameters(), "{candidate:?}");
        }
        let found = evolved_transformer();
        let options = options_of_found();
        let model = Translator::new(&found, &options, &Device::flex());
        assert_eq!(model.num_params(), options.dimensions.parameters(&found));
    }

    /// Wide enough for 16 heads.
    fn options_of_found() -> Options {
        options(50, 32)
    }

    fn loss(model: &Translator, examples: &[Example]) -> f64 {
        model.losses(Batch::new(examples.iter(), &Device::flex())).likelihood.into_scalar::<f64>()
    }

    #[test]
    fn padding_does_not_change_a_sentence() {
        let (options, mut candidates) = some();
        let mut architectures: Vec<_> =
            candidates.drain(..).map(|one| (one.architecture().clone(), options)).collect();
        architectures.push((evolved_transformer(), options_of_found()));
        let short = Example { source: vec![5, 6, EOS], target: vec![7, EOS] };
        let long = Example { source: vec![9; 10], target: vec![8, 11, 12, 13, 14, EOS] };
        for (architecture, options) in architectures {
            let model = Translator::new(&architecture, &options, &Device::flex());
            let of = |examples: &[Example]| {
                let tokens: usize = examples.iter().map(|example| example.target.len()).sum();
                loss(&model, examples) * tokens as f64
            };
            let apart = of(std::slice::from_ref(&short)) + of(std::slice::from_ref(&long));
            let together = of(&[short.clone(), long.clone()]);
            assert!((together / apart - 1.0).abs() < 1e-4, "{together} {apart}: {architecture:?}");
        }
    }

    /// A decoder with every layer in it that sees several places.
    #[test]
    fn the_future_does_not_change_the_past() {
        let options = options(50, 16);
        let layers = [
            Layer::Convolution { width: 3 },
            Layer::Separable { width: 5 },
            Layer::Lightweight { width: 7, shared: 4 },
            Layer::Attention { heads: 2 },
        ];
        for layer in layers {
            let mut architecture = crate::genes::transformer(1, 2, 4);
            architecture.decoder.blocks[0].left.layer = layer;
            let model = Translator::new(&architecture, &options, &Device::flex());
            let read = |target: Vec<u32>| {
                let example = Example { source: vec![5, 6, EOS], target };
                let batch = Batch::new([&example].into_iter(), &Device::flex());
                let time = batch.input.dims()[1];
                let memory = Tensor::zeros([1, 3, 16], &Device::flex());
                let later = Tensor::<2>::full([time, time], MASKED, &Device::flex()).triu(1);
                let own = Around {
                    hidden: later.unsqueeze(),
                    kept: None,
                    memory: Some((memory, Tensor::zeros([1, 1, 1, 3], &Device::flex()))),
                    causal: true,
                };
                let decoded = model.decoder.forward(model.embed(batch.input), &own);
                decoded.into_data().iter::<f32>().collect::<Vec<_>>()
            };
            // The decoder sees the target one to the right: these differ from its fourth place on.
            let (one, other) = (read(vec![3, 7, 9, 4, EOS]), read(vec![3, 7, 8, 4, EOS]));
            assert_eq!(one[..3 * 16], other[..3 * 16], "{layer:?}");
            assert_ne!(one[3 * 16..4 * 16], other[3 * 16..4 * 16], "{layer:?}");
        }
    }
}
