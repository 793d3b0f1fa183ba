//! Money with its currency: amounts in two currencies have no sum, and nothing is converted.

use ergometer::footprint::Footprint;
use ergometer::units::Currency;
use serde::{Deserialize, Serialize};

use super::figure::significant;

/// Money in a currency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Amount {
    /// How much.
    pub value: f64,
    /// Of what.
    pub currency: Currency,
}

/// An amount as files have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Stated {
        value: f64,
        currency: Currency,
    },
    /// Of before amounts had a currency.
    Dollars(f64),
}

impl From<Written> for Amount {
    fn from(written: Written) -> Self {
        match written {
            Written::Stated { value, currency } => Self { value, currency },
            Written::Dollars(value) => Self { value, currency: Currency::USD },
        }
    }
}

impl Amount {
    /// What the electricity of a run cost; `None` where no price is known.
    pub fn of(footprint: &Footprint) -> Option<Self> {
        let (cost, currency) = footprint.electricity_with_currency()?;
        Some(Self { value: cost.value.get(), currency })
    }

    /// Both; `None` of two currencies.
    pub fn plus(self, other: Self) -> Option<Self> {
        let sum = Self { value: self.value + other.value, ..self };
        (self.currency == other.currency).then_some(sum)
    }

    /// The share of one of `count`.
    pub fn over(self, count: f64) -> Self {
        Self { value: self.value / count, ..self }
    }

    /// As tables print it: `$0.12`, `0.12 EUR`.
    pub fn show(self) -> String {
        self.currency.mark(&significant(self.value, 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_currencies_have_no_sum() {
        let [euros, dollars] =
            [Currency::EUR, Currency::USD].map(|currency| Amount { value: 0.06, currency });
        assert_eq!(euros.plus(euros), Some(Amount { value: 0.12, ..euros }));
        assert_eq!((euros.plus(dollars), dollars.plus(euros)), (None, None));
        assert_eq!((euros.over(2.0).show(), dollars.show()), ("0.030 EUR".into(), "$0.060".into()));
    }

    #[test]
    fn a_number_alone_is_of_before_there_were_currencies() {
        let read = |text: &str| serde_json::from_str::<Amount>(text).unwrap();
        assert_eq!(read("0.5"), Amount { value: 0.5, currency: Currency::USD });
        let euros = Amount { value: 0.5, currency: Currency::EUR };
        assert_eq!(read(&serde_json::to_string(&euros).unwrap()), euros);
        assert!(serde_json::from_str::<Amount>("\"0.5\"").is_err());
    }
}
