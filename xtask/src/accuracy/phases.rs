//! What the sums over a step's phases are worth.

use std::process::Stdio;

use super::section::Section;
use crate::stop::{Doing, Stop};
use crate::workspace;

/// The test that plays the programs.
const TEST: &str = "ledger::phases::tests::phases_on_every_kind_of_board";

/// The section's place.
pub(super) const SECTION: Section =
    Section { heading: "## Phases of a step", before: "## NVIDIA boards" };

const TEXT: &str = r"
A phase of 15 ms lies below what a counter of 100 ms resolves, but a training repeats it thousands of times. Each
cell between two updates of the counter says what the phases in it drew together, and over many cells that is an
overdetermined system for the power of each. After a minute the sum over all phases of 15 ms is known to about
± 10 % (two standard uncertainties; 95th percentile of the error below that) on an H100-like board, and of 40 ms and
more to ± 2 % and better. Without the marks' help the first was off by + 205 %; a tool that reads the counter at
both ends of each phase is off by + 748 %.

A counter whose reads are costly, as 3 to 15 ms on an H200, is read every few seconds. Beside it power tells the phases
apart: as the driver samples it by itself, every 20 ms, where that is known (Hopper), or as it is read, every 100 ms. A
sensor of power is also a filter: how far it comes late is uncertain by 5 ms, which is in the stated uncertainty of a
phase and not in these programs (without it 95 % and more were covered all the same). [A real H200](measurements/2026-11-27-h200.md) under a load that was switched at
known times came to errors of 0.6 % (180 ms), 4 % (90 ms) and 13 % (40 and 15 ms), each within what was stated.

A *single* phase of 15 ms is not measured: it is given the power of its label, scaled so that the cell's energy is
kept, and an uncertainty to match. Phases that share every cell in the same proportion cannot be told apart, and their
uncertainty says so. Where a device runs behind the marks, the mean shift is estimated and reported.

Programs of 60 s on a scripted clock, 100 of each kind, lengths vary by 10 %, power by 8 W from 20 ms to 20 ms and by
3 % over a minute, updates are known to ± 1.8 ms (RAPL ± 0.5 ms). The step has 15 ms at 80 W (data), 90 ms at 310 W
(forward), 180 ms at 570 W (backward) and 40 ms at 210 W (optimizer); the random programs have 2 to 6 phases of 5 to
400 ms at 60 to 700 W. *Error* is that of the sum over all spans of a label; the sensors have no gain error, and the
stated uncertainty leaves it out. *Error / 2u* is the 95th percentile of the error over two stated standard
uncertainties: 1 would be exact, less is careful. How careful was chosen after these same programs were played, and
they bypass the driver.

| board | program | phase | median | p95 | worst | covered | error / 2u |
|---|---|---|---:|---:|---:|---:|---:|
";

/// The section.
pub(super) fn section() -> Result<String, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--locked", "--release", "--package", "ergometer", "--lib", "--"]);
    cargo.args(["--ignored", "--nocapture", "--exact", TEST]);
    let line = workspace::typed(&cargo);
    eprintln!("==> {line}");
    let run = cargo.stderr(Stdio::inherit()).output().doing(format!("run `{line}`"))?;
    let text = String::from_utf8_lossy(&run.stdout);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    if !run.status.success() || rows.is_empty() {
        return Err(Stop::failed(format!("`{line}` gave no table: {}", run.status)));
    }
    Ok(format!("{}\n{TEXT}{}\n\n", SECTION.heading, rows.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_that_plays_the_programs_is_where_its_name_says() {
        let (module, name) = TEST.rsplit_once("::").unwrap();
        let file = format!("crates/ergometer/src/{}.rs", module.replace("::", "/"));
        let text = std::fs::read_to_string(workspace::root().join(&file)).unwrap();
        assert!(text.contains(&format!("fn {name}()")), "{file}");
    }
}
