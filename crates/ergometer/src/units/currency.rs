//! Currencies, by their ISO 4217 codes. Nothing converts one into another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Money;
use crate::error::{Error, ErrorKind, Result};

/// A currency, by its ISO 4217 code.
///
/// Amounts of two currencies are never added, and nothing is converted: an exchange rate would be one more figure
/// that nobody stated.
///
/// ```
/// use ergometer::units::{Currency, Money};
///
/// let euros: Currency = "eur".parse()?;
/// assert_eq!(euros, Currency::EUR);
/// assert_eq!(euros.show(Money::new(0.31)), "0.31 EUR");
/// assert_eq!(Currency::USD.show(Money::new(0.31)), "$0.31");
/// assert!("apples".parse::<Currency>().is_err());
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Codes that are understood where a user writes one.
const KNOWN: [&str; 46] = [
    "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP",
    "EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KES", "KRW", "MXN", "MYR",
    "NGN", "NOK", "NZD", "PEN", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SEK",
    "SGD", "THB", "TRY", "TWD", "UAH", "USD", "ZAR",
];

impl Currency {
    /// US dollars.
    pub const USD: Self = Self(*b"USD");
    /// Euros.
    pub const EUR: Self = Self(*b"EUR");
    /// Pounds sterling.
    pub const GBP: Self = Self(*b"GBP");

    /// The currency of a code, whatever its case, or of `$`, `€` or `£`; `None` for any other text.
    pub(crate) const fn read(text: &str) -> Option<Self> {
        let code = match text.as_bytes() {
            [b'$'] => return Some(Self::USD),
            [0xE2, 0x82, 0xAC] => return Some(Self::EUR),
            [0xC2, 0xA3] => return Some(Self::GBP),
            [a, b, c] => [a.to_ascii_uppercase(), b.to_ascii_uppercase(), c.to_ascii_uppercase()],
            _ => return None,
        };
        let mut at = 0;
        while at < KNOWN.len() {
            let known = KNOWN[at].as_bytes();
            if known[0] == code[0] && known[1] == code[1] && known[2] == code[2] {
                return Some(Self(code));
            }
            at += 1;
        }
        None
    }

    /// The code: `EUR`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// An amount as reports print it: `$0.12`, `0.31 EUR`.
    #[must_use]
    pub fn show(self, amount: Money) -> String {
        self.mark(&super::amount(amount.get()))
    }

    /// A figure that has its digits already, with the currency's sign or code.
    ///
    /// ```
    /// use ergometer::units::Currency;
    ///
    /// let figure = "0.31 ± 0.02";
    /// assert_eq!(Currency::EUR.mark(figure), "0.31 ± 0.02 EUR");
    /// assert_eq!(Currency::USD.mark(figure), "$0.31 ± 0.02");
    /// ```
    #[must_use]
    pub fn mark(self, figure: &str) -> String {
        if self == Self::USD { format!("${figure}") } else { format!("{figure} {self}") }
    }
}

impl FromStr for Currency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::read(text.trim()).ok_or_else(|| {
            let message = format!("'{text}' is not a currency that is known");
            Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy(format!("write an ISO code: {}", KNOWN.join(", ")))
        })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// That of records which were written before a currency could be stated.
impl Default for Currency {
    fn default() -> Self {
        Self::USD
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A record may hold a code that this version would not accept from a user.
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        let bytes = <[u8; 3]>::try_from(code.as_bytes()).ok();
        bytes.filter(|bytes| bytes.iter().all(u8::is_ascii_uppercase)).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("'{code}' is not the code of a currency"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_a_code_or_its_sign() {
        for (text, code) in [
            ("EUR", "EUR"),
            ("eur", "EUR"),
            ("€", "EUR"),
            ("£", "GBP"),
            ("$", "USD"),
            ("Sek", "SEK"),
        ] {
            assert_eq!(text.parse::<Currency>().unwrap().as_str(), code, "{text}");
        }
        for text in ["", "E", "EURO", "¥", "XXX", "€ ", "kWh"] {
            assert!(Currency::read(text).is_none(), "{text}");
        }
        let error = "apples".parse::<Currency>().unwrap_err();
        assert!(error.remedy().unwrap().contains("EUR"));
        assert!(KNOWN.is_sorted() && KNOWN.iter().all(|code| Currency::read(code).is_some()));
    }

    #[test]
    fn a_record_keeps_any_code() {
        let read = |text: &str| serde_json::from_str::<Currency>(text);
        assert_eq!(serde_json::to_string(&read("\"XAF\"").unwrap()).unwrap(), "\"XAF\"");
        assert!(read("\"euro\"").is_err() && read("\"eur\"").is_err() && read("1").is_err());
    }
}
