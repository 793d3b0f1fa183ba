//! An asynchronous device: steps are marked as the host goes through them, and the device is waited for.
//!
//! `cargo test --release -p harness --features vulkan --test asynchronous -- --nocapture` needs a Vulkan driver; a
//! software one will do (`docs/bench-models.md` describes how). Without the feature the device is a CPU that does its
//! work at once: nothing may be lost there either.

use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Distribution, Tensor};
use ergometer::record::Epoch;
use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{Devices, Meter};
use ergometer_burn::MeteredLoader;

/// Steps of an epoch.
const STEPS: usize = 8;
/// Matrix products of a step.
const PRODUCTS: usize = 20;

/// `STEPS` batches of nothing.
#[derive(Clone)]
struct Batches;

struct Pass(usize);

impl Iterator for Pass {
    type Item = Result<(), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0 += 1;
        (self.0 <= STEPS).then_some(Ok(()))
    }
}

impl DataLoaderIterator<()> for Pass {
    fn progress(&self) -> Progress {
        Progress::new(self.0.min(STEPS), STEPS, Some("products".to_owned()))
    }
}

impl DataLoader<()> for Batches {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<()> + 'a> {
        Box::new(Pass(0))
    }

    fn num_items(&self) -> usize {
        STEPS
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<()>> {
        Arc::new(Self)
    }

    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<()>> {
        Arc::new(Self)
    }
}

/// Queues work in every step and reads nothing back.
fn pass(device: &Device, loader: &dyn DataLoader<()>) {
    let weights = Tensor::<2>::random([512, 512], Distribution::Normal(0.0, 0.04), device);
    device.sync().expect("the device works");
    let mut values = weights.clone();
    for batch in loader.iter() {
        batch.expect("nothing is read");
        for _ in 0..PRODUCTS {
            values = values.matmul(weights.clone());
        }
    }
    drop(values);
}

/// Seconds of the longest step, as a share of all steps' seconds, and what the steps and the time between them leave
/// of the epoch's energy.
fn figures(epoch: &Epoch) -> (f64, f64) {
    let steps = epoch.steps.as_ref().expect("steps");
    assert_eq!(steps.count, STEPS as u64);
    let whole = epoch.usage.energy.expect("a stated power is always known").joules.get();
    let parts: f64 =
        steps.by_domain.iter().chain(&epoch.between_steps).map(|part| part.get()).sum();
    let known = |figure: Option<f64>| figure.expect("a stated power is always known");
    let (least, most) = (known(steps.duration_s.min), known(steps.duration_s.max));
    eprintln!(
        "{}: epoch {:.3} s, {whole:.2} J; steps {:.2} J in all, {:.4} to {:.4} s, {:.2} to {:.2} J each",
        epoch.split,
        epoch.usage.seconds,
        steps.joules.mean * steps.count as f64,
        least,
        most,
        known(steps.joules.min),
        known(steps.joules.max),
    );
    (most / steps.seconds, whole - parts)
}

/// A device that works while the program goes on, if one is built in.
#[cfg(feature = "vulkan")]
fn asynchronous() -> Option<Device> {
    let devices = Device::enumerate(burn::tensor::DeviceType::Vulkan);
    Some(devices.into_iter().next().expect("a Vulkan driver"))
}

#[cfg(not(feature = "vulkan"))]
fn asynchronous() -> Option<Device> {
    None
}

#[test]
fn steps_do_not_run_ahead_of_a_device_that_is_waited_for() {
    let waited_for = asynchronous();
    let device = waited_for.clone().unwrap_or_else(Device::flex);
    let boards = ergometer_burn::boards(std::slice::from_ref(&device));
    eprintln!("{}: boards {boards:?}", harness::describe(&device));
    // A device that names its card is metered by it, any other by what the environment shows; a CPU has none.
    let cards = usize::from(waited_for.is_some());
    assert!(
        matches!(boards, Devices::List(ref ids) if ids.len() == cards)
            || matches!(boards, Devices::Visible)
    );

    let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0));
    let meter = meter.start().expect("a stated power needs no hardware");
    // Kernels are compiled before anything is marked.
    pass(&device, &Batches);
    for (split, every) in [("at the end", 0), ("each step", 1)] {
        let loader = MeteredLoader::named(&meter, split, Arc::new(Batches)).sync_every(every);
        pass(&device, &*loader.to_device(&device));
    }
    let record = meter.finish().expect("a record");
    assert_eq!(record.facts["device sync, at the end"], "at the end of each epoch");
    assert_eq!(record.facts["device sync, each step"], "after each step");
    let of = |split| record.epochs.iter().find(|epoch| epoch.split == split).expect("an epoch");
    let (loose, loose_left) = figures(of("at the end"));
    let (strict, strict_left) = figures(of("each step"));
    // Nothing is lost: what was still queued is the last step's.
    for left in [loose_left, strict_left] {
        assert!(left.abs() < 1e-6, "{left} J of the epoch are in no step and not between them");
    }
    // All steps ask for the same. Without waiting the last one has most of it.
    assert!(
        waited_for.is_none() || strict < loose,
        "the longest step has {strict} of the time, and {loose} without waiting"
    );
}
