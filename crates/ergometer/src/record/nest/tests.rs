//! Runs and the programs inside them, whose domains draw powers that are known at every moment.

use proptest::prelude::*;

use super::*;
use crate::energy::Method;
use crate::record::merge::tests::script::Script;
use crate::record::power::PowerHistory;
use crate::source::DomainKind;
use crate::units::Watts;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{a} is not {b}");
}

/// The record of one process.
fn single(script: &Script, label: &str) -> Record {
    let mut record = script.record();
    (record.run.rank, record.run.group) = (None, None);
    record.run.label = label.to_owned();
    record.run.id = format!("{label}-{}", script.start);
    record
}

/// 100 s of a board at 300 W and a package at 80 W.
fn run() -> Record {
    single(&Script::new(0, 1, 100.0).gpu("nvml:a", 300.0).cpu("rapl:0", 80.0), "sh")
}

/// 60 s from second 20 of the run, with two epochs.
fn program(gpu: f64) -> Script {
    let script = Script::new(0, 1, 60.0).from(20.0).gpu("nvml:a", gpu);
    script.epoch("train", 10.0, 30.0).epoch("train", 35.0, 55.0)
}

fn joules(energies: &[Option<Energy>]) -> Vec<f64> {
    energies.iter().map(|energy| energy.map_or(0.0, |energy| energy.joules.get())).collect()
}

/// Σ epochs + outside = run in each domain, Σ steps + between = epoch, and no span has more than there is.
fn adds_up(record: &Record) -> std::result::Result<(), TestCaseError> {
    prop_assert_eq!(record.check(), Ok(()));
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + b.abs());
    for (domain, total) in joules(&record.total.by_domain).into_iter().enumerate() {
        let in_epochs: f64 =
            record.epochs.iter().map(|epoch| joules(&epoch.usage.by_domain)[domain]).sum();
        let sum = in_epochs + record.outside_epochs[domain].get();
        prop_assert!(near(sum, total), "domain {domain}: {sum} of {total}");
        let in_programs: f64 = record.spans.iter().map(|span| span.by_domain[domain].get()).sum();
        prop_assert!(in_programs <= total * (1.0 + 1e-6), "{in_programs} of {total}");
        for epoch in &record.epochs {
            let steps = epoch.steps.as_ref().map_or(0.0, |steps| steps.by_domain[domain].get());
            let sum = steps + epoch.between_steps[domain].get();
            prop_assert!(near(sum, joules(&epoch.usage.by_domain)[domain]));
        }
        for span in &record.spans {
            inside(span, domain)?;
        }
    }
    Ok(())
}

fn inside(span: &SpanNode, domain: usize) -> std::result::Result<(), TestCaseError> {
    let of_children: f64 = span.children.iter().map(|child| child.by_domain[domain].get()).sum();
    let own = span.by_domain[domain].get();
    prop_assert!(of_children <= own * (1.0 + 1e-6) + 1e-6, "{}: {of_children} of {own}", span.name);
    span.children.iter().try_for_each(|child| inside(child, domain))
}

#[test]
fn a_program_gives_the_run_its_epochs_steps_and_spans_and_no_energy() {
    let record = run().nest([single(&program(300.0), "train")]);
    adds_up(&record).unwrap();
    close(record.total.energy.unwrap().joules.get(), 38_000.0);
    assert_eq!(record.run.label, "sh");
    let starts: Vec<f64> = record.epochs.iter().map(|epoch| epoch.start_s).collect();
    assert_eq!(starts, [30.0, 55.0]);
    // The board by the program's own figures, the package by the run's power.
    assert_eq!(joules(&record.epochs[0].usage.by_domain), [6000.0, 1600.0]);
    let steps = &record.steps["train"];
    assert_eq!((steps.count, steps.items.as_ref().unwrap().count), (8, 80.0));
    close(steps.by_domain[0].get(), 300.0 * 32.0);
    close(steps.by_domain[1].get(), 80.0 * 32.0);
    close(steps.joules.mean, 380.0 * 4.0);
    assert_eq!(steps.joules.p50, None, "not known of a domain that the program did not read");
    let span = &record.spans[0];
    assert_eq!((span.kind, span.name.as_str(), span.children.len()), (Kind::Run, "train", 1));
    close(joules_of(span), 380.0 * 60.0);
    close(joules_of(&span.children[0]), 380.0 * 40.0);
    let [program] = &record.programs[..] else { panic!("{:?}", record.programs) };
    assert_eq!((program.start_s, program.seconds, program.finished), (20.0, 60.0, true));
    close(program.joules.unwrap().get(), 380.0 * 60.0);
    assert_eq!(record.results, [("loss".to_owned(), 0.5)].into());
    assert!(record.warnings.is_empty(), "{:?}", record.warnings);
}

#[test]
fn where_both_read_a_domain_the_run_has_the_energy_and_the_program_divides_it() {
    // The program's model is wrong by a factor of three.
    let record = run().nest([single(&program(100.0), "train")]);
    adds_up(&record).unwrap();
    assert_eq!(joules(&record.epochs[1].usage.by_domain), [6000.0, 1600.0]);
    let alike = Script::new(0, 1, 100.0).gpu("nvml:a", 300.0);
    let record = single(&alike, "sh").nest([single(&program(100.0), "train")]);
    assert_eq!(
        record.steps["train"].joules.p50,
        Some(300.0 * 4.0),
        "scaled: all domains are known"
    );
}

