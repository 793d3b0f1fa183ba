//! Sentences → windows that follow one another, in both directions.
//!
//! Sentences are joined to one long text, which is cut into as many lanes as a batch has rows; a
//! batch is one window of every lane, and the next batch holds the words that follow, so that the
//! model's memory can be carried over. The backward text has the same sentences in the same
//! order, each with its words reversed.

use super::{Corpus, TextError};
use crate::model::Words;

/// One window of every lane.
pub struct Batch {
    /// Words as they stand.
    pub forward: Words,
    /// Vocabulary ids of the words that follow those of `forward`.
    pub forward_targets: Vec<i32>,
    /// Words of reversed sentences.
    pub backward: Words,
    /// Vocabulary ids of the words that follow those of `backward`.
    pub backward_targets: Vec<i32>,
}

impl Batch {
    /// Words predicted in each direction.
    pub const fn tokens(&self) -> usize {
        self.forward_targets.len()
    }
}

/// An iterator over windows.
pub struct Batches<'a> {
    corpus: &'a Corpus,
    forward: Vec<u32>,
    backward: Vec<u32>,
    lanes: usize,
    lane_length: usize,
    time: usize,
    next: usize,
    end: usize,
}

impl<'a> Batches<'a> {
    /// At most `limit` windows of `time` words in up to `lanes` lanes; a short text has fewer
    /// lanes.
    pub fn new<'b>(
        corpus: &'a Corpus,
        sentences: impl Iterator<Item = &'b Vec<u32>> + Clone,
        lanes: usize,
        time: usize,
        limit: usize,
    ) -> Result<Self, TextError> {
        let forward: Vec<u32> = sentences.clone().flatten().copied().collect();
        let backward = sentences.flat_map(|sentence| sentence.iter().rev()).copied().collect();
        let usable = forward.len().saturating_sub(1); // the last word has none to predict
        if usable < time {
            return Err(TextError::TooFewWords { words: forward.len(), needed: time + 1 });
        }
        let lanes = lanes.min(usable / time);
        let lane_length = usable / lanes;
        let end = (lane_length / time).min(limit);
        Ok(Self { corpus, forward, backward, lanes, lane_length, time, next: 0, end })
    }

    /// Rows of a batch.
    pub const fn lanes(&self) -> usize {
        self.lanes
    }

    fn window(&self, text: &[u32]) -> (Words, Vec<i32>) {
        let mut characters = Vec::new();
        let mut targets = Vec::with_capacity(self.lanes * self.time);
        for lane in 0..self.lanes {
            let start = lane * self.lane_length + self.next * self.time;
            for position in start..start + self.time {
                characters.extend_from_slice(self.corpus.characters(text[position]));
                targets.push(self.corpus.target(text[position + 1]));
            }
        }
        (Words { characters, batch: self.lanes, time: self.time }, targets)
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next == self.end {
            return None;
        }
        let (forward, forward_targets) = self.window(&self.forward);
        let (backward, backward_targets) = self.window(&self.backward);
        self.next += 1;
        Some(Batch { forward, forward_targets, backward, backward_targets })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Split, tokenise};

    fn corpus(text: &[&str]) -> Corpus {
        let train = text.iter().map(|line| tokenise(line)).collect();
        Corpus::new(&Split { train, valid: Vec::new() }, 100, 8)
    }

    fn targets(corpus: &Corpus, sentence: usize) -> Vec<i32> {
        corpus.train[sentence].iter().map(|&word| corpus.target(word)).collect()
    }

    #[test]
    fn the_backward_text_is_every_sentence_reversed() {
        let corpus = corpus(&["a b c", "d e"]);
        let mut batches =
            Batches::new(&corpus, corpus.train.iter(), 1, 8, usize::MAX).expect("9 words");
        let batch = batches.next().expect("one window");
        let (first, second) = (targets(&corpus, 0), targets(&corpus, 1));
        let forward: Vec<i32> = [&first[1..], &second[..]].concat();
        assert_eq!(batch.forward_targets, forward);
        let mirrored = |ids: &[i32]| ids.iter().rev().copied().collect::<Vec<_>>();
        let backward = [&mirrored(&first)[1..], &mirrored(&second)].concat();
        assert_eq!(batch.backward_targets, backward);
        // The first word read backward is the end mark of the first sentence.
        let end = corpus.train[0][4];
        assert_eq!(&batch.backward.characters[..8], corpus.characters(end));
        assert_eq!(batch.tokens(), 8);
        assert!(batches.next().is_none());
    }

    #[test]
    fn windows_of_a_lane_follow_one_another() {
        let corpus = corpus(&["a b c d e f g h i j k"]);
        let text = targets(&corpus, 0);
        let batches = Batches::new(&corpus, corpus.train.iter(), 2, 3, usize::MAX).expect("enough");
        let windows: Vec<Vec<i32>> = batches.map(|batch| batch.forward_targets).collect();
        assert_eq!(
            windows,
            [[&text[1..4], &text[7..10]].concat(), [&text[4..7], &text[10..13]].concat(),]
        );
    }

    #[test]
    fn a_short_text_has_fewer_lanes_and_a_shorter_one_is_refused() {
        let corpus = corpus(&["a b c"]);
        let batches = |time| Batches::new(&corpus, corpus.train.iter(), 16, time, usize::MAX);
        assert_eq!(batches(4).map(|batches| (batches.lanes(), batches.len())), Ok((1, 1)));
        assert_eq!(batches(5).err(), Some(TextError::TooFewWords { words: 5, needed: 6 }));
    }
}
