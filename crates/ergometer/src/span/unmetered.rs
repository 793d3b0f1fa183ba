//! Runs that began when no meter was installed.
//!
//! A function with `#[track_energy(run)]` that installs the meter inside itself has no run span: it began
//! before there was anything to measure it. That is found when the meter is installed, and reported.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Label, Span};

/// How many of them are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// The span of a run under the installed meter.
#[derive(Debug)]
#[must_use = "a span ends when it is dropped: bind it to a name, `let _run = …`"]
pub struct RunSpan {
    span: Span,
    /// There was no meter.
    unmetered: bool,
}

impl RunSpan {
    /// Opens the span; without a meter, notes that.
    pub fn enter(label: Label) -> Self {
        let span = Span::enter(label);
        let unmetered = !span.is_open();
        if unmetered {
            OPEN.fetch_add(1, Ordering::Relaxed);
        }
        Self { span, unmetered }
    }

    /// What to say in the record of a meter that is installed now, if a run is open that it did not see.
    pub(crate) fn missed() -> Option<String> {
        (OPEN.load(Ordering::Relaxed) > 0).then(|| {
            "a run of `#[track_energy(run)]` began before the meter was installed and is not among the spans: \
             install the meter before that function or statement begins"
                .to_owned()
        })
    }
}

impl Deref for RunSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

impl Drop for RunSpan {
    fn drop(&mut self) {
        if self.unmetered {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
