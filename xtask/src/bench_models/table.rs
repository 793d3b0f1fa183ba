//! The report as tables: cost in the form of the paper's Table 3, and training.

use ergometer::report::{Column, Table, width};
use ergometer::units::GramsCo2e;

use super::figure::{fixed, plus_minus, plus_minus_si, significant};
use super::paper::{self, PaperRow};
use super::report::{Change, ModelReport, Report, Run};
use super::word;

/// What stands where there is no figure.
const NONE: &str = "–";

/// How a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For a terminal with this many columns.
    Terminal(usize),
    /// As Markdown.
    Markdown,
}

/// Both tables for a terminal.
pub fn terminal(report: &Report) -> String {
    let style = Style::Terminal(width());
    format!("\n{}\n{}\n", costs(report, style), training(report, style))
}

/// Cost in the form of the paper's Table 3: each model's row, and below it the paper's own.
pub fn costs(report: &Report, style: Style) -> String {
    let columns = columns(&[
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
    ]);
    let rows = report.models.iter().flat_map(|model| {
        std::iter::once(measured(model)).chain(model.paper.as_ref().map(printed))
    });
    drawn(&Table::new(columns, rows), style)
}

fn measured(model: &ModelReport) -> Vec<String> {
    let mean = &model.mean;
    let value = |spread: Option<super::spread::Spread>| spread.map(|spread| spread.mean);
    // PUE and grid intensity are constants here: kWh have the relative uncertainty of the joules.
    let relative = mean.energy.map_or(0.0, |energy| {
        2.0 * energy.standard_uncertainty.get() / energy.joules.get().max(f64::MIN_POSITIVE)
    });
    let uncertain =
        |value: Option<f64>| value.map_or_else(none, |value| plus_minus(value, value * relative));
    let grams = value(mean.co2e_kg).map(|kg| GramsCo2e::new(kg * 1000.0));
    vec![
        name(model),
        model.runs.first().map_or_else(none, |run| run.hardware.clone()),
        uncertain(value(mean.watts)),
        value(mean.seconds).map_or_else(none, |seconds| significant(seconds / 3600.0, 3)),
        uncertain(value(mean.facility_kwh)),
        grams.map_or_else(none, |grams| significant(grams.pounds(), 3)),
        grams.map_or_else(none, |grams| significant(grams.kilograms(), 3)),
        cloud(model),
        value(mean.electricity_usd).map_or_else(none, |usd| format!("${}", significant(usd, 2))),
        mean.energy.map_or_else(|| "not metered".to_owned(), |e| e.method.as_str().to_owned()),
    ]
}

fn printed(row: &PaperRow) -> Vec<String> {
    let pounds = row.co2e_lb.map(GramsCo2e::from_pounds);
    vec![
        format!("  {}", row.model),
        row.hardware.clone(),
        row.watts.map_or_else(none, |watts| fixed(watts, 2)),
        significant(row.hours, 2),
        row.facility_kwh.map_or_else(none, |kwh| significant(kwh, 2)),
        pounds.map_or_else(none, |grams| significant(grams.pounds(), 2)),
        pounds.map_or_else(none, |grams| significant(grams.kilograms(), 2)),
        dollars(row.cloud_usd.0.get(), row.cloud_usd.1.get()),
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
            dollars(low, high)
        }
        _ if model.runs.iter().all(Run::on_cpu) => "n/a (no GPU)".to_owned(),
        _ => "n/a (no price)".to_owned(),
    }
}

fn dollars(low: f64, high: f64) -> String {
    format!("${}–{}", significant(low, 2), significant(high, 2))
}

/// Speed, energy a step and quality of each model.
pub fn training(report: &Report, style: Style) -> String {
    let item = item_unit(report);
    let one = item.strip_suffix('s').unwrap_or(&item);
    let columns = columns(&[
        "model",
        "seconds",
        "energy",
        "J/step",
        &format!("J/{one}"),
        &format!("{item}/s"),
        "quality",
        "training loss",
        "validation loss",
    ]);
    let row = |model: &ModelReport| {
        let mean = &model.mean;
        let value = |spread: Option<super::spread::Spread>| {
            spread.map_or_else(none, |spread| significant(spread.mean, 3))
        };
        vec![
            name(model),
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
        ]
    };
    drawn(&Table::new(columns, report.models.iter().map(row)), style)
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

/// `transformer tiny`, and how many runs the row is the mean of.
pub fn name(model: &ModelReport) -> String {
    let name = format!("{} {}", word(model.model), word(model.size));
    match model.runs.len() {
        0 | 1 => name,
        runs => format!("{name} (mean of {runs})"),
    }
}

fn none() -> String {
    NONE.to_owned()
}

/// Columns with these titles: all but some are figures.
fn columns(titles: &[&str]) -> Vec<Column> {
    let column = |title: &&str| match *title {
        "model" => Column::name("model"),
        "hardware" | "how" | "quality" => Column::prose(*title),
        figure => Column::figure(figure),
    };
    titles.iter().map(column).collect()
}

fn drawn(table: &Table, style: Style) -> String {
    match style {
        Style::Terminal(width) => table.fit(width),
        Style::Markdown => table.markdown(),
    }
}
