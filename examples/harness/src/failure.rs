//! How an example ends: one line and an exit code that tells wrong input from a failed run.

use std::fmt;
use std::process::ExitCode;

/// Why an example stopped.
#[derive(Debug)]
pub enum Failure {
    /// The user's input is wrong; found before training starts. Exit code 2.
    Usage(String),
    /// The program could not do its work. Exit code 1.
    Run(String),
}

impl Failure {
    /// Wrong input.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// A run that failed.
    pub fn run(message: impl fmt::Display) -> Self {
        Self::Run(message.to_string())
    }

    /// The exit code of the process.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Run(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(message) | Self::Run(message)) = self;
        // Always one line, whatever the message was made of.
        f.write_str(&message.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl std::error::Error for Failure {}

impl From<ergometer::Error> for Failure {
    /// A wrong setting or region is the user's; anything else is the run's.
    fn from(error: ergometer::Error) -> Self {
        match error.kind() {
            ergometer::ErrorKind::InvalidSetting | ergometer::ErrorKind::UnknownRegion => {
                Self::usage(error)
            }
            _ => Self::run(error),
        }
    }
}

/// Runs `main` and turns its result into the process's exit code, with one line on stderr where it
/// failed.
pub fn run(main: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    match main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_and_its_code_says_whose_fault_it_is() {
        let failure = Failure::usage("no such\n  device\tthere");
        assert_eq!(failure.to_string(), "no such device there");
        assert_eq!(failure.code(), 2);
        assert_eq!(Failure::run("out of memory").code(), 1);
    }
}
