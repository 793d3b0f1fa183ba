//! A data loader that marks epochs and steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use ergometer::Meter;
use ergometer::clock::{self, Timestamp};
use ergometer::span::{Kind, Label, Span};

use crate::slices::{Rank, Slices};

/// The split of a training loader.
pub(crate) const TRAIN: &str = "train";
/// The split of a validation loader.
pub(crate) const VALID: &str = "valid";

/// The part of a step in which its batch is loaded.
const DATA: Label = Label::new(Kind::Phase, "data");
/// What a step's items are called when the loader does not say.
const UNIT: &str = "items";

/// A [`DataLoader`] that marks its epochs and steps under a [`Meter`].
///
/// It changes nothing about the batches. `iter` opens an epoch named after the split; each `next`
/// ends the running step and, if a batch comes, begins another one at that very moment, with a phase
/// `data` until the batch is ready; `None`, or the drop of the iterator, ends the step and the epoch.
/// So the steps of an epoch tile it from the first `next` to the last. A batch that is an error is
/// no step: the time it took lies between the steps.
///
/// Epochs of training and of validation are numbered from 1, or after
/// [`Plan::done`](ergometer::forecast::Plan::done) where the training goes on with one that was interrupted.
///
/// A step's items are what [`Progress::items_processed`] grew by, in [`Progress::unit`] where the
/// loader gives one. A loader that reads ahead counts what it read.
///
/// [`SupervisedTraining::metered`](crate::EnergyTraining::metered) wraps its loaders in this; in a
/// loop written by hand:
///
/// ```
/// use std::sync::Arc;
/// use burn::data::dataloader::DataLoader;
/// use ergometer_burn::MeteredLoader;
///
/// # type Batch = Vec<u8>;
/// fn train(meter: &ergometer::Meter, loader: Arc<dyn DataLoader<Batch>>, epochs: usize) {
///     let loader = MeteredLoader::train(meter, loader);
///     for _ in 0..epochs {
///         for batch in loader.iter() {
///             // forward, backward, optimizer: all inside the step
/// #           let _ = batch;
///         }
///     }
/// }
/// ```
///
/// # Several devices
///
/// Burn slices a loader into one part per device. The slices of one `MeteredLoader` that are alive
/// together are the ranks of one epoch: the slice that starts at item 0 marks it, the others only add
/// their items to its steps, so that no joule is counted twice. Where no such slice is alive, a slice
/// marks like any other loader. What slower ranks do after the first one has run out of batches lies
/// outside the epoch.
pub struct MeteredLoader<O> {
    inner: Arc<dyn DataLoader<O>>,
    shared: Shared,
    rank: Rank,
    slices: Arc<Slices>,
    /// The device that the batches go to, once Burn has said.
    device: Option<Device>,
}

/// What a loader's copies and slices have in common.
#[derive(Clone)]
struct Shared {
    meter: Meter,
    split: &'static str,
    /// Each time this many steps have passed, the device is waited for; 0 for the end of the epoch alone.
    sync_every: u64,
    /// Epochs begun.
    epochs: Arc<AtomicU64>,
}

impl<O> MeteredLoader<O> {
    /// Wraps the loader of the training data: its epochs are called `train`.
    #[must_use]
    pub fn train(meter: &Meter, loader: Arc<dyn DataLoader<O>>) -> Self {
        Self::of_split(meter, TRAIN, loader)
    }

    /// Wraps the loader of the validation data: its epochs are called `valid`.
    #[must_use]
    pub fn valid(meter: &Meter, loader: Arc<dyn DataLoader<O>>) -> Self {
        Self::of_split(meter, VALID, loader)
    }

    /// Wraps the loader of any other data: its epochs are called `split`.
    #[must_use]
    pub fn named(meter: &Meter, split: &str, loader: Arc<dyn DataLoader<O>>) -> Self {
        Self::of_split(meter, Label::intern(split), loader)
    }

    /// Waits for the device after every `steps`-th step, before its end is marked: all steps in between are
    /// marked as the host went through them. With 1 each step holds what it asked its device for, and the
    /// device idles while the host prepares the next one.
    ///
    /// Without this (and with 0) the device is waited for at the end of each epoch alone. It makes no
    /// difference on a device without a queue, such as `flex`. The record says which it was, among its
    /// facts.
    #[must_use]
    pub fn sync_every(mut self, steps: u64) -> Self {
        self.shared.sync_every = steps;
        self
    }

    fn of_split(meter: &Meter, split: &'static str, inner: Arc<dyn DataLoader<O>>) -> Self {
        let shared = Shared { meter: meter.clone(), split, sync_every: 0, epochs: Arc::default() };
        Self::wrap(shared, inner, Rank::Only)
    }

