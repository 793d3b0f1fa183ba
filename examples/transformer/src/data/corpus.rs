//! Sentence pairs: generated, or read from two files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use harness::{Failure, Fingerprint, Size, corpus::read_lines};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::numbers;

/// A sentence and its translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The sentence to translate.
    pub source: String,
    /// Its translation.
    pub target: String,
}

/// Pairs to learn from and pairs to be tested on; no pair is in both.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What it is, for the record.
    pub name: String,
    /// Pairs to learn from.
    pub train: Vec<Pair>,
    /// Held-out pairs.
    pub valid: Vec<Pair>,
    /// Whether a translation is either right or wrong, so that quality is an exact match.
    pub exact: bool,
}

/// Most pairs held out of a parallel corpus.
const MOST_HELD_OUT: usize = 1000;

impl Corpus {
    /// Of every pair, and of what is held out.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        for pairs in [&self.train, &self.valid] {
            for pair in pairs {
                fingerprint.text(&pair.source);
                fingerprint.text(&pair.target);
            }
            fingerprint.text("");
        }
        fingerprint.hex()
    }

    /// Numbers in English and German words, the same for the same size and seed.
    ///
    /// The number of digits is drawn first, so that short numbers are not lost among the long.
    #[must_use]
    pub fn numbers(size: Size, seed: u64) -> Self {
        let (train, valid, digits) = match size {
            Size::Smoke => (200, 16, 3),
            Size::Tiny => (20_000, 400, 6),
            _ => (100_000, 1000, 6),
        };
        let mut rng = StdRng::seed_from_u64(seed);
        let mut drawn = HashSet::new();
        let mut pairs = Vec::with_capacity(train + valid);
        while pairs.len() < train + valid {
            let digits = rng.random_range(1..=digits);
            let number = rng.random_range(0..10_u32.pow(digits));
            if drawn.insert(number) {
                pairs.push(Pair {
                    source: numbers::english(number),
                    target: numbers::german(number),
                });
            }
        }
        pairs.shuffle(&mut rng);
        let valid = pairs.split_off(train);
        let most = 10_u32.pow(digits) - 1;
        let name = format!("numbers 0 to {most}, English to German");
        Self { name, train: pairs, valid, exact: true }
    }

    /// The corpus in `PREFIX.source` and `PREFIX.target`, or the same names with `.gz`. The last
    /// 2 %, at least one pair and at most 1000, are held out.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a file that is missing, empty or not UTF-8, and for files with
    /// unequal numbers of lines.
    pub fn parallel(prefix: &Path, source: &str, target: &str) -> Result<Self, Failure> {
        let (source, target) = (with_suffix(prefix, source), with_suffix(prefix, target));
        let (sources, targets) = (read_lines(&source)?, read_lines(&target)?);
        if sources.len() != targets.len() {
            return Err(Failure::usage(format!(
                "{} has {} lines and {} has {}; a parallel corpus has as many in both",
                source.display(),
                sources.len(),
                target.display(),
                targets.len()
            )));
        }
        let mut train: Vec<Pair> = sources
            .into_iter()
            .zip(targets)
            .map(|(source, target)| Pair {
                source: source.trim().to_owned(),
                target: target.trim().to_owned(),
            })
            .filter(|pair| !pair.source.is_empty() && !pair.target.is_empty())
            .collect();
        if train.len() < 2 {
            return Err(Failure::usage(format!(
                "{} and {} have {} pairs of sentences; at least 2 are needed, one of them to test on",
                source.display(),
                target.display(),
                train.len()
            )));
        }
        let held_out = (train.len() / 50).clamp(1, MOST_HELD_OUT);
        let valid = train.split_off(train.len() - held_out);
        let name = format!("{} and {}", source.display(), target.display());
        Ok(Self { name, train, valid, exact: false })
    }
}

/// `PREFIX.suffix`, or `PREFIX.suffix.gz` where only that is there.
fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let named = |end: &str| {
        let mut name = prefix.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let plain = named(&format!(".{suffix}"));
    let packed = named(&format!(".{suffix}.gz"));
    if !plain.exists() && packed.exists() { packed } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_held_out_number_is_trained_on_and_a_seed_gives_one_corpus() {
        let corpus = Corpus::numbers(Size::Tiny, 7);
        let trained: HashSet<_> = corpus.train.iter().map(|pair| &pair.source).collect();
        assert_eq!(trained.len(), corpus.train.len());
        assert!(corpus.valid.iter().all(|pair| !trained.contains(&pair.source)));
        assert_eq!(Corpus::numbers(Size::Tiny, 7).valid, corpus.valid);
        assert_ne!(Corpus::numbers(Size::Tiny, 8).valid, corpus.valid);
    }
}
