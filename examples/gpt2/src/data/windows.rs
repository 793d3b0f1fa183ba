//! Tokens → batches of windows.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// Windows of a text, and the token that follows each of their tokens.
pub struct Batch {
    /// `[batch, context]`
    pub input: Tensor<2, Int>,
    /// `[batch × context, 1]`
    pub target: Tensor<2, Int>,
    /// Tokens that are predicted.
    pub tokens: usize,
}

/// A text that is read through windows of `context` tokens.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    text: &'a [u32],
    context: usize,
    batch: usize,
}

impl<'a> Windows<'a> {
    /// Batches of `batch` windows of `text`, which is longer than one.
    pub fn new(text: &'a [u32], context: usize, batch: usize) -> Self {
        Self { text, context, batch }
    }

    /// A batch of windows that begin anywhere.
    pub fn draw(&self, rng: &mut StdRng, device: &Device) -> Batch {
        let last = self.text.len() - self.context;
        let starts: Vec<usize> = (0..self.batch).map(|_| rng.random_range(0..last)).collect();
        self.at(&starts, device)
    }

    /// Batches of windows that do not overlap, from all over the text; all windows, or `most` batches.
    pub fn spread(&self, most: usize) -> Vec<Vec<usize>> {
        let windows = (self.text.len() - 1) / self.context;
        let taken = windows.min(most.saturating_mul(self.batch));
        let starts: Vec<usize> =
            (0..taken).map(|index| index * windows / taken * self.context).collect();
        starts.chunks(self.batch).map(<[usize]>::to_vec).collect()
    }

    /// The windows that begin at `starts`.
    pub fn at(&self, starts: &[usize], device: &Device) -> Batch {
        let tokens = starts.len() * self.context;
        let read = |offset: usize| {
            let window = |&start: &usize| &self.text[start + offset..][..self.context];
            starts.iter().flat_map(window).map(|&id| id.cast_signed()).collect::<Vec<i32>>()
        };
        let input = TensorData::new(read(0), [starts.len(), self.context]);
        let target = TensorData::new(read(1), [tokens, 1]);
        Batch {
            input: Tensor::from_data(input, device),
            target: Tensor::from_data(target, device),
            tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn each_token_is_followed_by_its_target() {
        let text: Vec<u32> = (0..11).collect();
        let windows = Windows::new(&text, 3, 2);
        let device = Device::flex();
        let values = |tensor: Tensor<2, Int>| tensor.into_data().iter::<i32>().collect::<Vec<_>>();
        let mut rng = StdRng::seed_from_u64(4);
        for _ in 0..20 {
            let batch = windows.draw(&mut rng, &device);
            assert_eq!((batch.input.dims(), batch.tokens), ([2, 3], 6));
            let next: Vec<i32> = values(batch.input).iter().map(|id| id + 1).collect();
            assert_eq!(values(batch.target), next);
        }
        // Three windows of three tokens, each with the one after it.
        assert_eq!(windows.spread(9), [vec![0, 3], vec![6]]);
        let text = vec![0; 1 + 30];
        assert_eq!(Windows::new(&text, 3, 2).spread(2), [vec![0, 6], vec![15, 21]]);
    }
}
