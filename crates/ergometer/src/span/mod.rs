//! User code → intervals.

pub mod future;

use serde::{Deserialize, Serialize};

/// What an interval of the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One training run, or any whole job.
    Run,
    /// One pass over the data.
    Epoch,
    /// One update of the model, or one batch.
    Step,
    /// A named part of a step or run.
    Phase,
    /// A call of a function.
    Function,
}

/// Kind, name and item unit of a span; interned at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Kind of span.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// Unit of its items; empty where it has none.
    pub unit: &'static str,
}

impl Label {
    /// A label without an item unit.
    #[must_use]
    pub const fn new(kind: Kind, name: &'static str) -> Self {
        Self { kind, name, unit: "" }
    }

    /// The same label with `unit` for its items.
    #[must_use]
    pub const fn with_unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }
}

/// A count of items: any integer or float.
pub trait ItemCount {
    /// The count as a float.
    fn to_count(self) -> f64;
}

macro_rules! item_count {
    ($($number:ty),*) => {$(
        impl ItemCount for $number {
            fn to_count(self) -> f64 {
                self as f64
            }
        }
    )*};
}
item_count!(u8, u16, u32, u64, usize, i32, i64, f32, f64);

/// An open interval; it ends when dropped.
#[must_use = "a span ends when it is dropped; bind it to a name"]
#[derive(Debug)]
pub struct Span;

impl Span {
    /// Opens a span under the installed meter; without one, a span that does nothing.
    #[inline]
    pub fn enter(_label: Label) -> Self {
        Self
    }

    /// Tells how many items (tokens, sentences) the span processes; further calls add up.
    #[inline]
    pub fn items(&self, _count: impl ItemCount) {}
}

/// Opens a phase called `name` under the installed meter.
#[inline]
pub fn span(name: &'static str) -> Span {
    Span::enter(Label::new(Kind::Phase, name))
}
