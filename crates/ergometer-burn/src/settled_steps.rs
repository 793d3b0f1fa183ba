//! Steps whose energy the meter has worked out, as a metric sees them.
//!
//! A metric is told neither which epoch it is asked about nor when that began: it counts. The epochs of its
//! split that began after it was made come one after the other, and each has the steps that the meter's
//! books have for it, however late they are known.

use std::time::{Duration, Instant};

use ergometer::Meter;
use ergometer::clock::{self, Timestamp};
use ergometer::energy::StepTotals;
use ergometer::meter::LiveEpoch;

use crate::loader::{TRAIN, VALID};

/// How long the end of an epoch waits for the epoch's last steps, on the metrics' thread, for which the training
/// waits in turn. The meter reads at once, which takes some milliseconds, and a tenth of a second with a sensor
/// that is updated as seldom.
const PATIENCE: Duration = Duration::from_millis(400);
/// All waits of a metric may take that long in sum, and this share of the time that has passed. Of several metrics
/// of a split the first one waits, and the others find what it waited for.
const SHARE: f64 = 0.002;
/// How often it may wait in vain before it no longer waits.
const VAIN: u8 = 3;

/// What the sums grew by; `None` while no step is new or its energy is not known.
///
/// Steps without energy are those of a meter that could read nothing, or lie between two readings of
/// a counter: they wait for joules rather than count as steps of 0 J.
fn growth(before: &StepTotals, now: &StepTotals) -> Option<StepTotals> {
    let joules = |sum: &StepTotals| sum.joules.get();
    let known = |sum: &StepTotals| sum.count > 0 && joules(sum) > 0.0 && joules(sum).is_finite();
    now.since(before).filter(known)
}

/// Which epochs a metric is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Split {
    /// Those of this name.
    Named(&'static str),
    /// Those that are neither of training nor of validation, whatever they are called.
    Evaluation,
}

impl Split {
    fn has(self, name: &str) -> bool {
        match self {
            Self::Named(split) => split == name,
            Self::Evaluation => name != TRAIN && name != VALID,
        }
    }
}

/// How long may be waited.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    since: Instant,
    waited: Duration,
    vain: u8,
}

impl Allowance {
    fn new() -> Self {
        Self { since: Instant::now(), waited: Duration::ZERO, vain: 0 }
    }

    /// How long the next wait may take, after a time of `passed`.
    fn left(&self, passed: Duration) -> Duration {
        if self.vain >= VAIN {
            return Duration::ZERO;
        }
        (PATIENCE + passed.mul_f64(SHARE)).saturating_sub(self.waited).min(PATIENCE)
    }
}

/// The resolved steps of one split, asked for again and again.
#[derive(Clone, Debug)]
pub(crate) struct SettledSteps {
    meter: Meter,
    split: Split,
    /// Epochs that began up to then are over for this metric.
    after: Timestamp,
    /// When the epoch began that is shown.
    shown: Option<Timestamp>,
    /// The epoch's sums when they last grew.
    seen: StepTotals,
    /// What grew at the last update; no steps when nothing did.
    pub fresh: StepTotals,
    /// The last growth within this epoch.
    pub latest: StepTotals,
    /// All of this epoch.
    pub epoch: StepTotals,
    /// Updates within this epoch: one a step, or one a step and device.
    updates: u64,
    /// The end of the epoch that is shown was asked for.
    settled: Option<Timestamp>,
    allowance: Allowance,
}

impl SettledSteps {
    pub(crate) fn new(meter: &Meter, split: Split) -> Self {
        Self {
            meter: meter.clone(),
            split,
            after: clock::now(),
            shown: None,
            seen: StepTotals::default(),
            fresh: StepTotals::default(),
            latest: StepTotals::default(),
            epoch: StepTotals::default(),
            updates: 0,
            settled: None,
            allowance: Allowance::new(),
        }
    }

    /// Counts an update and looks at what was resolved since the last one.
    pub(crate) fn update(&mut self) {
        self.updates += 1;
        let epochs = self.meter.live().epochs;
        let epoch = self.candidates(&epochs).next().cloned();
        self.show(epoch);
    }

    /// A pass over data begins. Burn clears metrics between epochs of a training, but not between the tests of an
    /// evaluation: without this, the steps of the first test would be shown as those of the second.
    pub(crate) fn begin(&mut self) {
        if self.split == Split::Evaluation && self.updates > 0 {
            self.clear();
        }
    }

