//! Joins the ranks' steps by name.

use super::{Merge, steps};
use crate::record::{NamedSteps, Steps};

/// Rows by name of the ranks whose steps have several names. Each domain is taken from the ranks believed
/// for it, scaled to the joules of all steps, `whole`.
pub(super) fn join<'a>(
    merge: &Merge<'a>,
    of: impl Fn(usize) -> &'a [NamedSteps],
    whole: &[f64],
) -> Vec<NamedSteps> {
    let rows = || (0..merge.parts.len()).flat_map(&of);
    let mut names: Vec<(bool, &str)> = rows().map(|row| (row.inside_steps, &*row.name)).collect();
    names.sort_unstable();
    names.dedup();
    let find = |part: usize, name: (bool, &str)| -> Option<&'a Steps> {
        let row = of(part).iter().find(|row| (row.inside_steps, &*row.name) == name)?;
        Some(&row.steps)
    };
    let joules = |name: (bool, &str), index: usize| -> f64 {
        let physical = &merge.domains[index];
        let most = if physical.adds { usize::MAX } else { 1 };
        let givers = physical.givers.iter().take(most);
        let one = |&(part, domain): &(usize, usize)| {
            find(part, name)
                .and_then(|steps| steps.by_domain.get(domain))
                .map(|joules| joules.get())
        };
        givers.filter_map(one).sum()
    };
    let outer = |index: usize| -> f64 {
        names.iter().filter(|(inside, _)| !inside).map(|&name| joules(name, index)).sum()
    };
    let scale: Vec<f64> = (0..merge.domains.len())
        .map(|index| (outer(index), whole.get(index)))
        .map(|(outer, whole)| whole.filter(|_| outer > 0.0).map_or(1.0, |whole| whole / outer))
        .collect();
    let row = |&name: &(bool, &str)| {
        let all: Vec<&Steps> = (0..merge.parts.len()).filter_map(|part| find(part, name)).collect();
        let by_domain: Vec<f64> =
            scale.iter().enumerate().map(|(index, scale)| joules(name, index) * scale).collect();
        let steps = steps::join(&all, &by_domain, merge.shares())?;
        Some(NamedSteps { name: name.1.to_owned(), inside_steps: name.0, steps })
    };
    names.iter().filter_map(row).collect()
}
