//! Burn's training strategies on two boards whose power is a formula: what epochs and single steps drew,
//! against the integral of the formula.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::module::{Module, Param, ParamId};
use burn::optim::SgdConfig;
use burn::tensor::distributed::{DistributedConfig, DistributedContext, ReduceOperation};
use burn::tensor::{Device, Int, Tensor};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{
    ExecutionStrategy, InferenceStep, Learner, LearnerModel, MultiDeviceOptim, RegressionOutput,
    SupervisedLearningStrategy, SupervisedTraining, SupervisedTrainingEventProcessor, TrainLoader,
    TrainOutput, TrainStep, TrainingComponents, TrainingStrategy, ValidLoader,
};
use ergometer::energy::Energy;
use ergometer::record::Record;
use ergometer::record::{Epoch, SpanNode};
use ergometer::{Devices, Meter};
use ergometer_burn::EnergyTraining as _;
use nvml_sim::{AMPLE_SHARE, Curve, Installed, Machine, monotonic_ns};

use crate::toy::{self, Batch, Diary, Line};
use crate::{assert_conserved, close, names};

const SETTINGS: &str = "boards=2
0.generation=v100;0.curve=square:100:300:430ms
1.generation=h100;1.curve=ramp:150:600:1900ms";
const EPOCHS: usize = 3;
/// Numbers to learn from, and to validate with: four make a batch.
const ITEMS: (u8, u8) = (40, 16);
/// What the model takes for a step, without what Burn adds to it.
const STEPS: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(70));

/// When one pass over the data asked for its batches, as the loader itself saw it.
#[derive(Default)]
struct Pass {
    began: u64,
    /// Each call of `next`: a step begins there and the one before ends. The last gave no batch.
    edges: Vec<u64>,
    ended: u64,
}

type Passes = Arc<Mutex<Vec<Pass>>>;

/// A loader that notes when it is called. Of its slices the first does.
struct Noted {
    inner: Arc<dyn DataLoader<Batch>>,
    passes: Option<Passes>,
}

struct NotedPass<'a> {
    inner: Box<dyn DataLoaderIterator<Batch> + 'a>,
    pass: Pass,
    passes: Option<&'a Passes>,
}

impl DataLoader<Batch> for Noted {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let pass = Pass { began: monotonic_ns(), ..Pass::default() };
        Box::new(NotedPass { inner: self.inner.iter(), pass, passes: self.passes.as_ref() })
    }

    fn num_items(&self) -> usize {
        self.inner.num_items()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self { inner: self.inner.to_device(device), passes: self.passes.clone() })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let passes = self.passes.clone().filter(|_| start == 0);
        Arc::new(Self { inner: self.inner.slice(start, end), passes })
    }
}

impl Iterator for NotedPass<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pass.edges.push(monotonic_ns());
        let batch = self.inner.next();
        if batch.is_none() {
            self.pass.ended = monotonic_ns();
            let pass = std::mem::take(&mut self.pass);
            if let Some(passes) = self.passes {
                passes.lock().unwrap().push(pass);
            }
        }
        batch
    }
}

impl DataLoaderIterator<Batch> for NotedPass<'_> {
    fn progress(&self) -> Progress {
        self.inner.progress()
    }
}

/// One split of a training by the program's own account.
struct Split {
    diary: Diary,
    /// A step of the model takes no less.
    length: Duration,
    passes: Passes,
}

impl Split {
    fn new(meter: &Meter, name: &'static str, length: Duration) -> Self {
        let diary = Diary::new(meter, name).lasting(length);
        Self { diary, length, passes: Passes::default() }
    }

    fn loader(&self, items: u8) -> Arc<dyn DataLoader<Batch>> {
        let inner = toy::loader(&self.diary, items);
        Arc::new(Noted { inner, passes: Some(Arc::clone(&self.passes)) })
    }
}

/// A step in the journal.
struct Step {
    start_s: f64,
    seconds: f64,
    by_domain: Vec<f64>,
}

