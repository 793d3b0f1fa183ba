//! The paper's own rows, to be read beside what was measured.

use serde::{Deserialize, Serialize};

use super::{Model, Size};

/// How a printed row is marked wherever it stands.
pub const CITATION: &str = "Strubell et al. 2019";

/// A row of Table 3 as printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaperRow {
    /// [`CITATION`].
    pub source: String,
    /// The paper's name for the model.
    pub model: String,
    /// Accelerators it was trained on.
    pub hardware: String,
    /// Power of CPU, memory and accelerators, watts.
    pub watts: Option<f64>,
    /// Duration, hours.
    pub hours: f64,
    /// Energy drawn by the building: kWh × PUE.
    pub facility_kwh: Option<f64>,
    /// Pounds of CO2 equivalent.
    pub co2e_lb: Option<f64>,
    /// Cloud cost from low to high, US dollars.
    pub cloud_usd: Option<(f64, f64)>,
}

impl PaperRow {
    /// The paper's row for a model of this size.
    pub fn for_model(model: Model, size: Size) -> Option<Self> {
        let row = |model: &str, watts, hours, kwh, lb, cloud| Self {
            source: CITATION.to_owned(),
            model: model.to_owned(),
            hardware: "P100x8".to_owned(),
            watts: Some(watts),
            hours,
            facility_kwh: Some(kwh),
            co2e_lb: Some(lb),
            cloud_usd: Some(cloud),
        };
        Some(match (model, size) {
            (Model::Transformer, Size::Big) => {
                row("Transformer big", 1515.43, 84.0, 201.0, 192.0, (289.0, 981.0))
            }
            (Model::Transformer, _) => {
                row("Transformer base", 1415.78, 12.0, 27.0, 26.0, (41.0, 140.0))
            }
            (Model::Elmo, _) => row("ELMo", 517.66, 336.0, 275.0, 262.0, (433.0, 1472.0)),
        })
    }
}
