//! Sensors that can be read and do not work, and those that stop.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::energy::Method;
use ergometer::record::DomainRecord;
use ergometer::record::Record;
use ergometer::{Devices, Meter, MeterBuilder};

use crate::boards::only;
use crate::nvml::Simulated;
use crate::{hwmon, rapl};

/// While `f` runs, the files are counters in µJ that go on at their watts.
pub fn counting<R>(files: &[(PathBuf, f64)], f: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            while !done.load(Ordering::Relaxed) {
                for (file, watts) in files {
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                    let micro = 1_000_000 + (start.elapsed().as_secs_f64() * watts * 1e6) as u64;
                    // In one step, as the kernel does it: a reader never sees half a number.
                    let new = file.with_extension("new");
                    fs::write(&new, format!("{micro}\n")).unwrap();
                    fs::rename(new, file).unwrap();
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        let result = f();
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn without_nvidia() -> MeterBuilder {
    Meter::builder().nvml_library("/nowhere/libnvidia-ml.so.1").devices(Devices::All)
}

/// A run of these seconds on what is below `sys`.
fn run(sys: PathBuf, seconds: f64) -> Record {
    let meter = without_nvidia().sysfs_root(sys).start().unwrap();
    thread::sleep(Duration::from_secs_f64(seconds));
    meter.finish().unwrap()
}

fn row<'a>(record: &'a Record, id: &str) -> &'a DomainRecord {
    record.domains.iter().find(|row| row.domain.id == id).unwrap_or_else(|| panic!("{record:#?}"))
}

fn ids(record: &Record) -> Vec<&str> {
    record.domains.iter().map(|row| row.domain.id.as_str()).collect()
}

fn remarks<'a>(record: &'a Record, source: &str) -> &'a [String] {
    &record.sources.iter().find(|report| report.source == source).unwrap().remarks
}

#[track_caller]
fn near(row: &DomainRecord, joules: f64) {
    let found = row.energy.unwrap().joules.get();
    assert!((found / joules - 1.0).abs() < 0.05, "{}: {found} J for {joules} J", row.domain.id);
}

#[test]
fn registers_that_never_change_are_not_used_and_the_model_stands_in() {
    let tree = rapl::Tree::new().zone("intel-rapl:0", "package-0", 262_143).zone(
        "intel-rapl:0:0",
        "dram",
        0,
    );
    let record = run(tree.sys(), 1.0);
    assert_eq!(ids(&record), ["cpu-model:package", "cpu-model:dram"]);
    let package = row(&record, "cpu-model:package");
    assert_eq!(package.domain.method, Method::Modelled);
    assert!(package.energy.unwrap().joules.get() > 0.0);
    let report = record.sources.iter().find(|report| report.source == "rapl").unwrap();
    let text = format!("{report:?}");
    assert!(text.contains("stand still") && text.contains("rapl:package-0:dram"), "{text}");
}

/// What the record warns of sensors that were left out.
fn left_out(record: &Record) -> Vec<&str> {
    let lines = record.warnings.iter().map(String::as_str);
    lines.filter(|line| line.contains("was left out because")).collect()
}

#[test]
fn a_register_that_moves_only_later_is_left_out_and_the_record_warns() {
    let tree =
        rapl::Tree::new().zone("intel-rapl:0", "package-0", 1).zone("intel-rapl:0:0", "dram", 0);
    let folders = ["intel-rapl:0", "intel-rapl:0:0"];
    let [package, memory] = folders.map(|folder| tree.folder(folder).join("energy_uj"));
    let started = || without_nvidia().sysfs_root(tree.sys()).start().unwrap();

    // Neither moves at the start, and then the package does.
    let meter = started();
    fs::write(&package, "40000000\n").unwrap();
    // The end of a run reads it, as every second or two before.
    let record = meter.finish().unwrap();
    assert_eq!(ids(&record), ["cpu-model:package", "cpu-model:dram"]);
    let [line] = left_out(&record)[..] else { panic!("{:?}", record.warnings) };
    assert!(line.starts_with("rapl:package-0 was left out"), "{line}");

    // Beside a package that moves from the start on, the memory is read with it.
    let record = counting(&[(package, 40.0)], || {
        let meter = started();
        fs::write(&memory, "5000000\n").unwrap();
        meter.finish().unwrap()
    });
    assert_eq!(ids(&record), ["rapl:package-0", "cpu-model:dram"]);
    let [line] = left_out(&record)[..] else { panic!("{:?}", record.warnings) };
    assert!(line.starts_with("rapl:package-0:dram was left out"), "{line}");
}

