//! The folder in which a run keeps its record.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::record::Record;

/// A folder for records, one file for each run.
#[derive(Debug)]
pub(crate) struct Output {
    folder: PathBuf,
    /// Whether the folder was made for it.
    made: bool,
}

impl Output {
    /// Makes sure, before anything is measured, that a record can be written to `folder`.
    pub(crate) fn open(folder: PathBuf) -> Result<Self> {
        let made = !folder.exists();
        let probe =
            folder.join(format!(".{}-{:?}", std::process::id(), std::thread::current().id()));
        let tried = fs::create_dir_all(&folder).and_then(|()| File::create(&probe));
        let output = Self { folder, made };
        let removed = tried.and_then(|_| fs::remove_file(&probe));
        removed.map_err(|error| {
            let message =
                format!("no record can be written to '{}': {error}", output.folder.display());
            Error::new(ErrorKind::Io, message)
                .with_remedy("name a folder that this program may write to")
                .with_source(error)
        })?;
        Ok(output)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the record, whole or not at all. The folder may have been removed meanwhile.
    pub(crate) fn save(&self, record: &Record) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.json", record.run.id));
        // If this fails, so does what follows, with the reason.
        let _ = fs::create_dir_all(&self.folder);
        record.write(&path)?;
        Ok(path)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.made {
            // A run that did not begin leaves no folder behind. This fails if there is a record in it.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}
