//! `ergometer ledger DIR`: what a project took in all, from its records and journals.
//!
//! A part of a run counts once, by the run's id: it may be in its own record, in its journal and among the
//! earlier parts of the run that went on with it. The ranks of a merged record are in that, and do not count
//! beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use ergometer::Record;
use ergometer::footprint::Footprint;
use ergometer::record;
use ergometer::record::Machine;
use ergometer::report::Column;
use ergometer::units::{GramsCo2e, Joules, UsDollars};
use serde::Serialize;

use crate::journals;
use crate::outcome::{Outcome, Stop, note};
use crate::table::{duration, or_absent, table, wrapped};

/// Add up a project's records over months, with journals of runs that were never finished
///
/// Runs that failed or were killed count, and have a column of their own.
#[derive(Debug, clap::Args)]
pub struct Ledger {
    /// Folder of records and journals, with the folders below it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What makes a row
    #[arg(long, value_enum, default_value_t = By::Label)]
    by: By,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// Name of the run
    Label,
    /// Month in which the run began, UTC
    Month,
    /// Host
    Machine,
    /// The fact `model` of the record, or the label where there is none
    Model,
}

/// One run or part of a run.
struct Part {
    key: String,
    finished: bool,
    seconds: f64,
    joules: Option<f64>,
    footprint: Option<Footprint>,
    accelerators: u32,
}

/// Sums over parts.
#[derive(Clone, Debug, Default, Serialize)]
struct Sums {
    name: String,
    /// Runs; each part of a run that was interrupted is one.
    runs: u64,
    /// How many of them did not end themselves: killed, failed, or still going on.
    not_finished: u64,
    /// Energy of those, joules.
    joules_not_finished: f64,
    seconds: f64,
    /// Accelerators × time.
    accelerator_hours: f64,
    joules: f64,
    /// Runs of which no energy could be read: they are in no sum of energy, gases or money.
    without_energy: u64,
    co2e_g: f64,
    electricity_usd: f64,
    cloud_low_usd: f64,
    cloud_high_usd: f64,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Totals {
    rows: Vec<Sums>,
    total: Sums,
    /// Files that are neither a record nor a journal that can be read.
    passed_over: Vec<PathBuf>,
}

impl Ledger {
    pub fn run(self) -> Result<Outcome, Stop> {
        let mut passed_over = Vec::new();
        let mut records = Vec::new();
        for path in journals::below(&self.folder)? {
            match Record::read(&path) {
                Ok(record) => records.push((journals::is_journal(&path), record)),
                Err(error) => {
                    note(format!("passed over: {error}"));
                    passed_over.push(path);
                }
            }
        }
        let parts = self.parts(&records);
        let mut rows: BTreeMap<&str, Sums> = BTreeMap::new();
        let mut total = Sums { name: "everything".to_owned(), ..Sums::default() };
        for part in &parts {
            let row = rows.entry(&part.key).or_default();
            row.name.clone_from(&part.key);
            row.add(part);
            total.add(part);
        }
        let totals = Totals { rows: rows.into_values().collect(), total, passed_over };
        if self.json {
            return Outcome::json(&totals);
        }
        Ok(Outcome::of(totals.text(self.by)))
    }

    /// Each part of each run once.
    fn parts(&self, records: &[(bool, Record)]) -> Vec<Part> {
        let is_merged = |record: &Record| !record.ranks.is_empty();
        let mut covered: BTreeSet<&str> = records
            .iter()
            .flat_map(|(_, record)| &record.ranks)
            .map(|rank| rank.run_id.as_str())
            .collect();
        // What a rank did before an interruption is among the earlier parts of the merged record.
        let of_ranks =
            records.iter().filter(|(_, record)| covered.contains(record.run.id.as_str()));
        let before =
            of_ranks.flat_map(|(_, record)| &record.earlier).map(|part| part.run_id.as_str());
        let before: Vec<&str> = before.collect();
        covered.extend(before);
        // By the run's id, and the number of parts before: the attempts of a merged run may share its id.
        let mut parts: BTreeMap<(&str, usize), Part> = BTreeMap::new();
        for (_, record) in records.iter().filter(|(_, record)| is_merged(record)) {
            let last = (record.run.id.as_str(), record.earlier.len());
            parts.entry(last).or_insert_with(|| self.last(record));
            for (before, part) in record.earlier.iter().enumerate() {
                parts.entry((&part.run_id, before)).or_insert_with(|| self.earlier(record, part));
            }
        }
        // A finished record has more than its journal, and that more than what a later part knows of it.
        let is_single =
            |record: &Record| !is_merged(record) && !covered.contains(record.run.id.as_str());
        let mut single: Vec<_> = records.iter().filter(|(_, record)| is_single(record)).collect();
        single.sort_by_key(|(is_journal, _)| *is_journal);
        for (_, record) in &single {
            parts.entry((&record.run.id, 0)).or_insert_with(|| self.last(record));
        }
        for (_, record) in &single {
            for part in &record.earlier {
                parts.entry((&part.run_id, 0)).or_insert_with(|| self.earlier(record, part));
            }
        }
        parts.into_values().collect()
    }

