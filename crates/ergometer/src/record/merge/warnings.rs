//! Warnings and similar lines of the ranks, without duplicates.

use super::{RankRun, Record};

/// Lines with the ranks that have them, in the order of first occurrence.
#[derive(Default)]
pub(super) struct RankLines(Vec<(String, Vec<u32>)>);

impl RankLines {
    /// The lines that `of` returns for the records.
    pub(super) fn over(parts: &[RankRun], of: impl Fn(&Record) -> Vec<String>) -> Vec<String> {
        let mut lines = Self::default();
        for part in parts {
            for line in of(&part.record) {
                lines.add(part.rank.rank, &line);
            }
        }
        lines.lines(parts.len())
    }

    pub(super) fn add(&mut self, rank: u32, line: &str) {
        let index = self.0.iter().position(|(known, _)| known == line).unwrap_or_else(|| {
            self.0.push((line.to_owned(), Vec::new()));
            self.0.len() - 1
        });
        let ranks = &mut self.0[index].1;
        if ranks.last() != Some(&rank) {
            ranks.push(rank);
        }
    }

    /// The lines. A line that not all of `count` ranks have names the ranks that do.
    pub(super) fn lines(self, count: usize) -> Vec<String> {
        let lines = self.0.into_iter().map(|(line, ranks)| {
            if ranks.len() == count { line } else { format!("{}: {line}", numbers(&ranks)) }
        });
        lines.collect()
    }
}

/// `rank 3`, `ranks 0–2, 5`; numbers must ascend.
pub(super) fn numbers(ranks: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &rank in ranks {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == rank => *last = rank,
            _ => runs.push((rank, rank)),
        }
    }
    let words: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first}–{last}"),
        })
        .collect();
    format!("rank{} {}", if ranks.len() == 1 { "" } else { "s" }, words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(numbers(&[3]), "rank 3");
        assert_eq!(numbers(&[0, 1, 4]), "ranks 0, 1, 4");
        assert_eq!(numbers(&[0, 1, 2, 5, 7, 8, 9]), "ranks 0–2, 5, 7–9");
    }

    #[test]
    fn what_all_say_names_nobody() {
        let mut lines = RankLines::default();
        for (rank, line) in [(0, "a"), (0, "b"), (1, "a"), (2, "a"), (2, "b")] {
            lines.add(rank, line);
        }
        assert_eq!(lines.lines(3), ["a", "ranks 0, 2: b"]);
    }
}
