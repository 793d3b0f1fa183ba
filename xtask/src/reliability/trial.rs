//! One run to which a fault happens, and what its record says of it.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::record::Record;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;

use super::cases::{Action, Case, Exit, Expected};

/// A program that has not ended by then hangs. A training takes 2 to 4 s, a hung probe 5 s.
const LIMIT: Duration = Duration::from_secs(45);
/// A training that stands still for longer is held up; a busy machine alone takes some tenths of a second.
const PAUSE: f64 = 1.0;
/// A run that did not finish may lack this much, seconds.
const MISSING: f64 = 1.0;
/// Watts of the source whose energy is known.
const WATTS: f64 = 200.0;

/// What came of a run.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// Why there is no record.
    pub lost: Option<String>,
    /// How the fault reached the training.
    pub held_up: Option<String>,
    /// What its record should not say, or should.
    pub wrong: Vec<String>,
    /// Of the run at its end, in the record.
    pub missing_seconds: f64,
    pub missing_steps: u64,
    /// Share by which the known energy is off, of what the record covers.
    pub energy_off: f64,
}

impl Trial {
    pub(super) fn complaints(&self) -> impl Iterator<Item = &String> {
        self.lost.iter().chain(&self.held_up).chain(&self.wrong)
    }
}

/// What the program had done when it printed a line.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Truth {
    steps: u64,
    epochs: u64,
    seconds: f64,
}

/// Runs `case` once in `folder`; `None` if this machine does not allow it.
pub(super) fn run(program: &Path, case: &Case, folder: &Path, seed: u64) -> Option<Trial> {
    if case.action == Action::Signal("INT") && is_sigint_ignored() {
        // As in a script's background: then it is ignored by the program too, as it should be.
        return None;
    }
    let journals = folder.join("journal");
    if let Err(error) = fs::create_dir_all(&journals) {
        return Some(Trial { lost: Some(error.to_string()), ..Trial::default() });
    }
    let disk = case.action == Action::SmallDisk;
    if disk && !mount(&journals) {
        return None;
    }
    let mut trial = Trial::default();
    match ended(program, case, folder, seed) {
        Ok(status) if is(status, case.exit) => {}
        Ok(status) => trial.held_up = Some(format!("it ended with {status}")),
        Err(why) => trial.held_up = Some(why),
    }
    let truth = truth(folder, case, &mut trial);
    match record(folder) {
        Ok(record) => judge(&record, case, truth, &mut trial),
        Err(why) => trial.lost = Some(why),
    }
    if disk {
        let _ = Command::new("umount").arg(&journals).status();
    }
    Some(trial)
}

fn is_sigint_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 2 != 0)
}

fn mount(folder: &Path) -> bool {
    Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=512k", "reliability"])
        .arg(folder)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Starts the program, does to it what is to be done, and waits for its end.
fn ended(program: &Path, case: &Case, folder: &Path, seed: u64) -> Result<ExitStatus, String> {
    let said = folder.join("done");
    let out = File::create(&said).map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .arg(case.kind)
        .arg(folder)
        .env_remove("ERGOMETER_NVML_LIBRARY")
        .env_remove("ERGOMETER_PROC_ROOT")
        // A run goes on while a panic's backtrace is printed, which may take a second.
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("it did not start: {error}"))?;
    let begun = Instant::now();
    while fs::metadata(&said).is_ok_and(|said| said.len() == 0) && begun.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(5));
    }
    let mut moments = StdRng::seed_from_u64(seed);
    match case.action {
        Action::Signal(signal) => {
            thread::sleep(Duration::from_secs_f64(moments.random_range(0.2..2.5)));
            send(&child, signal);
        }
        Action::Stop => {
            thread::sleep(Duration::from_secs_f64(moments.random_range(0.2..2.3)));
            send(&child, "STOP");
            thread::sleep(Duration::from_secs(3));
            send(&child, "CONT");
        }
        Action::Nothing | Action::SmallDisk => {}
    }
    while begun.elapsed() < LIMIT {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(error.to_string()),
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("it did not end within {LIMIT:?}"))
}

fn send(child: &Child, signal: &str) {
    let _ = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
}

fn is(status: ExitStatus, exit: Exit) -> bool {
    match exit {
        Exit::Well => status.success(),
        Exit::Code(code) => status.code() == Some(code),
        Exit::Signal(signal) => status.signal() == Some(signal),
    }
}

