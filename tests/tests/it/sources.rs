//! Which sources are used where several give the same, and what lies in what.

use std::fs;
use std::path::Path;

use ergometer::private::sources::nvml::Environment;
use ergometer::private::sources::{Settings, fixed_only, probe};
use ergometer::source::{Availability, DomainKind, SourceReport};
use ergometer::units::Watts;
use ergometer::{Devices, ErrorKind, Meter};

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
        environment: Environment::default(),
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
fn a_stated_power_of_the_processors_that_is_not_valid_is_reported_and_not_used() {
    let tree = hwmon::Tree::new();
    let model = |text: &str| {
        let text = Some(text.to_owned());
        let settings = Settings { cpu_power_text: text, ..settings(&tree, &[]) };
        let (sources, reports) = probe(&settings);
        let mut domains = sources.iter().flat_map(|source| source.domains());
        let package = domains.find(|domain| domain.id == "cpu-model:package").unwrap();
        (package.note.clone().unwrap_or_default(), remarks(&reports, "cpu-model").to_vec())
    };
    let stated = |note: &str| note.contains("as the user states");
    let (note, remarks) = model(" 20, 180");
    assert!(stated(&note) && note.contains("from 20.0 W") && note.contains("to 180 W"), "{note}");
    assert!(!remarks.iter().any(|line| line.contains("CPU_POWER")), "{remarks:?}");
    for invalid in ["20-180", "180,20", "20", "20,NaN", "20,180,5", "-1,180", "20 W,180 W"] {
        let (note, remarks) = model(invalid);
        assert!(!stated(&note), "{invalid}: {note}");
        let named = format!("ERGOMETER_CPU_POWER=\"{invalid}\" is not valid");
        let line = remarks.iter().find(|line| line.starts_with(&named));
        assert!(line.is_some_and(|line| line.contains("20,180")), "{invalid}: {remarks:?}");
    }
}

#[test]
fn a_measured_processor_is_found_by_its_name_and_steps_back_before_a_stated_power() {
    let tree = hwmon::Tree::new();
    let file = tree.sys().with_file_name("processors.json");
    let text = r#"{"schema": "ergometer-processors/1", "processors": [{"name": "x", "logical_cpus": 1,
        "idle": 12.0, "full": 96.0, "highest_utilisation": 0.9, "records": 3, "sources": ["rapl"],
        "measured": "2026-11-26"}]}"#;
    let package = |settings: Settings| {
        let (sources, reports) = probe(&settings);
        let mut domains = sources.iter().flat_map(|source| source.domains());
        let package = domains.find(|domain| domain.id == "cpu-model:package").unwrap();
        (package.note.clone().unwrap(), remarks(&reports, "cpu-model").to_vec())
    };
    let from_variable =
        || Settings { processors_variable: Some(file.clone()), ..settings(&tree, &[]) };
    let (note, remarks) = package(from_variable());
    assert!(!note.contains("as 3 records"), "{note}");
    assert!(remarks.iter().any(|line| line.contains("ERGOMETER_PROCESSORS")), "{remarks:?}");
    fs::write(&file, text).unwrap();
    let (note, remarks) = package(from_variable());
    assert!(note.contains("as 3 records of this processor (rapl, 2026-11-26)"), "{note}");
    assert!(note.contains("from 12.0 W when idle to 96.0 W"), "{note}");
    assert!(!remarks.iter().any(|line| line.contains("PROCESSORS")), "{remarks:?}");
    let stated = Settings { cpu_power_text: Some("20,180".to_owned()), ..from_variable() };
    assert!(package(stated).0.contains("as the user states"));
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

#[test]
fn a_grace_socket_is_the_processor_with_its_memory_and_no_model_stands_beside_it() {
    let tree = hwmon::grace();
    assert_eq!(domains(&settings(&tree, &[])).0, ["hwmon:ACPI000D:01"]);
}

/// Eight AMD boards of 120 W, numbered by their bus.
fn eight_boards() -> hwmon::Tree {
    let board = |tree: hwmon::Tree, number: u32| {
        let place = format!("pci0000:00/0000:0{number}:00.0");
        tree.device(number, &place, &[("name", "amdgpu"), ("power1_average", "120000000")])
    };
    (0..8).fold(hwmon::Tree::new(), board)
}

fn boards(given: &[String]) -> Vec<&str> {
    let boards = given.iter().filter_map(|id| id.strip_prefix("hwmon:0000:0"));
    boards.map(|address| address.strip_suffix(":00.0").unwrap()).collect()
}

