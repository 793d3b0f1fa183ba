//! What changed from one set of runs to another, and whether it matters.

use ergometer::record::Machine;
use ergometer_stats::{
    Change, Interval, Paired, Run as Value, Verdict, mean_and_deviation, pairs_needed, shift,
};
use serde::{Deserialize, Serialize};

use super::model_report::ModelReport;
use super::run::Run;
use super::steady::Steady;
use crate::stop::Stop;

/// How much single runs are assumed to differ where each side has one, as a relative standard deviation.
const ASSUMED_DEVIATION: f64 = 0.02;
/// Probability with which a stated number of runs shows a difference as large as the margin.
const POWER: f64 = 0.8;

/// A model's runs against others of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which model, as the tables name it.
    pub model: String,
    /// What it is compared with: a file, a commit, a command.
    pub base: String,
    /// Whether the runs were made in pairs.
    pub paired: bool,
    /// Share beyond which a difference counts.
    pub margin: f64,
    /// One row a metric.
    pub rows: Vec<Row>,
    /// What has to be known, one line each.
    pub notes: Vec<String>,
}

/// How a metric changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which.
    pub metric: Metric,
    /// Mean of the base, in joules or seconds.
    pub base: f64,
    /// Mean of what is compared with it.
    pub new: f64,
    /// `new / base - 1`.
    pub relative: f64,
    /// Its 95 % interval by Student's t.
    pub interval_95: Interval,
    /// The same change by Hodges–Lehmann, which one odd run hardly moves.
    pub hodges_lehmann: f64,
    /// Its 95 % interval by signed ranks, of six pairs or more.
    pub hodges_lehmann_interval: Option<Interval>,
    /// From the interval by Student's t and the margin.
    pub verdict: Verdict,
    /// Pairs, or runs on each side, that show a difference as large as the margin with 80 % probability.
    pub needed: Option<u32>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Energy of the run.
    Energy,
    /// Energy of a training step.
    EnergyPerStep,
    /// Duration of the run.
    Time,
}

impl Metric {
    const ALL: [Self; 3] = [Self::Energy, Self::EnergyPerStep, Self::Time];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::EnergyPerStep => "energy a step",
            Self::Time => "time",
        }
    }

    /// Symbol of its unit.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Energy | Self::EnergyPerStep => "J",
            Self::Time => "s",
        }
    }

    /// The metric of a run; errors of models and gains are common to both sides where the `same` sensors and the
    /// same machine metered them.
    fn of(self, run: &Run, same: bool) -> Option<Value> {
        let value = match self {
            Self::Time => return Value::exact(run.seconds),
            Self::Energy => run.energy?.joules.get(),
            Self::EnergyPerStep => Steady::of(run)?.joules_per_step()?,
        };
        let energy = run.energy?;
        let part = |part: ergometer::units::Joules| part.get() / energy.joules.get();
        let parts = energy.parts;
        let exact = Value::exact(value)?;
        if same {
            return Some(Value { random: part(parts.edges).hypot(part(parts.quantum)), ..exact });
        }
        Some(Value {
            gain: part(parts.gain),
            systematic: part(parts.model).hypot(part(parts.gaps)),
            random: part(parts.edges).hypot(part(parts.quantum)),
            ..exact
        })
    }
}

/// What was measured in one benchmark, and on which machine.
#[derive(Clone, Copy)]
pub struct Benchmark<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The models.
    pub models: &'a [ModelReport],
}

impl Comparison {
    /// The models of `new` that `old` has at the same size and on the same backend, each against its runs there.
    pub fn between(new: Benchmark<'_>, old: Benchmark<'_>, name: &str, margin: f64) -> Vec<Self> {
        let same_machine =
            new.machine.machine_id.is_some() && new.machine.machine_id == old.machine.machine_id;
        let counterpart =
            |model: &ModelReport| old.models.iter().find(|old| old.subject() == model.subject());
        new.models
            .iter()
            .filter_map(|model| {
                let base = counterpart(model)?;
                let same = same_machine && same_sensors(&base.runs, &model.runs);
                let rows = Metric::ALL
                    .into_iter()
                    .filter_map(|metric| unpaired(metric, &base.runs, &model.runs, same, margin));
                let mut notes = remarks(&base.runs, &model.runs);
                if !same {
                    notes.push(
                        "other sensors or another machine: how well each energy is known is in the interval"
                            .to_owned(),
                    );
                }
                if base.runs.len() == 1 && model.runs.len() == 1 {
                    notes.push(format!(
                        "one run on each side: that runs differ by {} % is assumed; --repeats measures it",
                        ASSUMED_DEVIATION * 100.0
                    ));
                }
                let rows = rows.collect();
                let base = name.to_owned();
                Some(Self { model: model.title(), base, paired: false, margin, rows, notes })
            })
            .collect()
    }