#[test]
fn a_domain_that_only_the_run_read_follows_its_power_over_time() {
    let mut run = run();
    // The package drew 20 W in the first half, and 140 W in the second.
    run.power = Some(PowerHistory {
        ends_s: vec![50.0, 100.0],
        watts: vec![
            vec![Some(Watts::new(300.0)); 2],
            vec![Some(Watts::new(20.0)), Some(Watts::new(140.0))],
        ],
        spans: Vec::new(),
    });
    let record = run.nest([single(&program(300.0), "train")]);
    adds_up(&record).unwrap();
    let of_package = |epoch: usize| record.epochs[epoch].usage.by_domain[1].unwrap();
    close(of_package(0).joules.get(), 20.0 * 20.0);
    close(of_package(1).joules.get(), 20.0 * 140.0);
    assert!(of_package(0).parts.edges > Joules::ZERO, "where its edges fall is not known");
    let names: Vec<_> = record.power.unwrap().spans.into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["train"]);
}

#[test]
fn programs_one_after_the_other_and_at_once_have_names_of_their_own() {
    let at = |start: f64| {
        let script = Script::new(0, 1, 30.0).from(start).gpu("nvml:a", 300.0);
        single(&script.cpu("rapl:0", 80.0).epoch("train", 5.0, 25.0), "train")
    };
    let record = run().nest([at(60.0), at(10.0)]);
    adds_up(&record).unwrap();
    let splits: Vec<_> = record.epochs.iter().map(|epoch| epoch.split.as_str()).collect();
    assert_eq!(splits, ["train (train)", "train (train #2)"]);
    close(joules_of(&record.spans[0]), 380.0 * 30.0);
    assert_eq!(record.steps.len(), 2);

    // They share 20 s.
    let record = run().nest([at(10.0), at(20.0)]);
    adds_up(&record).unwrap();
    let each: Vec<f64> = record.spans.iter().map(joules_of).collect();
    close(each[0], 380.0 * 20.0);
    close(each[1], 380.0 * 20.0);
}

#[test]
fn ranks_are_one_program_and_other_machines_are_left_out() {
    let rank = |rank: u32, machine: u32| {
        let script = Script::new(rank, 2, 60.0).on(machine).from(20.0);
        script.gpu("nvml:a", 300.0).epoch("train", 0.0, 60.0).record()
    };
    let record = run().nest([rank(0, 0), rank(1, 0)]);
    adds_up(&record).unwrap();
    let [program] = &record.programs[..] else { panic!("{:?}", record.programs) };
    assert_eq!(program.ranks, ["run-0", "run-1"]);
    assert_eq!(record.epochs.len(), 1);
    assert_eq!(record.steps.keys().collect::<Vec<_>>(), ["train"]);
    assert_eq!(record.steps["train"].count, 8);

    let record = run().nest([rank(0, 7)]);
    assert!(record.programs.is_empty() && record.epochs.is_empty());
    assert!(record.warnings[0].contains("node-7"), "{:?}", record.warnings);
    // The same rank twice is no run of two ranks.
    let record = run().nest([rank(0, 0), rank(0, 0)]);
    adds_up(&record).unwrap();
    assert_eq!(record.programs.len(), 2);
    assert!(
        record.warnings.iter().any(|line| line.contains("one by one")),
        "{:?}",
        record.warnings
    );
}

#[test]
fn a_program_that_was_killed_or_outlives_the_run_is_in_it_up_to_then() {
    let mut killed = single(&program(300.0), "train");
    killed.run.finished = false;
    let record = run().nest([killed]);
    assert!(record.run.finished && !record.programs[0].finished);
    assert!(record.warnings[0].starts_with("train: did not finish"), "{:?}", record.warnings);
    // It goes on for a minute after the command ended.
    let longer =
        Script::new(0, 1, 140.0).from(20.0).gpu("nvml:a", 300.0).epoch("train", 0.0, 140.0);
    let record = run().nest([single(&longer, "daemon")]);
    adds_up(&record).unwrap();
    close(joules_of(&record.spans[0]), 380.0 * 80.0);
    assert_eq!(run().nest([]), run());
}

proptest! {
    #[test]
    fn no_energy_counts_twice_whatever_programs_are_inside(
        programs in prop::collection::vec(
            (0.0..90.0_f64, 1.0..120.0_f64, 0.0..1.0_f64, 0.0..1.0_f64, 0_u8..4, 1.0..500.0_f64),
            0..4,
        ),
        watts in prop::collection::vec(0.0..400.0_f64, 10),
        assumed: bool,
    ) {
        let mut run = run();
        let mean = watts.iter().sum::<f64>() / 10.0;
        let method = if assumed { Method::Assumed } else { Method::Counter };
        let script = Script::new(0, 1, 100.0).gpu("nvml:a", mean).with("x:0", DomainKind::CpuPackage, method, 80.0);
        let fresh = single(&script, "sh");
        (run.domains, run.total, run.outside_epochs) = (fresh.domains, fresh.total, fresh.outside_epochs);
        run.power = Some(PowerHistory {
            ends_s: (1..=10).map(|tenth| f64::from(tenth) * 10.0).collect(),
            watts: vec![watts.into_iter().map(|watts| Some(Watts::new(watts))).collect(), vec![Some(Watts::new(80.0)); 10]],
            spans: Vec::new(),
        });
        let programs = programs.into_iter().map(|(start, seconds, from, to, domains, watts)| {
            let (from, to) = (from.min(to) * seconds, from.max(to) * seconds);
            let mut script = Script::new(0, 1, seconds).from(start);
            if domains & 1 > 0 {
                script = script.gpu("nvml:a", watts);
            }
            if domains & 2 > 0 {
                script = script.cpu("other:0", watts);
            }
            single(&script.epoch("train", from, to), "train")
        });
        let before = run.total.clone();
        let record = run.nest(programs);
        prop_assert_eq!(&record.total, &before);
        adds_up(&record)?;
    }
}
