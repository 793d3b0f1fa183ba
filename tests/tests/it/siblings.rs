//! Spans that are open beside each other, on one thread or on many: every sum counts a moment once.

use std::future::Future;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use ergometer::clock::{self, Timestamp};
use ergometer::record::SpanNode;
use ergometer::span::Label;
use ergometer::{Kind, Meter};

use crate::accounting::{assert_conserved, close, two_domains, work};

/// What [`two_domains`] draws, watts.
const WATTS: f64 = 340.0;

/// Polls a future that is ready at once.
fn ready<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it is ready at once"),
    }
}

fn ran_for(millis: u64) -> (Meter, Timestamp) {
    let meter = two_domains();
    let begin = clock::now();
    work(Duration::from_millis(millis + 1));
    (meter, begin)
}

fn joules(node: &SpanNode) -> f64 {
    node.by_domain.iter().map(|joules| joules.get()).sum()
}

fn node<'a>(nodes: &'a [SpanNode], name: &str) -> &'a SpanNode {
    nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("no {name}: {nodes:?}"))
}

/// Milliseconds of power that a node has, and those of each one's own time.
#[track_caller]
fn check(node: &SpanNode, shared: f64, inclusive: f64) {
    close(joules(node), WATTS * shared / 1e3, 1e5);
    let all = node.inclusive.map_or(joules(node), ergometer::units::Joules::get);
    close(all, WATTS * inclusive / 1e3, 1e5);
}

fn put(meter: &Meter, kind: Kind, name: &'static str, begin: Timestamp, times: (u64, u64)) {
    let at = |millis| begin.after(Duration::from_millis(millis));
    meter.enter_at(Label::new(kind, name), at(times.0)).close_at(at(times.1));
}

#[test]
fn a_moment_is_divided_among_those_that_are_open() {
    let (meter, begin) = ran_for(60);
    let outer = meter.enter_at(Kind::Run.into(), begin);
    put(&meter, Kind::Phase, "long", begin, (0, 30));
    put(&meter, Kind::Phase, "short", begin, (10, 20));
    put(&meter, Kind::Phase, "a", begin, (40, 50));
    put(&meter, Kind::Phase, "b", begin, (45, 55));
    outer.close_at(begin.after(Duration::from_millis(60)));
    let record = meter.finish().unwrap();
    let inside = &record.spans[0].children;
    check(node(inside, "long"), 25.0, 30.0);
    check(node(inside, "short"), 5.0, 10.0);
    check(node(inside, "a"), 7.5, 10.0);
    check(node(inside, "b"), 7.5, 10.0);
    check(&record.spans[0], 60.0, 60.0);
    close(record.spans[0].exclusive.get(), WATTS * 0.015, 1e5);
    assert!(record.to_string().contains("inclusive"));
}

#[test]
fn steps_beside_each_other_add_up_to_what_they_cover() {
    const THREADS: u64 = 8;
    let (meter, begin) = ran_for(50);
    let epoch = meter.enter_at(Label::new(Kind::Epoch, "train"), begin);
    let at = |millis| begin.after(Duration::from_millis(millis));
    for step in 0..5 {
        for _ in 0..THREADS {
            let span = meter.enter_at(Label::new(Kind::Step, "step"), at(10 * step));
            span.items(1);
            span.close_at(at(10 * step + 8));
        }
    }
    epoch.close_at(at(50));
    let record = meter.finish().unwrap();
    assert_conserved(&record);
    let steps = record.epochs[0].steps.as_ref().unwrap();
    assert_eq!(steps.count, 5 * THREADS);
    let sum: f64 = steps.by_domain.iter().map(|joules| joules.get()).sum();
    close(sum, WATTS * 0.040, 1e5);
    close(steps.items.as_ref().unwrap().joules_per_item.get(), WATTS * 0.001, 1e5);
    // A single one's figure is what the machine drew in its time.
    close(steps.joules.max.unwrap(), WATTS * 0.008, 1e5);
    check(&record.spans[0].children[0], 40.0, 40.0 * THREADS as f64);
    assert!(!record.warnings.iter().any(|line| line.contains("overlap")));
}

