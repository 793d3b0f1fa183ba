//! Searches for an architecture (So, Liang and Le, 2019: the Evolved Transformer) at a small scale, with every trial
//! metered, and reports what that cost.
//!
//! ```text
//! cargo run --release -p search
//! cargo run --release -p search -- --parallel multi30k/train --trials 60
//! ```
//!
//! Evolution begins from the Transformer. Random search in the same space gets the same joules. Then the winners and
//! the Transformer are trained on fresh seeds. The published search is the size `base`.
#![forbid(unsafe_code)]

mod data;
mod evolution;
mod extrapolation;
mod genes;
mod model;
mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::{Failure, TrainArgs};
use transformer::data::Corpus;

use training::Recipe;

/// Searches for an architecture and reports what that cost.
#[derive(Parser)]
#[command(name = "search", version)]
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

    /// Trials of evolution, in place of the size's own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    trials: Option<u32>,

    /// Trials of random search; without it that ends when it has taken evolution's joules
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    random_trials: Option<u32>,

    /// Fresh seeds on which the winners are trained again, in place of the size's own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    fresh_seeds: Option<u32>,

    /// Train every trial of both searches to the end
    #[arg(long)]
    without_hurdles: bool,
}

fn main() -> ExitCode {
    harness::run(|| run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Failure> {
    if let Some(shown) = harness::shown_instead(&args.train) {
        return shown;
    }
    let size = args.train.size.of("search", training::SIZES)?;
    if args.train.epochs.is_some() {
        return Err(Failure::usage("search has no --epochs; --trials says how long evolution is"));
    }
    let corpus = match &args.parallel {
        Some(prefix) => Corpus::parallel(prefix, &args.source, &args.target)?,
        None => Corpus::numbers(size, args.train.seed),
    };
    let mut recipe = Recipe::of(size, corpus.exact);
    recipe.tune(&args.train.hyperparameters);
    let number = |given: Option<u32>, own| given.map_or(own, |given| given as usize);
    recipe.trials = number(args.trials, recipe.trials);
    recipe.seeds = number(args.fresh_seeds, recipe.seeds);
    if args.without_hurdles {
        recipe.without_hurdles();
    }
    let random_trials = args.random_trials.map(|trials| trials as usize);
    training::run(&args.train, &recipe, random_trials, &corpus)
}
