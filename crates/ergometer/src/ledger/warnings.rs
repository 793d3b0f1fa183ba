//! What a record has to warn of.

use std::collections::{BTreeMap, BTreeSet};

use super::Ledger;
use super::node::Node;
use super::step_table::StepTable;
use crate::energy::Uncertainty;
use crate::printable;
use crate::source::Domain;
use crate::span::Label;
use crate::timeline::{Health, Timeline};

/// Energies below this many joules are too small to compare two sensors.
const LITTLE: f64 = 500.0;

/// Warnings about the spans of a finished ledger, of which `left_open` never ended; the record shows `tree` this many
/// levels deep.
pub(super) fn of_spans(
    ledger: &Ledger,
    tree: &BTreeMap<Label, Node>,
    left_open: usize,
    deepest: usize,
) -> Vec<String> {
    let left_open = (left_open > 0).then(|| {
        format!(
            "{} {} still open when the run ended: not in the record, except for what had ended inside",
            printable::counted(left_open as u64, "span"),
            printable::were(left_open as u64)
        )
    });
    let epochs = ledger.epochs.overlap().then(|| {
        "epochs overlap in time: their sum counts what they share more than once".to_owned()
    });
    let steps = ledger.epochs.steps_overlap.then(|| {
        "steps overlap in time: their sum counts what they share more than once".to_owned()
    });
    let deeper = is_deeper(tree, deepest).then(|| {
        format!(
            "spans are nested more than {deepest} deep; the energy of deeper ones is included in those \
             around them"
        )
    });
    let units = ledger.steps.iter().filter_map(|(split, steps)| several_units(split, steps));
    [left_open, epochs, steps, deeper, ledger.numbers.warning(), folded(ledger.folded)]
        .into_iter()
        .chain([strays(&ledger.strays)])
        .flatten()
        .chain(units)
        .chain(invalid_items(&ledger.invalid_items))
        .chain(unresolved(tree))
        .collect()
}

/// A warning about spans that came too fast to be recorded one by one.
fn folded(count: u64) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{} came faster than spans can be recorded one by one, so that consecutive ones of one label share a \
             mark; they are in every count and sum, but not in extremes and quantiles, and their energy is a \
             share, by time, of the energy of their mark",
            printable::counted(count, "span")
        )
    })
}

/// A warning about spans that probably belong to an epoch of another thread.
fn strays(labels: &BTreeSet<Label>) -> Option<String> {
    let names = labels.iter().map(|label| format!("{} '{}'", label.kind.as_str(), label.name));
    (!labels.is_empty()).then(|| {
        format!(
            "spans without a parent ran during an epoch and are not in it: {}; `ergometer::current` passes \
             an epoch to other threads and tasks",
            listed(names)
        )
    })
}

/// A warning about steps of one split whose items have different units.
fn several_units(split: &str, steps: &StepTable) -> Option<String> {
    let units = steps.units();
    (!units.is_empty()).then(|| {
        format!(
            "steps of '{split}' have items of several units, which are not added up: {}; steps of \
             one name and unit have theirs in their row",
            listed(units.into_iter().map(str::to_owned))
        )
    })
}

/// A warning about invalid counts of items.
fn invalid_items(counts: &BTreeMap<Label, u64>) -> Option<String> {
    let names = counts.keys().map(|label| format!("{} '{}'", label.kind.as_str(), label.name));
    let count: u64 = counts.values().sum();
    (count > 0).then(|| {
        format!(
            "{count} counts of items were negative, infinite or not a number, and were left out: {}",
            listed(names)
        )
    })
}

/// The first few of `names`, as text.
fn listed(names: impl IntoIterator<Item = String>) -> String {
    const TOLD: usize = 4;
    let mut names = names.into_iter();
    let told: Vec<String> = names.by_ref().take(TOLD).collect();
    let more = if names.next().is_some() { ", …" } else { "" };
    format!("{}{more}", told.join(", "))
}

/// Names the spans that are too short for the sensors: the uncertainty of their edges exceeds a share of
/// their energy.
fn unresolved(tree: &BTreeMap<Label, Node>) -> Option<String> {
    /// That share, for one standard uncertainty: two of them are half of the energy.
    const LARGEST_SHARE: f64 = 0.25;
    fn collect(tree: &BTreeMap<Label, Node>, names: &mut BTreeSet<String>) {
        for (label, node) in tree {
            let joules: f64 = node.amount.iter().map(|drawn| drawn.joules).sum();
            let parts = Uncertainty::across_all(node.amount.iter().map(|drawn| drawn.parts));
            let name = format!("{} '{}'", label.kind.as_str(), label.name);
            let unresolved = parts.edges.get().hypot(parts.quantum.get()) > LARGEST_SHARE * joules;
            if unresolved {
                names.insert(name);
            }
            collect(&node.children, names);
        }
    }
    let mut names = BTreeSet::new();
    collect(tree, &mut names);
    (!names.is_empty()).then(|| {
        format!(
            "spans too short for the sensors, whose energy is uncertain by more than half: {}",
            listed(names)
        )
    })
}

pub(super) fn unread(domains: &[Domain], timelines: &[Timeline]) -> Vec<String> {
    let unread = domains.iter().zip(timelines).filter(|(_, line)| !line.gives());
    unread
        .map(|(domain, line)| {
            let why = if line.is_empty() {
                "nothing could be read"
            } else {
                "its sensor can be read but never moved, so it measured nothing"
            };
            format!("{}: {why}; its energy is not in the total", domain.id)
        })
        .collect()
}

/// A warning about power above the domain's limit, by more than brief peaks can explain.
pub(super) fn above_limit(domain: &Domain, health: &Health) -> Option<String> {
    let (watts, limit) = (health.above_limit?, domain.power_limit?);
    Some(format!(
        "power of {watts:.0} W was read, {:.1} times the limit of {limit} that was in force when the run began: \
         the limit was raised, or the sensor is wrong",
        watts / limit.get()
    ))
}

/// A warning about counter and integrated power of one domain that differ by more than their errors
/// explain.
pub(super) fn disagreement(domain: &Domain, health: &Health) -> Option<String> {
    // Two sensors, each with its gain error; twice the combined error is no longer a coincidence.
    let allowed = 2.0 * std::f64::consts::SQRT_2 * domain.sensor.relative_error;
    let (counter, power) = (health.counter_joules, health.integrated_joules);
    (health.compared && power > LITTLE && (counter / power - 1.0).abs() > allowed).then(|| {
        format!(
            "the energy counter measured {counter:.1} J and integrated power {power:.1} J over the same \
             time: {:+.0} %, more than their errors of {:.0} % each explain",
            (counter / power - 1.0) * 100.0,
            domain.sensor.relative_error * 100.0
        )
    })
}

/// Whether spans are nested more than this many levels deep.
fn is_deeper(nodes: &BTreeMap<Label, Node>, levels: usize) -> bool {
    nodes.values().any(|node| levels == 0 || is_deeper(&node.children, levels - 1))
}
