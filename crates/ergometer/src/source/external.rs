//! A meter of the user's own: a wall plug, a management controller, a rail on the bench. It is used only where the user
//! names it, and is then the truth: what else measures the same, or lies in it, is in no sum.
//!
//! Anything that writes lines can be read: a file that grows, a FIFO, or the standard output of a command. No device is
//! known to the library, and it opens no socket; the command that asks a device is the user's. A sensor that the kernel
//! shows under hwmon is read too, where the user knows what it covers: `power1_average` or `power1_input` in µW,
//! `energy1_input` in µJ, as that of a server's power supply (`power_meter`, `ibmpowernv`, `ipmi` drivers).
//!
//! ```csv
//! time,watts
//! 1764192519.25,61.5
//! 2025-11-26T21:28:40.25Z,61.9
//! ```
//!
//! * `time`: Unix seconds, or a date with an offset (RFC 3339). Whole seconds count as cut off, as `date +%s` writes
//!   them: they stand for the middle of that second.
//! * `watts`: power at that time, 0 to 100 kW.
//! * `joules`, instead or in addition: a counter, from any origin. A kilowatt-hour is 3 600 000 J.
//! * Fields are separated by commas or, in lines without a comma, by white space. An empty field is a value that was not
//!   read; empty lines and those that begin with `#` are skipped.
//! * A header line may come first, or later. It names the columns, in any order and beside others, which are ignored.
//!   Without one a line is `time, watts`.
//!
//! A line has to come within 9 s of its time, and one at least every 10 s; time without lines is reported as not
//! observed, and has no energy beyond the 1.5 s after the last. A line that is not understood, is dated in the future by
//! more than a second (the clock of whoever writes it is wrong), comes late, or is not later than the one before, is
//! left out; the record says how many were, and why. Setting this machine's clock moves no energy.
//!
//! When the meter starts, it waits at most 5 s for a line that can be used. Where none comes, the meter is reported as not
//! available, with the reason, and the sensors of the machine are used instead.

mod command;
mod feed;
mod line;
mod lines;

use std::path::PathBuf;

use super::DomainKind;
use crate::error::{Error, ErrorKind, Result};
pub(super) use lines::Lines;

/// The source's name.
pub(crate) const NAME: &str = "external";

/// The variables that name a file and a command.
pub(crate) const FILE_VARIABLE: &str = "ERGOMETER_EXTERNAL";
pub(crate) const COMMAND_VARIABLE: &str = "ERGOMETER_EXTERNAL_COMMAND";

/// Relative standard uncertainty of a meter whose error is not stated. A judgement: makers of plugs state 1 to 2 % of the
/// reading, and more at low power.
pub(crate) const DEFAULT_ERROR: f64 = 0.02;

/// Where lines come from, what they measure, and how exact it is; see the [module](self) for their format.
///
/// ```no_run
/// use ergometer::Meter;
/// use ergometer::source::external::External;
///
/// // A plug (Shelly, second generation) that `curl` and `jq` ask once a second; it measures the whole machine.
/// let plug = "while curl -s 'http://plug.lan/rpc/Switch.GetStatus?id=0' | jq -r '[now, .apower] | @csv'; do sleep 1; done";
/// let meter = Meter::builder().external(External::command(plug).with_error(0.01)).start()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct External {
    pub(super) origin: Origin,
    pub(super) kind: DomainKind,
    pub(super) error: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    File(PathBuf),
    Command(String),
}

impl External {
    /// A file that grows, or a FIFO. It measures the whole machine (`node`), to 2 % (one standard uncertainty). Lines
    /// from before the start are skipped. Only one program at a time can read a FIFO.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { origin: Origin::File(path.into()), kind: DomainKind::Node, error: DEFAULT_ERROR }
    }

    /// The standard output of a command, which the system's shell runs as long as the meter does. It measures the whole
    /// machine, to 2 %. The command should end when its output can no longer be written, and write each line at once.
    pub fn command(text: impl Into<String>) -> Self {
        Self { origin: Origin::Command(text.into()), kind: DomainKind::Node, error: DEFAULT_ERROR }
    }

    /// What it measures, all of it: with [`DomainKind::Gpu`] all boards of the machine, with [`DomainKind::CpuPackage`]
    /// all packages. Several meters of one kind each measure a part, as two plugs of a machine with two power supplies.
    #[must_use]
    pub const fn of(mut self, kind: DomainKind) -> Self {
        self.kind = kind;
        self
    }

    /// Its relative standard uncertainty: 0.01 is 1 %.
    #[must_use]
    pub const fn with_error(mut self, relative: f64) -> Self {
        self.error = relative;
        self
    }

    /// As the variable and the option of the command write it: `wall.csv`, or with a kind `gpu=boards.csv`.
    #[must_use]
    pub fn parse_file(text: &str) -> Self {
        let (kind, path) = kind_and_rest(text);
        Self::file(path).of(kind)
    }

    /// The same of a command: `read-plug.sh`, `cpu-package=read-rail.sh`.
    #[must_use]
    pub fn parse_command(text: &str) -> Self {
        let (kind, command) = kind_and_rest(text);
        Self::command(command).of(kind)
    }

    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for an error that is not a finite number of 0 or more, or an unknown kind.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.error.is_finite() || self.error < 0.0 {
            let message = format!("an external meter with a relative error of {}", self.error);
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give a standard uncertainty of 0 or more, as 0.01 for 1 %"));
        }
        if self.kind == DomainKind::Other {
            let message = "an external meter of a kind that this version does not know";
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("say what it measures, as `DomainKind::Node`"));
        }
        Ok(())
    }

    /// What it is, for people. A command may hold a password, and is not shown.
    pub(super) fn place(&self) -> String {
        match &self.origin {
            Origin::File(path) => path.display().to_string(),
            Origin::Command(_) => "the output of a command".to_owned(),
        }
    }
}

/// The kind before `=`, where there is one, and what follows it.
fn kind_and_rest(text: &str) -> (DomainKind, &str) {
    let named = text.split_once('=').and_then(|(word, rest)| {
        let kind = DomainKind::ALL.into_iter().find(|kind| kind.as_str() == word.trim())?;
        Some((kind, rest.trim()))
    });
    named.unwrap_or((DomainKind::Node, text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_may_stand_before_the_file_or_command() {
        assert_eq!(External::parse_file("wall.csv"), External::file("wall.csv"));
        assert_eq!(
            External::parse_file("gpu=a=b.csv"),
            External::file("a=b.csv").of(DomainKind::Gpu)
        );
        assert_eq!(External::parse_file("plug=1.csv"), External::file("plug=1.csv"));
        assert_eq!(
            External::parse_command("cpu-package = read -x=1"),
            External::command("read -x=1").of(DomainKind::CpuPackage)
        );
    }

    #[test]
    fn an_error_that_is_none_is_refused() {
        for error in [f64::NAN, -0.1, f64::INFINITY] {
            assert!(External::file("wall.csv").with_error(error).check().is_err(), "{error}");
        }
        assert!(External::file("wall.csv").of(DomainKind::Other).check().is_err());
        assert!(External::file("wall.csv").check().is_ok());
    }
}
