//! Where a run takes place: the constants that turn joules into CO2e and money.

use serde::{Deserialize, Serialize};

use super::electricity::{ElectricityPrice, Payer, this_year};
use super::grid::{CarbonIntensity, Grids, IntensityKind};
use super::price::AcceleratorPrice;
use super::series::CarbonSeries;
use crate::error::{Error, ErrorKind, Result};
use crate::units::{Currency, GramsCo2e, Money};

/// A value with its source and year.
///
/// ```
/// use ergometer::footprint::{Cited, Site};
///
/// let wue = Cited::new(1.8, "the data centre's report", 2025);
/// let site = Site::current().with_wue(wue)?;
/// assert_eq!(site.wue.unwrap().source, "the data centre's report");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cited<T> {
    /// The value.
    pub value: T,
    /// Who published it.
    pub source: String,
    /// The year it holds for.
    pub year: u16,
}

impl<T> Cited<T> {
    /// A value with its source and year.
    pub fn new(value: T, source: impl Into<String>, year: u16) -> Self {
        Self { value, source: source.into(), year }
    }
}

/// Where a run takes place.
///
/// ```
/// use ergometer::footprint::Site;
///
/// let site = Site::current().region("DE")?.with_pue(1.2)?;
/// assert!(!site.carbon.assumed);
/// assert_eq!(site.electricity_price.unwrap().place, "DE");
/// let nowhere = Site::current();
/// assert!(nowhere.carbon.assumed && nowhere.electricity_price.is_none(), "a place is never guessed");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Name of the preset that it is based on.
    pub name: String,
    /// Power usage effectiveness: facility energy over IT energy, at least 1.
    pub pue: Cited<f64>,
    /// Carbon intensity of the grid, location-based; for a series, its mean over time.
    pub carbon: CarbonIntensity,
    /// Market-based intensity: of a contract or of the residual mix, if it was stated. It is never mixed with the
    /// location-based one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<CarbonIntensity>,
    /// Carbon intensity over time; in a record, only the values that held during the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carbon_series: Option<CarbonSeries>,
    /// Price of a kilowatt-hour; `None` where none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub electricity_price: Option<ElectricityPrice>,
    /// Water usage effectiveness: litres that the building uses for a kilowatt-hour of IT energy, if it was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wue: Option<Cited<f64>>,
    /// Rent of an accelerator, if it was stated; otherwise it is chosen by the boards that were metered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<AcceleratorPrice>,
}

/// An upper bound for any building's PUE.
const MOST_PUE: f64 = 1000.0;
/// An upper bound for any intensity or price, in grams or dollars per kilowatt-hour.
const MOST_AMOUNT: f64 = 1e9;
/// Names of the presets.
const PRESETS: [&str; 2] = ["current", "strubell2019"];

impl Site {
    /// Today's constants, with the world's average grid until a region is given.
    ///
    /// PUE 1.54 (Uptime Institute 2025); 458.29 g/kWh life-cycle (Our World in Data from Ember, 2025). There is no price
    /// of electricity until a region or a price is stated, and the rent is that of the boards that are metered.
    #[must_use]
    pub fn current() -> Self {
        Self {
            name: PRESETS[0].to_owned(),
            pue: Cited::new(1.54, "Uptime Institute, Global Data Center Survey, mean", 2025),
            carbon: CarbonIntensity::world(),
            market: None,
            carbon_series: None,
            electricity_price: None,
            wue: None,
            accelerator: None,
        }
    }

