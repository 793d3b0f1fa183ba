//! `--format html`: one self-contained page, without scripts and without anything from a network.

mod charts;

use ergometer::Record;
use ergometer::energy::Energy;
use ergometer::footprint::Familiar;
use ergometer::record::{DomainRecord, SpanNode};
use ergometer::source::DomainKind;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{boards, hardware, methods, stacks};
use crate::table::duration;
use charts::Chart;

/// Spans in the list of the largest.
const MOST_SPANS: usize = 15;

/// A page with an article for each record.
pub fn page(records: &[Record]) -> String {
    let title = match records {
        [record] => record.run.label.clone(),
        _ => format!("{} runs", records.len()),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(concat!("ergometer ", env!("CARGO_PKG_VERSION")));
                title { (title) ": energy of training" }
                style { (PreEscaped(include_str!("page/style.css"))) }
            }
            body {
                main {
                    @if records.len() > 1 {
                        h1 { (title) }
                        nav aria-label="Runs" { (overview(records)) }
                    }
                    @for (index, record) in records.iter().enumerate() {
                        (article(record, index))
                    }
                }
            }
        }
    };
    page.into_string() + "\n"
}

/// Several runs beside each other, each a link to its article.
fn overview(records: &[Record]) -> Markup {
    let wholes: Vec<_> = records.iter().map(Record::whole).collect();
    let most = wholes
        .iter()
        .filter_map(|whole| whole.energy)
        .map(|energy| energy.joules.get())
        .fold(0.0, f64::max);
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "run" } th { "time" } th { "energy" } th { } th { "CO2e" } th { "results" } } }
                tbody {
                    @for (index, (record, whole)) in records.iter().zip(&wholes).enumerate() {
                        tr {
                            td { a href={ "#run-" (index) } { (record.run.label) } }
                            td { (duration(whole.seconds)) }
                            td { (whole.energy.as_ref().map_or("n/a".to_owned(), energy)) }
                            td { @if let Some(energy) = whole.energy { (bar(&energy, most, index)) } }
                            td { (gases(record)) }
                            td.long {
                                @for (name, value) in &record.results { (name) " " (significant(*value)) "; " }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn article(record: &Record, index: usize) -> Markup {
    html! {
        article id={ "run-" (index) } {
            header {
                h1 { (record.run.label) }
                p.quiet {
                    (record.headline()) ". Began " (record.run.started) ", "
                    @if record.run.finished { "finished." } @else { strong { "not finished: this is the run as far as it is known." } }
                }
                (figures(record))
            }
            (power(record))
            (shares(record))
            (epochs(record))
            (steps(record))
            (forecasts(record))
            (spans(record))
            (meaning(record))
            (tables(record))
            (caveats(record))
        }
    }
}

/// The figures that people look for first.
fn figures(record: &Record) -> Markup {
    let whole = record.whole();
    let footprint = &whole.footprint;
    let figure = |name: &str, value: String, note: String| {
        html! { div { dt { (name) } dd { (value) } @if !note.is_empty() { dt { (note) } } } }
    };
    let facility = footprint.facility_energy.map_or("n/a".to_owned(), |estimate| {
        plus_minus(estimate.value.get() * 1e3, estimate.standard_uncertainty.get() * 1e3, "Wh")
    });
    let electricity =
        footprint.electricity_cost.map_or("n/a".to_owned(), |cost| cost.value.to_string());
    let cloud = footprint
        .cloud_cost
        .map_or(String::new(), |cost| format!("cloud: {} to {}", cost.low, cost.high));
    let site = &footprint.site;
    let place =
        if site.carbon.assumed { "no region given: world average" } else { &site.carbon.place };
    html! {
        dl.figures {
            (figure("Energy of the metered hardware", whole.energy.as_ref().map_or("n/a".to_owned(), energy), methods(record)))
            (figure("Energy of the facility", facility, format!("PUE {}", site.pue.value)))
            (figure("CO2e", gases(record), place.to_owned()))
            (figure("Electricity", electricity, cloud))
            (figure("Time", duration(whole.seconds), hardware(record)))
            @for (name, value) in record.results.iter().take(4) {
                (figure(name, significant(*value), String::new()))
            }
        }
        @if !record.earlier.is_empty() {
            p.quiet { "These sums are of all " (record.earlier.len() + 1) " parts of the run; the charts are of the last one." }
        }
    }
}

fn drawing(chart: &Chart, caption: &Markup) -> Markup {
    html! {
        figure {
            div.scroll tabindex="0" role="group" aria-label="chart" { (PreEscaped(&chart.svg)) }
            figcaption { (caption) }
        }
    }
}

/// Power over time, a chart for each kind of domain.
fn power(record: &Record) -> Markup {
    const KINDS: [DomainKind; 6] = [
        DomainKind::Gpu,
        DomainKind::Module,
        DomainKind::Node,
        DomainKind::Psys,
        DomainKind::CpuPackage,
        DomainKind::Dram,
    ];
    let Some(power) = &record.power else {
        return html! {
            h2 { "Power over time" }
            p { "This record has no power over time: it is of an older version, of ranks not all of which had it, or nothing was read." }
        };
    };
    let charts: Vec<_> = KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, charts::power(record, power, kind)?)))
        .collect();
    let splits = charts::splits(record);
    html! {
        h2 { "Power over time" }
        @if !splits.is_empty() {
            ul.key {
                @for (index, split) in splits.iter().enumerate() {
                    li { span style={ "opacity:.35;background:" (charts::hex(charts::colour(3 + index))) } { } "epochs of " (split) }
                }
            }
        }
        @for (kind, chart) in &charts {
            h3 { (kind_name(*kind)) }
            (domain_key(record, *kind))
            (drawing(chart, &html! {
                "Mean power in " (power.ends_s.len()) " intervals. "
                @if of_kind(record, *kind).count() <= charts::MOST_BANDS {
                    "The band is two standard uncertainties. "
                }
                "A gap in a line: not observed."
            }))
        }
        @if !power.spans.is_empty() {
            h3 { "Longest spans" }
            div.scroll tabindex="0" {
                table {
                    thead { tr { th { "span" } th { "from" } th { "for" } } }
                    tbody {
                        @for span in longest(&power.spans) {
                            tr { td { (span.kind.as_str()) " " (span.name) } td { (duration(span.start_s)) } td { (duration(span.seconds)) } }
                        }
                    }
                }
            }
        }
    }
}

fn of_kind(record: &Record, kind: DomainKind) -> impl Iterator<Item = &DomainRecord> {
    record.domains.iter().filter(move |row| row.domain.kind == kind && row.energy.is_some())
}

/// What the lines of a chart are.
fn domain_key(record: &Record, kind: DomainKind) -> Markup {
    let count = of_kind(record, kind).count();
    html! {
        ul.key {
            @if count > charts::MOST_LINES {
                li { span style={ "opacity:.5;background:" (charts::hex(charts::colour(0))) } { } (count) " lines, one for each" }
                li { span style="background:currentColor" { } "their mean" }
            } @else {
                @for (place, row) in of_kind(record, kind).enumerate() {
                    li { span style={ "background:" (charts::hex(charts::colour(place))) } { } (row.domain.label) " (" (row.domain.method.as_str()) ")" }
                }
            }
        }
    }
}

/// The longest few, in the order of their starts.
fn longest(
    spans: &[ergometer::record::power::LongSpan],
) -> Vec<&ergometer::record::power::LongSpan> {
    let mut spans: Vec<_> = spans.iter().collect();
    spans.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    spans.truncate(10);
    spans.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    spans
}

const fn kind_name(kind: DomainKind) -> &'static str {
    match kind {
        DomainKind::Gpu => "Boards",
        DomainKind::CpuPackage => "Processor packages",
        DomainKind::Dram => "Memory",
        DomainKind::Psys => "Platform",
        DomainKind::Module => "Modules",
        DomainKind::Node => "Machine",
        _ => "Other",
    }
}

