//! The life of a meter: ends that take long, what comes too fast, the program's own code that calls back.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::record::Epoch;
use ergometer::record::Record;
use ergometer::source::{
    Availability, Domain, DomainKind, Due, PowerSource, Reading, Request, Value,
};
use ergometer::span::Label;
use ergometer::units::Watts;
use ergometer::{ErrorKind, Kind, Meter, MeterBuilder, Span, clock};

use crate::accounting::{Steady, assert_conserved};
use crate::starts::{child_alone, left_behind};

pub const PATIENCE: Duration = Duration::from_mins(1);

pub fn builder() -> MeterBuilder {
    Meter::builder().without_probe().source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
}

/// Waits until `done` gives something.
pub fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The record in a journal that has its end.
pub fn whole(journal: &Path) -> Record {
    let text = fs::read_to_string(journal).unwrap();
    let last = text.lines().last().unwrap_or_default();
    assert!(last.contains(r#""row":"end""#), "{}: {:.200}", journal.display(), last);
    let record = Record::recover(journal).unwrap();
    assert_conserved(&record);
    record
}

/// Panics in one of its calls, the `left`-th and later ones.
struct Faulty {
    source: Box<dyn PowerSource>,
    call: &'static str,
    left: std::cell::Cell<u32>,
}

impl Faulty {
    fn called(&self, call: &str) {
        if call == self.call {
            let left = self.left.get();
            assert!(left > 0, "a source with a defect in `{call}`");
            self.left.set(left - 1);
        }
    }
}

impl PowerSource for Faulty {
    fn domains(&self) -> &[Domain] {
        self.called("domains");
        self.source.domains()
    }
    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        self.called("read");
        self.source.read(request, readings);
    }
    fn next_read(&self) -> Option<Due> {
        self.called("next_read");
        None
    }
    fn last_read(&self, now: clock::Timestamp) -> clock::Timestamp {
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
fn a_source_that_panics_in_any_call_ends_alone() {
    for (call, left) in [
        ("domains", 0),
        ("domains", 1),
        ("read", 1),
        ("next_read", 1),
        ("last_read", 0),
        ("drop", 0),
    ] {
        let source = Steady::boxed("bad", DomainKind::Gpu, 300.0);
        let meter = Meter::builder()
            .without_probe()
            .source(Box::new(Faulty { source, call, left: left.into() }))
            .source(Steady::boxed("good", DomainKind::CpuPackage, 40.0))
            .start()
            .unwrap();
        for _ in 0..30 {
            let _epoch = meter.span(Kind::Epoch);
            thread::sleep(Duration::from_millis(10));
        }
        let named = meter.sources().iter().any(|report| match &report.availability {
            Availability::Unavailable { reason, .. } => reason.contains("panicked"),
            Availability::Available => false,
        });
        let record = meter.finish().unwrap();
        let warned = record.warnings.iter().any(|line| line.contains("'bad' panicked"));
        assert_eq!(named || warned, call != "drop", "{call} {left}: {:?}", record.warnings);
        let good = record.domains.iter().find(|row| row.domain.id == "good").unwrap();
        let joules = good.energy.unwrap().joules.get();
        assert!((joules / (40.0 * record.run.seconds) - 1.0).abs() < 1e-6, "{call}: {joules} J");
    }
}

#[test]
fn a_budgets_callback_may_finish_the_run_and_ask_anything_of_it() {
    let meter = builder().start().unwrap();
    let (reply, records) = mpsc::channel();
    let (own, from) = (meter.clone(), Instant::now());
    meter
        .budget("30 J".parse().unwrap(), move |spent| {
            own.plan(|plan| plan.epochs = u64::from(own.live().total.is_some()));
            own.fact("spent", spent);
            let _ = reply.send((own.finish(), from.elapsed()));
        })
        .unwrap();
    let (record, took) = records.recv_timeout(PATIENCE).unwrap();
    let record = record.unwrap();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(record.facts["spent"].contains('J') && record.run.finished);
    assert!(record.total.energy.unwrap().joules.get() > 20.0);
    // It was dropped, and its meter with it.
    assert!(records.recv_timeout(PATIENCE).is_err());
    assert_eq!(meter.finish().unwrap_err().kind(), ErrorKind::Finished);
}

#[test]
fn a_callback_that_hangs_holds_up_nothing() {
    let meter = builder().start().unwrap();
    let (release, held) = mpsc::channel::<()>();
    let (called, calls) = mpsc::channel();
    meter
        .budget("1 J".parse().unwrap(), move |_| {
            let _ = called.send(());
            let _ = held.recv();
        })
        .unwrap();
    calls.recv_timeout(PATIENCE).unwrap();
    drop(meter.span(Kind::Step));
    let record = meter.finish().unwrap();
    assert_eq!(record.steps["run"].count, 1);
    drop(release);
}

#[test]
fn a_meter_in_its_own_callback_is_given_up_once_that_was_called() {
    if !child_alone("life::a_meter_in_its_own_callback_is_given_up_once_that_was_called") {
        return;
    }
    let meter = builder().start().unwrap();
    let own = meter.clone();
    meter.budget("1 J".parse().unwrap(), move |_| drop(own.live())).unwrap();
    drop(meter);
    eventually("its threads end", || {
        left_behind(Path::new("/proc/self")).0.is_empty().then_some(())
    });
}

/// Shows itself by asking the meter.
struct Asks<'a>(&'a Meter);

impl fmt::Display for Asks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fact("inner", 1);
        write!(f, "{}", self.0.live().steps.len())
    }
}

