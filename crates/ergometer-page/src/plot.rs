//! Single plots as SVG files, for papers.

use std::fmt::Write as _;

use ergometer::record::{DomainRecord, Record, SpanNode};
use ergometer::source::DomainKind;

use crate::chart::{self, Bar, Chart, KeyItem, WIDTH};
use crate::escape::escaped;

/// Spans in the plot of the phases, and in the page's list.
const MOST_SPANS: usize = 15;

/// What a plot shows, by the names that a command line has for it.
///
/// ```
/// # fn main() -> ergometer::Result<()> {
/// use ergometer::{Meter, source::DomainKind, units::Watts};
/// use ergometer_page::plot::{self, Plot};
///
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// std::thread::sleep(std::time::Duration::from_millis(20));
/// let record = meter.finish()?;
/// assert!(plot::svg(&record, Plot::Domains).unwrap().starts_with("<svg"));
/// assert_eq!(plot::svg(&record, Plot::Epochs), None); // it has none
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Plot {
    /// Power over time, a chart for each kind of domain, with the epochs
    Power,
    /// Energy by domain
    Domains,
    /// Energy by epoch
    Epochs,
    /// Distribution of a step's energy
    Steps,
    /// Energy of phases and other spans, outside the spans inside them
    Phases,
    /// Forecasts of the run's energy, and what it used
    Forecasts,
}

/// The plot as an SVG file that needs nothing else; `None` if the record has nothing to show in it.
#[must_use]
pub fn svg(record: &Record, plot: Plot) -> Option<String> {
    let charts: Vec<(Option<&str>, Chart)> = match plot {
        Plot::Power => {
            let charts = power(record);
            let several = charts.len() > 1;
            charts
                .into_iter()
                .map(|(kind, chart)| (several.then(|| kind_name(kind)), chart))
                .collect()
        }
        Plot::Domains => alone(chart::bars("Energy by domain", &domains(record))),
        Plot::Epochs => alone(chart::epochs(record)),
        Plot::Steps => alone(chart::steps(record)),
        Plot::Phases => alone(chart::bars("Energy outside inner spans", &phases(record))),
        Plot::Forecasts => alone(chart::forecasts(record)),
    };
    if charts.is_empty() { None } else { Some(file(&charts)) }
}

fn alone(chart: Option<Chart>) -> Vec<(Option<&'static str>, Chart)> {
    chart.into_iter().map(|chart| (None, chart)).collect()
}

/// Colour of text and axes in a file, which has no page around it.
const INK: &str = "#1b1f23";
const LINE: u32 = 26;

/// The charts below each other, each with its key, as one file.
fn file(charts: &[(Option<&str>, Chart)]) -> String {
    let mut body = String::new();
    let mut top = 4;
    for (heading, chart) in charts {
        if let Some(heading) = heading {
            top += LINE;
            let _ = writeln!(
                body,
                "<text x=\"12\" y=\"{}\" font-size=\"17\" font-weight=\"bold\" fill=\"{INK}\">{}</text>",
                top - 6,
                escaped(heading)
            );
        }
        top = key(&chart.key, top, &mut body);
        let (elements, height) = chart.parts();
        let _ = writeln!(body, "<g transform=\"translate(0 {top})\">{elements}</g>");
        top += height;
    }
    let words: Vec<&str> = charts.iter().map(|(_, chart)| chart.description.as_str()).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{top}\" viewBox=\"0 0 {WIDTH} {top}\" \
         font-family=\"sans-serif\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
        escaped(&words.join(". ")),
        body.replace("currentColor", INK)
    )
}

/// Draws what the colours mean, in lines below `top`; returns where they end.
fn key(items: &[KeyItem], top: u32, body: &mut String) -> u32 {
    const LETTER: f64 = 8.4;
    let (mut left, mut top) = (12.0, top);
    for (place, item) in items.iter().enumerate() {
        let width = 24.0 + LETTER * item.text.chars().count() as f64 + 18.0;
        if place == 0 || left + width > f64::from(WIDTH) {
            (left, top) = (12.0, top + LINE);
        }
        let _ = writeln!(
            body,
            "<rect x=\"{left:.0}\" y=\"{}\" width=\"14\" height=\"12\" fill=\"{}\" opacity=\"{}\"/>\
             <text x=\"{:.0}\" y=\"{}\" font-size=\"16\" fill=\"{INK}\">{}</text>",
            top - 16,
            item.colour,
            item.opacity,
            left + 20.0,
            top - 6,
            escaped(&item.text)
        );
        left += width;
    }
    top
}

/// A chart of power over time for each kind of domain that has one.
pub(crate) fn power(record: &Record) -> Vec<(DomainKind, Chart)> {
    const KINDS: [DomainKind; 6] = [
        DomainKind::Gpu,
        DomainKind::Module,
        DomainKind::Node,
        DomainKind::Psys,
        DomainKind::CpuPackage,
        DomainKind::Dram,
    ];
    let Some(power) = &record.power else { return Vec::new() };
    let chart = |kind| Some((kind, chart::power(record, power, kind)?));
    KINDS.into_iter().filter_map(chart).collect()
}

/// The domains of a kind that have energy.
pub(crate) fn of_kind(record: &Record, kind: DomainKind) -> impl Iterator<Item = &DomainRecord> {
    record.domains.iter().filter(move |row| row.domain.kind == kind && row.energy.is_some())
}

pub(crate) const fn kind_name(kind: DomainKind) -> &'static str {
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

fn domains(record: &Record) -> Vec<Bar> {
    let bar = |(row, name): (&DomainRecord, String)| {
        let energy = row.energy?;
        Some(Bar {
            name: format!("{name} ({})", row.domain.method.as_str()),
            joules: energy.joules.get(),
            spread: 2.0 * energy.standard_uncertainty.get(),
        })
    };
    record.domains.iter().zip(record.domain_names()).filter_map(bar).collect()
}

fn phases(record: &Record) -> Vec<Bar> {
    // The uncertainty of a span is that of its whole energy, not of the part outside its children.
    let bar = |(name, node): (String, &SpanNode)| {
        let spread =
            if node.children.is_empty() { 2.0 * node.standard_uncertainty.get() } else { 0.0 };
        Bar { name, joules: node.exclusive.get(), spread }
    };
    spans(record).into_iter().map(bar).collect()
}

/// The spans with the most energy outside their children, with their paths.
pub(crate) fn spans(record: &Record) -> Vec<(String, &SpanNode)> {
    let mut all = Vec::new();
    collect(&record.spans, "", &mut all);
    all.sort_by(|a, b| b.1.exclusive.get().total_cmp(&a.1.exclusive.get()));
    all.truncate(MOST_SPANS);
    all
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
