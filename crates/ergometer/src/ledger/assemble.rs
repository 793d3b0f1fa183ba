//! The ledger of a run → its record.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Ledger;
use super::epochs::{EpochRow, EpochSums};
use super::node::Node;
use super::run_header::{Notes, RunHeader};
use super::step_table::StepTable;
use super::warnings;
use crate::clock::Timestamp;
use crate::energy::{Energy, Method, Uncertainty, Usage};
use crate::forecast::Forecast;
use crate::record::power::PowerHistory;
use crate::record::{
    DomainRecord, Epoch, Machine, MoreEpochs, Record, RunInfo, SpanNode, method_shares,
};
use crate::source::{Domain, DomainKind};
use crate::span::Label;
use crate::timeline::{Drawn, Timeline};
use crate::units::{Joules, Watts};

/// The state of a run at a moment that the timelines have reached.
pub(crate) struct Snapshot<'a> {
    pub timelines: &'a [Timeline],
    pub ledger: Ledger,
    /// The domains with everything learnt about their sensors.
    pub domains: &'a [Domain],
    pub warnings: Vec<String>,
    pub forecasts: Vec<Forecast>,
    pub power: Option<PowerHistory>,
}

/// The record of the run up to `end`.
pub(crate) fn record(
    head: &RunHeader,
    notes: Notes,
    end: Timestamp,
    books: Snapshot<'_>,
) -> Record {
    let Snapshot { timelines, mut ledger, domains, mut warnings, forecasts, power } = books;
    let start = head.start;
    let seconds = end.since(start).as_secs_f64();
    let whole: Vec<Drawn> = timelines.iter().map(|line| line.between(start, end)).collect();
    let assembler = Assembler { domains, timelines };
    let idle = head.idle_from.map(|from| Baseline::measure(timelines, from, start));
    let total = assembler.usage(&whole, seconds);

    warnings.extend_from_slice(&head.placement.remarks);
    warnings.extend(head.clock_warnings());
    let (tree, left_open) = ledger.finish(timelines);
    warnings.extend(warnings::of_spans(&ledger, &tree, left_open, DEEPEST));
    warnings.extend(warnings::unread(domains, timelines));
    let outside = ledger.epochs.outside(start, end, timelines);

    let boards = boards(domains, timelines);
    let accelerators =
        head.accelerators.unwrap_or_else(|| u32::try_from(boards.len()).unwrap_or(u32::MAX));
    let site = head.site.during(head.started, seconds);
    let intensity = mean_intensity(head, timelines, seconds, &mut warnings);
    let footprint = site.footprint(total.energy.as_ref(), seconds, accelerators);
    let footprint = footprint.rented_by(&boards, seconds).at_mean_intensity(intensity);
    let domain_records = assembler.domain_records(&whole, seconds, idle.as_ref());
    Record {
        schema: Record::SCHEMA.to_owned(),
        run: run_info(head, seconds),
        machine: Machine { accelerators: boards, ..head.machine.clone() },
        sources: head.sources.clone(),
        method_shares: method_shares(&domain_records),
        domains: domain_records,
        total,
        epochs: ledger.epochs.rows.iter().map(|row| assembler.epoch(row, start)).collect(),
        more_epochs: ledger
            .epochs
            .more
            .iter()
            .map(|(split, sums)| ((*split).to_owned(), assembler.more_epochs(sums)))
            .collect(),
        outside_epochs: outside.into_iter().map(Joules::new).collect(),
        steps: ledger
            .steps
            .iter()
            .filter_map(|(split, steps)| Some(((*split).to_owned(), steps.all()?)))
            .collect(),
        steps_by_name: ledger
            .steps
            .iter()
            .map(|(split, steps)| ((*split).to_owned(), steps.by_name()))
            .filter(|(_, rows)| !rows.is_empty())
            .collect(),
        spans: tree.iter().map(|(label, node)| span_node(label, node, DEEPEST - 1)).collect(),
        footprint,
        results: notes.results,
        facts: notes.facts,
        ranks: Vec::new(),
        programs: Vec::new(),
        forecasts,
        earlier: head.earlier.clone(),
        power,
        warnings,
    }
}

fn run_info(head: &RunHeader, seconds: f64) -> RunInfo {
    RunInfo {
        id: head.id(),
        label: head.label.clone(),
        started: head.date().to_string(),
        seconds,
        asleep_seconds: head.asleep_seconds(),
        // It is read once, when the run ends.
        cpu_utilisation: None,
        idle_seconds: head.idle_from.map(|from| head.start.since(from).as_secs_f64()),
        command: head.command.clone(),
        ergometer: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit: head.git_commit.clone(),
        rank: head.placement.rank.clone(),
        group: head.placement.group.clone(),
        finished: true,
        exit_code: None,
    }
}

