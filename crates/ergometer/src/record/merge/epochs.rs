//! The ranks' epochs, joined by split and number.

use std::collections::BTreeMap;

use super::cover::{Cover, part_of, plus};
use super::domains::{self, Physical};
use super::{Merge, RankRun, names, numbers, steps};
use crate::energy::{Energy, Usage};
use crate::record::Epoch;
use crate::units::Joules;

/// The epochs of the run.
pub(super) struct Joined {
    pub epochs: Vec<Epoch>,
    /// Joules per domain outside them.
    pub outside: Vec<Joules>,
    /// Joules per domain inside their steps, by split.
    pub step_joules: BTreeMap<String, Vec<f64>>,
    pub warnings: Vec<String>,
}

/// An epoch being joined.
struct JoinedEpoch<'a> {
    start: f64,
    end: f64,
    /// The ranks that took part in it, by the index of their part.
    members: Vec<(usize, &'a Epoch)>,
    by_domain: Vec<Option<Energy>>,
    steps: Vec<f64>,
    between: Vec<f64>,
    /// Joules added from ranks that are not the believed ones.
    added: f64,
}

type Rows<'a> = BTreeMap<(&'a str, u64), JoinedEpoch<'a>>;

pub(super) fn join(merge: &Merge<'_>) -> Joined {
    let count = merge.domains.len();
    let mut rows = Rows::new();
    for (index, part) in merge.parts.iter().enumerate() {
        for epoch in &part.record.epochs {
            let (start, end) = interval(part, epoch);
            let row = rows.entry((&epoch.split, epoch.index)).or_insert_with(|| JoinedEpoch {
                start,
                end,
                members: Vec::new(),
                by_domain: vec![None; count],
                steps: vec![0.0; count],
                between: vec![0.0; count],
                added: 0.0,
            });
            (row.start, row.end) = (row.start.min(start), row.end.max(end));
            row.members.push((index, epoch));
        }
    }
    let outside = (0..count).map(|index| Joules::new(fill(merge, index, &mut rows))).collect();
    let mut step_joules: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for ((split, _), row) in &rows {
        let sums = step_joules.entry((*split).to_owned()).or_insert_with(|| vec![0.0; count]);
        sums.iter_mut().zip(&row.steps).for_each(|(sum, joules)| *sum += joules);
    }
    let warnings = warnings(merge, &rows);
    let mut finished: Vec<(f64, Epoch)> =
        rows.into_iter().map(|(name, row)| (row.end, row.finish(name, merge))).collect();
    finished.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let epochs = finished.into_iter().map(|(_, epoch)| epoch).collect();
    Joined { epochs, outside, step_joules, warnings }
}

fn interval(part: &RankRun, epoch: &Epoch) -> (f64, f64) {
    let start = part.start + epoch.start_s;
    (start, start + epoch.usage.seconds)
}

/// A rank's epoch in one domain.
struct Piece<'a> {
    epoch: &'a Epoch,
    /// The domain's index in the rank's record.
    domain: usize,
    share: f64,
    energy: Energy,
    own: bool,
}

/// Adds the energy of one domain to the rows; returns the energy that remains outside them.
fn fill<'a>(merge: &Merge<'a>, index: usize, rows: &mut Rows<'a>) -> f64 {
    let physical = &merge.domains[index];
    let mut cover = Cover::default();
    let mut pieces: Vec<Piece<'a>> = Vec::new();
    for (order, &(part, domain)) in physical.givers.iter().enumerate() {
        let own = order == 0 || physical.adds;
        let part = &merge.parts[part];
        for epoch in &part.record.epochs {
            let (start, end) = interval(part, epoch);
            let share = if own { 1.0 } else { cover.open(start, end) };
            if let Some(energy) = epoch.usage.by_domain.get(domain).copied().flatten()
                && share > 0.0
            {
                pieces.push(Piece { epoch, domain, share, energy, own });
            }
        }
        // Added afterwards: overlapping epochs of one rank must not affect the others.
        for epoch in &part.record.epochs {
            let (start, end) = interval(part, epoch);
            cover.add(start, end);
        }
    }
    let room = outside(merge, index, physical);
    let added: f64 = pieces
        .iter()
        .filter(|piece| !piece.own)
        .map(|piece| piece.share * piece.energy.joules.get())
        .sum();
    // Two ranks' sensors never agree exactly, and epochs cannot contain more than the total.
    let scale = if added > room { room.max(0.0) / added } else { 1.0 };
    for piece in pieces {
        let Piece { epoch, domain, .. } = piece;
        let share = if piece.own { 1.0 } else { piece.share * scale };
        let Some(row) = rows.get_mut(&(epoch.split.as_str(), epoch.index)) else { continue };
        let energy = part_of(&piece.energy, share);
        if !piece.own {
            row.added += energy.joules.get();
        }
        row.by_domain[index] = Some(plus(row.by_domain[index], energy));
        let steps = epoch.steps.as_ref().and_then(|steps| steps.by_domain.get(domain));
        row.steps[index] += share * steps.map_or(0.0, |joules| joules.get());
        let between = epoch.between_steps.get(domain);
        row.between[index] += share * between.map_or(0.0, |joules| joules.get());
    }
    room - added * scale
}