#[test]
fn a_socket_whose_driver_updates_once_a_second_is_used() {
    let tree = hwmon::Tree::new().device(
        0,
        "platform/zenergy.0",
        &[("name", "zenergy"), ("energy1_label", "Esocket0"), ("energy1_input", "1000000")],
    );
    let file = tree.file(0, "energy1_input");
    let done = AtomicBool::new(false);
    let record = thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            while !done.load(Ordering::Relaxed) {
                // Every 0.7 s: beside other tests this thread may be late, and a sensor that does not change for 1.1 s is left out.
                let joules = 1 + 28 * (start.elapsed().as_millis() / 700);
                let new = file.with_extension("new");
                fs::write(&new, format!("{joules}000000\n")).unwrap();
                fs::rename(new, &file).unwrap();
                thread::sleep(Duration::from_millis(2));
            }
        });
        let record = run(tree.sys(), 5.0);
        done.store(true, Ordering::Relaxed);
        record
    });
    assert!(!ids(&record).contains(&"cpu-model:package"), "{record}");
    let socket = record.domains.iter().find(|row| row.domain.source == "hwmon").unwrap();
    let energy = socket.energy.unwrap();
    let off = (energy.joules.get() - 40.0 * record.run.seconds).abs();
    assert!(off <= 40.0, "a second at the ends: {energy:?}");
    assert_eq!(left_out(&record), Vec::<&str>::new());
}

#[test]
fn a_memory_that_never_changes_beside_a_package_that_does_is_modelled() {
    let tree =
        rapl::Tree::new().zone("intel-rapl:0", "package-0", 1).zone("intel-rapl:0:0", "dram", 0);
    let package = tree.folder("intel-rapl:0").join("energy_uj");
    let record = counting(&[(package, 40.0)], || run(tree.sys(), 1.5));
    assert_eq!(ids(&record), ["rapl:package-0", "cpu-model:dram"]);
    near(row(&record, "rapl:package-0"), 40.0 * record.run.seconds);
    assert_eq!(row(&record, "cpu-model:dram").domain.method, Method::Modelled);
    assert!(remarks(&record, "rapl")[0].contains("rapl:package-0:dram stands still"));
}

#[test]
fn the_second_dies_of_two_boards_are_named_and_no_boards() {
    let mut tree = hwmon::Tree::new();
    for (number, watts) in [(0, 89), (1, 0), (2, 93), (3, 0)] {
        let power = format!("{watts}000000");
        let place = format!("pci0000:30/0000:30:03.1/0000:3{number}:00.0");
        tree = tree.device(number, &place, &[("name", "amdgpu"), ("power1_average", &power)]);
    }
    let record = run(tree.sys(), 1.0);
    assert_eq!(ids(&record)[..2], ["hwmon:0000:30:00.0", "hwmon:0000:32:00.0"]);
    near(row(&record, "hwmon:0000:30:00.0"), 89.0 * record.run.seconds);
    near(row(&record, "hwmon:0000:32:00.0"), 93.0 * record.run.seconds);
    assert_eq!(record.machine.accelerators.len(), 2);
    assert_eq!(record.footprint.accelerators, 2);
    let said = remarks(&record, "hwmon");
    for (second, first) in [("31", "30"), ("33", "32")] {
        let remark =
            said.iter().find(|remark| remark.starts_with(&format!("hwmon:0000:{second}:00.0 ")));
        let remark = remark.unwrap_or_else(|| panic!("{said:?}"));
        assert!(remark.contains(&format!("that of hwmon:0000:{first}:00.0")), "{remark}");
    }
}

#[test]
fn a_board_that_shows_no_power_at_first_is_metered_if_it_does_later_and_has_no_energy_if_not() {
    let board = |tree: hwmon::Tree| {
        tree.device(0, hwmon::RX_7900, &[("name", "amdgpu"), ("power1_input", "0")])
    };
    let never = run(board(hwmon::Tree::new()).sys(), 1.5);
    let row_of_it = row(&never, "hwmon:0000:03:00.0");
    assert_eq!(row_of_it.energy, None);
    assert!(never.warnings.iter().any(|line| line.contains("never moved")), "{:?}", never.warnings);
    assert_eq!(never.footprint.accelerators, 0);

    let tree = board(hwmon::Tree::new());
    let meter = without_nvidia().sysfs_root(tree.sys()).start().unwrap();
    fs::write(tree.file(0, "power1_input"), "50000000\n").unwrap();
    thread::sleep(Duration::from_millis(1500));
    let later = meter.finish().unwrap();
    near(row(&later, "hwmon:0000:03:00.0"), 50.0 * later.run.seconds);
}

#[test]
fn of_an_intel_card_the_counter_that_moves_is_used_and_it_says_so() {
    let tree = hwmon::Tree::new().device(
        2,
        hwmon::ARC,
        &[("name", "xe"), ("energy1_input", "0"), ("energy2_input", "5000000")],
    );
    let chip = tree.file(2, "energy2_input");
    let record = counting(&[(chip, 100.0)], || run(tree.sys(), 3.0));
    let card = row(&record, "hwmon:0000:04:00.0");
    near(card, 100.0 * record.run.seconds);
    let note = card.domain.note.as_ref().unwrap();
    assert!(note.contains("energy1_input stands still"), "{note}");
}

