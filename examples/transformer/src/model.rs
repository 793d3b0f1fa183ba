//! The encoder-decoder of "Attention Is All You Need" (Vaswani et al., 2017).

use burn::module::Module;
use burn::nn::activation::ActivationConfig;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::transformer::{
    TransformerDecoder, TransformerDecoderConfig, TransformerDecoderInput, TransformerEncoder,
    TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, PositionalEncoding,
    PositionalEncodingConfig,
};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use harness::TokenLoss;

use crate::data::{BOS, Batch, EOS, padded};

/// Label smoothing of the paper, section 5.4.
const SMOOTHING: f64 = 0.1;

/// The dimensions of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelConfig {
    /// Tokens of the vocabulary that both sides share.
    pub vocabulary: usize,
    /// Width of the embedding and of every layer's output.
    pub d_model: usize,
    /// Width inside the feed-forward layers.
    pub d_ff: usize,
    /// Attention heads a layer.
    pub heads: usize,
    /// Layers of the encoder, and of the decoder.
    pub layers: usize,
    /// Dropout of embeddings, attention weights and sublayers.
    pub dropout: f64,
    /// Longest sentence in tokens.
    pub longest: usize,
}

impl ModelConfig {
    /// The number of trainable parameters, without making any.
    #[must_use]
    pub const fn parameters(&self) -> usize {
        let (d, ff) = (self.d_model, self.d_ff);
        let attention = 4 * (d * d + d);
        let feed_forward = d * ff + ff + ff * d + d;
        let norm = 2 * d;
        let encoder = attention + feed_forward + 2 * norm;
        let decoder = 2 * attention + feed_forward + 3 * norm;
        self.vocabulary * d + self.layers * (encoder + decoder)
    }

    /// Floating-point operations of a training step on `rows` pairs of `source` and `target` tokens: two for
    /// each multiplication with addition, and twice as many backward as forward. Attention counts as the full
    /// square; look-ups, norms, activations and the softmax are left out.
    #[must_use]
    pub const fn training_flops(&self, rows: usize, source: usize, target: usize) -> u64 {
        3 * rows as u64 * self.forward_flops(source, target)
    }

    /// The same forward, for one pair.
    #[must_use]
    pub const fn forward_flops(&self, source: usize, target: usize) -> u64 {
        let [encoder, decoder, head] = self.flops_by_part(source as u64, target as u64);
        encoder + decoder + head
    }

    /// Encoder, decoder, output over the vocabulary.
    const fn flops_by_part(&self, s: u64, t: u64) -> [u64; 3] {
        let (d, ff) = (self.d_model as u64, self.d_ff as u64);
        let (layers, vocabulary) = (self.layers as u64, self.vocabulary as u64);
        let encoder = 8 * s * d * d + 4 * s * s * d + 4 * s * d * ff;
        let of_itself = 8 * t * d * d + 4 * t * t * d;
        let of_source = 4 * t * d * d + 4 * s * d * d + 4 * t * s * d;
        let decoder = of_itself + of_source + 4 * t * d * ff;
        [layers * encoder, layers * decoder, 2 * t * d * vocabulary]
    }

    /// A model with random weights on `device`.
    #[must_use]
    pub fn init(&self, device: &Device) -> Transformer {
        let initializer = Initializer::XavierUniform { gain: 1.0 };
        let spread = (self.d_model as f64).powf(-0.5);
        Transformer {
            embedding: EmbeddingConfig::new(self.vocabulary, self.d_model)
                .with_initializer(Initializer::Normal { mean: 0.0, std: spread })
                .init(device),
            positions: PositionalEncodingConfig::new(self.d_model)
                .with_max_sequence_size(self.longest + 1)
                .init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
            encoder: TransformerEncoderConfig::new(
                self.d_model,
                self.d_ff,
                self.heads,
                self.layers,
            )
            .with_dropout(self.dropout)
            .with_norm_first(false)
            .with_activation(ActivationConfig::Relu)
            .with_initializer(initializer.clone())
            .init(device),
            decoder: TransformerDecoderConfig::new(
                self.d_model,
                self.d_ff,
                self.heads,
                self.layers,
            )
            .with_dropout(self.dropout)
            .with_norm_first(false)
            .with_activation(ActivationConfig::Relu)
            .with_initializer(initializer)
            .init(device),
        }
    }
}

