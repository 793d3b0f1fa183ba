//! What is known of a run when it begins.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use crate::clock::{self, Timestamp};
use crate::footprint::Site;
use crate::record::rank::Placement;
use crate::record::{Machine, Part};
use crate::source::SourceReport;
use crate::source::stat::Utilisation;

/// The fields of the record that do not come from the ledger and are known when the run begins.
pub(crate) struct RunHeader {
    pub label: String,
    pub placement: Placement,
    pub machine: Machine,
    /// The program's command line, without secrets.
    pub command: Vec<String>,
    pub git_commit: Option<String>,
    /// The run's start.
    pub start: Timestamp,
    /// The same moment on the wall clock.
    pub started: jiff::Timestamp,
    /// How far the wall clock had been set forward by then, nanoseconds, and how long the machine had
    /// slept, since the process began to observe the clocks.
    pub wall_was_set: i64,
    pub asleep: Duration,
    /// How busy the machine's processors are since the run began; `None` where that is not shown.
    pub utilisation: Option<Utilisation>,
    /// The start of the time in which the baseline was measured; it ends at the run's start.
    pub idle_from: Option<Timestamp>,
    pub site: Site,
    pub accelerators: Option<u32>,
    pub sources: Vec<SourceReport>,
    /// The parts of the run before its interruptions.
    pub earlier: Vec<Part>,
}

impl RunHeader {
    /// Unique identity of the run.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.started.as_nanosecond(), std::process::id())
    }

    /// How far the wall clock was set forward since the run began; `None` for less than a second, which
    /// does not change the date.
    fn set(&self) -> Option<SignedDuration> {
        let set = clock::wall_was_set().wrapping_sub(self.wall_was_set);
        let set = SignedDuration::from_nanos(set);
        (set.unsigned_abs() >= Duration::from_secs(1)).then_some(set)
    }

    /// The run's start according to the wall clock as it is now.
    pub(crate) fn date(&self) -> jiff::Timestamp {
        let set = self.set().unwrap_or_default();
        self.started.checked_add(set).unwrap_or(self.started)
    }

    /// How long the machine slept since the run began, seconds; `None` where that cannot be determined.
    pub(super) fn asleep_seconds(&self) -> Option<f64> {
        let asleep = clock::asleep().saturating_sub(self.asleep).as_secs_f64();
        clock::KNOWS_SLEEP.then_some(asleep)
    }

    /// Warnings about the machine's clocks.
    pub(super) fn clock_warnings(&self) -> impl Iterator<Item = String> {
        let asleep = self.asleep_seconds().filter(|asleep| *asleep > 0.0).map(|asleep| {
            format!(
                "the machine slept for {asleep:.1} s, which do not count as time of the run; their energy is \
                 included where counters measured it, not for modelled, assumed or integrated domains"
            )
        });
        let set = self.set().map(|set| {
            let (seconds, as_it_was) = (set.as_secs_f64(), self.started);
            format!(
                "the wall clock was set by {seconds:+.1} s during the run: the start, {as_it_was} before, is \
                 reported by the clock as it is now"
            )
        });
        asleep.into_iter().chain(set)
    }
}

/// The user's additions to the record.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    pub results: BTreeMap<String, f64>,
    pub facts: BTreeMap<String, String>,
}
