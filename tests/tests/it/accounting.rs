//! Books that add up: steps, epochs and the rest of the run, per domain.

use std::time::{Duration, Instant};

use ergometer::clock::{self, Timestamp};
use ergometer::energy::Method;
use ergometer::record::{Epoch, Record};
use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request, Sensor, Value};
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{Kind, Meter};

/// A device whose power is known at every moment: `watts` from the origin of the clock on.
pub struct Steady {
    pub domain: [Domain; 1],
    watts: f64,
    first: Option<Timestamp>,
}

impl Steady {
    pub fn boxed(id: &str, kind: DomainKind, watts: f64) -> Box<dyn PowerSource> {
        Box::new(Self::new(id, kind, watts))
    }

    pub fn new(id: &str, kind: DomainKind, watts: f64) -> Self {
        let sensor = Sensor {
            counter_period_s: Some(0.0),
            counter_quantum: Some(Joules::new(1e-6)),
            power_period_s: None,
            power_window_s: None,
            relative_error: 0.01,
            absolute_error: Watts::ZERO,
        };
        let domain = Domain {
            id: id.to_owned(),
            kind,
            label: id.to_owned(),
            source: "steady".to_owned(),
            method: Method::Counter,
            sensor,
            pci_address: None,
            power_limit: None,
            note: None,
        };
        Self { domain: [domain], watts, first: None }
    }
}

impl PowerSource for Steady {
    fn domains(&self) -> &[Domain] {
        &self.domain
    }

    fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
        let at = clock::now();
        let first = *self.first.get_or_insert(at);
        let joules = Joules::new(self.watts * at.since(first).as_secs_f64());
        readings.push(Reading::new(0, at, Value::Energy(joules)));
    }
}

