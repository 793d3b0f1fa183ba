//! Trees of `/sys` and `/proc` with damaged, missing or nonsensical files. In any such tree, sources must
//! return plausible readings or report why they cannot.

use std::path::Path;

use proptest::prelude::*;

use crate::source::attribution::Attributed;
use crate::source::cpu_model::{CpuModel, Wanted};
use crate::source::hwmon::Hwmon;
use crate::source::perf::Perf;
use crate::source::rapl::{Level, Rapl};
use crate::source::{
    Availability, DomainKind, PowerSource, Reading, Request, SourceReport, Value, fixed, host,
    stat, sysfs,
};
use crate::testing::corrupt::{Files, damaged, damaged_tree, write};
use crate::units::Watts;

const RAPL: &[(&str, &str)] = &[
    ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
    ("sys/class/powercap/intel-rapl:0/energy_uj", "123456789\n"),
    ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n"),
    ("sys/class/powercap/intel-rapl:0:0/name", "dram\n"),
    ("sys/class/powercap/intel-rapl:0:0/energy_uj", "5000\n"),
    ("sys/class/powercap/intel-rapl:0:0/max_energy_range_uj", "65712999613\n"),
    ("sys/class/powercap/intel-rapl:1/name", "psys\n"),
    ("sys/class/powercap/intel-rapl:1/energy_uj", "77\n"),
    ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor\n"),
    ("proc/self/mountinfo", "36 35 98:0 /m /sys/devices/virtual/powercap rw - tmpfs tmpfs rw\n"),
    ("proc/self/cgroup", "0::/kubepods/pod1\n"),
];

const HWMON: &[(&str, &str)] = &[
    ("sys/class/hwmon/hwmon0/name", "amdgpu\n"),
    ("sys/class/hwmon/hwmon0/power1_average", "35000000\n"),
    ("sys/class/hwmon/hwmon0/power1_cap", "300000000\n"),
    ("sys/class/hwmon/hwmon1/name", "i915\n"),
    ("sys/class/hwmon/hwmon1/energy1_input", "9000000\n"),
    ("sys/class/hwmon/hwmon1/power1_max", "0\n"),
    ("sys/class/hwmon/hwmon2/name", "ina3221\n"),
    ("sys/class/hwmon/hwmon2/in1_label", "VDD_IN\n"),
    ("sys/class/hwmon/hwmon2/in1_input", "19000\n"),
    ("sys/class/hwmon/hwmon2/curr1_input", "1500\n"),
    ("sys/class/hwmon/hwmon2/update_interval", "50\n"),
];

const PERF: &[(&str, &str)] = &[
    ("sys/bus/event_source/devices/power/type", "4294967295\n"),
    ("sys/bus/event_source/devices/power/cpumask", "0,24\n"),
    ("sys/bus/event_source/devices/power/format/event", "config:0-7\n"),
    ("sys/bus/event_source/devices/power/events/energy-pkg", "event=0x02\n"),
    (
        "sys/bus/event_source/devices/power/events/energy-pkg.scale",
        "2.3283064365386962890625e-10\n",
    ),
    ("sys/bus/event_source/devices/power/events/energy-pkg.unit", "Joules\n"),
    ("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n"),
    ("sys/devices/system/cpu/cpu24/topology/physical_package_id", "1\n"),
    ("proc/sys/kernel/perf_event_paranoid", "2\n"),
];

const PROC: &[(&str, &str)] = &[
    ("stat", "cpu  100 20 30 4000 500 6 7 800 90 10\ncpu0 1 2 3 4\n"),
    ("meminfo", "MemTotal:       24689764 kB\nMemFree: 5 kB\n"),
    ("cpuinfo", "processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor\nflags\t\t: fpu\n"),
    ("self/stat", "10 (train) S 1 1 1 0 -1 0 0 0 0 0 3 4 5 6 20 0 1 0 100 1 1\n"),
    ("10/stat", "10 (train) S 1 1 1 0 -1 0 0 0 0 0 3 4 5 6 20 0 1 0 100 1 1\n"),
    ("11/stat", "11 (a (b) c) S 10 1 1 0 -1 0 0 0 0 0 30 40 50 60 20 0 1 0 110 1 1\n"),
    ("12/stat", "12 (x) S 1 1 1 0 -1 0 0 0 0 0 30 40 50 60 20 0 1 0 90 1 1\n"),
];

