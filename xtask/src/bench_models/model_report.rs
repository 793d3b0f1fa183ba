//! One model over its repeats.

use ergometer::footprint::Site;
use serde::{Deserialize, Serialize};

use super::choices::{Backend, Model, Size, Subject};
use super::mean::Mean;
use super::paper::PaperRow;
use super::peak::Peak;
use super::projection::Projection;
use super::run::Run;

/// A model at one size on one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// Which model.
    pub model: Model,
    /// Its size.
    pub size: Size,
    /// What it was computed on.
    #[serde(default)]
    pub backend: Backend,
    /// The mean over the runs, with the spread between them.
    pub mean: Mean,
    /// The paper's row for this model.
    pub paper: Option<PaperRow>,
    /// What the published training would take on this machine.
    #[serde(default)]
    pub projection: Option<Projection>,
    /// How fast a matrix product is on that backend.
    #[serde(default)]
    pub peak: Option<Peak>,
    /// Each run.
    pub runs: Vec<Run>,
}

impl ModelReport {
    /// Of `runs`, which are all of `subject`.
    pub fn new(subject: Subject, runs: Vec<Run>, site: &Site, peak: Option<Peak>) -> Self {
        let Subject { model, size, backend } = subject;
        let mean = Mean::of(&runs);
        Self {
            model,
            size,
            backend,
            paper: PaperRow::for_model(model, size),
            projection: Projection::of(site, subject, &mean),
            mean,
            peak,
            runs,
        }
    }

    /// What was trained, on what.
    pub const fn subject(&self) -> Subject {
        Subject { model: self.model, size: self.size, backend: self.backend }
    }

    /// `transformer tiny`, and how many runs the figures are the mean of.
    pub fn title(&self) -> String {
        match self.runs.len() {
            0 | 1 => self.subject().to_string(),
            runs => format!("{} (mean of {runs})", self.subject()),
        }
    }
}
