//! Adam as BERT's authors wrote it: decoupled decay, and no correction of the moments' start from 0.

use burn::optim::{AdaptiveMomentumState, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use harness::without_decay;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-6;
/// Decay of weights and embeddings; biases and norms have none.
const DECAY: f64 = 0.01;

#[derive(Clone)]
struct BertAdam {
    decay: f64,
}

/// The optimizer of the paper.
pub fn optimizer() -> ModuleOptimizer {
    let optimizer = ModuleOptimizer::from(BertAdam { decay: DECAY });
    optimizer.with_group(without_decay(), BertAdam { decay: 0.0 }, None)
}

impl Optimizer for BertAdam {
    type State<const D: usize> = AdaptiveMomentumState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let start = || AdaptiveMomentumState::new(0, gradient.zeros_like(), gradient.zeros_like());
        let mut state = state.unwrap_or_else(start);
        state.time += 1;
        state.moment_1 = state.moment_1 * BETA_1 + gradient.clone() * (1.0 - BETA_1);
        state.moment_2 = state.moment_2 * BETA_2 + gradient.square() * (1.0 - BETA_2);
        let update = state.moment_1.clone() / (state.moment_2.clone().sqrt() + EPSILON);
        let update = update + tensor.clone() * self.decay;
        (tensor - update * rate, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.to_device(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_not_corrected_and_decay_is_apart_from_the_gradient() {
        let device = Device::flex();
        let value = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
        let (weights, state) =
            BertAdam { decay: 0.01 }.step(0.1, value([1.0, 2.0]), value([4.0, 0.0]), None);
        // m = 0.4, v = 0.016: 0.4 / (√0.016 + 1e-6); and 0.01 · w.
        let moved = 0.4 / (0.016_f32.sqrt() + 1e-6);
        let expected = [1.0 - 0.1 * (moved + 0.01), 2.0 - 0.1 * 0.02];
        for (weight, expected) in weights.into_data().iter::<f32>().zip(expected) {
            assert!((weight - expected).abs() < 1e-5, "{weight} against {expected}");
        }
        assert_eq!(state.map(|state| state.time), Some(1));
    }
}
