//! Every form of function and statement, annotated and not, on every way out: the same value, of the
//! same type, and the same things dropped in the same order.

use std::any::type_name_of_val;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ergometer::track_energy;

use super::recording::{self, note, written};

/// Tells when it is dropped.
#[derive(Debug)]
pub struct Loud(&'static str);

impl Drop for Loud {
    fn drop(&mut self) {
        note(self.0);
    }
}

/// How a body is left, or where it turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Through,
    Else,
    Question,
    Return,
    BreakValue,
    BreakLoop,
    Continue,
    Panic,
}

const WAYS: [Way; 8] = [
    Way::Through,
    Way::Else,
    Way::Question,
    Way::Return,
    Way::BreakValue,
    Way::BreakLoop,
    Way::Continue,
    Way::Panic,
];

impl Way {
    fn question(self) -> Result<u32, Loud> {
        if self == Self::Question { Err(Loud("error")) } else { Ok(1) }
    }

    fn some(self) -> Option<u32> {
        (self != Self::Else).then_some(2)
    }
}

type Came = Result<u32, Loud>;

/// Is pending once.
async fn yields() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

macro_rules! forms {
    ($module:ident, $on:ident) => {
        forms!(@functions $module, $on, way, first, second, {
            let _local = Loud("local");
            #[cfg_attr($on(), track_energy(phase = "temporary"))]
            let borrowed = &Loud("temporary");
            #[cfg_attr($on(), track_energy(phase = "question"))]
            let mut sum = way.question()?;
            #[cfg_attr($on(), track_energy(phase = "else"))]
            let Some(two) = way.some() else {
                return Ok(100);
            };
            #[cfg_attr($on(), track_energy(phase = "labelled"))]
            let found = 'out: {
                #[cfg_attr($on(), track_energy(epoch, index = number))]
                'each: for number in 0..2_u32 {
                    let _item = Loud("item");
                    #[cfg_attr($on(), track_energy(step, items = sum, name = format!("step")))]
                    while sum < 10 {
                        let _inner = Loud("inner");
                        sum += 4 + number;
                        match way {
                            Way::Return => return Ok(sum),
                            Way::BreakValue => break 'out 7,
                            Way::BreakLoop => break,
                            Way::Continue => continue 'each,
                            Way::Panic => panic!("on the way"),
                            _ => note("turn"),
                        }
                    }
                }
                3
            };
            #[cfg_attr($on(), track_energy(phase = "statement"))]
            note(borrowed.0);
            #[cfg_attr($on(), track_energy(phase = "block"))]
            {
                let _block = Loud("block");
                sum += two;
            }
            #[cfg_attr($on(), track_energy(phase = "loop"))]
            let turns = loop {
                let _turn = Loud("turn");
                break found + 1;
            };
            #[cfg_attr($on(), track_energy(phase = "choice"))]
            let chosen = if turns > 4 { first.0.len() } else { second.0.len() };
            #[cfg_attr($on(), track_energy(phase = "tail"))]
            match (Loud("scrutinee"), chosen) {
                (_, 5) => Ok(sum),
                (_, _) => Ok(turns),
            }
        }, {
            let _local = Loud("local");
            #[cfg_attr($on(), track_energy(phase = "temporary"))]
            let borrowed = &Loud("temporary");
            #[cfg_attr($on(), track_energy(phase = "question"))]
            let mut sum = { yields().await; way.question()? };
            #[cfg_attr($on(), track_energy(phase = "labelled"))]
            let found = 'out: {
                #[cfg_attr($on(), track_energy(epoch))]
                'each: for _ in 0..2 {
                    let _item = Loud("item");
                    #[cfg_attr($on(), track_energy(step, items = sum))]
                    while sum < 10 {
                        let _inner = Loud("inner");
                        yields().await;
                        sum += 5;
                        match way {
                            Way::Return => return Ok(sum),
                            Way::BreakValue => break 'out 7,
                            Way::BreakLoop => break,
                            Way::Continue => continue 'each,
                            Way::Panic => panic!("on the way"),
                            _ => note("turn"),
                        }
                    }
                }
                3
            };
            #[cfg_attr($on(), track_energy(phase = "block"))]
            {
                let _block = Loud("block");
                yields().await;
                sum += found;
            }
            let task = async {
                let _task = Loud("task");
                #[cfg_attr($on(), track_energy(phase = "task"))]
                yields().await;
                first.0.len() + second.0.len()
            };
            #[cfg_attr($on(), track_energy(phase = "tail"))]
            match (Loud("scrutinee"), task.await) {
                (_, 11) => { note(borrowed.0); Ok(sum) }
                (_, _) => Ok(0),
            }
        });
    };
    (@functions $module:ident, $on:ident, $way:ident, $first:ident, $second:ident, $body:tt, $later:tt) => {
        mod $module {
            use super::*;

            #[cfg_attr($on(), track_energy(crate = recording))]
            pub fn function($way: Way, $first: Loud, $second: Loud) -> Came $body

            #[cfg_attr($on(), track_energy(run, name = $first.0, items = 2, report, crate = recording))]
            pub fn with_options($way: Way, $first: Loud, $second: Loud) -> Came $body

            #[cfg_attr($on(), track_energy(meter = &recording::Meter("m"), crate = recording))]
            pub fn with_a_meter($way: Way, $first: Loud, $second: Loud) -> Came $body

            #[cfg_attr($on(), track_energy(step, crate = recording))]
            pub fn patterns(
                $way: Way,
                ($first, _): (Loud, Loud),
                [_, $second]: [Loud; 2],
            ) -> Came $body

            #[cfg_attr($on(), track_energy(crate = recording))]
            pub fn opaque<const N: usize, T: Into<Way>>(
                way: T,
                $first: impl Into<Loud>,
                $second: Loud,
            ) -> impl FnOnce() -> Came {
                assert_eq!(N, 3);
                let ($way, $first) = (way.into(), $first.into());
                #[cfg_attr($on(), track_energy(name = "made"))]
                let closure = move || $body;
                closure
            }

            #[allow(improper_ctypes_definitions, reason = "called from here only")]
            #[cfg_attr($on(), track_energy(crate = recording))]
            pub extern "C-unwind" fn foreign(
                $way: Way,
                $first: &mut Option<Loud>,
                $second: &mut Option<Loud>,
            ) -> usize {
                let ($first, $second) = ($first.take().unwrap(), $second.take().unwrap());
                let call = move || -> Came $body;
                call().map_or(0, |value| value as usize)
            }

            #[cfg_attr($on(), track_energy(crate = recording))]
            pub fn nested($way: Way, $first: Loud, $second: Loud) -> Came {
                fn inside($way: Way, $first: Loud, $second: Loud) -> Came $body
                inside($way, $first, $second)
            }

            pub trait Model {
                fn own(self, $way: Way, $first: Loud, $second: Loud) -> Came;

                #[cfg_attr($on(), track_energy(epoch, crate = recording))]
                fn defaulted(self, $way: Way, $first: Loud, $second: Loud) -> Came
                where
                    Self: Sized,
                $body

                fn later(self, $way: Way, $first: Loud, $second: Loud)
                -> impl Future<Output = Came>;
            }

            impl Model for Loud {
                #[cfg_attr($on(), track_energy(name = self.0, crate = recording))]
                fn own(self, $way: Way, $first: Loud, $second: Loud) -> Came $body

                #[cfg_attr($on(), track_energy(items = self.0.len(), crate = recording))]
                async fn later(self, $way: Way, $first: Loud, $second: Loud) -> Came $later
            }

            #[cfg_attr($on(), track_energy(crate = recording))]
            pub async fn asynchronous($way: Way, $first: Loud, $second: Loud) -> Came $later

            #[cfg_attr($on(), track_energy(crate = recording))]
            pub async fn two_patterns(
                $way: Way,
                ($first, $second): (Loud, Loud),
            ) -> Came $later

            #[cfg_attr($on(), track_energy(epoch, index = 3, name = $first.0, items = 5, crate = recording))]
            pub async fn asynchronous_with_options($way: Way, $first: Loud, $second: Loud) -> Came $later

            #[cfg_attr($on(), track_energy(crate = recording))]
            pub fn returned($way: Way, $first: Loud, $second: Loud) -> impl Future<Output = Came> {
                let _making = Loud("making");
                async move $later
            }

            #[cfg_attr($on(), track_energy(
                name = format!("returned-{}", $first.0), items = 7, crate = recording
            ))]
            pub fn returned_with_options(
                $way: Way, $first: Loud, $second: Loud,
            ) -> impl Future<Output = Came> {
                async move $later
            }

            #[cfg_attr($on(), track_energy(step, crate = recording))]
            pub fn boxed(
                $way: Way, $first: Loud, $second: Loud,
            ) -> Pin<Box<dyn Future<Output = Came>>> {
                if $way == Way::Else {
                    return Box::pin(async { Ok(5) });
                }
                Box::pin(async move $later)
            }
        }
    };
}

