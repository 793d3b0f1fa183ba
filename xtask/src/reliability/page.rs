//! The tally of what was tried, and the page it is written to.

use std::fmt::Write as _;

use super::trial::Trial;

/// What came of all runs with one fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub tried: u32,
    pub lost: u32,
    /// Journals that were cut off within their first line: nothing is left to read.
    pub empty: u32,
    pub held_up: u32,
    pub wrong: u32,
    pub missing_seconds: f64,
    pub missing_steps: u64,
    pub energy_off: f64,
}

impl Tally {
    /// Counts a run; `None` could not be tried here.
    pub(super) fn add(&mut self, trial: Option<&Trial>) {
        let Some(trial) = trial else { return };
        self.tried += 1;
        self.lost += u32::from(trial.lost.is_some());
        self.held_up += u32::from(trial.held_up.is_some());
        self.wrong += u32::from(!trial.wrong.is_empty());
        self.missing_seconds = self.missing_seconds.max(trial.missing_seconds);
        self.missing_steps = self.missing_steps.max(trial.missing_steps);
        self.energy_off = self.energy_off.max(trial.energy_off);
    }

    /// What should not be.
    pub(super) fn failures(&self) -> u32 {
        self.lost + self.held_up + self.wrong
    }

    fn missing(&self) -> String {
        match (self.missing_seconds, self.missing_steps) {
            (seconds, 0) if seconds < 0.01 => "nothing".to_owned(),
            (seconds, 1) => format!("{seconds:.2} s, 1 step"),
            (seconds, steps) => format!("{seconds:.2} s, {steps} steps"),
        }
    }
}

/// A row of the page.
#[derive(Debug)]
pub(super) struct Row {
    fault: String,
    how: String,
    pub tally: Tally,
}

impl Row {
    pub(super) fn new(fault: &str, how: impl Into<String>, tally: Tally) -> Self {
        Self { fault: fault.to_owned(), how: how.into(), tally }
    }
}

/// Where and when it was tried.
#[derive(Debug)]
pub(super) struct Place {
    date: String,
    cpu: String,
    threads: usize,
    system: String,
}

impl Place {
    pub(super) fn here(cpu: &str) -> Self {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            date: jiff::Zoned::now().date().to_string(),
            cpu: cpu.to_owned(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, release.trim()),
        }
    }
}

const HEAD: &str = "\
# What faults cost

Written by `cargo xtask reliability`: do not edit by hand.

