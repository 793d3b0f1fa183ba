//! The journal's file, and how failed writes are handled.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::row::{End, EpochLine, Head, Notes, PowerRow, Row, Spans, State, StepRow, StepRows};
use super::{SCHEMA, line};
use crate::clock::{self, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::power_log::PowerLog;
use crate::ledger::step_log::StepEntry;
use crate::printable;
use crate::record::{Epoch, Record, Steps};

/// Bytes per second that the tree of spans may take.
const SPANS_RATE: f64 = 1024.0;
/// The longest time between two writes of the tree.
const SPANS_PERIOD: Duration = Duration::from_secs(60);

/// The head is written again once this many bytes follow it, and then whenever the journal's length has
/// doubled. So damage to the first line alone loses nothing, and the copies stay a small part of the file.
const HEAD_AGAIN: u64 = 8192;

/// A run's journal, open for appending.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    start: Timestamp,
    /// The head's line.
    head: Vec<u8>,
    /// Bytes written so far.
    length: u64,
    /// The length at which the head is written again.
    head_due: u64,
    /// Number of epochs with rows, in the file or in `owed`.
    closed: usize,
    /// Rows of epochs that could not be written yet.
    owed: Vec<u8>,
    notes: Notes,
    /// Count of steps at the last write of their statistics, by split.
    steps: BTreeMap<String, u64>,
    spans_due: Timestamp,
    loss: Loss,
}

/// Data that could not be written.
#[derive(Default)]
struct Loss {
    /// Whether the last write failed; it may have left the beginning of a line.
    failing: bool,
    since: Option<Timestamp>,
    /// Time for which nothing was written.
    length: Duration,
    error: String,
    steps: u64,
}

