//! The command line of `bench-models`, and what follows from it for the models' programs.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use ergometer::footprint::Site;

use super::choices::{Backend, ForModel, Model, Preset, Profile, Selection, Size, Subject, word};
use super::corpus;
use super::report::Settings;
use super::simulate::Simulation;
use crate::stop::Stop;

/// Train the example models and report what each cost in energy, greenhouse gases and money
///
/// Builds the models, says which power sources this machine has, trains each model in a process
/// of its own, and ends with a table in the form of Strubell et al. (2019), Table 3. Each run's
/// record and the report as JSON, Markdown and CSV are written to the folder `--out`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchModels {
    /// Models to train, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Selection::Transformer, Selection::Elmo])]
    pub models: Vec<Selection>,

    /// Size of the models; from `base` on they are the papers' own
    #[arg(long, value_enum, default_value_t = Size::Tiny)]
    pub size: Size,

    /// Backends of Burn, compiled in on demand; each model is trained on every one, for rows side by side
    #[arg(long = "backend", value_enum, value_delimiter = ',', default_values_t = [Backend::Flex])]
    pub backends: Vec<Backend>,

    /// Device, as the backend counts
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub device: usize,

    /// Seed of the first run; each repeat takes the next one
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Runs of each model, in random order within each repeat; the report has their mean with its 95 % interval
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: u32,

    /// Measure what the machine draws when idle for this long before each run, seconds; 0 for not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    pub idle: f64,

    /// Compare with the report of an earlier benchmark: ratio, intervals and a verdict for each model
    #[arg(long, value_name = "REPORT.JSON", conflicts_with = "against")]
    pub compare: Option<PathBuf>,

    /// Compare with a commit, or with a command that takes the same arguments: --repeats pairs of runs, in random
    /// order within each pair
    #[arg(long, value_name = "COMMIT|COMMAND")]
    pub against: Option<String>,

    /// Difference that matters: a verdict is `less`, `more` or `no difference` where the whole interval says so
    #[arg(long, value_name = "PERCENT", default_value = "2%", value_parser = share)]
    pub margin: f64,

    /// With --compare or --against: exit with 1 where energy rose by more than this, beyond the interval
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub fail_above: Option<f64>,

    /// Run the training of a record again and compare its losses bit for bit
    #[arg(long, value_name = "RECORD", conflicts_with_all = ["compare", "against", "sweep"])]
    pub replay: Option<PathBuf>,

    /// Search hyperparameters as a file says, each trial metered, within a budget; goes on where it was killed
    #[arg(long, value_name = "SWEEP.TOML", conflicts_with_all = ["compare", "against"])]
    pub sweep: Option<PathBuf>,

    /// Epochs, or epochs of one model as gpt2=8; each model has a default of its own for each size (not search)
    #[arg(long, value_name = "[MODEL=]N", value_delimiter = ',')]
    pub epochs: Vec<ForModel<NonZeroU32>>,

    /// Parallel corpus for the transformer and the search: PREFIX.SOURCE and PREFIX.TARGET, one sentence a line
    #[arg(long, value_name = "PREFIX")]
    pub parallel: Option<PathBuf>,

    /// Extension of the parallel corpus's source language
    #[arg(long, value_name = "LANGUAGE", default_value = "en", requires = "parallel")]
    pub source: String,

    /// Extension of the parallel corpus's target language
    #[arg(long, value_name = "LANGUAGE", default_value = "de", requires = "parallel")]
    pub target: String,

    /// Text for the models elmo, bert and gpt2, or for one of them as gpt2=FILE: a sentence a line; for bert a
    /// blank line ends a document
    #[arg(long, value_name = "[MODEL=]FILE", num_args = 1..)]
    pub text: Vec<ForModel<PathBuf>>,

    /// Text that bert holds out, in the same form [default: the last documents of its text]
    #[arg(long, value_name = "FILE", requires = "text")]
    pub valid: Option<PathBuf>,

    /// Where the electricity comes from: an ISO country code, an eGRID or a cloud region
    #[arg(long)]
    pub region: Option<String>,

    /// Power usage effectiveness of the building, 1 or more
    #[arg(long)]
    pub pue: Option<f64>,

    /// Where the constants that are not given come from
    #[arg(long, value_enum, default_value_t = Preset::Current)]
    pub preset: Preset,

    /// Profile the models are built in
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,

    /// Folder for records, logs and reports [default: target/bench-models]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Meter simulated GPUs: h100, a100, v100, rtx or pascal, several of them as h100x4. Their
    /// energies are made up and are not to be published
    #[arg(long, value_name = "BOARDS")]
    pub simulate: Option<Simulation>,

    /// Put reports of earlier benchmarks, and records of the models, on this machine together into one report, and
    /// train nothing
    #[arg(long, value_name = "REPORT|RECORD", num_args = 1.., conflicts_with_all = ["against", "replay", "sweep"])]
    pub merge: Vec<PathBuf>,

    /// Write the report as a page of documentation too, with its date, machine and commit
    #[arg(long, value_name = "PAGE.MD")]
    pub page: Option<PathBuf>,

    /// Line for the notes of the report: what has to be known of the machine
    #[arg(long, value_name = "TEXT")]
    pub remark: Vec<String>,

    /// Print the report as JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

