//! Figures as people read them.

use crate::energy::Energy;
use crate::units::Joules;

/// Standard uncertainties in a printed ±: about 95 % of a normal distribution lie within two.
const COVERAGE_FACTOR: f64 = 2.0;

/// The text for a missing figure.
pub(super) const ABSENT: &str = "n/a";

const PREFIXES: [(f64, &str); 7] =
    [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];

/// `412 ± 21 J`: value and twice its standard uncertainty in one unit, with two digits of the latter.
pub(super) fn plus_minus(value: f64, standard: f64, unit: &str) -> String {
    if !value.is_finite() || !standard.is_finite() {
        return ABSENT.to_owned();
    }
    let spread = COVERAGE_FACTOR * standard;
    let largest = value.abs().max(spread);
    let (scale, prefix) = PREFIXES
        .into_iter()
        .find(|(scale, _)| largest >= *scale)
        .unwrap_or(if largest == 0.0 { (1.0, "") } else { (1e-9, "n") });
    let half = spread / scale / COVERAGE_FACTOR;
    format!("{} {prefix}{unit}", pair(value / scale, half))
}

/// `412 ± 21`: like [`plus_minus`], without a unit.
pub(super) fn pair(value: f64, standard: f64) -> String {
    let spread = COVERAGE_FACTOR * standard;
    let decimals = decimals(spread, 2).min(decimals(value, 4));
    let decimals = if spread == 0.0 { self::decimals(value, 4) } else { decimals };
    // A value that is small beside its uncertainty must not be printed as 0.
    let decimals = if value == 0.0 { decimals } else { decimals.max(self::decimals(value, 1)) };
    format!("{value:.decimals$} ± {spread:.decimals$}")
}

/// Four significant digits, never with an exponent.
pub(super) fn significant(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    format!("{value:.*}", decimals(value, 4))
}

/// Decimals that show `digits` significant digits of `value`.
fn decimals(value: f64, digits: i32) -> usize {
    if value == 0.0 {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of an f64 is within ±308")]
    let exponent = value.abs().log10().floor() as i32;
    usize::try_from(digits - 1 - exponent).unwrap_or(0)
}

pub(super) fn energy(energy: &Energy) -> String {
    plus_minus(energy.joules.get(), energy.standard_uncertainty.get(), "J")
}

pub(super) fn power(energy: &Energy, seconds: f64) -> String {
    if seconds <= 0.0 {
        return ABSENT.to_owned();
    }
    plus_minus(energy.joules.get() / seconds, energy.standard_uncertainty.get() / seconds, "W")
}

pub(super) fn or_absent<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| ABSENT.to_owned(), show)
}

pub(super) fn joules(joules: Joules) -> String {
    joules.to_string()
}

/// Milliseconds or less below 10 ms, seconds below two minutes, hours and minutes above.
pub(super) fn duration(seconds: f64) -> String {
    if seconds > 0.0 && seconds < 0.01 {
        let units = [(1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];
        let (scale, unit) =
            units.into_iter().find(|(scale, _)| seconds >= *scale).unwrap_or(units[2]);
        let value = seconds / scale;
        return format!("{value:.*} {unit}", decimals(value, 3));
    }
    if seconds < 120.0 {
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

/// A count or rate with thousands separated; three significant digits below a hundred.
pub(super) fn count(value: f64) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.*}", decimals(value, 3).min(6));
    }
    let plain = format!("{:.0}", value.abs());
    let mut grouped = String::new();
    for (position, digit) in plain.chars().enumerate() {
        if position > 0 && (plain.len() - position) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    if value < 0.0 { format!("-{grouped}") } else { grouped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_and_uncertainty_share_unit_and_decimals() {
        assert_eq!(plus_minus(412.3, 10.5, "J"), "412 ± 21 J");
        assert_eq!(plus_minus(1234.5, 31.0, "J"), "1.234 ± 0.062 kJ");
        assert_eq!(plus_minus(0.0123, 0.0005, "J"), "12.3 ± 1.0 mJ");
        assert_eq!(plus_minus(2.0, 40.0, "W"), "2 ± 80 W");
        assert_eq!(plus_minus(0.0, 0.0, "J"), "0 ± 0 J");
        assert_eq!(plus_minus(f64::NAN, 1.0, "J"), "n/a");
    }

    #[test]
    fn counts_and_durations() {
        assert_eq!(count(1_234_567.0), "1 234 567");
        assert_eq!(count(3.218), "3.22");
        assert_eq!(duration(59.123), "59.12 s");
        assert_eq!(duration(3723.0), "1 h 02 min");
        assert_eq!(duration(185.4), "3 min 05 s");
    }
}
