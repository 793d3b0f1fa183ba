//! `--format latex`: a table in the form of the paper's Table 3, a row for each record.
//!
//! The currency of electricity is in the head of its column where all records have the same, and else in each cell.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ergometer::Record;
use ergometer::units::Currency;
use ergometer_page::figure::decimals;

/// A `tabular` with `booktabs` rules, and a comment that names what it needs.
pub fn table(records: &[Record]) -> String {
    let common = common_currency(records);
    let unit = common.map_or(String::new(), |currency| format!(" ({currency})"));
    let mut text = format!(
        "% Needs \\usepackage{{booktabs}}.\n\
         \\begin{{table}}\n  \\centering\n  \\begin{{tabular}}{{llrrrrrr}}\n    \\toprule\n    \
         Model & Hardware & Power (W) & Hours & kWh$\\cdot$PUE & CO$_2$e (lb) & Electricity{unit} & Cloud (USD) \\\\\n    \
         \\midrule\n",
    );
    let mut notes = BTreeSet::new();
    for record in records {
        let cells = row(record, common);
        let _ = writeln!(text, "    {} \\\\", cells.join(" & "));
        notes.extend(constants(record));
    }
    text += "    \\bottomrule\n  \\end{tabular}\n  \\caption{Energy and footprint of training, ";
    text += "each with twice its standard uncertainty.";
    for note in notes {
        let _ = write!(text, " {}", escaped(&note));
    }
    text + "}\n\\end{table}\n"
}

const ABSENT: &str = "--";

/// The currency of electricity, if all records whose cost is known have the same.
fn common_currency(records: &[Record]) -> Option<Currency> {
    let costs =
        records.iter().filter_map(|record| record.whole().footprint.electricity_with_currency());
    let mut currencies = costs.map(|(_, currency)| currency);
    let first = currencies.next()?;
    currencies.all(|other| other == first).then_some(first)
}

fn row(record: &Record, common: Option<Currency>) -> Vec<String> {
    let whole = record.whole();
    let footprint = &whole.footprint;
    let model = record.facts.get("model").unwrap_or(&record.run.label);
    let hours = whole.seconds / 3600.0;
    let power = whole.energy.filter(|_| whole.seconds > 0.0).map(|energy| {
        let of = |joules: ergometer::units::Joules| joules.get() / whole.seconds;
        (of(energy.joules), of(energy.standard_uncertainty))
    });
    let estimate = |value: Option<(f64, f64)>| {
        value.map_or(ABSENT.to_owned(), |(value, standard)| pair(value, standard))
    };
    let electricity = footprint.electricity_with_currency();
    let electricity = electricity.map_or(ABSENT.to_owned(), |(cost, currency)| {
        let figure = pair(cost.value.get(), cost.standard_uncertainty.get());
        if common.is_some() { figure } else { format!("{figure} {currency}") }
    });
    vec![
        escaped(model),
        escaped(&super::hardware(record)),
        estimate(power),
        significant(hours, 4),
        estimate(footprint.facility_energy.map(|e| (e.value.get(), e.standard_uncertainty.get()))),
        estimate(footprint.co2e.map(|e| (e.value.pounds(), e.standard_uncertainty.pounds()))),
        electricity,
        footprint.cloud_cost.map_or(ABSENT.to_owned(), |cost| {
            format!("{}--{}", significant(cost.low.get(), 3), significant(cost.high.get(), 3))
        }),
    ]
}

fn constants(record: &Record) -> Vec<String> {
    let site = &record.footprint.site;
    let carbon = &site.carbon;
    let assumed = if carbon.assumed { ", assumed as no region was given" } else { "" };
    vec![
        format!("PUE {} ({}, {}).", site.pue.value, site.pue.source, site.pue.year),
        format!(
            "Carbon intensity {:.1} g/kWh, {}{assumed} ({}, {}).",
            record.footprint.mean_intensity.unwrap_or(carbon.grams_per_kwh),
            carbon.place,
            carbon.source,
            carbon.year
        ),
    ]
}

/// `$412 \pm 21$`: twice the standard uncertainty, with two digits of it.
fn pair(value: f64, standard: f64) -> String {
    let spread = 2.0 * standard;
    if spread <= 0.0 {
        return significant(value, 4);
    }
    let decimals = decimals(spread, 2).min(decimals(value, 4)).max(decimals(value, 1));
    format!("${value:.decimals$} \\pm {spread:.decimals$}$")
}

fn significant(value: f64, digits: i32) -> String {
    format!("{value:.*}", decimals(value, digits))
}

/// Text in which nothing is a command of LaTeX.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '|' => escaped.push_str("\\textbar{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', letter]),
            '×' => escaped.push_str("$\\times$"),
            '±' => escaped.push_str("$\\pm$"),
            '·' => escaped.push_str("$\\cdot$"),
            _ if letter.is_control() => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_command() {
        assert_eq!(
            escaped(r"a_b & 50% {x} \end ~"),
            r"a\_b \& 50\% \{x\} \textbackslash{}end \textasciitilde{}"
        );
        assert_eq!(pair(412.3, 10.5), r"$412 \pm 21$");
        assert_eq!(pair(0.012_34, 0.000_5), r"$0.0123 \pm 0.0010$");
        assert_eq!(significant(12.0, 4), "12.00");
    }
}
