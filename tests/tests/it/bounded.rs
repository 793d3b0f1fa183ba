//! What grows with nothing that a program does often: spans, names, epochs.

use std::time::Duration;

use ergometer::clock;
use ergometer::record::Record;
use ergometer::record::SpanNode;
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::{Kind, Meter};

use crate::accounting::{Steady, close, two_domains, work};
use crate::child;

fn count(nodes: &[SpanNode]) -> u64 {
    nodes.iter().map(|node| node.count + count(&node.children)).sum()
}

fn joules(usage: &ergometer::energy::Usage, domain: usize) -> f64 {
    usage.by_domain[domain].expect("every domain is read").joules.get()
}

/// Σ epochs + Σ more epochs + outside = run, in every domain; within epochs steps and the rest.
fn adds_up(record: &Record) {
    for domain in 0..record.domains.len() {
        let rows: f64 = record.epochs.iter().map(|epoch| joules(&epoch.usage, domain)).sum();
        let more: f64 = record.more_epochs.values().map(|more| joules(&more.usage, domain)).sum();
        let sum = rows + more + record.outside_epochs[domain].get();
        close(sum, joules(&record.total, domain), 1e6);
        for epoch in &record.epochs {
            let steps = epoch.steps.as_ref().map_or(0.0, |steps| steps.by_domain[domain].get());
            close(steps + epoch.between_steps[domain].get(), joules(&epoch.usage, domain), 1e6);
        }
        for more in record.more_epochs.values() {
            let steps = more.steps.as_ref().map_or(0.0, |steps| steps.by_domain[domain].get());
            close(steps + more.between_steps[domain].get(), joules(&more.usage, domain), 1e6);
        }
    }
}

/// Epochs of `nanos` each, one after the other, with a step of half of it in each.
fn epochs(meter: &Meter, number: u64, nanos: u64) {
    let begin = clock::now();
    work(Duration::from_nanos(number * nanos) + Duration::from_millis(1));
    for epoch in 0..number {
        let at = |nanos| begin.after(Duration::from_nanos(nanos));
        let start = epoch * nanos;
        let name = if epoch % 10 == 9 { "valid" } else { "train" };
        let span = meter.enter_at(Label::new(Kind::Epoch, name), at(start));
        let step = meter.enter_at(Label::new(Kind::Step, "step"), at(start));
        step.items(3);
        step.close_at(at(start + nanos / 2));
        span.close_at(at(start + nanos));
    }
}

#[test]
fn of_many_epochs_thousands_have_rows_and_the_others_are_sums() {
    const EPOCHS: u64 = 6000;
    let folder = tempfile::tempdir().unwrap();
    let builder = Meter::builder().without_probe().journal(folder.path());
    let meter = builder
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 100.0))
        .source(Steady::boxed("cpu-0", DomainKind::CpuPackage, 40.0))
        .start()
        .unwrap();
    epochs(&meter, EPOCHS, 10_000);
    let journal = meter.journal().unwrap().to_owned();
    let record = meter.finish().unwrap();
    let (rows, more) = (&record.epochs, &record.more_epochs);
    assert_eq!(rows.len(), 4096);
    assert_eq!(more.values().map(|more| more.count).sum::<u64>(), EPOCHS - 4096);
    assert_eq!(more["valid"].count, 600 - 409);
    close(more["train"].usage.seconds, more["train"].count as f64 * 1e-5, 1e6);
    close(joules(&more["train"].usage, 0), 100.0 * more["train"].usage.seconds, 1e4);
    let steps = more["train"].steps.as_ref().unwrap();
    assert_eq!(
        (steps.count, steps.items.as_ref().unwrap().count),
        (more["train"].count, 3.0 * more["train"].count as f64)
    );
    assert_eq!(record.steps["train"].count, 5400, "the run's steps are all of them");
    adds_up(&record);
    assert_eq!(Record::recover(journal).unwrap().more_epochs, record.more_epochs);
    assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
    assert!(record.to_csv().unwrap().contains("more_epochs,valid"));
    let text = record.to_string();
    assert!(text.contains("valid: 191 more"), "{text}");
    adds_up(&Record::merge([record]).unwrap());
}

