//! An LSTM whose output is a projection of its cell (Sak, Senior and Beaufays, 2014).

use burn::module::Module;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::Options;

/// Added to the forget gate, so that a fresh LSTM remembers.
const FORGET_BIAS: f64 = 1.0;

/// One layer of LSTM with projection, both clipped.
#[derive(Module, Debug)]
pub struct ProjectedLstm {
    /// `[input, output] → input gate, candidate, forget gate, output gate`.
    gates: Linear,
    projection: Linear,
    clip: f64,
}

/// What an LSTM remembers of the words so far.
#[derive(Clone, Debug)]
pub struct State {
    /// `[batch, cells]`
    pub cell: Tensor<2>,
    /// `[batch, projection]`
    pub output: Tensor<2>,
}

impl State {
    /// The same values without the graph behind them.
    #[must_use]
    pub fn detach(self) -> Self {
        Self { cell: self.cell.detach(), output: self.output.detach() }
    }
}

impl ProjectedLstm {
    /// A layer with Glorot weights and no bias but the forget gate's.
    pub fn new(options: &Options, device: &Device) -> Self {
        let glorot = Initializer::XavierUniform { gain: 1.0 };
        let (cells, projection) = (options.cells, options.projection);
        let mut gates = LinearConfig::new(2 * projection, 4 * cells)
            .with_initializer(glorot.clone())
            .init(device);
        gates.bias = Some(Initializer::Zeros.init([4 * cells], device));
        let projection =
            LinearConfig::new(cells, projection).with_bias(false).with_initializer(glorot);
        Self { gates, projection: projection.init(device), clip: options.clip }
    }

    /// The state before the first word.
    pub fn start(&self, batch: usize, device: &Device) -> State {
        let [cells, projection] = self.projection.weight.dims();
        State {
            cell: Tensor::zeros([batch, cells], device),
            output: Tensor::zeros([batch, projection], device),
        }
    }

    /// One word on; `input` is `[batch, projection]`.
    pub fn step(&self, input: Tensor<2>, state: State) -> State {
        let gates = self.gates.forward(Tensor::cat(vec![input, state.output], 1));
        let [input_gate, candidate, forget_gate, output_gate]: [Tensor<2>; 4] =
            gates.chunk(4, 1).try_into().expect("the gates' width is four times the cells'");
        let kept = sigmoid(forget_gate.add_scalar(FORGET_BIAS)) * state.cell;
        let cell = kept + sigmoid(input_gate) * candidate.tanh();
        let cell = cell.clamp(-self.clip, self.clip); // [batch, cells]
        let output = self.projection.forward(sigmoid(output_gate) * cell.clone().tanh());
        State { cell, output: output.clamp(-self.clip, self.clip) }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;

    use super::*;

    /// One cell, one input, projected to one output; every weight written out.
    fn by_hand(projection: f32, device: &Device) -> ProjectedLstm {
        let options = Options { projection: 1, cells: 1, ..Options::smoke() };
        let mut lstm = ProjectedLstm::new(&options, device);
        // Rows: input, previous output. Columns: input gate, candidate, forget gate, output gate.
        lstm.gates.weight =
            Param::from_data([[0.5_f32, 1.0, -0.25, 2.0], [0.1, -0.2, 0.3, 0.4]], device);
        lstm.gates.bias = Some(Param::from_data([0.1_f32, 0.0, -0.5, 0.2], device));
        lstm.projection.weight = Param::from_data([[projection]], device);
        lstm
    }

    fn one(value: f32, device: &Device) -> Tensor<2> {
        Tensor::from_data([[value]], device)
    }

    #[test]
    fn a_step_is_the_formula() {
        let device = Device::default();
        let state = State { cell: one(0.6, &device), output: one(-0.3, &device) };
        let next = by_hand(0.7, &device).step(one(0.8, &device), state);
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (x, h) = (0.8, -0.3);
        let input_gate = sigmoid(0.5 * x + 0.1 * h + 0.1);
        let candidate = f64::tanh(1.0 * x - 0.2 * h);
        let forget_gate = sigmoid(-0.25 * x + 0.3 * h - 0.5 + 1.0);
        let output_gate = sigmoid(2.0 * x + 0.4 * h + 0.2);
        let cell = forget_gate * 0.6 + input_gate * candidate;
        let output = 0.7 * output_gate * cell.tanh();
        // The same by pocket calculator.
        assert!((cell - 0.7599).abs() < 1e-4 && (output - 0.3782).abs() < 1e-4, "{cell} {output}");
        assert!((next.cell.into_scalar::<f64>() - cell).abs() < 1e-6);
        assert!((next.output.into_scalar::<f64>() - output).abs() < 1e-6);
    }

    #[test]
    fn cell_and_output_are_clipped() {
        let device = Device::default();
        let state = State { cell: one(50.0, &device), output: one(0.0, &device) };
        let next = by_hand(40.0, &device).step(one(1.0, &device), state);
        assert!((next.cell.into_scalar::<f64>() - 3.0).abs() < 1e-6);
        assert!((next.output.into_scalar::<f64>() - 3.0).abs() < 1e-6);
    }
}
