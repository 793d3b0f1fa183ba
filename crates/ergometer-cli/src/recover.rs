//! `ergometer recover`: journals → records.

use std::path::{Path, PathBuf};

use ergometer::Record;
use serde::Serialize;

use crate::journals;
use crate::outcome::{Outcome, Stop};
use crate::programs;

/// Write the record of each journal beside it: of runs whose program was killed, too
///
/// A record that is already there stays, unless `--force` is given.
#[derive(Debug, clap::Args)]
pub struct Recover {
    /// Journals
    #[arg(required = true, value_name = "JOURNAL")]
    journals: Vec<PathBuf>,
    /// File to write, of one journal (`.json`, `.md` or `.csv`), or an existing folder; by default the
    /// journal's name with `.json`
    #[arg(long, short, value_name = "FILE|FOLDER")]
    output: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
    /// Print JSON: which file was written, and whether the run was finished
    #[arg(long)]
    json: bool,
}

/// What was written of one journal.
#[derive(Serialize)]
struct Written {
    journal: PathBuf,
    record: PathBuf,
    run_id: String,
    finished: bool,
    seconds: f64,
    joules: Option<f64>,
}

impl Recover {
    pub fn run(self) -> Result<Outcome, Stop> {
        let one_file = self.output.as_ref().is_some_and(|output| !output.is_dir());
        if one_file && self.journals.len() > 1 {
            return Err(Stop::new("several journals and one file to write")
                .with_remedy("give `--output` a folder that exists"));
        }
        let written: Vec<Written> =
            self.journals.iter().map(|journal| self.one(journal)).collect::<Result<_, _>>()?;
        if self.json {
            return Outcome::json(&written);
        }
        let line = |one: &Written| {
            let end = if one.finished { "" } else { ", not finished" };
            format!("{}: {:.1} s{end}\n", one.record.display(), one.seconds)
        };
        Ok(Outcome::of(written.iter().map(line).collect::<String>()))
    }

    fn one(&self, journal: &Path) -> Result<Written, Stop> {
        let record = Record::recover(journal).map_err(|error| not_recovered(journal, &error))?;
        let programs = programs::beside(journal);
        let record =
            if programs.is_dir() { record.nest(programs::read(&programs)) } else { record };
        let beside = journal.with_extension("json");
        let path = match &self.output {
            Some(folder) if folder.is_dir() => folder.join(beside.file_name().unwrap_or_default()),
            Some(file) => file.clone(),
            None => beside,
        };
        if path.exists() && !self.force {
            return Err(Stop::new(format!("'{}' is already there", path.display()))
                .with_remedy("overwrite it with `--force`, or name another file with `--output`"));
        }
        record.write(&path)?;
        Ok(Written {
            journal: journal.to_owned(),
            record: path,
            run_id: record.run.id.clone(),
            finished: record.run.finished,
            seconds: record.run.seconds,
            joules: record.total.energy.map(|energy| energy.joules.get()),
        })
    }
}

/// Why there is nothing to recover.
fn not_recovered(journal: &Path, error: &ergometer::Error) -> Stop {
    if Record::read(journal).is_ok() {
        return Stop::new(format!("'{}' is a record", journal.display()))
            .with_remedy("it needs no recovering: `ergometer report` shows it");
    }
    journals::unread(journal, error)
}
