//! Tables and figures in a terminal.

use ergometer::report::{Column, Table, paragraph, width};
pub use ergometer_page::figure::{duration, grouped};

/// A table that fits the terminal: columns of text, and of figures after them.
pub fn table<const T: usize, const F: usize>(
    text: [Column; T],
    figures: [&str; F],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let columns = text.into_iter().chain(figures.map(Column::figure)).collect();
    Table::new(columns, rows).fit(width())
}

/// A line of text, wrapped where the terminal ends.
pub fn wrapped(text: &str) -> String {
    format!("{}\n", indented(text, 2))
}

/// What follows `indent` columns, wrapped where the terminal ends.
pub fn indented(text: &str, indent: usize) -> String {
    paragraph(text, indent, width())
}

/// `+3.21 %`, with the digits that three significant ones take.
pub fn percent(share: f64) -> String {
    format!("{:+.*} %", decimals(share), share * 100.0)
}

/// `4.5 %`, of what has no sign.
pub fn spread(share: f64) -> String {
    format!("{:.*} %", decimals(share), share * 100.0)
}

fn decimals(share: f64) -> usize {
    match share.abs() {
        share if share >= 0.9995 => 0,
        share if share >= 0.09995 => 1,
        _ => 2,
    }
}

/// Shown in place of a figure that was not read.
pub const ABSENT: &str = "n/a";

/// The figure, or [`ABSENT`].
pub fn or_absent<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| ABSENT.to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_three_digits() {
        assert_eq!((percent(0.0321), spread(1.5)), ("+3.21 %".to_owned(), "150 %".to_owned()));
    }
}
