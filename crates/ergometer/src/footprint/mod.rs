//! Joules → facility energy, CO2e and money.
//!
//! The arithmetic is that of Strubell, Ganesh and McCallum (2019), equations 1 and 2, without its
//! constants, which belong to a [`Site`]:
//!
//! ```text
//! facility energy (kWh) = PUE · t · ΣP / 1000        t in hours, P in watts
//! CO2e            (g)   = facility energy · carbon intensity, or PUE · Σ ΔE · intensity(t)
//! electricity           = facility energy · price           in the price's currency
//! water           (l)   = IT energy · WUE
//! cloud           ($)   = accelerators · t · price of one for an hour
//! ```
//!
//! No value is rounded here; reports round when they print.

mod boards;
mod electricity;
mod equivalents;
mod grid;
mod price;
mod series;
mod site;
pub mod strubell;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use electricity::{ElectricityPrice, Payer};
pub use equivalents::Familiar;
pub use grid::{CarbonIntensity, Grids, IntensityKind};
pub use price::{AcceleratorPrice, CloudQuote, PerUnit};
pub use series::CarbonSeries;
pub use site::{Cited, Site};

use crate::energy::Energy;
use crate::units::{Currency, GramsCo2e, Joules, KilowattHours, Litres, Money, UsDollars, Watts};

/// A value with its standard uncertainty, in the value's unit.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// std::thread::sleep(std::time::Duration::from_millis(20));
/// let record = meter.finish()?;
/// let (energy, kwh) = (record.total.energy.unwrap(), record.footprint.it_energy.unwrap());
/// // The same energy with the same relative uncertainty, in another unit.
/// assert!((kwh.value.get() * 3.6e6 / energy.joules.get() - 1.0).abs() < 1e-9);
/// let relative = kwh.standard_uncertainty.get() / kwh.value.get();
/// assert!((relative / (energy.standard_uncertainty / energy.joules) - 1.0).abs() < 1e-9);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate<T> {
    /// The value.
    pub value: T,
    /// One standard deviation. It includes the energy's uncertainty alone: the site's constants are taken
    /// as exact.
    pub standard_uncertainty: T,
}

/// A range of costs.
///
/// ```
/// use ergometer::footprint::AcceleratorPrice;
///
/// let rent = AcceleratorPrice::p100().rent(1.0, 1.0); // one board for one hour
/// assert_eq!((rent.low.get(), rent.high.get()), (0.43, 1.46));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostRange {
    /// At the pre-emptible price.
    pub low: UsDollars,
    /// At the on-demand price.
    pub high: UsDollars,
}

/// The cost of a run's energy, for the building, the climate and the payer.
///
/// Values that depend on the energy are `None` when no domain could be read, never 0.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().pue(1.5).without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let footprint = meter.finish()?.footprint;
/// let (it, facility) = (footprint.it_energy.unwrap(), footprint.facility_energy.unwrap());
/// assert!((facility.value / it.value - 1.5).abs() < 1e-9);
/// let grams = facility.value.get() * footprint.site.carbon.grams_per_kwh;
/// assert!((footprint.co2e.unwrap().value.get() / grams - 1.0).abs() < 1e-9);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Footprint {
    /// Energy that the metered domains drew.
    pub it_energy: Option<Estimate<KilowattHours>>,
    /// Energy that the building drew for it: IT energy × PUE.
    pub facility_energy: Option<Estimate<KilowattHours>>,
    /// Greenhouse gases of the facility energy on the grid it is drawn from, location-based.
    pub co2e: Option<Estimate<GramsCo2e>>,
    /// The same market-based, by the site's contract or residual mix; `None` where none was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co2e_market: Option<Estimate<GramsCo2e>>,
    /// Cost of the facility energy, in the [currency](Self::currency) of the site's price; `None` where no price is
    /// known.
    pub electricity_cost: Option<Estimate<Money>>,
    /// Water that the building used for the IT energy; `None` where no WUE was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub water: Option<Estimate<Litres>>,
    /// Price of the accelerators in a cloud; `None` without accelerators, and where no price is known for them.
    pub cloud_cost: Option<CostRange>,
    /// The rent that was chosen by the boards that were metered; `None` where the site states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rent: Option<AcceleratorPrice>,
    /// Accelerators counted for the cloud cost.
    pub accelerators: u32,
    /// Where the site has a [series](CarbonSeries) of intensities: their mean over the run, weighted by the
    /// energy drawn at each, g/kWh. `co2e` is the facility energy at this intensity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_intensity: Option<f64>,
    /// The constants used, each with source and year.
    pub site: Site,
}

