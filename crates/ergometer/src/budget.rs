//! How much a run may use, and the report when it has.

pub(crate) mod text;

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::footprint::Site;
use crate::units::{Currency, GramsCo2e, Joules, KilowattHours, Money};

/// How much of one quantity a run may use.
///
/// ```
/// use ergometer::Budget;
/// use ergometer::units::KilowattHours;
///
/// let budget: Budget = "2 kWh".parse()?;
/// assert_eq!(budget, Budget::Energy(KilowattHours::new(2.0)));
/// for text in ["750 wh", "3.6 MJ", "500 gCO2e", "1.5 kgCO2e", "$ 3", "0.5 USD", "3 EUR", "€2"] {
///     text.parse::<Budget>()?;
/// }
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Budget {
    /// Energy that the metered domains draw.
    Energy(KilowattHours),
    /// Greenhouse gases of the facility energy, on the grid of the run's [`Site`].
    Co2e(GramsCo2e),
    /// Price of the facility energy at the run's [`Site`], without rent, in the currency of the site's price.
    Cost(Money, Currency),
}

/// A budget that is used up.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let (send, spent) = std::sync::mpsc::channel();
/// meter.budget("1 J".parse()?, move |report| send.send(report).unwrap())?;
/// let report = spent.recv().unwrap(); // after 20 ms at 50 W
/// assert!(report.to_string().starts_with("the budget of"));
/// assert!((report.energy.get() / report.seconds - 50.0).abs() < 1.0);
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Spent {
    /// The budget.
    pub budget: Budget,
    /// The energy that the run had drawn by then, including all parts before interruptions. Energy not read
    /// yet is extrapolated at the last second's power.
    pub energy: Joules,
    /// Seconds that the run had taken, without the time between its parts.
    pub seconds: f64,
    /// The part of `energy` drawn before the run was [resumed](crate::MeterBuilder::resume).
    pub earlier: Joules,
}

impl Budget {
    /// The energy of the metered domains that uses up the budget at `site`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if the budget is not positive and finite, if no energy uses it up because
    /// electricity emits or costs nothing at `site`, or if it is money where no price is known or the price is in
    /// another currency: nothing is converted.
    pub fn energy(&self, site: &Site) -> Result<Joules> {
        let facility = |per_kwh: f64, amount: f64| amount / (per_kwh * site.pue.value);
        let kwh = match *self {
            Self::Energy(energy) => energy.get(),
            Self::Co2e(grams) => facility(site.carbon.grams_per_kwh, grams.get()),
            Self::Cost(cost, currency) => facility(self.price(site, currency)?.get(), cost.get()),
        };
        if kwh.is_finite() && kwh > 0.0 {
            Ok(KilowattHours::new(kwh).to_joules())
        } else {
            Err(Error::new(ErrorKind::InvalidSetting, format!("a budget of {self} limits nothing"))
                .with_remedy("give a positive amount of a quantity that is not 0 at this site"))
        }
    }

    /// The price of a kilowatt-hour at `site`, in the budget's own currency.
    fn price(&self, site: &Site, currency: Currency) -> Result<Money> {
        let refused = |why: String, remedy: String| {
            let message = format!("a budget of {self} cannot be kept: {why}");
            Err(Error::new(ErrorKind::InvalidSetting, message).with_remedy(remedy))
        };
        match &site.electricity_price {
            Some(price) if price.currency == currency => Ok(price.value),
            Some(price) => refused(
                format!("the price of electricity at this site is in {}", price.currency),
                format!(
                    "write the budget in {}, or state a price in {currency} (`0.12 {currency}`): nothing is converted",
                    price.currency
                ),
            ),
            None => refused(
                "no price of electricity is known for this site".to_owned(),
                format!(
                    "state one, `Site::with_price(\"0.12 {currency}\")` or ERGOMETER_PRICE=\"0.12 {currency}\", or a \
                     region with a known one (`ergometer prices`)"
                ),
            ),
        }
    }
}

/// What may be written.
const ACCEPTED: &str =
    "write a number and a unit: 2 kWh, 750 Wh, 3.6 MJ, 500 gCO2e, 3 USD, 3 EUR or another ISO code";

impl FromStr for Budget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (number, unit) = text::read(text)?;
            let number = number.parse().ok().filter(|number: &f64| number.is_finite())?;
            (number > 0.0).then(|| unit.of(number))
        };
        read().ok_or_else(|| {
            let remedy = match text::misspelt(text) {
                Some(unit) => format!("write `{unit}` as it stands here: {ACCEPTED}"),
                None => ACCEPTED.to_owned(),
            };
            Error::new(ErrorKind::InvalidSetting, format!("'{text}' is not a budget"))
                .with_remedy(remedy)
        })
    }
}

