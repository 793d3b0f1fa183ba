//! Joules → facility energy, CO2e and money.
//!
//! The arithmetic is that of Strubell, Ganesh and McCallum (2019), equations 1 and 2, without its
//! constants, which belong to a [`Site`]:
//!
//! ```text
//! facility energy (kWh) = PUE · t · ΣP / 1000        t in hours, P in watts
//! CO2e            (g)   = facility energy · carbon intensity, or PUE · Σ ΔE · intensity(t)
//! electricity     ($)   = facility energy · price
//! cloud           ($)   = accelerators · t · price of one for an hour
//! ```
//!
//! No value is rounded here; reports round when they print.

mod equivalents;
mod grid;
mod price;
mod series;
mod site;
pub mod strubell;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use equivalents::Familiar;
pub use grid::{CarbonIntensity, IntensityKind};
pub use price::{AcceleratorPrice, PerUnit};
pub use series::CarbonSeries;
pub use site::{Cited, Site};

use crate::energy::Energy;
use crate::units::{GramsCo2e, Joules, KilowattHours, UsDollars, Watts};

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
    /// Greenhouse gases of the facility energy.
    pub co2e: Option<Estimate<GramsCo2e>>,
    /// Cost of the facility energy.
    pub electricity_cost: Option<Estimate<UsDollars>>,
    /// Price of the accelerators in a cloud; `None` without accelerators.
    pub cloud_cost: Option<CostRange>,
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
            electricity_cost: both(self.electricity_cost, other.electricity_cost),
            cloud_cost: match (self.cloud_cost, other.cloud_cost) {
                (Some(a), Some(b)) => Some(CostRange { low: a.low + b.low, high: a.high + b.high }),
                (one, other) => one.or(other),
            },
            accelerators: self.accelerators,
            mean_intensity: co2e.zip(facility_energy).map(mean).filter(|mean| mean.is_finite()),
            site: self.site.clone(),
        }
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
        let rent = || self.accelerator.rent(f64::from(accelerators), seconds / 3600.0);
        Footprint {
            it_energy: scaled(kwh).map(|pair| estimate(pair, KilowattHours::new)),
            facility_energy: scaled(facility).map(|pair| estimate(pair, KilowattHours::new)),
            co2e: scaled(facility).map(|pair| estimate(pair, |e| self.co2e(KilowattHours::new(e)))),
            electricity_cost: scaled(facility)
                .map(|pair| estimate(pair, |e| self.electricity_cost(KilowattHours::new(e)))),
            cloud_cost: (accelerators > 0).then(rent),
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
    /// assert!((site.electricity_cost(energy).get() - 3.22).abs() < 0.005);
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

    /// Cost of `energy` drawn by a building at this site.
    #[must_use]
    pub fn electricity_cost(&self, energy: KilowattHours) -> UsDollars {
        self.electricity_price.value * energy.get()
    }
}

/// Greenhouse gases of `energy` on a grid of `grams_per_kwh`.
fn gases(energy: KilowattHours, grams_per_kwh: f64) -> GramsCo2e {
    GramsCo2e::new(energy.get() * grams_per_kwh)
}

fn estimate<T>((value, error): (f64, f64), unit: impl Fn(f64) -> T) -> Estimate<T> {
    Estimate { value: unit(value), standard_uncertainty: unit(error) }
}
