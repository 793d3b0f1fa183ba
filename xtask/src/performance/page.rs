//! The page that the figures stand on.

use std::fmt::Write as _;

use super::Row;
use crate::stop::Stop;

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

/// What stands before the parts.
pub(super) fn head(rustc: &str) -> String {
    format!("{HEAD}\n{rustc}.\n")
}

/// The page with this `part`, measured `when` and where this says, in place of what it said under its heading.
pub(super) fn with(page: &str, part: &str, when: &str) -> String {
    let (heading, rest) = part.split_once('\n').unwrap_or((part, ""));
    let part = format!("\n{heading}\n\nMeasured on {when}.\n{rest}");
    let Some(begin) = page.find(&format!("\n{heading}\n")) else { return page.to_owned() + &part };
    let next = page[begin + 1..].find("\n## ").map_or(page.len(), |length| begin + 1 + length);
    format!("{}{part}{}", &page[..begin], &page[next..])
}

/// What a span costs.
pub(super) fn spans(rows: &[Row]) -> Result<String, Stop> {
    let find = |group: &str, name: &str| {
        rows.iter()
            .find(|row| row.timing.group == group && row.timing.name == name)
            .ok_or_else(|| Stop::failed(format!("the benchmark says nothing of {group} {name}")))
    };
    let floor = find("thousand", FLOOR)?.timing.median;
    let mut text = "## A span\n\n".to_owned();
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

pub(super) const fn verdict(met: bool) -> &'static str {
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

    #[test]
    fn a_page_holds_every_case_and_whether_its_goal_is_met() {
        let text = spans(&rows()).unwrap();
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
        assert!(spans(&rows).is_err());
    }

    #[test]
    fn a_part_that_is_measured_again_takes_the_place_of_the_old_one() {
        let first =
            with(&head("rustc 1.95.0"), "## A span\n\none\n\n### Tried\n\nmuch\n", "2026-01-01");
        let both = with(&first, "## A training\n\ntwo\n", "2026-01-01");
        assert!(both.ends_with("\n\n## A training\n\nMeasured on 2026-01-01.\n\ntwo\n"), "{both}");
        let again = with(&both, "## A span\n\nthree\n", "2026-02-02");
        let begin = "\n\nrustc 1.95.0.\n\n## A span\n\nMeasured on 2026-02-02.\n\n\
                     three\n\n## A training\n";
        assert!(again.contains(begin), "{again}");
        assert!(!again.contains("Tried"), "{again}");
        assert_eq!(with(&again, "## A training\n\ntwo\n", "2026-01-01"), again);
    }
}
