//! `ergometer compare A B`: what changed between two runs, or two sets of runs, and whether it is more than noise.

mod metric;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ergometer::Record;
use ergometer::report::Column;
use ergometer_stats::{Change, Interval, Run};
use serde::Serialize;

use crate::journals;
use crate::outcome::{CHECK_FAILED, Outcome, Stop};
use crate::table::{duration, grouped, or_absent, percent, spread, table, wrapped};

/// Show what changed from A to B, each with its 95 % interval
///
/// A and B are records, journals, or folders of records of repeated runs. The interval has in it how well the
/// energies are known and how much runs differ from each other. That is seen from repeated runs; of a single
/// run on each side it is assumed (`--run-spread`).
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Record, journal, or folder of records: the base
    #[arg(value_name = "A")]
    base: PathBuf,
    /// Record, journal, or folder of records: what is compared with it
    #[arg(value_name = "B")]
    new: PathBuf,
    /// Exit with 1 if B takes more than A by at least this, beyond the interval: `5%`
    ///
    /// The lower end of the interval has to lie above it, so that noise does not fail a check.
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    fail_above: Option<f64>,
    /// What `--fail-above` looks at
    #[arg(long, value_enum, default_value_t = Metric::Energy)]
    metric: Metric,
    /// How much single runs are assumed to differ from each other, as a standard deviation
    #[arg(long, value_name = "PERCENT", default_value = "2%", value_parser = share)]
    run_spread: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Metric {
    /// Energy of the run
    Energy,
    /// Its duration
    Time,
    /// Mean power
    Power,
    /// Energy of a training step
    EnergyPerStep,
    /// Energy of an item of training: a token, a sentence
    EnergyPerItem,
}

impl Metric {
    const ALL: [Self; 5] =
        [Self::Energy, Self::Time, Self::Power, Self::EnergyPerStep, Self::EnergyPerItem];

