//! Corrections of the sums over spans from the solved powers of labels.
//!
//! The curve cannot resolve a span shorter than a sensor's period, and its error has the same sign for
//! every span of a label. Where the powers of labels are known (`meter::phases`), they yield a correction
//! of the sum over all spans of a label path, and the uncertainty that remains.

use std::collections::BTreeMap;

use crate::ledger::node::Node;
use crate::span::{Kind, Label};
use crate::units::Joules;

/// Corrections for one domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct DomainSums {
    /// Joules to be added, by path.
    pub joules: Vec<f64>,
    /// Seconds of each path that the correction covers.
    pub seconds: Vec<f64>,
    /// Covariance of the remaining error, J².
    pub covariance: Vec<Vec<f64>>,
}

/// Smallest relative standard uncertainty of a corrected sum. Residuals do not show that spans do not begin
/// exactly when the device does.
const LEAST: f64 = 1e-3;

/// A smaller share of a node's time is missing only through rounding.
const NOTHING: f64 = 1e-6;

/// Corrections of the sums over all spans of a path, for paths whose last label was innermost.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseSums {
    pub paths: Vec<Vec<Label>>,
    pub domains: Vec<DomainSums>,
}

/// The share of a path's sum that belongs to a node.
#[derive(Clone, Copy)]
struct Share {
    path: usize,
    part: f64,
    /// Number of the path's levels at or above the node.
    levels: usize,
}

impl PhaseSums {
    /// Corrects the sums of a tree of spans and their uncertainty.
    pub(crate) fn correct(&self, tree: &mut BTreeMap<Label, Node>) {
        let mut seconds = vec![0.0; self.paths.len()];
        self.measure(tree, &mut Vec::new(), &mut seconds);
        self.apply(tree, &mut Vec::new(), &seconds);
    }

    /// The paths that `stack` ends with.
    fn ending_like<'a>(&'a self, stack: &'a [Label]) -> impl Iterator<Item = usize> + 'a {
        let same = move |path: &[Label]| !path.is_empty() && stack.ends_with(path);
        self.paths.iter().enumerate().filter(move |(_, path)| same(path)).map(|(index, _)| index)
    }

    /// Adds up the seconds of each path in the tree.
    fn measure(&self, tree: &BTreeMap<Label, Node>, stack: &mut Vec<Label>, sums: &mut [f64]) {
        for (label, node) in tree {
            stack.push(*label);
            for path in self.ending_like(stack) {
                sums[path] += exclusive_seconds(node);
            }
            self.measure(&node.children, stack, sums);
            stack.pop();
        }
    }

    fn apply(
        &self,
        tree: &mut BTreeMap<Label, Node>,
        stack: &mut Vec<Label>,
        seconds: &[f64],
    ) -> Vec<Share> {
        let mut all = Vec::new();
        for (label, node) in tree {
            stack.push(*label);
            let mut shares = self.apply(&mut node.children, stack, seconds);
            for path in self.ending_like(stack) {
                let part = exclusive_seconds(node) / seconds[path];
                if part.is_finite() && part > 0.0 {
                    shares.push(Share { path, part, levels: self.paths[path].len() });
                }
            }
            stack.pop();
            // An epoch begins and ends at a reading, so it needs no correction.
            if matches!(label.kind, Kind::Run | Kind::Epoch) {
                continue;
            }
            for (domain, sums) in self.domains.iter().enumerate() {
                sums.correct(node, domain, &shares);
            }
            let above = |share: &Share| Share { levels: share.levels - 1, ..*share };
            all.extend(shares.iter().filter(|share| share.levels > 1).map(above));
        }
        all
    }
}

impl DomainSums {
    fn correct(&self, node: &mut Node, domain: usize, shares: &[Share]) {
        let Some(drawn) = node.amount.get_mut(domain) else { return };
        let known: Vec<(usize, f64)> = shares
            .iter()
            .filter(|share| self.seconds.get(share.path).is_some_and(|seconds| *seconds > 0.0))
            .map(|share| (share.path, share.part))
            .collect();
        let joules: f64 = known.iter().map(|&(path, part)| part * self.joules[path]).sum();
        let before = drawn.joules;
        drawn.joules = (before + joules).max(0.0);
        // The same spans' whole energy was misjudged by as much. Otherwise spans of one thread would seem to overlap.
        node.inclusive += drawn.joules - before;
        let seconds: f64 = known.iter().map(|&(path, part)| part * self.seconds[path]).sum();
        let variance: f64 = known
            .iter()
            .flat_map(|a| known.iter().map(move |b| a.1 * b.1 * self.covariance[a.0][b.0]))
            .sum();
        // In time without a correction, all errors may have the same sign; it is at least one span.
        let rest = (1.0 - seconds / node.seconds).clamp(0.0, 1.0);
        let rest = if rest > NOTHING { rest.max(1.0 / node.count as f64) } else { 0.0 };
        let edges = drawn.edges_linear * rest;
        let known = variance.max(0.0).sqrt().hypot(LEAST * drawn.joules);
        drawn.parts.edges = Joules::new(if seconds > 0.0 { known.hypot(edges) } else { edges });
    }
}

/// Seconds of a node outside its children.
fn exclusive_seconds(node: &Node) -> f64 {
    let inside: f64 = node.children.values().map(|child| child.seconds).sum();
    (node.seconds - inside).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Drawn;

    #[test]
    fn a_correction_makes_no_difference_between_the_divided_and_the_whole_energy() {
        let label = Label::new(Kind::Step, "step");
        let sums = PhaseSums {
            paths: vec![vec![label]],
            domains: vec![DomainSums {
                joules: vec![-0.5],
                seconds: vec![1.0],
                covariance: vec![vec![0.01]],
            }],
        };
        // Of spans that did not overlap, and of spans that did: 5 J of their time was shared.
        for shared in [0.0, 5.0] {
            let amount = vec![Drawn { joules: 10.0, ..Drawn::default() }];
            let node = Node {
                count: 10,
                seconds: 1.0,
                inclusive: 10.0 + shared,
                amount,
                ..Node::default()
            };
            let mut tree = BTreeMap::from([(label, node)]);
            sums.correct(&mut tree);
            let node = &tree[&label];
            assert_eq!((node.amount[0].joules, node.inclusive), (9.5, 9.5 + shared));
        }
    }
}
