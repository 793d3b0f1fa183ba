//! Progress and losses of a hand-written loop, passed to the renderer that Burn's learner would use.

use std::sync::Arc;

use burn::train::logger::TrainingProgressLogger as _;
use burn::train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn::train::renderer::{MetricState, MetricsRenderer as _, MetricsRendererTraining as _};

use crate::{Flops, Losses, Progress, TokenLossMetric};

/// The passes over training and held-out data of a hand-written loop, as a progress bar and a line each.
pub struct Passes {
    progress: Progress,
    loss: MetricId,
    split: Split,
    flops: Flops,
}

/// Which part of the corpus a pass goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The part to learn from.
    Train,
    /// The part held out.
    Valid,
}

impl Passes {
    /// Shows nothing where `quiet`, and only remembers.
    #[must_use]
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
        Self { progress, loss, split: Split::Train, flops: Flops::default() }
    }

    /// The training begins.
    pub fn start(&mut self, epochs: usize) {
        self.progress.start(epochs, 1, None, None);
    }

    /// A pass of `steps` begins.
    pub fn pass(&mut self, split: Split, steps: usize) {
        self.split = split;
        if split == Split::Train {
            self.flops.epoch();
        }
        let name = if split == Split::Train { "train" } else { "valid" };
        self.progress.start_split(name, steps);
    }

    /// A training step took these operations.
    pub fn operations(&self, flops: u64) {
        self.flops.add(flops);
    }

    /// Operations of the training steps.
    #[must_use]
    pub fn flops(&self) -> Flops {
        self.flops.clone()
    }

    /// `steps` are done, with this mean loss.
    pub fn step(&mut self, steps: usize, loss: f64) {
        self.show(NumericEntry::Value(loss));
        self.progress.update_split(steps);
    }

    /// The pass is over, with this mean loss.
    pub fn passed(&mut self, loss: f64) {
        self.show(NumericEntry::Final(loss));
        self.progress.end_split();
    }

    /// Shows a line below those of the passes.
    pub fn remark(&self, line: &str) {
        self.progress.remark(line);
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

    fn show(&mut self, loss: NumericEntry) {
        let text = loss.current().to_string();
        let entry = SerializedEntry { formatted: text.clone(), serialized: text };
        let state = MetricState::Numeric(MetricEntry::new(self.loss.clone(), entry), Some(loss));
        match self.split {
            Split::Train => self.progress.update_train(state),
            Split::Valid => self.progress.update_valid(state),
        }
    }
}
