//! Budgets that are waited for.

use std::fmt;

use super::callbacks::{Callback, Callbacks};
use crate::budget::{Budget, Spent};
use crate::clock::Timestamp;
use crate::ledger::live::Live;
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
///
/// What the run drew before its interruptions is counted, and is enough to use a budget up before
/// anything was read.
pub(super) fn look(
    watches: &mut Vec<Watch>,
    live: &Live,
    now: Timestamp,
    seconds: f64,
    callbacks: &Callbacks,
    warnings: &mut Vec<String>,
) -> Option<Timestamp> {
    let earlier = &live.earlier;
    let power = live.power.map_or(0.0, Watts::get);
    // Power goes on as it did in the last second that was read.
    let since = live.total.map_or(Joules::ZERO, |known| {
        known + Joules::new(power * (seconds - live.seconds).max(0.0))
    });
    let energy = earlier.energy + since;
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
        let spent = Spent {
            budget: watch.budget,
            energy,
            seconds: earlier.seconds + seconds,
            earlier: earlier.energy,
        };
        warnings.push(spent.to_string());
        if earlier.unread > 0 {
            warnings.push(format!(
                "in {} parts before the run was resumed nothing could be read: the budget of {} does not \
                 count what they drew",
                earlier.unread, watch.budget
            ));
        }
        callbacks.call(watch.spent, spent);
    }
    next
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::record::resume::Earlier;
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

    #[test]
    fn a_resumed_run_has_one_budget_with_the_parts_before() {
        let (tell, told) = mpsc::channel();
        let watch = |joules: f64| {
            let tell = tell.clone();
            let energy = Joules::new(joules);
            let budget = Budget::Energy(energy.to_kwh());
            Watch { budget, energy, spent: Box::new(move |spent| tell.send(spent).unwrap()) }
        };
        let mut watches = vec![watch(1000.0), watch(500.0)];
        let earlier = Earlier {
            parts: 3,
            seconds: 9.0,
            energy: Joules::new(600.0),
            unread: 1,
            ..Earlier::default()
        };
        let callbacks = Callbacks::default();
        let mut warnings = Vec::new();
        let mut look = |live: Live, seconds: f64| {
            let live = Live { earlier: earlier.clone(), ..live };
            let now = Timestamp::from_secs_f64(100.0 + seconds);
            look(&mut watches, &live, now, seconds, &callbacks, &mut warnings)
        };
        // 600 J of 500 J were spent before anything was read.
        assert_eq!(look(Live::default(), 0.1), None);
        let spent = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!((spent.energy, spent.earlier), (Joules::new(600.0), Joules::new(600.0)));
        assert!(told.try_recv().is_err(), "400 J of the other are left");
        // 600 + 300 J at 100 W: the rest lasts a second.
        let next = look(live(300.0, 3.0), 3.0).unwrap().as_secs_f64();
        assert!((next - 104.0).abs() < 1e-6, "{next}");
        look(live(401.0, 4.0), 4.0);
        let spent = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!((spent.energy.get() - 1001.0).abs() < 1e-9, "{spent:?}");
        assert!((spent.seconds - 13.0).abs() < 1e-9, "{spent:?}");
        assert!(spent.to_string().contains("before the run was resumed"), "{spent}");
        assert!(warnings.iter().any(|line| line.contains("nothing could be read")), "{warnings:?}");
    }
}
