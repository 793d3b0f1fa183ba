//! What a signal does to a program whose run has a journal.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use ergometer::record::Record;

use crate::child;
use crate::life::{eventually, whole};

/// A process that was started for `how`, ready to be signalled.
struct Life {
    folder: PathBuf,
    child: Child,
}

impl Life {
    fn new(folder: &Path, how: &str) -> Self {
        Self::spawn(folder, child::with_default_signals(env!("CARGO_BIN_EXE_life")), how)
    }

    fn spawn(folder: &Path, mut command: Command, how: &str) -> Self {
        let folder = folder.join(how);
        let mut child = command
            .args([folder.as_os_str(), how.as_ref()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{how}");
        Self { folder, child }
    }

    fn signal(&self, signals: &[&str]) {
        let process = self.child.id();
        let script: Vec<_> =
            signals.iter().map(|name| format!("kill -s {name} {process}")).collect();
        let sent = Command::new("sh").args(["-c", &script.join("; ")]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    fn ends(&mut self) -> ExitStatus {
        eventually("the process ends", || self.child.try_wait().unwrap())
    }

    /// The records in its journals, of those that are whole first.
    fn records(&self) -> Vec<Record> {
        let entries = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let mut records: Vec<_> = entries.map(|path| whole(&path)).collect();
        records.sort_by_key(|record| !record.run.finished);
        records
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn ended_by(record: &Record, signal: &str) -> bool {
    !record.run.finished && record.warnings.contains(&format!("the run was ended by {signal}"))
}

#[test]
fn a_signal_finishes_whatever_runs_there_are_and_then_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    for (how, signal, number, journals) in [
        ("one", "INT", 2, 1),
        ("one", "TERM", 15, 1),
        ("second", "TERM", 15, 2),
        ("several", "TERM", 15, 3),
    ] {
        let folder = folder.path().join(signal);
        let mut life = Life::new(&folder, how);
        life.signal(&[signal]);
        assert_eq!(life.ends().signal(), Some(number), "{how}");
        let records = life.records();
        let ended = records.iter().filter(|record| ended_by(record, &format!("SIG{signal}")));
        let before = usize::from(how == "second");
        assert_eq!((records.len(), ended.count()), (journals, journals - before), "{how}");
    }
}

#[test]
fn a_signal_that_comes_twice_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::new(folder.path(), "one");
    life.signal(&["TERM", "TERM", "TERM"]);
    assert_eq!(life.ends().signal(), Some(15));
    assert!(ended_by(&life.records()[0], "SIGTERM"));
}

#[test]
fn a_signal_while_the_run_is_finished_waits_for_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::new(folder.path(), "finishing");
    thread::sleep(Duration::from_millis(20));
    life.signal(&["TERM"]);
    assert_eq!(life.ends().signal(), Some(15));
    let records = life.records();
    assert!(records[0].run.finished, "{:?}", records[0].warnings);
    assert!(records[0].steps["run"].count > 0);
}

#[test]
fn the_programs_own_handler_decides() {
    let folder = tempfile::tempdir().unwrap();
    for how in ["handler before", "handler later", "dropped, then handler"] {
        let mut life = Life::new(folder.path(), how);
        life.signal(&["TERM"]);
        assert_eq!(life.ends().code(), Some(42), "{how}");
    }
    let mut life = Life::new(folder.path(), "dropped");
    life.signal(&["TERM"]);
    assert_eq!(life.ends().signal(), Some(15), "without one it is the system's default");
}

#[test]
fn a_signal_that_the_parent_ignores_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" INT; exec "$0" "$@""#, env!("CARGO_BIN_EXE_life")]);
    let mut life = Life::spawn(folder.path(), shell, "one");
    life.signal(&["INT"]);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(life.child.try_wait().unwrap(), None);
    life.signal(&["TERM"]);
    assert_eq!(life.ends().signal(), Some(15));
    assert!(ended_by(&life.records()[0], "SIGTERM"));
}

#[test]
fn a_forked_child_keeps_its_signals_to_itself_and_may_have_a_meter() {
    let folder = tempfile::tempdir().unwrap();
    for how in ["forked", "forked installs"] {
        let status = Command::new(env!("CARGO_BIN_EXE_life"))
            .args([folder.path().join(how).as_os_str(), how.as_ref()])
            .stdin(Stdio::null())
            .process_group(0)
            .status()
            .unwrap();
        assert!(status.success(), "{how}: {status}");
    }
}
