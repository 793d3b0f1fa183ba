//! The report as tables: cost in the form of the paper's Table 3, and training.

use std::fmt;

use ergometer::report::{Column, width};
use ergometer::units::{Currency, GramsCo2e};

use super::amount::Amount;
use super::curve;
use super::figure::{as_printed, fixed, plus_minus, plus_minus_si, range_plus_minus, significant};
use super::model_report::ModelReport;
use super::paper::{self, PaperRow};
use super::projection::Range;
use super::report::Report;
use super::run::{Change, Run};
use super::spread::Spread;
use super::steady::Steady;

/// What stands where there is no figure.
const NONE: &str = "–";

/// How a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For a terminal of this width.
    Terminal(usize),
    /// As Markdown.
    Markdown,
}

/// Rows below titles.
pub struct Table {
    style: Style,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a row, with a cell for each title.
    pub fn add_row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Its rows, each with a cell for every column.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = ergometer::report::Table::new(self.columns.clone(), self.rows.clone());
        f.write_str(&match self.style {
            Style::Terminal(width) => table.fit(width),
            Style::Markdown => table.markdown(),
        })
    }
}

/// All tables for a terminal.
pub fn terminal(report: &Report) -> String {
    let mut text = String::new();
    for (_, table) in all(report, Style::Terminal(width())) {
        text = format!("{text}\n{table}");
    }
    text
}

/// The tables that have something to show, each with its heading.
pub fn all(report: &Report, style: Style) -> Vec<(&'static str, Table)> {
    let mut tables = vec![
        ("Cost, in the form of Strubell et al. (2019), Table 3", costs(report, style)),
        ("Training", training(report, style)),
    ];
    let optional = [
        ("Held-out loss against energy", curves(report, style)),
        ("Operations", operations(report, style)),
        ("Projected to the published trainings", projections(report, style)),
        ("Compared", comparisons(report, style)),
    ];
    tables.extend(optional.into_iter().filter(|(_, table)| !table.is_empty()));
    tables
}

/// Cost in the form of the paper's Table 3: each model's row, and below it the paper's own.
pub fn costs(report: &Report, style: Style) -> Table {
    let mut table = empty(
        style,
        &[
            "model",
            "hardware",
            "power (W)",
            "hours",
            "kWh·PUE",
            "CO2e (lb)",
            "CO2e (kg)",
            "cloud cost",
            "electricity",
            "how",
        ],
    );
    for model in &report.models {
        table.add_row(measured(model));
        if let Some(row) = &model.paper {
            table.add_row(printed(row));
        }
    }
    table
}

/// The mean cost of a model's electricity.
fn electricity(model: &ModelReport) -> Option<Amount> {
    let mean = &model.mean;
    // There is a mean only where all runs have one currency.
    let one = || model.runs.iter().find_map(|run| Amount::of(&run.footprint));
    let stated = |spread: Spread| Some(Amount { value: spread.mean, ..one()? });
    let dollars = |spread: Spread| Amount { value: spread.mean, currency: Currency::USD };
    mean.electricity.and_then(stated).or(mean.electricity_usd.map(dollars))
}

fn measured(model: &ModelReport) -> Vec<String> {
    let mean = &model.mean;
    let value = |spread: Option<Spread>| spread.map(|spread| spread.mean);
    // PUE and grid intensity are constants here: kWh have the relative uncertainty of the joules.
    let relative = mean.energy.map_or(0.0, |energy| {
        2.0 * energy.standard_uncertainty.get() / energy.joules.get().max(f64::MIN_POSITIVE)
    });
    let uncertain =
        |value: Option<f64>| value.map_or_else(none, |value| plus_minus(value, value * relative));
    let grams = value(mean.co2e_kg).map(|kg| GramsCo2e::new(kg * 1000.0));
    vec![
        model.title(),
        model.runs.first().map_or_else(none, |run| run.hardware.clone()),
        uncertain(value(mean.watts)),
        value(mean.seconds).map_or_else(none, |seconds| significant(seconds / 3600.0, 3)),
        uncertain(value(mean.facility_kwh)),
        grams.map_or_else(none, |grams| significant(grams.pounds(), 3)),
        grams.map_or_else(none, |grams| significant(grams.kilograms(), 3)),
        cloud(model),
        electricity(model).map_or_else(none, Amount::show),
        mean.energy.map_or_else(|| "not metered".to_owned(), |e| e.method.as_str().to_owned()),
    ]
}

fn printed(row: &PaperRow) -> Vec<String> {
    let pounds = row.co2e_lb.map(GramsCo2e::from_pounds);
    vec![
        format!("  {}", row.model),
        row.hardware.clone(),
        row.watts.map_or_else(none, as_printed),
        as_printed(row.hours),
        row.facility_kwh.map_or_else(none, as_printed),
        row.co2e_lb.map_or_else(none, as_printed),
        pounds.map_or_else(none, |grams| fixed(grams.kilograms(), 0)),
        format!("${}–{}", as_printed(row.cloud_usd.0.get()), as_printed(row.cloud_usd.1.get())),
        NONE.to_owned(),
        paper::CITATION.to_owned(),
    ]
}

