//! The model: a character CNN, two layers of LSTM in each direction, one softmax for both.
//!
//! ```text
//! characters ─► CharCnn ─► dropout ─► LSTM 1 ─► LSTM 2 (+ its input) ─► dropout ─┐
//!                  │                                                              ├─► Softmax
//!                  └────────► the same, over reversed sentences ──────────────────┘
//! ```
//!
//! The CNN and the softmax are shared by the two directions; the LSTMs are not. There is no
//! residual from the word representation into the first LSTM.

mod char_cnn;
mod lstm;
mod options;
mod softmax;

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

use char_cnn::CharCnn;
use lstm::{ProjectedLstm, State};
#[cfg(test)]
pub use options::ALPHABET;
pub use options::Options;
pub use softmax::LogUniform;
use softmax::Softmax;

/// The bidirectional language model.
#[derive(Module, Debug)]
pub struct Elmo {
    words: CharCnn,
    forward: Direction,
    backward: Direction,
    softmax: Softmax,
    dropout: Dropout,
}

/// The stack of LSTMs that reads in one direction.
#[derive(Module, Debug)]
struct Direction {
    layers: Vec<ProjectedLstm>,
    dropout: Dropout,
}

/// What both directions remember from one window to the next.
#[derive(Clone, Debug)]
pub struct Memory {
    forward: Vec<State>,
    backward: Vec<State>,
}

impl Memory {
    /// The same values, cut off from the graph that produced them: where truncated
    /// back-propagation through time stops.
    #[must_use]
    pub fn detach(self) -> Self {
        let detach = |states: Vec<State>| states.into_iter().map(State::detach).collect();
        Self { forward: detach(self.forward), backward: detach(self.backward) }
    }
}

/// The inputs of one direction: the character ids of the words it reads.
pub struct Words {
    /// Character ids, `[batch · time, characters]`, row after row.
    pub characters: Vec<i32>,
    /// Lanes that are read side by side.
    pub batch: usize,
    /// Words a lane.
    pub time: usize,
}

/// Both directions' hidden states, one row a word: `[batch · time, projection]`.
#[derive(Debug)]
pub struct Hidden {
    /// Of the words so far.
    pub forward: Tensor<2>,
    /// Of the words to come.
    pub backward: Tensor<2>,
}

impl Elmo {
    /// A model with fresh weights for a vocabulary of `vocabulary` words.
    pub fn new(options: &Options, vocabulary: usize, device: &Device) -> Self {
        let dropout = DropoutConfig::new(options.dropout).init();
        let direction = || Direction {
            layers: (0..options.layers).map(|_| ProjectedLstm::new(options, device)).collect(),
            dropout: dropout.clone(),
        };
        Self {
            words: CharCnn::new(options, device),
            forward: direction(),
            backward: direction(),
            softmax: Softmax::new(vocabulary, options.projection, device),
            dropout: dropout.clone(),
        }
    }

    /// The memory before the first word, for `batch` lanes.
    pub fn start(&self, batch: usize, device: &Device) -> Memory {
        let zeros =
            |side: &Direction| side.layers.iter().map(|layer| layer.start(batch, device)).collect();
        Memory { forward: zeros(&self.forward), backward: zeros(&self.backward) }
    }

    /// Reads one window in both directions.
    ///
    /// `backward` holds sentences with their words in reverse, so that both directions read their
    /// own words from first to last.
    pub fn read(
        &self,
        forward: &Words,
        backward: &Words,
        memory: Memory,
        device: &Device,
    ) -> (Hidden, Memory) {
        let (forward_hidden, forward_states) =
            self.forward.read(self.represent(forward, device), memory.forward);
        let (backward_hidden, backward_states) =
            self.backward.read(self.represent(backward, device), memory.backward);
        let hidden = Hidden {
            forward: self.dropout.forward(forward_hidden),
            backward: self.dropout.forward(backward_hidden),
        };
        (hidden, Memory { forward: forward_states, backward: backward_states })
    }

    /// The softmax that both directions share.
    pub fn softmax(&self) -> &Softmax {
        &self.softmax
    }