/// A value that states a budget: a [`Budget`], or text that parses as one.
///
/// ```
/// use ergometer::{Budget, ToBudget, units::KilowattHours};
/// assert_eq!("2 kWh".to_budget()?, Budget::Energy(KilowattHours::new(2.0)));
/// assert!("2 apples".to_budget().is_err());
/// # Ok::<(), ergometer::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a budget",
    label = "neither a text such as \"2 kWh\" nor an `ergometer::Budget`"
)]
pub trait ToBudget {
    /// The budget.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if the text is not a budget.
    fn to_budget(&self) -> Result<Budget>;
}

impl ToBudget for Budget {
    fn to_budget(&self) -> Result<Self> {
        Ok(*self)
    }
}

impl ToBudget for str {
    fn to_budget(&self) -> Result<Budget> {
        self.parse()
    }
}

impl ToBudget for String {
    fn to_budget(&self) -> Result<Budget> {
        self.parse()
    }
}

impl<B: ToBudget + ?Sized> ToBudget for &B {
    fn to_budget(&self) -> Result<Budget> {
        (**self).to_budget()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Energy(energy) => energy.fmt(f),
            Self::Co2e(grams) => grams.fmt(f),
            Self::Cost(cost, currency) => f.write_str(&currency.show(*cost)),
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, energy, seconds, earlier } = self;
        write!(f, "the budget of {budget} is spent: {energy} in {seconds:.1} s")?;
        if *earlier > Joules::ZERO {
            write!(f, ", {earlier} of it before the run was resumed")?;
        }
        Ok(())
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
        // Equation 2 of the paper, solved for the energy.
        let grams = 0.954 * 453.592_37 * 1.58;
        assert!(close(joules(&format!("{grams} gCO2e")), 3.6e6));
        assert!(close(joules(&format!("{} kgCO2e", grams / 1e3)), 3.6e6));
    }

    #[test]
    fn a_number_has_digits_and_no_sign() {
        for text in ["1. J", ".5 J", "1e-3 J", "2E+3J", "$.5", "007 J"] {
            assert!(text.parse::<Budget>().is_ok(), "{text}");
        }
        for text in [
            ". J", "1e J", "e3 J", "1.2.3 J", "1 2 J", "+1 J", "0.0 J", "1e-999 J", "1e999 J",
            "5 µJ", "$",
        ] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_budget_is_refused_with_what_would_be() {
        for text in ["", "2", "kWh", "2 kW", "-1 kWh", "0 J", "inf J", "nan J", "2 kWh kWh", "1e J"]
        {
            let error = text.parse::<Budget>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{text}");
            assert!(error.remedy().is_some(), "{text}");
        }
        let never = Budget::Cost(Money::new(f64::NAN), Currency::USD).energy(&Site::strubell2019());
        assert_eq!(never.unwrap_err().kind(), ErrorKind::InvalidSetting);
    }
    #[test]
    fn a_unit_is_understood_in_any_case_that_says_as_much() {
        let read = |text: &str| text.parse::<Budget>();
        for (text, same) in [
            ("2 kwh", "2 kWh"),
            ("2 KWH", "2 kWh"),
            ("9 wh", "9 Wh"),
            ("5 KJ", "5 kJ"),
            ("5 gj", "5 GJ"),
            ("5 j", "5 J"),
            ("5 GCO2E", "5 gCO2e"),
            ("1 KG co2e", "1 kgCO2e"),
            ("3 eur", "3 EUR"),
            ("€ 3", "3 EUR"),
            ("3€", "3 EUR"),
            ("EUR 3", "3 EUR"),
            ("3e0EUR", "3 EUR"),
            ("£3", "3 GBP"),
            ("3 usd", "$3"),
        ] {
            assert_eq!(read(text).unwrap(), read(same).unwrap(), "{text}");
        }
        // A thousandth or a million times: nobody can tell.
        for (text, right) in [("2 mwh", "MWh"), ("2 mJ", "MJ"), ("2 mj", "MJ")] {
            let error = read(text).unwrap_err();
            assert!(error.remedy().unwrap().contains(right), "{text}: {:?}", error.remedy());
        }
        for text in ["3 ¥", "3 XYZ", "3 euros", "apples 3", "3 EUR EUR"] {
            assert!(read(text).unwrap_err().remedy().unwrap().contains("ISO code"), "{text}");
        }
    }

    #[test]
    fn money_is_kept_in_the_currency_of_the_price_alone() {
        let euros: Budget = "3.08 EUR".parse().unwrap();
        let site = Site::current().with_pue(1.0).unwrap().with_price("0.308 EUR").unwrap();
        assert!((euros.energy(&site).unwrap().get() / 3.6e7 - 1.0).abs() < 1e-9);
        let dollars: Budget = "3 USD".parse().unwrap();
        let remedy = |budget: Budget, site: &Site| {
            let error = budget.energy(site).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting);
            error.remedy().unwrap().to_owned()
        };
        assert!(remedy(dollars, &site).contains("write the budget in EUR"));
        assert!(remedy(dollars, &Site::current()).contains("0.12 USD"));
        assert_eq!(euros.to_string(), "3.08 EUR");
    }
}
