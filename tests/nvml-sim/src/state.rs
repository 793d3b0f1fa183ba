//! What the library remembers of each board: how often it was called, and what reads have done to
//! its counter.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::disturb::Disturbed;

/// What is remembered of a board.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Calls for the board.
    pub calls: u64,
    /// Readings of a power.
    pub powers: u64,
    /// Readings of the counter.
    pub counters: u64,
    /// Its counter, if reads disturb it.
    pub disturbed: Option<Disturbed>,
}

static STATES: Mutex<BTreeMap<usize, State>> = Mutex::new(BTreeMap::new());

/// Calls `f` with the state of board `index`.
pub(crate) fn of<T>(index: usize, f: impl FnOnce(&mut State) -> T) -> T {
    let mut states = STATES.lock().unwrap_or_else(PoisonError::into_inner);
    f(states.entry(index).or_default())
}

/// Counts one more and says whether it is the `every`-th: 1 for the first such, 2 for the second.
pub(crate) fn turn(count: &mut u64, every: u64) -> Option<u64> {
    *count += 1;
    count.is_multiple_of(every).then(|| *count / every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_has_its_turn() {
        let mut count = 0;
        let turns: Vec<_> = (0..7).map(|_| turn(&mut count, 3)).collect();
        assert_eq!(turns, [None, None, Some(1), None, None, Some(2), None]);
    }
}
