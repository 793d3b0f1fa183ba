//! The `#[track_energy]` attribute of [`ergometer`], which re-exports it.
//!
//! Users depend only on `ergometer`, whose feature `macros`, on by default, enables `expand` here. Without
//! it the attribute removes itself, also inside the function, and leaves everything else as written.
//!
//! [`ergometer`]: https://docs.rs/ergometer
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

#[cfg(feature = "expand")]
mod body;
#[cfg(feature = "expand")]
mod captures;
#[cfg(feature = "expand")]
mod expand;
#[cfg(feature = "expand")]
mod find;
#[cfg(feature = "expand")]
mod future;
#[cfg(feature = "expand")]
mod guard;
#[cfg(feature = "expand")]
mod item;
#[cfg(feature = "expand")]
mod misuse;
#[cfg(feature = "expand")]
mod options;
#[cfg(feature = "expand")]
mod set_aside;
mod strip;
#[cfg(feature = "expand")]
mod suspend;
#[cfg(feature = "expand")]
mod tokens;
#[cfg(feature = "expand")]
mod value;

/// Measures what a function, or a part of one, costs.
///
/// On a function, every call becomes a span of the installed meter. Inside such a function the same
/// attribute works on loops, `let`, blocks and other statements, each of which becomes a nested span.
/// Without an installed meter a span costs one atomic load.
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
/// The attribute does not change the values, types and control flow of a function. `?`, `return`,
/// `break 'label`, `continue` and panics close the spans that they leave.
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
/// | `unit = ".."` | the unit of the items; needs `items` |
/// | `index = expr` | the epoch's number in the record, for `epoch`; without it epochs are counted from 1 |
/// | `every = n` | records each n-th step of a loop alone and the others together, for `step` |
/// | `sync = expr` | waits for a device before the span opens and before it closes: a closure or an `ergometer::Synchronize` |
/// | `meter = expr` | the `&Meter` to measure with; without it the installed one |
/// | `budget = ".."` | how much the metered domains may draw after the span opens, such as `"2 kWh"`; not for steps |
/// | `report` | prints the span's energy to the standard error output once it is known |
/// | `crate = path` | where `ergometer` is, if not at `::ergometer`: a renamed dependency, a re-export |
///
/// `ergometer::items` counts items that are known only inside the span.
///
/// A span without a name is named after its kind (`run`, `epoch`, `step`); a function that is neither an
/// epoch nor a step has its own name. The name of an epoch is its split, such as `epoch, name = "train"`
/// and `epoch, name = "valid"`.
///
/// The expressions can use everything in scope before the span's code: on a function its arguments, on a
/// loop with a span for each iteration the variables of that iteration. They are evaluated once per span,
/// `items`, `index` and `budget` just after it opens and the others just before; without a meter, they are
/// not evaluated. `every` is evaluated once, before the loop.
/// The values of `sync`, `meter` and `name` are borrowed, not moved.
///
/// * A **name** is a string literal, a constant, a macro such as `concat!`, or any other expression that is
///   `AsRef<str>`: `name = self.name`, `phase = format!("layer {index}")`. Each distinct text becomes a row
///   in the record and stays in memory until the program ends, so there should be few. Constants are
///   recognised by their upper case. `unit` takes literals, constants and macros.
/// * On the span of a future, **`items`** is evaluated when the future begins.
/// * If **`index`** returns a number that another epoch of the same name already has, the epoch gets the
///   number after the largest, and the record reports it. Negative numbers are ignored.
/// * With **`every = n`**, for short steps, the first of each n is a separate span and the rest share one,
///   which ends with the last of them, or when the loop is left. The record has the number, items and
///   energy of all steps. Extremes and quantiles cover those recorded alone, and `folded` counts the
///   others. Time between two steps that share a span counts as theirs, and spans opened in them are its
///   children. `sync` still waits at each step. `n` may be any integer; values below 1 count as 1.
/// * **`sync`** is for devices that work asynchronously, such as GPUs. Without it, the energy of a step's
///   work counts at the time when the device does the work, which may be during the next step. A reference
///   is written with a star, `sync = *device`. During a panic's unwinding there is no wait. The value is
///   borrowed until the span ends. If the code inside takes `&mut self`, pass a clone:
///   `sync = { let device = self.device.clone(); move || device.wait() }`.
/// * The **`meter`** of a function also applies to the statements inside it, but not to functions declared
///   inside, which have their own. A closure that outlives the function then has to be `move`.
/// * A **`budget`** is a text like `"2 kWh"`, `"3.6 MJ"`, `"500 gCO2e"` or `"3 USD"`, or any expression
///   that is an `ergometer::Budget` or a string; it is borrowed. If it is spent while the span is open, a
///   line on standard error reports it at that moment, and a warning in the record. The program is not
///   stopped; `Meter::budget` can do that. An invalid literal is a compile error. An expression whose value
///   is invalid, or a budget that cannot be watched, causes a warning in the record.
/// * **`report`** prints a line like `ergometer: run 'train': 12.304 s, 1.23 kJ ± 62.0 J, 100 W`, with
///   twice the standard uncertainty, up to about a second after the span has ended, or when the meter is
///   finished.
/// * Attributes inside a function inherit its **`crate`**.
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
/// The attribute works on free functions and methods, in traits too, with generics, `impl Trait`, `unsafe`,
/// `extern` and recursion. It does not work on a `const fn`, which cannot read a clock.
///
/// * The span of an **`async fn`** lasts from its first poll to its completion, or to its drop. It includes
///   the time spent waiting, and the spans opened while it is polled.
/// * On a function that returns **`impl Future`**, `Pin<Box<dyn Future>>` or `BoxFuture`, the span covers
///   that future in the same way, not its creation. `async-trait` turns its methods into such functions.
///   Other types that happen to be futures are not recognised; there the span covers the call.
/// * The options of an `async fn` are evaluated when it first runs, those of a function that returns a
///   future when it is called. The latter cannot use `sync`.
/// * Arguments are dropped where they would be without the attribute, with one exception: arguments of an
///   `async fn` that its body does not use are dropped after the others, as the future around the body
///   holds them.
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
/// On `for`, `while`, `while let` and `loop`, `epoch` and `step` make each iteration a span. It begins with
/// the loop's body, so fetching the next item from the iterator, and the condition of a `while`, are
/// between two steps. `run`, `phase` and `name` make the whole loop one span. A loop may have one attribute
/// of each sort, one above the other. `epoch` and `step` on one loop are an error. So is either on a call
/// of `for_each`, which would be a single step; put it on a block in the closure instead.
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
/// On a `let` the span ends with the statement, and its bindings, extended temporaries included, live on as
/// without the attribute. On an `if` without `else` the span is in the branch, so a false condition makes
/// no span. On the last statement of a block, the span ends with the block. The attribute also works in
/// closures, `async` blocks and functions within the annotated function, and inside `cfg_attr`. Inside an
/// expression it works on loops, blocks, `match`, `if` and `async` blocks; an `async` block is measured
/// when it runs.
///
/// Without the feature `macros` of `ergometer` the outer and inner attributes are removed without being
/// parsed, and the code compiles as if they had never been there.
///
/// The outer attribute rewrites those inside, so it must recognise them by name: `track_energy`, with or
/// without a path before it. They are an error inside the arguments of a macro, such as `println!` or
/// `tokio::select!`; put them on the whole statement, or on a block outside. In a function that is not
/// annotated itself, rustc reports `custom attributes cannot be applied to expressions` or
/// `.. to statements`:
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
