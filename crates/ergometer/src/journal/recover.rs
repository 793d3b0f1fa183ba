//! Journal → record.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::row::{End, Head, Notes, Row, State, usage};
use super::{SCHEMA, line};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::power_log::PowerLog;
use crate::printable;
use crate::record::validate::{named, steps};
use crate::record::{Epoch, NamedSteps, Record, SpanNode, Steps, method_shares};
use crate::units::{Joules, Watts};

impl Record {
    /// Reads the record of a run from its [journal](crate::journal): the record that `finish` returned
    /// or, for a run that was never finished, the run as if it had ended with the last readable row.
    ///
    /// The record of an unfinished run has [`finished`](crate::record::RunInfo::finished) `false`, and
    /// warnings about missing data. Epochs that were open have rows with their figures so far.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the file cannot be read; [`ErrorKind::Format`] if it is not a journal, if it is
    /// one of another major version, or if every copy of its head is damaged.
    pub fn recover(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut found = Found::begin(path, open(path)?)?;
        found.lines(open(path)?).map_err(|error| unread(path, error))?;
        Ok(found.record())
    }
}

/// The record without energies at the beginning of the journal at `path`, which identifies its run.
pub(crate) fn beginning(path: &Path) -> Result<Record> {
    Ok(Found::begin(path, open(path)?)?.record)
}

fn open(path: &Path) -> Result<BufReader<File>> {
    File::open(path).map(BufReader::new).map_err(|error| unread(path, error))
}

fn unread(path: &Path, error: io::Error) -> Error {
    let message = format!("journal '{}' cannot be read: {error}", path.display());
    Error::new(ErrorKind::Io, message).with_source(error)
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The part of the head that shows whether the rest can be read.
#[derive(Deserialize)]
struct Schema {
    schema: String,
}

/// The state after the rows read so far.
#[derive(Clone)]
struct Found {
    record: Record,
    epochs: BTreeMap<usize, Epoch>,
    notes: Notes,
    spans: Vec<SpanNode>,
    power: PowerLog,
    steps: BTreeMap<String, Steps>,
    steps_by_name: BTreeMap<String, Vec<NamedSteps>>,
    state: Option<State>,
    end: Option<Record>,
    /// Number of damaged lines.
    damaged: u64,
    /// Bytes of a damaged line at the end of the file.
    torn: Option<usize>,
}

impl Found {
    /// Looks for the head: the first line or, if that is damaged, one of its copies or the whole record at
    /// the end.
    fn begin(path: &Path, mut lines: impl BufRead) -> Result<Self> {
        let format =
            |what: String| Error::new(ErrorKind::Format, format!("'{}' {what}", path.display()));
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line).map_err(|error| unread(path, error))?;
            if read == 0 {
                return Err(format("is not an ergometer journal, or its head is damaged".into()));
            }
            let text = without_end(&line);
            if let Some(schema) = line::parse::<Schema>(text) {
                let schema = schema.schema;
                let rest = schema.strip_prefix(SCHEMA);
                if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                    let what = format!("has the schema '{schema}', not '{SCHEMA}'");
                    return Err(format(what).with_remedy(
                        "read it with the version of ergometer that wrote it, or a later one",
                    ));
                }
            }
            let Some(Row::Head(Head { record, .. }) | Row::End(End { record })) = line::parse(text)
            else {
                continue;
            };
            record
                .check()
                .map_err(|why| format(format!("does not begin with a valid record: {why}")))?;
            return Ok(Self::new(*record));
        }
    }

    fn new(record: Record) -> Self {
        Self {
            record,
            epochs: BTreeMap::new(),
            notes: Notes::default(),
            spans: Vec::new(),
            power: PowerLog::default(),
            steps: BTreeMap::new(),
            steps_by_name: BTreeMap::new(),
            state: None,
            end: None,
            damaged: 0,
            torn: None,
        }
    }

    fn lines(&mut self, mut lines: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            self.take(&line);
            line.clear();
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) {
        let text = without_end(line);
        if text.is_empty() {
            return;
        }
        let row = line::parse(text).filter(|row| self.fits(row));
        let Some(row) = row else {
            self.damaged += 1;
            self.torn = Some(line.len());
            return;
        };
        self.torn = None;
        match row {
            Row::Epoch(row) => drop(self.epochs.insert(row.n, *row.epoch)),
            Row::Notes(notes) => self.notes = *notes,
            Row::Spans(spans) => self.spans = spans.spans,
            Row::Power(row) => self.power.read(row.knots, row.spans),
            Row::State(mut state) => {
                self.steps.append(&mut state.steps);
                self.steps_by_name.append(&mut state.by_name);
                self.state = Some(*state);
            }
            Row::End(end) => self.end = Some(*end.record),
            Row::Steps(_) | Row::Head(_) | Row::Unknown => {}
        }
    }

    /// Whether each non-empty list of a row has an entry for each domain, and its values are plausible.
    fn fits(&self, row: &Row) -> bool {
        let domains = self.record.domains.len();
        match row {
            Row::Epoch(row) => row.epoch.check(domains).is_ok(),
            Row::Spans(row) => row.spans.iter().all(|node| node.check(domains).is_ok()),
            Row::Power(row) => row.knots.iter().all(|knot| knot.fits(domains)),
            Row::End(row) => row.record.check().is_ok(),
            Row::Notes(notes) => notes.forecasts.iter().all(|one| one.check().is_ok()),
            Row::State(state) => {
                state.total.len() == domains
                    && state.outside.len() == domains
                    && state.s >= 0.0
                    && state.intensity.is_none_or(|grams| grams >= 0.0)
                    && state.steps.iter().all(|(split, one)| steps(split, one, domains).is_ok())
                    && state.by_name.values().all(|rows| named(rows, domains).is_ok())
                    && state.open.iter().all(|epoch| epoch.fits(domains))
                    && state.more.iter().all(|(split, more)| more.check(split, domains).is_ok())
            }
            _ => true,
        }
    }

    fn record(mut self) -> Record {
        let damage = self.damage();
        if let Some(mut record) = self.end {
            record.warnings.extend(damage);
            return record;
        }
        let mut record = self.record;
        record.run.finished = false;
        record.results = self.notes.results;
        record.facts = self.notes.facts;
        record.warnings = self.notes.warnings;
        record.forecasts = self.notes.forecasts;
        if let Some(started) = self.notes.started {
            record.run.started = started;
        }
        record.run.asleep_seconds = self.notes.asleep_seconds.or(record.run.asleep_seconds);
        record.steps = self.steps;
        record.steps_by_name = self.steps_by_name;
        record.spans = self.spans;
        for (row, warnings) in record.domains.iter_mut().zip(self.notes.domain_warnings) {
            row.warnings = warnings;
        }
        for (row, idle) in record.domains.iter_mut().zip(self.notes.idle_power) {
            row.idle_power = idle;
        }
        record.warnings.push(
            "recovered from a journal without an end: the run is going on, or its program ended without \
             finishing it; up to the last second is missing"
                .to_owned(),
        );
        record.warnings.extend(damage);
        if let Some(state) = self.state.take() {
            put(&mut record, state, &mut self.epochs);
            record.power = self.power.recovered(&record.total);
        }
        record
    }

    /// Warnings about damaged lines.
    fn damage(&self) -> Vec<String> {
        let mut said = Vec::new();
        let inside = self.damaged - u64::from(self.torn.is_some());
        if inside > 0 {
            said.push(format!(
                "damaged lines of the journal that were passed over: {inside}; later ones replace \
                 them, except for single epochs"
            ));
        }
        if let Some(bytes) = self.torn {
            said.push(format!("{bytes} bytes of a torn last line of the journal were dropped"));
        }
        said
    }
}

