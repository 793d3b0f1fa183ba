//! Clocks that jump, stand still or are set, machines that sleep, processes that are stopped.
//!
//! What is pretended of a clock happens to the whole process, so each of these runs in one of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::clock::{self, pretend};
use ergometer::record::Record;
use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request, Value};
use ergometer::span::Label;
use ergometer::units::Watts;
use ergometer::{Kind, Meter};

use crate::accounting::Steady;
use crate::child;
use crate::rapl::Tree;

/// What the package draws.
const WATTS: f64 = 318.0;
const HOUR: i64 = 3_600_000_000_000;

/// Runs `test` of this file in a process of its own; there, `here`.
fn alone(test: &str, here: impl FnOnce()) {
    if child::is_one() {
        here();
    } else {
        child::passes(&mut child::of(&format!("clocks::{test}"), &[]));
    }
}

/// A package that draws 318 W by the system's clock, and what else it counted.
struct Package {
    tree: Tree,
    begun: Instant,
    done: AtomicBool,
    /// Further joules.
    beside: AtomicBool,
}

/// What the package counts while the machine sleeps.
const BESIDE: f64 = 3600.0;

impl Package {
    fn new() -> Self {
        let tree = Tree::new().zone("intel-rapl:0", "package-0", 0);
        Self { tree, begun: Instant::now(), done: false.into(), beside: false.into() }
    }

