//! Powercap trees as the kernel lays them out, and what is made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::private::sources::{Level, Rapl};
use ergometer::source::{
    Availability, DomainKind, PowerSource, Reading, Request, SourceReport, Value,
};
use ergometer::span::Label;
use ergometer::{Kind, Meter};
use tempfile::TempDir;

use crate::child;

/// A 32-bit register in units of 2^-14 J.
pub const RANGE: u64 = 262_143_328_850;

/// A sysfs and a procfs of our own.
pub struct Tree {
    root: TempDir,
}

impl Tree {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::create_dir(root.path().join("sys")).unwrap();
        Self { root }
    }

    pub fn sys(&self) -> PathBuf {
        self.root.path().join("sys")
    }

    pub fn proc(&self) -> PathBuf {
        self.root.path().join("proc")
    }

    /// The zone's folder in the class folder, where the kernel lists all zones side by side.
    pub fn folder(&self, zone: &str) -> PathBuf {
        self.sys().join("class/powercap").join(zone)
    }

    pub fn zone(self, zone: &str, name: &str, energy: u64) -> Self {
        write_zone(&self.folder(zone), name, energy, Some(RANGE));
        self
    }

    pub fn set(&self, zone: &str, energy: u64) {
        set_energy(&self.folder(zone), energy);
    }

    fn open(&self) -> (Option<Rapl>, SourceReport) {
        Rapl::open(&self.sys(), &self.proc(), Level::Components)
    }
}

fn write_zone(folder: &Path, name: &str, energy: u64, range: Option<u64>) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("name"), format!("{name}\n")).unwrap();
    set_energy(folder, energy);
    if let Some(range) = range {
        fs::write(folder.join("max_energy_range_uj"), format!("{range}\n")).unwrap();
    }
}

/// In one step, as the kernel does it: a reader never sees half a number.
fn set_energy(folder: &Path, energy: u64) {
    let new = folder.join("new");
    fs::write(&new, format!("{energy}\n")).unwrap();
    fs::rename(new, folder.join("energy_uj")).unwrap();
}

/// Puts a folder where the energy should be: unreadable for everyone, root included.
pub fn break_zone(folder: &Path) {
    fs::remove_file(folder.join("energy_uj")).unwrap();
    fs::create_dir(folder.join("energy_uj")).unwrap();
}

fn mend_zone(folder: &Path, energy: u64) {
    fs::remove_dir(folder.join("energy_uj")).unwrap();
    set_energy(folder, energy);
}

fn read(rapl: &mut Rapl) -> Vec<Value> {
    let mut readings: Vec<Reading> = Vec::new();
    rapl.read(Request::Routine, &mut readings);
    readings.into_iter().map(|reading| reading.value).collect()
}

fn joules(value: &Value) -> f64 {
    match value {
        Value::Energy(joules) => joules.get(),
        other => panic!("expected energy, found {other:?}"),
    }
}

fn unavailable(report: &SourceReport) -> (&str, &str) {
    match &report.availability {
        Availability::Unavailable { reason, remedy } => {
            for line in [reason, remedy] {
                assert!(!line.is_empty() && !line.contains('\n'), "not one line: {line:?}");
            }
            (reason, remedy)
        }
        Availability::Available => panic!("available: {report:?}"),
    }
}

#[test]
fn two_packages_and_two_memories_and_nothing_that_lies_inside_them() {
    let tree = Tree::new()
        .zone("intel-rapl:0", "package-0", 1)
        .zone("intel-rapl:0:0", "core", 1)
        .zone("intel-rapl:0:1", "uncore", 1)
        .zone("intel-rapl:0:2", "dram", 1)
        .zone("intel-rapl:1", "package-1", 1)
        .zone("intel-rapl:1:0", "dram", 1)
        .zone("intel-rapl:1:1", "core", 1)
        .zone("intel-rapl:2", "psys", 1)
        .zone("intel-rapl-mmio:0", "package-0", 1);
    let (rapl, report) = tree.open();
    assert_eq!(report.availability, Availability::Available);
    assert_eq!(
        report.domains,
        ["rapl:package-0", "rapl:package-0:dram", "rapl:package-1", "rapl:package-1:dram"]
    );
    let kinds: Vec<_> = rapl.unwrap().domains().iter().map(|domain| domain.kind).collect();
    let (package, dram) = (DomainKind::CpuPackage, DomainKind::Dram);
    assert_eq!(kinds, [package, dram, package, dram]);
    assert!(report.remarks.iter().any(|remark| remark.contains("psys")), "{report:?}");
}

