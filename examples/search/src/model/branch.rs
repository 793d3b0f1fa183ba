//! One way through a block: a layer and what follows it.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::{leaky_relu, relu, sigmoid, silu, softmax};
use burn::tensor::{Device, Tensor};

use super::Options;
use crate::genes::{self, Activation, Layer, width_after};

/// What is left of values below 0 after a leaky rectifier, as in TensorFlow.
const LEAK: f64 = 0.2;

/// What a branch sees beside its input.
pub struct Around {
    /// Added to the scores of attention to the own sequence: what may not be seen. `[batch or 1, 1, time or 1, time]`
    pub hidden: Tensor<4>,
    /// 1 for each token and 0 for padding, where padding may come before a token's neighbours. `[batch, time, 1]`
    pub kept: Option<Tensor<3>>,
    /// What the encoder made, and what is added to the scores of attention to it.
    pub memory: Option<(Tensor<3>, Tensor<4>)>,
    /// Whether a place may only see those before it.
    pub causal: bool,
}

/// A layer with its weights.
#[derive(Module, Debug)]
pub struct Branch {
    /// Dense layers: one of a convolution, two of a gate; query, key, value and output of attention.
    dense: Vec<Linear>,
    /// Weights of a depthwise convolution. `[width, channels]`
    kernel: Option<Param<Tensor<2>>>,
    dropout: Dropout,
    #[module(skip)]
    genes: genes::Branch,
    /// Heads of attention to the encoder.
    heads: usize,
}

/// `[input, output]`, with a bias that begins at 0 where there is one.
pub fn linear([input, output]: [usize; 2], bias: bool, device: &Device) -> Linear {
    let initializer = Initializer::XavierUniform { gain: 1.0 };
    let linear = LinearConfig::new(input, output).with_bias(false).with_initializer(initializer);
    // Burn would draw the bias as it draws the weights.
    let bias = bias.then(|| Initializer::Zeros.init([output], device));
    Linear { bias, ..linear.init(device) }
}

impl Branch {
    /// The layer of `genes` for an input of `input` channels.
    pub fn new(genes: genes::Branch, input: usize, options: &Options, device: &Device) -> Self {
        let d_model = options.dimensions.d_model;
        let output = width_after(&genes, input, d_model);
        let dense = |shapes: &[[usize; 2]], bias| {
            shapes.iter().map(|shape| linear(*shape, bias, device)).collect::<Vec<_>>()
        };
        let kernel = |width: usize, channels: usize| {
            let reach = (width as f64).powf(-0.5);
            let spread = Initializer::Uniform { min: -reach, max: reach };
            Some(spread.init([width, channels], device))
        };
        let (dense, kernel) = match genes.layer {
            Layer::Convolution { width } => (dense(&[[width * input, output]], true), None),
            Layer::Separable { width } => (dense(&[[input, output]], true), kernel(width, input)),
            Layer::Lightweight { width, shared } => {
                (Vec::new(), kernel(width, input / shared + input % shared))
            }
            Layer::Attention { .. } => {
                let own = [input, input];
                (dense(&[own, own, own, [input, output]], false), None)
            }
            Layer::AttendToEncoder => {
                let memory = [d_model, input];
                (dense(&[[input, input], memory, memory, [input, output]], false), None)
            }
            Layer::Gated => (dense(&[[input, output]; 2], true), None),
            Layer::Identity | Layer::Dead => (Vec::new(), None),
        };
        Self {
            dense,
            kernel,
            dropout: DropoutConfig::new(options.dropout).init(),
            genes,
            heads: options.dimensions.heads,
        }
    }

    /// `[batch, time, input]` → `[batch, time, output]`
    pub fn forward(&self, input: Tensor<3>, around: &Around) -> Tensor<3> {
        let made = match self.genes.layer {
            Layer::Identity | Layer::Dead => return self.activated(input),
            Layer::Convolution { width } => {
                self.dense[0].forward(Tensor::cat(places(input, width, around), 2))
            }
            Layer::Separable { width } => {
                let kernel = self.kernel().val();
                self.dense[0].forward(depthwise(places(input, width, around), &kernel))
            }
            Layer::Lightweight { width, shared } => {
                let channels = input.dims()[2];
                let kernel = softmax(spread_out(self.kernel().val(), channels, shared), 0);
                depthwise(places(input, width, around), &kernel)
            }
            Layer::Attention { heads } => {
                self.attended(input.clone(), input, heads, &around.hidden)
            }
            Layer::AttendToEncoder => match &around.memory {
                Some((memory, hidden)) => self.attended(input, memory.clone(), self.heads, hidden),
                None => unreachable!("a sound encoder does not attend to itself"),
            },
            Layer::Gated => {
                let gate = sigmoid(self.dense[1].forward(input.clone()));
                self.dense[0].forward(input) * gate
            }
        };
        self.dropout.forward(self.activated(made))
    }

    fn kernel(&self) -> &Param<Tensor<2>> {
        self.kernel.as_ref().expect("depthwise layers have a kernel")
    }

    fn activated(&self, made: Tensor<3>) -> Tensor<3> {
        match self.genes.activation {
            Activation::Swish => silu(made),
            Activation::Relu => relu(made),
            Activation::LeakyRelu => leaky_relu(made, LEAK),
            Activation::None => made,
        }
    }

