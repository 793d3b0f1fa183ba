//! Figures as people read them.

use ergometer::energy::Energy;
use ergometer::footprint::Estimate;
use ergometer::record::Record;
use ergometer::units::{Currency, Money};

/// Shown in place of a figure that was not read.
pub(crate) const ABSENT: &str = "n/a";

/// `value` with three decimals or three significant digits, and thousands set apart: `1 234.5`, `0.000123`.
#[must_use]
pub fn grouped(value: f64) -> String {
    let plain = format!("{:.*}", decimals(value, 3).max(3), value.abs());
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
#[must_use]
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

/// `value` with this many significant digits, without an exponent.
pub(crate) fn significant(value: f64, digits: i32) -> String {
    let decimals = decimals(value, digits);
    if decimals == 0 { grouped(value.round()) } else { format!("{value:.decimals$}") }
}

/// Energy with two standard uncertainties.
pub(crate) fn energy(energy: &Energy) -> String {
    plus_minus(energy.joules.get(), energy.standard_uncertainty.get(), "J")
}

/// Greenhouse gases of the whole run.
pub(crate) fn gases(record: &Record) -> String {
    record.whole().footprint.co2e.map_or(ABSENT.to_owned(), |gases| {
        let (grams, standard) = (gases.value.get(), gases.standard_uncertainty.get());
        // Megagrams are not in use.
        if grams >= 1e6 {
            plus_minus(grams / 1e6, standard / 1e6, "t")
        } else {
            plus_minus(grams, standard, "g")
        }
    })
}

/// `412 ± 21 kJ`: a value and twice its standard uncertainty.
pub(crate) fn plus_minus(value: f64, standard: f64, unit: &str) -> String {
    const PREFIXES: [(f64, &str); 7] =
        [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];
    if !value.is_finite() || !standard.is_finite() {
        return ABSENT.to_owned();
    }
    let largest = value.abs().max(2.0 * standard);
    let (scale, prefix) =
        PREFIXES.into_iter().find(|(scale, _)| largest >= *scale).unwrap_or((1.0, ""));
    let (value, spread) = (value / scale, 2.0 * standard / scale);
    let digits = decimals(if spread > 0.0 { spread } else { value }, 2).min(decimals(value, 4));
    // A value that is small beside its uncertainty must not be printed as 0.
    let digits = digits.max(decimals(value, 1));
    format!("{value:.digits$} ± {spread:.digits$} {prefix}{unit}")
}

/// `$0.000082 ± 0.000063`, `0.31 ± 0.02 EUR`: a price and twice its standard uncertainty.
pub(crate) fn money(currency: Currency, cost: Estimate<Money>) -> String {
    let (value, standard) = (cost.value.get(), cost.standard_uncertainty.get());
    if !value.is_finite() || !standard.is_finite() {
        return ABSENT.to_owned();
    }
    let spread = 2.0 * standard;
    let decimals = decimals(if spread > 0.0 { spread } else { value }, 2);
    let decimals = if value.abs() >= 0.1 { decimals.min(2) } else { decimals };
    currency.mark(&format!("{value:.decimals$} ± {spread:.decimals$}"))
}

/// Decimals that show this many significant digits.
#[must_use]
pub fn decimals(value: f64, digits: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of an f64 is within ±308")]
    let exponent = value.abs().log10().floor() as i32;
    usize::try_from(digits - 1 - exponent).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        assert_eq!(
            (grouped(1_234_567.0), grouped(-1234.5)),
            ("1 234 567".into(), "-1 234.5".into())
        );
        assert_eq!(grouped(0.12), "0.12");
        assert_eq!((grouped(0.000_123_4), grouped(0.0)), ("0.000123".into(), "0".into()));
        assert_eq!(duration(302_400.0), "84 h 00 min");
        assert_eq!(duration(185.4), "3 min 05 s");
        assert_eq!(plus_minus(412_345.0, 10_500.0, "J"), "412 ± 21 kJ");
        assert_eq!(plus_minus(0.0, 0.0, "J"), "0 ± 0 J");
        assert_eq!(plus_minus(0.3, 40.0, "W"), "0.3 ± 80.0 W", "not 0 ± 80 W");
        assert_eq!(plus_minus(2e-9, 1e-9, "J"), "2.0 ± 2.0 nJ");
        assert_eq!(plus_minus(f64::NAN, 1.0, "J"), "n/a");
        let cost = |value, standard| Estimate {
            value: Money::new(value),
            standard_uncertainty: Money::new(standard),
        };
        let small = cost(0.000_082_1, 0.000_031_4);
        assert_eq!(money(Currency::USD, small), "$0.000082 ± 0.000063");
        assert_eq!(money(Currency::EUR, small), "0.000082 ± 0.000063 EUR");
        assert_eq!(money(Currency::USD, cost(638.85, 12.8)), "$639 ± 26");
        assert_eq!(money(Currency::USD, cost(0.0, 0.0)), "$0 ± 0");
        assert_eq!(money(Currency::EUR, cost(f64::NAN, 0.0)), "n/a");
        assert_eq!(
            (significant(0.012_345, 2), significant(12_345.6, 2)),
            ("0.012".into(), "12 346".into())
        );
    }
}
