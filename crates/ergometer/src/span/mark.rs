//! What is left of a span when it has ended, and the identity of spans.

use super::tally::Tally;
use super::{Kind, Label};
use crate::clock::Timestamp;

/// Identity of no span and of no meter.
pub(crate) const NO_SPAN: u64 = 0;

/// Set in the identity of a run or an epoch that was not announced to the meter's thread. Others may share it.
pub(super) const UNANNOUNCED: u64 = 1 << 63;

/// Bits of an identity that count: 2^23 threads of 2^40 spans each before one comes twice.
pub(super) const COUNT_BITS: u32 = 40;

/// A closed span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub label: &'static Label,
    pub start: Timestamp,
    pub end: Timestamp,
    pub id: u64,
    pub parent: u64,
    pub items: f64,
    /// Nanoseconds from `start` to `end` in which none of the spans that share it was open.
    pub idle: u64,
    /// Counts of items that were not valid and are not in `items`; 255 of that many and more.
    pub invalid_items: u8,
    /// Spans inside it may outlive it, and name it as the one around them when they end: it ended
    /// before them, or on another thread than it began on.
    pub outlived: bool,
    /// Others inside the same span may have been open at the same time.
    pub beside: bool,
    /// Spans that it stands for together; 0 of a span that stands for itself.
    pub folded: u32,
}

impl Mark {
    /// Counts items beside those that its span counted.
    #[cold]
    pub(super) fn count_items(&mut self, more: Tally) {
        let mut sum = Tally { items: self.items, invalid: self.invalid_items };
        sum.add_all(more);
        (self.items, self.invalid_items) = (sum.items, sum.invalid);
    }

    /// Of a span that stands for itself.
    pub(crate) fn new(label: &'static Label, (start, end): (Timestamp, Timestamp)) -> Self {
        let (id, parent, items, idle) = (NO_SPAN, NO_SPAN, 0.0, 0);
        let (invalid_items, outlived, beside, folded) = (0, false, false, 0);
        Self { label, start, end, id, parent, items, idle, invalid_items, outlived, beside, folded }
    }

    /// The share of its time in which a span was open.
    pub(crate) fn share(&self) -> f64 {
        let covered = self.end.as_nanos().saturating_sub(self.start.as_nanos());
        if self.idle == 0 { 1.0 } else { 1.0 - (self.idle as f64 / covered as f64).min(1.0) }
    }

    /// Seconds in which a span was open.
    pub(crate) fn seconds(&self) -> f64 {
        let covered = self.end.since(self.start);
        covered.saturating_sub(std::time::Duration::from_nanos(self.idle)).as_secs_f64()
    }

    /// How many spans it stands for.
    pub(crate) fn count(&self) -> u64 {
        self.folded.max(1).into()
    }

    /// Whether it belongs to a run or an epoch that was announced to the meter's thread when it began.
    pub(crate) fn is_announced(&self) -> bool {
        matches!(self.label.kind, Kind::Run | Kind::Epoch) && self.id & UNANNOUNCED == 0
    }

    /// The thread that it began on.
    pub(crate) fn thread(&self) -> u64 {
        thread_of(self.id)
    }
}

/// What follows the last identity of the same thread's number.
pub(super) const fn end_of(identity: u64) -> u64 {
    (identity | ((1 << COUNT_BITS) - 1)) + 1
}

pub(super) const fn thread_of(identity: u64) -> u64 {
    (identity & !UNANNOUNCED) >> COUNT_BITS
}
