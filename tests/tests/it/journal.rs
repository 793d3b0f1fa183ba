//! Runs that do not end as they should, and what their journals say of them.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::{ErrorKind, Kind, Meter, MeterBuilder};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::accounting::{Steady, assert_conserved, close};
use crate::child;
use crate::nvml::Simulated;

/// Watts of the simulated board.
const BOARD: f64 = 300.0;

/// A run in a process of its own.
struct Run {
    folder: PathBuf,
    child: Child,
}

impl Run {
    fn start(machine: &Simulated, folder: &Path, how: &str) -> Self {
        let child = child::with_default_signals(env!("CARGO_BIN_EXE_journal"))
            .arg(machine.library())
            .args([folder.as_os_str(), how.as_ref()])
            .env_remove("CUDA_VISIBLE_DEVICES")
            .env_remove("ERGOMETER_NVML_LIBRARY")
            .env_remove("ERGOMETER_PROC_ROOT")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { folder: folder.to_owned(), child }
    }

    /// Its journal, once it has begun.
    fn journal(&self) -> PathBuf {
        let begin = Instant::now();
        loop {
            if let Some(path) = only_journal(&self.folder) {
                return path;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "no journal");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

fn only_journal(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut journals = paths.filter(|path| path.extension().is_some_and(|e| e == "journal"));
    let journal = journals.next();
    assert!(journals.next().is_none(), "several journals");
    journal
}

/// Seconds from where a record ends to the present moment.
fn behind(record: &Record, now: jiff::Timestamp) -> f64 {
    let started: jiff::Timestamp = record.run.started.parse().unwrap();
    now.duration_since(started).as_secs_f64() - record.run.seconds
}

/// What holds of any record of these runs that reaches far enough.
fn plausible(record: &Record) {
    assert!(!record.run.finished, "{record}");
    assert_conserved(record);
    let says = |word: &str| record.warnings.iter().any(|line| line.contains(word));
    assert!(says("ended without finishing"), "{:?}", record.warnings);
    let seconds = record.run.seconds;
    if seconds < 0.3 {
        return;
    }
    let board = record.domains.iter().find(|row| row.domain.kind == DomainKind::Gpu).unwrap();
    let energy = board.energy.unwrap();
    let joules = energy.joules.get();
    // Its counter moves ten times a second: at the end of so short a run that is much. Where the machine
    // is too busy to read it in time, the record says how much more.
    let off = (joules - BOARD * seconds).abs();
    let allowed = (0.25 + 0.02 * seconds) * BOARD + 2.0 * energy.standard_uncertainty.get();
    assert!(off < allowed, "{joules} J in {seconds} s: {energy:?}");
    let steps: u64 = record.steps.values().map(|steps| steps.count).sum();
    let of_epochs = record.epochs.iter().filter_map(|epoch| epoch.steps.as_ref());
    assert_eq!(of_epochs.map(|steps| steps.count).sum::<u64>(), steps);
    // A step takes 4 ms at least.
    assert!(steps > 0 && steps as f64 <= seconds / 0.004, "{steps} in {seconds} s");
    assert_eq!(record.facts["seed"], "7");
}

#[test]
fn killed_at_50_random_moments_each_run_is_recovered_to_within_a_second() {
    const KILLS: u64 = 50;
    const AT_ONCE: u64 = 5;
    let machine = Simulated::new(&format!("boards=1;curve=constant:{BOARD}"));
    let folder = tempfile::tempdir().unwrap();
    let mut worst: f64 = 0.0;
    let mut torn = 0;
    for round in 0..KILLS / AT_ONCE {
        let runs: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let seed = round * AT_ONCE + number;
                let folder = folder.path().join(seed.to_string());
                let mut run = Run::start(&machine, &folder, "killed");
                thread::spawn(move || {
                    let delay = StdRng::seed_from_u64(seed).random_range(0.2..2.0);
                    let journal = run.journal();
                    thread::sleep(Duration::from_secs_f64(delay));
                    run.child.kill().unwrap();
                    let killed = jiff::Timestamp::now();
                    assert!(!run.end().success());
                    (seed, journal, killed)
                })
            })
            .collect();
        for run in runs {
            let (seed, journal, killed) = run.join().unwrap();
            let record =
                Record::recover(&journal).unwrap_or_else(|error| panic!("{seed}: {error}"));
            plausible(&record);
            let behind = behind(&record, killed);
            assert!((-0.1..1.0).contains(&behind), "kill {seed}: {behind} s are missing");
            worst = worst.max(behind);
            torn += u32::from(record.warnings.iter().any(|line| line.contains("torn")));
        }
    }
    println!("{KILLS} kills: at worst {worst:.3} s were missing, {torn} lines were torn");
}

#[test]
fn a_run_that_exits_panics_or_drops_its_meter_is_recovered() {
    let machine = Simulated::new(&format!("boards=1;curve=constant:{BOARD}"));
    let folder = tempfile::tempdir().unwrap();
    let runs = ["exit", "panic", "drop"].map(|how| {
        let run = Run::start(&machine, &folder.path().join(how), how);
        (how, run.journal(), run)
    });
    for (how, journal, run) in runs {
        assert_eq!(run.end().success(), how != "panic", "{how}");
        let record = Record::recover(&journal).unwrap();
        plausible(&record);
        // It runs for a second and a half; what is dropped, by a panic as well, is written to the end.
        let least = if how == "exit" { 0.6 } else { 1.45 };
        assert!(record.run.seconds > least, "{how}: {} s", record.run.seconds);
    }
}

#[test]
fn a_forked_child_is_not_metered_and_neither_hangs_nor_harms_its_parent() {
    let machine = Simulated::new(&format!("boards=1;curve=constant:{BOARD}"));
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(&machine, folder.path(), "fork");
    let journal = run.journal();
    assert!(run.end().success());
    let record = Record::recover(journal).unwrap();
    // Of the child's 10,000 steps there is none.
    plausible(&record);
    assert!(!record.steps.contains_key("run"), "{:?}", record.steps);
}

#[test]
fn a_run_that_a_signal_ends_is_finished_first_and_then_ended_by_it() {
    let machine = Simulated::new(&format!("boards=1;curve=constant:{BOARD}"));
    let folder = tempfile::tempdir().unwrap();
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let run = Run::start(&machine, &folder.path().join(signal), "signalled");
        let journal = run.journal();
        thread::sleep(Duration::from_millis(800));
        let process = run.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &process]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let at = jiff::Timestamp::now();
        assert_eq!(run.end().signal(), Some(number));
        let record = Record::recover(journal).unwrap();
        assert!(!record.run.finished);
        assert_conserved(&record);
        let said = format!("the run was ended by SIG{signal}");
        assert!(record.warnings.contains(&said), "{:?}", record.warnings);
        // To the end, not to the last row.
        assert!(behind(&record, at).abs() < 0.2, "{}", behind(&record, at));
    }
    let error = builder().finish_on_signal().start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
}