/// Encoder and decoder around one embedding, which also weighs the vocabulary at the output.
#[derive(Module, Debug)]
pub struct Transformer {
    embedding: Embedding,
    positions: PositionalEncoding,
    dropout: Dropout,
    encoder: TransformerEncoder,
    decoder: TransformerDecoder,
}

/// What a batch came to, under teacher forcing.
#[derive(Debug)]
pub struct Losses {
    /// What training minimises: cross-entropy with smoothed labels.
    pub smoothed: Tensor<1>,
    /// Mean negative log-likelihood a token, whose exponential is the perplexity.
    pub likelihood: Tensor<1>,
}

impl Transformer {
    /// Vectors of `ids`, with their positions. `[batch, time]` → `[batch, time, d_model]`
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let vectors = self.embedding.forward(ids);
        let [_, _, d_model] = vectors.dims();
        self.dropout.forward(self.positions.forward(vectors * (d_model as f64).sqrt()))
    }

    /// What the decoder reads of the source. `[batch, source, d_model]`
    fn encode(&self, source: Tensor<2, Int>, pad: Tensor<2, Bool>) -> Tensor<3> {
        self.encoder.forward(TransformerEncoderInput::new(self.embed(source)).mask_pad(pad))
    }

    /// Log-probabilities of the vocabulary. `[batch, time, d_model]` → `[batch × time, vocabulary]`
    fn log_probabilities(&self, decoded: Tensor<3>) -> Tensor<2> {
        let [batch, time, d_model] = decoded.dims();
        let weights = self.embedding.weight.val().transpose();
        log_softmax(decoded.reshape([batch * time, d_model]).matmul(weights), 1)
    }

    fn losses(&self, batch: Batch) -> Losses {
        let memory = self.encode(batch.source, batch.source_pad.clone());
        let [rows, time] = batch.input.dims();
        let causal = generate_autoregressive_mask(rows, time, &batch.input.device());
        let decoded = self.decoder.forward(
            TransformerDecoderInput::new(self.embed(batch.input), memory)
                .memory_mask_pad(batch.source_pad)
                .target_mask_pad(batch.target_pad.clone())
                .target_mask_attn(causal),
        );
        losses(
            self.log_probabilities(decoded),
            batch.target,
            &batch.target_pad,
            batch.target_tokens,
        )
    }

    /// The likeliest token again and again, until each sentence ends or has `limit` tokens.
    #[must_use]
    pub fn translate(
        &self,
        source: Tensor<2, Int>,
        source_pad: &Tensor<2, Bool>,
        limit: usize,
    ) -> Vec<Vec<u32>> {
        let device = source.device();
        let memory = self.encode(source, source_pad.clone());
        let [rows, _, d_model] = memory.dims();
        let mut cache = self.decoder.new_autoregressive_cache();
        let mut said = vec![vec![BOS]; rows];
        let mut ended = vec![false; rows];
        for time in 1..=limit {
            let input = padded(said.iter().map(Vec::as_slice), &device);
            let decoded = self.decoder.forward_autoregressive_inference(
                TransformerDecoderInput::new(self.embed(input), memory.clone())
                    .memory_mask_pad(source_pad.clone())
                    .target_mask_attn(generate_autoregressive_mask(rows, time, &device)),
                &mut cache,
            );
            let last = decoded.slice([0..rows, time - 1..time, 0..d_model]);
            let next = self.log_probabilities(last).argmax(1).into_data();
            for ((sentence, ended), id) in said.iter_mut().zip(&mut ended).zip(next.iter::<i64>()) {
                let id = u32::try_from(id).unwrap_or(EOS);
                *ended |= id == EOS;
                sentence.push(if *ended { EOS } else { id });
            }
            if ended.iter().all(|ended| *ended) {
                break;
            }
        }
        said.into_iter().map(|sentence| sentence[1..].to_vec()).collect()
    }
}

/// Cross-entropy of `target` under log-probabilities, plain and with smoothed labels, over what is
/// not padding.
///
/// Burn's `CrossEntropyLoss` smooths too, but makes the whole matrix of smoothed labels, as large
/// as the output; a sum over the vocabulary gives the same, and the plain loss beside it.
#[must_use]
pub fn losses(
    log_probabilities: Tensor<2>,
    target: Tensor<2, Int>,
    pad: &Tensor<2, Bool>,
    tokens: usize,
) -> Losses {
    let [places, _] = log_probabilities.dims();
    let mean = |values: Tensor<2>| {
        let padding = pad.clone().reshape([places, 1]);
        values.mask_fill(padding, 0.0).sum().neg() / tokens.max(1) as f64
    };
    let uniform = mean(log_probabilities.clone().mean_dim(1));
    let likelihood = mean(log_probabilities.gather(1, target.reshape([places, 1])));
    Losses { smoothed: likelihood.clone() * (1.0 - SMOOTHING) + uniform * SMOOTHING, likelihood }
}

