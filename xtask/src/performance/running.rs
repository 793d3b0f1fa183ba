//! What the meter's threads take while a run goes on, and what a long run takes.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use super::page::verdict;
use crate::bench_models::simulate;
use crate::stop::{Doing, Stop};
use crate::workspace;

/// A driver: the simulated library's settings, what its calls are, and the share of one core that the meter's threads may
/// take with it, per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Driver {
    settings: &'static str,
    what: &'static str,
    goal: f64,
}

const DRIVERS: [Driver; 3] = [
    Driver { settings: "", what: "quick", goal: 0.2 },
    Driver { settings: "latency=500us;power-latency=500us;spin=yes", what: "0.5 ms", goal: 0.2 },
    Driver { settings: "latency=2400us;power-latency=2400us;spin=yes", what: "2.4 ms", goal: 1.0 },
];
/// Memory that a month may take.
const MEMORY_MIB: f64 = 64.0;
/// Seconds of each of the measurements whose median counts.
const SECONDS: u32 = 20;

/// What the meter's threads took.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Threads {
    driver: Driver,
    /// The word for the machine meanwhile, and what it means.
    machine: &'static str,
    /// Of one core, per cent; and as many wakes of a thread that does nothing.
    core: f64,
    waking: f64,
    /// A second.
    wakes: f64,
}

const MACHINES: [(&str, &str); 3] = [
    ("idle", "the machine is idle otherwise"),
    ("busy", "other threads keep all processors busy, as a training does"),
    ("looked at", "the machine is idle otherwise; live figures are looked at ten times a second"),
];

/// What a long run took.
#[derive(Debug, PartialEq)]
pub(super) struct Length {
    /// Its test, and what it is.
    what: &'static str,
    first_tenth_s: f64,
    last_tenth_s: f64,
    peak_mib: f64,
}

const LENGTHS: [(&str, &str); 2] = [
    ("a_month_of_a_hundred_million_steps", "30 days, 2 domains, 10⁸ steps in 30 epochs"),
    ("a_day_of_64_domains", "a day, 64 domains, 10⁶ steps in one epoch"),
];

/// Meters eight simulated boards and a powercap tree, with each driver.
pub(super) fn threads() -> Result<Vec<Threads>, Stop> {
    let library = simulate::build()?;
    let mut rows = Vec::new();
    for driver in DRIVERS {
        let mut cargo = workspace::cargo();
        cargo.args(["run", "--locked", "--release", "--package", "ergometer-tests"]);
        cargo.args(["--bin", "overhead", "--"]).arg(&library).arg(SECONDS.to_string());
        cargo.arg(driver.settings);
        let text = output(cargo)?;
        let medians = MACHINES.iter().map(|(machine, _)| median(&text, driver, machine));
        let medians: Option<Vec<_>> = medians.collect();
        let left_out = || Stop::failed(format!("`overhead` left something out:\n{text}"));
        rows.extend(medians.ok_or_else(left_out)?);
    }
    Ok(rows)
}

/// The median of what `overhead` says of this `machine`.
fn median(text: &str, driver: Driver, machine: &'static str) -> Option<Threads> {
    let mut measured: Vec<Threads> = text
        .lines()
        .filter_map(|line| line.strip_prefix(machine)?.strip_prefix(':'))
        .filter_map(|line| {
            let (core, waking) = number(line, "core ").zip(number(line, "waking "))?;
            Some(Threads { driver, machine, core, waking, wakes: number(line, "wakes ")? })
        })
        .collect();
    measured.sort_by(|a, b| a.core.total_cmp(&b.core));
    measured.get(measured.len() / 2).cloned()
}

/// Plays the long runs, each in a process of its own.
pub(super) fn lengths() -> Result<Vec<Length>, Stop> {
    LENGTHS
        .iter()
        .map(|(test, what)| {
            let mut cargo = workspace::cargo();
            cargo.args(["test", "--locked", "--release", "--package", "ergometer", "--lib", "--"]);
            cargo.args(["--ignored", "--nocapture", "--exact", &format!("meter::month::{test}")]);
            let text = output(cargo)?;
            let said = || {
                Some(Length {
                    what,
                    first_tenth_s: number(&text, "first tenth ")?,
                    last_tenth_s: number(&text, "last tenth ")?,
                    peak_mib: number(&text, "peak ")? / 1024.0,
                })
            };
            said().ok_or_else(|| Stop::failed(format!("`{test}` did not run:\n{text}")))
        })
        .collect()
}

