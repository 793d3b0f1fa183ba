//! The Transformer's data, model and training, which the architecture search begins from.
#![forbid(unsafe_code)]

pub mod data;
pub mod model;
pub mod training;
