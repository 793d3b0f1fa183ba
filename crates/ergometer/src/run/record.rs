//! A run's result as data.
//!
//! The record is the product: every table, file and page is made from it, and nothing is printed
//! that is not in it. Its JSON form carries [`SCHEMA`]; a reader refuses a major version it does
//! not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::earlier::Part;
use super::rank::Rank;
use crate::footprint::Footprint;
use crate::forecast::Forecast;
use crate::meter::{Method, Uncertainty};
use crate::source::{Domain, SourceReport};
use crate::span::Kind;
use crate::units::{Joules, Watts};

/// Name and version of the record's format.
pub const SCHEMA: &str = "ergometer-record/1";

/// The measured cost of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`] of the program that wrote it.
    pub schema: String,
    /// The run: name, time, program.
    pub run: RunInfo,
    /// The machine it ran on; of a merged record that of its first rank, with the accelerators of all.
    pub machine: Machine,
    /// What each source found, unavailable ones with reason and remedy.
    pub sources: Vec<SourceReport>,
    /// What was metered, in the order that every `by_domain` of this record follows.
    pub domains: Vec<DomainRecord>,
    /// The whole run, from the start of the meter to its end.
    pub total: Usage,
    /// The share of each method in the energy of `total`, 0 to 1; empty where nothing was read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub method_shares: BTreeMap<Method, f64>,
    /// One row an epoch, in the order in which they ended: the first 4096.
    pub epochs: Vec<Epoch>,
    /// The epochs after those, summed by split.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more_epochs: BTreeMap<String, MoreEpochs>,
    /// The part of the run outside every epoch: `total` = Σ `epochs` + Σ `more_epochs` + `outside_epochs`.
    pub outside_epochs: Vec<Joules>,
    /// The run's steps by the split of their epoch (`train`, `valid`); steps outside every epoch
    /// stand under `run`. A merged record has those of each rank as well, as its own record has
    /// them, under `train@0`, `train@1`.
    pub steps: BTreeMap<String, Steps>,
    /// The same by the names of the steps, for the splits whose steps have several names, or lie inside each
    /// other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps_by_name: BTreeMap<String, Vec<NamedSteps>>,
    /// All spans, folded by their path of labels.
    pub spans: Vec<SpanNode>,
    /// What the energy means outside: facility energy, CO2e, money.
    pub footprint: Footprint,
    /// The user's own results: loss, accuracy, perplexity.
    pub results: BTreeMap<String, f64>,
    /// The user's own remarks: seed, corpus, size.
    pub facts: BTreeMap<String, String>,
    /// The ranks whose records were [merged](Record::merge) into this one; empty in a record of one
    /// process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<RankRecord>,
    /// What the run was expected to come to, at every twentieth of it, so that forecasts can be judged. The
    /// last is what it came to, if everything that was planned was done ([`Forecast::is_final`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forecasts: Vec<Forecast>,
    /// The parts of the run before its interruptions, in order, where it was
    /// [resumed](crate::MeterBuilder::resume): everything else of the record is of the last part alone, and
    /// [`Record::whole`] is the sum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Part>,
    /// What went wrong or has to be known, one line each.
    pub warnings: Vec<String>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankRecord {
    /// Which it was.
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
    /// All that it metered. What several ranks metered is in each of theirs: these do not sum to the
    /// total.
    pub energy: Option<Energy>,
    /// Ids of the merged record's domains that it metered.
    pub domains: Vec<String>,
}