#[test]
fn the_platform_is_read_alone_when_asked_for() {
    let tree = Tree::new()
        .zone("intel-rapl:0", "package-0", 1)
        .zone("intel-rapl:0:0", "dram", 1)
        .zone("intel-rapl:1", "psys", 5_000_000);
    let (rapl, report) = Rapl::open(&tree.sys(), &tree.proc(), Level::Platform);
    let mut rapl = rapl.unwrap();
    assert_eq!(report.domains, ["rapl:psys"]);
    assert_eq!(rapl.domains()[0].kind, DomainKind::Psys);
    read(&mut rapl);
    tree.set("intel-rapl:1", 9_000_000);
    assert_eq!(joules(&read(&mut rapl)[0]), 4.0);

    let without = Tree::new().zone("intel-rapl:0", "package-0", 1);
    let (rapl, report) = Rapl::open(&without.sys(), &without.proc(), Level::Platform);
    assert!(rapl.is_none());
    assert!(unavailable(&report).0.contains("no psys"), "{report:?}");
}

/// Two names for one folder: what the zones of dies that share a register look like to a reader.
#[test]
fn two_zones_that_advance_identically_are_counted_once() {
    let tree = Tree::new().zone("intel-rapl:0", "package-0-die-0", 1_000_000).zone(
        "intel-rapl:2",
        "package-1-die-0",
        77_000_000,
    );
    let shown = tree.folder("intel-rapl:0").join("energy_uj");
    let mirror = tree.folder("intel-rapl:1");
    fs::create_dir_all(&mirror).unwrap();
    fs::write(mirror.join("name"), "package-0-die-1\n").unwrap();
    fs::write(mirror.join("max_energy_range_uj"), format!("{RANGE}\n")).unwrap();
    std::os::unix::fs::symlink(&shown, mirror.join("energy_uj")).unwrap();
    let done = AtomicBool::new(false);
    let (rapl, report) = thread::scope(|scope| {
        scope.spawn(|| {
            let mut energy = 1_000_000;
            while !done.load(Ordering::Relaxed) {
                energy += 1_000;
                tree.set("intel-rapl:0", energy);
            }
        });
        // The other package is idle; the register moves until the source has been opened.
        let opened = tree.open();
        done.store(true, Ordering::Relaxed);
        opened
    });
    assert_eq!(report.domains, ["rapl:package-0-die-0", "rapl:package-1-die-0"]);
    assert!(
        report.remarks.iter().any(|remark| remark.contains("package-0-die-1 shows the same")),
        "{report:?}"
    );
    let note = rapl.unwrap().domains()[0].note.clone().unwrap();
    assert!(note.contains("package-0-die-1"), "{note}");
}

#[test]
fn zones_are_found_by_name_whatever_their_number() {
    let tree = Tree::new()
        .zone("intel-rapl:11", "package-1", 1)
        .zone("intel-rapl:11:10", "dram", 1)
        .zone("intel-rapl:2", "package-10", 1)
        .zone("intel-rapl:12", "package-0", 1)
        .zone("intel-rapl:3", "package-2-die-1", 1);
    assert_eq!(
        tree.open().1.domains,
        [
            "rapl:package-0",
            "rapl:package-1",
            "rapl:package-1:dram",
            "rapl:package-2-die-1",
            "rapl:package-10"
        ]
    );
}

#[test]
fn the_device_folders_serve_where_the_class_is_missing() {
    let tree = Tree::new();
    let control = tree.sys().join("devices/virtual/powercap/intel-rapl");
    write_zone(&control.join("intel-rapl:0"), "package-0", 1, Some(RANGE));
    write_zone(&control.join("intel-rapl:0/intel-rapl:0:0"), "dram", 1, Some(RANGE));
    assert_eq!(tree.open().1.domains, ["rapl:package-0", "rapl:package-0:dram"]);
}

