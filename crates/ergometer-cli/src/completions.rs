//! Shell completions and manual pages, by clap's own crates.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Cli;
use crate::outcome::{Outcome, Stop};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "ergometer", &mut text);
        Outcome::of(String::from_utf8_lossy(&text))
    }
}

/// Print the manual page, or write one for each command
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Folder for `ergometer.1`, `ergometer-run.1` and so on; it has to exist
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

impl Man {
    pub fn run(self) -> Result<Outcome, Stop> {
        if let Some(folder) = self.output {
            clap_mangen::generate_to(Cli::command(), &folder).map_err(|error| {
                Stop::new(format!("'{}' cannot be written: {error}", folder.display()))
                    .with_remedy("make the folder first")
            })?;
            return Ok(Outcome::of(""));
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Stop::new(format!("the manual cannot be made: {error}")))?;
        Ok(Outcome::of(String::from_utf8_lossy(&page)))
    }
}
