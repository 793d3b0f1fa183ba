//! Points on two interleaved spirals.

use std::f32::consts::PI;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt as _};

const POINTS: usize = 256;

/// A batch of points and the arm each lies on.
pub struct Batch {
    /// Coordinates, `[points, 2]`.
    pub points: Tensor<2>,
    /// 0 or 1, `[points]`.
    pub arms: Tensor<1, Int>,
}

impl Batch {
    /// Random points of both arms.
    pub fn spiral(rng: &mut impl Rng, device: &Device) -> Self {
        let mut points = Vec::with_capacity(2 * POINTS);
        let mut arms = Vec::with_capacity(POINTS);
        for _ in 0..POINTS {
            let arm = rng.random_range(0..2_u8);
            let radius: f32 = rng.random_range(0.1..1.0);
            let angle = radius * 3.0 * PI + f32::from(arm) * PI;
            points.extend([radius * angle.cos(), radius * angle.sin()]);
            arms.push(i64::from(arm));
        }
        Self {
            points: Tensor::from_data(TensorData::new(points, [POINTS, 2]), device),
            arms: Tensor::from_data(TensorData::new(arms, [POINTS]), device),
        }
    }

    /// Points in the batch.
    pub fn len(&self) -> usize {
        self.arms.dims()[0]
    }
}