/// Applies the last state to the record.
fn put(record: &mut Record, mut state: State, epochs: &mut BTreeMap<usize, Epoch>) {
    let seconds = state.s;
    record.run.seconds = seconds;
    record.total = usage(&state.total, seconds, &record.domains);
    for ((row, energy), sensor) in record
        .domains
        .iter_mut()
        .zip(&record.total.by_domain)
        .zip(std::mem::take(&mut state.sensors))
    {
        sensor.put(row);
        row.energy = *energy;
        row.mean_power = energy
            .filter(|_| seconds > 0.0)
            .map(|energy| Watts::new(energy.joules.get() / seconds));
        row.above_idle = energy
            .zip(row.idle_power)
            .map(|(energy, idle)| energy.joules - Joules::new(idle.get() * seconds));
    }
    record.method_shares = method_shares(&record.domains);
    record.outside_epochs = state.outside;
    record.more_epochs = state.more;
    // Epoch rows after the last state belong to epochs that are open in it.
    record.epochs = std::mem::take(epochs)
        .into_iter()
        .filter(|(n, _)| *n < state.closed)
        .map(|(_, epoch)| epoch)
        .collect();
    let lost = state.closed - record.epochs.len();
    for epoch in state.open {
        let unfinished = epoch.unfinished;
        let epoch = epoch.epoch(&record.domains);
        if unfinished {
            record.warnings.push(format!(
                "epoch {} of {} had not ended: its row has the figures so far",
                epoch.index, epoch.split
            ));
        }
        record.epochs.push(epoch);
    }
    if lost > 0 {
        record.warnings.push(format!(
            "there is no row of {}, as lines are damaged; the energy is included in that outside epochs",
            printable::counted(lost as u64, "epoch")
        ));
        for (index, outside) in record.outside_epochs.iter_mut().enumerate() {
            let joules = |energy: Option<crate::energy::Energy>| {
                energy.map_or(Joules::ZERO, |energy| energy.joules)
            };
            let rows = record.epochs.iter().map(|epoch| &epoch.usage);
            let usages = rows.chain(record.more_epochs.values().map(|more| &more.usage));
            let inside: Joules = usages.map(|usage| joules(usage.by_domain[index])).sum();
            *outside = joules(record.total.by_domain[index]) - inside;
        }
    }
    let site = &record.footprint.site;
    // Without a start time no value of the site's series can be left out.
    let site = match record.run.started.parse() {
        Ok(started) => site.during(started, seconds),
        Err(_) => site.clone(),
    };
    record.footprint.site = site;
    record.footprint =
        record.footprint.again(record.total.energy.as_ref(), seconds, state.intensity);
}

#[cfg(test)]
mod tests;
