use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::ThreadId;
use std::time::Instant;

use super::*;
use crate::source::fixed::Fixed;
use crate::source::{DomainKind, PowerSource, Value};
use crate::units::Watts;

const PATIENCE: Duration = Duration::from_secs(20);

/// Tells of each read, then does what it is there for.
struct Told {
    domains: Vec<Domain>,
    listener: Sender<(Request, ThreadId)>,
    /// What it does in a read, given its number.
    act: Box<dyn FnMut(u32) + Send>,
    reads: u32,
}

impl Told {
    fn boxed(act: impl FnMut(u32) + Send + 'static) -> (Guarded, Receiver<(Request, ThreadId)>) {
        let (listener, reads) = mpsc::channel();
        let node = Fixed::new(DomainKind::Node, Watts::new(50.0), 0.1).unwrap();
        let domains = node.domains().to_vec();
        let told = Self { domains, listener, act: Box::new(act), reads: 0 };
        (Guarded::new(Box::new(told)).unwrap(), reads)
    }
}

impl PowerSource for Told {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let _ = self.listener.send((request, thread::current().id()));
        self.reads += 1;
        (self.act)(self.reads);
        readings.push(Reading::new(0, clock::now(), Value::Power(Watts::new(50.0))));
    }
}

fn next(reads: &Receiver<(Request, ThreadId)>) -> (Request, ThreadId) {
    reads.recv_timeout(PATIENCE).expect("it is read again")
}

#[test]
fn no_source_is_left_unread_for_longer_than_half_a_minute() {
    let mut jitter = Jitter(7);
    let last = Timestamp::from_nanos(1_000_000_000);
    let wishes = [last, last.after(Duration::from_mins(10)), Timestamp::from_nanos(u64::MAX)];
    let reversed = Due { from: last.after(INTERVAL), by: last };
    let wishes = wishes.map(Due::at).into_iter().chain([reversed]).map(Some);
    for wants in wishes.chain([None]) {
        for _ in 0..1000 {
            let Due { from, by } = due(wants, last, &mut jitter);
            assert!(from <= by && by.since(last) <= LONGEST, "{wants:?}: {from:?} to {by:?}");
        }
    }
}

#[test]
fn routine_reads_come_unevenly_about_the_usual_interval() {
    let mut jitter = Jitter(7);
    let last = Timestamp::default();
    let pauses: Vec<_> = (0..1000).map(|_| due(None, last, &mut jitter).by.since(last)).collect();
    let mean = pauses.iter().sum::<Duration>().as_secs_f64() / pauses.len() as f64;
    assert!((mean / INTERVAL.as_secs_f64() - 1.0).abs() < 0.02, "{mean} s");
    assert!(pauses.iter().min() < Some(&INTERVAL.mul_f64(0.85)));
    assert!(pauses.iter().max() > Some(&INTERVAL.mul_f64(1.15)));
}

#[test]
fn what_may_be_read_at_one_wake_is_read_at_one() {
    let at = |millis: u64| Timestamp::from_nanos(millis * 1_000_000);
    let slot = |from, by| {
        let mut slot = Slot::new(Told::boxed(|_| {}).0, 0);
        (slot.asked, slot.due) = (Demand::Nothing, Due { from: at(from), by: at(by) });
        slot
    };
    let slots = vec![slot(10, 70), slot(30, 90), slot(60, 120), slot(75, 75)];
    let mut state = State { slots, workers: 1, closed: false };
    let mut round = Vec::new();
    // Not at the last moment, if those that may be read are the same before.
    let wake = state.plan(0, at(65), &mut round).unwrap();
    assert!(at(60) <= wake && wake < at(70), "{wake:?}");
    assert_eq!(round, [0, 1, 2]);
    // Another thread's, and those that are read no more, are no concern.
    state.slots[0].worker = 1;
    state.slots[1].asked = Demand::Ended;
    assert_eq!(state.plan(0, at(65), &mut round), Some(at(75)));
    assert_eq!(round, [2]);
    assert_eq!(state.plan(7, at(65), &mut round), None);
}

