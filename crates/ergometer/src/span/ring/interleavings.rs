//! Every interleaving of small programs, by loom: no mark is lost, none comes twice, no spill waits
//! unasked for, whoever comes and goes meanwhile.

use std::collections::VecDeque;

use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::*;
use crate::span::Kind;

const LABEL: &Label = &Label::new(Kind::Phase, "test");

fn mark(id: u64) -> Mark {
    let at = Timestamp::from_nanos(id);
    Mark { id, items: 1.0, ..Mark::new(LABEL, (at, at)) }
}

/// Words of spans that nobody has received yet. Each call is one indivisible step.
#[derive(Clone)]
struct Inbox(Arc<Mutex<VecDeque<Word>>>);

impl Inbox {
    fn try_recv(&self) -> Option<Word> {
        lock(&self.0).pop_front()
    }
}

fn rings() -> (Arc<Rings>, Inbox) {
    let inbox = Inbox(Arc::new(Mutex::new(VecDeque::new())));
    let told = inbox.clone();
    (Rings::new(move |word| lock(&told.0).push_back(word)), inbox)
}

fn ids(marks: &[Mark]) -> Vec<u64> {
    marks.iter().map(|mark| mark.id).collect()
}

fn sorted(marks: &[Mark]) -> Vec<u64> {
    let mut ids = ids(marks);
    ids.sort_unstable();
    ids
}

/// All interleavings with at most this many preemptions.
fn explore(preemptions: usize, program: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(program);
}

#[test]
fn a_thread_that_spills_and_ends_loses_nothing() {
    const LEFT: u64 = CAPACITY as u64 + 2;
    explore(3, || {
        let (rings, _inbox) = rings();
        let meter = rings.meter;
        let left = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&left);
        let program = thread::spawn(move || {
            let mut writer = Writer::connect(meter).unwrap();
            for id in 1..=LEFT {
                writer.push(|| mark(id));
                counter.fetch_add(1, Ordering::Release);
            }
        });
        let mut marks = Vec::new();
        for _ in 0..2 {
            let before = left.load(Ordering::Acquire) as u64;
            rings.drain(&mut marks);
            let drained = sorted(&marks);
            assert!((1..=before).all(|id| drained.contains(&id)), "{before} left, {drained:?}");
        }
        program.join().unwrap();
        rings.drain(&mut marks);
        assert!(sorted(&marks).into_iter().eq(1..=LEFT), "{:?}", ids(&marks));
        assert_eq!(lock(&rings.lanes).len(), 0, "the thread is gone");
    });
}

#[test]
fn a_ring_keeps_the_order_of_its_thread() {
    explore(3, || {
        let (rings, _inbox) = rings();
        let meter = rings.meter;
        let program = thread::spawn(move || {
            let mut writer = Writer::connect(meter).unwrap();
            (1..=CAPACITY as u64).for_each(|id| _ = writer.push(|| mark(id)));
        });
        let mut marks = Vec::new();
        rings.drain(&mut marks);
        rings.drain(&mut marks);
        program.join().unwrap();
        rings.drain(&mut marks);
        assert!(ids(&marks).into_iter().eq(1..=CAPACITY as u64), "{:?}", ids(&marks));
    });
}

#[test]
fn a_spill_never_waits_unasked_for() {
    const LEFT: u64 = CAPACITY as u64 + 2;
    explore(3, || {
        let (rings, inbox) = rings();
        let meter = rings.meter;
        let program = thread::spawn(move || {
            let mut writer = Writer::connect(meter).unwrap();
            (1..=LEFT).for_each(|id| _ = writer.push(|| mark(id)));
            writer
        });
        let mut marks = Vec::new();
        let drained_when_asked = |marks: &mut Vec<Mark>| {
            let asked = matches!(inbox.try_recv(), Some(Word::Drain));
            if asked {
                rings.drain(marks);
            }
            asked
        };
        drained_when_asked(&mut marks);
        // A round of the meter's own, at any moment.
        rings.drain(&mut marks);
        drained_when_asked(&mut marks);
        let _writer = program.join().unwrap();
        while drained_when_asked(&mut marks) {}
        for lane in lock(&rings.lanes).iter() {
            assert!(lock(&lane.overflow.spilt).is_empty(), "spilt, and nobody asked");
        }
        rings.drain(&mut marks);
        assert!(sorted(&marks).into_iter().eq(1..=LEFT), "{:?}", ids(&marks));
    });
}