    /// Words as vectors: `[batch, time, projection]`.
    fn represent(&self, words: &Words, device: &Device) -> Tensor<3> {
        let count = words.batch * words.time;
        let width = words.characters.len() / count;
        let data = TensorData::new(words.characters.clone(), [count, width]);
        let characters = Tensor::<2, Int>::from_data(data, device);
        let vectors = self.words.forward(characters); // [batch * time, projection]
        let [_, projection] = vectors.dims();
        vectors.reshape([words.batch, words.time, projection])
    }
}

impl Direction {
    /// `words` is `[batch, time, projection]`; the result is `[batch * time, projection]`.
    fn read(&self, words: Tensor<3>, states: Vec<State>) -> (Tensor<2>, Vec<State>) {
        let [batch, time, projection] = words.dims();
        let mut sequence: Vec<Tensor<2>> =
            words.split(1, 1).into_iter().map(|word| word.squeeze_dim(1)).collect();
        let mut last = Vec::with_capacity(states.len());
        for (depth, (layer, mut state)) in self.layers.iter().zip(states).enumerate() {
            for step in &mut sequence {
                let input = self.dropout.forward(step.clone()); // [batch, projection]
                state = layer.step(input.clone(), state);
                *step =
                    if depth == 0 { state.output.clone() } else { state.output.clone() + input };
            }
            last.push(state);
        }
        (Tensor::stack::<3>(sequence, 1).reshape([batch * time, projection]), last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Alphabet;

    fn read(model: &Elmo, sentence: &[&str], device: &Device) -> (Vec<f32>, Vec<f32>) {
        let alphabet = Alphabet::new(12);
        let words = |order: &mut dyn Iterator<Item = &&str>| {
            let characters: Vec<i32> = order.flat_map(|word| alphabet.encode(word)).collect();
            Words { characters, batch: 1, time: sentence.len() }
        };
        let forward = words(&mut sentence.iter());
        let backward = words(&mut sentence.iter().rev());
        let (hidden, _) = model.read(&forward, &backward, model.start(1, device), device);
        let values = |hidden: Tensor<2>| hidden.into_data().iter::<f32>().collect();
        (values(hidden.forward), values(hidden.backward))
    }

    #[test]
    fn each_direction_sees_only_its_own_side_of_a_word() {
        let device = Device::default();
        let options = Options::smoke();
        let width = options.projection;
        let model = Elmo::new(&options, 30, &device).valid();
        let (forward, backward) = read(&model, &["the", "old", "boat", "leaks"], &device);
        let (forward_end, backward_end) = read(&model, &["the", "old", "boat", "sinks"], &device);
        // The last word changed: the forward direction has not seen it before the last row, and
        // the backward direction, which reads it first, differs in every row.
        assert_eq!(forward[..3 * width], forward_end[..3 * width]);
        assert_ne!(forward[3 * width..], forward_end[3 * width..]);
        for row in 0..4 {
            let columns = row * width..(row + 1) * width;
            assert_ne!(backward[columns.clone()], backward_end[columns], "row {row}");
        }
    }

    #[test]
    fn memory_carries_a_sentence_across_windows() {
        let device = Device::default();
        let options = Options::smoke();
        let model = Elmo::new(&options, 30, &device).valid();
        let alphabet = Alphabet::new(12);
        let window = |words: &[&str]| Words {
            characters: words.iter().flat_map(|word| alphabet.encode(word)).collect(),
            batch: 1,
            time: words.len(),
        };
        let whole = window(&["a", "b", "c", "d"]);
        let (first, second) = (window(&["a", "b"]), window(&["c", "d"]));
        let (at_once, _) = model.read(&whole, &whole, model.start(1, &device), &device);
        let (_, memory) = model.read(&first, &first, model.start(1, &device), &device);
        let (in_two, _) = model.read(&second, &second, memory.detach(), &device);
        let tail = at_once.forward.narrow(0, 2, 2).into_data();
        for (whole, split) in tail.iter::<f32>().zip(in_two.forward.into_data().iter::<f32>()) {
            assert!((whole - split).abs() < 1e-6, "{whole} against {split}");
        }
    }
}
