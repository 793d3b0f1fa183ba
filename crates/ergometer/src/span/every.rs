//! Steps of which only some are recorded alone.

use std::mem;
use std::ops::Deref;

use super::{Kind, Label, Span, Under};

/// Records every n-th step alone, and those between two of them together.
///
/// Of n steps the first is a span of its own; the others share one, which begins with the first of them and
/// ends with the last. In the record their number, their items and what they drew are those of all
/// steps; extremes and quantiles are of the steps recorded alone ([`Steps::folded`]). What passes between two
/// steps that share a span is inside it, and spans opened in them are its children. A step that shares one
/// costs neither a clock read nor a mark.
///
/// Spans of another kind than [`Kind::Step`] share none. Where the label or the meter changes, another span
/// is begun. What is open when this is dropped ends there.
///
/// ```
/// use ergometer::span::{Every, Label, Under};
/// use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
///
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let mut every = Every::new(10);
/// for batch in 0..25 {
///     let step = every.enter(Under::from(&meter), Kind::Step.into());
///     step.items(batch);
/// }
/// drop(every);
/// let steps = meter.finish()?.steps["run"].clone();
/// assert_eq!((steps.count, steps.folded), (25, 22));
/// assert_eq!(steps.items.map(|items| items.count), Some(300.0));
/// # Ok::<(), ergometer::Error>(())
/// ```
///
/// [`Steps::folded`]: crate::record::Steps::folded
#[derive(Debug)]
#[must_use = "steps are entered through it"]
pub struct Every {
    stride: u32,
    /// Steps since the last that was recorded alone; 0 where the next one will be.
    position: u32,
    /// What is open.
    span: Span,
    /// Steps that share `span`; 0 of one alone.
    folded: u32,
}

/// One step of [`Every`]; it ends when dropped. It is the span that records it, alone or with others.
#[derive(Debug)]
#[must_use = "a step ends when it is dropped: bind it to a name, `let _step = …`"]
pub struct Each<'a>(&'a mut Every);

impl Every {
    /// Records each `stride`-th step alone; a stride below 1 counts as 1, which records all of them alone.
    pub fn new(stride: impl Stride) -> Self {
        let stride = stride.to_stride().max(1);
        Self { stride, position: 0, span: Span::closed(), folded: 0 }
    }

    /// Begins a step.
    #[inline]
    pub fn enter(&mut self, under: Under, label: Label) -> Each<'_> {
        let alone = self.position == 0 || label.kind != Kind::Step;
        if alone || !self.span.is_like(under.identity(), &label) {
            self.end();
            self.span = under.enter(label);
        }
        self.folded += u32::from(!alone);
        Each(self)
    }

    fn end(&mut self) {
        let folded = mem::take(&mut self.folded);
        mem::replace(&mut self.span, Span::closed()).close_folded(folded);
    }
}

impl Drop for Every {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Each<'_> {
    #[inline]
    fn drop(&mut self) {
        let Self(every) = self;
        let next = every.position + 1;
        every.position = if next == every.stride { 0 } else { next };
        if every.position == 0 || every.folded == 0 {
            every.end();
        }
    }
}

impl Deref for Each<'_> {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0.span
    }
}

/// How many steps lie between two that are recorded alone: any integer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number of steps",
    label = "expected an integer"
)]
pub trait Stride {
    /// The number; the nearest one that can be held.
    fn to_stride(self) -> u32;
}

macro_rules! stride {
    ($($number:ty),*) => {$(
        impl Stride for $number {
            #[allow(unused_comparisons, reason = "one body for all integers")]
            fn to_stride(self) -> u32 {
                u32::try_from(self).unwrap_or(if self < 0 { 0 } else { u32::MAX })
            }
        }
    )*};
}
stride!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);
