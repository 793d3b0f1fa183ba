//! Spans that ended before their children.

use std::collections::{HashMap, VecDeque};

/// The latest spans that may have ended before their children, each with its parent.
///
/// A program may end hundreds of millions of spans on threads other than the one they began on, so only the
/// latest are kept. A span whose parent is no longer among them is booked at the root.
#[derive(Clone, Default)]
pub(super) struct EndedParents {
    around: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

/// Number of such spans that are kept.
const LATEST: usize = 1 << 14;

impl EndedParents {
    /// Records that `span` ended inside `around`, possibly before its children.
    pub(super) fn add(&mut self, span: u64, around: u64) {
        if self.around.insert(span, around).is_none() {
            self.order.push_back(span);
        }
        if self.order.len() > LATEST
            && let Some(oldest) = self.order.pop_front()
        {
            self.around.remove(&oldest);
        }
    }

    /// The nearest ancestor of a child of `span` that has not ended.
    pub(super) fn living(&self, mut span: u64) -> u64 {
        while let Some(&around) = self.around.get(&span) {
            span = around;
        }
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::mark::NO_SPAN;

    #[test]
    fn the_nearest_span_that_lives_is_found_through_any_number_that_ended() {
        let mut outlived = EndedParents::default();
        for span in 2..100 {
            outlived.add(span, span - 1);
        }
        assert_eq!(outlived.living(99), 1);
        assert_eq!(outlived.living(1), 1);
        assert_eq!(outlived.living(NO_SPAN), NO_SPAN);
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let mut outlived = EndedParents::default();
        let last = 10 * LATEST as u64;
        for span in 2..=last {
            outlived.add(span, 1);
        }
        assert_eq!((outlived.around.len(), outlived.order.len()), (LATEST, LATEST));
        assert_eq!(outlived.living(last), 1);
    }
}
