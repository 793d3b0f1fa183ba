//! What is known while a run is in progress.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::deadline::Deadline;
use crate::energy::{Method, StepTotals};
use crate::forecast::{Forecast, Plan, RunProgress};
use crate::record::resume::Earlier;
use crate::source::{Domain, DomainKind};
use crate::timeline::Timeline;
use crate::units::{Joules, Watts};

/// A snapshot of the run, for progress lines and metrics.
///
/// Where the run was [resumed](crate::MeterBuilder::resume), the figures are those of the part that goes
/// on, `earlier` has those of the parts before, and [`Live::whole`] adds them up.
///
/// ```
/// # use ergometer::{Kind, Meter, clock, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// drop(meter.span(Kind::Step));
/// let live = meter.live_at(clock::now(), std::time::Duration::from_secs(10));
/// assert_eq!(live.steps["step"].count, 1);
/// assert_eq!(live.whole().energy, live.total); // there was no interruption
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Live {
    /// Steps worked out so far, by the name of their label.
    ///
    /// Their time and energy are inclusive: of steps that are open at the same time, on several threads for
    /// example, each counts its whole time and what the machine drew in it. In the sums of the record each moment
    /// counts once; there the energy of such steps is lower. How their energy is divided is only known when those
    /// beside them have ended, and live figures do not wait for that.
    pub steps: BTreeMap<&'static str, StepTotals>,
    /// Each domain, in the order of [`Meter::domains`](crate::Meter::domains).
    pub domains: Vec<LiveDomain>,
    /// Energy of the run so far over all domains; `None` before the first reading.
    pub total: Option<Joules>,
    /// Seconds from the start of the run to which `total` reaches.
    pub seconds: f64,
    /// Mean power over the last second, over all domains whose power is known; `None` before there are
    /// two readings.
    pub power: Option<Watts>,
    /// What is planned, as set by [`Meter::plan`](crate::Meter::plan).
    pub plan: Plan,
    /// The expected total of the run; `None` without a plan and before enough steps were seen.
    pub forecast: Option<Forecast>,
    /// The open epochs and the latest that ended, in the order in which they began.
    pub epochs: Vec<LiveEpoch>,
    /// The run's sums before its interruptions.
    pub earlier: Earlier,
}

/// A run so far, with everything before its interruptions.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let live = meter.live();
/// let whole = live.whole();
/// assert_eq!((whole.energy, whole.seconds), (live.total, live.seconds)); // there was no interruption
/// assert_eq!(whole.forecast, None); // nothing is planned
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LiveWhole {
    /// Time of all parts up to which `energy` reaches, seconds; the time between them is not in it.
    pub seconds: f64,
    /// Energy of all parts; `None` before the first reading, and if nothing could be read in one of them.
    pub energy: Option<Joules>,
    /// The expected total of all parts; `None` where no forecast can be made, and if nothing could be read in one
    /// of them.
    pub forecast: Option<Forecast>,
}

impl Live {
    /// The run with all parts before its interruptions; without any, the run itself.
    #[must_use]
    pub fn whole(&self) -> LiveWhole {
        let Earlier { seconds, energy, unread, .. } = self.earlier;
        let known = unread == 0;
        LiveWhole {
            seconds: seconds + self.seconds,
            energy: self.total.filter(|_| known).map(|total| energy + total),
            forecast: self.forecast.filter(|_| known).map(|rest| rest.after(energy, seconds)),
        }
    }

    /// How far the run is: steps called `valid` are validation, all others training.
    pub(crate) fn run_progress(&self) -> RunProgress {
        let mut progress = RunProgress {
            joules: self.total.unwrap_or_default(),
            seconds: self.seconds,
            ..RunProgress::default()
        };
        for (name, steps) in &self.steps {
            let side = if *name == "valid" { &mut progress.valid } else { &mut progress.train };
            side.add(steps);
        }
        progress
    }
}

/// Over which power is averaged for live display.
pub(crate) const RECENT: Duration = Duration::from_secs(1);

/// The snapshot that the meter's thread keeps up to date, and whether anybody looks at it.
#[derive(Debug)]
pub(crate) struct LiveView {
    live: Mutex<Live>,
    looked_at: AtomicBool,
    progress: Mutex<Awaited>,
    /// It reaches further.
    moved: Condvar,
}

/// How far the snapshot reaches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reach {
    /// Everything that ended by then is final.
    pub settled: Timestamp,
    /// Epochs that ended by then are worked out.
    pub epochs: Timestamp,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// That everything up to then is final.
    Settled(Timestamp),
    /// That the epochs that ended by then are worked out.
    Epochs(Timestamp),
}

/// How far the snapshot reaches, and who waits for it.
#[derive(Debug, Default)]
struct Awaited {
    reach: Reach,
    /// Those who wait.
    waiting: u32,
    /// Those among them who wait for epochs.
    epochs: u32,
    /// Nothing will be added.
    ended: bool,
}

impl Awaited {
    fn has_met(&self, goal: Goal) -> bool {
        let reach = self.reach;
        self.ended
            || match goal {
                Goal::Settled(moment) => reach.settled >= moment,
                Goal::Epochs(moment) => reach.epochs.max(reach.settled) >= moment,
            }
    }
}

