//! PMU descriptions as the kernel lays them out, with scripted counters.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::source::DomainKind;

/// The kernel's scale of every energy event: 2^-32 J.
const SCALE: &str = "2.3283064365386962890625e-10\n";
const JOULE: u64 = 1 << 32;

struct Tree {
    root: TempDir,
}

impl Tree {
    /// A machine with these events, a mask of processors, and `(cpu, package, die)`s.
    fn new(events: &[(&str, &str)], cpumask: &str, topology: &[(u32, u32, u32)]) -> Self {
        let tree = Self { root: tempfile::tempdir().unwrap() };
        let pmu = tree.sys().join("bus/event_source/devices/power");
        fs::create_dir_all(pmu.join("events")).unwrap();
        fs::create_dir_all(pmu.join("format")).unwrap();
        fs::write(pmu.join("type"), "9\n").unwrap();
        fs::write(pmu.join("format/event"), "config:0-7\n").unwrap();
        fs::write(pmu.join("cpumask"), cpumask).unwrap();
        for (name, config) in events {
            let file = |suffix: &str| pmu.join("events").join(format!("{name}{suffix}"));
            fs::write(file(""), format!("event={config}\n")).unwrap();
            fs::write(file(".scale"), SCALE).unwrap();
            fs::write(file(".unit"), "Joules\n").unwrap();
        }
        for (cpu, package, die) in topology {
            let folder = tree.sys().join(format!("devices/system/cpu/cpu{cpu}/topology"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("physical_package_id"), format!("{package}\n")).unwrap();
            fs::write(folder.join("die_id"), format!("{die}\n")).unwrap();
        }
        tree
    }

    /// Two sockets of a Xeon, with everything that such a machine lists.
    fn xeon() -> Self {
        Self::new(
            &[
                ("energy-cores", "0x01"),
                ("energy-pkg", "0x02"),
                ("energy-ram", "0x03"),
                ("energy-psys", "0x05"),
            ],
            "0,24\n",
            &[(0, 0, 0), (24, 1, 0)],
        )
    }

    fn sys(&self) -> PathBuf {
        self.root.path().join("sys")
    }

    fn proc(&self) -> PathBuf {
        self.root.path().join("proc")
    }

    fn open(
        &self,
        scope: Level,
        mut open: impl FnMut(&Event, &Socket) -> io::Result<Count>,
    ) -> (Option<Perf>, SourceReport) {
        Perf::open_with(&self.sys(), &self.proc(), scope, &mut |_, event, socket| {
            open(event, socket)
        })
    }
}

/// Returns these values one after the other, and repeats the last.
fn script(values: impl IntoIterator<Item = io::Result<u64>>) -> Count {
    let mut values: VecDeque<_> = values.into_iter().collect();
    Box::new(move || {
        if values.len() > 1 {
            values.pop_front().unwrap_or_else(|| Err(io::Error::other("empty")))
        } else {
            values.front().map_or(Ok(0), |last| match last {
                Ok(value) => Ok(*value),
                Err(error) => Err(error.kind().into()),
            })
        }
    })
}

/// A counter that advances at every read.
fn running() -> Count {
    let mut value = 0;
    Box::new(move || {
        value += JOULE;
        Ok(value)
    })
}

fn read(perf: &mut Perf) -> Vec<Value> {
    let mut readings = Vec::new();
    perf.read(Request::Routine, &mut readings);
    readings.into_iter().map(|reading| reading.value).collect()
}

fn unavailable(report: &SourceReport) -> (&str, &str) {
    match &report.availability {
        Availability::Unavailable { reason, remedy } => {
            assert!(!reason.contains('\n') && !remedy.contains('\n'), "{report:?}");
            (reason, remedy)
        }
        Availability::Available => panic!("available: {report:?}"),
    }
}

#[test]
fn two_sockets_give_two_packages_and_two_memories() {
    let mut opened = Vec::new();
    let (perf, report) = Tree::xeon().open(Level::Components, |event, socket| {
        opened.push((event.name, socket.cpu));
        Ok(running())
    });
    assert_eq!(report.availability, Availability::Available);
    assert_eq!(
        report.domains,
        ["perf:package-0", "perf:package-0:dram", "perf:package-1", "perf:package-1:dram"]
    );
    assert_eq!(
        opened,
        [("energy-pkg", 0), ("energy-ram", 0), ("energy-pkg", 24), ("energy-ram", 24)]
    );
    let kinds: Vec<_> = perf.unwrap().domains().iter().map(|domain| domain.kind).collect();
    assert_eq!(kinds[..2], [DomainKind::CpuPackage, DomainKind::Dram]);
}

#[test]
fn the_platform_is_read_alone_and_only_when_asked_for() {
    let (perf, report) = Tree::xeon().open(Level::Platform, |_, _| Ok(running()));
    assert_eq!(report.domains, ["perf:psys"]);
    assert_eq!(perf.unwrap().domains()[0].kind, DomainKind::Psys);
}

#[test]
fn dies_with_registers_of_their_own_are_told_apart() {
    let tree =
        Tree::new(&[("energy-pkg", "0x02")], "0,24,48\n", &[(0, 0, 0), (24, 0, 1), (48, 1, 0)]);
    let (_, report) = tree.open(Level::Components, |_, _| Ok(running()));
    assert_eq!(report.domains, ["perf:package-0-die-0", "perf:package-0-die-1", "perf:package-1"]);
}

#[test]
fn without_a_topology_each_processor_of_the_mask_is_a_socket() {
    let tree = Tree::new(&[("energy-pkg", "0x02")], "0,24\n", &[]);
    let (_, report) = tree.open(Level::Components, |_, _| Ok(running()));
    assert_eq!(report.domains, ["perf:package-of-cpu-0", "perf:package-of-cpu-24"]);
}

#[test]
fn counts_are_scaled_and_nothing_wraps() {
    let tree = Tree::new(&[("energy-pkg", "0x02")], "0\n", &[(0, 0, 0)]);
    // The first value is read on opening; a wrap of the register's 32 bits lies between the others.
    let values = [0, 10 * JOULE, 110 * JOULE, 110 * JOULE + JOULE / 2].map(Ok);
    let mut values = Some(script(values));
    let (perf, _) = tree.open(Level::Components, |_, _| Ok(values.take().unwrap()));
    let mut perf = perf.unwrap();
    let energy = |joules: f64| vec![Value::Energy(crate::units::Joules::new(joules))];
    assert_eq!(read(&mut perf), energy(0.0));
    assert_eq!(read(&mut perf), energy(100.0));
    assert_eq!(read(&mut perf), energy(100.5));
}

#[test]
fn a_failed_read_leaves_its_energy_to_the_next_and_the_others_go_on() {
    let tree = Tree::new(&[("energy-pkg", "0x02"), ("energy-ram", "0x03")], "0\n", &[(0, 0, 0)]);
    let (perf, _) = tree.open(Level::Components, |event, _| {
        let failing = [Ok(0), Ok(JOULE), Err(io::ErrorKind::UnexpectedEof.into()), Ok(21 * JOULE)];
        Ok(if event.name == "energy-pkg" { script(failing) } else { running() })
    });
    let mut perf = perf.unwrap();
    read(&mut perf);
    let during = read(&mut perf);
    assert!(matches!(during[..], [Value::Missing(_), Value::Energy(_)]), "{during:?}");
    let after = read(&mut perf);
    assert_eq!(after[0], Value::Energy(crate::units::Joules::new(20.0)));
}

#[test]
fn a_counter_that_goes_back_has_restarted() {
    let tree = Tree::new(&[("energy-pkg", "0x02")], "0\n", &[(0, 0, 0)]);
    let values = [0, 9 * JOULE, JOULE].map(Ok);
    let mut values = Some(script(values));
    let (perf, _) = tree.open(Level::Components, |_, _| Ok(values.take().unwrap()));
    let mut perf = perf.unwrap();
    read(&mut perf);
    assert!(matches!(read(&mut perf)[..], [Value::Restarted(_)]));
}

#[test]
fn permission_denied_says_what_would_help() {
    let tree = Tree::xeon();
    let kernel = tree.proc().join("sys/kernel");
    fs::create_dir_all(&kernel).unwrap();
    fs::write(kernel.join("perf_event_paranoid"), "4\n").unwrap();
    let denied = |_: &Event, _: &Socket| Err(io::ErrorKind::PermissionDenied.into());
    let (perf, report) = tree.open(Level::Components, denied);
    assert!(perf.is_none() && report.domains.is_empty());
    let (reason, remedy) = unavailable(&report);
    assert!(reason.contains("permission denied") && reason.contains("is 4"), "{reason}");
    assert!(remedy.contains("sudo sysctl kernel.perf_event_paranoid=0"), "{remedy}");
    assert!(remedy.contains("setcap cap_perfmon+ep"), "{remedy}");
    assert!(!remedy.contains("container"), "{remedy}");

    fs::create_dir_all(tree.proc().join("self")).unwrap();
    fs::write(tree.proc().join("self/cgroup"), "0::/docker/1\n").unwrap();
    let (_, report) = tree.open(Level::Components, denied);
    assert!(unavailable(&report).1.contains("--cap-add PERFMON"), "{report:?}");
}

#[test]
fn a_filter_that_forbids_what_the_kernel_allows_is_named() {
    let tree = Tree::xeon();
    let kernel = tree.proc().join("sys/kernel");
    fs::create_dir_all(&kernel).unwrap();
    fs::create_dir_all(tree.proc().join("self")).unwrap();
    fs::write(kernel.join("perf_event_paranoid"), "-1\n").unwrap();
    fs::write(tree.proc().join("self/status"), "Name:\ttrain\nSeccomp:\t2\n").unwrap();
    // EPERM, the answer under Docker's profile.
    let denied = |_: &Event, _: &Socket| Err(io::Error::from_raw_os_error(1));
    let (_, report) = tree.open(Level::Components, denied);
    let (reason, remedy) = unavailable(&report);
    assert!(reason.contains("seccomp filter") && !reason.contains("must be"), "{reason}");
    assert!(remedy.contains("seccomp=unconfined") && !remedy.contains("sysctl"), "{remedy}");
    fs::remove_file(tree.proc().join("self/status")).unwrap();
    let (_, report) = tree.open(Level::Components, denied);
    assert!(unavailable(&report).0.contains("a security module"), "{report:?}");
}

#[test]
fn one_socket_that_cannot_be_opened_does_not_stop_the_other() {
    let (_, report) = Tree::xeon().open(Level::Components, |_, socket| match socket.cpu {
        0 => Ok(running()),
        _ => Err(io::Error::other("offline")),
    });
    assert_eq!(report.availability, Availability::Available);
    assert_eq!(report.domains, ["perf:package-0", "perf:package-0:dram"]);
    assert!(report.remarks.iter().any(|remark| remark.contains("package-1")), "{report:?}");
}

#[test]
fn each_way_of_having_no_counter_has_its_reason() {
    let none = Tree { root: tempfile::tempdir().unwrap() };
    let other_events = Tree::new(&[("energy-psys", "0x05")], "0\n", &[(0, 0, 0)]);
    let no_mask = Tree::new(&[("energy-pkg", "0x02")], "\n", &[]);
    let other_unit = Tree::new(&[("energy-pkg", "0x02")], "0\n", &[]);
    let events = other_unit.sys().join("bus/event_source/devices/power/events");
    fs::write(events.join("energy-pkg.unit"), "Wh\n").unwrap();
    for (tree, words) in [
        (none, "no energy counters"),
        (other_events, "no energy-pkg"),
        (no_mask, "names no processor"),
        (other_unit, "no energy-pkg"),
    ] {
        let (perf, report) = tree.open(Level::Components, |_, _| panic!("nothing to open"));
        assert!(perf.is_none());
        let (reason, remedy) = unavailable(&report);
        assert!(reason.contains(words), "expected '{words}' in '{reason}'");
        assert!(!remedy.is_empty());
    }
}

/// Asks the real kernel. Without a PMU of this type there is none; with one the counters open or the report
/// says why not.
#[test]
fn the_kernel_is_asked_and_answers() {
    let tree = Tree::xeon();
    let pmu = tree.sys().join("bus/event_source/devices/power");
    fs::write(pmu.join("type"), "4294967295\n").unwrap();
    let (perf, report) = Perf::open(&tree.sys(), &tree.proc(), Level::Components);
    assert!(perf.is_none());
    let (reason, remedy) = unavailable(&report);
    assert!(!reason.is_empty() && !remedy.is_empty());

    for scope in [Level::Components, Level::Platform] {
        let (perf, report) = Perf::open(Path::new("/sys"), Path::new("/proc"), scope);
        match perf {
            Some(mut perf) => assert_eq!(read(&mut perf).len(), report.domains.len()),
            None => assert!(!unavailable(&report).0.is_empty()),
        }
    }
}
