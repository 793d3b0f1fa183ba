//! Detects two counters that show one register.
//!
//! On processors whose dies share one register, the kernel lists a zone for each die, and each shows the
//! whole package (first Threadrippers and EPYCs, as `package-0-die-0`, `-die-1`, …).

use std::io;

/// How many moves of the first counter the second has to follow.
const MOVES: u32 = 3;

/// After this many comparisons, a counter that does not move is given up.
const LOOKS: u32 = 40;

/// Whether `second` shows the same register as `first`. Read between two reads of `first`, it must lie
/// between them, within `slack` units, while `first` advances. `pause` waits for an advance, about 0.5 ms.
pub(in crate::source) fn same(
    first: &mut dyn FnMut() -> io::Result<u64>,
    second: &mut dyn FnMut() -> io::Result<u64>,
    slack: u64,
    pause: &mut dyn FnMut(),
) -> bool {
    let mut last = None;
    let mut moves = 0;
    for _ in 0..LOOKS {
        let (Ok(before), Ok(value), Ok(after)) = (first(), second(), first()) else { return false };
        // Where the counter wrapped in between, this comparison is void.
        if before <= after {
            if value < before.saturating_sub(slack) || value > after.saturating_add(slack) {
                return false;
            }
            moves += u32::from(last.is_some_and(|last| last != after));
            last = Some(after);
            if moves == MOVES {
                return true;
            }
        }
        pause();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Compares two registers that are functions of time.
    fn looks(first: impl Fn(u64) -> u64, second: impl Fn(u64) -> u64) -> bool {
        let time = Cell::new(0);
        same(&mut || Ok(first(time.get())), &mut || Ok(second(time.get())), 100, &mut || {
            time.set(time.get() + 1);
        })
    }

    #[test]
    fn one_register_under_two_names_is_recognised() {
        assert!(looks(|t| 5_000 + 1_000 * t, |t| 5_000 + 1_000 * t));
        assert!(looks(|t| 5_000 + 1_000 * t, |t| 5_090 + 1_000 * t), "updated a little apart");
        assert!(looks(|t| (5_000 + 1_000 * t) % 7_000, |t| (5_000 + 1_000 * t) % 7_000), "wraps");
    }

    #[test]
    fn different_registers_are_not() {
        assert!(!looks(|t| 5_000 + 1_000 * t, |t| 9_000 + 1_000 * t), "apart from the start");
        assert!(!looks(|t| 5_000 + 1_000 * t, |t| 5_000 + 900 * t), "drifting apart");
        assert!(!looks(|t| 5_000 + 1_000 * t, |_| 5_000), "one stands still");
    }

    #[test]
    fn what_does_not_move_says_nothing() {
        assert!(!looks(|_| 5_000, |_| 5_000));
    }

    #[test]
    fn nor_does_what_cannot_be_read() {
        let error = || Err(io::Error::other("gone"));
        assert!(!same(&mut || Ok(1), &mut { error }, 0, &mut || ()));
    }
}
