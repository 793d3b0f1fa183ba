//! `MeteredLoader` in loops written by hand.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder, DataLoaderIterator, Progress};
use burn::data::dataset::{DatasetError, InMemDataset};
use burn::tensor::Device;
use ergometer::Kind;
use ergometer::record::SpanNode;
use ergometer_burn::MeteredLoader;

use crate::toy::{self, Diary};
use crate::{assert_conserved, counts, installed, meter, names};

#[test]
fn a_wrapped_loader_gives_the_same_batches() {
    let meter = meter();
    let diary = Diary::new(&meter, "train");
    let loader = MeteredLoader::train(&meter, toy::loader(&diary, 22));
    assert_eq!(loader.num_items(), 22);
    let mut batches = loader.iter();
    let mut seen = Vec::new();
    while let Some(batch) = batches.next() {
        batch.expect("numbers in memory");
        seen.push(batches.progress().items_processed);
    }
    assert_eq!(seen, [4, 8, 12, 16, 20, 22]);
}

#[test]
fn parts_and_copies_of_a_loader_mark_too() {
    let meter = meter();
    let diary = Diary::new(&meter, "train");
    let whole = MeteredLoader::train(&meter, toy::loader(&diary, 20));
    assert_eq!(whole.to_device(&Device::flex()).iter().count(), 5);
    assert_eq!(whole.slice(0, 8).iter().count(), 2);
    assert_eq!(whole.slice(8, 20).iter().count(), 3);
    assert_eq!(whole.slice(8, 20).to_device(&Device::flex()).iter().count(), 3);

    let record = meter.finish().unwrap();
    let expected = [(5, 20.0), (2, 8.0), (3, 12.0), (3, 12.0)];
    assert_eq!(record.epochs.iter().map(counts).collect::<Vec<_>>(), expected);
    assert_eq!(names(&record.epochs), [("train", 1), ("train", 2), ("train", 3), ("train", 4)]);
    record.epochs.iter().for_each(assert_conserved);
}

#[test]
fn slices_side_by_side_are_ranks_of_one_epoch() {
    let meter = meter();
    let diary = Diary::new(&meter, "train");
    let whole = MeteredLoader::train(&meter, toy::loader(&diary, 16));
    let device = Device::flex();
    let ranks = [whole.slice(0, 8).to_device(&device), whole.slice(8, 16).to_device(&device)];
    for _ in 0..2 {
        let mut passes: Vec<_> = ranks.iter().map(|rank| rank.iter()).collect();
        while passes.iter_mut().filter_map(Iterator::next).count() > 0 {}
    }

    let record = meter.finish().unwrap();
    assert_eq!(names(&record.epochs), [("train", 1), ("train", 2)]);
    assert_eq!(record.epochs.iter().map(counts).collect::<Vec<_>>(), [(2, 16.0), (2, 16.0)]);
    record.epochs.iter().for_each(assert_conserved);
}

#[test]
fn a_loop_that_is_left_early_ends_its_epoch() {
    let meter = meter();
    let diary = Diary::new(&meter, "eval");
    let loader = MeteredLoader::named(&meter, "eval", toy::loader(&diary, 20));
    for batch in loader.iter().take(2) {
        batch.expect("numbers in memory");
    }
    drop(loader.iter());

    let record = meter.finish().unwrap();
    assert_eq!(names(&record.epochs), [("eval", 1), ("eval", 2)]);
    assert_eq!(record.epochs.iter().map(counts).collect::<Vec<_>>(), [(2, 8.0), (0, 0.0)]);
    record.epochs.iter().for_each(assert_conserved);
}

/// Opens a span while it makes a batch.
struct Marking;

impl Batcher<u8, usize> for Marking {
    fn batch(&self, items: Vec<u8>, _device: &Device) -> usize {
        let _span = ergometer::span("make a batch");
        items.len()
    }
}