impl TrainStep for Transformer {
    type Input = Batch;
    type Output = TokenLoss;

    fn step(&self, batch: Batch) -> TrainOutput<TokenLoss> {
        let tokens = batch.target_tokens;
        let losses = self.losses(batch);
        let grads = losses.smoothed.backward();
        TrainOutput::new(self, grads, TokenLoss { mean: losses.likelihood.detach(), tokens })
    }
}

impl InferenceStep for Transformer {
    type Input = Batch;
    type Output = TokenLoss;

    fn step(&self, batch: Batch) -> TokenLoss {
        let tokens = batch.target_tokens;
        TokenLoss { mean: self.losses(batch).likelihood, tokens }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::loss::CrossEntropyLossConfig;
    use burn::tensor::Distribution;

    use super::*;
    use crate::data::{Example, PAD};

    const SMALL: ModelConfig = ModelConfig {
        vocabulary: 50,
        d_model: 16,
        d_ff: 24,
        heads: 2,
        layers: 2,
        dropout: 0.1,
        longest: 12,
    };

    #[test]
    fn the_formula_counts_what_is_made() {
        assert_eq!(SMALL.init(&Device::flex()).num_params(), SMALL.parameters());
    }

    #[test]
    fn smoothed_loss_is_that_of_burn() {
        let device = Device::flex();
        let logits = Tensor::<2>::random([6, 9], Distribution::Normal(0.0, 2.0), &device);
        let target = Tensor::<2, Int>::from_data([[3, 8, 2], [5, 2, 0]], &device);
        let pad = target.clone().equal_scalar(i64::from(PAD));
        let ours = losses(log_softmax(logits.clone(), 1), target.clone(), &pad, 5);
        let burns = |smoothing| {
            CrossEntropyLossConfig::new()
                .with_pad_tokens(Some(vec![PAD as usize]))
                .with_smoothing(smoothing)
                .init(&device)
                .forward(logits.clone(), target.clone().reshape([6]))
                .into_scalar::<f64>()
        };
        assert!((ours.smoothed.into_scalar::<f64>() - burns(Some(0.1))).abs() < 1e-5);
        assert!((ours.likelihood.into_scalar::<f64>() - burns(None)).abs() < 1e-5);
    }

    #[test]
    fn padding_does_not_change_a_sentence_and_the_future_does_not_change_the_past() {
        let device = Device::flex();
        let model = SMALL.init(&device);
        let loss = |examples: &[Example]| {
            InferenceStep::step(&model, Batch::new(examples.iter(), &device))
        };
        let short = Example { source: vec![5, 6, EOS], target: vec![7, EOS] };
        let long = Example { source: vec![9; 10], target: vec![8, 11, 12, 13, 14, EOS] };
        let apart: f64 = [&short, &long]
            .map(|example| {
                let loss = loss(std::slice::from_ref(example));
                loss.mean.into_scalar::<f64>() * loss.tokens as f64
            })
            .iter()
            .sum();
        let together = loss(&[short, long]);
        let sum = together.mean.into_scalar::<f64>() * together.tokens as f64;
        assert!((sum - apart).abs() < 1e-3, "{sum} against {apart}");
    }

    #[test]
    fn a_translation_is_the_same_alone_and_in_a_batch() {
        let device = Device::flex();
        let model = SMALL.init(&device);
        let translate = |sources: &[&[u32]]| {
            let source = padded(sources.iter().copied(), &device);
            let pad = source.clone().equal_scalar(i64::from(PAD));
            model.translate(source, &pad, 6)
        };
        let (one, two): (&[u32], &[u32]) = (&[5, 6, EOS], &[9, 10, 11, 12, EOS]);
        let together = translate(&[one, two]);
        for (alone, batched) in [one, two].iter().zip(&together) {
            let alone = &translate(&[alone])[0];
            assert_eq!(alone[..], batched[..alone.len()]);
        }
    }
}
