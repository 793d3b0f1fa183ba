//! Threads that come and go, and rings that run over.

use std::sync::mpsc;
use std::thread;

use super::*;
use crate::Kind;
use crate::span::Span;

const LABEL: Label = Label::new(Kind::Phase, "test");

fn leave_span(meter: u64, at: u64) {
    let at = Timestamp::from_nanos(at);
    Span::open(meter, LABEL, Some(at)).close_at(at);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_mark_is_smaller_than_a_cache_line() {
    assert_eq!(size_of::<Mark>(), 56);
}

#[test]
fn threads_by_the_thousand_leave_their_spans_and_no_lanes() {
    const THREADS: u64 = 10_000;
    const ROUND: u64 = 500;
    let (commands, inbox) = mpsc::channel();
    let rings = Rings::new(commands);
    let meter = rings.meter;
    let mut marks = Vec::new();
    for round in 0..THREADS / ROUND {
        for number in 0..ROUND {
            thread::spawn(move || leave_span(meter, round * ROUND + number)).join().unwrap();
        }
        let asked = inbox.try_iter().filter(|ask| matches!(ask, Command::Drain)).count();
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
fn a_full_ring_loses_nothing_and_asks_once() {
    let (commands, inbox) = mpsc::channel();
    let rings = Rings::new(commands);
    let mut marks = Vec::new();
    let mut left = 0;
    for _ in 0..3 {
        for _ in 0..CAPACITY + 1000 {
            leave_span(rings.meter, left);
            left += 1;
        }
        rings.drain(&mut marks);
        assert_eq!(inbox.try_iter().count(), 1);
    }
    let mut times: Vec<u64> = marks.iter().map(|mark| mark.start.as_nanos()).collect();
    times.sort_unstable();
    assert!(times.into_iter().eq(0..left));
}

#[test]
fn a_lane_stays_while_its_thread_lives() {
    let (commands, _inbox) = mpsc::channel();
    let rings = Rings::new(commands);
    let mut marks = Vec::new();
    for at in 0..3 {
        leave_span(rings.meter, at);
        rings.drain(&mut marks);
        assert_eq!(lock(&rings.lanes).len(), 1);
    }
    assert_eq!(marks.len(), 3);
}
