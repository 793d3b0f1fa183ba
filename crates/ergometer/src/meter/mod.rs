//! Readings → E(t): the meter, its settings and its background thread.

mod builder;
mod crew;
mod curve;
mod gaps;
mod health;
mod keeper;
mod limits;
mod live;
#[cfg(test)]
mod month;
mod sampler;
mod shape;
#[cfg(all(unix, feature = "signals"))]
mod signals;
mod standstill;
pub(crate) mod timeline;
mod uncertainty;
mod watch;
mod windows;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use builder::MeterBuilder;
pub(crate) use keeper::Keeper;
pub(crate) use live::Screen;
pub use live::{Live, LiveDomain, LiveSteps, LiveWhole};
pub(crate) use sampler::Ended;
pub use uncertainty::{Method, Uncertainty};
pub(crate) use watch::Watch;
pub(crate) use windows::Window;

use crate::budget::{Budget, Spent};
use crate::clock::{self, Timestamp};
use crate::deadline::Deadline;
#[cfg(feature = "_export")]
use crate::export::{Exporters, LAST_EXPORT};
use crate::footprint::Site;
use crate::forecast::Plan;
use crate::run::Record;
use crate::run::assemble::{self, Books, Head, Notes};
use crate::source::{Domain, SourceReport};
use crate::span::ring::{Command, NO_SPAN, Rings};
use crate::span::{Label, Span, Under};
use crate::{Error, ErrorKind, Result};

/// How long [`Meter::finish`] waits for its thread, which may be waiting for a driver.
const FINISH_TIMEOUT: Duration = Duration::from_secs(30);