impl From<Asks<'_>> for String {
    fn from(asks: Asks<'_>) -> Self {
        asks.0.result("inner", 1.0);
        "outer".to_owned()
    }
}

#[test]
fn the_programs_own_code_runs_under_no_lock() {
    let meter = builder().start().unwrap();
    meter.plan(|plan| {
        // While this is planned somebody else plans as well.
        meter.plan(|plan| plan.train_steps = 7);
        assert!(meter.live().forecast.is_none());
        plan.valid_steps = 3;
    });
    let plan = meter.live().plan;
    assert_eq!((plan.train_steps, plan.valid_steps), (7, 3));
    meter.fact("outer", Asks(&meter));
    meter.result(Asks(&meter), 2.0);
    let record = meter.finish().unwrap();
    assert_eq!((record.facts.len(), record.results.len()), (2, 2));
}

#[test]
fn epochs_without_number_are_booked_and_the_end_waits_for_them() {
    const EPOCHS: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().journal(folder.path()).start().unwrap();
    let (epoch, step) = (Label::new(Kind::Epoch, "train"), Label::new(Kind::Step, "step"));
    for _ in 0..EPOCHS {
        let _epoch = meter.enter(epoch);
        drop(meter.enter(step));
    }
    let record = meter.finish().unwrap();
    // Marks that are shared are shared within an epoch: no step is another epoch's, or none's.
    let counts: Vec<_> = record.steps.iter().map(|(name, steps)| (&**name, steps.count)).collect();
    assert_eq!(counts, [("train", EPOCHS)]);
    let one = |epoch: &Epoch| epoch.steps.as_ref().is_some_and(|steps| steps.count == 1);
    assert!(record.epochs.iter().all(one));
    let recovered = Record::recover(meter.journal().unwrap()).unwrap();
    assert!(recovered.run.finished);
    assert_eq!(recovered.steps, record.steps);
}

