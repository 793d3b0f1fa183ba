//! Reads the file of a trace.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use serde::de::{Error as _, IntoDeserializer as _};
use serde::{Deserialize, Deserializer};

use crate::error::{Error, ErrorKind, Result};
use crate::source::{DomainKind, Value};
use crate::units::{Joules, Watts};

/// One domain's rows, in the order of their time.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) kind: DomainKind,
    pub(super) rows: Vec<TraceRow>,
}

/// A row of a domain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TraceRow {
    /// Since the trace's start.
    pub(super) after: Duration,
    /// Since the domain's first counter value.
    pub(super) joules: Option<Joules>,
    pub(super) watts: Option<Watts>,
}

impl TraceRow {
    pub(super) fn values(&self) -> impl Iterator<Item = Value> {
        let energy = self.joules.map(Value::Energy);
        energy.into_iter().chain(self.watts.map(Value::Power))
    }
}

#[derive(Deserialize)]
struct Line {
    seconds: f64,
    domain: String,
    #[serde(deserialize_with = "known")]
    kind: DomainKind,
    joules: Option<f64>,
    watts: Option<f64>,
}

/// A kind that this version knows: in a record others are read too, but a trace is written by hand.
fn known<'de, D: Deserializer<'de>>(value: D) -> std::result::Result<DomainKind, D::Error> {
    let word = String::deserialize(value)?;
    match DomainKind::deserialize(word.as_str().into_deserializer())? {
        DomainKind::Other => Err(D::Error::custom(format!("'{word}' is not a kind of domain"))),
        kind => Ok(kind),
    }
}

/// Reads and checks the whole file.
pub(super) fn read(path: &Path) -> Result<Vec<Channel>> {
    let file = File::open(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("the trace {} cannot be opened: {error}", path.display()))
            .with_source(error)
    })?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(std::io::BufReader::new(file));
    let wrong = |line: u64, what: String| {
        let message = format!("line {line} of the trace {}: {what}", path.display());
        Error::new(ErrorKind::Format, message)
            .with_remedy("a trace has the columns seconds,domain,kind,joules,watts")
    };
    let headers = reader.headers().map_err(|error| failed(path, error, &wrong))?.clone();
    let mut channels: Vec<Channel> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut counters: Vec<Counter> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| failed(path, error, &wrong))?;
        let number = record.position().map_or(0, csv::Position::line);
        let line: Line =
            record.deserialize(Some(&headers)).map_err(|error| wrong(number, describe(&error)))?;
        let index = places.get(&line.domain).copied().unwrap_or_else(|| {
            channels.push(Channel { name: line.domain.clone(), kind: line.kind, rows: Vec::new() });
            counters.push(Counter::default());
            places.insert(line.domain.clone(), channels.len() - 1);
            channels.len() - 1
        });
        let row = check(&line, &channels[index], &mut counters[index])
            .map_err(|what| wrong(number, what))?;
        channels[index].rows.push(row);
    }
    if channels.is_empty() {
        return Err(wrong(1, "no row follows".to_owned()));
    }
    Ok(channels)
}

/// A channel's counter as far as it has been read.
#[derive(Default)]
struct Counter {
    /// Its first value.
    origin: Option<f64>,
    /// Joules from there to its last one.
    last: f64,
}

/// Checks `line` and converts it to a row of `channel`, whose counter is `counter`.
fn check(line: &Line, channel: &Channel, counter: &mut Counter) -> Result<TraceRow, String> {
    /// No single device that trains a model draws more.
    const MOST_WATTS: f64 = 100_000.0;
    let Line { seconds, domain, kind, joules, watts } = line;
    if domain.is_empty() {
        return Err("the domain has no name".to_owned());
    }
    let after = Duration::try_from_secs_f64(*seconds)
        .map_err(|_| format!("{seconds} s is not a time since the trace's start"))?;
    if *kind != channel.kind {
        let (was, is) = (channel.kind.as_str(), kind.as_str());
        return Err(format!("{domain} was of kind {was} before and is {is} now"));
    }
    let last = channel.rows.last();
    if let Some(last) = last.filter(|last| after < last.after) {
        let before = last.after.as_secs_f64();
        return Err(format!("{seconds} s comes after {before} s of the same domain"));
    }
    if joules.is_none() && watts.is_none() {
        return Err("neither joules nor watts".to_owned());
    }
    if let Some(watts) = watts.filter(|watts| !(0.0..=MOST_WATTS).contains(watts)) {
        return Err(format!("{watts} W is not a power; it must lie between 0 and {MOST_WATTS} W"));
    }
    let joules = match *joules {
        None => None,
        Some(joules) if !joules.is_finite() => return Err(format!("{joules} J is not an energy")),
        Some(joules) => Some(joules - *counter.origin.get_or_insert(joules)),
    };
    if let Some(joules) = joules {
        if joules < counter.last {
            return Err(format!("the counter of {domain} goes back"));
        }
        if !joules.is_finite() {
            return Err(format!("the counter of {domain} goes further than a number can tell"));
        }
        counter.last = joules;
    }
    Ok(TraceRow { after, joules: joules.map(Joules::new), watts: watts.map(Watts::new) })
}

fn failed(path: &Path, error: csv::Error, wrong: &impl Fn(u64, String) -> Error) -> Error {
    if error.is_io_error() {
        let message = format!("the trace {} cannot be read: {error}", path.display());
        return Error::new(ErrorKind::Io, message).with_source(error);
    }
    wrong(error.position().map_or(0, csv::Position::line), describe(&error))
}

/// The error without its position, which the caller adds.
fn describe(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields instead of {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
