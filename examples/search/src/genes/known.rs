//! Architectures that are known: where the search begins and where the published one ended.

use super::{Activation, Architecture, Block, Branch, Cell, Combiner, Layer};

/// Width of the model, in halves of it.
const FULL: usize = 2;
/// Width inside the feed-forward layers.
const WIDE: usize = 8;

const fn branch(input: usize, layer: Layer) -> Branch {
    Branch { input, normed: false, layer, halves: FULL, activation: Activation::None }
}

const fn of_norm(input: usize, layer: Layer) -> Branch {
    Branch { normed: true, ..branch(input, layer) }
}

const fn activated(branch: Branch, halves: usize, activation: Activation) -> Branch {
    Branch { halves, activation, ..branch }
}

const fn dense(branch: Branch, halves: usize, activation: Activation) -> Branch {
    let layer = Layer::Convolution { width: 1 };
    activated(Branch { layer, ..branch }, halves, activation)
}

const fn added(left: Branch, right: Branch) -> Block {
    Block { left, right, combiner: Combiner::Add }
}

/// `layer` of the normalised state, added to the state.
const fn residual(state: usize, layer: Layer) -> Block {
    added(of_norm(state, layer), branch(state, Layer::Identity))
}

/// A feed-forward network around a state, as two blocks; the second one's input is normed where `inner` says so.
fn feed_forward(state: usize, activation: Activation, inner: bool) -> [Block; 2] {
    let expand = dense(of_norm(state, Layer::Dead), WIDE, activation);
    let contract = dense(branch(state + 1, Layer::Dead), FULL, Activation::None);
    [
        added(expand, branch(state, Layer::Dead)),
        added(Branch { normed: inner, ..contract }, branch(state, Layer::Identity)),
    ]
}

/// The Transformer with norms in front, `layers` of its layers in a cell: three blocks each in the encoder and four in
/// the decoder. The published search began from two layers a cell, three cells and 8 heads.
pub fn transformer(layers: usize, cells: usize, heads: usize) -> Architecture {
    let attention = Layer::Attention { heads };
    let (mut encoder, mut decoder) = (Vec::new(), Vec::new());
    for _ in 0..layers {
        let state = encoder.len();
        encoder.push(residual(state, attention));
        encoder.extend(feed_forward(state + 1, Activation::Relu, false));

        let state = decoder.len();
        decoder.push(residual(state, attention));
        decoder.push(residual(state + 1, Layer::AttendToEncoder));
        decoder.extend(feed_forward(state + 2, Activation::Relu, false));
    }
    Architecture {
        encoder: Cell { repeats: cells, blocks: encoder },
        decoder: Cell { repeats: cells, blocks: decoder },
    }
}

/// What the published search found (So et al., 2019, figure 3; tensor2tensor, `evolved_transformer.py`).
#[cfg(test)]
pub fn evolved_transformer() -> Architecture {
    let relu = Activation::Relu;
    let attention = |heads| Layer::Attention { heads };
    let separable = |width| Layer::Separable { width };
    let mut encoder = vec![
        residual(0, Layer::Gated),
        added(
            dense(of_norm(1, Layer::Dead), WIDE, relu),
            activated(of_norm(1, Layer::Convolution { width: 3 }), 1, relu),
        ),
        added(activated(of_norm(2, separable(9)), 1, Activation::None), branch(1, Layer::Identity)),
        residual(3, attention(8)),
    ];
    encoder.extend(feed_forward(4, relu, false));
    let mut decoder = vec![
        added(of_norm(0, attention(16)), of_norm(0, Layer::AttendToEncoder)),
        added(branch(1, Layer::Identity), branch(0, Layer::Identity)),
        added(
            activated(of_norm(2, separable(11)), 4, relu),
            activated(of_norm(2, separable(7)), 1, Activation::None),
        ),
        added(of_norm(3, separable(7)), branch(2, Layer::Identity)),
        residual(4, attention(8)),
        residual(5, Layer::AttendToEncoder),
    ];
    decoder.extend(feed_forward(6, Activation::Swish, true));
    Architecture {
        encoder: Cell { repeats: 3, blocks: encoder },
        decoder: Cell { repeats: 4, blocks: decoder },
    }
}
