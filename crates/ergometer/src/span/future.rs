//! Futures under a span.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::thread::{self, Scope};
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
        label: Label,
        span: Option<Span>,
        // The open spans of this future, while it is not being polled.
        scopes: Vec<Scope>,
    }
}

/// Puts `future` under a span with `label` of the installed meter.
pub const fn metered<F: Future>(label: Label, future: F) -> Metered<F> {
    Metered { future, label, span: None, scopes: Vec::new() }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.span.is_none() {
            this.scopes.extend(thread::innermost());
        }
        // Gives the thread its own spans back also when the future panics.
        let exchanged = Exchanged::new(this.scopes);
        if this.span.is_none() {
            *this.span = Some(Span::enter(*this.label));
        }
        let poll = this.future.poll(context);
        if poll.is_ready() {
            *this.span = None;
        }
        drop(exchanged);
        poll
    }
}

/// The thread's open spans are exchanged for the future's as long as this lives.
struct Exchanged<'a>(&'a mut Vec<Scope>);

impl<'a> Exchanged<'a> {
    fn new(scopes: &'a mut Vec<Scope>) -> Self {
        thread::swap_scopes(scopes);
        Self(scopes)
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        thread::swap_scopes(self.0);
    }
}
