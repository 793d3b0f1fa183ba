//! The records of a run's ranks → the record of the run.
//!
//! ```text
//! records ──► admit ──► parts ──► domains ──► epochs ──► steps ─┐
//!                        in time   each once    joined          ├─► record
//!                                     └───────► spans ──────────┘
//! ```
//!
//! * **A domain counts once.** It is identified by its machine and its identity, a board with a UUID by
//!   that alone (`machines`). Of the ranks that metered it one is believed: a sensor before a model, then
//!   the longest, then the lowest rank. Time before or after that which only others metered is added, at
//!   their mean power if they also metered time that the believed rank covers.
//! * **A share of a process** (`…/process`) belongs to its process alone, so the shares of the ranks are
//!   summed.
//! * **Nothing is counted twice**, as in one process. A domain is left out, with a warning, if another rank
//!   metered a domain that contains it, or if one rank modelled or stated it and another has a sensor.
//! * **Epochs** are joined by split and number, from the first rank's start to the last one's end. An
//!   epoch's energy in a domain comes from the rank believed for it. Time that another rank spent in an
//!   epoch, while the believed rank was in none, is added from the other rank and subtracted from the
//!   energy outside epochs. So Σ epochs + outside = total holds in each domain, and Σ steps + between steps
//!   = epoch.
//! * **Steps**: counts and items are summed. Their time is the longest rank's, as ranks step together. Each
//!   rank's own statistics are kept as well, under `train@0`, `train@1`.
//! * **Parts before an interruption** are merged attempt by attempt, like the records themselves.
//! * **Power over time** is joined on one axis if every rank has it, in each domain from the ranks that its energy
//!   comes from, and with the same sum.
//! * **Forecasts** are summed, each weighted with the share of its rank's energy that the total includes.
//!
//! Times of different ranks are aligned by the wall clock at the start of each, so any difference between
//! the clocks of machines remains. It changes the length of the run but no energy, since a domain belongs
//! to one machine. If a clock differs from the others' by more than an hour, so that its ranks seem to have
//! run at no time together with them, it is taken to be wrong. Those ranks are then aligned by the first
//! epoch in common, and the record reports it.

mod admit;
mod attempts;
mod clocks;
mod cover;
mod domains;
mod epochs;
mod forecasts;
mod machines;
mod more_epochs;
mod names;
mod power;
mod spans;
mod steps;
#[cfg(test)]
pub(super) mod tests;
mod warnings;

use std::collections::BTreeMap;

use super::rank::Rank;
use crate::energy::{Energy, Usage};
use crate::error::{Error, ErrorKind, Result};
use crate::footprint::{AcceleratorPrice, Footprint};
use crate::record::power::share_out;
use crate::record::resume::mean_intensity;
use crate::record::{
    DomainRecord, Machine, NamedSteps, Program, RankRecord, Record, RunInfo, Steps, method_shares,
};
use crate::source::DomainKind;
use crate::units::{Joules, Watts};
use domains::{Physical, Whole};
use warnings::{RankLines, numbers};

/// A rank's record, and its start in seconds after the first rank's.
struct RankRun {
    rank: Rank,
    start: f64,
    record: Record,
}

impl RankRun {
    fn end(&self) -> f64 {
        self.start + self.record.run.seconds
    }
}

