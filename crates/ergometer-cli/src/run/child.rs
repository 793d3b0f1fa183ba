//! The program that `run` meters: its signals, its end and its exit code.
//!
//! One thread starts the program, passes signals on and waits for it, so that no signal is sent to a process
//! that was reaped. Ctrl-C and Ctrl-\ reach the program from the terminal itself: passed on as well they would
//! come twice, and a training that stops cleanly at the first would be ended by the second. So where this
//! command is in the foreground of a terminal, these two are not passed on.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::outcome::Stop;
use crate::programs;

/// Why the program did not run, or was lost.
#[derive(Debug)]
pub struct Failure {
    program: String,
    error: io::Error,
}

impl Failure {
    /// The shell's exit codes: 127 if there is no such program, 126 if it cannot be executed.
    pub fn code(&self) -> u8 {
        if self.error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, error } = self;
        write!(f, "'{program}' cannot be run: {error}")?;
        match self.code() {
            127 => f.write_str("; give its path, or a name that is in PATH"),
            _ => f.write_str("; see whether the file is executable"),
        }
    }
}

/// The program with its arguments, of which there is at least the first word, and the folder for what it marks.
fn command(words: &[OsString], marks: Option<&Path>) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    // Without a folder of its own it must not write into that of a run around this one, which has this run's record.
    match marks {
        Some(folder) => command.env(programs::VARIABLE, folder),
        None => command.env_remove(programs::VARIABLE),
    };
    command
}

fn failure(words: &[OsString], error: io::Error) -> Failure {
    Failure { program: words[0].to_string_lossy().into_owned(), error }
}

/// The exit code, or 128+n where signal n ended the program.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(1)
}

#[cfg(unix)]
pub use unix::Signals;

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io::{self, IsTerminal as _};

    use shared_child::SharedChild;
    use shared_child::unix::SharedChildExt as _;
    use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

    use super::{Failure, OsString, Path, Stop, code, command, failure};

    /// What is passed on.
    const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

    /// Signals that end this command by default, held for the program.
    pub struct Signals(signal_hook::iterator::Signals);

    impl Signals {
        /// Takes the signals from here on.
        pub fn hold() -> Result<Self, Stop> {
            // What was ignored stays ignored, for the program too: `nohup` and shells rely on it.
            let ignored = ignored();
            let wanted = PASSED_ON.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
            let held = signal_hook::iterator::Signals::new(wanted.chain([SIGCHLD]))
                .map_err(|error| Stop::new(format!("signals cannot be received: {error}")))?;
            Ok(Self(held))
        }

        /// Runs the program to its end, which leaves what it marks in the folder `marks`, and returns its exit code.
        pub fn run(mut self, words: &[OsString], marks: Option<&Path>) -> Result<u8, Failure> {
            let failed = |error| failure(words, error);
            let child = SharedChild::spawn(&mut command(words, marks)).map_err(failed)?;
            loop {
                // SIGCHLD was asked for before the program began: its end always wakes the wait below.
                if let Some(status) = child.try_wait().map_err(failed)? {
                    return Ok(code(status));
                }
                for signal in self.0.wait().filter(|signal| *signal != SIGCHLD) {
                    pass_on(signal, &child);
                }
            }
        }
    }

    fn pass_on(signal: i32, child: &SharedChild) {
        if matches!(signal, SIGINT | SIGQUIT) && in_foreground() {
            return;
        }
        // A program that has just ended cannot be signalled, and need not be.
        let _ = child.send_signal(signal);
    }

    /// Whether this process belongs to the foreground of its terminal, whose keys signal all of that.
    fn in_foreground() -> bool {
        let Ok(stat) = fs::read_to_string("/proc/self/stat") else {
            return io::stdin().is_terminal();
        };
        // After the name, in parentheses: state, parent, group, session, terminal, the terminal's group.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_ascii_whitespace().collect())
            .unwrap_or_default();
        match fields.get(2..6) {
            Some([group, _, terminal, foreground]) => *terminal != "0" && group == foreground,
            _ => false,
        }
    }

    /// The signals that this process ignores, a bit each; none where that cannot be read.
    fn ignored() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    }
}

#[cfg(not(unix))]
pub use elsewhere::Signals;

#[cfg(not(unix))]
mod elsewhere {
    use super::{Failure, OsString, Path, Stop, code, command, failure};

    /// Nothing is held: the console signals the program itself.
    pub struct Signals;

    impl Signals {
        pub fn hold() -> Result<Self, Stop> {
            Ok(Self)
        }

        /// Runs the program to its end, which leaves what it marks in the folder `marks`, and returns its exit code.
        pub fn run(self, words: &[OsString], marks: Option<&Path>) -> Result<u8, Failure> {
            let failed = |error| failure(words, error);
            command(words, marks).status().map(code).map_err(failed)
        }
    }
}
