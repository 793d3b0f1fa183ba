//! Budgets of spans, at 340 W.

use std::time::Duration;

use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::units::{KilowattHours, Watts};
use ergometer::{Budget, Kind, Meter, track_energy};

use crate::accounting::{two_domains, work};
use crate::child;

fn of_budgets(record: &Record) -> Vec<&str> {
    let lines = record.warnings.iter().filter(|line| line.contains("budget"));
    lines.map(String::as_str).collect()
}

#[track_energy(run, budget = "10 kJ", meter = meter)]
fn train(meter: &Meter, epoch_budget: &str) {
    #[track_energy(epoch, name = "train", budget = epoch_budget)]
    for _ in 0..3 {
        #[track_energy(phase = "forward", budget = Budget::Energy(KilowattHours::new(1e-3)))]
        work(Duration::from_millis(20));
    }
}

#[test]
fn a_span_that_draws_more_than_its_budget_is_told_of() {
    // An epoch draws at least 6.8 J of its 1 mWh; the phase has 3.6 kJ, the run 10 kJ.
    let meter = two_domains();
    train(&meter, "3.6 J");
    let record = meter.finish().unwrap();
    let lines = of_budgets(&record);
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in lines {
        let rest = line.strip_prefix("the budget of 1.00 mWh of 'train' is spent: ").unwrap();
        let (joules, seconds) = rest.split_once(" J in ").unwrap();
        let joules: f64 = joules.parse().unwrap();
        let drawn = record.epochs.iter().filter_map(|epoch| epoch.usage.energy);
        let most = drawn.map(|energy| energy.joules.get()).fold(0.0, f64::max);
        assert!((3.59..most * 1.01).contains(&joules), "{line}");
        assert!(seconds.ends_with(" s"), "{line}");
    }
}

#[test]
fn a_span_that_ends_before_is_not() {
    let meter = two_domains();
    // 20 ms of work draw 6.8 J, and a machine that is busy may take ten times as long.
    train(&meter, "300 J");
    work(Duration::from_millis(1200));
    let record = meter.finish().unwrap();
    assert!(record.total.energy.unwrap().joules.get() > 340.0 * 1.2);
    assert_eq!(of_budgets(&record), [""; 0]);
}

#[test]
fn it_is_told_while_the_span_is_open() {
    let meter = two_domains();
    let run = meter.span(Kind::Run);
    let begin = ergometer::clock::now();
    run.budget("108 J"); // 30 mWh
    let spent = std::sync::mpsc::channel();
    let tell = spent.0;
    // The run's own budget is as large, and counts from the start of the meter, which is earlier.
    meter.budget("170 J".parse().unwrap(), move |_| tell.send(()).unwrap()).unwrap();
    spent.1.recv_timeout(Duration::from_secs(20)).unwrap();
    // 170 J were drawn in half a second: the span's 108 J were spent before, while it was open.
    assert!(ergometer::clock::now().since(begin) < Duration::from_secs(20));
    let record = meter.finish().unwrap();
    drop(run);
    let lines = of_budgets(&record);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let (joules, seconds) =
        (lines[0].split_once("is spent: ").unwrap().1).split_once(" J in ").unwrap();
    let (joules, seconds): (f64, f64) =
        (joules.parse().unwrap(), seconds.trim_end_matches(" s").parse().unwrap());
    assert!(lines[0].starts_with("the budget of 30.0 mWh of 'run'"), "{lines:?}");
    // Energy is power × time, to the digits that are printed.
    assert!((joules - 340.0 * seconds).abs() < 1.0, "{lines:?}");
    assert!(joules >= 107.5, "{lines:?}");
}

#[test]
fn the_line_is_printed_once() {
    const NAME: &str = "macros::budgets::the_line_is_printed_once";
    if child::is_one() {
        let meter = two_domains();
        train(&meter, "3.6 J");
        let _ = meter.finish().unwrap();
        return;
    }
    let output = child::of(NAME, &[]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    let said =
        errors.lines().filter(|line| line.starts_with("ergometer: the budget of 1.00 mWh of"));
    assert_eq!(said.count(), 3, "{errors}");
}

#[test]
fn what_is_no_budget_is_a_warning() {
    #[track_energy(run, budget = text, meter = meter)]
    fn run(meter: &Meter, text: &str) {}
    #[track_energy(epoch, budget = budget, meter = meter)]
    fn never(meter: &Meter, budget: Budget) {}
    let meter = two_domains();
    for _ in 0..3 {
        run(&meter, "2 kilowatts");
    }
    never(&meter, Budget::Energy(KilowattHours::new(f64::NAN)));
    meter.span(Kind::Step).budget("1 J");
    let record = meter.finish().unwrap();
    let lines = of_budgets(&record);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0]
            .starts_with("the budget of 'run' is not kept: '2 kilowatts' is not a budget; write"),
        "{lines:?}"
    );
    assert!(lines[1].contains("limits nothing"), "{lines:?}");
    assert!(lines[2].contains("steps have none"), "{lines:?}");

    let meter = Meter::builder().without_probe().start().unwrap();
    run(&meter, "2 kWh");
    let record = meter.finish().unwrap();
    assert_eq!(of_budgets(&record), ["the budget of 'run' is not kept: nothing is metered"]);
}

#[test]
fn many_spans_of_a_name_are_counted() {
    #[track_energy(budget = "0.001 J", meter = meter)]
    fn often(meter: &Meter) {
        work(Duration::from_micros(10));
    }
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Node, Watts::new(1000.0))
        .start()
        .unwrap();
    for _ in 0..100 {
        often(&meter);
    }
    let record = meter.finish().unwrap();
    let lines = of_budgets(&record);
    assert_eq!(lines.len(), 17, "{lines:?}");
    assert_eq!(
        lines[16],
        "the budget of 'often' was spent by 100 spans, of which the first 16 are reported"
    );
}
