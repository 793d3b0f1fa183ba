//! Runs that were interrupted and resumed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::energy::{Energy, StepTotals};
use crate::footprint::{Footprint, Site};
use crate::record::{Part, PartSteps, Record, Steps};
use crate::units::Joules;

/// Sums over a run's parts before its last interruption; all 0 if there was none.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let live = meter.live();
/// assert_eq!(live.earlier.parts, 0); // the run was not interrupted
/// assert_eq!(live.earlier.seconds, 0.0);
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Earlier {
    /// Number of parts.
    pub parts: u64,
    /// Their time, seconds.
    pub seconds: f64,
    /// Energy of the parts in which something could be read.
    pub energy: Joules,
    /// Number of parts without energy, because nothing could be read.
    pub unread: u64,
    /// Their steps by split.
    pub steps: BTreeMap<String, StepTotals>,
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
                sum.steps.entry(split.clone()).or_default().add(&steps.totals);
            }
        }
        sum
    }
}

/// A run including everything before its interruptions.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let record = meter.finish()?;
/// assert!(record.earlier.is_empty()); // never interrupted, so the whole is this part
/// assert_eq!(record.whole().seconds, record.run.seconds);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Whole {
    /// Time of all parts, seconds, without the time between them.
    pub seconds: f64,
    /// Energy of all parts; `None` if one of them has none.
    pub energy: Option<Energy>,
    /// Footprint of that energy, each part with the constants of its own site and its own accelerators.
    /// [`site`](Footprint::site) is that of the last part.
    pub footprint: Footprint,
    /// The steps of all parts by split. Steps repeated after an interruption count twice, as they were paid
    /// for twice.
    pub steps: BTreeMap<String, StepTotals>,
}

impl PartSteps {
    fn of(steps: &Steps) -> Self {
        let Steps { count, seconds, by_domain, items, joules: _, duration_s: _, folded: _ } = steps;
        let totals = StepTotals {
            count: *count,
            seconds: *seconds,
            joules: by_domain.iter().copied().sum(),
            items: items.as_ref().map_or(0.0, |items| items.count),
            unit: items.as_ref().map_or_else(Cow::default, |items| items.unit.clone().into()),
        };
        Self { totals, by_domain: by_domain.clone() }
    }
}

impl Record {
    /// This run as a part of a resumed one.
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
            power,
            warnings,
            // Format, epochs, spans, sources and forecasts stay in its own record.
            schema: _,
            epochs: _,
            more_epochs: _,
            steps_by_name: _,
            method_shares: _,
            outside_epochs: _,
            spans: _,
            sources: _,
            forecasts: _,
            // In a merged record each rank has its own parts, and `earlier` is kept beside this part.
            ranks: _,
            programs: _,
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
            power: power.clone(),
            warnings: warnings.clone(),
            mean_intensity: footprint.mean_intensity,
        }
    }

    /// Whether steps of this name belong to one rank; they are included in those of all ranks.
    pub(crate) fn is_of_one_rank(&self, split: &str) -> bool {
        let Some((all, rank)) = split.rsplit_once('@') else { return false };
        let is_rank = |row: &crate::record::RankRecord| row.rank.rank.to_string() == rank;
        self.steps.contains_key(all) && self.ranks.iter().any(is_rank)
    }

    /// The run including all parts before its interruptions; the run itself if there are none.
    ///
    /// The parts' energies are summed. Systematic uncertainties add linearly, as the sensors are the same.
    #[must_use]
    pub fn whole(&self) -> Whole {
        let mut whole = self.part();
        let own = std::mem::take(&mut whole.steps).into_iter();
        let mut steps: BTreeMap<_, _> = own.map(|(split, own)| (split, own.totals)).collect();
        let site = &self.footprint.site;
        let accelerators = self.footprint.accelerators;
        // Each part has only the values of a series that held during it.
        let same = |footprint: &Footprint| {
            let constants =
                Site { carbon_series: site.carbon_series.clone(), ..footprint.site.clone() };
            let rented =
                footprint.accelerators == accelerators && footprint.rent == self.footprint.rent;
            constants == *site && rented
        };
        let mut footprint = self.footprint.clone();
        let mut alike = true;
        for part in &self.earlier {
            let energies = whole.energy.zip(part.energy);
            whole.energy = energies.map(|(a, b)| in_turn((&a, whole.seconds), (&b, part.seconds)));
            whole.seconds += part.seconds;
            for (split, more) in &part.steps {
                steps.entry(split.clone()).or_default().add(&more.totals);
            }
            let own = part.footprint.as_ref();
            alike &= own.is_none_or(same);
            let its =
                || self.footprint.again(part.energy.as_ref(), part.seconds, part.mean_intensity);
            footprint = footprint.plus(&own.cloned().unwrap_or_else(its));
        }
        let Part { seconds, energy, .. } = whole;
        if alike {
            let intensities = self.earlier.iter().map(|part| (part.energy, part.mean_intensity));
            let own = (self.total.energy, self.footprint.mean_intensity);
            let mean = mean_intensity(site, intensities.chain([own]));
            footprint = self.footprint.again(energy.as_ref(), seconds, mean);
        }
        Whole { seconds, energy, footprint, steps }
    }
}

/// The mean intensity of several records, weighted by energy; `None` if none has one. A record without one
/// counts at the site's own value.
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

/// The sum of energies of the same domains in successive times, each with its seconds.
fn in_turn((a, before): (&Energy, f64), (b, after): (&Energy, f64)) -> Energy {
    let seconds = before + after;
    let share = if seconds > 0.0 { after / seconds } else { 0.5 };
    // Weighted by their time.
    a.plus(b, a.coverage + (b.coverage - a.coverage) * share)
}
