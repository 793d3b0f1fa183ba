//! Runs that were interrupted and went on.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::units::{Joules, Watts};
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

/// Whatever is waited for comes within this, or never.
const PATIENCE: Duration = Duration::from_mins(1);

/// A machine of 100 W.
fn node() -> MeterBuilder {
    Meter::builder().label("resumed").without_probe().fixed(DomainKind::Node, Watts::new(100.0))
}

/// Waits until the live figures are `enough`.
fn until(meter: &Meter, enough: impl Fn(&ergometer::meter::Live) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !enough(&meter.live()) {
        assert!(Instant::now() < deadline, "{:?}", meter.live());
        thread::sleep(Duration::from_millis(5));
    }
}

/// The journal of a meter that is dropped in the middle of its run, once it has drawn `joules`.
fn interrupted(builder: MeterBuilder, joules: f64) -> PathBuf {
    let meter = builder.start().unwrap();
    until(&meter, |live| live.total.is_some_and(|total| total.get() >= joules));
    let journal = meter.journal().unwrap().to_owned();
    drop(meter);
    let deadline = Instant::now() + PATIENCE;
    while Record::recover(&journal).unwrap().total.energy.is_none_or(|e| e.joules.get() < joules) {
        assert!(Instant::now() < deadline, "{} has no end", journal.display());
        thread::sleep(Duration::from_millis(5));
    }
    journal
}

/// What a run has drawn when its budget of `joules` is spent, and what of that before it was resumed.
fn spent(meter: &Meter, joules: f64) -> (f64, f64) {
    let (tell, told) = mpsc::channel();
    let budget = ergometer::Budget::Energy(Joules::new(joules).to_kwh());
    meter.budget(budget, move |spent| tell.send(spent).unwrap()).unwrap();
    let spent = told.recv_timeout(PATIENCE).unwrap();
    assert!(spent.energy.get() >= joules * (1.0 - 1e-9), "{spent}");
    (spent.energy.get(), spent.earlier.get())
}

#[test]
fn a_budget_is_spent_once_however_often_the_run_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let first = interrupted(node().journal(folder.path()), 25.0);
    let second = interrupted(node().journal(folder.path()).resume(&first), 25.0);
    let meter = node().resume(&second).start().unwrap();
    let parts = meter.earlier().iter().filter_map(|part| part.energy);
    let before = parts.map(|energy| energy.joules.get()).sum::<f64>();
    assert!(before >= 50.0, "{before} J");

    let (drawn, earlier) = spent(&meter, before + 20.0);
    let now = meter.live();
    let record = meter.finish().unwrap();
    assert!((earlier - before).abs() < 1e-6, "{earlier} J of {before} J");
    // Of this part no more than the rest of it, and what passed until the meter's thread had a turn.
    let own = record.total.energy.unwrap().joules.get();
    assert!(drawn - before <= own + 1e-6, "{drawn} J with {before} J before and {own} J since");
    assert_eq!(now.earlier.parts, 2);
    assert!(now.whole().energy.unwrap().get() >= before, "{now:?}");
    let line = record.warnings.iter().find(|line| line.contains("is spent")).unwrap();
    assert!(line.contains("before the run was resumed"), "{line}");

    // The parts before used it up: it is spent at once.
    let file = folder.path().join("third.json");
    record.write(&file).unwrap();
    let meter = node().resume(&file).start().unwrap();
    let (drawn, earlier) = spent(&meter, before + 20.0);
    assert!(earlier >= before + 20.0 && drawn >= earlier, "{drawn} J, {earlier} J of it before");
    meter.finish().unwrap();
}

#[test]
fn a_run_span_has_one_budget_with_the_parts_before_and_a_phase_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let journal = interrupted(node().journal(folder.path()), 20.0);
    let meter = node().resume(&journal).start().unwrap();
    let before = meter.earlier()[0].energy.unwrap().joules;
    spent_by_a_run(&meter, before + Joules::new(10.0));
    let record = meter.finish().unwrap();
    let of = |name: &str| {
        let about = format!("of '{name}' is spent");
        record.warnings.iter().filter(|line| line.contains(&about)).count()
    };
    assert_eq!((of("train"), of("forward")), (1, 0), "{:?}", record.warnings);
}

/// A run that draws a tenth of its budget, of which the rest was drawn before it was resumed.
#[ergometer::track_energy(run, name = "train", budget = ergometer::Budget::Energy(all.to_kwh()), meter = meter)]
fn spent_by_a_run(meter: &Meter, all: Joules) {
    #[ergometer::track_energy(phase = "forward", budget = ergometer::Budget::Energy(all.to_kwh()))]
    until(meter, |live| live.total.is_some_and(|total| total.get() > 11.0));
}