/// The mean of what the runs would have cost in a cloud.
fn cloud(model: &ModelReport) -> String {
    let count = model.runs.len() as f64;
    let ranges: Option<Vec<_>> = model.runs.iter().map(Run::cloud_usd).collect();
    match ranges {
        Some(ranges) if !ranges.is_empty() => {
            let low = ranges.iter().map(|(low, _)| low.get()).sum::<f64>() / count;
            let high = ranges.iter().map(|(_, high)| high.get()).sum::<f64>() / count;
            format!("${}–{}", significant(low, 2), significant(high, 2))
        }
        _ if model.runs.iter().all(Run::on_cpu) => "n/a (no GPU)".to_owned(),
        _ => "n/a (no price)".to_owned(),
    }
}

/// Speed, energy a step and quality of each model.
pub fn training(report: &Report, style: Style) -> Table {
    let item = item_unit(report);
    let one = item.strip_suffix('s').unwrap_or(&item);
    let mut table = empty(
        style,
        &[
            "model",
            "seconds",
            "energy",
            "J/step",
            &format!("J/{one}"),
            &format!("{item}/s"),
            "quality",
            "training loss",
            "validation loss",
        ],
    );
    for model in &report.models {
        let mean = &model.mean;
        let value =
            |spread: Option<Spread>| spread.map_or_else(none, |spread| significant(spread.mean, 3));
        table.add_row(vec![
            model.title(),
            value(mean.seconds),
            mean.energy.map_or_else(none, |energy| {
                let spread = 2.0 * energy.standard_uncertainty.get();
                let joules = plus_minus_si(energy.joules.get(), spread, "J");
                format!("{joules}, {}", energy.method.as_str())
            }),
            value(mean.joules_per_step),
            value(mean.joules_per_item),
            value(mean.items_per_second),
            model.runs.first().map_or_else(none, quality),
            model.runs.first().map_or_else(none, |run| change(run.train_loss)),
            model.runs.first().map_or_else(none, |run| change(run.valid_loss)),
        ]);
    }
    table
}

/// The held-out loss of each model's first run after its epochs, against the energy until then.
fn curves(report: &Report, style: Style) -> Table {
    let mut table = empty(style, &["model", "epoch", "energy so far", "validation loss"]);
    for model in &report.models {
        let Some(run) = model.runs.first() else { continue };
        let relative = run.energy.map(|energy| {
            2.0 * energy.standard_uncertainty.get() / energy.joules.get().max(f64::MIN_POSITIVE)
        });
        for point in curve::thinned(&curve::of(run)) {
            let energy = point.joules.zip(relative).map_or_else(none, |(joules, relative)| {
                plus_minus_si(joules, joules * relative, "J")
            });
            let loss = significant(point.loss, 3);
            table.add_row(vec![model.title(), point.epoch.to_string(), energy, loss]);
        }
    }
    table
}

/// Floating-point operations of each model, counted analytically.
fn operations(report: &Report, style: Style) -> Table {
    let head =
        ["model", "FLOPs/step", "GFLOP/s", "GFLOP/J", "share of peak", "FLOPs in all", "reached"];
    let mut table = empty(style, &head);
    for model in &report.models {
        let mean = &model.mean;
        let Some(run) = model.runs.first() else { continue };
        let Some(steady) = Steady::of(run) else { continue };
        let Some(flops) = steady.flops.filter(|_| steady.steps > 0) else { continue };
        let giga = |spread: Option<Spread>| {
            spread.map_or_else(none, |spread| significant(spread.mean / 1e9, 3))
        };
        let share = mean.flops_per_second.zip(model.peak).map(|(rate, peak)| {
            format!("{} %", significant(100.0 * rate.mean / peak.flops_per_second, 2))
        });
        table.add_row(vec![
            model.title(),
            exponent(flops / steady.steps as f64),
            giga(mean.flops_per_second),
            giga(mean.flops_per_joule),
            share.unwrap_or_else(none),
            run.results.get("training_flops").map_or_else(none, |all| exponent(*all)),
            quality(run),
        ]);
    }
    table
}