    /// Runs made in pairs: `(base, new)`.
    pub fn of_pairs(model: String, base: &str, pairs: &[(Run, Run)], margin: f64) -> Self {
        let rows = Metric::ALL.into_iter().filter_map(|metric| paired(metric, pairs, margin));
        let (bases, news): (Vec<Run>, Vec<Run>) = pairs.iter().cloned().unzip();
        let mut notes = remarks(&bases, &news);
        if pairs.len() < 6 {
            notes.push("fewer than 6 pairs: signed ranks give no 95 % interval".to_owned());
        }
        Self { model, base: base.to_owned(), paired: true, margin, rows: rows.collect(), notes }
    }

    /// Whether energy rose by more than `limit`, beyond the interval.
    ///
    /// # Errors
    /// Where neither energy nor its change is known, which is not a passed check.
    pub fn fails(&self, limit: f64) -> Result<bool, Stop> {
        let row = self.rows.iter().find(|row| row.metric == Metric::Energy);
        let row = row.ok_or_else(|| {
            Stop::failed(format!(
                "{}: --fail-above has no energy on both sides to judge",
                self.model
            ))
        })?;
        Ok(row.interval_95.low > limit)
    }
}

fn unpaired(metric: Metric, base: &[Run], new: &[Run], same: bool, margin: f64) -> Option<Row> {
    let values = |runs: &[Run]| -> Option<Vec<Value>> {
        runs.iter().map(|run| metric.of(run, same)).collect()
    };
    let (base, new) = (values(base)?, values(new)?);
    let change = Change::between(&base, &new, same, ASSUMED_DEVIATION)?;
    let logs = |values: &[Value]| values.iter().map(|run| run.value.ln()).collect::<Vec<_>>();
    Some(Row {
        metric,
        base: change.base,
        new: change.new,
        relative: change.relative,
        interval_95: change.interval,
        hodges_lehmann: shift(&logs(&base), &logs(&new)).exp_m1(),
        hodges_lehmann_interval: None,
        verdict: Verdict::of(change.interval, margin),
        // Runs that are not paired differ by both sides' deviations.
        needed: pairs_needed(change.run_deviation * 2.0_f64.sqrt(), margin, POWER),
    })
}

fn paired(metric: Metric, pairs: &[(Run, Run)], margin: f64) -> Option<Row> {
    let value = |run: &Run| Some(metric.of(run, true)?.value);
    let values: Option<Vec<(f64, f64)>> =
        pairs.iter().map(|(base, new)| Some((value(base)?, value(new)?))).collect();
    let values = values?;
    let paired = Paired::of(&values)?;
    let (base, new): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
    Some(Row {
        metric,
        base: mean_and_deviation(&base)?.0,
        new: mean_and_deviation(&new)?.0,
        relative: paired.relative,
        interval_95: paired.interval_95,
        hodges_lehmann: paired.hodges_lehmann,
        hodges_lehmann_interval: paired.hodges_lehmann_interval,
        verdict: Verdict::of(paired.interval_95, margin),
        needed: pairs_needed(paired.log_deviation, margin, POWER),
    })
}

/// Whether the same domains were metered, and how.
fn same_sensors(base: &[Run], new: &[Run]) -> bool {
    let sensors = |run: &Run| {
        let read =
            run.domains.iter().filter_map(|row| Some((row.domain.id.clone(), row.energy?.method)));
        read.collect::<Vec<_>>()
    };
    let mut all = base.iter().chain(new).map(sensors);
    let first = all.next();
    all.all(|one| Some(&one) == first.as_ref())
}

fn remarks(base: &[Run], new: &[Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let runs = || base.iter().chain(new);
    if runs().any(|run| {
        run.energy.is_some_and(|energy| energy.method == ergometer::energy::Method::Modelled)
    }) {
        notes.push(
            "the energies are modelled from utilisation: their ratio says little more than time and utilisation do"
                .to_owned(),
        );
    }
    let distinct = |name: &str| {
        let mut values: Vec<_> = runs().filter_map(|run| run.facts.get(name)).collect();
        values.sort();
        values.dedup();
        values.len()
    };
    for (fact, what) in
        [("data fingerprint", "data"), ("configuration fingerprint", "configurations")]
    {
        // Repeats have a seed each, which makes as many configurations and generated texts.
        if distinct(fact) > base.len().max(new.len()) {
            notes.push(format!("the two sides have different {what}"));
        }
    }
    notes
}

/// What has to be known of each comparison, one line each.
pub fn lines(comparisons: &[Comparison]) -> Vec<String> {
    let mut lines = Vec::new();
    for comparison in comparisons {
        for note in &comparison.notes {
            lines.push(format!("{} against {}: {note}", comparison.model, comparison.base));
        }
    }
    lines
}

/// Judges `--fail-above`: names the models whose energy rose by more than `limit`.
pub fn judge(comparisons: &[Comparison], limit: f64) -> Result<(), Stop> {
    if comparisons.is_empty() {
        return Err(Stop::failed("--fail-above has nothing to judge: no model is on both sides"));
    }
    let mut failed = Vec::new();
    for comparison in comparisons {
        if comparison.fails(limit)? {
            failed.push(comparison.model.clone());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let limit = (limit * 1e8).round() / 1e6;
    Err(Stop::failed(format!(
        "energy rose by more than {limit} %, beyond the interval: {}",
        failed.join(", ")
    )))
}

#[cfg(test)]
mod tests;
