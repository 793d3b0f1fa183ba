//! The expected cost of a whole run, from its cost so far.
//!
//! A `Forecaster` observes from time to time how far the run is. It returns the expected total and an
//! interval that contains the total with 95 % probability, if the rest of the run behaves like the part so
//! far. It extrapolates training steps and validation steps separately, and the energy between and around
//! them. The first steps, in which kernels are compiled and caches are filled, count in the total so far
//! but are not extrapolated. They are found by the marginal standard error rule (White, Simulation 69,
//! 1997, doi 10.1177/003754979706900601).

use serde::{Deserialize, Serialize};

use crate::energy::StepTotals;
use crate::units::Joules;

/// How much work a training has.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// meter.plan(|plan| {
///     plan.epochs = 10;
///     plan.train_steps = 200;
/// });
/// assert_eq!(meter.live().plan.train_steps, 200);
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Epochs of the training.
    pub epochs: u64,
    /// Epochs of those that were done before this run began, if it continues an interrupted one.
    #[serde(default)]
    pub done: u64,
    /// Training steps per epoch.
    pub train_steps: u64,
    /// Validation steps per epoch.
    pub valid_steps: u64,
}

impl Plan {
    /// Applies the change from `before` to `after`. A field that did not change stays as it is here.
    pub(crate) fn change(&mut self, before: Self, after: Self) {
        let Self { epochs, done, train_steps, valid_steps } = self;
        let fields = [
            (epochs, before.epochs, after.epochs),
            (done, before.done, after.done),
            (train_steps, before.train_steps, after.train_steps),
            (valid_steps, before.valid_steps, after.valid_steps),
        ];
        for (field, before, after) in fields {
            // Set outright, unless another thread was planning at the same time: then both changes are
            // added.
            *field = if *field == before {
                after
            } else {
                field.saturating_add(after).saturating_sub(before)
            };
        }
    }
}

/// How far a run is, counted from its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RunProgress {
    /// Training steps done.
    pub train: StepTotals,
    /// Validation steps done.
    pub valid: StepTotals,
    /// Energy of the run so far.
    pub joules: Joules,
    /// Time of the run so far, seconds.
    pub seconds: f64,
}

/// A value, and the interval that contains it with 95 % probability.
///
/// ```
/// use ergometer::forecast::Interval;
/// let joules = Interval { value: 10.0, low: 8.0, high: 13.0 };
/// assert!(joules.holds(12.0) && !joules.holds(7.0));
/// assert_eq!(joules.scaled(2.0).high, 26.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The expected value.
    pub value: f64,
    /// The lower end; never below the amount used so far.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in the interval.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    pub(crate) fn shifted(self, by: f64) -> Self {
        Self { value: self.value + by, low: self.low + by, high: self.high + by }
    }

    /// The interval of a quantity that is proportional to this one.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }
}

/// The expected total of a run.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// meter.plan(|plan| (plan.epochs, plan.train_steps) = (1, 40));
/// for _ in 0..40 {
///     let _step = meter.span(Kind::Step);
///     std::thread::sleep(std::time::Duration::from_millis(1));
/// }
/// let record = meter.finish()?;
/// let last = record.forecasts.last().unwrap();
/// assert!(last.is_final());
/// assert!((last.energy() / record.total.energy.unwrap().joules - 1.0).abs() < 0.1);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Forecast {
    /// Share of the training steps that were done at the time of the forecast, 0 to 1.
    pub progress: f64,
    /// Time of the forecast, seconds since the start of the run.
    pub at_s: f64,
    /// Energy of the whole run, joules.
    pub joules: Interval,
    /// Duration of the whole run, seconds.
    pub seconds: Interval,
}

impl Forecast {
    /// Whether everything planned is done, so that the forecast is the result.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.joules.high <= self.joules.value
    }

    /// The same forecast including `energy` and `seconds` of the parts before this one.
    pub(crate) fn after(self, energy: Joules, seconds: f64) -> Self {
        Self {
            progress: self.progress,
            at_s: self.at_s + seconds,
            joules: self.joules.shifted(energy.get()),
            seconds: self.seconds.shifted(seconds),
        }
    }

    /// The expected energy of the whole run.
    #[must_use]
    pub const fn energy(&self) -> Joules {
        Joules::new(self.joules.value)
    }
}