    fn wrap(shared: Shared, inner: Arc<dyn DataLoader<O>>, rank: Rank) -> Self {
        Self { inner, shared, rank, slices: Arc::default(), device: None }
    }
}

impl Shared {
    /// Says in the record when a device is waited for.
    fn tell_sync(&self) {
        let when = match self.sync_every {
            0 => "at the end of each epoch".to_owned(),
            1 => "after each step".to_owned(),
            steps => format!("after every {steps} steps and at the end of each epoch"),
        };
        self.meter.fact(format!("device sync, {}", self.split), when);
    }
}

impl<O: 'static> DataLoader<O> for MeteredLoader<O> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        // Opened first: shuffling and the start of workers belong to the epoch.
        let marks = Marks::begin(self.shared.clone(), self.rank.for_epoch());
        let device = self.device.as_ref();
        // If it fails, the training itself will say so.
        let sync = Box::new(move || drop(device.map(Device::sync)));
        Box::new(MeteredIterator { inner: self.inner.iter(), marks, sync, total: Total::Open })
    }

    fn num_items(&self) -> usize {
        self.inner.num_items()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<O>> {
        self.shared.tell_sync();
        Arc::new(Self {
            inner: self.inner.to_device(device),
            shared: self.shared.clone(),
            rank: self.rank.clone(),
            slices: Arc::clone(&self.slices),
            device: Some(device.clone()),
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let inner = self.inner.slice(start, end);
        let rank = Slices::rank(&self.slices, start);
        Arc::new(Self::wrap(self.shared.clone(), inner, rank))
    }
}

struct MeteredIterator<'a, O> {
    // Dropped first, so that the epoch ends before the loader tidies up after itself.
    marks: Marks,
    inner: Box<dyn DataLoaderIterator<O> + 'a>,
    /// Waits for the device, if there is one.
    sync: Box<dyn Fn() + 'a>,
    /// Where the loader stands among its items.
    total: Total,
}

/// What the loader's number of items is worth.
#[derive(Clone, Copy, PartialEq)]
enum Total {
    /// More items are to come, or nobody knows.
    Open,
    /// All have been given, and the device was waited for.
    Reached,
    /// More items came than the loader had announced.
    Wrong,
}

impl<O> Drop for MeteredIterator<'_, O> {
    /// An iterator that is dropped early ends its epoch, which has what was queued until then.
    fn drop(&mut self) {
        // A device that failed may be why: it is not asked while the program gives up.
        if self.marks.is_open() && !std::thread::panicking() {
            (self.sync)();
        }
    }
}

impl<O> Iterator for MeteredIterator<'_, O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        // What is still queued on an asynchronous device when all items have been given is the last step's.
        // A loader that does not know its number of items says 0, and only its end tells.
        let Progress { items_processed, items_total, .. } = self.inner.progress();
        let last = self.total == Total::Open && items_total > 0 && items_processed >= items_total;
        if last {
            self.total = Total::Reached;
        }
        if last || self.marks.is_sync_due() {
            (self.sync)();
        }
        let edge = clock::now();
        // Before the batch is loaded: what opens spans meanwhile is not inside the last step.
        self.marks.end_step(edge);
        let batch = self.inner.next();
        match &batch {
            Some(Ok(_)) => {
                if self.total == Total::Reached {
                    self.total = Total::Wrong;
                }
                self.marks.begin_step(edge, clock::now(), &self.inner.progress());
            }
            Some(Err(_)) => {}
            None => {
                if !last {
                    (self.sync)();
                }
                self.marks.end_epoch(clock::now());
                self.marks.plan(self.marks.batches);
            }
        }
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<O> DataLoaderIterator<O> for MeteredIterator<'_, O> {
    fn progress(&self) -> Progress {
        self.inner.progress()
    }
}

/// The spans of one pass over the data.
struct Marks {
    shared: Shared,
    rank: Rank,
    /// Absent after the end of the epoch, and all along for a rank that only adds items.
    epoch: Option<Span>,
    step: Option<Span>,
    /// Label of the steps, with the unit that the loader gave last.
    label: Label,
    /// [`Progress::items_processed`] after the last batch.
    processed: usize,
    batches: u64,
    /// An epoch before this one was counted to its end.
    counted: bool,
}

