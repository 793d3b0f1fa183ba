//! `cargo xtask performance`: what metering costs, measured here and written down.

mod ledger;
mod output;
mod page;
mod running;
mod sustained;
mod training;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};
use output::Timing;

/// Spans of one count of instructions; a ring takes them all.
const TIMES: u32 = 1000;

/// Measure what metering costs and write docs/performance.md
///
/// Runs the benchmark `span` and counts instructions with `valgrind --tool=callgrind` where that is
/// installed; runs the benchmark `sustained`; takes the processor time of the meter's threads over simulated
/// boards; simulates a month of a run; trains the Transformer with and without a meter in turn; and adds up a ledger
/// of ten thousand records. It takes
/// half an hour, or less for a part: leave the machine alone meanwhile.
#[derive(Debug, clap::Args)]
pub struct Performance {
    /// Trainings with a meter, and as many without
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(3..))]
    rounds: u32,
    /// Measure this part of the page only, and leave the others as they are
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
    /// Where to write the table
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Span,
    Sustained,
    Threads,
    LongRuns,
    Training,
    Ledger,
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    timing: Timing,
    instructions: Option<u64>,
}

impl Performance {
    /// Measures and writes.
    pub fn run(&self) -> Result<(), Stop> {
        let output = self
            .output
            .clone()
            .unwrap_or_else(|| workspace::root().join("docs").join("performance.md"));
        let mut text = if self.only.is_some() {
            std::fs::read_to_string(&output).doing(format!("read {}", output.display()))?
        } else {
            page::head(&rustc_version()?)
        };
        for &part in <Part as clap::ValueEnum>::value_variants() {
            if self.only.is_none_or(|only| only == part) {
                let measured = self.measure(part)?;
                // A part alone may be measured on another machine than the rest.
                let threads = std::thread::available_parallelism().map_or(1, usize::from);
                let today = jiff::Zoned::now().date();
                let when = format!("{today}, {}, {threads} logical processors", cpu_model());
                text = page::with(&text, &measured, &when);
            }
        }
        if let Some(folder) = output.parent() {
            std::fs::create_dir_all(folder).doing(format!("create {}", folder.display()))?;
        }
        std::fs::write(&output, text).doing(format!("write {}", output.display()))?;
        eprintln!("written: {}", output.display());
        Ok(())
    }

    fn measure(&self, part: Part) -> Result<String, Stop> {
        Ok(match part {
            Part::Span => page::spans(&rows()?)?,
            Part::Sustained => sustained::section(&sustained::measure()?),
            Part::Threads => running::threads_section(&running::threads()?),
            Part::LongRuns => running::lengths_section(&running::lengths()?),
            Part::Training => training::compare(self.rounds)?.section(),
            Part::Ledger => ledger::measure()?.section(),
        })
    }
}

/// The benchmark's figures, with the instructions of each case.
fn rows() -> Result<Vec<Row>, Stop> {
    let timings = timings()?;
    let program = program()?;
    let counts = is_valgrind_there();
    if !counts {
        eprintln!("valgrind is not installed: instructions are left out");
    }
    let row = |timing: Timing| {
        let counted = counts && timing.group == "thousand";
        let instructions = if counted { Some(instructions(&program, &timing.name)?) } else { None };
        Ok(Row { timing, instructions })
    };
    timings.into_iter().map(row).collect()
}

/// Runs the benchmark.
fn timings() -> Result<Vec<Timing>, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--locked", "--package", "ergometer-benches", "--bench", "span"]);
    let line = workspace::typed(&cargo);
    eprintln!("==> {line}");
    let output = cargo.stderr(Stdio::inherit()).output().doing(format!("run `{line}`"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(Stop::failed(format!("`{line}` failed: {}", output.status)));
    }
    print!("{text}");
    Ok(output::timings(&text))
}

/// Builds the program whose instructions are counted.
fn program() -> Result<PathBuf, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--locked", "--package", "ergometer-benches"]);
    // With the benchmark, so that what was built for it serves here too.
    cargo.args(["--bin", "instructions", "--bench", "span"]);
    artifacts::built(cargo, artifacts::executable)?
        .into_iter()
        .find_map(|(name, path)| (name == "instructions").then_some(path))
        .ok_or_else(|| Stop::failed("cargo built no program called instructions"))
}

fn is_valgrind_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Instructions of one of `case`.
fn instructions(program: &Path, case: &str) -> Result<u64, Stop> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg("--toggle-collect=*::counted").arg(program).args([case, &TIMES.to_string()]);
    let line = workspace::typed(&valgrind);
    let output = valgrind.output().doing(format!("run `{line}`"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    match output::collected(&text).filter(|&collected| collected > 0 && output.status.success()) {
        Some(collected) => Ok(collected / u64::from(TIMES)),
        None => Err(Stop::failed(format!("`{line}` counted nothing:\n{text}"))),
    }
}

fn rustc_version() -> Result<String, Stop> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("--version")
        .current_dir(workspace::root())
        .output()
        .doing("ask rustc for its version")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The model of this machine's processor.
pub fn cpu_model() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == "model name").then(|| value.trim().to_owned())
    });
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
