//! How a span opens that is more than a label under the installed meter.

use super::mark::{NO_SPAN, UNANNOUNCED};
use super::ring;
use super::tally::Tally;
use super::word::Word;
use super::{ItemCount, Kind, Label, Span, thread};
use crate::budget::{Budget, ToBudget};
use crate::clock::Timestamp;

/// The meter that a span opens under: the installed one of a moment, or another.
///
/// ```
/// use ergometer::Kind;
/// use ergometer::span::Under;
///
/// // Without an installed meter a span costs next to nothing and does nothing.
/// assert!(!Under::installed().is_on());
/// drop(Under::installed().enter(Kind::Step.into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Under(u64);

impl Under {
    /// The installed meter, if there is one.
    #[inline]
    #[must_use]
    pub fn installed() -> Self {
        Self(ring::installed())
    }

    /// The meter with this identity.
    #[inline]
    pub(crate) const fn of(meter: u64) -> Self {
        Self(meter)
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
        if self.is_on() { Span::open(self.0, label) } else { Span::closed() }
    }

    /// Opens a span that began at `start`.
    #[inline]
    pub(crate) fn enter_at(self, label: Label, start: Timestamp) -> Span {
        if self.is_on() { Span::open_at(self.0, label, start) } else { Span::closed() }
    }
}

/// The number of an epoch: any integer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the number of an epoch",
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
    items: Tally,
    index: Option<u64>,
    report: bool,
    budget: Option<Result<Budget, &'static str>>,
}

impl Opening {
    /// A span with `label` under the meter that is installed when it opens.
    #[must_use]
    pub const fn new(label: Label) -> Self {
        Self { label, under: None, items: Tally::NONE, index: None, report: false, budget: None }
    }

    /// Under this meter.
    #[must_use]
    pub const fn under(self, meter: Under) -> Self {
        Self { under: Some(meter), ..self }
    }

    /// With this many items.
    #[must_use]
    pub fn items(mut self, count: impl ItemCount) -> Self {
        self.items.add(count);
        self
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

    /// See [`Span::budget`].
    #[must_use]
    pub fn budget(self, budget: &(impl ToBudget + ?Sized)) -> Self {
        Self { budget: Some(asked(budget)), ..self }
    }

    /// Opens the span.
    pub fn enter(&self) -> Span {
        let span = self.under.unwrap_or_else(Under::installed).enter(self.label);
        if self.items != Tally::NONE {
            span.add_items(self.items);
        }
        if let Some(number) = self.index {
            span.index(number);
        }
        if self.report {
            span.report();
        }
        if let Some(budget) = self.budget {
            span.limit(budget);
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

    /// Sets an epoch's number, which replaces the running count in its row. Other kinds of span have no number, and
    /// a negative one is ignored.
    ///
    /// Two epochs of one name never have the same number: the later one gets the number after the largest, and
    /// the record has a warning.
    pub fn index(&self, number: impl EpochNumber) {
        if let (Some((meter, began)), Some(number)) = (self.opened(), number.to_number())
            && began.label.kind == Kind::Epoch
            && began.span & UNANNOUNCED == 0
        {
            thread::tell(meter, Word::Number(began.span, number));
        }
    }

    /// Prints the span's time and energy to standard error once it has ended and its energy is known: up to about a
    /// second later, or when the meter is finished.
    pub fn report(&self) {
        if let Some((meter, span)) = self.identity() {
            thread::tell(meter, Word::Report(span));
        }
    }

    /// Watches whether the metered domains draw `budget` before the span ends. If they do, a line is printed to
    /// standard error at once and the record has a warning; the program goes on. To stop it, use
    /// [`Meter::budget`](crate::Meter::budget).
    ///
    /// A text that is not a valid budget, or a budget that nothing can use up, is a warning in the record. So is the
    /// budget of a step: each one costs the meter's thread more than a step should.
    ///
    /// ```
    /// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
    /// # let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
    /// let run = meter.span(Kind::Run);
    /// run.budget("1 J");
    /// std::thread::sleep(std::time::Duration::from_millis(30)); // at 50 W
    /// drop(run);
    /// let record = meter.finish()?;
    /// assert!(record.warnings.iter().any(|line| line.contains("of 'run' is spent")));
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    pub fn budget(&self, budget: &(impl ToBudget + ?Sized)) {
        if self.is_open() {
            self.limit(asked(budget));
        }
    }

    /// Has a warning in the record.
    #[cfg(feature = "tracing")]
    pub(crate) fn warn(&self, line: String) {
        if let Some((meter, _)) = self.identity() {
            thread::tell(meter, Word::Warn(line));
        }
    }

    fn limit(&self, budget: Result<Budget, &'static str>) {
        if let Some((meter, began)) = self.opened() {
            thread::tell(meter, Word::Limit(began, budget));
        }
    }
}

/// The budget, or why the text is not one, as text that lives as long as the program.
fn asked(budget: &(impl ToBudget + ?Sized)) -> Result<Budget, &'static str> {
    let unnamed = "it is not a valid budget";
    budget.to_budget().map_err(|error| Label::known(&error.to_string()).unwrap_or(unnamed))
}
