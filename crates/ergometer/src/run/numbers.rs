//! The numbers of epochs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which number each epoch has within its split: the one that the program gave it, or one more than
/// the largest so far.
#[derive(Clone, Default)]
pub(crate) struct Numbers {
    /// Numbers of epochs that have not ended, by the identity of their span.
    given: HashMap<u64, u64>,
    taken: BTreeMap<&'static str, BTreeSet<u64>>,
    /// Numbers that the program gave to a second epoch of a split.
    repeated: u64,
}

impl Numbers {
    /// The program numbers an epoch.
    pub(crate) fn give(&mut self, span: u64, number: u64) {
        self.given.insert(span, number);
    }

    /// The number of the epoch `span` of `split`, which ended.
    ///
    /// No two epochs of a split share one: records are merged by it.
    pub(crate) fn next(&mut self, span: u64, split: &'static str) -> u64 {
        let taken = self.taken.entry(split).or_default();
        let after = taken.last().map_or(1, |last| last.saturating_add(1));
        let number = match self.given.remove(&span) {
            Some(given) if !taken.contains(&given) => given,
            Some(_) => {
                self.repeated += 1;
                after
            }
            None => after,
        };
        taken.insert(number);
        number
    }

    /// What has to be known of them.
    pub(crate) fn warning(&self) -> Option<String> {
        (self.repeated > 0).then(|| {
            format!(
                "{} epochs were given a number that one of their split had already; they have the \
                 next one after the largest",
                self.repeated
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_numbers_are_kept_and_the_others_follow_the_largest() {
        let mut numbers = Numbers::default();
        for (span, number) in [(10, 7), (11, 0), (13, 7)] {
            numbers.give(span, number);
        }
        let got = [9, 10, 11, 12, 13, 14].map(|span| numbers.next(span, "train"));
        assert_eq!(got, [1, 7, 0, 8, 9, 10]);
        assert_eq!(numbers.next(15, "valid"), 1, "splits are numbered apart");
        assert!(numbers.warning().unwrap().starts_with("1 epochs"), "{:?}", numbers.warning());
    }
}
