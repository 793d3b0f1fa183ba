//! Initial weights that Burn has no initializer for.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Distribution, Shape, Tensor};

/// Times that values beyond the cut are drawn again. Of values one in 22 lies beyond it, so that of 10^9
/// one in 10^4 models has one left, which is then cut.
const REDRAWS: usize = 10;

/// Weights from a normal distribution around 0 with the standard deviation `std`, without what lies more
/// than two of them from 0: TensorFlow's `truncated_normal`. They are drawn when they are first used.
#[must_use]
pub fn truncated_normal<const D: usize>(
    shape: [usize; D],
    std: f64,
    device: &Device,
) -> Param<Tensor<D>> {
    let draw =
        move |device: &Device| Tensor::<D>::random(shape, Distribution::Normal(0.0, std), device);
    let init = move |device: &Device, require_grad: bool| {
        let cut = 2.0 * std;
        let mut weights = draw(device);
        for _ in 0..REDRAWS {
            let beyond = weights.clone().abs().greater_elem(cut);
            weights = weights.mask_where(beyond, draw(device));
        }
        let weights = weights.clamp(-cut, cut);
        if require_grad { weights.require_grad() } else { weights }
    };
    Param::uninitialized(ParamId::new(), init, device.clone(), true, Shape::from(shape))
}
