//! The cases that run on one thread.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use ergometer::span::Label;
use ergometer::{Kind, Meter, Span, clock, track_energy};

const STEP: Label = Label::new(Kind::Step, "step").with_unit("tokens");

/// Something whose cost is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// The floor: two reads of the standard library's clock.
    TwoInstants,
    /// Two reads of the library's clock.
    TwoClockReads,
    /// A span while a meter is installed.
    Span,
    /// A span inside another one.
    NestedSpan,
    /// `#[track_energy(step, items = ..)]` on a loop: one iteration.
    MacroStep,
    /// A span whose ends are given: all of it but the clock.
    SpanWithoutClock,
    /// A span while no meter is installed.
    DisabledSpan,
    /// An iteration of the macro's loop while no meter is installed.
    DisabledMacroStep,
}

impl Case {
    /// All of them, the floor first.
    pub const ALL: [Self; 8] = [
        Self::TwoInstants,
        Self::TwoClockReads,
        Self::Span,
        Self::NestedSpan,
        Self::MacroStep,
        Self::SpanWithoutClock,
        Self::DisabledSpan,
        Self::DisabledMacroStep,
    ];

    /// Its name in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoInstants => "two_instants",
            Self::TwoClockReads => "two_clock_reads",
            Self::Span => "span",
            Self::NestedSpan => "nested_span",
            Self::MacroStep => "macro_step",
            Self::SpanWithoutClock => "span_without_clock",
            Self::DisabledSpan => "disabled_span",
            Self::DisabledMacroStep => "disabled_macro_step",
        }
    }

    /// Whether a meter is installed meanwhile.
    #[must_use]
    pub const fn is_metered(self) -> bool {
        !matches!(self, Self::DisabledSpan | Self::DisabledMacroStep)
    }

    /// Does it this many times.
    ///
    /// # Panics
    ///
    /// If the case needs a meter and there is none.
    pub fn run(self, times: u32, meter: Option<&Meter>) {
        match self {
            Self::TwoInstants => two_instants(times),
            Self::TwoClockReads => two_clock_reads(times),
            Self::Span | Self::DisabledSpan => spans(times),
            Self::NestedSpan => nested_spans(times),
            Self::MacroStep | Self::DisabledMacroStep => macro_steps(times),
            Self::SpanWithoutClock => {
                spans_without_clock(times, meter.expect("a meter is installed"));
            }
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn two_instants(times: u32) {
    for _ in 0..times {
        black_box(Instant::now());
        black_box(Instant::now());
    }
}

fn two_clock_reads(times: u32) {
    for _ in 0..times {
        black_box(clock::now());
        black_box(clock::now());
    }
}

pub(crate) fn spans(times: u32) {
    for _ in 0..times {
        let _span = Span::enter(STEP);
        // The work inside, of which the compiler knows nothing.
        black_box(());
    }
}

fn nested_spans(times: u32) {
    let _epoch = ergometer::span("outer");
    spans(times);
}

#[track_energy(phase = "steps")]
fn macro_steps(times: u32) {
    #[track_energy(step, items = batch, unit = "tokens")]
    for batch in 0..times {
        black_box(batch);
    }
}

fn spans_without_clock(times: u32, meter: &Meter) {
    let at = clock::now();
    for _ in 0..times {
        meter.enter_at(STEP, black_box(at)).close_at(black_box(at));
    }
}
