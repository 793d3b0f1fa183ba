//! The starts of the ranks on one clock.
//!
//! The ranks of a machine share its clock. Machines are aligned by their clocks, unless one is further off
//! than clocks within one run can be: a board without a battery-backed clock starts in 1970.

use std::collections::BTreeMap;

use super::{RankRun, numbers};

/// Ranks have different clocks if, by those clocks, they never ran at the same time and were this many
/// seconds apart.
const FAR: f64 = 3600.0;

/// The ranks of a machine whose times are close to each other.
struct Group {
    members: Vec<usize>,
    start: f64,
    end: f64,
}

impl Group {
    fn gap(&self, other: &Self) -> f64 {
        (other.start - self.end).max(self.start - other.end)
    }
}

/// Aligns parts whose clocks disagree with most ranks' by the first epoch in common, or else by their
/// starts, and shifts all times so that the first start is 0. Returns warnings, and the original time of
/// that start.
pub(super) fn lay(parts: &mut [RankRun]) -> (Vec<String>, f64) {
    let mut warnings = Vec::new();
    let groups = groups(parts);
    let clusters = clusters(&groups);
    // The clock of most ranks is believed; if there are equally many, that of the latest start, since a
    // wrong clock usually shows an earlier time.
    let weight = |cluster: &Vec<usize>| -> (usize, f64) {
        let ranks = cluster.iter().map(|&group| groups[group].members.len()).sum();
        (ranks, cluster.iter().map(|&group| groups[group].start).fold(0.0, f64::max))
    };
    let believed = clusters.iter().max_by(|a, b| {
        let (a, b) = (weight(a), weight(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let Some(believed) = believed else { return (warnings, 0.0) };
    let reference: Vec<usize> =
        believed.iter().flat_map(|&group| groups[group].members.clone()).collect();
    let began = reference.iter().map(|&part| parts[part].start).fold(f64::INFINITY, f64::min);
    let epochs = epochs(parts, &reference);
    let mut shifts = Vec::new();
    let strays = groups.iter().enumerate().filter(|(index, _)| !believed.contains(index));
    for (_, group) in strays {
        let common = group
            .members
            .iter()
            .flat_map(|&part| {
                let part = &parts[part];
                part.record.epochs.iter().map(move |epoch| (part.start + epoch.start_s, epoch))
            })
            .filter_map(|(start, epoch)| {
                let there = epochs.get(&(epoch.split.as_str(), epoch.index))?;
                Some((start, there - start, epoch))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let (shift, by) = match common {
            Some((_, shift, epoch)) => (shift, format!("epoch {} {}", epoch.split, epoch.index)),
            None => (began - group.start, "their starts".to_owned()),
        };
        let ranks: Vec<u32> = group.members.iter().map(|&part| parts[part].rank.rank).collect();
        warnings.push(format!(
            "{}: by the clock they began at {}, and ran at no time together with the other ranks: their \
             clock is taken to be wrong, and they are aligned with the others by {by}",
            numbers(&ranks),
            parts[group.members[0]].record.run.started,
        ));
        shifts.extend(group.members.iter().map(|&part| (part, shift)));
    }
    for (part, shift) in shifts {
        parts[part].start += shift;
    }
    let first = parts.iter().map(|part| part.start).fold(f64::INFINITY, f64::min);
    for part in &mut *parts {
        part.start -= first;
    }
    warnings.extend(apart(parts));
    (warnings, first)
}

/// The ranks by machine. Ranks of one machine whose times are far apart, as when its clock was set between
/// their starts, form separate groups.
fn groups(parts: &[RankRun]) -> Vec<Group> {
    let mut by_machine: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let machine = &part.record.machine;
        let key = machine.machine_id.clone().or_else(|| machine.host.clone());
        by_machine.entry(key.unwrap_or_else(|| format!("rank {index}"))).or_default().push(index);
    }
    let mut groups: Vec<Group> = Vec::new();
    for mut members in by_machine.into_values() {
        members.sort_by(|&a, &b| parts[a].start.total_cmp(&parts[b].start));
        let mut open: Option<Group> = None;
        for member in members {
            let (start, end) = (parts[member].start, parts[member].end());
            match &mut open {
                Some(group) if start - group.end <= FAR => {
                    group.members.push(member);
                    group.end = group.end.max(end);
                }
                _ => groups.extend(open.replace(Group { members: vec![member], start, end })),
            }
        }
        groups.extend(open);
    }
    groups
}

/// Groups whose times are close to each other, directly or through others.
fn clusters(groups: &[Group]) -> Vec<Vec<usize>> {
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    for index in 0..groups.len() {
        let near = |cluster: &Vec<usize>| {
            cluster.iter().any(|&other| groups[other].gap(&groups[index]) <= FAR)
        };
        let (mut joined, rest): (Vec<_>, Vec<_>) = clusters.into_iter().partition(near);
        joined.push(vec![index]);
        clusters = rest;
        clusters.push(joined.concat());
    }
    clusters
}

/// The first start of each epoch.
fn epochs<'a>(parts: &'a [RankRun], of: &[usize]) -> BTreeMap<(&'a str, u64), f64> {
    let mut first: BTreeMap<(&str, u64), f64> = BTreeMap::new();
    for part in of.iter().map(|&part| &parts[part]) {
        for epoch in &part.record.epochs {
            let start = part.start + epoch.start_s;
            let known = first.entry((&epoch.split, epoch.index)).or_insert(start);
            *known = known.min(start);
        }
    }
    first
}

/// Names the ranks that never ran at the same time as any other.
fn apart(parts: &[RankRun]) -> Option<String> {
    let together = |a: &RankRun, b: &RankRun| a.start <= b.end() && b.start <= a.end();
    let alone = parts.iter().enumerate().filter(|(index, part)| {
        let others = parts.iter().enumerate().filter(|(other, _)| other != index);
        parts.len() > 1 && !others.into_iter().any(|(_, other)| together(part, other))
    });
    let alone: Vec<u32> = alone.map(|(_, part)| part.rank.rank).collect();
    (!alone.is_empty()).then(|| {
        format!(
            "{}: ran at no time together with another rank: the records may be of different attempts, or \
             the clocks differ",
            numbers(&alone)
        )
    })
}