/// Which program ran, when and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Unique identity of the run.
    pub id: String,
    /// The user's name for it.
    pub label: String,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// Duration on the monotonic clock, seconds: the time in which the machine slept is not in it.
    pub seconds: f64,
    /// For how long the machine slept meanwhile, seconds; `None` where that cannot be told (only Linux tells).
    /// Of ranks, the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asleep_seconds: Option<f64>,
    /// How long the baseline was measured before the run, seconds; `None` where it was not.
    pub idle_seconds: Option<f64>,
    /// The program's command line, with `***` for what is recognised as a secret; the program's name alone
    /// where [`MeterBuilder::without_command_line`](crate::MeterBuilder::without_command_line) was called.
    pub command: Vec<String>,
    /// Version of this library.
    pub ergometer: String,
    /// Commit of the git work tree the program ran in, where there is one.
    pub git_commit: Option<String>,
    /// Which process of a run of several this was; `None` of a run of one, and of a merged record.
    #[serde(default)]
    pub rank: Option<Rank>,
    /// What ties the ranks of a run together, where there is something.
    #[serde(default)]
    pub group: Option<String>,
    /// Whether the program ended the run; `false` of one that it did not live to end, whose record was
    /// [recovered](Record::recover) from its journal.
    #[serde(default = "yes")]
    pub finished: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Records without a word about it are of before there were journals, and finished.
fn yes() -> bool {
    true
}

/// The machine, as far as it can be read without privilege.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Identity of the running machine, 16 hexadecimal digits: a hash of the kernel's boot id (of
    /// `/etc/machine-id` where there is none), so that the containers of a machine have the same and
    /// machines of one name do not. It changes when the machine is started anew.
    #[serde(default)]
    pub machine_id: Option<String>,
    /// Host name.
    pub host: Option<String>,
    /// Operating system and kernel release.
    pub os: Option<String>,
    /// CPU model name.
    pub cpu: Option<String>,
    /// Logical processors of the machine: of a container, those of the packages that it sees.
    pub logical_cpus: Option<u32>,
    /// Processors that the program may use: the fewest of those that it sees, its affinity and the CPU quota of its
    /// container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_cpus: Option<f64>,
    /// When the kernel started, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booted: Option<i64>,
    /// Installed memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Accelerator boards by label.
    pub accelerators: Vec<String>,
    /// Whether it is a virtual machine, where that can be told.
    pub virtual_machine: Option<bool>,
}

/// An energy: joules with standard uncertainty, method and coverage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// The best estimate.
    pub joules: Joules,
    /// Combined standard uncertainty (one standard deviation), joules.
    pub standard_uncertainty: Joules,
    /// The parts it is made of.
    pub parts: Uncertainty,
    /// How it was obtained; of a sum, the least trustworthy of its terms.
    pub method: Method,
    /// Fraction of the time in which the domain was observed, 0 to 1.
    pub coverage: f64,
}

/// One metered domain over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainRecord {
    /// Identity and sensor.
    #[serde(flatten)]
    pub domain: Domain,
    /// Its energy over the run; `None` when nothing could be read, with the reason in `warnings`.
    pub energy: Option<Energy>,
    /// Mean power over the run.
    pub mean_power: Option<Watts>,
    /// Mean power over the time before the run in which the baseline was measured; `None` where it
    /// was not, or the domain was not observed for most of it.
    pub idle_power: Option<Watts>,
    /// `energy` less `idle_power` × the run's seconds: below 0 where the machine did more before the
    /// run than in it.
    pub above_idle: Option<Joules>,
    /// Counter against integrated power: the counter's joules, where both were read.
    pub counter_joules: Option<Joules>,
    /// Counter against integrated power: the power samples' joules, where both were read.
    pub integrated_joules: Option<Joules>,
    /// Readings taken.
    pub readings: u64,
    /// Reads that failed or were rejected.
    pub failed_readings: u64,
    /// What happened to this domain, one line each.
    pub warnings: Vec<String>,
}