    /// Looks once more at the end of an epoch, and waits until it was read to its end. Until its energies are
    /// final takes two more readings, a quarter of a second, in which the training would stand still: Burn sends its
    /// metrics one event ahead, and no more.
    pub(crate) fn settle(&mut self) {
        let now = clock::now();
        self.settled = Some(now);
        let mut epochs = self.meter.live().epochs;
        let is_over = |epoch: Option<LiveEpoch>| epoch.is_some_and(|epoch| epoch.ended);
        let patience = self.allowance.left(self.allowance.since.elapsed());
        if !is_over(self.whole(&epochs)) && !patience.is_zero() {
            let begin = Instant::now();
            epochs = self.meter.live_after_epochs(now, patience).epochs;
            self.allowance.waited += begin.elapsed();
            if !is_over(self.whole(&epochs)) {
                self.allowance.vain += 1;
            }
        }
        let epoch = self.whole(&epochs);
        self.show(epoch);
    }

    /// Begins another epoch.
    pub(crate) fn clear(&mut self) {
        // Without a trace of it in time, all that began before it was asked for was it.
        self.after = self.shown.or(self.settled).unwrap_or(self.after);
        self.shown = None;
        self.settled = None;
        self.seen = StepTotals::default();
        self.fresh = StepTotals::default();
        self.latest = StepTotals::default();
        self.epoch = StepTotals::default();
        self.updates = 0;
    }

