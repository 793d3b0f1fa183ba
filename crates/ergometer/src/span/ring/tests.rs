//! Threads that come and go, and rings that run over.

use std::sync::mpsc;
use std::thread;

use super::*;
use crate::span::{Kind, Span};

const LABEL: Label = Label::new(Kind::Phase, "test");

fn leave_span(meter: u64, at: u64) {
    let at = Timestamp::from_nanos(at);
    Span::open_at(meter, LABEL, at).close_at(at);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_mark_is_no_larger_than_a_cache_line_and_smaller_in_a_ring() {
    assert_eq!((size_of::<Mark>(), size_of::<Waiting>()), (64, 56));
}

#[test]
fn threads_by_the_thousand_leave_their_spans_and_no_lanes() {
    const THREADS: u64 = 10_000;
    const ROUND: u64 = 500;
    let (tell, inbox) = mpsc::channel();
    let rings = Rings::new(move |word| drop(tell.send(word)));
    let meter = rings.meter;
    let mut marks = Vec::new();
    for round in 0..THREADS / ROUND {
        for number in 0..ROUND {
            thread::spawn(move || leave_span(meter, round * ROUND + number)).join().unwrap();
        }
        let asked = inbox.try_iter().filter(|ask| matches!(ask, Word::Drain)).count();
        assert_eq!(asked, 7, "one request every {LANES_AT_ONCE} threads");
        rings.drain(&mut marks);
        assert_eq!(lock(&rings.lanes).len(), 0, "after {} threads", (round + 1) * ROUND);
    }
    let mut times: Vec<u64> = marks.iter().map(|mark| mark.start.as_nanos()).collect();
    times.sort_unstable();
    assert!(times.iter().copied().eq(0..THREADS), "{} marks", times.len());
    let mut identities: Vec<u64> = marks.iter().map(|mark| mark.id).collect();
    identities.sort_unstable();
    identities.dedup();
    assert_eq!(identities.len(), marks.len(), "no identity twice");
}

#[test]
fn a_full_ring_loses_no_span_and_asks_once() {
    let (tell, inbox) = mpsc::channel();
    let rings = Rings::new(move |word| drop(tell.send(word)));
    let mut marks = Vec::new();
    let mut left = 0;
    for _ in 0..3 {
        for _ in 0..CAPACITY + 1000 {
            leave_span(rings.meter, left);
            left += 1;
        }
        let before = marks.len();
        rings.drain(&mut marks);
        assert!(marks.len() - before <= CAPACITY + 2, "those that found no room share a mark");
        assert_eq!(inbox.try_iter().count(), 1);
        assert_eq!(marks.iter().map(Mark::count).sum::<u64>(), left);
        assert_eq!(marks.last().map(|mark| mark.end.as_nanos()), Some(left - 1));
    }
}

/// Phases in steps in an open epoch, as fast as they can, and nobody takes their marks.
#[test]
fn paths_under_pressure_take_a_mark_each_and_keep_their_place() {
    const STEPS: u64 = 20_000;
    let rings = Rings::new(drop);
    let meter = rings.meter;
    let at = Timestamp::from_nanos;
    let close = |span: Span, nanos| span.close_at(Timestamp::from_nanos(nanos));
    let labels = [Kind::Step, Kind::Phase, Kind::Function].map(Label::from);
    for step in 0..STEPS {
        // 100 ns each: 60 in a step, of which 20 in a phase, and twice 10 in a function in the phase.
        let begin = 100 * step;
        let outer = Span::open_at(meter, labels[0], at(begin));
        let phase = Span::open_at(meter, labels[1], at(begin + 10));
        for call in [10, 20] {
            let function = Span::open_at(meter, labels[2], at(begin + call));
            function.items(3);
            close(function, begin + call + 10);
        }
        close(phase, begin + 30);
        close(outer, begin + 60);
    }
    let mut marks = Vec::new();
    let folded = rings.drain(&mut marks);
    assert!(marks.len() < CAPACITY + 20, "{} marks", marks.len());
    assert!(folded > 4 * STEPS - 2 * CAPACITY as u64);
    for (index, (count, nanos)) in
        [(STEPS, 60), (STEPS, 20), (2 * STEPS, 10)].into_iter().enumerate()
    {
        let of = || marks.iter().filter(|mark| mark.label.kind == labels[index].kind);
        assert_eq!(of().map(Mark::count).sum::<u64>(), count);
        let open: f64 = of().map(Mark::seconds).sum();
        assert!((open / (count as f64 * f64::from(nanos) * 1e-9) - 1.0).abs() < 1e-9, "{open} s");
        let parent = index.checked_sub(1).map(|parent| labels[parent].kind);
        for mark in of() {
            let around = marks.iter().filter(|around| around.id == mark.parent);
            let around: Vec<_> = around.filter(|around| around.end >= mark.end).collect();
            match parent {
                None => assert_eq!(mark.parent, NO_SPAN),
                Some(kind) => {
                    assert!(around.iter().any(|around| around.label.kind == kind), "{mark:?}");
                }
            }
        }
    }
    let items: f64 = marks.iter().map(|mark| mark.items).sum();
    assert_eq!(items.to_bits(), (6.0 * STEPS as f64).to_bits());
}

/// As many paths as one likes: every span opens one of a thousand labels inside the one before.
#[test]
fn any_number_of_paths_under_pressure_is_counted_in_bounded_memory() {
    const SPANS: u64 = 200_000;
    let rings = Rings::new(drop);
    let at = |nanos| Timestamp::from_nanos(nanos);
    let mut around = Vec::new();
    for span in 0..SPANS {
        let name = Label::intern(&format!("path {}", span * span % 997));
        around.push(Span::open_at(rings.meter, Label::new(Kind::Phase, name), at(span)));
        if around.len() == 100 {
            around.drain(..).rev().for_each(|span| span.close_at(at(2 * SPANS)));
        }
    }
    let mut marks = Vec::new();
    rings.drain(&mut marks);
    assert!(marks.len() < CAPACITY + 8192 + 1000, "{} marks", marks.len());
    assert_eq!(marks.iter().map(Mark::count).sum::<u64>(), SPANS);
    for mark in &marks {
        assert!((0.0..=1.0).contains(&mark.share()));
    }
}

#[test]
fn a_meter_that_is_finished_gets_no_spans_and_keeps_none() {
    let rings = Rings::new(drop);
    let open = Span::open(rings.meter, LABEL);
    leave_span(rings.meter, 1);
    let mut marks = Vec::new();
    rings.drain(&mut marks);
    rings.close();
    drop(open);
    for at in 0..3 * CAPACITY as u64 {
        leave_span(rings.meter, at);
    }
    assert_eq!(lock(&rings.lanes).len(), 0);
    rings.drain(&mut marks);
    assert_eq!(marks.len(), 1);
    assert!(Writer::connect(rings.meter).is_none());
}

#[test]
fn spans_that_end_on_another_thread_are_not_kept_on_the_first() {
    let rings = Rings::new(drop);
    let meter = rings.meter;
    thread::spawn(move || {
        for _ in 0..3 {
            let spans: Vec<Span> = (0..100_000).map(|_| Span::open(meter, LABEL)).collect();
            thread::spawn(move || drop(spans)).join().unwrap();
            leave_span(meter, 1);
            assert!(
                crate::span::thread::places() < 300,
                "{} places",
                crate::span::thread::places()
            );
        }
    })
    .join()
    .unwrap();
    let mut marks = Vec::new();
    rings.drain(&mut marks);
    assert_eq!(marks.iter().map(Mark::count).sum::<u64>(), 300_003);
}

#[test]
fn a_lane_stays_while_its_thread_lives() {
    let rings = Rings::new(drop);
    let mut marks = Vec::new();
    for at in 0..3 {
        leave_span(rings.meter, at);
        rings.drain(&mut marks);
        assert_eq!(lock(&rings.lanes).len(), 1);
    }
    assert_eq!(marks.len(), 3);
}
