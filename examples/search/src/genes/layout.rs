//! How wide each state of a cell is.

use super::{Block, Branch, Cell, Combiner, Layer};

/// The widths in a cell whose input has a given width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Width of each state: the cell's input, then the output of each block.
    pub states: Vec<usize>,
    /// Which states are normalised.
    pub normed: Vec<bool>,
    /// Width of the cell's output.
    pub output: usize,
}

impl Layout {
    /// Of `cell` after an input of `width` channels, in a model of `d_model`.
    pub fn of(cell: &Cell, width: usize, d_model: usize) -> Self {
        let mut states = vec![width];
        let mut normed = vec![false; cell.blocks.len() + 1];
        for block in &cell.blocks {
            let made = block.alive().map(|branch| {
                normed[branch.input] |= branch.normed;
                width_after(branch, states[branch.input], d_model)
            });
            states.push(combined(block, made));
        }
        let output = cell.outputs().map(|state| states[state]).max().unwrap_or(width);
        Self { states, normed, output }
    }
}

/// Width of what `branch` makes of `input` channels.
pub fn width_after(branch: &Branch, input: usize, d_model: usize) -> usize {
    match branch.layer {
        Layer::Identity | Layer::Lightweight { .. } | Layer::Dead => input,
        _ => branch.halves * d_model / 2,
    }
}

fn combined(block: &Block, widths: impl Iterator<Item = usize>) -> usize {
    match block.combiner {
        Combiner::Concat => widths.sum(),
        Combiner::Add | Combiner::Multiply => widths.max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::transformer;
    use super::*;

    #[test]
    fn widths_follow_from_layers_and_combiners() {
        let mut cell = transformer(1, 2, 4).encoder;
        let layout = Layout::of(&cell, 64, 64);
        assert_eq!(layout.states, [64, 64, 256, 64]);
        assert_eq!(layout.normed, [true, true, false, false]);
        assert_eq!(layout.output, 64);

        cell.blocks[2].combiner = Combiner::Concat;
        let layout = Layout::of(&cell, 64, 64);
        assert_eq!((layout.states[3], layout.output), (128, 128));
        // In the next cell a wider input is kept by the residual, and attention makes its own width.
        assert_eq!(Layout::of(&cell, 128, 64).states, [128, 128, 256, 192]);

        // A narrow sum is as wide as its widest part, and a concatenation with nothing as its only one.
        cell.blocks[0].left.halves = 1;
        cell.blocks[1].combiner = Combiner::Concat;
        assert_eq!(Layout::of(&cell, 64, 64).states[..3], [64, 64, 256]);
    }
}
