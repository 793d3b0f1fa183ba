//! Quantities as types, so that watts cannot be mistaken for joules nor grams for kilograms.
//!
//! Every type wraps one `f64` in the unit its name states and serialises as that plain number.
//! Only meaningful arithmetic is offered: quantities of one kind add and subtract, any quantity scales by a
//! number, and [`Watts`] × [`Duration`] is [`Joules`].

mod currency;

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub, SubAssign};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use currency::Currency;

/// Grams in one avoirdupois pound (exact by definition, 1959 international agreement).
pub(crate) const GRAMS_PER_POUND: f64 = 453.592_37;

/// Joules in one kilowatt-hour (exact by definition).
pub(crate) const JOULES_PER_KWH: f64 = 3.6e6;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $unit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(f64);

        impl $name {
            /// Zero of this quantity.
            pub const ZERO: Self = Self(0.0);

            #[doc = concat!("A quantity of `value` ", $unit, ".")]
            #[must_use]
            pub const fn new(value: f64) -> Self {
                Self(value)
            }

            #[doc = concat!("The quantity as a plain number of ", $unit, ".")]
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }

            /// The larger of two quantities.
            #[must_use]
            pub const fn max(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }

            /// The smaller of two quantities.
            #[must_use]
            pub const fn min(self, other: Self) -> Self {
                Self(self.0.min(other.0))
            }

            /// The quantity without its sign.
            #[must_use]
            pub const fn abs(self) -> Self {
                Self(self.0.abs())
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }

        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }

        impl Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }

        /// The ratio of two quantities of one kind is a plain number.
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                Self(items.map(|item| item.0).sum())
            }
        }
    };
}

quantity!(
    /// Energy in joules.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ergometer::units::{Joules, Watts};
    /// let energy = Watts::new(50.0) * Duration::from_secs(2);
    /// assert_eq!(energy, Joules::new(100.0));
    /// assert_eq!(energy.over(Duration::from_secs(4)), Some(Watts::new(25.0)));
    /// ```
    Joules,
    "joules"
);
quantity!(
    /// Power in watts (joules per second).
    ///
    /// ```
    /// use std::time::Duration;
    /// use ergometer::units::{KilowattHours, Watts};
    /// let hour = Duration::from_secs(3600);
    /// assert_eq!((Watts::new(1000.0) * hour).to_kwh(), KilowattHours::new(1.0));
    /// ```
    Watts,
    "watts"
);
quantity!(
    /// Energy in kilowatt-hours; 1 kWh is 3.6 MJ.
    ///
    /// ```
    /// use ergometer::units::{Joules, KilowattHours};
    /// assert_eq!(KilowattHours::new(0.5).to_joules(), Joules::new(1.8e6));
    /// ```
    KilowattHours,
    "kilowatt-hours"
);
quantity!(
    /// A mass of greenhouse gases in grams of CO2 equivalent.
    ///
    /// ```
    /// use ergometer::units::GramsCo2e;
    /// assert_eq!(GramsCo2e::new(2500.0).kilograms(), 2.5);
    /// ```
    GramsCo2e,
    "grams of CO2 equivalent"
);
quantity!(
    /// Money in US dollars.
    ///
    /// ```
    /// use ergometer::units::UsDollars;
    /// assert_eq!(UsDollars::new(0.12) * 10.0, UsDollars::new(1.2));
    /// ```
    UsDollars,
    "US dollars"
);

quantity!(
    /// Money in a [`Currency`] that is stated beside it.
    ///
    /// ```
    /// use ergometer::units::{Currency, Money};
    /// assert_eq!(Currency::EUR.show(Money::new(0.31) * 10.0), "3.10 EUR");
    /// ```
    Money,
    "a currency that is stated beside it"
);

quantity!(
    /// Water in litres.
    ///
    /// ```
    /// use ergometer::units::Litres;
    /// assert_eq!(Litres::new(1.8).to_string(), "1.80 l");
    /// ```
    Litres,
    "litres"
);

impl Joules {
    /// The same energy in kilowatt-hours.
    ///
    /// ```
    /// use ergometer::units::Joules;
    /// assert_eq!(Joules::new(7.2e6).to_kwh().get(), 2.0);
    /// ```
    #[must_use]
    pub const fn to_kwh(self) -> KilowattHours {
        KilowattHours(self.0 / JOULES_PER_KWH)
    }

    /// The mean power that spends this energy in `duration`; `None` for an empty duration.
    #[must_use]
    pub fn over(self, duration: Duration) -> Option<Watts> {
        (!duration.is_zero()).then(|| Watts(self.0 / duration.as_secs_f64()))
    }
}