#[test]
fn more_names_than_are_kept_share_a_node_that_counts_them() {
    const NAMES: u64 = 20_000;
    // Names stay as long as the process.
    if !child::is_one() {
        let test = "bounded::more_names_than_are_kept_share_a_node_that_counts_them";
        return child::passes(&mut child::of(test, &[]));
    }
    let meter = two_domains();
    for number in 0..NAMES {
        let name = Label::intern(&format!("name {number}"));
        drop(meter.span(Label::new(Kind::Phase, name)));
    }
    assert_eq!(Label::intern("one more"), Label::OTHER_NAMES);
    assert_eq!(Label::intern("name 7"), "name 7");
    let record = meter.finish().unwrap();
    assert_eq!(count(&record.spans), NAMES);
    assert!(record.spans.len() <= 1025, "{} nodes", record.spans.len());
    let others = record.spans.iter().find(|node| node.name == Label::OTHER_NAMES).unwrap();
    assert_eq!(others.count, NAMES + 1 - record.spans.len() as u64);
    let text = record.to_string();
    assert!(text.lines().count() < 200, "{} lines", text.lines().count());
    assert!(text.contains(&format!("… {} more", record.spans.len() - 60)), "{text}");
}

#[test]
fn spans_in_a_tight_loop_are_all_counted_and_add_up() {
    const STEPS: u64 = 400_000;
    let meter = two_domains();
    let epoch = meter.span(Label::new(Kind::Epoch, "train"));
    for _ in 0..STEPS {
        let step = meter.span(Label::new(Kind::Step, "step").with_unit("tokens"));
        step.items(2);
        drop(meter.span(Label::new(Kind::Phase, "forward")));
        drop(meter.span(Label::new(Kind::Phase, "backward")));
    }
    drop(epoch);
    let record = meter.finish().unwrap();
    let steps = record.epochs[0].steps.as_ref().unwrap();
    assert_eq!((steps.count, steps.items.as_ref().unwrap().count), (STEPS, 2.0 * STEPS as f64));
    assert!(steps.folded > 0 && steps.folded <= STEPS, "{} share a mark", steps.folded);
    assert!(record.warnings.iter().any(|line| line.contains("came faster than")));
    adds_up(&record);
    let epoch = &record.spans[0];
    let step = &epoch.children[0];
    assert_eq!((step.count, step.folded), (STEPS, steps.folded));
    let names: Vec<_> = step.children.iter().map(|node| (&*node.name, node.count)).collect();
    assert_eq!(names, [("backward", STEPS), ("forward", STEPS)]);
    for domain in 0..2 {
        let inside: f64 = step.children.iter().map(|node| node.by_domain[domain].get()).sum();
        assert!(inside <= step.by_domain[domain].get() * (1.0 + 1e-9), "{inside} J");
        assert!(step.by_domain[domain].get() <= epoch.by_domain[domain].get() * (1.0 + 1e-9));
    }
    let seconds: f64 = step.children.iter().map(|node| node.seconds).sum();
    assert!(seconds <= step.seconds && step.seconds <= epoch.seconds);
}

#[test]
fn counts_of_items_that_are_not_valid_spoil_no_other() {
    let meter = two_domains();
    for count in [5.0, f64::NAN, f64::INFINITY, -3.0, 7.0] {
        let step = meter.span(Label::new(Kind::Step, "train").with_unit("tokens"));
        step.items(count);
        step.items(10);
    }
    let live = loop {
        let live = meter.live();
        if live.steps.get("train").is_some_and(|steps| steps.count == 5) {
            break live;
        }
        std::thread::yield_now();
    };
    assert_eq!(live.steps["train"].items, 62.0);
    let record = meter.finish().unwrap();
    assert_eq!(record.steps["run"].items.as_ref().unwrap().count, 62.0);
    let warning = record.warnings.iter().find(|line| line.contains("counts of items")).unwrap();
    assert!(warning.starts_with("3 counts") && warning.contains("step 'train'"), "{warning}");
}

#[test]
fn a_finished_meter_opens_no_spans() {
    let meter = two_domains();
    let before = meter.span(Kind::Phase);
    let record = meter.finish().unwrap();
    assert!(!meter.span(Kind::Step).is_open());
    assert!(!meter.enter_at(Kind::Step.into(), clock::now()).is_open());
    assert!(!ergometer::span::Under::from(&meter).is_on());
    drop(before);
    assert_eq!(count(&record.spans), 0);
}
