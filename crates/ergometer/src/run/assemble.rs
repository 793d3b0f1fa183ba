//! The ledger of a run → its record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;

use super::earlier::Part;
use super::epochs::{EpochRow, EpochSums};
use super::ledger::{Ledger, Node};
use super::power::PowerHistory;
use super::rank::Standing;
use super::record::{
    DomainRecord, Energy, Epoch, Machine, MoreEpochs, Record, RunInfo, SCHEMA, SpanNode, Usage,
    method_shares,
};
use super::step_table::StepTable;
use crate::clock::{self, Timestamp};
use crate::footprint::Site;
use crate::forecast::Forecast;
use crate::meter::timeline::{Drawn, Health, Timeline};
use crate::meter::{Method, Uncertainty};
use crate::source::{Domain, DomainKind, SourceReport};
use crate::span::Label;
use crate::units::{Joules, Watts};

/// Energies below this many joules are too small to compare two sensors.
const LITTLE: f64 = 500.0;

/// The fields of the record that do not come from the ledger and are known when the run begins.
pub(crate) struct Head {
    pub label: String,
    pub standing: Standing,
    pub machine: Machine,
    /// The program's command line, without secrets.
    pub command: Vec<String>,
    pub git_commit: Option<String>,
    /// The run's start.
    pub start: Timestamp,
    /// The same moment on the wall clock.
    pub started: jiff::Timestamp,
    /// How far the wall clock had been set forward by then, nanoseconds, and how long the machine had
    /// slept, since the process began to observe the clocks.
    pub wall_was_set: i64,
    pub asleep: Duration,
    /// The start of the time in which the baseline was measured; it ends at the run's start.
    pub idle_from: Option<Timestamp>,
    pub site: Site,
    pub accelerators: Option<u32>,
    pub sources: Vec<SourceReport>,
    /// The parts of the run before its interruptions.
    pub earlier: Vec<Part>,
}

impl Head {
    /// Unique identity of the run.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.started.as_nanosecond(), std::process::id())
    }

    /// How far the wall clock was set forward since the run began; `None` for less than a second, which
    /// does not change the date.
    fn set(&self) -> Option<SignedDuration> {
        let set = clock::wall_was_set().wrapping_sub(self.wall_was_set);
        let set = SignedDuration::from_nanos(set);
        (set.unsigned_abs() >= Duration::from_secs(1)).then_some(set)
    }

    /// The run's start according to the wall clock as it is now.
    pub(crate) fn date(&self) -> jiff::Timestamp {
        let set = self.set().unwrap_or_default();
        self.started.checked_add(set).unwrap_or(self.started)
    }

    /// How long the machine slept since the run began, seconds; `None` where that cannot be determined.
    fn asleep_seconds(&self) -> Option<f64> {
        let asleep = clock::asleep().saturating_sub(self.asleep).as_secs_f64();
        clock::KNOWS_SLEEP.then_some(asleep)
    }

    /// Warnings about the machine's clocks.
    fn clock_warnings(&self) -> impl Iterator<Item = String> {
        let asleep = self.asleep_seconds().filter(|asleep| *asleep > 0.0).map(|asleep| {
            format!(
                "the machine slept for {asleep:.1} s, which do not count as time of the run; their energy is \
                 included where counters measured it, not for modelled, assumed or integrated domains"
            )
        });
        let set = self.set().map(|set| {
            let (seconds, as_it_was) = (set.as_secs_f64(), self.started);
            format!(
                "the wall clock was set by {seconds:+.1} s during the run: the start, {as_it_was} before, is \
                 reported by the clock as it is now"
            )
        });
        asleep.into_iter().chain(set)
    }
}

/// The user's additions to the record.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    pub results: BTreeMap<String, f64>,
    pub facts: BTreeMap<String, String>,
}

/// The state of a run at a moment that the timelines have reached.
pub(crate) struct Books<'a> {
    pub timelines: &'a [Timeline],
    pub ledger: Ledger,
    /// The domains with everything learnt about their sensors.
    pub domains: &'a [Domain],
    pub warnings: Vec<String>,
    pub forecasts: Vec<Forecast>,
    pub power: Option<PowerHistory>,
}

