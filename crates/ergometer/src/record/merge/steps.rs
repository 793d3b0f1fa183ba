//! The ranks' steps: joined, and each rank's own.

use std::collections::BTreeMap;

use super::Merge;
use crate::record::{Distribution, Items, Steps};
use crate::units::Joules;

/// Joins the steps of several ranks, in which the domains drew `by_domain` joules.
///
/// Quantiles over all ranks do not follow from those of each. Where ranks `share` a domain, each rank's
/// steps include all of it, and only the mean of the joint energy is meaningful.
pub(super) fn join(steps: &[&Steps], by_domain: &[f64], share: bool) -> Option<Steps> {
    let count: u64 = steps.iter().map(|steps| steps.count).sum();
    let seconds = steps.iter().map(|steps| steps.seconds).fold(0.0, f64::max);
    let joules: f64 = by_domain.iter().sum();
    let alone = steps.len() == 1;
    let all: Vec<Distribution> = steps.iter().map(|steps| steps.joules).collect();
    let durations: Vec<Distribution> = steps.iter().map(|steps| steps.duration_s).collect();
    let mean_duration =
        steps.iter().map(|steps| steps.count as f64 * steps.duration_s.mean).sum::<f64>();
    (count > 0).then(|| Steps {
        count,
        seconds,
        by_domain: by_domain.iter().copied().map(Joules::new).collect(),
        joules: if alone {
            all[0]
        } else if share {
            let mean = joules / count as f64;
            Distribution { mean, min: None, max: None, p50: None, p95: None }
        } else {
            extremes(joules / count as f64, &all)
        },
        duration_s: if alone {
            durations[0]
        } else {
            extremes(mean_duration / count as f64, &durations)
        },
        items: items(steps, joules, seconds),
        folded: steps.iter().map(|steps| steps.folded).sum(),
    })
}

fn extremes(mean: f64, all: &[Distribution]) -> Distribution {
    Distribution {
        mean,
        min: all.iter().filter_map(|one| one.min).reduce(f64::min),
        max: all.iter().filter_map(|one| one.max).reduce(f64::max),
        p50: None,
        p95: None,
    }
}

/// Items are summed, unless their units differ.
fn items(steps: &[&Steps], joules: f64, seconds: f64) -> Option<Items> {
    let counted: Vec<&Items> = steps.iter().filter_map(|steps| steps.items.as_ref()).collect();
    let first = counted.first()?;
    let count: f64 = counted.iter().map(|items| items.count).sum();
    let same = counted.iter().all(|items| items.unit == first.unit);
    (same && counted.len() == steps.len()).then(|| Items {
        count,
        unit: first.unit.clone(),
        joules_per_item: Joules::new(joules / count),
        per_second: if seconds > 0.0 { count / seconds } else { 0.0 },
    })
}

/// The steps of the run by split, and each rank's own; `inside` are the joules of steps in epochs.
pub(super) fn of_run(
    merge: &Merge<'_>,
    inside: &BTreeMap<String, Vec<f64>>,
) -> BTreeMap<String, Steps> {
    let mut all = BTreeMap::new();
    let mut splits: Vec<&String> =
        merge.parts.iter().flat_map(|part| part.record.steps.keys()).collect();
    splits.sort();
    splits.dedup();
    for split in splits {
        let of = |part: usize| merge.parts[part].record.steps.get(split);
        let steps: Vec<&Steps> = (0..merge.parts.len()).filter_map(of).collect();
        let none = vec![0.0; merge.domains.len()];
        let mut by_domain = inside.get(split).cloned().unwrap_or(none);
        for (sum, physical) in by_domain.iter_mut().zip(&merge.domains) {
            let loose =
                physical.givers.iter().filter_map(|&(part, at)| loose(merge, part, at, split));
            *sum += if physical.adds { loose.sum() } else { loose.take(1).sum::<f64>() };
        }
        if let Some(joined) = join(&steps, &by_domain, merge.shares()) {
            all.insert(split.clone(), joined);
        }
        for (index, part) in merge.parts.iter().enumerate() {
            if let Some(steps) = of(index) {
                let name = format!("{split}@{}", part.rank.rank);
                all.insert(name, Steps { by_domain: own(merge, index, steps), ..steps.clone() });
            }
        }
    }
    all
}

/// Joules of a domain in a rank's steps outside its epochs; `None` if it has no such step.
fn loose(merge: &Merge<'_>, part: usize, domain: usize, split: &str) -> Option<f64> {
    let record = &merge.parts[part].record;
    let steps = record.steps.get(split)?;
    let epochs = record.epochs.iter().filter(|epoch| epoch.split == split);
    let more = record.more_epochs.get(split).and_then(|more| more.steps.as_ref());
    let (mut count, mut joules) = (0, 0.0);
    for inside in epochs.filter_map(|epoch| epoch.steps.as_ref()).chain(more) {
        count += inside.count;
        joules += inside.by_domain.get(domain).map_or(0.0, |joules| joules.get());
    }
    let all = steps.by_domain.get(domain)?.get();
    (steps.count > count).then(|| (all - joules).max(0.0))
}

/// A rank's joules, in the order of the merged record's domains.
fn own(merge: &Merge<'_>, part: usize, steps: &Steps) -> Vec<Joules> {
    let of = |physical: &super::Physical| {
        let &(_, domain) = physical.members.iter().find(|(member, _)| *member == part)?;
        steps.by_domain.get(domain).copied()
    };
    merge.domains.iter().map(|physical| of(physical).unwrap_or(Joules::ZERO)).collect()
}
