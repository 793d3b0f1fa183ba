//! From what was measured to the published trainings: what they would take on this machine.
//!
//! Operations and not steps are what is carried over: J/FLOP × published FLOPs. That assumes that the published model
//! uses this machine as well as the measured one did. The range is over what was published: BERT's authors did not
//! say how many steps read 512 tokens, ELMo's released model is from before its last epoch, and of GPT-2 only
//! the hardware and the time are known.

use ergometer::footprint::{Site, strubell::Training};
use ergometer::units::{KilowattHours, Watts};
use serde::{Deserialize, Serialize};

use super::choices::{Model, Size, Subject};
use super::mean::Mean;

/// A published training: which, and what it took in operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Name for people.
    pub name: &'static str,
    /// The size here that is this model.
    size: Size,
    /// Operations by its shortest and longest schedule.
    flops: (f64, f64),
    /// Which schedules these are.
    schedules: &'static str,
    /// Its row in the paper's Table 3: model and hardware.
    row: Option<(&'static str, &'static str)>,
}

/// Operations of a training step for a pair of 64 tokens a side (Transformer), a word (ELMo), a batch of 256
/// pairs of 128 and of 512 tokens (BERT): what the examples' own tests count.
const TRANSFORMER_BASE_PAIR: f64 = 24_638_914_560.0;
const TRANSFORMER_BIG_PAIR: f64 = 83_100_696_576.0;
const ELMO_WORD: f64 = 663_128_064.0;
const BERT_BASE_STEPS: (f64, f64) = (17_901_821_362_176.0, 77_060_104_519_680.0);
/// Pairs of 64 tokens in a batch of 25,000 tokens a side.
const TRANSFORMER_PAIRS: f64 = 25_000.0 / 64.0;
/// Words of a step: 128 rows of 20 words on each of three GPUs.
const ELMO_WORDS: f64 = 7_680.0;
/// Steps of BERT.
const BERT_STEPS: f64 = 1e6;
/// Operations of a training step for a pair of 64 tokens a side of what the architecture search began from.
const SEARCH_PAIR: f64 = 23_909_105_664.0;
/// Pairs of 64 tokens in its batch of 4,096, and its steps.
const SEARCH_PAIRS: f64 = 64.0;
const SEARCH_STEPS: f64 = 979e6;
/// GPT-2's 32 TPU v3 chips of 123 TFLOP/s for 168 hours.
const GPT2_PEAK: f64 = 32.0 * 168.0 * 3600.0 * 123e12;

impl Published {
    /// The published training that stands beside a model of this size: `base`, unless another one is trained.
    pub fn of(model: Model, size: Size) -> Self {
        let twice = |flops| (flops, flops);
        match (model, size) {
            (Model::Transformer, Size::Big) => Self {
                name: "Transformer big",
                size,
                flops: twice(TRANSFORMER_BIG_PAIR * TRANSFORMER_PAIRS * 3e5),
                schedules: "300,000 steps of 25,000 tokens a side, at 64 tokens a sentence",
                row: Some(("Transformer big", "P100x8")),
            },
            (Model::Transformer, _) => Self {
                name: "Transformer base",
                size: Size::Base,
                flops: twice(TRANSFORMER_BASE_PAIR * TRANSFORMER_PAIRS * 1e5),
                schedules: "100,000 steps of 25,000 tokens a side, at 64 tokens a sentence",
                row: Some(("Transformer base", "P100x8")),
            },
            (Model::Elmo, _) => Self {
                name: "ELMo",
                size: Size::Base,
                flops: (ELMO_WORD * ELMO_WORDS * 935_588.0, ELMO_WORD * ELMO_WORDS * 1_000_845.0),
                schedules: "935,588 steps (the released model) to 1,000,845 (ten epochs) of 7,680 words",
                row: Some(("ELMo", "P100x3")),
            },
            (Model::Bert, _) => {
                let (short, long) = BERT_BASE_STEPS;
                Self {
                    name: "BERT base",
                    size: Size::Base,
                    flops: ((0.9 * short + 0.1 * long) * BERT_STEPS, long * BERT_STEPS),
                    schedules: "a million steps of 256 pairs, nine tenths of them of 128 tokens to all of 512",
                    row: Some(("BERT base", "V100x64")),
                }
            }
            (Model::Gpt2, _) => Self {
                name: "GPT-2",
                size: Size::Xl,
                flops: (0.2 * GPT2_PEAK, 0.5 * GPT2_PEAK),
                schedules: "steps were not published: 32 TPU v3 chips for 168 h, used at 20 % to 50 % of 123 TFLOP/s",
                row: Some(("GPT-2", "TPUv3x32")),
            },
            (Model::Search, _) => Self {
                name: "Evolved Transformer's search",
                size: Size::Base,
                flops: twice(SEARCH_PAIR * SEARCH_PAIRS * SEARCH_STEPS),
                schedules: "979 million steps of 4,096 tokens at 64 a sentence, each counted as one of the model that it \
                            began from",
                row: Some(("NAS", "P100x8")),
            },
        }
    }
}