/// The last of what the program printed; a training that stood still is noted.
fn truth(folder: &Path, case: &Case, trial: &mut Trial) -> Truth {
    let text = fs::read_to_string(folder.join("done")).unwrap_or_default();
    let mut last = Truth::default();
    let mut pause: f64 = 0.0;
    for line in text.lines() {
        if let Ok(next) = serde_json::from_str::<Truth>(line) {
            pause = pause.max(next.seconds - last.seconds);
            last = next;
        }
    }
    // These are stopped, or take so long.
    let stands = case.action == Action::Stop || case.kind == "books-lag";
    if pause > PAUSE && !stands && trial.held_up.is_none() {
        trial.held_up = Some(format!("the training stood still for {pause:.2} s"));
    }
    last
}

/// What there is of the run: the record it wrote, else its journal.
fn record(folder: &Path) -> Result<Record, String> {
    if let Ok(text) = fs::read_to_string(folder.join("record.json")) {
        return Record::from_json(&text).map_err(|error| error.to_string());
    }
    let journal = journal(&folder.join("journal")).ok_or("there is no journal")?;
    Record::recover(journal).map_err(|error| error.to_string())
}

/// The journal in a folder.
pub(super) fn journal(folder: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.extension().is_some_and(|extension| extension == "journal"))
}

/// Steps of all epochs.
pub(super) fn steps(record: &Record) -> u64 {
    record.steps.values().map(|steps| steps.count).sum()
}

/// Holds a record against what the program did.
fn judge(record: &Record, case: &Case, truth: Truth, trial: &mut Trial) {
    let mut wrong = Vec::new();
    let run = &record.run;
    let finished = case.record == Expected::Finished;
    if run.finished != finished {
        wrong.push(format!("its record is {}finished", if run.finished { "" } else { "not " }));
    }
    // A step that ended just before the program did may not have been printed.
    let counted = steps(record);
    if counted > truth.steps + u64::from(!finished) {
        wrong.push(format!("{counted} steps for {}", truth.steps));
    }
    trial.missing_steps = truth.steps.saturating_sub(counted);
    trial.missing_seconds = (truth.seconds - run.seconds).max(0.0);
    let most = if case.record == Expected::ToTheLastSecond { MISSING } else { 0.1 };
    if trial.missing_seconds > most {
        wrong.push(format!("{:.3} s are missing", trial.missing_seconds));
    }
    if run.seconds > truth.seconds + 1.0 && case.action != Action::Stop {
        wrong.push(format!("{:.3} s for {:.3}", run.seconds, truth.seconds));
    }
    if trial.missing_steps > 0 && finished {
        wrong.push(format!("{} steps are missing", trial.missing_steps));
    }
    // Beyond some thousand epochs only the first have rows.
    if finished && case.kind != "books-lag" && record.epochs.len() as u64 != truth.epochs {
        wrong.push(format!("{} epochs for {}", record.epochs.len(), truth.epochs));
    }
    let known = record.domains.iter().find(|row| row.domain.id == "true");
    if let Some(energy) = known.and_then(|row| row.energy) {
        let truth = WATTS * run.seconds;
        let off = (energy.joules.get() - truth).abs();
        if run.seconds > 0.5 {
            trial.energy_off = off / truth;
        }
        if off > 0.1 * truth + 0.1 * WATTS {
            wrong.push(format!("{:.1} J for {truth:.1}", energy.joules.get()));
        }
    } else if run.seconds > 0.5 {
        wrong.push("its known energy is not there".to_owned());
    }
    if !reports(record, case.warning) {
        wrong.push(format!("it does not report '{}': {:?}", case.warning, record.warnings));
    }
    match record.to_json().and_then(|json| Record::from_json(&json)) {
        Ok(again) if again == *record => {}
        Ok(_) => wrong.push("it is another once written and read".to_owned()),
        Err(error) => wrong.push(format!("it cannot be read once written: {error}")),
    }
    trial.wrong = wrong;
}

/// Whether a warning of the run or of a domain, or what was found of a source, contains `what`.
fn reports(record: &Record, what: &str) -> bool {
    let of_domains = record.domains.iter().flat_map(|row| &row.warnings);
    let sources = serde_json::to_string(&record.sources).unwrap_or_default();
    record.warnings.iter().chain(of_domains).chain([&sources]).any(|text| text.contains(what))
}
