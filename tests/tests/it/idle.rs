//! The baseline before a run, and the run's energy above it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ergometer::Meter;
use ergometer::clock::{self, Timestamp};
use ergometer::record::Record;
use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request, Value};
use ergometer::units::{Joules, Watts};

use crate::accounting::Steady;

const IDLE: Duration = Duration::from_millis(50);
const BEFORE: f64 = 40.0;
const AFTER: f64 = 400.0;

/// Draws 40 W until it is switched on, 400 W from then on.
struct Switched {
    domains: Vec<Domain>,
    first: Option<Timestamp>,
    switch: Arc<Switch>,
}

/// When it was switched on, nanoseconds, 0 before that; and the time of the last read.
#[derive(Default)]
struct Switch {
    on: AtomicU64,
    read: AtomicU64,
}

impl Switched {
    fn boxed(kind: DomainKind, switch: &Arc<Switch>) -> Box<dyn PowerSource> {
        let domains = Steady::boxed("switched", kind, 0.0).domains().to_vec();
        Box::new(Self { domains, first: None, switch: Arc::clone(switch) })
    }
}

impl PowerSource for Switched {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
        let now = clock::now();
        let first = *self.first.get_or_insert(now);
        let on = match self.switch.on.load(Ordering::Acquire) {
            0 => now,
            on => Timestamp::from_nanos(on).min(now),
        };
        let joules = BEFORE * on.since(first).as_secs_f64() + AFTER * now.since(on).as_secs_f64();
        readings.push(Reading::new(0, now, Value::Energy(Joules::new(joules))));
        self.switch.read.store(now.as_nanos(), Ordering::Release);
    }
}

/// A run that begins when its device is switched on.
fn run(baseline: Duration) -> Record {
    let switch = Arc::new(Switch::default());
    let meter = Meter::builder()
        .without_probe()
        .source(Switched::boxed(DomainKind::CpuPackage, &switch))
        .fixed(DomainKind::Node, Watts::new(10.0))
        .idle(baseline)
        .start()
        .unwrap();
    let started = clock::now();
    // A read within the run, on another thread.
    while switch.read.load(Ordering::Acquire) < started.as_nanos() {
        std::thread::yield_now();
    }
    let on = clock::now();
    switch.on.store(on.as_nanos(), Ordering::Release);
    while clock::now().since(on) < Duration::from_millis(60) {
        std::hint::spin_loop();
    }
    meter.finish().unwrap()
}

#[test]
fn the_baseline_is_what_was_drawn_before_the_run() {
    let record = run(IDLE);
    let [fixed, switched] = &record.domains[..] else { panic!("{:?}", record.domains) };
    let idle = switched.idle_power.unwrap().get();
    assert!((idle / BEFORE - 1.0).abs() < 0.1, "{idle} W before the run");
    let power = switched.mean_power.unwrap().get();
    assert!(power > 2.0 * BEFORE, "{power} W in the run");
    assert!(record.run.idle_seconds.is_some_and(|seconds| seconds >= IDLE.as_secs_f64()));

    for row in [switched, fixed] {
        let (energy, idle) = (row.energy.unwrap().joules, row.idle_power.unwrap());
        let above = energy.get() - idle.get() * record.run.seconds;
        assert!((row.above_idle.unwrap().get() - above).abs() < 1e-9, "{row:?}");
    }
    let nothing = fixed.above_idle.unwrap().get();
    assert!(nothing.abs() < 1e-3 * fixed.energy.unwrap().joules.get() + 1e-6, "{nothing} J");
    let drawn = record.total.energy.unwrap().joules.get();
    let run = record.run.seconds;
    assert!(drawn < (AFTER + 10.0) * run * 1.05, "the baseline is no part of the run: {drawn} J");
}

#[test]
fn the_report_shows_both_the_whole_and_what_is_above_the_baseline() {
    let record = run(IDLE);
    let table = record.to_string();
    for part in ["idle power", "above idle", "before the run"] {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }
    assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
}

#[test]
fn without_a_baseline_nothing_is_said_of_it() {
    let record = run(Duration::ZERO);
    assert_eq!(record.run.idle_seconds, None);
    assert!(record.domains.iter().all(|row| row.idle_power.is_none() && row.above_idle.is_none()));
    let table = record.to_string();
    assert!(!table.contains("idle"), "{table}");
    // A record of an earlier version has no such fields.
    let mut json: serde_json::Value = serde_json::from_str(&record.to_json().unwrap()).unwrap();
    json["run"].as_object_mut().unwrap().remove("idle_seconds");
    for row in json["domains"].as_array_mut().unwrap() {
        row.as_object_mut().unwrap().retain(|name, _| !name.contains("idle"));
    }
    assert_eq!(Record::from_json(&json.to_string()).unwrap(), record);
}