/// A range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Range {
    fn scaled(self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }
}

/// What a published training would take on the machine that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// The published training.
    pub name: String,
    /// Always true: none of this was measured.
    pub projected: bool,
    /// Over which schedules the ranges are, and what is assumed.
    pub basis: String,
    /// Floating-point operations.
    pub flops: Range,
    /// Hours.
    pub hours: Range,
    /// Energy of the building: kWh × PUE.
    pub facility_kwh: Range,
    /// Kilograms of CO2 equivalent.
    pub co2e_kg: Range,
    /// Cost of electricity in a report of before prices had a currency: US dollars.
    #[serde(default, skip_serializing)]
    pub electricity_usd: Option<Range>,
    /// Cost of electricity, in the currency of the site's price.
    #[serde(default)]
    pub electricity: Option<Range>,
    /// Relative standard uncertainty of the energies, from that of the measured one alone.
    pub standard_uncertainty: f64,
    /// The paper's row, worked out from its inputs, corrected where they need it.
    pub corrected: Option<Corrected>,
}

/// The paper's row from its own formula.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// Hours that give the printed results.
    pub hours: f64,
    /// kWh × PUE; absent for TPUs, whose power the paper does not have.
    pub facility_kwh: Option<f64>,
    /// Pounds of CO2 equivalent.
    pub co2e_lb: Option<f64>,
}

impl Projection {
    /// From the steady steps of what was measured; `None` where no operations were counted or metered.
    pub fn of(site: &Site, measured: Subject, mean: &Mean) -> Option<Self> {
        let published = Published::of(measured.model, measured.size);
        let (per_second, per_joule) = (mean.flops_per_second?.mean, mean.flops_per_joule?.mean);
        let energy = mean.energy?;
        let (low, high) = published.flops;
        let flops = Range { low, high };
        let kwh = flops.scaled(1.0 / per_joule / 3.6e6 * site.pue.value);
        let of_kwh = |value: &dyn Fn(KilowattHours) -> f64| Range {
            low: value(KilowattHours::new(kwh.low)),
            high: value(KilowattHours::new(kwh.high)),
        };
        let assumed = if published.size == measured.size {
            "the same model, for as long as its schedule".to_owned()
        } else {
            format!("assumes that it uses this machine as well as the {measured} did")
        };
        let price = site.electricity_price.as_ref();
        let electricity = price.map(|price| of_kwh(&|kwh| price.value.get() * kwh.get()));
        Some(Self {
            name: published.name.to_owned(),
            projected: true,
            basis: format!("{}; {assumed}", published.schedules),
            flops,
            hours: flops.scaled(1.0 / per_second / 3600.0),
            facility_kwh: kwh,
            co2e_kg: of_kwh(&|kwh| site.co2e(kwh).kilograms()),
            electricity_usd: None,
            electricity,
            standard_uncertainty: energy.standard_uncertainty.get()
                / energy.joules.get().max(f64::MIN_POSITIVE),
            corrected: published.row.and_then(|(model, hardware)| Corrected::of(model, hardware)),
        })
    }
}

impl Corrected {
    fn of(model: &str, hardware: &str) -> Option<Self> {
        let row = Training::find(model, hardware)?;
        let site = Site::strubell2019();
        let time = std::time::Duration::from_secs_f64(row.hours * 3600.0);
        let energy = |power: Watts| site.facility_energy(power, time);
        Some(Self {
            hours: row.hours,
            facility_kwh: row.power.map(|power| energy(power).get()),
            co2e_lb: row.power.map(|power| site.co2e(energy(power)).pounds()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flops(model: Model, size: Size) -> (f64, f64) {
        Published::of(model, size).flops
    }

    fn near(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-3, "{value:e} is not {expected:e}");
    }

    /// Totals worked out by hand from the published schedules.
    #[test]
    fn published_trainings_have_the_operations_of_their_schedules() {
        near(flops(Model::Transformer, Size::Tiny).0, 9.6246e17);
        near(flops(Model::Transformer, Size::Big).1, 9.7384e18);
        near(flops(Model::Elmo, Size::Tiny).1, 5.0972e18);
        near(flops(Model::Bert, Size::Tiny).0, 2.3818e19);
        near(flops(Model::Bert, Size::Base).1, 7.7060e19);
        let (low, high) = flops(Model::Gpt2, Size::Tiny);
        near(flops(Model::Search, Size::Tiny).0, 1.4981e21);
        near(low, 4.761e20);
        near(high, 1.190e21);
    }

    #[test]
    fn the_papers_row_is_corrected_where_its_inputs_are() {
        let bert = Corrected::of("BERT base", "V100x64").unwrap();
        assert!((bert.hours - 79.2).abs() < 1e-9);
        assert!((bert.facility_kwh.unwrap() - 1506.826).abs() < 0.01, "{bert:?}");
        assert!((bert.co2e_lb.unwrap() - 1437.512).abs() < 0.01, "{bert:?}");
        assert_eq!(Corrected::of("GPT-2", "TPUv3x32").unwrap().facility_kwh, None);
    }
}
