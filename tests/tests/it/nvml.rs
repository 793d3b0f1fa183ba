//! NVIDIA boards, through the real `nvml-wrapper` and a simulated library.

use std::path::Path;
use std::thread;
use std::time::Duration;

use ergometer::clock;
use ergometer::energy::{Method, Uncertainty};
use ergometer::private::sources::nvml;
use ergometer::record::DomainRecord;
use ergometer::record::Record;
use ergometer::source::{Availability, PowerSource, Reading, Request, SourceReport, Value};
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{Devices, Kind, Meter};
use nvml_sim::{AMPLE_SHARE, Machine, monotonic_ns};
use tempfile::TempDir;

pub const BOARD_0: &str = "nvml:GPU-00000000-0000-4000-8000-000000000000";
pub const BOARD_1: &str = "nvml:GPU-00000000-0000-4000-8000-000000000001";

pub use nvml_sim::Installed as Simulated;

/// A machine's boards, each a source of its own.
fn boards(machine: &Simulated) -> (Vec<Box<dyn PowerSource>>, SourceReport) {
    let (boards, report) = open(Some(&machine.library()));
    assert!(!boards.is_empty(), "{report:?}");
    (boards, report)
}

/// All boards of a library, whatever the environment says.
fn open(library: Option<&Path>) -> (Vec<Box<dyn PowerSource>>, SourceReport) {
    nvml::open(
        library,
        Path::new("/proc"),
        &Devices::All,
        &nvml::Environment::default(),
        AMPLE_SHARE,
    )
}

/// Reads a board as the meter does, whenever it wants to be read, for `length`.
pub fn drive(board: &mut dyn PowerSource, length: Duration) -> Vec<Reading> {
    let mut readings = Vec::new();
    board.read(Request::Edge, &mut readings);
    let end = clock::now().after(length);
    while clock::now() < end {
        let due = board.next_read().map_or(end, |due| due.by).min(end);
        thread::sleep(due.since(clock::now()));
        board.read(Request::Routine, &mut readings);
    }
    board.read(Request::Edge, &mut readings);
    thread::sleep(board.last_read(clock::now()).since(clock::now()));
    board.read(Request::Last, &mut readings);
    readings
}

/// The counter's values: when they held, within how many seconds, and joules.
pub fn energies(readings: &[Reading]) -> Vec<(f64, f64, f64)> {
    let energy = |reading: &Reading| match reading.value {
        Value::Energy(joules) => {
            Some((reading.at.as_secs_f64(), reading.within.as_secs_f64(), joules.get()))
        }
        _ => None,
    };
    readings.iter().filter_map(energy).collect()
}

/// The powers, watts.
pub fn powers(readings: &[Reading]) -> Vec<f64> {
    let power = |reading: &Reading| match reading.value {
        Value::Power(watts) => Some(watts.get()),
        _ => None,
    };
    readings.iter().filter_map(power).collect()
}

/// What else was said.
pub fn troubles(readings: &[Reading]) -> Vec<&Value> {
    readings
        .iter()
        .map(|reading| &reading.value)
        .filter(|value| matches!(value, Value::Missing(_) | Value::Restarted(_)))
        .collect()
}

fn reason(report: &SourceReport) -> &str {
    match &report.availability {
        Availability::Unavailable { reason, remedy } => {
            for line in [reason, remedy] {
                assert!(!line.is_empty() && !line.contains('\n'), "not one line: {line:?}");
            }
            reason
        }
        Availability::Available => panic!("available: {report:?}"),
    }
}

#[test]
fn boards_are_known_by_uuid_and_address() {
    let machine = Simulated::new("boards=2;limit=350;1.mig=yes;name=NVIDIA Test 80GB");
    let (boards, report) = boards(&machine);
    assert_eq!(report.availability, Availability::Available);
    assert_eq!(report.domains, [BOARD_0, BOARD_1]);
    let domains: Vec<_> = boards.iter().map(|board| board.domains()[0].clone()).collect();
    let [first, second] = &domains[..] else { panic!("two boards") };
    assert_eq!(first.label, "NVIDIA Test 80GB");
    assert_eq!(first.pci_address.as_deref(), Some("0000:3b:00.0"));
    assert_eq!(second.pci_address.as_deref(), Some("0000:3c:00.0"));
    assert_eq!(first.power_limit.map(Watts::get), Some(350.0));
    assert_eq!(first.note, None);
    assert!(second.note.as_deref().is_some_and(|note| note.starts_with("shared")), "{second:?}");
}

