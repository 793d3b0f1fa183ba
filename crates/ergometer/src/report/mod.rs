//! Record → reports for people and other tools.
//!
//! Everything here is made from the [`Record`] alone. The terminal and Markdown forms show the same
//! sections; JSON contains everything; CSV has a row for every energy.

mod columns;
mod csv;
mod escape;
mod figure;
mod json;
mod markdown;
mod names;
mod output;
mod sections;
mod summary;
mod table;
mod width;

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

#[doc(hidden)]
pub use columns::{Column, Table, paragraph};
pub(crate) use output::Output;
pub(crate) use summary::summary;
#[doc(hidden)]
pub use width::width;

use crate::error::{Error, ErrorKind, Result};
use crate::record::Record;
pub use sections::Section;

impl Record {
    /// The tables of the terminal and Markdown reports, for other forms of them.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        sections::sections(self)
    }

    /// One line on the program, the machine and the duration: the heading of those tables.
    #[must_use]
    pub fn headline(&self) -> String {
        sections::headline(self)
    }

    /// Notes that a reader of the tables needs, one line each: caveats, remarks, warnings, results.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        sections::notes(self)
    }

    /// Writes the record to `path` as JSON, Markdown or CSV, depending on its extension (`json`, `md`,
    /// `csv`).
    ///
    /// The file appears whole or not at all: it is written under another name and then moved.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for another extension, [`ErrorKind::Io`] if the file cannot be
    /// written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some(text) if text.eq_ignore_ascii_case("json") => self.to_json()?,
            Some(text) if text.eq_ignore_ascii_case("md") => self.to_markdown(),
            Some(text) if text.eq_ignore_ascii_case("csv") => self.to_csv()?,
            _ => {
                let message = format!("no format is known for '{}'", path.display());
                return Err(Error::new(ErrorKind::InvalidSetting, message)
                    .with_remedy("the extension selects the format: .json, .md or .csv"));
            }
        };
        write_whole(path, &text).map_err(|error| {
            Error::new(ErrorKind::Io, format!("'{}' could not be written: {error}", path.display()))
                .with_source(error)
        })
    }
}

/// Numbers the files of this process.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Processes in two containers may share a process number and a folder, so the name has a random part.
    let random = RandomState::new().build_hasher().finish();
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let unique = format!(".{name}.{}-{number}-{random:016x}", std::process::id());
    let beside = path.with_file_name(unique);
    let written = fs::File::create_new(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
