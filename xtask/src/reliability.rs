//! `cargo xtask reliability`: faults that happen to runs, and what was lost, written to `docs/reliability.md`.

mod cases;
mod page;
mod stored;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, thread};

use crate::stop::{Doing, Stop};
use crate::{artifacts, performance, workspace};
use cases::{CASES, Case};
use page::{Row, Tally};

/// Make faults happen to runs, hold their records against what was done, and write docs/reliability.md
///
/// Programs are killed, stopped and signalled, clocks jump, disks fill up, sources hang, journals are damaged.
/// It takes some minutes, most of them waiting, and fails if a record was lost that need not be.
#[derive(Debug, clap::Args)]
pub struct Reliability {
    /// Runs that are killed
    #[arg(long, default_value_t = 50, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// Runs for each other fault
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Journals for each kind of damage
    #[arg(long, default_value_t = 1000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    damages: u32,
    /// Runs at the same time
    #[arg(long, default_value_t = 4, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
    /// Seed of the moments and of the damages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Try this fault only, and print its row
    #[arg(long, value_name = "KIND")]
    only: Option<String>,
    /// Where the page goes
    #[arg(long, default_value = "docs/reliability.md", value_name = "FILE")]
    out: PathBuf,
}

impl Reliability {
    /// Tries the faults and writes the page.
    pub fn run(&self) -> Result<(), Stop> {
        let program = program()?;
        let folder = std::env::temp_dir().join(format!("reliability-{}", std::process::id()));
        fs::create_dir_all(&folder).doing(format!("create {}", folder.display()))?;
        let rows = self.rows(&program, &folder);
        fs::remove_dir_all(&folder).doing(format!("remove {}", folder.display()))?;
        let rows = rows?;
        let text = page::page(&rows, &page::Place::here(&performance::cpu_model()));
        print!("{text}");
        if self.only.is_none() {
            let out = workspace::root().join(&self.out);
            fs::write(&out, &text).doing(format!("write {}", out.display()))?;
            eprintln!("written to {}", self.out.display());
        }
        match rows.iter().map(|row| row.tally.failures()).sum::<u32>() {
            0 => Ok(()),
            failures => Err(Stop::failed(format!("{failures} runs were not as they should be"))),
        }
    }

    fn rows(&self, program: &Path, folder: &Path) -> Result<Vec<Row>, Stop> {
        let wanted = |kind: &str| self.only.as_deref().is_none_or(|only| only == kind);
        let mut rows = Vec::new();
        for case in CASES.iter().filter(|case| wanted(case.kind)) {
            let times = if case.kind == "killed" { self.kills } else { self.times };
            rows.push(Row::new(case.fault, case.how, self.tried(program, folder, case, times)));
        }
        if wanted("ranks") {
            rows.push(stored::ranks(program, &folder.join("ranks"))?);
        }
        if wanted("damaged") {
            rows.extend(stored::damaged(
                program,
                &folder.join("damaged"),
                self.damages,
                self.seed,
            )?);
        }
        if rows.is_empty() {
            return Err(Stop::wrong_input("there is no such fault"));
        }
        Ok(rows)
    }

    /// Runs to which one fault happens, some at a time.
    fn tried(&self, program: &Path, folder: &Path, case: &Case, times: u32) -> Tally {
        let (next, tally) = (AtomicU32::new(0), Mutex::new(Tally::default()));
        thread::scope(|scope| {
            for _ in 0..self.at_once.min(times) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= times {
                            return;
                        }
                        let folder = folder.join(format!("{}-{number}", case.kind));
                        let seed = self.seed.wrapping_mul(1000) + u64::from(number);
                        let trial = trial::run(program, case, &folder, seed);
                        for what in trial.iter().flat_map(trial::Trial::complaints) {
                            eprintln!("{} {number}: {what}", case.kind);
                        }
                        if let Ok(mut tally) = tally.lock() {
                            tally.add(trial.as_ref());
                        }
                    }
                });
            }
        });
        let tally = tally.into_inner().unwrap_or_default();
        eprintln!("{}: {tally:?}", case.kind);
        tally
    }
}

/// Builds the program to which the faults happen.
fn program() -> Result<PathBuf, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--package", "ergometer-tests", "--bin", "fault"]);
    artifacts::built(cargo, artifacts::executable)?
        .into_iter()
        .find_map(|(name, path)| (name == "fault").then_some(path))
        .ok_or_else(|| Stop::failed("cargo built no program called fault"))
}