#[test]
fn runs_and_epochs_that_come_too_fast_are_counted_and_do_not_wait_in_a_queue() {
    const EPOCHS: u64 = 200_000;
    let meter = builder().start().unwrap();
    for _ in 0..EPOCHS {
        let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        drop(meter.enter(Label::new(Kind::Step, "step")));
    }
    for _ in 0..EPOCHS {
        drop(meter.span(Kind::Run));
    }
    let record = meter.finish().unwrap();
    let more = &record.more_epochs["train"];
    assert_eq!(record.epochs.len() as u64 + more.count, EPOCHS);
    assert_eq!(record.steps["train"].count, EPOCHS);
    let of_rows = record.epochs.iter().filter_map(|epoch| epoch.steps.as_ref());
    let of_more = more.steps.as_ref().map_or(0, |steps| steps.count);
    assert_eq!(of_rows.map(|steps| steps.count).sum::<u64>() + of_more, EPOCHS);
    let runs = record.spans.iter().filter(|node| node.kind == Kind::Run);
    assert_eq!(runs.map(|node| node.count).sum::<u64>(), EPOCHS);
    assert_conserved(&record);
}

#[test]
fn spans_that_are_never_ended_take_bounded_room() {
    const LEAKED: u64 = 100_000;
    let meter = builder().start().unwrap();
    for _ in 0..LEAKED {
        let epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        drop(meter.enter(Label::new(Kind::Step, "step")));
        std::mem::forget(epoch);
    }
    let record = meter.finish().unwrap();
    let says = |word: &str| record.warnings.iter().any(|line| line.contains(word));
    assert!(says("or more epochs were still open"), "{:?}", record.warnings);
    // What was inside them counts all the same.
    assert_eq!(record.steps.values().map(|steps| steps.count).sum::<u64>(), LEAKED);
    assert!(record.epochs.len() as u64 <= 4096, "{}", record.epochs.len());
}

#[test]
fn budgets_beyond_a_thousand_at_once_are_not_watched_and_reported() {
    let meter = builder().start().unwrap();
    let budgets: Vec<_> = (0..100_000)
        .map(|_| {
            let span = meter.span(Kind::Phase);
            span.budget("1 kWh");
            span
        })
        .collect();
    drop(budgets);
    let record = meter.finish().unwrap();
    let said = |line: &String| line.contains("is not kept: 1024 budgets are watched already");
    assert_eq!(
        record.warnings.iter().filter(|line| said(line)).count(),
        1,
        "{:?}",
        record.warnings
    );
}

#[test]
fn threads_that_open_epochs_without_pause_do_not_keep_a_run_from_its_end() {
    let meter = builder().start().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // Spans do nothing once the run is over; these are sent all the same.
                let begin = Instant::now();
                while !stop.load(Ordering::Relaxed) && begin.elapsed() < PATIENCE {
                    drop(meter.span(Kind::Epoch));
                }
            });
        }
        thread::sleep(Duration::from_millis(1500));
        let record = meter.finish();
        stop.store(true, Ordering::Relaxed);
        assert!(!record.unwrap().epochs.is_empty());
    });
}

#[test]
fn an_epoch_that_is_open_at_the_end_ends_there() {
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().journal(folder.path()).start().unwrap();
    let run = meter.span(Kind::Run);
    let epoch = meter.enter(Label::new(Kind::Epoch, "train"));
    for _ in 0..5 {
        drop(meter.span(Kind::Step));
    }
    let open = meter.span(Kind::Step);
    thread::sleep(Duration::from_millis(150));
    let record = meter.finish().unwrap();
    drop((open, epoch, run));
    assert_conserved(&record);
    let [epoch] = record.epochs.as_slice() else { panic!("{:?}", record.epochs) };
    assert_eq!((epoch.split.as_str(), epoch.steps.as_ref().unwrap().count), ("train", 5));
    assert!(epoch.usage.energy.unwrap().joules.get() > 300.0 * 0.14);
    let names: Vec<_> = record.spans.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["run"], "the epoch is in the run");
    assert!(record.warnings.iter().any(|line| line.contains("1 epoch was still open")));
    assert_eq!(whole(meter.journal().unwrap()).epochs, record.epochs);
}