/// Energy of a validation step as a share of a training step's, and its standard uncertainty, while no
/// validation has been seen. A forward pass alone has a third of the operations of a forward and a backward
/// pass (Kaplan et al. 2020, arXiv 2001.08361, section 2.1: the backward pass has about twice the
/// operations of the forward pass).
const VALID_SHARE: (f64, f64) = (1.0 / 3.0, 1.0 / 6.0);
/// How much the rest of the run may differ however steady its steps were (clocks, temperature, other work
/// on the machine), as a relative standard uncertainty. A judgement.
const UNFORESEEN: f64 = 0.01;
/// At this many groups of steps, neighbours are merged in pairs.
const MOST_GROUPS: usize = 64;
/// With fewer groups no forecast is made.
const FEWEST_GROUPS: usize = 5;

/// Consecutive training steps.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    steps: f64,
    joules: f64,
    seconds: f64,
}

impl Group {
    fn merged(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            joules: self.joules + other.joules,
            seconds: self.seconds + other.seconds,
        }
    }
}

/// Makes forecasts of one run.
#[derive(Clone, Debug)]
pub(crate) struct Forecaster {
    plan: Plan,
    /// Groups of equal size, apart from observations that cover several steps.
    groups: Vec<Group>,
    /// Steps per group.
    size: f64,
    open: Group,
    seen: RunProgress,
    /// Energy and time before the first step, which do not recur.
    before: Option<(f64, f64)>,
}

impl Forecaster {
    /// Forecasts of a run of `plan`.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let (groups, open, seen) = (Vec::new(), Group::default(), RunProgress::default());
        Self { plan, groups, size: 1.0, open, seen, before: None }
    }

    /// Replaces the plan, when more is known about it.
    pub fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// Observes how far the run is. Calls must be in the order of time.
    pub fn observe(&mut self, now: RunProgress) {
        let seen = std::mem::replace(&mut self.seen, now);
        let now = &self.seen;
        let Some(fresh) = now.train.since(&seen.train).filter(|fresh| fresh.count > 0) else {
            return;
        };
        self.before.get_or_insert_with(|| {
            let inside = now.train.joules + now.valid.joules;
            let seconds = now.train.seconds + now.valid.seconds;
            ((now.joules - inside).get().max(0.0), (now.seconds - seconds).max(0.0))
        });
        self.open = self.open.merged(Group {
            steps: fresh.count as f64,
            joules: fresh.joules.get(),
            seconds: fresh.seconds,
        });
        if self.open.steps >= self.size {
            self.groups.push(std::mem::take(&mut self.open));
        }
        if self.groups.len() == MOST_GROUPS {
            self.groups = self.groups.chunks(2).map(|pair| pair[0].merged(pair[1])).collect();
            self.size *= 2.0;
        }
    }

    /// The forecast as of the last observation; `None` before enough steps were seen, or without a plan.
    #[must_use]
    pub fn forecast(&self) -> Option<Forecast> {
        let Plan { epochs, done, train_steps, valid_steps } = self.plan;
        // Both come from the caller: their product may exceed an integer.
        let all = |steps: u64| epochs.saturating_sub(done) as f64 * steps as f64;
        let (all_train, all_valid) = (all(train_steps), all(valid_steps));
        let seen = &self.seen;
        let rest =
            |all: f64, done: u64| Rest { done: done as f64, left: (all - done as f64).max(0.0) };
        let (steps, valid) = (rest(all_train, seen.train.count), rest(all_valid, seen.valid.count));
        let (before_joules, before_seconds) = self.before?;
        if all_train <= 0.0 || self.groups.len() < FEWEST_GROUPS {
            return None;
        }
        let quantity =
            |of: fn(&Group) -> f64, now: f64, train: f64, valid_so_far: f64, before: f64| {
                let rates: Vec<f64> =
                    self.groups.iter().map(|group| of(group) / group.steps).collect();
                let rates = settled(&rates);
                let (mean, spread) = mean_of_the_rest(rates, steps.left / self.size);
                let of_valid = match valid.done {
                    0.0 => (mean * VALID_SHARE.0, mean * VALID_SHARE.1),
                    done => (valid_so_far / done, UNFORESEEN * valid_so_far / done),
                };
                // The energy between and around steps continues in proportion to them.
                let around = (now - train - valid_so_far - before).max(0.0) / steps.done;
                let rest = steps.left * (mean + around) + valid.left * of_valid.0;
                let error = [
                    steps.left * spread,
                    valid.left * of_valid.1,
                    steps.left * around / 2.0,
                    UNFORESEEN * rest,
                ];
                let error = error.iter().fold(0.0_f64, |sum, part| sum.hypot(*part));
                let value = now + rest;
                let reach = student(rates.len()) * error;
                Interval { value, low: (value - reach).max(now), high: value + reach }
            };
        Some(Forecast {
            progress: (steps.done / all_train).min(1.0),
            at_s: seen.seconds,
            joules: quantity(
                |group| group.joules,
                seen.joules.get(),
                seen.train.joules.get(),
                seen.valid.joules.get(),
                before_joules,
            ),
            seconds: quantity(
                |group| group.seconds,
                seen.seconds,
                seen.train.seconds,
                seen.valid.seconds,
                before_seconds,
            ),
        })
    }
}

