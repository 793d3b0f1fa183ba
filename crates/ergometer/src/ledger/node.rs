//! The tree of spans by label path.

use std::collections::BTreeMap;

use super::amount::add_amount;
use crate::span::Label;
use crate::span::mark::Mark;
use crate::timeline::Drawn;

/// Levels of nested spans that are kept. The tree is traversed and dropped recursively on a thread with a
/// stack of 2 MiB, while a program may nest its spans to any depth.
pub(super) const DEEPEST: usize = 64;

/// Labels inside one node that have nodes of their own. The others of a kind share one,
/// [`Label::OTHER_NAMES`].
pub(super) const MOST_LABELS: usize = 1024;

/// The node of `label`, or the shared one.
pub(super) fn node_of<'a>(nodes: &'a mut BTreeMap<Label, Node>, label: &Label) -> &'a mut Node {
    let shares = nodes.len() >= MOST_LABELS && !nodes.contains_key(label);
    nodes.entry(if shares { *Label::others(label.kind) } else { *label }).or_default()
}

/// The same for steps, which are identified by name.
pub(super) fn name_of<T>(known: &BTreeMap<&'static str, T>, name: &'static str) -> &'static str {
    let shares = known.len() >= MOST_LABELS && !known.contains_key(name);
    if shares { Label::OTHER_NAMES } else { name }
}

/// All spans of one label path.
#[derive(Clone, Default)]
pub(crate) struct Node {
    pub count: u64,
    /// Number of spans among them that share a mark with others.
    pub folded: u64,
    /// Whether energies are shares of a mark's energy.
    pub shared: bool,
    pub seconds: f64,
    /// Each moment counted once, divided among the spans that were open at the same time.
    pub amount: Vec<Drawn>,
    /// The machine's whole energy in each span's time, summed over spans and domains.
    pub inclusive: f64,
    pub children: BTreeMap<Label, Node>,
}

impl Node {
    pub(super) fn add(&mut self, mark: &Mark, amount: &[Drawn], inclusive: f64) {
        self.inclusive += inclusive;
        self.count += mark.count();
        self.folded += u64::from(mark.folded);
        self.shared |= mark.idle > 0;
        self.seconds += mark.seconds();
        add_amount(&mut self.amount, amount);
    }

    /// Scales the energy of a domain, here and in all descendants.
    pub(super) fn scale(&mut self, domain: usize, share: f64) {
        if let Some(drawn) = self.amount.get_mut(domain) {
            drawn.joules *= share;
            drawn.parts = drawn.parts.scaled(share);
            drawn.edges_linear *= share;
        }
        self.children.values_mut().for_each(|child| child.scale(domain, share));
    }

    /// Adds this many levels of `children`; the energy of deeper ones is included in those above them.
    pub(super) fn merge_children(&mut self, children: BTreeMap<Label, Node>, levels: usize) {
        if levels == 0 {
            return;
        }
        for (label, node) in children {
            let mine = node_of(&mut self.children, &label);
            mine.count += node.count;
            mine.folded += node.folded;
            mine.shared |= node.shared;
            mine.inclusive += node.inclusive;
            mine.seconds += node.seconds;
            add_amount(&mut mine.amount, &node.amount);
            mine.merge_children(node.children, levels - 1);
        }
    }
}

/// Scales `children` down to the energy of their parent. Shares of an interval in which power changed may
/// exceed it.
pub(super) fn fit(children: &mut BTreeMap<Label, Node>, amount: &[Drawn]) {
    if !children.values().any(|child| child.shared) {
        return;
    }
    for (domain, whole) in amount.iter().enumerate() {
        let joules = |node: &Node| node.amount.get(domain).map_or(0.0, |drawn| drawn.joules);
        let inside: f64 = children.values().map(joules).sum();
        if inside > whole.joules {
            let share = whole.joules.max(0.0) / inside;
            for child in children.values_mut() {
                child.scale(domain, share);
            }
        }
    }
}