    /// The epochs that it may be, the first first; one without steps is none of a training.
    fn candidates<'a>(&self, epochs: &'a [LiveEpoch]) -> impl Iterator<Item = &'a LiveEpoch> {
        let (split, after) = (self.split, self.after);
        epochs.iter().filter(move |epoch| {
            let empty = epoch.ended && epoch.steps.count == 0;
            split.has(epoch.split) && epoch.start > after && !empty
        })
    }

    /// The epoch that there were the updates of. Of several that it may be, one with as many steps.
    fn whole(&self, epochs: &[LiveEpoch]) -> Option<LiveEpoch> {
        let same = |epoch: &&LiveEpoch| epoch.ended && epoch.steps.count == self.updates;
        self.candidates(epochs).find(same).or_else(|| self.candidates(epochs).next()).cloned()
    }

    fn show(&mut self, epoch: Option<LiveEpoch>) {
        self.fresh = StepTotals::default();
        let Some(epoch) = epoch else { return };
        if self.shown != Some(epoch.start) {
            self.shown = Some(epoch.start);
            self.seen = StepTotals::default();
        }
        if let Some(fresh) = growth(&self.seen, &epoch.steps) {
            self.seen = epoch.steps;
            self.latest.clone_from(&fresh);
            self.fresh = fresh;
        }
        self.epoch = growth(&StepTotals::default(), &self.seen).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use ergometer::units::{Joules, Watts};

    use super::*;

    fn steps(count: u64, joules: f64, seconds: f64) -> StepTotals {
        StepTotals { count, joules: Joules::new(joules), seconds, ..StepTotals::default() }
    }

    #[test]
    fn growth_is_the_difference_of_two_snapshots() {
        let sum = growth(&steps(2, 10.0, 1.0), &steps(6, 30.0, 3.0)).unwrap();
        assert_eq!(sum.per_step(), Some(Joules::new(5.0)));
        assert_eq!(sum.power(), Some(Watts::new(10.0)));
    }

    #[test]
    fn steps_without_energy_wait() {
        let before = steps(2, 10.0, 1.0);
        assert_eq!(growth(&before, &before), None);
        assert_eq!(growth(&before, &steps(5, 10.0, 2.0)), None);
        assert_eq!(growth(&before, &steps(5, f64::NAN, 2.0)), None);
        assert_eq!(growth(&before, &steps(0, 0.0, 0.0)), None);
    }

    #[test]
    fn waits_take_a_small_share_of_the_time() {
        let mut allowance = Allowance::new();
        let left = |allowance: &Allowance, seconds| allowance.left(Duration::from_secs(seconds));
        assert_eq!(left(&allowance, 0), PATIENCE);
        assert_eq!(left(&allowance, 1_000_000), PATIENCE, "of one wait");
        allowance.waited = PATIENCE;
        assert_eq!(left(&allowance, 0), Duration::ZERO);
        assert_eq!(left(&allowance, 60), Duration::from_millis(120));
        // Epochs of a second for an hour, each of which takes the sensor 60 ms.
        allowance.waited = Duration::ZERO;
        for second in 0..3600 {
            allowance.waited += left(&allowance, second).min(Duration::from_millis(60));
        }
        assert!(allowance.waited <= PATIENCE + Duration::from_millis(7200), "{allowance:?}");
        assert!(allowance.waited >= Duration::from_millis(7200), "{allowance:?}");
        // A sensor that never answers in time is not waited for again and again.
        allowance.vain = VAIN;
        assert_eq!(left(&allowance, 1_000_000), Duration::ZERO);
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(StepTotals::default().per_step(), None);
        assert_eq!(StepTotals::default().power(), None);
    }

    /// Epochs that are known late stay those that they are.
    #[test]
    fn a_late_step_is_never_shown_as_another_epochs() {
        let meter = Meter::builder().without_probe().start().unwrap();
        let mut resolved = SettledSteps::new(&meter, Split::Named("train"));
        let began = resolved.after.as_nanos();
        let epoch = |split, nth: u64, ended, count: u64| LiveEpoch {
            split,
            start: Timestamp::from_nanos(began + nth),
            ended,
            steps: steps(count, 10.0 * nth as f64 * count as f64, 1.0),
        };
        let whole = |resolved: &SettledSteps, epochs: &[LiveEpoch]| {
            let found = resolved.whole(epochs)?;
            Some(found.start.as_nanos() - began)
        };
        // A look at the data before the training has no steps, and another split is another's.
        let epochs =
            [epoch("train", 1, true, 0), epoch("valid", 2, true, 3), epoch("train", 3, false, 2)];
        resolved.updates = 4;
        assert_eq!(whole(&resolved, &epochs), Some(3));
        resolved.show(resolved.whole(&epochs));
        assert_eq!(resolved.epoch.per_step(), Some(Joules::new(30.0)));
        // The next one has begun, and this one is not known to its end.
        let epochs =
            [epoch("train", 3, true, 4), epoch("train", 5, false, 1), epoch("valid", 4, true, 3)];
        assert_eq!(whole(&resolved, &epochs), Some(3));
        resolved.show(resolved.whole(&epochs));
        assert_eq!(resolved.epoch.count, 4);
        resolved.clear();
        resolved.updates = 1;
        assert_eq!(whole(&resolved, &epochs), Some(5));
        // Nothing of an epoch was known in time: it is not the next one's.
        resolved.clear();
        resolved.settled = Some(Timestamp::from_nanos(began + 20));
        resolved.clear();
        assert_eq!(whole(&resolved, &[epoch("train", 12, true, 4)]), None);
        // A look at one batch is not an epoch of four.
        resolved.updates = 4;
        let epochs = [epoch("train", 30, true, 1), epoch("train", 31, true, 4)];
        assert_eq!(whole(&resolved, &epochs), Some(31));
        // Any evaluation, whatever it is called.
        let mut any = SettledSteps::new(&meter, Split::Evaluation);
        any.after = Timestamp::from_nanos(began);
        assert_eq!(whole(&any, &[epoch("valid", 2, true, 3), epoch("hard", 3, true, 3)]), Some(3));
    }

    /// Burn does not clear metrics between the tests of an evaluation; each has its own energy all the same.
    #[test]
    fn each_test_of_an_evaluation_begins_anew() {
        let meter = Meter::builder().without_probe().start().unwrap();
        let mut resolved = SettledSteps::new(&meter, Split::Evaluation);
        let began = resolved.after.as_nanos();
        let test = |split, nth: u64, count: u64, joules: f64| LiveEpoch {
            split,
            start: Timestamp::from_nanos(began + nth),
            ended: true,
            steps: steps(count, joules, 1.0),
        };
        let easy = test("easy", 1, 3, 30.0);
        resolved.begin();
        resolved.updates = 3;
        resolved.show(resolved.whole(std::slice::from_ref(&easy)));
        assert_eq!(resolved.epoch.per_step(), Some(Joules::new(10.0)));

        // The second test begins: nothing of the first is left, also while nothing of the second is known.
        resolved.begin();
        assert_eq!(
            (&resolved.epoch, &resolved.latest),
            (&StepTotals::default(), &StepTotals::default())
        );
        resolved.updates = 3;
        assert_eq!(resolved.whole(std::slice::from_ref(&easy)), None);
        let hard = test("hard", 2, 3, 90.0);
        resolved.show(resolved.whole(&[easy, hard]));
        assert_eq!(resolved.epoch.per_step(), Some(Joules::new(30.0)));

        // An epoch of training ends where Burn clears the metric, and not before.
        let mut training = SettledSteps::new(&meter, Split::Named(TRAIN));
        training.after = Timestamp::from_nanos(began);
        training.updates = 3;
        training.show(training.whole(&[test(TRAIN, 1, 3, 30.0)]));
        training.begin();
        assert_eq!(training.epoch.count, 3);
    }
}
