//! `ergometer ledger DIR`: what a project took in all, from its records and journals.
//!
//! ```text
//! files ──► digests ──► parts that count ──► sums by label, month, machine, model
//!            │  ▲                 └────────► Parquet: runs, epochs, steps, spans, trials
//!            ▼  │
//!           cache
//! ```

mod cache;
mod count;
mod digest;
#[cfg(feature = "parquet")]
mod export;
mod sums;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ergometer::report::Column;
use serde::Serialize;

use crate::journals;
use crate::outcome::{Outcome, Stop, note};
use crate::programs;
use crate::table::{table, wrapped};
use cache::{Cache, Found, Stamp};
use count::{Counted, Entry, counted};
use digest::{Digest, Part};
use sums::Sums;

/// Add up a project's records over months, with journals of runs that were never finished
///
/// Runs that failed or were killed count, and have columns of their own. What was read of a file is kept in the
/// user's folder for caches, and used while the file has the same size and time.
#[derive(Debug, clap::Args)]
pub struct Ledger {
    /// Folder of records and journals, with the folders below it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What makes a row
    #[arg(long, value_enum, default_value_t = By::Label)]
    by: By,
    /// Write runs, epochs, steps, spans and trials as Parquet files to this folder, for DuckDB and Spark; of a build with
    /// the feature `parquet`
    #[arg(long, value_name = "FOLDER")]
    parquet: Option<PathBuf>,
    /// Read every file, and keep nothing for the next time
    #[arg(long)]
    without_cache: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// Name of the run
    Label,
    /// Month in which the run began, UTC
    Month,
    /// Host
    Machine,
    /// The fact `model` of the record, or the label where there is none
    Model,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Totals {
    rows: Vec<Sums>,
    total: Sums,
    /// Files that are neither a record nor a journal that can be read.
    passed_over: Vec<PathBuf>,
}

impl Ledger {
    pub fn run(self) -> Result<Outcome, Stop> {
        #[cfg(not(feature = "parquet"))]
        if self.parquet.is_some() {
            return Err(Stop::new("this build of ergometer does not write Parquet").with_remedy(
                "install it with `cargo install --path crates/ergometer-cli --features parquet`",
            ));
        }
        let files = self.files()?;
        let mut passed_over = Vec::new();
        let mut entries = Vec::new();
        for (place, file) in files.iter().enumerate() {
            match &file.read {
                Ok(digest) => entries.push(Entry {
                    file: place,
                    is_journal: journals::is_journal(&file.path),
                    digest: digest.clone(),
                }),
                Err(error) => {
                    note(format!("passed over: {error}"));
                    passed_over.push(file.path.clone());
                }
            }
        }
        let parts = counted(&entries);
        #[cfg(feature = "parquet")]
        if let Some(folder) = &self.parquet {
            export::write(folder, &parts, &files)?;
        }
        let (rows, total) = sums::by(&parts, |part| self.by.key(part));
        let totals = Totals { rows, total, passed_over };
        if self.json {
            return Outcome::json(&totals);
        }
        Ok(Outcome::of(totals.text(self.by)))
    }

    /// Every file below the folder, and what it holds.
    fn files(&self) -> Result<Vec<Found>, Stop> {
        let paths = journals::below(&self.folder)?;
        let mut cache = if self.without_cache { None } else { Cache::open(&self.folder) };
        let mut known: Vec<Option<Found>> = Vec::with_capacity(paths.len());
        let mut unread = Vec::new();
        for (place, path) in paths.iter().enumerate() {
            // Of a run whose programs left something beside it, more than this file counts.
            let is_alone = !journals::is_journal(path) || !programs::beside(path).is_dir();
            let stamp = if is_alone { Stamp::of(path) } else { None };
            let read = stamp.and_then(|stamp| cache.as_mut()?.take(path, stamp));
            if read.is_none() {
                unread.push((place, stamp));
            }
            let found = read.map(|read| Found { path: path.clone(), stamp, is_new: false, read });
            known.push(found);
        }
        for (place, found) in read_all(&paths, &unread) {
            known[place] = Some(found);
        }
        let files: Vec<Found> = known.into_iter().flatten().collect();
        if let Some(cache) = cache {
            cache.keep(&files);
        }
        Ok(files)
    }
}

/// Reads the files at these places, by as many threads as there are processors.
fn read_all(paths: &[PathBuf], places: &[(usize, Option<Stamp>)]) -> Vec<(usize, Found)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let each = places.len().div_ceil(threads).max(1);
    let read = |&(place, stamp): &(usize, Option<Stamp>)| {
        let path: &Path = &paths[place];
        let read = journals::record_in(path).map(|record| Digest::of(&record));
        let read = read.map_err(|error| error.to_string());
        (place, Found { path: path.to_owned(), stamp, is_new: true, read })
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = places
            .chunks(each)
            .map(|chunk| scope.spawn(move || chunk.iter().map(read).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}

impl By {
    fn key(self, part: &Part) -> String {
        match self {
            Self::Label => part.label.clone(),
            Self::Month => part.started.get(..7).unwrap_or(&part.started).to_owned(),
            Self::Machine => {
                part.host.clone().or(part.machine_id.clone()).unwrap_or_else(|| "?".to_owned())
            }
            Self::Model => part.model.clone().unwrap_or_else(|| part.label.clone()),
        }
    }
}

impl Totals {
    fn text(&self, by: By) -> String {
        let first = match by {
            By::Label => "label",
            By::Month => "month",
            By::Machine => "machine",
            By::Model => "model",
        };
        let figures =
            ["runs", "not finished", "failed", "time", "IT energy", "CO2e", "electricity", "cloud"];
        let rows = self.rows.iter().chain([&self.total]).map(Sums::row);
        let mut text = table([Column::name(first)], figures, rows);
        text += &wrapped(
            "every run is in every sum; runs that were killed, panicked or are going on, and those that ended with an \
             exit code other than 0, are also shown with their own energy",
        );
        if self.total.without_energy > 0 {
            let count = self.total.without_energy;
            text += &format!("runs without any energy that could be read: {count}\n");
        }
        if !self.passed_over.is_empty() {
            text += &format!("files passed over: {}\n", self.passed_over.len());
        }
        text
    }
}
