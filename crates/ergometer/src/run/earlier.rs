//! Runs that were interrupted and went on.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::{Energy, Record};
use crate::footprint::{Footprint, Site};
use crate::units::Joules;
use crate::{Error, ErrorKind, Result};

/// A part of a run, up to its interruption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// [`RunInfo::id`](super::record::RunInfo::id) of its own record.
    pub run_id: String,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// What its domains drew; `None` if nothing could be read.
    pub energy: Option<Energy>,
    /// Its steps by split.
    pub steps: BTreeMap<String, PartSteps>,
    /// Whether its program ended it; `false` of one that was recovered from a journal.
    pub finished: bool,
    /// [`Footprint::mean_intensity`] of its own record, g/kWh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_intensity: Option<f64>,
}

/// The steps of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartSteps {
    /// How many.
    pub count: u64,
    /// Their time, seconds.
    pub seconds: f64,
    /// Their energy over all domains.
    pub joules: Joules,
    /// Their items.
    pub items: f64,
}

/// The sums of a run's parts before its last interruption; all 0 where there was none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    /// How many parts there are.
    pub parts: u64,
    /// Their time, seconds.
    pub seconds: f64,
    /// Energy of those in which something could be read.
    pub energy: Joules,
    /// How many parts have no energy, as nothing could be read in them.
    pub unread: u64,
    /// Their steps by split.
    pub steps: BTreeMap<String, PartSteps>,
}

impl Earlier {
    pub(crate) fn of(parts: &[Part]) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.parts += 1;
            sum.seconds += part.seconds;
            match part.energy {
                Some(energy) => sum.energy += energy.joules,
                None => sum.unread += 1,
            }
            for (split, steps) in &part.steps {
                sum.steps.entry(split.clone()).or_default().add(steps);
            }
        }
        sum
    }
}

/// A run with everything before its interruptions.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// Time of all parts, seconds; the time between them is not in it.
    pub seconds: f64,
    /// Energy of all parts; `None` if one of them has none.
    pub energy: Option<Energy>,
    /// What that means outside, with the constants of the last part.
    pub footprint: Footprint,
    /// The steps of all parts by split. What was done again after an interruption is in it twice, as it
    /// was paid for twice.
    pub steps: BTreeMap<String, PartSteps>,
}

impl PartSteps {
    fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.seconds += other.seconds;
        self.joules += other.joules;
        self.items += other.items;
    }
}

impl Record {
    /// This run as the part of one that goes on.
    fn part(&self) -> Part {
        let steps = self.steps.iter().map(|(split, steps)| {
            let joules = steps.by_domain.iter().copied().sum();
            let items = steps.items.as_ref().map_or(0.0, |items| items.count);
            (split.clone(), PartSteps { count: steps.count, seconds: steps.seconds, joules, items })
        });
        Part {
            run_id: self.run.id.clone(),
            started: self.run.started.clone(),
            seconds: self.run.seconds,
            energy: self.total.energy,
            steps: steps.collect(),
            finished: self.run.finished,
            mean_intensity: self.footprint.mean_intensity,
        }
    }

    /// The run with all parts before its interruptions; without any, the run itself.
    ///
    /// The parts' energies add up, and what is systematic in their uncertainties adds up with them: it is
    /// one set of sensors.
    #[must_use]
    pub fn whole(&self) -> Whole {
        let mut whole = self.part();
        for part in &self.earlier {
            let energies = whole.energy.zip(part.energy);
            whole.energy = energies.map(|(a, b)| in_turn((&a, whole.seconds), (&b, part.seconds)));
            whole.seconds += part.seconds;
            for (split, steps) in &part.steps {
                whole.steps.entry(split.clone()).or_default().add(steps);
            }
        }
        let site = &self.footprint.site;
        let Part { seconds, energy, steps, .. } = whole;
        let intensities = self.earlier.iter().map(|part| (part.energy, part.mean_intensity));
        let own = (self.total.energy, self.footprint.mean_intensity);
        let footprint = site
            .footprint(energy.as_ref(), seconds, self.footprint.accelerators)
            .at_mean_intensity(mean_intensity(site, intensities.chain([own])));
        Whole { seconds, energy, footprint, steps }
    }
}

/// The mean intensity of several records, each with its energy; `None` if none of them has one. A record
/// without one counts at the site's own value.
pub(super) fn mean_intensity(
    site: &Site,
    records: impl Iterator<Item = (Option<Energy>, Option<f64>)> + Clone,
) -> Option<f64> {
    records.clone().find_map(|(_, grams)| grams)?;
    let (joules, weighted) = records.fold((0.0, 0.0), |(sum, weighted), (energy, grams)| {
        let joules = energy.map_or(0.0, |energy| energy.joules.get().max(0.0));
        (sum + joules, weighted + joules * grams.unwrap_or(site.carbon.grams_per_kwh))
    });
    Some(if joules > 0.0 { weighted / joules } else { site.carbon.grams_per_kwh })
}

/// The sum of energies of the same domains, one after the other, each with its seconds.
fn in_turn((a, before): (&Energy, f64), (b, after): (&Energy, f64)) -> Energy {
    let parts = a.parts.plus(&b.parts);
    let seconds = before + after;
    let share = if seconds > 0.0 { after / seconds } else { 0.5 };
    Energy {
        joules: a.joules + b.joules,
        standard_uncertainty: parts.standard(),
        parts,
        method: a.method.max(b.method),
        // Of their time.
        coverage: a.coverage + (b.coverage - a.coverage) * share,
    }
}

/// The parts of the run whose last journal or record lies at `path`.
pub(crate) fn parts(path: &Path) -> Result<Vec<Part>> {
    let record = if path.extension().is_some_and(|extension| extension == "json") {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(ErrorKind::Io, format!("{} cannot be read", path.display()))
                .with_source(error)
        })?;
        Record::from_json(&text)?
    } else {
        Record::recover(path)?
    };
    let last = record.part();
    Ok(record.earlier.into_iter().chain([last]).collect())
}
