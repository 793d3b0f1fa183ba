//! The latest epochs, for live figures.

use std::collections::VecDeque;

use crate::energy::StepTotals;
use crate::ledger::live::LiveEpoch;
use crate::span::mark::Mark;

/// How many are known: of each split the open one and some before it.
const MOST_EPOCHS: usize = 32;

/// The latest epochs in the order in which they began, whatever their number.
#[derive(Debug, Default)]
pub(crate) struct RecentEpochs(VecDeque<(u64, LiveEpoch)>);

impl RecentEpochs {
    /// An epoch began.
    pub(crate) fn begin(&mut self, mark: &Mark) {
        if self.0.iter().any(|(id, _)| *id == mark.id) {
            return;
        }
        let (split, start) = (mark.label.name, mark.start);
        let epoch = LiveEpoch { split, start, ended: false, steps: StepTotals::default() };
        let after = self.0.iter().rposition(|(_, other)| other.start <= start);
        self.0.insert(after.map_or(0, |index| index + 1), (mark.id, epoch));
        if self.0.len() > MOST_EPOCHS {
            // One that is over goes first.
            let over = self.0.iter().position(|(_, epoch)| epoch.ended).unwrap_or(0);
            self.0.remove(over);
        }
    }

    /// An epoch is over, and these are its steps.
    pub(crate) fn end(&mut self, mark: &Mark, steps: StepTotals) {
        if !mark.is_announced() {
            // Several have this identity.
            self.0.retain(|(id, _)| *id != mark.id);
        }
        self.begin(mark);
        if let Some((_, epoch)) = self.0.iter_mut().find(|(id, _)| *id == mark.id) {
            epoch.ended = true;
            epoch.steps = steps;
        }
    }

    /// An epoch is over, and its steps are these as far as is known; it stays among those that can still
    /// [end](Self::end).
    pub(crate) fn foresee(&mut self, id: u64, steps: StepTotals) {
        if let Some((_, epoch)) = self.0.iter_mut().find(|(known, _)| *known == id) {
            epoch.ended = true;
            epoch.steps = steps;
        }
    }

    /// The steps of an epoch that is over.
    pub(crate) fn steps_of(&self, id: u64) -> Option<StepTotals> {
        let ended = self.0.iter().find(|(known, epoch)| *known == id && epoch.ended);
        ended.map(|(_, epoch)| epoch.steps.clone())
    }

    /// The epochs; `steps` are those booked so far of an open one, by the identity of its span.
    pub(crate) fn live(&self, steps: impl Fn(u64) -> Option<StepTotals>) -> Vec<LiveEpoch> {
        let now = |(id, epoch): &(u64, LiveEpoch)| {
            let booked = || steps(*id).unwrap_or_default();
            LiveEpoch {
                steps: if epoch.ended { epoch.steps.clone() } else { booked() },
                ..epoch.clone()
            }
        };
        self.0.iter().map(now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::span::{Kind, Label};

    #[test]
    fn the_latest_are_known_in_the_order_of_their_starts_and_open_ones_longest() {
        let label: &'static Label = Box::leak(Box::new(Label::new(Kind::Epoch, "train")));
        let at = |second: u64| Timestamp::from_nanos(second * 1_000_000_000);
        let mark = |id: u64| Mark { id, ..Mark::new(label, (at(id), at(id + 1))) };
        let mut recent = RecentEpochs::default();
        recent.begin(&mark(1));
        // The end may be heard of before the beginning.
        recent.end(&mark(3), StepTotals { count: 3, ..StepTotals::default() });
        recent.begin(&mark(3));
        recent.begin(&mark(2));
        let live = recent.live(|id| Some(StepTotals { count: 10 * id, ..StepTotals::default() }));
        let seen: Vec<_> = live.iter().map(|e| (e.start, e.ended, e.steps.count)).collect();
        assert_eq!(seen, [(at(1), false, 10), (at(2), false, 20), (at(3), true, 3)]);
        for id in 10..10_000 {
            recent.end(&mark(id), StepTotals::default());
        }
        let live = recent.live(|_| None);
        assert_eq!(live.len(), MOST_EPOCHS);
        assert_eq!((live[0].start, live[1].start), (at(1), at(2)), "they are not over");
        assert_eq!(live[MOST_EPOCHS - 1].start, at(9999));
    }
}
