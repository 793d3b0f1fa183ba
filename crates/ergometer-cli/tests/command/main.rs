//! The command `ergometer` as its users have it: the built program, real files, processes and signals.

#![cfg(unix)]

mod calibrate;
mod compare;
mod doctor;
mod footprint;
mod formats;
mod ledger;
mod mistakes;
mod nested;
#[cfg(feature = "parquet")]
mod parquet;
mod program;
mod records;
mod run;
mod tables;
