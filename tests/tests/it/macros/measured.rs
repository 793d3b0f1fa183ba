//! What the options leave in a real meter's record.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::record::{Record, SpanNode};
use ergometer::{Kind, Meter, Synchronize, track_energy};

use crate::accounting::{two_domains, work};
use crate::child;

fn node<'a>(nodes: &'a [SpanNode], name: &str) -> &'a SpanNode {
    nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("no {name}: {nodes:?}"))
}

fn numbers(record: &Record, split: &str) -> Vec<u64> {
    record.epochs.iter().filter(|epoch| epoch.split == split).map(|epoch| epoch.index).collect()
}

#[track_energy(run, meter = meter)]
fn resumed(meter: &Meter, first: usize) {
    #[track_energy(epoch, name = "train", index = epoch)]
    for epoch in first..first + 3 {
        #[track_energy(epoch, name = "valid")]
        for _ in 0..epoch % 2 {}
    }
}

#[test]
fn epochs_have_the_numbers_that_they_were_given() {
    let meter = two_domains();
    resumed(&meter, 7);
    let record = meter.finish().unwrap();
    assert_eq!(numbers(&record, "train"), [7, 8, 9]);
    assert_eq!(numbers(&record, "valid"), [1, 2]);
    assert!(!record.warnings.iter().any(|line| line.contains("number")), "{:?}", record.warnings);
}

#[test]
fn a_number_that_is_given_twice_is_counted_on() {
    let meter = two_domains();
    resumed(&meter, 0);
    resumed(&meter, 1);
    let record = meter.finish().unwrap();
    assert_eq!(numbers(&record, "train"), [0, 1, 2, 3, 4, 5]);
    let warning = record.warnings.iter().find(|line| line.contains("number")).unwrap();
    assert!(warning.starts_with("3 epochs were given a number"), "{warning}");
}

#[test]
fn a_journal_has_the_given_number_while_the_epoch_runs() {
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .without_probe()
        .fixed(ergometer::source::DomainKind::Node, ergometer::units::Watts::new(50.0))
        .journal(folder.path())
        .start()
        .unwrap();
    let journal = meter.journal().unwrap().to_owned();
    let epoch = meter.enter(ergometer::span::Label::new(Kind::Epoch, "train"));
    epoch.index(42_u32);
    epoch.index(-1_i32);
    // Dropped before it is finished: the journal is all that there is.
    drop(meter);
    wait_for_number(&journal, 42);
    drop(epoch);
}

/// Waits until the journal, whose meter is closing it, has its epoch under `number`.
fn wait_for_number(journal: &std::path::Path, number: u64) {
    let begin = Instant::now();
    while !Record::recover(journal).is_ok_and(|record| numbers(&record, "train") == [number]) {
        assert!(begin.elapsed() < Duration::from_secs(20), "the journal never has {number}");
        thread::yield_now();
    }
}

#[track_energy(run, meter = meter)]
fn named(meter: &Meter, layers: &[String]) {
    #[track_energy(step)]
    for _ in 0..2 {
        for layer in layers {
            #[track_energy(phase = layer)]
            work(Duration::ZERO);
        }
    }
    #[track_energy(phase = format!("{} layers", layers.len()))]
    work(Duration::ZERO);
}

#[test]
fn equal_names_are_one_row() {
    let meter = two_domains();
    named(&meter, &["encoder".to_owned(), "decoder".to_owned()]);
    let record = meter.finish().unwrap();
    let run = node(&record.spans, "named");
    assert_eq!(node(&run.children, "2 layers").count, 1);
    let step = node(&run.children, "step");
    let rows = |name| (node(&step.children, name).count, node(&step.children, name).kind);
    assert_eq!(rows("encoder"), (2, Kind::Phase));
    assert_eq!(rows("decoder"), (2, Kind::Phase));
    assert_eq!(step.children.len(), 2);
}

