//! Steps of several names, and steps inside steps.

use std::time::Duration;

use ergometer::clock::{self, Timestamp};
use ergometer::record::NamedSteps;
use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::{Kind, Meter};

use crate::accounting::{Steady, assert_conserved, close, two_domains, work};

/// What [`two_domains`] draws, watts.
const WATTS: f64 = 340.0;

fn step(name: &'static str, unit: &'static str) -> Label {
    Label::new(Kind::Step, name).with_unit(unit)
}

fn row<'a>(rows: &'a [NamedSteps], name: &str) -> &'a NamedSteps {
    rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name}: {rows:?}"))
}

/// An epoch of 10 training steps of 4 ms and 30 images, and 5 of validation of 1 ms, one after the other.
fn custom_loop(meter: &Meter) -> Timestamp {
    let begin = clock::now();
    work(Duration::from_millis(61));
    let at = |millis: u64| begin.after(Duration::from_millis(millis));
    let epoch = meter.enter_at(Label::new(Kind::Epoch, "epoch"), begin);
    for number in 0..10 {
        let train = meter.enter_at(step("train", "images"), at(4 * number));
        train.items(30);
        train.close_at(at(4 * number + 4));
    }
    for number in 0..5 {
        let valid = meter.enter_at(step("valid", ""), at(40 + 2 * number));
        valid.close_at(at(41 + 2 * number));
    }
    epoch.close_at(at(60));
    begin
}

fn check(record: &Record) {
    let epoch = &record.epochs[0];
    let all = epoch.steps.as_ref().unwrap();
    assert_eq!(all.count, 15);
    for rows in [&epoch.steps_by_name, &record.steps_by_name["epoch"]] {
        let (train, valid) = (&row(rows, "train").steps, &row(rows, "valid").steps);
        assert_eq!((train.count, valid.count), (10, 5));
        close(train.joules.mean, WATTS * 0.004, 1e4);
        close(valid.joules.mean, WATTS * 0.001, 1e4);
        assert_eq!(valid.items, None);
        let items = train.items.as_ref().unwrap();
        close(items.joules_per_item.get(), WATTS * 0.004 / 30.0, 1e4);
        let of_all = all.items.as_ref().unwrap();
        close(of_all.joules_per_item.get(), items.joules_per_item.get(), 1e4);
        close(of_all.per_second, items.per_second, 1e4);
    }
}

#[test]
fn steps_of_two_names_in_one_epoch_have_a_row_each() {
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .without_probe()
        .journal(folder.path())
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
        .source(Steady::boxed("cpu-0", DomainKind::CpuPackage, 40.0))
        .start()
        .unwrap();
    custom_loop(&meter);
    let journal = meter.journal().unwrap().to_owned();
    let record = meter.finish().unwrap();
    check(&record);
    assert_conserved(&record);
    check(&Record::from_json(&record.to_json().unwrap()).unwrap());
    check(&Record::recover(journal).unwrap());
    let text = record.to_string();
    assert!(text.contains("· train") && text.contains("epoch: valid"), "{text}");
    assert!(record.to_csv().unwrap().contains("steps_by_name,epoch/valid,1,gpu-0"));
    check(&Record::merge([record]).unwrap());
}

#[test]
fn a_journal_that_is_not_finished_has_the_rows_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .without_probe()
        .journal(folder.path())
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 340.0))
        .start()
        .unwrap();
    let journal = meter.journal().unwrap().to_owned();
    custom_loop(&meter);
    drop(meter);
    let end = clock::now().after(Duration::from_secs(20));
    let record = loop {
        let record = Record::recover(&journal).unwrap();
        let steps = record.epochs.first().and_then(|epoch| epoch.steps.as_ref());
        if steps.is_some_and(|steps| steps.count == 15) || clock::now() > end {
            break record;
        }
        std::thread::yield_now();
    };
    check(&record);
}

#[test]
fn steps_inside_steps_are_counted_once_with_their_items() {
    let meter = two_domains();
    let begin = clock::now();
    work(Duration::from_millis(51));
    let at = |millis: u64| begin.after(Duration::from_millis(millis));
    let epoch = meter.enter_at(Label::new(Kind::Epoch, "train"), begin);
    for number in 0..5 {
        let outer = meter.enter_at(step("step", ""), at(10 * number));
        for micro in 0..4 {
            let inner = meter.enter_at(step("micro", "tokens"), at(10 * number + 2 * micro));
            inner.items(32);
            inner.close_at(at(10 * number + 2 * micro + 2));
        }
        outer.close_at(at(10 * number + 9));
    }
    epoch.close_at(at(50));
    let record = meter.finish().unwrap();
    assert_conserved(&record);
    let steps = record.epochs[0].steps.as_ref().unwrap();
    assert_eq!((steps.count, &steps.items), (5, &None), "the outer steps stay as they are");
    close(steps.joules.mean, WATTS * 0.009, 1e4);
    for rows in [&record.epochs[0].steps_by_name, &record.steps_by_name["train"]] {
        let micro = row(rows, "micro");
        assert!(micro.inside_steps && !row(rows, "step").inside_steps);
        assert_eq!(micro.steps.count, 20);
        let items = micro.steps.items.as_ref().unwrap();
        assert_eq!((items.count, &*items.unit), (640.0, "tokens"));
        close(items.joules_per_item.get(), WATTS * 0.002 / 32.0, 1e4);
    }
}

#[test]
fn items_of_two_units_in_one_split_are_reported() {
    let meter = two_domains();
    for (name, unit) in [("text", "tokens"), ("vision", "images")] {
        let step = meter.span(step(name, unit));
        step.items(8);
    }
    let record = meter.finish().unwrap();
    assert_eq!(record.steps["run"].items, None);
    let warning = record.warnings.iter().find(|line| line.contains("several units")).unwrap();
    assert!(warning.contains("images, tokens"), "{warning}");
    let rows = &record.steps_by_name["run"];
    assert_eq!(row(rows, "text").steps.items.as_ref().unwrap().unit, "tokens");
    assert_eq!(row(rows, "vision").steps.items.as_ref().unwrap().unit, "images");
}

#[test]
fn a_total_says_the_share_of_each_method_and_steps_without_epochs_their_rates() {
    let meter = Meter::builder()
        .without_probe()
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 91.0))
        .fixed(DomainKind::Node, ergometer::units::Watts::new(9.0))
        .start()
        .unwrap();
    {
        let step = meter.span(step("step", "tokens"));
        step.items(1000);
        work(Duration::from_millis(5));
    }
    let record = meter.finish().unwrap();
    let shares: f64 = record.method_shares.values().sum();
    close(shares, 1.0, 1.0);
    let text = record.to_string();
    if record.method_shares.len() > 1 {
        assert!(text.contains("counter 9"), "{text}");
    }
    assert!(text.contains("tokens") && !text.contains("0.00 s"), "{text}");
}
