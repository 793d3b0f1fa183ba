//! `SupervisedTraining::metered`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use burn::optim::SgdConfig;
use burn::tensor::Device;
use burn::train::metric::{LossMetric, NumericEntry};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{
    ExecutionStrategy, Learner, LearnerSummary, MultiDeviceOptim, SupervisedTraining,
};
use ergometer::clock::{self, Timestamp};
use ergometer::energy::Method;
use ergometer::record::Record;
use ergometer::record::{Epoch, SpanNode};
use ergometer::source::{Domain, DomainKind, Due, PowerSource, Reading, Request, Sensor, Value};
use ergometer::units::{Joules, Watts};
use ergometer::{Meter, MeterBuilder};
use ergometer_burn::{EnergyMetric, EnergyTraining as _, PowerMetric};

use crate::toy::{self, Diary, Line};
use crate::{POWER, assert_conserved, builder, close, counts, names};

pub const EPOCHS: usize = 3;
/// Six batches, the last of two.
const TRAIN: u8 = 22;
/// Three batches, the last of two.
const VALID: u8 = 10;

pub struct Run {
    pub record: Record,
    directory: tempfile::TempDir,
    train: Diary,
    valid: Diary,
    /// The run began between these.
    began: (Timestamp, Timestamp),
}

/// Trains the toy model, and notes what happened when.
fn train(devices: usize) -> Run {
    train_with(devices, |diary| diary)
}

/// The same with diaries as `change` makes them.
pub fn train_with(devices: usize, change: impl Fn(Diary) -> Diary) -> Run {
    train_under(builder(), devices, change)
}

fn train_under(builder: MeterBuilder, devices: usize, change: impl Fn(Diary) -> Diary) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let before = clock::now();
    let meter = builder.start().expect("no hardware is needed");
    let began = (before, clock::now());
    let train = change(Diary::new(&meter, "train").on_devices(devices));
    let valid = change(Diary::new(&meter, "valid"));
    let mut training = SupervisedTraining::metered(
        &meter,
        directory.path(),
        toy::loader(&train, TRAIN),
        toy::loader(&valid, VALID),
    )
    .metric_train_numeric(LossMetric::new())
    .metric_valid_numeric(LossMetric::new())
    .num_epochs(EPOCHS)
    .with_application_logger(None)
    .renderer(Box::new(CliMetricsRenderer::new()))
    .summary();
    if devices > 1 {
        let devices = vec![Device::flex(); devices];
        let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
        training = training.with_training_strategy(strategy.into());
    }
    let model = Line::new(&Device::flex().autodiff());
    let result = training.launch(Learner::new(model, SgdConfig::new().init(), 0.1));
    assert!(result.error.is_none(), "{:?}", result.error);
    let record = meter.finish().expect("the first call of finish");
    Run { record, directory, train, valid, began }
}

pub fn epochs_of<'a>(record: &'a Record, split: &str) -> Vec<&'a Epoch> {
    record.epochs.iter().filter(|epoch| epoch.split == split).collect()
}

/// The diary's intervals, epoch by epoch.
fn by_epoch(intervals: &[(Timestamp, Timestamp)]) -> Vec<&[(Timestamp, Timestamp)]> {
    assert_eq!(intervals.len() % EPOCHS, 0);
    intervals.chunks(intervals.len() / EPOCHS).collect()
}

#[test]
fn a_training_is_its_epochs_and_their_steps() {
    let run = train(1);
    let epochs = &run.record.epochs;
    let expected: Vec<_> = (1..=3).flat_map(|index| [("train", index), ("valid", index)]).collect();
    assert_eq!(names(epochs), expected);
    for epoch in epochs {
        let expected = if epoch.split == "train" { (6, 22.0) } else { (3, 10.0) };
        assert_eq!(counts(epoch), expected);
        assert_eq!(epoch.steps.as_ref().unwrap().items.as_ref().unwrap().unit, "items");
        assert_conserved(epoch);
        let joules = epoch.usage.energy.unwrap().joules.get();
        assert!(close(joules, POWER * epoch.usage.seconds, 1e-6), "{joules} J");
    }
    assert_eq!(run.record.steps["train"].count, 18);
    assert_eq!(run.record.steps["valid"].count, 9);

    let whole = run.record.total.by_domain[0].unwrap().joules.get();
    let inside: f64 = epochs.iter().map(|epoch| epoch.usage.energy.unwrap().joules.get()).sum();
    assert!(close(whole, inside + run.record.outside_epochs[0].get(), 1e-9));
    assert!(run.record.outside_epochs[0].get() > 0.0);
}

