//! Training programs in the form of third-party trainers on Burn, compared with a machine of constant power, the
//! intervals that the model timed itself, and Burn's own summary.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use burn::data::dataloader::DataLoader;
use burn::module::Module as _;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::Device;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::metric::{LossMetric, NumericEntry};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{
    EvaluatorBuilder, EventProcessorTraining as _, InferenceStep, Learner, LearnerEvent,
    LearnerSummary, MetricEarlyStoppingStrategy, MetricSummary, StoppingCondition,
    SupervisedLearningStrategy, SupervisedTraining, SupervisedTrainingEventProcessor, TrainLoader,
    TrainStep, TrainingComponents, TrainingItem, TrainingStrategy, ValidLoader,
};
use ergometer::record::Record;
use ergometer::record::{Epoch, Steps};
use ergometer::{Meter, track_energy};
use ergometer_burn::{EnergyEvaluation as _, EnergyMetric, EnergyTraining as _, PowerMetric};

use crate::toy::{self, Batch, Diary, Line};
use crate::{POWER, assert_conserved, close, counts, installed, meter, names};

const EPOCHS: usize = 3;
/// Six batches, the last of two; and three, the last of two.
const ITEMS: (u8, u8) = (22, 10);

fn line() -> Line {
    Line::new(&Device::flex().autodiff())
}

/// A diary of steps that last 2 ms.
fn diary(meter: &Meter, split: &'static str) -> Diary {
    Diary::new(meter, split).lasting(Duration::from_millis(2))
}

/// Seconds in the model's own steps.
fn seconds(diary: &Diary) -> f64 {
    let steps = diary.steps.lock().unwrap();
    steps.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum()
}

/// `steps` drew what the machine draws in their time, which is at least what the model timed in its own.
fn assert_steps(steps: &Steps, diary: &Diary, count: u64) {
    assert_eq!(steps.count, count);
    let joules: f64 = steps.by_domain.iter().map(|joules| joules.get()).sum();
    assert!(close(joules, POWER * steps.seconds, 1e-6), "{joules} J in {} s", steps.seconds);
    assert!(close(steps.joules.mean * count as f64, joules, 1e-6), "{steps:?}");
    assert!(steps.seconds >= seconds(diary), "{} s of {} s", steps.seconds, seconds(diary));
}

fn assert_epochs(record: &Record) {
    let whole = record.total.energy.unwrap().joules.get();
    assert!(close(whole, POWER * record.run.seconds, 1e-6), "{whole} J");
    for epoch in &record.epochs {
        assert_conserved(epoch);
        let joules = epoch.usage.energy.unwrap().joules.get();
        assert!(close(joules, POWER * epoch.usage.seconds, 1e-6), "{joules} J");
    }
    let warnings = record.warnings.iter().filter(|line| !line.starts_with("spans too short"));
    assert_eq!(warnings.collect::<Vec<_>>(), [""; 0]);
}

/// Train and valid steps in one epoch, as in the custom training loop of Burn's book.
#[track_energy(run)]
fn custom_loop(
    mut model: Line,
    train: &Arc<dyn DataLoader<Batch>>,
    valid: &Arc<dyn DataLoader<Batch>>,
) -> Line {
    let mut optimizer: ModuleOptimizer = SgdConfig::new().init();
    #[track_energy(epoch)]
    for _ in 0..EPOCHS {
        #[track_energy(step, name = "train", items = batch.as_ref().map_or(0, Batch::len))]
        for batch in train.iter() {
            #[track_energy(phase = "forward and backward")]
            let output = TrainStep::step(&model, batch.unwrap());
            #[track_energy(phase = "optimizer")]
            {
                model = optimizer.step(0.1, model, output.grads);
            }
        }
        let model = model.valid();
        #[track_energy(step, name = "valid")]
        for batch in valid.iter() {
            InferenceStep::step(&model, batch.unwrap());
        }
    }
    model
}

