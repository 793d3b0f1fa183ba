//! `ergometer merge`: the records of a run's ranks → the record of the run.

use std::path::PathBuf;

use ergometer::Record;

use crate::journals;
use crate::outcome::{Outcome, Stop};

/// Join the records of a run's ranks into one, in which each GPU, package and memory counts once
#[derive(Debug, clap::Args)]
pub struct Merge {
    /// Records and journals, one for each rank
    #[arg(required = true, value_name = "RECORD|JOURNAL")]
    paths: Vec<PathBuf>,
    /// File to write (`.json`, `.md` or `.csv`)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

impl Merge {
    pub fn run(self) -> Result<Outcome, Stop> {
        let records: Vec<Record> =
            self.paths.iter().map(|path| journals::read(path)).collect::<Result<_, _>>()?;
        let run = Record::merge(records)?;
        if let Some(path) = &self.output {
            run.write(path)?;
        }
        Ok(Outcome::of(if self.json { run.to_json()? } else { run.to_string() }))
    }
}