/// What a command prints.
pub(super) fn output(mut command: Command) -> Result<String, Stop> {
    let line = workspace::typed(&command);
    eprintln!("==> {line}");
    let output = command.stderr(Stdio::inherit()).output().doing(format!("run `{line}`"))?;
    if !output.status.success() {
        return Err(Stop::failed(format!("`{line}` failed: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The number that follows `name` in `text`.
pub(super) fn number(text: &str, name: &str) -> Option<f64> {
    let (_, rest) = text.split_once(name)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The part of the page on the meter's threads.
pub(super) fn threads_section(threads: &[Threads]) -> String {
    let mut text = String::from("## The meter's threads\n\n");
    text += "Eight simulated boards, each with a counter and a power sensor, and a powercap tree of two packages \
         and two memories, at default rates, two minutes after the start. *Driver* is what a call takes, all of it \
         on the processor.\n\n";
    text += "| driver | while | of one core | goal | of it, waking | wakes a second |\n|---|---|---:|---|---:|---:|\n";
    for Threads { driver, machine, core, waking, wakes } in threads {
        let while_ =
            MACHINES.iter().find(|(word, _)| word == machine).map_or(*machine, |known| known.1);
        let Driver { what, goal, .. } = driver;
        let verdict = verdict(core <= goal);
        let _ = writeln!(
            text,
            "| {what} | {while_} | {core:.2} % | ≤ {goal} %: {verdict} | {waking:.2} % | {wakes:.1} |"
        );
    }
    let _ = writeln!(
        text,
        "\nThe medians of three times {SECONDS} s, as the kernel counts the threads' time, with what the \
         simulated library does in place of a driver. *Waking* is what as many wakes take of a thread that does nothing, \
         measured beside. In its first minute a run may take 0.29 s of a processor more, to learn when the boards are \
         updated (`MeterBuilder::overhead`)."
    );
    text
}

/// The part of the page on long runs.
pub(super) fn lengths_section(lengths: &[Length]) -> String {
    let mut text = String::from("## Long runs\n\n");
    text +=
        "| on a scripted clock | peak memory | goal | last tenth of the time over the first |\n";
    text += "|---|---:|---|---:|\n";
    for Length { what, first_tenth_s, last_tenth_s, peak_mib } in lengths {
        let _ = writeln!(
            text,
            "| {what} | {peak_mib:.1} MiB | ≤ {MEMORY_MIB:.0} MiB: {} | {:.2} |",
            verdict(*peak_mib <= MEMORY_MIB),
            last_tenth_s / first_tenth_s
        );
    }
    text += "\nCounters are read every 100 ms and power between, by the code of a real run, and every epoch's \
             energy is compared with the closed form. Memory is that of the whole process. A tenth is of the \
             simulated time; what it costs is the wall-clock time of this machine.\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_was_measured_and_whether_that_is_little_enough() {
        let said = "idle: core 0.31 %, waking 0.08 %, wakes 13.0 a second\n\
                    idle: core 0.25 %, waking 0.07 %, wakes 13.4 a second\n\
                    idle: core 0.15 %, waking 0.06 %, wakes 12.0 a second\n\
                    busy: core 0.17 %, waking 0.02 %, wakes 12.1 a second\n";
        let [quick, _, slow] = DRIVERS;
        let threads = [
            median(said, quick, "idle").unwrap(),
            median(said, quick, "busy").unwrap(),
            median(said, slow, "idle").unwrap(),
        ];
        assert_eq!(median(said, quick, "looked at"), None);
        let length =
            Length { what: "a month", first_tenth_s: 4.0, last_tenth_s: 4.2, peak_mib: 12.34 };
        let text = threads_section(&threads) + &lengths_section(&[length]);
        assert!(
            text.contains(
                "| quick | the machine is idle otherwise | 0.25 % | ≤ 0.2 %: not met | 0.07 % | 13.4 |"
            ),
            "{text}"
        );
        assert!(
            text.contains("as a training does | 0.17 % | ≤ 0.2 %: met | 0.02 % | 12.1 |"),
            "{text}"
        );
        assert!(
            text.contains(
                "| 2.4 ms | the machine is idle otherwise | 0.25 % | ≤ 1 %: met | 0.07 % | 13.4 |"
            ),
            "{text}"
        );
        assert!(text.contains("| a month | 12.3 MiB | ≤ 64 MiB: met | 1.05 |"), "{text}");
    }

    #[test]
    fn numbers_are_found_by_what_stands_before_them() {
        let text = "x\nmonth: first tenth 1.5 s, last tenth 1.75 s, peak 9216 kB\n";
        assert_eq!(number(text, "first tenth "), Some(1.5));
        assert_eq!(number(text, "last tenth "), Some(1.75));
        assert_eq!(number(text, "peak "), Some(9216.0));
        assert_eq!(number(text, "wakes "), None);
    }
}
