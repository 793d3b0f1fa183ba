//! The same training with and without a meter.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::running::number;
use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};

/// What a training with a meter may take against one without.
const MOST: f64 = 1.005;
/// Resamples of the bootstrap, whose seed is fixed: one set of times gives one interval.
const RESAMPLES: usize = 10_000;

/// The ways in which the training runs, and the options for them.
const WAYS: [(&str, &[&str]); 3] = [
    ("without a meter", &["--unmetered"]),
    ("without a meter, with two of Burn's own metrics", &["--unmetered", "--burn-metrics"]),
    ("with a meter, its hooks and its metrics", &[]),
];

/// What one training took, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Time {
    seconds: f64,
    /// Around the steps: before the first, between two passes over data, after the last.
    around: Vec<f64>,
    /// Processor time of the meter's threads; 0 where it is not known.
    meter: f64,
    /// Processor time of all threads; 0 where it is not known.
    all: f64,
}

/// The trainings, in the order in which they ran.
#[derive(Debug)]
pub(super) struct Training {
    /// In each of [`WAYS`].
    rounds: Vec<[Time; WAYS.len()]>,
}

/// What metering adds to a training, in seconds.
struct Added {
    /// Processor time of the meter's threads.
    threads: f64,
    /// Before the first step, between two passes over data and after the last step.
    ends: f64,
    /// A training without it.
    training: f64,
}

impl Added {
    /// The time with a meter against that without.
    fn ratio(&self) -> f64 {
        1.0 + (self.threads + self.ends) / self.training
    }
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
        let mut took: [Time; WAYS.len()] = Default::default();
        // Who goes first changes, so that a machine that grows slower favours none.
        for turn in 0..WAYS.len() {
            let way = (round + turn) % WAYS.len();
            took[way] = train(&program, WAYS[way].1)?;
        }
        let seconds = took.each_ref().map(|time| time.seconds);
        eprintln!("round {}: {seconds:.3?} s", round + 1);
        times.push(took);
    }
    Ok(Training { rounds: times })
}

