//! `--sweep SWEEP.TOML`: a search over hyperparameters, every trial metered, within a budget for the whole.
//!
//! ```toml
//! model = "gpt2"
//! size = "smoke"
//! method = "random"              # grid, random, halving, tpe
//! trials = 16
//! seed = 1
//! metric = "valid_loss"          # a result of the record; maximise = true for an accuracy
//! budget = "20 Wh"               # or gCO2e, or money in the currency of the price; the sweep ends before it
//! arguments = ["--epochs", "2"]  # for every trial
//!
//! [parameters]                   # options of the model's program
//! rate = { log = [1e-4, 1e-1] }
//! dropout = { uniform = [0.0, 0.3] }
//! batch = { choice = [4, 8, 16] }
//! warmup = { integer = [0, 20] }
//!
//! [halving]                      # for that method
//! epochs = 1
//! factor = 3
//! ```
//!
//! A journal in the output folder has a line for each trial that began and each that ended. A sweep that was killed
//! goes on from it: what ended is not run again, and what a killed trial drew is counted.

mod journal;
mod results;
mod search;
mod space;
mod trial;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ergometer::{Budget, Record};
use serde::{Deserialize, Serialize};

use super::args::BenchModels;
use super::child;
use super::choices::{Backend, Model, Size, Subject};
use crate::stop::{Doing, Stop};
use journal::Journal;
use results::Results;
use search::Search;
use space::{Space, Values};
use trial::{Cost, Trial};

/// A sweep as its file describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sweep {
    /// Which model.
    model: Model,
    /// Its size.
    #[serde(default = "tiny")]
    size: Size,
    /// How trials are chosen.
    method: Method,
    /// Trials at most; of successive halving, those of its first rung. A grid has as many as it has points.
    #[serde(default)]
    trials: Option<u32>,
    /// Seed of the search.
    #[serde(default)]
    seed: u64,
    /// The result that is to become small.
    #[serde(default = "valid_loss")]
    metric: String,
    /// Whether it is to become large instead.
    #[serde(default)]
    maximise: bool,
    /// What the whole sweep may take.
    #[serde(default)]
    budget: Option<String>,
    /// Arguments of every trial.
    #[serde(default)]
    arguments: Vec<String>,
    /// What is searched.
    parameters: Space,
    /// Rungs of successive halving.
    #[serde(default)]
    halving: Halving,
}

/// How trials are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Method {
    /// Every combination of the choices, in order.
    Grid,
    /// Independent draws.
    Random,
    /// Random draws, of which the best are trained for longer.
    Halving,
    /// The tree-structured Parzen estimator, each parameter by itself.
    Tpe,
}

/// Rungs of successive halving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Halving {
    /// Epochs of the first rung.
    epochs: u32,
    /// One in this many goes on to the next rung, which has as many times the epochs.
    factor: u32,
}

impl Default for Halving {
    fn default() -> Self {
        Self { epochs: 1, factor: 3 }
    }
}

fn tiny() -> Size {
    Size::Tiny
}

fn valid_loss() -> String {
    "valid_loss".to_owned()
}

impl Sweep {
    fn read(path: &Path) -> Result<Self, Stop> {
        let wrong = |error: &dyn std::fmt::Display| {
            Stop::wrong_input(format!("{}: {error}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let sweep: Self = toml::from_str(&text).map_err(|error| wrong(&error))?;
        sweep.check().map_err(|error| wrong(&error))?;
        Ok(sweep)
    }

    /// What is wrong with it, if anything.
    fn check(&self) -> Result<(), String> {
        self.parameters.check()?;
        if self.method == Method::Grid {
            self.parameters.grid().map(drop)?;
        } else if self.trials.is_none_or(|trials| trials == 0) {
            return Err("trials has to be 1 or more".to_owned());
        }
        if self.halving.epochs == 0 || self.halving.factor < 2 {
            return Err("halving needs epochs of 1 or more and a factor of 2 or more".to_owned());
        }
        self.budget
            .as_deref()
            .map(str::parse::<Budget>)
            .transpose()
            .map_err(|error| error.to_string())?;
        Ok(())
    }
}

/// Hyperparameters as arguments: `--rate 0.001 --dropout 0.1`.
fn arguments(values: &Values) -> Vec<OsString> {
    let options = values.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]);
    options.map(OsString::from).collect()
}

/// What runs a trial: `None` in place of a record where the program failed.
trait Runner {
    /// Runs `trial` for the `attempt`-th time.
    fn run(&mut self, trial: &Trial, attempt: u32) -> Result<Option<Record>, Stop>;
    /// What an attempt that did not end had drawn; `None` where that is not known.
    fn cut_off(&self, trial: u32, attempt: u32) -> Option<Cost>;
}

/// Runs trials until the search or the budget ends. `budget` is in joules of the metered domains.
fn sweep(
    sweep: &Sweep,
    journal: &mut Journal,
    runner: &mut impl Runner,
    budget: Option<f64>,
) -> Result<(), Stop> {
    for (trial, attempt) in journal.cut_off() {
        let cost = runner.cut_off(trial, attempt);
        journal.lost(trial, attempt, cost)?;
    }
    let mut search = Search::new(sweep);
    while let Some(next) = search.next(journal.trials()) {
        if let Some(budget) = budget
            && journal.spent() + journal.cost_of_another() > budget
        {
            journal.stopped_by_budget = true;
            return Ok(());
        }
        let attempt = journal.begin(next.id)?;
        let record = runner.run(&next, attempt)?;
        journal.end(Trial::ended(next, record.as_ref(), sweep))?;
    }
    Ok(())
}

/// The model's program as a runner.
struct Programs<'a> {
    bench: &'a BenchModels,
    sweep: &'a Sweep,
    program: PathBuf,
    nvml: Option<&'a Path>,
    out: &'a Path,
}

