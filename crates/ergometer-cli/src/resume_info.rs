//! `ergometer resume-info`: what a run that goes on would go on with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ergometer::Record;
use ergometer::report::Column;
use serde::Serialize;

use crate::journals;
use crate::outcome::{Outcome, Stop, note};
use crate::table::{duration, or_absent, table, wrapped};

/// Show what an interrupted run had come to: its epochs and steps, its energy, and how to go on with it
#[derive(Debug, clap::Args)]
pub struct ResumeInfo {
    /// Journals and records, or folders of them
    #[arg(required = true, value_name = "JOURNAL|FOLDER")]
    paths: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How far a run has come.
#[derive(Serialize)]
struct Standing {
    path: PathBuf,
    run_id: String,
    label: String,
    rank: Option<u32>,
    group: Option<String>,
    started: String,
    finished: bool,
    /// Its journal was written a moment ago.
    going_on: bool,
    /// Parts before this one.
    earlier_parts: usize,
    /// Epochs of this part by split, with one that was not over.
    epochs: BTreeMap<String, u64>,
    /// Number of the last of them, by split.
    last_epoch: BTreeMap<String, u64>,
    /// Steps of all parts, by split.
    steps: BTreeMap<String, u64>,
    /// Of all parts.
    seconds: f64,
    /// Of all parts; none where one of them could not be read.
    joules: Option<f64>,
}

impl ResumeInfo {
    pub fn run(self) -> Result<Outcome, Stop> {
        let mut all = Vec::new();
        for path in &self.paths {
            if !path.is_dir() {
                let read = Record::read(path).map_err(|error| journals::unread(path, &error))?;
                all.push(Standing::of(path.clone(), &read));
                continue;
            }
            let files = journals::below(path)?;
            for file in files.into_iter().filter(|file| journals::is_journal(file)) {
                match Record::read(&file) {
                    Ok(record) => all.push(Standing::of(file, &record)),
                    Err(error) => note(error),
                }
            }
        }
        if self.json {
            return Outcome::json(&all);
        }
        if all.is_empty() {
            return Ok(Outcome::of("no journals: a run with `resume_latest` begins anew\n"));
        }
        let text = [Column::name("run"), Column::prose("file"), Column::exact("state")];
        let figures = ["parts", "time", "energy", "steps", "last epoch"];
        let text = table(text, figures, all.iter().map(Standing::row));
        Ok(Outcome::of(text + &wrapped(HOW)))
    }
}

/// How a program goes on.
const HOW: &str = "\
Go on with `Meter::builder().resume(\"FILE\")`, or with `.resume_latest(\"FOLDER\")`, which takes the newest journal \
of the same label, rank and group.";

impl Standing {
    fn of(path: PathBuf, record: &Record) -> Self {
        let whole = record.whole();
        let mut epochs: BTreeMap<String, u64> = BTreeMap::new();
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for epoch in &record.epochs {
            *epochs.entry(epoch.split.clone()).or_default() += 1;
            let known = last.entry(epoch.split.clone()).or_default();
            *known = epoch.index.max(*known);
        }
        for (split, more) in &record.more_epochs {
            *epochs.entry(split.clone()).or_default() += more.count;
            *last.entry(split.clone()).or_default() += more.count;
        }
        Self {
            run_id: record.run.id.clone(),
            label: record.run.label.clone(),
            rank: record.run.rank.as_ref().map(|rank| rank.rank),
            group: record.run.group.clone(),
            started: record.run.started.clone(),
            finished: record.run.finished,
            going_on: !record.run.finished
                && journals::is_journal(&path)
                && journals::is_going_on(&path),
            earlier_parts: record.earlier.len(),
            epochs,
            last_epoch: last,
            steps: whole.steps.iter().map(|(split, steps)| (split.clone(), steps.count)).collect(),
            seconds: whole.seconds,
            joules: whole.energy.map(|energy| energy.joules.get()),
            path,
        }
    }

    fn row(&self) -> Vec<String> {
        let state = match (self.finished, self.going_on) {
            (true, _) => "finished",
            (false, true) => "going on",
            (false, false) => "interrupted",
        };
        let counts = |counts: &BTreeMap<String, u64>| {
            let one = |(split, count): (&String, &u64)| format!("{split} {count}");
            counts.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let rank = self.rank.map_or_else(String::new, |rank| format!(", rank {rank}"));
        vec![
            format!("{}{rank}", self.label),
            self.path.display().to_string(),
            state.to_owned(),
            (self.earlier_parts + 1).to_string(),
            duration(self.seconds),
            or_absent(self.joules, |joules| ergometer::units::Joules::new(joules).to_string()),
            counts(&self.steps),
            counts(&self.last_epoch),
        ]
    }
}
