//! Runs and epochs that are open.

use std::collections::{HashMap, HashSet};

use crate::clock::Timestamp;
use crate::span::Kind;
use crate::span::mark::Mark;

/// The runs and epochs that are open: their spans have left no mark yet.
#[derive(Default)]
pub(super) struct OpenSpans {
    /// By identity.
    open: HashMap<u64, Mark>,
    /// Spans whose end came before the word of their beginning, which takes another way.
    ended: HashSet<u64>,
}

impl OpenSpans {
    /// A run or an epoch began; `mark` is as it would be if it ended at once.
    pub(super) fn begin(&mut self, mark: Mark) {
        if !self.ended.remove(&mark.id) {
            self.open.insert(mark.id, mark);
        }
    }

    /// These spans are over. Returns how many of them were announced runs and epochs.
    pub(super) fn end(&mut self, marks: &[Mark]) -> usize {
        let announced = marks.iter().filter(|mark| mark.is_announced());
        announced
            .map(|mark| {
                if self.open.remove(&mark.id).is_none() {
                    self.ended.insert(mark.id);
                }
            })
            .count()
    }

    /// When this span began, if it is open.
    pub(super) fn start_of(&self, span: u64) -> Option<Timestamp> {
        self.open.get(&span).map(|mark| mark.start)
    }

    /// When they began.
    pub(super) fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.open.values().map(|mark| mark.start)
    }

    /// How many epochs are open at `end`.
    pub(super) fn epochs(&self, end: Timestamp) -> usize {
        let epoch = |mark: &&Mark| mark.label.kind == Kind::Epoch && mark.start <= end;
        self.open.values().filter(epoch).count()
    }

    /// Their marks, as if they had ended at once.
    pub(super) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.open.values()
    }

    /// Their marks if they ended at `end`.
    pub(super) fn cut(&self, end: Timestamp) -> impl Iterator<Item = Mark> {
        self.open.values().map(move |mark| Mark { end: end.max(mark.start), ..*mark })
    }
}
