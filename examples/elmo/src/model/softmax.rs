//! The softmax over the vocabulary: sampled in training, full in evaluation.
//!
//! Words are numbered by falling frequency, so that a log-uniform (Zipf) sampler draws frequent
//! words more often; each logit is corrected by the logarithm of how often its word was to be
//! expected in the sample (Jean et al., 2015), and a sampled word that is the target of a row is
//! left out of that row.

use std::collections::HashSet;

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use rand::{Rng, RngExt};

/// Logits of the full softmax that are held at a time.
const CHUNK: usize = 1 << 24;

/// A logit that takes no part: e to this power is 0 in single precision.
const LEFT_OUT: f32 = -1e9;

/// Weights and biases of the output words.
#[derive(Module, Debug)]
pub struct Softmax {
    /// `[vocabulary, projection]`
    weight: Param<Tensor<2>>,
    /// `[vocabulary]`
    bias: Param<Tensor<1>>,
}

/// Words drawn to stand for the whole vocabulary in one direction of one step.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// Distinct word ids.
    pub words: Vec<i32>,
    /// Draws it took to find them.
    draws: u64,
    sampler: LogUniform,
}

/// Draws word `k` of `n` with probability `ln((k + 2) / (k + 1)) / ln(n + 1)`.
#[derive(Clone, Copy, Debug)]
pub struct LogUniform {
    vocabulary: usize,
}

impl LogUniform {
    /// A sampler over the ids `0..vocabulary`.
    pub const fn new(vocabulary: usize) -> Self {
        Self { vocabulary }
    }

    /// The probability that one draw gives `word`.
    pub fn probability(self, word: i32) -> f64 {
        let rank = f64::from(word);
        ((rank + 2.0) / (rank + 1.0)).ln() / (self.vocabulary as f64 + 1.0).ln()
    }

    /// One draw.
    #[allow(clippy::cast_possible_truncation)] // below the vocabulary's size, which is an i32
    #[allow(clippy::cast_possible_wrap)]
    fn draw(self, rng: &mut impl Rng) -> i32 {
        let scale = (self.vocabulary as f64 + 1.0).ln();
        let rank = (rng.random::<f64>() * scale).exp().floor() as i32 - 1;
        rank.min(self.vocabulary as i32 - 1)
    }

    /// `count` distinct words, at most half of the vocabulary: beyond that, drawing without
    /// repetition takes longer than the full softmax.
    pub fn sample(self, count: usize, rng: &mut impl Rng) -> Candidates {
        let count = count.min(self.vocabulary / 2).max(1);
        let mut seen = HashSet::with_capacity(count);
        let mut candidates =
            Candidates { words: Vec::with_capacity(count), draws: 0, sampler: self };
        while candidates.words.len() < count {
            candidates.draws += 1;
            let word = self.draw(rng);
            if seen.insert(word) {
                candidates.words.push(word);
            }
        }
        candidates
    }
}

impl Candidates {
    /// Logarithm of how often `word` was to be expected among the candidates: with distinct
    /// words, the probability that at least one of the draws gave it.
    #[allow(clippy::cast_possible_truncation)] // logits are single precision
    fn log_expected(&self, word: i32) -> f32 {
        let missed = self.draws as f64 * (-self.sampler.probability(word)).ln_1p();
        (-missed.exp_m1()).ln() as f32
    }
}

impl Softmax {
    /// A softmax with fresh weights.
    pub fn new(vocabulary: usize, projection: usize, device: &Device) -> Self {
        let std = (projection as f64).sqrt().recip();
        Self {
            weight: Initializer::Normal { mean: 0.0, std }.init([vocabulary, projection], device),
            bias: Initializer::Zeros.init([vocabulary], device),
        }
    }

    /// Mean negative log-likelihood of `targets` (nats a word) against the candidates.
    pub fn sampled_loss(
        &self,
        hidden: Tensor<2>, // [words, projection]
        targets: &[i32],
        candidates: &Candidates,
    ) -> Tensor<1> {
        let device = hidden.device();
        let (rows, sampled) = (targets.len(), candidates.words.len());
        // One look-up for targets and candidates: each costs a gradient as large as the weights.
        let words: Vec<i32> = targets.iter().chain(&candidates.words).copied().collect();
        let expected: Vec<f32> = words.iter().map(|&word| candidates.log_expected(word)).collect();
        let ids = Tensor::<1, Int>::from_data(words.as_slice(), &device);
        let weight = self.weight.val().select(0, ids.clone()); // [rows + sampled, projection]
        let bias = self.bias.val().select(0, ids.clone())
            - Tensor::<1>::from_data(expected.as_slice(), &device);

        let target = (hidden.clone() * weight.clone().narrow(0, 0, rows)).sum_dim(1)
            + bias.clone().narrow(0, 0, rows).unsqueeze_dim::<2>(1); // [rows, 1]
        let others = hidden.matmul(weight.narrow(0, rows, sampled).transpose())
            + bias.narrow(0, rows, sampled).unsqueeze_dim::<2>(0); // [rows, sampled]
        let hits = ids
            .clone()
            .narrow(0, 0, rows)
            .unsqueeze_dim::<2>(1)
            .expand([rows, sampled])
            .equal(ids.narrow(0, rows, sampled).unsqueeze_dim::<2>(0).expand([rows, sampled]));
        let logits = Tensor::cat(vec![target, others.mask_fill(hits, LEFT_OUT)], 1);
        log_softmax(logits, 1).narrow(1, 0, 1).mean().neg()
    }

