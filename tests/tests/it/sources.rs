//! Which sources are used where several give the same, and what lies in what.

use std::fs;
use std::path::Path;

use ergometer::source::probe::{Settings, fixed_only, probe};
use ergometer::source::{Availability, DomainKind, SourceReport};
use ergometer::units::Watts;

use crate::{hwmon, sensors};

/// A powercap zone below `sys`.
fn zone(sys: &Path, zone: &str, name: &str) {
    let folder = sys.join("class/powercap").join(zone);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("name"), format!("{name}\n")).unwrap();
    fs::write(folder.join("energy_uj"), "1\n").unwrap();
    fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
}

/// Package and memory, and the platform around them.
fn laptop(tree: &hwmon::Tree) {
    zone(&tree.sys(), "intel-rapl:0", "package-0");
    zone(&tree.sys(), "intel-rapl:0:0", "dram");
    zone(&tree.sys(), "intel-rapl:1", "psys");
}

fn settings(tree: &hwmon::Tree, fixed: &[(DomainKind, f64)]) -> Settings {
    let proc = tree.sys().with_file_name("proc");
    fs::create_dir_all(&proc).unwrap();
    fs::write(proc.join("cpuinfo"), "processor\t: 0\nmodel name\t: X\n").unwrap();
    fs::write(proc.join("stat"), "cpu  100 0 0 900 0 0 0 0 0 0\n").unwrap();
    fs::write(proc.join("meminfo"), "MemTotal:        8388608 kB\n").unwrap();
    Settings {
        devices: ergometer::Devices::All,
        sysfs_root: tree.sys(),
        proc_root: proc,
        nvml_library: Some("/nowhere/libnvidia-ml.so.1".into()),
        fixed: fixed.iter().map(|&(kind, watts)| (kind, Watts::new(watts))).collect(),
        platform: false,
        ..Settings::default()
    }
}

fn domains(settings: &Settings) -> (Vec<String>, Vec<SourceReport>) {
    let zones = fs::read_dir(settings.sysfs_root.join("class/powercap")).into_iter().flatten();
    let counters: Vec<_> =
        zones.map(|zone| (zone.unwrap().path().join("energy_uj"), 20.0)).collect();
    let (sources, reports) = sensors::counting(&counters, || probe(settings));
    let given = sources.iter().flat_map(|source| source.domains().to_vec()).map(|one| one.id);
    let given: Vec<_> = given.collect();
    let reported: Vec<String> = reports.iter().flat_map(|report| report.domains.clone()).collect();
    assert_eq!(given, reported, "the reports say what the sources give");
    (given, reports)
}

fn remarks<'a>(reports: &'a [SourceReport], source: &str) -> &'a [String] {
    &reports.iter().find(|report| report.source == source).unwrap().remarks
}

#[test]
fn the_model_stands_in_only_for_what_nothing_else_gives() {
    let [none, package, both] = [0; 3].map(|_| hwmon::Tree::new());
    zone(&package.sys(), "intel-rapl:0", "package-0");
    laptop(&both);
    let given = |tree| domains(&settings(tree, &[])).0;
    assert_eq!(given(&none), ["cpu-model:package", "cpu-model:dram"]);
    assert_eq!(given(&package), ["rapl:package-0", "cpu-model:dram"]);
    assert_eq!(given(&both), ["rapl:package-0", "rapl:package-0:dram"]);
}

#[test]
fn a_stated_power_replaces_the_model_and_steps_back_before_a_counter() {
    let (none, package) = (hwmon::Tree::new(), hwmon::Tree::new());
    zone(&package.sys(), "intel-rapl:0", "package-0");
    let stated =
        [(DomainKind::CpuPackage, 65.0), (DomainKind::Gpu, 200.0), (DomainKind::Gpu, 90.0)];
    assert_eq!(
        domains(&settings(&none, &stated)).0,
        ["cpu-model:dram", "fixed:cpu-package", "fixed:gpu", "fixed:gpu-2"]
    );
    assert_eq!(
        domains(&settings(&package, &stated)).0,
        ["rapl:package-0", "cpu-model:dram", "fixed:gpu", "fixed:gpu-2"]
    );
}

#[test]
fn a_stated_power_that_is_none_is_refused_with_its_reason() {
    let tree = hwmon::Tree::new();
    let (sources, reports) = fixed_only(&settings(&tree, &[(DomainKind::Gpu, f64::NAN)]));
    assert!(sources.is_empty());
    let Availability::Unavailable { reason, .. } = &reports[0].availability else {
        panic!("{reports:?}")
    };
    assert!(reason.contains("NaN"), "{reason}");
}

