//! Prices of electricity, each with its currency, payer, source and year.

mod table;

use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::grid;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::units::{Currency, Money};
use table::{EUROPEAN_UNION, STATES, UNITED_STATES};

/// Who pays a price. Industry pays a half to a third of what households do.
///
/// ```
/// use ergometer::footprint::{ElectricityPrice, Payer};
///
/// let [home, industry] = [Payer::Households, Payer::Industry].map(|payer| ElectricityPrice::find("DE", payer));
/// assert!(home?.value > industry?.value);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Payer {
    /// A household, taxes included.
    Households,
    /// Industry, as a data centre is; without taxes that it gets back.
    Industry,
    /// Not stated, as with a price of the user's own; also a kind of a later version's record.
    #[default]
    #[serde(other)]
    Unstated,
}

impl Payer {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Households => "households",
            Self::Industry => "industry",
            Self::Unstated => "payer not stated",
        }
    }
}

/// The price of a kilowatt-hour.
///
/// ```
/// use ergometer::footprint::{ElectricityPrice, Payer};
/// use ergometer::units::Currency;
///
/// let mine: ElectricityPrice = "0.31 EUR".parse()?;
/// assert_eq!((mine.value.get(), mine.currency), (0.31, Currency::EUR));
/// let texas = ElectricityPrice::find("US-TX", Payer::Industry)?;
/// assert_eq!((texas.currency, texas.year), (Currency::USD, 2023));
/// // Nobody invents a price: what is not known says where the nearest known one is.
/// let error = ElectricityPrice::find("CH", Payer::Industry).unwrap_err();
/// assert!(error.remedy().unwrap().contains("LU"));
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElectricityPrice {
    /// Price of a kilowatt-hour.
    pub value: Money,
    /// Its currency. Records of before it could be stated are in US dollars.
    #[serde(default)]
    pub currency: Currency,
    /// Who pays it.
    #[serde(default)]
    pub payer: Payer,
    /// Code of the place: `DE`, `US-TX`; empty for a price that was stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Who published it.
    pub source: String,
    /// The year it holds for.
    pub year: u16,
}

const EUROSTAT_HOUSEHOLDS: &str =
    "Eurostat nrg_pc_204, 2500 to 4999 kWh a year, all taxes included";
const EUROSTAT_INDUSTRY: &str = "Eurostat nrg_pc_205, 20 to 70 GWh a year, without taxes";
const EIA_COUNTRY: &str = "EIA, Electric Power Monthly";
const EIA_STATES: &str = "EIA, Electric Power Annual, average revenue";

impl ElectricityPrice {
    /// The price in a place that `--region` knows: of its state where there is one, or else of its country.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`] with what to write, and with the nearest places whose price is known, where no
    /// free source for it was found. [`ErrorKind::InvalidSetting`] for [`Payer::Unstated`].
    pub fn find(place: &str, payer: Payer) -> Result<Self> {
        if payer == Payer::Unstated {
            let message = "the price of nobody in particular was asked for";
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("ask for that of households or of industry"));
        }
        let code = grid::lies_in(place);
        let known = code.and_then(|code| {
            let country = code.split_once('-').map_or(code, |(country, _)| country);
            Self::of(code, payer).or_else(|| Self::of(country, payer))
        });
        known.ok_or_else(|| unknown(place, code))
    }

    /// Every price that is known, for each payer.
    pub fn all() -> impl Iterator<Item = Self> {
        let codes = EUROPEAN_UNION.iter().chain(STATES).map(|row| row.0).chain(["US"]);
        codes.flat_map(|code| {
            [Payer::Households, Payer::Industry]
                .into_iter()
                .filter_map(|payer| Self::of(code, payer))
        })
    }

    /// The price that the tables have for a code itself.
    fn of(code: &str, payer: Payer) -> Option<Self> {
        let row = |rows: &'static [(&'static str, f64, f64)]| rows.iter().find(|row| row.0 == code);
        let (pair, currency, source, year) = if let Some((_, home, industry)) = row(EUROPEAN_UNION)
        {
            let sources = (EUROSTAT_HOUSEHOLDS, EUROSTAT_INDUSTRY);
            ((*home, *industry), Currency::EUR, sources, (2025, 2024))
        } else if let Some((_, home, industry)) = row(STATES) {
            let pair = (home / 100.0, industry / 100.0);
            (pair, Currency::USD, (EIA_STATES, EIA_STATES), (2023, 2023))
        } else if code == "US" {
            (UNITED_STATES, Currency::USD, (EIA_COUNTRY, EIA_COUNTRY), (2024, 2024))
        } else {
            return None;
        };
        let (value, source, year) = match payer {
            Payer::Households => (pair.0, source.0, year.0),
            Payer::Industry => (pair.1, source.1, year.1),
            Payer::Unstated => return None,
        };
        let (place, source) = (code.to_owned(), source.to_owned());
        Some(Self { value: Money::new(value), currency, payer, place, source, year })
    }

    /// A price that the user states, this year.
    #[must_use]
    pub fn stated(value: Money, currency: Currency) -> Self {
        Self {
            value,
            currency,
            payer: Payer::Unstated,
            place: String::new(),
            source: "stated by the user".to_owned(),
            year: this_year(),
        }
    }

    /// Whether it is of a table, and so gives way to that of another place.
    pub(super) fn is_of_a_place(&self) -> bool {
        self.payer != Payer::Unstated
    }

    /// Price, place, payer, source and year, as reports print them.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { value, currency, payer, place, source, year } = self;
        let of =
            if place.is_empty() { String::new() } else { format!(", {place}, {}", payer.as_str()) };
        format!("{} a kWh{of} ({source}, {year})", currency.show(*value))
    }
}

