//! A future's span lasts from its first poll to its completion or drop.

use std::future::{Future, poll_fn};
use std::num::ParseIntError;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use ergometer::track_energy;

use super::recording::{self, note, written};

/// Polls a future to its end, and tells in how many polls.
pub(super) fn finish<F: Future>(future: F) -> (F::Output, u32) {
    let mut future = pin!(future);
    let mut polls = 0;
    loop {
        polls += 1;
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return (output, polls);
        }
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Is pending once.
pub(super) async fn yields() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

#[track_energy(crate = recording)]
async fn parsed(text: &str) -> Result<u32, ParseIntError> {
    note("begin");
    yields().await;
    if text == "one" {
        return Ok(1);
    }
    let number = text.parse()?;
    note("end");
    Ok(number)
}

#[test]
fn an_async_function_is_measured_when_it_runs() {
    let future = parsed("3");
    assert_eq!(written(), "", "making the future costs nothing yet");
    assert_eq!(finish(future), (Ok(3), 2));
    assert_eq!(written(), "function:parsed{begin end}");
    assert_eq!(finish(parsed("one")).0, Ok(1));
    assert_eq!(written(), "function:parsed{begin}");
    assert!(finish(parsed("x")).0.is_err());
    assert_eq!(written(), "function:parsed{begin}");
}

#[test]
fn dropping_an_unfinished_future_closes_its_span() {
    let mut future = Box::pin(parsed("3"));
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
    assert_eq!(written(), "function:parsed{begin}");
    drop(parsed("3"));
    assert_eq!(written(), "");
}

#[track_energy(run, crate = recording)]
async fn train(batches: &[Option<u32>]) -> Option<u32> {
    let mut total = 0;
    #[track_energy(step)]
    for batch in batches {
        #[track_energy(phase = "fetch")]
        let batch = {
            yields().await;
            (*batch)?
        };
        #[track_energy(phase = "compute", items = batch)]
        {
            yields().await;
            total += batch;
        }
    }
    #[track_energy(phase = "publish")]
    std::future::ready(Some(total)).await
}

#[test]
fn statements_of_an_async_function_are_spans() {
    assert_eq!(finish(train(&[Some(1), Some(2)])), (Some(3), 5));
    assert_eq!(
        written(),
        "run:train{step:step{phase:fetch{} phase:compute{1 items}} \
         step:step{phase:fetch{} phase:compute{2 items}} phase:publish{}}"
    );
    assert_eq!(finish(train(&[None, Some(2)])).0, None);
    assert_eq!(written(), "run:train{step:step{phase:fetch{}}}");
}

#[track_energy(crate = recording)]
fn returned(number: u32) -> impl Future<Output = u32> {
    note("made");
    async move {
        yields().await;
        note("run");
        number
    }
}

#[track_energy(phase = "early", crate = recording)]
fn returned_early(number: u32) -> impl Future<Output = u32> {
    if number == 0 {
        return std::future::ready(100);
    }
    std::future::ready(number)
}

#[track_energy(crate = recording)]
fn boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    note("made");
    match text {
        "" => return Box::pin(async { 0 }),
        "again" => drop(boxed("")),
        _ => {}
    }
    Box::pin(async move {
        #[track_energy(phase = "inside")]
        yields().await;
        text.len()
    })
}

#[track_energy(name = "other", crate = recording)]
fn forwarded(text: &str) -> Pin<Box<dyn Future<Output = usize> + Send + '_>> {
    boxed(text)
}

#[test]
fn a_returned_future_is_measured_not_its_making() {
    let future = returned(3);
    assert_eq!(written(), "made");
    assert_eq!(finish(future), (3, 2));
    assert_eq!(written(), "function:returned{run}");

    assert_eq!(finish(returned_early(0)).0 + finish(returned_early(1)).0, 101);
    assert_eq!(written(), "phase:early{} phase:early{}");

    let future = boxed("again");
    assert_eq!(written(), "made made");
    assert_eq!(finish(future).0, 5);
    assert_eq!(written(), "function:boxed{phase:inside{}}");
    assert_eq!(finish(boxed("")).0, 0);
    assert_eq!(written(), "made function:boxed{}");

    assert_eq!(finish(forwarded("abc")).0, 3);
    assert_eq!(written(), "made function:other{function:boxed{phase:inside{}}}");
}

