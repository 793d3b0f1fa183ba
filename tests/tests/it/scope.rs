//! The machine's energy, and a program's share of it, on the machine the tests run on.

use std::time::{Duration, Instant};

use ergometer::energy::Method;
use ergometer::record::Record;
use ergometer::source::{Availability, DomainKind};
use ergometer::units::Watts;
use ergometer::{Devices, Meter, Scope};

use crate::nvml::{BOARD_0, BOARD_1, Simulated};

/// A meter of `scope` that finds nothing but `/proc`.
fn meter(scope: Scope, proc_root: &str) -> Meter {
    let nothing = tempfile::tempdir().unwrap();
    Meter::builder()
        .sysfs_root(nothing.path())
        .nvml_library(nothing.path().join("libnvidia-ml.so.1"))
        .proc_root(proc_root)
        .fixed(DomainKind::Gpu, Watts::new(100.0))
        .scope(scope)
        .start()
        .unwrap()
}

fn joules(record: &Record, id: &str) -> f64 {
    let row = record.domains.iter().find(|row| row.domain.id == id);
    row.unwrap_or_else(|| panic!("no {id}: {record}")).energy.unwrap().joules.get()
}

#[test]
fn a_program_gets_a_part_of_what_the_machine_draws() {
    let (machine, process) = (meter(Scope::Machine, "/proc"), meter(Scope::Process, "/proc"));
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1200) {
        std::hint::spin_loop();
    }
    let (process, machine) = (process.finish().unwrap(), machine.finish().unwrap());
    for id in ["cpu-model:package", "cpu-model:dram"] {
        let (whole, part) = (joules(&machine, id), joules(&process, &format!("{id}/process")));
        assert!(part > 0.0 && part <= 1.02 * whole, "{id}: {part} J of {whole} J");
    }
    let row = &process.domains[0];
    assert_eq!(row.domain.method, Method::Modelled);
    let report = process.sources.iter().find(|report| report.source == "cpu-model").unwrap();
    assert_eq!(report.domains, ["cpu-model:package/process", "cpu-model:dram/process"]);
    let table = process.to_string();
    assert!(table.contains("share of CPU time"), "{table}");
    // What the user states is taken as it is.
    assert!(joules(&process, "fixed:gpu") > 0.0);
}

#[test]
fn without_the_process_in_proc_the_share_is_unavailable_and_says_why() {
    let empty = tempfile::tempdir().unwrap();
    std::fs::write(empty.path().join("stat"), "cpu  1 0 0 1 0 0 0 0 0 0\n").unwrap();
    let record = meter(Scope::Process, empty.path().to_str().unwrap()).finish().unwrap();
    let report = record.sources.iter().find(|report| report.source == "cpu-model").unwrap();
    let Availability::Unavailable { reason, remedy } = &report.availability else {
        panic!("{report:?}")
    };
    assert!(reason.contains("share") && remedy.contains("Scope::Machine"), "{reason}; {remedy}");
    assert!(record.domains.iter().all(|row| row.domain.source == "fixed"), "{record}");
}

/// The processes 10 and 20 of a machine, of which `own` is this one; `namespace` is the number of theirs.
fn processes(own: &str, namespace: &str) -> tempfile::TempDir {
    let proc = tempfile::tempdir().unwrap();
    std::fs::write(proc.path().join("stat"), "cpu  1 0 0 1 0 0 0 0 0 0\n").unwrap();
    for pid in ["10", "20"] {
        let line = format!("{pid} (p) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 1 1");
        for folder in [pid, "self"].into_iter().filter(|folder| *folder == pid || pid == own) {
            std::fs::create_dir(proc.path().join(folder)).unwrap();
            std::fs::write(proc.path().join(folder).join("stat"), &line).unwrap();
        }
    }
    std::fs::create_dir(proc.path().join("self/ns")).unwrap();
    let link = proc.path().join("self/ns/pid");
    std::os::unix::fs::symlink(format!("pid:[{namespace}]"), link).unwrap();
    proc
}

/// The machine's first PID namespace, whose numbers a driver uses.
const FIRST: &str = "4026531836";
/// Another one, as a container has it.
const CONTAINER: &str = "4026532999";

