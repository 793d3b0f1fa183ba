//! How a task ends when it does not end well.

use std::fmt::Display;
use std::process::ExitCode;

/// Why a task stopped, and with which exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Stop {
    code: u8,
    message: Option<String>,
}

impl Stop {
    /// Something went wrong: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: Some(message.into()) }
    }

    /// The user gave something that cannot be: exit code 2.
    pub fn wrong_input(message: impl Into<String>) -> Self {
        Self { code: 2, message: Some(message.into()) }
    }

    /// A program that was run has said why itself; only its exit code is passed on.
    pub const fn relayed(code: u8) -> Self {
        Self { code, message: None }
    }

    /// Prints the message, if there is one, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if let Some(message) = &self.message {
            eprintln!("error: {message}");
        }
        ExitCode::from(self.code)
    }
}

/// Puts what was being done in front of an error.
pub trait Doing<T> {
    /// `cannot {action}: {error}` with exit code 1.
    fn doing(self, action: impl Display) -> Result<T, Stop>;
}

impl<T, E: Display> Doing<T> for Result<T, E> {
    fn doing(self, action: impl Display) -> Result<T, Stop> {
        self.map_err(|error| Stop::failed(format!("cannot {action}: {error}")))
    }
}
