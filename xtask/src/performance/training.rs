//! The same training with and without a meter.

use std::path::Path;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::running::number;
use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};

/// The upper end of the interval may lie here at most, where it does not contain 1.
const MOST: f64 = 1.005;
/// Resamples of the bootstrap, whose seed is fixed: one set of times gives one interval.
const RESAMPLES: usize = 10_000;

/// Seconds of each training, in the order in which they ran.
#[derive(Debug)]
pub(super) struct Training {
    /// With a meter, without.
    pairs: Vec<(f64, f64)>,
}

/// Trains `pairs` times with a meter and as often without, in turn.
pub(super) fn compare(pairs: u32) -> Result<Training, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--locked", "--package", "transformer"]);
    let program = artifacts::built(cargo, artifacts::executable)?
        .into_iter()
        .find_map(|(name, path)| (name == "transformer").then_some(path))
        .ok_or_else(|| Stop::failed("cargo built no program called transformer"))?;
    let mut times = Vec::new();
    for pair in 0..pairs {
        // Who goes first changes, so that a machine that grows slower favours neither.
        let first = train(&program, pair % 2 == 0)?;
        let second = train(&program, pair % 2 != 0)?;
        let (metered, unmetered) = if pair % 2 == 0 { (first, second) } else { (second, first) };
        eprintln!("pair {}: {metered:.3} s metered, {unmetered:.3} s unmetered", pair + 1);
        times.push((metered, unmetered));
    }
    Ok(Training { pairs: times })
}

/// Seconds of one training.
fn train(program: &Path, metered: bool) -> Result<f64, Stop> {
    let mut command = Command::new(program);
    command.args(["--size", "tiny", "--epochs", "1", "--quiet"]);
    if !metered {
        command.arg("--unmetered");
    }
    let line = workspace::typed(&command);
    let output = command.stdout(Stdio::null()).output().doing(format!("run `{line}`"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    number(&text, "trained for ")
        .filter(|_| output.status.success())
        .ok_or_else(|| Stop::failed(format!("`{line}` did not train:\n{text}")))
}

impl Training {
    /// Ratio of the medians, and its 95 % interval: percentiles of a bootstrap over pairs (Efron and
    /// Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
    fn ratio(&self) -> (f64, f64, f64) {
        let mut rng = StdRng::seed_from_u64(1);
        let mut ratios: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let picked: Vec<_> = (0..self.pairs.len())
                    .map(|_| self.pairs[rng.random_range(0..self.pairs.len())])
                    .collect();
                of_medians(&picked)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        (of_medians(&self.pairs), ratios[RESAMPLES / 40], ratios[RESAMPLES - RESAMPLES / 40])
    }

    /// The part of the page.
    pub(super) fn section(&self) -> String {
        let (ratio, low, high) = self.ratio();
        let met = if low <= 1.0 && 1.0 <= high || high < MOST { "met" } else { "not met" };
        let metered = median(self.pairs.iter().map(|(metered, _)| *metered).collect());
        let unmetered = median(self.pairs.iter().map(|(_, unmetered)| *unmetered).collect());
        format!(
            "## A training\n\nAn epoch of the `tiny` Transformer with a meter, its hooks and its metrics, and \
             without, in turn, {} pairs: medians of {metered:.3} s and {unmetered:.3} s. Ratio of the medians \
             {ratio:.4}, 95 % interval {low:.4} to {high:.4} (contains 1 or lies below {MOST}: {met}).\n",
            self.pairs.len(),
        )
    }
}

fn of_medians(pairs: &[(f64, f64)]) -> f64 {
    let (metered, unmetered) = pairs.iter().copied().unzip();
    median(metered) / median(unmetered)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[half - 1], values[half])
    } else {
        values[half]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds and a little noise; metering costs `share`.
    fn training(share: f64) -> Training {
        let mut rng = StdRng::seed_from_u64(7);
        let pairs = (0..20)
            .map(|_| {
                let mut time = || 10.0 + rng.random_range(-0.02..0.02);
                (time() * (1.0 + share), time())
            })
            .collect();
        Training { pairs }
    }

    #[test]
    fn a_cost_of_a_tenth_is_found_and_no_cost_is_not() {
        let (ratio, low, high) = training(0.1).ratio();
        assert!(low < 1.1 && 1.1 < high && high - low < 0.01, "{ratio}: {low} to {high}");
        assert!(training(0.1).section().contains("not met"));
        let (ratio, low, high) = training(0.0).ratio();
        assert!(low < 1.0 && 1.0 < high && (ratio - 1.0).abs() < 0.005, "{low} to {high}");
        assert!(
            training(0.0).section().contains("20 pairs")
                && !training(0.0).section().contains("not met")
        );
    }
}
