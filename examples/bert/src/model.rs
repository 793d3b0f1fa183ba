//! The model: embeddings, layers normalised after each part, and two heads.
//!
//! ```text
//! words + positions + segments ─► norm ─► layer × layers ─┬─► masked places ─► dense, GELU, norm ─► words
//!                                                         └─► first place ─► dense, tanh ─► follows or not
//!
//! layer:  norm(x + attention(x)),  norm(x + feed-forward(x))
//! ```
//!
//! As published (Devlin et al., 2019, and the released `modeling.py` of that time): GELU by the error
//! function, dropout on attention weights and on what each part gives, none inside the feed-forward network,
//! weights from a normal distribution of 0.02 cut at two standard deviations, biases 0, an output over words
//! tied to the embedding with a bias of its own.

mod layer;
mod options;

use burn::module::{Module, Param};
use burn::nn::{
    Dropout, DropoutConfig, Embedding, Gelu, Initializer, LayerNorm, LayerNormConfig, Linear,
};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use harness::truncated_normal;

use layer::Layer;
pub use options::Options;

use crate::data::Batch;

/// Standard deviation of the weights.
const SPREAD: f64 = 0.02;
/// Added to the variance before its root is taken.
const NORM_EPSILON: f64 = 1e-12;
/// Added to the score of padding.
const MASKED: f64 = -10_000.0;
/// Stretches of a pair.
const SEGMENTS: usize = 2;

/// The model with both heads.
#[derive(Module, Debug)]
pub struct Bert {
    words: Embedding,
    positions: Embedding,
    segments: Embedding,
    norm: LayerNorm,
    dropout: Dropout,
    layers: Vec<Layer>,
    pooler: Linear,
    masked: MaskedHead,
    next: Linear,
}

/// What predicts masked words; its output matrix is the embedding.
#[derive(Module, Debug)]
struct MaskedHead {
    dense: Linear,
    activation: Gelu,
    norm: LayerNorm,
    bias: Param<Tensor<1>>,
}

/// What a batch came to.
pub struct Outcome {
    /// Mean over the masked words plus mean over the pairs, nats. `[1]`
    pub loss: Tensor<1>,
    /// Log-probabilities at the masked places. `[batch × predictions, vocabulary]`
    pub words: Tensor<2>,
    /// Log-probabilities of following and not. `[batch, 2]`
    pub next: Tensor<2>,
}

/// `input` → `output`, with a bias that begins at 0.
fn linear(input: usize, output: usize, device: &Device) -> Linear {
    Linear {
        weight: truncated_normal([input, output], SPREAD, device),
        bias: Some(Initializer::Zeros.init([output], device)),
    }
}

fn layer_norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_epsilon(NORM_EPSILON).init(device)
}

impl Bert {
    /// A model with fresh weights.
    pub fn new(options: &Options, device: &Device) -> Self {
        let width = options.width;
        let embedding =
            |count| Embedding { weight: truncated_normal([count, width], SPREAD, device) };
        Self {
            words: embedding(options.vocabulary),
            positions: embedding(options.positions),
            segments: embedding(SEGMENTS),
            norm: layer_norm(width, device),
            dropout: DropoutConfig::new(options.dropout).init(),
            layers: (0..options.layers).map(|_| Layer::new(options, device)).collect(),
            pooler: linear(width, width, device),
            masked: MaskedHead {
                dense: linear(width, width, device),
                activation: Gelu::new(),
                norm: layer_norm(width, device),
                bias: Initializer::Zeros.init([options.vocabulary], device),
            },
            next: linear(width, 2, device),
        }
    }

    /// `[batch, length, width]`
    fn encode(&self, batch: &Batch) -> Tensor<3> {
        let [_, length] = batch.ids.dims();
        let device = batch.ids.device();
        let positions =
            Tensor::<1, Int>::arange(0..length.cast_signed() as i64, &device).unsqueeze();
        let vectors = self.words.forward(batch.ids.clone())
            + self.positions.forward(positions)
            + self.segments.forward(batch.segments.clone());
        let mut hidden = self.dropout.forward(self.norm.forward(vectors));
        let padding = batch.padding.clone().float() * MASKED; // [batch, length]
        let [rows, _] = batch.ids.dims();
        let padding = padding.reshape([rows, 1, 1, length]);
        for layer in &self.layers {
            hidden = layer.forward(hidden, &padding);
        }
        hidden
    }