#[test]
fn live_sums_of_steps_beside_each_other_are_inclusive() {
    const PATIENCE: Duration = Duration::from_mins(1);
    let (meter, begin) = ran_for(50);
    let at = |millis| begin.after(Duration::from_millis(millis));
    let epoch = meter.enter_at(Label::new(Kind::Epoch, "train"), begin);
    put(&meter, Kind::Step, "a", begin, (0, 10));
    put(&meter, Kind::Step, "a", begin, (0, 10));
    let going_on = meter.live_at(at(20), PATIENCE).epochs[0].clone();
    epoch.close_at(at(20));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| put(&meter, Kind::Step, "b", begin, (30, 50)));
        }
    });
    let record = meter.finish().unwrap();
    let live = meter.live();
    let ended = &live.epochs[0];
    assert!(!going_on.ended && ended.ended);
    for (steps, seconds) in [
        (&going_on.steps, 0.020),
        (&ended.steps, 0.020),
        (&live.steps["a"], 0.020),
        (&live.steps["b"], 0.040),
    ] {
        assert_eq!(steps.count, 2);
        close(steps.seconds, seconds, 1e5);
        close(steps.joules.get(), WATTS * seconds, 1e5);
    }
    // In the record each moment counts once.
    for (split, seconds) in [("train", 0.010), ("run", 0.020)] {
        let sum = record.steps[split].by_domain.iter().map(|joules| joules.get()).sum();
        close(sum, WATTS * seconds, 1e5);
    }
}

#[test]
fn more_siblings_than_are_held_back_still_add_up() {
    let (meter, begin) = ran_for(60);
    let outer = meter.enter_at(Kind::Run.into(), begin);
    let at = |micros| begin.after(Duration::from_micros(micros));
    // Three at a time, 400 times, and one that was open beside all.
    for step in 0..400 {
        for _ in 0..3 {
            let label = Label::new(Kind::Phase, "short");
            meter.enter_at(label, at(100 * step)).close_at(at(100 * step + 100));
        }
    }
    meter.enter_at(Label::new(Kind::Phase, "long"), at(0)).close_at(at(40_000));
    outer.close_at(at(60_000));
    let record = meter.finish().unwrap();
    let inside = &record.spans[0].children;
    let (short, long) = (node(inside, "short"), node(inside, "long"));
    assert_eq!(short.count, 1200);
    let sum = (joules(short) + joules(long)) / WATTS;
    assert!((sum - 0.040).abs() < 1e-5, "{sum} s");
    assert!((joules(long) / WATTS - 0.010).abs() < 1e-3, "{} s", joules(long) / WATTS);
}

#[test]
fn spans_of_other_threads_are_inside_the_current_one() {
    const THREADS: usize = 4;
    let meter = two_domains();
    let epoch = meter.span(Label::new(Kind::Epoch, "train"));
    let current = ergometer::current();
    assert!(current.is_open());
    let together = Barrier::new(THREADS);
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                let step = current.enter(Kind::Step);
                together.wait();
                drop(meter.span(Kind::Phase));
                work(Duration::from_millis(20));
                together.wait();
                drop(step);
            });
        }
    });
    drop(epoch);
    let record = meter.finish().unwrap();
    assert_conserved(&record);
    let epoch = &record.epochs[0];
    let steps = epoch.steps.as_ref().unwrap();
    assert_eq!(steps.count, THREADS as u64);
    let sum: f64 = steps.by_domain.iter().map(|joules| joules.get()).sum();
    let whole = epoch.usage.energy.unwrap().joules.get();
    assert!(sum <= whole * (1.0 + 1e-9), "{sum} J of {whole} J");
    let step = &record.spans[0].children[0];
    assert_eq!((step.name.as_str(), step.children.len(), record.spans.len()), ("step", 1, 1));
    assert!(step.inclusive.unwrap().get() > 2.0 * joules(step));
    assert!(!record.warnings.iter().any(|line| line.contains("without a parent")));
}

