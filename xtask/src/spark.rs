//! `cargo xtask spark`: whether Spark has the sums of `ergometer ledger`.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

use crate::lab::{self, Programs};
use crate::stop::{Doing, Stop};

/// Spark's sums by month, a row for each.
const QUERY: &str = include_str!("spark.py");
/// The sums are over the same numbers, in another order.
const ROUNDING: f64 = 1e-9;

/// Compare the sums that Spark and `ergometer ledger` have of the same records
///
/// Makes records of a year, writes them as Parquet files, and reads these with Spark on this machine alone. It needs
/// Java and `PySpark`: `pip install pyspark`. `ERGOMETER_PYTHON` names another interpreter than `python3`.
#[derive(Debug, clap::Args)]
pub struct Spark {
    /// Records to make
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
}

/// A row of either: a month.
#[derive(Debug, Deserialize)]
struct Month {
    name: String,
    runs: u64,
    joules: f64,
    co2e_g: f64,
    seconds: f64,
    failed: u64,
    not_finished: u64,
}

#[derive(Debug, Deserialize)]
struct Ledger {
    rows: Vec<Month>,
}

impl Spark {
    pub fn run(&self) -> Result<(), Stop> {
        let python = std::env::var("ERGOMETER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let there = Command::new(&python).args(["-c", "import pyspark"]).output();
        if !there.is_ok_and(|output| output.status.success()) {
            return Err(Stop::wrong_input(format!(
                "{python} has no `pyspark`: `pip install pyspark`, and Java 17 or later (Debian: \
                 `apt install openjdk-17-jre-headless`)"
            )));
        }
        let programs = Programs::build()?;
        let folder = tempfile::tempdir().doing("make a temporary folder")?;
        let (records, tables) = (folder.path().join("records"), folder.path().join("tables"));
        std::fs::create_dir(&records).doing("make a folder for the records")?;
        programs.records(&records, self.records)?;
        let mut ledger = Command::new(&programs.ergometer);
        ledger.args(["ledger", "--json", "--by", "month", "--without-cache", "--parquet"]);
        let text = lab::output(ledger.arg(&tables).arg(&records))?;
        let ours: Ledger = serde_json::from_str(&text).doing("understand `ergometer ledger`")?;
        let text = lab::output(Command::new(&python).args(["-c", QUERY]).arg(&tables))?;
        let theirs: Vec<Month> = text
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).doing(format!("understand Spark's `{line}`")))
            .collect::<Result<_, _>>()?;
        let months = compare(&ours.rows, &theirs)?;
        println!("{} records: the sums of {months} months are the same", self.records);
        Ok(())
    }
}

/// The number of months, where both have the same sums of each.
fn compare(ours: &[Month], theirs: &[Month]) -> Result<usize, Stop> {
    let by_name: BTreeMap<&str, &Month> =
        theirs.iter().map(|month| (month.name.as_str(), month)).collect();
    if by_name.len() != ours.len() {
        return Err(Stop::failed(format!(
            "{} months here, {} in Spark",
            ours.len(),
            by_name.len()
        )));
    }
    for month in ours {
        let Some(other) = by_name.get(month.name.as_str()) else {
            return Err(Stop::failed(format!("Spark has no {}", month.name)));
        };
        let counts = |month: &Month| (month.runs, month.failed, month.not_finished);
        let near = |a: f64, b: f64| (a - b).abs() <= ROUNDING * a.abs().max(1.0);
        let same = counts(month) == counts(other)
            && near(month.joules, other.joules)
            && near(month.co2e_g, other.co2e_g)
            && near(month.seconds, other.seconds);
        if !same {
            return Err(Stop::failed(format!("not the same: {month:?} here, {other:?} in Spark")));
        }
    }
    Ok(ours.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(name: &str, runs: u64, joules: f64) -> Month {
        let name = name.to_owned();
        Month { name, runs, joules, co2e_g: 1.0, seconds: 1.0, failed: 0, not_finished: 0 }
    }

    #[test]
    fn a_month_that_lacks_or_differs_is_a_failure() {
        let ours = [month("2026-01", 2, 5.0), month("2026-02", 1, 7.0)];
        let other_order = [month("2026-02", 1, 7.0 + 1e-12), month("2026-01", 2, 5.0)];
        assert_eq!(compare(&ours, &other_order), Ok(2));
        for theirs in [
            vec![month("2026-01", 2, 5.0)],
            vec![month("2026-01", 2, 5.0), month("2026-03", 1, 7.0)],
            vec![month("2026-01", 2, 5.1), month("2026-02", 1, 7.0)],
            vec![month("2026-01", 3, 5.0), month("2026-02", 1, 7.0)],
        ] {
            assert!(compare(&ours, &theirs).is_err(), "{theirs:?}");
        }
    }
}
