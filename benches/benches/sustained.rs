//! Spans without a pause: what each costs in a loop of 10^8, and what memory the program then has taken.
//!
//! Beside it, in the same run: two reads of the standard library's clock, spans in bursts that a ring holds, and
//! the spans of `fastrace` and `tracing`, a tenth as many. Each runs in a process of its own, several times in turn;
//! the smallest time counts, and the most memory. `cargo xtask performance` makes a table from it.
//!
//! ```text
//! cargo bench --bench sustained                 # 10^8 times each
//! cargo bench --bench sustained -- 10000000 3   # 10^7 times each, three rounds
//! ```

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

use ergometer_benches::{Case, Metered};
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::prelude::LocalSpan;
use tracing_subscriber::layer::SubscriberExt as _;

/// What is timed, and which part of the times it is done.
const CASES: [(&str, u32); 7] = [
    ("two_instants", 1),
    ("span", 1),
    ("phases_in_a_step", 1),
    ("macro_step", 1),
    ("span_in_bursts", 10),
    ("fastrace", 10),
    ("tracing", 10),
];
const TIMES: u32 = 100_000_000;
const ROUNDS: u32 = 5;
/// Spans that one trace of `fastrace` holds: it keeps them until the trace ends.
const A_TRACE: u32 = 1000;
/// Spans that a ring holds, and how many times at most.
const BURST: u32 = 3000;
const BURSTS: u32 = 500;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [name, times] = &arguments[..]
        && let (Some(name), Ok(times)) = (name.strip_prefix("run="), times.parse())
    {
        run(name, times);
        return ExitCode::SUCCESS;
    }
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<u32>().ok());
    let times = number(0).unwrap_or(TIMES);
    let rounds = number(1).unwrap_or(ROUNDS);
    println!("{:<20} {:>10} {:>12} {:>12}", "", "ns each", "most memory", "to the end");
    let mut best = [(f64::INFINITY, 0.0_f64, f64::INFINITY); CASES.len()];
    for _ in 0..rounds {
        for ((name, part), best) in CASES.iter().zip(&mut best) {
            let Some((nanos, mebibytes, end)) = measured(name, times / part) else {
                eprintln!("{name} did not run");
                return ExitCode::FAILURE;
            };
            *best = (best.0.min(nanos), best.1.max(mebibytes), best.2.min(end));
        }
    }
    for ((name, _), (nanos, mebibytes, end)) in CASES.iter().zip(best) {
        println!("{name:<20} {nanos:>10.1} {mebibytes:>8.1} MiB {end:>10.3} s");
    }
    ExitCode::SUCCESS
}

/// Nanoseconds each, mebibytes at most, and seconds from the last span to the end of the meter.
fn measured(name: &str, times: u32) -> Option<(f64, f64, f64)> {
    let program = std::env::current_exe().ok()?;
    let output =
        Command::new(program).arg(format!("run={name}")).arg(times.to_string()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    Some((numbers.next()?, numbers.next()?, numbers.next()?))
}

fn run(name: &str, times: u32) {
    let (nanos, end) = match name {
        "two_instants" => (timed(times, || Case::TwoInstants.run(times, None)), 0.0),
        "span" => metered(times, || Case::Span.run(times, None)),
        "phases_in_a_step" => metered(times, || phases_in_steps(times)),
        "macro_step" => metered(times, || Case::MacroStep.run(times, None)),
        "span_in_bursts" => (bursts(times), 0.0),
        "fastrace" => (timed(times, || fastrace_spans(times)), 0.0),
        "tracing" => (timed(times, || tracing_spans(times)), 0.0),
        _ => return,
    };
    println!("{nanos} {} {end}", most_memory());
}

fn timed(times: u32, action: impl FnOnce()) -> f64 {
    let start = Instant::now();
    action();
    start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}

fn metered(times: u32, action: impl FnOnce()) -> (f64, f64) {
    let metered = Metered::start();
    let nanos = timed(times, action);
    let start = Instant::now();
    let record = metered.meter().finish().expect("the meter finishes");
    assert!(record.spans.iter().map(count).sum::<u64>() >= u64::from(times), "every span counts");
    (nanos, start.elapsed().as_secs_f64())
}

fn count(node: &ergometer::record::SpanNode) -> u64 {
    node.count + node.children.iter().map(count).sum::<u64>()
}

/// Nanoseconds of a span in the middle one of bursts, between which the meter's thread takes the marks.
fn bursts(times: u32) -> f64 {
    let metered = Metered::start();
    let bursts = (times / BURST).clamp(1, BURSTS);
    let mut nanos: Vec<f64> = (0..bursts)
        .map(|_| {
            metered.rest();
            timed(BURST, || Case::Span.run(BURST, None))
        })
        .collect();
    nanos.sort_by(f64::total_cmp);
    nanos[nanos.len() / 2]
}

/// This many spans: steps, each with two phases.
fn phases_in_steps(times: u32) {
    for _ in 0..times.div_ceil(3) {
        let _step = ergometer::Span::enter(ergometer::Kind::Step.into());
        for phase in ["forward", "backward"] {
            let _phase = ergometer::span(phase);
            black_box(());
        }
    }
}

struct Nowhere;

impl Reporter for Nowhere {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        black_box(spans);
    }
}

fn fastrace_spans(times: u32) {
    fastrace::set_reporter(Nowhere, Config::default());
    for first in (0..times).step_by(A_TRACE as usize) {
        let root = fastrace::Span::root("epoch", SpanContext::random());
        let _parent = root.set_local_parent();
        for _ in first..times.min(first + A_TRACE) {
            let _span = LocalSpan::enter_with_local_parent("step");
            black_box(());
        }
    }
    fastrace::flush();
}

fn tracing_spans(times: u32) {
    // With a layer: a registry alone keeps what has closed.
    let registry = tracing_subscriber::registry().with(tracing_subscriber::layer::Identity::new());
    tracing::subscriber::with_default(registry, || {
        for _ in 0..times {
            let _span = tracing::info_span!("step").entered();
            black_box(());
        }
    });
}

/// Mebibytes that the program had in memory at most; not a number where the system does not tell.
fn most_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |kibibytes| kibibytes / 1024.0)
}
