//! Tables and figures in a terminal.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// Columns a table may take, as those of the library's own report.
const WIDTH: u16 = 120;

/// A table whose columns after the first `text` are figures.
pub fn table(columns: &[&str], text: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(columns)
        .add_rows(rows);
    for index in text..columns.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}

/// `value` with at most three decimals, and thousands set apart: `1 234.5`.
pub fn grouped(value: f64) -> String {
    let plain = format!("{:.3}", value.abs());
    let plain = plain.trim_end_matches('0').trim_end_matches('.');
    let (whole, fraction) = plain.split_once('.').map_or((plain, ""), |(w, f)| (w, f));
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text = format!("{text}.{fraction}");
    }
    text
}

/// `59.1 s`, `3 min 05 s`, `84 h 00 min`.
pub fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.2} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive above")]
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes:02} min")
    } else {
        format!("{minutes} min {seconds:02} s")
    }
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
    fn figures_are_grouped_and_rounded() {
        assert_eq!(grouped(1_234_567.0), "1 234 567");
        assert_eq!(grouped(-1234.5), "-1 234.5");
        assert_eq!(grouped(0.12), "0.12");
        assert_eq!(duration(302_400.0), "84 h 00 min");
        assert_eq!(duration(185.4), "3 min 05 s");
        assert_eq!((percent(0.0321), spread(1.5)), ("+3.21 %".to_owned(), "150 %".to_owned()));
    }
}
