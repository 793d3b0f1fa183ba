//! Cells in a row.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor};

use super::Options;
use super::branch::{Around, Branch, linear};
use crate::genes::{self, Block, Combiner, Layout};

/// Added to the variance before its root is taken, as in tensor2tensor.
const NORM_EPSILON: f64 = 1e-6;

/// The repeats of a cell, a norm, and a projection back to the model's width where the cells changed it.
#[derive(Module, Debug)]
pub struct Stack {
    cells: Vec<Cell>,
    norm: LayerNorm,
    projection: Option<Linear>,
}

/// One of the repeats.
#[derive(Module, Debug)]
struct Cell {
    /// Of each state that some branch reads normalised.
    norms: Vec<Option<LayerNorm>>,
    /// Left and right branches in turn, with those that are dead.
    branches: Vec<Branch>,
    #[module(skip)]
    genes: genes::Cell,
}

fn layer_norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_epsilon(NORM_EPSILON).init(device)
}

impl Stack {
    /// The cells of `genes`, with random weights.
    pub fn new(genes: &genes::Cell, options: &Options, device: &Device) -> Self {
        let d_model = options.dimensions.d_model;
        let mut width = d_model;
        let mut cells = Vec::new();
        for _ in 0..genes.repeats {
            let layout = Layout::of(genes, width, d_model);
            cells.push(Cell::new(genes, &layout, options, device));
            width = layout.output;
        }
        Self {
            cells,
            norm: layer_norm(width, device),
            projection: (width != d_model).then(|| linear([width, d_model], true, device)),
        }
    }

    /// `[batch, time, d_model]` → the same
    pub fn forward(&self, input: Tensor<3>, around: &Around) -> Tensor<3> {
        let made = self.cells.iter().fold(input, |state, cell| cell.forward(state, around));
        let made = self.norm.forward(made);
        match &self.projection {
            Some(projection) => projection.forward(made),
            None => made,
        }
    }
}

impl Cell {
    fn new(genes: &genes::Cell, layout: &Layout, options: &Options, device: &Device) -> Self {
        let states = layout.states.iter().zip(&layout.normed);
        let branches = genes.blocks.iter().flat_map(|block| [block.left, block.right]);
        Self {
            norms: states
                .map(|(width, normed)| normed.then(|| layer_norm(*width, device)))
                .collect(),
            branches: branches
                .map(|branch| Branch::new(branch, layout.states[branch.input], options, device))
                .collect(),
            genes: genes.clone(),
        }
    }

    /// `[batch, time, width]` → `[batch, time, the layout's output]`
    fn forward(&self, input: Tensor<3>, around: &Around) -> Tensor<3> {
        let mut states = vec![input];
        let mut normed: Vec<Option<Tensor<3>>> = vec![None; self.norms.len()];
        for (block, pair) in self.genes.blocks.iter().zip(self.branches.chunks(2)) {
            let mut made = Vec::new();
            for (genes, branch) in [block.left, block.right].iter().zip(pair) {
                if !genes.is_alive() {
                    continue;
                }
                let state = match &self.norms[genes.input] {
                    Some(norm) if genes.normed => normed[genes.input]
                        .get_or_insert_with(|| norm.forward(states[genes.input].clone()))
                        .clone(),
                    _ => states[genes.input].clone(),
                };
                made.push(branch.forward(state, around));
            }
            states.push(combined(block, made));
        }
        let outputs = self.genes.outputs().map(|state| states[state].clone()).collect();
        folded(outputs, 0.0, |sum, state| sum + state)
    }
}

fn combined(block: &Block, parts: Vec<Tensor<3>>) -> Tensor<3> {
    match block.combiner {
        Combiner::Add => folded(parts, 0.0, |one, other| one + other),
        Combiner::Multiply => folded(parts, 1.0, |one, other| one * other),
        Combiner::Concat => Tensor::cat(parts, 2),
    }
}

/// All `parts` made one, the narrow ones filled up with `fill`.
fn folded(
    parts: Vec<Tensor<3>>,
    fill: f64,
    combine: fn(Tensor<3>, Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    let widest = parts.iter().map(|part| part.dims()[2]).max().unwrap_or(0);
    let filled = parts.into_iter().map(|part| {
        let [batch, time, width] = part.dims();
        if width == widest {
            return part;
        }
        let rest = Tensor::full([batch, time, widest - width], fill, &part.device());
        Tensor::cat(vec![part, rest], 2)
    });
    filled.reduce(combine).expect("a block and a cell have at least one part")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_states_are_filled_up() {
        let device = Device::flex();
        let wide = || Tensor::<3>::from_floats([[[2.0, 3.0, 5.0]]], &device);
        let narrow = || Tensor::<3>::from_floats([[[7.0]]], &device);
        let values = |combiner| {
            let mut block = genes::transformer(1, 1, 2).encoder.blocks[0];
            block.combiner = combiner;
            combined(&block, vec![narrow(), wide()]).into_data().iter::<f32>().collect::<Vec<_>>()
        };
        assert_eq!(values(Combiner::Add), [9.0, 3.0, 5.0]);
        assert_eq!(values(Combiner::Multiply), [14.0, 3.0, 5.0]);
        assert_eq!(values(Combiner::Concat), [7.0, 2.0, 3.0, 5.0]);
    }
}
