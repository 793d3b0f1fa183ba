//! Mean and standard deviation over repeats.

use serde::{Deserialize, Serialize};

/// A quantity over the repeats of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Runs that gave a value.
    pub runs: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1); absent for fewer than two runs.
    pub standard_deviation: Option<f64>,
}

impl Spread {
    /// The spread of `values`; `None` where there is none.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().flatten().collect();
        if values.is_empty() {
            return None;
        }
        let runs = values.len();
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_deviation = (runs > 1).then(|| (squares / (runs - 1) as f64).sqrt());
        Some(Self { runs, mean, standard_deviation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let spread = Spread::of([Some(2.0), Some(4.0), None, Some(6.0)]).unwrap();
        assert_eq!(spread, Spread { runs: 3, mean: 4.0, standard_deviation: Some(2.0) });
    }

    #[test]
    fn one_run_has_a_mean_but_no_deviation_and_none_has_neither() {
        let spread = Spread::of([Some(3.5)]).unwrap();
        assert_eq!(spread, Spread { runs: 1, mean: 3.5, standard_deviation: None });
        assert_eq!(Spread::of([None, None]), None);
    }
}
