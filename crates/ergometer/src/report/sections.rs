//! The content of a report as text in rows, shared by the terminal and Markdown forms.

mod footprint;
mod notes;
mod spans;

use std::collections::BTreeMap;

use super::columns::Column;
use super::figure::{self, or_absent};
use crate::energy::{Energy, Method, Usage};
use crate::printable;
use crate::record::{
    Distribution, Epoch, NamedSteps, PartSteps, RankRecord, Record, Steps, method_shares,
};
use crate::units::{Joules, Watts};
pub(super) use notes::notes;

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
        place.push(printable::counted(u64::from(count), "logical CPU"));
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
        spans::spans(record),
        footprint::footprint(record),
    ];
    all.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

/// The parts of a run that was interrupted, and their sum.
fn parts(record: &Record) -> Section {
    let row = |name: String, seconds: f64, energy: Option<&Energy>, steps: u64| {
        let energy = or_absent(energy, figure::energy);
        vec![name, figure::duration(seconds), steps.to_string(), energy]
    };
    let count =
        |steps: &BTreeMap<String, PartSteps>| steps.values().map(|steps| steps.totals.count).sum();
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
        let steps = whole.steps.values().map(|steps| steps.count).sum();
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
        .zip(record.domain_names())
        .map(|(row, name)| {
            let domain = &row.domain;
            let power = or_absent(row.energy.as_ref(), |energy| figure::power(energy, seconds));
            let mut cells = vec![
                name,
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
