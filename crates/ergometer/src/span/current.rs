//! The open span of one thread, for work on others.

use super::future::Scoped;
use super::scopes::OpenSpan;
use super::{Label, Span, thread};

/// The span that was innermost where [`current`] was called. Copies of it go to other threads and tasks, and
/// spans that are opened through it are inside that span.
///
/// What a span's siblings draw while several of them are open is divided among them in every sum, so that the
/// parts of a run add up whatever the number of threads ([`SpanNode`]).
///
/// ```
/// use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
///
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).install()?;
/// let epoch = ergometer::Span::enter(Kind::Epoch.into());
/// let current = ergometer::current();
/// std::thread::scope(|threads| {
///     for _ in 0..4 {
///         threads.spawn(move || {
///             let _step = current.enter(Kind::Step);
///             // … work …
///         });
///     }
/// });
/// drop(epoch);
/// let record = meter.finish()?;
/// assert_eq!(record.epochs[0].steps.as_ref().unwrap().count, 4);
/// # Ok::<(), ergometer::Error>(())
/// ```
///
/// [`SpanNode`]: crate::record::SpanNode
#[derive(Clone, Copy, Debug)]
pub struct Current(Option<OpenSpan>);

/// The innermost open span of this thread, to open spans inside it on other threads.
///
/// Costs a thread-local look-up, and no lock; call it once for all tasks rather than once for each.
#[must_use]
pub fn current() -> Current {
    Current(thread::lend_for_good())
}

impl Current {
    /// Whether there is a span to be inside of.
    #[must_use]
    pub const fn is_open(self) -> bool {
        self.0.is_some()
    }

    /// Opens a span inside it, on this thread: a [`Kind`](crate::Kind) or a whole [`Label`]. Where there was no
    /// open span it opens one as [`Span::enter`] does.
    pub fn enter(self, label: impl Into<Label>) -> Span {
        match self.0 {
            Some(around) => Span::open_inside(around, label.into()),
            None => Span::enter(label.into()),
        }
    }

    /// Calls `work`; the spans that it opens are inside this one. For closures on other threads (rayon,
    /// `tokio::task::spawn_blocking`) whose spans are opened by `#[track_energy]`.
    ///
    /// This holds as well where other spans are open on the calling thread: a worker of a pool that waits inside
    /// one job may take up another, whose spans are then beside those of the first.
    ///
    /// ```
    /// let current = ergometer::current();
    /// let worker = std::thread::spawn(move || current.scope(|| 6 * 7));
    /// assert_eq!(worker.join().unwrap(), 42);
    /// ```
    pub fn scope<R>(self, work: impl FnOnce() -> R) -> R {
        match self.0.filter(|around| !thread::is_innermost(*around)) {
            Some(around) => thread::inside(around, work),
            None => work(),
        }
    }

    /// A future whose spans are inside this one, on whichever thread it is polled (`tokio::spawn`, `JoinSet`).
    ///
    /// ```
    /// let future = ergometer::current().future(async { 7 });
    /// # let future = std::pin::pin!(future);
    /// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// # assert_eq!(future.poll(&mut context), std::task::Poll::Ready(7));
    /// ```
    pub fn future<F: Future>(self, future: F) -> Scoped<F> {
        Scoped::inside_of(self.0, future)
    }
}