/// Energy of an interval, per domain and in all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Duration, seconds.
    pub seconds: f64,
    /// The sum over domains; `None` when no domain gave an energy.
    pub energy: Option<Energy>,
    /// Joules per domain, in the order of [`Record::domains`]; 0 only where 0 was read: a domain
    /// without readings has `None`.
    pub by_domain: Vec<Option<Energy>>,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The epoch's name: `train`, `valid`, or `epoch` where the program gave none.
    pub split: String,
    /// Number of the epoch within its split, from 1.
    pub index: u64,
    /// Seconds from the start of the run to the start of the epoch.
    pub start_s: f64,
    /// What it took.
    pub usage: Usage,
    /// All its steps that are inside no other step; absent when there was none. The rates of items are over the
    /// steps of the names that have some.
    pub steps: Option<Steps>,
    /// The same by name, where they have several names, or lie inside each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_by_name: Vec<NamedSteps>,
    /// Joules per domain inside the epoch but outside its steps:
    /// `usage` = `steps` + `between_steps`.
    pub between_steps: Vec<Joules>,
}

/// Epochs of one split that have no rows of their own, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoreEpochs {
    /// How many.
    pub count: u64,
    /// What they took; `seconds` is the sum of their durations.
    pub usage: Usage,
    /// Their steps; absent when there was none.
    pub steps: Option<Steps>,
    /// Their steps by name, as in [`Epoch::steps_by_name`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_by_name: Vec<NamedSteps>,
    /// Joules per domain inside them but outside their steps: `usage` = `steps` + `between_steps`.
    pub between_steps: Vec<Joules>,
}

/// Statistics of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    /// How many.
    pub count: u64,
    /// Seconds in all; over ranks, which step together, those of the longest.
    pub seconds: f64,
    /// Joules per domain in all, in the order of [`Record::domains`].
    pub by_domain: Vec<Joules>,
    /// Joules of a step, summed over domains: extremes and quantiles of what the machine drew in each one's own
    /// time, and the mean of `by_domain`, in which steps beside each other share what they drew; over ranks, the mean share of a rank's step.
    pub joules: Distribution,
    /// Seconds of a step.
    pub duration_s: Distribution,
    /// Items processed (tokens, sentences) and what they are; absent when the program gave none.
    pub items: Option<Items>,
    /// How many of `count` were recorded together with others (by `every = n` of
    /// [`#[track_energy]`](crate::track_energy), or as they came faster than they could be booked): they are in every sum and mean, and not in the extremes and
    /// quantiles.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u64,
}

/// Steps of one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedSteps {
    /// The name of their spans.
    pub name: String,
    /// They lie inside other steps: what they took is part of those steps' figures.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inside_steps: bool,
    /// Their statistics.
    pub steps: Steps,
}

/// What a program processed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// How many.
    pub count: f64,
    /// Of what: `tokens`.
    pub unit: String,
    /// Joules an item, over all domains.
    pub joules_per_item: Joules,
    /// Items a second.
    pub per_second: f64,
}

/// A distribution, from running statistics and a quantile sketch with 1 % relative error.
///
/// The mean is of all steps; the rest of those that were recorded alone ([`Steps::folded`]).
///
/// What cannot be had from the statistics of several ranks is `None`: no quantile of all their steps
/// follows from those of each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

/// All spans that share a path of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpanNode {
    /// Kind of span.
    pub kind: Kind,
    /// Its label.
    pub name: String,
    /// How many were closed.
    pub count: u64,
    /// How many of `count` were recorded together with others: by `every = n` of
    /// [`#[track_energy]`](crate::track_energy), or as they came faster than they could be booked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u64,
    /// Seconds in all; over ranks, those of the longest.
    pub seconds: f64,
    /// Joules per domain in all, children included: each moment once, divided among the spans inside one span
    /// that were open beside each other, so that sums add up whatever the number of threads.
    pub by_domain: Vec<Joules>,
    /// Joules over all domains that the machine drew in each span's own time, summed up, where spans were open
    /// beside each other: more than `by_domain`. Moments in which several were open count several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusive: Option<Joules>,
    /// Standard uncertainty of the sum over domains.
    pub standard_uncertainty: Joules,
    /// Joules over all domains outside its children (exclusive energy).
    pub exclusive: Joules,
    /// Spans opened inside.
    pub children: Vec<SpanNode>,
}
