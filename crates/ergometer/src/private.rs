//! All that macro output may name; not part of the public interface.

pub use crate::span::{ItemCount, Kind, Label, Span};

/// Opens a span under the installed meter; without one, a span that does nothing.
#[inline]
pub fn enter(label: Label) -> Span {
    Span::enter(label)
}

/// Tells how many items the span processes.
#[inline]
pub fn items(span: &Span, count: impl ItemCount) {
    span.items(count);
}

pub use crate::span::future::{Metered, metered};
