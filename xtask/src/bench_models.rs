//! `cargo xtask bench-models`: trains the example models, each in a process of its own, and
//! reports what that cost.

mod against;
mod child;
mod comparison;
mod conditions;
mod corpus;
mod csv_rows;
mod figure;
mod files;
mod html;
mod notes;
mod order;
mod paper;
mod projection;
mod replay;
mod report;
pub mod simulate;
mod software;
mod spread;
mod steady;
mod sweep;
mod table;

use std::path::PathBuf;

use clap::ValueEnum;
use ergometer::footprint::Site;
use ergometer::report::{paragraph, width};
use serde::{Deserialize, Serialize};

use crate::stop::{Doing, Stop};
use crate::workspace;
use comparison::Comparison;
use conditions::Conditions;
use report::{Measured, Report, Setting, Settings};
use simulate::Simulation;

/// Train the example models and report what each cost in energy, greenhouse gases and money
///
/// Builds the models, says which power sources this machine has, trains each model in a process
/// of its own, and ends with a table in the form of Strubell et al. (2019), Table 3. Each run's
/// record and the report as JSON, Markdown and CSV are written to the folder `--out`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchModels {
    /// Models to train, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Selection::Transformer, Selection::Elmo])]
    models: Vec<Selection>,

    /// Size of the models; from `base` on they are the papers' own
    #[arg(long, value_enum, default_value_t = Size::Tiny)]
    size: Size,

    /// Backend of Burn, compiled in on demand
    #[arg(long, value_enum, default_value_t = Backend::Flex)]
    backend: Backend,

    /// Device, as the backend counts
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    device: usize,

    /// Seed of the first run; each repeat takes the next one
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Runs of each model, in random order within each repeat; the report has their mean with its 95 % interval
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,

    /// Measure what the machine draws when idle for this long before each run, seconds; 0 for not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    idle: f64,

    /// Compare with the report of an earlier benchmark: ratio, intervals and a verdict for each model
    #[arg(long, value_name = "REPORT.JSON", conflicts_with = "against")]
    compare: Option<PathBuf>,

    /// Compare with a commit, or with a command that takes the same arguments: --repeats pairs of runs, in random
    /// order within each pair
    #[arg(long, value_name = "COMMIT|COMMAND")]
    against: Option<String>,

    /// Difference that matters: a verdict is `less`, `more` or `no difference` where the whole interval says so
    #[arg(long, value_name = "PERCENT", default_value = "2%", value_parser = comparison::share)]
    margin: f64,

    /// With --compare or --against: exit with 1 where energy rose by more than this, beyond the interval
    #[arg(long, value_name = "PERCENT", value_parser = comparison::share)]
    fail_above: Option<f64>,

    /// Run the training of a record again and compare its losses bit for bit
    #[arg(long, value_name = "RECORD", conflicts_with_all = ["compare", "against", "sweep"])]
    replay: Option<PathBuf>,

    /// Search hyperparameters as a file says, each trial metered, within a budget; goes on where it was killed
    #[arg(long, value_name = "SWEEP.TOML", conflicts_with_all = ["compare", "against"])]
    sweep: Option<PathBuf>,

    /// Epochs; each model has a default of its own for each size
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,

    /// Parallel corpus for the transformer: PREFIX.SOURCE and PREFIX.TARGET, one sentence a line
    #[arg(long, value_name = "PREFIX")]
    parallel: Option<PathBuf>,

    /// Extension of the parallel corpus's source language
    #[arg(long, value_name = "LANGUAGE", default_value = "en", requires = "parallel")]
    source: String,

    /// Extension of the parallel corpus's target language
    #[arg(long, value_name = "LANGUAGE", default_value = "de", requires = "parallel")]
    target: String,

    /// Text for the models elmo, bert and gpt2: a sentence a line; for bert a blank line ends a document
    #[arg(long, value_name = "FILE", num_args = 1..)]
    text: Vec<PathBuf>,

    /// Where the electricity comes from: an ISO country code, an eGRID or a cloud region
    #[arg(long)]
    region: Option<String>,

    /// Power usage effectiveness of the building, 1 or more
    #[arg(long)]
    pue: Option<f64>,

    /// Where the constants that are not given come from
    #[arg(long, value_enum, default_value_t = Preset::Current)]
    preset: Preset,

    /// Profile the models are built in
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,

    /// Folder for records, logs and reports [default: target/bench-models]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Meter simulated GPUs: h100, a100, v100, rtx or pascal, several of them as h100x4. Their
    /// energies are made up and are not to be published
    #[arg(long, value_name = "BOARDS")]
    simulate: Option<Simulation>,

    /// Print the report as JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// An example package that trains a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Encoder and decoder, trained to translate
    Transformer,
    /// Bidirectional language model over characters
    Elmo,
    /// Masked language model, and whether a sentence follows another
    Bert,
    /// Decoder-only language model
    Gpt2,
}