    /// Mean negative log-likelihood of `targets` (nats a word) over the whole vocabulary.
    pub fn full_loss(&self, hidden: &Tensor<2>, targets: &[i32]) -> Tensor<1> {
        let device = hidden.device();
        let weight = self.weight.val().transpose(); // [projection, vocabulary]
        let bias = self.bias.val().unsqueeze_dim::<2>(0);
        let [_, vocabulary] = weight.dims();
        let rows = (CHUNK / vocabulary).max(1);
        let mut sum = Tensor::<1>::zeros([1], &device);
        for (chunk, targets) in targets.chunks(rows).enumerate() {
            let hidden = hidden.clone().narrow(0, chunk * rows, targets.len());
            let logits = hidden.matmul(weight.clone()) + bias.clone(); // [rows, vocabulary]
            let ids = Tensor::<1, Int>::from_data(targets, &device).unsqueeze_dim::<2>(1);
            sum = sum + log_softmax(logits, 1).gather(1, ids).sum();
        }
        sum.neg().div_scalar(targets.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_fall_with_rank() {
        let sampler = LogUniform::new(1000);
        let all: Vec<f64> = (0..1000).map(|word| sampler.probability(word)).collect();
        assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(all.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let (sampler, mut rng) = (LogUniform::new(50), StdRng::seed_from_u64(7));
        let mut counts = [0_u32; 50];
        for _ in 0..200_000 {
            counts[usize::try_from(sampler.draw(&mut rng)).expect("ids are not negative")] += 1;
        }
        for (word, count) in (0..).zip(counts) {
            let (share, expected) = (f64::from(count) / 2e5, sampler.probability(word));
            assert!((share - expected).abs() < 0.005, "word {word}: {share} against {expected}");
        }
    }

    #[test]
    fn the_correction_is_the_log_of_the_expected_count() {
        let (sampler, mut rng) = (LogUniform::new(200), StdRng::seed_from_u64(3));
        let trials = 3000;
        let (mut seen, mut expected) = ([0.0_f64; 4], [0.0_f64; 4]);
        let probes = [0, 5, 40, 150];
        for _ in 0..trials {
            let candidates = sampler.sample(60, &mut rng);
            let distinct: HashSet<i32> = candidates.words.iter().copied().collect();
            assert_eq!(distinct.len(), 60);
            for (slot, word) in probes.into_iter().enumerate() {
                seen[slot] += f64::from(u8::from(distinct.contains(&word)));
                expected[slot] += f64::from(candidates.log_expected(word)).exp();
            }
        }
        for (slot, word) in probes.into_iter().enumerate() {
            let (seen, expected) = (seen[slot] / 3000.0, expected[slot] / 3000.0);
            assert!((seen - expected).abs() < 0.03, "word {word}: {seen} against {expected}");
        }
    }

    fn hidden(rows: usize, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = (0_u8..).take(rows * 8).map(|i| f32::from(i).sin()).collect();
        Tensor::<1>::from_data(values.as_slice(), device).reshape([rows, 8])
    }

    /// With every word drawn for certain the correction is 0, and leaving out each row's own
    /// target leaves exactly the full softmax.
    #[test]
    fn with_every_word_as_a_candidate_it_is_the_full_softmax() {
        let device = Device::default();
        let softmax = Softmax::new(30, 8, &device);
        let candidates =
            Candidates { words: (0..30).collect(), draws: 1_000_000, sampler: LogUniform::new(30) };
        let targets = [3, 17, 0, 29];
        let sampled = softmax.sampled_loss(hidden(4, &device), &targets, &candidates);
        let full = softmax.full_loss(&hidden(4, &device), &targets);
        let (sampled, full) = (sampled.into_scalar::<f64>(), full.into_scalar::<f64>());
        assert!((sampled - full).abs() < 1e-5, "{sampled} against {full}");
    }

    #[test]
    fn equal_logits_give_the_logarithm_of_the_vocabulary() {
        let device = Device::default();
        let softmax = Softmax::new(30, 8, &device);
        let loss = softmax.full_loss(&Tensor::zeros([2, 8], &device), &[1, 2]);
        assert!((loss.into_scalar::<f64>() - 30_f64.ln()).abs() < 1e-5);
    }
}
