//! Traces in place of hardware.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ergometer::clock::{self, Timestamp};
use ergometer::energy::Method;
use ergometer::source::replay::{Replay, Speed};
use ergometer::source::{DomainKind, Due, PowerSource, Reading, Request, Value};
use ergometer::units::{Joules, Watts};
use ergometer::{ErrorKind, Meter};
use tempfile::TempDir;

const HEADER: &str = "seconds,domain,kind,joules,watts\n";

struct Trace {
    folder: TempDir,
}

impl Trace {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("trace.csv"), text).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("trace.csv")
    }

    fn open(&self, speed: Speed) -> Replay {
        Replay::from_path(self.path(), speed).unwrap()
    }
}

/// A board that draws 100 W and 300 W by turns of half a second, read every 20 ms for `seconds`,
/// and a package with a counter only, at 50 W, whose counter began long before.
fn square(seconds: u32) -> String {
    let mut text = HEADER.to_owned();
    for step in 0..=seconds * 50 {
        let now = f64::from(step) / 50.0;
        let (whole, rest) = (now.floor(), now.fract());
        let joules = whole * 200.0 + rest.min(0.5) * 100.0 + (rest - 0.5).max(0.0) * 300.0;
        let watts = if rest < 0.5 { 100 } else { 300 };
        writeln!(text, "{now},gpu-0,gpu,{joules},{watts}").unwrap();
        writeln!(text, "{now},cpu,cpu-package,{},", 7000.0 + 50.0 * now).unwrap();
    }
    text
}

