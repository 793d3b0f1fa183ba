//! The report as data: what `report.json` holds, made from the runs' records alone.

use std::path::Path;

use ergometer::footprint::Site;
use ergometer::record::Machine;
use ergometer::source::SourceReport;
use serde::{Deserialize, Serialize};

use super::choices::{Backend, Model, Preset, Profile, Size, Subject};
use super::comparison::{Benchmark, Comparison};
use super::conditions::Conditions;
use super::model_report::ModelReport;
use super::peak::Peak;
use super::run::{Measured, Run};
use super::simulate;
use super::software::Software;
use crate::stop::{Doing, Stop};

/// Name and version of the report's format.
pub const SCHEMA: &str = "ergometer-bench/1";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The command line.
    pub command: Vec<String>,
    /// `--size`.
    pub size: Size,
    /// `--backend`.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// `--device`.
    pub device: usize,
    /// `--seed`.
    pub seed: u64,
    /// `--repeats`.
    pub repeats: u32,
    /// `--epochs`, for the models that have none of their own.
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
    /// How fast a matrix product is on each backend.
    pub peaks: Vec<(Backend, Peak)>,
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
    /// The machine's state before the first run and after the last, of each report that was put into this one.
    #[serde(default)]
    pub conditions: Vec<Conditions>,
    /// What changed from other runs.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// What else has to be known, one line each.
    #[serde(default)]
    pub remarks: Vec<String>,
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
        let Setting { settings, software, conditions, peaks } = setting;
        let first = &measured.first()?.record;
        let (machine, sources) = (first.machine.clone(), first.sources.clone());
        let site = first.footprint.site.clone();
        let mut runs: Vec<(Subject, Vec<Run>)> = Vec::new();
        for one in measured {
            let subject = one.subject;
            let run = Run::new(one);
            match runs.iter_mut().find(|(known, _)| *known == subject) {
                Some((_, runs)) => runs.push(run),
                None => runs.push((subject, vec![run])),
            }
        }
        // In the order asked for, whichever ran first; a model's backends side by side.
        let place = |subject: &Subject| {
            let backend = settings.backends.iter().position(|one| *one == subject.backend);
            (order.iter().position(|one| *one == subject.model), backend)
        };
        runs.sort_by_key(|(subject, _)| place(subject));
        let peak = |backend| {
            let mut of = peaks.iter().filter(|(one, _)| *one == backend);
            of.next().map(|(_, peak)| *peak)
        };
        let models = runs
            .into_iter()
            .map(|(subject, runs)| ModelReport::new(subject, runs, &site, peak(subject.backend)))
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
            comparisons: Vec::new(),
            remarks: Vec::new(),
        })
    }

    /// Reads a report that an earlier benchmark wrote.
    pub fn read(path: &Path) -> Result<Self, Stop> {
        let wrong = |error: &dyn std::fmt::Display| {
            Stop::wrong_input(format!(
                "{} is not a report of bench-models: {error}",
                path.display()
            ))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        serde_json::from_str(&text).map_err(|error| wrong(&error))
    }

    /// What was measured, to be compared with another benchmark.
    pub fn benchmark(&self) -> Benchmark<'_> {
        Benchmark { machine: &self.machine, models: &self.models }
    }

    /// Several reports of one machine as one, with the models in the order given.
    pub fn merged(reports: Vec<Self>) -> Result<Self, Stop> {
        let mut reports = reports.into_iter();
        let mut whole = reports.next().ok_or_else(|| Stop::wrong_input("no report is given"))?;
        for report in reports {
            let same = (&report.machine.machine_id, &report.machine.cpu, &report.site)
                == (&whole.machine.machine_id, &whole.machine.cpu, &whole.site);
            if !same {
                return Err(Stop::wrong_input(
                    "the reports are of different machines, or of different places",
                ));
            }
            whole.simulated |= report.simulated;
            whole.notice = whole.notice.or(report.notice);
            whole.written = whole.written.max(report.written);
            whole.models.extend(report.models);
            whole.failures.extend(report.failures);
            whole.conditions.extend(report.conditions);
            whole.comparisons.extend(report.comparisons);
            whole.remarks.extend(report.remarks);
        }
        Ok(whole)
    }

    /// The report as indented JSON.
    pub fn to_json(&self) -> Result<String, Stop> {
        serde_json::to_string_pretty(self).doing("turn the report into JSON")
    }
}

#[cfg(test)]
pub(super) mod tests;
