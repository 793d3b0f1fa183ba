//! What training a Burn model costs, epoch by epoch and step by step.
//!
//! One line puts Burn's own training under an [`ergometer`] meter:
//!
//! ```
//! use burn::prelude::*;
//! use burn::optim::ModuleOptimizer;
//! use burn::train::metric::{Adaptor, LossInput, LossMetric};
//! use burn::train::{Learner, LearnerModel, SupervisedTraining, TrainLoader, ValidLoader};
//! use burn::train::{InferenceStep, TrainStep};
//! use ergometer_burn::EnergyTraining as _;
//!
//! fn train<M: LearnerModel + 'static>(
//!     model: M,
//!     optim: ModuleOptimizer,
//!     train_loader: TrainLoader<M>,
//!     valid_loader: ValidLoader<M>,
//! ) -> Result<M, ergometer::Error>
//! where
//!     <M as TrainStep>::Output: Adaptor<LossInput>,
//!     <M as InferenceStep>::Output: Adaptor<LossInput>,
//! {
//!     let meter = ergometer::Meter::builder().label("my-run").install()?;
//!     let training = SupervisedTraining::metered(&meter, "artifacts", train_loader, valid_loader)
//!         .metric_train_numeric(LossMetric::new())
//!         .metric_valid_numeric(LossMetric::new())
//!         .num_epochs(10)
//!         .summary();
//!     let result = training.launch(Learner::new(model, optim, 1e-3));
//!     let record = meter.finish()?; // energy, CO2e and cost, per domain, epoch and step
//!     println!("{:?}", record.total);
//!     Ok(result.model)
//! }
//! ```
//!
//! # What is marked, and where
//!
//! Burn calls metrics, renderers and loggers on a thread of their own, late by up to two steps. The
//! data loader is what it calls on the training thread at every edge, so that is where the marks are
//! made:
//!
//! ```text
//! training thread                    span
//! ───────────────                    ────
//! loader.iter()                      ┌ epoch "train"
//! next()  ── batch 1 is loaded       │ ┌ step   ┌ phase "data"
//!         ── batch 1 is ready        │ │        └
//!   TrainStep::step, optimizer       │ │
//! next()  ── batch 2 is loaded       │ ├ step   ┌ phase "data"
//!         ── batch 2 is ready        │ │        └
//!   TrainStep::step, optimizer       │ │
//! next()  ── None                    │ └
//!                                    └
//! loader.iter()                      ┌ epoch "valid"
//!   …                                └
//! checkpoints, summary                 (of the run, outside every epoch)
//!
//! Evaluator                          ┌ epoch "test", with steps as above
//!   …                                └
//!
//! metrics' thread
//! ───────────────
//! EnergyMetric::update               asks the meter which steps it has resolved meanwhile
//! EnergyMetric::compute              the same, for the whole epoch
//! ```
//!
//! A step ends exactly where the next begins, so the steps of an epoch and what lies between them
//! (before the first `next`, and the last one, which finds no batch) add up to the epoch. What
//! the model itself marks, with [`ergometer::span`](ergometer::span()) or `#[track_energy]` and an
//! installed meter, lies inside the steps.
//!
//! Burn's terminal UI, log files and summary show [`EnergyMetric`] and [`PowerMetric`]. They are for
//! watching: they know only what is resolved already, within the limits that they document. The
//! record that [`ergometer::Meter::finish`] returns has every step.
//!
//! # What is not covered
//!
//! * Marks are of the host's clock. A GPU runs behind the host: work that is queued when a step ends
//!   is done in the next one. At the end of an epoch the loader waits for its device, so that epochs are
//!   exact; metrics that read the loss, as Burn's own do, wait for it about once a step, which keeps the
//!   rest to a step or two. Where single steps matter, let the loader wait more often
//!   ([`Metering::sync_every`]): what waiting costs is then
//!   part of the run. The record's fact `device sync, train` says which it was. The `flex` backend runs on
//!   the calling thread, so there marks are exact. The device's own clock
//!   (`burn::tensor::Device::profile_with`) is not used.
//! * Under Burn's multi-device strategies the first device's loader marks; see [`MeteredLoader`].
//! * A step is one batch, not one update of the weights. With gradient accumulation the record says how many
//!   batches make an update ([`Metering::accumulated`]); under [`Profiled`] the phase `optimizer` has
//!   the updates' number and energy.
//! * Spans that a dataset or batcher opens on the training thread while it loads count under the
//!   epoch, not under the phase `data`: whether there is a step is known only when the batch has come.
#![forbid(unsafe_code)]

mod boards;
mod evaluation;
mod loader;
mod profiled;
mod quantity;
mod run_metrics;
mod settled_steps;
mod slices;
mod step_metrics;
mod stopping;
mod synced;
mod training;

pub use boards::boards;
pub use evaluation::EnergyEvaluation;
pub use loader::MeteredLoader;
pub use profiled::Profiled;
pub use run_metrics::{CarbonMetric, CostMetric, ForecastMetric, RunMetric, TotalEnergyMetric};
pub use step_metrics::{EnergyMetric, ItemEnergyMetric, PowerMetric, StepMetric};
pub use stopping::EnergyEarlyStopping;
pub use synced::Synced;
pub use training::{EnergyTraining, Metering};

/// The programs of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
pub struct Guide;

/// The programs about failures, ranks and dashboards.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/running.md")]
pub struct Running;

/// The programs of the first page.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