/// What `--models` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Selection {
    /// Encoder and decoder, trained to translate
    Transformer,
    /// Bidirectional language model over characters
    Elmo,
    /// Masked language model, and whether a sentence follows another
    Bert,
    /// Decoder-only language model
    Gpt2,
    /// All of them
    All,
}

impl Selection {
    fn models(self) -> Vec<Model> {
        match self {
            Self::Transformer => vec![Model::Transformer],
            Self::Elmo => vec![Model::Elmo],
            Self::Bert => vec![Model::Bert],
            Self::Gpt2 => vec![Model::Gpt2],
            Self::All => Model::value_variants().to_vec(),
        }
    }
}

/// A size that the example packages know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// Seconds: shows that everything works
    Smoke,
    /// A minute or two on two cores
    Tiny,
    /// Between tiny and small (BERT)
    Mini,
    /// An hour or so on two cores
    Small,
    /// The paper's base model
    Base,
    /// The paper's big model (Transformer)
    Big,
    /// A published model: of GPT-2 above `base`, of BERT below it
    Medium,
    /// A larger published model (GPT-2, BERT)
    Large,
    /// The largest published model (GPT-2)
    Xl,
}

/// A backend of Burn; all but `flex` are cargo features of the example packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The CPU, pure Rust
    Flex,
    /// Any GPU with a Vulkan driver
    Vulkan,
    /// NVIDIA GPUs
    Cuda,
}

/// A set of constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Today's averages, each with source and year
    Current,
    /// The paper's: PUE 1.58, 0.954 lb CO2e/kWh, $0.12/kWh
    Strubell2019,
}

/// A profile of cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Optimised
    Release,
    /// Quick to rebuild; dependencies are optimised
    Dev,
}

