//! Architectures as lists of numbers: the search space of the Evolved Transformer (So, Liang and Le, 2019).
//!
//! ```text
//! cell:    input ─► block ─► block ─► … ─► the states that no block reads, added ─► the next cell
//! block:   left branch ┐
//!                      ├─ combiner ─► a state that later blocks may read
//!          right branch┘
//! branch:  a state ─► norm ─► layer ─► activation
//! ```
//!
//! The encoder has one kind of cell and the decoder another, each repeated. What the paper leaves open is taken from
//! its authors' program (tensor2tensor, `nas_model.py` and `nas_layers.py`): a state is normalised once in a cell
//! however many branches ask for it; narrow states are filled up, with 0 to be added and with 1 to be multiplied;
//! a dead branch leaves the other one alone.
//!
//! Nothing here knows tensors: [`crate::model`] makes the layers.

mod count;
mod known;
mod layout;
mod space;

pub use count::Dimensions;
#[cfg(test)]
pub use known::evolved_transformer;
pub use known::transformer;
pub use layout::{Layout, width_after};
pub use space::{Candidate, Space};

/// What a branch does with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Convolution over time; of width 1 a dense layer.
    Convolution {
        /// Places that it sees.
        width: usize,
    },
    /// Depthwise convolution, then a dense layer.
    Separable {
        /// Places that it sees.
        width: usize,
    },
    /// Depthwise convolution with weights that add up to 1 over time and are shared by several channels (Wu et al.,
    /// 2019). Its output is as wide as its input.
    Lightweight {
        /// Places that it sees.
        width: usize,
        /// Channels that share their weights.
        shared: usize,
    },
    /// Attention to the same sequence.
    Attention {
        /// Heads.
        heads: usize,
    },
    /// Attention to what the encoder made; only in the decoder.
    AttendToEncoder,
    /// Gated linear unit.
    Gated,
    /// The input itself.
    Identity,
    /// Nothing: the other branch stands alone.
    Dead,
}

/// What follows a branch's layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x · σ(x).
    Swish,
    /// max(0, x).
    Relu,
    /// The same, with a fifth of what is below 0, as in TensorFlow.
    LeakyRelu,
    /// Nothing.
    None,
}

/// How two branches become one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combiner {
    /// Sum.
    Add,
    /// One beside the other.
    Concat,
    /// Product.
    Multiply,
}

/// One of the two ways through a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Branch {
    /// The state that it reads: 0 is the cell's input, i the output of block i counted from 1.
    pub input: usize,
    /// Whether the state is normalised first.
    pub normed: bool,
    /// What it does.
    pub layer: Layer,
    /// Width of its output in halves of the model's width; layers that keep their input's width do not read it.
    pub halves: usize,
    /// What follows.
    pub activation: Activation,
}

/// Two branches and how they are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// One branch.
    pub left: Branch,
    /// The other.
    pub right: Branch,
    /// How they become one.
    pub combiner: Combiner,
}

/// A graph of blocks that is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// How many of it stand in a row.
    pub repeats: usize,
    /// Its blocks; each may read the states before it.
    pub blocks: Vec<Block>,
}

/// An encoder and a decoder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Architecture {
    /// Reads the source.
    pub encoder: Cell,
    /// Writes the target.
    pub decoder: Cell,
}

impl Branch {
    /// Whether it is there at all.
    pub fn is_alive(&self) -> bool {
        self.layer != Layer::Dead
    }

    /// Whether it passes its input on unchanged.
    fn is_residual(&self) -> bool {
        self.layer == Layer::Identity && !self.normed && self.activation == Activation::None
    }
}

impl Block {
    /// Its branches that are not dead.
    pub fn alive(&self) -> impl Iterator<Item = &Branch> {
        [&self.left, &self.right].into_iter().filter(|branch| branch.is_alive())
    }
}

impl Cell {
    /// Whether each block has a branch that is not dead, and the cell's input reaches its output unchanged, added to
    /// or beside what else there is.
    fn is_sound(&self) -> bool {
        let mut reached = vec![true];
        for block in &self.blocks {
            let alive = block.alive().count();
            if alive == 0 {
                return false;
            }
            let kept = alive == 1 || block.combiner != Combiner::Multiply;
            let residual = |branch: &Branch| branch.is_residual() && reached[branch.input];
            reached.push(kept && block.alive().any(residual));
        }
        self.outputs().any(|state| reached[state])
    }

    /// The states that no block reads, of which the cell's output is made. The last block's is always one.
    pub fn outputs(&self) -> impl Iterator<Item = usize> {
        let read = |state| {
            let mut branches = self.blocks.iter().flat_map(Block::alive);
            branches.any(|branch: &Branch| branch.input == state)
        };
        (0..=self.blocks.len()).filter(move |state| !read(*state))
    }

    fn has(&self, layer: Layer) -> bool {
        self.blocks.iter().flat_map(Block::alive).any(|branch| branch.layer == layer)
    }
}

impl Architecture {
    /// Whether it can be trained: see [`Cell::is_sound`]; the decoder has to read the encoder.
    pub fn is_sound(&self) -> bool {
        self.encoder.is_sound()
            && !self.encoder.has(Layer::AttendToEncoder)
            && self.decoder.is_sound()
            && self.decoder.has(Layer::AttendToEncoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_architectures_are_sound() {
        for architecture in [transformer(1, 2, 4), transformer(2, 3, 8), evolved_transformer()] {
            assert!(architecture.is_sound(), "{architecture:?}");
        }
    }

    #[test]
    fn what_cannot_be_trained_is_not_sound() {
        let broken = |change: fn(&mut Architecture)| {
            let mut architecture = transformer(1, 2, 4);
            change(&mut architecture);
            !architecture.is_sound()
        };
        assert!(!broken(|_| ()));
        // A block of nothing.
        assert!(broken(|it| {
            let block = &mut it.encoder.blocks[1];
            block.left.layer = Layer::Dead;
        }));
        // A residual path that is cut, bent, normalised or multiplied away.
        assert!(broken(|it| it.encoder.blocks[0].right.layer = Layer::Dead));
        assert!(broken(|it| it.encoder.blocks[2].right.activation = Activation::Relu));
        assert!(broken(|it| it.decoder.blocks[0].right.normed = true));
        assert!(broken(|it| it.decoder.blocks[3].combiner = Combiner::Multiply));
        assert!(!broken(|it| it.decoder.blocks[3].combiner = Combiner::Concat));
        // A decoder that reads no source, an encoder that would read itself.
        assert!(broken(|it| it.decoder.blocks[1].left.layer = Layer::Gated));
        assert!(broken(|it| it.encoder.blocks[0].left.layer = Layer::AttendToEncoder));
    }

    #[test]
    fn a_cells_output_is_what_no_block_reads() {
        let outputs = |cell: &Cell| cell.outputs().collect::<Vec<_>>();
        let mut cell = transformer(1, 2, 4).encoder;
        assert_eq!(outputs(&cell), [3]);
        // A dead branch reads nothing.
        cell.blocks[2].right.layer = Layer::Dead;
        cell.blocks[2].left.input = 1;
        assert_eq!(outputs(&cell), [2, 3]);
    }
}
