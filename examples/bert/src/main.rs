//! BERT: a masked language model that also tells whether a sentence follows another, trained under a meter.
//!
//! ```text
//! cargo run --release -p bert
//! cargo run --release -p bert -- --text documents.txt --valid held-out.txt --size small --region DE
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

use data::{Corpus, Documents};
use model::Bert;
use training::{Recipe, Trainer};

/// Pre-trains BERT and reports what that cost.
#[derive(Parser)]
#[command(name = "bert", version)]
struct Args {
    /// Text to train on, plain or gzip: a sentence a line, a blank line between documents
    /// [default: documents generated from the seed]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    text: Vec<PathBuf>,

    /// Text to hold out, in the same form [default: the last twentieth of the documents]
    #[arg(long, value_name = "FILE", requires = "text")]
    valid: Option<PathBuf>,

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
    let recipe = Recipe::of(args.train.size.of("bert", training::SIZES)?)
        .with(args.train.epochs, args.steps)
        .tuned(&args.train.hyperparameters);
    let (documents, name) = read(args, &recipe)?;
    let corpus = Corpus::new(&documents, recipe.options.vocabulary)?;
    let recipe = recipe.for_vocabulary(corpus.vocabulary);
    let device = harness::device(&args.train)?;
    let meter = harness::meter(&args.train, "bert", &device)?;

    let model = Bert::new(&recipe.options, &device.clone().autodiff());
    let parameters = model.num_params();
    let trainer = Trainer::new(&corpus, &recipe, &device, &args.train);
    trainer.plan(&meter);
    let outcome = training::train(trainer, model);

    let (first, last) = (outcome.before, outcome.after);
    for (name, first, last) in [
        ("masked_perplexity", first.masked_loss().exp(), last.masked_loss().exp()),
        ("next_sentence_accuracy", first.next_accuracy(), last.next_accuracy()),
    ] {
        if first.is_finite() && last.is_finite() {
            meter.result(format!("{name}_first"), first);
            meter.result(name, last);
        }
    }
    meter.result("next_sentence_majority", last.next_majority());
    meter.result("next_sentence_pairs", last.pairs() as f64);
    harness::finish(
        &meter,
        &args.train,
        &device,
        &Summary {
            model: "bert",
            corpus: &name,
            parameters,
            quality: Quality {
                name: "masked_accuracy",
                first: first.masked_accuracy(),
                last: last.masked_accuracy(),
            },
            losses: outcome.losses,
            flops: outcome.flops,
            data: documents.fingerprint(),
            configuration: format!("{recipe:?}"),
        },
    )?;
    Ok(())
}

/// The documents to train on, those held out, and their name.
fn read(args: &Args, recipe: &Recipe) -> Result<(Documents, String), Failure> {
    if args.text.is_empty() {
        let documents = data::generated(args.train.seed, recipe.documents);
        return Ok((Documents::held_out(documents)?, "generated-documents".to_owned()));
    }
    let mut documents = Vec::new();
    for path in &args.text {
        documents.extend(data::documents(&harness::corpus::read_lines(path)?));
    }
    let documents = match &args.valid {
        Some(path) => {
            let valid = data::documents(&harness::corpus::read_lines(path)?);
            Documents::new(documents, valid)?
        }
        None => Documents::held_out(documents)?,
    };
    let names = args.text.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    Ok((documents, names.join(" ")))
}
