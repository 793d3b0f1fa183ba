//! Documents → pairs of sentences with masked words, as the authors' `create_pretraining_data.py` makes them.

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::Document;
use super::vocabulary::{CLS, MASK, SEP};

/// Share of pairs that are shorter than they could be, so that fine-tuning on short text finds no
/// unknown length.
const SHORT: f64 = 0.1;
/// Share of the tokens that are predicted.
const MASKED: f64 = 0.15;
/// Tries to find another document than the one at hand.
const TRIES: usize = 10;

/// Two stretches of text, of which the second follows the first or is from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// `[CLS] a [SEP] b [SEP]`, with masked words.
    pub ids: Vec<u32>,
    /// Where the second stretch begins.
    pub second: usize,
    /// The second stretch follows the first.
    pub follows: bool,
    /// Places of the words to predict, in order, and the words.
    pub masked: Vec<(usize, u32)>,
}

/// How long pairs are and how many of their words are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Tokens of a pair at most, marks included.
    pub length: usize,
    /// Words that are predicted at most.
    pub predictions: usize,
}

/// Pairs without end: all documents in a new order, again and again, each time with other masks.
pub struct Instances<'a> {
    documents: &'a [Document<Vec<u32>>],
    vocabulary: usize,
    shape: Shape,
    ready: Vec<Instance>,
}

impl<'a> Instances<'a> {
    /// Pairs from `documents`, of which there are two at least.
    pub fn new(documents: &'a [Document<Vec<u32>>], vocabulary: usize, shape: Shape) -> Self {
        Self { documents, vocabulary, shape, ready: Vec::new() }
    }

    /// The next pair.
    pub fn draw(&mut self, rng: &mut StdRng) -> Instance {
        loop {
            if let Some(instance) = self.ready.pop() {
                return instance;
            }
            self.ready = self.pass(rng);
            self.ready.shuffle(rng);
        }
    }

    /// The pairs of one pass over all documents, in their order.
    pub fn pass(&self, rng: &mut StdRng) -> Vec<Instance> {
        (0..self.documents.len()).flat_map(|document| self.of_document(document, rng)).collect()
    }

    /// At most `count` pairs of one pass, from all documents rather than from the first ones.
    pub fn sample(&self, count: usize, rng: &mut StdRng) -> Vec<Instance> {
        let mut pairs = self.pass(rng);
        pairs.shuffle(rng);
        pairs.truncate(count);
        pairs
    }

    /// The pairs of a document.
    fn of_document(&self, index: usize, rng: &mut StdRng) -> Vec<Instance> {
        let document = &self.documents[index];
        let budget = self.shape.length - 3;
        let mut target = Self::target(budget, rng);
        let mut instances = Vec::new();
        let (mut chunk, mut chunk_length) = (Vec::new(), 0);
        let mut sentence = 0;
        while sentence < document.len() {
            chunk.push(sentence);
            chunk_length += document[sentence].len();
            sentence += 1;
            if sentence < document.len() && chunk_length < target {
                continue;
            }
            let in_first = if chunk.len() < 2 { 1 } else { rng.random_range(1..chunk.len()) };
            let text = |part: &[usize]| {
                part.iter().flat_map(|&sentence| document[sentence].clone()).collect::<Vec<u32>>()
            };
            let first = text(&chunk[..in_first]);
            let follows = chunk.len() > 1 && !rng.random_bool(0.5);
            let second = if follows {
                text(&chunk[in_first..])
            } else {
                // What the first stretch left of the chunk is used by the next one.
                sentence -= chunk.len() - in_first;
                self.elsewhere(index, target.saturating_sub(first.len()), rng)
            };
            instances.push(self.pair(first, second, follows, rng));
            (chunk, chunk_length) = (Vec::new(), 0);
            target = Self::target(budget, rng);
        }
        instances
    }

    fn target(budget: usize, rng: &mut StdRng) -> usize {
        if rng.random_bool(SHORT) { rng.random_range(2..=budget) } else { budget }
    }

