//! How a command ends: text and exit code, or why it stopped.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

/// Exit code of a check that failed.
pub const CHECK_FAILED: u8 = 1;
/// Exit code of wrong usage, and of files that cannot be read or written; clap's too.
pub const WRONG_INPUT: u8 = 2;

/// What a command found.
#[derive(Debug)]
pub struct Outcome {
    text: String,
    code: u8,
}

impl Outcome {
    /// `text` for stdout, and exit code 0.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 0 }
    }

    /// `value` as indented JSON.
    pub fn json(value: &impl Serialize) -> Result<Self, Stop> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Stop::new(format!("the result cannot be written as JSON: {error}")))?;
        Ok(Self::of(text + "\n"))
    }

    /// The same with another exit code.
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    #[cfg(test)]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Prints the text; a reader that closed the pipe has seen enough.
    pub fn print(self) -> ExitCode {
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(self.text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Stop::new(format!("stdout cannot be written: {error}")).print()
            }
            _ => ExitCode::from(self.code),
        }
    }
}

/// Why a command stopped, what would help, and the exit code.
#[derive(Debug)]
pub struct Stop {
    message: String,
    code: u8,
}

impl Stop {
    /// Wrong input.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: WRONG_INPUT }
    }

    /// The same with a sentence on what would help.
    pub fn with_remedy(mut self, remedy: impl Display) -> Self {
        self.message = format!("{}; {remedy}", self.message);
        self
    }

    /// The same with another exit code.
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Prints the message on stderr.
    pub fn print(self) -> ExitCode {
        complain("error", anstyle::AnsiColor::Red, &self.message);
        ExitCode::from(self.code)
    }
}

impl From<ergometer::Error> for Stop {
    fn from(error: ergometer::Error) -> Self {
        // Its text has the remedy.
        Self::new(error.to_string())
    }
}

/// A line on stderr that is not an error.
pub fn note(message: impl Display) {
    complain("note", anstyle::AnsiColor::Cyan, message);
}

/// A line on stderr; where stderr is closed there is nobody to tell.
fn complain(word: &str, colour: anstyle::AnsiColor, message: impl Display) {
    let style = colour.on_default().bold();
    let _ = writeln!(anstream::stderr(), "{style}{word}:{style:#} {message}");
}
