//! The machine's own peak: a large matrix product, timed.
//!
//! It is what this backend reaches on this device, not what its data sheet promises. A training's share of it shows
//! how well its shapes fill the device.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use serde_json::json;

use crate::{Failure, TrainArgs, describe, device};

/// Rows and columns of the matrices, for a CPU and for an accelerator.
const SIZES: [usize; 2] = [1024, 8192];
/// How long products are repeated.
const TIME: Duration = Duration::from_secs(2);

/// Prints the rate of a single-precision matrix product on the device, as JSON: `flops_per_second`, the best of the
/// products, and `size`.
///
/// # Errors
/// When the device is not there or fails.
pub fn peak(args: &TrainArgs) -> Result<(), Failure> {
    let device = device(args)?;
    let size = SIZES[crate::accelerators(&device).min(1)];
    let rate = rate(&device, size, TIME)?;
    println!("{}", json!({ "flops_per_second": rate, "size": size, "device": describe(&device) }));
    Ok(())
}

/// Operations a second of the best of several products of `size` × `size` matrices.
fn rate(device: &Device, size: usize, time: Duration) -> Result<f64, Failure> {
    let matrix = || Tensor::<2>::random([size, size], Distribution::Default, device);
    let (left, right) = (matrix(), matrix());
    let operations = 2.0 * (size as f64).powi(3);
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    loop {
        let start = Instant::now();
        let product = left.clone().matmul(right.clone());
        device.sync().map_err(Failure::run)?;
        drop(product);
        best = best.min(start.elapsed().as_secs_f64());
        if begin.elapsed() >= time {
            return Ok(operations / best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_has_a_rate_that_a_machine_can_have() {
        let rate = rate(&Device::flex(), 32, Duration::ZERO).unwrap();
        assert!((1e5..1e15).contains(&rate), "{rate}");
    }
}
