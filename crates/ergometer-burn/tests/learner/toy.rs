//! A model of one linear layer, and data that notes when it is loaded and used.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use ergometer::Meter;
use ergometer::clock::{self, Timestamp};

/// When waiting for the meter is given up.
const GIVE_UP: Duration = Duration::from_mins(1);

/// When things happened, by the program's own account.
#[derive(Clone, Debug)]
pub struct Diary {
    pub split: &'static str,
    meter: Meter,
    /// How many devices take their batches together, as one step.
    devices: usize,
    /// How long a step of the model lasts, where it does not wait for the meter.
    length: Option<Duration>,
    /// Steps after which the model never returns.
    last: Option<usize>,
    /// What happens in the step after this many.
    event: Option<(usize, fn())>,
    /// Begin and end of every batch's loading.
    pub loads: Arc<Mutex<Vec<(Timestamp, Timestamp)>>>,
    /// Begin and end of every step of the model.
    pub steps: Arc<Mutex<Vec<(Timestamp, Timestamp)>>>,
}

impl Diary {
    pub fn new(meter: &Meter, split: &'static str) -> Self {
        let (meter, loads, steps) = (meter.clone(), Arc::default(), Arc::default());
        Self { split, meter, devices: 1, length: None, last: None, event: None, loads, steps }
    }

    /// Steps that last `length`, whatever the meter has resolved.
    pub fn lasting(self, length: Duration) -> Self {
        Self { length: Some(length), ..self }
    }

    /// The model hangs in the step after `steps`, until its process is killed.
    pub fn hanging_after(self, steps: usize) -> Self {
        Self { last: Some(steps), ..self }
    }

    /// Something happens in the step after this many.
    pub fn interrupted(self, event: Option<(usize, fn())>) -> Self {
        Self { event, ..self }
    }

    pub fn on_devices(self, devices: usize) -> Self {
        Self { devices, ..self }
    }

    /// Runs a step of the model, and waits until the meter has resolved all steps before it, so that
    /// Burn's metrics have something to show however fast the model is; or until it lasted its time.
    fn step<T>(&self, step: impl FnOnce() -> T) -> T {
        let begin = clock::now();
        let output = step();
        if let Some((after, event)) = self.event
            && after == self.steps.lock().unwrap().len()
        {
            event();
        }
        while self.last == Some(self.steps.lock().unwrap().len()) {
            thread::park();
        }
        match self.length {
            Some(length) => thread::sleep(length.saturating_sub(clock::now().since(begin))),
            None => self.wait_for_the_meter(begin),
        }
        self.steps.lock().unwrap().push((begin, clock::now()));
        output
    }

    fn wait_for_the_meter(&self, begin: Timestamp) {
        let before = (self.steps.lock().unwrap().len() / self.devices) as u64;
        let resolved = || self.meter.live().steps.get(self.split).map_or(0, |steps| steps.count);
        while resolved() < before {
            assert!(clock::now().since(begin) < GIVE_UP, "{} of {before} steps", resolved());
            thread::yield_now();
        }
    }
}

/// `x` and `2 x`, with the diary to write in.
#[derive(Clone, Debug)]
pub struct Batch {
    inputs: Tensor<2>,  // [batch, 1]
    targets: Tensor<2>, // [batch, 1]
    diary: Diary,
}

impl Batch {
    /// Its rows.
    pub fn len(&self) -> usize {
        self.inputs.dims()[0]
    }
}

struct Numbers(Diary);

impl Batcher<f32, Batch> for Numbers {
    fn batch(&self, items: Vec<f32>, device: &Device) -> Batch {
        let begin = clock::now();
        let rows = items.len();
        let inputs = Tensor::<1>::from_floats(items.as_slice(), device).reshape([rows, 1]);
        let targets = inputs.clone() * 2.0;
        self.0.loads.lock().unwrap().push((begin, clock::now()));
        Batch { inputs, targets, diary: self.0.clone() }
    }
}

/// A loader of `items` numbers in batches of four.
pub fn loader(diary: &Diary, items: u8) -> Arc<dyn DataLoader<Batch>> {
    let numbers = (0..items).map(|n| f32::from(n) / f32::from(items)).collect();
    DataLoaderBuilder::new(Numbers(diary.clone()))
        .batch_size(4)
        .shuffle(7)
        .set_device(Device::flex())
        .build(InMemDataset::new(numbers))
}

/// One weight and one bias.
#[derive(Module, Debug)]
pub struct Line {
    linear: Linear,
}

impl Line {
    pub fn new(device: &Device) -> Self {
        Self { linear: LinearConfig::new(1, 1).init(device) }
    }

    fn forward(&self, batch: Batch) -> RegressionOutput {
        let output = self.linear.forward(batch.inputs);
        let loss = MseLoss::new().forward(output.clone(), batch.targets.clone(), Reduction::Mean);
        RegressionOutput::new(loss, output, batch.targets)
    }
}

impl TrainStep for Line {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> TrainOutput<RegressionOutput> {
        let diary = batch.diary.clone();
        diary.step(|| {
            let output = self.forward(batch);
            TrainOutput::new(self, output.loss.backward(), output)
        })
    }
}

impl InferenceStep for Line {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> RegressionOutput {
        let diary = batch.diary.clone();
        diary.step(|| self.forward(batch))
    }
}
