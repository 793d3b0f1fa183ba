//! Joins the ranks' epochs without rows, by split.

use std::collections::BTreeMap;

use super::cover::plus;
use super::domains::Physical;
use super::{Merge, names, steps};
use crate::energy::{Energy, Usage};
use crate::record::{MoreEpochs, Steps};
use crate::units::Joules;

/// The sums. Their times are not known, so each domain is taken from the ranks believed for it.
pub(super) fn join(merge: &Merge<'_>) -> BTreeMap<String, MoreEpochs> {
    let mut splits: Vec<&String> =
        merge.parts.iter().flat_map(|part| part.record.more_epochs.keys()).collect();
    splits.sort();
    splits.dedup();
    splits.into_iter().map(|split| (split.clone(), sums(merge, split))).collect()
}

fn sums(merge: &Merge<'_>, split: &str) -> MoreEpochs {
    let of = |part: usize| merge.parts[part].record.more_epochs.get(split);
    let all: Vec<&MoreEpochs> = (0..merge.parts.len()).filter_map(of).collect();
    let believed = |physical: &Physical| {
        let most = if physical.adds { usize::MAX } else { 1 };
        let givers: Vec<(usize, usize)> = physical.givers.iter().copied().take(most).collect();
        givers
    };
    let joules = |list: fn(&MoreEpochs) -> Option<&Vec<Joules>>| -> Vec<f64> {
        let sum = |physical: &Physical| {
            let of_giver = |(part, domain)| list(of(part)?)?.get(domain).copied();
            believed(physical).into_iter().filter_map(of_giver).sum::<Joules>().get()
        };
        merge.domains.iter().map(sum).collect()
    };
    let energy = |physical: &Physical| -> Option<Energy> {
        let of_giver = |(part, domain)| of(part)?.usage.by_domain.get(domain).copied().flatten();
        let energies = believed(physical).into_iter().filter_map(of_giver);
        energies.fold(None, |sum, energy| Some(plus(sum, energy)))
    };
    let by_domain: Vec<Option<Energy>> = merge.domains.iter().map(energy).collect();
    let in_steps = joules(|more| more.steps.as_ref().map(|steps| &steps.by_domain));
    let between = joules(|more| Some(&more.between_steps));
    let all_steps: Vec<&Steps> = all.iter().filter_map(|more| more.steps.as_ref()).collect();
    MoreEpochs {
        count: all.iter().map(|more| more.count).max().unwrap_or(0),
        usage: Usage {
            seconds: all.iter().map(|more| more.usage.seconds).fold(0.0, f64::max),
            energy: Energy::across(by_domain.iter().flatten()),
            by_domain,
        },
        steps: steps::join(&all_steps, &in_steps, merge.shares()),
        steps_by_name: names::join(
            merge,
            |part| of(part).map_or(&[][..], |more| &more.steps_by_name),
            &in_steps,
        ),
        between_steps: between.into_iter().map(Joules::new).collect(),
    }
}
