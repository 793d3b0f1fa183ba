//! Names, numbers, devices and meters that are worked out when a span opens.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ergometer::track_energy;

use super::recording::{self, Meter, note, unmetered, written};

fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

struct Model {
    name: String,
    layers: Vec<&'static str>,
}

impl Model {
    #[track_energy(name = self.name, items = self.layers.len(), unit = "layers", crate = recording)]
    fn forward(&mut self, suffix: &str) -> usize {
        #[track_energy(step, name = format!("{layer}{suffix}"))]
        for layer in &self.layers {
            #[track_energy(phase = layer.to_uppercase())]
            let upper = layer.to_uppercase();
            note(&upper.len().to_string());
        }
        let kind: Cow<'_, str> = Cow::Borrowed("tail");
        self.layers.push("more");
        #[track_energy(phase = if suffix.is_empty() { "no suffix" } else { suffix })]
        note("x");
        #[track_energy(phase = kind)]
        self.layers.len()
    }
}

#[test]
fn names_are_any_text_and_borrowed() {
    let mut model = Model { name: "encoder".to_owned(), layers: vec!["a", "bc"] };
    assert_eq!(model.forward("-1"), 3);
    assert_eq!(
        written(),
        "function:encoder{2 layers step:a-1{phase:A{} 1} step:bc-1{phase:BC{} 2} phase:-1{x} \
         phase:tail{}}"
    );
    assert_eq!(model.name, "encoder");
}

/// A device whose queue is waited for.
fn wait() {
    note("wait");
}

#[track_energy(run, sync = wait, crate = recording)]
fn synchronised(stop: u32) -> Option<u32> {
    #[track_energy(epoch, sync = || note("drain"), index = 10 + number)]
    for number in 0..2_u32 {
        if number == stop {
            return None;
        }
        note("work");
    }
    let device = wait;
    #[track_energy(phase = "let", sync = device)]
    let value = &[stop];
    #[track_energy(phase = "tail", sync = device)]
    value.first().copied()
}

#[test]
fn a_device_is_waited_for_before_both_edges_on_every_way_out() {
    assert_eq!(synchronised(7), Some(7));
    assert_eq!(
        written(),
        "wait run:synchronised{drain epoch:epoch{#10 work drain} drain epoch:epoch{#11 work drain} \
         wait phase:let{wait} wait phase:tail{wait} wait}"
    );
    assert_eq!(synchronised(1), None);
    assert_eq!(
        written(),
        "wait run:synchronised{drain epoch:epoch{#10 work drain} drain epoch:epoch{#11 drain} wait}"
    );
}

#[track_energy(meter = meter, crate = recording)]
fn under(meter: &Meter, other: &Meter) -> u32 {
    fn inside() -> u32 {
        #[track_energy(phase = "nested function")]
        let one = 1;
        one
    }
    #[track_energy(step)]
    for _ in 0..1 {
        let closure = || {
            #[track_energy(phase = "closure")]
            note("x");
        };
        closure();
    }
    #[track_energy(phase = "other", meter = other)]
    let two = inside() + 1;
    two
}

#[test]
fn the_meter_of_a_function_is_that_of_its_statements() {
    assert_eq!(under(&Meter("a"), &Meter("b")), 2);
    assert_eq!(
        written(),
        "a/function:under{a/step:step{a/phase:closure{x}} b/phase:other{phase:nested function{}}}"
    );
    // It does not matter whether one is installed.
    unmetered(|| assert_eq!(under(&Meter("a"), &Meter("b")), 2));
    assert_eq!(written(), "a/function:under{a/step:step{a/phase:closure{x}} b/phase:other{}}");
}

fn never() -> u32 {
    unreachable!("there is no meter")
}

#[track_energy(
    epoch, name = never().to_string(), items = never(), index = never(), sync = || assert_eq!(never(), 0),
    report, crate = recording
)]
fn unmeasured(number: u32) -> u32 {
    #[track_energy(step, name = never().to_string(), items = never(), sync = || assert_eq!(never(), 0))]
    for _ in 0..number {
        note("step");
    }
    #[track_energy(phase = never().to_string())]
    let next = number + 1;
    next
}

#[allow(clippy::unused_async, reason = "its options are looked at")]
#[track_energy(name = never().to_string(), items = never(), crate = recording)]
async fn unmeasured_later(number: u32) -> u32 {
    number
}

#[track_energy(name = never().to_string(), items = never(), report, crate = recording)]
fn unmeasured_future(number: u32) -> impl Future<Output = u32> {
    async move { number }
}

#[test]
fn without_a_meter_no_option_is_evaluated() {
    let sum =
        unmetered(|| unmeasured(2) + finish(unmeasured_later(3)) + finish(unmeasured_future(4)));
    assert_eq!(sum, 10);
    assert_eq!(written(), "step step");
}

#[track_energy(epoch, index = number, items = text.len(), unit = "letters", report, crate = recording)]
async fn later(number: u32, text: String) -> String {
    #[track_energy(phase = "wait", sync = wait)]
    std::future::ready(()).await;
    text
}

#[track_energy(
    epoch, name = text, index = number, items = text.len(), unit = "letters", report,
    meter = &Meter("m"), crate = recording
)]
fn returned(number: u32, text: String) -> impl Future<Output = String> {
    if number == 0 {
        note("early");
        return std::future::ready(String::new());
    }
    note("made");
    std::future::ready(text)
}

