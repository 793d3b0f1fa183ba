//! Figures as people read them: as many digits as mean something.

/// `value` rounded to `digits` significant digits, without an exponent, thousands set apart by commas.
pub fn significant(value: f64, digits: i32) -> String {
    fixed(value, decimals(value, digits))
}

/// `value ± spread`, both rounded to the second significant digit of `spread`.
pub fn plus_minus(value: f64, spread: f64) -> String {
    if !value.is_finite() || !spread.is_finite() {
        return "n/a".to_owned();
    }
    // No more than four digits of the value, however certain it is.
    let decimals = decimals(spread, 2).min(decimals(value, 4));
    format!("{} ± {}", fixed(value, decimals), fixed(spread, decimals))
}

/// `low–high ± spread`, or one figure where both ends show the same, all rounded to the second significant digit of
/// `spread`.
pub fn range_plus_minus(low: f64, high: f64, spread: f64) -> String {
    let decimals = decimals(spread, 2).min(decimals(high, 4));
    let (low, high) = (fixed(low, decimals), plus_minus(high, spread));
    if high.starts_with(&format!("{low} ")) { high } else { format!("{low}–{high}") }
}

/// `value ± spread` with one SI prefix for both: `(1.23 ± 0.37) kJ`.
pub fn plus_minus_si(value: f64, spread: f64, unit: &str) -> String {
    const STEPS: [(f64, &str); 6] =
        [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ")];
    let &(scale, prefix) =
        STEPS.iter().find(|(scale, _)| value.abs() >= *scale).unwrap_or(&STEPS[3]);
    format!("({}) {prefix}{unit}", plus_minus(value / scale, spread / scale))
}

/// The decimals that show `digits` significant digits of `value`; below 0 the last digits of its whole part are 0.
fn decimals(value: f64, digits: i32) -> i32 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    // Rounded first, so that 0.0999 counts as 0.100 and not as 0.0999 with one digit more.
    let shown = format!("{:.*e}", usize::try_from(digits - 1).unwrap_or(0), value.abs());
    let exponent: i32 = shown.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    digits - 1 - exponent
}

/// `value` with `decimals` decimals, thousands set apart by commas; -2 rounds to hundreds.
pub fn fixed(value: f64, decimals: i32) -> String {
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    let Ok(places) = usize::try_from(decimals) else {
        let step = 10_f64.powi(-decimals);
        return grouped(&format!("{:.0}", (value / step).round() * step));
    };
    grouped(&format!("{value:.places$}"))
}

/// A figure that is copied from where it is printed, with all its digits.
pub fn as_printed(value: f64) -> String {
    grouped(&value.to_string())
}

/// A number with its thousands set apart by commas.
fn grouped(number: &str) -> String {
    let (sign, plain) = number.strip_prefix('-').map_or(("", number), |plain| ("-", plain));
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or_else(|| format!("{sign}{grouped}"), |f| format!("{sign}{grouped}.{f}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_significant_ones() {
        assert_eq!(significant(0.001_234_5, 3), "0.00123");
        assert_eq!(significant(1415.78, 3), "1,420");
        assert_eq!(significant(1_234_567.0, 2), "1,200,000");
        assert_eq!(significant(0.0999_9, 3), "0.100");
        assert_eq!(significant(999.6, 3), "1,000");
        assert_eq!(significant(-5.0, 2), "-5.0");
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(f64::NAN, 3), "n/a");
    }

    #[test]
    fn a_value_has_the_digits_of_its_uncertainty() {
        assert_eq!(plus_minus(412.345, 123.4), "410 ± 120");
        assert_eq!(plus_minus(0.004_123, 0.001_6), "0.0041 ± 0.0016");
        assert_eq!(plus_minus(26.843, 0.000_1), "26.84 ± 0.00");
        assert_eq!(plus_minus(5.0, 0.0), "5 ± 0");
        assert_eq!(plus_minus(198.0, 152.5), "200 ± 150");
    }

    #[test]
    fn a_range_has_the_digits_of_its_uncertainty() {
        assert_eq!(range_plus_minus(4583.0, 4903.0, 3775.0), "4,600–4,900 ± 3,800");
        assert_eq!(range_plus_minus(198.2, 198.2, 152.0), "200 ± 150");
        assert_eq!(range_plus_minus(4583.0, 4603.0, 3775.0), "4,600 ± 3,800", "one figure");
    }

    #[test]
    fn what_is_printed_elsewhere_keeps_its_digits() {
        assert_eq!(
            [1415.78, 26.0, 0.1, -12_345.5].map(as_printed),
            ["1,415.78", "26", "0.1", "-12,345.5"]
        );
    }

    #[test]
    fn value_and_uncertainty_share_one_prefix() {
        assert_eq!(plus_minus_si(1234.0, 370.0, "J"), "(1.23 ± 0.37) kJ");
        assert_eq!(plus_minus_si(0.012, 0.004, "J"), "(12.0 ± 4.0) mJ");
        assert_eq!(plus_minus_si(0.0, 0.0, "J"), "(0 ± 0) J");
    }
}
