//! Floating-point operations of a training, counted analytically while it runs.
//!
//! Two for each multiplication with addition of a matrix product or convolution, and twice as many backward as
//! forward. Attention counts as the full square, also where it is causal. Look-ups, norms, activations, softmax and
//! dropout are left out; they add about one per cent.

use std::sync::{Arc, Mutex, PoisonError};

/// Operations of the training steps, by epoch. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct Flops(Arc<Mutex<Vec<u64>>>);

impl Flops {
    /// An epoch of training begins.
    pub fn epoch(&self) {
        self.with(|epochs| epochs.push(0));
    }

    /// Operations of the present epoch.
    pub fn add(&self, operations: u64) {
        self.with(|epochs| match epochs.last_mut() {
            Some(last) => *last += operations,
            None => epochs.push(operations),
        });
    }

    /// The count of each epoch.
    #[must_use]
    pub fn epochs(&self) -> Vec<u64> {
        self.with(|epochs| epochs.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<u64>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_summed_by_epoch_and_clones_share_them() {
        let flops = Flops::default();
        let other = flops.clone();
        other.add(1);
        for epoch in [2, 3] {
            flops.epoch();
            flops.add(epoch);
            other.add(epoch);
        }
        assert_eq!(flops.epochs(), [1, 4, 6]);
    }
}
