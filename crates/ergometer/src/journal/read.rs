//! A file → its record.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::record::Record;

impl Record {
    /// Reads the record in the file at `path`, or the run so far from its [journal](crate::journal).
    ///
    /// A file that ends in `.json` or begins with `{` is read as [`Record::from_json`] does, any other as
    /// [`Record::recover`] does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the file cannot be read; [`ErrorKind::Format`] if it is neither a record nor a
    /// journal, or one of another major version. The error names the file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let unread = |error: io::Error| {
            let message = format!("'{}' cannot be read: {error}", path.display());
            Error::new(ErrorKind::Io, message).with_source(error)
        };
        let mut file = BufReader::new(File::open(path).map_err(unread)?);
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        // A journal may be large, and is read line by line.
        let start = file.fill_buf().map_err(unread)?.trim_ascii_start();
        if !is_json && start.first() != Some(&b'{') {
            return Self::recover(path);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unread)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let message = format!("'{}' is not an ergometer record: {error}", path.display());
            Error::new(ErrorKind::Format, message).with_source(error)
        })?;
        Self::from_json(&text).map_err(|error| error.about(path))
    }
}
