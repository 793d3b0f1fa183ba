//! Spans without a pause, beside those of other libraries.

use std::fmt::Write as _;

use super::page::verdict;
use super::running::output;
use crate::stop::Stop;
use crate::workspace;

/// Times that each case is done; the benchmark does some a tenth as often.
const TIMES: u32 = 100_000_000;
const ROUNDS: u32 = 5;
/// A span's nanoseconds, as a part of those of two `Instant::now()`: 40 ns where these take 46.
const OF_TWO_INSTANTS: f64 = 0.87;
const MEMORY_MIB: f64 = 64.0;
/// From the last span to the record, seconds.
const END_S: f64 = 0.5;

const FLOOR: &str = "two_instants";

/// The cases of the benchmark, what each is, and whether it is this library's.
const CASES: [(&str, &str, bool); 7] = [
    (FLOOR, "two `Instant::now()`", false),
    ("span", "a span, 10⁸ in a loop", true),
    ("phases_in_a_step", "steps of two phases, 10⁸ spans in a loop", true),
    ("macro_step", "iterations of `#[track_energy(step, items = ..)]`, 10⁸ in a loop", true),
    ("span_in_bursts", "a span in a burst of 3000, the median of 500", false),
    ("fastrace", "`fastrace`: 10⁷ local spans, a thousand to a trace", false),
    ("tracing", "`tracing`: 10⁷ spans, with a registry and an empty layer", false),
];

/// A row of what the benchmark prints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sustained {
    nanos: f64,
    mebibytes: f64,
    end_s: f64,
}

/// Runs the benchmark; the rows of its cases.
pub(super) fn measure() -> Result<Vec<Sustained>, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--locked", "--package", "ergometer-benches", "--bench", "sustained"]);
    cargo.arg("--").args([TIMES.to_string(), ROUNDS.to_string()]);
    let text = output(cargo)?;
    print!("{text}");
    let row = |name: &str| {
        let missing = || Stop::failed(format!("the benchmark does not tell {name}:\n{text}"));
        row(&text, name).ok_or_else(missing)
    };
    CASES.iter().map(|(name, ..)| row(name)).collect()
}

/// The row of the case `name`.
fn row(text: &str, name: &str) -> Option<Sustained> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let mut numbers = rest.split_whitespace().filter_map(|word| word.parse().ok());
    let [nanos, mebibytes, end_s] = [numbers.next()?, numbers.next()?, numbers.next()?];
    Some(Sustained { nanos, mebibytes, end_s })
}

/// The part of the page.
pub(super) fn section(rows: &[Sustained]) -> String {
    let mut text = String::from("## Spans without a pause\n\n");
    text +=
        "| | each | × two `Instant::now()` | most memory | until the record is there | goal |\n";
    text += "|---|---:|---:|---:|---:|---|\n";
    let floor = rows.first().map_or(f64::NAN, |row| row.nanos);
    for ((name, what, ours), row) in CASES.iter().zip(rows) {
        let Sustained { nanos, mebibytes, end_s } = *row;
        let ratio = nanos / floor;
        let end = if *ours { format!("{:.0} ms", end_s * 1e3) } else { String::new() };
        let goal = if *ours {
            format!(
                "≤ {OF_TWO_INSTANTS} ×: {}; ≤ {MEMORY_MIB} MiB: {}; ≤ {:.0} ms: {}",
                verdict(ratio <= OF_TWO_INSTANTS),
                verdict(mebibytes <= MEMORY_MIB),
                END_S * 1e3,
                verdict(end_s <= END_S),
            )
        } else if *name == FLOOR {
            "the floor".to_owned()
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "| {what} | {nanos:.1} ns | {ratio:.2} | {mebibytes:.1} MiB | {end} | {goal} |"
        );
    }
    let _ = writeln!(
        text,
        "\nEach case runs in a process of its own, {ROUNDS} times in turn: the smallest time, and the most memory of \
         the process. Every span counts in the record. Spans come faster here than they can be booked, so those of \
         one path share a mark while their ring is full. The goal is a part of the time that two `Instant::now()` take, \
         since the speed of this machine changes: 40 ns where they take 46."
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_the_benchmark_prints_them() {
        let text = "                        ns each  most memory   to the end\n\
                    span                       38.5      7.2 MiB      0.007 s\n\
                    span_in_bursts             44.1      7.0 MiB      0.000 s\n";
        let span = Sustained { nanos: 38.5, mebibytes: 7.2, end_s: 0.007 };
        assert_eq!(row(text, "span"), Some(span));
        assert_eq!(row(text, "span_in_bursts").map(|row| row.nanos), Some(44.1));
        assert_eq!(row(text, "tracing"), None);
    }

    #[test]
    fn the_page_tells_whether_a_span_is_quick_enough() {
        let row = |nanos| Sustained { nanos, mebibytes: 7.0, end_s: 0.01 };
        let rows = [46.0, 39.0, 41.0, 80.0, 44.0, 90.0, 300.0].map(row);
        let text = section(&rows);
        let goal = |met: &str| format!("≤ 0.87 ×: {met}; ≤ 64 MiB: met; ≤ 500 ms: met |");
        assert!(
            text.contains(&format!("| 39.0 ns | 0.85 | 7.0 MiB | 10 ms | {}", goal("met"))),
            "{text}"
        );
        assert!(
            text.contains(&format!("| 41.0 ns | 0.89 | 7.0 MiB | 10 ms | {}", goal("not met"))),
            "{text}"
        );
        assert!(text.contains("| 300.0 ns | 6.52 | 7.0 MiB |  |  |"), "{text}");
    }
}
