//! Steps whose energy the meter has worked out, as a metric sees them.

use std::time::Duration;

use ergometer::Meter;
use ergometer::meter::LiveSteps;
use ergometer::private::Deadline;
use ergometer::units::{Joules, Watts};

/// How long the end of an epoch waits for the epoch's last steps, on the metrics' thread. The meter
/// reads at once when an epoch ends, which takes a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often it may wait in vain before it no longer waits.
const VAIN: u8 = 3;
/// Time between two looks at the meter's sums while waiting.
const LOOK: Duration = Duration::from_millis(1);

/// Energy and time of some steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    pub steps: u64,
    joules: Joules,
    seconds: f64,
    items: f64,
}

impl Sum {
    /// Mean energy of a step; `None` without steps.
    pub(crate) fn energy_per_step(&self) -> Option<Joules> {
        (self.steps > 0).then(|| self.joules / self.steps as f64)
    }

    /// Mean power during the steps; `None` without a duration.
    pub(crate) fn power(&self) -> Option<Watts> {
        (self.seconds > 0.0).then(|| Watts::new(self.joules.get() / self.seconds))
    }

    /// Mean energy of an item; `None` without items.
    pub(crate) fn energy_per_item(&self) -> Option<Joules> {
        (self.items > 0.0).then(|| self.joules / self.items)
    }

    fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.joules += other.joules;
        self.seconds += other.seconds;
        self.items += other.items;
    }
}

/// The resolved steps of one split, asked for again and again.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    meter: Meter,
    split: &'static str,
    /// The meter's sums when they last grew.
    seen: LiveSteps,
    /// What grew at the last update; no steps when nothing did.
    pub fresh: Sum,
    /// The last growth within this epoch.
    pub latest: Sum,
    /// All growth within this epoch.
    pub epoch: Sum,
    /// Updates within this epoch: one a step, or one a step and device.
    updates: u64,
    vain: u8,
}

impl Resolved {
    pub(crate) fn new(meter: &Meter, split: &'static str) -> Self {
        Self {
            meter: meter.clone(),
            split,
            seen: LiveSteps::default(),
            fresh: Sum::default(),
            latest: Sum::default(),
            epoch: Sum::default(),
            updates: 0,
            vain: 0,
        }
    }

    /// Counts an update and looks at what was resolved since the last one.
    pub(crate) fn update(&mut self) {
        self.updates += 1;
        self.look();
    }

    /// Looks once more at the end of an epoch, and waits a little if steps are missing.
    pub(crate) fn settle(&mut self) {
        let mut deadline = Deadline::after(PATIENCE);
        self.look();
        while self.epoch.steps < self.updates && self.vain < VAIN {
            if deadline.has_passed() {
                self.vain += 1;
                break;
            }
            deadline.sleep(LOOK);
            self.look();
        }
    }

    /// Begins another epoch.
    pub(crate) fn clear(&mut self) {
        self.fresh = Sum::default();
        self.latest = Sum::default();
        self.epoch = Sum::default();
        self.updates = 0;
    }

    fn look(&mut self) {
        let live = self.meter.live().steps.get(self.split).copied().unwrap_or_default();
        self.fresh = grown(&self.seen, &live).unwrap_or_default();
        if self.fresh.steps > 0 {
            self.seen = live;
            self.latest = self.fresh;
            self.epoch.add(&self.fresh);
        }
    }
}

/// What `now` has more than `before`; `None` while there is no new step or no energy to go with it.
///
/// Steps without energy are those of a meter that could read nothing, or lie between two readings of
/// a counter: they wait for joules rather than count as steps of 0 J.
fn grown(before: &LiveSteps, now: &LiveSteps) -> Option<Sum> {
    let sum = Sum {
        steps: now.count.checked_sub(before.count)?,
        joules: now.joules - before.joules,
        seconds: now.seconds - before.seconds,
        items: now.items - before.items,
    };
    (sum.steps > 0 && sum.joules.get() > 0.0 && sum.joules.get().is_finite()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: u64, joules: f64, seconds: f64) -> LiveSteps {
        LiveSteps { count, joules: Joules::new(joules), seconds, ..LiveSteps::default() }
    }

    #[test]
    fn growth_is_the_difference_of_two_snapshots() {
        let sum = grown(&steps(2, 10.0, 1.0), &steps(6, 30.0, 3.0)).unwrap();
        assert_eq!(sum.energy_per_step(), Some(Joules::new(5.0)));
        assert_eq!(sum.power(), Some(Watts::new(10.0)));
    }

    #[test]
    fn steps_without_energy_wait() {
        let before = steps(2, 10.0, 1.0);
        assert_eq!(grown(&before, &before), None);
        assert_eq!(grown(&before, &steps(5, 10.0, 2.0)), None);
        assert_eq!(grown(&before, &steps(5, f64::NAN, 2.0)), None);
        assert_eq!(grown(&before, &steps(0, 0.0, 0.0)), None);
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(Sum::default().energy_per_step(), None);
        assert_eq!(Sum::default().power(), None);
    }
}