#[test]
fn class_entries_may_be_links_into_the_device_folders() {
    let tree = Tree::new();
    let zone = tree.sys().join("devices/virtual/powercap/intel-rapl/intel-rapl:0");
    write_zone(&zone, "package-0", 1, Some(RANGE));
    write_zone(&zone.join("intel-rapl:0:0"), "dram", 1, Some(RANGE));
    let class = tree.sys().join("class/powercap");
    fs::create_dir_all(&class).unwrap();
    std::os::unix::fs::symlink(zone.parent().unwrap(), class.join("intel-rapl")).unwrap();
    std::os::unix::fs::symlink(&zone, class.join("intel-rapl:0")).unwrap();
    std::os::unix::fs::symlink(zone.join("intel-rapl:0:0"), class.join("intel-rapl:0:0")).unwrap();
    assert_eq!(tree.open().1.domains, ["rapl:package-0", "rapl:package-0:dram"]);
}

#[test]
fn packages_and_memory_wrap_each_at_its_own_time() {
    let tree = Tree::new().zone("intel-rapl:0", "package-0", RANGE - 30_000_000).zone(
        "intel-rapl:0:0",
        "dram",
        RANGE - 10_000_000,
    );
    let mut rapl = tree.open().0.unwrap();
    let mut seen = vec![read(&mut rapl)];
    for (package, dram) in
        [(RANGE - 10_000_000, 0), (20_000_000, 5_000_000), (40_000_000, 10_000_000)]
    {
        tree.set("intel-rapl:0", package);
        tree.set("intel-rapl:0:0", dram);
        seen.push(read(&mut rapl));
    }
    let column = |index: usize| seen.iter().map(|row| joules(&row[index])).collect::<Vec<_>>();
    assert_eq!(column(0), [0.0, 20.0, 50.0, 70.0]);
    assert_eq!(column(1), [0.0, 10.0, 15.0, 20.0]);
}

#[test]
fn of_two_packages_one_wraps_and_the_other_is_unaffected() {
    let tree = Tree::new().zone("intel-rapl:0", "package-0", RANGE - 5_000_000).zone(
        "intel-rapl:1",
        "package-1",
        70_000_000,
    );
    let mut rapl = tree.open().0.unwrap();
    read(&mut rapl);
    for (first, second) in [(8_000_000, 90_000_000), (9_000_000, 95_000_000)] {
        tree.set("intel-rapl:0", first);
        tree.set("intel-rapl:1", second);
        let seen = read(&mut rapl);
        assert_eq!(joules(&seen[0]), (first + 5_000_000) as f64 / 1e6);
        assert_eq!(joules(&seen[1]), (second - 70_000_000) as f64 / 1e6);
    }
}

#[test]
fn a_failed_read_gives_the_energy_of_both_intervals_and_is_flagged() {
    let tree = Tree::new().zone("intel-rapl:0", "package-0", 5_000_000).zone(
        "intel-rapl:1",
        "package-1",
        5_000_000,
    );
    let mut rapl = tree.open().0.unwrap();
    read(&mut rapl);
    break_zone(&tree.folder("intel-rapl:0"));
    tree.set("intel-rapl:1", 15_000_000);
    let during = read(&mut rapl);
    assert!(matches!(during[0], Value::Missing(_)), "{during:?}");
    assert_eq!(joules(&during[1]), 10.0, "the other package goes on");
    mend_zone(&tree.folder("intel-rapl:0"), 25_000_000);
    assert_eq!(joules(&read(&mut rapl)[0]), 20.0);
}

#[test]
fn what_is_no_number_is_missing() {
    let tree = Tree::new().zone("intel-rapl:0", "package-0", 1);
    let mut rapl = tree.open().0.unwrap();
    read(&mut rapl);
    for text in ["", "\n", "-5\n", "1e9\n", "99999999999999999999999\n", "\u{b5}J\n"] {
        fs::write(tree.folder("intel-rapl:0").join("energy_uj"), text).unwrap();
        assert!(matches!(read(&mut rapl)[..], [Value::Missing(_)]), "{text:?}");
    }
}

