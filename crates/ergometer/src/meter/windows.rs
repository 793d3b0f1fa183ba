//! Energies of single spans that the program waits for.

use crate::clock::Timestamp;
use crate::ledger::assemble;
use crate::source::Domain;
use crate::span::word::Window;
use crate::timeline::Timeline;

/// Those whose energy is not settled.
#[derive(Default)]
pub(super) struct Windows(Vec<Window>);

impl Windows {
    pub(super) fn add(&mut self, window: Window) {
        self.0.push(window);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moments for which energies will be asked.
    pub(super) fn pins(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().flat_map(|window| [window.start, window.end])
    }

    /// Answers for all that ended by `settled`; at the end of the run, for all.
    pub(super) fn answer(
        &mut self,
        settled: Timestamp,
        is_last: bool,
        domains: &[Domain],
        timelines: &[Timeline],
    ) {
        self.0.retain(|window| {
            let waits = window.end > settled && !is_last;
            if !waits {
                let end = window.end.min(settled);
                // Whoever asked may have given up waiting.
                let _ = window.reply.send(assemble::window(domains, timelines, window.start, end));
            }
            waits
        });
    }
}