impl Programs<'_> {
    fn journal_folder(&self, trial: u32, attempt: u32) -> PathBuf {
        self.out.join(format!("trial-{trial}-{attempt}.journal"))
    }
}

impl Runner for Programs<'_> {
    fn run(&mut self, trial: &Trial, attempt: u32) -> Result<Option<Record>, Stop> {
        let values: Vec<String> =
            trial.values.iter().map(|(name, value)| format!("{name} {value}")).collect();
        eprintln!("==> trial {}: {}", trial.id, values.join(", "));
        let subject = subject(self.sweep, self.bench.one_backend()?);
        let mut arguments = self.bench.arguments(subject, self.bench.seed, None);
        arguments.extend(self.sweep.arguments.iter().map(OsString::from));
        arguments.extend(self::arguments(&trial.values));
        if let Some(epochs) = trial.epochs {
            arguments.extend(["--epochs".into(), epochs.to_string().into()]);
        }
        arguments.extend(["--journal".into(), self.journal_folder(trial.id, attempt).into()]);
        let name = format!("trial-{}-{attempt}", trial.id);
        let (record, log) =
            (self.out.join(format!("{name}.json")), self.out.join(format!("{name}.log")));
        match child::train(&self.program, self.nvml, &arguments, &record, &log) {
            Ok(record) => Ok(Some(record)),
            Err(child::Failure::WrongInput) => Err(Stop::relayed(2)),
            Err(child::Failure::Other(message)) => {
                eprintln!("error: {message}");
                Ok(None)
            }
        }
    }

    fn cut_off(&self, trial: u32, attempt: u32) -> Option<Cost> {
        let files = std::fs::read_dir(self.journal_folder(trial, attempt)).ok()?.flatten();
        let records = files.filter_map(|file| Record::recover(file.path()).ok());
        records.map(|record| Cost::of(&record)).reduce(Cost::plus)
    }
}

impl BenchModels {
    /// Runs the sweep of a file, or goes on with it.
    pub fn run_sweep(&self, file: &Path, nvml: Option<&Path>, out: &Path) -> Result<(), Stop> {
        let description = Sweep::read(file)?;
        let site = self.site().map_err(|error| Stop::wrong_input(error.to_string()))?;
        let budget = description.budget.as_deref().map(|text| {
            let budget: Budget = text.parse()?;
            budget.energy(&site)
        });
        let budget = budget
            .transpose()
            .map_err(|error: ergometer::Error| Stop::wrong_input(error.to_string()))?;
        let programs = child::build(&[description.model], &self.backends, self.profile, None)?;
        let (_, program) =
            programs.into_iter().next().ok_or_else(|| Stop::failed("nothing was built"))?;
        let mut journal = Journal::open(&out.join("sweep.jsonl"), &description)?;
        let mut runner = Programs { bench: self, sweep: &description, program, nvml, out };
        sweep(&description, &mut journal, &mut runner, budget.map(ergometer::units::Joules::get))?;
        let results = Results::of(&description, &journal);
        let path = out.join("sweep.json");
        let json = serde_json::to_string_pretty(&results).doing("turn the sweep into JSON")? + "\n";
        std::fs::write(&path, &json).doing(format!("write {}", path.display()))?;
        if self.json {
            print!("{json}");
        } else {
            print!("{}", results.text());
            println!("written: {}, {}", path.display(), out.join("sweep.jsonl").display());
        }
        Ok(())
    }
}

/// The word of a method.
fn method_word(method: Method) -> &'static str {
    match method {
        Method::Grid => "grid",
        Method::Random => "random",
        Method::Halving => "successive halving",
        Method::Tpe => "tree-structured Parzen estimator",
    }
}

/// What every trial trains.
const fn subject(sweep: &Sweep, backend: Backend) -> Subject {
    Subject { model: sweep.model, size: sweep.size, backend }
}

#[cfg(test)]
mod tests;