/// The boards by label; one that never drew power does not count.
fn boards(domains: &[Domain], timelines: &[Timeline]) -> Vec<String> {
    let worked = domains.iter().zip(timelines);
    let worked =
        worked.filter(|(domain, line)| domain.kind == DomainKind::Gpu && !line.never_worked());
    worked.map(|(domain, _)| domain.label.clone()).collect()
}

/// The mean of the site's series over the run, weighted by the energy drawn at each value, or by time where
/// no energy was drawn.
fn mean_intensity(
    head: &RunHeader,
    timelines: &[Timeline],
    seconds: f64,
    warnings: &mut Vec<String>,
) -> Option<f64> {
    let series = head.site.carbon_series.as_ref()?;
    let after = |seconds: f64| head.start.after(Duration::from_secs_f64(seconds));
    let (mut drawn, mut passed) = ((0.0, 0.0), (0.0, 0.0));
    for piece in series.pieces(head.started, seconds) {
        let (from, to) = (after(piece.from), after(piece.to));
        let lines = timelines.iter().filter(|line| !line.is_empty());
        let joules: f64 = lines.map(|line| line.between(from, to).joules).sum();
        let length = piece.to - piece.from;
        drawn = (drawn.0 + joules, drawn.1 + joules * piece.grams_per_kwh);
        passed = (passed.0 + length, passed.1 + length * piece.grams_per_kwh);
    }
    let uncovered = series.uncovered(head.started, seconds);
    if uncovered > 0.0 {
        warnings.push(format!(
            "the carbon series does not cover {:.0} % of the run's time; its nearest value \
             is used there",
            (100.0 * uncovered).max(1.0)
        ));
    }
    let mean = |(weight, weighted): (f64, f64)| (weight > 0.0).then(|| weighted / weight);
    mean(drawn).or_else(|| mean(passed)).or(Some(head.site.carbon.grams_per_kwh))
}

/// The row of one epoch.
pub(crate) fn epoch(
    domains: &[Domain],
    timelines: &[Timeline],
    row: &EpochRow,
    start: Timestamp,
) -> Epoch {
    Assembler { domains, timelines }.epoch(row, start)
}

/// The energy drawn from `start` to `end`.
pub(crate) fn window(
    domains: &[Domain],
    timelines: &[Timeline],
    start: Timestamp,
    end: Timestamp,
) -> Usage {
    let amount: Vec<Drawn> = timelines.iter().map(|line| line.between(start, end)).collect();
    Assembler { domains, timelines }.usage(&amount, end.since(start).as_secs_f64())
}

/// The power of each domain before the run.
struct Baseline {
    /// Mean power; `None` for a domain that was not observed for most of that time.
    power: Vec<Option<Watts>>,
}

impl Baseline {
    fn measure(timelines: &[Timeline], from: Timestamp, to: Timestamp) -> Self {
        let seconds = to.since(from).as_secs_f64();
        let power = |line: &Timeline| {
            let drawn = line.between(from, to);
            let observed = seconds - drawn.unobserved;
            (line.gives() && observed > seconds / 2.0).then(|| Watts::new(drawn.joules / observed))
        };
        Self { power: timelines.iter().map(power).collect() }
    }
}

/// Converts joules per domain to the record's data.
struct Assembler<'a> {
    domains: &'a [Domain],
    timelines: &'a [Timeline],
}