/// Steps done and steps left.
struct Rest {
    done: f64,
    left: f64,
}

/// `rates` without the warm-up at their beginning. Of all beginnings up to half of the rates, it drops the
/// one that leaves the smallest standard error of the mean.
fn settled(rates: &[f64]) -> &[f64] {
    let badness = |from: usize| {
        let rest = &rates[from..];
        let mean = rest.iter().sum::<f64>() / rest.len() as f64;
        rest.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (rest.len() as f64).powi(2)
    };
    let most = (rates.len() / 2).min(rates.len().saturating_sub(FEWEST_GROUPS));
    let best = (0..=most).min_by(|a, b| badness(*a).total_cmp(&badness(*b))).unwrap_or(0);
    &rates[best..]
}

/// The mean rate of the `left` groups to come, and its standard uncertainty: the standard error of the past
/// mean, the scatter of a mean over `left` groups, and the effect of a drift between the two halves of the
/// past.
fn mean_of_the_rest(rates: &[f64], left: f64) -> (f64, f64) {
    let count = rates.len() as f64;
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    let all = mean(rates);
    let variance = rates.iter().map(|rate| (rate - all).powi(2)).sum::<f64>() / (count - 1.0);
    let (first, second) = rates.split_at(rates.len() / 2);
    // Extrapolates the difference between the two halves to the middle of the rest.
    let drift = (mean(second) - mean(first)) * (count + left) / count;
    // Only half of it counts, as it may be noise.
    let spread = (variance / count + variance / left.max(1.0)).sqrt().hypot(drift / 2.0);
    (all, spread)
}

