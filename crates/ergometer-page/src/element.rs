//! What pages are made of: charts with their keys, tables, bars.

use ergometer::energy::Energy;
use ergometer::report::Column;
use maud::{Markup, PreEscaped, html};

use crate::chart::{self, Chart};

/// Where the whisker of an energy ends.
pub(crate) fn end(energy: &Energy) -> f64 {
    energy.joules.get() + 2.0 * energy.standard_uncertainty.get()
}

/// A chart with its key, and a sentence on how to read it.
pub(crate) fn drawing(chart: &Chart, caption: &Markup) -> Markup {
    html! {
        figure {
            @if !chart.key.is_empty() {
                ul.key {
                    @for item in &chart.key {
                        li { span style={ "opacity:" (item.opacity) ";background:" (item.colour) } { } (item.text) }
                    }
                }
            }
            div.scroll tabindex="0" role="group" aria-label="chart" { (PreEscaped(chart.inline())) }
            figcaption { (caption) }
        }
    }
}

/// A table that scrolls where it is wider than its place.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>]) -> Markup {
    let cell = |column: &Column, text: &str| {
        let length = text.chars().count();
        html! { td.figure[column.is_figure()].mid[(21..=48).contains(&length)].long[length > 48] { (text) } }
    };
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { @for column in columns { th.figure[column.is_figure()] { (column.title()) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (column, text) in columns.iter().zip(row) { (cell(column, text)) } }
                    }
                }
            }
        }
    }
}

/// An energy as a bar, with its uncertainty; `most` is as wide as a bar can be.
pub(crate) fn bar(energy: &Energy, most: f64, place: usize) -> Markup {
    PreEscaped(bar_svg(energy.joules.get(), energy.standard_uncertainty.get(), most, place))
}

/// A bar with a whisker of twice the standard uncertainty, as wide as its share of `most`.
pub(crate) fn bar_svg(value: f64, standard: f64, most: f64, place: usize) -> String {
    const LONGEST: f64 = 156.0;
    let at = |value: f64| (value / most.max(f64::MIN_POSITIVE) * LONGEST).clamp(0.0, LONGEST);
    let (low, high) = (at(value - 2.0 * standard), at(value + 2.0 * standard));
    let whisker = if standard > 0.0 {
        format!(
            "<path d=\"M{low:.1} 7H{high:.1}M{low:.1} 3v8M{high:.1} 3v8\" stroke=\"currentColor\" fill=\"none\"/>"
        )
    } else {
        String::new()
    };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 160 14\" aria-hidden=\"true\"><rect x=\"0\" y=\"2\" width=\"{:.1}\" \
         height=\"10\" fill=\"{}\"/>{whisker}</svg>",
        at(value),
        chart::hex(chart::colour(place))
    )
}