fn all(mut replay: Replay) -> Vec<Reading> {
    let mut readings = Vec::new();
    replay.read(Request::Routine, &mut readings);
    readings
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn a_trace_says_what_its_rows_say() {
    let trace = Trace::new(
        "# recorded on a bench\nseconds, domain, kind, joules, watts\n0,g,gpu,1000,250\n\
         0.5,g,gpu,,240.5\n0.5,c,dram,3,\n1,g,gpu,1100,\n",
    );
    let start = Timestamp::from_nanos(1);
    let replay = trace.open(Speed::AtOnce).starting_at(start);
    let ids: Vec<_> = replay.domains().iter().map(|domain| domain.id.clone()).collect();
    assert_eq!(ids, ["replay:g", "replay:c"]);
    assert_eq!(replay.domains()[0].kind, DomainKind::Gpu);
    assert_eq!(replay.domains()[0].method, Method::Counter);
    let at = |after: f64| start.after(seconds(after));
    let energy = |joules| Value::Energy(Joules::new(joules));
    let power = |watts| Value::Power(Watts::new(watts));
    let expected = [
        Reading::new(0, at(0.0), energy(0.0)),
        Reading::new(0, at(0.0), power(250.0)),
        Reading::new(0, at(0.5), power(240.5)),
        Reading::new(0, at(1.0), energy(100.0)),
        Reading::new(1, at(0.5), energy(0.0)),
    ];
    let given: Vec<_> = all(replay)
        .into_iter()
        .filter(|reading| !matches!(reading.value, Value::Missing(_)))
        .collect();
    assert_eq!(given, expected);
}

#[test]
fn two_reads_of_a_trace_are_the_same() {
    let trace = Trace::new(&square(2));
    let start = clock::now();
    let once = || all(trace.open(Speed::AtOnce).starting_at(start));
    assert_eq!(once(), once());
    assert_eq!(once().len(), 3 * 101);
}

/// A moment that has passed.
fn past() -> Timestamp {
    let begun = clock::now();
    while clock::now().since(begun) < seconds(1e-5) {
        std::hint::spin_loop();
    }
    begun
}

#[test]
fn in_real_time_a_row_comes_when_its_time_has_come() {
    let rows = "0,g,gpu,,1\n0.000001,g,gpu,,2\n36000,g,gpu,,3\n99999,g,gpu,,4\n";
    let trace = Trace::new(&format!("{HEADER}{rows}"));
    let begun = past();
    let mut replay = trace.open(Speed::RealTime).starting_at(begun);
    let mut read = |request| {
        let mut readings = Vec::new();
        replay.read(request, &mut readings);
        let moment = |reading: Reading| (reading.at, reading.value);
        (readings.into_iter().map(moment).collect::<Vec<_>>(), replay.next_read())
    };
    let row = |after: f64, watts| (begun.after(seconds(after)), Value::Power(Watts::new(watts)));
    let tenth_hour = begun.after(seconds(36000.0));
    assert_eq!(
        read(Request::Routine),
        (vec![row(0.0, 1.0), row(1e-6, 2.0)], Some(Due::at(tenth_hour)))
    );
    assert_eq!(read(Request::Edge).0, [], "nothing comes twice or too early");
    assert_eq!(read(Request::Last).0, [row(36000.0, 3.0)], "the row after the end brackets it");
}

#[test]
fn the_end_of_a_trace_is_said_once() {
    let trace = Trace::new(&format!("{HEADER}0,g,gpu,,5\n"));
    let mut replay = trace.open(Speed::RealTime).starting_at(past());
    let mut readings = Vec::new();
    replay.read(Request::Routine, &mut readings);
    replay.read(Request::Routine, &mut readings);
    let [power, end] = &readings[..] else { panic!("{readings:?}") };
    assert!(matches!(power.value, Value::Power(_)) && matches!(end.value, Value::Missing(_)));
    assert_eq!(replay.next_read(), None);
}

#[test]
fn the_energy_of_a_run_is_the_traces_closed_form() {
    // 200 W and 50 W on average, for longer than the run.
    let trace = Trace::new(&square(120));
    let meter = Meter::builder().replay(trace.path()).start().unwrap();
    let begun = clock::now();
    while clock::now().since(begun) < seconds(1.0) {
        std::hint::spin_loop();
    }
    let record = meter.finish().unwrap();
    let length = record.run.seconds;
    let joules = |index: usize| record.domains[index].energy.unwrap().joules.get();
    assert_eq!(record.domains.len(), 2, "the trace alone: no hardware is looked for");
    let rest = length.fract();
    let expected = length.floor() * 200.0 + rest.min(0.5) * 100.0 + (rest - 0.5).max(0.0) * 300.0;
    // The run's start lies at most some milliseconds after the trace's.
    assert!((joules(0) - expected).abs() < 6.0, "{} J in {length} s", joules(0));
    assert!((joules(1) - 50.0 * length).abs() < 0.01 * 50.0, "{} J in {length} s", joules(1));
    let report = record.sources.iter().find(|report| report.source == "replay").unwrap();
    assert_eq!(report.domains, ["replay:gpu-0", "replay:cpu"]);
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    let cases = [
        ("", "line"),
        (HEADER, "no row"),
        ("seconds,domain,kind,watts\n0,g,cpu,1\n", "line 2"),
        ("seconds,domain,kind,joules,watts\n0,g,gpu,,1\n0.1,g,gpu,,x\n", "line 3"),
        ("seconds,domain,kind,joules,watts\n0,g,gpu\n", "3 fields instead of 5"),
        ("seconds,domain,kind,joules,watts\n0,g,toaster,,1\n", "toaster"),
        ("seconds,domain,kind,joules,watts\n0,,gpu,,1\n", "no name"),
        ("seconds,domain,kind,joules,watts\n0,g,gpu,,\n", "neither joules nor watts"),
        ("seconds,domain,kind,joules,watts\n-1,g,gpu,,1\n", "not a time"),
        ("seconds,domain,kind,joules,watts\nnan,g,gpu,,1\n", "not a time"),
        ("seconds,domain,kind,joules,watts\n0,g,gpu,inf,\n", "not an energy"),
        ("seconds,domain,kind,joules,watts\n0,g,gpu,,-1\n", "not a power"),
        ("seconds,domain,kind,joules,watts\n0,g,gpu,,1e12\n", "not a power"),
        ("seconds,domain,kind,joules,watts\n0,g,gpu,5,\n1,g,gpu,4,\n", "line 3"),
        ("seconds,domain,kind,joules,watts\n1,g,gpu,,1\n0,h,gpu,,1\n0,g,gpu,,1\n", "line 4"),
        ("seconds,domain,kind,joules,watts\n1,g,gpu,,1\n2,g,dram,,1\n", "kind gpu before"),
    ];
    for (text, words) in cases {
        let trace = Trace::new(text);
        let error = Replay::from_path(trace.path(), Speed::AtOnce).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{text:?}: {error}");
        assert!(error.to_string().contains(words), "expected '{words}' in '{error}'");
        assert!(error.to_string().contains("trace.csv"), "{error}");
    }
    let missing = Trace::new("").folder.path().join("nothing.csv");
    let error = Meter::builder().replay(&missing).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}