impl KilowattHours {
    /// The same energy in joules.
    #[must_use]
    pub const fn to_joules(self) -> Joules {
        Joules(self.0 * JOULES_PER_KWH)
    }
}

impl GramsCo2e {
    /// The mass in kilograms.
    #[must_use]
    pub const fn kilograms(self) -> f64 {
        self.0 / 1000.0
    }

    /// The mass in avoirdupois pounds, the unit of Strubell et al. (2019).
    ///
    /// ```
    /// use ergometer::units::GramsCo2e;
    /// assert_eq!(GramsCo2e::new(453.59237).pounds(), 1.0);
    /// ```
    #[must_use]
    pub const fn pounds(self) -> f64 {
        self.0 / GRAMS_PER_POUND
    }

    /// A mass given in avoirdupois pounds.
    #[must_use]
    pub const fn from_pounds(pounds: f64) -> Self {
        Self(pounds * GRAMS_PER_POUND)
    }
}

impl Mul<Duration> for Watts {
    type Output = Joules;
    fn mul(self, duration: Duration) -> Joules {
        Joules(self.0 * duration.as_secs_f64())
    }
}

/// `value` with about three significant digits and an SI prefix: `1.23 kJ`.
fn si(f: &mut fmt::Formatter<'_>, value: f64, unit: &str) -> fmt::Result {
    const STEPS: [(f64, &str); 7] =
        [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];
    let magnitude = value.abs();
    if !value.is_finite() {
        return write!(f, "{value} {unit}");
    }
    // What would be printed as 0.00 or -0.00 of the smallest unit.
    if magnitude < 0.005 * STEPS[6].0 {
        return write!(f, "0 {unit}");
    }
    let &(scale, prefix) =
        STEPS.iter().find(|(scale, _)| magnitude >= *scale * 0.9995).unwrap_or(&STEPS[6]);
    let scaled = value / scale;
    let decimals = match scaled.abs() {
        m if m >= 99.95 => 0,
        m if m >= 9.995 => 1,
        _ => 2,
    };
    write!(f, "{scaled:.decimals$} {prefix}{unit}")
}

impl fmt::Display for Joules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        si(f, self.0, "J")
    }
}

impl fmt::Display for Watts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        si(f, self.0, "W")
    }
}

impl fmt::Display for KilowattHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        si(f, self.0 * 1000.0, "Wh")
    }
}

impl fmt::Display for GramsCo2e {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        si(f, self.0, "g CO2e")
    }
}

impl fmt::Display for UsDollars {
    /// Whole dollars above 1000, cents below, three significant digits below ten cents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", amount(self.0))
    }
}

impl fmt::Display for Litres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} l", amount(self.0))
    }
}

/// Whole units above 1000, hundredths below, three significant digits below a tenth.
fn amount(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1000.0 {
        format!("{value:.0}")
    } else if magnitude >= 0.1 || magnitude == 0.0 {
        format!("{value:.2}")
    } else {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the exponent of an f64 is within ±308"
        )]
        let exponent = magnitude.log10().floor() as i32;
        format!("{value:.*}", usize::try_from(2 - exponent).unwrap_or(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watts_times_time_is_energy() {
        assert_eq!(Watts::new(250.0) * Duration::from_secs(4), Joules::new(1000.0));
        assert_eq!(Joules::new(1000.0).over(Duration::from_secs(4)), Some(Watts::new(250.0)));
        assert_eq!(Joules::new(1.0).over(Duration::ZERO), None);
    }

    #[test]
    fn display_keeps_three_digits_and_carries_into_the_next_prefix() {
        assert_eq!(Joules::new(0.0123).to_string(), "12.3 mJ");
        assert_eq!(Joules::new(999.9).to_string(), "1.00 kJ");
        assert_eq!(Joules::new(412.4).to_string(), "412 J");
        assert_eq!(KilowattHours::new(26.843).to_string(), "26.8 kWh");
        assert_eq!(Joules::ZERO.to_string(), "0 J");
        assert_eq!(Joules::new(-1.1e-13).to_string(), "0 J");
        assert_eq!(Joules::new(-1.1e-9).to_string(), "-1.10 nJ");
    }

    #[test]
    fn dollars_have_no_exponent() {
        let shown = [1472.4, 12.345, 0.0, 0.1, 0.0123, 0.000_082_1, 6.1e-8];
        let text = shown.map(|value| UsDollars::new(value).to_string());
        let expected =
            ["$1472", "$12.35", "$0.00", "$0.10", "$0.0123", "$0.0000821", "$0.0000000610"];
        assert_eq!(text, expected);
    }
}
