//! E(t) × intervals → record.

pub(crate) mod assemble;
mod check;
pub(crate) mod command_line;
pub mod earlier;
pub(crate) mod epochs;
pub mod journal;
pub(crate) mod ledger;
pub mod merge;
mod numbers;
mod outlived;
pub(crate) mod phase_sums;
pub mod power;
pub(crate) mod provenance;
pub mod rank;
mod read;
pub mod record;
pub(crate) mod resume;
mod said;
mod siblings;
mod stats;
mod step_table;

pub use rank::Rank;
pub use record::Record;