#[test]
fn back_to_zero_is_a_restart_and_no_giant_wrap() {
    let tree = Tree::new().zone("intel-rapl:0", "package-0", 1_000_000_000);
    let mut rapl = tree.open().0.unwrap();
    read(&mut rapl);
    tree.set("intel-rapl:0", 0);
    assert!(matches!(read(&mut rapl)[..], [Value::Restarted(_)]));
    tree.set("intel-rapl:0", 7_000_000);
    assert_eq!(joules(&read(&mut rapl)[0]), 7.0);
}

#[test]
fn power_that_cannot_be_is_rejected_and_the_total_unharmed() {
    let tree = Tree::new().zone("intel-rapl:0", "package-0", 0);
    let mut rapl = tree.open().0.unwrap();
    read(&mut rapl);
    tree.set("intel-rapl:0", 162_043_000_000);
    assert!(matches!(read(&mut rapl)[..], [Value::Missing(_)]));
    tree.set("intel-rapl:0", 9_000_000);
    assert_eq!(joules(&read(&mut rapl)[0]), 9.0);
}

#[test]
fn without_a_range_a_wrap_is_lost_and_not_guessed() {
    let tree = Tree::new();
    let folder = tree.folder("intel-rapl:0");
    write_zone(&folder, "package-0", 100_000_000, None);
    let (rapl, report) = tree.open();
    assert!(report.remarks.iter().any(|remark| remark.contains("max_energy_range_uj")));
    let mut rapl = rapl.unwrap();
    read(&mut rapl);
    set_energy(&folder, 120_000_000);
    assert_eq!(joules(&read(&mut rapl)[0]), 20.0);
    set_energy(&folder, 5_000_000);
    assert!(matches!(read(&mut rapl)[..], [Value::Restarted(_)]));
    set_energy(&folder, 15_000_000);
    assert_eq!(joules(&read(&mut rapl)[0]), 30.0);
}

#[test]
fn one_unreadable_zone_does_not_stop_the_others() {
    let tree =
        Tree::new().zone("intel-rapl:0", "package-0", 1).zone("intel-rapl:1", "package-1", 1);
    break_zone(&tree.folder("intel-rapl:0"));
    let (rapl, report) = tree.open();
    assert_eq!(report.availability, Availability::Available);
    assert_eq!(report.domains, ["rapl:package-1"]);
    assert_eq!(rapl.unwrap().domains().len(), 1);
    assert!(report.remarks.iter().any(|remark| remark.contains("package-0")), "{report:?}");
}

#[test]
fn permission_denied_names_the_file_and_the_command() {
    use std::os::unix::fs::PermissionsExt as _;
    // Root may read everything.
    if child::passed_as_nobody("rapl::permission_denied_names_the_file_and_the_command") {
        return;
    }
    let tree = Tree::new().zone("intel-rapl:0", "package-0", 1).zone(
        "intel-rapl:1",
        "package-1",
        1_000_000,
    );
    let files = ["intel-rapl:0", "intel-rapl:1"].map(|zone| tree.folder(zone).join("energy_uj"));
    let deny = |file| fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
    deny(&files[0]);
    let command = format!("sudo chmod a+r {}", files[0].display());

    let (rapl, report) = tree.open();
    assert_eq!(report.domains, ["rapl:package-1"], "the other one goes on");
    assert!(report.remarks.iter().any(|remark| remark.contains(&command)), "{report:?}");
    let mut rapl = rapl.unwrap();
    read(&mut rapl);
    tree.set("intel-rapl:1", 3_000_000);
    assert_eq!(joules(&read(&mut rapl)[0]), 2.0);

    deny(&files[1]);
    let (rapl, report) = tree.open();
    assert!(rapl.is_none());
    let (reason, remedy) = unavailable(&report);
    assert!(reason.starts_with("permission denied"), "{reason}");
    assert!(reason.contains(&files[0].display().to_string()), "{reason}");
    assert!(remedy.contains(&command), "{remedy}");
}

