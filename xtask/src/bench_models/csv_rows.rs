//! The report as CSV: one row a run, and the paper's own rows, in plain units.

use ergometer::units::{Currency, GramsCo2e};
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::choices::word;
use super::model_report::ModelReport;
use super::paper::{self, PaperRow};
use super::report::Report;
use super::run::Run;
use super::steady::Steady;

/// Origin of a row that was measured.
const RUN: &str = "run";

/// Origin of a row whose GPUs were simulated.
const SIMULATED: &str = "run on SIMULATED GPUs";

/// A row; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// [`RUN`], [`SIMULATED`], or the citation of a printed row.
    pub origin: String,
    pub model: String,
    pub size: Option<String>,
    pub backend: Option<String>,
    pub seed: Option<u64>,
    pub hardware: String,
    pub method: Option<String>,
    pub power_w: Option<f64>,
    pub hours: f64,
    pub seconds: Option<f64>,
    pub energy_j: Option<f64>,
    /// One standard deviation.
    pub standard_uncertainty_j: Option<f64>,
    pub facility_kwh: Option<f64>,
    pub co2e_lb: Option<f64>,
    pub co2e_kg: Option<f64>,
    pub electricity_cost: Option<f64>,
    pub electricity_currency: Option<Currency>,
    pub cloud_low_usd: Option<f64>,
    pub cloud_high_usd: Option<f64>,
    pub training_steps: Option<u64>,
    pub joules_per_step: Option<f64>,
    pub items: Option<f64>,
    pub item_unit: Option<String>,
    pub joules_per_item: Option<f64>,
    pub items_per_second: Option<f64>,
    /// Of the steps without the warm-up, as the three before.
    pub flops_per_second: Option<f64>,
    pub flops_per_joule: Option<f64>,
    /// Of the whole training.
    pub training_flops: Option<f64>,
    pub quality: Option<String>,
    pub quality_first: Option<f64>,
    pub quality_last: Option<f64>,
    pub train_loss_first: Option<f64>,
    pub train_loss_last: Option<f64>,
    pub valid_loss_first: Option<f64>,
    pub valid_loss_last: Option<f64>,
    pub record: Option<String>,
}

/// The rows of a report as CSV with a head.
pub fn of(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for model in &report.models {
        for run in &model.runs {
            let origin = if report.simulated { SIMULATED } else { RUN };
            writer.serialize(measured(origin, model, run))?;
        }
        if let Some(row) = &model.paper {
            writer.serialize(printed(row))?;
        }
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn measured(origin: &str, model: &ModelReport, run: &Run) -> Row {
    let training = run.training_steps();
    let items = run.training_items();
    let steady = Steady::of(run);
    let steady = steady.as_ref();
    let quality = run.quality.as_ref();
    let electricity = Amount::of(&run.footprint);
    Row {
        origin: origin.to_owned(),
        model: word(model.model),
        size: Some(word(model.size)),
        backend: Some(word(model.backend)),
        seed: run.seed,
        hardware: run.hardware.clone(),
        method: run.energy.map(|energy| energy.method.as_str().to_owned()),
        power_w: run.watts,
        hours: run.seconds / 3600.0,
        seconds: Some(run.seconds),
        energy_j: run.energy.map(|energy| energy.joules.get()),
        standard_uncertainty_j: run.energy.map(|energy| energy.standard_uncertainty.get()),
        facility_kwh: run.footprint.facility_energy.map(|energy| energy.value.get()),
        co2e_lb: run.footprint.co2e.map(|gases| gases.value.pounds()),
        co2e_kg: run.footprint.co2e.map(|gases| gases.value.kilograms()),
        electricity_cost: electricity.map(|amount| amount.value),
        electricity_currency: electricity.map(|amount| amount.currency),
        cloud_low_usd: run.cloud_usd().map(|(low, _)| low.get()),
        cloud_high_usd: run.cloud_usd().map(|(_, high)| high.get()),
        training_steps: training.map(|steps| steps.count),
        joules_per_step: steady.and_then(Steady::joules_per_step),
        items: items.map(|items| items.count),
        item_unit: items.map(|items| items.unit.clone()),
        joules_per_item: steady.and_then(Steady::joules_per_item),
        items_per_second: steady.and_then(Steady::items_per_second),
        flops_per_second: steady.and_then(Steady::flops_per_second),
        flops_per_joule: steady.and_then(Steady::flops_per_joule),
        training_flops: run.results.get("training_flops").copied(),
        quality: quality.map(|quality| quality.name.clone()),
        quality_first: quality.and_then(|quality| quality.first),
        quality_last: quality.map(|quality| quality.last),
        train_loss_first: run.train_loss.map(|loss| loss.first),
        train_loss_last: run.train_loss.map(|loss| loss.last),
        valid_loss_first: run.valid_loss.map(|loss| loss.first),
        valid_loss_last: run.valid_loss.map(|loss| loss.last),
        record: Some(run.record.display().to_string()),
    }
}

fn printed(row: &PaperRow) -> Row {
    let grams = row.co2e_lb.map(GramsCo2e::from_pounds);
    Row {
        origin: paper::CITATION.to_owned(),
        model: row.model.clone(),
        hardware: row.hardware.clone(),
        power_w: row.watts,
        hours: row.hours,
        facility_kwh: row.facility_kwh,
        co2e_lb: row.co2e_lb,
        co2e_kg: grams.map(GramsCo2e::kilograms),
        cloud_low_usd: Some(row.cloud_usd.0.get()),
        cloud_high_usd: Some(row.cloud_usd.1.get()),
        ..Row::default()
    }
}