    /// Sentences of another document, about `length` tokens.
    fn elsewhere(&self, here: usize, length: usize, rng: &mut StdRng) -> Vec<u32> {
        let mut other = here;
        for _ in 0..TRIES {
            other = rng.random_range(0..self.documents.len());
            if other != here {
                break;
            }
        }
        let document = &self.documents[other];
        let mut text = Vec::new();
        for sentence in &document[rng.random_range(0..document.len())..] {
            text.extend_from_slice(sentence);
            if text.len() >= length {
                break;
            }
        }
        text
    }

    fn pair(
        &self,
        mut first: Vec<u32>,
        mut second: Vec<u32>,
        follows: bool,
        rng: &mut StdRng,
    ) -> Instance {
        shorten(&mut first, &mut second, self.shape.length - 3, rng);
        let begin = first.len() + 2;
        let ids = [&[CLS][..], &first, &[SEP], &second, &[SEP]].concat();
        let mut instance = Instance { ids, second: begin, follows, masked: Vec::new() };
        self.mask(&mut instance, rng);
        instance
    }

    fn mask(&self, instance: &mut Instance, rng: &mut StdRng) {
        let ids = &mut instance.ids;
        let mut places: Vec<usize> =
            (0..ids.len()).filter(|&place| ![CLS, SEP].contains(&ids[place])).collect();
        places.shuffle(rng);
        places.truncate(predictions(ids.len(), self.shape.predictions));
        places.sort_unstable();
        for place in places {
            instance.masked.push((place, ids[place]));
            if rng.random_bool(0.8) {
                ids[place] = MASK;
            } else if rng.random_bool(0.5) {
                ids[place] = u32::try_from(rng.random_range(0..self.vocabulary)).unwrap_or(MASK);
            }
        }
    }
}

/// Words that are predicted of a pair of this many tokens: 15 %, one at least, `most` at most.
fn predictions(tokens: usize, most: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a length
    // Python's `round`, which the authors' program calls, rounds halves to even.
    let share = (tokens as f64 * MASKED).round_ties_even() as usize;
    share.max(1).min(most)
}

