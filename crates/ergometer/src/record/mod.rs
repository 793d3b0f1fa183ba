//! A run's result as data.
//!
//! Every table, file and page is made from the record, and contains nothing that is not in it. Its JSON
//! form contains [`Record::SCHEMA`]; a reader refuses an unknown major version.

pub mod merge;
pub(crate) mod nest;
mod part;
pub mod power;
pub mod rank;
pub mod resume;
mod run;
mod steps;
pub(crate) mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::energy::{Energy, Method, Usage};
use crate::footprint::Footprint;
use crate::forecast::Forecast;
use crate::source::{Domain, SourceReport};
use crate::span::Kind;
use crate::units::{Joules, Watts};
pub use part::{Part, PartSteps};
use power::PowerHistory;
use rank::Rank;
pub use run::{Machine, Program, RunInfo};
use steps::is_zero;
pub use steps::{Distribution, Items, NamedSteps, Steps};

/// The measured cost of one run.
///
/// ```
/// # use ergometer::{Meter, Record, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let record = meter.finish()?;
/// assert!(record.total.energy.is_some());
/// assert!(record.to_string().contains("Footprint")); // the table for the terminal
/// assert_eq!(Record::from_json(&record.to_json()?)?, record);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// [`Record::SCHEMA`] of the program that wrote it.
    pub schema: String,
    /// The run: name, time, program.
    pub run: RunInfo,
    /// The machine it ran on; in a merged record the first rank's, with the accelerators of all.
    pub machine: Machine,
    /// The report of each source, with reason and remedy if it is unavailable.
    pub sources: Vec<SourceReport>,
    /// The metered domains, in the order of every `by_domain` in this record.
    pub domains: Vec<DomainRecord>,
    /// The whole run, from the start of the meter to its end.
    pub total: Usage,
    /// The share of each method in the energy of `total`, 0 to 1; empty if nothing was read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub method_shares: BTreeMap<Method, f64>,
    /// One row per epoch, in the order in which they ended: the first 4096.
    pub epochs: Vec<Epoch>,
    /// The epochs after those, summed by split.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more_epochs: BTreeMap<String, MoreEpochs>,
    /// The part of the run outside every epoch: `total` = Σ `epochs` + Σ `more_epochs` + `outside_epochs`.
    pub outside_epochs: Vec<Joules>,
    /// The run's steps by the split of their epoch (`train`, `valid`); steps outside every epoch are in
    /// `run`. A merged record also has the steps of each rank, as in its own record, under `train@0`,
    /// `train@1`.
    pub steps: BTreeMap<String, Steps>,
    /// The same by the names of the steps, for splits whose steps have several names or are nested.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps_by_name: BTreeMap<String, Vec<NamedSteps>>,
    /// All spans, aggregated by label path.
    pub spans: Vec<SpanNode>,
    /// Facility energy, CO2e and money for the energy.
    pub footprint: Footprint,
    /// The user's own results: loss, accuracy, perplexity.
    pub results: BTreeMap<String, f64>,
    /// The user's own remarks: seed, corpus, size.
    pub facts: BTreeMap<String, String>,
    /// The ranks whose records were [merged](Record::merge) into this one; empty in a record of one
    /// process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<RankRecord>,
    /// The programs inside this run that marked spans of their own ([`Record::nest`]); the epochs, steps and spans
    /// of this record are theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
    /// Forecasts at every twentieth of the run, kept so that they can be judged. The last one is the
    /// result, if everything that was planned was done ([`Forecast::is_final`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forecasts: Vec<Forecast>,
    /// The parts of the run before its interruptions, in order, if it was
    /// [resumed](crate::MeterBuilder::resume). Everything else in the record covers only the last part, and
    /// [`Record::whole`] is the sum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Part>,
    /// Power over time; absent if nothing was read, in records of older versions, and in merged ones unless all
    /// ranks have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerHistory>,
    /// Problems and other remarks, one line each.
    pub warnings: Vec<String>,
}

impl Record {
    /// Name and version of the record's format.
    pub const SCHEMA: &str = "ergometer-record/1";
}

/// The share of each method in the energy of all `domains`.
pub(crate) fn method_shares(domains: &[DomainRecord]) -> BTreeMap<Method, f64> {
    let mut joules: BTreeMap<Method, f64> = BTreeMap::new();
    for energy in domains.iter().filter_map(|row| row.energy) {
        *joules.entry(energy.method).or_default() += energy.joules.get();
    }
    let total: f64 = joules.values().sum();
    let is_alone = joules.len() == 1;
    let share = |joules: f64| if is_alone { 1.0 } else { joules / total };
    joules.retain(|_, joules| share(*joules).is_finite());
    joules.into_iter().map(|(method, joules)| (method, share(joules))).collect()
}

