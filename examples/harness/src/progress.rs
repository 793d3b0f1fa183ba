//! Burn's training progress as one bar and one line an epoch, and the losses it was told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::LearnerSummary;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use ergometer::units::KilowattHours;
use ergometer_burn::{EnergyMetric, ForecastMetric};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Fingerprint;
use crate::loss::TokenLossMetric;

/// The mean loss of each epoch of one split, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve(Vec<f64>);

impl Curve {
    /// The loss of the first epoch.
    #[must_use]
    pub fn first(&self) -> Option<f64> {
        self.0.first().copied()
    }

    /// The loss of the last epoch.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// The losses of all epochs, in order.
    #[must_use]
    pub fn epochs(&self) -> &[f64] {
        &self.0
    }
}

impl FromIterator<f64> for Curve {
    fn from_iter<I: IntoIterator<Item = f64>>(losses: I) -> Self {
        Self(losses.into_iter().collect())
    }
}

/// The losses of a training, by split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses {
    /// While training.
    pub train: Curve,
    /// On held-out data, after each epoch.
    pub valid: Curve,
    /// Over every loss that was shown, in order, bit for bit.
    pub fingerprint: String,
}

/// A renderer for Burn's `Learner`: a progress bar on a terminal, a line an epoch elsewhere, and a
/// memory of the epochs' losses. Clones share their state: give one to Burn, keep one.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<State>>);

struct State {
    quiet: bool,
    bar: ProgressBar,
    /// The metrics' names.
    definitions: HashMap<MetricId, String>,
    epoch: usize,
    epochs: usize,
    split: String,
    loss: Option<f64>,
    /// The last joules a step, once the metric was asked; not a number where it does not know.
    joules: Option<f64>,
    /// What the whole run is expected to draw, kilowatt-hours; the same.
    forecast: Option<f64>,
    losses: Losses,
    fingerprint: Fingerprint,
}

