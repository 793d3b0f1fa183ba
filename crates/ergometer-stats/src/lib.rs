//! Statistics of repeated runs, shared by `ergometer compare` and `cargo xtask bench-models`.
//!
//! * [`Change`] compares two independent sets of runs (Welch, on relative deviations).
//! * [`Paired`] compares runs that were made in pairs (Student's t on the logarithms of their ratios, and
//!   Hodges–Lehmann with the exact interval of Wilcoxon's signed ranks).
//! * [`wilson`] is the interval of a share.
//! * [`Verdict`] judges an interval by a margin that was stated before.
#![forbid(unsafe_code)]

mod change;
mod paired;
mod proportion;
mod student;
mod verdict;

pub use change::{Change, Run};
pub use paired::{Paired, hodges_lehmann, median, pairs_needed, shift};
pub use proportion::wilson;
pub use student::{NORMAL, quantile};
pub use verdict::{Interval, Verdict};

/// Mean and sample standard deviation (n − 1); the deviation is `None` for fewer than two values, both for none.
#[must_use]
pub fn mean_and_deviation(values: &[f64]) -> Option<(f64, Option<f64>)> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt())))
}
