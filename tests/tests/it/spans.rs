//! Energy of spans against closed forms: each is placed in time to the nanosecond.

use std::future::Future;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::clock::{self, Timestamp};
use ergometer::record::Record;
use ergometer::record::SpanNode;
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{Devices, Kind, Meter, Span, track_energy};

use crate::accounting::{close, two_domains, work};
use crate::nvml::Simulated;
use crate::{boards, child};

/// What [`two_domains`] draws, watts.
const WATTS: f64 = 340.0;

/// A meter that has run for some time, in which spans may be placed, and that time's beginning.
fn ran_for(millis: u64) -> (Meter, Timestamp) {
    let meter = two_domains();
    let begin = clock::now();
    work(Duration::from_millis(millis + 1));
    (meter, begin)
}

fn ms(from: Timestamp, millis: u64) -> Timestamp {
    from.after(Duration::from_millis(millis))
}

fn open(meter: &Meter, name: &'static str, at: Timestamp) -> Span {
    meter.enter_at(Label::new(Kind::Phase, name), at)
}

fn node<'a>(nodes: &'a [SpanNode], name: &str) -> &'a SpanNode {
    nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("no {name}: {nodes:?}"))
}

fn joules(node: &SpanNode) -> f64 {
    node.by_domain.iter().map(|joules| joules.get()).sum()
}

/// Holds a node to its count, to the milliseconds of each one's own time, and to its share of those outside its
/// children.
#[track_caller]
fn check(node: &SpanNode, count: u64, inclusive: f64, exclusive: f64) {
    assert_eq!(node.count, count, "{}", node.name);
    let all = node.inclusive.map_or(joules(node), Joules::get);
    close(all, WATTS * inclusive / 1e3, 1e4);
    close(node.exclusive.get(), WATTS * exclusive / 1e3, 1e4);
}

fn nothing_left_open(record: &Record) {
    let open = record.warnings.iter().find(|line| line.contains("open"));
    assert_eq!(open, None, "every span was closed");
}

#[test]
fn nested_spans_have_inclusive_and_exclusive_energy() {
    let (meter, t) = ran_for(50);
    let outer = open(&meter, "outer", t);
    for start in [5, 25] {
        let inner = open(&meter, "inner", ms(t, start));
        open(&meter, "innermost", ms(t, start + 2)).close_at(ms(t, start + 9));
        inner.close_at(ms(t, start + 10));
    }
    outer.close_at(ms(t, 50));
    let record = meter.finish().unwrap();
    let outer = node(&record.spans, "outer");
    let inner = node(&outer.children, "inner");
    check(outer, 1, 50.0, 30.0);
    check(inner, 2, 20.0, 6.0);
    check(node(&inner.children, "innermost"), 2, 14.0, 14.0);
    nothing_left_open(&record);
}

#[test]
fn recursive_spans_count_each_depth_once() {
    fn recurse(meter: &Meter, from: Timestamp, depth: u64) {
        let span = open(meter, "call", ms(from, depth));
        if depth < 3 {
            recurse(meter, from, depth + 1);
        }
        span.close_at(ms(from, 10 - depth));
    }
    let (meter, t) = ran_for(10);
    recurse(&meter, t, 0);
    let record = meter.finish().unwrap();
    let mut nodes = &record.spans[..];
    for (inclusive, exclusive) in [(10.0, 2.0), (8.0, 2.0), (6.0, 2.0), (4.0, 4.0)] {
        let [call] = nodes else { panic!("{nodes:?}") };
        check(call, 1, inclusive, exclusive);
        nodes = &call.children;
    }
    assert!(nodes.is_empty());
}

#[test]
fn a_span_that_outlives_the_one_around_it_stands_beside_it() {
    let (meter, t) = ran_for(50);
    let whole = open(&meter, "whole", t);
    let first = open(&meter, "first", ms(t, 10));
    let second = open(&meter, "second", ms(t, 20));
    open(&meter, "inside both", ms(t, 22)).close_at(ms(t, 24));
    first.close_at(ms(t, 30));
    open(&meter, "inside the second", ms(t, 32)).close_at(ms(t, 36));
    second.close_at(ms(t, 45));
    whole.close_at(ms(t, 50));
    let record = meter.finish().unwrap();
    let whole = node(&record.spans, "whole");
    let second = node(&whole.children, "second");
    // From 20 to 30 ms each has half.
    check(node(&whole.children, "first"), 1, 20.0, 15.0);
    check(second, 1, 25.0, 20.0 - 4.8);
    check(node(&second.children, "inside both"), 1, 2.0, 1.6);
    check(node(&second.children, "inside the second"), 1, 4.0, 3.2);
    // The two overlap by 10 ms: together they cover 35 ms of the 50.
    check(whole, 1, 50.0, 15.0);
    nothing_left_open(&record);
}

