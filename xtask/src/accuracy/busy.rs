//! The meter beside threads that keep all processors busy.

use std::process::Stdio;

use super::section::Section;
use crate::bench_models::simulate;
use crate::stop::{Doing, Stop};
use crate::workspace;

/// The section's place.
pub(super) const SECTION: Section =
    Section { heading: "## On a busy machine", before: "## The model of the CPU" };

const TEXT: &str = "
Eight H100-like boards in each run, two of each counter: power is a square wave of 730 ms or a sine of 1.9 s, between
100 W and 400 W. As many threads as there are processors calculate all the time, so the meter's threads are run late; in
the first run nothing else runs.
The windows lie anywhere in the run, its first seconds included, in which the counters' periods are not known yet.
*Driver* is what a read of the counter takes, all of it on the processor. *Lost and back*: from 30 % to 50 % of the run no call
succeeds; windows of which nothing was observed have no energy, and are left out here. The meter's threads are to take
0.2 % of one core (`MeterBuilder::overhead`), the calls to the driver included. At the start they may take 0.29 s more, once,
to learn the counters' periods; where a call takes 2.4 ms, a counter is read every 6 s all the same, which takes more.
";

/// What the section rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub seed: u64,
    pub seconds: u32,
    pub windows: u32,
}

/// Meters boards beside busy threads.
pub(super) fn section(run: Run) -> Result<String, Stop> {
    let Run { seed, seconds, windows } = run;
    let library = simulate::build()?;
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--locked", "--release", "--package", "ergometer-tests"]);
    cargo.args(["--bin", "accuracy", "--", "--part", "busy", "--library"]).arg(library);
    for (name, value) in
        [("--seed", seed), ("--seconds", seconds.into()), ("--windows", windows.into())]
    {
        cargo.arg(name).arg(value.to_string());
    }
    let line = workspace::typed(&cargo);
    eprintln!("==> {line}");
    let run = cargo.stderr(Stdio::inherit()).output().doing(format!("run `{line}`"))?;
    if !run.status.success() {
        return Err(Stop::failed(format!("`{line}` did not run to its end: {}", run.status)));
    }
    let tables = String::from_utf8_lossy(&run.stdout);
    let Section { heading, .. } = SECTION;
    Ok(format!(
        "{heading}\n{TEXT}\nSeed {seed}; {windows} windows of each length, at random within {seconds} s.\n\n{}\n\n",
        tables.trim_end()
    ))
}