/// Joules of a domain outside the epochs of the ranks believed for it.
fn outside(merge: &Merge<'_>, index: usize, physical: &Physical) -> f64 {
    let of = |&(part, domain): &(usize, usize)| {
        merge.parts[part].record.outside_epochs.get(domain).map_or(0.0, |joules| joules.get())
    };
    if physical.adds {
        return physical.givers.iter().map(of).sum();
    }
    let Some(first) = physical.givers.first() else { return 0.0 };
    let own = domains::total(merge.parts, *first).map_or(0.0, |energy| energy.joules.get());
    let whole = merge.wholes[index].energy.map_or(0.0, |energy| energy.joules.get());
    of(first) + (whole - own)
}

fn warnings(merge: &Merge<'_>, rows: &Rows<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let added: f64 = rows.values().map(|row| row.added).sum();
    if added > 0.0 {
        warnings.push(format!(
            "{} of the energy in epochs is from time in which only some ranks were in one, taken from \
             those ranks' records",
            Joules::new(added)
        ));
    }
    let mut absent: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for ((split, _), row) in rows {
        for (index, part) in merge.parts.iter().enumerate() {
            let ranks = absent.entry(split).or_default();
            let there = row.members.iter().any(|&(member, _)| member == index);
            if !there && !ranks.contains(&part.rank.rank) {
                ranks.push(part.rank.rank);
            }
        }
    }
    for (split, mut ranks) in absent {
        ranks.sort_unstable();
        if !ranks.is_empty() {
            warnings.push(format!(
                "{}: not in every epoch '{split}'; energy that only they metered meanwhile is not in it",
                numbers(&ranks)
            ));
        }
    }
    warnings
}

impl JoinedEpoch<'_> {
    fn finish(mut self, (split, index): (&str, u64), merge: &Merge<'_>) -> Epoch {
        let seconds = self.end - self.start;
        for (energy, physical) in self.by_domain.iter_mut().zip(&merge.domains) {
            if let Some(energy) = energy {
                energy.coverage = coverage(&self.members, physical);
            }
        }
        let steps: Vec<_> =
            self.members.iter().filter_map(|(_, epoch)| epoch.steps.as_ref()).collect();
        Epoch {
            split: split.to_owned(),
            index,
            start_s: self.start,
            usage: Usage {
                seconds,
                energy: Energy::across(self.by_domain.iter().flatten()),
                by_domain: self.by_domain,
            },
            steps: steps::join(&steps, &self.steps, merge.shares()),
            steps_by_name: names::join(
                merge,
                |part| {
                    let epoch = self.members.iter().find(|(member, _)| *member == part);
                    epoch.map_or(&[][..], |(_, epoch)| &epoch.steps_by_name)
                },
                &self.steps,
            ),
            between_steps: self.between.into_iter().map(Joules::new).collect(),
        }
    }
}

/// The lowest coverage of the epoch among the ranks that metered the domain.
fn coverage(members: &[(usize, &Epoch)], physical: &Physical) -> f64 {
    let of = |&(part, domain): &(usize, usize)| {
        let (_, epoch) = members.iter().find(|(member, _)| *member == part)?;
        Some(epoch.usage.by_domain.get(domain).copied().flatten()?.coverage)
    };
    physical.givers.iter().filter_map(of).fold(1.0, f64::min)
}