#[test]
fn spans_of_many_threads_keep_to_their_own_thread() {
    const THREADS: usize = 4;
    let (meter, t) = ran_for(40);
    let all_open = Barrier::new(THREADS);
    let moved = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let outer = open(&meter, "outer", t);
                    let inner = open(&meter, "inner", ms(t, 10));
                    all_open.wait();
                    inner.close_at(ms(t, 30));
                    outer.close_at(ms(t, 40));
                    open(&meter, "moved", ms(t, 5))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    // They end here, where a span of another thread's is nobody's parent.
    let here = open(&meter, "here", t);
    for span in moved {
        span.close_at(ms(t, 15));
    }
    here.close_at(ms(t, 40));
    let record = meter.finish().unwrap();
    let outer = node(&record.spans, "outer");
    // Of 5 to 15 ms each of nine has a ninth, and of the rest each of five a fifth.
    let each = 30.0 / 5.0 + 10.0 / 9.0;
    check(outer, 4, 160.0, 2.0 * each);
    check(node(&outer.children, "inner"), 4, 80.0, 2.0 * each);
    check(node(&record.spans, "moved"), 4, 40.0, 40.0 / 9.0);
    check(node(&record.spans, "here"), 1, 40.0, each);
    nothing_left_open(&record);
}

#[test]
fn two_windows_that_follow_each_other_sum_to_the_one_around_them() {
    let machine = Simulated::new("boards=2;curve=sine:100:400:730ms;1.counter=none");
    let meter = boards::only(&machine).devices(Devices::All).start().unwrap();
    let begin = clock::now();
    thread::sleep(Duration::from_millis(2500));
    let both = open(&meter, "both", ms(begin, 300));
    open(&meter, "first", ms(begin, 300)).close_at(ms(begin, 1137));
    open(&meter, "second", ms(begin, 1137)).close_at(ms(begin, 2200));
    both.close_at(ms(begin, 2200));
    let record = meter.finish().unwrap();
    let both = node(&record.spans, "both");
    let [first, second] = ["first", "second"].map(|name| node(&both.children, name));
    for (index, whole) in both.by_domain.iter().enumerate() {
        let parts = first.by_domain[index].get() + second.by_domain[index].get();
        close(parts, whole.get(), whole.get());
    }
    close(both.exclusive.get(), 0.0, joules(both));
    let uncertain = first.standard_uncertainty.get().hypot(second.standard_uncertainty.get());
    assert!(uncertain > 0.0 && both.standard_uncertainty.get() > 0.0);
}

#[test]
fn a_span_shorter_than_the_sensor_resolves_has_a_value_and_is_flagged() {
    let machine = Simulated::new("curve=noise:250:100:20ms:7;counter=none");
    let meter = boards::only(&machine).devices(Devices::All).start().unwrap();
    let begin = clock::now();
    thread::sleep(Duration::from_millis(1500));
    open(&meter, "long", begin).close_at(ms(begin, 1200));
    open(&meter, "short", ms(begin, 600)).close_at(ms(begin, 601));
    let record = meter.finish().unwrap();
    let [short, long] = ["short", "long"].map(|name| node(&record.spans, name));
    assert!(joules(short) > 0.0, "{short:?}");
    let relative = |node: &SpanNode| node.standard_uncertainty.get() / joules(node);
    assert!(relative(short) > 0.25 && relative(long) < 0.25, "{short:?} {long:?}");
    let flag = record.warnings.iter().find(|line| line.contains("too short for the sensors"));
    let flag = flag.unwrap_or_else(|| panic!("{:?}", record.warnings));
    assert!(flag.contains("phase 'short'") && !flag.contains("long"), "{flag}");
}

/// Is done three seconds after it was first polled.
#[track_energy]
async fn three_seconds() {
    let end = Instant::now() + Duration::from_secs(3);
    std::future::poll_fn(|_| if Instant::now() < end { Poll::Pending } else { Poll::Ready(()) })
        .await;
}

/// The macro's spans are the installed meter's, and that is the process's.
#[test]
fn an_async_function_of_three_seconds_is_three_seconds() {
    if !child::is_one() {
        let test = "spans::an_async_function_of_three_seconds_is_three_seconds";
        return child::passes(&mut child::of(test, &[]));
    }
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Node, Watts::new(100.0))
        .install()
        .unwrap();
    let mut future = pin!(three_seconds());
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {
        thread::sleep(Duration::from_millis(5));
    }
    let record = meter.finish().unwrap();
    let node = node(&record.spans, "three_seconds");
    assert!((3.0..4.0).contains(&node.seconds), "{node:?}");
    close(joules(node), 100.0 * node.seconds, 1e4);
}
