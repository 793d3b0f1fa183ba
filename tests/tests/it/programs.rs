//! Small training programs in the form of third-party trainers. The record of each is compared with what a
//! machine of constant power drew in the intervals that the program timed itself.
//!
//! Each installs its meter, so each runs in a process of its own.

mod gan;
mod tasks;
mod threads;
mod trainer;
mod trait_methods;

use std::sync::Mutex;
use std::time::Duration;

use ergometer::Meter;
use ergometer::clock::{self, Timestamp};
use ergometer::record::{Record, SpanNode, Steps};
use ergometer::source::DomainKind;
use ergometer::units::Joules;

use crate::accounting::{Steady, assert_conserved, work};
use crate::child;

/// Power of the machine, watts: 300 W of a GPU and 40 W of a processor.
const WATTS: f64 = 340.0;

/// The record of `program`, run under an installed meter in a process of its own; `None` in the process that
/// starts that one.
fn record_of(test: &str, program: impl FnOnce()) -> Option<Record> {
    if !child::is_one() {
        child::passes(&mut child::of(&format!("programs::{test}"), &[]));
        return None;
    }
    let meter = Meter::builder()
        .without_probe()
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
        .source(Steady::boxed("cpu-0", DomainKind::CpuPackage, 40.0))
        .install()
        .unwrap();
    program();
    let record = meter.finish().unwrap();
    assert_constant_power(&record);
    Some(record)
}

/// Checks what holds for every record of a machine whose power never changes.
fn assert_constant_power(record: &Record) {
    assert_conserved(record);
    let total = record.total.energy.unwrap().joules.get();
    assert_equal(total, WATTS * record.run.seconds);
    for epoch in &record.epochs {
        assert_equal(epoch.usage.energy.unwrap().joules.get(), WATTS * epoch.usage.seconds);
        epoch.steps.iter().for_each(assert_steps);
        epoch.steps_by_name.iter().for_each(|row| assert_steps(&row.steps));
    }
    record.steps.values().for_each(assert_steps);
    record.steps_by_name.values().flatten().for_each(|row| assert_steps(&row.steps));
    let top: f64 = record.spans.iter().map(|node| sum(&node.by_domain)).sum();
    assert!(top <= total * (1.0 + 1e-9), "{top} J in spans of {total} J");
    record.spans.iter().for_each(assert_node);
    // The steps of these programs are shorter than the time between two reads.
    let warnings = record.warnings.iter().filter(|line| !line.starts_with("spans too short"));
    assert_eq!(warnings.collect::<Vec<_>>(), [""; 0]);
}

/// The mean, the sum and the energy of an item agree, and no step drew more than the machine.
fn assert_steps(steps: &Steps) {
    let all = sum(&steps.by_domain);
    assert_equal(steps.joules.mean * steps.count as f64, all);
    assert!(all <= WATTS * steps.seconds * (1.0 + 1e-6) + 1e-6, "{all} J in {} s", steps.seconds);
    let (joules, seconds) = (steps.joules.max.unwrap(), steps.duration_s.max.unwrap());
    // Both are of a histogram with buckets of 1 %.
    assert!(joules <= WATTS * seconds * 1.021, "a step of {joules} J and at most {seconds} s");
}

/// A node is its children and the rest, and its own time is that of the machine's power.
fn assert_node(node: &SpanNode) {
    let all = sum(&node.by_domain);
    let inside: f64 = node.children.iter().map(|child| sum(&child.by_domain)).sum();
    assert_equal(inside + node.exclusive.get(), all);
    assert!(node.exclusive.get() >= -1e-6, "{node:?}");
    assert_equal(node.inclusive.map_or(all, Joules::get), WATTS * node.seconds);
    node.children.iter().for_each(assert_node);
}

/// Steps that never overlap have all of the machine's power, and their items the energy of the steps.
#[track_caller]
fn assert_alone(steps: &Steps, count: usize, items: usize) {
    let all = sum(&steps.by_domain);
    assert_equal(all, WATTS * steps.seconds);
    assert_counts(steps, count, items);
}

#[track_caller]
fn assert_counts(steps: &Steps, count: usize, items: usize) {
    assert_eq!(steps.count, count as u64);
    let all = steps.items.as_ref().unwrap();
    assert_eq!(all.count, items as f64);
    assert_equal(all.joules_per_item.get() * all.count, sum(&steps.by_domain));
}

/// Equal to a millionth, or to a microjoule.
#[track_caller]
fn assert_equal(joules: f64, expected: f64) {
    let error = (joules - expected).abs();
    assert!(error <= 1e-6 * expected.abs() + 1e-6, "{joules} J, expected {expected} J");
}

/// `joules` is what the machine drew in some time between `least` and `most` seconds.
#[track_caller]
fn assert_between(joules: f64, least: f64, most: f64) {
    let (least, most) = (WATTS * least * (1.0 - 1e-6) - 1e-6, WATTS * most * (1.0 + 1e-6) + 1e-6);
    assert!(least <= joules && joules <= most, "{joules} J, expected {least} to {most} J");
}

/// Each of the `parts`, which never overlap, drew at least what the program timed inside its spans, and at most
/// what `whole`, timed around all of them, leaves it.
#[track_caller]
fn assert_parts(parts: &[(f64, &Intervals)], whole: &Intervals) {
    let inside: f64 = parts.iter().map(|(_, intervals)| intervals.total()).sum();
    let rest = whole.total() - inside;
    for (joules, intervals) in parts {
        assert_between(*joules, intervals.total(), intervals.total() + rest);
    }
    assert_between(parts.iter().map(|(joules, _)| joules).sum(), inside, whole.total());
}

fn sum(by_domain: &[Joules]) -> f64 {
    by_domain.iter().map(|joules| joules.get()).sum()
}

/// The node at a path of names.
#[track_caller]
fn node<'a>(record: &'a Record, path: &[&str]) -> &'a SpanNode {
    let (name, around) = path.split_last().unwrap();
    let nodes = if around.is_empty() { &record.spans } else { &node(record, around).children };
    let found = nodes.iter().find(|node| node.name == *name);
    found.unwrap_or_else(|| panic!("no {path:?} in {:#?}", record.spans))
}

/// The splits and numbers of the epochs.
fn epochs(record: &Record) -> Vec<(&str, u64)> {
    record.epochs.iter().map(|epoch| (&*epoch.split, epoch.index)).collect()
}

/// Keeps the processor busy.
fn compute(micros: u64) {
    work(Duration::from_micros(micros));
}

/// Intervals that the program timed.
#[derive(Default)]
struct Intervals(Mutex<Vec<(Timestamp, Timestamp)>>);

impl Intervals {
    fn time<R>(&self, work: impl FnOnce() -> R) -> R {
        let begin = clock::now();
        let result = work();
        self.end(begin);
        result
    }

    /// One that began at `begin` ends now.
    fn end(&self, begin: Timestamp) {
        self.0.lock().unwrap().push((begin, clock::now()));
    }

    /// The sum of their lengths, seconds.
    fn total(&self) -> f64 {
        let intervals = self.0.lock().unwrap();
        intervals.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum()
    }

    /// How long one or more of them went on, seconds.
    fn union(&self) -> f64 {
        let mut intervals = self.0.lock().unwrap().clone();
        intervals.sort_unstable();
        let (mut seconds, mut until) = (0.0, Timestamp::default());
        for (begin, end) in intervals {
            seconds += end.since(begin.max(until)).as_secs_f64();
            until = until.max(end);
        }
        seconds
    }
}
