//! Trains a Transformer (Vaswani et al., 2017) to translate, and reports what that cost.
//!
//! Without arguments it learns to turn numbers in English words into German words; with
//! `--parallel` it learns from a corpus of sentence pairs.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::TrainArgs;
use transformer::{data, training};

/// Train a Transformer to translate, and report the energy, carbon and money it cost
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    train: TrainArgs,

    /// Learn from PREFIX.SOURCE and PREFIX.TARGET, one sentence a line, plain or gzip
    #[arg(long, value_name = "PREFIX")]
    parallel: Option<PathBuf>,

    /// Language to translate from: the suffix of its file
    #[arg(long, value_name = "LANG", default_value = "en", requires = "parallel")]
    source: String,

    /// Language to translate into: the suffix of its file
    #[arg(long, value_name = "LANG", default_value = "de", requires = "parallel")]
    target: String,

    /// Show Burn's terminal UI, with energy and power among its plots, in place of the progress bar
    #[arg(long, conflicts_with = "quiet")]
    tui: bool,

    /// Train without a meter, to see what metering costs: only the time is reported
    #[arg(long, conflicts_with = "record")]
    unmetered: bool,

    /// With --unmetered: log two of Burn's own metrics, to see what metrics cost in Burn
    #[arg(long, requires = "unmetered")]
    burn_metrics: bool,

    /// Print how long each step took, and how much processor time the meter's threads
    #[arg(long)]
    pace: bool,
}

fn main() -> ExitCode {
    harness::run(|| {
        let args = Args::parse();
        if let Some(shown) = harness::shown_instead(&args.train) {
            return shown;
        }
        args.train.size.of("transformer", training::SIZES)?;
        let corpus = match &args.parallel {
            Some(prefix) => data::Corpus::parallel(prefix, &args.source, &args.target)?,
            None => data::Corpus::numbers(args.train.size, args.train.seed),
        };
        let show = training::Show {
            metered: !args.unmetered,
            burn_metrics: args.burn_metrics,
            tui: args.tui,
            pace: args.pace,
        };
        training::run(&args.train, show, &corpus)
    })
}