impl Record {
    /// Joins the records of a run's ranks into one, in which each physical domain counts once.
    ///
    /// Two ranks on one machine yield the machine's energy, not twice that; each rank's own boards are
    /// summed. Ranks without a record are named in `warnings`. The order of the records does not matter,
    /// and a single record stays as it is. [`Record::ranks`] lists what each rank metered. The footprint is
    /// that of the joined energy at the ranks' site.
    ///
    /// ```
    /// use ergometer::{Meter, Record, source::DomainKind, units::Watts};
    ///
    /// let rank = |rank| {
    ///     let meter = Meter::builder().rank(rank, 2).without_probe();
    ///     meter.fixed(DomainKind::Node, Watts::new(100.0)).start()?.finish()
    /// };
    /// let (first, second) = (rank(0)?, rank(1)?);
    /// let run = Record::merge([first, second])?;
    /// assert_eq!(run.domains.len(), 1, "one machine");
    /// assert_eq!(run.ranks.len(), 2);
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Mismatch`] if the records cannot be merged: there are none, one has no rank, a rank
    /// occurs twice, or they have different numbers of ranks, groups, sites, or attempts of an interrupted
    /// run.
    /// [`ErrorKind::Format`] if a record has no valid start time.
    pub fn merge(records: impl IntoIterator<Item = Self>) -> Result<Self> {
        let mut records: Vec<Self> = records.into_iter().collect();
        if records.len() == 1 {
            return Ok(alone(records.remove(0)));
        }
        let admitted = admit::parts(records)?;
        let (earlier, of_earlier) = attempts::join(&admitted.parts)?;
        let mut merge = Merge::new(&admitted.parts, admitted.started);
        merge.warnings.extend(admitted.warnings);
        merge.warnings.extend(of_earlier);
        let mut record = merge.record();
        record.earlier = earlier;
        share_out(record.earlier.iter_mut().map(|part| &mut part.power));
        Ok(record)
    }
}

/// A record of a single rank.
fn alone(mut record: Record) -> Record {
    if let Some(rank) = record.run.rank.take() {
        let ids = record.domains.iter().filter(|row| row.energy.is_some());
        let ids = ids.map(|row| row.domain.id.clone()).collect();
        record.warnings.extend(admit::missing(&[rank.rank], rank.world_size));
        record.ranks.push(row(rank, &record, ids));
    }
    record
}

fn row(rank: Rank, record: &Record, domains: Vec<String>) -> RankRecord {
    RankRecord {
        rank,
        run_id: record.run.id.clone(),
        host: record.machine.host.clone(),
        machine_id: record.machine.machine_id.clone(),
        started: record.run.started.clone(),
        seconds: record.run.seconds,
        energy: record.total.energy,
        domains,
    }
}

/// Results computed from the parts.
struct Merge<'a> {
    parts: &'a [RankRun],
    /// The domains without duplicates, in the order of the merged record.
    domains: Vec<Physical>,
    /// The energy of each domain.
    wholes: Vec<Whole>,
    /// From the first start to the last end, seconds.
    seconds: f64,
    /// The first start, RFC 3339.
    started: String,
    warnings: Vec<String>,
}

impl<'a> Merge<'a> {
    fn new(parts: &'a [RankRun], started: String) -> Self {
        let seconds = parts.iter().map(RankRun::end).fold(0.0, f64::max);
        let mut warnings = RankLines::over(parts, |record| record.warnings.clone());
        let domains = domains::physical(parts, &mut warnings);
        let wholes = domains.iter().map(|domain| domain.whole(parts, seconds)).collect();
        Self { parts, domains, wholes, seconds, started, warnings }
    }

    fn first(&self) -> &'a Record {
        &self.parts[0].record
    }

    /// Whether several ranks metered one domain.
    fn shares(&self) -> bool {
        self.domains.iter().any(|domain| !domain.adds && domain.givers.len() > 1)
    }

    fn record(mut self) -> Record {
        let by_domain: Vec<Option<Energy>> = self.wholes.iter().map(|whole| whole.energy).collect();
        let total = Usage {
            seconds: self.seconds,
            energy: Energy::across(by_domain.iter().flatten()),
            by_domain,
        };
        self.say_estimated(&total);
        let joined = epochs::join(&self);
        self.warnings.extend(joined.warnings);
        let more_epochs = more_epochs::join(&self);
        let mut step_joules = joined.step_joules;
        for (split, more) in &more_epochs {
            let joules = more.steps.iter().flat_map(|steps| &steps.by_domain);
            let sums = step_joules.entry(split.clone()).or_default();
            sums.resize(self.domains.len(), 0.0);
            sums.iter_mut().zip(joules).for_each(|(sum, joules)| *sum += joules.get());
        }
        let steps = steps::of_run(&self, &step_joules);
        let (forecasts, without) = forecasts::join(&self);
        self.warnings.extend(without);
        let numbers: Vec<u32> = self.parts.iter().map(|part| part.rank.rank).collect();
        self.warnings.extend(admit::missing(&numbers, self.parts[0].rank.world_size));
        let accelerators = self.accelerators();
        let footprint = self.footprint(total.energy.as_ref(), accelerators);
        let domains = self.domain_records();
        let power = power::join(&self);
        Record {
            schema: Record::SCHEMA.to_owned(),
            run: self.run(),
            machine: self.machine(),
            sources: domains::sources(self.parts, &self.domains),
            method_shares: method_shares(&domains),
            domains,
            total,
            epochs: joined.epochs,
            more_epochs,
            outside_epochs: joined.outside,
            steps_by_name: self.steps_by_name(&steps),
            steps,
            spans: spans::join(&self),
            footprint,
            results: self.values(|record| &record.results, |a, b| a.to_bits() == b.to_bits()),
            facts: self.values(|record| &record.facts, PartialEq::eq),
            ranks: self.ranks(),
            programs: self.programs(),
            forecasts,
            earlier: Vec::new(),
            power,
            warnings: self.warnings,
        }
    }

    fn steps_by_name(&self, steps: &BTreeMap<String, Steps>) -> BTreeMap<String, Vec<NamedSteps>> {
        let mut all = BTreeMap::new();
        for (split, steps) in steps {
            let of = |part: usize| {
                self.parts[part].record.steps_by_name.get(split).map_or(&[][..], |rows| rows)
            };
            let whole: Vec<f64> = steps.by_domain.iter().map(|joules| joules.get()).collect();
            let rows = names::join(self, of, &whole);
            if !rows.is_empty() {
                all.insert(split.clone(), rows);
            }
        }
        all
    }

    /// The footprint of the joined energy at the ranks' site. Intensities that change with time are those
    /// of each rank's own time, weighted by its energy.
    fn footprint(&self, energy: Option<&Energy>, accelerators: u32) -> Footprint {
        let mut site = self.first().footprint.site.clone();
        let records = self.parts.iter().map(|part| &part.record);
        site.carbon_series = records
            .clone()
            .filter_map(|record| record.footprint.site.carbon_series.clone())
            .reduce(|joined, other| joined.joined(&other));
        let intensities =
            records.map(|record| (record.total.energy, record.footprint.mean_intensity));
        let mean = mean_intensity(&site, intensities);
        let footprint = site.footprint(energy, self.seconds, accelerators);
        footprint.rented(self.rent(), self.seconds).at_mean_intensity(mean)
    }

    /// The rent of the boards, if those of every rank that has any have the same.
    fn rent(&self) -> Option<AcceleratorPrice> {
        let with_boards = self.parts.iter().map(|part| &part.record.footprint);
        let mut rents = with_boards.filter(|one| one.accelerators > 0).map(|one| one.rent.as_ref());
        let first = rents.next()??;
        rents.all(|rent| rent == Some(first)).then(|| first.clone())
    }

    fn say_estimated(&mut self, total: &Usage) {
        let estimated: Joules = self.wholes.iter().map(|whole| whole.estimated).sum();
        if let Some(energy) = total.energy.filter(|_| estimated > Joules::ZERO) {
            self.warnings.push(format!(
                "ranks that metered one domain did not begin and end together: {estimated} of {} is \
                 estimated, at a rank's mean power, for the time in which it metered without the others",
                energy.joules
            ));
        }
    }

    fn run(&mut self) -> RunInfo {
        let first = &self.first().run;
        for (what, differs) in [
            ("label", self.differs(|run| &run.label)),
            ("ergometer version", self.differs(|run| &run.ergometer)),
            ("git commit", self.differs(|run| &run.git_commit)),
        ] {
            if differs {
                self.warnings.push(format!("not all ranks have the same {what}"));
            }
        }
        RunInfo {
            id: format!("{}-merged", first.group.as_ref().unwrap_or(&first.id)),
            started: self.started.clone(),
            seconds: self.seconds,
            asleep_seconds: self
                .parts
                .iter()
                .filter_map(|part| part.record.run.asleep_seconds)
                .reduce(f64::max),
            cpu_utilisation: None,
            rank: None,
            group: self.parts.iter().find_map(|part| part.record.run.group.clone()),
            finished: self.parts.iter().all(|part| part.record.run.finished),
            exit_code: self.exit_code(),
            ..first.clone()
        }
    }

    /// The first rank's exit code that is not 0, or 0 if all have one.
    fn exit_code(&self) -> Option<u8> {
        let codes = self.parts.iter().map(|part| part.record.run.exit_code);
        codes.clone().flatten().find(|code| *code != 0).or(codes.min().flatten())
    }

    fn differs<T: PartialEq + 'a>(&self, what: impl Fn(&'a RunInfo) -> &'a T) -> bool {
        self.parts.iter().any(|part| what(&part.record.run) != what(&self.first().run))
    }

    fn machine(&self) -> Machine {
        let boards = self.domains.iter().filter(|domain| domain.domain.kind == DomainKind::Gpu);
        let label =
            |board: &Physical| domains::row(self.parts, board.believed()).domain.label.clone();
        Machine { accelerators: boards.map(label).collect(), ..self.first().machine.clone() }
    }

    /// The number of metered boards, or the number that a rank states if that is larger: each rank may
    /// state the run's.
    fn accelerators(&mut self) -> u32 {
        let boards = |record: &Record| {
            let boards = record.domains.iter().filter(|row| row.domain.kind == DomainKind::Gpu);
            u32::try_from(boards.count()).unwrap_or(u32::MAX)
        };
        let metered = self.domains.iter().filter(|domain| domain.domain.kind == DomainKind::Gpu);
        let metered = u32::try_from(metered.count()).unwrap_or(u32::MAX);
        let stated = self.parts.iter().map(|part| &part.record);
        let stated = stated
            .filter(|record| record.footprint.accelerators != boards(record))
            .map(|record| record.footprint.accelerators)
            .max();
        let Some(stated) = stated else { return metered };
        let count = stated.max(metered);
        self.warnings.push(format!(
            "accelerators were stated by hand: the cloud cost is for {count}, the largest number that a \
             rank states or that was metered"
        ));
        count
    }

    fn domain_records(&self) -> Vec<DomainRecord> {
        let rows = self.domains.iter().zip(&self.wholes);
        rows.map(|(physical, whole)| {
            let rows = || physical.members.iter().map(|&at| domains::row(self.parts, at));
            let believed = domains::row(self.parts, physical.believed());
            let idle_power = believed.idle_power.filter(|_| !physical.adds);
            DomainRecord {
                domain: physical.domain.clone(),
                energy: whole.energy,
                mean_power: whole
                    .energy
                    .filter(|_| self.seconds > 0.0)
                    .map(|energy| Watts::new(energy.joules.get() / self.seconds)),
                idle_power,
                above_idle: whole
                    .energy
                    .zip(idle_power)
                    .map(|(energy, idle)| energy.joules - Joules::new(idle.get() * whole.metered)),
                counter_joules: believed.counter_joules,
                integrated_joules: believed.integrated_joules,
                readings: rows().map(|row| row.readings).sum(),
                failed_readings: rows().map(|row| row.failed_readings).sum(),
                warnings: {
                    let mut lines = RankLines::default();
                    for &(part, domain) in &physical.members {
                        let row = domains::row(self.parts, (part, domain));
                        let rank = self.parts[part].rank.rank;
                        row.warnings.iter().for_each(|line| lines.add(rank, line));
                    }
                    lines.lines(physical.members.len())
                },
            }
        })
        .collect()
    }

    fn ranks(&self) -> Vec<RankRecord> {
        let rows = self.parts.iter().enumerate().map(|(index, part)| {
            let given = self
                .domains
                .iter()
                .filter(|domain| domain.givers.iter().any(|&(giver, _)| giver == index));
            let ids = given.map(|domain| domain.domain.id.clone()).collect();
            row(part.rank.clone(), &part.record, ids)
        });
        rows.collect()
    }

    /// The programs of all ranks, by the time of the merged run.
    fn programs(&self) -> Vec<Program> {
        let of = |part: &'a RankRun| {
            let later = move |program: &Program| Program {
                start_s: program.start_s + part.start,
                ..program.clone()
            };
            part.record.programs.iter().map(later)
        };
        self.parts.iter().flat_map(of).collect()
    }

    /// The first rank's values; a different value of another rank is added as `name@rank`.
    fn values<T: Clone + 'a>(
        &self,
        of: impl Fn(&'a Record) -> &'a BTreeMap<String, T>,
        same: impl Fn(&T, &T) -> bool,
    ) -> BTreeMap<String, T> {
        let mut all: BTreeMap<String, T> = BTreeMap::new();
        for part in self.parts {
            for (name, value) in of(&part.record) {
                match all.get(name) {
                    None => {
                        all.insert(name.clone(), value.clone());
                    }
                    Some(known) if same(known, value) => {}
                    Some(_) => {
                        all.insert(format!("{name}@{}", part.rank.rank), value.clone());
                    }
                }
            }
        }
        all
    }
}

fn mismatch(message: String, remedy: &str) -> Error {
    Error::new(ErrorKind::Mismatch, message).with_remedy(remedy)
}
