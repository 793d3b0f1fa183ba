//! The grammar of budgets, usable at compile time.

use super::Budget;
use crate::units::{Currency, GramsCo2e, Joules, KilowattHours, Money};

/// The unit of a number, with its scale.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// This many joules.
    Joules(f64),
    /// This many watt-hours.
    WattHours(f64),
    /// This many grams of CO2 equivalent.
    Grams(f64),
    /// Money.
    Money(Currency),
}

/// Units of energy and gases. Upper and lower case are the same where that cannot change the amount: `2 kwh` is
/// 2 kWh, but `mJ` and `mWh` are a thousandth of the unit and `MJ` and `MWh` a million times it.
const UNITS: [(&str, Unit); 13] = [
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
];

impl Unit {
    pub(super) fn of(self, number: f64) -> Budget {
        match self {
            Self::Joules(scale) => Budget::Energy(Joules::new(number * scale).to_kwh()),
            Self::WattHours(scale) => Budget::Energy(KilowattHours::new(number * (scale / 1e3))),
            Self::Grams(scale) => Budget::Co2e(GramsCo2e::new(number * scale)),
            Self::Money(currency) => Budget::Cost(Money::new(number), currency),
        }
    }
}

/// The number and the unit of a budget; `None` if `text` is not one. The number may still become 0 or
/// infinite when it is rounded to a float.
pub(crate) const fn read(text: &str) -> Option<(&str, Unit)> {
    let text = text.trim_ascii();
    let (number, unit) = match sign_before(text.as_bytes()) {
        0 => text.split_at(first_of_unit(text.as_bytes())),
        length => {
            let (sign, number) = text.split_at(length);
            (number, sign)
        }
    };
    let number = number.trim_ascii();
    match unit_of(unit) {
        Some(unit) if is_number(number.as_bytes()) => Some((number, unit)),
        _ => None,
    }
}

/// The length of the currency that the text begins with: `$ 3`, `€3`, `EUR 3`.
const fn sign_before(text: &[u8]) -> usize {
    match text {
        [b'$', ..] => 1,
        [0xC2, 0xA3, ..] => 2,
        [0xE2, 0x82, 0xAC, ..] => 3,
        [a, b, c, ..]
            if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_alphabetic() =>
        {
            3
        }
        _ => 0,
    }
}

/// The position of the unit: the first letter or sign that is not the `e` of an exponent.
const fn first_of_unit(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        let is_unit = text[at].is_ascii_alphabetic() || text[at] == b'$' || !text[at].is_ascii();
        if is_unit && !is_exponent(text, at) {
            return at;
        }
        at += 1;
    }
    at
}

/// Whether the letter at `at` is the `e` of `2e3`, and not the first of `EUR`.
const fn is_exponent(text: &[u8], at: usize) -> bool {
    let (_, rest) = text.split_at(at);
    match rest {
        [b'e' | b'E', b'+' | b'-', digit, ..] | [b'e' | b'E', digit, ..] => digit.is_ascii_digit(),
        _ => false,
    }
}

const fn unit_of(name: &str) -> Option<Unit> {
    let mut at = 0;
    while at < UNITS.len() {
        let known = UNITS[at].0.as_bytes();
        let same = is_same(known, name.as_bytes());
        if same || (!is_of_a_million(known) && is_alike(known, name.as_bytes())) {
            return Some(UNITS[at].1);
        }
        at += 1;
    }
    match Currency::read(name) {
        Some(currency) => Some(Unit::Money(currency)),
        None => None,
    }
}

/// The right spelling of a unit that is wrong in upper and lower case alone: `MWh` for `mwh`.
pub(super) fn misspelt(text: &str) -> Option<&'static str> {
    let text = text.trim_ascii();
    let name = text.split_at(first_of_unit(text.as_bytes())).1;
    let mut names = UNITS.iter().map(|(known, _)| *known);
    names.find(|known| *known != name && known.eq_ignore_ascii_case(name))
}

const fn is_of_a_million(name: &[u8]) -> bool {
    matches!(name, [b'M', ..])
}

const fn is_alike(mut a: &[u8], mut b: &[u8]) -> bool {
    while let ([first, a_rest @ ..], [second, b_rest @ ..]) = (a, b) {
        if !first.eq_ignore_ascii_case(second) {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.is_empty() && b.is_empty()
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