#[test]
fn each_way_of_having_no_powercap_has_its_own_reason() {
    let cpuinfo = |flags| format!("processor\t: 0\nflags\t\t: {flags}\n");

    let bare = Tree::new();
    fs::write(bare.proc().join("cpuinfo"), cpuinfo("fpu lm")).unwrap();
    let guest = Tree::new();
    fs::write(guest.proc().join("cpuinfo"), cpuinfo("fpu hypervisor lm")).unwrap();
    let masked = Tree::new();
    fs::write(
        masked.proc().join("self/mountinfo"),
        "812 790 0:100 / /sys/devices/virtual/powercap ro,relatime - tmpfs tmpfs ro\n",
    )
    .unwrap();
    let dangling = Tree::new();
    fs::create_dir_all(dangling.sys().join("class/powercap")).unwrap();
    std::os::unix::fs::symlink("../../gone", dangling.folder("intel-rapl:0")).unwrap();
    let container = Tree::new();
    fs::write(container.proc().join("self/cgroup"), "0::/kubepods/pod1\n").unwrap();
    let empty = Tree::new();
    fs::create_dir_all(empty.sys().join("class/powercap")).unwrap();

    for (tree, words) in [
        (bare, "kernel has no powercap"),
        (guest, "virtual machine"),
        (masked, "container masks"),
        (dangling, "container masks"),
        (container, "not there in this container"),
        (empty, "no package zone"),
    ] {
        let (rapl, report) = tree.open();
        assert!(rapl.is_none() && report.domains.is_empty());
        let (reason, _) = unavailable(&report);
        assert!(reason.contains(words), "expected '{words}' in '{reason}'");
    }
}

/// Package power: 60 W and 180 W by turns of 365 ms, as energy since the start.
fn square_wave_joules(seconds: f64) -> f64 {
    let (half, low, high) = (0.365, 60.0, 180.0);
    let periods = (seconds / (2.0 * half)).floor();
    let rest = seconds - periods * 2.0 * half;
    periods * half * (low + high) + low * rest.min(half) + high * (rest - half).max(0.0)
}

#[test]
fn windows_across_wraps_are_within_three_percent() {
    // Wraps every 100 J, about once a second; the memory stands still.
    const SMALL: u64 = 100_000_000;
    let tree = Tree::new();
    let folder = tree.folder("intel-rapl:0");
    write_zone(&folder, "package-0", 0, Some(SMALL));
    let start = Instant::now();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // The register as the hardware keeps it, until the test has what it needs.
            while !done.load(Ordering::Relaxed) {
                let micro = (square_wave_joules(start.elapsed().as_secs_f64()) * 1e6).round();
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                set_energy(&folder, micro as u64 % SMALL);
                thread::sleep(Duration::from_millis(1));
            }
        });
        let meter = Meter::builder()
            .label("rapl")
            .sysfs_root(tree.sys())
            .proc_root(tree.proc())
            .nvml_library("/nowhere/libnvidia-ml.so.1")
            .start()
            .unwrap();
        let lengths = [("1 s", 1000), ("1.7 s", 1700), ("3 s", 3000)];
        let bounds = lengths.map(|(name, millis)| {
            let from = start.elapsed().as_secs_f64();
            let span = meter.enter(Label::new(Kind::Phase, name));
            thread::sleep(Duration::from_millis(millis));
            drop(span);
            (name, from, start.elapsed().as_secs_f64())
        });
        let record = meter.finish().unwrap();
        done.store(true, Ordering::Relaxed);
        let index =
            record.domains.iter().position(|domain| domain.domain.id == "rapl:package-0").unwrap();
        for (name, from, to) in bounds {
            let span = record.spans.iter().find(|span| span.name == name).unwrap();
            let truth = square_wave_joules(to) - square_wave_joules(from);
            let error = span.by_domain[index].get() / truth - 1.0;
            assert!(error.abs() <= 0.03, "{name}: {error:+.4}");
        }
    });
}
