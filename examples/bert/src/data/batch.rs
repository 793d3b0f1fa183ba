//! Pairs → tensors.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::PAD;
use super::instances::{Instance, Shape};

/// Pairs of one length, padded.
pub struct Batch {
    /// `[batch, length]`
    pub ids: Tensor<2, Int>,
    /// 0 in the first stretch, 1 in the second. `[batch, length]`
    pub segments: Tensor<2, Int>,
    /// Where there is padding. `[batch, length]`
    pub padding: Tensor<2, Bool>,
    /// Places of the words to predict, counted through the whole batch. `[batch × predictions]`
    pub places: Tensor<1, Int>,
    /// The words to predict. `[batch × predictions, 1]`
    pub words: Tensor<2, Int>,
    /// 1 for a word to predict, 0 for what fills up. `[batch × predictions, 1]`
    pub weights: Tensor<2>,
    /// 0 where the second stretch follows the first, 1 where it does not. `[batch, 1]`
    pub random: Tensor<2, Int>,
    /// Pairs whose second stretch does not follow the first.
    pub random_pairs: usize,
    /// Words to predict.
    pub predicted: usize,
    /// Tokens, padding not counted.
    pub tokens: usize,
}

impl Batch {
    /// `instances`, which fit `shape`, on `device`.
    pub fn new(instances: &[Instance], shape: Shape, device: &Device) -> Self {
        let Shape { length, predictions } = shape;
        let rows = instances.len();
        let (mut ids, mut segments) =
            (vec![PAD.cast_signed(); rows * length], vec![0_i32; rows * length]);
        let mut padding = vec![true; rows * length];
        let (mut places, mut words) = (Vec::new(), Vec::new());
        let mut weights = vec![0_f32; rows * predictions];
        for (row, instance) in instances.iter().enumerate() {
            let begin = row * length;
            for (place, &id) in instance.ids.iter().enumerate() {
                ids[begin + place] = id.cast_signed();
                segments[begin + place] = i32::from(place >= instance.second);
                padding[begin + place] = false;
            }
            weights[row * predictions..][..instance.masked.len()].fill(1.0);
            for &(place, word) in &instance.masked {
                places.push(i32::try_from(begin + place).unwrap_or(i32::MAX));
                words.push(word.cast_signed());
            }
            // What fills up is computed too, as in the authors' program, and has no weight.
            places.resize((row + 1) * predictions, 0);
            words.resize((row + 1) * predictions, 0);
        }
        let random: Vec<i32> =
            instances.iter().map(|instance| i32::from(!instance.follows)).collect();
        let random_pairs = instances.iter().filter(|instance| !instance.follows).count();
        let table =
            |values| Tensor::from_data(TensorData::new::<i32, _>(values, [rows, length]), device);
        let predicted = instances.iter().map(|instance| instance.masked.len()).sum();
        let count = rows * predictions;
        Self {
            ids: table(ids),
            segments: table(segments),
            padding: Tensor::from_data(TensorData::new(padding, [rows, length]), device),
            places: Tensor::from_data(TensorData::new(places, [count]), device),
            words: Tensor::from_data(TensorData::new(words, [count, 1]), device),
            weights: Tensor::from_data(TensorData::new(weights, [count, 1]), device),
            random: Tensor::from_data(TensorData::new(random, [rows, 1]), device),
            random_pairs,
            predicted,
            tokens: instances.iter().map(|instance| instance.ids.len()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pairs_are_filled_up() {
        let pair =
            |ids: Vec<u32>, second, follows, masked| Instance { ids, second, follows, masked };
        let instances = [
            pair(vec![2, 7, 3, 8, 3], 3, true, vec![(1, 7)]),
            pair(vec![2, 4, 9, 3, 4, 3], 4, false, vec![(1, 5), (4, 6)]),
        ];
        let batch = Batch::new(&instances, Shape { length: 6, predictions: 3 }, &Device::flex());
        let ints = |tensor: Tensor<2, Int>| tensor.into_data().iter::<i32>().collect::<Vec<_>>();
        assert_eq!(ints(batch.ids), [2, 7, 3, 8, 3, 0, 2, 4, 9, 3, 4, 3]);
        assert_eq!(ints(batch.segments), [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(ints(batch.padding.int()), [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(ints(batch.places.unsqueeze()), [1, 0, 0, 7, 10, 0]);
        assert_eq!(ints(batch.words), [7, 0, 0, 5, 6, 0]);
        let weights: Vec<f32> = batch.weights.into_data().iter().collect();
        assert_eq!(weights, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(ints(batch.random), [0, 1]);
        assert_eq!((batch.random_pairs, batch.predicted, batch.tokens), (1, 3, 11));
    }
}
