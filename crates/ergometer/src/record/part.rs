//! The parts of a run that was interrupted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::power::PowerHistory;
use super::rank::Rank;
use super::{DomainRecord, Machine};
use crate::energy::{Energy, StepTotals};
use crate::footprint::Footprint;
use crate::units::Joules;

/// A part of a run, up to its interruption.
///
/// It contains what is needed to add it to the other parts and to those of other ranks. Its epochs and
/// spans are only in its own record or journal.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// # let journals = tempfile::tempdir().unwrap();
/// # let start = || {
/// #     let meter = Meter::builder().label("night").journal(journals.path()).resume_latest(journals.path());
/// #     meter.without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()
/// # };
/// let interrupted = start()?; // with `.resume_latest("journals")`
/// drop(interrupted);
/// let record = start()?.finish()?;
/// let part = &record.earlier[0];
/// assert!(!part.finished);
/// assert_eq!(record.whole().seconds, part.seconds + record.run.seconds);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Part {
    /// [`RunInfo::id`](super::RunInfo::id) of its own record.
    pub run_id: String,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// Energy of its domains; `None` if nothing could be read.
    pub energy: Option<Energy>,
    /// Its steps by split.
    pub steps: BTreeMap<String, PartSteps>,
    /// Whether its program ended it; `false` if it was recovered from a journal.
    pub finished: bool,
    /// [`Footprint::mean_intensity`] of its own record, g/kWh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_intensity: Option<f64>,
    /// Its rank, if it was one of several processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<Rank>,
    /// The machine; a job that is requeued may continue on another one.
    #[serde(default)]
    pub machine: Machine,
    /// The metered domains; missing from records of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainRecord>,
    /// The footprint of its energy, with the constants of its own site; missing from records of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footprint: Option<Footprint>,
    /// The user's results at its end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, f64>,
    /// The user's remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// Its power over time, coarser the more parts there are: all of them together have at most 1000 intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerHistory>,
    /// Problems and other remarks, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The steps of a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartSteps {
    /// Their sums.
    #[serde(flatten)]
    pub totals: StepTotals,
    /// Joules per domain, in the order of [`Part::domains`]. Missing from records of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_domain: Vec<Joules>,
}