impl Assembler<'_> {
    fn usage(&self, amount: &[Drawn], seconds: f64) -> Usage {
        let by_domain: Vec<Option<Energy>> = self
            .domains
            .iter()
            .zip(self.timelines)
            .zip(amount)
            .map(|((domain, line), drawn)| {
                line.gives().then(|| energy(drawn, domain.method, seconds))
            })
            .collect();
        // The sum's coverage shows that what was not observed is missing.
        let total = Energy::across(by_domain.iter().flatten());
        let by_domain: Vec<_> =
            by_domain.into_iter().map(|energy| energy.filter(is_observed)).collect();
        let energy = total.filter(|_| by_domain.iter().any(Option::is_some));
        Usage { seconds, energy, by_domain }
    }

    fn epoch(&self, row: &EpochRow, start: Timestamp) -> Epoch {
        Epoch {
            split: row.label.name.to_owned(),
            index: row.index,
            start_s: row.start.since(start).as_secs_f64(),
            usage: self.usage(&row.amount, row.end.since(row.start).as_secs_f64()),
            steps: row.steps.as_ref().and_then(StepTable::all),
            steps_by_name: row.steps.as_ref().map_or(Vec::new(), StepTable::by_name),
            between_steps: row.between_steps.iter().copied().map(Joules::new).collect(),
        }
    }

    fn more_epochs(&self, sums: &EpochSums) -> MoreEpochs {
        MoreEpochs {
            count: sums.count,
            usage: self.usage(&sums.amount, sums.seconds),
            steps: sums.steps.as_ref().and_then(StepTable::all),
            steps_by_name: sums.steps.as_ref().map_or(Vec::new(), StepTable::by_name),
            between_steps: sums.between_steps.iter().copied().map(Joules::new).collect(),
        }
    }

    fn domain_records(
        &self,
        whole: &[Drawn],
        seconds: f64,
        idle: Option<&Baseline>,
    ) -> Vec<DomainRecord> {
        let rows = self.domains.iter().zip(self.timelines).zip(whole).enumerate();
        rows.map(|(index, ((domain, line), drawn))| {
            let energy = line.gives().then(|| energy(drawn, domain.method, seconds));
            let energy = energy.filter(is_observed);
            let idle_power = idle.and_then(|idle| idle.power[index]);
            let health = &line.health;
            let both = |joules| health.compared.then_some(Joules::new(joules));
            DomainRecord {
                domain: domain.clone(),
                energy,
                mean_power: energy
                    .filter(|_| seconds > 0.0)
                    .map(|energy| Watts::new(energy.joules.get() / seconds)),
                idle_power,
                above_idle: energy
                    .zip(idle_power)
                    .map(|(energy, idle)| above(energy.joules, Joules::new(idle.get() * seconds))),
                counter_joules: both(health.counter_joules),
                integrated_joules: both(health.integrated_joules),
                readings: health.readings,
                failed_readings: health.failed,
                warnings: health
                    .remarks
                    .iter()
                    .map(|(text, count)| match count {
                        1 => text.clone(),
                        _ => format!("{text} ({count} times)"),
                    })
                    .chain(warnings::disagreement(domain, health))
                    .chain(warnings::above_limit(domain, health))
                    .collect(),
            }
        })
        .collect()
    }
}

/// An interval counts as not observed if at most this share of it was.
const UNOBSERVED: f64 = 1e-6;

/// What `energy` is above `idle`; what rounding leaves of two that are equal is nothing.
fn above(energy: Joules, idle: Joules) -> Joules {
    const ROUNDING: f64 = 1e-12;
    let above = energy - idle;
    if above.get().abs() <= ROUNDING * energy.get().abs() { Joules::ZERO } else { above }
}

/// An energy that was not observed at all is not 0 J.
fn is_observed(energy: &Energy) -> bool {
    energy.coverage > UNOBSERVED || energy.joules != Joules::ZERO
}

fn energy(drawn: &Drawn, method: Method, seconds: f64) -> Energy {
    let coverage =
        if seconds > 0.0 { (1.0 - drawn.unobserved / seconds).clamp(0.0, 1.0) } else { 1.0 };
    Energy {
        joules: Joules::new(drawn.joules),
        standard_uncertainty: drawn.parts.standard(),
        parts: drawn.parts,
        method,
        coverage,
    }
}

/// Depth of the tree of spans in a record. JSON nested more than 128 levels deep cannot be read back, and a
/// span takes two.
const DEEPEST: usize = 48;

/// The inclusive joules of a node, where they differ from the divided ones.
fn inclusive(node: &Node, total: f64) -> Option<Joules> {
    let differs = node.inclusive - total > 1e-9 * node.inclusive.abs();
    differs.then(|| Joules::new(node.inclusive))
}

/// The node with this many levels of its descendants.
fn span_node(label: &Label, node: &Node, levels: usize) -> SpanNode {
    let left_out = BTreeMap::new();
    let children = if levels == 0 { &left_out } else { &node.children };
    let total: f64 = node.amount.iter().map(|drawn| drawn.joules).sum();
    let inner: f64 =
        children.values().flat_map(|child| &child.amount).map(|drawn| drawn.joules).sum();
    let parts = Uncertainty::across_all(node.amount.iter().map(|drawn| drawn.parts));
    SpanNode {
        kind: label.kind,
        name: label.name.to_owned(),
        count: node.count,
        folded: node.folded,
        seconds: node.seconds,
        by_domain: node.amount.iter().map(|drawn| Joules::new(drawn.joules)).collect(),
        inclusive: inclusive(node, total),
        standard_uncertainty: parts.standard(),
        // Children that ran at the same time may sum to more than their parent.
        exclusive: Joules::new((total - inner).max(0.0)),
        children: children.iter().map(|(label, node)| span_node(label, node, levels - 1)).collect(),
    }
}
