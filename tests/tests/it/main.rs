//! Integration tests: one binary, a module for each part of the library.

mod accounting;
mod footprint;
mod macros;
mod meter;
mod nvml;
mod rapl;
mod report;
