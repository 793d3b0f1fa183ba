//! `ergometer run -- CMD`: meters a program and its children.

mod child;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ergometer::{Meter, Record};

use crate::metering::{MeteringArgs, length};
use crate::outcome::{Outcome, Stop, note};
use crate::programs::{self, Programs};

/// Exit code where the program was not started because the meter was not, or the command line is wrong.
pub const NOT_METERED: u8 = 125;
/// The folder in which the meter keeps its record.
const OUTPUT: &str = "ERGOMETER_OUTPUT";

/// Meter a program and its children: time, energy, power, CO2e and cost
///
/// The table goes to stderr, as stdout belongs to the program. Signals are passed on to it, and its exit
/// code is that of this command. By default all that the machine draws meanwhile is metered; `--scope
/// process` gives the program's share of it. What the program or its children mark with the library (epochs, steps,
/// spans) is in the same record.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Run {
    #[command(flatten)]
    metering: MeteringArgs,
    /// Name of the run; by default the program's
    #[arg(long)]
    label: Option<String>,
    /// Measure the machine for this long before the program starts, to show the energy above that
    #[arg(long, value_name = "TIME", value_parser = length)]
    idle: Option<Duration>,
    /// File for the record (`.json`, `.md` or `.csv`)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Folder for a journal, which has the run even if this command is killed
    #[arg(long, value_name = "FOLDER")]
    journal: Option<PathBuf>,
    /// Go on with the newest journal of this label in that folder
    #[arg(long, requires = "journal")]
    resume: bool,
    /// Keep the command line out of the record, but for the name `ergometer`
    #[arg(long)]
    without_command_line: bool,
    /// Print no table
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Print the record as JSON on stderr in place of the table
    #[arg(long)]
    json: bool,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    command: Vec<OsString>,
}

impl Run {
    pub fn run(self) -> Result<Outcome, Stop> {
        let not_metered = |stop: Stop| stop.with_code(NOT_METERED);
        self.check_record().map_err(not_metered)?;
        // Signals are held before the meter starts: one that comes meanwhile is for the program.
        let signals = child::Signals::hold().map_err(not_metered)?;
        let meter = self.start().map_err(not_metered)?;
        let programs = Programs::new(meter.journal());
        let ended = signals.run(&self.command, programs.as_ref().map(Programs::folder));
        let record = meter.finish();
        let code = match &ended {
            Ok(code) => *code,
            // There is nothing to report of a program that did not run.
            Err(failure) => return Err(Stop::new(failure.to_string()).with_code(failure.code())),
        };
        match record {
            Ok(record) => self.show(&complete(record, code, programs)),
            Err(error) => note(format!("the run has no record: {error}")),
        }
        Ok(Outcome::of("").with_code(code))
    }

    /// Finds out that the record cannot be written before the program runs for hours.
    fn check_record(&self) -> Result<(), Stop> {
        let Some(path) = &self.record else { return Ok(()) };
        let known = ["json", "md", "csv"];
        let extension = path.extension().and_then(|extension| extension.to_str());
        if !extension.is_some_and(|one| known.iter().any(|known| one.eq_ignore_ascii_case(known))) {
            return Err(Stop::new(format!("no format for '{}'", path.display()))
                .with_remedy("the extension says the format: .json, .md or .csv"));
        }
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Stop::new(format!("there is no folder '{}'", folder.display()))
                .with_remedy("make it before the run"));
        }
        if path.is_dir() {
            return Err(Stop::new(format!("'{}' is a folder", path.display()))
                .with_remedy("name a file in it"));
        }
        tempfile::tempfile_in(folder).map(drop).map_err(|error| {
            Stop::new(format!("'{}' cannot be written: {error}", path.display()))
                .with_remedy("name a folder that this program may write to")
        })
    }

    fn start(&self) -> Result<Meter, Stop> {
        let name = Path::new(&self.command[0]).file_name().unwrap_or_default().to_string_lossy();
        let mut builder = self.metering.builder()?;
        if let Some(label) = &self.label {
            builder = builder.label(label);
        } else if env::var_os("ERGOMETER_LABEL").is_none_or(|label| label.is_empty()) {
            builder = builder.label(name);
        }
        if let Some(idle) = self.idle {
            builder = builder.idle(idle);
        }
        if let Some(folder) = &self.journal {
            builder = builder.journal(folder);
            if self.resume {
                builder = builder.resume_latest(folder);
            }
        }
        if self.without_command_line {
            builder = builder.without_command_line();
        }
        Ok(builder.start()?)
    }

    /// What fails here costs the report and not the program, whose exit code is passed through.
    fn show(&self, record: &Record) {
        if let Some(path) = &self.record
            && let Err(error) = record.write(path)
        {
            note(error);
        }
        if self.json {
            match record.to_json() {
                Ok(json) => eprint(&json),
                Err(error) => note(error),
            }
        } else if !self.quiet {
            eprint(&format!("\n{record}"));
        }
    }
}

/// The record with the program's exit code, and what the programs marked themselves.
fn complete(mut record: Record, code: u8, programs: Option<Programs>) -> Record {
    record.run.exit_code = Some(code);
    if let Some(programs) = programs {
        record = record.nest(programs.records());
    }
    // Where the meter has written the record without it, and where a run around this one looks for it.
    for folder in [OUTPUT, programs::VARIABLE].into_iter().filter_map(env::var_os) {
        let path = Path::new(&folder).join(format!("{}.json", record.run.id));
        if Path::new(&folder).is_dir()
            && let Err(error) = record.write(&path)
        {
            note(error);
        }
    }
    record
}

/// Stderr may be closed: then nobody reads it.
fn eprint(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