/// The rows of `split`'s steps in a journal, in their order: `["train",12.5,0.051,64.0,[7.1,0.4]]`.
fn steps(journal: &str, split: &str) -> Vec<Step> {
    let rows = journal.lines().filter_map(|line| line.split_once(r#""row":"steps","steps":[["#));
    let rows = rows.map(|(_, rows)| rows);
    let row = |row: &str| {
        let (label, numbers) = row.trim_matches(['[', ']', '}']).split_once(',').expect(row);
        let numbers: Vec<f64> = numbers
            .split([',', '[', ']'])
            .filter(|number| !number.is_empty())
            .map(|number| number.parse().expect(number))
            .collect();
        let [start_s, seconds, _items, by_domain @ ..] = &numbers[..] else { panic!("{row}") };
        let step = Step { start_s: *start_s, seconds: *seconds, by_domain: by_domain.to_vec() };
        (label.trim_matches('"') == split).then_some(step)
    };
    let mut steps: Vec<_> = rows.flat_map(|rows| rows.split("]],")).filter_map(row).collect();
    steps.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    steps
}

/// A training and its true account.
struct Run {
    record: Record,
    journal: String,
    splits: [Split; 2],
    curves: Vec<Curve>,
}

fn train<M>(model: M, strategy: TrainingStrategy<M>) -> Run
where
    M: LearnerModel + TrainStep<Input = Batch> + InferenceStep<Input = Batch>,
{
    let machine = Installed::new(SETTINGS);
    let meter = Meter::builder()
        .nvml_library(machine.library())
        .overhead(AMPLE_SHARE)
        .devices(Devices::All)
        .sysfs_root("/nowhere")
        .proc_root("/nowhere")
        .journal(machine.folder())
        .start()
        .unwrap();
    let splits = [Split::new(&meter, "train", STEPS.0), Split::new(&meter, "valid", STEPS.1)];
    let training = SupervisedTraining::metered(
        &meter,
        machine.folder(),
        splits[0].loader(ITEMS.0),
        splits[1].loader(ITEMS.1),
    )
    .num_epochs(EPOCHS)
    .with_training_strategy(strategy)
    .with_application_logger(None)
    .renderer(Box::new(CliMetricsRenderer::new()));
    let result = training.launch(Learner::new(model, SgdConfig::new().init(), 0.1));
    assert!(result.error.is_none(), "{:?}", result.error);
    let journal = meter.journal().unwrap().to_owned();
    let record = meter.finish().unwrap();
    let journal = fs::read_to_string(journal).unwrap();
    let curves = Machine::parse(SETTINGS).unwrap().boards;
    Run { record, journal, splits, curves: curves.into_iter().map(|board| board.curve).collect() }
}

impl Run {
    /// What the boards drew between two moments, joules.
    fn truth(&self, from: u64, to: u64) -> Vec<f64> {
        self.curves.iter().map(|curve| curve.joules(from, to)).collect()
    }

    /// Standard uncertainty of one of `node`'s spans, which drew `joules`. The record has that of their
    /// sum: in it gains have added up, and what is independent between spans has in quadrature.
    fn uncertainty(&self, node: &SpanNode, joules: &[f64]) -> f64 {
        let gain = |joules: &[f64]| -> f64 {
            let domains = self.record.domains.iter().zip(joules);
            let part = domains.map(|(row, joules)| {
                let energy = row.energy.unwrap();
                energy.parts.gain.get() / energy.joules.get() * joules
            });
            part.map(|part| part * part).sum()
        };
        let all: Vec<f64> = node.by_domain.iter().map(|joules| joules.get()).collect();
        let sum = node.standard_uncertainty.get();
        let others = (sum * sum - gain(&all)).max(0.0) / node.count as f64;
        (others + gain(joules)).sqrt()
    }
}

fn assert_holds(said: Energy, truth: f64, what: &str) {
    let off = (said.joules.get() - truth).abs();
    assert!(off <= 2.0 * said.standard_uncertainty.get(), "{what}: {said:?} for {truth} J");
}

fn assert_epoch(run: &Run, epoch: &Epoch, pass: &Pass) {
    let what = format!("{} {}", epoch.split, epoch.index);
    let truth = run.truth(pass.began, pass.ended);
    for (said, truth) in epoch.usage.by_domain.iter().zip(&truth) {
        assert_holds(said.unwrap(), *truth, &what);
    }
    assert_holds(epoch.usage.energy.unwrap(), truth.iter().sum(), &what);
    assert_conserved(epoch);
}

/// Single steps against the formula, and the tiling of the epoch; how many of them hold.
fn holding(run: &Run, epoch: &Epoch, pass: &Pass, steps: &[Step], node: &SpanNode) -> usize {
    for pair in steps.windows(2) {
        // Both are told in whole microseconds.
        let end = pair[0].start_s + pair[0].seconds;
        assert!((pair[1].start_s - end).abs() < 5e-6, "{end} s, {} s", pair[1].start_s);
    }
    for domain in 0..run.curves.len() {
        let sum: f64 = steps.iter().map(|step| step.by_domain[domain]).sum();
        let said = epoch.steps.as_ref().unwrap().by_domain[domain].get();
        assert!(close(sum, said, 1e-4), "{sum} J of steps with {said} J");
    }
    let intervals = pass.edges.windows(2).map(|edges| run.truth(edges[0], edges[1]));
    let holds = |(step, truth): (&Step, Vec<f64>)| {
        let off = step.by_domain.iter().sum::<f64>() - truth.iter().sum::<f64>();
        off.abs() <= 2.0 * run.uncertainty(node, &step.by_domain)
    };
    steps.iter().zip(intervals).map(holds).filter(|holds| *holds).count()
}

/// Trains, and holds the record against the truth.
fn assert_trained(train: impl FnOnce() -> Run) {
    let run = &train();
    let expected: Vec<_> = (1..=3).flat_map(|index| [("train", index), ("valid", index)]).collect();
    assert_eq!(names(&run.record.epochs), expected);
    let (mut held, mut all) = (0, 0);
    for split in &run.splits {
        let name = split.diary.split;
        let passes = split.passes.lock().unwrap();
        let epochs: Vec<_> = run.record.epochs.iter().filter(|row| row.split == name).collect();
        let root = run.record.spans.iter().find(|node| node.name == name).unwrap();
        let node = root.children.iter().find(|node| node.name == name).unwrap();
        let rows = steps(&run.journal, name);
        assert_eq!((passes.len(), epochs.len()), (EPOCHS, EPOCHS));
        let mut rows = rows.as_slice();
        for (epoch, pass) in epochs.into_iter().zip(passes.iter()) {
            assert_epoch(run, epoch, pass);
            let count = pass.edges.len() - 1;
            assert_eq!(epoch.steps.as_ref().unwrap().count, count as u64);
            let (now, later) = rows.split_at(count);
            held += holding(run, epoch, pass, now, node);
            all += count;
            rows = later;
        }
        assert!(rows.is_empty());
        // A step of the model lies inside each that the loader saw. Those of other devices may be later and longer.
        let steps = &run.record.steps[name];
        assert!(steps.seconds >= steps.count as f64 * split.length.as_secs_f64(), "{steps:?}");
    }
    // Two standard uncertainties hold 19 of 20.
    assert!(held * 10 >= all * 9, "only {held} of {all} steps hold the truth");
}

fn line() -> Line {
    Line::new(&Device::flex().autodiff())
}

fn devices() -> Vec<Device> {
    vec![Device::flex(), Device::flex()]
}

#[test]
fn a_single_device() {
    assert_trained(|| train(line(), ExecutionStrategy::single(Device::flex()).into()));
}

#[test]
fn several_devices_that_one_optimizes_for() {
    let optim = || MultiDeviceOptim::OptimMainDevice;
    assert_trained(|| train(line(), ExecutionStrategy::multi(devices(), optim()).into()));
}

#[test]
fn several_devices_that_share_the_optimizer() {
    let optim = || MultiDeviceOptim::OptimSharded;
    assert_trained(|| train(line(), ExecutionStrategy::multi(devices(), optim()).into()));
}

/// A model whose weights Burn does not see, and so neither shares between devices nor optimizes.
#[derive(Module, Debug)]
struct Hidden {
    #[module(skip)]
    line: Line,
    /// Which device it is on.
    place: Param<Tensor<1, Int>>,
}

impl TrainStep for Hidden {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> TrainOutput<RegressionOutput> {
        TrainStep::step(&self.line, batch)
    }
}

impl InferenceStep for Hidden {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> RegressionOutput {
        InferenceStep::step(&self.line, batch)
    }
}

/// Set in the process in which two workers train.
const WORKERS: &str = "ERGOMETER_TEST_WORKERS";
/// A training of some seconds that has not ended by then stands still.
const LIMIT: Duration = Duration::from_mins(1);

/// Each device with a thread and a model of its own. `flex` has no collective operations: a context
/// without devices stands in, and no gradients are exchanged, which metering knows nothing of.
///
/// Two workers of Burn 0.22.1 can wait for each other for ever, with a meter or without: one's backward pass holds a
/// graph and waits for the table of graphs (`GraphCleaner::init` of burn-autodiff), while the other's forward pass holds
/// the table and waits for that graph (`GraphLocator::select`). So they train in a process of their own, which is killed
/// if it stands still, and another one is tried. A training that ends is held against the truth each time.
#[test]
fn distributed_data_parallel() {
    if env::var_os(WORKERS).is_some() {
        return train_distributed();
    }
    for _ in 0..4 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["strategies::distributed_data_parallel", "--exact", "--nocapture"])
            .env(WORKERS, "1")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        eprintln!("two of Burn's workers wait for each other: tried again");
    }
    panic!("four trainings stood still");
}

