//! One layer.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Gelu, LayerNorm, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::{Options, layer_norm, linear};

/// Attention, then a feed-forward network four times as wide, each normalised after.
#[derive(Module, Debug)]
pub struct Layer {
    attention: Attention,
    norm_attention: LayerNorm,
    expand: Linear,
    activation: Gelu,
    contract: Linear,
    norm_feed_forward: LayerNorm,
    dropout: Dropout,
}

/// Attention of several heads, to all that is not padding.
#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
    dropout: Dropout,
}

impl Layer {
    pub fn new(options: &Options, device: &Device) -> Self {
        let width = options.width;
        let dropout = || DropoutConfig::new(options.dropout).init();
        let square = || linear(width, width, device);
        Self {
            attention: Attention {
                query: square(),
                key: square(),
                value: square(),
                output: square(),
                heads: options.heads,
                dropout: dropout(),
            },
            norm_attention: layer_norm(width, device),
            expand: linear(width, 4 * width, device),
            activation: Gelu::new(),
            contract: linear(4 * width, width, device),
            norm_feed_forward: layer_norm(width, device),
            dropout: dropout(),
        }
    }

    /// `hidden` is `[batch, length, width]`; `padding` is added to the scores, `[batch, 1, 1, length]`.
    pub fn forward(&self, hidden: Tensor<3>, padding: &Tensor<4>) -> Tensor<3> {
        let attended = self.attention.forward(&hidden, padding);
        let hidden = self.norm_attention.forward(hidden + self.dropout.forward(attended));
        let inner = self.activation.forward(self.expand.forward(hidden.clone()));
        let fed = self.contract.forward(inner);
        self.norm_feed_forward.forward(hidden + self.dropout.forward(fed))
    }
}

impl Attention {
    /// `[batch, length, width]` → the same
    fn forward(&self, input: &Tensor<3>, padding: &Tensor<4>) -> Tensor<3> {
        let [batch, length, width] = input.dims();
        let size = width / self.heads;
        // [batch, heads, length, size]
        let split = |linear: &Linear| {
            let part = linear.forward(input.clone());
            part.reshape([batch, length, self.heads, size]).swap_dims(1, 2)
        };
        let (query, key, value) = (split(&self.query), split(&self.key), split(&self.value));
        let scores = query.matmul(key.swap_dims(2, 3)) / (size as f64).sqrt() + padding.clone();
        let weights = self.dropout.forward(softmax(scores, 3)); // [batch, heads, length, length]
        let read = weights.matmul(value).swap_dims(1, 2).reshape([batch, length, width]);
        self.output.forward(read)
    }
}
