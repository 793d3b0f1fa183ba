//! What a span on a statement counts.

use std::future::Future as _;
use std::task::{Context, Poll, Waker};

use ergometer::track_energy;

use super::recording::{self, note, written};

#[track_energy(crate = recording)]
fn logged(steps: u32) {
    for step in 0..steps {
        #[track_energy(phase = "log", items = step)]
        if step % 3 == 2 {
            note("taken");
        } else if step == 1 {
            note("other");
        }
        #[track_energy(phase = "test")]
        if step == 1 {
            note("yes");
        } else {
            note("no");
        }
    }
    #[track_energy(phase = "last")]
    if let Some(found) = (steps > 1).then_some("found") {
        note(found);
    }
}

#[test]
fn an_if_without_else_is_a_span_only_where_a_branch_is_taken() {
    logged(3);
    assert_eq!(
        written(),
        "function:logged{phase:test{no} \
         phase:log{1 items other} phase:test{yes} \
         phase:log{2 items taken} phase:test{no} \
         phase:last{found}}"
    );
    logged(1);
    assert_eq!(written(), "function:logged{phase:test{no}}");
}

fn noted(text: &str) -> usize {
    note(text);
    text.len()
}

macro_rules! fragments {
    ($name:ident, $unit:block, $body:block, $value:expr, $looped:expr, $bound:stmt) => {
        #[track_energy(crate = recording)]
        fn $name() -> u32 {
            #[track_energy(phase = "block")]
            $unit
            #[track_energy(phase = "statement")]
            $bound;
            let value = #[track_energy(phase = "middle")] $body;
            #[track_energy(step)]
            $looped;
            #[track_energy(phase = "value")]
            $value;
            #[track_energy(phase = "last")]
            $unit;
            value
        }
    };
}

fragments!(
    fragments,
    {
        note("unit");
    },
    {
        note("body");
        1
    },
    note("value"),
    for _ in 0..2 {
        note("loop");
    },
    let _bound = noted("bound")
);

#[test]
fn fragments_that_a_macro_passes_on_are_statements() {
    assert_eq!(fragments(), 1);
    assert_eq!(
        written(),
        "function:fragments{phase:block{unit} phase:statement{bound} phase:middle{body} step:step{loop} \
         step:step{loop} phase:value{value} phase:last{unit}}"
    );
}

#[allow(clippy::needless_for_each, reason = "what is tried")]
#[track_energy(crate = recording)]
fn in_closures(numbers: &[u32]) -> u32 {
    let mut sum = 0;
    numbers.iter().for_each(|number| {
        #[track_energy(step)]
        {
            sum += number;
        }
    });
    #[track_energy(step)]
    {
        numbers.iter().for_each(|number| sum += number);
    }
    sum
}

#[test]
fn a_step_stands_in_the_closure_of_for_each_or_around_it() {
    assert_eq!(in_closures(&[1, 2]), 6);
    assert_eq!(written(), "function:in_closures{step:step{} step:step{} step:step{}}");
}

#[test]
fn a_run_that_installs_the_meter_inside_itself_is_told_so() {
    use crate::child;
    use ergometer::source::DomainKind;
    use ergometer::units::Watts;
    use ergometer::{Meter, Record};

    fn node() -> ergometer::MeterBuilder {
        Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0))
    }
    #[track_energy(run)]
    fn inside() -> Record {
        node().install().unwrap().finish().unwrap()
    }
    #[track_energy(run)]
    fn empty() {}

    // The process may have one installed meter at a time.
    let name = "macros::statements::a_run_that_installs_the_meter_inside_itself_is_told_so";
    if !child::is_one() {
        child::passes(&mut child::of(name, &[]));
        return;
    }
    empty();
    let told = |record: &Record| {
        record.warnings.iter().any(|line| line.contains("began before the meter was installed"))
    };
    let outside = node().install().unwrap();
    empty();
    let record = outside.finish().unwrap();
    assert!(!told(&record), "{:?}", record.warnings);
    assert_eq!(record.spans[0].name, "empty");
    let record = inside();
    assert!(told(&record), "{:?}", record.warnings);
    assert!(record.spans.is_empty());
    assert!(!told(&node().install().unwrap().finish().unwrap()), "that run is over");
}

/// What lints of rustc and clippy say of annotated code is what they say without the attribute. Clippy reads
/// this module with the others: a lint here fails the build.
#[rustfmt::skip]
#[deny(clippy::implicit_return, unused_braces, unfulfilled_lint_expectations)]
#[allow(clippy::needless_return, reason = "the other style's opposite")]
mod lint_clean {
    use ergometer::track_energy;

    /// Waits for nothing, which is expected.
    #[track_energy]
    #[expect(clippy::unused_async, reason = "a trait elsewhere may ask for it")]
    pub(super) async fn ready() -> u32 {
        return 1;
    }

    /// Waits.
    #[track_energy]
    pub(super) async fn later() -> u32 {
        let value = ready().await;
        return value;
    }

    /// A function with a span.
    #[track_energy(run)]
    pub(super) fn function(number: u32) -> u32 {
        #[track_energy(phase = "block")]
        { assert!(number > 0) }
        let value = #[track_energy(phase = "middle")]
        { number + 1 };
        return value;
    }
}

/// The same where blocks have a value.
#[rustfmt::skip]
#[deny(unused_braces)]
mod one_line {
    use ergometer::track_energy;

    #[track_energy]
    pub fn tail(number: u32) -> u32 {
        #[track_energy(phase = "tail")]
        { number + 1 }
    }

    #[track_energy]
    pub fn closure(number: u32) -> u32 {
        let add = |other: u32| #[track_energy(phase = "closure")] { number + other };
        add(1)
    }
}

#[test]
fn one_line_blocks_have_their_value() {
    let future = std::pin::pin!(lint_clean::later());
    let polled = future.poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(1));
    assert_eq!((one_line::tail(1), one_line::closure(2), lint_clean::function(3)), (2, 3, 4));
}