/// Takes tokens off the longer stretch, at either end, until both have `budget` at most.
fn shorten(first: &mut Vec<u32>, second: &mut Vec<u32>, budget: usize, rng: &mut StdRng) {
    while first.len() + second.len() > budget {
        let longer = if first.len() > second.len() { &mut *first } else { &mut *second };
        if rng.random_bool(0.5) {
            longer.remove(0);
        } else {
            longer.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    /// 30 documents of 20 sentences; a token is 100 × the document + 5 × the sentence + its place.
    fn documents() -> Vec<Document<Vec<u32>>> {
        let sentence = |document: u32, sentence: u32| {
            (0..5).map(|token| 100 * (document + 1) + 5 * sentence + token).collect()
        };
        (0..30).map(|d| (0..20).map(|s| sentence(d, s)).collect()).collect()
    }

    /// The words as they were before they were masked.
    fn restored(instance: &Instance) -> Vec<u32> {
        let mut ids = instance.ids.clone();
        for &(place, word) in &instance.masked {
            ids[place] = word;
        }
        ids
    }

    #[test]
    fn the_number_of_predictions_is_the_authors() {
        let counts =
            [(128, 20), (512, 77), (10, 20), (3, 20)].map(|(n, most)| predictions(n, most));
        assert_eq!(counts, [19, 77, 2, 1]);
    }

    #[test]
    fn pairs_follow_or_are_from_two_documents() {
        let documents = documents();
        let shape = Shape { length: 64, predictions: 10 };
        let instances = Instances::new(&documents, 4000, shape);
        let mut rng = StdRng::seed_from_u64(1);
        let all: Vec<Instance> = (0..20).flat_map(|_| instances.pass(&mut rng)).collect();
        let follows = all.iter().filter(|instance| instance.follows).count();
        // Half of those with two sentences; pairs of one sentence have none that follows.
        let following = follows as f64 / all.len() as f64;
        assert!((0.4..0.5).contains(&following), "{following}");
        for instance in &all {
            let ids = restored(instance);
            assert!(ids.len() <= 64 && ids[0] == CLS && ids[ids.len() - 1] == SEP);
            assert_eq!(ids[instance.second - 1], SEP);
            let (first, second) =
                (&ids[1..instance.second - 1], &ids[instance.second..ids.len() - 1]);
            assert!(!first.is_empty() && !second.is_empty(), "{ids:?}");
            let (end, begin) = (first[first.len() - 1], second[0]);
            if instance.follows && ids.len() < 64 {
                assert_eq!(begin, end + 1, "{ids:?}");
            } else if !instance.follows {
                assert_ne!(begin / 100, end / 100, "ten tries fail once in 10^14");
            }
        }
    }

    #[test]
    fn every_sentence_is_used_once_as_a_first_or_following_stretch() {
        let documents = documents();
        let instances = Instances::new(&documents, 4000, Shape { length: 512, predictions: 77 });
        let mut rng = StdRng::seed_from_u64(5);
        for pass in 0..5 {
            let mut seen: Vec<u32> = Vec::new();
            for instance in instances.pass(&mut rng) {
                let ids = restored(&instance);
                seen.extend(&ids[1..instance.second - 1]);
                if instance.follows {
                    seen.extend(&ids[instance.second..ids.len() - 1]);
                }
            }
            seen.sort_unstable();
            let all: Vec<u32> = documents.iter().flatten().flatten().copied().collect();
            assert_eq!(seen, all, "pass {pass}");
        }
    }

    #[test]
    fn of_ten_masked_words_eight_are_hidden_one_is_kept_and_one_is_another() {
        let documents = documents();
        let instances =
            Instances::new(&documents, 1_000_000, Shape { length: 64, predictions: 10 });
        let mut rng = StdRng::seed_from_u64(2);
        let (mut hidden, mut kept, mut all) = (0.0, 0.0, 0.0);
        for instance in (0..20).flat_map(|_| instances.pass(&mut rng)) {
            assert!(instance.masked.is_sorted(), "in the order of their places");
            let expected = predictions(instance.ids.len(), 10);
            assert_eq!(instance.masked.len(), expected);
            for (place, word) in instance.masked {
                all += 1.0;
                hidden += f64::from(u8::from(instance.ids[place] == MASK));
                kept += f64::from(u8::from(instance.ids[place] == word));
            }
        }
        assert!((hidden / all - 0.8_f64).abs() < 0.02, "{}", hidden / all);
        assert!((kept / all - 0.1_f64).abs() < 0.02, "{}", kept / all);
    }

    #[test]
    fn a_sample_is_of_all_documents() {
        let documents = documents();
        let instances = Instances::new(&documents, 4000, Shape { length: 64, predictions: 10 });
        let sample = instances.sample(60, &mut StdRng::seed_from_u64(4));
        assert_eq!(sample.len(), 60);
        // Of 30 documents; in their order, 60 pairs would be those of the first dozen.
        let seen: std::collections::HashSet<u32> =
            sample.iter().map(|pair| restored(pair)[1] / 100).collect();
        assert!(seen.len() > 20, "{seen:?}");
        let all = instances.sample(usize::MAX, &mut StdRng::seed_from_u64(4));
        assert_eq!(all.len(), instances.pass(&mut StdRng::seed_from_u64(4)).len());
    }

    #[test]
    fn drawn_pairs_are_those_of_passes_in_another_order() {
        let documents = documents();
        let shape = Shape { length: 64, predictions: 10 };
        let mut instances = Instances::new(&documents, 4000, shape);
        let mut rng = StdRng::seed_from_u64(3);
        let first: Vec<Instance> = (0..50).map(|_| instances.draw(&mut rng)).collect();
        let mut again = Instances::new(&documents, 4000, shape);
        let mut rng = StdRng::seed_from_u64(3);
        let second: Vec<Instance> = (0..50).map(|_| again.draw(&mut rng)).collect();
        assert_eq!(first, second, "the seed decides");
        let documents: std::collections::HashSet<u32> =
            first.iter().map(|instance| restored(instance)[1] / 100).collect();
        assert!(documents.len() > 10, "the order is shuffled");
    }
}