#[test]
fn counter_and_power_where_the_board_has_both() {
    let machine = Simulated::new("curve=constant:300");
    let board = &mut boards(&machine).0[0];
    assert_eq!(board.domains()[0].method, Method::Counter);
    let readings = drive(&mut **board, Duration::from_millis(1200));
    assert_eq!(energies(&readings)[0].2, 0.0, "joules count from the first value");
    assert!(!powers(&readings).is_empty() && powers(&readings).iter().all(|watts| *watts == 300.0));
    assert!(energies(&readings).is_sorted_by_key(|reading| reading.0), "{readings:?}");
    assert!(troubles(&readings).is_empty(), "{readings:?}");
    assert!(board.domains()[0].note.as_deref().unwrap().contains("counter read"));
}

#[test]
fn a_counter_is_told_with_the_moments_for_which_it_holds() {
    let machine = Simulated::new("curve=constant:300;counter=100ms@37ms");
    let board = &mut boards(&machine).0[0];
    let readings = drive(&mut **board, Duration::from_secs(4));
    let seen = energies(&readings);
    assert!(seen.len() > 30, "it is read at its own period: {seen:?}");
    for pair in seen.windows(2) {
        let [(from, early, before), (to, late, after)] = [pair[0], pair[1]];
        let off = (after - before - 300.0 * (to - from)).abs();
        assert!(off <= 300.0 * (early + late) + 0.01, "{pair:?}");
    }
    let sharp = seen.iter().filter(|(_, within, _)| *within < 0.01).count();
    assert!(2 * sharp > seen.len(), "most updates are pinned down: {seen:?}");
    let period = board.domains()[0].sensor.counter_period_s.unwrap();
    assert!((period - 0.1).abs() < 0.002, "{period}");
}

#[test]
fn a_consumer_board_is_read_once_a_second_at_first() {
    let machine = Simulated::new("generation=rtx;curve=constant:300");
    let board = &mut boards(&machine).0[0];
    let readings = drive(&mut **board, Duration::from_secs(3));
    let seen = energies(&readings).len();
    assert!((1..=20).contains(&seen), "{seen}");
    let note = board.domains()[0].note.clone().unwrap();
    assert!(note.contains("1 s average") && note.contains("once a second"), "{note}");
}

#[test]
fn a_counter_that_fast_reading_disturbs_is_read_once_a_second_and_power_stands_in() {
    // Read every 100 ms it loses 16 %, read once a second 1.6 %.
    let machine = Simulated::new("curve=constant:300;disturb=16ms");
    let board = &mut boards(&machine).0[0];
    let readings = drive(&mut **board, Duration::from_secs(11));
    assert!(matches!(troubles(&readings)[..], [Value::Restarted(_)]), "{:?}", troubles(&readings));
    let note = board.domains()[0].note.clone().unwrap();
    assert!(note.contains("once a second: read ") && note.contains(" it differed"), "{note}");
    // None of the joules that the fast stretch lost is told: what is comes from the slow rate.
    for pair in energies(&readings).windows(2) {
        assert!(pair[1].0 - pair[0].0 > 0.5 || pair[1].0 - pair[0].0 < 0.2, "{pair:?}");
    }
}

#[test]
fn a_board_without_counter_is_integrated_and_asked_not_guessed() {
    let machine = Simulated::new("boards=2;0.counter=none;1.counter-field=no");
    let (mut boards, _) = boards(&machine);
    let [without, with] = &mut boards[..] else { panic!("two boards") };
    assert_eq!(without.domains()[0].method, Method::Integrated);
    assert_eq!(without.domains()[0].sensor.counter_period_s, None);
    assert_eq!(with.domains()[0].method, Method::Counter);
    let first = drive(&mut **without, Duration::from_millis(300));
    assert!(energies(&first).is_empty() && !powers(&first).is_empty());
    let second = drive(&mut **with, Duration::from_secs(1));
    assert!(!energies(&second).is_empty() && !powers(&second).is_empty());
    assert!(troubles(&first).is_empty() && troubles(&second).is_empty());
}

