//! Batches by token count: sentences of like length together, so that little is padding.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use harness::Flops;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{Batch, Example};
use crate::model::ModelConfig;

/// A data loader whose batches hold about the same number of tokens, padding included, and whose
/// progress counts tokens of both sides, padding not included.
#[derive(Clone, Debug)]
pub struct TokenBatches {
    examples: Arc<[Example]>,
    tokens: usize,
    /// Shuffles sentences and batches anew each epoch; without it the order stays.
    seed: Option<u64>,
    steps: Option<usize>,
    device: Device,
    epoch: Arc<AtomicU64>,
    /// Operations of the batches that were read.
    flops: Option<(ModelConfig, Flops)>,
}

impl TokenBatches {
    /// Batches of at most `tokens` tokens a side, in the same order every time. A sentence that is
    /// longer than that is a batch of its own.
    #[must_use]
    pub fn new(examples: Vec<Example>, tokens: usize, device: &Device) -> Self {
        Self {
            examples: examples.into(),
            tokens,
            seed: None,
            steps: None,
            device: device.clone(),
            epoch: Arc::default(),
            flops: None,
        }
    }

    /// In a new order every epoch, counted from this one: a copy does not go on where the other is.
    #[must_use]
    pub fn shuffled(self, seed: u64) -> Self {
        Self { seed: Some(seed), epoch: Arc::default(), ..self }
    }

    /// At most `steps` batches an epoch; each epoch draws its own.
    #[must_use]
    pub fn at_most(self, steps: Option<usize>) -> Self {
        Self { steps, ..self }
    }

    /// Counts the operations of training steps of `model` on the batches that are read.
    #[must_use]
    pub fn counted(self, model: ModelConfig, flops: Flops) -> Self {
        Self { flops: Some((model, flops)), ..self }
    }

    /// The indices of each batch of the epoch.
    fn plan(&self, epoch: u64) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.examples.len()).collect();
        let mut rng = self.seed.map(|seed| StdRng::seed_from_u64(seed ^ (epoch << 32)));
        if let Some(rng) = &mut rng {
            order.shuffle(rng);
        }
        // Stable, so that sentences of one length stay in the order they were shuffled into.
        order.sort_by_key(|index| {
            let example = &self.examples[*index];
            (example.target.len(), example.source.len())
        });
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let mut longest = 0;
        for index in order {
            let example = &self.examples[index];
            let length = example.source.len().max(example.target.len());
            match batches.last_mut() {
                Some(batch) if (batch.len() + 1) * longest.max(length) <= self.tokens => {
                    batch.push(index);
                    longest = longest.max(length);
                }
                _ => {
                    batches.push(vec![index]);
                    longest = length;
                }
            }
        }
        if let Some(rng) = &mut rng {
            batches.shuffle(rng);
        }
        batches.truncate(self.steps.unwrap_or(usize::MAX));
        batches
    }

    fn count(&self, batch: &[usize]) -> usize {
        batch
            .iter()
            .map(|index| &self.examples[*index])
            .map(|example| example.source.len() + example.target.len())
            .sum()
    }
}

impl DataLoader<Batch> for TokenBatches {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let batches = self.plan(self.epoch.fetch_add(1, Ordering::Relaxed));
        let total = batches.iter().map(|batch| self.count(batch)).sum();
        if let Some((_, flops)) = &self.flops {
            flops.epoch();
        }
        Box::new(Batches { loader: self, left: batches.into_iter(), done: 0, total })
    }

    /// Tokens of the first epoch; where epochs are cut short, the others differ a little.
    fn num_items(&self) -> usize {
        self.plan(0).iter().map(|batch| self.count(batch)).sum()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self { device: device.clone(), ..self.clone() })
    }

    /// The share of the sentences that `start..end` is of [`DataLoader::num_items`].
    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let (items, sentences) = (self.num_items().max(1), self.examples.len());
        let at = |item: usize| (sentences * item.min(items)).div_ceil(items);
        Arc::new(Self { examples: self.examples[at(start)..at(end)].into(), ..self.clone() })
    }
}

struct Batches<'a> {
    loader: &'a TokenBatches,
    left: std::vec::IntoIter<Vec<usize>>,
    done: usize,
    total: usize,
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.left.next()?;
        self.done += self.loader.count(&batch);
        let examples = batch.iter().map(|index| &self.loader.examples[*index]);
        let batch = Batch::new(examples, &self.loader.device);
        if let Some((model, flops)) = &self.loader.flops {
            let ([rows, source], [_, target]) = (batch.source.dims(), batch.target.dims());
            flops.add(model.training_flops(rows, source, target));
        }
        Some(Ok(batch))
    }
}

impl DataLoaderIterator<Batch> for Batches<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.total, Some("tokens".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentences of 1 to 40 tokens.
    fn examples(count: usize) -> Vec<Example> {
        (0..count)
            .map(|index| Example {
                source: vec![5; 1 + index * 7 % 40],
                target: vec![6; 1 + index * 11 % 40],
            })
            .collect()
    }

    fn loader(count: usize) -> TokenBatches {
        TokenBatches::new(examples(count), 128, &Device::flex())
    }

    #[test]
    fn every_sentence_is_in_one_batch_and_no_batch_is_too_large() {
        let loader = loader(500).shuffled(3);
        let plan = loader.plan(0);
        let mut seen: Vec<usize> = plan.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..500).collect::<Vec<_>>());
        for batch in &plan {
            let length = |index: &usize| {
                let example = &loader.examples[*index];
                example.source.len().max(example.target.len())
            };
            let longest = batch.iter().map(length).max().unwrap();
            assert!(batch.len() * longest <= 128, "{} × {longest}", batch.len());
        }
        assert!(plan.len() < 500 / 2, "{} batches", plan.len());
    }

    #[test]
    fn epochs_differ_and_a_seed_repeats_them() {
        let (one, other) = (loader(100).shuffled(3), loader(100).shuffled(3));
        assert_eq!(one.plan(1), other.plan(1));
        assert_ne!(one.plan(1), one.plan(2));
        assert_eq!(loader(100).plan(1), loader(100).plan(2));
        assert_eq!(one.at_most(Some(4)).plan(0).len(), 4);
    }

    #[test]
    fn progress_counts_tokens_to_the_last_one() {
        let loader = loader(50);
        let mut batches = loader.iter();
        while batches.next().is_some() {}
        let progress = batches.progress();
        assert!(progress.is_completed());
        assert_eq!(progress.items_processed, loader.num_items());
        let tokens: usize =
            examples(50).iter().map(|example| example.source.len() + example.target.len()).sum();
        assert_eq!(loader.num_items(), tokens);
    }

    #[test]
    fn slices_share_the_sentences_out() {
        let loader = loader(60);
        let items = loader.num_items();
        let parts = [loader.slice(0, items / 2), loader.slice(items / 2, items)];
        assert_eq!(parts.iter().map(|part| part.num_items()).sum::<usize>(), items);
    }
}
