//! `calibrate`: records that a sensor measured make the model better where there is none.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{argument, checked, ends_with, ergometer, json, text};
use crate::records::{meter, record};

const NAME: &str = "Some Processor 9000";

/// A record of a machine whose package RAPL measured: its power over the run, how busy it was, and its baseline.
fn measured(folder: &Path, name: &str, watts: f64, busy: f64, idle: Option<f64>) -> PathBuf {
    let (path, record) = record(folder, name, meter(name, watts));
    let mut value: Value = serde_json::from_str(&record.to_json().unwrap()).unwrap();
    value["machine"]["cpu"] = json!(NAME);
    value["machine"]["logical_cpus"] = json!(16);
    value["run"]["cpu_utilisation"] = json!(busy);
    let package = &mut value["domains"][0];
    package["kind"] = json!("cpu-package");
    package["method"] = json!("counter");
    package["source"] = json!("rapl");
    package["mean_power"] = json!(watts);
    package["idle_power"] = json!(idle);
    fs::write(&path, value.to_string()).unwrap();
    path
}

fn close(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found / expected - 1.0).abs() < 1e-6)
}

#[test]
fn idle_and_full_power_of_measured_records_are_those_of_the_model_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    // Fully busy at 160 W, and 40 W before: the second record lies on the curve.
    let first = measured(folder.path(), "a.json", 160.0, 1.0, Some(40.0));
    let own = ergometer::source::Own::share(0.4);
    let second = measured(folder.path(), "b.json", 40.0 + 120.0 * own, 0.4, None);
    let file = folder.path().join("processors.json");
    let rows = json(&[
        "calibrate",
        argument(&first),
        argument(&second),
        "--output",
        argument(&file),
        "--json",
    ]);
    assert!(close(&rows[0]["idle"], 40.0) && close(&rows[0]["full"], 160.0), "{rows}");
    assert_eq!(
        (&rows[0]["records"], &rows[0]["sources"][0]),
        (&json!(2), &json!("rapl")),
        "{rows}"
    );

    // A guest with a quarter of the logical processors, each a thread.
    let proc = folder.path().join("proc");
    fs::create_dir(&proc).unwrap();
    let cpu = |n: u32| {
        format!(
            "processor\t: {n}\nmodel name\t: {NAME}\nsiblings\t: 4\ncpu cores\t: 2\nflags\t: hypervisor\n\n"
        )
    };
    fs::write(proc.join("cpuinfo"), (0..4).map(cpu).collect::<String>()).unwrap();
    fs::write(proc.join("stat"), "cpu  100 0 0 900 0 0 0 0 0 0\n").unwrap();
    let metered = |variable: Option<&Path>| -> Value {
        let mut command = ergometer(&["run", "--json", "--", "true"]);
        command.env("ERGOMETER_PROC_ROOT", &proc);
        if let Some(variable) = variable {
            command.env("ERGOMETER_PROCESSORS", variable);
        }
        serde_json::from_slice(&checked(0, &mut command).stderr).unwrap()
    };
    let note = |record: &Value| record["domains"][0]["note"].as_str().unwrap().to_owned();
    let with = note(&metered(Some(&file)));
    assert!(
        with.contains("from 10.0 W when idle to 40.0 W") && with.contains("virtual machine"),
        "{with}"
    );
    assert!(!note(&metered(None)).contains("records of this processor"));

    // A variable that names no such file stops nothing and is reported.
    let missing = metered(Some(&folder.path().join("missing.json")));
    assert!(missing["warnings"].to_string().contains("ERGOMETER_PROCESSORS"), "{missing}");
    let output = ends_with(125, &["run", "--processors", "/nowhere/missing.json", "--", "true"]);
    assert!(text(&output.stderr).contains("/nowhere/missing.json"));
}

#[test]
fn records_that_do_not_show_both_powers_are_refused_with_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let busy = measured(folder.path(), "a.json", 160.0, 1.0, None);
    let file = folder.path().join("processors.json");
    let output = ends_with(2, &["calibrate", argument(&busy), "--output", argument(&file)]);
    let error = text(&output.stderr);
    assert!(error.contains("100 % at 160.0 W") && error.contains("--idle"), "{error}");
    assert!(!file.exists());

    let (stated, _) = record(folder.path(), "b.json", meter("stated", 50.0));
    let output = ends_with(2, &["calibrate", argument(&stated), "--output", argument(&file)]);
    let error = text(&output.stderr);
    assert!(error.contains("no sensor measured its processors"), "{error}");
}

#[test]
fn other_processors_in_the_file_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processors.json");
    let other = r#"{"schema": "ergometer-processors/1", "processors": [{"name": "Another", "logical_cpus": 8,
        "idle": 10.0, "full": 50.0, "highest_utilisation": 1.0, "records": 1, "sources": ["rapl"],
        "measured": "2026-01-01"}]}"#;
    fs::write(&file, other).unwrap();
    let path = measured(folder.path(), "a.json", 160.0, 1.0, Some(40.0));
    let output = ends_with(0, &["calibrate", argument(&path), "--output", argument(&file)]);
    assert!(text(&output.stdout).contains(NAME), "{}", text(&output.stdout));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("Another") && text.contains(NAME), "{text}");
}

#[test]
fn the_power_of_a_whole_machine_is_not_that_of_its_processors() {
    let folder = tempfile::tempdir().unwrap();
    let path = measured(folder.path(), "wall.json", 160.0, 1.0, Some(40.0));
    let wall = fs::read_to_string(&path).unwrap().replace("\"cpu-package\"", "\"node\"");
    fs::write(&path, wall).unwrap();
    let output = ergometer(&["calibrate", argument(&path)]).current_dir(folder.path()).output();
    let said = text(&output.unwrap().stderr);
    assert!(said.contains("their part of it is not known"), "{said}");
    assert!(!folder.path().join("processors.json").exists());
}
