//! Totals of the whole run, so far and expected, as metrics of Burn.

use std::marker::PhantomData;
use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericEntry, SerializedEntry,
    format_float,
};
use ergometer::Meter;
use ergometer::footprint::Site;
use ergometer::meter::Live;
use ergometer::units::{Currency, Joules, KilowattHours};

use crate::quantity::{self, Shown, shown};

/// Decimals shown.
const PRECISION: usize = 6;

/// Energy of the metered domains since the start of the run, in kilowatt-hours.
pub type TotalEnergyMetric = RunMetric<TotalEnergy>;

/// Greenhouse gases of the run so far: facility energy on the grid of the meter's site, in grams of CO2e.
pub type CarbonMetric = RunMetric<Carbon>;

/// Price of the run's electricity so far: facility energy at the meter's site, in the currency of its price, which is
/// its unit and in its name: `Electricity cost (EUR)`. There is none where no price is known.
pub type CostMetric = RunMetric<Cost>;

/// Energy that the whole run is expected to draw, in kilowatt-hours: see [`ergometer::forecast`]. There is
/// none before enough steps were seen, and without a plan
/// ([`Metering::epochs`](crate::Metering::epochs)).
pub type ForecastMetric = RunMetric<ForecastEnergy>;

/// A quantity that a run has.
pub trait RunQuantity: Shown {
    /// Its value; `None` while it is not known.
    fn of(live: &Live, site: &Site) -> Option<f64>;

    /// The currency at a site, of what is money.
    fn currency(_site: &Site) -> Option<Currency> {
        None
    }
}

shown! {
    /// The quantity of [`TotalEnergyMetric`].
    TotalEnergy, "Energy (kWh)", "kWh", "energy of the run so far over all metered domains";
    /// The quantity of [`CarbonMetric`].
    Carbon, "Carbon (gCO2e)", "gCO2e", "greenhouse gases of the run so far";
    /// The quantity of [`CostMetric`].
    Cost, "Electricity cost", "", "price of the run's electricity so far";
    /// The quantity of [`ForecastMetric`].
    ForecastEnergy, "Forecast (kWh)", "kWh", "energy that the whole run is expected to draw";
}

impl RunQuantity for TotalEnergy {
    fn of(live: &Live, _site: &Site) -> Option<f64> {
        Some(live.whole().energy?.to_kwh().get())
    }
}

impl RunQuantity for Carbon {
    fn of(live: &Live, site: &Site) -> Option<f64> {
        Some(site.co2e(facility(live.whole().energy?, site)).get())
    }
}

impl RunQuantity for Cost {
    fn of(live: &Live, site: &Site) -> Option<f64> {
        Some(site.electricity_cost(facility(live.whole().energy?, site))?.get())
    }

    fn currency(site: &Site) -> Option<Currency> {
        site.electricity_price.as_ref().map(|price| price.currency)
    }
}

impl RunQuantity for ForecastEnergy {
    fn of(live: &Live, _site: &Site) -> Option<f64> {
        Some(live.whole().forecast?.energy().to_kwh().get())
    }
}

fn facility(energy: Joules, site: &Site) -> KilowattHours {
    energy.to_kwh() * site.pue.value
}

/// A metric of the whole run: see [`TotalEnergyMetric`], [`CarbonMetric`], [`CostMetric`] and
/// [`ForecastMetric`].
///
/// Where the run was [resumed](ergometer::MeterBuilder::resume), all parts before its interruptions are in it.
///
/// Its value is the meter's last, up to a second old; before the first there is none (`N/A`, a gap in the
/// plot, no line in the file), never a zero. The value of an epoch is that at its end.
///
/// ```
/// use ergometer::{Meter, source::DomainKind, units::Watts};
/// use ergometer_burn::CarbonMetric;
///
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// assert_eq!(CarbonMetric::NAME, "Carbon (gCO2e)");
/// let carbon = CarbonMetric::new(&meter); // for `metric_train_numeric`
/// # drop(carbon);
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RunMetric<Q> {
    name: MetricName,
    /// `None` of money without a price.
    unit: Option<String>,
    meter: Meter,
    latest: Option<f64>,
    quantity: PhantomData<fn() -> Q>,
}

impl<Q: RunQuantity> RunMetric<Q> {
    /// The metric's name in Burn: in its terminal UI, its files and its summary. The currency follows that of money:
    /// [`name`](Metric::name) has both.
    pub const NAME: &str = Q::NAME;

    /// The metric of the run of `meter`.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let currency = Q::currency(meter.site());
        let name = currency
            .map_or_else(quantity::name::<Q>, |unit| Arc::new(format!("{} ({unit})", Q::NAME)));
        let fixed = (!Q::UNIT.is_empty()).then(|| Q::UNIT.to_owned());
        let unit = currency.map(|unit| unit.to_string()).or(fixed);
        Self { name, unit, meter: meter.clone(), latest: None, quantity: PhantomData }
    }

    fn look(&mut self) {
        self.latest = Q::of(&self.meter.live(), self.meter.site()).or(self.latest);
    }

    fn entry(&self, entry: fn(f64) -> NumericEntry) -> SerializedEntry {
        let unit = self.unit.as_deref();
        let text = || {
            let value = self.latest.map(|value| format_float(value, PRECISION));
            let text = format!("{} {}", value.unwrap_or_default(), unit.unwrap_or_default());
            text.trim_end().to_owned()
        };
        quantity::entry(unit, self.latest.map(entry).as_ref(), text)
    }
}

impl<Q: RunQuantity> Metric for RunMetric<Q> {
    type Input = ();

    fn name(&self) -> MetricName {
        Arc::clone(&self.name)
    }

    fn description(&self) -> Option<String> {
        Some(Q::DESCRIPTION.to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        quantity::attributes(self.unit.as_deref())
    }

    fn update(
        &mut self,
        (): &(),
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        self.look();
        Ok(self.entry(NumericEntry::Value))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        self.look();
        Ok(self.entry(NumericEntry::Final))
    }

    fn clear(&mut self) {}
}

impl<Q: RunQuantity> Numeric for RunMetric<Q> {
    fn value(&self) -> Option<NumericEntry> {
        self.latest.map(NumericEntry::Value)
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.value()
    }

    fn final_value(&self) -> NumericEntry {
        quantity::last(self.latest)
    }
}
