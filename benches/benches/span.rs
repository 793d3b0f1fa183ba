//! What a span costs the thread that opens it, beside the two clock reads it cannot do without.

use std::time::Instant;

use divan::{Bencher, black_box};
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::Watts;
use ergometer::{Kind, Meter, Span};

const STEP: Label = Label::new(Kind::Step, "step").with_unit("tokens");

fn main() {
    divan::main();
}

/// The floor: two reads of the clock.
#[divan::bench]
fn two_clock_reads() -> (Instant, Instant) {
    (Instant::now(), Instant::now())
}

/// No meter is installed: one relaxed load.
#[divan::bench]
fn disabled() {
    drop(black_box(Span::enter(black_box(STEP))));
}

/// A meter is running on its own thread.
#[divan::bench]
fn enabled(bencher: Bencher<'_, '_>) {
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Node, Watts::new(100.0))
        .start()
        .expect("a meter without hardware starts");
    bencher.bench_local(|| drop(black_box(meter.enter(black_box(STEP)))));
}
