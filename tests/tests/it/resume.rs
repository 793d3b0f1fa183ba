//! Runs that were interrupted and went on.

use std::path::Path;
use std::thread;
use std::time::Duration;

use ergometer::run::Record;
use ergometer::{ErrorKind, Kind, Meter, MeterBuilder};
use nvml_sim::{Installed, Machine, monotonic_ns};

use crate::boards::only;

const SETTINGS: &str = "boards=1;generation=h100;curve=square:100:400:730ms";

/// A second and a half of steps; what is told of it goes into the record.
fn work(meter: &Meter) {
    meter.fact("from_ns", monotonic_ns());
    for _ in 0..2 {
        let _epoch = meter.span(ergometer::span::Label::new(Kind::Epoch, "train"));
        for _ in 0..15 {
            let step = meter.span(Kind::Step);
            step.items(8_u32);
            thread::sleep(Duration::from_millis(50));
        }
    }
    meter.fact("to_ns", monotonic_ns());
}

fn builder(machine: &Installed) -> MeterBuilder {
    only(machine).devices(ergometer::Devices::All).label("resumed")
}

fn interval(record: &Record) -> (u64, u64) {
    let fact = |name: &str| record.facts[name].parse().unwrap();
    (fact("from_ns"), fact("to_ns"))
}

#[test]
fn a_resumed_run_comes_to_what_both_its_parts_drew() {
    let machine = Installed::new(SETTINGS);
    let journals = machine.folder().join("journals");

    // The first part ends without a word.
    let meter = builder(&machine).journal(&journals).start().unwrap();
    work(&meter);
    let first = meter.journal().unwrap().to_owned();
    drop(meter);
    let recovered = wait_for(&first);

    let meter = builder(&machine).journal(&journals).resume(&first).start().unwrap();
    work(&meter);
    let second = meter.journal().unwrap().to_owned();
    let record = meter.finish().unwrap();

    let [part] = record.earlier.as_slice() else { panic!("{:?}", record.earlier) };
    assert!(!part.finished && part.run_id == recovered.run.id);
    assert_eq!(part.energy, recovered.total.energy);
    let whole = record.whole();
    let energy = whole.energy.unwrap();
    let curve = &Machine::parse(SETTINGS).unwrap().boards[0].curve;
    let truth: f64 =
        [interval(&recovered), interval(&record)].iter().map(|(a, b)| curve.joules(*a, *b)).sum();
    let off = (energy.joules.get() - truth).abs();
    assert!(off <= 2.0 * energy.standard_uncertainty.get(), "{energy:?} for {truth} J");
    assert_eq!(whole.steps["train"].count, 60);
    assert!((whole.steps["train"].items - 480.0).abs() < 1e-9);
    assert!((whole.seconds - recovered.run.seconds - record.run.seconds).abs() < 1e-9);
    let kwh = whole.footprint.it_energy.unwrap().value;
    assert!((kwh.to_joules() - energy.joules).abs().get() < 1e-6);
    let table = record.to_string();
    assert!(table.contains("Parts of the run") && table.contains("interrupted"), "{table}");
    assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);

    // Its journal has the first part too, and so has the record of a third.
    assert_eq!(Record::recover(&second).unwrap().earlier, record.earlier);
    let file = machine.folder().join("second.json");
    record.write(&file).unwrap();
    let third = builder(&machine).resume(&file).start().unwrap().finish().unwrap();
    assert_eq!(third.earlier.len(), 2);
    assert!(third.earlier[1].finished && third.whole().steps["train"].count == 60);
}

/// The record of a journal whose meter was dropped, once it is written to its end.
fn wait_for(journal: &Path) -> Record {
    for _ in 0..2000 {
        let record = Record::recover(journal).unwrap();
        if record.facts.contains_key("to_ns")
            && record.steps.get("train").is_some_and(|s| s.count == 30)
        {
            return record;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("{} has no end", journal.display());
}

#[test]
fn a_run_is_not_resumed_from_what_is_not_there() {
    let nothing = Meter::builder().without_probe().resume("/nowhere/1.journal").start();
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Io);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.json");
    std::fs::write(&file, "{}").unwrap();
    let broken = Meter::builder().without_probe().resume(&file).start();
    assert_eq!(broken.unwrap_err().kind(), ErrorKind::Format);
}
