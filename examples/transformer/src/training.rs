//! One training run: vocabulary, batches, Burn's `Learner`, quality, record.

mod exact;
mod pace;
mod recipe;

use std::sync::Arc;
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::AdamConfig;
use burn::optim::lr_scheduler::noam::NoamLrSchedulerConfig;
use burn::tensor::Device;
use burn::train::logger::FileMetricLogger;
use burn::train::metric::{IterationSpeedMetric, LearningRateMetric};
use burn::train::{Learner, SupervisedTraining};
use ergometer::Meter;
use ergometer_burn::{EnergyTraining as _, Metering};
use harness::{Artifacts, Failure, Flops, Progress, Quality, Summary, TokenLossMetric, TrainArgs};

use self::exact::ExactMatch;
use self::pace::Pace;
use self::recipe::Recipe;
pub use self::recipe::SIZES;
use crate::data::{Batch, Corpus, Example, TokenBatches, Vocabulary};
use crate::model::Transformer;

/// How a training is watched.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[derive(Clone, Copy, Debug)]
pub struct Show {
    /// By a meter.
    pub metered: bool,
    /// By two of Burn's own metrics beside the loss.
    pub burn_metrics: bool,
    /// In Burn's terminal UI.
    pub tui: bool,
    /// By the time of each step.
    pub pace: bool,
}

/// Trains on `corpus` as `args` say, under a meter if that is asked for, and reports what it cost.
///
/// # Errors
/// [`Failure::Usage`] for what the user can put right, before training starts; else
/// [`Failure::Run`].
pub fn run(args: &TrainArgs, show: Show, corpus: &Corpus) -> Result<(), Failure> {
    let device = harness::device(args)?;
    let artifacts = Artifacts::new(args)?;
    let meter = show.metered.then(|| harness::meter(args, "transformer", &device)).transpose()?;

    let mut recipe = Recipe::new(args.size, corpus.exact);
    let vocabulary = Vocabulary::train(&corpus.train, recipe.model.vocabulary)?;
    recipe.model.vocabulary = vocabulary.size();
    recipe.tune(&args.hyperparameters);
    if let Some(epochs) = args.epochs {
        recipe.epochs = epochs as usize;
    }
    let train = vocabulary.examples(&corpus.train, recipe.model.longest)?;
    let valid = vocabulary.examples(&corpus.valid, recipe.model.longest)?;
    if train.is_empty() || valid.is_empty() {
        return Err(Failure::usage(format!(
            "no sentence pair of {} has at most {} tokens a side, the longest of size {}",
            corpus.name, recipe.model.longest, args.size
        )));
    }

    let exact = corpus.exact.then(|| ExactMatch::new(&valid, &vocabulary)).transpose()?;
    let model = recipe.model.init(&device.clone().autodiff());
    let untrained = exact.as_ref().map(|exact| exact.score(&model.valid(), &device)).transpose()?;

    let progress = Progress::new(args.quiet);
    let flops = Flops::default();
    let run =
        Run { args, recipe: &recipe, meter: meter.as_ref(), device: &device, flops: &flops, show };
    let pace = show.pace.then(Pace::start);
    let begin = Instant::now();
    let model = run.fit(model, train, valid, &artifacts, &progress, pace.as_ref())?;
    device.sync().map_err(Failure::run)?;
    let seconds = begin.elapsed().as_secs_f64();
    // `cargo xtask performance` reads these lines.
    if let Some(pace) = &pace {
        eprint!("{}", pace.lines());
    }
    eprintln!("trained for {seconds:.4} s");
    let Some(meter) = &meter else { return Ok(()) };

    let losses = progress.losses();
    let quality = if let (Some(exact), Some(first)) = (&exact, untrained) {
        Quality { name: "exact_match", first, last: exact.score(&model, &device)? }
    } else {
        let perplexity = |loss: Option<f64>| loss.map_or(f64::NAN, f64::exp);
        Quality {
            name: "perplexity",
            first: perplexity(losses.valid.first()),
            last: perplexity(losses.valid.last()),
        }
    };
    harness::finish(
        meter,
        args,
        &device,
        &Summary {
            model: "transformer",
            corpus: &corpus.name,
            parameters: recipe.model.parameters(),
            quality,
            losses,
            flops,
            data: corpus.fingerprint(),
            configuration: format!("{recipe:?}"),
        },
    )?;
    Ok(())
}

/// What a training needs beside the model and the data.
struct Run<'a> {
    args: &'a TrainArgs,
    recipe: &'a Recipe,
    meter: Option<&'a Meter>,
    device: &'a Device,
    flops: &'a Flops,
    show: Show,
}

impl Run<'_> {
    /// Trains `model`; what comes back no longer learns.
    fn fit(
        &self,
        model: Transformer,
        train: Vec<Example>,
        valid: Vec<Example>,
        artifacts: &Artifacts,
        progress: &Progress,
        pace: Option<&Pace>,
    ) -> Result<Transformer, Failure> {
        let recipe = self.recipe;
        let train = TokenBatches::new(train, recipe.batch_tokens, self.device)
            .shuffled(self.args.seed)
            .at_most(recipe.steps)
            .counted(recipe.model, self.flops.clone());
        let valid = TokenBatches::new(valid, recipe.batch_tokens, self.device);
        let optimizer =
            AdamConfig::new().with_beta_1(0.9).with_beta_2(0.98).with_epsilon(1e-9).init();
        let schedule = NoamLrSchedulerConfig::new(recipe.rate)
            .with_warmup_steps(recipe.warmup)
            .with_model_size(recipe.model.d_model)
            .init()
            .map_err(Failure::run)?;

        let loader = |batches: TokenBatches| -> Arc<dyn DataLoader<Batch>> {
            let loader = Arc::new(batches);
            match pace {
                Some(pace) => pace.of(loader),
                None => loader,
            }
        };
        let (train, valid) = (loader(train), loader(valid));
        let mut training = if let Some(meter) = self.meter {
            let metering = Metering::new(meter).epochs(recipe.epochs);
            let metering = match recipe.accumulation {
                Some(batches) => metering.accumulated(batches),
                None => metering,
            };
            SupervisedTraining::metered(metering, artifacts.path(), train, valid)
        } else {
            let training =
                SupervisedTraining::new(artifacts.path(), train, valid).num_epochs(recipe.epochs);
            match recipe.accumulation {
                Some(batches) => training.grads_accumulation(batches),
                None => training,
            }
        }
        .metrics((TokenLossMetric::new(),))
        .with_metric_logger(FileMetricLogger::new(artifacts.path()))
        .with_application_logger(None);
        // Without a renderer of ours Burn shows its own; the losses of the epochs are then in its files only.
        if !self.show.tui {
            training = training.renderer(Box::new(progress.clone()));
        }
        if self.show.burn_metrics {
            training = training
                .metric_train_numeric(LearningRateMetric::new())
                .metric_train_numeric(IterationSpeedMetric::new())
                .metric_valid_numeric(LearningRateMetric::new())
                .metric_valid_numeric(IterationSpeedMetric::new());
        }
        let result = training.launch(Learner::new(model, optimizer, schedule));
        match result.error {
            Some(error) => Err(Failure::run(error)),
            None => Ok(result.model),
        }
    }
}