#[test]
fn what_a_batcher_marks_is_not_inside_the_step_before() {
    let (meter, _installed) = installed();
    let loader = DataLoaderBuilder::new(Marking)
        .batch_size(4)
        .set_device(Device::flex())
        .build(InMemDataset::new((0..12).collect()));
    for batch in MeteredLoader::train(&meter, loader).iter() {
        let _span = ergometer::span("use it");
        assert_eq!(batch.unwrap(), 4);
    }
    let record = meter.finish().unwrap();
    let [epoch] = record.spans.as_slice() else { panic!("{:?}", record.spans) };
    let count = |spans: &[SpanNode], name: &str| {
        spans.iter().find(|span| span.name == name).map_or(0, |span| span.count)
    };
    assert_eq!(count(&epoch.children, "make a batch"), 3);
    let step = epoch.children.iter().find(|span| span.kind == Kind::Step).expect("steps");
    assert_eq!(count(&step.children, "make a batch"), 0);
    assert_eq!((count(&step.children, "use it"), count(&step.children, "data")), (3, 3));
}

/// Batches of 100 tokens, of which the second cannot be read.
#[derive(Clone)]
struct Tokens;

struct TokensPass(usize);

impl Iterator for TokensPass {
    type Item = Result<(), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0 += 1;
        match self.0 {
            2 => Some(Err(DatasetError::new(std::io::Error::other("torn page")))),
            1 | 3 => Some(Ok(())),
            _ => None,
        }
    }
}

impl DataLoaderIterator<()> for TokensPass {
    fn progress(&self) -> Progress {
        Progress::new(self.0 * 100, 300, Some("tokens".to_owned()))
    }
}

impl DataLoader<()> for Tokens {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<()> + 'a> {
        Box::new(TokensPass(0))
    }

    fn num_items(&self) -> usize {
        300
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<()>> {
        Arc::new(self.clone())
    }

    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<()>> {
        Arc::new(self.clone())
    }
}

#[test]
fn a_batch_that_cannot_be_read_is_no_step() {
    let meter = meter();
    let loader = MeteredLoader::valid(&meter, Arc::new(Tokens));
    let read: Vec<bool> = loader.iter().map(|batch| batch.is_ok()).collect();
    assert_eq!(read, [true, false, true]);

    let record = meter.finish().unwrap();
    assert_eq!(names(&record.epochs), [("valid", 1)]);
    let steps = record.epochs[0].steps.as_ref().unwrap();
    let items = steps.items.as_ref().unwrap();
    assert_eq!(steps.count, 2);
    assert_eq!(items.unit, "tokens");
    // The loader counts what it could not read as processed.
    assert!((items.count - 300.0).abs() < 1e-9);
    assert_conserved(&record.epochs[0]);
}

#[test]
fn the_record_says_when_a_device_is_waited_for() {
    let meter = meter();
    let diary = Diary::new(&meter, "train");
    let device = Device::flex();
    for (split, every) in [("never", 0), ("always", 1), ("now and then", 4)] {
        let loader = MeteredLoader::named(&meter, split, toy::loader(&diary, 20));
        assert_eq!(loader.sync_every(every).to_device(&device).iter().count(), 5);
    }
    // Without a device none is waited for.
    MeteredLoader::valid(&meter, toy::loader(&diary, 20)).iter().for_each(drop);
    let record = meter.finish().unwrap();
    let facts = record
        .facts
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("device sync, ")?, value.as_str())));
    let expected = [
        ("always", "after each step"),
        ("never", "at the end of each epoch"),
        ("now and then", "after every 4 steps and at the end of each epoch"),
    ];
    assert_eq!(facts.collect::<Vec<_>>(), expected);
    record.epochs.iter().for_each(assert_conserved);
}

/// A finished meter takes no marks and breaks no loop.
#[test]
fn a_loader_outlives_its_meter() {
    let meter = meter();
    let diary = Diary::new(&meter, "train");
    let loader = MeteredLoader::train(&meter, toy::loader(&diary, 20));
    let mut batches = loader.iter();
    assert!(batches.next().is_some());
    let record = meter.finish().unwrap();
    drop(meter);
    assert_eq!(batches.count(), 4);
    // The epoch that was open ends with the run.
    let epochs: Vec<_> = record.epochs.iter().map(|epoch| epoch.split.as_str()).collect();
    assert_eq!(epochs, ["train"]);
    assert!(record.epochs[0].steps.is_none(), "its first step had not ended");
}
