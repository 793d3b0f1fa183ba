//! Assigns numbers to epochs.

use std::collections::{BTreeMap, HashMap};

use crate::ledger::node::name_of;
use crate::printable;

/// The number of each epoch within its split: set by the program, or one more than the largest so far.
#[derive(Clone, Default)]
pub(crate) struct EpochNumbers {
    /// Numbers of epochs that have not ended, by span identity.
    given: HashMap<u64, u64>,
    taken: BTreeMap<&'static str, Taken>,
    /// How many times the program used a number for a second epoch of a split.
    repeated: u64,
}

/// Numbers are kept for at most this many epochs that have not ended.
const MOST_GIVEN: usize = 1 << 16;

/// The numbers taken in a split, as ranges from first to last.
#[derive(Clone, Default)]
struct Taken(BTreeMap<u64, u64>);

/// The most ranges kept. If a program leaves more gaps in its numbers, the narrowest gaps count as taken.
const MOST_RANGES: usize = 4096;

impl Taken {
    /// The number after the largest; if the largest is the maximum, the smallest free number.
    fn after(&self) -> u64 {
        match self.0.last_key_value() {
            None => 1,
            Some((_, &u64::MAX)) => {
                let around = self.0.range(..=1).next_back().filter(|(_, last)| **last >= 1);
                around.map_or(1, |(_, last)| last.saturating_add(1))
            }
            Some((_, last)) => last + 1,
        }
    }

    fn has(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// Takes a free number.
    fn take(&mut self, number: u64) {
        let (mut first, mut last) = (number, number);
        if let Some((&before, &end)) = self.0.range(..number).next_back()
            && end.checked_add(1) == Some(number)
        {
            first = before;
        }
        if let Some(next) = number.checked_add(1)
            && let Some(end) = self.0.remove(&next)
        {
            last = end;
        }
        self.0.insert(first, last);
        if self.0.len() > MOST_RANGES {
            self.close_gaps();
        }
    }

    /// Closes the narrower half of the gaps.
    fn close_gaps(&mut self) {
        let ranges: Vec<(u64, u64)> = std::mem::take(&mut self.0).into_iter().collect();
        let mut gaps: Vec<u64> = ranges.windows(2).map(|pair| pair[1].0 - pair[0].1).collect();
        let middle = gaps.len() / 2;
        let (_, &mut median, _) = gaps.select_nth_unstable(middle);
        let mut closed = 0;
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some(before) if first - before.1 <= median && closed <= middle => {
                    closed += 1;
                    before.1 = last;
                }
                _ => joined.push((first, last)),
            }
        }
        self.0 = joined.into_iter().collect();
    }
}

impl EpochNumbers {
    /// Sets the number of an epoch, as the program states it.
    pub(crate) fn give(&mut self, span: u64, number: u64) {
        if self.given.len() < MOST_GIVEN {
            self.given.insert(span, number);
        }
    }

    /// The number of the epoch `span` of `split`, which ended.
    ///
    /// No two epochs of a split share a number, because records are merged by it.
    pub(crate) fn next(&mut self, span: u64, split: &'static str) -> u64 {
        let taken = self.taken.entry(name_of(&self.taken, split)).or_default();
        let after = taken.after();
        let number = match self.given.remove(&span) {
            Some(given) if !taken.has(given) => given,
            Some(_) => {
                self.repeated += 1;
                after
            }
            None => after,
        };
        if !taken.has(number) {
            taken.take(number);
        }
        number
    }

    /// A warning about repeated numbers.
    pub(crate) fn warning(&self) -> Option<String> {
        (self.repeated > 0).then(|| {
            format!(
                "{} {} given a number that is already taken in the split, and numbered after the largest \
                 instead",
                printable::counted(self.repeated, "epoch"),
                printable::were(self.repeated)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_numbers_are_kept_and_the_others_follow_the_largest() {
        let mut numbers = EpochNumbers::default();
        for (span, number) in [(10, 7), (11, 0), (13, 7)] {
            numbers.give(span, number);
        }
        let got = [9, 10, 11, 12, 13, 14].map(|span| numbers.next(span, "train"));
        assert_eq!(got, [1, 7, 0, 8, 9, 10]);
        numbers.give(16, u64::MAX);
        assert_eq!([16, 17].map(|span| numbers.next(span, "test")), [u64::MAX, 1]);
        assert_eq!(numbers.next(15, "valid"), 1, "splits are numbered separately");
        assert!(numbers.warning().unwrap().starts_with("1 epoch was "), "{:?}", numbers.warning());
    }

    #[test]
    fn a_million_numbers_take_the_room_of_their_gaps() {
        let mut numbers = EpochNumbers::default();
        for span in 0..1_000_000 {
            assert_eq!(numbers.next(span, "train"), span + 1);
        }
        assert_eq!(numbers.taken["train"].0.len(), 1);
        let mut given = std::collections::BTreeSet::new();
        for span in 0..100_000 {
            // With gaps of all widths, in no particular order.
            let number = (span * span * 7919) % 15_485_863;
            numbers.give(span, number);
            let got = numbers.next(span, "valid");
            assert!(given.insert(got), "{got} twice");
            assert!(numbers.taken["valid"].0.len() <= MOST_RANGES);
        }
    }
}