impl Marks {
    fn begin(shared: Shared, rank: Rank) -> Self {
        let Shared { meter, split, epochs, .. } = &shared;
        let epoch = rank.marks().then(|| meter.enter(Label::new(Kind::Epoch, split)));
        let plan = meter.live().plan;
        // `None` of a split that is not part of the plan.
        let planned = match *split {
            TRAIN => Some(plan.train_steps),
            VALID => Some(plan.valid_steps),
            _ => None,
        };
        if let Some(epoch) = &epoch {
            let number = epochs.fetch_add(1, Ordering::Relaxed) + 1;
            if plan.done > 0 && planned.is_some() {
                epoch.index(plan.done.saturating_add(number));
            }
        }
        let counted = planned.is_none_or(|steps| steps > 0);
        // Named after the split, which is what the meter's live sums go by.
        let label = Label::new(Kind::Step, split).with_unit(UNIT);
        Self { shared, rank, epoch, step: None, label, processed: 0, batches: 0, counted }
    }

    /// Whether the end of the epoch was not seen yet.
    const fn is_open(&self) -> bool {
        self.epoch.is_some()
    }

    /// Whether the step that ends now is one after which the device is waited for.
    const fn is_sync_due(&self) -> bool {
        let every = self.shared.sync_every;
        every > 0 && self.batches > 0 && self.batches.is_multiple_of(every)
    }

    fn begin_step(&mut self, start: Timestamp, ready: Timestamp, progress: &Progress) {
        let items = progress.items_processed.saturating_sub(self.processed);
        self.processed = progress.items_processed;
        self.batches += 1;
        // In the first epoch their number is worked out from the items of those so far, now and then.
        if !self.counted && self.batches.is_power_of_two() && self.processed > 0 {
            let all = progress.items_total as f64 / self.processed as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            self.plan((self.batches as f64 * all).ceil() as u64);
        }
        if self.epoch.is_none() {
            self.rank.add_items(items);
            return;
        }
        if let Some(unit) = progress.unit.as_deref().filter(|unit| !unit.is_empty())
            && unit != self.label.unit
        {
            self.label = self.label.with_unit(Label::intern(unit));
        }
        let step = self.shared.meter.enter_at(self.label, start);
        step.items(items);
        self.shared.meter.enter_at(DATA, start).close_at(ready);
        self.step = Some(step);
    }

    /// Tells the meter how many steps an epoch has.
    fn plan(&self, steps: u64) {
        if self.rank.marks() {
            self.shared.meter.plan(|plan| match self.label.name {
                TRAIN => plan.train_steps = steps,
                VALID => plan.valid_steps = steps,
                _ => {}
            });
        }
    }

    fn end_step(&mut self, end: Timestamp) {
        if let Some(step) = self.step.take() {
            step.items(self.rank.take_items());
            step.close_at(end);
        }
    }

    fn end_epoch(&mut self, end: Timestamp) {
        self.end_step(end);
        if let Some(epoch) = self.epoch.take() {
            epoch.close_at(end);
        }
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        self.end_epoch(clock::now());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// Four batches of two items, of which the loader says that there are `total`.
    struct Pass {
        given: usize,
        total: usize,
    }

    impl Iterator for Pass {
        type Item = Result<(), DatasetError>;

        fn next(&mut self) -> Option<Self::Item> {
            self.given += 1;
            (self.given <= 4).then_some(Ok(()))
        }
    }

    impl DataLoaderIterator<()> for Pass {
        fn progress(&self) -> Progress {
            Progress::new(2 * self.given.min(4), self.total, None)
        }
    }

    /// After how many batches the device was waited for, each time; the loop is left after `batches`.
    fn waits(total: usize, sync_every: u64, batches: usize) -> Vec<usize> {
        let meter = Meter::builder().without_probe().start().unwrap();
        let shared = Shared { meter, split: TRAIN, sync_every, epochs: Arc::default() };
        let (taken, waits) = (Cell::new(0), RefCell::new(Vec::new()));
        let sync = Box::new(|| waits.borrow_mut().push(taken.get()));
        let marks = Marks::begin(shared, Rank::Only.for_epoch());
        let inner = Box::new(Pass { given: 0, total });
        let mut iterator = MeteredIterator { marks, inner, sync, total: Total::Open };
        while taken.get() < batches && iterator.next().is_some() {
            taken.set(taken.get() + 1);
        }
        drop(iterator);
        waits.into_inner()
    }

    #[test]
    fn the_device_is_waited_for_at_the_end_of_an_epoch_whatever_the_loader_knows() {
        for (total, every, batches, expected) in [
            (8, 0, 9, vec![4]),
            // It does not know how many there are, says too few, or too many.
            (0, 0, 9, vec![4]),
            (4, 0, 9, vec![2, 4]),
            (100, 0, 9, vec![4]),
            (0, 2, 9, vec![2, 4, 4]),
            // The loop is left early.
            (8, 0, 3, vec![3]),
            (0, 0, 0, vec![0]),
        ] {
            let waits = waits(total, every, batches);
            assert_eq!(waits, expected, "{total} items, every {every}, {batches} taken");
        }
    }
}
