//! `cargo xtask test`: the whole suite, with one total at its end.

mod total;

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::Stdio;

use crate::stop::{Doing, Stop};
use crate::workspace;
use total::Total;

/// Run every test of the workspace, documentation tests included
///
/// The last line is the total over all test programs: `N passed, N failed, N skipped`.
#[derive(Debug, Default, clap::Args)]
pub struct Test {
    /// Name filters and other arguments of the test programs (after `--` if they begin with `-`)
    #[arg(value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Test {
    /// Runs the suite.
    pub fn run(&self) -> Result<(), Stop> {
        let mut cargo = workspace::cargo();
        // Without `--no-fail-fast` the total would leave out whatever comes after a failure.
        cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        if !self.arguments.is_empty() {
            cargo.arg("--").args(&self.arguments);
        }
        let line = workspace::typed(&cargo);
        let mut child = cargo.stdout(Stdio::piped()).spawn().doing(format!("run `{line}`"))?;
        let mut total = Total::default();
        let streamed = match child.stdout.take() {
            Some(stdout) => stream(stdout, &mut io::stdout().lock(), &mut total),
            None => Ok(()),
        };
        let status = child.wait().doing(format!("wait for `{line}`"))?;
        streamed.doing(format!("pass on the output of `{line}`"))?;

        if status.success() {
            println!("{total}");
            return Ok(());
        }
        if total.failed == 0 {
            // Something did not compile or a test program died, which no total can tell.
            println!("error: `{line}` did not run to its end: {status}");
        }
        println!("{total}");
        Err(Stop::relayed(1))
    }
}

/// Copies `from` to `to` line by line, adding up the summaries that pass.
fn stream(from: impl Read, to: &mut impl Write, total: &mut Total) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        total.add_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_passes_unchanged_and_is_added_up() {
        let output = b"running 2 tests\n\xff not text\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out";
        let mut copy = Vec::new();
        let mut total = Total::default();
        stream(&output[..], &mut copy, &mut total).unwrap();
        assert_eq!(copy, output);
        assert_eq!(total, Total { passed: 5, failed: 4, skipped: 1 });
    }
}
