//! Accounts for time that has been covered, and estimates the energy of a part of an interval.

use crate::energy::Energy;
use crate::units::Joules;

/// Shares closer than this to 0 or 1 are rounding errors.
const ROUNDING: f64 = 1e-9;

/// Covered time in seconds, as disjoint intervals.
#[derive(Default)]
pub(super) struct Cover(Vec<(f64, f64)>);

impl Cover {
    /// The share of the interval that is not covered, 0 to 1.
    pub(super) fn open(&self, start: f64, end: f64) -> f64 {
        let length = end - start;
        if length <= 0.0 {
            let known = self.0.iter().any(|&(from, to)| from <= start && start <= to);
            return if known { 0.0 } else { 1.0 };
        }
        let common = |&(from, to): &(f64, f64)| (end.min(to) - start.max(from)).max(0.0);
        let open = 1.0 - self.0.iter().map(common).sum::<f64>() / length;
        if open > 1.0 - ROUNDING {
            1.0
        } else if open < ROUNDING {
            0.0
        } else {
            open
        }
    }

    /// The stretches of the interval that are not covered, in order.
    pub(super) fn stretches(&self, start: f64, end: f64) -> Vec<(f64, f64)> {
        let mut covered = self.0.clone();
        covered.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut open = Vec::new();
        let mut from = start;
        for (begin, until) in covered {
            if begin.min(end) > from {
                open.push((from, begin.min(end)));
            }
            from = from.max(until);
        }
        if end > from {
            open.push((from, end));
        }
        open
    }

    /// Adds an interval to the covered time.
    pub(super) fn add(&mut self, mut start: f64, mut end: f64) {
        self.0.retain(|&(from, to)| {
            let apart = to < start || end < from;
            if !apart {
                (start, end) = (start.min(from), end.max(to));
            }
            apart
        });
        self.0.push((start, end));
    }

    /// Seconds covered.
    pub(super) fn seconds(&self) -> f64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }
}

/// The energy of a `share` of the time of `energy`, at its mean power.
///
/// The power in the shorter of that time and the rest is assumed to be uniformly distributed between 0 and
/// twice the mean. The standard uncertainty is therefore min(share, 1 − share) / √3 of the whole energy: 29
/// % for half of the time, 0 for none and for all. It counts as a gap.
pub(super) fn part_of(energy: &Energy, share: f64) -> Energy {
    if share >= 1.0 {
        return *energy;
    }
    let mut parts = energy.parts;
    parts.gain = parts.gain * share;
    parts.model = parts.model * share;
    let unknown = energy.joules.get() * share.min(1.0 - share) / 3.0_f64.sqrt();
    parts.gaps = parts.gaps * share + Joules::new(unknown);
    Energy {
        joules: energy.joules * share,
        standard_uncertainty: parts.standard(),
        parts,
        ..*energy
    }
}

/// The sum of two parts of one domain's energy. The caller sets the coverage.
pub(super) fn plus(sum: Option<Energy>, more: Energy) -> Energy {
    let Some(sum) = sum else { return more };
    sum.plus(&more, sum.coverage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::{Method, Uncertainty};

    #[test]
    fn intervals_that_touch_are_one() {
        let mut cover = Cover::default();
        for (start, end) in [(0.0, 1.0), (4.0, 5.0), (1.0, 2.0), (1.5, 3.0)] {
            cover.add(start, end);
        }
        assert!((cover.seconds() - 4.0).abs() < 1e-12);
        let table = [
            ((0.0, 3.0), 0.0),
            ((3.0, 4.0), 1.0),
            ((2.0, 4.0), 0.5),
            ((-1.0, 6.0), 3.0 / 7.0),
            ((2.0, 2.0), 0.0),
            ((3.5, 3.5), 1.0),
        ];
        for ((start, end), open) in table {
            assert!((cover.open(start, end) - open).abs() < 1e-12, "{start} {end}");
        }
    }

    #[test]
    fn none_and_all_of_an_energy_are_known() {
        let energy = Energy {
            joules: Joules::new(100.0),
            standard_uncertainty: Joules::ZERO,
            parts: Uncertainty::default(),
            method: Method::Counter,
            coverage: 1.0,
        };
        let error = |share| part_of(&energy, share).standard_uncertainty.get();
        for (share, expected) in [(0.0, 0.0), (0.1, 5.77), (0.5, 28.87), (0.9, 5.77), (1.0, 0.0)] {
            assert!((error(share) - expected).abs() < 0.01, "{share}");
        }
        // A rank that drew all its energy in half of its time lies within two standard uncertainties.
        assert!((100.0 - part_of(&energy, 0.5).joules.get()) < 2.0 * error(0.5));
        assert!((part_of(&energy, 0.25).joules.get() - 25.0).abs() < 1e-12);
    }
}
