//! ELMo: a bidirectional language model over characters, trained under a meter.
//!
//! ```text
//! cargo run --release -p elmo
//! cargo run --release -p elmo -- --text corpus.txt more.txt.gz --size small --region DE
//! ```
#![forbid(unsafe_code)]

mod data;
mod model;
mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use burn::module::Module;
use clap::Parser;
use harness::{Failure, Quality, Summary, TrainArgs};

use data::{Corpus, Split};
use model::{Elmo, Options};
use training::{Plan, Trainer};

/// Trains ELMo's bidirectional language model and reports what that cost.
#[derive(Parser)]
#[command(name = "elmo", version)]
struct Args {
    /// Text to train on, a sentence a line, plain or gzip; the last 5 % of the lines are held out
    /// [default: sentences generated from the seed]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    text: Vec<PathBuf>,

    /// Steps of an epoch at most, in place of the size's own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,

    #[command(flatten)]
    train: TrainArgs,
}

fn main() -> ExitCode {
    harness::run(|| run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Failure> {
    if let Some(shown) = harness::shown_instead(&args.train) {
        return shown;
    }
    let size = args.train.size.of("elmo", training::SIZES)?;
    let mut options = Options::of(size);
    let plan = Plan::of(size)
        .with(args.train.epochs, args.steps)
        .tuned(&args.train.hyperparameters, &mut options);
    let (split, name) = read(args, &plan)?;
    let corpus = Corpus::new(&split, plan.vocabulary, options.word_length);
    plan.check(&corpus).map_err(Failure::usage)?;
    let device = harness::device(&args.train)?;
    let meter = harness::meter(&args.train, "elmo", &device)?;

    let model = Elmo::new(&options, corpus.vocabulary(), &device.clone().autodiff());
    let parameters = model.num_params();
    let trainer = Trainer::new(&corpus, &plan, &options, &device, &args.train);
    trainer.tell(&meter)?;
    let outcome = training::train(trainer, model)?;

    harness::finish(
        &meter,
        &args.train,
        &device,
        &Summary {
            model: "elmo",
            corpus: &name,
            parameters,
            quality: Quality {
                name: "perplexity",
                first: outcome.untrained.exp(),
                last: outcome.losses.valid.last().unwrap_or(f64::NAN).exp(),
            },
            losses: outcome.losses,
            flops: outcome.flops,
            data: split.fingerprint(),
            configuration: format!("{options:?}, {plan:?}"),
        },
    )?;
    Ok(())
}

/// The sentences to train on and what they are called.
fn read(args: &Args, plan: &Plan) -> Result<(Split, String), Failure> {
    if args.text.is_empty() {
        let (train, valid) = plan.sentences;
        return Ok((
            data::generated(args.train.seed, train, valid),
            "generated-english".to_owned(),
        ));
    }
    let mut sentences = Vec::new();
    for path in &args.text {
        sentences
            .extend(harness::corpus::read_lines(path)?.iter().map(|line| data::tokenise(line)));
    }
    let name = args.text.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    Ok((data::held_out(sentences).map_err(Failure::usage)?, name.join(" ")))
}
