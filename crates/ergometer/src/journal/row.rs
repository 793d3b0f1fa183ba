//! The rows of a journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::energy::{Energy, Method, Uncertainty, Usage};
use crate::forecast::Forecast;
use crate::ledger::step_log::StepEntry;
use crate::record::power::{Knot, LongSpan};
use crate::record::validate::named;
use crate::record::{DomainRecord, Epoch, MoreEpochs, NamedSteps, Record, SpanNode, Steps};
use crate::units::{Joules, Watts};

/// One line of the journal.
#[derive(Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "lowercase")]
pub(super) enum Row {
    Head(Head),
    Steps(StepRows),
    Epoch(EpochLine),
    Notes(Box<Notes>),
    Spans(Spans),
    Power(PowerRow),
    State(Box<State>),
    End(End),
    /// A row of a later version.
    #[serde(other)]
    Unknown,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub schema: String,
    pub record: Box<Record>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StepRows {
    pub steps: Vec<StepRow>,
}

/// Label, start, seconds, items, joules by domain, and the number of steps in the row if it is above one.
#[derive(Serialize, Deserialize)]
pub(super) struct StepRow(
    String,
    f64,
    f64,
    f64,
    Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<u64>,
);

impl StepRow {
    pub(super) fn new(step: &StepEntry, start: Timestamp) -> Self {
        let at = step.start.since(start).as_micros() as f64 * 1e-6;
        let joules = step.joules.iter().copied().map(six_digits).collect();
        // JSON has no infinity; the statistics leave such a count out as well.
        let items = if step.items.is_finite() { step.items } else { 0.0 };
        let count = (step.count > 1).then_some(step.count);
        Self(step.name.to_owned(), at, six_digits(step.seconds), items, joules, count)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct EpochLine {
    /// Index among the run's epochs, from 0.
    pub n: usize,
    pub epoch: Box<Epoch>,
}

/// Data that rarely changes.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    pub results: BTreeMap<String, f64>,
    pub facts: BTreeMap<String, String>,
    pub warnings: Vec<String>,
    pub domain_warnings: Vec<Vec<String>>,
    pub idle_power: Vec<Option<Watts>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forecasts: Vec<Forecast>,
    /// The start on the wall clock, which may be set during the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asleep_seconds: Option<f64>,
}

impl Notes {
    pub(super) fn of(record: &Record) -> Self {
        let finite = record.results.iter().filter(|(_, value)| value.is_finite());
        Self {
            results: finite.map(|(name, value)| (name.clone(), *value)).collect(),
            facts: record.facts.clone(),
            warnings: record.warnings.clone(),
            domain_warnings: record.domains.iter().map(|row| row.warnings.clone()).collect(),
            idle_power: record.domains.iter().map(|row| row.idle_power).collect(),
            forecasts: record.forecasts.clone(),
            started: Some(record.run.started.clone()),
            asleep_seconds: record.run.asleep_seconds,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Spans {
    pub spans: Vec<SpanNode>,
}

/// What is new of the power over time: the energy drawn up to some moments, and long spans that ended.
#[derive(Serialize, Deserialize)]
pub(super) struct PowerRow {
    pub knots: Vec<Knot>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<LongSpan>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct End {
    pub record: Box<Record>,
}

/// The run as if it had ended now.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    /// Seconds since the start of the run.
    pub s: f64,
    /// Number of epochs with rows.
    pub closed: usize,
    pub total: Vec<Option<Compact>>,
    pub outside: Vec<Joules>,
    /// Epochs that are open, or closed but not settled.
    pub open: Vec<OpenEpoch>,
    /// Sums over epochs without rows, ended or open.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, MoreEpochs>,
    /// Statistics that changed, by split.
    pub steps: BTreeMap<String, Steps>,
    /// The same by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_name: BTreeMap<String, Vec<NamedSteps>>,
    pub sensors: Vec<Sensor>,
    /// The mean of the site's series of carbon intensities so far, g/kWh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intensity: Option<f64>,
}

/// An epoch with its energies in compact form.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OpenEpoch {
    split: String,
    index: u64,
    start_s: f64,
    seconds: f64,
    energy: Vec<Option<Compact>>,
    steps: Option<Steps>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by_name: Vec<NamedSteps>,
    between: Vec<Joules>,
    /// Whether it had not ended.
    pub unfinished: bool,
}

/// A domain's readings, failed readings, joules by counter and joules by power.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sensor(u64, u64, Option<Joules>, Option<Joules>);

impl State {
    /// `unfinished` contains the start and split of each epoch that has not ended.
    pub(super) fn of(record: &Record, closed: usize, unfinished: &[(f64, &str)]) -> Self {
        let open = record.epochs.iter().map(|epoch| OpenEpoch {
            split: epoch.split.clone(),
            index: epoch.index,
            start_s: epoch.start_s,
            seconds: epoch.usage.seconds,
            energy: compact(&epoch.usage.by_domain),
            steps: epoch.steps.clone(),
            by_name: epoch.steps_by_name.clone(),
            between: epoch.between_steps.clone(),
            unfinished: unfinished.contains(&(epoch.start_s, epoch.split.as_str())),
        });
        let sensor = |row: &DomainRecord| {
            Sensor(row.readings, row.failed_readings, row.counter_joules, row.integrated_joules)
        };
        Self {
            s: record.run.seconds,
            closed,
            total: compact(&record.total.by_domain),
            outside: record.outside_epochs.clone(),
            open: open.collect(),
            more: record.more_epochs.clone(),
            steps: BTreeMap::new(),
            by_name: BTreeMap::new(),
            sensors: record.domains.iter().map(sensor).collect(),
            intensity: record.footprint.mean_intensity,
        }
    }
}

impl OpenEpoch {
    /// The same as a row of the record. Its lists must have an entry for every domain.
    pub(super) fn epoch(self, domains: &[DomainRecord]) -> Epoch {
        Epoch {
            split: self.split,
            index: self.index,
            start_s: self.start_s,
            usage: usage(&self.energy, self.seconds, domains),
            steps: self.steps,
            steps_by_name: self.by_name,
            between_steps: self.between,
        }
    }

    /// Whether every list has an entry for each of this many domains.
    pub(super) fn fits(&self, domains: usize) -> bool {
        let steps = self.steps.as_ref().is_none_or(|steps| steps.by_domain.len() == domains);
        let named = named(&self.by_name, domains).is_ok();
        steps && named && self.energy.len() == domains && self.between.len() == domains
    }
}

impl Sensor {
    pub(super) fn put(self, row: &mut DomainRecord) {
        let Self(readings, failed, counter, integrated) = self;
        row.readings = readings;
        row.failed_readings = failed;
        row.counter_joules = counter;
        row.integrated_joules = integrated;
    }
}

/// Joules; gain, model, gaps, edges, quantum; coverage.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Compact(f64, f64, f64, f64, f64, f64, f64);

fn compact(energies: &[Option<Energy>]) -> Vec<Option<Compact>> {
    let one = |energy: &Energy| {
        let part = |joules: Joules| six_digits(joules.get());
        let parts = &energy.parts;
        Compact(
            // At full precision, since sums must agree.
            energy.joules.get(),
            part(parts.gain),
            part(parts.model),
            part(parts.gaps),
            part(parts.edges),
            part(parts.quantum),
            six_digits(energy.coverage),
        )
    };
    energies.iter().map(|energy| energy.as_ref().map(one)).collect()
}

impl Compact {
    fn energy(self, method: Method) -> Energy {
        let Self(joules, gain, model, gaps, edges, quantum, coverage) = self;
        let parts = Uncertainty {
            gain: Joules::new(gain),
            model: Joules::new(model),
            gaps: Joules::new(gaps),
            edges: Joules::new(edges),
            quantum: Joules::new(quantum),
        };
        Energy {
            joules: Joules::new(joules),
            standard_uncertainty: parts.standard(),
            parts,
            method,
            coverage,
        }
    }
}

/// The energies in full, and their sum.
pub(super) fn usage(energies: &[Option<Compact>], seconds: f64, domains: &[DomainRecord]) -> Usage {
    let by_domain: Vec<Option<Energy>> = energies
        .iter()
        .zip(domains)
        .map(|(energy, row)| energy.map(|energy| energy.energy(row.domain.method)))
        .collect();
    Usage { seconds, energy: Energy::across(by_domain.iter().flatten()), by_domain }
}

fn six_digits(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}
