//! `--format sci`: the Software Carbon Intensity of ISO/IEC 21031:2024, (O + M) per R.

use clap::ValueEnum;
use ergometer::Record;
use serde::Serialize;

use crate::outcome::Stop;

/// What only `--format sci` needs.
#[derive(Debug, clap::Args)]
pub struct SciArgs {
    /// Functional unit R of `--format sci`
    #[arg(long, value_enum, default_value_t = Unit::Run)]
    per: Unit,
    /// Embodied emissions of all reserved hardware (TE), kg CO2e; without it M is left out
    #[arg(long, value_name = "KG", requires = "lifetime_years")]
    embodied_kg: Option<f64>,
    /// Expected life of that hardware (EL), years
    #[arg(long, value_name = "YEARS", requires = "embodied_kg")]
    lifetime_years: Option<f64>,
    /// Share of that hardware that was reserved for the run (RR/ToR)
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    reserved_share: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    /// The whole run
    Run,
    /// A step of training
    Step,
    /// An item of training: a token, a sentence
    Item,
    /// A million items of training
    MillionItems,
}

/// The score with everything that it is made of.
#[derive(Serialize)]
pub struct Score {
    standard: &'static str,
    label: String,
    /// R, and how many of it the run had.
    functional_unit: String,
    functional_units: f64,
    /// E: facility energy.
    energy_kwh: f64,
    /// I: location-based.
    intensity_g_per_kwh: f64,
    intensity: String,
    /// O = E × I.
    operational_g: f64,
    /// M = TE × TiR/EL × RR/ToR; `None` where no embodied emissions were given.
    embodied_g: Option<f64>,
    sci_g_per_unit: f64,
    /// One standard deviation, of the energy alone.
    standard_uncertainty_g_per_unit: f64,
    boundary: Vec<String>,
    notes: Vec<String>,
}

impl SciArgs {
    pub fn score(&self, record: &Record) -> Result<Score, Stop> {
        let whole = record.whole();
        let footprint = &whole.footprint;
        let (Some(energy), Some(gases)) = (footprint.facility_energy, footprint.co2e) else {
            return Err(Stop::new(format!("'{}' has no energy", record.run.label))
                .with_remedy("see `ergometer report` for why nothing was read"));
        };
        let (unit, units) = self.units(record)?;
        let operational = gases.value.get();
        let embodied = self.embodied(whole.seconds)?;
        let carbon = &footprint.site.carbon;
        let assumed = if carbon.assumed { ", assumed as no region was given" } else { "" };
        let mut notes = Vec::new();
        if embodied.is_none() {
            notes.push("M is left out: embodied emissions were not given (--embodied-kg, --lifetime-years)".to_owned());
        }
        if carbon.assumed {
            notes.push(
                "I is not location-based, as the standard requires: give the run a region"
                    .to_owned(),
            );
        }
        let names = record.domains.iter().zip(record.domain_names());
        let metered = names
            .filter(|(row, _)| row.energy.is_some())
            .map(|(row, name)| format!("{name} ({})", row.domain.method.as_str()));
        let pue = &footprint.site.pue;
        let supporting =
            format!("supporting systems by PUE {} ({}, {})", pue.value, pue.source, pue.year);
        Ok(Score {
            standard: "ISO/IEC 21031:2024",
            label: record.run.label.clone(),
            functional_unit: unit,
            functional_units: units,
            energy_kwh: energy.value.get(),
            intensity_g_per_kwh: footprint.mean_intensity.unwrap_or(carbon.grams_per_kwh),
            intensity: format!(
                "{}{assumed}, annual mean, {} ({}, {})",
                carbon.place,
                carbon.kind.as_str(),
                carbon.source,
                carbon.year
            ),
            operational_g: operational,
            embodied_g: embodied,
            sci_g_per_unit: (operational + embodied.unwrap_or(0.0)) / units,
            standard_uncertainty_g_per_unit: gases.standard_uncertainty.get() / units,
            boundary: metered.chain([supporting]).collect(),
            notes,
        })
    }

    /// Grams of the hardware's making that fall to this many seconds.
    fn embodied(&self, seconds: f64) -> Result<Option<f64>, Stop> {
        const YEAR: f64 = 365.25 * 86_400.0;
        let Some((kilograms, years)) = self.embodied_kg.zip(self.lifetime_years) else {
            return Ok(None);
        };
        let valid = kilograms >= 0.0 && years > 0.0 && (0.0..=1.0).contains(&self.reserved_share);
        if !valid || !kilograms.is_finite() || !years.is_finite() {
            return Err(Stop::new("embodied emissions, lifetime or reserved share is not valid")
                .with_remedy(
                    "give kilograms of 0 or more, years above 0, and a share from 0 to 1",
                ));
        }
        Ok(Some(kilograms * 1e3 * seconds / (years * YEAR) * self.reserved_share))
    }

    fn units(&self, record: &Record) -> Result<(String, f64), Stop> {
        let steps = record.whole().steps;
        // Validation serves the training: it is part of the energy, and no further unit.
        let split = if steps.contains_key("train") || steps.len() != 1 {
            steps.get("train")
        } else {
            steps.values().next()
        };
        let missing = |what: &str| {
            Stop::new(format!("'{}' has no {what} of a split 'train'", record.run.label))
                .with_remedy("use --per run, or mark them with the library")
        };
        match self.per {
            Unit::Run => Ok(("run".to_owned(), 1.0)),
            Unit::Step => {
                let steps =
                    split.filter(|steps| steps.count > 0).ok_or_else(|| missing("steps"))?;
                Ok(("step of training".to_owned(), steps.count as f64))
            }
            Unit::Item | Unit::MillionItems => {
                let steps =
                    split.filter(|steps| steps.items > 0.0).ok_or_else(|| missing("items"))?;
                let unit = if steps.unit.is_empty() { "items" } else { &steps.unit };
                match self.per {
                    Unit::Item => Ok((format!("one of the {unit} of training"), steps.items)),
                    _ => Ok((format!("million {unit} of training"), steps.items / 1e6)),
                }
            }
        }
    }
}
