//! The command `ergometer` as its users have it: the built program, real files, processes and signals.

#![cfg(unix)]

mod browser;
mod calibrate;
mod compare;
mod doctor;
mod drawings;
mod events;
mod footprint;
mod formats;
mod grafana;
mod ledger;
mod made;
mod markup;
mod mistakes;
mod nested;
mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod program;
mod published;
mod python;
mod records;
mod run;
mod tables;
mod trace;