/// A worker of a pool that waits inside one job takes up another one.
#[test]
fn a_job_that_is_taken_up_inside_another_is_inside_the_span_it_belongs_to() {
    let meter = two_domains();
    let epoch = meter.span(Label::new(Kind::Epoch, "train"));
    let current = ergometer::current();
    let first = current.enter(Kind::Step);
    current.scope(|| {
        let second = meter.span(Kind::Step);
        second.items(1);
        drop(meter.span(Kind::Phase));
    });
    drop(current.enter(Kind::Step));
    let in_first = ergometer::current();
    let phase = meter.span(Kind::Phase);
    in_first.scope(|| ergometer::items(1));
    drop((phase, first));
    drop(epoch);
    let record = meter.finish().unwrap();
    assert_conserved(&record);
    let steps = record.epochs[0].steps.as_ref().unwrap();
    assert_eq!((steps.count, steps.items.as_ref().unwrap().count), (3, 2.0));
    let epoch = &record.spans[0];
    let step = node(&epoch.children, "step");
    assert_eq!((epoch.children.len(), step.count, step.children.len()), (1, 3, 1));
    assert!(record.steps_by_name.is_empty(), "no step is inside another");
}

#[test]
fn a_future_on_another_thread_is_inside_the_current_span() {
    let meter = two_domains();
    let epoch = meter.span(Label::new(Kind::Epoch, "train"));
    let current = ergometer::current();
    let ended = meter.clone();
    let future = current.future(async move {
        let step = ended.span(Kind::Step);
        std::future::ready(()).await;
        drop(step);
    });
    thread::spawn(move || ready(future)).join().unwrap();
    // One that goes on after the epoch is beside it.
    let late = thread::spawn(move || current.enter(Kind::Phase)).join().unwrap();
    drop(epoch);
    drop(late);
    let record = meter.finish().unwrap();
    assert_eq!(record.epochs[0].steps.as_ref().unwrap().count, 1);
    let names: Vec<&str> = record.spans.iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["train", "phase"]);
}

#[test]
fn spans_without_a_parent_while_an_epoch_was_open_are_reported() {
    let meter = two_domains();
    drop(meter.span(Label::new(Kind::Phase, "before")));
    let epoch = meter.span(Label::new(Kind::Epoch, "train"));
    thread::scope(|threads| {
        threads.spawn(|| drop(meter.span(Label::new(Kind::Step, "orphan"))));
    });
    drop(epoch);
    let record = meter.finish().unwrap();
    let line = record.warnings.iter().find(|line| line.contains("without a parent")).unwrap();
    assert!(line.contains("step 'orphan'") && !line.contains("before"), "{line}");
}

#[test]
fn a_span_that_is_finished_tells_its_energy_to_the_program() {
    let meter = two_domains();
    let span = meter.span(Kind::Phase);
    work(Duration::from_millis(10));
    let used = span.finish().await_energy(Duration::from_secs(20)).unwrap();
    close(used.energy.unwrap().joules.get(), WATTS * used.seconds, 1e5);
    close(used.by_domain[1].unwrap().joules.get(), 40.0 * used.seconds, 1e5);
    assert!(used.seconds >= 0.010);
    // One that waits is answered by the end of the run, and one of no meter at once.
    let waits = meter.span(Kind::Phase).finish();
    let open = meter.span(Kind::Phase);
    let record = meter.finish().unwrap();
    assert!(waits.await_energy(Duration::from_secs(20)).is_ok());
    for span in [open, meter.span(Kind::Phase)] {
        let error = span.finish().await_energy(Duration::from_secs(20)).unwrap_err();
        assert_eq!(error.kind(), ergometer::ErrorKind::Finished);
    }
    assert_eq!(record.spans[0].count, 2);
}