impl From<&'static str> for Loud {
    fn from(text: &'static str) -> Self {
        Self(text)
    }
}

forms!(plain, any);
forms!(annotated, all);

/// What came of a call: its value and its type, or its panic; then all that was noted.
fn call<T: std::fmt::Debug>(function: impl FnOnce() -> T) -> (String, String) {
    let came = match catch_unwind(AssertUnwindSafe(function)) {
        Ok(value) => format!("{value:?}: {}", type_name_of_val(&value)),
        Err(panic) => format!("panic: {:?}", panic.downcast_ref::<&str>()),
    };
    (came, written())
}

/// What was noted, without the spans; and the spans.
fn apart(log: &str) -> (String, String) {
    let words = log.replace('{', " { ").replace('}', " } ");
    let kinds = ["run:", "epoch:", "step:", "phase:", "function:"];
    let is_span = |word: &str| kinds.iter().any(|kind| word.contains(kind));
    let mut noted = Vec::new();
    let mut spans = Vec::new();
    let mut words = words.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let of_the_span = word.parse::<u32>().is_ok() && words.peek() == Some(&"items");
        if of_the_span {
            words.next();
        } else if is_span(word) {
            spans.push(word);
        } else if !matches!(word, "{" | "}" | "reported") && !word.starts_with('#') {
            noted.push(word);
        }
    }
    (noted.join(" "), spans.join(" "))
}

