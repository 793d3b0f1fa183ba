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

/// Which program ran, when and for how long.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().label("my-run").without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let run = meter.finish()?.run;
/// assert_eq!(run.label, "my-run");
/// assert!(run.finished && run.seconds > 0.0);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// Unique identity of the run.
    pub id: String,
    /// The user's name for it.
    pub label: String,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// Duration on the monotonic clock, seconds, without the time in which the machine slept.
    pub seconds: f64,
    /// How long the machine slept during the run, seconds; `None` where that cannot be determined (only on
    /// Linux it can). For several ranks, the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asleep_seconds: Option<f64>,
    /// Busy share of the machine's logical processors over the run, 0 to 1, by all programs together; `None` where the
    /// kernel does not show it, in merged records and in those of programs that died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_utilisation: Option<f64>,
    /// How long the baseline was measured before the run, seconds; `None` if it was not.
    pub idle_seconds: Option<f64>,
    /// The program's command line, with `***` for recognised secrets; only the program's name if
    /// [`MeterBuilder::without_command_line`](crate::MeterBuilder::without_command_line) was called.
    pub command: Vec<String>,
    /// Version of this library.
    pub ergometer: String,
    /// Commit of the git work tree that the program ran in, if there is one.
    pub git_commit: Option<String>,
    /// The rank of the process in a run of several; `None` for a single process and in a merged record.
    #[serde(default)]
    pub rank: Option<Rank>,
    /// The identifier that the ranks of a run share, if there is one.
    #[serde(default)]
    pub group: Option<String>,
    /// Whether the program ended the run; `false` if the record was [recovered](Record::recover) from the
    /// journal of a program that died first.
    #[serde(default = "yes")]
    pub finished: bool,
    /// The exit code of the program that `ergometer run` metered, 128 + n if signal n ended it; `None` of a program
    /// that metered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
}

/// A program inside a run that marked spans of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Program {
    /// [`RunInfo::id`] of its own record.
    pub run_id: String,
    /// [`RunInfo::id`] of the records of its ranks, if it had several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<String>,
    /// The name it has in this record: its label, with a number where several programs have the same.
    pub name: String,
    /// Its command line.
    pub command: Vec<String>,
    /// Seconds from the start of the run to the start of its meter.
    pub start_s: f64,
    /// How long its meter ran, seconds.
    pub seconds: f64,
    /// What the run drew meanwhile, divided among the programs that ran at once; `None` if nothing was read.
    pub joules: Option<Joules>,
    /// Whether it ended its run itself; `false` if its record was recovered from its journal.
    pub finished: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Older records without this field are from before there were journals, and finished.
fn yes() -> bool {
    true
}

/// The machine, as far as it can be described without privilege.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let machine = meter.finish()?.machine;
/// assert!(machine.logical_cpus.is_none_or(|count| count > 0)); // `None` where it is not known, never 0
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// Identity of the running machine, 16 hexadecimal digits: a hash of the kernel's boot id (of
    /// `/etc/machine-id` if there is none). The containers of a machine have the same, different machines
    /// with the same name do not. It changes when the machine is restarted.
    #[serde(default)]
    pub machine_id: Option<String>,
    /// Host name.
    pub host: Option<String>,
    /// Operating system and kernel release.
    pub os: Option<String>,
    /// CPU model name.
    pub cpu: Option<String>,
    /// Logical processors of the machine; in a container, those of the packages that it sees.
    pub logical_cpus: Option<u32>,
    /// Processors that the program may use: the smallest of those that it sees, its affinity and the CPU
    /// quota of its container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_cpus: Option<f64>,
    /// When the kernel started, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booted: Option<i64>,
    /// Installed memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Accelerator boards by label.
    pub accelerators: Vec<String>,
    /// Whether it is a virtual machine, if that can be determined.
    pub virtual_machine: Option<bool>,
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

/// Statistics of steps.
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
/// let steps = &record.steps["epoch"]; // by the name of their epochs
/// assert_eq!(steps.count, 3);
/// assert!((steps.joules.mean * 3.0 - steps.by_domain[0].get()).abs() < 1e-9);
/// let items = steps.items.as_ref().unwrap();
/// assert_eq!(items.count, 48.0);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Steps {
    /// Their number.
    pub count: u64,
    /// Total seconds; over ranks, which step together, those of the longest rank.
    pub seconds: f64,
    /// Total joules per domain, in the order of [`Record::domains`].
    pub by_domain: Vec<Joules>,
    /// Joules per step, summed over domains. Extremes and quantiles are of the machine's whole energy in
    /// each step's time. The mean is that of `by_domain`, in which steps at the same time share the energy;
    /// over ranks, it is the mean share of a rank's step.
    pub joules: Distribution,
    /// Seconds per step.
    pub duration_s: Distribution,
    /// Items processed (tokens, sentences) and their unit; absent if the program counted none.
    pub items: Option<Items>,
    /// How many of `count` were recorded together with others, either by `every = n` of
    /// [`#[track_energy]`](crate::track_energy) or because they came too fast. They are in every sum and
    /// mean, but not in the extremes and quantiles.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u64,
}

/// Steps of one name.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, span::Label, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let _epoch = meter.span(Kind::Epoch);
///     let _step = meter.span(Kind::Step);
///     drop(meter.span(Label::new(Kind::Step, "sample")));
/// }
/// let record = meter.finish()?;
/// let steps = &record.epochs[0].steps_by_name;
/// assert_eq!((steps[0].name.as_str(), steps[0].inside_steps), ("step", false));
/// assert_eq!((steps[1].name.as_str(), steps[1].inside_steps), ("sample", true));
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamedSteps {
    /// The name of their spans.
    pub name: String,
    /// Whether they are inside other steps, whose figures then include theirs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inside_steps: bool,
    /// Their statistics.
    pub steps: Steps,
}

/// Items that a program processed.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let step = meter.span(Kind::Step);
///     step.items(512);
///     std::thread::sleep(std::time::Duration::from_millis(20));
/// }
/// let steps = meter.finish()?.steps["run"].clone();
/// let items = steps.items.unwrap();
/// assert_eq!(items.count, 512.0);
/// assert!((items.joules_per_item.get() * 512.0 / steps.by_domain[0].get() - 1.0).abs() < 1e-9);
/// assert!((items.per_second * steps.seconds - 512.0).abs() < 1e-6);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Items {
    /// Their number.
    pub count: f64,
    /// Their unit: `tokens`.
    pub unit: String,
    /// Joules per item, over all domains.
    pub joules_per_item: Joules,
    /// Items per second.
    pub per_second: f64,
}

/// A distribution, from running statistics and a quantile sketch with 1 % relative error.
///
/// The mean covers all steps, the other figures those that were recorded alone ([`Steps::folded`]).
///
/// A figure that cannot be computed from the statistics of several ranks is `None`: quantiles over all
/// their steps do not follow from those of each.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// for _ in 0..3 {
///     drop(meter.span(Kind::Step));
/// }
/// let seconds = meter.finish()?.steps["run"].duration_s;
/// let (min, max) = (seconds.min.unwrap(), seconds.max.unwrap());
/// assert!(min <= seconds.mean && seconds.mean <= max);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Distribution {
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
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
