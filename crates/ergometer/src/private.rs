//! Everything that macro output may name; not part of the public interface.
//!
//! [`sources`] is what the tests and the accuracy programs of this workspace drive directly.

use crate::budget::{ToBudget, text};
pub use crate::deadline::Deadline;
pub use crate::span::future::{Metered, Scoped, metered, scoped};

pub use std::future::Future;
pub use std::option::Option::{None, Some};

pub use crate::span::every::{Each, Every, Stride};
pub use crate::span::opening::{EpochNumber, Opening, Under};
pub use crate::span::synchronize::{Synchronize, Waits};
pub use crate::span::unmetered::RunSpan;
pub use crate::span::{ItemCount, Kind, Label, Span};

/// Opens a span under the installed meter; without one, a span that does nothing.
#[inline]
pub fn enter(label: Label) -> Span {
    Span::enter(label)
}

/// Opens the span of a run under the installed meter; without one, a span that does nothing.
#[inline]
pub fn enter_run(label: Label) -> RunSpan {
    RunSpan::enter(label)
}

/// Whether the span is measured, so that its options are worth evaluating.
#[inline]
#[must_use]
pub fn is_open(span: &Span) -> bool {
    span.is_open()
}

/// Adds the number of items that the span processes.
#[inline]
pub fn items(span: &Span, count: impl ItemCount) {
    span.items(count);
}

/// The installed meter.
#[inline]
#[must_use]
pub fn installed() -> Under {
    Under::installed()
}

/// This meter.
#[must_use]
pub fn meter(meter: &crate::meter::Meter) -> Under {
    meter.into()
}

/// Whether there is a meter.
#[inline]
#[must_use]
pub fn is_on(under: Under) -> bool {
    under.is_on()
}

/// Opens a span under this meter.
#[inline]
pub fn enter_under(under: Under, label: Label) -> Span {
    under.enter(label)
}

/// Records each n-th step alone.
pub fn every(stride: impl Stride) -> Every {
    Every::new(stride)
}

/// Begins a step, which is recorded alone or with others.
#[inline]
pub fn each(every: &mut Every, under: Under, label: Label) -> Each<'_> {
    every.enter(under, label)
}

/// A name that is made at run time.
#[must_use]
pub fn name<T: AsRef<str> + ?Sized>(text: &T) -> &'static str {
    Label::remembered(text.as_ref())
}

/// Sets an epoch's number.
pub fn index(span: &Span, number: impl EpochNumber) {
    span.index(number);
}

/// Watches the span's budget.
pub fn budget<B: ToBudget + ?Sized>(span: &Span, budget: &B) {
    span.budget(budget);
}

/// Puts a future under the span that `opening` describes.
pub const fn opened<F: Future>(opening: Opening, future: F) -> Metered<F> {
    Metered::new(opening, future)
}

/// Called at compile time with the text of a budget.
///
/// # Panics
///
/// If it is not a valid budget.
#[track_caller]
pub const fn check_budget(text: &str) {
    assert!(
        text::read(text).is_some(),
        "this is not a budget: write a number and a unit, such as 2 kWh, 750 Wh, 3.6 MJ, 500 gCO2e, 3 USD"
    );
}

/// Requests a line with the span's energy.
pub fn report(span: &Span) {
    span.report();
}

/// Waits now, and again when the returned guard is dropped.
#[must_use]
pub fn waits<S: Synchronize + ?Sized>(device: Option<&S>) -> Waits<'_, S> {
    Waits::for_edges(device)
}

/// The sources of the probe, one by one.
pub mod sources {
    pub use crate::source::cpu_model::{
        KNOWN_ERROR, UNKNOWN_ERROR, errors, median, own_validation, validation,
    };
    pub use crate::source::hwmon::Hwmon;
    pub use crate::source::probe::settings::Settings;
    pub use crate::source::probe::{fixed_only, probe};
    pub use crate::source::rapl::{Level, Rapl};

    /// NVIDIA boards.
    pub mod nvml {
        pub use crate::source::nvml::{
            BoardIdentity, Choice, Chosen, DEFAULT_SHARE, Environment, NAME, choose, open,
        };
    }
}