#[test]
fn a_custom_loop_with_train_and_valid_steps_in_one_epoch() {
    let (meter, _installed) = installed();
    let (train, valid) = (diary(&meter, "train"), diary(&meter, "valid"));
    custom_loop(line(), &toy::loader(&train, ITEMS.0), &toy::loader(&valid, ITEMS.1));
    let record = meter.finish().unwrap();

    assert_epochs(&record);
    let expected: Vec<_> = (1..=EPOCHS as u64).map(|index| ("epoch", index)).collect();
    assert_eq!(names(&record.epochs), expected);
    assert!(record.epochs.iter().all(|epoch| counts(epoch) == (9, f64::from(ITEMS.0))));
    let row = |name| {
        let rows = &record.steps_by_name["epoch"];
        &rows.iter().find(|row| row.name == name).unwrap().steps
    };
    let (learned, validated) = (row("train"), row("valid"));
    assert_steps(learned, &train, 18);
    assert_steps(validated, &valid, 9);
    // Items are those of the training alone, and so is their energy.
    let items = learned.items.as_ref().unwrap();
    assert_eq!((items.count, &validated.items), (66.0, &None));
    let item = POWER * learned.seconds / items.count;
    let all = record.steps["epoch"].items.as_ref().unwrap();
    assert!(close(items.joules_per_item.get(), item, 1e-6));
    assert!(close(all.joules_per_item.get(), item, 1e-6));
    let step = &record.spans[0].children[0].children;
    let step = step.iter().find(|node| node.name == "train").unwrap();
    let phases: Vec<_> = step.children.iter().map(|node| (&*node.name, node.count)).collect();
    assert_eq!(phases, [("forward and backward", 18), ("optimizer", 18)]);
}

/// Checks Burn's summary of one split against the record's epochs.
fn assert_summary(metrics: &[MetricSummary], epochs: &[&Epoch]) {
    assert_eq!(metrics.len(), 2, "{metrics:?}");
    for metric in metrics {
        assert_eq!(metric.entries.len(), epochs.len(), "{metric:?}");
        for (entry, epoch) in metric.entries.iter().zip(epochs) {
            let steps = epoch.steps.as_ref().unwrap();
            let expected =
                if metric.name == EnergyMetric::NAME { steps.joules.mean } else { POWER };
            let what = format!("{} of {} {}", metric.name, epoch.split, epoch.index);
            assert!(close(entry.value, expected, 1e-6), "{what}: {} for {expected}", entry.value);
        }
    }
}

fn of<'a>(record: &'a Record, split: &str) -> Vec<&'a Epoch> {
    record.epochs.iter().filter(|epoch| epoch.split == split).collect()
}

fn summary(directory: &Path) -> LearnerSummary {
    LearnerSummary::new(directory, &[EnergyMetric::NAME, PowerMetric::NAME]).unwrap()
}

#[test]
fn a_learner_with_checkpoints_early_stopping_and_tests() {
    let meter = meter();
    let directory = tempfile::tempdir().unwrap();
    let [train, valid] = ["train", "valid"].map(|split| diary(&meter, split));
    // These wait for the meter, so that there is a value for Burn to show.
    let [test, hard] = ["test", "hard"].map(|split| Diary::new(&meter, split));
    let diaries = [train, valid, test, hard];
    let [train, valid, test, hard] = &diaries;
    // The loss falls, so the second epoch is no higher than the first.
    let stopping = MetricEarlyStoppingStrategy::new(
        &LossMetric::new(),
        Aggregate::Mean,
        Direction::Highest,
        Split::Valid,
        StoppingCondition::NoImprovementSince { n_epochs: 1 },
    );
    let result = SupervisedTraining::metered(
        &meter,
        directory.path(),
        toy::loader(train, ITEMS.0),
        toy::loader(valid, ITEMS.1),
    )
    .metric_valid_numeric(LossMetric::new())
    .with_default_checkpointers()
    .early_stopping(stopping)
    .num_epochs(5)
    .with_application_logger(None)
    .renderer(Box::new(CliMetricsRenderer::new()))
    .summary()
    .launch(Learner::new(line(), SgdConfig::new().init(), 0.1));
    assert!(result.error.is_none(), "{:?}", result.error);
    let result = EvaluatorBuilder::new(directory.path())
        .metric_numeric(EnergyMetric::evaluation(&meter))
        .metric_numeric(PowerMetric::evaluation(&meter))
        .with_application_logger(None)
        .renderer(Box::new(CliMetricsRenderer::new()))
        .build(result.model)
        .eval_all_metered(
            &meter,
            [("test", toy::loader(test, 10)), ("hard", toy::loader(hard, 8))],
        );
    assert!(result.error.is_none(), "{:?}", result.error);
    let record = meter.finish().unwrap();

    assert_epochs(&record);
    let expected =
        [("train", 1), ("valid", 1), ("train", 2), ("valid", 2), ("test", 1), ("hard", 1)];
    assert_eq!(names(&record.epochs), expected);
    let expected = [(6, 22.0), (3, 10.0), (6, 22.0), (3, 10.0), (3, 10.0), (2, 8.0)];
    assert_eq!(record.epochs.iter().map(counts).collect::<Vec<_>>(), expected);
    for (diary, count) in diaries.iter().zip([12, 6, 3, 2]) {
        assert_steps(&record.steps[diary.split], diary, count);
    }
    assert!(directory.path().join("checkpoint").read_dir().unwrap().count() > 0);
    let summary = summary(directory.path());
    assert_summary(&summary.metrics.train, &of(&record, "train"));
    assert_summary(&summary.metrics.valid, &of(&record, "valid"));
    // Burn asks for no value at the end of a test: it shows the steps that were resolved at its last update.
    for epoch in &record.epochs[4..] {
        let joules = &epoch.steps.as_ref().unwrap().joules;
        let steps = joules.min.unwrap() * 0.98..=joules.max.unwrap() * 1.02;
        for (metric, range) in [(EnergyMetric::NAME, steps), (PowerMetric::NAME, 99.999..=100.001)]
        {
            let file = format!("test/{}/{}.log", epoch.split, metric.replace(' ', "_"));
            let log = fs::read_to_string(directory.path().join(file)).unwrap();
            for line in log.lines() {
                let value = NumericEntry::deserialize(line).unwrap().current();
                assert!(range.contains(&value), "{metric} of {}: {line}", epoch.split);
            }
        }
    }
}