/// The word for a value on a command line.
fn word(value: impl ValueEnum + Copy) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl BenchModels {
    /// Builds, trains and reports.
    pub fn run(&self) -> Result<(), Stop> {
        let models = self.distinct_models();
        self.check_input()?;
        let old = self.compare.as_deref().map(comparison::read).transpose()?;
        let out = self.out.clone().unwrap_or_else(|| workspace::root().join("target/bench-models"));
        std::fs::create_dir_all(&out).doing(format!("create the folder {}", out.display()))?;

        let nvml = self.simulate.map(|boards| boards.library(&out)).transpose()?;
        if let Some(record) = &self.replay {
            return self.run_again(record, nvml.as_deref(), &out);
        }
        if let Some(file) = &self.sweep {
            return self.run_sweep(file, nvml.as_deref(), &out);
        }
        let programs = child::build(&models, self.backend, self.profile, None)?;
        let before = Conditions::now();
        let mut peak = None;
        if let Some((_, program)) = programs.first() {
            let sources = child::probe(program, nvml.as_deref())?;
            eprint!("{}", notes::sources(&sources));
            peak = child::peak(program, &word(self.backend), self.device);
        }

        let (measured, failures, mut comparisons) = if let Some(base) = &self.against {
            let against::Outcome { comparisons, measured, failures } =
                self.run_pairs(base, &models, nvml.as_deref(), &out)?;
            (measured, failures, comparisons)
        } else {
            let (measured, failures) = self.train_all(&programs, nvml.as_deref(), &out)?;
            (measured, failures, Vec::new())
        };

        let failed = failures.len();
        let setting = Setting {
            settings: self.settings(),
            software: software::read(),
            conditions: vec![before, Conditions::now()],
            peak,
        };
        if let Some(mut report) = Report::new(setting, &models, measured, failures) {
            if let (Some(old), Some(path)) = (&old, &self.compare) {
                let name = path.display().to_string();
                comparisons = Comparison::with_report(&report, old, &name, self.margin);
            }
            report.comparisons = comparisons;
            self.show(&report, &out)?;
            if failed == 0
                && let Some(limit) = self.fail_above
            {
                comparison::judge(&report.comparisons, limit)?;
            }
        }
        match failed {
            0 => Ok(()),
            _ => Err(Stop::failed(format!("runs that failed: {failed}"))),
        }
    }

    /// Writes the report's files and prints it.
    fn show(&self, report: &Report, out: &std::path::Path) -> Result<(), Stop> {
        let written = files::write(report, out)?;
        if self.json {
            println!("{}", report.to_json()?);
        } else {
            print!("{}", notes::notice(report));
            print!("{}", table::terminal(report));
            for line in notes::of(report).lines() {
                println!("{}", paragraph(line, 4, width()));
            }
            print!("{}", notes::written(&written));
        }
        Ok(())
    }

    /// Trains every model in every repeat; what fails is told apart.
    fn train_all(
        &self,
        programs: &[(Model, PathBuf)],
        nvml: Option<&std::path::Path>,
        out: &std::path::Path,
    ) -> Result<(Vec<Measured>, Vec<String>), Stop> {
        let models: Vec<Model> = programs.iter().map(|(model, _)| *model).collect();
        let (mut measured, mut failures) = (Vec::new(), Vec::new());
        for (model, repeat) in order::of(&models, self.repeats, self.seed) {
            let Some((_, program)) = programs.iter().find(|(one, _)| *one == model) else {
                continue;
            };
            match self.train(model, program, nvml, repeat, out) {
                Ok(run) => measured.push(run),
                Err(child::Failure::WrongInput) => return Err(Stop::relayed(2)),
                Err(child::Failure::Other(message)) => {
                    eprintln!("error: {message}");
                    failures.push(message);
                }
            }
        }
        Ok((measured, failures))
    }

    /// Trains one model once.
    fn train(
        &self,
        model: Model,
        program: &std::path::Path,
        nvml: Option<&std::path::Path>,
        repeat: u32,
        out: &std::path::Path,
    ) -> Result<Measured, child::Failure> {
        let number = repeat + 1;
        let seed = self.seed.wrapping_add(u64::from(repeat));
        let record_path = out.join(format!("{}-{number}.json", word(model)));
        let log_path = out.join(format!("{}-{number}.log", word(model)));
        eprintln!(
            "==> {} {}, seed {seed}, run {number} of {}",
            word(model),
            word(self.size),
            self.repeats
        );
        let idle = (self.idle > 0.0).then_some(self.idle);
        let arguments = self.arguments(model, seed, idle);
        let record = child::train(program, nvml, &arguments, &record_path, &log_path)?;
        Ok(Measured { model, record, record_path, log_path })
    }

    /// The arguments of a model's program, its record's path left out.
    fn arguments(&self, model: Model, seed: u64, idle: Option<f64>) -> Vec<std::ffi::OsString> {
        let mut arguments = Vec::new();
        let mut option = |name: &str, value: std::ffi::OsString| {
            arguments.extend([std::ffi::OsString::from(format!("--{name}")), value]);
        };
        option("size", word(self.size).into());
        option("seed", seed.to_string().into());
        option("backend", word(self.backend).into());
        option("device", self.device.to_string().into());
        option("preset", word(self.preset).into());
        if let Some(region) = &self.region {
            option("region", region.into());
        }
        if let Some(pue) = self.pue {
            option("pue", pue.to_string().into());
        }
        if let Some(seconds) = idle {
            option("idle", seconds.to_string().into());
        }
        if let Some(epochs) = self.epochs {
            option("epochs", epochs.to_string().into());
        }
        match model {
            Model::Transformer => {
                if let Some(prefix) = &self.parallel {
                    option("parallel", prefix.into());
                    option("source", (&self.source).into());
                    option("target", (&self.target).into());
                }
            }
            Model::Elmo | Model::Bert | Model::Gpt2 => {
                for file in &self.text {
                    option("text", file.into());
                }
            }
        }
        if self.simulate.is_some() {
            // None of them is the device's own.
            arguments.push("--all-boards".into());
        }
        arguments
    }

    /// The models in the order given, each once.
    fn distinct_models(&self) -> Vec<Model> {
        let mut models = Vec::new();
        for model in self.models.iter().flat_map(|selection| selection.models()) {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        models
    }

    /// Says what is wrong before minutes of building rather than after.
    fn check_input(&self) -> Result<(), Stop> {
        self.site().map_err(|error| Stop::wrong_input(error.to_string()))?;
        if let Some(prefix) = &self.parallel {
            corpus::check_parallel(prefix, [&self.source, &self.target])?;
        }
        if !(0.0..=3600.0).contains(&self.idle) {
            return Err(Stop::wrong_input("--idle is a number of seconds from 0 to 3600"));
        }
        if self.fail_above.is_some() && self.compare.is_none() && self.against.is_none() {
            return Err(Stop::wrong_input("--fail-above needs --compare or --against"));
        }
        if self.against.is_some() && self.repeats < 2 {
            return Err(Stop::wrong_input(
                "--against needs --repeats of 2 or more; 6 give every interval",
            ));
        }
        corpus::check_files(&self.text)
    }

    /// What the models will make of `--preset`, `--region` and `--pue`.
    fn site(&self) -> ergometer::Result<Site> {
        let mut site = Site::preset(&word(self.preset))?;
        if let Some(region) = &self.region {
            site = site.region(region)?;
        }
        if let Some(pue) = self.pue {
            site = site.with_pue(pue)?;
        }
        Ok(site)
    }

    fn settings(&self) -> Settings {
        Settings {
            command: std::env::args().collect(),
            size: self.size,
            backend: self.backend,
            device: self.device,
            seed: self.seed,
            repeats: self.repeats,
            epochs: self.epochs,
            profile: self.profile,
            preset: self.preset,
            simulate: self.simulate.map(|boards| boards.to_string()),
            idle_seconds: self.idle,
        }
    }
}
