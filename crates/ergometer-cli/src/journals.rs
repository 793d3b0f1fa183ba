//! Records and journals from files, and whether the run of a journal is still going on.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ergometer::Record;

use crate::outcome::{Stop, note};

/// A journal is written twice a second: one that was not for this long belongs to a run that has ended, or
/// stands still.
const SILENT: Duration = Duration::from_secs(10);

/// The record in `path`, or the run so far from its journal; says on stderr which of the two it is.
pub fn read(path: &Path) -> Result<Record, Stop> {
    let record = Record::read(path)?;
    if !record.run.finished && is_journal(path) {
        note(standing(path));
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
    let unread = |error: std::io::Error| {
        Stop::new(format!("'{}' cannot be read: {error}", folder.display()))
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
