//! E(t) × intervals → record.

pub mod record;

pub use record::Record;
