//! Records and journals from files, and whether the run of a journal is still going on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ergometer::{ErrorKind, Record};

use crate::outcome::{Stop, note};
use crate::programs;

/// A journal is written twice a second: one that was not for this long belongs to a run that has ended, or
/// stands still.
const SILENT: Duration = Duration::from_secs(10);

/// The record in `path`, or the run so far from its journal; says on stderr which of the two it is.
pub fn read(path: &Path) -> Result<Record, Stop> {
    let record = record_in(path).map_err(|error| unread(path, &error))?;
    if !record.run.finished && is_journal(path) {
        note(standing(path));
    }
    Ok(record)
}

/// Why there is no record in `path`, and what to name in its place.
pub fn unread(path: &Path, error: &ergometer::Error) -> Stop {
    // Its text has the remedy, where there is one.
    let stop = Stop::new(error.to_string());
    if error.remedy().is_some() {
        return stop;
    }
    stop.with_remedy(if path.is_dir() {
        "give the records in it, or add them up with `ergometer ledger`"
    } else if error.kind() == ErrorKind::Io && !path.exists() {
        "give the path of a record (.json) or of a journal (.journal)"
    } else if error.kind() == ErrorKind::Io {
        "see whether you may read it"
    } else if path.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        "the file is empty: its program may have been killed while it was written"
    } else {
        "records come from `ergometer run --record` and ERGOMETER_OUTPUT and end in .json; the names of journals end in \
         .journal"
    })
}

/// The record in `path`; one of `ergometer run` from its journal has what the programs in it marked.
pub fn record_in(path: &Path) -> ergometer::Result<Record> {
    let record = Record::read(path)?;
    let folder = programs::beside(path);
    if is_journal(path) && folder.is_dir() {
        return Ok(record.nest(programs::read(&folder)));
    }
    Ok(record)
}

/// Whether the file's name is that of a journal.
pub fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "journal")
}

/// Whether a journal without an end is still being written.
pub fn is_going_on(path: &Path) -> bool {
    age(path).is_some_and(|age| age < SILENT)
}

fn age(path: &Path) -> Option<Duration> {
    let changed = path.metadata().and_then(|metadata| metadata.modified()).ok()?;
    // A clock that was set back makes it new.
    Some(SystemTime::now().duration_since(changed).unwrap_or_default())
}

fn standing(path: &Path) -> String {
    let name = path.display();
    if is_going_on(path) {
        format!("{name}: the run is going on; this is the run so far")
    } else {
        format!(
            "{name}: the program ended without finishing the run; up to its last second is missing"
        )
    }
}

/// The records and journals in `folder` and the folders below it, in the order of their names.
pub fn below(folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    let unread = |error: io::Error| {
        let stop = Stop::new(format!("'{}' cannot be read: {error}", folder.display()));
        stop.with_remedy(match error.kind() {
            io::ErrorKind::NotFound => "give the folder that the records are in",
            io::ErrorKind::NotADirectory => "give the folder, or `ergometer report` the file",
            _ => "see whether you may read it",
        })
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let path = entry.path();
        // Links are not followed: a circle of them has no end.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(below(&path)?);
        } else if is_journal(&path) || path.extension().is_some_and(|extension| extension == "json")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
