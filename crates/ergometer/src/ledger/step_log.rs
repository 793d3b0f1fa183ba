//! Single steps for the journal.

use crate::clock::Timestamp;
use crate::span::mark::Mark;

/// Single steps, as they were booked.
pub(crate) struct StepLog {
    /// Only every n-th step is kept.
    pub every: u64,
    pub seen: u64,
    pub steps: Vec<StepEntry>,
}

/// One step, or several that share a mark.
pub(crate) struct StepEntry {
    pub name: &'static str,
    pub start: Timestamp,
    pub seconds: f64,
    pub items: f64,
    pub joules: Vec<f64>,
    pub count: u64,
}

impl StepLog {
    pub(super) fn add(&mut self, mark: &Mark, seconds: f64, joules: &[f64]) {
        let after = self.seen + mark.count();
        if self.seen.next_multiple_of(self.every) < after {
            self.steps.push(StepEntry {
                name: mark.label.name,
                start: mark.start,
                seconds,
                items: mark.items,
                joules: joules.to_vec(),
                count: mark.count(),
            });
        }
        self.seen = after;
    }
}
