//! Meters that do not start, and what they leave: nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ergometer::source::{Availability, DomainKind};
use ergometer::units::Watts;
use ergometer::{Devices, ErrorKind, Meter, MeterBuilder};

use crate::accounting::Steady;
use crate::child;
use crate::life::{PATIENCE, builder, eventually};

/// Threads of this process that are the meter's, its open files, and the files below `folder`.
pub fn left_behind(folder: &Path) -> (Vec<String>, usize, Vec<PathBuf>) {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let threads = names.filter(|name| name.starts_with("ergometer")).collect();
    let files = fs::read_dir("/proc/self/fd").unwrap().count();
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    (threads, files, entries)
}

/// The same, once these are the meter's threads and no other: a thread names itself when it is first run, and one that looks
/// something up may still be ending.
fn settled(folder: &Path, names: &[&str]) -> (Vec<String>, usize, Vec<PathBuf>) {
    eventually("its threads are those that stay", || {
        let left = left_behind(folder);
        let mut threads: Vec<_> = left.0.iter().map(|name| name.trim_end()).collect();
        threads.sort_unstable();
        (threads == names).then_some(left)
    })
}

/// Whether this process runs `test` alone; otherwise it is run in one of its own.
pub fn child_alone(test: &str) -> bool {
    if child::is_one() {
        return true;
    }
    child::passes(&mut child::of(test, &[]));
    false
}

#[test]
fn an_install_that_is_refused_is_refused_at_once_and_leaves_nothing() {
    if !child_alone("starts::an_install_that_is_refused_is_refused_at_once_and_leaves_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().install().unwrap();
    let before = settled(folder.path(), &["ergometer", "ergometer-read-"]);
    for _ in 0..20 {
        let begin = Instant::now();
        let refused = builder()
            .idle(Duration::from_mins(10))
            .journal(folder.path().join("journals"))
            .finish_on_signal()
            .prometheus(0)
            .install()
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyInstalled);
        assert!(begin.elapsed() < Duration::from_mins(1), "it did not wait for the baseline");
        assert_eq!(left_behind(folder.path()), before);
    }
    drop(ergometer::span("still the first one's"));
    assert_eq!(meter.finish().unwrap().spans.len(), 1);
    // Of threads that install at once one is the first.
    let installed = thread::scope(|scope| {
        let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| builder().install())).collect();
        tries.into_iter().filter_map(|one| one.join().unwrap().ok()).collect::<Vec<_>>()
    });
    assert_eq!(installed.len(), 1);
}

type Setting = fn(MeterBuilder) -> MeterBuilder;

#[test]
fn a_start_that_fails_leaves_nothing() {
    if !child_alone("starts::a_start_that_fails_leaves_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    // What the library sets up once for a process.
    builder().start().unwrap().finish().unwrap();
    let taken = builder().prometheus(0).start().unwrap();
    let port = taken.prometheus().unwrap();
    // The first meter is gone, and the second one has begun.
    let before = settled(folder.path(), &["ergometer", "ergometer prome", "ergometer-read-"]);
    let full = || {
        builder()
            .journal(folder.path().join("journals"))
            .idle(Duration::from_millis(1))
            .prometheus(0)
    };
    let tries: [(Setting, ErrorKind); 3] = [
        (|builder| builder.region("Germny"), ErrorKind::UnknownRegion),
        (|builder| builder.fixed(DomainKind::Node, Watts::new(150e3)), ErrorKind::InvalidSetting),
        (|builder| builder.resume("/nowhere/at/all.journal"), ErrorKind::Io),
    ];
    for (setting, kind) in tries {
        assert_eq!(setting(full()).install().unwrap_err().kind(), kind);
    }
    let unwritten = full().journal(file.join("journals")).install().unwrap_err();
    assert_eq!(unwritten.kind(), ErrorKind::Io);
    assert_eq!(full().prometheus(port).install().unwrap_err().kind(), ErrorKind::Network);
    let without = Meter::builder()
        .nvml_library(folder.path().join("libnvidia-ml.so.1"))
        .devices(Devices::List(vec!["GPU-8932f937".parse().unwrap()]))
        .journal(folder.path().join("journals"))
        .sysfs_root(folder.path());
    assert_eq!(without.install().unwrap_err().kind(), ErrorKind::UnknownDevice);
    eventually("nothing is left", || (left_behind(folder.path()) == before).then_some(()));
    // The place is free.
    builder().install().unwrap().finish().unwrap();
}

#[test]
fn a_file_that_hangs_costs_the_probe_its_limit_and_the_source() {
    let tree = crate::rapl::Tree::new().zone("intel-rapl:0", "package-0", 1);
    let energy = tree.folder("intel-rapl:0").join("energy_uj");
    fs::remove_file(&energy).unwrap();
    assert!(Command::new("mkfifo").arg(&energy).status().unwrap().success());
    let begin = Instant::now();
    let meter = Meter::builder()
        .sysfs_root(tree.sys())
        .proc_root(tree.proc())
        .nvml_library(tree.sys().join("libnvidia-ml.so.1"))
        .source(Steady::boxed("going", DomainKind::Gpu, 40.0))
        .start()
        .unwrap();
    assert!(begin.elapsed() < PATIENCE);
    let report = meter.sources().iter().find(|report| report.source == "rapl").unwrap();
    let Availability::Unavailable { reason, remedy } = &report.availability else {
        panic!("{report:?}")
    };
    assert!(reason.contains("took longer than") && remedy.contains("dmesg"), "{reason}; {remedy}");
    let record = meter.finish().unwrap();
    assert!(record.domains.iter().any(|row| row.domain.id == "going" && row.energy.is_some()));
}