    /// The constants of Strubell, Ganesh and McCallum (2019).
    ///
    /// PUE 1.58 (Ascierto 2018, Uptime Institute); 0.954 lb/kWh (EPA 2018, taken literally);
    /// $0.12/kWh (US average); P100 from $0.43 to $1.46 an hour.
    #[must_use]
    pub fn strubell2019() -> Self {
        Self {
            name: PRESETS[1].to_owned(),
            pue: Cited::new(1.58, "Strubell et al. 2019: Ascierto 2018, Uptime Institute", 2018),
            carbon: CarbonIntensity {
                grams_per_kwh: GramsCo2e::from_pounds(0.954).get(),
                code: "US".to_owned(),
                place: "United States".to_owned(),
                kind: IntensityKind::Direct,
                assumed: false,
                source: "Strubell et al. 2019: EPA 2018, 0.954 lb/kWh".to_owned(),
                year: 2018,
            },
            market: None,
            carbon_series: None,
            electricity_price: Some(strubell_electricity()),
            wue: None,
            accelerator: Some(AcceleratorPrice::p100()),
        }
    }

    /// The preset called `name`: `current` or `strubell2019`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for any other name.
    pub fn preset(name: &str) -> Result<Self> {
        match name {
            "current" => Ok(Self::current()),
            "strubell2019" => Ok(Self::strubell2019()),
            _ => Err(Error::new(ErrorKind::InvalidSetting, format!("unknown preset '{name}'"))
                .with_remedy(format!("the presets are {}", PRESETS.join(" and ")))),
        }
    }

    /// The same site in a region: on its grid, and at the price of electricity that industry pays there, if that is
    /// known and no other price was stated ([`ElectricityPrice::find`]).
    ///
    /// `code` is an ISO country code or name (`DE`, `DEU`, `Germany`), `US-eGRID` or a subregion of it (`US-CAMX`), a
    /// state or province (`US-TX`, `CA-QC`, `AU-NSW`), or a Google region (`gcp:europe-west3`, `europe-west3`); case
    /// does not matter. AWS and Azure publish no figure for their regions: `aws:us-east-1` and `azure:westeurope` use
    /// the grid around them, and the source says so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`] with the grids around the place or the nearest ones.
    pub fn region(self, code: &str) -> Result<Self> {
        self.region_in(code, &Grids::default())
    }

    /// As [`region`](Self::region), with places of the user's own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`] with the grids around the place or the nearest ones.
    pub fn region_in(self, code: &str, grids: &Grids) -> Result<Self> {
        let carbon = grids.find(code)?;
        let here = || ElectricityPrice::find(&carbon.code, Payer::Industry).ok();
        let stated = self.electricity_price.filter(|price| !price.is_of_a_place());
        let electricity_price = stated.or_else(here);
        Self { carbon, carbon_series: None, electricity_price, ..self }.checked()
    }

    /// The same site with another power usage effectiveness, as the user states it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if it is below 1 or not finite.
    pub fn with_pue(self, pue: f64) -> Result<Self> {
        let year = self.pue.year;
        Self { pue: Cited::new(pue, "stated by the user", year), ..self }.checked()
    }

    /// The same site with another carbon intensity.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if it is negative or not finite.
    pub fn with_carbon(self, carbon: CarbonIntensity) -> Result<Self> {
        Self { carbon, carbon_series: None, ..self }.checked()
    }

    /// The same site with a carbon intensity that changes with time. A run's energy counts at the intensity
    /// of the time at which it was drawn. Budgets, forecasts and live figures use the mean over time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if a value is negative or not finite; [`CarbonSeries::new`] never
    /// makes such a series.
    pub fn with_carbon_series(self, series: CarbonSeries) -> Result<Self> {
        series.check().map_err(|why| Error::new(ErrorKind::InvalidSetting, why))?;
        Self { carbon: series.mean(), carbon_series: Some(series), ..self }.checked()
    }

    /// The site of a run that began at `start` and took `length` seconds. A series keeps only the values
    /// that held then.
    pub(crate) fn during(&self, start: jiff::Timestamp, length: f64) -> Self {
        let series = self.carbon_series.as_ref().map(|series| series.during(start, length));
        Self { carbon_series: series, ..self.clone() }
    }

