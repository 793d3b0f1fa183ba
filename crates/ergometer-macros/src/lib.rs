//! The `#[track_energy]` attribute of [`ergometer`], which re-exports it.
//!
//! Users depend on `ergometer` alone: its feature `macros`, on by default, turns on `expand` here.
//! Without that the attribute takes itself away, inside the function too, and the rest stays as written.
//!
//! [`ergometer`]: https://docs.rs/ergometer
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

#[cfg(feature = "expand")]
mod args;
#[cfg(feature = "expand")]
mod arguments;
#[cfg(feature = "expand")]
mod attribute;
#[cfg(feature = "expand")]
mod body;
#[cfg(feature = "expand")]
mod expand;
#[cfg(feature = "expand")]
mod future;
#[cfg(feature = "expand")]
mod item;
#[cfg(feature = "expand")]
mod misuse;
#[cfg(feature = "expand")]
mod opening;
#[cfg(feature = "expand")]
mod outline;
mod strip;
#[cfg(feature = "expand")]
mod suspend;
#[cfg(feature = "expand")]
mod value;

/// Measures what a function, or a part of one, costs.
///
/// On a function, every call becomes a span of the installed meter. Inside such a function the
/// same attribute stands on loops, `let`, blocks and other statements, and each becomes a span
/// within. Without an installed meter a span costs one atomic load.
///
/// ```
/// use ergometer::track_energy;
///
/// #[track_energy(run)]
/// fn train(epochs: usize, batches: &[Vec<u32>]) -> Result<u64, std::num::TryFromIntError> {
///     let mut total = 0;
///     #[track_energy(epoch)]
///     for _ in 0..epochs {
///         #[track_energy(step, items = batch.len(), unit = "tokens")]
///         for batch in batches {
///             #[track_energy(phase = "forward")]
///             let loss: u32 = batch.iter().sum();
///             #[track_energy(phase = "optimizer")]
///             {
///                 total += u64::from(loss);
///                 u8::try_from(loss)?; // an error closes every span that it leaves
///             }
///         }
///     }
///     Ok(total)
/// }
///
/// assert_eq!(train(2, &[vec![1, 2], vec![3]]), Ok(12));
/// assert!(train(2, &[vec![1000]]).is_err());
/// ```
///
/// The values, types and control flow of a function are those that it has without the attribute.
/// `?`, `return`, `break 'label`, `continue` and panics close the spans that they leave.
///
/// # Options
///
/// | option | on a function | on a loop | on `let`, a block or another statement |
/// |---|---|---|---|
/// | *(none)* | a `function` span | an error | an error |
/// | `run` | the call is the run | the whole loop is the run | the statement is the run |
/// | `epoch` | the call is an epoch | **each iteration** is an epoch | the statement is an epoch |
/// | `step` | the call is a step | **each iteration** is a step | the statement is a step |
/// | `phase = ".."` | the call is a phase | the whole loop is a phase | the statement is a phase |
/// | `name = ".."` | names the span | names it; alone, a phase | names it; alone, a phase |
///
/// With each of them:
///
/// | option | |
/// |---|---|
/// | `items = expr` | how many items (tokens, sentences) the span processes: any integer or float |
/// | `unit = ".."` | what the items are; needs `items` |
/// | `index = expr` | the epoch's number in the record, for `epoch`; without it epochs are counted from 1 |
/// | `every = n` | records each n-th step of a loop alone and the others together, for `step` |
/// | `sync = expr` | waits for a device before the span opens and before it closes: a closure or an `ergometer::Synchronize` |
/// | `meter = expr` | the `&Meter` to measure with; without it the installed one |
/// | `budget = ".."` | what the metered domains may draw from when the span opens, such as `"2 kWh"`; not for steps |
/// | `report` | prints the span's energy to the standard error output once it is known |
/// | `crate = path` | where `ergometer` is, if not at `::ergometer`: a renamed dependency, a re-export |
///
/// `ergometer::items` counts items that are known only inside the span.
///
/// A span that is not named is called by its kind (`run`, `epoch`, `step`); a function that is
/// neither an epoch nor a step is called by its own name. The name of an epoch is its split, such
/// as `epoch, name = "train"` and `epoch, name = "valid"`.
///
/// The expressions see what stands before the span's code: on a function its arguments, on a loop with
/// a span for each iteration the variables of that iteration. They are evaluated once for each span,
/// `items`, `index` and `budget` just after it opened, the others just before; without a meter not at all. `every` is
/// evaluated once, before the loop.
/// What `sync`, `meter` and `name` are given is borrowed, not moved.
///
/// * A **name** is a string literal, a constant, a macro such as `concat!`, or any other expression
///   that is `AsRef<str>`: `name = self.name`, `phase = format!("layer {index}")`. Each different text
///   becomes a row of its own in the record and stays in memory as long as the program, so there should
///   be few. Constants are told by their upper case. `unit` takes literals, constants and macros.
/// * **`items`** of a future's span are those that it has when it begins.
/// * A number that **`index`** gives to a second epoch of the same name is not taken twice: that epoch
///   gets the one after the largest, and the record says so. Negative numbers count as none.
/// * With **`every = n`**, for short steps, the first of each n is a span of its own and the rest share one,
///   which ends with the last of them, or when the loop is left. The record has the number, items and
///   energy of all steps; extremes and quantiles are of those recorded alone, and `folded` says how many were not.
///   What passes between two steps that share a span counts as theirs, and spans opened in them are its
///   children. `sync` waits at each step all the same. Any integer is taken; what is below 1 counts as 1.
/// * **`sync`** is for devices that are asked and answer later, such as GPUs: without it their work of a
///   step is found in the time in which they do it, which may be that of the next one. A reference is
///   written with a star, `sync = *device`. While a panic unwinds nothing is waited for. It is borrowed until
///   the span ends. Where the code inside takes `&mut self`, give it a clone:
///   `sync = { let device = self.device.clone(); move || device.wait() }`.
/// * The **`meter`** of a function is also that of the statements inside it, except in functions that
///   are declared inside, which have their own. A closure that outlives the function then has to be
///   `move`.
/// * A **`budget`** is a text like `"2 kWh"`, `"3.6 MJ"`, `"500 gCO2e"` or `"3 USD"`, or any expression that is an
///   `ergometer::Budget` or a string; it is borrowed. When it is spent while the span is open, a line on the
///   standard error output says so at that moment, and a warning in the record; nothing is stopped (to stop there
///   is `Meter::budget`). A literal that is no budget is an error; what an expression gives that is none, or cannot
///   be kept, is a warning in the record.
/// * **`report`** prints a line like `ergometer: run 'train': 12.304 s, 1.23 kJ ± 62.0 J, 100 W`, with
///   twice the standard uncertainty, up to about a second after the span has ended, or when the
///   meter is finished.
/// * Attributes inside a function take over **`crate`**.
///
/// ```
/// use ergometer::{Meter, track_energy};
///
/// #[track_energy(run, meter = meter, report)]
/// fn resume(meter: &Meter, first: usize, names: &[String]) -> usize {
///     let mut asked = std::cell::Cell::new(0);
///     #[track_energy(epoch, name = "train", index = epoch, sync = || asked.set(0))]
///     for epoch in first..first + 2 {
///         #[track_energy(step, name = name)]
///         for name in names {
///             asked.set(asked.get() + name.len());
///         }
///     }
///     asked.take()
/// }
///
/// # use ergometer::{source::DomainKind, units::Watts};
/// let meter = Meter::builder()
///     // …
/// #   .without_probe().fixed(DomainKind::Node, Watts::new(50.0))
///     .start()?;
/// assert_eq!(resume(&meter, 7, &["encoder".to_owned(), "decoder".to_owned()]), 0);
/// let record = meter.finish()?;
/// assert_eq!(record.epochs[1].index, 8);
/// # Ok::<(), ergometer::Error>(())
/// ```
///
/// # Functions
///
/// Free functions and methods, in traits too, with generics, `impl Trait`, `unsafe`, `extern` and
/// recursion. Not `const fn`, which cannot read a clock.
///
/// * The span of an **`async fn`** lasts from its first poll to its completion, or to its drop.
///   Time spent waiting in between is inside, as are the spans opened while it is polled.
/// * A function that returns **`impl Future`**, `Pin<Box<dyn Future>>` or `BoxFuture` measures that
///   future in the same way, and not the making of it. This is also what `async-trait` makes of its
///   methods. Other types that happen to be futures are not seen: there the call is measured.
/// * The options of an `async fn` are evaluated when it first runs; those of a function that returns a
///   future when it is called. The latter cannot wait with `sync`.
/// * Arguments are dropped where they would be without the attribute. Of an `async fn` only those that
///   its body does not mention are dropped after the others, as the future around it holds them.
///
/// ```
/// use ergometer::track_energy;
/// use std::future::Future;
///
/// #[track_energy(phase = "fetch")]
/// async fn fetch(shard: u32) -> Result<String, std::fmt::Error> {
///     Ok(format!("shard {shard}"))
/// }
///
/// #[track_energy]
/// fn evaluate(shards: u32) -> impl Future<Output = Result<usize, std::fmt::Error>> {
///     async move {
///         let mut total = 0;
///         #[track_energy(step)]
///         for shard in 0..shards {
///             #[track_energy(phase = "wait")]
///             let text = fetch(shard).await?;
///             total += text.len();
///         }
///         Ok(total)
///     }
/// }
/// # let future = std::pin::pin!(evaluate(2));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert_eq!(future.poll(&mut context), std::task::Poll::Ready(Ok(14)));
/// ```
///
/// # Statements
///
/// On `for`, `while`, `while let` and `loop`, `epoch` and `step` make each iteration a span. It
/// begins with the loop's body: fetching the next item from the iterator, and the condition of a
/// `while`, lie between two steps. `run`, `phase` and `name` make the whole loop one span; one of those and
/// one of these may be written, one above the other. `epoch` and `step` on one loop are an error, as is
/// either on a call of `for_each`, which would be one step: there they go on a block in the closure.
///
/// ```
/// use ergometer::track_energy;
///
/// #[track_energy]
/// fn tune(limit: u32) -> Option<u32> {
///     #[track_energy(phase = "search")]
///     #[track_energy(step)]
///     for candidate in 1_u32.. {
///         #[track_energy(phase = "score")]
///         let Some(score) = candidate.checked_mul(candidate) else { return None };
///         if score > limit {
///             return Some(candidate);
///         }
///     }
///     None
/// }
///
/// assert_eq!(tune(50), Some(8));
/// ```
///
/// On a `let` the span ends with the statement; what it binds, temporaries included, lives on as it
/// would without. On an `if` without `else` the span lies in the branches: a condition that does not hold is
/// none. As the last statement of a block, a span ends with the block. The attribute also
/// works in closures, `async` blocks and functions within the annotated function, and inside
/// `cfg_attr`. In the middle of an expression it goes on loops, blocks, `match`, `if` and `async`
/// blocks; an `async` block is measured when it runs, wherever it stands.
///
/// Without the feature `macros` of `ergometer` the attribute and those inside are taken away, unread, and
/// what is left compiles as if they had never been there.
///
/// The outer attribute rewrites those inside, so it has to see them by their name: as
/// `track_energy`, with or without a path before it. Inside the arguments of a macro, such as `println!` or
/// `tokio::select!`, they are an error: put them on the whole statement, or on a block outside. In a function that is not annotated itself, rustc reports
/// `custom attributes cannot be applied to expressions` or `.. to statements`:
///
/// ```compile_fail,E0658
/// # use ergometer::track_energy;
/// fn unannotated() {
///     #[track_energy(step)]
///     for _ in 0..3 {}
/// }
/// ```
#[proc_macro_attribute]
pub fn track_energy(args: TokenStream, item: TokenStream) -> TokenStream {
    #[cfg(feature = "expand")]
    let item = expand::expand(args.into(), item.into());
    #[cfg(not(feature = "expand"))]
    let (_, item) = (args, strip::strip(item.into()));
    item.into()
}
