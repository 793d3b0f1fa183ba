//! What training a model costs: joules, kWh, CO2e and money, per run, epoch, step and phase.
//!
//! ```no_run
//! use ergometer::{Meter, track_energy};
//!
//! # struct Model; type TrainError = std::convert::Infallible;
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let meter = Meter::builder().label("my-run").region("DE").install()?;
//!     train(10)?;
//!     println!("{}", meter.finish()?); // energy, CO2e and cost, per domain and per epoch
//!     Ok(())
//! }
//!
//! #[track_energy(run)]
//! fn train(epochs: usize) -> Result<Model, TrainError> {
//!     #[track_energy(epoch)]
//!     for epoch in 0..epochs {
//!         #[track_energy(step, items = 32, unit = "sentences")]
//!         for batch in 0..100 {
//!             // …
//!         }
//!     }
//!     Ok(Model)
//! }
//! ```
//!
//! The library has three main names: [`Meter`], [`span()`] and [`track_energy`]. The modules follow the flow of the
//! data:
//!
//! ```text
//!  hardware ──► source ──► sampler ──► timeline  E(t) per domain ─┐
//!                                                                 ├─► ledger ──► Record
//!  your code ─► span ────► ring of marks  [t0, t1] ───────────────┘                  │
//!                                                          footprint, report ◄───────┘
//! ```
//!
//! * **Honest.** Every energy says how it was obtained ([`energy::Method`]) and how far off it can be
//!   ([`energy::Uncertainty`]). A value that could not be read is `None`, or
//!   [`Unavailable`](source::Availability::Unavailable) with the reason and the remedy; never 0.
//! * **Free.** A span costs two clock reads and a push into a ring of its thread. Hardware is read on a
//!   separate thread of the meter.
//! * **Harmless.** No sensor error reaches the training. Without a meter a span is one atomic load.
//!
//! # Features
//!
//! * `macros` (default): [`track_energy`] measures; without this feature the attribute changes nothing.
//! * `nvml` (default): NVIDIA boards, through the driver's library, which is opened at run time.
//! * `perf` (default): RAPL through `perf_event`, where powercap cannot be read; Linux only.
//! * `signals`: `MeterBuilder::finish_on_signal`; Unix only.
//! * `otlp`: `MeterBuilder::otlp`, live figures to an OpenTelemetry collector.
//! * `prometheus`: `MeterBuilder::prometheus`, live figures on a page for a Prometheus server.
//! * `tracing`: [`EnergyLayer`], energy for spans of `tracing`.
//!
//! # Platforms and limits
//!
//! * Linux has all sources except Apple's.
//! * Windows has NVIDIA boards, and the model of processor and memory.
//! * macOS has the counters of Apple's chips, and the same model.
//! * In WebAssembly a meter does not start, and spans do nothing.
//!
//! A child that a program forks has no meter of its own. What it draws is still metered with the machine, as is what
//! any other program draws; [`Scope::Process`] reports only the program's share of the processor and the boards.

#![forbid(unsafe_code)]

mod bounded;
mod budget;
pub mod clock;
mod deadline;
pub mod energy;
mod error;
#[cfg(feature = "_export")]
pub mod export;
pub mod footprint;
pub mod forecast;
pub mod journal;
mod ledger;
pub mod meter;
mod printable;
#[doc(hidden)]
pub mod private;
mod progress;
pub mod record;
pub mod report;
pub mod source;
pub mod span;
#[cfg(test)]
mod testing;
mod timeline;
pub mod units;

pub use budget::{Budget, Spent, ToBudget};
pub use ergometer_macros::track_energy;
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "tracing")]
pub use meter::tracing::EnergyLayer;
pub use meter::{Meter, MeterBuilder};
pub use record::Record;
pub use source::attribution::Scope;
pub use source::nvml::{DeviceId, Devices};
pub use span::current::{Current, current};
pub use span::{Kind, Span, Synchronize, items, span};