impl LiveView {
    pub(crate) fn new(live: Live) -> Self {
        Self {
            live: Mutex::new(live),
            looked_at: AtomicBool::new(false),
            progress: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// Waits for `goal`, at most `patience`; `ask` has the sensors read.
    pub(crate) fn wait(&self, goal: Goal, patience: Duration, ask: impl FnOnce()) {
        let mut progress = self.progress();
        if progress.has_met(goal) {
            return;
        }
        // Known before the meter's thread is woken, which then goes on until nobody waits.
        let epochs = u32::from(matches!(goal, Goal::Epochs(_)));
        progress.waiting += 1;
        progress.epochs += epochs;
        drop(progress);
        ask();
        let mut deadline = Deadline::after(patience);
        let mut progress = self.progress();
        while !progress.has_met(goal) && !deadline.has_passed() {
            progress = deadline.wait(&self.moved, progress);
        }
        progress.waiting -= 1;
        progress.epochs -= epochs;
    }

    /// The snapshot reaches this far; whether it `ended` there.
    pub(crate) fn reach(&self, reach: Reach, ended: bool) {
        let mut progress = self.progress();
        progress.reach.settled = progress.reach.settled.max(reach.settled);
        progress.reach.epochs = progress.reach.epochs.max(reach.epochs);
        progress.ended |= ended;
        drop(progress);
        self.moved.notify_all();
    }

    /// Whether a thread waits for what is not known yet.
    pub(crate) fn is_awaited(&self) -> bool {
        self.progress().waiting > 0
    }

    /// Whether a thread waits for epochs.
    pub(crate) fn are_epochs_awaited(&self) -> bool {
        self.progress().epochs > 0
    }

    fn progress(&self) -> MutexGuard<'_, Awaited> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is shown.
    pub(crate) fn snapshot(&self) -> Live {
        self.looked_at.store(true, Ordering::Relaxed);
        self.update(|live| live.clone())
    }

    /// Changes what is shown, which is not to look at it.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut Live) -> R) -> R {
        change(&mut self.live.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether anybody has looked since this was asked last.
    pub(crate) fn take_viewed(&self) -> bool {
        self.looked_at.swap(false, Ordering::Relaxed)
    }
}

/// What one domain drew so far.
///
/// Each domain is reported up to where its own readings are settled, at [`seconds`](Self::seconds): the
/// energies of all domains together may be ahead of [`Live::total`], which waits for the slowest.
///
/// ```
/// use ergometer::{Meter, source::DomainKind, units::Watts};
///
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let record = meter.finish()?;
/// let node = &meter.live().domains[0];
/// assert_eq!(node.id, record.domains[0].domain.id);
/// assert_eq!(node.energy, record.domains[0].energy.map(|energy| energy.joules));
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LiveDomain {
    /// Its identity, as in [`Domain::id`].
    pub id: String,
    /// What kind of thing it is.
    pub kind: DomainKind,
    /// How its energy is obtained.
    pub method: Method,
    /// Energy from the start of the run to `seconds`, which never decreases; `None` before the first
    /// reading.
    pub energy: Option<Joules>,
    /// The standard uncertainty of `energy`.
    pub standard_uncertainty: Option<Joules>,
    /// Seconds from the start of the run to which `energy` reaches.
    pub seconds: f64,
    /// Mean power over the last second before `seconds`; `None` before there are two readings, and after
    /// the domain fell silent.
    pub power: Option<Watts>,
    /// Whether something was read and the domain has not fallen silent since.
    pub observed: bool,
    /// Reads that failed, or gave what cannot be.
    pub failed: u64,
}

impl LiveDomain {
    pub(crate) fn new(domain: &Domain) -> Self {
        Self {
            id: domain.id.clone(),
            kind: domain.kind,
            method: domain.method,
            energy: None,
            standard_uncertainty: None,
            seconds: 0.0,
            power: None,
            observed: false,
            failed: 0,
        }
    }

    /// Brings it up to where `line` is settled, and to `limit` at most; the run began at `start`.
    pub(crate) fn update(&mut self, line: &Timeline, start: Timestamp, limit: Timestamp) {
        self.failed = line.health.failed;
        self.observed = line.observed();
        self.power = line.recent_power(RECENT);
        if line.never_worked() {
            (self.energy, self.standard_uncertainty, self.power) = (None, None, None);
            self.observed = false;
            return;
        }
        let Some(reach) = line.reach() else { return };
        let reach = reach.min(limit);
        let seconds = reach.since(start).as_secs_f64();
        if self.energy.is_none() || seconds > self.seconds {
            let drawn = line.between(start, reach.max(start));
            let joules = Joules::new(drawn.joules);
            self.energy = Some(self.energy.map_or(joules, |before| before.max(joules)));
            self.standard_uncertainty = Some(drawn.parts.standard());
            self.seconds = seconds;
        }
    }
}

/// An open epoch, or one of the latest that ended.
///
/// ```
/// # use ergometer::{Kind, Meter, clock, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let epoch = meter.span(Kind::Epoch);
/// drop(meter.span(Kind::Step));
/// let live = meter.live_at(clock::now(), std::time::Duration::from_secs(10));
/// assert_eq!((live.epochs[0].split, live.epochs[0].ended), ("epoch", false));
/// assert_eq!(live.epochs[0].steps.count, 1);
/// # drop(epoch);
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEpoch {
    /// Its name: `train`, `valid`.
    pub split: &'static str,
    /// When it began.
    pub start: Timestamp,
    /// Whether it is over and all of its steps are worked out.
    pub ended: bool,
    /// Its steps worked out so far. Their energy may still change a little where a thread
    /// waited for the epoch: see [`Meter::live_after_epochs`](crate::Meter::live_after_epochs).
    pub steps: StepTotals,
}
