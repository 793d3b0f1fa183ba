//! User code → intervals.
//!
//! A [`Span`] leaves one mark when it ends: two timestamps, a label and the span it was opened in.
//! The mark goes into a ring that only its thread writes; everything else — energy, statistics,
//! files — is worked out later by the meter's own thread.

pub mod current;
mod ended_elsewhere;
pub(crate) mod every;
mod finished;
pub mod future;
mod growing;
pub(crate) mod guard;
pub(crate) mod mark;
mod name;
pub(crate) mod opening;
pub(crate) mod ring;
pub(crate) mod scopes;
mod spill;
mod sync;
pub(crate) mod synchronize;
pub(crate) mod tally;
pub(crate) mod thread;
pub(crate) mod unmetered;
pub(crate) mod word;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

pub use every::Every;
pub use finished::Finished;
pub use guard::{Span, items, span};
pub use opening::Under;
pub use synchronize::Synchronize;

/// What an interval of the program is.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// for kind in [Kind::Step, Kind::Phase] {
///     drop(meter.span(kind));
/// }
/// let names: Vec<_> = meter.finish()?.spans.into_iter().map(|node| node.name).collect();
/// assert_eq!(names, [Kind::Step.as_str(), Kind::Phase.as_str()]);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// One training run, or any whole job.
    Run,
    /// One pass over the data.
    Epoch,
    /// One update of the model, or one batch.
    Step,
    /// A named part of a step or run.
    Phase,
    /// A call of a function. Kinds of a later version's record are read as this.
    #[serde(other)]
    Function,
}

impl Kind {
    /// The word used in reports, and the name of a span that was given none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Epoch => "epoch",
            Self::Step => "step",
            Self::Phase => "phase",
            Self::Function => "function",
        }
    }
}

/// Kind, name and item unit of a span.
///
/// ```
/// # use ergometer::{Kind, Meter, span::Label, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let step = meter.span(Label::new(Kind::Step, "sentence").with_unit("tokens"));
/// step.items(12);
/// drop(step);
/// let record = meter.finish()?;
/// assert_eq!(record.spans[0].name, "sentence");
/// assert_eq!(record.steps["run"].items.as_ref().unwrap().unit, "tokens");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Kind of span.
    pub kind: Kind,
    /// Its name; for an epoch, the split (`train`, `valid`).
    pub name: &'static str,
    /// Unit of its items (`tokens`); empty where it has none.
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

    /// A name that is only known at run time, as one that lives as long as the program.
    ///
    /// Equal texts share one allocation. A program has at most 4096 such names, of a megabyte in all;
    /// further ones are all [`Label::OTHER_NAMES`], so that memory stays bounded. Takes a lock: call it once
    /// per name, not once per span.
    ///
    /// ```
    /// use ergometer::span::Label;
    /// let unit: &'static str = Label::intern(&format!("{}s", "token"));
    /// assert_eq!(unit, "tokens");
    /// ```
    #[must_use]
    pub fn intern(text: &str) -> &'static str {
        Self::known(text).unwrap_or(Self::OTHER_NAMES)
    }

    /// The name of all spans whose own name is beyond that limit.
    pub const OTHER_NAMES: &'static str = "(other names)";
}

/// Where the parts of a label lie: what makes two of them the same without reading their text.
type Place = (Kind, usize, usize, usize, usize);

impl Label {
    #[inline]
    fn place(&self) -> Place {
        let Self { kind, name, unit } = self;
        (*kind, name.as_ptr().addr(), name.len(), unit.as_ptr().addr(), unit.len())
    }

    /// Whether it is the same label as `other`.
    #[inline]
    fn is(&self, other: &Self) -> bool {
        self.place() == other.place()
    }

    /// This label as one word that fits into a mark; of one too many, that of all others of its kind. Takes
    /// a lock: each thread remembers what it got.
    fn site(self) -> &'static Self {
        static SITES: Mutex<BTreeMap<Place, &'static Label>> = Mutex::new(BTreeMap::new());
        let mut sites = SITES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = sites.get(&self.place()) {
            return site;
        }
        if sites.len() >= MOST_SITES {
            return Self::others(self.kind);
        }
        let site: &'static Self = Box::leak(Box::new(self));
        sites.insert(site.place(), site);
        site
    }

    /// The label of all spans of a kind whose own is one too many.
    pub(crate) const fn others(kind: Kind) -> &'static Self {
        const fn of(kind: Kind) -> Label {
            Label::new(kind, Label::OTHER_NAMES)
        }
        const OTHERS: &[Label] =
            &[of(Kind::Run), of(Kind::Epoch), of(Kind::Step), of(Kind::Phase), of(Kind::Function)];
        &OTHERS[kind as usize]
    }
}

/// Labels that a program's marks may have.
const MOST_SITES: usize = 8192;

impl From<Kind> for Label {
    fn from(kind: Kind) -> Self {
        Self::new(kind, kind.as_str())
    }
}

/// A count of items: any integer or float.
///
/// ```
/// use ergometer::span::ItemCount;
/// assert_eq!((7_usize.to_count(), 0.5_f32.to_count()), (7.0, 0.5));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a count of items",
    label = "expected an integer or a float"
)]
pub trait ItemCount {
    /// The count as a float.
    fn to_count(self) -> f64;
}

macro_rules! item_count {
    ($($number:ty),*) => {$(
        impl ItemCount for $number {
            #[allow(clippy::cast_lossless, reason = "one body for all number types")]
            fn to_count(self) -> f64 {
                self as f64
            }
        }
    )*};
}
item_count!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64);
