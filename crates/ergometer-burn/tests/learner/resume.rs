//! A training whose process is killed, and that goes on from Burn's checkpoint and the meter's journal.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::optim::{OptimizerRecord, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::Device;
use burn::train::checkpoint::{Checkpoint, Checkpointer, FileCheckpointer, KeepLastNCheckpoints};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{Learner, SupervisedTraining};
use ergometer::clock;
use ergometer::record::Record;
use ergometer::units::Joules;
use ergometer::{Devices, Meter, MeterBuilder};
use ergometer_burn::{EnergyTraining as _, Metering};
use nvml_sim::{AMPLE_SHARE, Curve, Installed, Machine, monotonic_ns};

use crate::toy::{self, Diary, Line};
use crate::{assert_conserved, names};

const TEST: &str = "resume::a_resumed_training_comes_to_what_an_uninterrupted_one_does";
/// Where the training that is killed finds the library; its journal and checkpoints lie beside it.
const LIBRARY: &str = "ERGOMETER_TEST_RESUMED";

const SETTINGS: &str = "boards=1;generation=v100;curve=square:100:300:130ms";
const EPOCHS: usize = 4;
/// The last epoch before the kill that was finished.
const DONE: usize = 2;
/// Batches of an epoch: of training and of validation data, and those of epoch 3 that are done twice.
const BATCHES: (usize, usize) = (8, 3);
const AGAIN: usize = 2;
const STEP: Duration = Duration::from_millis(80);
/// When waiting for the other process is given up.
const GIVE_UP: Duration = Duration::from_mins(1);

fn builder(library: &Path) -> MeterBuilder {
    Meter::builder()
        .label("resumed")
        .nvml_library(library)
        .overhead(AMPLE_SHARE)
        .devices(Devices::All)
        .sysfs_root("/nowhere")
        .proc_root("/nowhere")
}

/// Trains in `directory` up to the last epoch, from the checkpoint of epoch `from` if that is not 0.
fn train(meter: &Meter, directory: &Path, from: usize, train: &Diary) {
    meter.fact("from_ns", monotonic_ns());
    let items = |batches: usize| u8::try_from(4 * batches).unwrap();
    let valid = Diary::new(meter, "valid").lasting(STEP);
    let metering = Metering::new(meter).epochs(EPOCHS);
    let metering = if from > 0 { metering.resumed(from) } else { metering };
    let training = SupervisedTraining::metered(
        metering,
        directory,
        toy::loader(train, items(BATCHES.0)),
        toy::loader(&valid, items(BATCHES.1)),
    )
    .with_default_checkpointers()
    .with_checkpointing_strategy(KeepLastNCheckpoints::new(2))
    .with_application_logger(None)
    .renderer(Box::new(CliMetricsRenderer::new()));
    let model = Line::new(&Device::flex().autodiff());
    let result = training.launch(Learner::new(model, SgdConfig::new().init(), 0.1));
    assert!(result.error.is_none(), "{:?}", result.error);
    meter.fact("to_ns", monotonic_ns());
}

fn diary(meter: &Meter) -> Diary {
    Diary::new(meter, "train").lasting(STEP)
}

/// The training that is killed: it hangs in the third epoch.
fn hang(library: &Path) {
    let folder = library.parent().unwrap();
    let meter = builder(library).journal(folder.join("journals")).start().unwrap();
    let diary = diary(&meter).hanging_after(DONE * BATCHES.0 + AGAIN);
    train(&meter, folder, 0, &diary);
}

/// The journal of the training that is killed, and what it says, once all is in it that will be.
fn hung(folder: &Path) -> (PathBuf, Record) {
    let began = clock::now();
    while clock::now().since(began) < GIVE_UP {
        if let Some((journal, record)) = last_words(folder) {
            return (journal, record);
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the training has not come to its third epoch");
}

fn last_words(folder: &Path) -> Option<(PathBuf, Record)> {
    let mut journals = fs::read_dir(folder.join("journals")).ok()?.filter_map(Result::ok);
    let journal = journals.find_map(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|extension| extension == "journal").then_some(path)
    })?;
    let record = Record::recover(&journal).ok()?;
    let steps = record.steps.get("train")?.count;
    let is_there = steps == (DONE * BATCHES.0 + AGAIN) as u64 && is_saved(folder);
    is_there.then_some((journal, record))
}

/// Whether the checkpoint of the last epoch is there as a whole.
fn is_saved(folder: &Path) -> bool {
    fn is_whole<R: Checkpoint>(folder: &Path, name: &str) -> bool {
        let record: Result<R, _> =
            FileCheckpointer::new(folder.join("checkpoint"), name).restore(DONE);
        record.is_ok()
    }
    is_whole::<ModuleRecord>(folder, "model")
        && is_whole::<OptimizerRecord>(folder, "optim")
        && is_whole::<LrSchedulerRecord>(folder, "scheduler")
}

