//! The sweep on disk: a line for each trial that began, ended or was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Sweep;
use super::trial::{Cost, Trial};
use crate::stop::{Doing, Stop};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// What the sweep is, first.
    Sweep(Box<Sweep>),
    /// An attempt at a trial begins.
    Begin { trial: u32, attempt: u32 },
    /// A trial has ended.
    End(Trial),
    /// An attempt did not end: the sweep was killed. What it had drawn, where that is known.
    Lost { trial: u32, attempt: u32, cost: Option<Cost> },
}

/// What has happened so far.
pub struct Journal {
    file: File,
    trials: Vec<Trial>,
    /// Attempts at each trial, from 1.
    attempts: BTreeMap<u32, u32>,
    /// Attempts that neither ended nor were counted as lost.
    open: BTreeSet<(u32, u32)>,
    /// What attempts that did not end had drawn.
    lost: Vec<Option<Cost>>,
    /// Whether the budget ended the sweep.
    pub stopped_by_budget: bool,
}

impl Journal {
    /// Begins the journal of `sweep`, or goes on with it. Another sweep's journal is not overwritten.
    pub fn open(path: &Path, sweep: &Sweep) -> Result<Self, Stop> {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Stop::failed(format!("cannot read {shown}: {error}"))),
        };
        // A line that was cut off when the sweep was killed has no end.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines: Vec<Line> = text[..whole]
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .doing(format!("understand {shown}"))?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.doing(format!("write {shown}"))?;
        file.set_len(whole as u64).doing(format!("write {shown}"))?;
        let mut journal = Self {
            file,
            trials: Vec::new(),
            attempts: BTreeMap::new(),
            open: BTreeSet::new(),
            lost: Vec::new(),
            stopped_by_budget: false,
        };
        match lines.first() {
            None => journal.write(&Line::Sweep(Box::new(sweep.clone())))?,
            Some(Line::Sweep(begun)) if begun.is_same(sweep) => {}
            Some(_) => {
                return Err(Stop::wrong_input(format!(
                    "{shown} is of another sweep; give this one another --out, or remove that file"
                )));
            }
        }
        for line in lines {
            journal.take(line);
        }
        Ok(journal)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Sweep(_) => {}
            Line::Begin { trial, attempt } => {
                self.attempts.insert(trial, attempt);
                self.open.insert((trial, attempt));
            }
            Line::End(trial) => {
                self.open.retain(|(open, _)| *open != trial.id);
                self.trials.push(trial);
            }
            Line::Lost { trial, attempt, cost } => {
                self.open.remove(&(trial, attempt));
                self.lost.push(cost);
            }
        }
    }

    /// On disk before anything that follows from it.
    fn write(&mut self, line: &Line) -> Result<(), Stop> {
        let mut text = serde_json::to_string(line).doing("turn a trial into JSON")?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).doing("write the sweep's journal")?;
        self.file.sync_data().doing("write the sweep's journal")
    }

    fn add(&mut self, line: Line) -> Result<(), Stop> {
        self.write(&line)?;
        self.take(line);
        Ok(())
    }

    /// An attempt at a trial begins; its number, from 1.
    pub fn begin(&mut self, trial: u32) -> Result<u32, Stop> {
        let attempt = self.attempts.get(&trial).map_or(1, |attempt| attempt + 1);
        self.add(Line::Begin { trial, attempt })?;
        Ok(attempt)
    }

    /// A trial has ended.
    pub fn end(&mut self, trial: Trial) -> Result<(), Stop> {
        self.add(Line::End(trial))
    }

    /// Attempts that did not end.
    pub fn cut_off(&self) -> Vec<(u32, u32)> {
        self.open.iter().copied().collect()
    }

    /// What an attempt that did not end had drawn.
    pub fn lost(&mut self, trial: u32, attempt: u32, cost: Option<Cost>) -> Result<(), Stop> {
        self.add(Line::Lost { trial, attempt, cost })
    }

    /// The trials that have ended, in that order.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Attempts that did not end, and what each had drawn where that is known.
    pub fn lost_attempts(&self) -> &[Option<Cost>] {
        &self.lost
    }

    /// Joules so far, as far as they are known.
    pub fn spent(&self) -> f64 {
        let ended = self.trials.iter().filter_map(|trial| trial.cost?.joules);
        let lost = self.lost.iter().filter_map(|cost| (*cost)?.joules);
        ended.chain(lost).sum()
    }

    /// Joules that another trial is expected to take: as many as the costliest so far.
    pub fn cost_of_another(&self) -> f64 {
        self.trials.iter().filter_map(|trial| trial.cost?.joules).fold(0.0, f64::max)
    }
}

impl Sweep {
    /// Whether a journal of `self` can be gone on with as `other`: a budget may be raised.
    fn is_same(&self, other: &Self) -> bool {
        Self { budget: None, ..self.clone() } == Self { budget: None, ..other.clone() }
    }
}