/// Keeps the processor busy, so that spans have a length.
pub fn work(duration: Duration) {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

pub fn two_domains() -> Meter {
    Meter::builder()
        .without_probe()
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
        .source(Steady::boxed("cpu-0", DomainKind::CpuPackage, 40.0))
        .start()
        .unwrap()
}

/// Epochs of steps with pauses between them, on this thread.
fn train(meter: &Meter, split: &'static str, steps: u32, first_index: &mut u32) {
    let _epoch = meter.enter(Label::new(Kind::Epoch, split));
    work(Duration::from_millis(2));
    for _ in 0..steps {
        let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
        step.items(100_u32);
        *first_index += 1;
        {
            let _forward = meter.enter(Label::new(Kind::Phase, "forward"));
            work(Duration::from_millis(3));
        }
        work(Duration::from_millis(1));
        drop(step);
        work(Duration::from_millis(1));
    }
}

#[track_caller]
pub fn close(a: f64, b: f64, scale: f64) {
    assert!((a - b).abs() <= 1e-9 * scale.abs().max(1.0), "{a} is not {b}");
}

/// Σ steps + between = epoch, Σ epochs + rest = run, per domain, in any record without overlaps.
pub fn assert_conserved(record: &Record) {
    for (index, whole) in record.total.by_domain.iter().enumerate() {
        let Some(whole) = whole else { continue };
        let whole = whole.joules.get();
        // An epoch in which a domain was not observed at all has no energy of it, and none in its steps.
        let epoch_joules =
            |epoch: &Epoch| epoch.usage.by_domain[index].map_or(0.0, |energy| energy.joules.get());
        let epochs: f64 = record.epochs.iter().map(epoch_joules).sum();
        let more = record.more_epochs.values().map(|more| &more.usage.by_domain[index]);
        let more: f64 = more.map(|energy| energy.map_or(0.0, |energy| energy.joules.get())).sum();
        close(epochs + more + record.outside_epochs[index].get(), whole, whole);
        for epoch in &record.epochs {
            let steps = epoch.steps.as_ref().map_or(0.0, |steps| steps.by_domain[index].get());
            close(steps + epoch.between_steps[index].get(), epoch_joules(epoch), whole);
        }
    }
}

#[test]
fn steps_epochs_and_rest_sum_to_the_run_in_every_domain() {
    let meter = two_domains();
    let mut steps = 0;
    work(Duration::from_millis(5));
    for _ in 0..3 {
        train(&meter, "train", 10, &mut steps);
        train(&meter, "valid", 4, &mut steps);
        work(Duration::from_millis(5));
    }
    let record = meter.finish().unwrap();

    assert_conserved(&record);
    assert_eq!(record.epochs.len(), 6);
    let rows: Vec<_> = record.epochs.iter().map(|e| (e.split.as_str(), e.index)).collect();
    assert_eq!(
        rows,
        [("train", 1), ("valid", 1), ("train", 2), ("valid", 2), ("train", 3), ("valid", 3)]
    );
    assert_eq!(record.steps["train"].count, 30);
    assert_eq!(record.steps["valid"].count, 12);
    assert_eq!(record.steps["train"].items.as_ref().unwrap().count, 3000.0);
    // Each part that has to be there is: none of the sums above is trivially zero.
    for epoch in &record.epochs {
        assert!(epoch.between_steps.iter().all(|joules| joules.get() > 0.0));
    }
    assert!(record.outside_epochs.iter().all(|joules| joules.get() > 0.0));
}

#[test]
fn energy_is_power_times_the_length_of_the_span() {
    let meter = two_domains();
    let begin = clock::now();
    train(&meter, "train", 40, &mut 0);
    let seconds = clock::now().since(begin).as_secs_f64();
    let record = meter.finish().unwrap();

    let epoch = &record.epochs[0];
    let gpu = epoch.usage.by_domain[0].unwrap().joules.get();
    // The epoch is a little shorter than what was timed around it.
    assert!(gpu <= 300.0 * seconds + 1e-6 && gpu > 300.0 * seconds * 0.98, "{gpu} {seconds}");
    close(gpu, 300.0 * epoch.usage.seconds, gpu * 1e3);
    let ratio = epoch.usage.by_domain[1].unwrap().joules.get() / gpu;
    assert!((ratio - 40.0 / 300.0).abs() < 1e-6, "{ratio}");
}

#[test]
fn phases_fold_into_a_tree_and_children_never_exceed_their_parent() {
    let meter = two_domains();
    {
        let _run = meter.span(Kind::Run);
        for _ in 0..2 {
            train(&meter, "train", 5, &mut 0);
        }
    }
    let record = meter.finish().unwrap();
    let run = &record.spans[0];
    assert_eq!((run.kind, run.count), (Kind::Run, 1));
    let epoch = &run.children[0];
    assert_eq!((epoch.name.as_str(), epoch.count), ("train", 2));
    let step = &epoch.children[0];
    assert_eq!((step.name.as_str(), step.count), ("step", 10));
    let forward = &step.children[0];
    assert_eq!((forward.name.as_str(), forward.count), ("forward", 10));
    for (parent, child) in [(run, epoch), (epoch, step), (step, forward)] {
        for (all, part) in parent.by_domain.iter().zip(&child.by_domain) {
            assert!(part.get() <= all.get() * (1.0 + 1e-9));
        }
        let all: f64 = parent.by_domain.iter().map(|joules| joules.get()).sum();
        let part: f64 = child.by_domain.iter().map(|joules| joules.get()).sum();
        close(parent.exclusive.get() + part, all, all);
    }
}

#[test]
fn spans_that_end_out_of_order_or_elsewhere_keep_their_pairing() {
    let meter = two_domains();
    let outer = meter.enter(Label::new(Kind::Phase, "outer"));
    let inner = meter.enter(Label::new(Kind::Phase, "inner"));
    work(Duration::from_millis(2));
    drop(outer);
    work(Duration::from_millis(2));
    drop(inner);

    let moved = meter.enter(Label::new(Kind::Phase, "moved"));
    std::thread::spawn(move || drop(moved)).join().unwrap();
    drop(meter.enter(Label::new(Kind::Phase, "later")));
    std::mem::forget(meter.enter(Label::new(Kind::Phase, "forgotten")));
    drop(meter.enter(Label::new(Kind::Phase, "under a forgotten one")));

    let record = meter.finish().unwrap();
    let count = |name: &str| -> u64 {
        fn find(nodes: &[ergometer::record::SpanNode], name: &str) -> u64 {
            nodes
                .iter()
                .map(|node| {
                    let own = if node.name == name { node.count } else { 0 };
                    own + find(&node.children, name)
                })
                .sum()
        }
        find(&record.spans, name)
    };
    for name in ["outer", "inner", "moved", "later", "under a forgotten one"] {
        assert_eq!(count(name), 1, "{name}");
    }
    assert_eq!(count("forgotten"), 0);
    assert!(
        record.warnings.iter().any(|line| line.contains("still open")),
        "{:?}",
        record.warnings
    );
}

#[test]
fn every_mark_of_many_threads_arrives() {
    let meter = two_domains();
    // More marks than the rings hold, from threads that end before the meter reads them.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    drop(meter.span(Kind::Step));
                }
            });
        }
    });
    let record = meter.finish().unwrap();
    assert_eq!(record.steps["run"].count, 80_000);
}

#[test]
fn epochs_that_overlap_are_said_to() {
    let meter = two_domains();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| train(&meter, "train", 5, &mut 0));
        }
    });
    let record = meter.finish().unwrap();
    let overlap =
        record.epochs[1].start_s < record.epochs[0].start_s + record.epochs[0].usage.seconds;
    assert_eq!(record.warnings.iter().any(|line| line.starts_with("epochs overlap")), overlap);
}
