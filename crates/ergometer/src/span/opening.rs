//! How a span opens that is more than a label under the installed meter.

use super::ring::{self, Command, NO_SPAN};
use super::{ItemCount, Label, Span, thread};
use crate::Meter;

/// The meter that a span opens under: the installed one of a moment, or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Under(u64);

impl Under {
    /// The installed meter, if there is one.
    #[inline]
    #[must_use]
    pub fn installed() -> Self {
        Self(ring::installed())
    }

    /// This meter.
    #[must_use]
    pub fn meter(meter: &Meter) -> Self {
        Self(meter.identity())
    }

    /// Whether there is a meter.
    #[inline]
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.0 != NO_SPAN
    }

    /// What spans know the meter by.
    #[inline]
    pub(super) const fn identity(self) -> u64 {
        self.0
    }

    /// Opens a span; without a meter, one that does nothing.
    #[inline]
    pub fn enter(self, label: Label) -> Span {
        if self.is_on() { Span::open(self.0, label, None) } else { Span::closed() }
    }
}

/// The number of an epoch: any integer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no number of an epoch",
    label = "expected an integer"
)]
pub trait EpochNumber {
    /// The number; `None` of a negative one.
    fn to_number(self) -> Option<u64>;
}

macro_rules! epoch_number {
    ($($number:ty),*) => {$(
        impl EpochNumber for $number {
            fn to_number(self) -> Option<u64> {
                u64::try_from(self).ok()
            }
        }
    )*};
}
epoch_number!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// All that is known of a span before it opens.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    label: Label,
    /// `None` for the meter that is installed when it opens.
    under: Option<Under>,
    items: f64,
    index: Option<u64>,
    report: bool,
}

impl Opening {
    /// A span with `label` under the meter that is installed when it opens.
    #[must_use]
    pub const fn new(label: Label) -> Self {
        Self { label, under: None, items: 0.0, index: None, report: false }
    }

    /// Under this meter.
    #[must_use]
    pub const fn under(self, meter: Under) -> Self {
        Self { under: Some(meter), ..self }
    }

    /// With so many items.
    #[must_use]
    pub fn items(self, count: impl ItemCount) -> Self {
        Self { items: self.items + count.to_count(), ..self }
    }

    /// With a number, see [`Span::index`].
    #[must_use]
    pub fn index(self, number: impl EpochNumber) -> Self {
        Self { index: number.to_number(), ..self }
    }

    /// See [`Span::report`].
    #[must_use]
    pub const fn report(self) -> Self {
        Self { report: true, ..self }
    }

    /// Opens the span.
    pub fn enter(&self) -> Span {
        let span = self.under.unwrap_or_else(Under::installed).enter(self.label);
        if self.items != 0.0 {
            span.items(self.items);
        }
        if let Some(number) = self.index {
            span.index(number);
        }
        if self.report {
            span.report();
        }
        span
    }
}

impl From<Label> for Opening {
    fn from(label: Label) -> Self {
        Self::new(label)
    }
}

impl Span {
    /// Whether it is measured: there was a meter when it opened.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.identity().is_some()
    }

    /// Gives an epoch its number, which its row has instead of the running count; other kinds of span
    /// have none, and a negative number is none.
    ///
    /// A number that an epoch of the same name had already is not taken twice: the later epoch gets
    /// the one after the largest, and the record says so.
    pub fn index(&self, number: impl EpochNumber) {
        if let (Some((meter, span)), Some(number)) = (self.identity(), number.to_number()) {
            thread::tell(meter, Command::Number(span, number));
        }
    }

    /// Prints what the span took to the standard error output, once it has ended and its energy is
    /// known: up to about a second later, or when the meter is finished.
    pub fn report(&self) {
        if let Some((meter, span)) = self.identity() {
            thread::tell(meter, Command::Report(span));
        }
    }
}
