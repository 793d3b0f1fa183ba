//! `ergometer run` of programs that mark spans themselves.
//!
//! The program is this binary, started once more for a test that is none.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::Watts;
use ergometer::{Kind, Meter, Record};

use crate::program::{argument, checked, ends_with, ergometer, json, text, wait_for};

/// The folder in which the program says how far it is, and finds what it has to do.
const FOLDER: &str = "ERGOMETER_TEST_PROGRAM";
/// Watts of a domain that the program meters itself.
const OWN: &str = "ERGOMETER_TEST_WATTS";

/// Trains two epochs of three steps; waits in the second if it is told to.
#[test]
fn the_program() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut builder = Meter::builder().label("training");
    if let Ok(watts) = env::var(OWN) {
        builder =
            builder.without_probe().fixed(DomainKind::Node, Watts::new(watts.parse().unwrap()));
    }
    let meter = builder.install().unwrap();
    for number in 1..=2 {
        let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        for _ in 0..3 {
            let step = meter.span(Kind::Step);
            step.items(10_u32);
            let _phase = ergometer::span("forward");
            // Work that takes time.
            let end = std::time::Instant::now() + std::time::Duration::from_millis(20);
            while std::time::Instant::now() < end {}
        }
        if number == 2 && folder.join("wait").exists() {
            fs::write(folder.join("ready"), "").unwrap();
            wait_for("an end", || None::<()>);
        }
    }
    meter.result("loss", 0.5);
    meter.finish().unwrap();
}

/// The words that start the program.
fn words() -> String {
    let this = env::current_exe().unwrap();
    format!("{} nested::the_program --exact --nocapture >/dev/null", argument(&this))
}

/// `ergometer run` of a line for the shell, with 50 W.
fn metered(folder: &Path, more: &[&str], line: &str) -> Command {
    let fixed = ["run", "--without-probe", "--fixed=node=50", "--quiet"];
    let mut command = ergometer(&[&fixed, more, &["--", "sh", "-c", line]].concat());
    command.env(FOLDER, folder);
    for name in ["RANK", "WORLD_SIZE", "SLURM_PROCID", "PMI_RANK"] {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, line: &str) -> Record {
    let path = folder.join("run.json");
    checked(0, &mut metered(folder, &["--record", argument(&path)], line));
    Record::read(path).unwrap()
}

/// Joules of the one domain.
fn joules(energy: &[Option<ergometer::energy::Energy>]) -> f64 {
    energy[0].unwrap().joules.get()
}

/// Whether it has the energy of 50 W in all epochs and outside them.
fn adds_up(record: &Record) {
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4 * b.max(1.0), "{a} is not {b}");
    near(joules(&record.total.by_domain), 50.0 * record.run.seconds);
    let epochs: f64 = record.epochs.iter().map(|epoch| joules(&epoch.usage.by_domain)).sum();
    near(epochs + record.outside_epochs[0].get(), joules(&record.total.by_domain));
    for epoch in &record.epochs {
        near(joules(&epoch.usage.by_domain), 50.0 * epoch.usage.seconds);
    }
}

#[test]
fn what_a_program_marks_is_in_the_record_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    // Without a sensor of its own, and with one that measures another figure.
    for own in ["", &format!("{OWN}=80 ")] {
        let record = run(folder.path(), &format!("sleep 0.2; {own}{}", words()));
        adds_up(&record);
        assert_eq!((record.run.label.as_str(), record.run.exit_code), ("sh", Some(0)));
        let [first, second] = &record.epochs[..] else { panic!("{:?}", record.epochs) };
        assert!(first.start_s >= 0.2 && second.start_s > first.start_s, "{record}");
        let steps = &record.steps["train"];
        assert_eq!((steps.count, steps.items.as_ref().unwrap().count), (6, 60.0));
        assert!(
            (steps.by_domain[0].get() / (50.0 * steps.seconds) - 1.0).abs() < 0.01,
            "{steps:?}"
        );
        assert!((record.results["loss"] - 0.5).abs() < 1e-12);
        let [program] = &record.programs[..] else { panic!("{:?}", record.programs) };
        assert_eq!((program.name.as_str(), program.finished), ("training", true));
        let spans = &record.spans[0].children;
        assert_eq!(spans[0].name, "train");
        assert_eq!(spans[0].children[0].children[0].name, "forward");
    }
    // Nothing of it is left, and a program without spans adds nothing.
    let bare = run(folder.path(), "true");
    assert!(bare.programs.is_empty() && bare.spans.is_empty());
}