#[test]
fn the_platform_is_metered_when_asked_for_and_then_alone() {
    let tree = hwmon::Tree::new();
    laptop(&tree);
    let components = settings(&tree, &[]);
    assert_eq!(domains(&components).0, ["rapl:package-0", "rapl:package-0:dram"]);
    let platform = Settings { platform: true, ..components };
    assert_eq!(domains(&platform).0, ["rapl:psys"]);
    // What the user states of its components steps back too; a GPU has its own supply.
    let stated = [
        (DomainKind::CpuPackage, Watts::new(65.0)),
        (DomainKind::Psys, Watts::new(80.0)),
        (DomainKind::Gpu, Watts::new(200.0)),
    ];
    let platform = Settings { fixed: stated.to_vec(), ..platform };
    assert_eq!(domains(&platform).0, ["rapl:psys", "fixed:gpu"]);
}

#[test]
fn where_there_is_no_platform_its_components_are_metered_and_it_says_so() {
    let tree = hwmon::Tree::new();
    zone(&tree.sys(), "intel-rapl:0", "package-0");
    let settings = Settings { platform: true, ..settings(&tree, &[]) };
    let (given, reports) = domains(&settings);
    assert_eq!(given, ["rapl:package-0", "cpu-model:dram"]);
    let said = remarks(&reports, "rapl");
    assert!(said.iter().any(|line| line.contains("no psys zone")), "{said:?}");
}

#[test]
fn powercap_is_preferred_and_the_other_door_says_it_is_not_used() {
    let tree = hwmon::Tree::new();
    laptop(&tree);
    let (_, reports) = domains(&settings(&tree, &[]));
    let perf = reports.iter().find(|report| report.source == "perf").unwrap();
    assert_eq!(perf.availability, Availability::Available);
    assert!(perf.remarks[0].starts_with("not used: rapl"), "{perf:?}");

    let (_, reports) = domains(&settings(&hwmon::Tree::new(), &[]));
    let perf = reports.iter().find(|report| report.source == "perf").unwrap();
    assert!(matches!(perf.availability, Availability::Unavailable { .. }), "{perf:?}");
}

#[test]
fn an_apu_gives_the_package_only_where_rapl_does_not() {
    let tree = hwmon::phoenix();
    let (given, _) = domains(&settings(&tree, &[]));
    assert_eq!(given, ["hwmon:0000:c1:00.0", "cpu-model:dram"]);
    laptop(&tree);
    let (given, reports) = domains(&settings(&tree, &[]));
    assert_eq!(given, ["rapl:package-0", "rapl:package-0:dram"]);
    assert!(remarks(&reports, "hwmon")[0].contains("rapl"), "{reports:?}");
}

#[test]
fn a_module_contains_its_processor_its_memory_and_its_gpu() {
    let tree = hwmon::orin();
    let stated = [(DomainKind::Gpu, 10.0), (DomainKind::CpuPackage, 5.0)];
    let (given, reports) = domains(&settings(&tree, &stated));
    assert_eq!(given, ["hwmon:1-0040"]);
    assert_eq!(remarks(&reports, "fixed").len(), 2, "{reports:?}");
}

#[test]
fn a_stated_node_contains_everything_that_is_found() {
    let tree = hwmon::phoenix();
    laptop(&tree);
    let stated = [(DomainKind::Node, 400.0), (DomainKind::Gpu, 200.0)];
    let (given, reports) = domains(&settings(&tree, &stated));
    assert_eq!(given, ["fixed:node"]);
    let said = remarks(&reports, "rapl");
    assert!(said.iter().any(|line| line.contains("in the node")), "{said:?}");
    let said = remarks(&reports, "fixed");
    assert!(said[0].contains("in the stated node"), "{said:?}");
}

#[test]
fn a_stated_platform_contains_the_processor_and_the_memory() {
    let tree = hwmon::phoenix();
    let bare = [(DomainKind::Psys, 60.0), (DomainKind::Gpu, 200.0)];
    assert_eq!(domains(&settings(&tree, &bare)).0, ["fixed:psys", "fixed:gpu"]);
    laptop(&tree);
    assert_eq!(domains(&settings(&tree, &bare)).0, ["fixed:psys", "fixed:gpu"]);
}

#[test]
fn a_stated_power_that_is_none_contains_nothing() {
    let tree = hwmon::Tree::new();
    laptop(&tree);
    let (given, _) = domains(&settings(&tree, &[(DomainKind::Node, f64::NAN)]));
    assert_eq!(given, ["rapl:package-0", "rapl:package-0:dram"]);
}

#[test]
fn where_nothing_was_stated_nothing_is_said_of_it() {
    let (_, reports) = domains(&settings(&hwmon::Tree::new(), &[]));
    let names: Vec<_> = reports.iter().map(|report| report.source.as_str()).collect();
    assert_eq!(names, ["nvml", "rapl", "perf", "hwmon", "cpu-model"]);
}
