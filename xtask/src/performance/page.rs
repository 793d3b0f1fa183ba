//! The page that the figures stand on.

use std::fmt::Write as _;

use super::Row;
use crate::stop::Stop;

/// Where and when it was measured.
#[derive(Debug)]
pub(super) struct Machine {
    pub date: String,
    pub cpu: String,
    pub threads: usize,
    pub rustc: String,
}

/// What is asked for of a case: in nanoseconds, and as a multiple of two `Instant::now()`.
struct Goal {
    nanos: f64,
    ratio: Option<f64>,
}

const FLOOR: &str = "two_instants";

/// What each case is, and what is asked of it, in the order of the table.
const CASES: [(&str, &str, Option<Goal>); 8] = [
    (FLOOR, "two `Instant::now()`, the floor", None),
    ("two_clock_reads", "two `clock::now()`", None),
    ("span", "a span, begin and end", Some(Goal { nanos: 60.0, ratio: Some(1.6) })),
    ("nested_span", "a span inside another", None),
    (
        "macro_step",
        "an iteration of `#[track_energy(step, items = ..)]`",
        Some(Goal { nanos: 100.0, ratio: None }),
    ),
    ("span_without_clock", "a span whose ends are given", None),
    ("disabled_span", "a span without a meter", Some(Goal { nanos: 2.0, ratio: None })),
    ("disabled_macro_step", "the macro's iteration without a meter", None),
];

const HEAD: &str = "\
# What metering costs

Written by `cargo xtask performance`: do not edit by hand.
";

const NOTES: &str = "
Each figure is for one span, or one pair of reads: the median and the fastest of 200 samples of a thousand
each. Between two samples the meter's thread takes the marks, as in a training run. The ratio is that of
the medians to the first row's, of the same run. The rows are measured one after the other: where other work
comes and goes meanwhile, the fastest is the steadier figure. Instructions are counted by callgrind, in the
thread that opens the span; under it the kernel's clock is a system call, whose instructions are not seen, so
the first row's count holds only the way to it.

### What was tried

* **`Instant` for the clock.** The difference of two `Instant`s is worked out by calls that are not
  inlined: 146 more instructions for a span. The kernel's clock is read as a number, through `rustix` on
  Linux; elsewhere it is `Instant`.
* **`nix` for the clock** was slower than `Instant` by a third: it copies what the kernel wrote in wider
  pieces than those it was written in, for which the processor waits. `rustix` as it comes crashes under
  valgrind 3.19; with `use-libc-auxv` it does not.
* **The time-stamp counter** halves the cost of the clock. `quanta` calibrates it within a millisecond to
  some parts in a million (0.3 to 28 were seen), and it is read only where the kernel keeps time by it too;
  elsewhere the kernel's clock is asked. On x86 `safe_arch` reads it: 14 instructions fewer a read than by
  `quanta`, whose call asks first which clock it is. `fastant` reads it as fast, but calibrates before `main`
  of every program that links it.
* **Marks of 56 bytes** in place of 88, with a label in one word. 64 bytes more cost about 8 ns: the lines
  of the ring travel to the core of the meter's thread and back.
* **One look at the thread's state per end** in place of three, and one number for a span's identity in
  place of two.
* **A span that is moved** soon after it was opened costs about 15 ns more, for the reason that `nix` does:
  `let _span = ..` does not move it, `drop(span)` may.
* **A request per full ring**, not per mark: while a ring is full the meter's thread is asked once, and
  reads no hardware for it.
";

/// The whole page.
pub(super) fn page(machine: &Machine, rows: &[Row]) -> Result<String, Stop> {
    let find = |group: &str, name: &str| {
        rows.iter()
            .find(|row| row.timing.group == group && row.timing.name == name)
            .ok_or_else(|| Stop::failed(format!("the benchmark says nothing of {group} {name}")))
    };
    let floor = find("thousand", FLOOR)?.timing.median;
    let mut text = HEAD.to_owned();
    let Machine { date, cpu, threads, rustc } = machine;
    let _ = writeln!(text, "\n{date}; {cpu}, {threads} logical processors; {rustc}.\n");
    text += "## A span\n\n";
    text += "| | median | fastest | × two `Instant::now()` | instructions | goal |\n";
    text += "|---|---:|---:|---:|---:|---|\n";
    for (name, what, goal) in &CASES {
        let row = find("thousand", name)?;
        // An iteration is a thousand.
        let (median, fastest) = (row.timing.median / 1e3, row.timing.fastest / 1e3);
        let ratio = row.timing.median / floor;
        let count = row.instructions.map_or_else(|| "–".to_owned(), |count| count.to_string());
        let goal = goal.as_ref().map_or_else(String::new, |goal| words(goal, median, ratio));
        let _ = writeln!(
            text,
            "| {what} | {median:.1} ns | {fastest:.1} ns | {ratio:.2} | {count} | {goal} |"
        );
    }
    let (one, eight) = (&find("threads", "1")?.timing, &find("threads", "8")?.timing);
    let _ = writeln!(
        text,
        "\nEight threads at once leave {:.2} times the spans a second of one thread (median; {:.2} by the \
         fastest of 100 samples; goal ≥ 1.6: {}): from a word to all, who are awake and spread over the \
         processors, until the last has left its 3000.",
        8.0 * one.median / eight.median,
        8.0 * one.fastest / eight.fastest,
        verdict(8.0 * one.median / eight.median >= 1.6),
    );
    text += NOTES;
    Ok(text)
}

const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "not met" }
}

fn words(goal: &Goal, median: f64, ratio: f64) -> String {
    let nanos = format!("≤ {} ns: {}", goal.nanos, verdict(median <= goal.nanos));
    match goal.ratio {
        None => nanos,
        Some(most) => format!("{nanos}; ≤ {most} ×: {}", verdict(ratio <= most)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::Timing;
    use super::*;

    fn row(group: &str, name: &str, nanos: f64) -> Row {
        let (group, name) = (group.to_owned(), name.to_owned());
        let timing = Timing { group, name, fastest: nanos, median: nanos };
        Row { timing, instructions: Some(7) }
    }

    fn rows() -> Vec<Row> {
        let mut rows: Vec<Row> =
            CASES.iter().map(|(name, ..)| row("thousand", name, 50_000.0)).collect();
        rows.extend([row("threads", "1", 100.0), row("threads", "8", 400.0)]);
        rows
    }

    fn machine() -> Machine {
        let (date, cpu) = ("2026-01-01".to_owned(), "a processor".to_owned());
        Machine { date, cpu, threads: 2, rustc: "rustc 1.95.0".to_owned() }
    }

    #[test]
    fn a_page_holds_every_case_and_whether_its_goal_is_met() {
        let text = page(&machine(), &rows()).unwrap();
        assert!(text.contains(
            "| a span, begin and end | 50.0 ns | 50.0 ns | 1.00 | 7 | ≤ 60 ns: met; ≤ 1.6 ×: met |"
        ));
        assert!(text.contains("| 7 | ≤ 2 ns: not met |"), "{text}");
        assert!(text.contains("leave 2.00 times"), "{text}");
    }

    #[test]
    fn a_case_that_was_not_run_is_missed() {
        let mut rows = rows();
        rows.remove(2);
        assert!(page(&machine(), &rows).is_err());
    }
}
