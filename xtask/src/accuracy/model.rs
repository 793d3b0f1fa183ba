//! The model of the CPU on machines that its fit has not seen.

use std::process::Stdio;

use super::section::Section;
use crate::stop::{Doing, Stop};
use crate::workspace;

/// The section's place.
pub(super) const SECTION: Section =
    Section { heading: "## The model of the CPU", before: "## Forecasts" };

const TEXT: &str = "
For machines without a sensor. The model is fitted to all machines but one and tried on that one, at all points above
5 % load. Errors are relative to the estimate: RAPL power over the estimate, minus 1. *Covered* is the share of points
within two standard uncertainties that a record states. The stated uncertainty was set after these errors, of five
sources; a sixth may lie further off. Sources of the points: see `crates/ergometer/src/source/cpu_model/points.rs`.

By TDP alone nothing does better than a line, because full power is 0.52 to 1.02 of TDP and nothing that a program can
read tells which. A processor's own idle and full power halve the error: from a plug, a management controller
(`MeterBuilder::cpu_power`), or records of a machine with the same processor where RAPL could be read
(`ergometer calibrate`).
";

/// The section.
pub(super) fn section() -> Result<String, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--locked", "--release", "--package", "ergometer-tests"]);
    cargo.args(["--bin", "accuracy", "--", "--part", "model"]);
    let line = workspace::typed(&cargo);
    let run = cargo.stderr(Stdio::inherit()).output().doing(format!("run `{line}`"))?;
    if !run.status.success() {
        return Err(Stop::failed(format!("`{line}` did not run to its end: {}", run.status)));
    }
    let tables = String::from_utf8_lossy(&run.stdout);
    Ok(format!("{}\n{TEXT}\n{}\n\n", SECTION.heading, tables.trim_end()))
}
