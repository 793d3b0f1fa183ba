//! Clipping by the norm of all gradients together.
//!
//! Burn's clipping bounds the norm of each parameter's gradient by itself, which turns the
//! direction of the step; this one only shortens it. Nothing is read back from the device.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

struct SquaredNorm<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let squares = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient * self.factor.clone().unsqueeze());
        }
    }
}

/// Shortens `gradients` of `module` to `largest` where they are longer.
#[must_use]
pub fn clip_by_global_norm<M: Module>(
    mut gradients: GradientsParams,
    module: &M,
    largest: f64,
) -> GradientsParams {
    let mut norm = SquaredNorm { gradients: &gradients, sum: None };
    module.visit(&mut norm);
    if let Some(sum) = norm.sum {
        // A norm of zero gives an infinite factor, which is then bounded as well.
        let factor = sum.sqrt().recip().mul_scalar(largest).clamp_max(1.0);
        module.visit(&mut Scale { gradients: &mut gradients, factor });
    }
    gradients
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn all_gradients_are_shortened_by_one_factor() {
        let device = Device::default();
        let module = LinearConfig::new(1, 2).init(&device);
        let (weight, bias) = (module.weight.id, module.bias.as_ref().expect("a bias").id);
        let clipped = |scale: f32, largest| {
            let mut gradients = GradientsParams::new();
            let value = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device) * scale;
            gradients.register(weight, value([3.0, 0.0]).unsqueeze::<2>());
            gradients.register(bias, value([0.0, 4.0]));
            let mut gradients = clip_by_global_norm(gradients, &module, largest);
            let weight = gradients.remove::<2>(weight).expect("kept").into_data();
            let bias = gradients.remove::<1>(bias).expect("kept").into_data();
            weight.iter::<f32>().chain(bias.iter::<f32>()).collect::<Vec<_>>()
        };
        let near = |values: &[f32], expected: [f32; 4]| {
            values.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-6)
        };
        assert!(near(&clipped(1.0, 10.0), [3.0, 0.0, 0.0, 4.0]), "a norm of 5 is left alone");
        assert!(near(&clipped(1.0, 2.5), [1.5, 0.0, 0.0, 2.0]), "and halved to 2.5");
        assert!(near(&clipped(0.0, 2.5), [0.0; 4]), "no gradient stays none");
    }
}