trait Model {
    fn evaluate(&mut self) -> impl Future<Output = u32> + Send;

    #[track_energy(crate = recording)]
    async fn defaulted(&self) -> u32
    where
        Self: Sync,
    {
        4
    }
}

impl Model for u32 {
    #[track_energy(crate = recording)]
    async fn evaluate(&mut self) -> u32 {
        *self += 1;
        *self
    }
}

#[test]
fn native_async_trait_methods() {
    let mut model = 1_u32;
    assert_eq!(finish(model.evaluate()).0 + finish(model.defaulted()).0, 6);
    assert_eq!(written(), "function:evaluate{} function:defaulted{}");
}

#[track_energy(crate = recording)]
fn blocks() -> u32 {
    let task = #[track_energy(phase = "task")]
    async {
        yields().await;
        2
    };
    note("made");
    finish(task).0
}

#[test]
fn an_async_block_is_measured_when_it_runs() {
    assert_eq!(blocks(), 2);
    assert_eq!(written(), "function:blocks{made phase:task{}}");
}

/// Tells when it is dropped, and can be taken apart.
struct Loud(&'static str);

impl Drop for Loud {
    fn drop(&mut self) {
        note(self.0);
    }
}

struct Pair {
    left: Loud,
    right: Loud,
}

async fn plain_arguments(
    a: Loud,
    _: Loud,
    _unused: Loud,
    Pair { left, right: _ }: Pair,
    mut last: Loud,
) -> u32 {
    yields().await;
    note("body");
    last.0 = if last.0 == a.0 { left.0 } else { "changed" };
    1
}

#[track_energy(crate = recording)]
async fn annotated_arguments(
    a: Loud,
    _: Loud,
    _unused: Loud,
    Pair { left, right: _ }: Pair,
    mut last: Loud,
) -> u32 {
    yields().await;
    note("body");
    last.0 = if last.0 == a.0 { left.0 } else { "changed" };
    1
}

struct Owner(Loud);

impl Owner {
    #[track_energy(crate = recording)]
    async fn consumed(self, other: Loud) {
        yields().await;
        note("body");
        drop(other);
    }
}

#[expect(clippy::many_single_char_names, reason = "twice the same five arguments")]
#[test]
fn arguments_live_as_long_as_the_future_and_are_dropped_in_the_same_order() {
    let arguments = || {
        let pair = Pair { left: Loud("left"), right: Loud("right") };
        (Loud("a"), Loud("wild"), Loud("unused"), pair, Loud("last"))
    };
    let (a, b, c, d, e) = arguments();
    assert_eq!(finish(plain_arguments(a, b, c, d, e)).0, 1);
    let plain = written();
    let (a, b, c, d, e) = arguments();
    assert_eq!(finish(annotated_arguments(a, b, c, d, e)).0, 1);
    let annotated = written();
    assert_eq!(
        annotated,
        format!("function:annotated_arguments{{{}}}{}", "body", &plain["body".len()..])
    );
    // Of a future that is never polled, too.
    let (a, b, c, d, e) = arguments();
    drop(plain_arguments(a, b, c, d, e));
    let plain = written();
    let (a, b, c, d, e) = arguments();
    drop(annotated_arguments(a, b, c, d, e));
    assert_eq!(written(), plain);

    assert!(Pair { left: Loud(""), right: Loud("") }.right.0.is_empty());
    drop(written());
    let owner = Owner(Loud("self"));
    assert_eq!(owner.0.0, "self");
    finish(owner.consumed(Loud("other")));
    assert_eq!(written(), "function:consumed{body other} self");
}

/// `async` is there for attributes that stand below and look for it.
mod below {
    use super::{note, recording, yields};

    #[ergometer::track_energy(crate = recording)]
    #[allow(clippy::unused_async, reason = "not seen")]
    pub async fn inert() {
        yields().await;
        note("inert");
    }

    #[ergometer::track_energy(crate = recording)]
    #[tracing::instrument]
    pub async fn instrumented() {
        yields().await;
        note("instrumented");
    }
}

#[test]
fn other_attributes_below_find_an_async_function() {
    finish(below::inert());
    finish(below::instrumented());
    assert_eq!(written(), "function:inert{inert} function:instrumented{instrumented}");
}
