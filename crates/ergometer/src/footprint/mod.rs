//! Record → facility energy, CO2e and money.

use serde::{Deserialize, Serialize};

use crate::{Result, units::{GramsCo2e, KilowattHours, UsDollars}};

/// Placeholder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {}

impl Site {
    /// x
    /// # Errors
    /// x
    pub fn with_pue(self, _: f64) -> Result<Self> { Ok(self) }
    /// x
    #[must_use]
    pub fn footprint(&self, _: Option<&crate::run::record::Energy>, _: f64, _: u32) -> Footprint { Footprint { it_energy: KilowattHours::ZERO, co2e: GramsCo2e::ZERO, electricity_cost: UsDollars::ZERO } }
    /// Placeholder.
    #[must_use]
    pub fn current() -> Self {
        Self {}
    }
    /// Placeholder.
    ///
    /// # Errors
    /// Placeholder.
    pub fn region(self, _: &str) -> Result<Self> {
        Err(crate::Error::new(crate::ErrorKind::UnknownRegion, "x").with_remedy("DE"))
    }
}

/// Placeholder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    /// x
    pub it_energy: KilowattHours,
    /// x
    pub co2e: GramsCo2e,
    /// x
    pub electricity_cost: UsDollars,
}