/// The year in which something is stated.
pub(super) fn this_year() -> u16 {
    let now = clock::date().to_zoned(TimeZone::UTC);
    u16::try_from(now.year()).unwrap_or(0)
}

impl FromStr for ElectricityPrice {
    type Err = Error;

    /// `0.31 EUR`, `€0.31`, or a number alone for US dollars.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        let unit = text.trim_matches(is_number).trim();
        let number = text.trim_matches(|letter| !is_number(letter));
        let currency = if unit.is_empty() { Some(Currency::USD) } else { Currency::read(unit) };
        let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
        currency
            .zip(value)
            .map(|(currency, value)| Self::stated(Money::new(value), currency))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidSetting,
                    format!("'{text}' is not the price of a kilowatt-hour"),
                )
                .with_remedy("write a number and the ISO code of its currency: 0.31 EUR, 0.12 USD")
            })
    }
}

/// What to write for a place without a price, and the nearest places with one.
fn unknown(place: &str, code: Option<&str>) -> Error {
    let write = "state yours: `--price \"0.31 EUR\"`, ERGOMETER_PRICE or `Site::with_price`";
    let Some(code) = code else {
        let message = format!("no price of electricity is known for '{place}'");
        return Error::new(ErrorKind::UnknownRegion, message).with_remedy(write);
    };
    let has_price = |code: &str| ElectricityPrice::of(code, Payer::Industry).is_some();
    let nearest = grid::nearest(code, has_price);
    let message = format!("no price of electricity is known for {}", grid::shown(code));
    Error::new(ErrorKind::UnknownRegion, message).with_remedy(format!(
        "{write}; the nearest places with a known one are {}",
        nearest.join(", ")
    ))
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact in closed form")]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_price_of_its_state_or_of_its_country() {
        let of = |place: &str| {
            let price = ElectricityPrice::find(place, Payer::Industry).unwrap();
            (price.place, price.currency, price.year)
        };
        assert_eq!(of("Germany"), ("DE".to_owned(), Currency::EUR, 2024));
        assert_eq!(of("gcp:europe-west3").0, "DE");
        assert_eq!(of("azure:westeurope").0, "NL");
        assert_eq!(of("California"), ("US-CA".to_owned(), Currency::USD, 2023));
        assert_eq!(of("gcp:us-central1").0, "US-IA");
        // Without a row of their own.
        assert_eq!(of("US-WY").0, "US");
        assert_eq!(of("US-SRVC"), ("US".to_owned(), Currency::USD, 2024));
        assert_eq!(ElectricityPrice::find("DE", Payer::Households).unwrap().year, 2025);
    }

    #[test]
    fn an_unknown_price_names_what_to_write_and_the_nearest_places() {
        for (place, near) in [
            ("CH", "LU (Luxembourg)"),
            ("NO", "SE (Sweden)"),
            ("CA-ON", "US (United States)"),
            ("GB", "FR (France)"),
        ] {
            let error = ElectricityPrice::find(place, Payer::Industry).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnknownRegion);
            let remedy = error.remedy().unwrap();
            assert!(remedy.contains("0.31 EUR") && remedy.contains(near), "{place}: {remedy}");
        }
        let error = ElectricityPrice::find("Nowhere", Payer::Industry).unwrap_err();
        assert!(error.remedy().unwrap().contains("--price"));
        assert!(ElectricityPrice::find("DE", Payer::Unstated).is_err());
    }

    #[test]
    fn a_price_is_a_number_and_a_currency() {
        for (text, value, currency) in [
            ("0.31 EUR", 0.31, "EUR"),
            ("0.31eur", 0.31, "EUR"),
            ("€0.31", 0.31, "EUR"),
            ("$ 0.12", 0.12, "USD"),
            (" 0.12 ", 0.12, "USD"),
            ("8.5 INR", 8.5, "INR"),
            ("JPY 31", 31.0, "JPY"),
            ("0", 0.0, "USD"),
        ] {
            let price: ElectricityPrice = text.parse().unwrap();
            assert_eq!(
                (price.value, price.currency.as_str()),
                (Money::new(value), currency),
                "{text}"
            );
            assert!(price.year >= 2026 && price.payer == Payer::Unstated);
        }
        for text in ["", "EUR", "0.31 apples", "0.31 ct", "-0.31", "0.3.1", "nan", "1e3 EUR"] {
            let error = text.parse::<ElectricityPrice>().unwrap_err();
            assert!(error.remedy().unwrap().contains("ISO code"), "{text}");
        }
    }

    #[test]
    fn every_price_is_plausible_found_by_its_place_and_no_older_than_it_says() {
        let mut count = 0;
        for price in ElectricityPrice::all() {
            assert_eq!(ElectricityPrice::find(&price.place, price.payer).unwrap(), price);
            assert!((0.02..=0.6).contains(&price.value.get()), "{price:?}");
            let published = match (price.payer, price.currency == Currency::EUR) {
                (Payer::Households, true) => 2025,
                (_, true) => 2024,
                _ if price.place == "US" => 2024,
                _ => 2023,
            };
            assert_eq!(price.year, published, "{price:?}");
            count += 1;
        }
        assert_eq!(count, 2 * (27 + 50 + 1));
        let cheaper = EUROPEAN_UNION.iter().filter(|(_, home, industry)| industry < home).count();
        assert!(cheaper >= 24, "industry pays less than households nearly everywhere: {cheaper}");
    }
}