    /// The part that a record is of.
    fn last(&self, record: &Record) -> Part {
        Part {
            key: self.key(record, &record.machine, &record.run.started),
            finished: record.run.finished,
            seconds: record.run.seconds,
            joules: record.total.energy.map(|energy| energy.joules.get()),
            accelerators: record.footprint.accelerators,
            footprint: Some(record.footprint.clone()),
        }
    }

    /// A part before an interruption.
    fn earlier(&self, record: &Record, part: &record::Part) -> Part {
        Part {
            key: self.key(record, &part.machine, &part.started),
            finished: part.finished,
            seconds: part.seconds,
            joules: part.energy.map(|energy| energy.joules.get()),
            accelerators: part.footprint.as_ref().map_or(0, |one| one.accelerators),
            footprint: part.footprint.clone(),
        }
    }

    fn key(&self, record: &Record, machine: &Machine, started: &str) -> String {
        match self.by {
            By::Label => record.run.label.clone(),
            By::Month => started.get(..7).unwrap_or(started).to_owned(),
            By::Machine => machine
                .host
                .clone()
                .or(machine.machine_id.clone())
                .unwrap_or_else(|| "?".to_owned()),
            By::Model => record.facts.get("model").unwrap_or(&record.run.label).clone(),
        }
    }
}

impl Sums {
    fn add(&mut self, part: &Part) {
        self.runs += 1;
        self.seconds += part.seconds;
        self.accelerator_hours += f64::from(part.accelerators) * part.seconds / 3600.0;
        match part.joules {
            Some(joules) => self.joules += joules,
            None => self.without_energy += 1,
        }
        if !part.finished {
            self.not_finished += 1;
            self.joules_not_finished += part.joules.unwrap_or(0.0);
        }
        if let Some(footprint) = &part.footprint {
            self.co2e_g += footprint.co2e.map_or(0.0, |gases| gases.value.get());
            self.electricity_usd += footprint.electricity_cost.map_or(0.0, |cost| cost.value.get());
            self.cloud_low_usd += footprint.cloud_cost.map_or(0.0, |cost| cost.low.get());
            self.cloud_high_usd += footprint.cloud_cost.map_or(0.0, |cost| cost.high.get());
        }
    }

    fn row(&self) -> Vec<String> {
        // Of runs none of which could be read there is no sum.
        let read = (self.without_energy < self.runs).then_some(());
        let not_finished = match self.not_finished {
            0 => "0".to_owned(),
            many => format!("{many} ({})", Joules::new(self.joules_not_finished).to_kwh()),
        };
        let cloud = (self.accelerator_hours > 0.0).then_some(());
        vec![
            self.name.clone(),
            self.runs.to_string(),
            not_finished,
            duration(self.seconds),
            or_absent(read, |()| Joules::new(self.joules).to_kwh().to_string()),
            or_absent(read, |()| GramsCo2e::new(self.co2e_g).to_string()),
            or_absent(read, |()| UsDollars::new(self.electricity_usd).to_string()),
            or_absent(cloud, |()| {
                let (low, high) = (self.cloud_low_usd, self.cloud_high_usd);
                format!("{} to {}", UsDollars::new(low), UsDollars::new(high))
            }),
        ]
    }
}

impl Totals {
    fn text(&self, by: By) -> String {
        let first = match by {
            By::Label => "label",
            By::Month => "month",
            By::Machine => "machine",
            By::Model => "model",
        };
        let figures = ["runs", "not finished", "time", "IT energy", "CO2e", "electricity", "cloud"];
        let rows = self.rows.iter().chain([&self.total]).map(Sums::row);
        let mut text = table([Column::name(first)], figures, rows);
        text += &wrapped(
            "runs that were killed, failed or are going on are in every sum, and their energy beside their number",
        );
        if self.total.without_energy > 0 {
            let count = self.total.without_energy;
            let _ = writeln!(text, "runs without any energy that could be read: {count}");
        }
        if !self.passed_over.is_empty() {
            let _ = writeln!(text, "files passed over: {}", self.passed_over.len());
        }
        text
    }
}
