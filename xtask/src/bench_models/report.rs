//! The report as data: what `report.json` holds, made from the runs' records alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ergometer::Record;
use ergometer::energy::Energy;
use ergometer::energy::Uncertainty;
use ergometer::footprint::{Footprint, Site};
use ergometer::record::{DomainRecord, Epoch, Items, Machine, SpanNode, Steps};
use ergometer::source::SourceReport;
use ergometer::units::{Joules, UsDollars};
use serde::{Deserialize, Serialize};

use super::child::Peak;
use super::comparison::Comparison;
use super::conditions::Conditions;
use super::paper::PaperRow;
use super::projection::Projection;
use super::simulate;
use super::software::Software;
use super::spread::Spread;
use super::steady::Steady;
use super::{Backend, Model, Preset, Profile, Size};
use crate::stop::{Doing, Stop};

/// Name and version of the report's format.
pub const SCHEMA: &str = "ergometer-bench/1";

/// A run as it comes from its program.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Which model ran.
    pub model: Model,
    /// What it cost.
    pub record: Record,
    /// Where the record lies.
    pub record_path: PathBuf,
    /// Where the program's output lies.
    pub log_path: PathBuf,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The command line.
    pub command: Vec<String>,
    /// `--size`.
    pub size: Size,
    /// `--backend`.
    pub backend: Backend,
    /// `--device`.
    pub device: usize,
    /// `--seed`.
    pub seed: u64,
    /// `--repeats`.
    pub repeats: u32,
    /// `--epochs`.
    pub epochs: Option<u32>,
    /// `--profile`.
    pub profile: Profile,
    /// `--preset`.
    pub preset: Preset,
    /// `--simulate`.
    #[serde(default)]
    pub simulate: Option<String>,
    /// `--idle`.
    #[serde(default)]
    pub idle_seconds: f64,
}

/// What was asked for, and what it ran on.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What was asked for.
    pub settings: Settings,
    /// What the models were built with.
    pub software: Software,
    /// The machine's state before the first run and after the last.
    pub conditions: Vec<Conditions>,
    /// How fast a matrix product is.
    pub peak: Option<Peak>,
}

/// What training the example models cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whether its GPUs were simulated, so that none of its figures may be published.
    #[serde(default)]
    pub simulated: bool,
    /// The same in words.
    #[serde(default)]
    pub notice: Option<String>,
    /// When the report was written, RFC 3339, UTC.
    pub written: String,
    /// What was asked for.
    pub settings: Settings,
    /// What the models were built with.
    pub software: Software,
    /// The machine.
    pub machine: Machine,
    /// Where the machine stands: PUE, grid, electricity price, each with source and year.
    pub site: Site,
    /// What each power source found, unavailable ones with reason and remedy.
    pub sources: Vec<SourceReport>,
    /// The models in the order in which they ran.
    pub models: Vec<ModelReport>,
    /// Runs that gave no record, one line each.
    pub failures: Vec<String>,
    /// The machine's state before the first run and after the last.
    #[serde(default)]
    pub conditions: Vec<Conditions>,
    /// How fast a matrix product is: the machine's own peak.
    #[serde(default)]
    pub peak: Option<Peak>,
    /// What changed from other runs.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
}

/// One model over its repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// Which model.
    pub model: Model,
    /// Its size.
    pub size: Size,
    /// The mean over the runs, with the spread between them.
    pub mean: Mean,
    /// The paper's row for this model.
    pub paper: Option<PaperRow>,
    /// What the published training would take on this machine.
    #[serde(default)]
    pub projection: Option<Projection>,
    /// Each run.
    pub runs: Vec<Run>,
}

/// The mean over the repeats of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Energy of the metered domains; systematic parts of the uncertainty do not shrink with more
    /// runs, random ones do.
    pub energy: Option<Energy>,
    /// Duration, seconds.
    pub seconds: Option<Spread>,
    /// Energy of the metered domains, joules.
    pub joules: Option<Spread>,
    /// Mean power of the metered domains, watts.
    pub watts: Option<Spread>,
    /// Energy drawn by the building: kWh × PUE.
    pub facility_kwh: Option<Spread>,
    /// Kilograms of CO2 equivalent.
    pub co2e_kg: Option<Spread>,
    /// Cost of electricity, US dollars.
    pub electricity_usd: Option<Spread>,
    /// Joules a training step.
    pub joules_per_step: Option<Spread>,
    /// Joules an item of a training step.
    pub joules_per_item: Option<Spread>,
    /// Items a second of training steps.
    pub items_per_second: Option<Spread>,
    /// The model's own measure of quality at the end.
    pub quality: Option<Spread>,
    /// Floating-point operations a second of training steps.
    #[serde(default)]
    pub flops_per_second: Option<Spread>,
    /// Floating-point operations a joule of training steps.
    #[serde(default)]
    pub flops_per_joule: Option<Spread>,
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