Each run trains for some seconds, over a source whose energy is known (200 W by the system's clock), in a
process of its own. A fault happens to it, and its record (the one that `finish` returned, or else the one
recovered from its journal) is held against what the program printed after each step.
";

const NOTES: &str = "
* **Records lost**: runs of which there is no record, or none that can be read.
* **Training held up**: programs that hung, ended in another way than the fault ends a program, or stood
  still for more than a second between two steps.
* **Missing at most**: what the program had done at its end and the record does not have, in the worst of
  the runs. Of a run that is cut off, that is at most the last second.
* **Energy off at most**: of the known source, over the time that the record covers, in runs of some seconds:
  where the clock jumps, the record flags the gap. It is not given where no energy was known.
* **Not as expected**: records with other steps, epochs, times or energies than the program had (beyond a
  tenth), without a warning that names the fault, or that are not the same once written and read.
";

const NOT_TRIED: &str = "
## What was not tried

* A real suspend, hibernation or migration of the machine: clocks were made to show one.
* Loss of power and a crash of the kernel: what it had not yet written to the disk is lost with it.
* Journals on network file systems; quotas; disks that report errors other than that they are full.
* Drivers of real devices that hang. The tests do that with a simulated NVML library and with `/sys` trees.
* Several faults at once; faults in runs of days.
* Faults under Burn's `Learner`, and systems other than the one above.
";

/// The page.
pub(super) fn page(rows: &[Row], place: &Place) -> String {
    let mut page = HEAD.to_owned();
    let Place { date, cpu, threads, system } = place;
    let sum = |count: fn(&Tally) -> u32| rows.iter().map(|row| count(&row.tally)).sum::<u32>();
    let (tried, lost, empty) = (sum(|t| t.tried), sum(|t| t.lost), sum(|t| t.empty));
    let _ = writeln!(page, "\n{date}, {cpu}, {threads} threads, {system}; the dev profile.");
    let _ = write!(page, "\n**{tried} tried, {lost} records lost");
    let _ = match empty {
        0 => writeln!(page, ".**"),
        _ => writeln!(
            page,
            "** but for the {empty} journals that were cut off within their first line, which leaves nothing to\n\
             read: that is an error that says so. A program that is killed does not leave such a file, as a\n\
             journal has its name only once its first line is on the disk."
        ),
    };
    page += "\n| fault | how | tried | records lost | training held up | missing at most | energy off at most | \
             not as expected |\n|---|---|---:|---:|---:|---:|---:|---:|\n";
    for Row { fault, how, tally } in rows {
        let Tally { tried, lost, empty, held_up, wrong, energy_off, .. } = tally;
        if *tried == 0 {
            let _ = writeln!(page, "| {fault} | {how} | not tried here | | | | | |");
            continue;
        }
        let first = if *empty == 0 { String::new() } else { format!(" (+ {empty})") };
        let off =
            if *energy_off > 0.0 { format!("{:.1} %", 100.0 * energy_off) } else { String::new() };
        let missing = tally.missing();
        let _ = writeln!(
            page,
            "| {fault} | {how} | {tried} | {lost}{first} | {held_up} | {missing} | {off} | {wrong} |"
        );
    }
    page + NOTES + NOT_TRIED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            date: "2026-01-02".into(),
            cpu: "a processor".into(),
            threads: 2,
            system: "linux 6".into(),
        }
    }

    #[test]
    fn a_tally_counts_runs_and_has_the_worst_of_them() {
        let mut tally = Tally::default();
        tally.add(Some(&Trial { missing_seconds: 0.4, missing_steps: 90, ..Trial::default() }));
        tally.add(Some(&Trial { missing_seconds: 0.7, missing_steps: 1, ..Trial::default() }));
        tally.add(Some(&Trial { energy_off: 0.02, ..Trial::default() }));
        tally.add(None);
        assert_eq!((tally.tried, tally.failures()), (3, 0));
        assert_eq!(tally.missing(), "0.70 s, 90 steps");
        let wrong = vec!["one".to_owned(), "two".to_owned()];
        tally.add(Some(&Trial { wrong, held_up: Some("hung".into()), ..Trial::default() }));
        tally.add(Some(&Trial { lost: Some("no journal".into()), ..Trial::default() }));
        assert_eq!((tally.tried, tally.lost, tally.held_up, tally.wrong), (5, 1, 1, 1));
        assert_eq!(tally.failures(), 3);
    }

    #[test]
    fn the_page_says_what_was_lost_and_what_was_not_tried() {
        let whole = Tally { tried: 50, missing_seconds: 0.5, ..Tally::default() };
        let rows = [
            Row::new("killed", "`SIGKILL`", whole.clone()),
            Row::new("full disk", "no room", Tally::default()),
        ];
        let text = page(&rows, &place());
        assert!(text.contains("2026-01-02, a processor, 2 threads, linux 6"), "{text}");
        assert!(text.contains("**50 tried, 0 records lost.**"), "{text}");
        assert!(text.contains("| killed | `SIGKILL` | 50 | 0 | 0 | 0.50 s, 0 steps |  | 0 |"));
        assert!(text.contains("| full disk | no room | not tried here |"), "{text}");

        let damaged = Tally { tried: 100, lost: 1, empty: 7, ..Tally::default() };
        let text = page(&[Row::new("damage", "bits", damaged), Row::new("k", "", whole)], &place());
        assert!(text.contains("**150 tried, 1 records lost** but for the 7 journals"), "{text}");
        assert!(text.contains("| damage | bits | 100 | 1 (+ 7) | 0 | nothing |  | 0 |"), "{text}");
    }
}
