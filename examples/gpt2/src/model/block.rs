//! One layer.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Gelu, Initializer, LayerNorm, Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::{Options, SPREAD, layer_norm, normal};

/// Attention, then a feed-forward network four times as wide.
#[derive(Module, Debug)]
pub struct Block {
    norm_attention: LayerNorm,
    pub attention: Attention,
    norm_feed_forward: LayerNorm,
    expand: Linear,
    activation: Gelu,
    pub contract: Linear,
    dropout: Dropout,
}

/// Causal attention of several heads.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values, side by side.
    pub qkv: Linear,
    pub output: Linear,
    heads: usize,
    dropout: Dropout,
}

/// `input` → `output`, with a bias that begins at 0.
fn linear(input: usize, output: usize, spread: f64, device: &Device) -> Linear {
    let linear = LinearConfig::new(input, output).with_bias(false).with_initializer(normal(spread));
    // Burn would draw the bias as it draws the weights.
    Linear { bias: Some(Initializer::Zeros.init([output], device)), ..linear.init(device) }
}

impl Block {
    pub fn new(options: &Options, device: &Device) -> Self {
        let width = options.width;
        // Attention and feed-forward of every layer write into the residual stream.
        let residual = SPREAD / (2.0 * options.layers as f64).sqrt();
        let dropout = || DropoutConfig::new(options.dropout).init();
        Self {
            norm_attention: layer_norm(width, device),
            attention: Attention {
                qkv: linear(width, 3 * width, SPREAD, device),
                output: linear(width, width, residual, device),
                heads: options.heads,
                dropout: dropout(),
            },
            norm_feed_forward: layer_norm(width, device),
            expand: linear(width, 4 * width, SPREAD, device),
            activation: Gelu::new_approximate(),
            contract: linear(4 * width, width, residual, device),
            dropout: dropout(),
        }
    }

    /// `hidden` is `[batch, time, width]`; `later` is added to the scores, `[1, 1, time, time]`.
    pub fn forward(&self, hidden: Tensor<3>, later: &Tensor<4>) -> Tensor<3> {
        let attended = self.attention.forward(self.norm_attention.forward(hidden.clone()), later);
        let hidden = hidden + self.dropout.forward(attended);
        let inner = self.expand.forward(self.norm_feed_forward.forward(hidden.clone()));
        let fed = self.contract.forward(self.activation.forward(inner));
        hidden + self.dropout.forward(fed)
    }
}

impl Attention {
    /// `[batch, time, width]` → the same
    fn forward(&self, input: Tensor<3>, later: &Tensor<4>) -> Tensor<3> {
        let [batch, time, width] = input.dims();
        let size = width / self.heads;
        let mut parts = self.qkv.forward(input).chunk(3, 2).into_iter().map(|part| {
            part.reshape([batch, time, self.heads, size]).swap_dims(1, 2) // [batch, heads, time, size]
        });
        let (Some(query), Some(key), Some(value)) = (parts.next(), parts.next(), parts.next())
        else {
            unreachable!("three parts were asked for")
        };
        let scores = query.matmul(key.swap_dims(2, 3)) / (size as f64).sqrt() + later.clone();
        let weights = self.dropout.forward(softmax(scores, 3)); // [batch, heads, time, time]
        let read = weights.matmul(value).swap_dims(1, 2).reshape([batch, time, width]);
        self.output.forward(read)
    }
}
