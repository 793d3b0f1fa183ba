//! Prices of accelerators, each with its unit, date and source.

use serde::{Deserialize, Serialize};

use super::CostRange;
use crate::units::UsDollars;

/// The unit that an hourly price is for.
///
/// Google's TPU prices were for a device of four chips. Multiplying them by the number of chips counts each
/// chip four times, so the unit is part of the price.
///
/// ```
/// use ergometer::footprint::{AcceleratorPrice, PerUnit};
///
/// assert_eq!(AcceleratorPrice::p100().unit, PerUnit::Gpu);
/// assert_eq!(PerUnit::Device.as_str(), "device");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PerUnit {
    /// One GPU board.
    Gpu,
    /// One chip of a multi-chip device.
    Chip,
    /// One device, however many chips it holds.
    Device,
    /// One virtual machine with all its accelerators.
    Instance,
    /// A unit that this version does not know, from a record of a later one.
    #[serde(other)]
    Other,
}

impl PerUnit {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Chip => "chip",
            Self::Device => "device",
            Self::Instance => "instance",
            Self::Other => "unit",
        }
    }
}

/// Hourly rent of an accelerator, from pre-emptible to on-demand.
///
/// ```
/// use ergometer::footprint::AcceleratorPrice;
/// // Transformer base: 8 GPUs for 12 h, printed as $41 to $140.
/// let rent = AcceleratorPrice::p100().rent(8.0, 12.0);
/// assert_eq!((rent.low.get().round(), rent.high.get().round()), (41.0, 140.0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcceleratorPrice {
    /// The product: `NVIDIA P100`.
    pub name: String,
    /// Pre-emptible price of one unit for an hour.
    pub low: UsDollars,
    /// On-demand price of one unit for an hour.
    pub high: UsDollars,
    /// The unit.
    pub unit: PerUnit,
    /// Who published it.
    pub source: String,
    /// Year of the price; of several quotes, the oldest one's.
    pub year: u16,
    /// The prices of clouds that it spans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotes: Vec<CloudQuote>,
}

/// What a cloud asks for an hour of an accelerator.
///
/// ```
/// use ergometer::footprint::AcceleratorPrice;
///
/// let h100 = AcceleratorPrice::of_board("NVIDIA H100 80GB HBM3", "aws:us-east-1").unwrap();
/// let [quote] = h100.quotes.as_slice() else { panic!("one cloud was asked for") };
/// assert_eq!((quote.provider.as_str(), quote.boards), ("AWS", 8));
/// assert_eq!(h100.high.get(), quote.on_demand.unwrap().get() / 8.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudQuote {
    /// The cloud.
    pub provider: String,
    /// Its region; empty where the price is the same in each.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The virtual machine; empty where single boards are rented.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Accelerators in what is rented.
    pub boards: u32,
    /// On-demand price of all of it for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<UsDollars>,
    /// Spot price of all of it for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<UsDollars>,
    /// The day on which it was read: `2026-11-09`; the month or the year where no day is known.
    pub date: String,
    /// Where it was read.
    pub source: String,
}

impl CloudQuote {
    /// The year of its date.
    #[must_use]
    pub fn year(&self) -> u16 {
        self.date.get(..4).and_then(|year| year.parse().ok()).unwrap_or(0)
    }

    /// Lowest and highest price of one accelerator for an hour.
    pub(super) fn range(&self) -> Option<(UsDollars, UsDollars)> {
        let each = |price: UsDollars| price / f64::from(self.boards);
        let low = self.spot.or(self.on_demand)?;
        Some((each(low), each(self.on_demand.unwrap_or(low))))
    }
}

impl AcceleratorPrice {
    fn strubell(name: &str, low: f64, high: f64, unit: PerUnit) -> Self {
        Self {
            name: name.to_owned(),
            low: UsDollars::new(low),
            high: UsDollars::new(high),
            unit,
            source: "Strubell et al. 2019, footnote 7: Google Cloud, United States".to_owned(),
            year: 2019,
            quotes: Vec::new(),
        }
    }

    /// Rent of `units` of it for `hours`.
    #[must_use]
    pub fn rent(&self, units: f64, hours: f64) -> CostRange {
        let cost = |price: UsDollars| price * (units * hours);
        CostRange { low: cost(self.low), high: cost(self.high) }
    }

    /// NVIDIA P100: $0.43 to $1.46 per GPU and hour.
    #[must_use]
    pub fn p100() -> Self {
        Self::strubell("NVIDIA P100", 0.43, 1.46, PerUnit::Gpu)
    }

    /// NVIDIA V100: $0.74 to $2.48 per GPU and hour.
    #[must_use]
    pub fn v100() -> Self {
        Self::strubell("NVIDIA V100", 0.74, 2.48, PerUnit::Gpu)
    }

    /// TPU v2: $1.35 to $4.50 per chip and hour, as the paper's Table 3 counts it.
    ///
    /// The paper's footnote prints $1.46 as the lower price, but only $1.35 yields the table's figures.
    /// Google's price was for a device of four chips.
    #[must_use]
    pub fn tpu_v2() -> Self {
        Self::strubell("TPU v2", 1.35, 4.50, PerUnit::Chip)
    }

    /// TPU v3: $2.40 to $8.00 per chip and hour, as the paper's Table 3 counts it.
    ///
    /// Google's price was for a device of four chips.
    #[must_use]
    pub fn tpu_v3() -> Self {
        Self::strubell("TPU v3", 2.40, 8.00, PerUnit::Chip)
    }
}
