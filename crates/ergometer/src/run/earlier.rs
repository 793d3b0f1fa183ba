//! Runs that were interrupted and went on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rank::Rank;
use super::record::{DomainRecord, Energy, Machine, Record, Steps};
use crate::footprint::{Footprint, Site};
use crate::units::Joules;

/// A part of a run, up to its interruption.
///
/// It has what is needed to add it up with the others and with those of other ranks; its epochs and spans
/// are in its own record or journal alone.
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
    /// Which process of several it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<Rank>,
    /// Where it ran: a job that is requeued may go on elsewhere.
    #[serde(default)]
    pub machine: Machine,
    /// What was metered; absent from records of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainRecord>,
    /// What its energy meant outside, with the constants of its own site; absent from records of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footprint: Option<Footprint>,
    /// The user's results as they stood at its end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, f64>,
    /// The user's remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// What went wrong in it or has to be known, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The steps of a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartSteps {
    /// How many.
    pub count: u64,
    /// Their time, seconds.
    pub seconds: f64,
    /// Their energy over all domains.
    pub joules: Joules,
    /// Their items.
    pub items: f64,
    /// What the items are; empty where there are none, and in records of older versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Joules per domain, in the order of [`Part::domains`]; absent from records of older versions, and from
    /// sums of several parts, which may have metered different domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_domain: Vec<Joules>,
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
    /// What that means outside, each part with the constants of its own site and its own accelerators. Its
    /// [`site`](Footprint::site) is that of the last part.
    pub footprint: Footprint,
    /// The steps of all parts by split. What was done again after an interruption is in it twice, as it
    /// was paid for twice.
    pub steps: BTreeMap<String, PartSteps>,
}

impl PartSteps {
    fn of(steps: &Steps) -> Self {
        let Steps { count, seconds, by_domain, items, joules: _, duration_s: _, folded: _ } = steps;
        Self {
            count: *count,
            seconds: *seconds,
            joules: by_domain.iter().copied().sum(),
            items: items.as_ref().map_or(0.0, |items| items.count),
            unit: items.as_ref().map_or_else(String::new, |items| items.unit.clone()),
            by_domain: by_domain.clone(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.seconds += other.seconds;
        self.joules += other.joules;
        self.items += other.items;
        if self.unit.is_empty() {
            self.unit.clone_from(&other.unit);
        }
        self.by_domain.clear();
    }
}

impl Record {
    /// This run as the part of one that goes on.
    pub(crate) fn part(&self) -> Part {
        let Self {
            run,
            machine,
            domains,
            total,
            steps,
            footprint,
            results,
            facts,
            warnings,
            // The format, the epochs, the spans, the sources and the forecasts stay in its own record.
            schema: _,
            epochs: _,
            more_epochs: _,
            steps_by_name: _,
            method_shares: _,
            outside_epochs: _,
            spans: _,
            sources: _,
            forecasts: _,
            // Of a merged record each rank has parts of its own, and `earlier` stands beside this part.
            ranks: _,
            earlier: _,
        } = self;
        let own = steps.iter().filter(|(split, _)| !self.is_of_one_rank(split));
        Part {
            run_id: run.id.clone(),
            started: run.started.clone(),
            seconds: run.seconds,
            energy: total.energy,
            steps: own.map(|(split, steps)| (split.clone(), PartSteps::of(steps))).collect(),
            finished: run.finished,
            rank: run.rank.clone(),
            machine: machine.clone(),
            domains: domains.clone(),
            footprint: Some(footprint.clone()),
            results: results
                .iter()
                .filter(|(_, v)| v.is_finite())
                .map(|(n, v)| (n.clone(), *v))
                .collect(),
            facts: facts.clone(),
            warnings: warnings.clone(),
            mean_intensity: footprint.mean_intensity,
        }
    }

    /// Whether steps of this name are those of one rank, which those of all ranks have in them.
    fn is_of_one_rank(&self, split: &str) -> bool {
        let Some((all, rank)) = split.rsplit_once('@') else { return false };
        let is_rank = |row: &super::record::RankRecord| row.rank.rank.to_string() == rank;
        self.steps.contains_key(all) && self.ranks.iter().any(is_rank)
    }

    /// The run with all parts before its interruptions; without any, the run itself.
    ///
    /// The parts' energies add up, and what is systematic in their uncertainties adds up with them: it is
    /// one set of sensors.
    #[must_use]
    pub fn whole(&self) -> Whole {
        let mut whole = self.part();
        let site = &self.footprint.site;
        let accelerators = self.footprint.accelerators;
        // Each part has the values of a series that held during it.
        let same = |footprint: &Footprint| {
            let constants =
                Site { carbon_series: site.carbon_series.clone(), ..footprint.site.clone() };
            constants == *site && footprint.accelerators == accelerators
        };
        let mut footprint = self.footprint.clone();
        let mut alike = true;
        for part in &self.earlier {
            let energies = whole.energy.zip(part.energy);
            whole.energy = energies.map(|(a, b)| in_turn((&a, whole.seconds), (&b, part.seconds)));
            whole.seconds += part.seconds;
            for (split, steps) in &part.steps {
                whole.steps.entry(split.clone()).or_default().add(steps);
            }
            let own = part.footprint.as_ref();
            alike &= own.is_none_or(same);
            let its = || {
                let its = site.footprint(part.energy.as_ref(), part.seconds, accelerators);
                its.at_mean_intensity(part.mean_intensity)
            };
            footprint = footprint.plus(&own.cloned().unwrap_or_else(its));
        }
        let Part { seconds, energy, steps, .. } = whole;
        if alike {
            let intensities = self.earlier.iter().map(|part| (part.energy, part.mean_intensity));
            let own = (self.total.energy, self.footprint.mean_intensity);
            footprint = site
                .footprint(energy.as_ref(), seconds, accelerators)
                .at_mean_intensity(mean_intensity(site, intensities.chain([own])));
        }
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
