//! Futures under a span.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::opening::Opening;
use super::scopes::{OpenSpan, Scopes};
use super::thread;
use super::{Label, Span};

pin_project! {
    /// A future whose span lasts from its first poll to its completion or drop.
    ///
    /// Spans opened while it is polled become its children, also when its polls happen on different
    /// threads or alternate with those of other futures.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Metered<F> {
        #[pin]
        future: F,
        opening: Opening,
        span: Option<Span>,
        carried: Carried,
    }
}

/// Puts `future` under a span with `label` of the installed meter.
///
/// ```
/// use ergometer::Kind;
/// use ergometer::span::Label;
/// use ergometer::span::future::metered;
///
/// let future = metered(Label::new(Kind::Phase, "fetch"), async { 7 });
/// # let future = std::pin::pin!(future);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert_eq!(future.poll(&mut context), std::task::Poll::Ready(7));
/// ```
pub const fn metered<F: Future>(label: Label, future: F) -> Metered<F> {
    Metered::new(Opening::new(label), future)
}

impl<F: Future> Metered<F> {
    /// `future` under the span that `opening` describes.
    pub(crate) const fn new(opening: Opening, future: F) -> Self {
        Self { future, opening, span: None, carried: Carried::NEW }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.carried.inside(|| {
            if this.span.is_none() {
                *this.span = Some(this.opening.enter());
            }
            let poll = this.future.poll(context);
            if poll.is_ready() {
                *this.span = None;
            }
            poll
        })
    }
}

pin_project! {
    /// A future that takes the spans which it opens along, from poll to poll and from thread to
    /// thread: a span may be held across its `.await`s. Of [`scoped`], and of [`Current::future`].
    ///
    /// [`Current::future`]: super::current::Current::future
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        carried: Carried,
    }
}

/// Lets `future` hold spans across its `.await`s.
///
/// ```
/// use ergometer::span::future::scoped;
///
/// let future = scoped(async {
///     let span = ergometer::span("fetch");
///     span.items(7);
///     std::future::ready(()).await;
///     drop(span);
/// });
/// # let future = std::pin::pin!(future);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(future.poll(&mut context).is_ready());
/// ```
pub const fn scoped<F: Future>(future: F) -> Scoped<F> {
    Scoped { future, carried: Carried::NEW }
}

impl<F: Future> Scoped<F> {
    /// Inside `around`, which is open where this is made.
    pub(super) fn inside_of(around: Option<OpenSpan>, future: F) -> Self {
        Self { future, carried: Carried::inside_of(around) }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.carried.inside(|| this.future.poll(context))
    }
}

/// The open spans of a future, while it is not being polled.
#[derive(Debug)]
struct Carried {
    open: Scopes,
    /// The span that it began in.
    around: Option<OpenSpan>,
    begun: bool,
    /// It went on after the poll in which it began, so that the spans around may end before it.
    lent: bool,
}

impl Carried {
    const NEW: Self = Self { open: Scopes::of_future(), around: None, begun: false, lent: false };

    /// Inside `around`, which is open wherever it was made and lent for good.
    fn inside_of(around: Option<OpenSpan>) -> Self {
        let mut open = Scopes::of_future();
        if let Some(around) = around {
            open.enter(around);
        }
        Self { open, around, begun: around.is_some(), lent: around.is_some() }
    }

    /// Exchanges the thread's open spans for the future's while it is polled. Those of its first poll
    /// are inside the span that is open then.
    fn inside<R>(&mut self, poll: impl FnOnce() -> Poll<R>) -> Poll<R> {
        if !self.begun {
            self.begun = true;
            self.around = thread::innermost();
            if let Some(around) = self.around {
                self.open.enter(around);
            }
        }
        // Gives the thread its own spans back also when the future panics.
        let exchanged = Exchanged::new(&mut self.open);
        let poll = poll();
        drop(exchanged);
        if let Some(around) = self.around {
            thread::take_over(around, &mut self.open);
        }
        if poll.is_pending() && !self.lent && self.around.is_some() {
            self.lent = true;
            thread::lend();
        }
        poll
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some(around) = self.around.filter(|_| self.lent) {
            thread::give_back(around);
        }
    }
}

/// The thread's open spans are exchanged for the future's as long as this lives.
struct Exchanged<'a>(&'a mut Scopes);

impl<'a> Exchanged<'a> {
    fn new(scopes: &'a mut Scopes) -> Self {
        thread::swap_scopes(scopes);
        Self(scopes)
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        thread::swap_scopes(self.0);
    }
}
