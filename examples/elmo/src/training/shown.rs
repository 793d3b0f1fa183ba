//! Progress and losses of a hand-written loop, told to the renderer that Burn's learner would
//! tell them to.

use std::sync::Arc;

use burn::train::logger::TrainingProgressLogger as _;
use burn::train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn::train::renderer::{MetricState, MetricsRenderer as _, MetricsRendererTraining as _};
use harness::{Losses, Progress, TokenLossMetric};

/// What is shown of a training.
pub struct Shown {
    progress: Progress,
    loss: MetricId,
    split: Part,
}

/// Which part of the corpus a pass goes over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The part to learn from.
    Train,
    /// The part held out.
    Valid,
}

impl Shown {
    /// Shows nothing where `quiet`, and only remembers.
    pub fn new(quiet: bool) -> Self {
        let mut progress = Progress::new(quiet);
        let name = Arc::new(TokenLossMetric::NAME.to_owned());
        let loss = MetricId::new(name.clone());
        progress.register_metric(MetricDefinition {
            metric_id: loss.clone(),
            name,
            description: None,
            attributes: MetricAttributes::Numeric(NumericAttributes {
                unit: None,
                higher_is_better: false,
            }),
        });
        Self { progress, loss, split: Part::Train }
    }

    /// The training begins.
    pub fn start(&mut self, epochs: usize) {
        self.progress.start(epochs, 1, None, None);
    }

    /// A pass of `steps` begins.
    pub fn pass(&mut self, part: Part, steps: usize) {
        self.split = part;
        let name = if part == Part::Train { "train" } else { "valid" };
        self.progress.start_split(name, steps);
    }

    /// `steps` are done, with this mean loss.
    pub fn step(&mut self, steps: usize, loss: f64) {
        self.tell(NumericEntry::Value(loss));
        self.progress.update_split(steps);
    }

    /// The pass is over, with this mean loss.
    pub fn passed(&mut self, loss: f64) {
        self.tell(NumericEntry::Final(loss));
        self.progress.end_split();
    }

    /// Epoch number `epoch`, from 1, is over.
    pub fn epoch(&mut self, epoch: usize) {
        self.progress.update_epoch(epoch);
    }

    /// The training is over.
    pub fn end(&mut self) -> Losses {
        self.progress.end();
        self.progress.losses()
    }

    fn tell(&mut self, loss: NumericEntry) {
        let text = loss.current().to_string();
        let entry = SerializedEntry { formatted: text.clone(), serialized: text };
        let state = MetricState::Numeric(MetricEntry::new(self.loss.clone(), entry), Some(loss));
        match self.split {
            Part::Train => self.progress.update_train(state),
            Part::Valid => self.progress.update_valid(state),
        }
    }
}
