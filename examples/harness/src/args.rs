//! The command line that every example model has.

use std::fmt;
use std::path::PathBuf;

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
pub struct TrainArgs {
    /// Size of the model and length of the training
    #[arg(long, value_enum, default_value_t)]
    pub size: Size,

    /// Backend to compute on: flex, or one that was compiled in (features vulkan, cuda, tch)
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

    /// Print what power sources this machine has, as JSON, and end
    #[arg(long)]
    pub probe: bool,

    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}