/// A meter of the boards of `machine`.
fn of_boards(machine: &Simulated, scope: Scope, proc: &tempfile::TempDir) -> Meter {
    Meter::builder()
        .sysfs_root(proc.path().join("no-sys"))
        .nvml_library(machine.library())
        .proc_root(proc.path())
        .devices(Devices::All)
        .scope(scope)
        .start()
        .unwrap()
}

#[test]
fn an_nvidia_board_is_divided_between_its_programs_and_the_shares_add_up_to_it() {
    let machine =
        Simulated::new("boards=2;curve=constant:240;0.utilisation=10:30,20:60;1.utilisation=20:5");
    let (ten, twenty) = (processes("10", FIRST), processes("20", FIRST));
    let meters = [
        of_boards(&machine, Scope::Machine, &ten),
        of_boards(&machine, Scope::Process, &ten),
        of_boards(&machine, Scope::Process, &twenty),
    ];
    std::thread::sleep(Duration::from_millis(1500));
    let [whole, ten, twenty] = meters.map(|meter| meter.finish().unwrap());
    let share = |record: &Record, board: &str| {
        // The meters did not run for exactly as long.
        let part = joules(record, &format!("{board}/process")) / record.run.seconds;
        part / (joules(&whole, board) / whole.run.seconds)
    };
    for (record, board, expected) in [
        (&ten, BOARD_0, 1.0 / 3.0),
        (&twenty, BOARD_0, 2.0 / 3.0),
        (&ten, BOARD_1, 0.0),
        (&twenty, BOARD_1, 1.0),
    ] {
        let share = share(record, board);
        assert!((share - expected).abs() < 0.05, "{board}: {share}, not {expected}: {record}");
    }
    let rows = || ten.domains.iter().filter(|row| row.domain.source == "nvml");
    assert!(rows().all(|row| row.domain.method == Method::Modelled), "{ten}");
    assert!(ten.to_string().contains("multiprocessors"), "{ten}");
    let report = ten.sources.iter().find(|report| report.source == "nvml").unwrap();
    assert_eq!(report.domains, [format!("{BOARD_0}/process"), format!("{BOARD_1}/process")]);
}

#[test]
fn a_board_whose_users_are_not_known_is_metered_whole_and_says_why() {
    for (settings, namespace, reason) in [
        ("", FIRST, "not available on the target device"),
        (";mig=yes;utilisation=10:30,20:60", FIRST, "not available on the target device"),
        (";utilisation=10:30,20:60", CONTAINER, "container"),
    ] {
        let machine = Simulated::new(&format!("boards=1;curve=constant:240{settings}"));
        let proc = processes("10", namespace);
        let meter = of_boards(&machine, Scope::Process, &proc);
        std::thread::sleep(Duration::from_millis(600));
        let record = meter.finish().unwrap();
        let drawn = joules(&record, BOARD_0) / record.run.seconds;
        // The ends of a run this short are known to some 20 W; a third of the board would be 80 W.
        assert!((drawn - 240.0).abs() < 60.0, "{settings}: {drawn} W");
        let board = record.domains.iter().find(|row| row.domain.id == BOARD_0).unwrap();
        assert_eq!(board.domain.method, Method::Counter, "{settings}");
        let note = board.domain.note.as_deref().unwrap();
        assert!(note.contains("whole board") && note.contains(reason), "{settings}: {note}");
    }
}

#[test]
fn a_board_that_nobody_has_used_yet_is_charged_to_nobody() {
    let proc = processes("10", FIRST);
    for settings in ["utilisation=none", "utilisation=10:0,20:0"] {
        let machine = Simulated::new(&format!("boards=1;curve=constant:60;{settings}"));
        let meter = of_boards(&machine, Scope::Process, &proc);
        std::thread::sleep(Duration::from_millis(600));
        let record = meter.finish().unwrap();
        let drawn = joules(&record, &format!("{BOARD_0}/process")) / record.run.seconds;
        assert!(drawn.abs() < 1e-6, "{settings}: {drawn} W");
    }
}