/// A loop of the program's own that reports to Burn's metrics.
struct Reporting;

impl SupervisedLearningStrategy<Line> for Reporting {
    fn fit(
        &self,
        components: TrainingComponents<Line>,
        mut learner: Learner<Line>,
        train: TrainLoader<Line>,
        valid: ValidLoader<Line>,
        first: usize,
    ) -> (Line, SupervisedTrainingEventProcessor<Line>) {
        let mut processor = components.event_processor;
        for epoch_number in first..=components.num_epochs {
            let total_items = train.num_items();
            processor
                .process_train(LearnerEvent::StartSplit { epoch_number, total_items })
                .unwrap();
            let mut batches = train.iter();
            while let Some(batch) = batches.next() {
                let output = learner.train_step(batch.unwrap());
                learner.lr_step();
                learner.optimizer_step(output.grads);
                let item = TrainingItem::new(output.item, batches.progress(), None, None);
                processor.process_train(LearnerEvent::ProcessedItem(item)).unwrap();
            }
            processor.process_train(LearnerEvent::EndSplit(epoch_number)).unwrap();
            let total_items = valid.num_items();
            processor
                .process_valid(LearnerEvent::StartSplit { epoch_number, total_items })
                .unwrap();
            let model = learner.model().valid();
            let mut batches = valid.iter();
            while let Some(batch) = batches.next() {
                let output = InferenceStep::step(&model, batch.unwrap());
                let item = TrainingItem::new(output, batches.progress(), None, None);
                processor.process_valid(LearnerEvent::ProcessedItem(item)).unwrap();
            }
            processor.process_valid(LearnerEvent::EndSplit(epoch_number)).unwrap();
            processor.process_train(LearnerEvent::EndEpoch(epoch_number)).unwrap();
        }
        (learner.model(), processor)
    }
}

#[test]
fn a_custom_strategy_that_reports_to_burns_metrics() {
    let meter = meter();
    let directory = tempfile::tempdir().unwrap();
    let (train, valid) = (diary(&meter, "train"), diary(&meter, "valid"));
    let result = SupervisedTraining::metered(
        &meter,
        directory.path(),
        toy::loader(&train, ITEMS.0),
        toy::loader(&valid, ITEMS.1),
    )
    .num_epochs(EPOCHS)
    .with_training_strategy(TrainingStrategy::Custom(Arc::new(Reporting)))
    .with_application_logger(None)
    .renderer(Box::new(CliMetricsRenderer::new()))
    .launch(Learner::new(line(), SgdConfig::new().init(), 0.1));
    assert!(result.error.is_none(), "{:?}", result.error);
    let record = meter.finish().unwrap();

    assert_epochs(&record);
    let both = |index| [("train", index), ("valid", index)];
    assert_eq!(names(&record.epochs), (1..=EPOCHS as u64).flat_map(both).collect::<Vec<_>>());
    assert_steps(&record.steps["train"], &train, 18);
    assert_steps(&record.steps["valid"], &valid, 9);
    let summary = summary(directory.path());
    assert_summary(&summary.metrics.train, &of(&record, "train"));
    assert_summary(&summary.metrics.valid, &of(&record, "valid"));
}