    /// Attention of `heads` heads from `input` to `memory`; as wide inside as the input.
    fn attended(
        &self,
        input: Tensor<3>,
        memory: Tensor<3>,
        heads: usize,
        hidden: &Tensor<4>,
    ) -> Tensor<3> {
        let [batch, time, width] = input.dims();
        let size = width / heads;
        let split = |values: Tensor<3>| {
            let length = values.dims()[1];
            values.reshape([batch, length, heads, size]).swap_dims(1, 2) // [batch, heads, time, size]
        };
        let query = split(self.dense[0].forward(input));
        let key = split(self.dense[1].forward(memory.clone()));
        let value = split(self.dense[2].forward(memory));
        let scores = query.matmul(key.swap_dims(2, 3)) / (size as f64).sqrt() + hidden.clone();
        let weights = self.dropout.forward(softmax(scores, 3));
        let read = weights.matmul(value).swap_dims(1, 2).reshape([batch, time, width]);
        self.dense[3].forward(read)
    }
}

/// What each place of a convolution of `width` sees, from the earliest on: the input, moved. Beyond its ends and in
/// padding there is 0.
fn places(input: Tensor<3>, width: usize, around: &Around) -> Vec<Tensor<3>> {
    let input = match &around.kept {
        Some(kept) => input * kept.clone(),
        None => input,
    };
    if width == 1 {
        return vec![input];
    }
    let [batch, time, channels] = input.dims();
    let before = if around.causal { width - 1 } else { (width - 1) / 2 };
    let nothing = |length| Tensor::zeros([batch, length, channels], &input.device());
    let mut parts = vec![nothing(before), input.clone()];
    if width - 1 > before {
        parts.push(nothing(width - 1 - before));
    }
    let long = Tensor::cat(parts, 1);
    let moved = |place| long.clone().slice([0..batch, place..place + time, 0..channels]);
    (0..width).map(moved).collect()
}

/// The sum over places, each weighed by its row of `kernel`. `[batch, time, channels]`
fn depthwise(places: Vec<Tensor<3>>, kernel: &Tensor<2>) -> Tensor<3> {
    let channels = kernel.dims()[1];
    let weighed = places.into_iter().enumerate().map(|(place, values)| {
        let weights = kernel.clone().slice([place..place + 1, 0..channels]);
        values * weights.unsqueeze::<3>()
    });
    weighed.reduce(|sum, values| sum + values).expect("a kernel has a place")
}

/// The kernel of each of `channels`, of which `shared` have the same; those left over have their own.
fn spread_out(kernel: Tensor<2>, channels: usize, shared: usize) -> Tensor<2> {
    let [width, own] = kernel.dims();
    let common = channels / shared;
    let mut parts = vec![kernel.clone().slice([0..width, 0..common]); shared];
    if own > common {
        parts.push(kernel.slice([0..width, common..own]));
    }
    Tensor::cat(parts, 1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::genes::Dimensions;

    fn around(causal: bool, kept: Option<Tensor<3>>) -> Around {
        let hidden = Tensor::zeros([1, 1, 1, 1], &Device::flex());
        Around { hidden, kept, memory: None, causal }
    }

    fn branch(layer: Layer) -> Branch {
        let mut genes = genes::transformer(1, 1, 2).encoder.blocks[0].left;
        genes.layer = layer;
        genes.activation = Activation::None;
        let dimensions = Dimensions { vocabulary: 10, d_model: 2, heads: 1 };
        let options = Options { dimensions, dropout: 0.0, longest: 8 };
        Branch::new(genes, 2, &options, &Device::flex())
    }

    fn values(tensor: Tensor<3>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn a_convolution_sees_its_neighbours_and_a_causal_one_those_before() {
        let input = || {
            let values = [[[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]];
            Tensor::<3>::from_floats(values, &Device::flex())
        };
        let first = |places: Vec<Tensor<3>>| -> Vec<Vec<f32>> {
            places.into_iter().map(|place| values(place.slice([0..1, 0..3, 0..1]))).collect()
        };
        let sees = |around: &Around| first(places(input(), 3, around));
        let [before, own, after] = [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 0.0]];
        assert_eq!(sees(&around(false, None)), [before, own, after]);
        assert_eq!(sees(&around(true, None)), [[0.0, 0.0, 1.0], before, own]);
        let kept = Tensor::<3>::from_floats([[[1.0], [1.0], [0.0]]], &Device::flex());
        assert_eq!(sees(&around(false, Some(kept)))[1], [1.0, 2.0, 0.0]);
    }

    #[test]
    fn lightweight_weights_add_up_to_1_and_are_shared() {
        let device = Device::flex();
        let kernel = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
        let spread = spread_out(kernel, 3, 2).into_data().iter::<f32>().collect::<Vec<_>>();
        // One that two channels share, and one for the channel left over.
        assert_eq!(spread, [1.0, 1.0, 2.0, 3.0, 3.0, 4.0]);

        let branch = branch(Layer::Lightweight { width: 3, shared: 1 });
        let constant = Tensor::<3>::ones([1, 5, 2], &device);
        let made = values(branch.forward(constant, &around(false, None)));
        // Of a constant it makes the same constant where it sees no end.
        assert!(made[2..8].iter().all(|value| (value - 1.0).abs() < 1e-6), "{made:?}");
        assert!(made[0] < 1.0 && made[9] < 1.0, "{made:?}");
    }
}
