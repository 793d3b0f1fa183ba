//! E(t) × intervals → record.

pub(crate) mod assemble;
pub(crate) mod ledger;
mod provenance;
pub mod record;
mod stats;

pub use record::Record;
