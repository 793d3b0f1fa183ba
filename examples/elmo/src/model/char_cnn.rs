//! Characters → a word's representation.

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{Embedding, EmbeddingConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Int, Tensor};

use super::options::{ALPHABET, Options};

/// The character CNN: convolutions, the largest value over time, highways, a projection.
#[derive(Module, Debug)]
pub struct CharCnn {
    embedding: Embedding,
    filters: Vec<Conv1d>,
    highways: Vec<Highway>,
    projection: Linear,
}

/// `g · relu(W x + b) + (1 − g) · x` with the carry gate `g = sigmoid(C x + c)`.
#[derive(Module, Debug)]
struct Highway {
    carry: Linear,
    transform: Linear,
}

impl CharCnn {
    /// A CNN with the weights the authors start from.
    pub fn new(options: &Options, device: &Device) -> Self {
        let maps = options.maps();
        let uniform = |bound: f64| Initializer::Uniform { min: -bound, max: bound };
        let filters = options.filters.iter().map(|&(width, maps)| {
            let mut filter = Conv1dConfig::new(options.characters, maps, width)
                .with_initializer(uniform(0.05))
                .init(device);
            filter.bias = Some(Initializer::Zeros.init([maps], device));
            filter
        });
        Self {
            embedding: EmbeddingConfig::new(ALPHABET, options.characters)
                .with_initializer(uniform(1.0))
                .init(device),
            filters: filters.collect(),
            highways: (0..options.highways).map(|_| Highway::new(maps, device)).collect(),
            projection: linear(maps, options.projection, 0.0, device),
        }
    }

    /// `[words, characters]` → `[words, projection]`.
    pub fn forward(&self, characters: Tensor<2, Int>) -> Tensor<2> {
        let embedded = self.embedding.forward(characters).swap_dims(1, 2); // [words, embedding, characters]
        let strongest = self.filters.iter().map(|filter| {
            let maps = filter.forward(embedded.clone()); // [words, maps, positions]
            maps.max_dim(2).squeeze_dim::<2>(2)
        });
        let maps = relu(Tensor::cat(strongest.collect(), 1)); // [words, all maps]
        let maps = self.highways.iter().fold(maps, |maps, highway| highway.forward(maps));
        self.projection.forward(maps)
    }
}

impl Highway {
    fn new(width: usize, device: &Device) -> Self {
        // The gate starts almost closed, so that a fresh layer passes its input on.
        Self {
            carry: linear(width, width, -2.0, device),
            transform: linear(width, width, 0.0, device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let gate = sigmoid(self.carry.forward(input.clone()));
        let transformed = relu(self.transform.forward(input.clone()));
        input.clone() + gate * (transformed - input)
    }
}

/// A linear layer with weights from N(0, 1/inputs) and a constant bias.
fn linear(inputs: usize, outputs: usize, bias: f64, device: &Device) -> Linear {
    let std = (inputs as f64).sqrt().recip();
    let mut layer = LinearConfig::new(inputs, outputs)
        .with_initializer(Initializer::Normal { mean: 0.0, std })
        .init(device);
    layer.bias = Some(Initializer::Constant { value: bias }.init([outputs], device));
    layer
}
