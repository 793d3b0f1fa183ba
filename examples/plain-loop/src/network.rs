//! A network of two hidden layers, with its gradient by hand.

use crate::data::{Numbers, Point};

/// Neurons of a hidden layer.
const WIDTH: usize = 48;

/// `y = W x + b`; rows of `W` are contiguous.
struct Layer {
    weights: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl Layer {
    /// Weights as by Glorot and Bengio (2010).
    fn new(inputs: usize, outputs: usize, numbers: &mut Numbers) -> Self {
        let limit = (6.0 / (inputs + outputs) as f32).sqrt();
        let weights = (0..inputs * outputs).map(|_| limit * (2.0 * numbers.uniform() - 1.0));
        Self { weights: weights.collect(), bias: vec![0.0; outputs], inputs }
    }

    fn zeros(&self) -> Self {
        let (weights, bias) = (vec![0.0; self.weights.len()], vec![0.0; self.bias.len()]);
        Self { weights, bias, inputs: self.inputs }
    }

    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let rows = self.weights.chunks_exact(self.inputs).zip(&self.bias);
        rows.map(|(row, bias)| bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()).collect()
    }

    /// Adds the gradient of the weights to `gradient`, and returns that of the input `x`.
    fn backward(&self, x: &[f32], dy: &[f32], gradient: &mut Self) -> Vec<f32> {
        let mut dx = vec![0.0; self.inputs];
        let rows = self.weights.chunks_exact(self.inputs);
        let gradients = gradient.weights.chunks_exact_mut(self.inputs);
        for (((row, sums), bias), dy) in rows.zip(gradients).zip(&mut gradient.bias).zip(dy) {
            *bias += dy;
            for (((w, sum), x), dx) in row.iter().zip(sums).zip(x).zip(&mut dx) {
                *sum += dy * x;
                *dx += dy * w;
            }
        }
        dx
    }
}

/// Two coordinates in, the log-odds of the second arm out.
pub struct Network {
    layers: [Layer; 3],
}

/// What a point became in each layer.
pub struct Pass {
    hidden: [Vec<f32>; 2],
    output: f32,
}

impl Pass {
    /// The probability of the second arm.
    fn probability(&self) -> f32 {
        1.0 / (1.0 + (-self.output).exp())
    }

    /// Cross entropy, in nats.
    pub fn loss(&self, point: &Point) -> f64 {
        let right = if point.second_arm { self.output } else { -self.output };
        f64::from((-right).exp()).ln_1p()
    }

    /// Whether the likelier arm is the right one.
    pub fn is_right(&self, point: &Point) -> bool {
        (self.output > 0.0) == point.second_arm
    }
}

impl Network {
    /// An untrained network: the same for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let shapes = [(2, WIDTH), (WIDTH, WIDTH), (WIDTH, 1)];
        Self { layers: shapes.map(|(inputs, outputs)| Layer::new(inputs, outputs, &mut numbers)) }
    }

    pub fn forward(&self, point: &Point) -> Pass {
        let [input, hidden, output] = &self.layers;
        let active = |values: Vec<f32>| values.into_iter().map(f32::tanh).collect::<Vec<_>>();
        // A spiral turns three times: coordinates of that scale.
        let first = active(input.forward(&point.at.map(|x| 4.0 * x)));
        let second = active(hidden.forward(&first));
        let output = output.forward(&second)[0];
        Pass { hidden: [first, second], output }
    }

    /// The mean gradient over a batch.
    pub fn backward(&self, passes: &[Pass], batch: &[Point]) -> Self {
        let [input, hidden, output] = &self.layers;
        let mut gradient = Self { layers: self.layers.each_ref().map(Layer::zeros) };
        let [d_input, d_hidden, d_output] = &mut gradient.layers;
        let through = |dy: Vec<f32>, y: &[f32]| {
            dy.iter().zip(y).map(|(dy, y)| dy * (1.0 - y * y)).collect::<Vec<_>>()
        };
        for (pass, point) in passes.iter().zip(batch) {
            let [first, second] = &pass.hidden;
            let expected = if point.second_arm { 1.0 } else { 0.0 };
            let error = (pass.probability() - expected) / batch.len() as f32;
            let dy = through(output.backward(second, &[error], d_output), second);
            let dy = through(hidden.backward(first, &dy, d_hidden), first);
            input.backward(&point.at.map(|x| 4.0 * x), &dy, d_input);
        }
        gradient
    }

    /// A step of gradient descent.
    pub fn update(&mut self, gradient: &Self, rate: f32) {
        for (layer, gradient) in self.layers.iter_mut().zip(&gradient.layers) {
            let weights = layer.weights.iter_mut().zip(&gradient.weights);
            let bias = layer.bias.iter_mut().zip(&gradient.bias);
            weights.chain(bias).for_each(|(value, slope)| *value -= rate * slope);
        }
    }
}