fn builder() -> MeterBuilder {
    Meter::builder()
        .without_probe()
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
        .source(Steady::boxed("cpu-0", DomainKind::CpuPackage, 40.0))
}

fn train(meter: &Meter, length: Duration) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        for _ in 0..20 {
            let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
            step.items(8_u32);
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn a_finished_run_is_recovered_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().journal(folder.path()).start().unwrap();
    let journal = meter.journal().unwrap().to_owned();
    train(&meter, Duration::from_millis(1200));
    meter.result("loss", 0.25);
    meter.result("diverged", f64::NAN);
    let record = meter.finish().unwrap();
    let recovered = Record::recover(&journal).unwrap();
    assert!(recovered.run.finished);
    // In JSON, which knows no NaN.
    assert_eq!(recovered.to_json().unwrap(), record.to_json().unwrap());

    // Without its last row it is where the run stood when it was finished.
    let text = fs::read_to_string(&journal).unwrap();
    let end = text.trim_end().rfind('\n').unwrap() + 1;
    assert!(text[end..].contains(r#""row":"end""#));
    fs::write(&journal, &text[..end]).unwrap();
    let unfinished = Record::recover(&journal).unwrap();
    assert!(!unfinished.run.finished);
    assert_conserved(&unfinished);
    assert_eq!(unfinished.run.seconds, record.run.seconds);
    assert_eq!(unfinished.steps, record.steps);
    assert_eq!(unfinished.epochs.len(), record.epochs.len());
    let joules = |record: &Record| record.total.energy.unwrap().joules.get();
    // The last reading came after the last row: what was held until then is now known.
    assert!((joules(&unfinished) / joules(&record) - 1.0).abs() < 0.01);
    close(record.total.seconds, unfinished.total.seconds, 1.0);
}

#[test]
fn single_steps_are_rows_of_the_journal_thinned_as_asked() {
    let rows = |every: u64| {
        let folder = tempfile::tempdir().unwrap();
        let meter = builder().journal(folder.path()).journal_steps(every).start().unwrap();
        let journal = meter.journal().unwrap().to_owned();
        train(&meter, Duration::from_millis(700));
        let count = meter.finish().unwrap().steps["train"].count;
        let text = fs::read_to_string(journal).unwrap();
        let lines = text.lines().filter(|line| line.contains(r#""row":"steps""#));
        let rows: usize = lines
            .map(|line| {
                let row: serde_json::Value = serde_json::from_str(&line[9..]).unwrap();
                row["steps"].as_array().unwrap().len()
            })
            .sum();
        (rows as u64, count)
    };
    let (all, count) = rows(1);
    assert_eq!(all, count);
    let (some, count) = rows(7);
    assert_eq!(some, count.div_ceil(7));
    assert_eq!(rows(0).0, 0);
}

#[test]
fn steps_that_share_a_mark_have_one_row_with_their_number() {
    use ergometer::span::{Every, Under};
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().journal(folder.path()).start().unwrap();
    let journal = meter.journal().unwrap().to_owned();
    let mut every = Every::new(10);
    for _ in 0..23 {
        every.enter(Under::from(&meter), Kind::Step.into()).items(2);
    }
    drop(every);
    let record = meter.finish().unwrap();
    assert_eq!((record.steps["run"].count, record.steps["run"].folded), (23, 20));
    let text = fs::read_to_string(&journal).unwrap();
    let lines = text.lines().filter(|line| line.contains(r#""row":"steps""#));
    let rows = lines.flat_map(|line| {
        let row: serde_json::Value = serde_json::from_str(&line[9..]).unwrap();
        row["steps"].as_array().unwrap().clone()
    });
    let rows: Vec<_> = rows.map(|row| (row[3].as_f64().unwrap(), row[5].as_u64())).collect();
    let (alone, nine) = ((2.0, None), (18.0, Some(9)));
    assert_eq!(rows, [alone, nine, alone, nine, alone, (4.0, Some(2))]);
    // Rows with and without a number are read back.
    let end = text.trim_end().rfind('\n').unwrap() + 1;
    fs::write(&journal, &text[..end]).unwrap();
    let recovered = Record::recover(&journal).unwrap();
    assert_eq!(recovered.steps, record.steps);
    assert!(!recovered.warnings.iter().any(|line| line.contains("damaged")));
}

#[test]
fn a_journal_that_cannot_be_begun_is_an_error_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = builder().journal(file.join("journals")).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.remedy().is_some(), "{error}");
}

#[test]
fn a_folder_that_is_removed_meanwhile_costs_the_journal_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().journal(folder.path().join("run")).start().unwrap();
    train(&meter, Duration::from_millis(600));
    fs::remove_dir_all(folder.path().join("run")).unwrap();
    train(&meter, Duration::from_millis(900));
    let record = meter.finish().unwrap();
    assert!(record.run.finished);
    assert_conserved(&record);
    let said = record.warnings.iter().find(|line| line.contains("could not be written"));
    let said = said.unwrap_or_else(|| panic!("{:?}", record.warnings));
    assert!(said.contains("up to the end") && said.contains("the file was removed"), "{said}");
}

/// A file system of `size` on `folder`, if this process may have one.
fn tiny(folder: &Path, size: &str) -> bool {
    fs::create_dir_all(folder).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size}"), "ergometer-test"])
        .arg(folder)
        .stderr(Stdio::null())
        .status();
    mounted.is_ok_and(|status| status.success())
}

#[test]
fn on_a_full_disk_training_goes_on_and_the_journal_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    if !tiny(&disk, "512k") {
        println!("no file system can be mounted here: the full disk is not tried");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        let meter = builder().journal(&disk).start().unwrap();
        let journal = meter.journal().unwrap().to_owned();
        train(&meter, Duration::from_millis(600));
        let ballast = disk.join("ballast");
        // Until nothing more fits in.
        let _ = fs::write(&ballast, vec![0_u8; 1 << 20]);
        train(&meter, Duration::from_millis(1500));
        let full = Record::recover(&journal).unwrap();
        assert_conserved(&full);
        fs::remove_file(&ballast).unwrap();
        train(&meter, Duration::from_millis(1200));
        let known = Record::recover(&journal).unwrap();
        assert_conserved(&known);
        let record = meter.finish().unwrap();
        (full, known, record)
    });
    let unmounted = Command::new("umount").arg(&disk).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    let (full, known, record) = result.unwrap();
    assert!(full.run.seconds < 1.2, "{}", full.run.seconds);
    assert!(known.run.seconds > 2.2, "{}", known.run.seconds);
    // Epochs that were over while nothing could be written have their rows.
    assert!(known.epochs.len() + 30 > record.epochs.len() && known.epochs.len() > 40);
    assert!(!known.warnings.iter().any(|line| line.contains("no row")), "{:?}", known.warnings);
    let said = record.warnings.iter().find(|line| line.contains("could not be written"));
    let said = said.unwrap_or_else(|| panic!("{:?}", record.warnings));
    assert!(said.contains("No space left") && !said.contains("up to the end"), "{said}");
}