impl Report {
    /// The report of `measured`, which holds at least one run.
    ///
    /// Machine, site and sources are those of the first run: all ran on one machine.
    pub fn new(
        setting: Setting,
        order: &[Model],
        measured: Vec<Measured>,
        failures: Vec<String>,
    ) -> Option<Self> {
        let Setting { settings, software, conditions, peak } = setting;
        let first = &measured.first()?.record;
        let (machine, sources) = (first.machine.clone(), first.sources.clone());
        let site = first.footprint.site.clone();
        let mut runs: Vec<(Model, Vec<Run>)> = Vec::new();
        for one in measured {
            let model = one.model;
            let run = Run::new(one);
            match runs.iter_mut().find(|(known, _)| *known == model) {
                Some((_, runs)) => runs.push(run),
                None => runs.push((model, vec![run])),
            }
        }
        // In the order asked for, whichever ran first.
        runs.sort_by_key(|(model, _)| order.iter().position(|one| one == model));
        let models = runs
            .into_iter()
            .map(|(model, runs)| {
                let mut report = ModelReport {
                    model,
                    size: settings.size,
                    mean: Mean::of(&runs),
                    paper: PaperRow::for_model(model, settings.size),
                    projection: None,
                    runs,
                };
                report.projection = Projection::of(&site, &report);
                report
            })
            .collect();
        Some(Self {
            schema: SCHEMA.to_owned(),
            simulated: settings.simulate.is_some(),
            notice: settings.simulate.as_deref().map(simulate::notice),
            written: jiff::Timestamp::now().to_string(),
            settings,
            software,
            machine,
            site,
            sources,
            models,
            failures,
            conditions,
            peak,
            comparisons: Vec::new(),
        })
    }

    /// The report as indented JSON.
    pub fn to_json(&self) -> Result<String, Stop> {
        serde_json::to_string_pretty(self).doing("turn the report into JSON")
    }
}

impl Run {
    /// From a run's record.
    pub fn new(measured: Measured) -> Self {
        let Measured { model: _, record, record_path, log_path } = measured;
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
fn hardware(record: &Record) -> String {
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

impl Mean {
    fn of(runs: &[Run]) -> Self {
        let spread = |value: fn(&Run) -> Option<f64>| Spread::of(runs.iter().map(value));
        Self {
            energy: mean_energy(runs),
            seconds: spread(|run| Some(run.seconds)),
            joules: spread(|run| Some(run.energy?.joules.get())),
            watts: spread(|run| run.watts),
            facility_kwh: spread(|run| Some(run.footprint.facility_energy?.value.get())),
            co2e_kg: spread(|run| Some(run.footprint.co2e?.value.kilograms())),
            electricity_usd: spread(|run| Some(run.footprint.electricity_cost?.value.get())),
            joules_per_step: spread(|run| run.steady()?.joules_per_step()),
            joules_per_item: spread(|run| run.steady()?.joules_per_item()),
            items_per_second: spread(|run| run.steady()?.items_per_second()),
            flops_per_second: spread(|run| run.steady()?.flops_per_second()),
            flops_per_joule: spread(|run| run.steady()?.flops_per_joule()),
            quality: spread(|run| Some(run.quality.as_ref()?.last)),
        }
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

    /// The training steps without the warm-up.
    pub fn steady(&self) -> Option<Steady> {
        Steady::of(self)
    }

    /// Items of the training steps.
    pub fn training_items(&self) -> Option<&Items> {
        self.training_steps()?.items.as_ref()
    }
}

/// The mean of the runs' energies; the method is the least trustworthy one.
fn mean_energy(runs: &[Run]) -> Option<Energy> {
    let energies: Vec<Energy> = runs.iter().filter_map(|run| run.energy).collect();
    let count = energies.len() as f64;
    let method = energies.iter().map(|energy| energy.method).max()?;
    let sum = energies.iter().fold(Uncertainty::default(), |sum, energy| sum.plus(&energy.parts));
    let parts = Uncertainty {
        gain: sum.gain / count,
        model: sum.model / count,
        gaps: sum.gaps / count,
        edges: sum.edges / count,
        quantum: sum.quantum / count,
    };
    Some(Energy {
        joules: energies.iter().map(|energy| energy.joules).sum::<Joules>() / count,
        standard_uncertainty: parts.standard(),
        parts,
        method,
        coverage: energies.iter().map(|energy| energy.coverage).sum::<f64>() / count,
    })
}

#[cfg(test)]
pub(super) mod tests;