#[test]
fn spans_that_share_a_mark_each_count_once() {
    const LEFT: u64 = CAPACITY as u64 + 3;
    // All of three preemptions pass too, which takes more than a minute.
    explore(2, || {
        let (rings, _inbox) = rings();
        let meter = rings.meter;
        let left = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&left);
        let program = thread::spawn(move || {
            let mut writer = Writer::connect(meter).unwrap();
            for _ in 0..LEFT {
                let id = writer.shared_identity(LABEL, NO_SPAN, 7);
                writer.push(|| mark(id));
                counter.fetch_add(1, Ordering::Release);
            }
        });
        let mut marks = Vec::new();
        let mut folded = 0;
        for _ in 0..2 {
            let before = left.load(Ordering::Acquire) as u64;
            folded += rings.drain(&mut marks);
            let drained: u64 = marks.iter().map(Mark::count).sum();
            assert!(drained >= before, "{before} left, {drained} drained");
        }
        program.join().unwrap();
        folded += rings.drain(&mut marks);
        assert_eq!(marks.iter().map(Mark::count).sum::<u64>(), LEFT);
        assert_eq!(marks.iter().map(|mark| mark.items).sum::<f64>(), LEFT as f64);
        let shared = marks.iter().filter(|mark| mark.folded > 0);
        assert_eq!(shared.map(Mark::count).sum::<u64>(), folded);
        assert!(marks.iter().all(|mark| mark.id == 7));
    });
}

#[test]
fn a_thread_that_connects_while_the_meter_finishes_leaves_no_lane() {
    explore(3, || {
        let (rings, _inbox) = rings();
        let meter = rings.meter;
        let program = thread::spawn(move || {
            let mut writer = Writer::connect(meter);
            if let Some(writer) = &mut writer {
                (1..=CAPACITY as u64 + 1).for_each(|id| _ = writer.push(|| mark(id)));
            }
            writer
        });
        rings.close();
        assert!(rings.is_shut());
        let writer = program.join().unwrap();
        assert_eq!(lock(&rings.lanes).len(), 0);
        assert!(writer.is_none_or(|writer| writer.is_abandoned()));
        assert!(Writer::connect(meter).is_none());
    });
}

#[test]
fn threads_that_come_and_go_leave_their_marks_and_no_lanes() {
    explore(3, || {
        let (rings, inbox) = rings();
        let meter = rings.meter;
        let leave = |id: u64| {
            move || {
                let mut writer = Writer::connect(meter).unwrap();
                writer.push(|| mark(id));
            }
        };
        let (one, other) = (thread::spawn(leave(1)), thread::spawn(leave(2)));
        let mut marks = Vec::new();
        rings.drain(&mut marks);
        one.join().unwrap();
        other.join().unwrap();
        rings.drain(&mut marks);
        assert_eq!(sorted(&marks), [1, 2]);
        assert_eq!(lock(&rings.lanes).len(), 0);
        let asked = std::iter::from_fn(|| inbox.try_recv()).count();
        assert!(asked <= 1, "{LANES_AT_ONCE} threads ask at most once, and if they meet");
    });
}

#[test]
fn a_meter_may_go_while_a_thread_connects_and_pushes() {
    explore(3, || {
        let (rings, _inbox) = rings();
        let meter = rings.meter;
        assert!(rings.install());
        let program = thread::spawn(move || {
            let mut writer = Writer::connect(meter);
            if let Some(writer) = &mut writer {
                (1..=CAPACITY as u64 + 1).for_each(|id| _ = writer.push(|| mark(id)));
            }
            writer
        });
        drop(rings);
        let writer = program.join().unwrap();
        assert!(writer.is_none_or(|writer| writer.is_abandoned()), "it can tell");
        assert_eq!(installed(), NO_SPAN, "whoever let go of it last");
        assert!(Writer::connect(meter).is_none());
    });
}

#[test]
fn of_two_meters_one_is_installed_and_the_other_cannot_undo_it() {
    explore(3, || {
        let (one, _inbox) = rings();
        let other = thread::spawn(|| {
            let (other, _inbox) = rings();
            let installed = other.install();
            if !installed {
                other.uninstall();
            }
            (other, installed)
        });
        let first = one.install();
        if !first {
            one.uninstall();
        }
        let (other, second) = other.join().unwrap();
        assert!(first != second, "exactly one");
        assert_eq!(installed(), if first { one.meter } else { other.meter });
        let (winner, loser) = if first { (one, other) } else { (other, one) };
        drop(loser);
        assert_eq!(installed(), winner.meter);
        drop(winner);
        assert_eq!(installed(), NO_SPAN);
    });
}

#[test]
fn a_thread_finds_its_meter_while_others_come_and_go() {
    explore(3, || {
        let (leaving, _inbox) = rings();
        let (staying, _inbox) = rings();
        let meter = staying.meter;
        let program = thread::spawn(move || {
            Writer::connect(meter).expect("the meter that stays").push(|| mark(1));
        });
        let gone = thread::spawn(move || drop(leaving));
        let (_coming, _inbox) = rings();
        program.join().unwrap();
        gone.join().unwrap();
        let mut marks = Vec::new();
        staying.drain(&mut marks);
        assert_eq!(ids(&marks), [1]);
    });
}
