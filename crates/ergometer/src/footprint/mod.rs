//! Record → facility energy, CO2e and money.

use serde::{Deserialize, Serialize};

use crate::{Result, units::{GramsCo2e, KilowattHours, UsDollars}};

/// Placeholder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {}

impl Site {
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
