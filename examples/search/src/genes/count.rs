//! Parameters and operations of an architecture, without making any weights.

use super::layout::width_after;
use super::{Architecture, Branch, Cell, Layer, Layout};

/// What does not change in a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// Tokens of the vocabulary that both sides share.
    pub vocabulary: usize,
    /// Width of the embedding.
    pub d_model: usize,
    /// Heads of the attention to the encoder.
    pub heads: usize,
}

/// Lengths of a pair of sentences, tokens.
#[derive(Clone, Copy)]
struct Lengths {
    /// The sequence that the cell reads.
    own: u64,
    /// What the encoder read.
    source: u64,
}

impl Dimensions {
    /// Trainable parameters of `architecture`: the embedding, which also weighs the output, and all cells.
    pub fn parameters(&self, architecture: &Architecture) -> usize {
        let Architecture { encoder, decoder } = architecture;
        self.vocabulary * self.d_model + self.cells(encoder) + self.cells(decoder)
    }

    /// Operations of a training step on `rows` pairs of `source` and `target` tokens: two for each multiplication with
    /// addition of a matrix product or convolution, and twice as many backward as forward. Attention counts as the
    /// full square; look-ups, norms, activations and the softmax are left out.
    pub fn training_flops(
        &self,
        architecture: &Architecture,
        [rows, source, target]: [usize; 3],
    ) -> u64 {
        let (source, target) = (source as u64, target as u64);
        let head = 2 * target * (self.d_model * self.vocabulary) as u64;
        let Architecture { encoder, decoder } = architecture;
        let forward = self.flops(encoder, Lengths { own: source, source })
            + self.flops(decoder, Lengths { own: target, source })
            + head;
        3 * rows as u64 * forward
    }

    /// Parameters of all repeats of a cell, with the last norm and the projection back to the model's width.
    fn cells(&self, cell: &Cell) -> usize {
        let mut sum = 0;
        let mut width = self.d_model;
        for _ in 0..cell.repeats {
            let layout = Layout::of(cell, width, self.d_model);
            let normed = layout.states.iter().zip(&layout.normed).filter(|(_, normed)| **normed);
            sum += normed.map(|(width, _)| 2 * width).sum::<usize>();
            sum += self.over_branches(cell, &layout, |branch, input, output| {
                self.of_branch(branch, input, output)
            });
            width = layout.output;
        }
        let projection =
            if width == self.d_model { 0 } else { width * self.d_model + self.d_model };
        sum + 2 * width + projection
    }

    /// Forward operations of all repeats of a cell for one sentence.
    fn flops(&self, cell: &Cell, lengths: Lengths) -> u64 {
        let mut sum = 0;
        let mut width = self.d_model;
        for _ in 0..cell.repeats {
            let layout = Layout::of(cell, width, self.d_model);
            sum += self.over_branches(cell, &layout, |branch, input, output| {
                self.flops_of_branch(branch, [input as u64, output as u64], lengths)
            });
            width = layout.output;
        }
        if width != self.d_model {
            sum += 2 * lengths.own * (width * self.d_model) as u64;
        }
        sum
    }

    /// The sum of `count` over the branches that are not dead, which gets their widths of input and output.
    fn over_branches<T: std::iter::Sum>(
        &self,
        cell: &Cell,
        layout: &Layout,
        count: impl Fn(&Branch, usize, usize) -> T,
    ) -> T {
        let branches = cell.blocks.iter().flat_map(super::Block::alive);
        branches
            .map(|branch| {
                let input = layout.states[branch.input];
                count(branch, input, width_after(branch, input, self.d_model))
            })
            .sum()
    }

    fn of_branch(&self, branch: &Branch, input: usize, output: usize) -> usize {
        match branch.layer {
            Layer::Convolution { width } => width * input * output + output,
            Layer::Separable { width } => width * input + input * output + output,
            Layer::Lightweight { width, shared } => width * (input / shared + input % shared),
            Layer::Attention { .. } => 3 * input * input + input * output,
            Layer::AttendToEncoder => input * input + 2 * self.d_model * input + input * output,
            Layer::Gated => 2 * (input * output + output),
            Layer::Identity | Layer::Dead => 0,
        }
    }

    fn flops_of_branch(
        &self,
        branch: &Branch,
        [input, output]: [u64; 2],
        Lengths { own, source }: Lengths,
    ) -> u64 {
        let products = match branch.layer {
            Layer::Convolution { width } => own * width as u64 * input * output,
            Layer::Separable { width } => own * (width as u64 * input + input * output),
            Layer::Lightweight { width, .. } => own * width as u64 * input,
            Layer::Attention { .. } => {
                own * (3 * input * input + input * output) + 2 * own * own * input
            }
            Layer::AttendToEncoder => {
                own * (input * input + input * output)
                    + 2 * source * self.d_model as u64 * input
                    + 2 * own * source * input
            }
            Layer::Gated => 2 * own * input * output,
            Layer::Identity | Layer::Dead => 0,
        };
        2 * products
    }
}

#[cfg(test)]
mod tests {
    use super::super::{evolved_transformer, transformer};
    use super::*;

    /// The search's own dimensions: 33,288 tokens by the count that gives the paper's 61.1 million.
    const BASE: Dimensions = Dimensions { vocabulary: 33_288, d_model: 512, heads: 8 };

    fn body(architecture: &Architecture) -> usize {
        BASE.parameters(architecture) - BASE.vocabulary * BASE.d_model
    }

    #[test]
    fn the_known_architectures_have_the_published_number_of_parameters() {
        // Worked out by hand from the published blocks: cells without the last norm.
        let cell = |cell: &Cell| BASE.cells(&Cell { repeats: 1, ..cell.clone() }) - 2 * 512;
        let seed = transformer(1, 6, 8);
        assert_eq!((cell(&seed.encoder), cell(&seed.decoder)), (3_150_336, 4_199_936));
        let found = evolved_transformer();
        assert_eq!((cell(&found.encoder), cell(&found.decoder)), (5_668_864, 7_503_104));
        assert_eq!((body(&seed), body(&found)), (44_103_680, 47_021_056));
        // The paper: 61.1 and 64.1 million.
        assert_eq!(BASE.parameters(&seed), 61_147_136);
        assert_eq!(BASE.parameters(&found), 64_064_512);
        // Two layers a cell are the same model in half as many cells.
        assert_eq!(body(&transformer(2, 3, 8)), body(&seed));
    }

    #[test]
    fn operations_are_those_of_the_matrix_products() {
        // Vaswani's base model at 37,000 tokens, 64 a side: 24,638,914,560 a training step.
        let base = Dimensions { vocabulary: 37_000, ..BASE };
        let seed = transformer(1, 6, 8);
        assert_eq!(base.training_flops(&seed, [1, 64, 64]), 24_638_914_560);
        assert_eq!(base.training_flops(&seed, [3, 64, 64]), 3 * 24_638_914_560);
        // What was found takes 1.065 times as many without the output over the vocabulary.
        let head = 3 * 2 * 64 * 512 * 37_000;
        let of = |architecture| (base.training_flops(architecture, [1, 64, 64]) - head) as f64;
        let ratio = of(&evolved_transformer()) / of(&seed);
        assert!((ratio - 1.065).abs() < 5e-4, "{ratio}");
    }
}
