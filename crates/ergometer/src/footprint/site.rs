//! Where a run takes place: the constants that turn joules into CO2e and money.

use serde::{Deserialize, Serialize};

use super::grid::{CarbonIntensity, IntensityKind};
use super::price::AcceleratorPrice;
use super::series::CarbonSeries;
use crate::error::{Error, ErrorKind, Result};
use crate::units::{GramsCo2e, UsDollars};

/// A value with its source and year.
///
/// ```
/// use ergometer::footprint::{Cited, Site};
/// use ergometer::units::UsDollars;
///
/// let price = Cited::new(UsDollars::new(0.31), "the invoice of May", 2026);
/// let site = Site::current().with_electricity_price(price)?;
/// assert_eq!(site.electricity_price.source, "the invoice of May");
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
/// assert!(Site::current().carbon.assumed, "a place is never guessed");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Name of the preset that it is based on.
    pub name: String,
    /// Power usage effectiveness: facility energy over IT energy, at least 1.
    pub pue: Cited<f64>,
    /// Carbon intensity of the grid; for a series, its mean over time.
    pub carbon: CarbonIntensity,
    /// Carbon intensity over time; in a record, only the values that held during the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carbon_series: Option<CarbonSeries>,
    /// Price of a kilowatt-hour.
    pub electricity_price: Cited<UsDollars>,
    /// Rent of an accelerator.
    pub accelerator: AcceleratorPrice,
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
    /// PUE 1.54 (Uptime Institute 2025); 458.29 g/kWh life-cycle (Our World in Data from Ember, 2025). The
    /// prices are the paper's ($0.12/kWh; P100), since no newer ones are shipped.
    #[must_use]
    pub fn current() -> Self {
        Self {
            name: PRESETS[0].to_owned(),
            pue: Cited::new(1.54, "Uptime Institute, Global Data Center Survey, mean", 2025),
            carbon: CarbonIntensity::world(),
            carbon_series: None,
            electricity_price: strubell_electricity(),
            accelerator: AcceleratorPrice::p100(),
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
            carbon_series: None,
            electricity_price: strubell_electricity(),
            accelerator: AcceleratorPrice::p100(),
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

    /// The same site on the grid of a region.
    ///
    /// `code` is an ISO country code or name (`DE`, `DEU`, `Germany`), `US-eGRID` or a subregion of it
    /// (`US-CAMX`), or a Google region (`gcp:europe-west3`, `europe-west3`); case does not matter. AWS and
    /// Azure publish no figure for their regions: `aws:us-east-1` and `azure:westeurope` use the grid of
    /// their country or eGRID subregion, and the source says so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`] with the near matches.
    pub fn region(self, code: &str) -> Result<Self> {
        Ok(Self { carbon: CarbonIntensity::find(code)?, carbon_series: None, ..self })
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
    pub fn with_electricity_price(self, price: Cited<UsDollars>) -> Result<Self> {
        Self { electricity_price: price, ..self }.checked()
    }

    /// The same site with the rent of another accelerator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if a price is negative or not finite, or the low one is above the
    /// high one.
    pub fn with_accelerator(self, accelerator: AcceleratorPrice) -> Result<Self> {
        Self { accelerator, ..self }.checked()
    }

    /// Checks that the constants are valid. This is called when they are set, when a meter starts and when
    /// a record is read, so that every record that was written can be read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for a PUE below 1, a negative price or intensity, a value that is not
    /// finite or impossibly large, and a low rent above the high one.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { name: _, pue, carbon, carbon_series, electricity_price, accelerator } = self;
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
        let AcceleratorPrice { low, high, .. } = accelerator;
        let amounts = [
            ("carbon intensity", carbon.grams_per_kwh, "g/kWh"),
            ("electricity price", electricity_price.value.get(), "USD a kilowatt-hour"),
            ("low rent", low.get(), "USD an hour"),
            ("high rent", high.get(), "USD an hour"),
        ];
        for (what, amount, unit) in amounts {
            if !(0.0..=MOST_AMOUNT).contains(&amount) {
                let message = format!("{what} is {amount} {unit}");
                return Err(Error::new(ErrorKind::InvalidSetting, message)
                    .with_remedy("give a finite value that is not negative"));
            }
        }
        if low > high {
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

fn strubell_electricity() -> Cited<UsDollars> {
    Cited::new(UsDollars::new(0.12), "Strubell et al. 2019, footnote 9: US average", 2018)
}