#[test]
fn without_instantaneous_power_the_average_is_used_and_placed_in_its_middle() {
    let machine = Simulated::new("boards=2;power=none;1.usage=none");
    let (mut boards, _) = boards(&machine);
    let note = boards[0].domains()[0].note.clone().unwrap();
    assert!(note.contains("1 s average"), "{note}");
    let before = clock::now();
    let mut readings = Vec::new();
    boards[0].read(Request::Edge, &mut readings);
    assert_eq!(powers(&readings), [250.0]);
    let reading = readings.iter().find(|reading| matches!(reading.value, Value::Power(_))).unwrap();
    assert!(before.since(reading.at) >= Duration::from_millis(500), "{reading:?}");
    let counter = drive(&mut *boards[1], Duration::from_millis(800));
    assert!(powers(&counter).is_empty(), "a counter has no power: {counter:?}");
}

#[test]
fn a_board_that_is_lost_says_so_and_goes_on_when_it_is_back() {
    let machine = Simulated::new("boards=3");
    let (mut boards, _) = boards(&machine);
    machine.set("boards=3;1.lost=yes");
    for (index, board) in boards.iter_mut().enumerate() {
        let readings = drive(&mut **board, Duration::from_millis(200));
        assert_eq!(powers(&readings).is_empty(), index == 1, "{index}: {readings:?}");
        assert_eq!(troubles(&readings).is_empty(), index != 1, "{index}: {readings:?}");
    }
    machine.set("boards=3");
    let readings = drive(&mut *boards[1], Duration::from_millis(200));
    assert!(!powers(&readings).is_empty() && troubles(&readings).is_empty());
}

#[test]
fn a_board_that_is_lost_from_the_start_is_named() {
    let machine = Simulated::new("boards=2;0.lost=yes");
    let (boards, report) = boards(&machine);
    assert_eq!(report.domains, [BOARD_1]);
    assert_eq!(boards.len(), 1);
    assert!(report.remarks.iter().any(|remark| remark.starts_with("board 0:")), "{report:?}");
}

#[test]
fn a_counter_that_restarts_is_neither_negative_nor_a_wrap() {
    let machine = Simulated::new("curve=constant:300;reset-at=+2s");
    let board = &mut boards(&machine).0[0];
    let readings = drive(&mut **board, Duration::from_secs(4));
    assert!(
        troubles(&readings).iter().any(|value| matches!(value, Value::Restarted(_))),
        "{readings:?}"
    );
    let joules: Vec<f64> = energies(&readings).iter().map(|reading| reading.2).collect();
    assert!(joules.is_sorted() && joules.last().unwrap() < &1300.0, "{joules:?}");
}

#[test]
fn a_counter_that_stands_still_or_gives_nonsense_is_not_used_and_both_numbers_are_told() {
    for settings in ["stuck-after=+0ns", "counter-gain=30", "counter-gain=0.05"] {
        let machine = Simulated::new(&format!("curve=constant:300;{settings}"));
        let board = &mut boards(&machine).0[0];
        let readings = drive(&mut **board, Duration::from_secs(6));
        let domain = &board.domains()[0];
        assert_eq!(domain.method, Method::Integrated, "{settings}");
        let note = domain.note.clone().unwrap();
        assert!(note.contains("counter not used: it gave"), "{settings}: {note}");
        assert!(powers(&readings).len() > 30, "{settings}");
    }
}

#[test]
fn power_that_cannot_be_is_rejected() {
    for watts in ["0", "2000000"] {
        let machine = Simulated::new(&format!("curve=constant:{watts};counter=none"));
        let board = &mut boards(&machine).0[0];
        let mut readings = Vec::new();
        board.read(Request::Routine, &mut readings);
        assert!(powers(&readings).is_empty(), "{watts} W: {readings:?}");
        assert!(matches!(troubles(&readings)[..], [Value::Missing(_)]), "{watts} W");
    }
}