    /// Predicts masked words and whether pairs follow.
    pub fn forward(&self, batch: &Batch) -> Outcome {
        let hidden = self.encode(batch);
        let [rows, length, width] = hidden.dims();
        let places = hidden.clone().reshape([rows * length, width]).select(0, batch.places.clone());
        let words = self.masked.forward(places, &self.words);
        let first = hidden.slice([0..rows, 0..1, 0..width]).reshape([rows, width]);
        let next = log_softmax(self.next.forward(self.pooler.forward(first).tanh()), 1);

        let of_words = words.clone().gather(1, batch.words.clone()) * batch.weights.clone();
        // As in the authors' program: a batch without masked words has a loss of 0.
        let of_words = of_words.sum().neg() / (batch.predicted as f64 + 1e-5);
        let of_next = next.clone().gather(1, batch.random.clone()).mean().neg();
        Outcome { loss: of_words + of_next, words, next }
    }
}

impl MaskedHead {
    /// `[places, width]` → `[places, vocabulary]`
    fn forward(&self, places: Tensor<2>, words: &Embedding) -> Tensor<2> {
        let hidden = self.norm.forward(self.activation.forward(self.dense.forward(places)));
        let scores = hidden.matmul(words.weight.val().transpose());
        log_softmax(scores + self.bias.val().unsqueeze(), 1)
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::GradientsParams;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::data::{Instances, Shape};

    fn options() -> Options {
        Options { vocabulary: 50, positions: 32, width: 16, heads: 2, layers: 2, dropout: 0.1 }
    }

    fn batch(shape: Shape, device: &Device) -> Batch {
        let sentence = |index: u32| (0..6).map(|token| 5 + (index * 7 + token) % 45).collect();
        let documents: Vec<Vec<Vec<u32>>> =
            (0..4).map(|document| (0..5).map(|s| sentence(document * 5 + s)).collect()).collect();
        let mut instances = Instances::new(&documents, 50, shape);
        let mut rng = StdRng::seed_from_u64(1);
        let instances: Vec<_> = (0..6).map(|_| instances.draw(&mut rng)).collect();
        Batch::new(&instances, shape, device)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn an_untrained_model_knows_nothing_and_padding_changes_nothing() {
        let device = Device::flex();
        let model = Bert::new(&options(), &device);
        let short = model.forward(&batch(Shape { length: 24, predictions: 6 }, &device));
        let loss = values(short.loss)[0];
        assert!((loss - 50_f32.ln() - 2_f32.ln()).abs() < 0.15, "{loss}");
        // The same pairs with more padding behind them.
        let padded = {
            let mut padded = batch(Shape { length: 24, predictions: 6 }, &device);
            let more = |table: Tensor<2, Int>| {
                let filler = Tensor::zeros([6, 8], &device);
                Tensor::cat(vec![table, filler], 1)
            };
            padded.padding = Tensor::cat(
                vec![padded.padding, Tensor::<2, Int>::ones([6, 8], &device).bool()],
                1,
            );
            // Places are counted through rows of 24, which are rows of 32 now.
            let row = padded.places.clone() / 24;
            padded.places = padded.places + row * 8;
            (padded.ids, padded.segments) = (more(padded.ids), more(padded.segments));
            padded
        };
        let padded = model.forward(&padded);
        for (one, other) in values(short.next).into_iter().zip(values(padded.next)) {
            assert!((one - other).abs() < 1e-4, "{one} {other}");
        }
        for (one, other) in values(short.words).into_iter().zip(values(padded.words)) {
            assert!((one - other).abs() < 1e-4, "{one} {other}");
        }
    }

    #[test]
    fn every_parameter_takes_part() {
        let device = Device::flex().autodiff();
        let model = Bert::new(&options(), &device);
        let loss = model.forward(&batch(Shape { length: 24, predictions: 6 }, &device)).loss;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        // Embeddings 3, norm 2; a layer has 4 + 2 linears, 2 norms, 2 tensors each; heads 2 + 2 + 2 + 1 + 2.
        assert_eq!(gradients.len(), 3 + 2 + 2 * 16 + 9);
    }

    #[test]
    fn weights_are_cut_at_two_standard_deviations() {
        let device = Device::flex();
        let model = Bert::new(&Options { vocabulary: 5000, ..options() }, &device);
        let weights = values(model.words.weight.val());
        let largest = weights.iter().fold(0_f32, |most, weight| most.max(weight.abs()));
        let square: f32 = weights.iter().map(|weight| weight * weight).sum();
        let spread = (square / weights.len() as f32).sqrt();
        assert!((0.039..=0.04).contains(&largest), "{largest}");
        // A normal distribution cut at two of its standard deviations has 0.8796 of its own.
        assert!((spread / (0.02 * 0.8796) - 1.0).abs() < 0.01, "{spread}");
    }
}
