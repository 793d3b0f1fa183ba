//! Joins the ranks' parts before their interruptions, attempt by attempt.
//!
//! Each part is turned into a record without epochs and spans. The parts of one attempt are then merged
//! like the final records, so that a domain metered by several ranks counts once.

use std::collections::BTreeMap;

use super::{RankRun, mismatch, numbers};
use crate::energy::{StepTotals, Usage};
use crate::error::Result;
use crate::record::{self, Distribution, Items, PartSteps, Record, RunInfo, Steps};
use crate::units::Joules;

/// The earlier parts, each joined over all ranks, and warnings.
pub(super) fn join(parts: &[RankRun]) -> Result<(Vec<record::Part>, Vec<String>)> {
    let mut warnings = Vec::new();
    let attempts = attempts(parts, &mut warnings)?;
    let mut joined = Vec::new();
    for (number, attempt) in (1..).zip(attempts) {
        let mut records = Vec::new();
        let mut unread = Vec::new();
        for (part, before) in attempt {
            if before.domains.is_empty() && before.energy.is_some() {
                unread.push(part.rank.rank);
            } else {
                records.push(record(before, &part.record, &part.rank));
            }
        }
        if !unread.is_empty() {
            warnings.push(format!(
                "{}: part {number} of the run is of an older version without its metered domains: it \
                 is left out, as others may have metered the same",
                numbers(&unread)
            ));
        }
        if !records.is_empty() {
            joined.push(Record::merge(records)?.part());
        }
    }
    Ok((joined, warnings))
}

/// Parts of several ranks that belong together.
type Attempt<'a> = Vec<(&'a RankRun, &'a record::Part)>;

/// Ranks with the same number of interruptions were interrupted together. Otherwise parts are matched by
/// the time in which they ran.
fn attempts<'a>(parts: &'a [RankRun], warnings: &mut Vec<String>) -> Result<Vec<Attempt<'a>>> {
    let count = |part: &RankRun| part.record.earlier.len();
    let most = parts.iter().map(count).max().unwrap_or(0);
    if parts.iter().all(|part| count(part) == most) {
        let of =
            |index| parts.iter().map(move |part| (part, &part.record.earlier[index])).collect();
        return Ok((0..most).map(of).collect());
    }
    let mut by_count: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for part in parts {
        by_count.entry(count(part)).or_default().push(part.rank.rank);
    }
    let counts: Vec<String> =
        by_count.iter().map(|(count, ranks)| format!("{} {count} times", numbers(ranks))).collect();
    let counts = counts.join(", ");
    if disjoint(parts) {
        return Err(mismatch(
            format!("the records are of different attempts of a run; interruptions: {counts}"),
            "give the records of one attempt: the last one of each rank",
        ));
    }
    warnings.push(format!(
        "not all ranks were interrupted as often as each other ({counts}): their parts are matched by \
         the time in which they ran"
    ));
    let mut all: Vec<(f64, f64, &RankRun, &record::Part)> = Vec::new();
    for part in parts {
        for before in &part.record.earlier {
            let started = before.started.parse::<jiff::Timestamp>().unwrap_or_default();
            let start = started.as_nanosecond() as f64 * 1e-9;
            all.push((start, start + before.seconds, part, before));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut found: Vec<(f64, Attempt<'a>)> = Vec::new();
    for (start, end, part, before) in all {
        match found.last_mut() {
            Some((until, attempt))
                if start < *until && attempt.iter().all(|(other, _)| other.rank != part.rank) =>
            {
                *until = until.max(end);
                attempt.push((part, before));
            }
            _ => found.push((end, vec![(part, before)])),
        }
    }
    Ok(found.into_iter().map(|(_, attempt)| attempt).collect())
}

/// Whether two ranks of different attempts never ran at the same time.
fn disjoint(parts: &[RankRun]) -> bool {
    let apart = |a: &RankRun, b: &RankRun| a.end() < b.start || b.end() < a.start;
    parts.iter().any(|a| {
        let other = |b: &&RankRun| a.record.earlier.len() != b.record.earlier.len();
        parts.iter().filter(other).any(|b| apart(a, b))
    })
}

/// A part as a record without epochs and spans.
fn record(part: &record::Part, last: &Record, rank: &crate::record::rank::Rank) -> Record {
    let record::Part {
        run_id,
        started,
        seconds,
        energy,
        steps,
        finished,
        mean_intensity,
        rank: own,
        machine,
        domains,
        footprint,
        results,
        facts,
        power,
        warnings,
    } = part;
    let by_domain: Vec<_> = domains.iter().map(|row| row.energy).collect();
    let outside =
        by_domain.iter().map(|energy| energy.map_or(Joules::ZERO, |energy| energy.joules));
    let here = |footprint: &crate::footprint::Footprint| {
        footprint.again(energy.as_ref(), *seconds, *mean_intensity)
    };
    Record {
        schema: Record::SCHEMA.to_owned(),
        run: RunInfo {
            id: run_id.clone(),
            started: started.clone(),
            seconds: *seconds,
            cpu_utilisation: None,
            idle_seconds: None,
            rank: Some(own.clone().unwrap_or_else(|| rank.clone())),
            finished: *finished,
            exit_code: None,
            ..last.run.clone()
        },
        machine: machine.clone(),
        sources: Vec::new(),
        domains: domains.clone(),
        outside_epochs: outside.collect(),
        total: Usage { seconds: *seconds, energy: *energy, by_domain },
        epochs: Vec::new(),
        more_epochs: BTreeMap::new(),
        steps_by_name: BTreeMap::new(),
        method_shares: BTreeMap::new(),
        steps: steps
            .iter()
            .filter(|(_, sums)| sums.totals.count > 0)
            .map(|(split, sums)| (split.clone(), stats(sums, domains.len())))
            .collect(),
        spans: Vec::new(),
        footprint: footprint.clone().unwrap_or_else(|| here(&last.footprint)),
        results: results.clone(),
        facts: facts.clone(),
        ranks: Vec::new(),
        programs: Vec::new(),
        forecasts: Vec::new(),
        earlier: Vec::new(),
        power: power.clone(),
        warnings: warnings.clone(),
    }
}

/// Sums as statistics, of which only the means are known.
fn stats(sums: &PartSteps, domains: usize) -> Steps {
    let PartSteps { totals, by_domain } = sums;
    let StepTotals { count, seconds, joules, items, unit } = totals;
    let mean = |sum: f64| Distribution {
        mean: sum / *count as f64,
        min: None,
        max: None,
        p50: None,
        p95: None,
    };
    let mut by_domain = by_domain.clone();
    by_domain.resize(domains, Joules::ZERO);
    Steps {
        count: *count,
        seconds: *seconds,
        by_domain,
        joules: mean(joules.get()),
        duration_s: mean(*seconds),
        items: (*items > 0.0).then(|| Items {
            count: *items,
            unit: if unit.is_empty() { "items".to_owned() } else { unit.clone().into_owned() },
            joules_per_item: *joules / *items,
            per_second: if *seconds > 0.0 { items / seconds } else { 0.0 },
        }),
        folded: 0,
    }
}
