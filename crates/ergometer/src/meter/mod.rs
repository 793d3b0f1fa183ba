//! Readings → E(t).

mod uncertainty;

use std::path::PathBuf;

pub use uncertainty::{Method, Uncertainty};

use crate::run::Record;
use crate::source::SourceReport;
use crate::span::{Kind, Label, Span};
use crate::{Result, footprint::Site};

/// A running meter; clones share it.
#[derive(Clone, Debug)]
pub struct Meter {}

/// Settings of a [`Meter`].
#[derive(Debug, Default)]
pub struct MeterBuilder {
    label: String,
    site: Option<Site>,
    sysfs_root: Option<PathBuf>,
    nvml_library: Option<PathBuf>,
}

impl Meter {
    /// Settings of a new meter.
    #[must_use]
    pub fn builder() -> MeterBuilder {
        MeterBuilder::default()
    }

    /// What each source found.
    #[must_use]
    pub fn sources(&self) -> &[SourceReport] {
        unimplemented!()
    }

    /// Opens a span of `kind` under this meter.
    pub fn span(&self, kind: Kind) -> Span {
        let _ = kind;
        unimplemented!()
    }

    /// Opens a span with `label` under this meter.
    pub fn enter(&self, label: Label) -> Span {
        let _ = label;
        unimplemented!()
    }

    /// Adds a result (loss, accuracy) to the record.
    pub fn result(&self, name: impl Into<String>, value: f64) {
        let _ = (name.into(), value);
    }

    /// Adds a remark (seed, corpus) to the record.
    pub fn fact(&self, name: impl Into<String>, value: impl ToString) {
        let _ = (name.into(), value.to_string());
    }

    /// Ends the meter and gives the run's record.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Finished`] on a second call.
    pub fn finish(&self) -> Result<Record> {
        unimplemented!()
    }
}

impl MeterBuilder {
    /// The user's name for the run.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Where the run takes place.
    #[must_use]
    pub fn site(mut self, site: Site) -> Self {
        self.site = Some(site);
        self
    }

    /// Root of sysfs, `/sys` by default.
    #[must_use]
    pub fn sysfs_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.sysfs_root = Some(root.into());
        self
    }

    /// Path of the NVML library.
    #[must_use]
    pub fn nvml_library(mut self, path: impl Into<PathBuf>) -> Self {
        self.nvml_library = Some(path.into());
        self
    }

    /// Starts the meter and makes it the process's own.
    ///
    /// # Errors
    /// When another meter is installed or a setting is wrong.
    pub fn install(self) -> Result<Meter> {
        Ok(Meter {})
    }
}
