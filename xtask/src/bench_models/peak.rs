//! How fast a large matrix product is: what a backend reaches on this machine.

use serde::{Deserialize, Serialize};

/// The rate of a product of two square matrices in single precision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// Floating-point operations a second, of the best product.
    pub flops_per_second: f64,
    /// Rows and columns of the matrices.
    pub size: u64,
}
