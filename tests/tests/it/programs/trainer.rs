//! A trainer whose methods take `&mut self`, on a device that works behind the program and is waited for.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use ergometer::track_energy;

use super::{Intervals, assert_alone, assert_between, compute, epochs, node, record_of, sum};

const EPOCHS: usize = 3;
const BATCHES: usize = 8;
const BATCH: usize = 64;
/// Batches of a validation.
const VALID: usize = 2;

enum Job {
    Compute,
    Report(Sender<()>),
}

/// A queue of jobs that a thread works off.
#[derive(Clone)]
struct Device(Sender<Job>);

impl Device {
    fn new(busy: Arc<Intervals>) -> Self {
        let (sender, jobs) = mpsc::channel();
        thread::spawn(move || {
            for job in jobs {
                match job {
                    Job::Compute => busy.time(|| compute(100)),
                    Job::Report(done) => done.send(()).unwrap(),
                }
            }
        });
        Self(sender)
    }

    fn launch(&self) {
        self.0.send(Job::Compute).unwrap();
    }

    fn wait(&self) {
        let (done, waited) = mpsc::channel();
        self.0.send(Job::Report(done)).unwrap();
        waited.recv().unwrap();
    }
}

struct Trainer {
    device: Device,
    updates: usize,
}

impl Trainer {
    fn learn(&mut self, _batch: &[f32]) {
        self.device.launch();
        self.updates += 1;
    }

    #[track_energy(epoch, name = "train")]
    fn epoch(&mut self, batches: &[[f32; BATCH]]) {
        #[track_energy(
            step, items = batch.len(), unit = "rows",
            sync = { let device = self.device.clone(); move || device.wait() }
        )]
        for batch in batches {
            #[track_energy(phase = "launch")]
            self.learn(batch);
        }
    }

    #[track_energy(
        epoch, name = "valid",
        sync = { let device = self.device.clone(); move || device.wait() }
    )]
    fn validate(&mut self, batches: &[[f32; BATCH]]) {
        for batch in batches {
            self.learn(batch);
        }
    }

    #[track_energy(run)]
    fn fit(&mut self, batches: &[[f32; BATCH]]) {
        for _ in 0..EPOCHS {
            self.epoch(batches);
            self.validate(&batches[..VALID]);
        }
    }
}

#[test]
fn work_of_a_device_is_in_the_step_and_the_epoch_that_launched_it() {
    let busy = Arc::<Intervals>::default();
    let mut trainer = Trainer { device: Device::new(Arc::clone(&busy)), updates: 0 };
    let whole = Intervals::default();
    let program = || whole.time(|| trainer.fit(&[[0.0; BATCH]; BATCHES]));
    let test = "trainer::work_of_a_device_is_in_the_step_and_the_epoch_that_launched_it";
    let Some(record) = record_of(test, program) else { return };

    assert_eq!(trainer.updates, EPOCHS * (BATCHES + VALID));
    let both = |index| [("train", index), ("valid", index)];
    assert_eq!(epochs(&record), (1..=EPOCHS as u64).flat_map(both).collect::<Vec<_>>());
    let steps = &record.steps["train"];
    assert_alone(steps, EPOCHS * BATCHES, EPOCHS * BATCHES * BATCH);
    let jobs = busy.0.lock().unwrap();
    assert_eq!(jobs.len(), EPOCHS * (BATCHES + VALID));
    for (epochs, jobs) in record.epochs.chunks(2).zip(jobs.chunks(BATCHES + VALID)) {
        let [train, valid] = epochs else { panic!("{epochs:?}") };
        let (learned, validated) = jobs.split_at(BATCHES);
        // The device is idle where a step begins, and again where it ends.
        let seconds = learned.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum();
        assert_alone(train.steps.as_ref().unwrap(), BATCHES, BATCHES * BATCH);
        let steps = sum(&train.steps.as_ref().unwrap().by_domain);
        assert_between(steps, seconds, train.usage.seconds);
        let seconds = validated.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum();
        let joules = valid.usage.energy.unwrap().joules.get();
        assert_between(joules, seconds, whole.total());
    }
    let launch = node(&record, &["fit", "train", "step", "launch"]);
    assert_eq!(launch.count, (EPOCHS * BATCHES) as u64);
}
