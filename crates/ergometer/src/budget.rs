//! What a run may use up, and what happens when it has.

use std::fmt;
use std::str::FromStr;

use crate::footprint::Site;
use crate::units::{GramsCo2e, Joules, KilowattHours, UsDollars};
use crate::{Error, ErrorKind, Result};

/// What a run may use up, of one thing.
///
/// ```
/// use ergometer::Budget;
/// use ergometer::units::KilowattHours;
///
/// let budget: Budget = "2 kWh".parse()?;
/// assert_eq!(budget, Budget::Energy(KilowattHours::new(2.0)));
/// for text in ["750 Wh", "3.6 MJ", "500 gCO2e", "1.5 kgCO2e", "$ 3", "0.5 USD"] {
///     text.parse::<Budget>()?;
/// }
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// Energy that the metered domains draw.
    Energy(KilowattHours),
    /// Greenhouse gases of the facility energy, on the grid of the run's [`Site`].
    Co2e(GramsCo2e),
    /// Price of the facility energy at the run's [`Site`]; rent is not in it.
    Cost(UsDollars),
}

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// Which.
    pub budget: Budget,
    /// What the run had drawn by then: what was read, and the last second's power since.
    pub energy: Joules,
    /// Seconds since the start of the run.
    pub seconds: f64,
}

impl Budget {
    /// The energy of the metered domains that uses it up at `site`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if it is not positive and finite, or if no energy uses it up, where
    /// electricity emits or costs nothing.
    pub fn energy(&self, site: &Site) -> Result<Joules> {
        let facility = |per_kwh: f64, amount: f64| amount / (per_kwh * site.pue.value);
        let kwh = match *self {
            Self::Energy(energy) => energy.get(),
            Self::Co2e(grams) => facility(site.carbon.grams_per_kwh, grams.get()),
            Self::Cost(cost) => facility(site.electricity_price.value.get(), cost.get()),
        };
        if kwh.is_finite() && kwh > 0.0 {
            Ok(KilowattHours::new(kwh).to_joules())
        } else {
            Err(Error::new(ErrorKind::InvalidSetting, format!("a budget of {self} limits nothing"))
                .with_remedy("give a positive amount of something that the site's energy has"))
        }
    }
}

impl FromStr for Budget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::InvalidSetting, format!("'{text}' is no budget"))
                .with_remedy("write a number and a unit: 2 kWh, 750 Wh, 3.6 MJ, 500 gCO2e, 3 USD")
        };
        let trimmed = text.trim();
        let (number, unit) = if let Some(number) = trimmed.strip_prefix('$') {
            (number, "USD")
        } else {
            let unit = |c: char| c == '$' || c.is_alphabetic() && !matches!(c, 'e' | 'E');
            trimmed.split_at(trimmed.find(unit).ok_or_else(wrong)?)
        };
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let joules = |scale: f64| Self::Energy(Joules::new(number * scale).to_kwh());
        let grams = |scale: f64| Self::Co2e(GramsCo2e::new(number * scale));
        let budget = match unit.trim() {
            "J" => joules(1.0),
            "kJ" => joules(1e3),
            "MJ" => joules(1e6),
            "GJ" => joules(1e9),
            "Wh" => Self::Energy(KilowattHours::new(number / 1e3)),
            "kWh" => Self::Energy(KilowattHours::new(number)),
            "MWh" => Self::Energy(KilowattHours::new(number * 1e3)),
            "gCO2e" | "g CO2e" => grams(1.0),
            "kgCO2e" | "kg CO2e" => grams(1e3),
            "tCO2e" | "t CO2e" => grams(1e6),
            "USD" | "$" => Self::Cost(UsDollars::new(number)),
            _ => return Err(wrong()),
        };
        if number.is_finite() && number > 0.0 { Ok(budget) } else { Err(wrong()) }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Energy(energy) => energy.fmt(f),
            Self::Co2e(grams) => grams.fmt(f),
            Self::Cost(cost) => cost.fmt(f),
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, energy, seconds } = self;
        write!(f, "the budget of {budget} is spent: {energy} in {seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_means_what_it_says() {
        let joules = |text: &str| {
            text.parse::<Budget>().unwrap().energy(&Site::strubell2019()).unwrap().get()
        };
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        for (text, expected) in [
            ("2 kWh", 7.2e6),
            ("2kWh", 7.2e6),
            ("1e-3 MWh", 3.6e6),
            ("500 Wh", 1.8e6),
            ("3.6 MJ", 3.6e6),
            (" 20 J ", 20.0),
            ("1.58 USD", 3.6e6 / 0.12),
            ("$1.58", 3.6e6 / 0.12),
        ] {
            assert!(close(joules(text), expected), "{text}: {}", joules(text));
        }
        // Equation 2 of the paper, backwards.
        let grams = 0.954 * 453.592_37 * 1.58;
        assert!(close(joules(&format!("{grams} gCO2e")), 3.6e6));
        assert!(close(joules(&format!("{} kgCO2e", grams / 1e3)), 3.6e6));
    }

    #[test]
    fn what_is_no_budget_is_refused_with_what_would_be() {
        for text in ["", "2", "kWh", "2 kW", "-1 kWh", "0 J", "inf J", "nan J", "2 kWh kWh", "1e J"]
        {
            let error = text.parse::<Budget>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{text}");
            assert!(error.remedy().is_some(), "{text}");
        }
        let never = Budget::Cost(UsDollars::new(f64::NAN)).energy(&Site::current());
        assert_eq!(never.unwrap_err().kind(), ErrorKind::InvalidSetting);
    }
}