/// A device that works off its queue when it is waited for.
struct Queue;

const QUEUED: Duration = Duration::from_millis(20);

impl Synchronize for Queue {
    fn synchronize(&self) {
        work(QUEUED);
    }
}

#[track_energy(meter = meter)]
fn asks(meter: &Meter, queue: &Queue) {
    #[track_energy(phase = "asked", sync = *queue)]
    let number = 1;
    #[track_energy(phase = "closure", sync = || queue.synchronize())]
    let next = number + 1;
    assert_eq!(next, 2);
}

#[test]
fn what_a_device_has_queued_is_inside_and_what_was_queued_before_is_not() {
    let meter = two_domains();
    asks(&meter, &Queue);
    let record = meter.finish().unwrap();
    let function = node(&record.spans, "asks");
    for name in ["asked", "closure"] {
        let asked = node(&function.children, name);
        assert!(asked.seconds >= QUEUED.as_secs_f64(), "{name}: {} s", asked.seconds);
    }
    // The device is waited for four times, twice within the function alone.
    let inside: f64 = function.children.iter().map(|child| child.seconds).sum();
    assert!(function.seconds - inside >= 2.0 * QUEUED.as_secs_f64(), "{}", function.seconds);
}

/// Is pending once.
async fn yields() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

#[track_energy(step, meter = &meter, items = count, unit = "tokens", name = format!("batch of {count}"))]
async fn batch(meter: Meter, count: u32) {
    #[track_energy(phase = "first half")]
    yields().await;
    #[track_energy(phase = "second half")]
    yields().await;
}

/// Polls each time on a new thread, between spans of that thread's own.
fn poll_on_threads(meter: &Meter, mut future: Pin<Box<dyn Future<Output = ()> + Send>>) {
    loop {
        let meter = meter.clone();
        let (polled, again) = thread::spawn(move || {
            let _own = meter.enter(ergometer::span::Label::new(Kind::Phase, "thread"));
            let mut context = Context::from_waker(Waker::noop());
            (future.as_mut().poll(&mut context), future)
        })
        .join()
        .unwrap();
        future = again;
        if polled.is_ready() {
            return;
        }
    }
}

#[test]
fn the_items_of_a_future_that_moves_between_threads() {
    let meter = two_domains();
    poll_on_threads(&meter, Box::pin(batch(meter.clone(), 40)));
    let record = meter.finish().unwrap();
    let items = record.steps["run"].items.as_ref().unwrap();
    assert_eq!((items.count, items.unit.as_str()), (40.0, "tokens"));
    // It began inside the first thread's span, and went on when that was over.
    let threads = node(&record.spans, "thread");
    assert_eq!(threads.count, 3);
    let batch = node(&record.spans, "batch of 40");
    assert_eq!(node(&batch.children, "first half").count, 1);
    assert_eq!(node(&batch.children, "second half").count, 1);
    assert!(record.warnings.iter().all(|line| !line.contains("open")), "{:?}", record.warnings);
}

#[track_energy(run, meter = meter, report)]
fn told(meter: &Meter) {
    #[track_energy(epoch, name = "train", report)]
    for _ in 0..2 {
        work(Duration::from_millis(5));
    }
    #[track_energy(phase = "quiet")]
    work(Duration::ZERO);
}

