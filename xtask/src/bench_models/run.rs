//! A run of a model's program, from its record.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ergometer::Record;
use ergometer::energy::Energy;
use ergometer::footprint::Footprint;
use ergometer::record::{DomainRecord, Epoch, Items, SpanNode, Steps};
use ergometer::units::{Joules, UsDollars};
use serde::{Deserialize, Serialize};

use super::choices::Subject;

/// A run as it comes from its program.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What ran.
    pub subject: Subject,
    /// What it cost.
    pub record: Record,
    /// Where the record lies.
    pub record_path: PathBuf,
    /// Where the program's output lies.
    pub log_path: PathBuf,
}

/// One run, from its record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Where the whole record lies.
    pub record: PathBuf,
    /// Where the program's output lies.
    pub log: PathBuf,
    /// Identity of the run.
    pub id: String,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// The program's command line.
    pub command: Vec<String>,
    /// Commit of the work tree the program ran in.
    pub git_commit: Option<String>,
    /// Version of the library that metered it.
    pub ergometer: String,
    /// Seed of weights, batches and generated corpora.
    pub seed: Option<u64>,
    /// What it computed on.
    pub hardware: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// Energy over all domains.
    pub energy: Option<Energy>,
    /// Mean power over all domains, watts.
    pub watts: Option<f64>,
    /// Energy, method and uncertainty of each domain.
    pub domains: Vec<DomainRecord>,
    /// One row an epoch, training and validation apart.
    pub epochs: Vec<Epoch>,
    /// Joules per domain outside every epoch.
    pub outside_epochs: Vec<Joules>,
    /// Statistics of the run's steps by split (`train`, `valid`).
    pub steps: BTreeMap<String, Steps>,
    /// Phases, functions and all other spans.
    pub spans: Vec<SpanNode>,
    /// Facility energy, greenhouse gases and money, with every constant and its source.
    pub footprint: Footprint,
    /// The model's quality, from the first measurement to the last.
    pub quality: Option<Quality>,
    /// Loss of training.
    pub train_loss: Option<Change>,
    /// Loss on held-out data.
    pub valid_loss: Option<Change>,
    /// All results of the program.
    pub results: BTreeMap<String, f64>,
    /// All remarks of the program: size, corpus, parameters.
    pub facts: BTreeMap<String, String>,
    /// What has to be known, one line each.
    pub warnings: Vec<String>,
}

/// A value at the start and at the end of training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The first value.
    pub first: f64,
    /// The last value.
    pub last: f64,
}

/// A measure of quality and its change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Its name: `exact_match`, `perplexity`.
    pub name: String,
    /// Its first value, where the program gave one.
    pub first: Option<f64>,
    /// Its last value.
    pub last: f64,
}

impl Run {
    /// From a run's record.
    pub fn new(measured: Measured) -> Self {
        let Measured { subject: _, record, record_path, log_path } = measured;
        let seconds = record.total.seconds;
        let energy = record.total.energy;
        Self {
            hardware: hardware(&record),
            quality: Quality::of(&record.facts, &record.results),
            train_loss: Change::of(&record.results, "train_loss"),
            valid_loss: Change::of(&record.results, "valid_loss"),
            seed: record.facts.get("seed").and_then(|seed| seed.parse().ok()),
            watts: energy.filter(|_| seconds > 0.0).map(|energy| energy.joules.get() / seconds),
            seconds,
            energy,
            record: record_path,
            log: log_path,
            id: record.run.id,
            started: record.run.started,
            command: record.run.command,
            git_commit: record.run.git_commit,
            ergometer: record.run.ergometer,
            domains: record.domains,
            epochs: record.epochs,
            outside_epochs: record.outside_epochs,
            steps: record.steps,
            spans: record.spans,
            footprint: record.footprint,
            results: record.results,
            facts: record.facts,
            warnings: record.warnings,
        }
    }
}

/// What the run computed on: its accelerators, or the CPU where it used none. Boards that were metered and not
/// used are named, as their energy is in the run's.
pub fn hardware(record: &Record) -> String {
    let fact = |name: &str| record.facts.get(name).map(String::as_str);
    let boards = boards(record);
    if on_cpu(&record.facts) || boards.is_empty() {
        let cpu = record.machine.cpu.clone();
        let cpu = cpu.or_else(|| fact("device").map(str::to_owned)).unwrap_or("unknown".to_owned());
        return if boards.is_empty() {
            cpu
        } else {
            format!("{cpu} (metered, not used: {boards})")
        };
    }
    boards
}

/// The metered accelerators.
fn boards(record: &Record) -> String {
    let mut boards: Vec<(&str, usize)> = Vec::new();
    for board in &record.machine.accelerators {
        match boards.iter_mut().find(|(known, _)| *known == board.as_str()) {
            Some((_, count)) => *count += 1,
            None => boards.push((board, 1)),
        }
    }
    let boards = boards.into_iter().map(|(board, count)| match count {
        1 => board.to_owned(),
        _ => format!("{count} × {board}"),
    });
    boards.collect::<Vec<_>>().join(", ")
}

/// Whether a program with these remarks used no accelerator.
fn on_cpu(facts: &BTreeMap<String, String>) -> bool {
    let is = |name: &str, value: &str| facts.get(name).is_some_and(|fact| fact == value);
    is("accelerators", "0") || is("backend", "flex")
}

impl Change {
    fn of(results: &BTreeMap<String, f64>, name: &str) -> Option<Self> {
        let first = *results.get(&format!("{name}_first"))?;
        Some(Self { first, last: *results.get(name)? })
    }
}

impl Quality {
    fn of(facts: &BTreeMap<String, String>, results: &BTreeMap<String, f64>) -> Option<Self> {
        let name = facts.get("quality")?.clone();
        let last = *results.get(&name)?;
        Some(Self { first: results.get(&format!("{name}_first")).copied(), last, name })
    }
}

impl Run {
    /// Whether the run used no accelerator.
    pub fn on_cpu(&self) -> bool {
        on_cpu(&self.facts)
    }

    /// What its accelerators would have cost in a cloud, from low to high; `None` for a run on the
    /// CPU, even where idle accelerators of the machine were metered.
    pub fn cloud_usd(&self) -> Option<(UsDollars, UsDollars)> {
        let range = self.footprint.cloud_cost.filter(|_| !self.on_cpu())?;
        Some((range.low, range.high))
    }

    /// The training steps; those outside every epoch where no epoch is called `train`.
    pub fn training_steps(&self) -> Option<&Steps> {
        self.steps.get("train").or_else(|| self.steps.get("run"))
    }

    /// Items of the training steps.
    pub fn training_items(&self) -> Option<&Items> {
        self.training_steps()?.items.as_ref()
    }
}
