//! The workspace's own commands: `cargo xtask bench-models`, `paper`, `accuracy`, `performance`, `reliability`, `spark`,
//! `test`, `tidy`, `targets`, `ci`.
//!
//! It depends on neither Burn nor the library's internals: it builds and runs programs, and reads
//! the records they write.

mod accuracy;
mod artifacts;
mod bench_models;
mod ci;
mod git;
mod lab;
mod paper;
mod performance;
mod reliability;
mod spark;
mod stop;
mod targets;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of the Ergometer workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    BenchModels(Box<bench_models::BenchModels>),
    Paper(paper::Paper),
    Accuracy(accuracy::Accuracy),
    Performance(performance::Performance),
    Reliability(reliability::Reliability),
    Spark(spark::Spark),
    Test(test::Test),
    Tidy(tidy::Tidy),
    Targets(targets::Targets),
    Ci(ci::Ci),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::BenchModels(task) => task.run(),
        Task::Paper(task) => task.run(),
        Task::Accuracy(task) => task.run(),
        Task::Performance(task) => task.run(),
        Task::Reliability(task) => task.run(),
        Task::Spark(task) => task.run(),
        Task::Test(task) => task.run(),
        Task::Tidy(task) => task.run(),
        Task::Targets(task) => task.run(),
        Task::Ci(task) => task.run(),
    };
    outcome.map_or_else(|stop| stop.report(), |()| ExitCode::SUCCESS)
}