#[test]
fn a_program_that_is_killed_leaves_what_it_marked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("wait"), "").unwrap();
    // Killed when it has been in its second epoch for more than a second.
    let line = format!(
        "{} & until [ -e {path}/ready ] || ! [ -d {path} ]; do sleep 0.05; done; sleep 2; kill -KILL $!; wait $!",
        words(),
        path = argument(path)
    );
    let file = path.join("run.json");
    checked(137, &mut metered(path, &["--record", argument(&file)], &line));
    let record = Record::read(file).unwrap();
    adds_up(&record);
    assert_eq!((record.run.finished, record.run.exit_code), (true, Some(137)));
    assert_eq!((record.epochs.len(), record.steps["train"].count), (2, 6), "{record}");
    assert!(!record.programs[0].finished);
    assert!(record.warnings.iter().any(|line| line.starts_with("training: did not finish")));
    // It counts as failed, once.
    let found = json(&["ledger", "--json", argument(path)]);
    assert_eq!((&found["total"]["runs"], &found["total"]["failed"]), (&1.into(), &1.into()));
}

#[test]
fn programs_one_after_the_other_at_once_and_as_ranks_share_the_energy() {
    let folder = tempfile::tempdir().unwrap();
    let words = words();
    let record = run(folder.path(), &format!("{words}; {words}"));
    adds_up(&record);
    let splits: Vec<_> = record.steps.keys().map(String::as_str).collect();
    assert_eq!(splits, ["train (training #2)", "train (training)"]);

    let record = run(folder.path(), &format!("{words} & {words} & wait"));
    let spans: f64 = record.spans.iter().map(|span| span.by_domain[0].get()).sum();
    assert!(spans <= 50.0 * record.run.seconds * (1.0 + 1e-6), "{record}");
    let epochs: f64 = record.epochs.iter().map(|epoch| joules(&epoch.usage.by_domain)).sum();
    assert!(epochs <= spans * (1.0 + 1e-6), "{epochs} of {spans}");

    let rank = |rank: u32| format!("RANK={rank} WORLD_SIZE=2 {words} & ");
    let record = run(folder.path(), &format!("{}{} wait", rank(0), rank(1)));
    assert_eq!((record.programs.len(), record.programs[0].ranks.len()), (1, 2), "{record}");
    assert_eq!((record.epochs.len(), record.steps["train"].count), (2, 12));
}

#[test]
fn a_journal_of_the_run_has_what_programs_marked_and_so_has_the_ledger_once() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, path) = (folder.path().join("runs"), folder.path().join("run.json"));
    // The run and the program keep journals and records in one folder.
    let mut command = metered(
        folder.path(),
        &["--record", argument(&path), "--journal", argument(&runs)],
        &words(),
    );
    checked(0, command.env("ERGOMETER_JOURNAL", &runs).env("ERGOMETER_OUTPUT", &runs));
    let record = Record::read(&path).unwrap();
    assert_eq!(record.steps["train"].count, 6);
    let journal = runs.join(format!("{}.journal", record.run.id));
    let so_far = json(&["report", "--json", argument(&journal)]);
    assert_eq!(so_far["steps"]["train"]["count"], 6);
    let written = Record::read(runs.join(format!("{}.json", record.run.id))).unwrap();
    assert_eq!(written.programs.len(), 1);
    // A record and a journal of each.
    assert!(runs.join(format!("{}.json", record.programs[0].run_id)).is_file());
    let total = || {
        let found = json(&["ledger", "--json", argument(&runs)]);
        (found["total"]["runs"].as_u64().unwrap(), found["total"]["joules"].as_f64().unwrap())
    };
    let (count, joules) = total();
    assert_eq!(count, 1);
    assert!((joules / (50.0 * record.run.seconds) - 1.0).abs() < 1e-6);
    // The journals alone tell the same.
    for entry in fs::read_dir(&runs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(total().0, 1);
    let other = folder.path().join("recovered.json");
    ends_with(0, &["recover", argument(&journal), "--output", argument(&other)]);
    assert_eq!(Record::read(other).unwrap().steps["train"].count, 6);
}

#[test]
fn a_run_inside_a_run_is_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let inner = format!(
        "{} run --without-probe --fixed=node=50 --quiet --label inner -- sh -c '{}'",
        argument(Path::new(env!("CARGO_BIN_EXE_ergometer"))),
        words()
    );
    let record = run(folder.path(), &inner);
    adds_up(&record);
    let names: Vec<_> = record.programs.iter().map(|program| program.name.as_str()).collect();
    assert_eq!(names, ["inner", "training"]);
    assert_eq!((record.epochs.len(), record.steps["train"].count), (2, 6));
}

#[test]
fn a_program_that_takes_no_settings_from_outside_and_a_folder_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let record = run(folder.path(), &format!("ERGOMETER_PARENT= {}", words()));
    assert!(record.programs.is_empty());
    let out = folder.path().join("out");
    let line = format!("ERGOMETER_OUTPUT={} ERGOMETER_PARENT=/nowhere {}", argument(&out), words());
    assert!(run(folder.path(), &line).programs.is_empty());
    let own = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    let record = Record::read(own).unwrap();
    let warned = record.warnings.iter().any(|line| line.contains("ERGOMETER_PARENT"));
    assert!(warned, "{}", text(record.to_string().as_bytes()));
}
