//! Joins the ranks' trees of spans by label path.
//!
//! The record has no times for the spans of a path. So the energy of a domain comes from one rank: the most
//! believed one that has the path. Paths that only a less believed rank has are limited to the energy left
//! in the parent span.

use super::Merge;
use crate::record::SpanNode;
use crate::span::Kind;
use crate::units::Joules;

pub(super) fn join(merge: &Merge<'_>) -> Vec<SpanNode> {
    let levels: Vec<Level<'_>> =
        merge.parts.iter().enumerate().map(|(part, p)| (part, &p.record.spans[..])).collect();
    let wholes = merge.wholes.iter();
    let limits: Vec<f64> =
        wholes.map(|whole| whole.energy.map_or(0.0, |energy| energy.joules.get())).collect();
    level(merge, &levels, &limits)
}

/// The spans of one path in a part's record.
type Level<'a> = (usize, &'a [SpanNode]);

/// A path that some of the ranks have.
struct Path<'a> {
    kind: Kind,
    name: &'a str,
    members: Vec<(usize, &'a SpanNode)>,
    by_domain: Vec<f64>,
    /// The joules of these that come from each member.
    from: Vec<f64>,
}

fn level(merge: &Merge<'_>, levels: &[Level<'_>], limits: &[f64]) -> Vec<SpanNode> {
    let mut paths: Vec<Path<'_>> = Vec::new();
    for &(part, nodes) in levels {
        for node in nodes {
            let same = |path: &Path<'_>| path.kind == node.kind && path.name == node.name;
            let at = paths.iter().position(same).unwrap_or_else(|| {
                let by_domain = vec![0.0; limits.len()];
                let (members, from) = (Vec::new(), Vec::new());
                paths.push(Path { kind: node.kind, name: &node.name, members, by_domain, from });
                paths.len() - 1
            });
            paths[at].members.push((part, node));
            paths[at].from.push(0.0);
        }
    }
    for (index, &limit) in limits.iter().enumerate() {
        fill(merge, index, limit, &mut paths);
    }
    paths.into_iter().map(|path| path.finish(merge)).collect()
}

/// Assigns every path its joules in one domain.
fn fill(merge: &Merge<'_>, index: usize, limit: f64, paths: &mut [Path<'_>]) {
    let physical = &merge.domains[index];
    let mut rest = limit;
    for own in [true, false] {
        for path in &mut *paths {
            for (order, &(part, domain)) in physical.givers.iter().enumerate() {
                let member = path.members.iter().position(|(member, _)| *member == part);
                let Some(member) = member else { continue };
                let joules = path.members[member].1.by_domain.get(domain);
                let joules = joules.map_or(0.0, |joules| joules.get());
                let is_own = order == 0 || physical.adds;
                if is_own == own {
                    let joules = if own { joules } else { joules.min(rest.max(0.0)) };
                    rest -= joules;
                    path.by_domain[index] += joules;
                    path.from[member] += joules;
                }
                if !physical.adds {
                    break;
                }
            }
        }
    }
}

impl Path<'_> {
    fn finish(self, merge: &Merge<'_>) -> SpanNode {
        let levels: Vec<Level<'_>> =
            self.members.iter().map(|&(part, node)| (part, &node.children[..])).collect();
        let children = level(merge, &levels, &self.by_domain);
        let inner: f64 = children.iter().flat_map(|child| &child.by_domain).map(|j| j.get()).sum();
        let total: f64 = self.by_domain.iter().sum();
        let error = self.members.iter().zip(&self.from).map(|((_, node), from)| {
            // A record has one uncertainty for all domains of a span; this takes the part in proportion.
            let all: f64 = node.by_domain.iter().map(|joules| joules.get()).sum();
            if all > 0.0 { node.standard_uncertainty.get() * from / all } else { 0.0 }
        });
        SpanNode {
            kind: self.kind,
            name: self.name.to_owned(),
            count: self.members.iter().map(|(_, node)| node.count).sum(),
            folded: self.members.iter().map(|(_, node)| node.folded).sum(),
            seconds: self.members.iter().map(|(_, node)| node.seconds).fold(0.0, f64::max),
            // Ranks that meter the same domain each include all of it.
            inclusive: None,
            standard_uncertainty: Joules::new(error.map(|error| error.powi(2)).sum::<f64>().sqrt()),
            by_domain: self.by_domain.into_iter().map(Joules::new).collect(),
            exclusive: Joules::new((total - inner).max(0.0)),
            children,
        }
    }
}