#[track_energy(crate = recording)]
fn block(count: usize) -> impl FnOnce() -> usize {
    let future = #[track_energy(phase = "block", items = count, sync = wait)]
    async move {
        count + 1
    };
    move || finish(future)
}

#[test]
fn futures_have_options_too() {
    assert_eq!(finish(later(3, "abc".to_owned())), "abc");
    assert_eq!(written(), "epoch:epoch{3 letters #3 reported wait phase:wait{wait}}");
    let future = returned(4, "abcd".to_owned());
    assert_eq!(written(), "made");
    assert_eq!(finish(future), "abcd");
    assert_eq!(written(), "m/epoch:abcd{4 letters #4 reported}");
    assert_eq!(finish(returned(0, "a".to_owned())), "");
    assert_eq!(written(), "early m/epoch:a{1 letters #0 reported}");
    let run = block(2);
    assert_eq!(written(), "function:block{}");
    assert_eq!(run(), 3);
    assert_eq!(written(), "wait phase:block{2 items wait}");
}

#[track_energy(crate = recording)]
fn tail_future(count: u32) -> Box<dyn Future<Output = u32> + Unpin> {
    Box::new(Box::pin(
        #[track_energy(phase = "tail")]
        async move {
            note("run");
            count
        },
    ))
}

#[track_energy(crate = recording)]
fn last() -> impl Sized + Future<Output = u32> {
    note("making");
    #[track_energy(phase = "inside")]
    async {
        note("run");
        1
    }
}

#[test]
fn a_future_is_measured_when_it_runs_wherever_it_stands() {
    let (first, second) = (tail_future(2), last());
    assert_eq!(written(), "function:tail_future{} making");
    assert_eq!(finish(first) + finish(second), 3);
    assert_eq!(written(), "phase:tail{run} function:last{phase:inside{run}}");
}

#[track_energy(crate = recording)]
fn some_alone(of: u32, rows: &[u32], stop: u32) -> Option<u32> {
    let mut total = 0;
    #[track_energy(step, every = of + 1, items = row, unit = "rows")]
    for row in rows {
        if *row == stop {
            continue;
        }
        #[track_energy(phase = "check")]
        let next = stop.checked_sub(*row)?;
        total += next;
    }
    note("after");
    let found = #[track_energy(step, every = 2)]
    loop {
        total += 1;
        if total > 27 {
            break Some(total);
        }
    };
    #[track_energy(step, every = of)]
    while total > 30 {
        total -= 1;
    }
    found
}

#[test]
fn every_so_many_th_step_is_alone_and_the_others_are_one_span() {
    assert_eq!(some_alone(2, &[1, 2, 3, 9, 5], 9), Some(28));
    assert_eq!(
        written(),
        "function:some_alone{every 3 step:step{1 rows phase:check{}} \
         step:step{2 rows phase:check{} 3 rows phase:check{}} step:step{9 rows} \
         step:step{5 rows phase:check{}} after every 2 step:step{} step:step{} step:step{} every 2}"
    );
    assert_eq!(some_alone(2, &[1, 2, 11, 4], 9), None);
    assert_eq!(
        written(),
        "function:some_alone{every 3 step:step{1 rows phase:check{}} \
         step:step{2 rows phase:check{} 11 rows phase:check{}}}"
    );
}

#[track_energy(crate = recording)]
fn inner_loops(rows: &[&[u32]]) -> u32 {
    let mut seen = 0;
    #[track_energy(epoch)]
    'rows: for row in rows {
        #[track_energy(step, every = 4)]
        for number in *row {
            if *number == 0 {
                continue 'rows;
            }
            seen += number;
        }
        note("whole");
    }
    seen
}

#[test]
fn what_is_open_ends_with_the_loop_however_that_is_left() {
    assert_eq!(inner_loops(&[&[1, 2, 3], &[1, 2, 0, 9], &[7]]), 16);
    assert_eq!(
        written(),
        "function:inner_loops{epoch:epoch{every 4 step:step{} step:step{} whole} \
         epoch:epoch{every 4 step:step{} step:step{}} epoch:epoch{every 4 step:step{} whole}}"
    );
}

#[test]
fn without_a_meter_no_interval_is_evaluated() {
    #[track_energy(crate = recording)]
    fn run(count: usize) {
        #[track_energy(step, every = never())]
        for _ in 0..count {
            note("step");
        }
    }
    unmetered(|| run(3));
    assert_eq!(written(), "every 1 step step step");
}

#[track_energy(run, budget = limit, crate = recording)]
fn limited(limit: &str, later: &str) {
    #[track_energy(epoch, index = epoch, budget = "2 kWh")]
    for epoch in 0..2 {
        #[track_energy(phase = "inner", budget = later)]
        note("work");
    }
    note(later);
    #[track_energy(phase = "tail", budget = limit.len())]
    finish(async {});
}

#[track_energy(budget = limit, items = 1, crate = recording)]
fn limited_future(limit: u32) -> impl Future<Output = ()> {
    async {}
}

#[test]
fn budgets_are_of_the_span_and_borrowed() {
    limited("3 J", "5 J");
    assert_eq!(
        written(),
        "run:limited{<3 J> epoch:epoch{#0 <2 kWh> phase:inner{<5 J> work}} \
         epoch:epoch{#1 <2 kWh> phase:inner{<5 J> work}} 5 J phase:tail{<3>}}"
    );
    finish(limited_future(7));
    assert_eq!(written(), "function:limited_future{1 items <7>}");
}