/// The record of the run up to `end`.
pub(crate) fn record(head: &Head, notes: Notes, end: Timestamp, books: Books<'_>) -> Record {
    let Books { timelines, mut ledger, domains, mut warnings, forecasts, power } = books;
    let start = head.start;
    let seconds = end.since(start).as_secs_f64();
    let whole: Vec<Drawn> = timelines.iter().map(|line| line.between(start, end)).collect();
    let scale = Scale { domains, timelines };
    let idle = head.idle_from.map(|from| Baseline::measure(timelines, from, start));
    let total = scale.usage(&whole, seconds);

    warnings.extend_from_slice(&head.standing.remarks);
    warnings.extend(head.clock_warnings());
    let (tree, left_open) = ledger.finish(timelines);
    if left_open > 0 {
        warnings.push(format!(
            "{left_open} spans were still open when the run ended; they are not in the record, \
             their children are"
        ));
    }
    let outside = ledger.epochs.outside(start, end, timelines);
    if ledger.epochs.overlap() {
        warnings.push(
            "epochs overlap in time: their sum counts what they share more than once".to_owned(),
        );
    }
    if ledger.epochs.steps_overlap {
        warnings.push(
            "steps overlap in time: their sum counts what they share more than once".to_owned(),
        );
    }
    if is_deeper(&tree, DEEPEST) {
        warnings.push(format!(
            "spans are nested more than {DEEPEST} deep; the energy of deeper ones is included in those \
             around them"
        ));
    }
    warnings.extend(ledger.numbers.warning());
    warnings.extend(folded(ledger.folded));
    warnings.extend(strays(&ledger.strays));
    warnings.extend(ledger.steps.iter().filter_map(|(split, steps)| several_units(split, steps)));
    warnings.extend(invalid_items(&ledger.invalid_items));
    warnings.extend(unresolved(&tree));
    warnings.extend(unread(domains, timelines));

    // A board that never drew power does not count.
    let boards = domains.iter().zip(timelines);
    let boards =
        boards.filter(|(domain, line)| domain.kind == DomainKind::Gpu && !line.never_worked());
    let boards: Vec<String> = boards.map(|(domain, _)| domain.label.clone()).collect();
    let accelerators =
        head.accelerators.unwrap_or_else(|| u32::try_from(boards.len()).unwrap_or(u32::MAX));
    let site = head.site.during(head.started, seconds);
    let intensity = mean_intensity(head, timelines, seconds, &mut warnings);
    let footprint =
        site.footprint(total.energy.as_ref(), seconds, accelerators).at_mean_intensity(intensity);
    let domain_records = scale.domain_records(&whole, seconds, idle.as_ref());
    Record {
        schema: SCHEMA.to_owned(),
        run: RunInfo {
            id: head.id(),
            label: head.label.clone(),
            started: head.date().to_string(),
            seconds,
            asleep_seconds: head.asleep_seconds(),
            idle_seconds: head.idle_from.map(|from| start.since(from).as_secs_f64()),
            command: head.command.clone(),
            ergometer: env!("CARGO_PKG_VERSION").to_owned(),
            git_commit: head.git_commit.clone(),
            rank: head.standing.rank.clone(),
            group: head.standing.group.clone(),
            finished: true,
        },
        machine: Machine { accelerators: boards, ..head.machine.clone() },
        sources: head.sources.clone(),
        method_shares: method_shares(&domain_records),
        domains: domain_records,
        total,
        epochs: ledger.epochs.rows.iter().map(|row| scale.epoch(row, start)).collect(),
        more_epochs: ledger
            .epochs
            .more
            .iter()
            .map(|(split, sums)| ((*split).to_owned(), scale.more_epochs(sums)))
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
        forecasts,
        earlier: head.earlier.clone(),
        power,
        warnings,
    }
}

/// The mean of the site's series over the run, weighted by the energy drawn at each value, or by time where
/// no energy was drawn.
fn mean_intensity(
    head: &Head,
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
    Scale { domains, timelines }.epoch(row, start)
}

