//! Readings → E(t): the meter, its settings and its background thread.

mod aggregator;
mod budgets;
mod builder;
mod callbacks;
mod command;
mod command_line;
mod ending;
mod environment;
#[cfg(feature = "_export")]
mod exporting;
mod journaling;
mod open_spans;
mod place;
mod provenance;
mod sampler;
#[cfg(all(unix, feature = "signals"))]
mod signals;
mod stamps;
mod start;
#[cfg(feature = "tracing")]
pub mod tracing;
mod windows;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use budgets::RunBudget;
pub use builder::MeterBuilder;
use command::{Command, Ending};
use ending::Ended;

pub use crate::ledger::live::{Live, LiveDomain, LiveEpoch, LiveWhole};

use crate::budget::{Budget, Spent};
use crate::clock::{self, Timestamp};
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "_export")]
use crate::export::Exporters;
use crate::footprint::Site;
use crate::forecast::Plan;
use crate::ledger::live::{Goal, LiveView};
use crate::ledger::run_header::{Notes, RunHeader};
use crate::progress::{Doing, Progress, Silence};
use crate::record::{Part, Record};
use crate::report::Output;
use crate::source::{Domain, SourceReport};
use crate::span::mark::NO_SPAN;
use crate::span::ring::Rings;
use crate::span::word::Word;
use crate::span::{Label, Span, Under};

/// How long the end of a run waits for the last readings.
const LAST_READ_TIMEOUT: Duration = Duration::from_secs(2);
/// The same where the meter was dropped, which the program waits for.
const DROPPED_READ_TIMEOUT: Duration = Duration::from_secs(1);

/// A running meter.
///
/// It reads the hardware on one background thread. Clones share it. When the last one is dropped without
/// [`Meter::finish`], as by an error that `?` returns or by a panic, the run ends there: what it cost is printed to
/// standard error as one line, and its record is written to the folder of [`MeterBuilder::output`], if there is one.
/// The drop waits for that, some seconds at most. A program that is killed or calls
/// [`exit`](std::process::exit) leaves only its [journal](MeterBuilder::journal).
///
/// ```
/// use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
///
/// let meter = Meter::builder()
///     .label("doc")
///     .without_probe()
///     .fixed(DomainKind::Node, Watts::new(50.0))
///     .start()?;
/// {
///     let _step = meter.span(Kind::Step);
/// }
/// let record = meter.finish()?;
/// assert_eq!(record.steps["run"].count, 1);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a meter that is dropped measures nothing: bind it to a name"]
pub struct Meter {
    inner: Arc<Inner>,
}

struct Inner {
    rings: Arc<Rings>,
    commands: Sender<Command>,
    screen: Arc<LiveView>,
    progress: Arc<Progress>,
    stage: Mutex<Stage>,
    /// The process whose threads the meter's are; a forked child has none of them.
    process: u32,
    head: Arc<RunHeader>,
    domains: Vec<Domain>,
    notes: Arc<Mutex<Notes>>,
    journal: Option<PathBuf>,
    output: Option<Arc<Output>>,
    /// `ERGOMETER=off`: nothing is metered, written or printed.
    off: bool,
    #[cfg(feature = "_export")]
    exporters: Arc<Exporters>,
}

/// How far the end of a run has come.
enum Stage {
    Running,
    /// The meter's thread was asked for the record.
    Ending(Receiver<Record>),
    /// With the record, if it was only shown ([`Meter::run`]).
    Ended(Option<Arc<Record>>),
}

impl Meter {
    /// Settings of a new meter.
    pub fn builder() -> MeterBuilder {
        MeterBuilder::new()
    }

    /// What each source found: available, or why not and what would change that.
    #[must_use]
    pub fn sources(&self) -> &[SourceReport] {
        &self.inner.head.sources
    }

    /// The domains that are metered.
    #[must_use]
    pub fn domains(&self) -> &[Domain] {
        &self.inner.domains
    }

