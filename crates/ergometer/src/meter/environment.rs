//! Settings from environment variables, for what the program leaves open.
//!
//! The environment stops no training: an invalid value is not used, and the record reports it.

use std::env;
use std::path::{Path, PathBuf};

use super::MeterBuilder;
use crate::error::Result;
use crate::journal::Draft;
use crate::report::Output;

const SWITCH: &str = "ERGOMETER";
const LABEL: &str = "ERGOMETER_LABEL";
const JOURNAL: &str = "ERGOMETER_JOURNAL";
const OUTPUT: &str = "ERGOMETER_OUTPUT";
const PARENT: &str = "ERGOMETER_PARENT";
#[cfg(feature = "otlp")]
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What becomes of settings that the program leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Environment {
    Read,
    Ignored,
}

impl MeterBuilder {
    /// The value of a variable; `None` where it is not set, empty, or not to be looked at.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let value = match self.environment {
            Environment::Read => env::var_os(name).filter(|value| !value.is_empty())?,
            Environment::Ignored => return None,
        };
        Some(value.to_string_lossy().into_owned())
    }

    pub(super) fn not_used(&mut self, name: &str, value: &str, why: &str) {
        self.remarks.push(format!("{name}={value:?} is not valid and is not used: {why}"));
    }

    /// Whether the environment switches the meter off. What would be metered, written or sent is then
    /// removed from the settings.
    pub(super) fn is_off(&mut self) -> bool {
        let Some(value) = self.variable(SWITCH) else { return false };
        match value.to_ascii_lowercase().as_str() {
            "off" | "0" | "false" | "no" => {}
            "on" | "1" | "true" | "yes" => return false,
            _ => {
                self.not_used(SWITCH, &value, "`off` switches the meter off");
                return false;
            }
        }
        let Self { label, rank, group, site, region, pue, place, accelerators, .. } = self;
        let (label, rank, group) = (label.take(), rank.take(), group.take());
        let (site, region, pue) = (site.take(), region.take(), pue.take());
        let (place, accelerators) = (std::mem::take(place), accelerators.take());
        *self = Self { label, rank, group, site, region, pue, place, accelerators, ..Self::new() };
        (self.probe, self.environment) = (false, Environment::Ignored);
        self.settings.external_variables.clear();
        self.remarks.push(format!("{SWITCH}={value}: nothing was metered"));
        true
    }

    pub(super) fn label_or_default(&self) -> String {
        let label = self.label.clone().or_else(|| self.variable(LABEL));
        label.unwrap_or_else(|| "run".to_owned())
    }

    /// The folder for the record.
    pub(super) fn record_folder(&mut self) -> Result<Option<Output>> {
        match (self.output.take(), self.variable(OUTPUT)) {
            (Some(folder), _) => Output::open(folder).map(Some),
            (None, Some(folder)) => {
                let opened = Output::open(PathBuf::from(&folder));
                Ok(opened.map_err(|error| self.not_used(OUTPUT, &folder, &error.to_string())).ok())
            }
            (None, None) => Ok(None),
        }
    }

    /// The journal that is about to begin.
    pub(super) fn journal_draft(&mut self) -> Result<Option<Draft>> {
        match (self.journal.take(), self.variable(JOURNAL)) {
            (Some(folder), _) => Draft::open(folder).map(Some),
            (None, Some(folder)) => {
                let opened = Draft::open(PathBuf::from(&folder));
                Ok(opened.map_err(|error| self.not_used(JOURNAL, &folder, &error.to_string())).ok())
            }
            (None, None) => Ok(None),
        }
    }

    /// The folder in which `ergometer run` looks for what this program marks.
    pub(super) fn parent_folder(&mut self) -> Option<PathBuf> {
        let value = self.variable(PARENT)?;
        let folder = PathBuf::from(&value);
        if !folder.is_dir() {
            self.not_used(PARENT, &value, "there is no such folder on this machine");
            return None;
        }
        Some(folder)
    }

    /// A journal in the folder of `ergometer run`, of a program that keeps none itself.
    pub(super) fn journal_for_parent(&mut self, folder: &Path) -> Option<Draft> {
        match Draft::open(folder.to_owned()) {
            Ok(draft) => Some(draft),
            Err(error) => {
                self.not_used(PARENT, &folder.display().to_string(), &error.to_string());
                None
            }
        }
    }

    /// The collector, unless the program names one.
    #[cfg(feature = "otlp")]
    pub(super) fn find_collector(&mut self) {
        if let Some(base) = self.variable(COLLECTOR)
            && let Err(error) = self.export.offer_collector(&base)
        {
            self.not_used(COLLECTOR, &base, &error.to_string());
        }
    }
}