#[test]
fn a_reading_stamped_in_the_future_counts_as_failed_and_silences_nothing() {
    struct Ahead(Box<dyn PowerSource>, u32);
    impl PowerSource for Ahead {
        fn domains(&self) -> &[Domain] {
            self.0.domains()
        }
        fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
            self.1 += 1;
            if self.1 == 2 {
                let at = clock::now().after(Duration::from_hours(1));
                readings.push(Reading::new(0, at, Value::Power(Watts::new(300.0))));
                readings.push(Reading::new(0, at, Value::Restarted("a jump".to_owned())));
            }
            self.0.read(request, readings);
        }
    }
    let source = Ahead(Steady::boxed("ahead", DomainKind::Gpu, 300.0), 0);
    let meter = Meter::builder().without_probe().source(Box::new(source)).start().unwrap();
    thread::sleep(Duration::from_millis(700));
    let record = meter.finish().unwrap();
    let row = &record.domains[0];
    assert_eq!(row.failed_readings, 2, "{:?}", row.warnings);
    let joules = row.energy.unwrap().joules.get();
    assert!((joules / (300.0 * record.run.seconds) - 1.0).abs() < 1e-6, "{joules} J");
}

#[test]
fn spans_of_a_thread_that_is_torn_down_are_not_lost() {
    /// Ends a span that was opened before, and one of its own, when its thread ends.
    struct AtTheEnd(Option<Span>, Option<Meter>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            if let Some(meter) = &self.1 {
                drop(meter.enter(Label::new(Kind::Phase, "late")));
                drop(meter.enter(Label::new(Kind::Epoch, "late epoch")));
            }
            self.0.take();
        }
    }
    thread_local! {
        static HELD: std::cell::RefCell<AtTheEnd> =
            const { std::cell::RefCell::new(AtTheEnd(None, None)) };
    }
    let meter = builder().start().unwrap();
    let other = meter.clone();
    let program = thread::spawn(move || {
        // Registered before the meter's own, and so destroyed after it.
        HELD.with(|held| held.borrow_mut().1 = Some(other.clone()));
        let span = other.enter(Label::new(Kind::Phase, "held"));
        drop(other.enter(Label::new(Kind::Phase, "inside")));
        HELD.with(|held| held.borrow_mut().0 = Some(span));
    });
    program.join().unwrap();
    let record = meter.finish().unwrap();
    let mut names: Vec<_> = record.spans.iter().map(|node| node.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["held", "late", "late epoch"], "{:?}", record.warnings);
    let held = record.spans.iter().find(|node| node.name == "held").unwrap();
    assert_eq!(held.children[0].name, "inside");
    assert_eq!(record.epochs.len(), 1);
}

#[test]
fn a_port_is_free_once_its_meter_is_dropped() {
    // An address that no connection of another test is given.
    let first = builder().prometheus(([127, 0, 0, 3], 0)).start().unwrap();
    let address = first.prometheus().unwrap();
    first.finish().unwrap();
    drop(first);
    for round in 0..30 {
        let meter = builder().prometheus(address).start();
        let meter = meter.unwrap_or_else(|error| panic!("{round}: {error}"));
        if round % 2 == 0 {
            meter.finish().unwrap();
        }
    }
}

#[test]
fn a_port_is_free_though_a_forked_child_holds_a_copy_of_the_socket() {
    let life = env!("CARGO_BIN_EXE_life");
    let status = Command::new(life).args(["none", "forked at a port"]).status().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn a_finish_that_gave_up_may_be_asked_again_and_the_journal_is_whole_in_any_case() {
    // A source may take the time it likes: it is left out after 2 s, so nothing here takes 30 s.
    let folder = tempfile::tempdir().unwrap();
    let meter = Arc::new(builder().journal(folder.path()).start().unwrap());
    drop(meter.span(Kind::Step));
    let finishers: Vec<_> = (0..4)
        .map(|_| {
            let meter = Arc::clone(&meter);
            thread::spawn(move || meter.finish())
        })
        .collect();
    let ends: Vec<_> = finishers.into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    let refused = ends.iter().filter_map(|end| end.as_ref().err());
    assert!(refused.into_iter().all(|error| error.kind() == ErrorKind::Finished));
    whole(meter.journal().unwrap());
}