    /// The journal of this run, where [one is kept](MeterBuilder::journal).
    #[must_use]
    pub fn journal(&self) -> Option<&Path> {
        self.inner.journal.as_deref()
    }

    /// Opens a span under this meter: a [`Kind`](crate::Kind) or a whole [`Label`].
    pub fn span(&self, label: impl Into<Label>) -> Span {
        self.enter(label.into())
    }

    /// Opens a span with `label` under this meter.
    pub fn enter(&self, label: Label) -> Span {
        Under::from(self).enter(label)
    }

    /// Opens a span that began at `start`, a moment the caller took from [`clock::now`].
    pub fn enter_at(&self, label: Label, start: Timestamp) -> Span {
        Under::from(self).enter_at(label, start)
    }

    /// The figures of the run up to about a second ago. The meter's thread updates them four times a second while
    /// they are read, and once a second otherwise.
    #[must_use]
    pub fn live(&self) -> Live {
        self.inner.screen.snapshot()
    }

    /// Waits until everything up to `moment` is worked out, for `patience` at most, and returns the figures.
    ///
    /// The sensors are read at once, and this waits for them: do not call it on the thread that trains.
    ///
    /// ```
    /// # use ergometer::{Kind, Meter, clock, source::DomainKind, units::Watts};
    /// # let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
    /// drop(meter.span(Kind::Step));
    /// let live = meter.live_at(clock::now(), std::time::Duration::from_secs(10));
    /// assert_eq!(live.steps["step"].count, 1);
    /// # meter.finish()?;
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    #[must_use]
    pub fn live_at(&self, moment: Timestamp, patience: Duration) -> Live {
        self.live_with(Goal::Settled(moment), patience)
    }

    /// Waits until all epochs that ended by `moment` are in [`Live::epochs`] with all of their steps, for `patience`
    /// at most, and returns the figures.
    ///
    /// The sensors are asked to read at once, and this waits only until they were read, which takes some
    /// milliseconds where a counter can be read at any time. So the energy of the epoch's last tenth of a second is
    /// divided among its steps as it was known then. Once the next readings have come, which [`Meter::live_at`] waits
    /// for, it may be divided a little differently, within its uncertainty.
    ///
    /// ```
    /// # use ergometer::{Kind, Meter, clock, source::DomainKind, span::Label, units::Watts};
    /// # let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
    /// let epoch = meter.enter(Label::new(Kind::Epoch, "valid"));
    /// drop(meter.span(Kind::Step));
    /// drop(epoch);
    /// let live = meter.live_after_epochs(clock::now(), std::time::Duration::from_secs(10));
    /// assert!(live.epochs[0].ended);
    /// assert_eq!(live.epochs[0].steps.count, 1);
    /// # meter.finish()?;
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    #[must_use]
    pub fn live_after_epochs(&self, moment: Timestamp, patience: Duration) -> Live {
        self.live_with(Goal::Epochs(moment), patience)
    }

    fn live_with(&self, goal: Goal, patience: Duration) -> Live {
        // A forked child has no thread that could be waited for.
        if self.inner.process == std::process::id() {
            self.inner.screen.wait(goal, patience, || {
                self.inner.rings.tell(Word::Nudge);
            });
        }
        self.live()
    }

    /// Sets what is planned, or more of it. Once epochs and steps are known, the meter forecasts the total of the run
    /// ([`Live::forecast`]), and the record has the forecasts made on the way.
    ///
    /// ```
    /// # use ergometer::{Meter, source::DomainKind, units::Watts};
    /// # let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
    /// meter.plan(|plan| {
    ///     plan.epochs = 10;
    ///     plan.train_steps = 200;
    ///     plan.valid_steps = 20;
    /// });
    /// // … train …
    /// if let Some(forecast) = meter.live().forecast {
    ///     println!("{} in all", forecast.energy().to_kwh());
    /// }
    /// # meter.finish()?;
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    pub fn plan(&self, more: impl FnOnce(&mut Plan)) {
        // The caller's code runs without a lock, as it may ask the meter. What others have planned meanwhile
        // stays.
        let before = self.inner.screen.update(|live| live.plan);
        let mut after = before;
        more(&mut after);
        self.inner.screen.update(|live| live.plan.change(before, after));
    }

