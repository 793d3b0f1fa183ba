//! `ergometer run`.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ergometer::Record;

use crate::program::{argument, checked, ends_with, ergometer, text, wait_for};

/// A meter of 50 W, stated.
const FIXED: [&str; 3] = ["run", "--without-probe", "--fixed=node=50"];

fn run<'a>(more: &[&'a str]) -> Vec<&'a str> {
    FIXED.iter().chain(more).copied().collect()
}

#[test]
fn the_table_goes_to_stderr_and_stdout_is_the_programs() {
    let output = ends_with(0, &run(&["--", "sh", "-c", "echo from the program"]));
    assert_eq!(text(&output.stdout), "from the program\n");
    let table = text(&output.stderr);
    assert!(table.contains("node") && table.contains("Footprint"), "{table}");
    assert!(!table.contains('\u{1b}'), "colour in a pipe: {table}");
    let quiet = ends_with(0, &run(&["--quiet", "--", "true"]));
    assert_eq!(text(&quiet.stderr), "");
}

/// The lines of the README.
#[test]
fn cargo_itself_is_metered() {
    let mut command = ergometer(&run(&["--", "cargo", "--version"]));
    let output = checked(0, &mut command);
    assert!(text(&output.stdout).starts_with("cargo 1."), "{}", text(&output.stdout));
    let table = text(&output.stderr);
    assert!(table.trim_start().starts_with("cargo: ") && table.contains("Footprint"), "{table}");
}

#[test]
fn the_record_has_the_time_of_the_program_and_its_energy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    ends_with(0, &run(&["--record", argument(&path), "--quiet", "--", "sleep", "1"]));
    let record = Record::read(&path).unwrap();
    assert_eq!(record.run.label, "sleep");
    assert!((1.0..20.0).contains(&record.run.seconds), "{}", record.run.seconds);
    let joules = record.total.energy.unwrap().joules.get();
    assert!((joules / (50.0 * record.run.seconds) - 1.0).abs() < 1e-6, "{joules}");
    assert!(record.run.finished);
}

#[test]
fn a_variable_whose_value_is_not_valid_is_a_warning_in_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let warned = |text: &str, settings: &[&str]| {
        let record = ["--record", argument(&path), "--quiet", "--", "true"];
        let mut command = ergometer(&[&["run"], settings, &record].concat());
        checked(0, command.env("ERGOMETER_CPU_POWER", text));
        let record = Record::read(&path).unwrap();
        let about = |line: &&String| line.contains("ERGOMETER_CPU_POWER");
        let source = record.sources.iter().find(|report| report.source == "cpu-model");
        let remarks = source.map_or(0, |report| report.remarks.iter().filter(about).count());
        (record.warnings.iter().filter(about).count(), remarks)
    };
    assert_eq!(warned("20-180", &[]), (1, 1));
    assert_eq!(warned("20,180", &[]), (0, 0));
    assert_eq!(warned("", &[]), (0, 0));
    // Where the option is given, or no hardware is looked for, the variable is not used.
    assert_eq!(warned("20-180", &["--cpu-power=20,180"]), (0, 0));
    assert_eq!(warned("20-180", &["--without-probe"]), (0, 0));
}

#[test]
fn exit_codes_are_passed_through() {
    let exits = |code: i32, command: &[&str]| {
        let arguments: Vec<&str> =
            run(&["--quiet", "--"]).into_iter().chain(command.iter().copied()).collect();
        text(&ends_with(code, &arguments).stderr)
    };
    exits(7, &["sh", "-c", "exit 7"]);
    // A signal that the program did not handle, as a shell tells it.
    exits(128 + 9, &["sh", "-c", "kill -KILL $$"]);
    exits(128 + 15, &["sh", "-c", "kill -TERM $$"]);
    let missing = exits(127, &["/nowhere/program"]);
    assert!(missing.contains("/nowhere/program") && missing.contains("PATH"), "{missing}");
    assert!(exits(126, &["/etc/passwd"]).contains("executable"));
}

