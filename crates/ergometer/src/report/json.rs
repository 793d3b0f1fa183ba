//! The record as JSON, and back.

use std::borrow::Cow;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::record::Record;

/// The part of a record that shows whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

impl Record {
    /// The record as JSON, indented, with a newline at its end.
    ///
    /// A result that is not finite (the loss of a training that diverged) cannot be expressed in JSON. It
    /// is left out, and a warning names it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if [`Record::from_json`] would refuse the text, as for a record in which a
    /// field was set to an impossible value. Records of a meter are never like that.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self.finite().as_ref()).map_err(|error| {
            Error::new(ErrorKind::Format, format!("the record cannot be written as JSON: {error}"))
                .with_source(error)
        })?;
        // JSON turns a number that is not finite into something else, so the text is read back.
        Self::from_json(&json)?;
        Ok(json + "\n")
    }

    /// The record without results that JSON cannot express, and with warnings that name them.
    pub(crate) fn finite(&self) -> Cow<'_, Self> {
        if self.results.values().all(|value| value.is_finite()) {
            return Cow::Borrowed(self);
        }
        let mut finite = self.clone();
        for (name, value) in self.results.iter().filter(|(_, value)| !value.is_finite()) {
            finite.warnings.push(format!("result '{name}' is {value}, which JSON cannot hold"));
        }
        finite.results.retain(|_, value| value.is_finite());
        Cow::Owned(finite)
    }

    /// Reads a record that [`Record::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if it is not a record, is one of another major version, or has impossible
    /// values. Additions of a later minor version are ignored.
    pub fn from_json(json: &str) -> Result<Self> {
        let format = |error: serde_json::Error| {
            Error::new(ErrorKind::Format, format!("not an ergometer record: {error}"))
                .with_source(error)
        };
        let head: Head = serde_json::from_str(json).map_err(format)?;
        if !is_known(&head.schema) {
            let message =
                format!("the record's schema is '{}', not '{}'", head.schema, Record::SCHEMA);
            return Err(Error::new(ErrorKind::Format, message).with_remedy(
                "read it with the version of ergometer that wrote it, or a later one",
            ));
        }
        let record: Self = serde_json::from_str(json).map_err(format)?;
        record.check().map_err(|why| {
            Error::new(ErrorKind::Format, format!("not an ergometer record: {why}"))
        })?;
        Ok(record)
    }
}

/// Whether `schema` has the name and major version of [`Record::SCHEMA`]: `ergometer-record/1`, `…/1.4`.
fn is_known(schema: &str) -> bool {
    let rest = schema.strip_prefix(Record::SCHEMA);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_versions_are_read_and_major_ones_are_not() {
        assert!(is_known(Record::SCHEMA) && is_known("ergometer-record/1.4"));
        for other in
            ["ergometer-record/2", "ergometer-record/10", "other/1", "ergometer-record", ""]
        {
            assert!(!is_known(other), "{other}");
        }
    }
}
