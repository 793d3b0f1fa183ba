//! A network of three layers.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

const WIDTH: usize = 128;

/// Two coordinates in, a score for each arm out.
#[derive(Module, Debug)]
pub struct Classifier {
    input: Linear,
    hidden: Linear,
    output: Linear,
}

impl Classifier {
    /// An untrained network on `device`.
    pub fn new(device: &Device) -> Self {
        Self {
            input: LinearConfig::new(2, WIDTH).init(device),
            hidden: LinearConfig::new(WIDTH, WIDTH).init(device),
            output: LinearConfig::new(WIDTH, 2).init(device),
        }
    }

    /// Scores, `[points, 2]`, of points, `[points, 2]`.
    pub fn forward(&self, points: Tensor<2>) -> Tensor<2> {
        let x = relu(self.input.forward(points));
        let x = relu(self.hidden.forward(x));
        self.output.forward(x)
    }
}