/// Energy by domain.
fn shares(record: &Record) -> Markup {
    let rows: Vec<_> = record.domains.iter().filter_map(|row| Some((row, row.energy?))).collect();
    let most = rows.iter().map(|(_, energy)| energy.joules.get()).fold(0.0, f64::max);
    html! {
        @if !rows.is_empty() {
            h2 { "Energy by domain" }
            div.scroll tabindex="0" {
                table {
                    thead { tr { th { "domain" } th { "energy" } th { "with two standard uncertainties" } th { "how it was obtained" } } }
                    tbody {
                        @for (place, (row, its)) in rows.iter().enumerate() {
                            tr {
                                td { (row.domain.kind.as_str()) " " (row.domain.label) }
                                td { (energy(its)) }
                                td { (bar(its, most, place)) }
                                td { (row.domain.method.as_str()) ", " (row.domain.source) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn epochs(record: &Record) -> Markup {
    let Some(chart) = charts::epochs(record) else { return html! {} };
    html! {
        h2 { "Energy by epoch" }
        ul.key {
            @for (index, split) in charts::splits(record).iter().enumerate() {
                li { span style={ "background:" (charts::hex(charts::colour(3 + index))) } { } (split) }
            }
        }
        (drawing(&chart, &html! { "Each with two standard uncertainties. Most of them is the sensor's gain, which is the same for all." }))
    }
}

fn steps(record: &Record) -> Markup {
    let Some(chart) = charts::steps(record) else { return html! {} };
    html! {
        h2 { "Energy of a step" }
        ul.key {
            @for (index, split) in record.steps.keys().take(6).enumerate() {
                li { span style={ "background:" (charts::hex(charts::colour(index))) } { } (split) }
            }
        }
        (drawing(&chart, &html! { "Line: smallest to largest. Box: median to 95th percentile. Dot: mean." }))
    }
}

fn forecasts(record: &Record) -> Markup {
    let Some(chart) = charts::forecasts(record) else { return html! {} };
    html! {
        h2 { "Forecasts, and what came" }
        (drawing(&chart, &html! { "Whiskers: the forecast's 95 % interval. Line: what the run took." }))
    }
}

/// Energy by span: the flame graph, and the largest outside their children.
fn spans(record: &Record) -> Markup {
    let mut all = Vec::new();
    collect(&record.spans, "", &mut all);
    all.sort_by(|a, b| b.1.exclusive.get().total_cmp(&a.1.exclusive.get()));
    all.truncate(MOST_SPANS);
    let graph = stacks::flamegraph(record).ok().filter(|_| all.len() > 1);
    let Some(graph) = graph else { return html! {} };
    let most = all.first().map_or(0.0, |(_, node)| node.exclusive.get());
    html! {
        h2 { "Energy by phase" }
        figure {
            div.scroll tabindex="0" role="group" aria-label="flame graph" { (PreEscaped(graph)) }
            figcaption { "Each frame is as wide as the energy of all its spans; below it what they have inside. Point at a frame for its figures." }
        }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "span" } th { "count" } th { "outside its children" } th { } } }
                tbody {
                    @for (place, (path, node)) in all.iter().enumerate() {
                        tr {
                            td.long { (path) }
                            td { (node.count) }
                            td { (node.exclusive) }
                            td { (PreEscaped(charts::bar(node.exclusive.get(), 0.0, most, place))) }
                        }
                    }
                }
            }
        }
    }
}

fn collect<'a>(nodes: &'a [SpanNode], above: &str, all: &mut Vec<(String, &'a SpanNode)>) {
    for node in nodes {
        let kind = node.kind.as_str();
        let own = if node.name == kind { kind.to_owned() } else { format!("{kind} {}", node.name) };
        let path = if above.is_empty() { own } else { format!("{above} › {own}") };
        all.push((path.clone(), node));
        collect(&node.children, &path, all);
    }
}

/// What the emissions compare with: the paper's Table 1.
fn meaning(record: &Record) -> Markup {
    let Some(gases) = record.whole().footprint.co2e else { return html! {} };
    html! {
        h2 { "What this means" }
        p { (gases_text(record)) " are, beside Table 1 of Strubell, Ganesh and McCallum (2019):" }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "consumption" } th { "lb CO2e" } th { "this run" } } }
                tbody {
                    @for familiar in Familiar::ALL {
                        tr { td.long { (familiar.name) } td { (familiar.pounds) } td { (times_text(familiar.times_in(gases.value))) } }
                    }
                }
            }
        }
    }
}

