//! A meter of the user's own beside the machine's sensors: it is the total, and nothing is counted twice.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use ergometer::source::external::External;
use ergometer::source::{Availability, DomainKind};
use ergometer::units::Watts;
use ergometer::{Meter, MeterBuilder, Record};

use crate::hwmon::{RX_7900, Tree, orin};

/// The board of the tree draws 289 W.
fn board() -> Tree {
    let files = [("name", "amdgpu"), ("power1_input", "289000000"), ("power1_cap", "303000000")];
    Tree::new().device(3, RX_7900, &files)
}

fn builder(tree: &Tree) -> MeterBuilder {
    Meter::builder()
        .without_environment()
        .sysfs_root(tree.sys())
        .nvml_library("/nowhere/libnvidia-ml.so.1")
}

/// Something that writes a line of this power every 50 ms until it is dropped.
struct Plug {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

fn line(watts: f64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{:.6},{watts}\n", now.as_secs_f64())
}

impl Plug {
    fn start(path: &Path, watts: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut file = fs::File::create(path).unwrap();
        file.write_all(line(watts).as_bytes()).unwrap();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(50));
                file.write_all(line(watts).as_bytes()).unwrap();
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn plug(folder: &tempfile::TempDir, watts: f64) -> (PathBuf, Plug) {
    let path = folder.path().join("wall.csv");
    let plug = Plug::start(&path, watts);
    (path, plug)
}

fn ids(record: &Record) -> Vec<&str> {
    record.domains.iter().map(|row| row.domain.id.as_str()).collect()
}

#[test]
fn a_plug_is_the_total_and_its_parts_say_which_share_none_of_them_explains() {
    let (tree, folder) = (board(), tempfile::tempdir().unwrap());
    let (path, plug) = plug(&folder, 400.0);
    let meter = builder(&tree).external(External::file(path)).start().unwrap();
    thread::sleep(Duration::from_millis(3600));
    let record = meter.finish().unwrap();
    drop(plug);
    assert_eq!(ids(&record), ["external:node"]);
    let energy = record.total.energy.unwrap();
    let expected = 400.0 * record.run.seconds;
    assert!((energy.joules.get() / expected - 1.0).abs() < 0.03, "{energy:?} {expected}");
    let note = record.domains[0].domain.note.as_ref().unwrap();
    for part in ["400.0 W", "hwmon:0000:03:00.0 289.0 W", "28 %"] {
        assert!(note.contains(part), "{part}: {note}");
    }
    let hwmon = record.sources.iter().find(|report| report.source == "hwmon").unwrap();
    assert!(
        hwmon.domains.is_empty() && hwmon.remarks.iter().any(|one| one.contains("in no sum")),
        "{hwmon:?}"
    );
}

#[test]
fn a_meter_of_the_boards_leaves_the_rest_of_the_machine_as_it_is() {
    let (tree, folder) = (board(), tempfile::tempdir().unwrap());
    let (path, _plug) = plug(&folder, 300.0);
    let meter = builder(&tree).external(External::file(path).of(DomainKind::Gpu)).start().unwrap();
    let domains = meter.domains().to_vec();
    meter.finish().unwrap();
    let boards = domains.iter().filter(|domain| domain.kind == DomainKind::Gpu);
    assert_eq!(boards.map(|domain| domain.id.as_str()).collect::<Vec<_>>(), ["external:gpu"]);
    assert!(domains.iter().any(|domain| domain.kind == DomainKind::CpuPackage), "{domains:?}");
}

#[test]
fn a_meter_of_the_boards_steps_back_before_a_module_that_contains_them() {
    let (tree, folder) = (orin(), tempfile::tempdir().unwrap());
    let (path, _plug) = plug(&folder, 5.0);
    let meter = builder(&tree).external(External::file(path).of(DomainKind::Gpu)).start().unwrap();
    let record = meter.finish().unwrap();
    assert_eq!(ids(&record), ["hwmon:1-0040"]);
}

#[test]
fn a_stated_node_contains_a_meter_of_its_boards_and_a_measured_one_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _plug) = plug(&folder, 300.0);
    let stated = || Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0));
    let boards = External::file(&path).of(DomainKind::Gpu);
    let record = stated().external(boards).start().unwrap().finish().unwrap();
    assert_eq!(ids(&record), ["fixed:node"]);
    let record = stated().external(External::file(&path)).start().unwrap().finish().unwrap();
    assert_eq!(ids(&record), ["external:node"]);
}

#[test]
fn where_no_line_comes_the_sensors_are_used_and_the_report_says_why() {
    let (tree, folder) = (board(), tempfile::tempdir().unwrap());
    let path = folder.path().join("wall.csv");
    fs::write(&path, "no route to host\n").unwrap();
    let meter = builder(&tree).external(External::file(&path)).start().unwrap();
    let record = meter.finish().unwrap();
    assert!(ids(&record).contains(&"hwmon:0000:03:00.0"), "{:?}", ids(&record));
    let report = record.sources.iter().find(|report| report.source == "external").unwrap();
    let Availability::Unavailable { reason, .. } = &report.availability else {
        panic!("{report:?}")
    };
    assert!(reason.contains("the first 'no route to host'"), "{reason}");
}

#[test]
fn a_meter_that_falls_silent_is_not_observed_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (path, plug) = plug(&folder, 200.0);
    let meter = Meter::builder().without_probe().external(External::file(path)).start().unwrap();
    thread::sleep(Duration::from_secs(1));
    drop(plug);
    thread::sleep(Duration::from_secs(3));
    let record = meter.finish().unwrap();
    let energy = record.total.energy.unwrap();
    // The last level is held for 1.5 s, and no longer.
    assert!((0.5..0.8).contains(&energy.coverage), "{energy:?}");
    let joules = energy.joules.get();
    assert!((450.0..600.0).contains(&joules), "{joules}");
}
