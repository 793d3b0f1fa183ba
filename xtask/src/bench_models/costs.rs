//! Greenhouse gases and money of a run, from its record's footprint.

use ergometer::Record;
use ergometer::footprint::Site;
use ergometer::units::{GramsCo2e, KilowattHours, UsDollars};
use serde::{Deserialize, Serialize};

use super::report::Report;

/// What a run's energy means outside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Energy drawn by the building: kWh × PUE.
    pub facility_kwh: Option<KilowattHours>,
    /// Greenhouse gases.
    pub co2e: Option<GramsCo2e>,
    /// Cost of that electricity.
    pub electricity: Option<UsDollars>,
    /// What the accelerators would have cost in a cloud, from low to high.
    pub cloud: Option<(UsDollars, UsDollars)>,
}

impl Costs {
    pub fn of(record: &Record) -> Self {
        let footprint = &record.footprint;
        Self {
            facility_kwh: Some(footprint.it_energy),
            co2e: Some(footprint.co2e),
            electricity: Some(footprint.electricity_cost),
            cloud: None,
        }
    }

    pub fn site(_record: &Record) -> Site {
        Site::current()
    }

    pub fn constants(_report: &Report) -> Vec<String> {
        Vec::new()
    }
}