    /// Moves the register as the hardware does, until the test has what it needs.
    fn draw(&self) {
        while !self.done.load(Ordering::Relaxed) {
            let beside = if self.beside.load(Ordering::Relaxed) { BESIDE } else { 0.0 };
            let joules = WATTS * self.begun.elapsed().as_secs_f64() + beside;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            self.tree.set("intel-rapl:0", (joules * 1e6) as u64);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn meter(&self) -> ergometer::MeterBuilder {
        Meter::builder()
            .label("clocks")
            .sysfs_root(self.tree.sys())
            .proc_root(self.tree.proc())
            .nvml_library("/nowhere/libnvidia-ml.so.1")
    }
}

/// A run of steps of which `happens` is the middle; the record, how many steps there were, and how long
/// the run took by the system's clock.
fn run(
    package: &Package,
    meter: &Meter,
    begun: Instant,
    happens: impl FnOnce(),
) -> (Record, u64, f64) {
    let mut happens = Some(happens);
    let mut steps = 0;
    for epoch in 0..2 {
        let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        for step in 0..200 {
            let _step = meter.span(Kind::Step);
            thread::sleep(Duration::from_millis(5));
            if epoch == 0
                && step == 150
                && let Some(happens) = happens.take()
            {
                happens();
            }
            steps += 1;
        }
    }
    let record = meter.finish().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    package.done.store(true, Ordering::Relaxed);
    (record, steps, seconds)
}

/// Whatever the clock does, time, energy and steps are what they are, and a jump is flagged; at least this
/// share of an epoch lies in its steps.
fn whatever_the_clock_does(share: f64, happens: impl FnOnce()) {
    let package = Package::new();
    thread::scope(|scope| {
        scope.spawn(|| package.draw());
        let begun = Instant::now();
        let meter = package.meter().start().unwrap();
        let (record, steps, seconds) = run(&package, &meter, begun, happens);

        let run = &record.run;
        assert!((run.seconds / seconds - 1.0).abs() < 0.1, "{} for {seconds} s", run.seconds);
        let domain = record.domains.iter().find(|row| row.domain.id == "rapl:package-0").unwrap();
        let energy = domain.energy.unwrap();
        let truth = WATTS * run.seconds;
        let off = (energy.joules.get() / truth - 1.0).abs();
        assert!(off < 0.1, "{} for {truth} J", energy.joules);
        assert!(energy.coverage < 1.0 && energy.coverage > 0.5, "{energy:?}");
        assert!(energy.parts.gaps.get() > 0.0, "{energy:?}");
        let told = record.warnings.iter().filter(|line| line.contains("the processor's counter"));
        assert!(told.count() >= 1, "{:#?}", record.warnings);

        assert_eq!(record.steps["train"].count, steps);
        let [first, second] = &record.epochs[..] else { panic!("{:?}", record.epochs) };
        let sum: f64 = record.epochs.iter().map(|epoch| epoch.usage.seconds).sum();
        assert!(sum <= run.seconds && sum > 0.9 * run.seconds, "{sum} of {} s", run.seconds);
        for epoch in [first, second] {
            // Every step took 5 ms or more.
            assert!(epoch.usage.seconds >= 0.9, "{epoch:?}");
            let steps = epoch.steps.as_ref().unwrap().seconds;
            assert!(
                steps <= epoch.usage.seconds && steps > share * epoch.usage.seconds,
                "{steps} s"
            );
        }
        assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
    });
}

#[test]
fn a_counter_that_starts_again_at_0_loses_neither_time_nor_energy() {
    alone("a_counter_that_starts_again_at_0_loses_neither_time_nor_energy", || {
        whatever_the_clock_does(0.8, pretend::restart);
    });
}

#[test]
fn a_counter_that_jumps_an_hour_ahead_adds_neither_time_nor_energy() {
    alone("a_counter_that_jumps_an_hour_ahead_adds_neither_time_nor_energy", || {
        whatever_the_clock_does(0.8, || pretend::jump(HOUR));
    });
}

#[test]
fn a_counter_that_jumps_two_seconds_back_loses_nothing() {
    alone("a_counter_that_jumps_two_seconds_back_loses_nothing", || {
        whatever_the_clock_does(0.8, || pretend::jump(-2_000_000_000));
    });
}

#[test]
fn a_counter_that_stands_still_is_left_for_the_systems_clock() {
    alone("a_counter_that_stands_still_is_left_for_the_systems_clock", || {
        const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        let current = fs::read_to_string(CURRENT).unwrap_or_default();
        if !matches!(current.trim(), "tsc" | "arch_sys_counter") {
            println!("no counter is read here, so none can stand still");
            return;
        }
        // All that was stamped while it stood still, some tenths of a second, has one time.
        whatever_the_clock_does(0.4, pretend::stand_still);
    });
}

/// 50 W by samples of power, and no counter.
struct Sampled(Box<dyn PowerSource>);

impl PowerSource for Sampled {
    fn domains(&self) -> &[Domain] {
        self.0.domains()
    }

    fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
        readings.push(Reading::new(0, clock::now(), Value::Power(Watts::new(50.0))));
    }
}

#[test]
fn the_machines_sleep_is_no_energy_but_what_a_counter_counted_and_is_in_the_record() {
    alone(
        "the_machines_sleep_is_no_energy_but_what_a_counter_counted_and_is_in_the_record",
        || {
            if !cfg!(target_os = "linux") {
                return;
            }
            let package = Package::new();
            let folder = tempfile::tempdir().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| package.draw());
                let begun = Instant::now();
                let meter = package
                    .meter()
                    .journal(folder.path())
                    .rank(0, 1)
                    .fixed(DomainKind::Dram, Watts::new(10.0))
                    .source(Box::new(Sampled(Steady::boxed("sampled", DomainKind::Gpu, 0.0))))
                    .start()
                    .unwrap();
                let journal = meter.journal().unwrap().to_owned();
                let (record, ..) = run(&package, &meter, begun, || {
                    // It slept through: what its counter shows after that is what it drew meanwhile.
                    pretend::sleep(Duration::from_hours(1));
                    package.beside.store(true, Ordering::Relaxed);
                });
                let seconds = record.run.seconds;
                assert!(seconds < 60.0, "{seconds} s");
                let asleep = record.run.asleep_seconds.unwrap();
                assert!((asleep - 3600.0).abs() < 1.0, "{asleep}");
                let joules = |id: &str| {
                    let row = record.domains.iter().find(|row| row.domain.id == id);
                    row.unwrap().energy.unwrap().joules.get()
                };
                for (id, truth) in [
                    ("fixed:dram", 10.0 * seconds),
                    ("sampled", 50.0 * seconds),
                    ("rapl:package-0", WATTS * seconds + BESIDE),
                ] {
                    let drawn = joules(id);
                    assert!((drawn / truth - 1.0).abs() < 0.1, "{id}: {drawn} for {truth} J");
                }
                let package = record.domains.iter().find(|row| row.domain.id == "rapl:package-0");
                let remarks = &package.unwrap().warnings;
                assert!(remarks.iter().any(|line| line.contains("slept 3600 s")), "{remarks:?}");
                let table = record.to_string();
                assert!(table.contains("asleep for"), "{table}");
                let json = record.to_json().unwrap();
                assert_eq!(Record::from_json(&json).unwrap(), record);
                let kept = Record::recover(&journal).unwrap().run.asleep_seconds;
                assert_eq!(kept, Some(asleep));
                assert_eq!(Record::merge(vec![record]).unwrap().run.asleep_seconds, Some(asleep));
            });
        },
    );
}

