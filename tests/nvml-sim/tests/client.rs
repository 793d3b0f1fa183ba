//! The library as a client sees it, through the real `nvml-wrapper`.

use std::borrow::Borrow;
use std::time::{Duration, Instant};

use nvml_sim::{Installed, monotonic_ns};
use nvml_wrapper::bitmasks::InitFlags;
use nvml_wrapper::enum_wrappers::device::Brand;
use nvml_wrapper::enums::device::{DeviceArchitecture, SampleValue};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device, Nvml};

const POWER_AVERAGE: u32 = 185;
const POWER_INSTANT: u32 = 186;
const ENERGY: u32 = 191;

/// A copy of the library with its settings beside it, opened.
struct Simulated {
    nvml: Nvml,
    installed: Installed,
}

impl Simulated {
    fn new(settings: &str) -> Self {
        let installed = Installed::new(settings);
        let library = installed.library();
        let nvml =
            Nvml::builder().lib_path(library.as_os_str()).flags(InitFlags::empty()).init().unwrap();
        Self { nvml, installed }
    }

    fn set(&self, settings: &str) {
        self.installed.set(settings);
    }

    fn board(&self, index: u32) -> Device<'_> {
        self.nvml.device_by_index(index).unwrap()
    }
}

/// The value of a field.
fn field(board: &Device, id: u32) -> Result<u64, NvmlError> {
    let sample = board.field_values_for(&[FieldId(id)])?.remove(0)?;
    match sample.value? {
        SampleValue::U32(value) => Ok(value.into()),
        SampleValue::U64(value) => Ok(value),
        other => panic!("{other:?}"),
    }
}

fn not_supported<T>(result: impl Borrow<Result<T, NvmlError>>) -> bool {
    matches!(result.borrow(), Err(NvmlError::NotSupported))
}

#[test]
fn a_board_is_found_by_index_uuid_and_address() {
    let machine = Simulated::new("boards=2;1.generation=rtx");
    let nvml = &machine.nvml;
    assert_eq!(nvml.device_count().unwrap(), 2);
    let uuid = machine.board(1).uuid().unwrap();
    assert_eq!(nvml.device_by_uuid(&uuid[..]).unwrap().index().unwrap(), 1);
    let address = machine.board(1).pci_info().unwrap().bus_id;
    assert_eq!(nvml.device_by_pci_bus_id(&address[..]).unwrap().index().unwrap(), 1);
    for missing in [
        nvml.device_by_uuid("GPU-none").map(|_| ()),
        nvml.device_by_pci_bus_id("0000:01:00.0").map(|_| ()),
    ] {
        assert!(matches!(missing, Err(NvmlError::NotFound)));
    }
}

#[test]
fn the_machine_and_its_boards_say_what_they_are() {
    let machine = Simulated::new("boards=2;generation=h100;1.generation=rtx;1.persistence=no");
    assert_eq!(machine.nvml.sys_cuda_driver_version().unwrap(), 12_080);
    assert_eq!(machine.nvml.sys_nvml_version().unwrap(), "12.570.00");
    let (hopper, ampere) = (machine.board(0), machine.board(1));
    assert_eq!(hopper.name().unwrap(), "NVIDIA H100 80GB HBM3");
    assert_eq!(hopper.architecture().unwrap(), DeviceArchitecture::Hopper);
    assert_eq!(hopper.enforced_power_limit().unwrap(), 700_000);
    assert!(hopper.is_in_persistent_mode().unwrap());
    assert_eq!(ampere.brand().unwrap(), Brand::GeForce);
    let compute = ampere.cuda_compute_capability().unwrap();
    assert_eq!((compute.major, compute.minor), (8, 6));
    assert!(!ampere.is_in_persistent_mode().unwrap());
}

#[test]
fn each_generation_has_its_fields() {
    let machine = Simulated::new(
        "boards=4;curve=constant:300;generation=h100;1.generation=rtx;2.generation=pascal;\
         3.generation=vgpu",
    );
    let [hopper, rtx, pascal, vgpu] = [0, 1, 2, 3].map(|index| machine.board(index));
    assert_eq!(field(&hopper, POWER_INSTANT).unwrap(), 300_000);
    assert_eq!(field(&hopper, POWER_AVERAGE).unwrap(), 300_000);
    let (before, energy) = (hopper.total_energy_consumption().unwrap(), field(&hopper, ENERGY));
    assert!(before > 0 && energy.unwrap() >= before);
    assert!(not_supported(field(&rtx, POWER_INSTANT)));
    assert_eq!(
        (rtx.power_usage().unwrap(), field(&rtx, POWER_AVERAGE).unwrap()),
        (300_000, 300_000)
    );
    assert_eq!(field(&pascal, POWER_INSTANT).unwrap(), 300_000);
    assert!(not_supported(pascal.total_energy_consumption()));
    assert!(not_supported(field(&pascal, ENERGY)));
    assert_eq!(vgpu.name().unwrap(), "GRID A100X-8C");
    assert!(not_supported(vgpu.power_usage()) && not_supported(field(&vgpu, POWER_INSTANT)));
    assert!(not_supported(vgpu.enforced_power_limit()) && not_supported(vgpu.mig_mode()));
}

