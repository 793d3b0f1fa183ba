//! Budgets that are waited for.

use std::fmt;

use super::Live;
use super::callbacks::{Callback, Callbacks};
use crate::budget::{Budget, Spent};
use crate::clock::Timestamp;
use crate::units::{Joules, Watts};

/// A budget, and what is to happen when it is used up.
pub(crate) struct Watch {
    pub(super) budget: Budget,
    /// The energy that uses it up.
    pub(super) energy: Joules,
    pub(super) spent: Callback,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// Fires those of `watches` whose budget is used up at `now`, `seconds` after the run's start, and says so
/// in `warnings`. Gives the moment at which the next will be, as power is.
pub(super) fn look(
    watches: &mut Vec<Watch>,
    live: &Live,
    now: Timestamp,
    seconds: f64,
    callbacks: &Callbacks,
    warnings: &mut Vec<String>,
) -> Option<Timestamp> {
    let known = live.total?;
    let power = live.power.map_or(0.0, Watts::get);
    // Power goes on as it did in the last second that was read.
    let energy = known + Joules::new(power * (seconds - live.seconds).max(0.0));
    let mut next: Option<Timestamp> = None;
    for index in (0..watches.len()).rev() {
        let left = watches[index].energy - energy;
        if left.get() > 0.0 {
            if power > 0.0 {
                let at = Timestamp::from_secs_f64(now.as_secs_f64() + left.get() / power);
                next = Some(next.map_or(at, |next| next.min(at)));
            }
            continue;
        }
        let watch = watches.swap_remove(index);
        let spent = Spent { budget: watch.budget, energy, seconds };
        warnings.push(spent.to_string());
        callbacks.call(watch.spent, spent);
    }
    next
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::units::KilowattHours;

    fn live(joules: f64, seconds: f64) -> Live {
        let (total, power) = (Some(Joules::new(joules)), Some(Watts::new(100.0)));
        Live { total, seconds, power, ..Live::default() }
    }

    #[test]
    fn a_budget_is_spent_once_and_foreseen() {
        let (tell, told) = mpsc::channel();
        let budget = Budget::Energy(KilowattHours::new(1000.0 / 3.6e6));
        let energy = Joules::new(1000.0);
        let spent = Box::new(move |spent| tell.send(spent).unwrap());
        let panics = Box::new(|_| panic!("the program's mistake"));
        let mut watches =
            vec![Watch { budget, energy, spent }, Watch { budget, energy, spent: panics }];
        let mut warnings = Vec::new();
        let callbacks = Callbacks::default();
        let mut look = |joules, known, seconds: f64| {
            let now = Timestamp::from_secs_f64(100.0 + seconds);
            look(&mut watches, &live(joules, known), now, seconds, &callbacks, &mut warnings)
        };
        // 800 J half a second ago: 850 J now, 1000 J in 1.5 s.
        let next = look(800.0, 8.0, 8.5).unwrap().as_secs_f64();
        assert!((next - 110.0).abs() < 1e-6, "{next}");
        assert!(told.try_recv().is_err());
        assert_eq!(look(970.0, 9.7, 10.0), None);
        let spent = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!((spent.energy.get() - 1000.0).abs() < 1e-9, "{spent:?}");
        assert_eq!(look(2000.0, 20.0, 20.0), None);
        assert!(told.recv().is_err(), "once, and then it is dropped");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        let begin = Instant::now();
        while !callbacks.warnings().iter().any(|line| line.contains("panicked")) {
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
    }
}
