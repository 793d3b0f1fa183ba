//! The model: a stack of causal attention and feed-forward layers, each normalised before.
//!
//! ```text
//! tokens ─► embedding + positions ─► block × layers ─► norm ─► embedding transposed ─► next token
//!
//! block:  x + attention(norm(x)),  x + feed-forward(norm(x))
//! ```
//!
//! As published (Radford et al., 2019, and the released `src/model.py`): one projection for queries, keys
//! and values, GELU in its tanh form, an output tied to the embedding and without bias. Weights are drawn
//! from a normal distribution of 0.02 (0.01 for positions), those that write into the residual stream from
//! one of 0.02/√(2 · layers), and biases are 0.

mod block;
mod options;

use burn::module::Module;
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig,
};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};

use block::Block;
pub use options::Options;

use crate::data::Batch;

/// Standard deviation of the weights.
const SPREAD: f64 = 0.02;
/// Standard deviation of the position vectors.
const POSITION_SPREAD: f64 = 0.01;
/// Added to the variance before its root is taken.
const NORM_EPSILON: f64 = 1e-5;
/// A score that leaves nothing of a token after the softmax.
const MASKED: f32 = -1e10;

/// The language model.
#[derive(Module, Debug)]
pub struct Gpt2 {
    tokens: Embedding,
    positions: Embedding,
    dropout: Dropout,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}

fn layer_norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_epsilon(NORM_EPSILON).init(device)
}

impl Gpt2 {
    /// A model with fresh weights.
    pub fn new(options: &Options, device: &Device) -> Self {
        let embedding = |count, spread| {
            EmbeddingConfig::new(count, options.width).with_initializer(normal(spread)).init(device)
        };
        Self {
            tokens: embedding(options.vocabulary, SPREAD),
            positions: embedding(options.context, POSITION_SPREAD),
            dropout: DropoutConfig::new(options.dropout).init(),
            blocks: (0..options.layers).map(|_| Block::new(options, device)).collect(),
            norm: layer_norm(options.width, device),
        }
    }

    /// Log-probabilities of the token after each. `[batch, time]` → `[batch × time, vocabulary]`
    fn forward(&self, input: Tensor<2, Int>) -> Tensor<2> {
        let [batch, time] = input.dims();
        let device = input.device();
        let positions = Tensor::<1, Int>::arange(0..time.cast_signed() as i64, &device).unsqueeze();
        let vectors = self.tokens.forward(input) + self.positions.forward(positions);
        let mut hidden = self.dropout.forward(vectors); // [batch, time, width]
        let later = Tensor::<2>::full([time, time], MASKED, &device).triu(1).unsqueeze();
        for block in &self.blocks {
            hidden = block.forward(hidden, &later);
        }
        let [_, _, width] = hidden.dims();
        let hidden = self.norm.forward(hidden).reshape([batch * time, width]);
        log_softmax(hidden.matmul(self.tokens.weight.val().transpose()), 1)
    }

    /// Mean negative log-likelihood a token, nats. `[1]`
    pub fn loss(&self, batch: Batch) -> Tensor<1> {
        self.forward(batch.input).gather(1, batch.target).mean().neg()
    }
}

#[cfg(test)]
impl Gpt2 {
    pub fn norm_weight(&self) -> Tensor<1> {
        self.norm.gamma.val().inner()
    }

    pub fn token_weight(&self) -> Tensor<2> {
        self.tokens.weight.val().inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { vocabulary: 20, context: 8, width: 16, heads: 4, layers: 3, dropout: 0.1 }
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn a_token_is_predicted_from_those_before_it_alone() {
        let device = Device::flex();
        let model = Gpt2::new(&options(), &device);
        let read = |ids: [[i32; 4]; 1]| values(model.forward(Tensor::from_ints(ids, &device)));
        let (one, other) = (read([[3, 7, 7, 2]]), read([[3, 7, 7, 9]]));
        assert_eq!(one[..3 * 20], other[..3 * 20], "the last token is not seen before itself");
        assert_ne!(one[3 * 20..], other[3 * 20..]);
        assert_ne!(one[20..40], one[40..60], "the same token at another place is another");
        for row in one.chunks(20) {
            let sum: f32 = row.iter().map(|log| log.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
    }

    #[test]
    fn weights_are_drawn_as_published() {
        let device = Device::flex();
        device.seed(1);
        let model = Gpt2::new(&Options { width: 256, ..options() }, &device);
        let spread = |weights: Tensor<2>| {
            let values = values(weights);
            (values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32).sqrt()
        };
        let near = |weights, expected: f32| (spread(weights) / expected - 1.0).abs() < 0.05;
        let block = &model.blocks[1];
        let scaled = 0.02 / 6_f32.sqrt(); // six writes into the residual stream
        assert!(near(model.tokens.weight.val(), 0.02));
        assert!(near(model.positions.weight.val(), 0.01));
        assert!(near(block.attention.qkv.weight.val(), 0.02));
        assert!(near(block.attention.output.weight.val(), scaled));
        assert!(near(block.contract.weight.val(), scaled));
        for bias in [&block.attention.qkv.bias, &block.contract.bias] {
            let bias = bias.as_ref().expect("a bias").val();
            assert!(values(bias).iter().all(|value| *value == 0.0));
        }
    }

    #[test]
    fn an_untrained_model_knows_nothing() {
        let device = Device::flex();
        let model = Gpt2::new(&options(), &device);
        let text: Vec<u32> = (0..40).map(|index| index * 7 % 20).collect();
        let windows = crate::data::Windows::new(&text, 8, 4);
        let loss = model.loss(windows.at(&[0, 8, 16, 24], &device)).into_scalar::<f64>();
        assert!((loss - 20_f64.ln()).abs() < 0.1, "{loss}");
    }
}
