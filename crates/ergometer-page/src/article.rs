//! One record: figures, charts, tables, and how far they can be trusted.

use ergometer::footprint::Familiar;
use ergometer::record::Record;
use ergometer::record::power::LongSpan;
use ergometer::report::Column;
use maud::{Markup, PreEscaped, html};

use crate::chart;
use crate::element::{bar, bar_svg, drawing, end, table};
use crate::figure::{ABSENT, duration, energy, gases, grouped, money, plus_minus, significant};
use crate::flame;
use crate::machine::{hardware, methods};
use crate::plot;

/// Spans in the list of the longest.
const MOST_LONG_SPANS: usize = 10;

pub(crate) fn article(record: &Record, index: usize) -> Markup {
    html! {
        article id={ "run-" (index) } {
            header {
                h1 { (record.run.label) }
                p.quiet {
                    (record.headline()) ". Began " span.moment { (moment(&record.run.started)) } ", "
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

/// A moment of RFC 3339 in UTC, to the second.
fn moment(text: &str) -> String {
    let second = text.split(['.', 'Z']).next().unwrap_or(text);
    if text.ends_with('Z') { format!("{} UTC", second.replace('T', " ")) } else { text.to_owned() }
}

/// The figures that people look for first.
fn figures(record: &Record) -> Markup {
    let whole = record.whole();
    let footprint = &whole.footprint;
    let figure = |name: &str, value: String, note: String| {
        // It may break before its uncertainty, and nowhere else.
        let value = value.replace(' ', "\u{a0}").replace("\u{a0}±", " ±");
        html! { div { dt { (name) } dd { (value) } @if !note.is_empty() { dd.note { (note) } } } }
    };
    let facility = footprint.facility_energy.map_or(ABSENT.to_owned(), |estimate| {
        plus_minus(estimate.value.get() * 1e3, estimate.standard_uncertainty.get() * 1e3, "Wh")
    });
    let electricity = footprint.electricity_with_currency();
    let electricity = electricity.map_or(ABSENT.to_owned(), |(cost, unit)| money(unit, cost));
    let market = footprint
        .co2e_market
        .map(|gases| plus_minus(gases.value.get(), gases.standard_uncertainty.get(), "g"));
    let water = footprint
        .water
        .map(|water| plus_minus(water.value.get(), water.standard_uncertainty.get(), "l"));
    let cloud = footprint
        .cloud_cost
        .map_or(String::new(), |cost| format!("cloud: {} to {}", cost.low, cost.high));
    let site = &footprint.site;
    let place =
        if site.carbon.assumed { "no region given: world average" } else { &site.carbon.place };
    html! {
        dl.figures {
            (figure("Energy of the metered hardware", whole.energy.as_ref().map_or(ABSENT.to_owned(), energy), methods(record)))
            (figure("Energy of the facility", facility, format!("PUE {}", site.pue.value)))
            (figure("CO2e", gases(record), place.to_owned()))
            @if let Some(market) = market {
                (figure("CO2e, market-based", market, site.market.as_ref().map_or(String::new(), |one| one.place.clone())))
            }
            @if let Some(water) = water {
                (figure("Water", water, site.wue.as_ref().map_or(String::new(), |wue| format!("WUE {} l/kWh", wue.value))))
            }
            (figure("Electricity", electricity, cloud))
            (figure("Time", duration(whole.seconds), hardware(record)))
            @for (name, value) in record.results.iter().take(4) {
                (figure(name, significant(*value, 4), String::new()))
            }
        }
        @if !record.earlier.is_empty() {
            p.quiet { "These sums are of all " (record.earlier.len() + 1) " parts of the run; the charts are of the last one." }
        }
    }
}

/// Power over time, a chart for each kind of domain.
fn power(record: &Record) -> Markup {
    let charts = plot::power(record);
    let Some(power) = record.power.as_ref().filter(|_| !charts.is_empty()) else {
        return html! {
            h2 { "Power over time" }
            p { "This record has no power over time: it is of an older version, of ranks not all of which had it, or nothing was read." }
        };
    };
    html! {
        h2 { "Power over time" }
        @for (kind, chart) in &charts {
            h3 { (plot::kind_name(*kind)) }
            (drawing(chart, &html! {
                "Mean power in " (grouped(power.ends_s.len() as f64)) " intervals. "
                @if plot::of_kind(record, *kind).count() <= chart::MOST_BANDS {
                    "The band is two standard uncertainties of the sensor or model. "
                }
                "A gap in a line: not observed."
            }))
        }
        @if !power.spans.is_empty() {
            h3 { "Longest spans" }
            (table(&[Column::name("span"), Column::figure("from"), Column::figure("for")], &longest(&power.spans)))
        }
    }
}

/// The longest few, in the order of their starts.
fn longest(spans: &[LongSpan]) -> Vec<Vec<String>> {
    let mut spans: Vec<_> = spans.iter().collect();
    spans.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    spans.truncate(MOST_LONG_SPANS);
    spans.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    let row = |span: &LongSpan| {
        let name = format!("{} {}", span.kind.as_str(), span.name);
        vec![name, duration(span.start_s), duration(span.seconds)]
    };
    spans.into_iter().map(row).collect()
}

/// Energy by domain.
fn shares(record: &Record) -> Markup {
    let rows: Vec<_> = record
        .domains
        .iter()
        .zip(record.domain_names())
        .filter_map(|(row, name)| Some((row, name, row.energy?)))
        .collect();
    let most = rows.iter().map(|(.., energy)| end(energy)).fold(0.0, f64::max);
    html! {
        @if !rows.is_empty() {
            h2 { "Energy by domain" }
            div.scroll tabindex="0" {
                table {
                    thead { tr { th { "domain" } th.figure { "energy" } th { "with two standard uncertainties" } th { "how it was obtained" } } }
                    tbody {
                        @for (row, name, its) in &rows {
                            tr {
                                td.mid { (name) }
                                td.figure { (energy(its)) }
                                td { (bar(its, most, 0)) }
                                td.mid { (row.domain.method.as_str()) ", " (row.domain.source) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn epochs(record: &Record) -> Markup {
    let Some(chart) = chart::epochs(record) else { return html! {} };
    html! {
        h2 { "Energy by epoch" }
        (drawing(&chart, &html! { "Each with two standard uncertainties. What the sensor or the model is off by is the same for all." }))
    }
}

fn steps(record: &Record) -> Markup {
    let Some(chart) = chart::steps(record) else { return html! {} };
    html! {
        h2 { "Energy of a step" }
        (drawing(&chart, &html! { "Line: smallest to largest. Box: median to 95th percentile. Dot: mean." }))
    }
}

fn forecasts(record: &Record) -> Markup {
    let Some(chart) = chart::forecasts(record) else { return html! {} };
    html! {
        h2 { "Forecasts, and what came" }
        (drawing(&chart, &html! { "A forecast is made as the run goes on, from what it has used until then." }))
    }
}

/// Energy by span: the flame graph, and the largest outside their children.
fn spans(record: &Record) -> Markup {
    let rows = plot::spans(record);
    let graph = flame::flamegraph(record).filter(|_| rows.len() > 1);
    let Some(graph) = graph else { return html! {} };
    let most = rows.first().map_or(0.0, |(_, node)| node.exclusive.get());
    html! {
        h2 { "Energy by phase" }
        figure {
            div.scroll tabindex="0" role="group" aria-label="flame graph" { (PreEscaped(graph)) }
            figcaption { "Each frame is as wide as the energy of all its spans; below it is what they contain. Point at a frame for its figures." }
        }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "span" } th.figure { "count" } th.figure { "outside its children" } th { } } }
                tbody {
                    @for (path, node) in &rows {
                        tr {
                            td.long { (path) }
                            td.figure { (grouped(node.count as f64)) }
                            td.figure { (node.exclusive) }
                            td { (PreEscaped(bar_svg(node.exclusive.get(), 0.0, most, 0))) }
                        }
                    }
                }
            }
        }
    }
}

/// What the emissions compare with: the paper's Table 1.
fn meaning(record: &Record) -> Markup {
    let Some(emitted) = record.whole().footprint.co2e else { return html! {} };
    let rows: Vec<Vec<String>> = Familiar::ALL
        .iter()
        .map(|familiar| {
            let times = times_text(familiar.times_in(emitted.value));
            vec![familiar.name.to_owned(), grouped(familiar.pounds), times]
        })
        .collect();
    html! {
        h2 { "What this means" }
        p { (gases(record)) " of CO2e (" (significant(emitted.value.pounds(), 4)) " lb), beside Table 1 of Strubell, Ganesh and McCallum (2019):" }
        (table(&[Column::prose("consumption"), Column::figure("lb CO2e"), Column::figure("this run")], &rows))
    }
}

fn times_text(times: f64) -> String {
    if times >= 0.01 {
        format!("{} times", significant(times, 4))
    } else if times > 0.0 {
        format!("1 / {}", grouped((1.0 / times).round()))
    } else {
        "0".to_owned()
    }
}

fn tables(record: &Record) -> Markup {
    html! {
        @for section in record.sections() {
            h2 { (section.title) }
            (table(&section.columns, &section.rows))
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
            ". " (hardware(record)) "."
        }
    }
}