impl BenchModels {
    /// The arguments of a model's program, its record's path left out.
    pub fn arguments(&self, subject: Subject, seed: u64, idle: Option<f64>) -> Vec<OsString> {
        let Subject { model, size, backend } = subject;
        let mut arguments = Vec::new();
        let mut option = |name: &str, value: OsString| {
            arguments.extend([OsString::from(format!("--{name}")), value]);
        };
        option("size", word(size).into());
        option("seed", seed.to_string().into());
        option("backend", word(backend).into());
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
        if let Some(epochs) = ForModel::of(&self.epochs, Some(model)).last()
            && model != Model::Search
        {
            option("epochs", epochs.to_string().into());
        }
        match model {
            Model::Transformer | Model::Search => {
                if let Some(prefix) = &self.parallel {
                    option("parallel", prefix.into());
                    option("source", (&self.source).into());
                    option("target", (&self.target).into());
                }
            }
            Model::Elmo | Model::Bert | Model::Gpt2 => {
                for file in ForModel::of(&self.text, Some(model)) {
                    option("text", file.into());
                }
            }
        }
        if let (Model::Bert, Some(file)) = (model, &self.valid) {
            option("valid", file.into());
        }
        if self.simulate.is_some() {
            // None of them is the device's own.
            arguments.push("--all-boards".into());
        }
        arguments
    }

    /// The models in the order given, each once.
    pub fn distinct_models(&self) -> Vec<Model> {
        let mut models = Vec::new();
        for model in self.models.iter().flat_map(|selection| selection.models()) {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        models
    }

    /// What is trained: every model on every backend.
    pub fn subjects(&self) -> Vec<Subject> {
        let models = self.distinct_models().into_iter();
        let subject = |model, backend| Subject { model, size: self.size, backend };
        let mut subjects: Vec<Subject> = Vec::new();
        for one in
            models.flat_map(|model| self.backends.iter().map(move |one| subject(model, *one)))
        {
            if !subjects.contains(&one) {
                subjects.push(one);
            }
        }
        subjects
    }

    /// The one backend of what compares or searches on a single one.
    pub fn one_backend(&self) -> Result<Backend, Stop> {
        match self.backends[..] {
            [backend] => Ok(backend),
            _ => Err(Stop::wrong_input("--against, --replay and --sweep take one --backend")),
        }
    }

    /// Says what is wrong before minutes of building rather than after.
    pub fn check_input(&self) -> Result<(), Stop> {
        self.site().map_err(|error| Stop::wrong_input(error.to_string()))?;
        if let Some(prefix) = &self.parallel {
            corpus::check_parallel(prefix, [&self.source, &self.target])?;
        }
        if !(0.0..=3600.0).contains(&self.idle) {
            return Err(Stop::wrong_input("--idle is a number of seconds from 0 to 3600"));
        }
        if self.epochs.iter().any(|epochs| epochs.is_of(Model::Search)) {
            return Err(Stop::wrong_input(
                "search has no epochs: its size says how many trials it has",
            ));
        }
        if self.fail_above.is_some() && self.compare.is_none() && self.against.is_none() {
            return Err(Stop::wrong_input("--fail-above needs --compare or --against"));
        }
        if self.against.is_some() && self.repeats < 2 {
            return Err(Stop::wrong_input(
                "--against needs --repeats of 2 or more; 6 give every interval",
            ));
        }
        if self.against.is_some() || self.sweep.is_some() || self.replay.is_some() {
            self.one_backend()?;
        }
        let texts = self.text.iter().map(ForModel::value).chain(&self.valid);
        corpus::check_files(texts)
    }

    /// What the models will make of `--preset`, `--region` and `--pue`.
    pub fn site(&self) -> ergometer::Result<Site> {
        let mut site = Site::preset(&word(self.preset))?;
        if let Some(region) = &self.region {
            site = site.region(region)?;
        }
        if let Some(pue) = self.pue {
            site = site.with_pue(pue)?;
        }
        Ok(site)
    }

    pub fn settings(&self) -> Settings {
        Settings {
            command: std::env::args().collect(),
            size: self.size,
            backends: self.backends.clone(),
            device: self.device,
            seed: self.seed,
            repeats: self.repeats,
            epochs: ForModel::of(&self.epochs, None).last().map(|epochs| epochs.get()),
            profile: self.profile,
            preset: self.preset,
            simulate: self.simulate.map(|boards| boards.to_string()),
            idle_seconds: self.idle,
        }
    }
}

/// `5%`, `5 %` or `5`: per cent.
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let value: f64 = number.parse().map_err(|_| format!("'{text}' is not a percentage"))?;
    let valid = value.is_finite() && value >= 0.0;
    if valid {
        Ok(value / 100.0)
    } else {
        Err(format!("'{text}' is not a percentage of 0 or more"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_per_cent() {
        assert_eq!((share("5%"), share("5 %"), share("0.5")), (Ok(0.05), Ok(0.05), Ok(0.005)));
        assert!(share("-1%").is_err() && share("five").is_err());
    }
}