    /// Calls `spent` once, on a thread of its own, when the run has used `budget` up. It may do anything, such as
    /// [finish](Self::finish) the meter. To stop a training, set a flag.
    ///
    /// It is dropped when it returns, or when the meter is finished before. A clone of this meter inside it
    /// keeps the meter running until then, like any other clone.
    ///
    /// A run that was [resumed](MeterBuilder::resume) has one budget with all parts before its
    /// interruptions. Of parts in which nothing could be read nothing is counted, and the record says so.
    ///
    /// Energy that was not read yet is extrapolated at the last second's power, so that the call is not late by the
    /// sensor's delay. The record has a warning that the budget was spent.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
    ///
    /// let meter = Meter::builder()
    ///     .without_probe()
    ///     .fixed(DomainKind::Node, Watts::new(50.0))
    ///     .start()?;
    /// let spent = Arc::new(AtomicBool::new(false));
    /// let stop = Arc::clone(&spent);
    /// meter.budget("5 J".parse()?, move |_| stop.store(true, Ordering::Relaxed))?;
    /// while !spent.load(Ordering::Relaxed) {
    ///     let _step = meter.span(Kind::Step);
    ///     std::thread::sleep(std::time::Duration::from_millis(5));
    /// }
    /// let record = meter.finish()?;
    /// assert!(record.warnings.iter().any(|line| line.contains("is spent")));
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for a budget that limits nothing ([`Budget::energy`]), and for a meter without
    /// domains.
    pub fn budget(&self, budget: Budget, spent: impl FnOnce(Spent) + Send + 'static) -> Result<()> {
        let energy = budget.energy(&self.inner.head.site)?;
        if self.inner.off {
            return Ok(());
        }
        if self.inner.domains.is_empty() {
            let message = format!("a budget of {budget} cannot be kept: nothing is metered");
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("see what each source says it lacks: `Meter::sources`"));
        }
        let budget = RunBudget { budget, energy, spent: Box::new(spent) };
        // A meter that has ended spends nothing more.
        let _ = self.inner.commands.send(Command::Watch(budget));
        Ok(())
    }

    /// The parts of the run before its interruptions, in order, where it was
    /// [resumed](MeterBuilder::resume).
    #[must_use]
    pub fn earlier(&self) -> &[Part] {
        &self.inner.head.earlier
    }

    /// The site of the run, whose constants turn its energy into CO2e and money.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.inner.head.site
    }

    /// Adds a result of the training (loss, accuracy) to the record; the last value of a name stays.
    pub fn result(&self, name: impl Into<String>, value: f64) {
        let name = name.into();
        self.notes().results.insert(name, value);
    }

    /// Adds a remark (seed, corpus) to the record; the last value of a name stays.
    #[allow(clippy::needless_pass_by_value, reason = "numbers and strings alike, by value")]
    pub fn fact(&self, name: impl Into<String>, value: impl ToString) {
        // Both may be the program's own code, which is not to run under a lock.
        let (name, value) = (name.into(), value.to_string());
        self.notes().facts.insert(name, value);
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn exporters(&self) -> &Exporters {
        &self.inner.exporters
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.inner.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run: reads everything once more, closes the books and returns the record, after writing it to the
    /// folder of [`MeterBuilder::output`], if there is one. After [`Meter::run`] it returns that run's record.
    ///
    /// An epoch that is still open ends here, and the record says so. Other spans that are still open, and
    /// spans opened later, are not in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sampler`] if the background thread has done nothing for 30 seconds, because a driver or a
    /// disk does not answer: another call goes on waiting, and the [journal](MeterBuilder::journal) is finished
    /// either way once it goes on. [`ErrorKind::Finished`] once the record was returned, and
    /// [`ErrorKind::Sampler`] in a child that was forked from the meter's process.
    pub fn finish(&self) -> Result<Record> {
        if let Stage::Ended(record) = &mut *self.inner.stage()
            && let Some(record) = record.take()
        {
            return Ok(Arc::unwrap_or_clone(record));
        }
        Ok(self.inner.end(None, ending::FINISH_PATIENCE)?.record)
    }
}

impl From<&Meter> for Under {
    /// This meter; once it is finished, none.
    fn from(meter: &Meter) -> Self {
        let rings = &meter.inner.rings;
        Self::of(if rings.is_shut() { NO_SPAN } else { rings.meter })
    }
}

impl Inner {
    /// Ends the run, at the program's wish or for the reason `interrupted`, and writes its record.
    ///
    /// Whoever comes second waits for the first, so that a signal finds the record written.
    fn end(&self, interrupted: Option<&str>, patience: Duration) -> Result<Ended> {
        let end = clock::checked_now();
        if self.is_foreign() {
            let message = "the meter is that of the process this one was forked from";
            return Err(Error::new(ErrorKind::Sampler, message).with_remedy(
                "start a meter in this process, or finish that one in the process it began in",
            ));
        }
        let mut stage = self.stage();
        if let Stage::Running = *stage {
            self.rings.shut();
            let (reply, record) = mpsc::channel();
            let ending = self.ending(end, interrupted, patience);
            // If nobody takes it, its reply is dropped, and that is noticed below.
            let _ = self.commands.send(Command::Finish(ending, reply));
            *stage = Stage::Ending(record);
        }
        let Stage::Ending(record) = &*stage else {
            return Err(Error::new(ErrorKind::Finished, "the meter was already finished"));
        };
        match self.progress.wait(record, patience) {
            Ok(record) => {
                *stage = Stage::Ended(None);
                Ok(self.save(record, patience))
            }
            Err(silence) => Err(silent(silence, patience)),
        }
    }

    #[cfg_attr(
        not(feature = "_export"),
        expect(clippy::unused_self, reason = "exporters are its own")
    )]
    fn ending(&self, end: Timestamp, interrupted: Option<&str>, patience: Duration) -> Ending {
        let dropped = patience <= ending::DROP_PATIENCE;
        Ending {
            end,
            interrupted: interrupted.map(str::to_owned),
            patience: if dropped { DROPPED_READ_TIMEOUT } else { LAST_READ_TIMEOUT },
            #[cfg(feature = "_export")]
            exporters: Arc::clone(&self.exporters),
        }
    }

    /// Whether this is a child that was forked from the meter's process.
    fn is_foreign(&self) -> bool {
        self.process != std::process::id()
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no record.
fn silent(silence: Silence, patience: Duration) -> Error {
    let Silence::Stuck(doing) = silence else {
        return Error::new(ErrorKind::Sampler, "the meter's thread has ended").with_remedy(
            "this is a defect of the meter: please report it with the program's stderr",
        );
    };
    let (what, remedy) = match doing {
        Doing::Reading => (
            "reading the sources",
            "a driver may hang: see the system's log (on Linux `dmesg`), and leave that source out; `finish` may be called again",
        ),
        Doing::Journaling => (
            "writing the journal",
            "the disk may hang: see the system's log (on Linux `dmesg`); `finish` may be called again",
        ),
        Doing::Exporting => ("sending figures", "`finish` may be called again"),
        Doing::Listening | Doing::Booking => (
            "keeping the books",
            "the process may get no time to run; `finish` may be called again",
        ),
    };
    let seconds = patience.as_secs();
    let message = format!("the meter's thread made no progress for {seconds} s while {what}");
    Error::new(ErrorKind::Sampler, message).with_remedy(remedy)
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("label", &self.inner.head.label)
            .field("domains", &self.inner.domains)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.rings.shut();
        if self.is_foreign() {
            return;
        }
        // The program may end at once, and with it the thread that writes.
        self.dropped();
        let _ = self.commands.send(Command::Stop);
    }
}
