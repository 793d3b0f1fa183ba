//! A user's own machines: processors whose idle and full power were worked out from records in which a sensor measured
//! them.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::own::Own;
use crate::error::{Error, ErrorKind, Result};
use crate::units::Watts;

/// The schema of a file of [`Calibrations`].
const SCHEMA: &str = "ergometer-processors/1";

/// Processors that were measured, as `ergometer calibrate` writes them.
///
/// ```
/// use ergometer::source::Calibrations;
/// let text = r#"{"schema": "ergometer-processors/1", "processors": [{
///     "name": "AMD EPYC 8024P 8-Core Processor", "logical_cpus": 16, "idle": 17.7, "full": 46.5,
///     "highest_utilisation": 0.9, "records": 2, "sources": ["rapl"], "measured": "2026-11-26"}]}"#;
/// let file = Calibrations::from_json(text)?;
/// assert_eq!(file.find("AMD EPYC 8024P 8-Core Processor").unwrap().own().full.get(), 46.5);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Calibrations {
    /// Name and version of the format.
    pub schema: String,
    /// One for each processor name.
    pub processors: Vec<Calibration>,
}

/// What the processors of a machine draw, according to records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// `model name` in `/proc/cpuinfo`.
    pub name: String,
    /// Logical processors of the machine.
    pub logical_cpus: u32,
    /// Power of all packages when idle.
    pub idle: Watts,
    /// Power of all packages when fully busy.
    pub full: Watts,
    /// Highest utilisation of a record behind it, 0 to 1. What lies above is extrapolated.
    pub highest_utilisation: f64,
    /// How many records it was worked out from.
    pub records: u32,
    /// The sources that measured: `rapl`.
    pub sources: Vec<String>,
    /// The date of the last of those records.
    pub measured: String,
}

impl Default for Calibrations {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), processors: Vec::new() }
    }
}

impl Calibrations {
    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if it is not in this format, or a power is not possible.
    pub fn from_json(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(ErrorKind::Format, format!("not a file of processors: {why}"))
                .with_remedy("write it with `ergometer calibrate RECORD...`")
        };
        let file: Self = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if file.schema != SCHEMA {
            return Err(wrong(format!("its schema is {:?}, not {SCHEMA:?}", file.schema)));
        }
        match file.processors.iter().find(|one| !one.is_possible()) {
            Some(one) => Err(wrong(format!("the figures of {:?} are not possible", one.name))),
            None => Ok(file),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if it cannot be read; those of [`from_json`](Self::from_json).
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).with_source(error)
        })?;
        Self::from_json(&text)
    }

    /// The JSON form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] for a power that is not finite.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(ErrorKind::Format, "cannot write a file of processors").with_source(error)
        })
    }

    /// The processor of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Calibration> {
        self.processors.iter().find(|one| one.name.trim().eq_ignore_ascii_case(name.trim()))
    }

    /// Takes in `new`, in place of what there is of that name.
    pub fn set(&mut self, new: Calibration) {
        self.processors.retain(|one| !one.name.trim().eq_ignore_ascii_case(new.name.trim()));
        self.processors.push(new);
    }
}

impl Calibration {
    /// Idle and full power.
    #[must_use]
    pub fn own(&self) -> Own {
        Own { idle: self.idle, full: self.full }
    }

    fn is_possible(&self) -> bool {
        let highest = self.highest_utilisation;
        self.own().can_be() && self.logical_cpus > 0 && highest > 0.0 && highest <= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epyc(full: f64) -> Calibration {
        Calibration {
            name: "AMD EPYC 8024P 8-Core Processor".to_owned(),
            logical_cpus: 16,
            idle: Watts::new(17.7),
            full: Watts::new(full),
            highest_utilisation: 0.9,
            records: 2,
            sources: vec!["rapl".to_owned()],
            measured: "2026-11-26".to_owned(),
        }
    }

    #[test]
    fn a_processor_is_found_by_its_name_and_replaced() {
        let mut file = Calibrations::default();
        file.set(epyc(40.0));
        file.set(Calibration { name: "another".to_owned(), ..epyc(90.0) });
        file.set(epyc(46.5));
        let again = Calibrations::from_json(&file.to_json().unwrap()).unwrap();
        assert_eq!(again, file);
        assert_eq!(again.processors.len(), 2);
        assert_eq!(again.find(" amd epyc 8024p 8-core processor"), Some(&epyc(46.5)));
        assert_eq!(again.find("AMD EPYC 8024P"), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |one: Calibration| {
            let mut file = Calibrations::default();
            file.set(one);
            Calibrations::from_json(&file.to_json().unwrap()).unwrap_err().to_string()
        };
        assert!(refused(epyc(17.0)).contains("8024P"), "full power below idle power");
        refused(Calibration { logical_cpus: 0, ..epyc(46.5) });
        refused(Calibration { highest_utilisation: 0.0, ..epyc(46.5) });
        let other = r#"{"schema": "ergometer-record/1", "processors": []}"#;
        assert!(Calibrations::from_json(other).unwrap_err().to_string().contains("schema"));
        assert!(Calibrations::from_json("{").is_err());
        assert!(Calibrations::read(Path::new("/nowhere/processors.json")).is_err());
    }
}
