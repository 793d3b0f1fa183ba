//! GPT-2: a decoder-only language model, trained under a meter.
//!
//! ```text
//! cargo run --release -p gpt2
//! cargo run --release -p gpt2 -- --text shakespeare.txt --epochs 8
//! cargo run --release -p gpt2 -- --text corpus.txt --size base --tokens bytes --region DE
//! ```
#![forbid(unsafe_code)]

mod data;
mod model;
mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use burn::module::Module;
use clap::Parser;
use harness::{Failure, Fingerprint, Quality, Summary, TrainArgs};

use data::{Corpus, Tokens};
use model::Gpt2;
use training::{Recipe, Trainer};

/// Trains GPT-2 and reports what that cost.
#[derive(Parser)]
#[command(name = "gpt2", version)]
struct Args {
    /// Text to train on, plain or gzip; the last tenth is held out [default: text generated from
    /// the seed]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    text: Vec<PathBuf>,

    /// What a token is [default: characters up to the size small, bytes above]
    #[arg(long, value_enum)]
    tokens: Option<Tokens>,

    /// Steps of an epoch, in place of the size's own number
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
    let recipe = Recipe::of(args.train.size.of("gpt2", training::SIZES)?)
        .with(args.train.epochs, args.steps)
        .tuned(&args.train.hyperparameters);
    let tokens = args.tokens.unwrap_or(recipe.tokens);
    let (text, name) = read(args, &recipe)?;
    let corpus = Corpus::new(&text, tokens, recipe.options.vocabulary)?;
    let recipe = recipe.for_vocabulary(corpus.vocabulary);
    corpus.check(recipe.options.context)?;
    let device = harness::device(&args.train)?;
    let meter = harness::meter(&args.train, "gpt2", &device)?;

    let model = Gpt2::new(&recipe.options, &device.clone().autodiff());
    let parameters = model.num_params();
    let trainer = Trainer::new(&corpus, &recipe, &device, &args.train);
    trainer.plan(&meter);
    let outcome = training::train(trainer, model);

    harness::finish(
        &meter,
        &args.train,
        &device,
        &Summary {
            model: "gpt2",
            corpus: &name,
            parameters,
            quality: Quality {
                name: "perplexity",
                first: outcome.untrained.exp(),
                last: outcome.losses.valid.last().unwrap_or(f64::NAN).exp(),
            },
            losses: outcome.losses,
            flops: outcome.flops,
            data: Fingerprint::of([text.as_str()]),
            configuration: format!("{recipe:?}"),
        },
    )?;
    Ok(())
}

/// The text to train on and its name.
fn read(args: &Args, recipe: &Recipe) -> Result<(String, String), Failure> {
    if args.text.is_empty() {
        let text = data::generated(args.train.seed, recipe.sentences);
        return Ok((text, "generated-english".to_owned()));
    }
    let mut text = String::new();
    for path in &args.text {
        for line in harness::corpus::read_lines(path)? {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let names = args.text.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    Ok((text, names.join(" ")))
}
