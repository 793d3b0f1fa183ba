//! The ledger of ten thousand records.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::page::verdict;
use crate::lab::Programs;
use crate::stop::{Doing, Stop};
use crate::workspace;

const RECORDS: u32 = 10_000;
/// After the first reading, seconds.
const AGAIN_S: f64 = 1.0;
/// The command is run this often; the median counts.
const ROUNDS: usize = 5;
/// Files that changed this shortly before they were read are read again the next time.
const SETTLED: Duration = Duration::from_secs(3);

/// What one of the commands took.
#[derive(Clone, Copy, Debug)]
struct Taken {
    seconds: f64,
    mebibytes: f64,
}

pub(super) struct Ledger {
    /// Bytes of a record.
    bytes: u64,
    first: Taken,
    again: Taken,
    export: Taken,
    /// Bytes of all tables.
    tables: u64,
}

pub(super) fn measure() -> Result<Ledger, Stop> {
    let programs = Programs::build()?;
    let folder = tempfile::tempdir().doing("make a temporary folder")?;
    let (records, tables) = (folder.path().join("records"), folder.path().join("tables"));
    std::fs::create_dir(&records).doing("make a folder for the records")?;
    let bytes = programs.records(&records, RECORDS)?;
    std::thread::sleep(SETTLED);
    let command = |cache: usize, more: &[&Path]| {
        let mut command = Command::new(&programs.ergometer);
        command.arg("ledger").arg(&records).args(more);
        command.env("XDG_CACHE_HOME", folder.path().join(format!("cache-{cache}")));
        command
    };
    let each = |run: &dyn Fn(usize) -> Result<Taken, Stop>| {
        let mut all = (0..ROUNDS).map(run).collect::<Result<Vec<_>, _>>()?;
        all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        Ok::<_, Stop>(all[ROUNDS / 2])
    };
    let first = each(&|round| take(command(round, &[])))?;
    let again = each(&|_| take(command(0, &[])))?;
    let export = each(&|_| take(command(0, &[Path::new("--parquet"), &tables])))?;
    let files = std::fs::read_dir(&tables).doing("look at the tables")?.flatten();
    let tables = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    Ok(Ledger { bytes, first, again, export, tables })
}

/// Runs a command, and looks at its memory until it ends.
fn take(mut command: Command) -> Result<Taken, Stop> {
    let line = workspace::typed(&command);
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().doing(format!("run `{line}`"))?;
    let status = format!("/proc/{}/status", child.id());
    let mut kibibytes = 0.0_f64;
    loop {
        if let Some(ended) = child.try_wait().doing(format!("wait for `{line}`"))? {
            let seconds = begin.elapsed().as_secs_f64();
            if !ended.success() {
                return Err(Stop::failed(format!("`{line}` failed: {ended}")));
            }
            return Ok(Taken { seconds, mebibytes: kibibytes / 1024.0 });
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let most = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.split_whitespace().next()?.parse().ok());
        kibibytes = kibibytes.max(most.unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Ledger {
    pub fn section(&self) -> String {
        let Self { bytes, first, again, export, tables } = self;
        let mut text = format!(
            "## A ledger of {RECORDS} records\n\n| `ergometer ledger` | time | most memory | goal |\n\
             |---|---:|---:|---|\n"
        );
        let goal = format!("≤ {AGAIN_S} s: {}", verdict(again.seconds <= AGAIN_S));
        for (what, taken, goal) in [
            ("the first time", first, ""),
            ("after that", again, &goal),
            ("with `--parquet`, after that", export, ""),
        ] {
            let Taken { seconds, mebibytes } = taken;
            let _ = writeln!(text, "| {what} | {seconds:.2} s | {mebibytes:.0} MiB | {goal} |");
        }
        let _ = write!(
            text,
            "\nRecords of {:.0} KiB each, of a training of 20 epochs with its steps and spans; the files are in the \
             kernel's cache. Medians of {ROUNDS}, of the whole command; memory is looked at every two \
             milliseconds. The five tables take {:.1} MiB.\n",
            *bytes as f64 / 1024.0,
            *tables as f64 / 1024.0 / 1024.0,
        );
        text
    }
}
