//! Epochs whose figures somebody waits for while the run goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ergometer::clock::{self, Timestamp};
use ergometer::meter::LiveEpoch;
use ergometer::source::{Domain, DomainKind, Due, PowerSource, Reading, Request};
use ergometer::span::{Label, Span};
use ergometer::{Kind, Meter};

use crate::accounting::{Steady, close, work};

const WATTS: f64 = 300.0;
/// A minute, for a machine that is busy otherwise.
const PATIENCE: Duration = Duration::from_mins(1);

/// A counter that is read only when something begins or ends, or somebody waits.
struct Seldom {
    counter: Steady,
    /// This many reads find nothing new.
    vain: Arc<AtomicU32>,
    last: Timestamp,
}

impl Seldom {
    fn boxed(vain: &Arc<AtomicU32>) -> Box<dyn PowerSource> {
        let counter = Steady::new("seldom", DomainKind::Gpu, WATTS);
        Box::new(Self { counter, vain: Arc::clone(vain), last: clock::now() })
    }
}

impl PowerSource for Seldom {
    fn domains(&self) -> &[Domain] {
        self.counter.domains()
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        self.last = clock::now();
        let less = |left: u32| left.checked_sub(1);
        if self.vain.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_err() {
            self.counter.read(request, readings);
        }
    }

    fn next_read(&self) -> Option<Due> {
        Some(Due::at(self.last.after(Duration::from_secs(25))))
    }
}

fn meter(vain: &Arc<AtomicU32>) -> Meter {
    Meter::builder().without_probe().source(Seldom::boxed(vain)).start().unwrap()
}

fn steps(meter: &Meter, count: u32) {
    for _ in 0..count {
        let _step = meter.span(Kind::Step);
        work(Duration::from_millis(2));
    }
}

fn epoch(meter: &Meter, split: &'static str) -> Span {
    meter.enter(Label::new(Kind::Epoch, split))
}

/// The energy of an epoch takes a reading after its end, and not the two more that give that reading's
/// neighbours their shape.
#[test]
fn an_epoch_that_ended_is_known_once_it_was_read_to_its_end() {
    let vain = Arc::new(AtomicU32::new(0));
    let meter = meter(&vain);
    let known = |split: &str| -> LiveEpoch {
        let epochs = meter.live_after_epochs(clock::now(), PATIENCE).epochs;
        epochs.iter().find(|epoch| epoch.split == split).unwrap().clone()
    };
    let train = epoch(&meter, "train");
    steps(&meter, 5);
    // The kernel's clock has not ticked since the last read, or a driver has no new value yet.
    vain.store(3, Ordering::Release);
    drop(train);
    let train = known("train");
    let valid = epoch(&meter, "valid");
    steps(&meter, 2);
    let going_on = known("valid");
    drop(valid);
    let valid = known("valid");
    let settled = known("train");

    let record = meter.finish().unwrap();
    assert!(!going_on.ended, "{going_on:?}");
    assert!(going_on.steps.count <= 2);
    for (live, epoch) in
        [(train, &record.epochs[0]), (settled, &record.epochs[0]), (valid, &record.epochs[1])]
    {
        assert_eq!(live.split, epoch.split);
        assert!(live.ended, "{live:?}");
        let steps = epoch.steps.as_ref().unwrap();
        assert_eq!(live.steps.count, steps.count);
        close(live.steps.seconds, steps.seconds, 1.0);
        // Power is constant: whatever its shape, the record divides it alike.
        let joules: f64 = steps.by_domain.iter().map(|joules| joules.get()).sum();
        close(live.steps.joules.get(), joules, 1e3);
        close(live.steps.joules.get(), WATTS * steps.seconds, 1e3);
    }
    assert_eq!(record.epochs.len(), 2);
    assert_eq!((record.steps["train"].count, record.steps["valid"].count), (5, 2));
}

#[test]
fn an_epoch_that_was_not_read_to_its_end_is_not_shown_as_ended() {
    let vain = Arc::new(AtomicU32::new(0));
    let meter = meter(&vain);
    let train = epoch(&meter, "train");
    steps(&meter, 3);
    vain.store(u32::MAX, Ordering::Release);
    drop(train);
    let live = meter.live_after_epochs(clock::now(), Duration::from_millis(200));
    assert!(!live.epochs[0].ended, "{:?}", live.epochs);
    vain.store(0, Ordering::Release);
    let live = meter.live_after_epochs(clock::now(), PATIENCE);
    assert!(live.epochs[0].ended && live.epochs[0].steps.count == 3, "{:?}", live.epochs);
    assert_eq!(meter.finish().unwrap().steps["train"].count, 3);
}
