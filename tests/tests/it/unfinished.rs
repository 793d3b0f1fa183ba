//! What is left of a run that the program does not finish, and the settings that the environment makes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use ergometer::Record;
use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{ErrorKind, Kind, Meter, MeterBuilder};

use crate::accounting::assert_conserved;
use crate::child;

const VARIABLES: [&str; 12] = [
    "ERGOMETER",
    "ERGOMETER_LABEL",
    "ERGOMETER_REGION",
    "ERGOMETER_PUE",
    "ERGOMETER_GRID",
    "ERGOMETER_CARBON_SERIES",
    "ERGOMETER_MARKET",
    "ERGOMETER_PRICE",
    "ERGOMETER_WUE",
    "ERGOMETER_JOURNAL",
    "ERGOMETER_OUTPUT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// The program that ends as `how` says.
fn program(how: &str) -> Command {
    let mut command = child::with_default_signals(env!("CARGO_BIN_EXE_unfinished"));
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.arg(how).stdin(Stdio::null());
    command
}

fn ended(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, stderr)
}

/// The only record in `folder`.
fn record(folder: &Path) -> Record {
    let paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [path] = &paths[..] else { panic!("{paths:?}") };
    let record = Record::from_json(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(path.file_name().unwrap().to_str().unwrap(), format!("{}.json", record.run.id));
    let joules = record.total.energy.unwrap().joules.get();
    assert!((joules / (100.0 * record.run.seconds) - 1.0).abs() < 1e-6, "{joules} J");
    assert_conserved(&record);
    record
}

/// What a run that is dropped prints beside whatever the program prints itself.
fn line(stderr: &str) -> &str {
    let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("ergometer: ")).collect();
    let [line] = lines[..] else { panic!("not one line: {stderr}") };
    line
}

#[test]
fn a_training_that_fails_is_dropped_or_panics_leaves_its_energy_on_the_terminal_and_in_the_folder()
{
    let folder = tempfile::tempdir().unwrap();
    let dropped = "the run ended without finishing: the meter was dropped";
    let panicked = "the run ended without finishing: the program panicked";
    for (how, code, why) in
        [("fails", 1, dropped), ("dropped", 0, dropped), ("panics", 101, panicked)]
    {
        let folder = folder.path().join(how);
        let (output, stderr) = ended(program(how).arg(&folder));
        assert_eq!(output.status.code(), Some(code), "{how}: {stderr}");
        let record = record(&folder);
        let id = format!("{}.json", record.run.id);
        let line = line(&stderr);
        for part in [" J (assumed), ", "g CO2e in ", why, &id] {
            assert!(line.contains(part), "{how}: {part} is not in {line}");
        }
        assert!(!record.run.finished && record.warnings.iter().any(|line| line == why), "{how}");
        assert_eq!((record.steps["epoch"].count, record.epochs.len()), (100, 1), "{how}");
        assert!(record.run.seconds >= 0.1, "{how}: {}", record.run.seconds);
    }
}

#[test]
fn run_returns_the_trainings_result_and_leaves_its_table_and_record_however_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    for (how, code) in [("run", 0), ("run fails", 1), ("run panics", 101)] {
        let folder = folder.path().join(how);
        let (output, stderr) = ended(program(how).arg(&folder));
        assert_eq!(output.status.code(), Some(code), "{how}: {stderr}");
        let record = record(&folder);
        assert!(stderr.contains("\nEnergy\n") && stderr.contains("\nEpochs\n"), "{how}: {stderr}");
        assert!(stderr.contains(&format!("{}.json", record.run.id)), "{how}: {stderr}");
        assert_eq!(record.steps["epoch"].count, 100, "{how}");
        assert_eq!(record.run.finished, how != "run panics", "{how}: {:?}", record.warnings);
        assert!(output.stdout.is_empty(), "{how}");
    }
}

#[test]
fn without_a_folder_the_line_says_how_to_keep_the_record() {
    let (output, stderr) = ended(&mut program("dropped"));
    assert!(output.status.success());
    assert!(line(&stderr).contains("the record is not kept: name a folder"), "{stderr}");
}

#[test]
fn a_run_that_a_signal_ends_is_on_the_terminal_and_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("runs");
    let mut command = program("signal");
    let mut child =
        command.arg(&folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(15));
    let why = "the run was ended by SIGTERM";
    assert!(record(&folder).warnings.iter().any(|line| line == why));
    assert!(line(&String::from_utf8_lossy(&output.stderr)).contains(why));
}

fn ends(mut child: Child) -> Output {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(40), "the process does not end");
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn a_dropped_meter_waits_neither_for_a_source_that_hangs_nor_for_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let hung = folder.path().join("hung");
    let mut command = program("hung");
    let output = ends(command.arg(&hung).stderr(Stdio::piped()).spawn().unwrap());
    assert!(output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(line(&stderr).contains(" J ("), "{stderr}");
    assert_eq!(fs::read_dir(&hung).unwrap().count(), 1);

    // A pipe that is full: whatever is printed hangs.
    let full = folder.path().join("full");
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&vec![b'-'; 1 << 16]).unwrap();
    let output = ends(program("dropped").arg(&full).stderr(writer).spawn().unwrap());
    assert!(output.status.success());
    record(&full);
    drop(reader);
}

