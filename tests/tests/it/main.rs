//! Integration tests: one binary, a module for each part of the library.

#![allow(clippy::float_cmp, reason = "where a closed form is exact, so is its test")]

mod abstains;
mod accounting;
mod boards;
mod bounded;
mod cases;
mod child;
mod clocks;
mod documents;
mod drivers;
mod export;
mod external;
mod failures;
mod footprint;
mod hwmon;
mod idle;
mod intensity;
mod items;
mod journal;
mod life;
mod macros;
mod meter;
mod nvml;
mod power;
mod programs;
mod ranks;
mod rapl;
mod replay;
mod report;
mod resume;
mod scope;
mod sensors;
mod siblings;
mod signals;
mod sources;
mod spans;
mod starts;
mod steps;
mod tables;
mod tracing;
mod unfinished;
mod watched;
mod written;