fn start(machine: &Installed) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(LIBRARY, machine.library())
        .env_remove("ERGOMETER_NVML_LIBRARY")
        .env_remove("ERGOMETER_PROC_ROOT")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the board drew while the run of `record` went on.
fn truth(curve: &Curve, record: &Record) -> f64 {
    let from: u64 = record.facts["from_ns"].parse().unwrap();
    let length = Duration::from_secs_f64(record.run.seconds);
    curve.joules(from, from + u64::try_from(length.as_nanos()).unwrap())
}

/// Standard uncertainty of the training steps' energy, without the sensor's gain, which all runs share.
fn uncertainty(record: &Record) -> f64 {
    let root = record.spans.iter().find(|node| node.name == "train").unwrap();
    let node = root.children.iter().find(|node| node.name == "train").unwrap();
    let energy = record.domains[0].energy.unwrap();
    let joules: f64 = node.by_domain.iter().map(|joules| joules.get()).sum();
    let gain = energy.parts.gain.get() / energy.joules.get() * joules;
    (node.standard_uncertainty.get().powi(2) - gain * gain).max(0.0).sqrt()
}

#[test]
fn a_resumed_training_comes_to_what_an_uninterrupted_one_does() {
    if let Some(library) = env::var_os(LIBRARY) {
        return hang(Path::new(&library));
    }
    let machine = Installed::new(SETTINGS);
    let folder = machine.folder();
    let mut child = start(&machine);
    let (journal, _) = hung(folder);
    child.kill().unwrap();
    child.wait().unwrap();
    let first = Record::recover(&journal).unwrap();

    let meter = builder(&machine.library()).resume(&journal).start().unwrap();
    train(&meter, folder, DONE, &diary(&meter));
    let plan = meter.live().plan;
    assert_eq!((plan.epochs, plan.done), (EPOCHS as u64, DONE as u64));
    let second = meter.finish().unwrap();

    let meter = builder(&machine.library()).start().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    train(&meter, elsewhere.path(), 0, &diary(&meter));
    let uninterrupted = meter.finish().unwrap();

    // Both parts' epochs have Burn's numbers; the one that was cut off is there, twice.
    let epochs = |from: usize, to: usize| {
        (from as u64..=to as u64).flat_map(|epoch| [("train", epoch), ("valid", epoch)])
    };
    let mut before: Vec<_> = epochs(1, DONE).collect();
    before.push(("train", DONE as u64 + 1));
    assert_eq!(names(&first.epochs), before);
    assert_eq!(names(&second.epochs), epochs(DONE + 1, EPOCHS).collect::<Vec<_>>());
    assert_eq!(names(&uninterrupted.epochs), epochs(1, EPOCHS).collect::<Vec<_>>());
    second.epochs.iter().for_each(assert_conserved);

    let [part] = second.earlier.as_slice() else { panic!("{:?}", second.earlier) };
    assert!(!part.finished && part.energy == first.total.energy);
    let whole = second.whole();
    let curve = &Machine::parse(SETTINGS).unwrap().boards[0].curve;
    let (energy, other) = (whole.energy.unwrap(), uninterrupted.total.energy.unwrap());
    for (said, truth) in [
        (energy, truth(curve, &first) + truth(curve, &second)),
        (other, truth(curve, &uninterrupted)),
    ] {
        let off = (said.joules.get() - truth).abs();
        assert!(off <= 2.0 * said.standard_uncertainty.get(), "{said:?} for {truth} J");
    }

    // The same steps but for those that were done again, and the same power while they ran and in all.
    let done = |batches: usize| (EPOCHS * batches) as u64;
    assert_eq!(whole.steps["train"].count, done(BATCHES.0) + AGAIN as u64);
    assert_eq!(whole.steps["valid"].count, done(BATCHES.1));
    assert_eq!(uninterrupted.steps["train"].count, done(BATCHES.0));
    let steps = &uninterrupted.steps["train"];
    let alone = steps.by_domain.iter().copied().sum::<Joules>().get() / steps.seconds;
    let resumed = whole.steps["train"].joules.get() / whole.steps["train"].seconds;
    // Steps tile an epoch of five waves, so both are 200 W but for what readers that come late leave uncertain: where
    // they come later than a wave is long, it is more than a tenth, and the records say so.
    let parts = uncertainty(&first).hypot(uncertainty(&second)) / whole.steps["train"].seconds;
    let stated = 2.0 * parts.hypot(uncertainty(&uninterrupted) / steps.seconds);
    let off = (resumed - alone).abs();
    assert!(
        off <= stated.max(0.1 * alone),
        "{resumed} W in steps, {alone} W uninterrupted, ± {stated} W"
    );
    let expected = other.joules.get() / uninterrupted.run.seconds * whole.seconds;
    let error = 2.0 * energy.standard_uncertainty.get().hypot(other.standard_uncertainty.get());
    let off = (energy.joules.get() - expected).abs();
    assert!(off <= error, "{energy:?}, {expected} J of the uninterrupted run's power");
}