#[test]
fn a_wall_clock_that_is_set_during_the_run_puts_its_start_right() {
    alone("a_wall_clock_that_is_set_during_the_run_puts_its_start_right", || {
        if !cfg!(target_os = "linux") {
            return;
        }
        // A board without a battery for its clock.
        let years = 50 * 365 * 24 * HOUR;
        let started = jiff::Timestamp::now();
        pretend::set_wall(-years);
        let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0));
        let meter = meter.start().unwrap();
        pretend::set_wall(years);
        drop(meter.span(Kind::Step));
        let record = meter.finish().unwrap();
        let date: jiff::Timestamp = record.run.started.parse().unwrap();
        let off = date.duration_since(started).as_secs_f64();
        assert!(off.abs() < 30.0, "{date} for {started}");
        let told = record.warnings.iter().find(|line| line.contains("wall clock was set by"));
        assert!(told.is_some_and(|line| line.contains("+1576800000.0 s")), "{:?}", record.warnings);
        assert!(record.run.seconds < 60.0);
    });
}

#[test]
fn spans_with_moments_outside_the_run_are_limited_to_it_and_said() {
    let idle = Duration::from_millis(200);
    let meter = Meter::builder()
        .without_probe()
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 100.0))
        .idle(idle)
        .start()
        .unwrap();
    let now = clock::now();
    let before = now.before(Duration::from_secs(2));
    meter.enter_at(Label::new(Kind::Epoch, "train"), before).close_at(clock::now());
    let open = meter.enter(Label::new(Kind::Epoch, "valid"));
    thread::sleep(Duration::from_millis(50));
    open.close_at(clock::now().after(Duration::from_hours(1)));
    let ahead = clock::now().after(Duration::from_hours(1));
    meter.enter_at(Label::new(Kind::Epoch, "ahead"), ahead).close_at(ahead);
    let record = meter.finish().unwrap();

    let [train, valid, ahead] = &record.epochs[..] else { panic!("{:?}", record.epochs) };
    assert_eq!(train.start_s, 0.0);
    assert!(valid.usage.seconds >= 0.05 && valid.usage.seconds < 30.0, "{valid:?}");
    assert!(ahead.usage.seconds < 1.0, "{ahead:?}");
    let of = |usage: &ergometer::energy::Usage| usage.energy.unwrap().joules.get();
    let epochs: f64 = record.epochs.iter().map(|epoch| of(&epoch.usage)).sum();
    let outside: f64 = record.outside_epochs.iter().map(|joules| joules.get()).sum();
    let total = of(&record.total);
    assert!((epochs + outside - total).abs() < 1e-6, "{epochs} + {outside} = {total} J");
    for part in ["a start before the run", "in the future"] {
        assert!(record.warnings.iter().any(|line| line.contains(part)), "{:?}", record.warnings);
    }
}

/// A device whose last read takes a second in which the process runs.
struct Slow {
    steady: Box<dyn PowerSource>,
    reads: u32,
}

impl PowerSource for Slow {
    fn domains(&self) -> &[Domain] {
        self.steady.domains()
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        self.reads += 1;
        if request == Request::Edge && self.reads > 1 {
            // Whoever stops this process does it from here on.
            println!("finishing");
            for _ in 0..20 {
                thread::sleep(Duration::from_millis(50));
            }
        }
        self.steady.read(request, readings);
    }
}

#[test]
fn a_process_that_is_stopped_while_it_finishes_loses_nothing() {
    const TEST: &str = "a_process_that_is_stopped_while_it_finishes_loses_nothing";
    if child::is_one() {
        let steady = Steady::boxed("gpu-0", DomainKind::Gpu, 100.0);
        let meter = Meter::builder()
            .without_probe()
            .source(Box::new(Slow { steady, reads: 0 }))
            .start()
            .unwrap();
        let record = meter.finish().unwrap();
        let hung = record.warnings.iter().find(|line| line.contains("hung"));
        assert_eq!(hung, None, "{:?}", record.warnings);
        let seconds = record.run.seconds;
        assert!(record.total.energy.is_some(), "{seconds} s");
        return;
    }
    let mut stopped =
        child::of(&format!("clocks::{TEST}"), &[]).stdout(Stdio::piped()).spawn().unwrap();
    let process = stopped.id().to_string();
    let signal = |name: &str| {
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    };
    let mut lines = BufReader::new(stopped.stdout.take().unwrap()).lines();
    let finishing = lines.by_ref().map(Result::unwrap).any(|line| line.contains("finishing"));
    assert!(finishing);
    signal("STOP");
    // For longer than the end of a run waits for a source.
    thread::sleep(Duration::from_millis(3500));
    signal("CONT");
    let said: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(stopped.wait().unwrap().success(), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("1 passed")), "{said:#?}");
}
