//! The guard that marks an interval.

use std::cell::Cell;
use std::mem::ManuallyDrop;

use super::mark::{Mark, NO_SPAN};
use super::ring;
use super::scopes::OpenSpan;
use super::tally::Tally;
use super::thread::{self, Opened};
use super::word::{Began, Word};
use super::{ItemCount, Kind, Label};
use crate::clock::{self, Timestamp};

/// An open interval of the program; it ends when dropped.
///
/// Opening and ending a span costs two clock reads and a push into a ring of its thread; without a
/// meter it costs one relaxed atomic load. A span may be sent to another thread and end there.
/// A span that is leaked (`mem::forget`) leaves no mark and harms no other.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let span = meter.span("tokenise");
/// assert!(span.is_open());
/// std::thread::spawn(move || drop(span)).join().unwrap();
/// assert_eq!(meter.finish()?.spans[0].count, 1);
///
/// assert!(!ergometer::span("tokenise").is_open(), "no meter is installed: it does nothing");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[must_use = "a span ends when it is dropped: bind it to a name, `let _span = …`"]
#[derive(Debug)]
pub struct Span(Option<Open>);

#[derive(Debug)]
struct Open {
    label: &'static Label,
    start: Timestamp,
    meter: u64,
    id: u64,
    parent: u64,
    /// Where it stands among the open spans of its thread.
    place: u64,
    items: Cell<Tally>,
    /// Its start was stated: it may lie in the past, beside others.
    timed: bool,
    /// Its start was not stated, and the meter does not read at its ends.
    plain: bool,
}

impl Span {
    /// Opens a span under the installed meter; without one, a span that does nothing.
    #[inline]
    pub fn enter(label: Label) -> Self {
        let meter = ring::installed();
        if meter == NO_SPAN { Self(None) } else { Self::open(meter, label) }
    }

    /// Opens a span under the meter with the identity `meter`.
    ///
    /// Out of line and only once, so that a call site holds a test and a call and this is one piece. Whatever is not
    /// as it was for the span before, and a start that was stated, is left to another function as a whole: what is
    /// in registers here need not outlast a call.
    #[inline(never)]
    pub(crate) fn open(meter: u64, label: Label) -> Self {
        let start = clock::now();
        if !has_edges(label.kind)
            && let Some(opened) = thread::open_as_before(meter, &label)
        {
            return Self::of(opened, meter, start, false, true);
        }
        Self::open_slowly(meter, &label, start, false)
    }

    /// Opens a span that began at `start`.
    pub(crate) fn open_at(meter: u64, label: Label, start: Timestamp) -> Self {
        Self::open_slowly(meter, &label, start, true)
    }

    #[cold]
    #[inline(never)]
    fn open_slowly(meter: u64, label: &Label, mut start: Timestamp, timed: bool) -> Self {
        if timed && has_edges(label.kind) {
            start = not_later(start, meter);
        }
        Self::opened_at(thread::open(meter, label), meter, start, timed)
    }

    /// Opens a span inside one that is open on another thread.
    #[cold]
    pub(super) fn open_inside(around: OpenSpan, label: Label) -> Self {
        let start = clock::now();
        Self::opened_at(thread::open_under(around, &label), around.meter(), start, false)
    }

    /// The span as it was opened; the meter's thread hears of one at whose ends it reads.
    fn opened_at(mut opened: Opened, meter: u64, start: Timestamp, timed: bool) -> Self {
        let Opened { label, id, parent, .. } = opened;
        let edges = has_edges(label.kind);
        if edges {
            // Spans inside it may outlive it: it has not ended.
            let mark = Mark { id, parent, outlived: true, ..Mark::new(label, (start, start)) };
            opened.id = thread::begun(meter, mark);
        }
        Self::of(opened, meter, start, timed, !timed && !edges)
    }

    #[inline]
    fn of(opened: Opened, meter: u64, start: Timestamp, timed: bool, plain: bool) -> Self {
        let Opened { label, id, parent, place } = opened;
        let items = Cell::new(Tally::NONE);
        Self(Some(Open { label, start, meter, id, parent, place, items, timed, plain }))
    }

    /// Adds the number of items (tokens, sentences) that the span processed; calls add up.
    ///
    /// A count that is negative, infinite or not a number is ignored, with a warning in the record.
    #[inline]
    pub fn items(&self, count: impl ItemCount) {
        if let Some(open) = &self.0 {
            let mut items = open.items.get();
            items.add(count);
            open.items.set(items);
        }
    }

    #[inline]
    pub(crate) fn add_items(&self, more: Tally) {
        if let Some(open) = &self.0 {
            let mut items = open.items.get();
            items.add_all(more);
            open.items.set(items);
        }
    }

    /// A span that does nothing.
    #[inline]
    pub(super) const fn closed() -> Self {
        Self(None)
    }

