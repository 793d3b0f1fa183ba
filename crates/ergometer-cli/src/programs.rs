//! What the programs under `ergometer run` mark themselves.
//!
//! A meter that finds [`VARIABLE`] keeps a journal in the folder that it names, or the path of its own journal
//! (`.journal-path`); a `run` inside a `run` writes its record there (`.json`). The folder lies beside the run's
//! journal if it has one, so that nothing is lost when this command is killed, and else where temporary files do.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ergometer::Record;
use tempfile::TempDir;

use crate::outcome::note;

/// Tells a meter where the run around it looks for its journal.
pub const VARIABLE: &str = "ERGOMETER_PARENT";

/// The folder for one run.
pub enum Programs {
    /// Beside the run's journal.
    Beside(PathBuf),
    Temporary(TempDir),
}

impl Programs {
    /// A folder for the run that keeps this journal. Without one the program runs all the same.
    pub fn new(journal: Option<&Path>) -> Option<Self> {
        let made = match journal {
            Some(journal) => made_beside(journal).map(Self::Beside),
            None => tempfile::Builder::new().prefix("ergometer-").tempdir().map(Self::Temporary),
        };
        made.map_err(|error| {
            note(format!("what the program marks itself is not recorded: {error}"))
        })
        .ok()
    }

    pub fn folder(&self) -> &Path {
        match self {
            Self::Beside(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }

    /// The records of the programs that ran; the folder of a run whose programs marked nothing is removed.
    pub fn records(self) -> Vec<Record> {
        let records = read(self.folder());
        if let Self::Beside(folder) = &self {
            // This fails if something is in it.
            let _ = fs::remove_dir(folder);
        }
        records
    }
}

fn made_beside(journal: &Path) -> io::Result<PathBuf> {
    // The program may change its folder.
    let folder = std::path::absolute(beside(journal))?;
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The folder of the run that keeps this journal.
pub fn beside(journal: &Path) -> PathBuf {
    journal.with_extension("programs")
}

/// The records in such a folder, each run once: a whole record rather than a journal.
pub fn read(folder: &Path) -> Vec<Record> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.map(Iterator::collect).unwrap_or_default();
    files.sort_by_key(|path| {
        (path.extension().is_none_or(|extension| extension != "json"), path.clone())
    });
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for path in files {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let record = match extension {
            Some("json") => Record::read(&path),
            Some("journal") => Record::recover(&path),
            Some("journal-path") => match fs::read_to_string(&path) {
                Ok(journal) => Record::recover(journal),
                Err(error) => {
                    note(format!("'{}' cannot be read: {error}", path.display()));
                    continue;
                }
            },
            _ => continue,
        };
        match record {
            Ok(record) => drop(records.entry(record.run.id.clone()).or_insert(record)),
            Err(error) => note(format!("what a program marked is not in the record: {error}")),
        }
    }
    records.into_values().collect()
}