/// Holds the annotated form to the plain one on every way out; gives the spans of the way through.
#[track_caller]
fn same<P: std::fmt::Debug, A: std::fmt::Debug>(
    plain: impl Fn(Way) -> P,
    annotated: impl Fn(Way) -> A,
) -> String {
    let mut through = String::new();
    for way in WAYS {
        let (value, noted) = call(|| plain(way));
        let (measured, log) = call(|| annotated(way));
        assert_eq!(measured, value, "{way:?}: {log}");
        let (noted_too, spans) = apart(&log);
        assert_eq!(noted_too, noted, "{way:?}: {log}");
        assert!(!spans.is_empty(), "{way:?}");
        if way == Way::Through {
            through = spans;
        }
    }
    through
}

/// A function of a [`Way`] and two [`Loud`]s.
macro_rules! check_function {
    ($name:ident($($argument:expr),*) $($call:tt)*) => {
        same(
            |way| plain::$name(way, $($argument),*) $($call)*,
            |way| annotated::$name(way, $($argument),*) $($call)*,
        )
    };
}

const BODY: &str = "phase:temporary phase:question phase:else phase:labelled epoch:epoch step:step \
                    step:step step:step epoch:epoch phase:statement phase:block phase:loop \
                    phase:choice phase:tail";

#[test]
fn functions_are_the_same_with_and_without() {
    let first = || Loud("first");
    let second = || Loud("second");
    let spans = check_function!(function(first(), second()));
    assert_eq!(spans, format!("function:function {BODY}"));
    let spans = check_function!(with_options(first(), second()));
    assert_eq!(spans, format!("run:first {BODY}"));
    let spans = check_function!(with_a_meter(first(), second()));
    let under = format!("function:with_a_meter {BODY}").replace(' ', " m/");
    assert_eq!(spans, format!("m/{under}"));
    let spans = check_function!(patterns((first(), Loud("rest")), [Loud("head"), second()]));
    assert_eq!(spans, format!("step:step {BODY}"));
    let spans = check_function!(nested(first(), second()));
    assert_eq!(spans, format!("function:nested {BODY}"));
}