/// The published trainings on this machine, as printed in the paper, and as its formula gives them.
fn projections(report: &Report, style: Style) -> Table {
    let head =
        ["model", "hardware", "FLOPs", "hours", "kWh·PUE", "CO2e (lb)", "electricity", "how"];
    let mut table = empty(style, &head);
    let price = report.site.electricity_price.as_ref();
    let currency = price.map_or(Currency::USD, |price| price.currency);
    for model in &report.models {
        let Some(projection) = &model.projection else { continue };
        let relative = 2.0 * projection.standard_uncertainty;
        let uncertain = |range: Range, of: fn(f64) -> f64| {
            range_plus_minus(of(range.low), of(range.high), of(range.high) * relative)
        };
        let backend = model.subject().backend_words();
        table.add_row(vec![
            projection.name.clone(),
            format!("this machine{backend}"),
            range(projection.flops, exponent),
            range(projection.hours, |hours| significant(hours, 2)),
            uncertain(projection.facility_kwh, |kwh| kwh),
            uncertain(projection.co2e_kg, |kg| GramsCo2e::new(kg * 1000.0).pounds()),
            projection
                .electricity
                .or(projection.electricity_usd)
                .map_or_else(none, |cost| currency.mark(&uncertain(cost, |cost| cost))),
            "projected".to_owned(),
        ]);
        let Some(row) = &model.paper else { continue };
        let printed = |value: Option<f64>| value.map_or_else(none, as_printed);
        let paper = |hours: String, kwh: String, pounds: String, how: &str| {
            let (title, hardware) = (format!("  {}", row.model), row.hardware.clone());
            vec![title, hardware, none(), hours, kwh, pounds, none(), how.to_owned()]
        };
        table.add_row(paper(
            as_printed(row.hours),
            printed(row.facility_kwh),
            printed(row.co2e_lb),
            "as printed",
        ));
        if let Some(corrected) = &projection.corrected {
            let exact = |value: Option<f64>| value.map_or_else(none, |value| fixed(value, 2));
            table.add_row(paper(
                fixed(corrected.hours, 1),
                exact(corrected.facility_kwh),
                exact(corrected.co2e_lb),
                "recomputed",
            ));
        }
    }
    table
}

/// What changed from other runs.
fn comparisons(report: &Report, style: Style) -> Table {
    let head = [
        "model",
        "metric",
        "base",
        "now",
        "change",
        "95 % interval",
        "Hodges–Lehmann",
        "verdict",
        "would take",
    ];
    let mut table = empty(style, &head);
    for comparison in &report.comparisons {
        for row in &comparison.rows {
            let value = |value: f64| format!("{} {}", significant(value, 4), row.metric.unit());
            let runs = if comparison.paired { "pairs" } else { "runs a side" };
            let needed = row.needed.map(|needed| format!("{needed} {runs}"));
            let middle = match row.hodges_lehmann_interval {
                Some(one) => format!("{} ({})", percent(row.hodges_lehmann), ends(one)),
                None => percent(row.hodges_lehmann),
            };
            table.add_row(vec![
                comparison.model.clone(),
                row.metric.name().to_owned(),
                value(row.base),
                value(row.new),
                percent(row.relative),
                ends(row.interval_95),
                middle,
                row.verdict.words(comparison.margin),
                needed.unwrap_or_else(|| "over 10,000".to_owned()),
            ]);
        }
    }
    table
}

/// `+3.2 %`.
fn percent(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// `+1.2 % to +3.4 %`.
fn ends(interval: ergometer_stats::Interval) -> String {
    format!("{} to {}", percent(interval.low), percent(interval.high))
}

/// `1.2–3.4`, or one figure where both ends show the same.
fn range(range: Range, show: impl Fn(f64) -> String) -> String {
    let (low, high) = (show(range.low), show(range.high));
    if low == high { low } else { format!("{low}–{high}") }
}

/// `1.23e18`.
fn exponent(value: f64) -> String {
    format!("{value:.2e}")
}

/// The unit of all runs' items, if they agree.
fn item_unit(report: &Report) -> String {
    let runs = report.models.iter().flat_map(|model| &model.runs);
    let mut units = runs.filter_map(|run| Some(&run.training_items()?.unit));
    match units.next() {
        Some(unit) if units.all(|other| other == unit) => unit.clone(),
        _ => "items".to_owned(),
    }
}

/// `exact_match 0.02 → 0.91`.
pub fn quality(run: &Run) -> String {
    run.quality.as_ref().map_or_else(none, |quality| {
        let last = significant(quality.last, 3);
        let name = quality.name.replace('_', " ");
        match quality.first {
            Some(first) => format!("{name} {} → {last}", significant(first, 3)),
            None => format!("{name} {last}"),
        }
    })
}

/// `6.91 → 2.30`.
pub fn change(change: Option<Change>) -> String {
    change.map_or_else(none, |change| {
        format!("{} → {}", significant(change.first, 3), significant(change.last, 3))
    })
}

fn none() -> String {
    NONE.to_owned()
}

/// A table without rows; all columns but the names are figures.
pub fn empty(style: Style, head: &[&str]) -> Table {
    let column = |title: &&str| match *title {
        "model" => Column::name("model"),
        "text" | "hardware" | "how" | "quality" | "metric" | "verdict" | "reached" => {
            Column::prose(*title)
        }
        figure => Column::figure(figure),
    };
    Table { style, columns: head.iter().map(column).collect(), rows: Vec::new() }
}