impl Journal {
    /// A journal in `file`, whose only line so far is `head`.
    fn new(path: PathBuf, file: File, start: Timestamp, head: Vec<u8>) -> Self {
        let length = head.len() as u64;
        Self {
            path,
            file,
            start,
            head,
            length,
            head_due: length + HEAD_AGAIN,
            closed: 0,
            owed: Vec::new(),
            notes: Notes::default(),
            steps: BTreeMap::new(),
            spans_due: start,
            loss: Loss::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Announces that the next state is the last, so that the tree of spans is written with it.
    pub(crate) fn is_last(&mut self) {
        self.spans_due = self.start;
    }

    /// Number of epochs with rows.
    pub(crate) fn closed(&self) -> usize {
        self.closed
    }

    /// Adds a row for an epoch that has ended and settled.
    pub(crate) fn epoch(&mut self, epoch: Epoch) {
        let row = Row::Epoch(EpochLine { n: self.closed, epoch: Box::new(epoch) });
        line::append(&mut self.owed, &row);
        self.closed += 1;
    }

    /// Appends the state of the run and makes it durable.
    ///
    /// `record` is the run as if it ended at `now`, with only the epochs that have no row; `unfinished` the
    /// start and split of each that has not ended.
    pub(crate) fn state(
        &mut self,
        record: &Record,
        steps: &[StepEntry],
        unfinished: &[(f64, &str)],
        power: &mut PowerLog,
        now: Timestamp,
    ) {
        let mut text = self.prefix();
        let mut head_due = self.head_due;
        if self.length >= head_due {
            text.extend_from_slice(&self.head);
            head_due = 2 * self.length;
        }
        if !steps.is_empty() {
            let steps = steps.iter().map(|step| StepRow::new(step, self.start)).collect();
            line::append(&mut text, &Row::Steps(StepRows { steps }));
        }
        text.extend_from_slice(&self.owed);
        let notes = Notes::of(record);
        if notes != self.notes {
            line::append(&mut text, &Row::Notes(Box::new(notes.clone())));
        }
        let mut spans_due = self.spans_due;
        if now >= spans_due {
            let before = text.len();
            line::append(&mut text, &Row::Spans(Spans { spans: record.spans.clone() }));
            let period = Duration::from_secs_f64((text.len() - before) as f64 / SPANS_RATE);
            spans_due = now.after(period.min(SPANS_PERIOD));
        }
        let (knots, spans) = power.owed();
        if !knots.is_empty() || !spans.is_empty() {
            let row = PowerRow { knots: knots.to_vec(), spans: spans.to_vec() };
            line::append(&mut text, &Row::Power(row));
        }
        let mut state = State::of(record, self.closed, unfinished);
        let changed = |split: &str, steps: &Steps| self.steps.get(split) != Some(&steps.count);
        let changed = record.steps.iter().filter(|(split, steps)| changed(split, steps));
        state.steps = changed.map(|(split, steps)| (split.clone(), steps.clone())).collect();
        let named =
            record.steps_by_name.iter().filter(|(split, _)| state.steps.contains_key(*split));
        state.by_name = named.map(|(split, rows)| (split.clone(), rows.clone())).collect();
        let counts: Vec<_> =
            state.steps.iter().map(|(split, steps)| (split.clone(), steps.count)).collect();
        line::append(&mut text, &Row::State(Box::new(state)));

        match self.append(&text) {
            Ok(()) => {
                self.owed.clear();
                power.written();
                self.notes = notes;
                self.spans_due = spans_due;
                self.head_due = head_due;
                self.steps.extend(counts);
                self.loss.over(now);
            }
            Err(error) => self.loss.note(&error, now, steps.len() as u64),
        }
    }

    /// Ends the journal with the run's whole record, after adding the losses to the record.
    pub(crate) fn end(mut self, record: &mut Record) {
        let now = clock::checked_now();
        record.warnings.extend(self.loss.say(&self.path, now));
        let whole = Row::End(End { record: Box::new(record.finite().into_owned()) });
        let mut text = self.prefix();
        line::append(&mut text, &whole);
        if let Err(error) = self.append(&text)
            && self.loss.since.is_none()
        {
            let path = self.path.display();
            record.warnings.push(format!("journal '{path}' lacks its end: {error}"));
        }
    }

    /// The prefix of a write: after a failed write, a newline that ends the line which it may have begun.
    fn prefix(&self) -> Vec<u8> {
        if self.loss.failing { vec![b'\n'] } else { Vec::new() }
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let written = self
            .file
            .write_all(text)
            .and_then(|()| self.file.sync_data())
            .and_then(|()| still_there(&self.file, &self.path));
        self.loss.failing = written.is_err();
        if written.is_ok() {
            self.length += text.len() as u64;
        }
        written
    }
}

impl Loss {
    fn note(&mut self, error: &io::Error, now: Timestamp, steps: u64) {
        self.since.get_or_insert(now);
        self.error = error.to_string();
        self.steps += steps;
    }

    fn over(&mut self, now: Timestamp) {
        if let Some(since) = self.since.take() {
            self.length += now.since(since);
        }
    }

    fn say(&self, path: &Path, now: Timestamp) -> Option<String> {
        if self.error.is_empty() {
            return None;
        }
        let length = self.length + self.since.map_or(Duration::ZERO, |since| now.since(since));
        let end = if self.since.is_some() { ", up to the end of the run" } else { "" };
        Some(format!(
            "journal '{}' could not be written for {:.1} s{end}: {}; without the {} of \
             steps of that time, which the record has",
            path.display(),
            length.as_secs_f64(),
            self.error,
            printable::counted(self.steps, "row")
        ))
    }
}

/// A journal without its final name. If the run does not begin, it leaves nothing behind.
pub(crate) struct Draft {
    folder: PathBuf,
    /// Whether the folder was created for it.
    new_folder: bool,
    /// The temporary name. A file with the final name always has its first line, whenever the program is
    /// killed.
    beside: PathBuf,
    file: Option<File>,
}

impl Draft {
    /// Makes sure, before anything else is started, that a journal can be written to `folder`.
    pub(crate) fn open(folder: PathBuf) -> Result<Self> {
        let new_folder = !folder.exists();
        let name = |number| format!("{}-{number}.journal.part", std::process::id());
        let draft = fs::create_dir_all(&folder).and_then(|()| {
            // A process with the same number may have been killed and left its file behind.
            let mut number: u32 = 0;
            loop {
                let beside = folder.join(name(number));
                match private().append(true).create_new(true).open(&beside) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                    opened => return Ok((beside, opened?)),
                }
            }
        });
        let (beside, file) = draft.map_err(|error| unwritten(&folder, error))?;
        Ok(Self { folder, new_folder, beside, file: Some(file) })
    }

    /// Begins the journal of the run that starts with `record`.
    pub(crate) fn begin(mut self, record: &Record, start: Timestamp) -> Result<Journal> {
        let path = self.folder.join(format!("{}.journal", record.run.id));
        let mut text = Vec::new();
        let head = Head { schema: SCHEMA.to_owned(), record: Box::new(record.clone()) };
        line::append(&mut text, &Row::Head(head));
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let named = self.file.as_mut().ok_or_else(gone).and_then(|file| {
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&self.beside, &path)
        });
        match (named, self.file.take()) {
            (Ok(()), Some(file)) => {
                // The name becomes durable with its folder; where a folder cannot be opened, this is
                // impossible.
                let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
                Ok(Journal::new(path, file, start, text))
            }
            (Err(error), file) => {
                self.file = file;
                Err(unwritten(&path, error))
            }
            (Ok(()), None) => Err(unwritten(&path, gone())),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.beside);
            if self.new_folder {
                // This fails if somebody else has put a file there meanwhile.
                let _ = fs::remove_dir(&self.folder);
            }
        }
    }
}

fn unwritten(path: &Path, error: io::Error) -> Error {
    let message = format!("journal '{}' cannot be written: {error}", path.display());
    Error::new(ErrorKind::Io, message)
        .with_remedy("name a folder that this program may write to")
        .with_source(error)
}

/// Options for a file that only its user can read: it contains the command line, in which some secrets may
/// not be recognised.
fn private() -> fs::OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has a mode"))]
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// An error if the file was removed: writing to it would succeed, but nobody could read it.
#[cfg(unix)]
fn still_there(file: &File, _: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if file.metadata()?.nlink() > 0 { Ok(()) } else { Err(removed()) }
}

#[cfg(not(unix))]
fn still_there(_: &File, path: &Path) -> io::Result<()> {
    if path.exists() { Ok(()) } else { Err(removed()) }
}

fn removed() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the file was removed")
}
