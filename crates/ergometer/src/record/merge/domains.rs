//! The domains of all ranks, without duplicates.

use std::cmp::Ordering;

use super::cover::{Cover, part_of, plus};
use super::machines::{Machines, is_board_of_its_own};
use super::{RankLines, RankRun, numbers};
use crate::energy::{Energy, Method};
use crate::record::DomainRecord;
use crate::source::attribution::is_share;
use crate::source::{Availability, Domain, DomainKind, SourceReport};
use crate::units::Joules;

/// A domain of a part: index of the part, index among the part's domains.
pub(super) type At = (usize, usize);

/// A domain of the merged record.
pub(super) struct Physical {
    pub domain: Domain,
    machine: usize,
    /// Its positions in the records, in the order of ranks.
    pub members: Vec<At>,
    /// The positions that have an energy, the believed one first.
    pub givers: Vec<At>,
    /// Whether each rank's energy is separate, so that all are summed.
    pub adds: bool,
}

/// A domain's energy in the whole run.
pub(super) struct Whole {
    pub energy: Option<Energy>,
    /// Time in which at least one rank metered it, seconds.
    pub metered: f64,
    /// The part of the energy that is estimated from a rank's mean power.
    pub estimated: Joules,
    /// The joules that come from each part.
    pub from: Vec<(usize, Joules)>,
}

pub(super) fn row(parts: &[RankRun], (part, domain): At) -> &DomainRecord {
    &parts[part].record.domains[domain]
}

/// The energy of a domain in a part's whole run.
pub(super) fn total(parts: &[RankRun], (part, domain): At) -> Option<Energy> {
    parts[part].record.total.by_domain.get(domain).copied().flatten()
}

/// Every domain of every machine, without those that are contained in another.
pub(super) fn physical(parts: &[RankRun], warnings: &mut Vec<String>) -> Vec<Physical> {
    let machines = Machines::of(parts, warnings);
    let mut all: Vec<(String, Physical)> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let machine = machines.of[index];
        for (at, row) in part.record.domains.iter().enumerate() {
            let identity = identity(&row.domain);
            // A board is the same one wherever it was seen.
            let anywhere = row.domain.kind == DomainKind::Gpu && is_board_of_its_own(&identity);
            let known = all
                .iter_mut()
                .find(|(id, known)| (anywhere || known.machine == machine) && *id == identity);
            if let Some((_, known)) = known {
                known.members.push((index, at));
            } else {
                let adds = is_share(&row.domain.id);
                let (domain, members) = (row.domain.clone(), vec![(index, at)]);
                let found = Physical { domain, machine, members, givers: Vec::new(), adds };
                all.push((identity, found));
            }
        }
    }
    let mut found: Vec<Physical> = all.into_iter().map(|(_, physical)| physical).collect();
    for physical in &mut found {
        physical.choose(parts);
    }
    let left_out: Vec<Option<String>> = found
        .iter()
        .map(|inner| found.iter().find(|outer| steps_back(inner, outer)))
        .map(|outer| outer.map(|outer| outer.domain.id.clone()))
        .collect();
    let mut left_out = left_out.into_iter();
    found.retain(|physical| match left_out.next().flatten() {
        None => true,
        Some(outer) => {
            let ranks: Vec<u32> =
                physical.members.iter().map(|&(part, _)| parts[part].rank.rank).collect();
            let (ranks, id) = (numbers(&ranks), &physical.domain.id);
            warnings.push(format!("{ranks}: {id} is left out: another rank metered {outer}"));
            false
        }
    });
    for physical in &mut found {
        if physical.domain.kind == DomainKind::Gpu
            && physical.domain.method == Method::Assumed
            && physical.members.len() > 1
        {
            let id = &physical.domain.id;
            warnings.push(format!("{id}: stated by several ranks of a machine, and counted once"));
        }
        machines.name(physical);
    }
    found
}

/// The identity of a domain on its machine, whichever source reads it: `rapl` and `perf` read the same
/// registers.
fn identity(domain: &Domain) -> String {
    match domain.id.split_once(':') {
        Some(("rapl" | "perf", rest)) => format!("rapl:{rest}"),
        _ => domain.id.clone(),
    }
}

