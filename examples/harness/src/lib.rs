//! What the example models share: command line, device choice, metering, progress and corpora.
//!
//! An example's `main.rs` is then
//!
//! ```no_run
//! use clap::Parser;
//! use harness::TrainArgs;
//!
//! #[derive(Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     train: TrainArgs,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     harness::run(|| {
//!         let args = Args::parse();
//!         if let Some(shown) = harness::shown_instead(&args.train) {
//!             return shown;
//!         }
//!         // read the corpus, choose the device, train under `harness::meter(..)`, `finish(..)`
//!         Ok(())
//!     })
//! }
//! ```
#![forbid(unsafe_code)]

mod args;
mod artifacts;
mod clip;
pub mod corpus;
mod decay;
mod device;
pub mod english;
mod failure;
mod fingerprint;
mod flops;
mod initial;
mod loss;
mod metering;
mod passes;
mod peak;
mod progress;

pub use args::{Hyperparameters, Size, TrainArgs};
pub use artifacts::Artifacts;
pub use clip::clip_by_global_norm;
pub use decay::without_decay;
pub use device::{accelerators, describe, device};
pub use failure::{Failure, run};
pub use fingerprint::Fingerprint;
pub use flops::Flops;
pub use initial::truncated_normal;
pub use loss::{TokenLoss, TokenLossMetric};
pub use metering::{Quality, Summary, finish, meter, result, shown_instead};
pub use passes::{Passes, Split};
pub use progress::{Curve, Losses, Progress};
