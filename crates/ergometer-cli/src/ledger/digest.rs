//! What the ledger needs of a record: kept in the cache, so that a record need not be read again.

use ergometer::Record;
use ergometer::energy::Energy;
use ergometer::footprint::Footprint;
use ergometer::record::{self, Machine};
use ergometer::units::Currency;
use serde::{Deserialize, Serialize};

/// A record in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The part of the run that the record is of.
    pub last: Part,
    /// The parts before its interruptions.
    pub earlier: Vec<Part>,
    /// Runs whose records were merged into this one, with all that they did before an interruption.
    pub ranks: Vec<String>,
    /// Runs inside this one, without what they did before it.
    pub programs: Vec<String>,
}

/// One run, or a part of a run that was interrupted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub run_id: String,
    pub label: String,
    pub model: Option<String>,
    pub host: Option<String>,
    pub machine_id: Option<String>,
    pub cpu: Option<String>,
    /// RFC 3339, UTC.
    pub started: String,
    pub finished: bool,
    pub exit_code: Option<u8>,
    pub git_commit: Option<String>,
    pub seconds: f64,
    pub joules: Option<f64>,
    /// Standard uncertainty of `joules`.
    pub uncertainty_joules: Option<f64>,
    pub method: Option<String>,
    pub facility_kwh: Option<f64>,
    pub co2e_g: Option<f64>,
    /// The cost of electricity and its currency: both, or neither.
    pub electricity: Option<(f64, Currency)>,
    pub co2e_market_g: Option<f64>,
    pub water_l: Option<f64>,
    pub cloud_low_usd: Option<f64>,
    pub cloud_high_usd: Option<f64>,
    pub accelerators: u32,
}

impl Digest {
    pub fn of(record: &Record) -> Self {
        let of_program = |program: &record::Program| {
            program.ranks.iter().chain([&program.run_id]).cloned().collect::<Vec<_>>()
        };
        Self {
            last: Part::last(record),
            earlier: record.earlier.iter().map(|part| Part::earlier(record, part)).collect(),
            ranks: record.ranks.iter().map(|rank| rank.run_id.clone()).collect(),
            programs: record.programs.iter().flat_map(of_program).collect(),
        }
    }
}

impl Part {
    /// What a program ended itself, but not well.
    pub fn failed(&self) -> bool {
        self.finished && self.exit_code.is_some_and(|code| code != 0)
    }

    /// Accelerators × time.
    pub fn accelerator_hours(&self) -> f64 {
        f64::from(self.accelerators) * self.seconds / 3600.0
    }

    fn last(record: &Record) -> Self {
        let run = &record.run;
        let whole = (record.total.energy.as_ref(), Some(&record.footprint));
        Self {
            run_id: run.id.clone(),
            started: run.started.clone(),
            finished: run.finished,
            exit_code: run.exit_code,
            seconds: run.seconds,
            ..Self::new(record, &record.machine, whole)
        }
    }

    fn earlier(record: &Record, part: &record::Part) -> Self {
        let whole = (part.energy.as_ref(), part.footprint.as_ref());
        Self {
            run_id: part.run_id.clone(),
            started: part.started.clone(),
            finished: part.finished,
            seconds: part.seconds,
            ..Self::new(record, &part.machine, whole)
        }
    }

    fn new(
        record: &Record,
        machine: &Machine,
        (energy, footprint): (Option<&Energy>, Option<&Footprint>),
    ) -> Self {
        let cloud = footprint.and_then(|one| one.cloud_cost);
        Self {
            run_id: String::new(),
            label: record.run.label.clone(),
            model: record.facts.get("model").cloned(),
            host: machine.host.clone(),
            machine_id: machine.machine_id.clone(),
            cpu: machine.cpu.clone(),
            started: String::new(),
            finished: true,
            exit_code: None,
            git_commit: record.run.git_commit.clone(),
            seconds: 0.0,
            joules: energy.map(|energy| energy.joules.get()),
            uncertainty_joules: energy.map(|energy| energy.standard_uncertainty.get()),
            method: energy.map(|energy| energy.method.as_str().to_owned()),
            facility_kwh: footprint.and_then(|one| Some(one.facility_energy?.value.get())),
            co2e_g: footprint.and_then(|one| Some(one.co2e?.value.get())),
            electricity: footprint
                .and_then(Footprint::electricity_with_currency)
                .map(|(cost, currency)| (cost.value.get(), currency)),
            co2e_market_g: footprint.and_then(|one| Some(one.co2e_market?.value.get())),
            water_l: footprint.and_then(|one| Some(one.water?.value.get())),
            cloud_low_usd: cloud.map(|cost| cost.low.get()),
            cloud_high_usd: cloud.map(|cost| cost.high.get()),
            accelerators: footprint.map_or(0, |one| one.accelerators),
        }
    }
}