/// The model's own clock reads lie in the epochs that the record gives, and leave no room for gaps
/// between the steps.
#[test]
fn marks_agree_with_the_models_own_diary() {
    let run = train(1);
    let (earliest, latest) = run.began;
    let slack = latest.since(earliest).as_secs_f64();
    // Seconds since the start of the run, up to `slack` too many.
    let at = |moment: Timestamp| moment.since(earliest).as_secs_f64();

    for diary in [&run.train, &run.valid] {
        let loads = diary.loads.lock().unwrap();
        let steps = diary.steps.lock().unwrap();
        let epochs = epochs_of(&run.record, diary.split);
        assert_eq!(epochs.len(), EPOCHS);
        for ((epoch, loads), steps) in epochs.iter().zip(by_epoch(&loads)).zip(by_epoch(&steps)) {
            let end = epoch.start_s + epoch.usage.seconds;
            for &(begin, done) in loads.iter().chain(steps) {
                assert!(at(begin) >= epoch.start_s, "{} before {}", at(begin), epoch.start_s);
                assert!(at(done) - slack <= end, "{} after {end}", at(done) - slack);
            }
            // What is no step lies before the first batch is loaded or after the last one is used.
            let (first, last) = (loads[0].0, steps[steps.len() - 1].1);
            let outside = epoch.usage.seconds - last.since(first).as_secs_f64();
            let between = epoch.between_steps[0].get() / POWER;
            assert!(between <= outside + 1e-6, "{between} s between steps, {outside} s outside");
            let used: f64 = steps.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum();
            assert!(epoch.steps.as_ref().unwrap().seconds >= used);
        }
    }
}

#[test]
fn loading_is_a_phase_of_each_step() {
    fn child<'a>(nodes: &'a [SpanNode], name: &str) -> &'a SpanNode {
        nodes.iter().find(|node| node.name == name).expect(name)
    }

    let run = train(1);
    for (diary, count) in [(&run.train, 18), (&run.valid, 9)] {
        let epoch = child(&run.record.spans, diary.split);
        let step = child(&epoch.children, diary.split);
        let data = child(&step.children, "data");
        assert_eq!((epoch.count, step.count, data.count), (3, count, count));
        let loads = diary.loads.lock().unwrap();
        let loading: f64 = loads.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum();
        let steps = diary.steps.lock().unwrap();
        let used: f64 = steps.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum();
        assert!(data.seconds >= loading, "{} s for {loading} s of loading", data.seconds);
        assert!(data.seconds <= step.seconds - used + 1e-6, "the model's own time is no loading");
    }
}

/// The values that Burn logged for one epoch.
fn logged(directory: &Path, split: &str, epoch: usize, metric: &str) -> Vec<NumericEntry> {
    let file = format!("{}.log", metric.replace(' ', "_"));
    let path = directory.join(split).join(format!("epoch-{epoch}")).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| NumericEntry::deserialize(line).expect(line)).collect()
}

#[test]
fn metrics_are_logged_and_summed_up_by_burn() {
    let run = train(1);
    let directory = run.directory.path();
    for split in ["train", "valid"] {
        for epoch in 1..=EPOCHS {
            let energies = logged(directory, split, epoch, EnergyMetric::NAME);
            for entry in &energies {
                assert!(entry.current().is_finite() && entry.current() > 0.0, "{entry:?}");
            }
            assert!(matches!(energies.last(), Some(NumericEntry::Final(_))), "{energies:?}");
            for entry in logged(directory, split, epoch, PowerMetric::NAME) {
                assert!(close(entry.current(), POWER, 1e-6), "{entry:?}");
            }
        }
    }

    let names = [EnergyMetric::NAME, PowerMetric::NAME];
    let summary = LearnerSummary::new(directory, &names).expect("Burn reads its own files");
    for metrics in [summary.metrics.train, summary.metrics.valid] {
        assert_eq!(metrics.len(), 2, "{metrics:?}");
        for metric in metrics {
            assert_eq!(metric.entries.len(), EPOCHS, "{metric:?}");
            assert!(metric.entries.iter().all(|entry| entry.value.is_finite()), "{metric:?}");
        }
    }
}