#[test]
fn settings_that_the_program_leaves_open_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let [runs, journals, own] = ["runs", "journals", "own"].map(|name| folder.path().join(name));
    let grids = folder.path().join("grids.csv");
    fs::write(&grids, "code,g_per_kwh,year,source,place\nDE,299,2026,operator,Germany\n").unwrap();
    let set = |command: &mut Command| {
        command
            .env("ERGOMETER_LABEL", "night")
            .env("ERGOMETER_REGION", "DE")
            .env("ERGOMETER_PUE", "1.2")
            .env("ERGOMETER_GRID", &grids)
            .env("ERGOMETER_MARKET", "residual")
            .env("ERGOMETER_PRICE", "0.31 EUR")
            .env("ERGOMETER_WUE", "1.8")
            .env("ERGOMETER_JOURNAL", &journals)
            .env("ERGOMETER_OUTPUT", &runs)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    };
    let mut command = program("finished");
    set(&mut command);
    let (output, stderr) = ended(&mut command);
    assert!(output.status.success(), "{stderr}");
    let record = record(&runs);
    assert_eq!(record.run.label, "night");
    assert_eq!(record.footprint.site.carbon.place, "Germany");
    assert!((record.footprint.site.pue.value - 1.2).abs() < f64::EPSILON);
    let site = &record.footprint.site;
    assert_eq!((site.carbon.grams_per_kwh, site.carbon.year), (299.0, 2026));
    assert_eq!(site.market.as_ref().unwrap().code, "DE");
    assert!((site.wue.as_ref().unwrap().value - 1.8).abs() < f64::EPSILON);
    assert!(record.footprint.electricity().unwrap().ends_with(" EUR"));
    assert!(record.warnings.iter().any(|line| line.contains("collector at 127.0.0.1:1")));
    let printed = Record::from_json(&String::from_utf8_lossy(&output.stdout)).unwrap();
    assert_eq!(printed, record, "what is written is what `finish` returns");
    let journal = journals.join(format!("{}.journal", record.run.id));
    assert_eq!(Record::recover(journal).unwrap(), record);

    // What the program sets counts.
    let mut command = program("dropped");
    set(&mut command);
    assert!(ended(command.arg(&own)).0.status.success());
    assert_eq!((fs::read_dir(&runs).unwrap().count(), fs::read_dir(&own).unwrap().count()), (1, 1));
}

#[test]
fn an_invalid_variable_is_reported_and_stops_no_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    let mut command = program("finished");
    command
        .env("ERGOMETER", "maybe")
        .env("ERGOMETER_REGION", "Germny")
        .env("ERGOMETER_PUE", "0.5")
        .env("ERGOMETER_GRID", &file)
        .env("ERGOMETER_CARBON_SERIES", &file)
        .env("ERGOMETER_MARKET", "residual")
        .env("ERGOMETER_PRICE", "0.31 apples")
        .env("ERGOMETER_WUE", "-1")
        .env("ERGOMETER_JOURNAL", &file)
        .env("ERGOMETER_OUTPUT", &file)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://example.org");
    let (output, stderr) = ended(&mut command);
    assert!(output.status.success(), "{stderr}");
    let record = Record::from_json(&String::from_utf8_lossy(&output.stdout)).unwrap();
    for name in VARIABLES.into_iter().filter(|name| *name != "ERGOMETER_LABEL") {
        let about = |line: &&String| line.starts_with(&format!("{name}=\""));
        let about = record.warnings.iter().filter(about).count();
        assert_eq!(about, 1, "{name}: {:?}", record.warnings);
    }
    assert!(record.total.energy.is_some());
}

#[test]
fn off_meters_writes_and_prints_nothing_and_the_program_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let [runs, journals] = ["runs", "journals"].map(|name| folder.path().join(name));
    for (how, code) in
        [("finished", 0), ("dropped", 0), ("run", 0), ("run fails", 1), ("hung", 0), ("fails", 1)]
    {
        let mut command = program(how);
        command.env("ERGOMETER", "off").env("ERGOMETER_JOURNAL", &journals);
        let (output, stderr) = ended(command.arg(&runs));
        assert_eq!(output.status.code(), Some(code), "{how}: {stderr}");
        assert!(!stderr.contains("ergometer"), "{how}: {stderr}");
        if how == "finished" {
            let record = Record::from_json(&String::from_utf8_lossy(&output.stdout)).unwrap();
            assert!(record.domains.is_empty() && record.total.energy.is_none());
            assert!(record.spans.is_empty() && record.steps.is_empty());
            assert!(record.warnings.iter().any(|line| line.contains("ERGOMETER=off")));
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn node() -> MeterBuilder {
    Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0))
}

#[test]
fn a_run_that_ended_in_run_is_returned_by_finish_once() {
    let meter = node().start().unwrap();
    assert_eq!(meter.run(|| drop(meter.span(Kind::Step))), ());
    assert_eq!(meter.finish().unwrap().steps["run"].count, 1);
    assert_eq!(meter.finish().unwrap_err().kind(), ErrorKind::Finished);
    // One that the training finishes itself.
    let meter = node().start().unwrap();
    assert!(meter.run(|| meter.finish()).is_ok());
    assert_eq!(meter.finish().unwrap_err().kind(), ErrorKind::Finished);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error_at_the_start_and_a_warning_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    assert_eq!(node().output(&file).start().unwrap_err().kind(), ErrorKind::Io);

    let runs = folder.path().join("runs");
    node().output(&runs).rank(2, 1).start().unwrap_err();
    assert!(!runs.exists(), "a start that fails leaves nothing behind");

    let meter = node().output(&runs).start().unwrap();
    fs::remove_dir(&runs).unwrap();
    fs::write(&runs, "").unwrap();
    let record = meter.finish().unwrap();
    assert!(record.warnings.iter().any(|line| line.contains("runs")), "{:?}", record.warnings);

    fs::remove_file(&runs).unwrap();
    let meter = node().output(&runs).start().unwrap();
    fs::remove_dir(&runs).unwrap();
    meter.finish().unwrap();
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 1, "a folder that was removed is made again");
}