/// What one rank of a merged record metered.
///
/// ```
/// # use ergometer::{Meter, Record, source::DomainKind, units::Watts};
/// let rank = |rank| -> ergometer::Result<Record> {
///     let meter = Meter::builder().label("my-run").rank(rank, 2).group("job-1");
///     meter.without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?.finish()
/// };
/// let run = Record::merge(vec![rank(0)?, rank(1)?])?;
/// assert_eq!(run.ranks.len(), 2);
/// // Both metered the same machine, which counts once.
/// assert_eq!(run.domains.len(), 1);
/// assert_eq!(run.ranks[1].domains, ["fixed:node"]);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RankRecord {
    /// The rank.
    pub rank: Rank,
    /// [`RunInfo::id`] of its own record.
    pub run_id: String,
    /// Host name of its machine.
    pub host: Option<String>,
    /// [`Machine::machine_id`] of its machine.
    pub machine_id: Option<String>,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// Energy of everything that it metered. Domains metered by several ranks are in each one's energy, so
    /// these do not sum to the total.
    pub energy: Option<Energy>,
    /// Ids of the merged record's domains that it metered.
    pub domains: Vec<String>,
}

/// One metered domain over the whole run.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// std::thread::sleep(std::time::Duration::from_millis(20));
/// let record = meter.finish()?;
/// let node = &record.domains[0];
/// assert_eq!(node.domain.kind, DomainKind::Node);
/// assert!((node.mean_power.unwrap().get() - 50.0).abs() < 1.0);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DomainRecord {
    /// Identity and sensor.
    #[serde(flatten)]
    pub domain: Domain,
    /// Its energy over the run; `None` if nothing could be read, with the reason in `warnings`.
    pub energy: Option<Energy>,
    /// Mean power over the run.
    pub mean_power: Option<Watts>,
    /// Mean power over the time before the run in which the baseline was measured; `None` if it was not, or
    /// if the domain was not observed for most of it.
    pub idle_power: Option<Watts>,
    /// `energy` − `idle_power` × the run's seconds; negative if the machine did more before the run than in
    /// it.
    pub above_idle: Option<Joules>,
    /// The counter's joules over the time in which counter and power were both read.
    pub counter_joules: Option<Joules>,
    /// The integrated power samples' joules over that same time.
    pub integrated_joules: Option<Joules>,
    /// Readings taken.
    pub readings: u64,
    /// Reads that failed or were rejected.
    pub failed_readings: u64,
    /// Problems with this domain, one line each.
    pub warnings: Vec<String>,
}

/// One epoch.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let _epoch = meter.span(Kind::Epoch);
///     for _ in 0..3 {
///         let step = meter.span(Kind::Step);
///         step.items(16);
///     }
/// }
/// let record = meter.finish()?;
/// let epoch = &record.epochs[0];
/// assert_eq!((epoch.split.as_str(), epoch.index), ("epoch", 1));
/// let steps = epoch.steps.as_ref().unwrap();
/// let parts = steps.by_domain[0] + epoch.between_steps[0];
/// assert!((epoch.usage.energy.unwrap().joules - parts).abs().get() < 1e-9);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Epoch {
    /// The epoch's name: `train`, `valid`, or `epoch` if the program set none.
    pub split: String,
    /// Number of the epoch within its split, from 1.
    pub index: u64,
    /// Seconds from the start of the run to the start of the epoch.
    pub start_s: f64,
    /// Its time and energy.
    pub usage: Usage,
    /// All its steps that are not inside other steps; absent if there are none. The rates of items cover
    /// only the steps whose names have items.
    pub steps: Option<Steps>,
    /// The same by name, if the steps have several names or are nested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_by_name: Vec<NamedSteps>,
    /// Joules per domain inside the epoch but outside its steps:
    /// `usage` = `steps` + `between_steps`.
    pub between_steps: Vec<Joules>,
}

/// Epochs of one split without rows, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MoreEpochs {
    /// Their number.
    pub count: u64,
    /// Their time and energy; `seconds` is the sum of their durations.
    pub usage: Usage,
    /// Their steps; absent if there are none.
    pub steps: Option<Steps>,
    /// Their steps by name, as in [`Epoch::steps_by_name`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_by_name: Vec<NamedSteps>,
    /// Joules per domain inside them but outside their steps: `usage` = `steps` + `between_steps`.
    pub between_steps: Vec<Joules>,
}

/// All spans with the same label path.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let _step = meter.span(Kind::Step);
///     let _inside = meter.span("tokenise");
/// }
/// let record = meter.finish()?;
/// let step = &record.spans[0];
/// assert_eq!((step.kind, step.count), (Kind::Step, 1));
/// assert_eq!(step.children[0].name, "tokenise");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpanNode {
    /// Kind of span.
    pub kind: Kind,
    /// Its label.
    pub name: String,
    /// Number of closed spans.
    pub count: u64,
    /// How many of `count` were recorded together with others, by `every = n` of
    /// [`#[track_energy]`](crate::track_energy) or because they came too fast.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u64,
    /// Total seconds; over ranks, those of the longest rank.
    pub seconds: f64,
    /// Total joules per domain, children included. Each moment counts once, divided among the open spans of
    /// one parent, so that sums add up for any number of threads.
    pub by_domain: Vec<Joules>,
    /// The machine's whole energy in each span's time, summed over spans and domains, if spans overlapped:
    /// more than `by_domain`. Moments with several open spans count several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusive: Option<Joules>,
    /// Standard uncertainty of the sum over domains.
    pub standard_uncertainty: Joules,
    /// Joules over all domains outside its children (exclusive energy).
    pub exclusive: Joules,
    /// Spans opened inside.
    pub children: Vec<SpanNode>,
}
