//! The grammar of budgets, usable at compile time.

use super::Budget;
use crate::units::{GramsCo2e, Joules, KilowattHours, UsDollars};

/// The unit of a number, with its scale.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// This many joules.
    Joules(f64),
    /// This many watt-hours.
    WattHours(f64),
    /// This many grams of CO2 equivalent.
    Grams(f64),
    /// US dollars.
    Dollars,
}

const UNITS: [(&str, Unit); 15] = [
    ("J", Unit::Joules(1.0)),
    ("kJ", Unit::Joules(1e3)),
    ("MJ", Unit::Joules(1e6)),
    ("GJ", Unit::Joules(1e9)),
    ("Wh", Unit::WattHours(1.0)),
    ("kWh", Unit::WattHours(1e3)),
    ("MWh", Unit::WattHours(1e6)),
    ("gCO2e", Unit::Grams(1.0)),
    ("g CO2e", Unit::Grams(1.0)),
    ("kgCO2e", Unit::Grams(1e3)),
    ("kg CO2e", Unit::Grams(1e3)),
    ("tCO2e", Unit::Grams(1e6)),
    ("t CO2e", Unit::Grams(1e6)),
    ("USD", Unit::Dollars),
    ("$", Unit::Dollars),
];

impl Unit {
    pub(super) fn of(self, number: f64) -> Budget {
        match self {
            Self::Joules(scale) => Budget::Energy(Joules::new(number * scale).to_kwh()),
            Self::WattHours(scale) => Budget::Energy(KilowattHours::new(number * (scale / 1e3))),
            Self::Grams(scale) => Budget::Co2e(GramsCo2e::new(number * scale)),
            Self::Dollars => Budget::Cost(UsDollars::new(number)),
        }
    }
}

/// The number and the unit of a budget; `None` if `text` is not one. The number may still become 0 or
/// infinite when it is rounded to a float.
pub(crate) const fn read(text: &str) -> Option<(&str, Unit)> {
    let text = text.trim_ascii();
    let (number, unit) = match text.as_bytes() {
        [b'$', ..] => (text.split_at(1).1, "$"),
        bytes => text.split_at(first_of_unit(bytes)),
    };
    let number = number.trim_ascii();
    match unit_of(unit) {
        Some(unit) if is_number(number.as_bytes()) => Some((number, unit)),
        _ => None,
    }
}

/// The position of the unit: its first letter that cannot belong to an exponent.
const fn first_of_unit(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        let is_letter = text[at].is_ascii_alphabetic() && !matches!(text[at], b'e' | b'E');
        if is_letter || text[at] == b'$' {
            return at;
        }
        at += 1;
    }
    at
}

const fn unit_of(name: &str) -> Option<Unit> {
    let mut at = 0;
    while at < UNITS.len() {
        if is_same(UNITS[at].0.as_bytes(), name.as_bytes()) {
            return Some(UNITS[at].1);
        }
        at += 1;
    }
    None
}

const fn is_same(mut a: &[u8], mut b: &[u8]) -> bool {
    while let ([first, a_rest @ ..], [second, b_rest @ ..]) = (a, b) {
        if *first != *second {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.is_empty() && b.is_empty()
}

/// Digits with at most one point among them and an optional exponent; not all digits are 0.
const fn is_number(text: &[u8]) -> bool {
    let (whole, rest) = digits(text);
    let (part, rest) = match rest {
        [b'.', rest @ ..] => digits(rest),
        _ => (&[] as &[u8], rest),
    };
    let ends = match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            let (exponent, rest) = digits(exponent);
            !exponent.is_empty() && rest.is_empty()
        }
        _ => false,
    };
    ends && (is_positive(whole) || is_positive(part))
}

const fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < text.len() && text[at].is_ascii_digit() {
        at += 1;
    }
    text.split_at(at)
}

const fn is_positive(mut digits: &[u8]) -> bool {
    while let [digit, rest @ ..] = digits {
        if *digit != b'0' {
            return true;
        }
        digits = rest;
    }
    false
}
