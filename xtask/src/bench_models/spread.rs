//! Mean and standard deviation over repeats.

use ergometer_stats::{mean_and_deviation, quantile};
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
        let (mean, standard_deviation) = mean_and_deviation(&values)?;
        Some(Self { runs: values.len(), mean, standard_deviation })
    }

    /// Half the width of the mean's 95 % interval by Student's t; `None` for fewer than two runs.
    pub fn half_interval(&self) -> Option<f64> {
        let runs = self.runs as f64;
        Some(quantile(0.975, runs - 1.0) * self.standard_deviation? / runs.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let spread = Spread::of([Some(2.0), Some(4.0), None, Some(6.0)]).unwrap();
        assert_eq!(spread, Spread { runs: 3, mean: 4.0, standard_deviation: Some(2.0) });
        // Two degrees of freedom: 4.3027 standard errors.
        assert!((spread.half_interval().unwrap() - 4.3027 * 2.0 / 3.0_f64.sqrt()).abs() < 1e-3);
    }

    #[test]
    fn one_run_has_a_mean_but_no_deviation_and_none_has_neither() {
        let spread = Spread::of([Some(3.5)]).unwrap();
        assert_eq!(spread, Spread { runs: 1, mean: 3.5, standard_deviation: None });
        assert_eq!(spread.half_interval(), None);
        assert_eq!(Spread::of([None, None]), None);
    }
}