    /// Its meter and its own identity; `None` of a span that does nothing.
    #[inline]
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        self.0.as_ref().map(|open| (open.meter, open.id))
    }

    /// What the meter's thread has to know of it while it is open; `None` of a span that does nothing.
    pub(super) fn opened(&self) -> Option<(u64, Began)> {
        self.0
            .as_ref()
            .map(|open| (open.meter, Began { span: open.id, label: open.label, start: open.start }))
    }

    /// Ends the span at `end` rather than at the present moment; never before it began.
    ///
    /// For callers that took the timestamp themselves, so that one span ends exactly where the next
    /// begins.
    pub fn close_at(self, end: Timestamp) {
        if let Some(open) = &ManuallyDrop::new(self).0 {
            open.close_slowly(end, true, 0);
        }
    }

    /// Ends it now; returns when that was.
    pub(super) fn end(self) -> Timestamp {
        let end = clock::now();
        ManuallyDrop::new(self).0.as_ref().map_or(end, |open| open.close_slowly(end, false, 0))
    }

    /// Whether it is, or would be, one with `label` under the meter with the identity `meter`.
    #[inline]
    pub(super) fn is_like(&self, meter: u64, label: &Label) -> bool {
        match &self.0 {
            Some(open) => open.meter == meter && open.label.is(label),
            None => meter == NO_SPAN,
        }
    }

    /// Ends it as what this many steps have in common; 0 of a span that stands for itself.
    pub(super) fn close_folded(self, steps: u32) {
        match &ManuallyDrop::new(self).0 {
            Some(open) if steps == 0 => open.close(),
            Some(open) => _ = open.close_slowly(clock::now(), false, steps),
            None => {}
        }
    }
}

impl Open {
    /// Ends it at the present moment.
    #[inline(never)]
    fn close(&self) {
        let end = clock::now();
        let is_closed = self.plain
            && thread::close_as_before(self.meter, self.id, self.parent, |alone| {
                self.mark(end, false, !alone, 0)
            });
        if !is_closed {
            self.close_slowly(end, false, 0);
        }
    }

    /// Ends it at `end`, which the caller stated if `timed`; returns when that was.
    #[cold]
    #[inline(never)]
    fn close_slowly(&self, mut end: Timestamp, timed: bool, folded: u32) -> Timestamp {
        let edges = has_edges(self.label.kind);
        if timed && edges {
            end = not_later(end, self.meter);
        }
        let beside = self.timed | timed;
        let mark = |outlived| self.mark(end, outlived, beside, folded);
        let outlived = thread::close(self.meter, self.id, self.place, mark);
        if edges {
            thread::ended(self.meter, self.label, self.parent, outlived);
        }
        end
    }

    #[inline]
    fn mark(&self, end: Timestamp, outlived: bool, beside: bool, folded: u32) -> Mark {
        let Self { label, start, id, parent, .. } = *self;
        let Tally { items, invalid } = self.items.get();
        let (idle, invalid_items) = (0, invalid);
        Mark { label, start, end, id, parent, items, idle, invalid_items, outlived, beside, folded }
    }
}

/// A moment that the caller took, and the present one where it lies in the future. Of spans that have no edges it
/// is the meter's thread that looks, which costs the program no read of the clock.
fn not_later(moment: Timestamp, meter: u64) -> Timestamp {
    let now = clock::now();
    if moment > now {
        thread::tell(meter, Word::Future);
    }
    moment.min(now)
}

/// Whether the meter is to read at both ends of such a span.
const fn has_edges(kind: Kind) -> bool {
    matches!(kind, Kind::Run | Kind::Epoch)
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(open) = &self.0 {
            open.close();
        }
    }
}

/// Opens a phase called `name` under the installed meter; without one, a span that does nothing.
///
/// ```
/// let tokenise = ergometer::span("tokenise");
/// // … work …
/// drop(tokenise);
/// ```
#[inline]
pub fn span(name: &'static str) -> Span {
    Span::enter(Label::new(Kind::Phase, name))
}

/// Counts items (tokens, sentences) that are known only inside the code that processes them: for the innermost
/// open step of this thread or future; where there is none, for the innermost span with a unit of items, or
/// for the innermost span. Without an open span it does nothing.
///
/// The unit is that of the span; further calls add up, with each other and with the option `items`.
///
/// ```
/// use ergometer::track_energy;
///
/// #[track_energy(step, items = 0, unit = "tokens")]
/// fn step(text: &str) -> usize {
///     let tokens = text.split_whitespace().count();
///     ergometer::items(tokens);
///     tokens
/// }
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// # let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).install()?;
/// assert_eq!(step("one two three"), 3);
/// # let record = meter.finish()?;
/// # assert_eq!(record.steps["run"].items.as_ref().map(|items| items.count), Some(3.0));
/// # Ok::<(), ergometer::Error>(())
/// ```
pub fn items(count: impl ItemCount) {
    let mut items = Tally::NONE;
    items.add(count);
    thread::count(items);
}
