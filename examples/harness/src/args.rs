//! The command line that every example model has.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::Failure;

/// How large a model is trained, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Size {
    /// A few seconds: shows that everything works.
    Smoke,
    /// About two minutes on two cores.
    #[default]
    Tiny,
    /// Between the two: BERT has it.
    Mini,
    /// Tens of minutes on two cores, or minutes on a GPU.
    Small,
    /// The paper's model.
    Base,
    /// The paper's larger model: the Transformer has one.
    Big,
    /// A published model between others: of GPT-2 above `base`, of BERT below it.
    Medium,
    /// A larger published model: GPT-2 and BERT have one.
    Large,
    /// The largest published model: GPT-2 has one.
    Xl,
}

impl Size {
    /// The word used on the command line and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Tiny => "tiny",
            Self::Mini => "mini",
            Self::Small => "small",
            Self::Base => "base",
            Self::Big => "big",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Xl => "xl",
        }
    }

    /// This size, if `model` has it.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the sizes that `model` has.
    pub fn of(self, model: &str, sizes: &[Self]) -> Result<Self, Failure> {
        if sizes.contains(&self) {
            return Ok(self);
        }
        let has = sizes.iter().map(|size| size.as_str()).collect::<Vec<_>>().join(", ");
        Err(Failure::usage(format!("{model} has no size '{self}'; it has {has}")))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can be chosen for any model.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct TrainArgs {
    /// Size of the model and length of the training
    #[arg(long, value_enum, default_value_t)]
    pub size: Size,

    /// Backend to compute on: flex, or one that was compiled in (features vulkan, cuda)
    #[arg(long, value_name = "NAME", default_value = "flex")]
    pub backend: String,

    /// Index of the backend's device
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub device: usize,

    /// Seed of the initial weights, of the order of the batches and of a generated corpus
    #[arg(long, default_value_t = 42)]
    pub seed: u64,

    /// Passes over the training data, in place of the size's own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,

    /// Name of the run in its record [default: the model and its size]
    #[arg(long)]
    pub label: Option<String>,

    /// Write the run's record (JSON) to this file
    #[arg(long, value_name = "PATH")]
    pub record: Option<PathBuf>,

    /// Keep a journal of the run in this folder, from which its record is recovered if it is killed
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,

    /// Where the machine stands, for the carbon intensity of its grid: DE, US, europe-west4
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,

    /// Power usage effectiveness of the building, 1 or more
    #[arg(long, value_name = "X")]
    pub pue: Option<f64>,

    /// Constants of the footprint
    #[arg(long, value_name = "NAME", default_value = "current", value_parser = ["current", "strubell2019"])]
    pub preset: String,

    /// Directory for Burn's logs [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub artifacts: Option<PathBuf>,

    /// Meter every board of the machine, not only the device's own
    #[arg(long)]
    pub all_boards: bool,

    /// Measure what the machine draws when idle for this long before the run, seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle: Option<Duration>,

    /// Print what power sources this machine has, as JSON, and end
    #[arg(long)]
    pub probe: bool,

    /// Print how fast a large matrix product is on the device, as JSON, and end
    #[arg(long, conflicts_with = "probe")]
    pub peak: bool,

    /// What a search varies.
    #[command(flatten)]
    pub hyperparameters: Hyperparameters,

    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}

/// What a search varies; each replaces the size's own number.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq)]
#[command(next_help_heading = "Hyperparameters, in place of the size's own")]
pub struct Hyperparameters {
    /// Learning rate at its highest; for the transformer, whose rate follows from its width, a factor
    #[arg(long, value_name = "X", value_parser = positive)]
    pub rate: Option<f64>,

    /// Rows of a batch; for the transformer, tokens a side
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,

    /// Share of values dropped in training, from 0 to below 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub dropout: Option<f64>,

    /// Steps in which the learning rate rises (not elmo)
    #[arg(long, value_name = "N")]
    pub warmup: Option<u32>,
}

impl Hyperparameters {
    /// Replaces `rate`, `batch` and `dropout` by those that are given.
    pub fn apply(&self, rate: &mut f64, batch: &mut usize, dropout: &mut f64) {
        *rate = self.rate.unwrap_or(*rate);
        *batch = self.batch.map_or(*batch, |batch| batch as usize);
        *dropout = self.dropout.unwrap_or(*dropout);
    }

    /// `steps` of warm-up, or those that are given.
    #[must_use]
    pub fn warmup(&self, steps: usize) -> usize {
        self.warmup.map_or(steps, |steps| steps as usize)
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number"))
}

fn positive(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    let valid = value.is_finite() && value > 0.0;
    if valid { Ok(value) } else { Err("it has to be above 0".to_owned()) }
}

fn share(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if (0.0..1.0).contains(&value) {
        Ok(value)
    } else {
        Err("it has to be 0 to below 1".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(text)?)
        .map_err(|_| format!("'{text}' is not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArgs,
    }

    fn parsed(arguments: &[&str]) -> Result<TrainArgs, clap::Error> {
        Line::try_parse_from(std::iter::once(&"test").chain(arguments)).map(|line| line.train)
    }

    #[test]
    fn hyperparameters_replace_the_sizes_own() {
        let (mut rate, mut batch, mut dropout) = (1e-3, 12, 0.1);
        let line = parsed(&["--rate", "5e-4", "--dropout", "0", "--idle", "0.5"]).unwrap();
        line.hyperparameters.apply(&mut rate, &mut batch, &mut dropout);
        assert_eq!((rate, batch, dropout, line.hyperparameters.warmup(7)), (5e-4, 12, 0.0, 7));
        assert_eq!(line.idle, Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_cannot_be_a_hyperparameter_is_refused() {
        for arguments in [
            ["--rate", "0"],
            ["--rate", "inf"],
            ["--batch", "0"],
            ["--dropout", "1"],
            ["--dropout=-0.1", "--quiet"],
            ["--idle=-1", "--quiet"],
        ] {
            assert!(parsed(&arguments).is_err(), "{arguments:?}");
        }
    }
}