/// A warning about spans that came too fast to be recorded one by one.
fn folded(count: u64) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{count} spans came faster than they could be recorded one by one, so that consecutive ones of one \
             label share a mark; they are in every count and sum, but not in extremes and quantiles, and \
             their energy is a share, by time, of the energy of their mark"
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

/// The energy drawn from `start` to `end`.
pub(crate) fn window(
    domains: &[Domain],
    timelines: &[Timeline],
    start: Timestamp,
    end: Timestamp,
) -> Usage {
    let amount: Vec<Drawn> = timelines.iter().map(|line| line.between(start, end)).collect();
    Scale { domains, timelines }.usage(&amount, end.since(start).as_secs_f64())
}

/// Names the spans that are too short for the sensors: the uncertainty of their edges exceeds a share of
/// their energy.
fn unresolved(tree: &BTreeMap<Label, Node>) -> Option<String> {
    /// That share, for one standard uncertainty: two of them are half of the energy.
    const MOST: f64 = 0.25;
    fn collect(tree: &BTreeMap<Label, Node>, names: &mut BTreeSet<String>) {
        for (label, node) in tree {
            let joules: f64 = node.amount.iter().map(|drawn| drawn.joules).sum();
            let parts = node.amount.iter().map(|drawn| drawn.parts);
            let parts = parts.fold(Uncertainty::default(), |sum, parts| sum.across(&parts));
            let name = format!("{} '{}'", label.kind.as_str(), label.name);
            let unresolved = parts.edges.get().hypot(parts.quantum.get()) > MOST * joules;
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

fn unread(domains: &[Domain], timelines: &[Timeline]) -> Vec<String> {
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
struct Scale<'a> {
    domains: &'a [Domain],
    timelines: &'a [Timeline],
}

impl Scale<'_> {
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
        // An energy that was not observed at all is not 0 J; the sum's coverage shows that it is missing.
        let nothing =
            |energy: &Energy| energy.coverage <= UNOBSERVED && energy.joules == Joules::ZERO;
        let total = sum(by_domain.iter().flatten());
        let by_domain: Vec<_> =
            by_domain.into_iter().map(|energy| energy.filter(|energy| !nothing(energy))).collect();
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
                    .map(|(energy, idle)| energy.joules - Joules::new(idle.get() * seconds)),
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
                    .chain(disagreement(domain, health))
                    .chain(above_limit(domain, health))
                    .collect(),
            }
        })
        .collect()
    }
}

/// An interval counts as not observed if at most this share of it was.
const UNOBSERVED: f64 = 1e-6;

/// A warning about power above the domain's limit, by more than brief peaks can explain.
fn above_limit(domain: &Domain, health: &Health) -> Option<String> {
    let (watts, limit) = (health.above_limit?, domain.power_limit?);
    Some(format!(
        "power of {watts:.0} W was read, {:.1} times the limit of {limit} that was in force when the run began: \
         the limit was raised, or the sensor is wrong",
        watts / limit.get()
    ))
}

/// A warning about counter and integrated power of one domain that differ by more than their errors
/// explain.
fn disagreement(domain: &Domain, health: &Health) -> Option<String> {
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

/// The sum over domains, whose uncertainties are independent.
pub(super) fn sum<'a>(energies: impl Iterator<Item = &'a Energy>) -> Option<Energy> {
    energies.copied().reduce(|a, b| {
        let parts = a.parts.across(&b.parts);
        Energy {
            joules: a.joules + b.joules,
            standard_uncertainty: parts.standard(),
            parts,
            method: a.method.max(b.method),
            coverage: a.coverage.min(b.coverage),
        }
    })
}

/// Depth of the tree of spans in a record. JSON nested more than 128 levels deep cannot be read back, and a
/// span takes two.
const DEEPEST: usize = 48;

/// Whether spans are nested more than [`DEEPEST`] levels deep.
fn is_deeper(nodes: &BTreeMap<Label, Node>, levels: usize) -> bool {
    nodes.values().any(|node| levels == 0 || is_deeper(&node.children, levels - 1))
}

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
    let parts =
        node.amount.iter().fold(Uncertainty::default(), |parts, drawn| parts.across(&drawn.parts));
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