impl Progress {
    /// A renderer; a `quiet` one shows nothing and only remembers.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            quiet,
            bar: ProgressBar::hidden(),
            definitions: HashMap::new(),
            epoch: 1,
            epochs: 1,
            split: String::new(),
            loss: None,
            joules: None,
            forecast: None,
            losses: Losses::default(),
            fingerprint: Fingerprint::default(),
        })))
    }

    /// The losses of the epochs that have ended.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.with(|state| Losses { fingerprint: state.fingerprint.hex(), ..state.losses.clone() })
    }

    /// Shows a line below those of the epochs, unless quiet.
    pub fn remark(&self, line: &str) {
        if !self.with(|state| state.quiet) {
            eprintln!("{line}");
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // What is shown stays useful even when another thread panicked while showing it.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A metric that knows nothing says that it is not a number.
fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}

impl State {
    fn metric(&mut self, state: &MetricState, valid: bool) {
        let MetricState::Numeric(entry, Some(value)) = state else { return };
        let Some(name) = self.definitions.get(&entry.metric_id) else { return };
        if name == TokenLossMetric::NAME {
            self.loss = Some(value.current());
            self.fingerprint.number(value.current());
            if let NumericEntry::Final(loss) = value {
                let curve = if valid { &mut self.losses.valid } else { &mut self.losses.train };
                curve.0.push(*loss);
            }
        } else if name == ForecastMetric::NAME {
            self.forecast = Some(value.current());
        } else if name == EnergyMetric::NAME {
            self.joules = Some(value.current());
        }
        let message = self.message();
        self.bar.set_message(message);
    }

    fn message(&self) -> String {
        let loss = self.loss.map(|loss| format!("loss {loss:.3}"));
        let absent = || "n/a".to_owned();
        let joules = self.joules.map(|joules| {
            let joules = finite(joules).map_or_else(absent, |joules| format!("{joules:.3}"));
            format!("{joules} J/step")
        });
        let forecast = self.forecast.map(|kwh| {
            let kwh = finite(kwh).map_or_else(absent, |kwh| KilowattHours::new(kwh).to_string());
            format!("forecast {kwh} in all")
        });
        [loss, joules, forecast].into_iter().flatten().collect::<Vec<_>>().join("  ")
    }

    fn start_split(&mut self, split: &str, total: usize) {
        split.clone_into(&mut self.split);
        self.loss = None;
        self.joules = None;
        if self.quiet {
            return;
        }
        self.bar = ProgressBar::new(total as u64);
        if let Ok(style) =
            ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}%  {msg}  {eta:>4} left")
        {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(format!("epoch {}/{} {split}", self.epoch, self.epochs));
    }

    fn end_split(&mut self) {
        self.bar.finish_and_clear();
        if !self.quiet {
            eprintln!("epoch {}/{} {:<5}  {}", self.epoch, self.epochs, self.split, self.message());
        }
    }
}

impl MetricsRendererTraining for Progress {
    fn update_train(&mut self, state: MetricState) {
        self.with(|inner| inner.metric(&state, false));
    }

    fn update_valid(&mut self, state: MetricState) {
        self.with(|inner| inner.metric(&state, true));
    }

    fn on_train_end(
        &mut self,
        summary: Option<LearnerSummary>,
    ) -> Result<(), Box<dyn core::error::Error>> {
        if let (Some(summary), false) = (summary, self.with(|inner| inner.quiet)) {
            eprintln!("{summary}");
        }
        Ok(())
    }
}

impl TrainingProgressLogger for Progress {
    fn start(
        &mut self,
        total_epochs: usize,
        starting_epoch: usize,
        _total_items: Option<usize>,
        _label: Option<&str>,
    ) {
        self.with(|inner| (inner.epochs, inner.epoch) = (total_epochs, starting_epoch));
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.with(|inner| inner.epoch = epoch + 1);
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        self.with(|inner| inner.start_split(split, total_items));
    }

    fn update_split(&mut self, items_processed: usize) {
        self.with(|inner| inner.bar.set_position(items_processed as u64));
    }

    fn end_split(&mut self) {
        self.with(State::end_split);
    }

    fn end(&mut self) {
        self.with(|inner| inner.bar.finish_and_clear());
    }

    fn log_event_training(&mut self, _event: String) {}
}

impl MetricsRenderer for Progress {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.with(|inner| {
            inner.definitions.insert(definition.metric_id, definition.name.to_string())
        });
    }
}

// Burn asks every renderer for the evaluation's side as well; these examples do not use it.
impl MetricsRendererEvaluation for Progress {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for Progress {
    fn start_global_progress(&mut self, _total_tests: usize) {}
    fn start_test(&mut self, _name: &str, _total_items: usize) {}
    fn update_test_progress(&mut self, _items_processed: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::train::metric::{MetricAttributes, MetricEntry, SerializedEntry};

    use super::*;

    #[test]
    fn what_is_not_known_is_not_a_number_in_no_line() {
        let mut progress = Progress::new(true);
        let id = |name: &str| MetricId::new(Arc::new(name.to_owned()));
        for name in [EnergyMetric::NAME, ForecastMetric::NAME] {
            progress.register_metric(MetricDefinition {
                metric_id: id(name),
                name: Arc::new(name.to_owned()),
                description: None,
                attributes: MetricAttributes::None,
            });
        }
        let mut tell = |name: &str, value: f64| {
            let entry =
                MetricEntry::new(id(name), SerializedEntry::new(String::new(), String::new()));
            progress.update_valid(MetricState::Numeric(entry, Some(NumericEntry::Final(value))));
            progress.with(|state| state.message())
        };
        assert_eq!(tell(EnergyMetric::NAME, f64::NAN), "n/a J/step");
        assert_eq!(tell(ForecastMetric::NAME, f64::NAN), "n/a J/step  forecast n/a in all");
        assert_eq!(tell(EnergyMetric::NAME, 0.25), "0.250 J/step  forecast n/a in all");
        let all = tell(ForecastMetric::NAME, 0.002);
        assert!(all.starts_with("0.250 J/step  forecast 2") && all.ends_with("Wh in all"), "{all}");
    }
}
