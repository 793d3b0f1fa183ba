//! Forecasts of trainings, against what these came to.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use ergometer::Record;

use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};

/// The runs: example and seed.
const RUNS: [(&str, u32); 5] =
    [("transformer", 1), ("elmo", 1), ("transformer", 2), ("elmo", 2), ("transformer", 3)];
/// Share of the steps after which a forecast is judged.
const AT: f64 = 0.2;

/// A forecast and what it was of, joules.
#[derive(Debug)]
struct Judged {
    run: String,
    progress: f64,
    value: f64,
    low: f64,
    high: f64,
    truth: f64,
}

impl Judged {
    /// The forecast of `record` at a fifth of its steps; `None` if it made none, or did not do what was
    /// planned.
    fn of(run: String, record: &Record) -> Option<Self> {
        let forecast = record.forecasts.iter().find(|forecast| forecast.progress >= AT)?;
        let end = record.forecasts.last().filter(|last| last.is_final())?;
        let ergometer::forecast::Interval { value, low, high } = forecast.joules;
        Some(Self { run, progress: forecast.progress, value, low, high, truth: end.joules.value })
    }

    fn error(&self) -> f64 {
        (self.value / self.truth - 1.0).abs()
    }

    fn inside(&self) -> bool {
        (self.low..=self.high).contains(&self.truth)
    }
}

/// Trains and judges.
pub(super) fn section() -> Result<String, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--locked", "--package", "transformer", "--package", "elmo"]);
    let programs = artifacts::built(cargo, artifacts::executable)?;
    let folder = workspace::root().join("target").join("accuracy");
    std::fs::create_dir_all(&folder).doing(format!("create {}", folder.display()))?;
    let mut judged = Vec::new();
    for (example, seed) in RUNS {
        let program = programs.iter().find(|(name, _)| name == example);
        let (_, program) =
            program.ok_or_else(|| Stop::failed(format!("cargo built no {example}")))?;
        let file = folder.join(format!("{example}-{seed}.json"));
        train(program, seed, &file)?;
        let text = std::fs::read_to_string(&file).doing(format!("read {}", file.display()))?;
        let record = Record::from_json(&text).doing(format!("read {}", file.display()))?;
        let run = format!("{example} tiny, seed {seed}");
        let forecast = Judged::of(run, &record)
            .ok_or_else(|| Stop::failed(format!("{} has no forecast", file.display())))?;
        judged.push(forecast);
    }
    Ok(page(&judged))
}

fn train(program: &Path, seed: u32, record: &Path) -> Result<(), Stop> {
    let mut command = std::process::Command::new(program);
    command
        .args(["--size", "tiny", "--epochs", "3", "--quiet"])
        .args(["--seed", &seed.to_string(), "--record"])
        .arg(record);
    let line = workspace::typed(&command);
    eprintln!("==> {line}");
    let status = command.stdout(Stdio::null()).status().doing(format!("run `{line}`"))?;
    if status.success() { Ok(()) } else { Err(Stop::failed(format!("`{line}` failed: {status}"))) }
}

/// The part of the page.
fn page(judged: &[Judged]) -> String {
    let mut text = String::from(
        "\n## Forecasts\n\nWhat a training of three epochs was expected to draw when a fifth of its steps were done, with the 95 % \
         interval, against what it had drawn when all was done that was planned. On a machine without sensors \
         the energies are modelled: the forecasts are of what the meter says, with the machine's own noise.\n\n\
         | training | at | expected (J) | interval (J) | came to (J) | off | inside |\n\
         |---|---:|---:|---:|---:|---:|---|\n",
    );
    for forecast in judged {
        let Judged { run, progress, value, low, high, truth } = forecast;
        let _ = writeln!(
            text,
            "| {run} | {:.0} % | {value:.0} | {low:.0}–{high:.0} | {truth:.0} | {:.1} % | {} |",
            progress * 100.0,
            forecast.error() * 100.0,
            if forecast.inside() { "yes" } else { "no" },
        );
    }
    let mut errors: Vec<f64> = judged.iter().map(Judged::error).collect();
    errors.sort_by(f64::total_cmp);
    let median = f64::midpoint(errors[(errors.len() - 1) / 2], errors[errors.len() / 2]);
    let inside = judged.iter().filter(|forecast| forecast.inside()).count();
    let _ = writeln!(
        text,
        "\nMedian error {:.1} % (≤ 5 %), {inside} of {} inside their interval (all but one at most outside).",
        median * 100.0,
        judged.len()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_errors_and_what_lies_inside() {
        let judged = |value, low, high| Judged {
            run: "a run".to_owned(),
            progress: 0.204,
            value,
            low,
            high,
            truth: 100.0,
        };
        let text = page(&[judged(104.0, 90.0, 118.0), judged(88.0, 80.0, 96.0)]);
        assert!(text.contains("| a run | 20 % | 104 | 90–118 | 100 | 4.0 % | yes |"), "{text}");
        assert!(text.contains("| 12.0 % | no |"), "{text}");
        assert!(text.contains("Median error 8.0 % (≤ 5 %), 1 of 2 inside"), "{text}");
    }
}
