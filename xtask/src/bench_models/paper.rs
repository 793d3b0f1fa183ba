//! The paper's own rows, to be read beside what was measured.

use ergometer::footprint::strubell::Training;
use ergometer::units::{UsDollars, Watts};
use serde::{Deserialize, Serialize};

use super::choices::{Model, Size};

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
    pub cloud_usd: (UsDollars, UsDollars),
}

impl PaperRow {
    /// The paper's row for a model: up to the size `base` that of its base model.
    pub fn for_model(model: Model, size: Size) -> Option<Self> {
        let (name, hardware) = match (model, size) {
            (Model::Transformer, Size::Big) => ("Transformer big", "P100x8"),
            (Model::Transformer, _) => ("Transformer base", "P100x8"),
            (Model::Elmo, _) => ("ELMo", "P100x3"),
            (Model::Bert, _) => ("BERT base", "V100x64"),
            (Model::Gpt2, _) => ("GPT-2", "TPUv3x32"),
            (Model::Search, _) => ("NAS", "P100x8"),
        };
        Training::find(name, hardware).map(Self::from)
    }
}

impl From<&Training> for PaperRow {
    fn from(row: &Training) -> Self {
        Self {
            source: CITATION.to_owned(),
            model: row.model.to_owned(),
            hardware: row.hardware.to_owned(),
            watts: row.power.map(Watts::get),
            hours: row.hours_printed,
            facility_kwh: row.facility_kwh,
            co2e_lb: row.co2e_pounds,
            cloud_usd: row.cloud,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_and_size_has_a_row() {
        for size in [Size::Smoke, Size::Tiny, Size::Small, Size::Base] {
            let row = PaperRow::for_model(Model::Transformer, size).unwrap();
            assert_eq!((row.model.as_str(), row.co2e_lb), ("Transformer base", Some(26.0)));
        }
        let big = PaperRow::for_model(Model::Transformer, Size::Big).unwrap();
        assert_eq!((big.watts, big.hours), (Some(1515.43), 84.0));
        let elmo = PaperRow::for_model(Model::Elmo, Size::Big).unwrap();
        assert_eq!((elmo.hardware.as_str(), elmo.facility_kwh), ("P100x3", Some(275.0)));
        let gpt2 = PaperRow::for_model(Model::Gpt2, Size::Tiny).unwrap();
        assert_eq!((gpt2.hours, gpt2.facility_kwh), (168.0, None), "no power is printed for it");
        let search = PaperRow::for_model(Model::Search, Size::Tiny).unwrap();
        assert_eq!((search.hours, search.co2e_lb), (274_120.0, Some(626_155.0)));
    }
}