#[test]
fn live_figures_count_the_parts_before() {
    let folder = tempfile::tempdir().unwrap();
    let journal = interrupted(node().journal(folder.path()), 20.0);
    let meter = node().resume(&journal).prometheus(0).start().unwrap();
    let before = &meter.earlier()[0];
    until(&meter, |live| live.total.is_some_and(|total| total.get() > 0.0));
    let live = meter.live();
    let whole = live.whole();
    let joules = before.energy.unwrap().joules;
    assert_eq!(whole.energy, Some(joules + live.total.unwrap()));
    assert!((whole.seconds - before.seconds - live.seconds).abs() < 1e-9, "{whole:?}");
    let record = meter.finish().unwrap();
    let shown = crate::export::series(&meter, "ergometer_run_energy_joules_total");
    let energy = record.whole().energy.unwrap().joules.get();
    assert!((shown - energy).abs() < 0.05 + 1e-3 * energy, "{shown} J and {energy} J");
    assert!((crate::export::series(&meter, "ergometer_run_parts") - 2.0).abs() < 1e-9);
}

/// What a run in `folder` has before it: the parts, and what the record says of how they were found.
fn latest(folder: &Path, builder: MeterBuilder) -> (usize, Vec<String>) {
    let record = builder.resume_latest(folder).start().unwrap().finish().unwrap();
    (record.earlier.len(), record.warnings)
}

#[test]
fn a_requeued_job_starts_with_the_same_command_line_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let journals = folder.path().join("journals");
    let start = || node().rank(1, 2).group("job-7").journal(&journals).resume_latest(&journals);
    for attempt in 0..3 {
        let meter = start().start().unwrap();
        assert_eq!(meter.earlier().len(), attempt);
        let record = meter.finish().unwrap();
        assert_eq!(record.earlier.len(), attempt, "{:?}", record.warnings);
        assert!(record.warnings.is_empty(), "{:?}", record.warnings);
    }
    // Others' journals are not this run's.
    for other in [
        node().rank(0, 2).group("job-7"),
        node().rank(1, 2).group("job-8"),
        node().rank(1, 2).group("job-7").label("other"),
    ] {
        let (parts, warnings) = latest(&journals, other);
        assert_eq!(parts, 0);
        assert!(
            warnings.iter().any(|line| line.contains("none of the 3 journals")),
            "{warnings:?}"
        );
    }
    // A rank count that changed is said, and a journal without a beginning is passed over.
    std::fs::write(journals.join("9-9.journal"), "torn").unwrap();
    let (parts, warnings) = latest(&journals, node().rank(1, 4).group("job-7"));
    assert_eq!(parts, 3);
    assert!(warnings.iter().any(|line| line.contains("one of 4 ranks")), "{warnings:?}");
    assert!(warnings.iter().any(|line| line.contains("cannot be read")), "{warnings:?}");
    assert_eq!(latest(&folder.path().join("nowhere"), node()), (0, Vec::new()));
}

#[test]
fn a_run_goes_on_with_its_own_journal_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let of = |rank: u32| node().rank(rank, 2).group("job-7");
    let meter = of(1).journal(folder.path()).start().unwrap();
    let journal = meter.journal().unwrap().to_owned();
    meter.finish().unwrap();
    for (other, why) in [
        (of(0), "rank 1"),
        (of(1).label("other"), "is called 'resumed'"),
        (of(1).group("job-8"), "group 'job-7'"),
    ] {
        let error = other.resume(&journal).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
        assert!(error.to_string().contains(why) && error.remedy().is_some(), "{error}");
    }
    assert!(of(1).resume(&journal).start().is_ok());
    // A run of all ranks is none of one.
    let ranks = [0, 1].map(|rank| of(rank).start().unwrap().finish().unwrap());
    let file = folder.path().join("merged.json");
    Record::merge(ranks).unwrap().write(&file).unwrap();
    let error = of(1).resume(&file).start().unwrap_err();
    assert!(error.to_string().contains("several ranks"), "{error}");
}

#[test]
fn a_part_keeps_what_the_user_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let meter = node().journal(folder.path()).start().unwrap();
    meter.result("loss", 0.5);
    meter.result("diverged", f64::NAN);
    meter.fact("seed", 7);
    let journal = meter.journal().unwrap().to_owned();
    let first = meter.finish().unwrap();
    let record = node().resume(&journal).start().unwrap().finish().unwrap();
    let [part] = &record.earlier[..] else { panic!("{:?}", record.earlier) };
    assert_eq!(part.results, [("loss".to_owned(), 0.5)].into());
    assert_eq!(part.facts, first.facts);
    assert!(part.warnings.iter().any(|line| line.contains("'diverged'")), "{:?}", part.warnings);
    assert_eq!(part.domains, first.domains);
    assert_eq!(part.footprint.as_ref(), Some(&first.footprint));
    assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
}
