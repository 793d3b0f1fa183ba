//! The same training with and without a meter.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::running::number;
use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};

/// What the fastest training with a meter may take against the fastest without.
const MOST: f64 = 1.005;
/// Resamples of the bootstrap, whose seed is fixed: one set of times gives one interval.
const RESAMPLES: usize = 10_000;

/// The ways in which the training runs, and the options for them.
const WAYS: [(&str, &[&str]); 3] = [
    ("without a meter", &["--unmetered"]),
    ("without a meter, with two of Burn's own metrics", &["--unmetered", "--burn-metrics"]),
    ("with a meter, its hooks and its metrics", &[]),
];

/// Seconds of each training, in the order in which they ran.
#[derive(Debug)]
pub(super) struct Training {
    /// In each of [`WAYS`].
    rounds: Vec<[f64; WAYS.len()]>,
}

/// Trains this many times in each way, in turn.
pub(super) fn compare(rounds: u32) -> Result<Training, Stop> {
    let mut cargo = workspace::cargo();
    // The tests' dependencies are optimised, and with the whole workspace selected they are built once.
    cargo.args(["build", "--locked", "--workspace", "--bin", "transformer"]);
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3");
    let program = artifacts::built(cargo, artifacts::executable)?
        .into_iter()
        .find_map(|(name, path)| (name == "transformer").then_some(path))
        .ok_or_else(|| Stop::failed("cargo built no program called transformer"))?;
    let mut times = Vec::new();
    for round in 0..rounds as usize {
        let mut seconds = [0.0; WAYS.len()];
        // Who goes first changes, so that a machine that grows slower favours none.
        for turn in 0..WAYS.len() {
            let way = (round + turn) % WAYS.len();
            seconds[way] = train(&program, WAYS[way].1)?;
        }
        eprintln!("round {}: {seconds:.3?} s", round + 1);
        times.push(seconds);
    }
    Ok(Training { rounds: times })
}

/// Seconds of one training.
fn train(program: &Path, options: &[&str]) -> Result<f64, Stop> {
    let mut command = Command::new(program);
    command.args(["--size", "tiny", "--epochs", "1", "--quiet"]).args(options);
    let line = workspace::typed(&command);
    let output = command.stdout(Stdio::null()).output().doing(format!("run `{line}`"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    number(&text, "trained for ")
        .filter(|_| output.status.success())
        .ok_or_else(|| Stop::failed(format!("`{line}` did not train:\n{text}")))
}

impl Training {
    fn seconds(&self, way: usize) -> impl Iterator<Item = f64> {
        self.rounds.iter().map(move |seconds| seconds[way])
    }

    /// What the fastest training in this way took against the fastest in the first. Other work on the machine
    /// only ever adds time, so the minimum is the least disturbed.
    fn ratio(&self, way: usize) -> f64 {
        let fastest = |way| self.seconds(way).fold(f64::INFINITY, f64::min);
        fastest(way) / fastest(0)
    }

    /// The median over the rounds of what this way took against the first in the same round, and its 95 %
    /// interval: percentiles of a bootstrap over rounds (Efron and Tibshirani, An Introduction to the Bootstrap,
    /// 1993, chapter 13).
    fn paired(&self, way: usize) -> (f64, f64, f64) {
        let ratios: Vec<f64> =
            self.rounds.iter().map(|seconds| seconds[way] / seconds[0]).collect();
        let mut rng = StdRng::seed_from_u64(1);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let picked = (0..ratios.len()).map(|_| ratios[rng.random_range(0..ratios.len())]);
                median(picked.collect())
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let (low, high) = (medians[RESAMPLES / 40], medians[RESAMPLES - RESAMPLES / 40]);
        (median(ratios), low, high)
    }

    /// The part of the page.
    pub(super) fn section(&self) -> String {
        let metered = WAYS.len() - 1;
        let met = if self.ratio(metered) <= MOST { "met" } else { "not met" };
        let mut text = format!(
            "## A training\n\nAn epoch of the `tiny` Transformer, {} rounds, the ways in turn. Goal: with a meter the \
             fastest takes at most {MOST} times the fastest without: {met}.\n\n| | fastest | median | ratio of the \
             fastest | ratio within a round, 95 % interval |\n|---|---:|---:|---:|---:|\n",
            self.rounds.len(),
        );
        for (way, (name, _)) in WAYS.iter().enumerate() {
            let fastest = self.seconds(way).fold(f64::INFINITY, f64::min);
            let (paired, low, high) = self.paired(way);
            let _ = writeln!(
                text,
                "| {name} | {fastest:.3} s | {:.3} s | {:.4} | {paired:.4}, {low:.4} to {high:.4} |",
                median(self.seconds(way).collect()),
                self.ratio(way),
            );
        }
        text
    }
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
        let mut time = || 10.0 + rng.random_range(0.0..0.04);
        let rounds = (0..20).map(|_| [time(), time(), time() * (1.0 + share)]).collect();
        Training { rounds }
    }

    #[test]
    fn a_cost_of_a_tenth_is_found_and_no_cost_is_not() {
        for (share, met) in [(0.1, "not met"), (0.01, "not met"), (0.0, ": met")] {
            let training = training(share);
            let (paired, low, high) = training.paired(2);
            let cost = 1.0 + share;
            assert!(low < cost && cost < high && high - low < 0.01, "{paired}: {low} to {high}");
            assert!((training.ratio(2) - cost).abs() < 0.004, "{}", training.ratio(2));
            let section = training.section();
            assert!(section.contains("20 rounds") && section.contains(met), "{section}");
        }
    }
}