/// Times of one training.
fn train(program: &Path, options: &[&str]) -> Result<Time, Stop> {
    let mut command = Command::new(program);
    command.args(["--size", "tiny", "--epochs", "1", "--quiet", "--pace"]).args(options);
    let line = workspace::typed(&command);
    let output = command.stdout(Stdio::null()).output().doing(format!("run `{line}`"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    Time::read(&text)
        .filter(|_| output.status.success())
        .ok_or_else(|| Stop::failed(format!("`{line}` did not train:\n{text}")))
}

impl Time {
    /// From what the training wrote.
    fn read(text: &str) -> Option<Self> {
        let around = text.lines().find_map(|line| line.strip_prefix("around: "))?;
        let around =
            around.split_whitespace().map(|each| each.parse().ok()).collect::<Option<_>>()?;
        let took = |who: &str| number(text, who).unwrap_or_default();
        Some(Self {
            seconds: number(text, "trained for ")?,
            around,
            meter: took("the meter's threads took "),
            all: took("all threads took "),
        })
    }
}

impl Training {
    fn seconds(&self, way: usize) -> impl Iterator<Item = f64> {
        self.rounds.iter().map(move |times| times[way].seconds)
    }

    /// What metering adds to a training that nothing else can explain: the ends of passes, each at its shortest in
    /// any round, and the processor time of the meter's threads, as if the training stood still for it.
    fn added(&self) -> Added {
        let shortest = |way: usize| {
            let around = self.rounds.iter().map(|times| times[way].around.clone());
            let shortest = around.reduce(|shortest, around| {
                shortest.into_iter().zip(around).map(|(a, b)| a.min(b)).collect()
            });
            shortest.unwrap_or_default().iter().sum::<f64>()
        };
        let metered = WAYS.len() - 1;
        let threads = median(self.rounds.iter().map(|times| times[metered].meter).collect());
        let training = median(self.seconds(0).collect());
        Added { threads, ends: (shortest(metered) - shortest(0)).max(0.0), training }
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
    fn paired(&self, way: usize, took: impl Fn(&Time) -> f64) -> (f64, f64, f64) {
        let ratios: Vec<f64> =
            self.rounds.iter().map(|times| took(&times[way]) / took(&times[0])).collect();
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
        let added = self.added();
        let met = |ratio: f64| if ratio <= MOST { "met" } else { "not met" };
        let mut text = format!(
            "## A training\n\nAn epoch of the `tiny` Transformer, {} rounds, the ways in turn. Goal: with a meter at most \
             {MOST} times the time without one: by what metering adds {}, by the fastest trainings {}.\n\n\
             | | fastest | ratio | median | ratio within a round, 95 % interval | the same of processor time |\n\
             |---|---:|---:|---:|---:|---:|\n",
            self.rounds.len(),
            met(added.ratio()),
            met(self.ratio(metered)),
        );
        for (way, (name, _)) in WAYS.iter().enumerate() {
            let fastest = self.seconds(way).fold(f64::INFINITY, f64::min);
            let (wall, low, high) = self.paired(way, |time| time.seconds);
            let (processor, least, most) = self.paired(way, |time| time.all);
            let _ = writeln!(
                text,
                "| {name} | {fastest:.3} s | {:.4} | {:.3} s | {wall:.4}, {low:.4} to {high:.4} | \
                 {processor:.4}, {least:.4} to {most:.4} |",
                self.ratio(way),
                median(self.seconds(way).collect()),
            );
        }
        let Added { threads, ends, training } = added;
        let _ = writeln!(
            text,
            "\nA training's time varies here by several per cent from one process to the next, so that what metering \
             adds is also counted: {:.1} ms of processor time on the meter's threads (median), as if the training stood \
             still for it, and {:.1} ms more before the first step, between two passes over the data and after the last \
             step (each at its shortest in any round). That is {:.2} % of {training:.3} s. A step's marks take \
             nanoseconds: see the first table.",
            1e3 * threads,
            1e3 * ends,
            100.0 * (added.ratio() - 1.0),
        );
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

    /// Ten seconds and a little noise, of which one is around the steps; metering costs `share`, half of it on threads
    /// of its own and half around the steps.
    fn training(share: f64) -> Training {
        let mut rng = StdRng::seed_from_u64(7);
        let mut time = |share: f64| {
            let mut noise = || rng.random_range(0.0..0.04);
            let seconds = 10.0 * (1.0 + share) + noise();
            let around = vec![0.5 + noise(), 0.5 + 5.0 * share + noise()];
            Time { seconds, around, meter: 5.0 * share, all: 2.0 * seconds }
        };
        let rounds = (0..20).map(|_| [time(0.0), time(0.0), time(share)]).collect();
        Training { rounds }
    }

    #[test]
    fn a_cost_of_a_hundredth_is_found_and_no_cost_is_not() {
        for (share, met) in [(0.1, "not met"), (0.01, "not met"), (0.0, "met")] {
            let training = training(share);
            let cost = 1.0 + share;
            for took in [|time: &Time| time.seconds, |time: &Time| time.all] {
                let (paired, low, high) = training.paired(2, took);
                assert!(
                    low < cost && cost < high && high - low < 0.01,
                    "{paired}: {low} to {high}"
                );
            }
            assert!((training.ratio(2) - cost).abs() < 0.004, "{}", training.ratio(2));
            assert!(
                (training.added().ratio() - cost).abs() < 0.001,
                "{}",
                training.added().ratio()
            );
            let section = training.section();
            let verdict = format!("adds {met}, by the fastest trainings {met}.");
            assert!(section.contains("20 rounds") && section.contains(&verdict), "{section}");
        }
    }

    #[test]
    fn what_a_training_wrote_is_read_with_or_without_processor_times() {
        let text = "steps: 0.5 0.75\naround: 0.25 0.5\nthe meter's threads took 0.125 s\nall threads took 3.5 s\n\
                    trained for 2.0 s\n";
        let time = Time { seconds: 2.0, around: vec![0.25, 0.5], meter: 0.125, all: 3.5 };
        assert_eq!(Time::read(text), Some(time));
        let elsewhere = Time::read("around: 0.5\ntrained for 0.5 s\n");
        assert_eq!(elsewhere.map(|time| (time.meter, time.all)), Some((0.0, 0.0)));
        assert_eq!(Time::read("around: 0.5 x\ntrained for 0.5 s\n"), None);
    }
}
