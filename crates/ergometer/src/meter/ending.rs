//! How a run ends, also one that the program does not finish: its energy was spent all the same.
//!
//! Whatever is printed or written here is done on a thread of its own, for which the program waits some seconds at
//! most: a terminal, a pipe or a disk may hang.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Inner, Meter, Stage};
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::printable::line;
use crate::record::Record;
use crate::report::summary;

/// How long [`Meter::finish`] waits for its thread while that makes no progress: it may be waiting for a driver or
/// a disk.
pub(super) const FINISH_PATIENCE: Duration = Duration::from_secs(30);
/// How long the drop of a meter waits for each of its thread, the disk and the terminal.
pub(super) const DROP_PATIENCE: Duration = Duration::from_secs(3);
/// How long a record may take to be written by a program that goes on.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Why a run ended that the program did not finish.
const PANICKED: &str = "the run ended without finishing: the program panicked";
const DROPPED: &str = "the run ended without finishing: the meter was dropped";

/// A run that has ended.
pub(super) struct Ended {
    pub record: Record,
    /// Where the record was written; the error says why it was not. `None` if there is no folder for it.
    written: Option<Result<PathBuf, String>>,
}

impl Meter {
    /// Calls `work` and ends the run when it returns or panics. The result is that of `work`.
    ///
    /// The record is printed to standard error as a table, and written to the folder of
    /// [`MeterBuilder::output`](crate::MeterBuilder::output) if there is one: of a training that fails, too, whose
    /// energy was spent all the same. [`Meter::finish`] then returns the record. If `work` finishes the meter itself,
    /// nothing is printed.
    ///
    /// ```
    /// use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let runs = folder.path();
    /// let meter = Meter::builder()
    ///     .without_probe()
    ///     .fixed(DomainKind::Node, Watts::new(50.0))
    ///     .output(runs)
    ///     .start()?;
    /// let result: Result<(), &str> = meter.run(|| {
    ///     let _step = meter.span(Kind::Step);
    ///     Err("the loss is NaN")
    /// });
    /// assert_eq!(result, Err("the loss is NaN"));
    /// let record = meter.finish()?;
    /// assert!(record.total.energy.is_some());
    /// assert!(runs.join(format!("{}.json", record.run.id)).is_file());
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let mut running = Running { inner: &self.inner, returned: false };
        let result = work();
        running.returned = true;
        result
    }
}

/// Ends the run when it is dropped, by a panic as well.
struct Running<'a> {
    inner: &'a Inner,
    returned: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.inner.is_foreign() || self.inner.off {
            return;
        }
        let (interrupted, patience) =
            if self.returned { (None, FINISH_PATIENCE) } else { (Some(PANICKED), DROP_PATIENCE) };
        match self.inner.end(interrupted, patience) {
            Ok(ended) => self.inner.show(ended),
            Err(error) if error.kind() == ErrorKind::Finished => {}
            Err(error) => self.inner.print_without_record(&error),
        }
    }
}

impl Inner {
    /// The last clone of the meter is dropped: if the run was not finished, it ends here.
    pub(super) fn dropped(&self) {
        if self.off {
            return;
        }
        let why = if thread::panicking() { PANICKED } else { DROPPED };
        self.end_early(why, DROP_PATIENCE);
    }

    /// Ends a run that the program did not finish, for the reason `why`, and prints what it cost.
    pub(super) fn end_early(&self, why: &str, patience: Duration) {
        match self.end(Some(why), patience) {
            Ok(Ended { record, written }) => {
                let kept = match (written, &self.journal) {
                    (Some(Ok(path)), _) => format!("; record: {}", path.display()),
                    (Some(Err(error)), _) => format!("; {error}"),
                    (None, Some(journal)) => format!("; journal: {}", journal.display()),
                    (None, None) => {
                        "; the record is not kept: name a folder with `MeterBuilder::output` or \
                                     ERGOMETER_OUTPUT"
                            .to_owned()
                    }
                };
                let why = why.to_owned();
                print(move || {
                    format!("ergometer: {}: {}; {why}{kept}", record.run.label, summary(&record))
                });
            }
            Err(error) if error.kind() == ErrorKind::Finished => {}
            Err(error) => self.print_without_record(&error),
        }
    }

    /// Prints the table of a run, whose record [`Meter::finish`] then returns.
    fn show(&self, ended: Ended) {
        let record = Arc::new(ended.record);
        let shown = Arc::clone(&record);
        let note = match ended.written {
            Some(Ok(path)) => format!("record: {}\n", line(&path.display().to_string())),
            _ => String::new(),
        };
        print(move || format!("{shown}{note}"));
        *self.stage() = Stage::Ended(Some(record));
    }

    /// What is known of a run whose thread does not answer.
    fn print_without_record(&self, error: &Error) {
        let live = self.screen.snapshot();
        let known = live.total.map_or_else(
            || "no energy is known".to_owned(),
            |total| format!("{total} up to {:.1} s", live.seconds),
        );
        let text = format!("ergometer: {}: {known}; there is no record: {error}", self.head.label);
        print(move || text);
    }

    /// Writes the record to the folder for it. If that fails, the record says so.
    pub(super) fn save(&self, mut record: Record, patience: Duration) -> Ended {
        let Some(output) = self.output.as_ref().map(Arc::clone) else {
            return Ended { record, written: None };
        };
        let folder = output.folder().to_owned();
        let copy = record.clone();
        let written = match bounded::call(patience.min(WRITE_LIMIT), move || output.save(&copy)) {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(failure) => Err(format!(
                "the record could not be written to '{}': {}",
                folder.display(),
                match failure {
                    bounded::Failure::Hangs => "the disk does not answer",
                    bounded::Failure::Panicked => "the thread that writes it panicked",
                    bounded::Failure::NoThread => "no thread could be started",
                }
            )),
        };
        if let Err(error) = &written {
            record.warnings.push(error.clone());
        }
        Ended { record, written: Some(written) }
    }
}

/// Prints `text` to standard error, unless that takes long. A closed output is not an error of the program.
fn print(text: impl FnOnce() -> String + Send + 'static) {
    let _ = bounded::call(DROP_PATIENCE, move || {
        let text = text();
        // In one write, so that lines of several ranks do not mix.
        let mut lines = String::new();
        for text in text.lines() {
            lines.push_str(&line(text));
            lines.push('\n');
        }
        let _ = io::stderr().lock().write_all(lines.as_bytes());
    });
}
