//! One total out of the summaries that `cargo test` prints, one a test program.

use std::fmt;

/// Tests that passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests marked `#[ignore]`.
    pub skipped: u64,
}

impl Total {
    /// Adds the counts of a `test result:` line; any other line changes nothing.
    pub fn add_line(&mut self, line: &str) {
        let Some(summary) = line.trim().strip_prefix("test result: ") else { return };
        let Some((_verdict, counts)) = summary.split_once(". ") else { return };
        for count in counts.split(';') {
            let Some((number, word)) = count.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(lines: &[&str]) -> Total {
        let mut total = Total::default();
        for line in lines {
            total.add_line(line);
        }
        total
    }

    #[test]
    fn summaries_of_several_programs_add_up() {
        let total = total(&[
            "     Running unittests src/lib.rs (target/debug/deps/ergometer-1f)",
            "test units::tests::watts_times_time_is_energy ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.10s",
            "",
            "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
            "all doctests ran in 0.52s; merged doctests compilation took 0.30s",
        ]);
        assert_eq!(total, Total { passed: 19, failed: 2, skipped: 1 });
        assert_eq!(total.to_string(), "19 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn what_only_resembles_a_summary_counts_for_nothing() {
        let total = total(&[
            "the test result: ok. 12 passed; 0 failed",
            "test result: ",
            "test result: ok",
            "test result: ok. many passed; -1 failed; 5",
        ]);
        assert_eq!(total, Total::default());
    }
}