/// Checks that a source's report matches the source.
fn reported(source: Option<&dyn PowerSource>, report: &SourceReport) {
    match (&report.availability, source) {
        (Availability::Available, Some(source)) => {
            let mut ids: Vec<_> = source.domains().iter().map(|domain| &domain.id).collect();
            assert_eq!(ids, report.domains.iter().collect::<Vec<_>>());
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), source.domains().len(), "each domain once");
            for domain in source.domains() {
                let sensor = &domain.sensor;
                let periods = [sensor.counter_period_s, sensor.power_period_s];
                assert!(periods.into_iter().flatten().all(|s| s > 0.0 && s.is_finite()));
                assert!(domain.power_limit.is_none_or(|w| w > Watts::ZERO && w.get().is_finite()));
            }
        }
        (Availability::Available, None) => assert!(!report.remarks.is_empty()),
        (Availability::Unavailable { reason, remedy }, None) => {
            assert!(!reason.is_empty() && !remedy.is_empty());
        }
        (Availability::Unavailable { .. }, Some(_)) => panic!("unavailable, and there: {report:?}"),
    }
}

/// Reads a source before and after its tree changes. Each reading must be plausible or missing.
fn read(source: &mut dyn PowerSource, change: impl FnOnce()) {
    let mut readings = Vec::new();
    source.read(Request::Routine, &mut readings);
    change();
    source.read(Request::Edge, &mut readings);
    source.read(Request::Last, &mut readings);
    plausible(source, &readings);
}

fn plausible(source: &dyn PowerSource, readings: &[Reading]) {
    let mut energies = vec![0.0; source.domains().len()];
    for reading in readings {
        match &reading.value {
            Value::Energy(joules) => {
                let last = &mut energies[reading.domain];
                assert!(joules.get().is_finite() && joules.get() >= *last, "{readings:?}");
                *last = joules.get();
            }
            Value::Power(watts) => {
                assert!((0.0..=100_000.0).contains(&watts.get()), "{readings:?}");
            }
            Value::Restarted(why) | Value::Missing(why) => assert!(!why.is_empty()),
        }
    }
    // Below the product of all limits and the short time that the test takes.
    assert!(energies.iter().all(|joules| *joules < 1e6), "{energies:?}");
}