#[test]
fn reported_spans_are_printed_once_with_their_energy() {
    const NAME: &str = "macros::measured::reported_spans_are_printed_once_with_their_energy";
    if child::is_one() {
        let meter = two_domains();
        told(&meter);
        let _ = meter.finish().unwrap();
        return;
    }
    let output = child::of(NAME, &[]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    let told: Vec<&str> = errors.lines().filter(|line| line.starts_with("ergometer: ")).collect();
    let [first, second, run] = told[..] else { panic!("{errors}") };
    for epoch in [first, second] {
        assert!(epoch.starts_with("ergometer: epoch 'train': 0.0"), "{epoch}");
        assert!(epoch.contains(" J ± ") && epoch.ends_with(" W"), "{epoch}");
    }
    assert!(run.starts_with("ergometer: run 'told': "), "{run}");
}

#[track_energy(run, meter = meter)]
fn folds(meter: &Meter, batches: usize, every: usize) {
    #[track_energy(epoch, name = "train")]
    for _ in 0..2 {
        #[track_energy(step, every = every, items = batch, unit = "tokens")]
        for batch in 0..batches {
            #[track_energy(phase = "forward")]
            work(Duration::from_micros(100));
        }
    }
}

/// What 340 W came to, joules.
fn at_340_watts(seconds: f64) -> f64 {
    340.0 * seconds
}

#[test]
fn folded_steps_are_in_every_sum() {
    for (batches, every, folded) in
        [(25, 10, 2 * 22), (25, 1, 0), (25, 0, 0), (25, 2, 2 * 12), (7, 1000, 2 * 6), (0, 10, 0)]
    {
        let meter = two_domains();
        folds(&meter, batches, every);
        let record = meter.finish().unwrap();
        assert_eq!(record.epochs.len(), 2);
        let Some(steps) = record.steps.get("train") else {
            assert_eq!(batches, 0);
            continue;
        };
        assert_eq!((steps.count, steps.folded), (2 * batches as u64, folded), "every {every}");
        let items = (batches * (batches - 1)) as f64;
        assert_eq!(steps.items.as_ref().unwrap().count, items, "every {every}");
        let joules: f64 = steps.by_domain.iter().map(|joules| joules.get()).sum();
        let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}, every {every}");
        close(joules, at_340_watts(steps.seconds));
        close(steps.joules.mean, joules / steps.count as f64);
        close(steps.duration_s.mean, steps.seconds / steps.count as f64);
        // The shortest is a step alone, not ten.
        assert!(steps.duration_s.min.unwrap() >= 100e-6);
        assert!(steps.duration_s.min.unwrap() < 10.0 * 100e-6, "{:?}", steps.duration_s);
        crate::accounting::assert_conserved(&record);
        let run = node(&record.spans, "folds");
        let step = node(&node(&run.children, "train").children, "step");
        assert_eq!(step.count, steps.count);
        assert_eq!(node(&step.children, "forward").count, steps.count);
        assert!(!record.warnings.iter().any(|line| line.contains("open")), "{:?}", record.warnings);
        let live = &meter.live().steps["step"];
        assert_eq!((live.count, live.items), (steps.count, items));
    }
}

#[test]
fn folded_steps_of_different_names_are_apart() {
    #[track_energy(run, meter = meter)]
    fn buckets(meter: &Meter, sizes: &[&str]) {
        #[track_energy(step, every = 100, name = size)]
        for size in sizes {
            work(Duration::ZERO);
        }
    }
    let meter = two_domains();
    buckets(&meter, &["small", "small", "small", "large", "large", "small"]);
    let record = meter.finish().unwrap();
    let run = node(&record.spans, "buckets");
    assert_eq!(node(&run.children, "small").count, 4);
    assert_eq!(node(&run.children, "large").count, 2);
    assert_eq!(record.steps["run"].folded, 5);
}

#[test]
fn a_panic_leaves_the_steps_that_began() {
    #[track_energy(run, meter = meter)]
    fn fails(meter: &Meter) {
        #[track_energy(step, every = 10)]
        for step in 0..100 {
            assert!(step < 15, "as the test wants");
        }
    }
    let meter = two_domains();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fails(&meter)));
    assert!(panic.is_err());
    let record = meter.finish().unwrap();
    let steps = &record.steps["run"];
    // 0 and 10 alone; 1 to 9, and 11 to 15, of which the last began and no more.
    assert_eq!((steps.count, steps.folded), (16, 14));
    assert_eq!(node(&record.spans, "fails").count, 1);
}
