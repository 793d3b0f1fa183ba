//! The record as JSON, and back.

use serde::Deserialize;

use crate::run::Record;
use crate::run::record::SCHEMA;
use crate::{Error, ErrorKind, Result};

/// The part of a record that says whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

impl Record {
    /// The record as JSON, indented, with a newline at its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if it cannot be expressed, which no record of a meter is.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(ErrorKind::Format, format!("the record is no JSON: {error}"))
                .with_source(error)
        })?;
        Ok(json + "\n")
    }

    /// Reads a record that [`Record::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if it is no record, or one of a version that is not known here.
    pub fn from_json(json: &str) -> Result<Self> {
        let format = |error: serde_json::Error| {
            Error::new(ErrorKind::Format, format!("not an ergometer record: {error}"))
                .with_source(error)
        };
        let head: Head = serde_json::from_str(json).map_err(format)?;
        if head.schema != SCHEMA {
            let message = format!("the record's schema is '{}', not '{SCHEMA}'", head.schema);
            return Err(Error::new(ErrorKind::Format, message)
                .with_remedy("read it with the version of ergometer that wrote it, or a later one"));
        }
        serde_json::from_str(json).map_err(format)
    }
}