fn tree(files: &Files) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn powercap_gives_what_can_be_or_says_why_not(
        before in damaged_tree(RAPL),
        after in damaged_tree(RAPL),
        platform in any::<bool>(),
    ) {
        let folder = tree(&before);
        let scope = if platform { Level::Platform } else { Level::Components };
        let (sys, proc) = (folder.path().join("sys"), folder.path().join("proc"));
        let (mut rapl, report) = Rapl::open(&sys, &proc, scope);
        reported(rapl.as_ref().map(|rapl| rapl as &dyn PowerSource), &report);
        if let Some(rapl) = &mut rapl {
            read(rapl, || write(folder.path(), &after));
        }
    }

    #[test]
    fn hwmon_gives_what_can_be_or_says_why_not(
        before in damaged_tree(HWMON),
        after in damaged_tree(HWMON),
    ) {
        let folder = tree(&before);
        let (mut hwmon, report) = Hwmon::open(&folder.path().join("sys"), None);
        reported(hwmon.as_ref().map(|hwmon| hwmon as &dyn PowerSource), &report);
        if let Some(hwmon) = &mut hwmon {
            read(hwmon, || write(folder.path(), &after));
        }
    }

    /// The PMU's type does not exist, so none can be opened, whatever the files contain.
    #[test]
    fn perf_says_why_not(files in damaged_tree(PERF), platform in any::<bool>()) {
        let folder = tree(&files);
        std::fs::remove_file(folder.path().join("sys/bus/event_source/devices/power/type")).ok();
        let scope = if platform { Level::Platform } else { Level::Components };
        let (perf, report) =
            Perf::open(&folder.path().join("sys"), &folder.path().join("proc"), scope);
        prop_assert!(perf.is_none());
        reported(None, &report);
    }

    #[test]
    fn the_model_and_the_share_give_what_can_be_or_say_why_not(
        before in damaged_tree(PROC),
        after in damaged_tree(PROC),
    ) {
        let folder = tree(&before);
        let (mut model, report) =
            CpuModel::open(folder.path(), Wanted { package: true, dram: true });
        reported(model.as_ref().map(|model| model as &dyn PowerSource), &report);
        if let Some(model) = &mut model {
            read(model, || write(folder.path(), &after));
            prop_assert!(model.domains().iter().all(|domain| domain.sensor.relative_error > 0.0));
        }
        let source = fixed::Fixed::new(DomainKind::CpuPackage, Watts::new(60.0), 0.1).unwrap();
        write(folder.path(), &before);
        match Attributed::new(source, folder.path(), folder.path()) {
            Ok(mut shared) => read(&mut shared, || write(folder.path(), &after)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn a_file_of_a_number_is_that_number_or_an_error(text in damaged(b"123456789\n")) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("energy_uj");
        std::fs::write(&file, &text).unwrap();
        if let Ok(number) = sysfs::number::<u64>(&file) {
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(text.trim().parse::<u64>(), Ok(number));
        }
    }

    #[test]
    fn processor_time_is_all_of_a_line_or_an_error(text in damaged(PROC[0].1.as_bytes())) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stat");
        std::fs::write(&file, &text).unwrap();
        if let Ok(jiffies) = stat::read(&file) {
            let line = text.split(|byte| *byte == b'\n').next().unwrap();
            let line = std::str::from_utf8(line).unwrap();
            let fields = line.split_ascii_whitespace().skip(1).take(8);
            let ticks = fields.map(|field| field.parse::<u64>().unwrap());
            let sum = ticks.fold(0, u64::saturating_add);
            prop_assert_eq!(jiffies.total(), sum);
            prop_assert!((0.0..=1.0).contains(&jiffies.utilisation()));
        }
    }

    #[test]
    fn valid_numbers_are_read_as_they_are(number in any::<i64>(), feed in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("power1_input");
        std::fs::write(&file, format!("{number}{}", if feed { "\n" } else { "" })).unwrap();
        prop_assert_eq!(sysfs::number::<i64>(&file).unwrap(), number);
    }
}

#[test]
fn a_number_that_goes_on_behind_what_is_read_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("energy_uj");
    std::fs::write(&file, format!("{}{}", " ".repeat(30), 123_456)).unwrap();
    assert!(sysfs::number::<u64>(&file).is_err(), "not 12");
    std::fs::write(&file, format!("cpu{}10 20 30 40 50 60 70 80\n", " ".repeat(251))).unwrap();
    assert!(stat::read(&file).is_err());
}

#[test]
fn names_that_are_no_utf_8_hide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let proc = folder.path();
    std::fs::create_dir_all(proc.join("self")).unwrap();
    std::fs::create_dir_all(proc.join("10")).unwrap();
    std::fs::write(proc.join("stat"), PROC[0].1).unwrap();
    // The kernel truncates names to 15 bytes, here between the two of an ä.
    let line = b"10 (entrainement-\xc3) S 1 1 1 0 -1 0 0 0 0 0 3 4 5 6 20 0 1 0 100 1 1\n";
    std::fs::write(proc.join("self/stat"), line).unwrap();
    std::fs::write(proc.join("10/stat"), line).unwrap();
    let source = fixed::Fixed::new(DomainKind::CpuPackage, Watts::new(60.0), 0.1).unwrap();
    assert!(Attributed::new(source, proc, proc).is_ok());

    let mounts = b"1 1 8:1 / /media/caf\xe9 rw\n2 1 0:1 / /sys/devices/virtual/powercap rw\n";
    std::fs::write(proc.join("self/mountinfo"), mounts).unwrap();
    std::fs::write(proc.join("self/cgroup"), b"0::/docker/\xff\n").unwrap();
    assert!(host::powercap_is_masked(proc) && host::in_container(proc));
    assert!(!host::powercap_is_masked(Path::new("/nowhere")));
}