#[test]
fn nothing_is_run_where_the_meter_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let (marker, taken) = (folder.path().join("ran"), folder.path().join("taken.json"));
    fs::create_dir(&taken).unwrap();
    // Nobody makes a file in /proc, root included.
    let closed = if cfg!(target_os = "linux") { "may write to" } else { "make it" };
    for (wrong, remedy) in [
        (["--region", "Germny"], "DE"),
        (["--record", "/nowhere/run.json"], "make it"),
        (["--record", "/proc/run.json"], closed),
        (["--record", argument(&taken)], "name a file in it"),
        (["--record", "run.txt"], ".json"),
    ] {
        let more = [&wrong[..], &["--", "touch", argument(&marker)]].concat();
        let output = ends_with(125, &run(&more));
        let error = text(&output.stderr);
        assert!(error.starts_with("error:") && error.contains(remedy), "{error}");
        assert!(!marker.exists(), "{wrong:?}");
    }
}

/// A program that says in `folder` that it is ready and which signal came, and then ends with 3.
fn handler(folder: &Path) -> String {
    let path = argument(folder);
    let trap = |name: &str| format!("trap 'echo {name} >> {path}/came; exit 3' {name}; ");
    let traps: String = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"].map(trap).concat();
    format!("{traps} : > {path}/ready; while :; do sleep 0.05; done")
}

/// The metered `script`, with signals at their default: what runs the tests may ignore some.
fn start(script: &str, more: &[&str]) -> Child {
    let arguments = run(&[more, &["--", "sh", "-c", script]].concat());
    let this = ergometer(&arguments);
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP,INT,QUIT,TERM,USR1,USR2"]);
    command.arg(this.get_program()).args(this.get_args());
    for (name, value) in this.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    // A group of its own, so that a signal for the one is for nobody else.
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn signal(name: &str, process: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -s {name} {process}")]).status();
    assert!(status.unwrap().success(), "{name}");
}

#[test]
fn signals_are_passed_on_and_the_table_still_comes() {
    for name in ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"] {
        let folder = tempfile::tempdir().unwrap();
        let child = start(&handler(folder.path()), &[]);
        wait_for("the program", || folder.path().join("ready").exists().then_some(()));
        signal(name, child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{name}: {}", text(&output.stderr));
        let came = fs::read_to_string(folder.path().join("came")).unwrap();
        assert_eq!(came, format!("{name}\n"), "once");
        assert!(text(&output.stderr).contains("Footprint"), "{name}");
    }
}

#[test]
fn a_program_that_a_signal_ends_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let script = format!(": > {}; while :; do sleep 0.05; done", argument(&ready));
    let child = start(&script, &[]);
    wait_for("the program", || ready.exists().then_some(()));
    signal("INT", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 2));
    assert!(text(&output.stderr).contains("Footprint"), "{}", text(&output.stderr));
}

