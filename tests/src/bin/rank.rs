//! One rank of a run on a simulated machine, for the test that merges the records of several.
//!
//! `rank LIBRARY RECORD BEGIN SECONDS` waits for the moment BEGIN of `CLOCK_MONOTONIC`, nanoseconds,
//! meters the boards that the simulated NVML library at LIBRARY shows it for about SECONDS, in two
//! epochs of steps, and writes its record to RECORD. Which rank it is, and which boards it has, is
//! in the environment. The record's facts `from_ns` and `to_ns` say when it metered.

use std::path::Path;
use std::time::Duration;
use std::{env, process, thread};

use ergometer::span::Label;
use ergometer::{Kind, Meter};
use nvml_sim::monotonic_ns;

const STEP: Duration = Duration::from_millis(50);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [library, record, begin, seconds] => {
            run(Path::new(library), Path::new(record), begin, seconds)
        }
        _ => Err("usage: rank LIBRARY RECORD BEGIN SECONDS".into()),
    };
    if let Err(error) = done {
        eprintln!("error: {error}");
        process::exit(2);
    }
}

fn run(
    library: &Path,
    record: &Path,
    begin: &str,
    seconds: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let (begin, seconds): (u64, f64) = (begin.parse()?, seconds.parse()?);
    let nothing = tempfile::tempdir()?;
    thread::sleep(Duration::from_nanos(begin.saturating_sub(monotonic_ns())));

    // Of this machine only what `/proc` shows: the processors and the memory are modelled.
    let meter =
        Meter::builder().label("ranks").nvml_library(library).sysfs_root(nothing.path()).start()?;
    meter.fact("from_ns", monotonic_ns());
    let epoch = Duration::from_secs_f64(seconds / 2.0);
    for _ in 0..2 {
        let end = monotonic_ns() + u64::try_from(epoch.as_nanos())?;
        let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        while monotonic_ns() < end {
            let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
            step.items(64_u32);
            thread::sleep(STEP);
        }
    }
    meter.fact("to_ns", monotonic_ns());
    meter.finish()?.write(record)?;
    Ok(())
}
