//! `ergometer`: what a program, a record or a project costs in joules, CO2e and money.
//!
//! Each command is a file. It returns the text for stdout and the exit code; only `main` prints, so that a
//! closed pipe is handled once. `run` is the exception: stdout belongs to the program that it runs.

mod calibrate;
mod compare;
mod completions;
mod constants;
mod doctor;
mod footprint;
mod grafana;
mod journals;
mod ledger;
mod merge;
mod metering;
mod outcome;
mod paper;
mod prices;
mod programs;
mod recover;
mod regions;
mod report;
mod resume_info;
mod run;
mod site;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use outcome::{Outcome, Stop};

/// Measure and report what training a model costs: joules, kWh, CO2e and money
#[derive(Debug, Parser)]
#[command(name = "ergometer", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Shown below the help, and in the manual.
const EXIT_CODES: &str = "Exit codes:\n  \
    0  done\n  \
    1  a check failed: doctor --require, compare --fail-above, paper\n  \
    2  wrong usage, or a file that cannot be read or written\n  \
    run passes the program's exit code through: 128+n if signal n ended it, 127 if it was not found,\n  \
    126 if it cannot be executed, 125 if the meter was not started or the usage is wrong";

#[derive(Debug, Subcommand)]
enum Command {
    Doctor(doctor::Doctor),
    Run(run::Run),
    Report(report::Report),
    Compare(compare::Compare),
    Calibrate(calibrate::Calibrate),
    Recover(recover::Recover),
    Merge(merge::Merge),
    ResumeInfo(resume_info::ResumeInfo),
    Ledger(ledger::Ledger),
    Footprint(footprint::Footprint),
    Grafana(grafana::Grafana),
    Paper(paper::Paper),
    Regions(regions::Regions),
    Prices(prices::Prices),
    Sources(constants::Sources),
    Completions(completions::Completions),
    Man(completions::Man),
}

impl Command {
    fn run(self) -> Result<Outcome, Stop> {
        match self {
            Self::Doctor(command) => command.run(),
            Self::Run(command) => command.run(),
            Self::Report(command) => command.run(),
            Self::Compare(command) => command.run(),
            Self::Calibrate(command) => command.run(),
            Self::Recover(command) => command.run(),
            Self::Merge(command) => command.run(),
            Self::ResumeInfo(command) => command.run(),
            Self::Ledger(command) => command.run(),
            Self::Footprint(command) => command.run(),
            Self::Grafana(command) => command.run(),
            Self::Paper(command) => command.run(),
            Self::Regions(command) => command.run(),
            Self::Prices(command) => command.run(),
            Self::Sources(command) => command.run(),
            Self::Completions(command) => Ok(command.run()),
            Self::Man(command) => command.run(),
        }
    }
}

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return not_understood(&error),
    };
    match command.run() {
        Ok(outcome) => outcome.print(),
        Err(stop) => stop.print(),
    }
}

/// Prints what is wrong with the command line, or the help that it asks for. Of `run` 2 would look like the exit code
/// of the program.
fn not_understood(error: &clap::Error) -> ExitCode {
    // Where nobody reads it, there is nobody to tell.
    let _ = error.print();
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if std::env::args_os().nth(1).is_some_and(|command| command == "run") => {
            ExitCode::from(run::NOT_METERED)
        }
        _ => ExitCode::from(outcome::WRONG_INPUT),
    }
}
