//! Items that are counted without the span at hand: `ergometer::items`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

use ergometer::record::Record;
use ergometer::span::Label;
use ergometer::{EnergyLayer, Kind, Meter, track_energy};
use tracing::{Dispatch, info_span};
use tracing_subscriber::prelude::*;

use crate::accounting::two_domains;

fn steps() -> Label {
    Label::new(Kind::Step, "step").with_unit("tokens")
}

/// Items of the run's steps.
fn counted(record: &Record) -> Option<f64> {
    record.steps.get("run")?.items.as_ref().map(|items| items.count)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Is pending once.
async fn yields() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

#[test]
fn they_are_of_the_innermost_step_from_wherever_they_are_counted() {
    let meter = two_domains();
    ergometer::items(1000); // no span is open
    {
        let _run = meter.span(Kind::Run);
        let step = meter.enter(steps());
        step.items(1);
        let phase = meter.span(Kind::Phase);
        ergometer::items(2_u8);
        let inner = meter.enter(steps());
        ergometer::items(4.0);
        drop(inner);
        ergometer::items(8);
        // The step may end before what lies inside it.
        drop(step);
        drop(phase);
        let other = meter.enter(steps());
        ergometer::items(-1);
        ergometer::items(16);
        drop(other);
    }
    let record = meter.finish().unwrap();
    assert_eq!(counted(&record), Some(31.0));
    let told =
        record.warnings.iter().any(|line| line.contains("valid") || line.contains("negative"));
    assert!(told, "the count below 0 is told of: {:?}", record.warnings);
}

#[track_energy(run, meter = meter)]
fn folded(meter: &Meter) {
    #[track_energy(step, every = 3, items = 1, unit = "tokens")]
    for batch in 0..7 {
        ergometer::items(batch);
    }
}

#[test]
fn steps_that_share_a_mark_have_all_of_them() {
    let meter = two_domains();
    folded(&meter);
    let record = meter.finish().unwrap();
    assert_eq!(counted(&record), Some(7.0 + 21.0));
}

#[track_energy(step, items = 0, unit = "tokens", meter = meter)]
async fn step(meter: &Meter) {
    ergometer::items(1);
    yields().await;
    inner(meter).await;
    ergometer::items(4);
}

#[track_energy(phase = "inner", meter = meter)]
async fn inner(meter: &Meter) {
    ergometer::items(2);
    let _ = meter;
    yields().await;
    ergometer::items(8);
}

#[test]
fn a_future_takes_them_along_from_thread_to_thread() {
    let meter = two_domains();
    // Two futures in turn, each poll on a thread of its own.
    let mut futures = [Box::pin(step(&meter)), Box::pin(step(&meter))];
    for round in 0..3 {
        for future in &mut futures {
            let ready = thread::scope(|scope| {
                scope.spawn(|| poll(future.as_mut()).is_ready()).join().unwrap()
            });
            assert_eq!(ready, round == 2);
        }
    }
    drop(futures);
    // A future that begins inside a step of this thread, and has none of its own.
    let around = meter.enter(steps());
    let mut future = pin!(inner(&meter));
    assert!(poll(future.as_mut()).is_pending());
    assert!(poll(future.as_mut()).is_ready());
    drop(around);
    let record = meter.finish().unwrap();
    assert_eq!(counted(&record), Some(15.0 + 15.0 + 10.0));
}

#[test]
fn a_span_of_tracing_counts_them_too() {
    let meter = two_domains();
    let layer = EnergyLayer::new().with_meter(&meter);
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("step", energy.kind = "step", energy.unit = "tokens");
        span.in_scope(|| ergometer::items(3));
        thread::scope(|scope| {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    span.in_scope(|| ergometer::items(4));
                });
            });
        });
    });
    assert_eq!(counted(&meter.finish().unwrap()), Some(7.0));
}