/// The 97.5 % point of Student's t for `count` − 1 degrees of freedom, to 2 % for 4 and more (Cornish and
/// Fisher's expansion: Abramowitz and Stegun 26.7.5).
fn student(count: usize) -> f64 {
    let z = 1.959_964_f64;
    let freedom = count.saturating_sub(1).max(1) as f64;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    z + first / freedom + second / freedom.powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { epochs: 4, done: 0, train_steps: 100, valid_steps: 20 };

    /// Steps that take a second for every 100 J.
    fn steps(count: u64, joules: f64) -> StepTotals {
        let joules = Joules::new(joules);
        StepTotals { count, joules, seconds: joules.get() / 100.0, ..StepTotals::default() }
    }

    /// A run of `PLAN` whose training steps take `joules(step)` and validation steps a third of 10 J. It
    /// draws 50 J before, 5 J after each epoch, and takes a second for every 100 J.
    fn run(joules: impl Fn(u64) -> f64) -> (Vec<Forecast>, f64) {
        run_of(PLAN, joules)
    }

    fn run_of(plan: Plan, joules: impl Fn(u64) -> f64) -> (Vec<Forecast>, f64) {
        let mut now = RunProgress { joules: Joules::new(50.0), ..RunProgress::default() };
        let mut forecaster = Forecaster::new(plan);
        let mut forecasts = Vec::new();
        let mut look = |now: &mut RunProgress| {
            now.seconds = now.joules.get() / 100.0;
            forecaster.observe(now.clone());
            if now.train.count.is_multiple_of(8) {
                forecasts.extend(forecaster.forecast());
            }
        };
        for step in 0..(plan.epochs - plan.done) * plan.train_steps {
            let drawn = joules(step);
            now.train.add(&steps(1, drawn));
            now.joules += Joules::new(drawn);
            look(&mut now);
            if (step + 1) % plan.train_steps == 0 {
                for _ in 0..plan.valid_steps {
                    now.valid.add(&steps(1, 10.0 / 3.0));
                    now.joules += Joules::new(10.0 / 3.0);
                    look(&mut now);
                }
                now.joules += Joules::new(5.0);
                look(&mut now);
            }
        }
        (forecasts, now.joules.get())
    }

    fn at(forecasts: &[Forecast], progress: f64) -> Forecast {
        *forecasts.iter().find(|forecast| forecast.progress >= progress).unwrap()
    }

    #[test]
    fn a_steady_run_is_foreseen_early_and_ever_better() {
        let (forecasts, total) = run(|_| 10.0);
        let mut width = f64::INFINITY;
        for progress in [0.02, 0.2, 0.3, 0.6, 0.9] {
            let forecast = at(&forecasts, progress);
            assert!(forecast.joules.holds(total), "{forecast:?} of {total} J");
            assert!((forecast.joules.value / total - 1.0).abs() < 0.02, "{forecast:?}");
            assert!((forecast.seconds.value * 100.0 / total - 1.0).abs() < 0.02, "{forecast:?}");
            let now = forecast.joules.high - forecast.joules.low;
            assert!(now <= width * 1.01, "{progress}: {now} J after {width} J");
            width = now;
        }
        let last = forecasts.last().unwrap();
        assert!((last.joules.value - total).abs() < 1e-6 && last.progress > 0.999, "{last:?}");
        assert!(last.is_final() && !forecasts[0].is_final());
    }

    #[test]
    fn of_a_run_that_goes_on_only_what_is_left_is_foreseen() {
        let (resumed, _) = run_of(Plan { epochs: 7, done: 3, ..PLAN }, |_| 10.0);
        assert_eq!(resumed, run(|_| 10.0).0);
    }

    #[test]
    fn warm_up_is_counted_and_not_extrapolated() {
        let (forecasts, total) = run(|step| if step < 8 { 200.0 } else { 10.0 });
        let forecast = at(&forecasts, 0.2);
        assert!((forecast.joules.value / total - 1.0).abs() < 0.03, "{forecast:?} of {total} J");
        assert!(forecast.joules.holds(total), "{forecast:?} of {total} J");
    }

    #[test]
    fn a_run_that_grows_dearer_stays_within_the_interval() {
        let (forecasts, total) = run(|step| 10.0 * (1.0 + 0.001 * step as f64));
        for progress in [0.2, 0.5, 0.8] {
            let forecast = at(&forecasts, progress);
            assert!(forecast.joules.holds(total), "{forecast:?} of {total} J");
        }
    }

    #[test]
    fn noise_is_covered_in_nineteen_of_twenty_runs() {
        let mut held = 0;
        for seed in 0..200_u64 {
            let noise = |step: u64| {
                // A hash's bits, as a number between 5 and 15.
                let bits = (seed << 32 | step).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let bits = (bits ^ (bits >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                5.0 + 10.0 * ((bits >> 40) as f64 / (1_u64 << 24) as f64)
            };
            let (forecasts, total) = run(noise);
            held += u32::from(at(&forecasts, 0.2).joules.holds(total));
        }
        assert!(held >= 186, "{held} of 200");
    }

    #[test]
    fn a_plan_without_end_is_no_reason_to_panic() {
        let mut forecaster = Forecaster::new(Plan {
            epochs: u64::MAX,
            train_steps: u64::MAX,
            valid_steps: 3,
            ..Plan::default()
        });
        for step in 1..20 {
            let train = steps(step, step as f64);
            forecaster.observe(RunProgress {
                joules: train.joules,
                train,
                ..RunProgress::default()
            });
        }
        assert!(forecaster.forecast().unwrap().joules.value > 1e38);
    }

    #[test]
    fn nothing_is_foreseen_without_steps_or_plan() {
        let forecaster = Forecaster::new(PLAN);
        assert_eq!(forecaster.forecast(), None);
        let mut forecaster = Forecaster::new(Plan::default());
        for step in 1..20 {
            let train = StepTotals { count: step, ..StepTotals::default() };
            let joules = Joules::new(step as f64);
            forecaster.observe(RunProgress { train, joules, ..RunProgress::default() });
        }
        assert_eq!(forecaster.forecast(), None);
    }
}