impl Footprint {
    /// The sum over two parts of a run. Their uncertainties are systematic, with the same causes, so they
    /// add linearly.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let facility_energy = both(self.facility_energy, other.facility_energy);
        let co2e = both(self.co2e, other.co2e);
        let mean = |(grams, kwh): (Estimate<GramsCo2e>, Estimate<KilowattHours>)| {
            grams.value.get() / kwh.value.get()
        };
        Self {
            it_energy: both(self.it_energy, other.it_energy),
            facility_energy,
            co2e,
            co2e_market: both(self.co2e_market, other.co2e_market),
            // Two currencies have no sum.
            electricity_cost: both(self.electricity_cost, other.electricity_cost)
                .filter(|_| self.currency() == other.currency()),
            water: both(self.water, other.water),
            rent: self.rent.clone(),
            cloud_cost: match (self.cloud_cost, other.cloud_cost) {
                (Some(a), Some(b)) => Some(CostRange { low: a.low + b.low, high: a.high + b.high }),
                (one, other) => one.or(other),
            },
            accelerators: self.accelerators,
            mean_intensity: co2e.zip(facility_energy).map(mean).filter(|mean| mean.is_finite()),
            site: self.site.clone(),
        }
    }

    /// The currency of the electricity's cost.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        self.site.electricity_price.as_ref().map(|price| price.currency)
    }

    /// The price of an accelerator that the cloud cost is made of.
    #[must_use]
    pub fn accelerator_price(&self) -> Option<&AcceleratorPrice> {
        self.site.accelerator.as_ref().or(self.rent.as_ref())
    }

    /// The cost of electricity as reports print it, with its currency; `None` where it is not known.
    #[must_use]
    pub fn electricity(&self) -> Option<String> {
        let (cost, currency) = self.electricity_with_currency()?;
        Some(currency.show(cost.value))
    }

    /// The cost of electricity and its currency; `None` where it is not known.
    ///
    /// ```
    /// # use ergometer::{Meter, source::DomainKind, units::{Currency, Watts}};
    /// # let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0));
    /// # let meter = meter.price("0.31 EUR").start()?;
    /// let footprint = meter.finish()?.footprint;
    /// let (cost, currency) = footprint.electricity_with_currency().unwrap();
    /// assert_eq!(currency, Currency::EUR);
    /// let euros = footprint.facility_energy.unwrap().value.get() * 0.31;
    /// assert!((cost.value.get() / euros - 1.0).abs() < 1e-9);
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    #[must_use]
    pub fn electricity_with_currency(&self) -> Option<(Estimate<Money>, Currency)> {
        self.electricity_cost.zip(self.currency())
    }

    /// With a rent for `seconds`, chosen by the boards, unless the site states one.
    #[must_use]
    pub(crate) fn rented(mut self, rent: Option<AcceleratorPrice>, seconds: f64) -> Self {
        if self.site.accelerator.is_none() {
            let cost =
                rent.as_ref().map(|rent| rent.rent(f64::from(self.accelerators), seconds / 3600.0));
            self.cloud_cost = cost.filter(|_| self.accelerators > 0);
            self.rent = rent;
        }
        self
    }

    /// With the rent of `boards` for `seconds`, by the labels of those that were metered.
    #[must_use]
    pub(crate) fn rented_by(self, boards: &[String], seconds: f64) -> Self {
        let rent = AcceleratorPrice::of_boards(boards, &self.site.carbon.code);
        self.rented(rent, seconds)
    }

    /// The footprint of another energy and time with the same constants, at its own mean intensity.
    #[must_use]
    pub(crate) fn again(&self, energy: Option<&Energy>, seconds: f64, mean: Option<f64>) -> Self {
        let again = self.site.footprint(energy, seconds, self.accelerators);
        again.rented(self.rent.clone(), seconds).at_mean_intensity(mean)
    }

    /// The same energy at a mean intensity of the site's series instead of its single value.
    #[must_use]
    pub(crate) fn at_mean_intensity(mut self, grams_per_kwh: Option<f64>) -> Self {
        self.mean_intensity = grams_per_kwh;
        if let Some((mean, facility)) = grams_per_kwh.zip(self.facility_energy) {
            self.co2e = Some(Estimate {
                value: gases(facility.value, mean),
                standard_uncertainty: gases(facility.standard_uncertainty, mean),
            });
        }
        self
    }
}

