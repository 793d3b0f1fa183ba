//! Tables and figures in a terminal.

use ergometer::report::{Column, Table, paragraph, width};

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