fn times_text(times: f64) -> String {
    if times >= 0.01 {
        format!("{} times", significant(times))
    } else {
        format!("1 / {}", crate::table::grouped((1.0 / times).round()))
    }
}

fn tables(record: &Record) -> Markup {
    html! {
        @for section in record.sections() {
            h2 { (section.title) }
            div.scroll tabindex="0" {
                table {
                    thead { tr { @for column in &section.columns { th { (column.title()) } } } }
                    tbody {
                        @for row in &section.rows {
                            tr { @for cell in row { td.long[cell.chars().count() > 48] { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

fn caveats(record: &Record) -> Markup {
    html! {
        h2 { "How far these figures can be trusted" }
        ul { @for note in record.notes() { li { (note) } } }
        p.quiet {
            "Run " (record.run.id) " by ergometer " (record.run.ergometer)
            @if let Some(commit) = &record.run.git_commit { ", commit " (commit) }
            @if !record.run.command.is_empty() { ": " code { (record.run.command.join(" ")) } }
            @if !record.machine.accelerators.is_empty() { ". " (boards(&record.machine.accelerators).join(", ")) }
        }
    }
}

fn bar(energy: &Energy, most: f64, place: usize) -> Markup {
    PreEscaped(charts::bar(energy.joules.get(), energy.standard_uncertainty.get(), most, place))
}

fn energy(energy: &Energy) -> String {
    plus_minus(energy.joules.get(), energy.standard_uncertainty.get(), "J")
}

fn gases(record: &Record) -> String {
    record.whole().footprint.co2e.map_or("n/a".to_owned(), |gases| {
        let (grams, standard) = (gases.value.get(), gases.standard_uncertainty.get());
        // Megagrams are not in use.
        if grams >= 1e6 {
            plus_minus(grams / 1e6, standard / 1e6, "t")
        } else {
            plus_minus(grams, standard, "g")
        }
    })
}

fn gases_text(record: &Record) -> String {
    let pounds = record.whole().footprint.co2e.map_or(0.0, |gases| gases.value.pounds());
    format!("{} of CO2e ({} lb)", gases(record), significant(pounds))
}

/// `412 ± 21 kJ`: a value and twice its standard uncertainty.
fn plus_minus(value: f64, standard: f64, unit: &str) -> String {
    const PREFIXES: [(f64, &str); 6] =
        [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ")];
    let largest = value.abs().max(2.0 * standard);
    let (scale, prefix) =
        PREFIXES.into_iter().find(|(scale, _)| largest >= *scale).unwrap_or((1.0, ""));
    let (value, spread) = (value / scale, 2.0 * standard / scale);
    let decimals = decimals(if spread > 0.0 { spread } else { value }, 2).min(decimals(value, 4));
    format!("{value:.decimals$} ± {spread:.decimals$} {prefix}{unit}")
}

fn significant(value: f64) -> String {
    format!("{value:.*}", decimals(value, 4))
}

fn decimals(value: f64, digits: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of an f64 is within ±308")]
    let exponent = value.abs().log10().floor() as i32;
    usize::try_from(digits - 1 - exponent).unwrap_or(0)
}