    /// The same site with another price of a kilowatt-hour.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if it is negative or not finite.
    pub fn with_electricity_price(self, price: ElectricityPrice) -> Result<Self> {
        Self { electricity_price: Some(price), ..self }.checked()
    }

    /// The same site with a price of electricity as text: `0.31 EUR`, or `households` or `industry` for what they pay in
    /// the site's region.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for any other text; [`ErrorKind::UnknownRegion`] where the price is not known, with
    /// the nearest places where it is.
    pub fn with_price(self, text: &str) -> Result<Self> {
        let here = |payer: Payer| ElectricityPrice::find(&self.carbon.code, payer);
        let price = match text.trim().to_ascii_lowercase().as_str() {
            "households" | "household" => here(Payer::Households)?,
            "industry" => here(Payer::Industry)?,
            _ => text.parse()?,
        };
        self.with_electricity_price(price)
    }

    /// The same site with a water usage effectiveness, litres a kilowatt-hour of IT energy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if it is negative or not finite.
    pub fn with_wue(self, wue: Cited<f64>) -> Result<Self> {
        Self { wue: Some(wue), ..self }.checked()
    }

    /// The same site with a market-based intensity beside the location-based one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if it is negative or not finite.
    pub fn with_market(self, market: CarbonIntensity) -> Result<Self> {
        Self { market: Some(market), ..self }.checked()
    }

    /// The same site with a market-based intensity as text: `0` or `12.5`, grams a kilowatt-hour of the contract, or
    /// `residual` for the residual mix of the site's region ([`CarbonIntensity::residual_mix`]).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for any other text; [`ErrorKind::UnknownRegion`] where the residual mix is not known.
    pub fn with_market_text(self, text: &str) -> Result<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("residual") {
            let mix = CarbonIntensity::residual_mix(&self.carbon.code)?;
            return self.with_market(mix);
        }
        let grams_per_kwh = text.parse().map_err(|_| {
            Error::new(
                ErrorKind::InvalidSetting,
                format!("'{text}' is not a market-based intensity"),
            )
            .with_remedy("write grams a kilowatt-hour, as 0 or 12.5, or `residual`")
        })?;
        self.with_market(CarbonIntensity {
            grams_per_kwh,
            code: "contract".to_owned(),
            place: "contract".to_owned(),
            kind: IntensityKind::Unstated,
            assumed: false,
            source: "stated by the user".to_owned(),
            year: this_year(),
        })
    }

    /// The same site with the rent of another accelerator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if a price is negative or not finite, or the low one is above the
    /// high one.
    pub fn with_accelerator(self, accelerator: AcceleratorPrice) -> Result<Self> {
        Self { accelerator: Some(accelerator), ..self }.checked()
    }

    /// Checks that the constants are valid. This is called when they are set, when a meter starts and when
    /// a record is read, so that every record that was written can be read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for a PUE below 1, a negative price or intensity, a value that is not
    /// finite or impossibly large, and a low rent above the high one.
    pub(crate) fn check(&self) -> Result<()> {
        let Self {
            name: _,
            pue,
            carbon,
            market,
            carbon_series,
            electricity_price,
            wue,
            accelerator,
        } = self;
        if let Some(series) = carbon_series {
            series.check().map_err(|why| Error::new(ErrorKind::InvalidSetting, why))?;
        }
        let pue = pue.value;
        if !(1.0..=MOST_PUE).contains(&pue) {
            return Err(Error::new(ErrorKind::InvalidSetting, format!("PUE is {pue}"))
                .with_remedy(
                    "a PUE is facility energy over IT energy: at least 1, and rarely above 3",
                ));
        }
        let price = electricity_price.as_ref().map(|price| price.value.get());
        let rent = |of: fn(&AcceleratorPrice) -> f64| accelerator.as_ref().map(of);
        let amounts = [
            ("carbon intensity", Some(carbon.grams_per_kwh), "g/kWh"),
            ("market-based intensity", market.as_ref().map(|one| one.grams_per_kwh), "g/kWh"),
            ("electricity price", price, "a kilowatt-hour"),
            ("WUE", wue.as_ref().map(|wue| wue.value), "litres a kilowatt-hour"),
            ("low rent", rent(|one| one.low.get()), "USD an hour"),
            ("high rent", rent(|one| one.high.get()), "USD an hour"),
        ];
        let amounts =
            amounts.into_iter().filter_map(|(what, amount, unit)| Some((what, amount?, unit)));
        for (what, amount, unit) in amounts {
            if !(0.0..=MOST_AMOUNT).contains(&amount) {
                let message = format!("{what} is {amount} {unit}");
                return Err(Error::new(ErrorKind::InvalidSetting, message)
                    .with_remedy("give a finite value that is not negative"));
            }
        }
        if let Some(AcceleratorPrice { low, high, .. }) =
            accelerator.as_ref().filter(|one| one.low > one.high)
        {
            let message = format!("the low rent, {low}, is above the high one, {high}");
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give the lower of the two first"));
        }
        Ok(())
    }

    fn checked(self) -> Result<Self> {
        self.check()?;
        Ok(self)
    }
}