#[test]
fn mig_instances_are_known_by_uuid_and_have_no_power() {
    let machine = Simulated::new("boards=2;1.mig=yes;1.mig-instances=3;utilisation=12:30,13:60");
    let board = machine.board(1);
    assert_eq!(board.mig_device_count().unwrap(), 7);
    let mut uuids = Vec::new();
    for index in 0..3 {
        let instance = board.mig_device_by_index(index).unwrap();
        assert!(instance.mig_is_mig_device_handle().unwrap());
        assert_eq!(instance.mig_parent_device().unwrap().index().unwrap(), 1);
        let uuid = instance.uuid().unwrap();
        assert!(uuid.starts_with("MIG-") && !uuids.contains(&uuid), "{uuid}");
        assert_eq!(machine.nvml.device_by_uuid(&uuid[..]).unwrap().uuid().unwrap(), uuid);
        assert!(not_supported(instance.power_usage()));
        assert!(not_supported(instance.total_energy_consumption()));
        assert!(not_supported(field(&instance, POWER_INSTANT)));
        uuids.push(uuid);
    }
    assert!(matches!(board.mig_device_by_index(3), Err(NvmlError::NotFound)));
    assert!(board.power_usage().is_ok() && not_supported(board.process_utilization_stats(None)));
    assert!(not_supported(board.utilization_rates()));
    let of_second = board.mig_device_by_index(1).unwrap().running_compute_processes().unwrap();
    assert_eq!(of_second.iter().map(|process| process.pid).collect::<Vec<_>>(), [13]);
    assert!(not_supported(machine.board(0).mig_device_by_index(0)));
    assert_eq!(machine.board(0).mig_device_count().unwrap(), 0);
}

#[test]
fn processes_and_what_they_use() {
    let machine = Simulated::new("boards=2;0.utilisation=12:30,13:60");
    let (used, unknown) = (machine.board(0), machine.board(1));
    let samples = used.process_utilization_stats(None).unwrap();
    let shares: Vec<_> = samples.iter().map(|sample| (sample.pid, sample.sm_util)).collect();
    assert_eq!(shares, [(12, 30), (13, 60)]);
    assert_eq!(used.utilization_rates().unwrap().gpu, 90);
    let running = used.running_compute_processes().unwrap();
    assert_eq!(running.iter().map(|process| process.pid).collect::<Vec<_>>(), [12, 13]);
    assert!(not_supported(unknown.process_utilization_stats(None)));
    assert!(unknown.running_compute_processes().unwrap().is_empty());
}

#[test]
fn each_third_call_fails() {
    let machine = Simulated::new("");
    let board = machine.board(0);
    machine.set("errors=every:3:timeout");
    let outcomes: Vec<_> = (0..6).map(|_| board.power_usage()).collect();
    for (number, outcome) in (1..).zip(outcomes) {
        let failed = matches!(outcome, Err(NvmlError::Timeout));
        assert_eq!(failed, number % 3 == 0, "{number}: {outcome:?}");
    }
}

#[test]
fn each_second_reading_is_garbage() {
    let machine = Simulated::new("garbage=every:2");
    let board = machine.board(0);
    let powers: Vec<_> = (0..4).map(|_| board.power_usage().unwrap()).collect();
    assert_eq!(powers, [250_000, 1_000_000_000, 250_000, u32::MAX]);
    let energies: Vec<_> = (0..2).map(|_| board.total_energy_consumption().unwrap()).collect();
    assert!(energies[0] < 1 << 50 && energies[1] == 1 << 60, "{energies:?}");
}

#[test]
fn reads_take_their_time_and_calls_hang() {
    let machine = Simulated::new("latency=30ms;power-latency=15ms");
    let board = machine.board(0);
    let timed = |read: &dyn Fn()| {
        let start = Instant::now();
        read();
        start.elapsed()
    };
    let energy = timed(&|| assert!(board.total_energy_consumption().is_ok()));
    let power = timed(&|| assert!(field(&board, POWER_INSTANT).is_ok()));
    assert!(energy >= Duration::from_millis(30) && power >= Duration::from_millis(15));
    let now = monotonic_ns();
    let until = now + 200_000_000;
    machine.set(&format!("hang={now}ns..{until}ns"));
    assert!(board.name().is_ok() && monotonic_ns() >= until);
}

#[test]
fn moments_count_from_init() {
    let machine = Simulated::new("lost-after=+200ms");
    let board = machine.board(0);
    assert!(board.power_usage().is_ok());
    std::thread::sleep(Duration::from_millis(210));
    assert!(matches!(board.power_usage(), Err(NvmlError::GpuLost)));
}

#[test]
fn reading_a_disturbed_counter_loses_energy() {
    let machine = Simulated::new("curve=constant:300;counter=1ms;disturb=16ms");
    let board = machine.board(0);
    let (start, first) = (monotonic_ns(), board.total_energy_consumption().unwrap());
    let mut last = first;
    while monotonic_ns() < start + 300_000_000 {
        std::thread::sleep(Duration::from_millis(1));
        last = board.total_energy_consumption().unwrap();
    }
    let joules = (last - first) as f64 / 1000.0;
    let truth = 300.0 * (monotonic_ns() - start) as f64 * 1e-9;
    // A busy machine polls less often than it should; undisturbed it would be all of it.
    assert!(joules < 0.7 * truth, "{joules} J of {truth} J");
}

#[test]
fn settings_changed_by_turns_are_seen_at_once() {
    let machine = Simulated::new("curve=constant:100");
    let board = machine.board(0);
    for round in 0..50 {
        for watts in [100, 200] {
            machine.set(&format!("curve=constant:{watts}"));
            assert_eq!(board.power_usage().unwrap(), watts * 1000, "round {round}");
        }
    }
}