fn train_distributed() {
    let device = Device::flex().autodiff();
    assert_trained(|| {
        let place = Param::initialized(ParamId::new(), Tensor::from_ints([0], &device));
        let model = Hidden { line: line(), place };
        let config = DistributedConfig { all_reduce_op: ReduceOperation::Mean };
        let context = DistributedContext::init(Vec::new(), config);
        let strategy = ExecutionStrategy::DistributedDataParallel { devices: devices(), context };
        train(model, strategy.into())
    });
}

/// A loop of the program's own, which tells Burn's metrics nothing.
struct Own;

impl SupervisedLearningStrategy<Line> for Own {
    fn fit(
        &self,
        components: TrainingComponents<Line>,
        mut learner: Learner<Line>,
        train: TrainLoader<Line>,
        valid: ValidLoader<Line>,
        first: usize,
    ) -> (Line, SupervisedTrainingEventProcessor<Line>) {
        for _ in first..=components.num_epochs {
            for batch in train.iter() {
                let output = learner.train_step(batch.unwrap());
                learner.lr_step();
                learner.optimizer_step(output.grads);
            }
            let model = learner.model();
            for batch in valid.iter() {
                InferenceStep::step(&model, batch.unwrap());
            }
        }
        (learner.model(), components.event_processor)
    }
}

#[test]
fn a_custom_strategy() {
    assert_trained(|| train(line(), TrainingStrategy::Custom(Arc::new(Own))));
}
