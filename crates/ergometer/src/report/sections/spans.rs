//! The tree of spans.

use super::{Section, names_and_figures};
use crate::record::{Record, SpanNode};
use crate::report::figure::{self, or_absent};
use crate::span::Kind;
use crate::units::Joules;

/// Rows of spans that a report shows.
const SPANS: usize = 60;

pub(super) fn spans(record: &Record) -> Section {
    let mut rows = Vec::new();
    let total = record.total.energy.map(|energy| energy.joules.get());
    let least = least_shown(&record.spans);
    add_spans(&record.spans, 0, (total, least), &mut rows);
    // Epochs or steps alone add nothing to the tables above.
    let alone = |node: &SpanNode| matches!(node.kind, Kind::Epoch | Kind::Step);
    if rows.len() < 2 && record.spans.iter().all(alone) {
        rows.clear();
    }
    let titles = ["count", "time", "energy", "of the run", "outside its children", "inclusive"];
    let mut columns = names_and_figures("span", titles);
    if rows.iter().all(|row| row[6].is_empty()) {
        columns.pop();
        for row in &mut rows {
            row.pop();
        }
    }
    Section { title: "Spans".to_owned(), columns, rows }
}

/// The key that orders spans by cost: energy or, where nothing was read, time.
fn cost(node: &SpanNode) -> (f64, f64) {
    (node.by_domain.iter().map(|joules| joules.get()).sum(), node.seconds)
}

/// The least cost of a node that is still shown; `None` if all are.
fn least_shown(nodes: &[SpanNode]) -> Option<(f64, f64)> {
    fn collect(nodes: &[SpanNode], costs: &mut Vec<(f64, f64)>) {
        for node in nodes {
            costs.push(cost(node));
            collect(&node.children, costs);
        }
    }
    let mut costs = Vec::new();
    collect(nodes, &mut costs);
    costs.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
    (costs.len() > SPANS).then(|| costs[SPANS - 1])
}

/// The most expensive of `nodes` with their children, in their order, and the number of the others.
fn add_spans(
    nodes: &[SpanNode],
    depth: usize,
    (total, least): (Option<f64>, Option<(f64, f64)>),
    rows: &mut Vec<Vec<String>>,
) {
    let is_shown = |node: &&SpanNode| least.is_none_or(|least| cost(node) >= least);
    for node in nodes.iter().filter(is_shown).take(SPANS) {
        add_span(node, depth, (total, least), rows);
    }
    let shown = nodes.iter().filter(is_shown).count().min(SPANS);
    if shown < nodes.len() {
        let mut row = vec![String::new(); 7];
        row[0] = format!("{}… {} more", "· ".repeat(depth), nodes.len() - shown);
        rows.push(row);
    }
}

fn add_span(
    node: &SpanNode,
    depth: usize,
    (total, least): (Option<f64>, Option<(f64, f64)>),
    rows: &mut Vec<Vec<String>>,
) {
    let joules: Joules = node.by_domain.iter().copied().sum();
    let name = if node.name == node.kind.as_str() {
        node.name.clone()
    } else {
        format!("{} {}", node.kind.as_str(), node.name)
    };
    let share = total.filter(|total| *total > 0.0).map(|total| joules.get() / total * 100.0);
    rows.push(vec![
        format!("{}{name}", "· ".repeat(depth)),
        figure::count(node.count as f64),
        figure::duration(node.seconds),
        or_absent(total, |_| {
            figure::plus_minus(joules.get(), node.standard_uncertainty.get(), "J")
        }),
        or_absent(share, |share| format!("{share:.1} %")),
        if node.children.is_empty() {
            String::new()
        } else {
            or_absent(total.map(|_| node.exclusive), figure::joules)
        },
        node.inclusive.filter(|_| total.is_some()).map_or(String::new(), figure::joules),
    ]);
    add_spans(&node.children, depth + 1, (total, least), rows);
}