#[test]
fn a_counter_that_stops_for_good_is_flagged_and_its_coverage_falls() {
    let tree = rapl::Tree::new().zone("intel-rapl:0", "package-0", 1);
    let package = tree.folder("intel-rapl:0").join("energy_uj");
    // What the register showed: on a busy machine its thread may come to it late.
    let shown = || fs::read_to_string(&package).unwrap().trim().parse::<f64>().unwrap() * 1e-6;
    let (meter, begin) = counting(&[(package.clone(), 40.0)], || {
        let meter = without_nvidia().sysfs_root(tree.sys()).start().unwrap();
        let begin = shown();
        thread::sleep(Duration::from_secs(2));
        (meter, begin)
    });
    let truth = shown() - begin;
    thread::sleep(Duration::from_secs(6));
    let record = meter.finish().unwrap();
    let package = row(&record, "rapl:package-0");
    near(package, truth);
    let energy = package.energy.unwrap();
    assert!((energy.coverage - 2.0 / 8.0).abs() < 0.05, "{energy:?}");
    // What it may have drawn since lies within two standard uncertainties.
    let truth = 40.0 * record.run.seconds;
    let within = 2.0 * energy.standard_uncertainty.get();
    assert!((truth - energy.joules.get()).abs() < within, "{energy:?}");
    assert!(package.warnings.iter().any(|line| line.contains("stands still")), "{package:?}");
}

#[test]
fn a_power_above_the_limit_of_its_board_is_flagged_and_far_above_it_rejected() {
    let tree = hwmon::Tree::new().device(
        0,
        hwmon::RX_7900,
        &[("name", "amdgpu"), ("power1_input", "500000000"), ("power1_cap", "300000000")],
    );
    let record = run(tree.sys(), 1.0);
    let board = row(&record, "hwmon:0000:03:00.0");
    near(board, 500.0 * record.run.seconds);
    let said = board.warnings.join("\n");
    assert!(said.contains("500 W") && said.contains("1.7 times the limit"), "{said}");

    fs::write(tree.file(0, "power1_input"), "1300000000\n").unwrap();
    let record = run(tree.sys(), 1.0);
    let board = row(&record, "hwmon:0000:03:00.0");
    assert_eq!(board.energy, None);
    assert!(board.failed_readings > 0, "{board:?}");
}

#[test]
fn an_nvidia_board_whose_counter_and_power_stay_at_0_has_no_energy() {
    let machine = Simulated::new("boards=2;curve=constant:100;0.curve=constant:0");
    let meter = only(&machine).devices(Devices::All).start().unwrap();
    thread::sleep(Duration::from_secs(4));
    let record = meter.finish().unwrap();
    let [dead, working] = &record.domains[..2] else { panic!("{record:#?}") };
    assert_eq!(dead.energy, None, "{dead:?}");
    near(working, 100.0 * record.run.seconds);
    assert_eq!(record.footprint.accelerators, 1);
}

/// A run on a `/proc` of one processor model, of which a container sees eight logical processors.
fn on_a_model(stat: &str) -> Record {
    let tree = rapl::Tree::new();
    let cpu = |number: u32| {
        format!(
            "processor\t: {number}\nmodel name\t: AMD EPYC 9754 128-Core Processor\n\
             physical id\t: 0\nsiblings\t: 256\nflags\t\t: fpu lm\n\n"
        )
    };
    fs::write(tree.proc().join("cpuinfo"), (0..8).map(cpu).collect::<String>()).unwrap();
    fs::write(tree.proc().join("meminfo"), "MemTotal: 1048576 kB\n").unwrap();
    fs::write(tree.proc().join("stat"), stat).unwrap();
    let meter = without_nvidia().sysfs_root(tree.sys()).proc_root(tree.proc()).start().unwrap();
    thread::sleep(Duration::from_millis(1500));
    meter.finish().unwrap()
}

#[test]
fn processor_time_that_stands_still_is_no_energy_of_0_and_a_container_has_its_share() {
    // All zeros, as gVisor shows it: half way between idle and full, of 8 of 256 logical processors.
    let unseen = on_a_model("cpu  0 0 0 0 0 0 0 0 0 0\n");
    let package = row(&unseen, "cpu-model:package");
    near(package, 360.0 * 8.0 / 256.0 * 0.785 * (0.5 * (1.0 + 0.293)) * unseen.run.seconds);
    let energy = package.energy.unwrap();
    assert!(energy.standard_uncertainty.get() > 0.5 * energy.joules.get(), "{energy:?}");
    assert_eq!(unseen.machine.logical_cpus, Some(256));
    assert_eq!(unseen.machine.available_cpus, Some(8.0));

    let standing = on_a_model("cpu  700 0 0 9000 0 0 0 0 0 0\n");
    assert_eq!(row(&standing, "cpu-model:package").energy, None);
    assert!(standing.warnings.iter().any(|line| line.contains("cpu-model:package")), "{standing}");
}
