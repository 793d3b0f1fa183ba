//! The loss a token, averaged over tokens and not over batches.
//!
//! Burn's own `LossMetric` gives every batch the same weight. Batches here differ in length, and
//! perplexity is defined over tokens.

use std::sync::Arc;

use burn::tensor::{ExecutionError, Tensor, TensorReadError};
use burn::train::ItemLazy;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes,
    NumericEntry, SerializedEntry,
};

/// A batch's mean loss and the number of tokens it is the mean of; a model's training and inference
/// steps can give it to Burn's `Learner` as it is.
#[derive(Clone, Debug)]
pub struct TokenLoss {
    /// Mean negative log-likelihood a token, in nats.
    pub mean: Tensor<1>,
    /// Tokens in the mean, padding not counted.
    pub tokens: usize,
}

impl ItemLazy for TokenLoss {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.mean.device().flush()?;
        Ok(Self { mean: self.mean.without_autodiff(), tokens: self.tokens })
    }
}

impl Adaptor<TokenLoss> for TokenLoss {
    fn adapt(&self) -> TokenLoss {
        self.clone()
    }
}

/// Mean loss a token, over an epoch.
#[derive(Clone)]
pub struct TokenLossMetric {
    name: MetricName,
    state: NumericMetricState,
}

impl TokenLossMetric {
    /// Name of the metric, the same as that of Burn's loss metric, which checkpointing looks for.
    pub const NAME: &'static str = "Loss";

    /// Creates the metric.
    #[must_use]
    pub fn new() -> Self {
        Self { name: Arc::new(Self::NAME.to_owned()), state: NumericMetricState::default() }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).precision(3)
    }
}

impl Default for TokenLossMetric {
    fn default() -> Self {
        Self::new()
    }
}

impl Metric for TokenLossMetric {
    type Input = TokenLoss;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: false }.into()
    }

    fn update(
        &mut self,
        loss: &TokenLoss,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let mean = loss.mean.clone().try_into_scalar::<f64>()?;
        self.state.update(mean, loss.tokens);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        let format = self.format();
        Ok(self.state.compute_final(format))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl Numeric for TokenLossMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

#[cfg(test)]
mod tests {
    use burn::data::dataloader::Progress;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn a_long_batch_counts_for_more() {
        let metadata =
            MetricMetadata { progress: Progress::new(1, 1, None), iteration: None, lr: None };
        let mut metric = TokenLossMetric::new();
        for (mean, tokens) in [(1.0, 30), (5.0, 10)] {
            let mean = Tensor::<1>::from_floats([mean], &Device::flex());
            metric.update(&TokenLoss { mean, tokens }, &metadata).unwrap();
        }
        metric.compute().unwrap();
        assert!((metric.final_value().current() - 2.0).abs() < 1e-9);
    }
}