/// What Burn shows of an epoch is what the record has of it, also of epochs that are over before the
/// meter's thread has had a turn.
#[test]
fn burns_values_of_epochs_are_the_records() {
    let run = train_with(1, |diary| diary.lasting(Duration::from_millis(2)));
    for split in ["train", "valid"] {
        for (epoch, number) in epochs_of(&run.record, split).iter().zip(1..) {
            let steps = epoch.steps.as_ref().unwrap();
            let last = |metric| match logged(run.directory.path(), split, number, metric).pop() {
                Some(NumericEntry::Final(value)) => value,
                other => panic!("{metric} of {split} {number}: {other:?}"),
            };
            let joules = steps.joules.mean;
            let shown = last(EnergyMetric::NAME);
            assert!(close(shown, joules, 1e-9), "{split} {number}: {shown} J of {joules} J a step");
            assert!(close(last(PowerMetric::NAME), POWER, 1e-6));
        }
    }
}

/// A counter that is read only when something begins or ends, or somebody waits.
struct Seldom {
    domain: [Domain; 1],
    first: Option<Timestamp>,
    last: Timestamp,
}

impl Seldom {
    fn boxed() -> Box<dyn PowerSource> {
        let sensor = Sensor {
            counter_period_s: Some(0.0),
            counter_quantum: Some(Joules::new(1e-6)),
            power_period_s: None,
            power_window_s: None,
            relative_error: 0.01,
            absolute_error: Watts::ZERO,
        };
        let domain = Domain {
            id: "seldom".to_owned(),
            kind: DomainKind::Node,
            label: "seldom".to_owned(),
            source: "seldom".to_owned(),
            method: Method::Counter,
            sensor,
            pci_address: None,
            power_limit: None,
            note: None,
        };
        Box::new(Self { domain: [domain], first: None, last: clock::now() })
    }
}

impl PowerSource for Seldom {
    fn domains(&self) -> &[Domain] {
        &self.domain
    }

    fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
        self.last = clock::now();
        let first = *self.first.get_or_insert(self.last);
        let joules = Joules::new(POWER * self.last.since(first).as_secs_f64());
        readings.push(Reading::new(0, self.last, Value::Energy(joules)));
    }

    fn next_read(&self) -> Option<Due> {
        Some(Due::at(self.last.after(Duration::from_secs(25))))
    }
}

/// The metrics' thread, for which the training waits in turn, does not wait for readings that come after the one
/// at the epoch's end: here none comes, and the values of the epochs are there all the same.
#[test]
fn values_of_epochs_need_no_later_readings() {
    let builder = Meter::builder().without_probe().source(Seldom::boxed());
    let run = train_under(builder, 1, |diary| diary.lasting(Duration::from_millis(2)));
    for split in ["train", "valid"] {
        for (epoch, number) in epochs_of(&run.record, split).iter().zip(1..) {
            let last = logged(run.directory.path(), split, number, EnergyMetric::NAME).pop();
            let Some(NumericEntry::Final(shown)) = last else {
                panic!("{split} {number}: {last:?}")
            };
            let joules = epoch.steps.as_ref().unwrap().joules.mean;
            assert!(close(shown, joules, 1e-6), "{split} {number}: {shown} J of {joules} J a step");
        }
    }
}

/// Metrics of training steps know nothing of validation steps.
#[test]
fn weights_of_logged_values_are_steps_of_their_own_split() {
    let run = train(1);
    for (split, steps) in [("train", 18), ("valid", 9)] {
        let weights = (1..=EPOCHS)
            .flat_map(|epoch| logged(run.directory.path(), split, epoch, EnergyMetric::NAME))
            .map(|entry| match entry {
                NumericEntry::Aggregated { count, .. } => count,
                NumericEntry::Value(_) | NumericEntry::Final(_) => 0,
            })
            .sum::<usize>();
        assert!(weights > 0 && weights <= steps, "{weights} of {steps} {split} steps");
    }
}

/// Two devices work on one epoch at a time: no joule counts twice, no item is lost.
#[test]
fn several_devices_share_one_epoch() {
    let run = train(2);
    let epochs = &run.record.epochs;
    let expected: Vec<_> = (1..=3).flat_map(|index| [("train", index), ("valid", index)]).collect();
    assert_eq!(names(epochs), expected);
    for epoch in epochs {
        // Each device has 11 items in three batches.
        let expected = if epoch.split == "train" { (3, 22.0) } else { (3, 10.0) };
        assert_eq!(counts(epoch), expected);
        assert_conserved(epoch);
    }
    for pair in epochs.windows(2) {
        assert!(pair[0].start_s + pair[0].usage.seconds <= pair[1].start_s + 1e-9);
    }
}