/// Ctrl-C in a terminal signals all of its foreground: passed on as well, it would come twice.
#[test]
fn ctrl_c_in_a_terminal_reaches_the_program_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = argument(folder.path());
    // Counts what comes, and ends at a signal that this command passes on after it.
    let program = format!(
        "trap 'echo INT >> {path}/came' INT; trap 'exit 3' USR1; \
         echo $PPID > {path}/new; mv {path}/new {path}/ready; while :; do sleep 0.05; done"
    );
    fs::write(folder.path().join("program"), program).unwrap();
    let this = argument(Path::new(env!("CARGO_BIN_EXE_ergometer")));
    let line =
        format!("exec {this} {} --record {path}/run.json -- sh {path}/program", FIXED.join(" "));
    // The terminal is made by `script`, of util-linux.
    let terminal = Command::new("env")
        .args([
            "--default-signal=INT",
            "script",
            "--quiet",
            "--return",
            "--command",
            &line,
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut terminal = terminal.unwrap();
    let mut keys = terminal.stdin.take().unwrap();
    let mut ended = None;
    let ready = folder.path().join("ready");
    wait_for("the program in the terminal", || {
        ended = terminal.try_wait().unwrap();
        (ready.exists() || ended.is_some()).then_some(())
    });
    if ended.is_some_and(|status| status.code() == Some(127)) {
        eprintln!("skipped: there is no `script` to make a terminal");
        return;
    }
    keys.write_all(b"\x03").unwrap();
    let came = folder.path().join("came");
    wait_for("SIGINT", || came.exists().then_some(()));
    let meter = fs::read_to_string(&ready).unwrap();
    signal("USR1", meter.trim().parse().unwrap());
    let output = terminal.wait_with_output().unwrap();
    drop(keys);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert_eq!(fs::read_to_string(came).unwrap(), "INT\n");
    assert!(Record::read(folder.path().join("run.json")).unwrap().run.finished);
}

/// Waits until `folder` has a file `stop`, or is gone with the test that made it.
fn waiting_for_stop(folder: &Path) -> String {
    format!("until [ -e {0}/stop ] || ! [ -d {0} ]; do sleep 0.05; done", argument(folder))
}

#[test]
fn what_is_ignored_stays_ignored_as_under_nohup() {
    let folder = tempfile::tempdir().unwrap();
    let path = argument(folder.path());
    let inner = format!(": > {path}/ready; {}; exit 4", waiting_for_stop(folder.path()));
    let this = ergometer(&run(&["--quiet", "--", "sh", "-c", &inner]));
    let mut command = Command::new("env");
    command.arg("--ignore-signal=HUP").arg(this.get_program()).args(this.get_args());
    let mut child = command.process_group(0).spawn().unwrap();
    wait_for("the program", || folder.path().join("ready").exists().then_some(()));
    // To both: neither ends.
    let group = format!("kill -s HUP -- -{}", child.id());
    assert!(Command::new("sh").args(["-c", &group]).status().unwrap().success());
    fs::write(folder.path().join("stop"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn a_journal_has_the_run_even_if_the_command_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let journals = folder.path().join("journals");
    let stop = folder.path().join("stop");
    let mut child = start(&waiting_for_stop(folder.path()), &["--journal", argument(&journals)]);
    let journal = wait_for("a journal with a second in it", || {
        // Beside it is the folder of what programs mark.
        let mut paths = fs::read_dir(&journals).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let path = paths.find(|path| path.extension().is_some_and(|one| one == "journal"))?;
        (Record::recover(&path).ok()?.run.seconds > 1.0).then_some(path)
    });
    // While it goes on, the report is the run so far.
    let output = ends_with(0, &["report", argument(&journal)]);
    assert!(text(&output.stdout).contains("node"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("is going on"), "{}", text(&output.stderr));
    signal("KILL", child.id());
    child.wait().unwrap();
    fs::write(&stop, "").unwrap();
    let record = Record::read(&journal).unwrap();
    assert!(!record.run.finished && record.total.energy.unwrap().joules.get() > 50.0);
}

#[test]
fn children_of_the_program_are_counted_and_idle_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("burn.json");
    // Two children that do the work, on the real machine's own figures: modelled or measured.
    let burn = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done";
    let script = format!("sh -c '{burn}' & sh -c '{burn}' & wait");
    let arguments = [
        "run",
        "--scope",
        "process",
        "--idle",
        "1s",
        "--quiet",
        "--record",
        argument(&path),
        "--",
        "sh",
        "-c",
        &script,
    ];
    let mut command = ergometer(&arguments);
    command.env_remove("ERGOMETER_SYSFS_ROOT").env_remove("ERGOMETER_PROC_ROOT");
    checked(0, &mut command);
    let record = Record::read(&path).unwrap();
    assert!(record.run.idle_seconds.is_some_and(|seconds| seconds >= 1.0), "{record}");
    let package = record.domains.iter().find(|row| row.domain.id.contains("package"));
    let package = package.unwrap_or_else(|| panic!("no processor: {record}"));
    assert!(package.above_idle.is_some_and(|joules| joules.get() > 0.0), "{record}");
}

#[test]
fn a_meter_of_the_users_own_is_read_and_is_the_total() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let plug = "while printf '%s,75\\n' \"$(date +%s.%N)\"; do sleep 0.1; done";
    let settings = ["run", "--without-probe", "--fixed=gpu=50", "--external-command", plug];
    let rest = ["--record", argument(&path), "--quiet", "--", "sleep", "1"];
    ends_with(0, &[&settings[..], &rest[..]].concat());
    let record = Record::read(&path).unwrap();
    let ids: Vec<_> = record.domains.iter().map(|row| row.domain.id.as_str()).collect();
    assert_eq!(ids, ["external:node"], "the board lies in the machine");
    let joules = record.total.energy.unwrap().joules.get();
    assert!((joules / (75.0 * record.run.seconds) - 1.0).abs() < 0.05, "{joules}");
}