/// A running meter.
///
/// It reads the hardware on one background thread. Clones share it; when the last one is dropped
/// without [`Meter::finish`], the run is given up and its record is lost, unless there is a
/// [journal](MeterBuilder::journal).
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
    screen: Arc<Screen>,
    finished: AtomicBool,
    /// The process whose threads the meter's are; a forked child has none of them.
    process: u32,
    head: Arc<Head>,
    domains: Vec<Domain>,
    notes: Arc<Mutex<Notes>>,
    journal: Option<PathBuf>,
    #[cfg(feature = "_export")]
    exporters: Exporters,
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

    /// What spans know it by; once it is finished, what they know no meter by.
    #[inline]
    pub(crate) fn identity(&self) -> u64 {
        let rings = &self.inner.rings;
        if rings.is_shut() { NO_SPAN } else { rings.meter }
    }

    /// Opens a span under this meter: a [`Kind`](crate::Kind) or a whole [`Label`].
    pub fn span(&self, label: impl Into<Label>) -> Span {
        self.enter(label.into())
    }

    /// Opens a span with `label` under this meter.
    pub fn enter(&self, label: Label) -> Span {
        Under::meter(self).enter(label)
    }

    /// Opens a span that began at `start`, a moment the caller took from [`clock::now`].
    pub fn enter_at(&self, label: Label, start: Timestamp) -> Span {
        Under::meter(self).enter_at(label, start)
    }

    /// What the background thread has worked out so far: up to about a second ago. It works four times a
    /// second while somebody looks, and once a second else.
    #[must_use]
    pub fn live(&self) -> Live {
        self.inner.screen.look()
    }

    /// Tells what is planned, or more of it: with epochs and steps known the meter forecasts what the whole
    /// run will come to ([`Live::forecast`]), and the record has the forecasts made on the way.
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
        self.inner.screen.change(|live| more(&mut live.plan));
    }

    /// The energy that uses `budget` up is waited for: `spent` is called once, on the meter's thread, when
    /// the run has drawn it. It should be quick; to stop a training, set a flag.
    ///
    /// A run that was [resumed](MeterBuilder::resume) has one budget with all parts before its
    /// interruptions. Of parts in which nothing could be read nothing is counted, and the record says so.
    ///
    /// What was not read yet is taken to go on at the last second's power, so that the call comes at the
    /// moment, and not a sensor's delay later. The record says that a budget was spent.
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
    /// [`ErrorKind::InvalidSetting`] for a budget that limits nothing ([`Budget::energy`]), and of a meter
    /// without domains, which would never know.
    pub fn budget(&self, budget: Budget, spent: impl FnOnce(Spent) + Send + 'static) -> Result<()> {
        let energy = budget.energy(&self.inner.head.site)?;
        if self.inner.domains.is_empty() {
            let message = format!("a budget of {budget} cannot be kept: nothing is metered");
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("see what each source says it lacks: `Meter::sources`"));
        }
        let watch = Watch { budget, energy, spent: Box::new(spent) };
        // A meter that has ended spends nothing more.
        let _ = self.inner.commands.send(Command::Watch(watch));
        Ok(())
    }

    /// Where the run stands: its constants, for what its energy means outside.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.inner.head.site
    }

    /// Adds a result of the training (loss, accuracy) to the record; the last value of a name stays.
    pub fn result(&self, name: impl Into<String>, value: f64) {
        self.notes().results.insert(name.into(), value);
    }

    /// Adds a remark (seed, corpus) to the record; the last value of a name stays.
    #[allow(clippy::needless_pass_by_value, reason = "numbers and strings alike, by value")]
    pub fn fact(&self, name: impl Into<String>, value: impl ToString) {
        self.notes().facts.insert(name.into(), value.to_string());
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn exporters(&self) -> &Exporters {
        &self.inner.exporters
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.inner.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run: reads everything once more, closes the books and gives the record.
    ///
    /// Spans that are still open, and spans opened later, are not in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`] on a second call; [`ErrorKind::Sampler`] if the background thread
    /// does not answer within 30 seconds because a driver does not, or if this is a child that was
    /// forked from the meter's process.
    pub fn finish(&self) -> Result<Record> {
        self.end(None)
    }

    /// Ends the run, at the program's wish or before a signal ends the program.
    fn end(&self, signal: Option<&str>) -> Result<Record> {
        let end = clock::now();
        if self.inner.process != std::process::id() {
            let message = "the meter is that of the process this one was forked from";
            return Err(Error::new(ErrorKind::Sampler, message).with_remedy(
                "start a meter after forking, or finish it in the process it began in",
            ));
        }
        if self.inner.finished.swap(true, Ordering::AcqRel) {
            return Err(Error::new(ErrorKind::Finished, "the meter was already finished"));
        }
        self.inner.rings.shut();
        let silent = || {
            Error::new(ErrorKind::Sampler, "the meter's thread did not answer")
                .with_remedy("a driver may hang: see `dmesg`, and leave that source out")
        };
        let (reply, books) = mpsc::channel();
        self.inner.commands.send(Command::Finish(end, reply)).map_err(|_| silent())?;
        #[cfg_attr(not(feature = "_export"), expect(unused_mut, reason = "adds warnings"))]
        let mut ended = Deadline::after(FINISH_TIMEOUT).recv(&books).map_err(|_| silent())?;
        #[cfg(feature = "_export")]
        ended.warnings.extend(self.inner.exporters.finish(LAST_EXPORT));
        let notes = std::mem::take(&mut *self.notes());
        let books = Books {
            timelines: &ended.timelines,
            ledger: ended.ledger,
            domains: &ended.domains,
            warnings: ended.warnings,
            forecasts: ended.forecasts,
        };
        let mut record = assemble::record(&self.inner.head, notes, end, books);
        if let Some(signal) = signal {
            record.run.finished = false;
            record.warnings.push(format!("the run was ended by {signal}"));
        }
        if let Some(journal) = ended.journal {
            journal.end(&mut record);
        }
        Ok(record)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("label", &self.inner.head.label)
            .field("domains", &self.inner.domains)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "_export")]
impl Inner {
    /// The run was given up: what it drew is sent all the same.
    fn send_the_last(&self) {
        let given_up = !self.finished.load(Ordering::Acquire);
        if given_up && self.exporters.sends() && self.process == std::process::id() {
            let (reply, books) = mpsc::channel();
            let _ = self.commands.send(Command::Finish(clock::now(), reply));
            // Half of the time for the last readings, the other half for the collector.
            let _ = Deadline::after(LAST_EXPORT / 2).recv(&books);
            self.exporters.finish(LAST_EXPORT / 2);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.rings.shut();
        #[cfg(feature = "_export")]
        self.send_the_last();
        let _ = self.commands.send(Command::Stop);
    }
}