/// Whether `inner` must not be added because `outer` is. Two domains that one rank metered at the same time
/// have already been separated by the meter.
fn steps_back(inner: &Physical, outer: &Physical) -> bool {
    let together = || {
        let parts = |physical: &Physical| {
            physical.members.iter().map(|&(part, _)| part).collect::<Vec<_>>()
        };
        let others = parts(outer);
        parts(inner).iter().any(|part| others.contains(part))
    };
    if inner.machine != outer.machine || outer.givers.is_empty() || together() {
        return false;
    }
    let (a, b) = (&inner.domain, &outer.domain);
    if b.kind.contains(a.kind) {
        return true;
    }
    // Boards of one kind may be several; there is one set of processors and memory.
    if a.kind != b.kind || a.kind == DomainKind::Gpu || outer.adds {
        return false;
    }
    let trust = |physical: &Physical| match physical.domain.method {
        _ if physical.adds => 3,
        Method::Counter | Method::Integrated => 0,
        Method::Assumed => 1,
        Method::Modelled | Method::Unknown => 2,
    };
    trust(inner) > trust(outer)
}

impl Physical {
    /// The position that provides values which belong to one rank alone.
    pub(super) fn believed(&self) -> At {
        *self.givers.first().unwrap_or(&self.members[0])
    }

    /// Orders the positions with an energy by how far they are believed.
    fn choose(&mut self, parts: &[RankRun]) {
        self.givers = self.members.clone();
        self.givers.retain(|&at| total(parts, at).is_some());
        self.givers.sort_by(|&a, &b| {
            let measured = |at| !row(parts, at).domain.method.is_measured();
            let seconds = |at: At| parts[at.0].record.run.seconds;
            measured(a)
                .cmp(&measured(b))
                .then(seconds(b).partial_cmp(&seconds(a)).unwrap_or(Ordering::Equal))
                .then(a.cmp(&b))
        });
        self.domain = row(parts, self.believed()).domain.clone();
    }

    /// Its energy in the run, which lasts `seconds`.
    pub(super) fn whole(&self, parts: &[RankRun], seconds: f64) -> Whole {
        let mut cover = Cover::default();
        let (mut sum, mut estimated, mut observed) = (None, Joules::ZERO, 0.0);
        let mut from = Vec::new();
        for &at in &self.givers {
            let Some(energy) = total(parts, at) else { continue };
            let part = &parts[at.0];
            let (start, end) = (part.start, part.end());
            let open = cover.open(start, end);
            cover.add(start, end);
            let share = if self.adds { 1.0 } else { open };
            if share > 0.0 {
                let piece = part_of(&energy, share);
                if share < 1.0 {
                    estimated += piece.joules;
                }
                observed += energy.coverage * open * (end - start);
                from.push((at.0, piece.joules));
                sum = Some(plus(sum, piece));
            }
        }
        let coverage = if seconds > 0.0 { (observed / seconds).clamp(0.0, 1.0) } else { 1.0 };
        let energy = sum.map(|energy| Energy { coverage, ..energy });
        Whole { energy, metered: cover.seconds(), estimated, from }
    }
}

impl Machines {
    /// If there are several machines, adds the name of its machine to a domain.
    fn name(&self, physical: &mut Physical) {
        if self.names.len() > 1 {
            let name = &self.names[physical.machine];
            let domain = &mut physical.domain;
            domain.id = format!("{name}/{}", domain.id);
            domain.label = format!("{} on {name}", domain.label);
        }
    }
}

/// The sources' reports of all ranks: equal ones once, with the domains of all.
pub(super) fn sources(parts: &[RankRun], domains: &[Physical]) -> Vec<SourceReport> {
    let merged_id = |index: usize, id: &String| {
        let here = |&(part, at): &At| part == index && row(parts, (part, at)).domain.id == *id;
        let found = domains.iter().find(|physical| physical.members.iter().any(here))?;
        Some(found.domain.id.clone())
    };
    let mut all: Vec<(SourceReport, Vec<u32>, RankLines)> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        for report in &part.record.sources {
            let same = |(known, ..): &(SourceReport, _, _)| {
                known.source == report.source && known.availability == report.availability
            };
            let at = all.iter().position(same).unwrap_or_else(|| {
                let (domains, remarks) = (Vec::new(), Vec::new());
                let empty = SourceReport { domains, remarks, ..report.clone() };
                all.push((empty, Vec::new(), RankLines::default()));
                all.len() - 1
            });
            let (merged, ranks, lines) = &mut all[at];
            for id in report.domains.iter().filter_map(|id| merged_id(index, id)) {
                if !merged.domains.contains(&id) {
                    merged.domains.push(id);
                }
            }
            if ranks.last() != Some(&part.rank.rank) {
                ranks.push(part.rank.rank);
            }
            report.remarks.iter().for_each(|line| lines.add(part.rank.rank, line));
        }
    }
    let reports = all.into_iter().map(|(mut report, ranks, lines)| {
        report.remarks = lines.lines(ranks.len());
        if let Availability::Unavailable { reason, .. } = &mut report.availability
            && ranks.len() < parts.len()
        {
            *reason = format!("{}: {reason}", numbers(&ranks));
        }
        report
    });
    reports.collect()
}
