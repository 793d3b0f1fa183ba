//! Which boards are metered, and as what: through the whole of a meter.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use ergometer::energy::Method;
use ergometer::private::sources::nvml;
use ergometer::source::Availability;
use ergometer::{Devices, Meter, MeterBuilder};
use nvml_sim::AMPLE_SHARE;

use crate::child;
use crate::nvml::{BOARD_0, BOARD_1, Simulated, domain, drive, powers};

/// A meter on `machine` and nothing else, which may read its boards as often as is of use.
pub fn only(machine: &Simulated) -> MeterBuilder {
    let meter = Meter::builder().nvml_library(machine.library()).overhead(AMPLE_SHARE);
    meter.sysfs_root("/nowhere").proc_root("/nowhere")
}

#[test]
fn a_board_is_asked_for_its_counter_whatever_it_is_called() {
    // Two that are called P100 and two that are called H100; of each, one has a counter.
    let machine = Simulated::new(
        "boards=4;generation=pascal;1.counter=100ms;2.generation=h100;2.counter=none;\
         3.generation=h100;curve=constant:200",
    );
    let meter = only(&machine).devices(Devices::All).start().unwrap();
    thread::sleep(Duration::from_millis(1500));
    let record = meter.finish().unwrap();
    let methods: Vec<_> = record.domains.iter().map(|row| row.domain.method).collect();
    let (counter, integrated) = (Method::Counter, Method::Integrated);
    assert_eq!(methods, [integrated, counter, integrated, counter]);
    for row in &record.domains {
        let energy = row.energy.unwrap();
        assert_eq!(energy.method, row.domain.method);
        let off = energy.joules.get() - 200.0 * record.run.seconds;
        assert!(off.abs() <= 2.0 * energy.standard_uncertainty.get(), "{row:?}");
    }
    let named = |index: usize| record.domains[index].domain.label.as_str();
    assert_eq!((named(0), named(2)), (named(1), named(3)));
}

#[test]
fn a_virtual_board_without_sensors_is_unavailable_and_not_zero() {
    let machine = Simulated::new("generation=vgpu");
    let record = only(&machine).devices(Devices::All).start().unwrap().finish().unwrap();
    assert!(record.domains.iter().all(|row| row.domain.source != nvml::NAME), "{record}");
    let report = record.sources.iter().find(|report| report.source == nvml::NAME).unwrap();
    let Availability::Unavailable { reason, .. } = &report.availability else {
        panic!("{report:?}")
    };
    assert!(reason.contains("neither an energy counter nor a power sensor"), "{reason}");
}

#[test]
fn the_gpu_of_a_jetson_is_part_of_its_module_and_no_other_board_is_advised() {
    let diagnosis = |name: &str, model: &str| {
        let machine = Simulated::new(&format!("generation=vgpu;name={name}"));
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("device-tree")).unwrap();
        fs::write(proc.path().join("device-tree/model"), model).unwrap();
        let meter = only(&machine).devices(Devices::All).proc_root(proc.path());
        let record = meter.start().unwrap().finish().unwrap();
        let report = record.sources.iter().find(|report| report.source == nvml::NAME).unwrap();
        let Availability::Unavailable { reason, remedy } = report.availability.clone() else {
            panic!("{report:?}")
        };
        format!("{reason}: {remedy}")
    };
    for (name, model) in
        [("Orin (nvgpu)", "another\0"), ("GPU", "NVIDIA Jetson Orin Nano Developer Kit\0")]
    {
        let jetson = diagnosis(name, model);
        assert!(jetson.contains("GPU of a Jetson") && jetson.contains("input rail"), "{jetson}");
        assert!(!jetson.contains("Kepler"), "{jetson}");
    }
    let server = diagnosis("GPU", "another\0");
    assert!(server.contains("Kepler") && !server.contains("Jetson"), "{server}");
}

