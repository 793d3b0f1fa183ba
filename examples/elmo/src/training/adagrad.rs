//! Adagrad that starts from an accumulator of 1.
//!
//! Burn's Adagrad starts from the first gradient's square, so that its first step has the length
//! of the learning rate in every coordinate, however small the gradient; the authors' program
//! starts from 1. The step itself is Burn's.

use burn::optim::{AdaGrad, AdaGradConfig, AdaGradState, LrDecayState, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

/// What the sum of squared gradients starts from.
const INITIAL: f32 = 1.0;

#[derive(Clone)]
struct Accumulated(AdaGrad);

/// The optimizer of the paper.
pub fn optimizer() -> ModuleOptimizer {
    // Nothing divides by zero: the sum is never below its start.
    ModuleOptimizer::from(Accumulated(AdaGradConfig::new().with_epsilon(0.0).build()))
}

impl Optimizer for Accumulated {
    type State<const D: usize> = AdaGradState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let start = || AdaGradState::new(LrDecayState::new(0, gradient.full_like(INITIAL)));
        let state = state.unwrap_or_else(start);
        self.0.step(rate, tensor, gradient, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AdaGrad::to_device(state, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accumulator_starts_at_one() {
        let device = Device::default();
        let optimizer = Accumulated(AdaGradConfig::new().with_epsilon(0.0).build());
        let value = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
        let (weights, state) = optimizer.step(0.2, value([1.0, 1.0]), value([2.0, 0.0]), None);
        let (weights, _) = optimizer.step(0.2, weights, value([2.0, 1.0]), state);
        // 1 − 0.2 · 2 / √(1 + 4) − 0.2 · 2 / √(1 + 4 + 4), and 1 − 0.2 · 1 / √(1 + 1).
        let expected = [1.0 - 0.4 / 5_f32.sqrt() - 0.4 / 3.0, 1.0 - 0.2 / 2_f32.sqrt()];
        for (weight, expected) in weights.into_data().iter::<f32>().zip(expected) {
            assert!((weight - expected).abs() < 1e-6, "{weight} against {expected}");
        }
    }
}