#[test]
fn generic_and_foreign_functions_are_the_same() {
    let spans = same(
        |way| plain::opaque::<3, _>(way, "first", Loud("second"))(),
        |way| annotated::opaque::<3, _>(way, "first", Loud("second"))(),
    );
    assert_eq!(spans, format!("function:opaque phase:made {BODY}"));
    let both = || (Some(Loud("first")), Some(Loud("second")));
    let spans = same(
        |way| {
            let (mut first, mut second) = both();
            plain::foreign(way, &mut first, &mut second)
        },
        |way| {
            let (mut first, mut second) = both();
            annotated::foreign(way, &mut first, &mut second)
        },
    );
    assert_eq!(spans, format!("function:foreign {BODY}"));
}

#[test]
fn methods_are_the_same() {
    let (first, second) = (|| Loud("first"), || Loud("second"));
    let spans = same(
        |way| plain::Model::own(Loud("self"), way, first(), second()),
        |way| annotated::Model::own(Loud("self"), way, first(), second()),
    );
    assert_eq!(spans, format!("function:self {BODY}"));
    let spans = same(
        |way| plain::Model::defaulted(Loud("self"), way, first(), second()),
        |way| annotated::Model::defaulted(Loud("self"), way, first(), second()),
    );
    assert_eq!(spans, format!("epoch:epoch {BODY}"));
}

/// Polls a future at most so often, and drops it.
fn poll<F: Future>(future: F, most: u32) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..most {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}

/// Polls that more than complete every future here.
const MANY: u32 = 20;

/// As [`same`], also of futures that are dropped after each number of polls.
#[track_caller]
fn same_futures<P: Future<Output: std::fmt::Debug>, A: Future<Output: std::fmt::Debug>>(
    plain: impl Fn(Way) -> P,
    annotated: impl Fn(Way) -> A,
) -> String {
    for way in WAYS {
        for most in 0..MANY {
            let (value, noted) = call(|| poll(plain(way), most));
            let (measured, log) = call(|| poll(annotated(way), most));
            assert_eq!(measured, value, "{way:?}, {most} polls: {log}");
            assert_eq!(apart(&log).0, noted, "{way:?}, {most} polls: {log}");
        }
    }
    same(|way| poll(plain(way), MANY), |way| poll(annotated(way), MANY))
}

macro_rules! check_future {
    ($name:ident($($argument:expr),*)) => {
        same_futures(
            |way| plain::$name(way, $($argument),*),
            |way| annotated::$name(way, $($argument),*),
        )
    };
}

const LATER: &str = "phase:temporary phase:question phase:labelled epoch:epoch step:step step:step \
                     epoch:epoch phase:block phase:tail phase:task";

#[test]
fn futures_are_the_same_however_often_they_are_polled() {
    let (first, second) = (|| Loud("first"), || Loud("second"));
    let spans = check_future!(asynchronous(first(), second()));
    assert_eq!(spans, format!("function:asynchronous {LATER}"));
    let spans = check_future!(two_patterns((first(), second())));
    assert_eq!(spans, format!("function:two_patterns {LATER}"));
    let spans = check_future!(asynchronous_with_options(first(), second()));
    assert_eq!(spans, format!("epoch:first {LATER}"));
    let spans = check_future!(returned(first(), second()));
    assert_eq!(spans, format!("function:returned {LATER}"));
    let spans = check_future!(returned_with_options(first(), second()));
    assert_eq!(spans, format!("function:returned-first {LATER}"));
    let spans = check_future!(boxed(first(), second()));
    assert_eq!(spans, format!("step:step {LATER}"));
    let spans = same_futures(
        |way| plain::Model::later(Loud("self"), way, first(), second()),
        |way| annotated::Model::later(Loud("self"), way, first(), second()),
    );
    assert_eq!(spans, format!("function:later {LATER}"));
}
