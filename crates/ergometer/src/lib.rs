//! What training a model costs: joules, kWh, CO2e and money, per run, epoch, step and phase.
#![forbid(unsafe_code)]

pub mod clock;
mod error;
pub mod footprint;
pub mod meter;
#[doc(hidden)]
pub mod private;
pub mod report;
pub mod run;
pub mod source;
pub mod span;
pub mod units;

#[cfg(feature = "macros")]
pub use ergometer_macros::track_energy;
pub use error::{Error, ErrorKind, Result};
pub use meter::{Meter, MeterBuilder};
pub use run::Record;
pub use span::{Kind, Span, span};