#[test]
fn no_library_is_a_reason_and_not_an_error() {
    let (boards, report) = open(Some(Path::new("/nowhere/libnvidia-ml.so.1")));
    assert!(boards.is_empty() && report.domains.is_empty());
    assert!(reason(&report).contains("/nowhere/libnvidia-ml.so.1"), "{report:?}");
}

#[test]
fn a_file_that_is_no_library_is_a_reason() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (boards, report) = open(Some(file.path()));
    assert!(boards.is_empty());
    assert!(reason(&report).contains("cannot be loaded"), "{report:?}");
}

#[test]
fn each_failure_of_init_has_its_reason() {
    for (failure, words) in [
        ("driver-not-loaded", "driver is not loaded"),
        ("no-permission", "permission denied"),
        ("version-mismatch", "different versions"),
    ] {
        let machine = Simulated::new(&format!("init={failure}"));
        let (boards, report) = open(Some(&machine.library()));
        assert!(boards.is_empty());
        assert!(reason(&report).contains(words), "{failure}: {report:?}");
    }
}

#[test]
fn a_driver_without_boards_and_boards_without_sensors_are_reasons() {
    for (settings, words) in [
        ("boards=0", "no board"),
        ("power=none;usage=none;counter=none", "neither"),
        ("lost=yes", "no board can be read"),
    ] {
        let machine = Simulated::new(settings);
        let (boards, report) = open(Some(&machine.library()));
        assert!(boards.is_empty());
        assert!(reason(&report).contains(words), "{settings}: {report:?}");
    }
}

#[test]
fn libraries_at_different_paths_are_different_machines() {
    let (one, two) = (Simulated::new("boards=1"), Simulated::new("boards=2"));
    let ((first, _), (second, _)) = (boards(&one), boards(&two));
    assert_eq!((first.len(), second.len()), (1, 2));
}

/// A meter on `machine` and nothing else that could be measured.
fn meter(machine: &Simulated, nothing: &TempDir) -> Meter {
    Meter::builder()
        .label("windows")
        .nvml_library(machine.library())
        .overhead(AMPLE_SHARE)
        .sysfs_root(nothing.path())
        .proc_root(nothing.path())
        .start()
        .unwrap()
}

pub fn domain<'a>(record: &'a Record, id: &str) -> &'a DomainRecord {
    record.domains.iter().find(|domain| domain.domain.id == id).unwrap()
}

/// Opens a window of `length` under `meter` and gives its bounds on the simulation's clock.
fn window(meter: &Meter, name: &'static str, length: Duration) -> (u64, u64) {
    let start = monotonic_ns();
    let span = meter.enter(Label::new(Kind::Epoch, name));
    thread::sleep(length);
    drop(span);
    (start, monotonic_ns())
}

const WINDOWS: [(&str, u64); 5] =
    [("1 s", 1000), ("1.3 s", 1300), ("1.7 s", 1700), ("2.2 s", 2200), ("3 s", 3000)];

/// How far each window of [`WINDOWS`] is off the closed form, and how far the record says that it may be without the
/// sensor's gain (two standard uncertainties), as shares of the closed form.
fn errors(settings: &str) -> Vec<(f64, f64)> {
    let board = Machine::parse(settings).unwrap().boards.remove(0);
    let machine = Simulated::new(settings);
    let nothing = tempfile::tempdir().unwrap();
    let meter = meter(&machine, &nothing);
    let bounds: Vec<_> = WINDOWS
        .iter()
        .map(|(name, millis)| window(&meter, name, Duration::from_millis(*millis)))
        .collect();
    let record = meter.finish().unwrap();
    let index = record.domains.iter().position(|domain| domain.domain.id == BOARD_0).unwrap();
    WINDOWS
        .iter()
        .zip(bounds)
        .map(|((name, _), (start, end))| {
            let epoch = record.epochs.iter().find(|epoch| epoch.split == *name).unwrap();
            let energy = epoch.usage.by_domain[index].unwrap();
            let truth = board.curve.joules(start, end);
            let placing = Uncertainty { gain: Joules::ZERO, ..energy.parts }.standard();
            (energy.joules.get() / truth - 1.0, 2.0 * placing.get() / truth)
        })
        .collect()
}

