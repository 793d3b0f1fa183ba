//! Temporary.
use std::path::PathBuf;
use super::{DomainKind, PowerSource, SourceReport};
use crate::units::Watts;
/// Temporary.
#[derive(Debug, Default)]
pub struct Settings {
    /// x
    pub sysfs_root: PathBuf,
    /// x
    pub proc_root: PathBuf,
    /// x
    pub nvml_library: Option<PathBuf>,
    /// x
    pub fixed: Vec<(DomainKind, Watts)>,
}
/// Temporary.
#[must_use]
pub fn probe(_: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) { (vec![], vec![]) }
/// Temporary.
#[must_use]
pub fn fixed_only(_: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) { (vec![], vec![]) }
