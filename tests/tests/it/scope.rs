//! The machine's energy, and a program's share of it, on the machine the tests run on.

use std::time::{Duration, Instant};

use ergometer::energy::Method;
use ergometer::record::Record;
use ergometer::source::{Availability, DomainKind};
use ergometer::units::Watts;
use ergometer::{Meter, Scope};

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
