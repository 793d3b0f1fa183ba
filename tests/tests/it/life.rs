//! The life of a meter where it is cut short: signals, ends that take long, starts that fail, the program's own
//! code that calls back.

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
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
use ergometer::{Devices, ErrorKind, Kind, Meter, MeterBuilder, Span, clock};

use crate::accounting::{Steady, assert_conserved};
use crate::child;

const PATIENCE: Duration = Duration::from_mins(1);

fn builder() -> MeterBuilder {
    Meter::builder().without_probe().source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
}

/// Waits until `done` gives something.
fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A process that was started for `how`, ready to be signalled.
struct Life {
    folder: PathBuf,
    child: Child,
}

impl Life {
    fn new(folder: &Path, how: &str) -> Self {
        Self::spawn(folder, child::with_default_signals(env!("CARGO_BIN_EXE_life")), how)
    }

    fn spawn(folder: &Path, mut command: Command, how: &str) -> Self {
        let folder = folder.join(how);
        let mut child = command
            .args([folder.as_os_str(), how.as_ref()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{how}");
        Self { folder, child }
    }

    fn signal(&self, signals: &[&str]) {
        let process = self.child.id();
        let script: Vec<_> =
            signals.iter().map(|name| format!("kill -s {name} {process}")).collect();
        let sent = Command::new("sh").args(["-c", &script.join("; ")]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    fn ends(&mut self) -> ExitStatus {
        eventually("the process ends", || self.child.try_wait().unwrap())
    }

    /// The records in its journals, of those that are whole first.
    fn records(&self) -> Vec<Record> {
        let entries = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let mut records: Vec<_> = entries.map(|path| whole(&path)).collect();
        records.sort_by_key(|record| !record.run.finished);
        records
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// The record in a journal that has its end.
fn whole(journal: &Path) -> Record {
    let text = fs::read_to_string(journal).unwrap();
    let last = text.lines().last().unwrap_or_default();
    assert!(last.contains(r#""row":"end""#), "{}: {:.200}", journal.display(), last);
    let record = Record::recover(journal).unwrap();
    assert_conserved(&record);
    record
}

fn ended_by(record: &Record, signal: &str) -> bool {
    !record.run.finished && record.warnings.contains(&format!("the run was ended by {signal}"))
}

#[test]
fn a_signal_finishes_whatever_runs_there_are_and_then_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    for (how, signal, number, journals) in [
        ("one", "INT", 2, 1),
        ("one", "TERM", 15, 1),
        ("second", "TERM", 15, 2),
        ("several", "TERM", 15, 3),
    ] {
        let folder = folder.path().join(signal);
        let mut life = Life::new(&folder, how);
        life.signal(&[signal]);
        assert_eq!(life.ends().signal(), Some(number), "{how}");
        let records = life.records();
        let ended = records.iter().filter(|record| ended_by(record, &format!("SIG{signal}")));
        let before = usize::from(how == "second");
        assert_eq!((records.len(), ended.count()), (journals, journals - before), "{how}");
    }
}

#[test]
fn a_signal_that_comes_twice_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::new(folder.path(), "one");
    life.signal(&["TERM", "TERM", "TERM"]);
    assert_eq!(life.ends().signal(), Some(15));
    assert!(ended_by(&life.records()[0], "SIGTERM"));
}

#[test]
fn a_signal_while_the_run_is_finished_waits_for_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::new(folder.path(), "finishing");
    thread::sleep(Duration::from_millis(20));
    life.signal(&["TERM"]);
    assert_eq!(life.ends().signal(), Some(15));
    let records = life.records();
    assert!(records[0].run.finished, "{:?}", records[0].warnings);
    assert!(records[0].steps["run"].count > 0);
}

#[test]
fn the_programs_own_handler_decides() {
    let folder = tempfile::tempdir().unwrap();
    for how in ["handler before", "handler later", "dropped, then handler"] {
        let mut life = Life::new(folder.path(), how);
        life.signal(&["TERM"]);
        assert_eq!(life.ends().code(), Some(42), "{how}");
    }
    let mut life = Life::new(folder.path(), "dropped");
    life.signal(&["TERM"]);
    assert_eq!(life.ends().signal(), Some(15), "without one it is the system's default");
}

#[test]
fn a_signal_that_the_parent_ignores_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" INT; exec "$0" "$@""#, env!("CARGO_BIN_EXE_life")]);
    let mut life = Life::spawn(folder.path(), shell, "one");
    life.signal(&["INT"]);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(life.child.try_wait().unwrap(), None);
    life.signal(&["TERM"]);
    assert_eq!(life.ends().signal(), Some(15));
    assert!(ended_by(&life.records()[0], "SIGTERM"));
}

#[test]
fn a_forked_child_keeps_its_signals_to_itself_and_may_have_a_meter() {
    let folder = tempfile::tempdir().unwrap();
    for how in ["forked", "forked installs"] {
        let status = Command::new(env!("CARGO_BIN_EXE_life"))
            .args([folder.path().join(how).as_os_str(), how.as_ref()])
            .stdin(Stdio::null())
            .process_group(0)
            .status()
            .unwrap();
        assert!(status.success(), "{how}: {status}");
    }
}

/// Threads of this process that are the meter's, its open files, and the files below `folder`.
fn left_behind(folder: &Path) -> (Vec<String>, usize, Vec<PathBuf>) {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let threads = names.filter(|name| name.starts_with("ergometer")).collect();
    let files = fs::read_dir("/proc/self/fd").unwrap().count();
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    (threads, files, entries)
}

fn child_alone(test: &str) -> bool {
    if child::is_one() {
        return true;
    }
    child::passes(&mut child::of(&format!("life::{test}"), &[]));
    false
}

#[test]
fn an_install_that_is_refused_is_refused_at_once_and_leaves_nothing() {
    if !child_alone("an_install_that_is_refused_is_refused_at_once_and_leaves_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().install().unwrap();
    // A thread names itself.
    eventually("its threads have begun", || {
        (left_behind(folder.path()).0.len() == 2).then_some(())
    });
    let before = left_behind(folder.path());
    for _ in 0..20 {
        let begin = Instant::now();
        let refused = builder()
            .idle(Duration::from_mins(10))
            .journal(folder.path().join("journals"))
            .finish_on_signal()
            .prometheus(0)
            .install()
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyInstalled);
        assert!(begin.elapsed() < Duration::from_mins(1), "it did not wait for the baseline");
        assert_eq!(left_behind(folder.path()), before);
    }
    drop(ergometer::span("still the first one's"));
    assert_eq!(meter.finish().unwrap().spans.len(), 1);
    // Of threads that install at once one is the first.
    let installed = thread::scope(|scope| {
        let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| builder().install())).collect();
        tries.into_iter().filter_map(|one| one.join().unwrap().ok()).collect::<Vec<_>>()
    });
    assert_eq!(installed.len(), 1);
}

type Setting = fn(MeterBuilder) -> MeterBuilder;

#[test]
fn a_start_that_fails_leaves_nothing() {
    if !child_alone("a_start_that_fails_leaves_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    // What the library sets up once for a process.
    builder().start().unwrap().finish().unwrap();
    let taken = builder().prometheus(0).start().unwrap();
    let port = taken.prometheus().unwrap();
    eventually("the first meter is gone", || {
        (left_behind(folder.path()).0.len() == 3).then_some(())
    });
    let before = left_behind(folder.path());
    let full = || {
        builder()
            .journal(folder.path().join("journals"))
            .idle(Duration::from_millis(1))
            .prometheus(0)
    };
    let tries: [(Setting, ErrorKind); 3] = [
        (|builder| builder.region("Germny"), ErrorKind::UnknownRegion),
        (|builder| builder.fixed(DomainKind::Node, Watts::new(150e3)), ErrorKind::InvalidSetting),
        (|builder| builder.resume("/nowhere/at/all.journal"), ErrorKind::Io),
    ];
    for (setting, kind) in tries {
        assert_eq!(setting(full()).install().unwrap_err().kind(), kind);
    }
    let unwritten = full().journal(file.join("journals")).install().unwrap_err();
    assert_eq!(unwritten.kind(), ErrorKind::Io);
    assert_eq!(full().prometheus(port).install().unwrap_err().kind(), ErrorKind::Network);
    let without = Meter::builder()
        .nvml_library(folder.path().join("libnvidia-ml.so.1"))
        .devices(Devices::List(vec!["GPU-8932f937".parse().unwrap()]))
        .journal(folder.path().join("journals"))
        .sysfs_root(folder.path());
    assert_eq!(without.install().unwrap_err().kind(), ErrorKind::UnknownDevice);
    eventually("nothing is left", || (left_behind(folder.path()) == before).then_some(()));
    // The place is free.
    builder().install().unwrap().finish().unwrap();
}

#[test]
fn a_file_that_hangs_costs_the_probe_its_limit_and_the_source() {
    let tree = crate::rapl::Tree::new().zone("intel-rapl:0", "package-0", 1);
    let energy = tree.folder("intel-rapl:0").join("energy_uj");
    fs::remove_file(&energy).unwrap();
    assert!(Command::new("mkfifo").arg(&energy).status().unwrap().success());
    let begin = Instant::now();
    let meter = Meter::builder()
        .sysfs_root(tree.sys())
        .proc_root(tree.proc())
        .nvml_library(tree.sys().join("libnvidia-ml.so.1"))
        .source(Steady::boxed("going", DomainKind::Gpu, 40.0))
        .start()
        .unwrap();
    assert!(begin.elapsed() < PATIENCE);
    let report = meter.sources().iter().find(|report| report.source == "rapl").unwrap();
    let Availability::Unavailable { reason, remedy } = &report.availability else {
        panic!("{report:?}")
    };
    assert!(reason.contains("took longer than") && remedy.contains("dmesg"), "{reason}; {remedy}");
    let record = meter.finish().unwrap();
    assert!(record.domains.iter().any(|row| row.domain.id == "going" && row.energy.is_some()));
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
    if !child_alone("a_meter_in_its_own_callback_is_given_up_once_that_was_called") {
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
    let first = builder().prometheus(0).start().unwrap();
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