fn strubell_electricity() -> ElectricityPrice {
    ElectricityPrice {
        value: Money::new(0.12),
        currency: Currency::USD,
        payer: Payer::Unstated,
        place: String::new(),
        source: "Strubell et al. 2019, footnote 9: US average".to_owned(),
        year: 2018,
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact in closed form")]
mod tests {
    use super::*;

    #[test]
    fn a_region_sets_grid_and_price_but_not_a_price_that_was_stated() {
        let price = |site: &Site| {
            site.electricity_price.as_ref().map(|price| (price.place.clone(), price.value.get()))
        };
        let germany = Site::current().region("DE").unwrap();
        assert_eq!(price(&germany), Some(("DE".to_owned(), 0.1427)));
        assert_eq!(price(&germany.clone().region("FR").unwrap()), Some(("FR".to_owned(), 0.0942)));
        // Where no price is known there is none: never that of the place before.
        assert_eq!(price(&germany.clone().region("JP").unwrap()), None);
        let stated = Site::current().with_price("0.31 EUR").unwrap();
        assert_eq!(price(&stated.region("FR").unwrap()), Some((String::new(), 0.31)));
        assert_eq!(price(&Site::strubell2019().region("FR").unwrap()), Some((String::new(), 0.12)));
        let home = germany.with_price("households").unwrap();
        assert_eq!(home.electricity_price.unwrap().payer, Payer::Households);
        let error = Site::current().with_price("industry").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownRegion);
    }

    #[test]
    fn the_papers_prices_are_under_its_preset_alone() {
        let (now, then) = (Site::current(), Site::strubell2019());
        assert_eq!((now.accelerator, now.electricity_price), (None, None));
        assert_eq!(then.accelerator.unwrap().name, "NVIDIA P100");
        assert_eq!(then.electricity_price.unwrap().year, 2018);
    }

    #[test]
    fn a_market_based_intensity_is_a_number_or_the_residual_mix() {
        let germany = || Site::current().region("DE").unwrap();
        let grams = |text: &str| {
            germany().with_market_text(text).map(|site| site.market.unwrap().grams_per_kwh)
        };
        assert_eq!(
            (grams("0").unwrap(), grams(" 12.5 ").unwrap(), grams("residual").unwrap()),
            (0.0, 12.5, 724.56)
        );
        assert_eq!(
            germany().with_market_text("0").unwrap().carbon,
            germany().carbon,
            "the grid stays as it is"
        );
        for text in ["", "green", "-1", "nan", "inf"] {
            assert_eq!(grams(text).unwrap_err().kind(), ErrorKind::InvalidSetting, "{text}");
        }
        let error = Site::current().with_market_text("residual").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownRegion);
    }
}