#[test]
fn a_source_that_hangs_is_left_alone_and_the_others_go_on() {
    let (release, held) = mpsc::channel::<()>();
    let (hanging, hung) = Told::boxed(move |read| {
        if read == 2 {
            assert_eq!(held.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        }
    });
    let (other, reads) = Told::boxed(|_| {});
    let sampler = Sampler::start(vec![hanging, other], PATIENCE).unwrap();
    let (_, first) = next(&hung);
    assert_eq!(next(&hung).1, first);
    // It hangs now. What the other one did before is of the same thread.
    let begin = Instant::now();
    while !reads.try_iter().any(|(_, thread)| thread != first) {
        sampler.relieve_stalled();
        thread::yield_now();
        assert!(begin.elapsed() < PATIENCE);
    }
    let (mut warnings, mut counts) = (Vec::new(), [0; 2]);
    while counts[1] < 3 {
        sampler.take(&mut warnings, |domain, _| counts[domain] += 1);
        assert!(begin.elapsed() < PATIENCE);
    }
    assert_eq!(counts[0], 1);
    // The run may end without it; or with it, if it answers.
    let answers = sampler.finish(Duration::from_millis(300));
    let [Answer::Lost(text), Answer::Domains(1, domains)] = answers.as_slice() else { panic!() };
    assert!(text.contains("has hung for") && domains.len() == 1, "{text}");
    drop(release);
    let answers = sampler.finish(PATIENCE);
    assert!(matches!(answers[0], Answer::Domains(0, _)));
}

#[test]
fn sources_that_take_long_are_shared_out() {
    let slow = |_| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(6) {
            std::hint::spin_loop();
        }
    };
    let (sources, reads): (Vec<_>, Vec<_>) = (0..4).map(|_| Told::boxed(slow)).unzip();
    let sampler = Sampler::start(sources, PATIENCE).unwrap();
    let begin = Instant::now();
    loop {
        let threads: Vec<_> = reads.iter().map(|reads| next(reads).1).collect();
        if threads.iter().any(|thread| *thread != threads[0]) {
            break;
        }
        assert!(begin.elapsed() < PATIENCE);
    }
    assert!(sampler.finish(PATIENCE).iter().all(|answer| matches!(answer, Answer::Domains(..))));
}

#[test]
fn the_last_read_is_one_and_the_last() {
    let (source, reads) = Told::boxed(|_| {});
    let (panicking, _) = Told::boxed(|read| assert!(read < 2, "as it is meant to"));
    let sampler = Sampler::start(vec![panicking, source], PATIENCE).unwrap();
    sampler.edge();
    let answers = sampler.finish(PATIENCE);
    assert!(matches!(answers.as_slice(), [Answer::Gone, Answer::Domains(1, _)]), "{answers:?}");
    drop(sampler);
    let requests: Vec<_> = reads.iter().map(|(request, _)| request).collect();
    let [Request::Edge, .., Request::Edge, Request::Last] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert_eq!(requests.iter().filter(|request| **request == Request::Last).count(), 1);
}

/// Does what it should but in one call, the `nth` of its kind, in which it panics.
struct Faulty {
    domains: Vec<Domain>,
    call: &'static str,
    left: std::cell::Cell<u32>,
}

impl Faulty {
    fn called(&self, call: &str) {
        if self.call == call {
            assert!(self.left.get() > 0, "as it is meant to, in {call}");
            self.left.set(self.left.get() - 1);
        }
    }
}

impl PowerSource for Faulty {
    fn domains(&self) -> &[Domain] {
        self.called("domains");
        &self.domains
    }

    fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
        readings.push(Reading::new(0, clock::now(), Value::Power(Watts::new(50.0))));
        self.called("read");
    }

    fn next_read(&self) -> Option<Due> {
        self.called("next_read");
        None
    }

    fn last_read(&self, now: Timestamp) -> Timestamp {
        self.called("last_read");
        now
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.called("drop");
    }
}

#[test]
fn a_panic_in_any_call_ends_that_source_alone_and_keeps_what_it_had_read() {
    for (call, left) in [
        ("domains", 1),
        ("read", 1),
        ("next_read", 0),
        ("last_read", 0),
        ("last_read", 1),
        ("drop", 0),
    ] {
        let (good, reads) = Told::boxed(|_| {});
        let domains = good.domains().to_vec();
        let faulty = Box::new(Faulty { domains, call, left: left.into() });
        let sampler = Sampler::start(vec![Guarded::new(faulty).unwrap(), good], PATIENCE).unwrap();
        next(&reads);
        let answers = sampler.finish(PATIENCE);
        let expected = if call == "drop" { 0..1 } else { 0..0 };
        let ended = usize::from(matches!(answers[0], Answer::Domains(0, _)));
        assert_eq!(ended, expected.end, "{call}: {answers:?}");
        assert!(matches!(answers[1], Answer::Domains(1, _)), "{call}: {answers:?}");
        let (mut warnings, mut counts) = (Vec::new(), [0; 2]);
        sampler.take(&mut warnings, |domain, _| counts[domain] += 1);
        let named = warnings.iter().filter(|line| line.contains("panicked")).count();
        assert_eq!(named, 1 - ended, "{call}: {warnings:?}");
        assert!(counts[0] > 0 && counts[1] >= 3, "{call}: {counts:?}");
        let requests: Vec<_> = reads.iter().map(|(request, _)| request).collect();
        assert_eq!(requests.last(), Some(&Request::Last), "{call}: {requests:?}");
    }
    let domains = Told::boxed(|_| {}).0.domains().to_vec();
    let faulty = Box::new(Faulty { domains, call: "domains", left: 0.into() });
    assert!(Guarded::new(faulty).is_err());
}