/// The sum of two estimates; `None` if either is unknown.
fn both<T: std::ops::Add<Output = T>>(
    a: Option<Estimate<T>>,
    b: Option<Estimate<T>>,
) -> Option<Estimate<T>> {
    let (a, b) = a.zip(b)?;
    Some(Estimate {
        value: a.value + b.value,
        standard_uncertainty: a.standard_uncertainty + b.standard_uncertainty,
    })
}

impl Site {
    /// The footprint of a run that took `seconds`, drew `energy` and held `accelerators`.
    #[must_use]
    pub fn footprint(&self, energy: Option<&Energy>, seconds: f64, accelerators: u32) -> Footprint {
        let scaled = |per_joule: f64| {
            let energy = energy?;
            let scale = |joules: Joules| joules.get() * per_joule;
            Some((scale(energy.joules), scale(energy.standard_uncertainty)))
        };
        let kwh = Joules::new(1.0).to_kwh().get();
        let facility = kwh * self.pue.value;
        let rent = |price: &AcceleratorPrice| price.rent(f64::from(accelerators), seconds / 3600.0);
        let money = |price: &ElectricityPrice| {
            scaled(facility * price.value.get()).map(|pair| estimate(pair, Money::new))
        };
        let market = |market: &CarbonIntensity| {
            scaled(facility * market.grams_per_kwh).map(|pair| estimate(pair, GramsCo2e::new))
        };
        let water =
            |wue: &Cited<f64>| scaled(kwh * wue.value).map(|pair| estimate(pair, Litres::new));
        Footprint {
            it_energy: scaled(kwh).map(|pair| estimate(pair, KilowattHours::new)),
            facility_energy: scaled(facility).map(|pair| estimate(pair, KilowattHours::new)),
            co2e: scaled(facility).map(|pair| estimate(pair, |e| self.co2e(KilowattHours::new(e)))),
            co2e_market: self.market.as_ref().and_then(market),
            electricity_cost: self.electricity_price.as_ref().and_then(money),
            water: self.wue.as_ref().and_then(water),
            cloud_cost: self.accelerator.as_ref().filter(|_| accelerators > 0).map(rent),
            rent: None,
            accelerators,
            mean_intensity: None,
            site: self.clone(),
        }
    }

    /// Energy that a building at this site draws for `power` of IT equipment over `duration` (equation 1).
    ///
    /// ```
    /// use std::time::Duration;
    /// use ergometer::{footprint::Site, units::Watts};
    /// // Transformer base: 12 h at 1415.78 W.
    /// let site = Site::strubell2019();
    /// let energy = site.facility_energy(Watts::new(1415.78), Duration::from_secs(12 * 3600));
    /// assert!((energy.get() - 26.843).abs() < 0.001);
    /// assert!((site.co2e(energy).pounds() - 25.608).abs() < 0.001);
    /// assert!((site.electricity_cost(energy).unwrap().get() - 3.22).abs() < 0.005);
    /// ```
    #[must_use]
    pub fn facility_energy(&self, power: Watts, duration: Duration) -> KilowattHours {
        (power * duration).to_kwh() * self.pue.value
    }

    /// Greenhouse gases of `energy` drawn by a building at this site (equation 2).
    #[must_use]
    pub fn co2e(&self, energy: KilowattHours) -> GramsCo2e {
        gases(energy, self.carbon.grams_per_kwh)
    }

    /// Cost of `energy` drawn by a building at this site, in the currency of its price; `None` where no price is known.
    #[must_use]
    pub fn electricity_cost(&self, energy: KilowattHours) -> Option<Money> {
        Some(self.electricity_price.as_ref()?.value * energy.get())
    }
}

/// Greenhouse gases of `energy` on a grid of `grams_per_kwh`.
fn gases(energy: KilowattHours, grams_per_kwh: f64) -> GramsCo2e {
    GramsCo2e::new(energy.get() * grams_per_kwh)
}

fn estimate<T>((value, error): (f64, f64), unit: impl Fn(f64) -> T) -> Estimate<T> {
    Estimate { value: unit(value), standard_uncertainty: unit(error) }
}