    const fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Time => "time",
            Self::Power => "mean power",
            Self::EnergyPerStep => "energy a step",
            Self::EnergyPerItem => "energy an item",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Time => duration(value),
            Self::Power => ergometer::units::Watts::new(value).to_string(),
            _ => ergometer::units::Joules::new(value).to_string(),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Comparison {
    base: Vec<PathBuf>,
    new: Vec<PathBuf>,
    metrics: Vec<Row>,
    /// Mean of each result that both sides have.
    results: Vec<ResultRow>,
    notes: Vec<String>,
    failed: bool,
}

#[derive(Serialize)]
struct Row {
    metric: Metric,
    #[serde(flatten)]
    change: Change,
}

#[derive(Serialize)]
struct ResultRow {
    name: String,
    base: f64,
    new: f64,
}

impl Compare {
    pub fn run(self) -> Result<Outcome, Stop> {
        let (base_paths, base) = side(&self.base)?;
        let (new_paths, new) = side(&self.new)?;
        let assumed = self.run_spread;
        let one = |metric: Metric| {
            let runs = |records: &[Record]| -> Option<Vec<Run>> {
                records.iter().map(|record| metric::run(metric, record)).collect()
            };
            let shared = metric != Metric::Time && same_sensors(&base, &new);
            let change = Change::between(&runs(&base)?, &runs(&new)?, shared, assumed)?;
            Some(Row { metric, change })
        };
        let metrics: Vec<Row> = Metric::ALL.into_iter().filter_map(one).collect();
        let judged = metrics.iter().find(|row| row.metric == self.metric);
        let failed = match (self.fail_above, judged) {
            (Some(limit), Some(row)) => row.change.interval.low > limit,
            (Some(_), None) => {
                return Err(Stop::new(format!("a side has no {}", self.metric.name()))
                    .with_remedy("see `ergometer report` for what its runs lack"));
            }
            (None, _) => false,
        };
        let mut notes = differences(&base, &new);
        if base.len() == 1 && new.len() == 1 {
            notes.push(format!(
                "one run on each side: that runs differ by {} (one standard deviation) is assumed; give \
                 folders of repeated runs to have it measured",
                spread(assumed)
            ));
        }
        let results = results(&base, &new);
        let comparison =
            Comparison { base: base_paths, new: new_paths, metrics, results, notes, failed };
        let outcome = if self.json {
            Outcome::json(&comparison)?
        } else {
            Outcome::of(comparison.text(self.fail_above, self.metric))
        };
        Ok(if failed { outcome.with_code(CHECK_FAILED) } else { outcome })
    }
}

/// The records of a side: one file, or the records in a folder.
fn side(path: &Path) -> Result<(Vec<PathBuf>, Vec<Record>), Stop> {
    if !path.is_dir() {
        return Ok((vec![path.to_owned()], vec![journals::read(path)?]));
    }
    let mut paths = journals::below(path)?;
    paths.retain(|path| !journals::is_journal(path));
    if paths.is_empty() {
        return Err(Stop::new(format!("there is no record in '{}'", path.display()))
            .with_remedy("records end in .json; `ergometer recover` makes them from journals"));
    }
    let records = paths.iter().map(|path| journals::read(path)).collect::<Result<_, _>>()?;
    Ok((paths, records))
}

/// Whether the gain error of the sensors is the same on both sides: the same domains of the same machine.
fn same_sensors(base: &[Record], new: &[Record]) -> bool {
    let sensors = |record: &Record| {
        let domains = record.domains.iter().filter(|row| row.energy.is_some());
        let ids: Vec<String> = domains.map(|row| row.domain.id.clone()).collect();
        (record.machine.machine_id.clone(), ids)
    };
    let first = sensors(&base[0]);
    first.0.is_some() && base.iter().chain(new).all(|record| sensors(record) == first)
}

/// Why the two cannot be compared.
fn differences(base: &[Record], new: &[Record]) -> Vec<String> {
    let mut notes = Vec::new();
    let distinct = |of: &dyn Fn(&Record) -> String| {
        let mut values: Vec<String> = base.iter().chain(new).map(of).collect();
        values.sort();
        values.dedup();
        values
    };
    let machine = |record: &Record| {
        let machine = &record.machine;
        let boards = machine.accelerators.join(", ");
        let cpu = machine.cpu.clone().unwrap_or_default();
        [boards, cpu].into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join(", ")
    };
    let domains = |record: &Record| {
        let read = record.domains.iter().filter_map(|row| Some((row, row.energy?)));
        let one = |(row, energy): (&ergometer::record::DomainRecord, _)| {
            let energy: ergometer::energy::Energy = energy;
            format!("{} {}", row.domain.kind.as_str(), energy.method.as_str())
        };
        read.map(one).collect::<Vec<_>>().join(", ")
    };
    let label = |record: &Record| record.run.label.clone();
    let values = [
        ("machines", distinct(&machine)),
        ("what was metered, and how", distinct(&domains)),
        ("labels", distinct(&label)),
    ];
    for (what, values) in values {
        if values.len() > 1 {
            notes.push(format!("different {what}: {}", values.join(" | ")));
        }
    }
    let unfinished = base.iter().chain(new).filter(|record| !record.run.finished).count();
    if unfinished > 0 {
        notes.push(format!("runs that were not finished: {unfinished}"));
    }
    notes
}

/// The mean of each result that every run has.
fn results(base: &[Record], new: &[Record]) -> Vec<ResultRow> {
    let mean = |records: &[Record], name: &str| {
        let values: Option<Vec<f64>> =
            records.iter().map(|record| record.results.get(name).copied()).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    };
    let both = |name: &String| {
        let (base, new) = mean(base, name).zip(mean(new, name))?;
        Some(ResultRow { name: name.clone(), base, new })
    };
    base[0].results.keys().filter_map(both).collect()
}

impl Comparison {
    fn text(&self, limit: Option<f64>, judged: Metric) -> String {
        let interval = |one: Interval| format!("{} to {}", percent(one.low), percent(one.high));
        let rows = self.metrics.iter().map(|Row { metric, change }| {
            vec![
                metric.name().to_owned(),
                metric.show(change.base),
                metric.show(change.new),
                percent(change.relative),
                interval(change.interval),
                if change.interval.has(0.0) { "within noise" } else { "changed" }.to_owned(),
            ]
        });
        let results = self.results.iter().map(|row| {
            let relative = (row.base != 0.0).then(|| row.new / row.base - 1.0);
            vec![
                row.name.clone(),
                grouped(row.base),
                grouped(row.new),
                or_absent(relative, percent),
                String::new(),
                String::new(),
            ]
        });
        let runs = |paths: &[PathBuf]| match paths.len() {
            1 => paths[0].display().to_string(),
            many => format!("{many} runs"),
        };
        let (base, new) = (runs(&self.base), runs(&self.new));
        let mut text = format!("A: {base}\nB: {new}\n");
        let figures = ["A", "B", "change", "95 % interval", ""];
        text += &table([Column::prose("")], figures, rows.chain(results));
        for note in &self.notes {
            text += &wrapped(note);
        }
        if let Some(limit) = limit {
            let (name, limit) = (judged.name(), spread(limit));
            let _ = if self.failed {
                writeln!(text, "failed: {name} rose by more than {limit}, beyond the interval")
            } else {
                writeln!(text, "passed: no rise of {name} above {limit} beyond the interval")
            };
        }
        text
    }
}

/// `5%`, `5 %` or `5`: per cent.
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let value: f64 = number.parse().map_err(|_| format!("'{text}' is not a percentage"))?;
    if value.is_finite() && value >= 0.0 {
        Ok(value / 100.0)
    } else {
        Err(format!("'{text}' is not a percentage of 0 or more"))
    }
}