#[test]
fn a_mig_instance_is_metered_as_its_whole_board_and_labelled_shared() {
    let machine = Simulated::new("boards=2;curve=constant:300;1.mig=yes;1.mig-instances=3");
    let visible = Some("MIG-00000000-0000-4000-8002-000000000001".to_owned());
    let environment = nvml::Environment { visible, ..nvml::Environment::default() };
    let (mut boards, report) = nvml::open(
        Some(&machine.library()),
        Path::new("/proc"),
        &Devices::Visible,
        &environment,
        AMPLE_SHARE,
    );
    assert_eq!(report.domains, [BOARD_1]);
    let note = boards[0].domains()[0].note.clone().unwrap();
    assert!(note.starts_with("shared"), "{note}");
    let watts = powers(&drive(&mut *boards[0], Duration::from_millis(300)));
    assert!(!watts.is_empty() && watts.iter().all(|watts| *watts == 300.0), "{watts:?}");
}

#[test]
fn one_board_of_eight_is_lost_and_the_others_go_on() {
    let machine = Simulated::new("boards=8;curve=constant:300;3.lost-after=+1500ms");
    let meter = only(&machine).devices(Devices::All).start().unwrap();
    thread::sleep(Duration::from_millis(4500));
    let record = meter.finish().unwrap();
    assert_eq!(record.domains.len(), 8);
    for (index, row) in record.domains.iter().enumerate() {
        let energy = row.energy.unwrap();
        let whole = 300.0 * record.run.seconds;
        if index == 3 {
            // 450 J less the time to start; the level of a board that fell silent is held for 1.5 s.
            let joules = energy.joules.get();
            assert!((300.0..whole - 300.0).contains(&joules), "{row:?}");
            assert!(energy.coverage < 0.9, "{row:?}");
            assert!(row.failed_readings > 0, "{row:?}");
            assert!(row.warnings.iter().any(|line| line.contains("fell off the bus")), "{row:?}");
        } else {
            // On a busy machine a counter's period may not be learnt: the record then says how far it may be off.
            let allowed = (0.05 * whole).max(2.0 * energy.standard_uncertainty.get());
            assert!((energy.joules.get() - whole).abs() < allowed, "{row:?}");
            assert_eq!(row.failed_readings, 0, "{row:?}");
        }
    }
}

/// The variable is the process's, so each value of it has a process.
#[test]
fn the_boards_that_the_environment_shows_are_metered() {
    const TEST: &str = "boards::the_boards_that_the_environment_shows_are_metered";
    const EXPECTED: &str = "ERGOMETER_TEST_EXPECTED";
    if child::is_one() {
        let machine = Simulated::new("boards=2");
        let meter = only(&machine).start().unwrap();
        let given = meter.domains().iter().map(|domain| domain.id.as_str());
        let given: Vec<_> = given.filter(|id| id.starts_with(nvml::NAME)).collect();
        assert_eq!(given.join(","), std::env::var(EXPECTED).unwrap());
        return;
    }
    for (value, expected) in [
        (None, format!("{BOARD_0},{BOARD_1}")),
        (Some(""), String::new()),
        (Some("1,0"), format!("{BOARD_1},{BOARD_0}")),
        (Some("1"), BOARD_1.to_owned()),
        (Some("nonsense"), String::new()),
    ] {
        let mut child = child::of(TEST, &[]);
        child.env(EXPECTED, expected);
        match value {
            Some(value) => child.env("CUDA_VISIBLE_DEVICES", value),
            None => child.env_remove("CUDA_VISIBLE_DEVICES"),
        };
        child::passes(&mut child);
    }
}

/// With a trap in the place of the program that other tools run.
#[test]
fn boards_are_metered_without_running_any_program() {
    const TEST: &str = "boards::boards_are_metered_without_running_any_program";
    if child::is_one() {
        let machine = Simulated::new("curve=constant:300");
        let meter = only(&machine).devices(Devices::All).start().unwrap();
        thread::sleep(Duration::from_millis(600));
        let record = meter.finish().unwrap();
        assert!(domain(&record, BOARD_0).energy.is_some(), "{record}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (trap, sprung) = (folder.path().join("nvidia-smi"), folder.path().join("sprung"));
    fs::write(&trap, format!("#!/bin/sh\n: > {}\n", sprung.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    child::passes(child::of(TEST, &[]).env("PATH", folder.path()));
    assert!(!sprung.exists());
}