/// Holds the windows against the closed form: to 3 %, or to what the record says where the machine was so busy that
/// the meter's thread missed updates. One window of five may be outside two standard uncertainties.
fn check_windows(settings: &str) {
    let errors = errors(settings);
    let good = errors.iter().filter(|(error, twice)| error.abs() <= twice.max(0.03)).count();
    assert!(good + 1 >= errors.len(), "{settings}: (error, 2u) {errors:.4?}");
}

#[test]
fn windows_of_a_square_wave_are_within_three_percent() {
    check_windows("curve=square:100:400:730ms");
}

#[test]
fn windows_of_a_sine_are_within_three_percent() {
    check_windows("curve=sine:100:400:730ms");
}

#[test]
fn windows_of_a_board_without_counter_are_within_three_percent() {
    // A sensor that sees all of its period; one that sees a quarter cannot be this good.
    check_windows("curve=sine:100:400:730ms;counter=none;power=20ms/20ms");
}

#[test]
fn a_lost_board_keeps_its_energy_and_says_so() {
    let machine = Simulated::new("boards=2;curve=constant:300");
    let nothing = tempfile::tempdir().unwrap();
    let meter = meter(&machine, &nothing);
    window(&meter, "both", Duration::from_millis(1500));
    machine.set("boards=2;curve=constant:300;1.lost=yes");
    window(&meter, "one", Duration::from_millis(500));
    let record = meter.finish().unwrap();
    let (whole, lost) = (domain(&record, BOARD_0), domain(&record, BOARD_1));
    assert!(lost.failed_readings > 0 && !lost.warnings.is_empty(), "{lost:?}");
    assert_eq!(whole.failed_readings, 0, "{whole:?}");
    let joules = |domain: &DomainRecord| domain.energy.unwrap().joules.get();
    // 450 J until it was lost; the meter may hold its level until the end, but not beyond.
    assert!(joules(lost) > 400.0, "{lost:?}");
    assert!(joules(lost) < 1.1 * joules(whole), "{lost:?}\n{whole:?}");
}

/// A read of an H200's counter takes 3 ms of a processor, so it is read every few seconds. What the driver samples by
/// itself every 20 ms tells the phases apart.
#[test]
fn the_driver_s_samples_tell_phases_apart_where_the_counter_is_costly() {
    const SETTINGS: &str =
        "generation=h100;curve=square:100:600:200ms;samples=20ms/20ms@7ms;latency=3ms;spin=yes";
    let machine = Simulated::new(SETTINGS);
    let truth = Machine::parse(SETTINGS).unwrap().boards.remove(0);
    let nothing = TempDir::new().unwrap();
    let meter = Meter::builder()
        .nvml_library(machine.library())
        .devices(Devices::All)
        .sysfs_root(nothing.path())
        .proc_root(nothing.path());
    let meter = meter.start().unwrap();
    let half = 100_000_000;
    let mut drawn = [("low", 0.0), ("high", 0.0)];
    let end = monotonic_ns() + 14_000_000_000;
    while monotonic_ns() < end {
        let _step = meter.span(Kind::Step);
        for (label, joules) in &mut drawn {
            let phase = meter.span(Label::new(Kind::Phase, label));
            let begin = monotonic_ns();
            // To the end of this half of the wave, give or take what the machine is late.
            thread::sleep(Duration::from_nanos(half - begin % half));
            drop(phase);
            *joules += truth.curve.joules(begin, monotonic_ns());
        }
    }
    let record = meter.finish().unwrap();
    let domain = &record.domains[0];
    let period = domain.domain.sensor.power_period_s.unwrap();
    assert!((period - 0.02).abs() < 0.002, "{period} s");
    assert!(
        domain.domain.note.as_ref().unwrap().contains("the driver's own samples"),
        "{domain:?}"
    );
    for (label, joules) in drawn {
        let phase = record.spans[0].children.iter().find(|node| node.name == label).unwrap();
        let (got, within) = (phase.by_domain[0].get(), 2.0 * phase.standard_uncertainty.get());
        assert!(
            (got - joules).abs() <= within.min(0.1 * joules),
            "{label}: {got} +- {within} J for {joules} J, {:?}",
            record.warnings
        );
    }
}
