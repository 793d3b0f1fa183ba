//! Examples of similar length as tensors.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::{BOS, Example, PAD};

/// A batch of sentence pairs, padded to its longest.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Sentences to translate. `[batch, source]`
    pub source: Tensor<2, Int>,
    /// Where `source` is padding. `[batch, source]`
    pub source_pad: Tensor<2, Bool>,
    /// What the decoder sees: the translation, one to the right. `[batch, target]`
    pub input: Tensor<2, Int>,
    /// What it has to say. `[batch, target]`
    pub target: Tensor<2, Int>,
    /// Where `target` is padding. `[batch, target]`
    pub target_pad: Tensor<2, Bool>,
    /// Tokens in `target`, padding not counted.
    pub target_tokens: usize,
}

impl Batch {
    /// The tensors of `examples` on `device`.
    #[must_use]
    pub fn new<'a>(examples: impl Iterator<Item = &'a Example> + Clone, device: &Device) -> Self {
        let source = padded(examples.clone().map(|example| example.source.as_slice()), device);
        let target = padded(examples.clone().map(|example| example.target.as_slice()), device);
        let shifted: Vec<Vec<u32>> = examples
            .clone()
            .map(|example| {
                let (_, said) = example.target.split_last().unwrap_or((&PAD, &[]));
                [BOS].into_iter().chain(said.iter().copied()).collect()
            })
            .collect();
        Self {
            source_pad: source.clone().equal_scalar(i64::from(PAD)),
            source,
            input: padded(shifted.iter().map(Vec::as_slice), device),
            target_pad: target.clone().equal_scalar(i64::from(PAD)),
            target,
            target_tokens: examples.map(|example| example.target.len()).sum(),
        }
    }
}

/// Sentences of ids side by side, the short ones filled up with [`PAD`]. `[batch, longest]`
#[must_use]
pub fn padded<'a>(
    sentences: impl Iterator<Item = &'a [u32]> + Clone,
    device: &Device,
) -> Tensor<2, Int> {
    let longest = sentences.clone().map(<[u32]>::len).max().unwrap_or(0);
    let rows = sentences.clone().count();
    let ids: Vec<i64> = sentences
        .flat_map(|ids| {
            let fill = std::iter::repeat_n(PAD, longest - ids.len());
            ids.iter().copied().chain(fill).map(i64::from)
        })
        .collect();
    Tensor::from_data(TensorData::new(ids, [rows, longest]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::EOS;

    #[test]
    fn the_decoder_sees_what_it_said_before_and_padding_is_marked() {
        let examples = [
            Example { source: vec![7, EOS], target: vec![8, 9, EOS] },
            Example { source: vec![5, 6, EOS], target: vec![4, EOS] },
        ];
        let batch = Batch::new(examples.iter(), &Device::flex());
        let ids = |tensor: Tensor<2, Int>| tensor.into_data().iter::<i64>().collect::<Vec<_>>();
        assert_eq!(ids(batch.source), [7, 2, 0, 5, 6, 2]);
        assert_eq!(ids(batch.input), [1, 8, 9, 1, 4, 0]);
        assert_eq!(ids(batch.target), [8, 9, 2, 4, 2, 0]);
        let pads = batch.target_pad.into_data().iter::<bool>().collect::<Vec<_>>();
        assert_eq!(pads, [false, false, false, false, false, true]);
        assert_eq!(batch.target_tokens, 5);
    }
}
