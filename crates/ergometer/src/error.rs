//! The one error type of the library.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, with which value, and what would help.
///
/// The type is opaque: match on [`Error::kind`], print it for people, and show
/// [`Error::remedy`] when there is one.
///
/// ```
/// use ergometer::{ErrorKind, footprint::Site};
///
/// let error = Site::current().region("Germny").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::UnknownRegion);
/// assert!(error.remedy().unwrap().contains("DE"));
/// ```
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    remedy: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The classes of [`Error`].
///
/// ```
/// use ergometer::{Budget, ErrorKind};
/// let error = "2 apples".parse::<Budget>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidSetting);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting has a value that makes no sense (a PUE below 1, a negative wattage).
    InvalidSetting,
    /// A region or zone is not in the grid tables.
    UnknownRegion,
    /// A requested device does not exist, or its name matches several.
    UnknownDevice,
    /// A meter is already installed in this process.
    AlreadyInstalled,
    /// The meter has already been finished.
    Finished,
    /// The background thread could not be started, or it did not answer in time.
    Sampler,
    /// A file could not be read or written.
    Io,
    /// A file does not have the expected format.
    Format,
    /// The address for live figures cannot be listened on.
    Network,
    /// Records cannot be merged: a rank occurs twice, or they are of different runs or sites.
    Mismatch,
}

/// [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), remedy: None, source: None }
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, with the file that it is about.
    pub(crate) fn about(mut self, path: &std::path::Path) -> Self {
        self.message = format!("'{}': {}", path.display(), self.message).into();
        self
    }

    /// The class of the error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How the user can fix it, as one sentence; `None` where no fix is known.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// As people read it: this is what a `main` prints that returns the error. A cause is on a line of its own where the
/// message does not have it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match self.source.as_ref().map(ToString::to_string) {
            Some(cause) if !self.message.contains(&cause) => write!(f, "\n  caused by: {cause}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_main_prints_is_the_message_the_remedy_and_a_cause_that_it_does_not_name() {
        let error = |message: &'static str| {
            Error::new(ErrorKind::Io, message)
                .with_remedy("name another folder")
                .with_source("disk is full")
        };
        let named = error("'runs' cannot be written: disk is full");
        assert_eq!(
            format!("{named:?}"),
            "'runs' cannot be written: disk is full; name another folder"
        );
        let unnamed = format!("{:?}", error("'runs' cannot be written"));
        assert_eq!(
            unnamed,
            "'runs' cannot be written; name another folder\n  caused by: disk is full"
        );
    }
}