#[test]
fn boards_of_amd_are_those_that_its_variables_show() {
    let tree = eight_boards();
    let visible = Settings { devices: Devices::Visible, ..settings(&tree, &[]) };
    assert_eq!(boards(&domains(&visible).0).len(), 8);
    let only = |value: &str| Some(value.to_owned());
    let none = Environment::default;
    for (environment, shown) in [
        (Environment { rocr: only("2"), ..none() }, vec!["2"]),
        (Environment { hip: only("0,7"), ..none() }, vec!["0", "7"]),
        (Environment { opencl: only("3"), ..none() }, vec!["3"]),
        (Environment { rocr: only("4,5"), hip: only("1"), ..none() }, vec!["5"]),
        (Environment { visible: only("-1"), ..none() }, vec![]),
    ] {
        let (given, reports) = domains(&Settings { environment, ..visible.clone() });
        assert_eq!(boards(&given), shown);
        let said = remarks(&reports, "hwmon").iter().filter(|line| line.contains("not among"));
        assert_eq!(said.count(), 8 - shown.len(), "each that is left out is named");
    }
}

#[test]
fn a_list_chooses_boards_of_every_maker_and_an_empty_one_none() {
    let tree = eight_boards().device(
        9,
        "pci0000:00/0000:09:00.0",
        &[("name", "i915"), ("energy1_input", "5")],
    );
    let card = tree.file(9, "energy1_input");
    let chosen = |ids: &[&str]| {
        let ids = ids.iter().map(|id| id.parse().unwrap()).collect();
        let settings = Settings { devices: Devices::List(ids), ..settings(&tree, &[]) };
        sensors::counting(&[(card.clone(), 50.0)], || domains(&settings).0)
    };
    let model = ["cpu-model:package", "cpu-model:dram"];
    assert_eq!(chosen(&[]), model);
    assert_eq!(boards(&chosen(&["0000:03:00.0"])), ["3"]);
    assert_eq!(boards(&chosen(&["09:00.0", "00000000:05:00.0"])), ["5", "9"]);
}

#[test]
fn a_list_of_amd_boards_needs_no_nvml_and_one_of_unknown_boards_is_an_error() {
    let tree = eight_boards();
    let start = |ids: &[&str]| {
        let ids = ids.iter().map(|id| id.parse().unwrap()).collect();
        let meter = Meter::builder().nvml_library("/nowhere/libnvidia-ml.so.1");
        meter.sysfs_root(tree.sys()).devices(Devices::List(ids)).start()
    };
    let record = start(&["0000:03:00.0"]).unwrap().finish().unwrap();
    assert_eq!(record.footprint.accelerators, 1);
    assert_eq!(start(&["0000:0c:00.0"]).unwrap_err().kind(), ErrorKind::UnknownDevice);
    let none = start(&[]).unwrap().finish().unwrap();
    assert_eq!(none.footprint.accelerators, 0, "no rent for boards that are not used");
    assert!(none.domains.iter().all(|row| row.domain.kind != DomainKind::Gpu), "{none}");
}

#[test]
fn two_zones_of_one_name_with_counters_of_their_own_are_two_packages() {
    let tree = hwmon::Tree::new();
    zone(&tree.sys(), "intel-rapl:0", "package-0");
    zone(&tree.sys(), "intel-rapl:0:0", "dram");
    zone(&tree.sys(), "intel-rapl:1", "package-0");
    zone(&tree.sys(), "intel-rapl:1:0", "dram");
    let file = |zone: &str| tree.sys().join("class/powercap").join(zone).join("energy_uj");
    let files = [
        (file("intel-rapl:0"), 200.0),
        (file("intel-rapl:0:0"), 21.0),
        (file("intel-rapl:1"), 180.0),
        (file("intel-rapl:1:0"), 12.0),
    ];
    let settings = settings(&tree, &[]);
    let (record, seconds) = sensors::counting(&files, || {
        let meter = Meter::builder().nvml_library("/nowhere/libnvidia-ml.so.1");
        let meter = meter.sysfs_root(tree.sys()).proc_root(&settings.proc_root).start().unwrap();
        std::thread::sleep(std::time::Duration::from_secs(2));
        let record = meter.finish().unwrap();
        let seconds = record.run.seconds;
        (record, seconds)
    });
    let ids: Vec<_> = record.domains.iter().map(|row| row.domain.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "rapl:package-0",
            "rapl:package-0:dram",
            "rapl:package-0-zone-1",
            "rapl:package-0-zone-1:dram"
        ]
    );
    let total = record.total.energy.unwrap().joules.get();
    assert!((total / (413.0 * seconds) - 1.0).abs() < 0.05, "{total} J in {seconds} s");
}
