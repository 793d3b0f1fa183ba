//! Comparisons of reports and pairs made of hand-made records.

use std::path::PathBuf;

use ergometer::energy::{Energy, Method};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::bench_models::choices::{Backend, Model, Size, Subject};
use crate::bench_models::report::Report;
use crate::bench_models::report::tests::records::{record, report};
use crate::bench_models::run::Measured;

/// A record of this many joules, of a machine that says which it is.
fn of(joules: f64) -> ergometer::Record {
    let mut record = record(1, joules);
    record.machine.machine_id = Some("one".to_owned());
    record
}

fn run(joules: f64) -> Run {
    Run::new(Measured {
        subject: Subject { model: Model::Gpt2, size: Size::Tiny, backend: Backend::Flex },
        record: of(joules),
        record_path: PathBuf::new(),
        log_path: PathBuf::new(),
    })
}

fn report_of(joules: &[f64]) -> Report {
    report(joules.iter().map(|joules| (Model::Gpt2, of(*joules))).collect())
}

/// Runs of about 1000 J that differ by 2 %, as a standard deviation.
struct Machine(StdRng);

impl Machine {
    fn draw(&mut self, more: f64) -> f64 {
        let normal = (0..12).map(|_| self.0.random::<f64>()).sum::<f64>() - 6.0;
        1000.0 * (1.0 + more) * (1.0 + 0.02 * normal)
    }

    fn runs(&mut self, more: f64) -> Vec<f64> {
        (0..8).map(|_| self.draw(more)).collect()
    }
}

fn with_report(new: &Report, old: &Report) -> Vec<Comparison> {
    Comparison::between(new.benchmark(), old.benchmark(), "old.json", 0.02)
}

fn energy(comparison: &Comparison) -> &Row {
    comparison.rows.iter().find(|row| row.metric == Metric::Energy).unwrap()
}

/// `--compare` of two reports, twenty times, by how much more the new one takes.
fn tries(more: f64) -> Vec<(Verdict, bool)> {
    let mut machine = Machine(StdRng::seed_from_u64(15));
    let mut one = || {
        let (old, new) = (report_of(&machine.runs(0.0)), report_of(&machine.runs(more)));
        let comparisons = with_report(&new, &old);
        let failed = judge(&comparisons, 0.05).is_err();
        (energy(&comparisons[0]).verdict, failed)
    };
    (0..20).map(|_| one()).collect()
}

#[test]
fn a_report_does_not_differ_from_itself_and_a_tenth_more_is_found() {
    let same = tries(0.0);
    assert!(
        same.iter().all(|(verdict, _)| !matches!(verdict, Verdict::More | Verdict::Less)),
        "{same:?}"
    );
    assert!(same.iter().all(|(_, failed)| !failed), "{same:?}");
    let more = tries(0.1);
    assert!(more.iter().filter(|(verdict, _)| *verdict == Verdict::More).count() >= 19, "{more:?}");
    let less = tries(-0.1);
    assert!(less.iter().filter(|(verdict, _)| *verdict == Verdict::Less).count() >= 19, "{less:?}");
}

#[test]
fn pairs_of_one_thing_do_not_differ_and_a_tenth_more_fails_the_check() {
    let mut machine = Machine(StdRng::seed_from_u64(16));
    let mut compared = |more: f64| {
        let pairs: Vec<_> =
            (0..8).map(|_| (run(machine.draw(0.0)), run(machine.draw(more)))).collect();
        Comparison::of_pairs("gpt2 tiny".to_owned(), "HEAD", &pairs, 0.02)
    };
    let found = |comparison: &Comparison| {
        let verdict = energy(comparison).verdict;
        (
            verdict != Verdict::Undecided && verdict != Verdict::NoDifference,
            comparison.fails(0.05).unwrap(),
        )
    };
    assert_eq!((0..20).filter(|_| found(&compared(0.0)) != (false, false)).count(), 0);
    assert!((0..20).filter(|_| found(&compared(0.2)) == (true, true)).count() >= 19);
    let row = energy(&compared(0.1)).clone();
    assert!(
        row.hodges_lehmann_interval.is_some()
            && row.needed.is_some_and(|pairs| (2..=40).contains(&pairs)),
        "{row:?}"
    );
}

#[test]
fn gain_and_model_cancel_on_one_machine_and_not_between_two() {
    let old = report_of(&[1000.0, 1001.0, 999.0]);
    let mut new = report_of(&[1100.0, 1101.0, 1099.0]);
    let width = |new: &Report| {
        let comparisons = with_report(new, &old);
        let interval = energy(&comparisons[0]).interval_95;
        (interval.high - interval.low, comparisons[0].notes.concat())
    };
    // The energies are modelled with 15 %; the runs differ by 0.1 %.
    let (same, notes) = width(&new);
    assert!(same < 0.01 && notes.contains("modelled from utilisation"), "{same} {notes}");
    new.machine.machine_id = Some("another".to_owned());
    let (other, notes) = width(&new);
    assert!(other > 0.5 && notes.contains("another machine"), "{other} {notes}");
    // Reports that name no machine may be of two.
    new.machine.machine_id = None;
    assert!(width(&new).0 > 0.5);
}

#[test]
fn what_cannot_be_judged_is_not_a_passed_check() {
    let mut new = report_of(&[1000.0]);
    let old = report_of(&[1000.0]);
    new.models[0].runs[0].energy = None;
    let comparisons = with_report(&new, &old);
    assert!(judge(&comparisons, 0.05).is_err());
    assert!(judge(&[], 0.05).is_err());
    // Another size is another thing.
    let mut old = report_of(&[1000.0]);
    old.models[0].size = Size::Base;
    assert!(with_report(&new, &old).is_empty());
}

#[test]
fn counters_are_not_called_modelled_and_other_sensors_are_noticed() {
    let mut new = report_of(&[1000.0]);
    let old = report_of(&[1000.0]);
    for run in &mut new.models[0].runs {
        let energy = run.domains[0].energy.unwrap();
        run.domains[0].energy = Some(Energy { method: Method::Counter, ..energy });
    }
    let comparisons = with_report(&new, &old);
    assert!(comparisons[0].notes.concat().contains("other sensors"), "{:?}", comparisons[0].notes);
}
