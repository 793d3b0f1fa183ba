//! The content of a report as text in rows, shared by the terminal and Markdown forms.

use std::collections::BTreeMap;

use super::columns::Column;
use super::figure::{self, ABSENT, or_absent};
use crate::energy::{Energy, Method, Usage};
use crate::footprint::Footprint;
use crate::record::{
    Distribution, Epoch, NamedSteps, PartSteps, RankRecord, Record, SpanNode, Steps, method_shares,
};
use crate::source::Availability;
use crate::span::Kind;
use crate::units::{Joules, Watts};

/// Rows shown from the beginning and from the end of a long table.
const SHOWN: usize = 10;

/// A table with a heading, as text.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let sections = meter.finish()?.sections();
/// assert_eq!(sections[0].title, "Energy");
/// assert!(sections.iter().all(|section| section.rows.iter().all(|row| row.len() == section.columns.len())));
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each with a cell for every column.
    pub rows: Vec<Vec<String>>,
}

/// A column for each of these titles.
fn figures<const N: usize>(titles: [&'static str; N]) -> impl Iterator<Item = Column> {
    titles.into_iter().map(Column::figure)
}

/// Names, and a column of figures for each of these titles.
fn names_and_figures<const N: usize>(name: &str, titles: [&'static str; N]) -> Vec<Column> {
    std::iter::once(Column::name(name)).chain(figures(titles)).collect()
}

/// One line on the program, the machine and the duration.
pub(super) fn headline(record: &Record) -> String {
    let machine = &record.machine;
    let mut boards: Vec<(&String, usize)> = Vec::new();
    for label in &machine.accelerators {
        match boards.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += 1,
            None => boards.push((label, 1)),
        }
    }
    let name = |(label, count): (&String, usize)| match count {
        1 => label.clone(),
        _ => format!("{count} × {label}"),
    };
    let mut place: Vec<String> = boards.into_iter().map(name).collect();
    place.extend(machine.cpu.clone());
    if let Some(count) = machine.logical_cpus {
        place.push(format!("{count} logical CPUs"));
    }
    if machine.virtual_machine == Some(true) {
        place.push("virtual machine".to_owned());
    }
    let place = if place.is_empty() { "?".to_owned() } else { place.join(", ") };
    let duration = figure::duration(record.run.seconds);
    let mut machines: Vec<_> =
        record.ranks.iter().map(|row| row.machine_id.as_ref().or(row.host.as_ref())).collect();
    machines.sort();
    machines.dedup();
    let ranks = match (record.ranks.len(), machines.len()) {
        (0, _) => String::new(),
        (1, _) => " of 1 rank".to_owned(),
        (ranks, 1) => format!(" of {ranks} ranks"),
        (ranks, many) => format!(" of {ranks} ranks on {many} machines"),
    };
    let asleep = record.run.asleep_seconds.filter(|asleep| *asleep > 0.0);
    let asleep = asleep.map_or_else(String::new, |asleep| {
        format!(" (asleep for {} beside)", figure::duration(asleep))
    });
    format!("{}: {duration}{asleep}{ranks} on {place}", record.run.label)
}

/// All sections that have rows.
pub(super) fn sections(record: &Record) -> Vec<Section> {
    let all = [
        domains(record),
        ranks(record),
        parts(record),
        epochs(record),
        steps(record),
        spans(record),
        footprint(record),
    ];
    all.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

/// The parts of a run that was interrupted, and their sum.
fn parts(record: &Record) -> Section {
    let row = |name: String, seconds: f64, energy: Option<&Energy>, steps: u64| {
        let energy = or_absent(energy, figure::energy);
        vec![name, figure::duration(seconds), steps.to_string(), energy]
    };
    let count = |steps: &BTreeMap<String, PartSteps>| steps.values().map(|steps| steps.count).sum();
    let mut rows: Vec<_> = record
        .earlier
        .iter()
        .map(|part| {
            let end = if part.finished { "" } else { ", interrupted" };
            let name = format!("{}{end}", part.started);
            row(name, part.seconds, part.energy.as_ref(), count(&part.steps))
        })
        .collect();
    if !rows.is_empty() {
        let steps = count(&record.part().steps);
        let (seconds, energy) = (record.run.seconds, record.total.energy.as_ref());
        rows.push(row(record.run.started.clone(), seconds, energy, steps));
        let whole = record.whole();
        let steps = count(&whole.steps);
        rows.push(row("whole".to_owned(), whole.seconds, whole.energy.as_ref(), steps));
    }
    let columns = std::iter::once(Column::prose("part"));
    let columns = columns.chain(figures(["time", "steps", "energy"])).collect();
    Section { title: "Parts of the run".to_owned(), columns, rows }
}

fn domains(record: &Record) -> Section {
    let seconds = record.run.seconds;
    let baseline = record.domains.iter().any(|row| row.idle_power.is_some());
    let mut rows: Vec<Vec<String>> = record
        .domains
        .iter()
        .map(|row| {
            let domain = &row.domain;
            let power = or_absent(row.energy.as_ref(), |energy| figure::power(energy, seconds));
            let mut cells = vec![
                format!("{} {}", domain.kind.as_str(), domain.label),
                domain.source.clone(),
                domain.method.as_str().to_owned(),
                or_absent(row.energy.as_ref(), figure::energy),
                power,
            ];
            if baseline {
                cells.push(or_absent(row.idle_power, |watts| watts.to_string()));
                cells.push(or_absent(row.above_idle, figure::joules));
            }
            cells.push(or_absent(row.energy, |energy| format!("{:.0} %", energy.coverage * 100.0)));
            cells
        })
        .collect();
    if let Some(total) = &record.total.energy {
        let mut cells = vec![
            "total".to_owned(),
            String::new(),
            shares(record),
            figure::energy(total),
            figure::power(total, seconds),
        ];
        if baseline {
            // If one term is missing, the sum is unknown.
            let read = || record.domains.iter().filter(|row| row.energy.is_some());
            let idle: Option<Watts> = read().map(|row| row.idle_power).sum();
            let above: Option<Joules> = read().map(|row| row.above_idle).sum();
            cells.push(or_absent(idle, |watts| watts.to_string()));
            cells.push(or_absent(above, figure::joules));
        }
        cells.push(format!("{:.0} %", total.coverage * 100.0));
        rows.push(cells);
    }
    let mut columns = vec![Column::name("domain"), Column::name("source"), Column::prose("method")];
    columns.extend(figures(["energy", "mean power"]));
    if baseline {
        columns.extend(figures(["idle power", "above idle"]));
    }
    columns.push(Column::figure("observed"));
    Section { title: "Energy".to_owned(), columns, rows }
}

/// The methods of the domains with an energy, with their shares if there are several.
fn shares(record: &Record) -> String {
    let shares = method_shares(&record.domains);
    let one = |(method, share): (&Method, &f64)| match shares.len() {
        1 => method.as_str().to_owned(),
        _ => format!("{} {:.0} %", method.as_str(), share * 100.0),
    };
    shares.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The methods of the domains with an energy, without duplicates.
fn methods(record: &Record) -> Vec<Method> {
    let mut methods: Vec<Method> =
        record.domains.iter().filter_map(|row| Some(row.energy?.method)).collect();
    methods.sort();
    methods.dedup();
    methods
}

fn epochs(record: &Record) -> Section {
    let cells = |first: String, usage: &Usage, steps: Option<&Steps>| {
        let items = steps.and_then(|steps| steps.items.as_ref());
        // A sum over no domains is 0 because it has no terms, not because 0 was read.
        let read = usage.energy.is_some();
        vec![
            first,
            figure::duration(usage.seconds),
            or_absent(usage.energy.as_ref(), figure::energy),
            or_absent(steps, |steps| figure::count(steps.count as f64)),
            or_absent(steps.filter(|_| read), |steps| joules_of(&steps.joules)),
            or_absent(items, |items| format!("{} {}", figure::count(items.per_second), items.unit)),
            or_absent(items.filter(|_| read), |items| figure::joules(items.joules_per_item)),
        ]
    };
    let by_name = |rows: &[NamedSteps], read: bool| -> Vec<Vec<String>> {
        rows.iter().map(|row| named_cells(row, read)).collect()
    };
    let with_names = |mut first: Vec<String>, rows: &[NamedSteps], read: bool| {
        // A mean over steps of several names describes none of them.
        if rows.iter().filter(|row| !row.inside_steps).count() > 1 {
            first[4] = String::new();
        }
        let mut all = vec![first];
        all.extend(by_name(rows, read));
        all
    };
    let row = |epoch: &Epoch| {
        let name = format!("{} {}", epoch.split, epoch.index);
        let first = cells(name, &epoch.usage, epoch.steps.as_ref());
        with_names(first, &epoch.steps_by_name, epoch.usage.energy.is_some())
    };
    let titles = ["time", "energy", "steps", "a step", "a second", "an item"];
    let columns = names_and_figures("epoch", titles);
    let mut rows = ends(record.epochs.iter().flat_map(row).collect());
    rows.extend(record.more_epochs.iter().flat_map(|(split, more)| {
        let name = format!("{split}: {} more", figure::count(more.count as f64));
        let first = cells(name, &more.usage, more.steps.as_ref());
        with_names(first, &more.steps_by_name, more.usage.energy.is_some())
    }));
    Section { title: "Epochs".to_owned(), columns, rows }
}

/// The steps of one name in an epoch.
fn named_cells(row: &NamedSteps, read: bool) -> Vec<String> {
    let steps = &row.steps;
    let items = steps.items.as_ref();
    let joules: Joules = steps.by_domain.iter().copied().sum();
    let place = if row.inside_steps { " (inside steps)" } else { "" };
    vec![
        format!("· {}{place}", row.name),
        figure::duration(steps.seconds),
        or_absent(read.then_some(joules), figure::joules),
        figure::count(steps.count as f64),
        or_absent(read.then_some(&steps.joules), joules_of),
        or_absent(items, |items| format!("{} {}", figure::count(items.per_second), items.unit)),
        or_absent(items.filter(|_| read), |items| figure::joules(items.joules_per_item)),
    ]
}

/// The first and the last rows of a long table.
fn ends(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let more = rows.len().saturating_sub(2 * SHOWN);
    if more > 0 {
        let mut left_out = vec![String::new(); rows[0].len()];
        left_out[0] = format!("… {more} more");
        rows.splice(SHOWN..SHOWN + more, [left_out]);
    }
    rows
}

/// What each rank of a merged record metered.
fn ranks(record: &Record) -> Section {
    let row = |row: &RankRecord| {
        vec![
            format!("{} of {}", row.rank.rank, row.rank.world_size),
            or_absent(row.host.clone(), |host| host),
            figure::duration(row.seconds),
            or_absent(row.energy.as_ref(), figure::energy),
            row.domains.len().to_string(),
        ]
    };
    Section {
        title: "Ranks, each with everything that it metered".to_owned(),
        columns: [Column::exact("rank"), Column::name("host")]
            .into_iter()
            .chain(figures(["time", "energy", "domains"]))
            .collect(),
        rows: ends(record.ranks.iter().map(row).collect()),
    }
}

fn joules_of(distribution: &Distribution) -> String {
    figure::joules(Joules::new(distribution.mean))
}

fn steps(record: &Record) -> Section {
    let read = record.total.energy.is_some();
    let row = |name: String, steps: &Steps| {
        let joules =
            |value: Option<f64>| or_absent(value.filter(|_| read).map(Joules::new), figure::joules);
        let d = &steps.joules;
        let items = steps.items.as_ref();
        vec![
            name,
            figure::count(steps.count as f64),
            joules(Some(d.mean)),
            joules(d.min),
            joules(d.p50),
            joules(d.p95),
            joules(d.max),
            or_absent(items, |items| format!("{} {}", figure::count(items.per_second), items.unit)),
            or_absent(items.filter(|_| read), |items| figure::joules(items.joules_per_item)),
        ]
    };
    let rows =
        record.steps.iter().flat_map(|(split, steps)| match record.steps_by_name.get(split) {
            None => vec![row(split.clone(), steps)],
            Some(names) => names
                .iter()
                .map(|named| {
                    let place = if named.inside_steps { " (inside steps)" } else { "" };
                    row(format!("{split}: {}{place}", named.name), &named.steps)
                })
                .collect(),
        });
    let title = if record.steps.values().any(|steps| steps.folded > 0) {
        "Joules per step; extremes and quantiles of the steps recorded alone"
    } else {
        "Joules per step"
    };
    let titles = ["count", "mean", "min", "median", "p95", "max", "a second", "an item"];
    let columns = names_and_figures("steps of", titles);
    Section { title: title.to_owned(), columns, rows: ends(rows.collect()) }
}

/// Rows of spans that a report shows.
const SPANS: usize = 60;

fn spans(record: &Record) -> Section {
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

/// The intensity that the CO2e was computed with.
fn intensity(footprint: &Footprint) -> String {
    let site = &footprint.site;
    match (footprint.mean_intensity, &site.carbon_series) {
        (Some(mean), Some(series)) => {
            let (count, least, most) = series.range();
            let values = if count == 1 { "value" } else { "values" };
            format!(
                "{mean:.1} g/kWh by energy, {count} {values} of {least:.1} to {most:.1} over time"
            )
        }
        (Some(mean), None) => format!("{mean:.1} g/kWh by energy"),
        (None, _) => format!("{:.1} g/kWh", site.carbon.grams_per_kwh),
    }
}

fn footprint(record: &Record) -> Section {
    let footprint = &record.footprint;
    let site = &footprint.site;
    let carbon = &site.carbon;
    let kwh = |estimate: crate::footprint::Estimate<crate::units::KilowattHours>| {
        let (value, error) = (estimate.value.get(), estimate.standard_uncertainty.get());
        figure::plus_minus(value * 1000.0, error * 1000.0, "Wh")
    };
    let gases = or_absent(footprint.co2e, |estimate| {
        let grams =
            figure::plus_minus(estimate.value.get(), estimate.standard_uncertainty.get(), "g");
        format!("{grams} ({} lb)", figure::significant(estimate.value.pounds()))
    });
    let cloud = footprint.cloud_cost.map_or_else(
        || format!("{ABSENT} (no accelerator)"),
        |cost| format!("{} to {}", cost.low, cost.high),
    );
    let rows = vec![
        vec!["IT energy".to_owned(), or_absent(footprint.it_energy, kwh), String::new()],
        vec![
            "facility energy".to_owned(),
            or_absent(footprint.facility_energy, kwh),
            format!("PUE {} ({}, {})", site.pue.value, site.pue.source, site.pue.year),
        ],
        vec![
            "CO2e".to_owned(),
            gases,
            format!(
                "{}{}, {}, {} ({}, {})",
                if carbon.assumed { "ASSUMED, no region was given: " } else { "" },
                intensity(footprint),
                carbon.place,
                carbon.kind.as_str(),
                carbon.source,
                carbon.year
            ),
        ],
        vec![
            "electricity".to_owned(),
            or_absent(footprint.electricity_cost, |cost| {
                let (value, error) = (cost.value.get(), cost.standard_uncertainty.get());
                format!("${}", figure::pair(value, error))
            }),
            format!(
                "{} a kWh ({}, {})",
                site.electricity_price.value,
                site.electricity_price.source,
                site.electricity_price.year
            ),
        ],
        vec![
            "cloud".to_owned(),
            cloud,
            format!(
                "{}: {} to {} a {} hour ({}, {})",
                site.accelerator.name,
                site.accelerator.low,
                site.accelerator.high,
                site.accelerator.unit.as_str(),
                site.accelerator.source,
                site.accelerator.year
            ),
        ],
    ];
    Section {
        title: "Footprint".to_owned(),
        columns: vec![
            Column::exact(""),
            Column::figure("this run"),
            Column::prose("constant (source, year)"),
        ],
        rows,
    }
}

fn has_inclusive(node: &SpanNode) -> bool {
    node.inclusive.is_some() || node.children.iter().any(has_inclusive)
}

/// Notes that a reader of the tables needs, one line each.
pub(super) fn notes(record: &Record) -> Vec<String> {
    let mut notes =
        vec!["± is two standard uncertainties: about 95 % of true values lie within.".to_owned()];
    if record.spans.iter().any(has_inclusive) {
        notes.push(
            "spans that were open at the same time share the energy of that time, so that sums add up; \
             inclusive is the machine's whole energy in each span's time."
                .to_owned(),
        );
    }
    if let Some(seconds) = record.run.idle_seconds {
        notes.push(format!(
            "idle power is the mean over {} before the run; above idle is the run's energy minus that \
             power over the run's duration.",
            figure::duration(seconds)
        ));
    }
    let methods = methods(record);
    let measured = methods.iter().filter(|method| method.is_measured()).count();
    if methods.is_empty() {
        notes.push("nothing could be read: this run has no energy.".to_owned());
    } else if measured == 0 {
        let words: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        notes.push(format!("no sensor was read: every energy here is {}.", words.join(" or ")));
    } else if measured < methods.len() {
        notes.push(
            "the total adds measured and modelled or assumed energy; see the column 'method'."
                .to_owned(),
        );
    }
    for row in &record.domains {
        if let (Some(counter), Some(samples)) = (row.counter_joules, row.integrated_joules)
            && counter > Joules::ZERO
        {
            let off = 100.0 * (samples / counter - 1.0);
            notes.push(format!(
                "{}: {counter} by its counter, {samples} by its power samples ({off:+.1} %)",
                row.domain.id
            ));
        }
        if let Some(note) = &row.domain.note {
            notes.push(format!("{}: {note}", row.domain.id));
        }
        notes.extend(row.warnings.iter().map(|warning| format!("{}: {warning}", row.domain.id)));
    }
    for source in &record.sources {
        if let Availability::Unavailable { reason, remedy } = &source.availability {
            notes.push(format!("{} unavailable: {reason}; {remedy}", source.source));
        }
        notes.extend(source.remarks.iter().map(|remark| format!("{}: {remark}", source.source)));
    }
    for (name, value) in &record.results {
        notes.push(format!("{name} = {}", figure::significant(*value)));
    }
    notes.extend(record.warnings.iter().map(|warning| format!("warning: {warning}")));
    notes
}
