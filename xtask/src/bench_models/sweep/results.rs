//! What a sweep came to: trials, front, variance, expected quality against joules, and the paper's Table 4.

use std::fmt::Write as _;

use ergometer::report::{Column, Table, paragraph, width};
use ergometer_stats::{mean_and_deviation, median};
use serde::Serialize;

use super::journal::Journal;
use super::trial::{Cost, Trial};
use super::{Method, Sweep, method_word};
use crate::bench_models::amount::Amount;
use crate::bench_models::choices::word;
use crate::bench_models::figure::significant;

/// The results as data.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// What was searched.
    sweep: Sweep,
    /// Every trial that ended.
    trials: Vec<Trial>,
    /// Trials of the front: no other is both better and cheaper.
    pareto_front: Vec<u32>,
    /// How the metric varies over the hyperparameters searched.
    variance: Option<Variance>,
    /// Expected best metric of this many trials, and their joules.
    expected: Vec<Expected>,
    /// The paper's Table 4: one model, one tune, everything.
    project: Vec<Project>,
    /// What has to be known, one line each.
    notes: Vec<String>,
}

/// The final metric over the trials that have one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Variance {
    trials: usize,
    failed: usize,
    mean: f64,
    /// Of a sample (n − 1).
    standard_deviation: Option<f64>,
    /// Its square: the variance.
    #[serde(rename = "variance")]
    squared_deviation: Option<f64>,
    min: f64,
    median: f64,
    max: f64,
}

/// The expected best of `trials` trials (Dodge et al., 2019, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expected {
    trials: usize,
    /// Mean joules of a trial times `trials`.
    joules: Option<f64>,
    /// Drawn with replacement, as Dodge et al. do: biased to the worse side, and the steadier of the two.
    best: f64,
    /// Standard deviation of the best.
    deviation: f64,
    /// Drawn without replacement: unbiased (Tang et al., 2020).
    unbiased: f64,
}

/// A row of Table 4.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Project {
    what: String,
    models: usize,
    cost: Option<Cost>,
}

impl Variance {
    fn of(values: &[f64], failed: usize) -> Option<Self> {
        let (mean, standard_deviation) = mean_and_deviation(values)?;
        let mut sorted = values.to_vec();
        let median = median(&mut sorted);
        Some(Self {
            trials: values.len(),
            failed,
            mean,
            standard_deviation,
            squared_deviation: standard_deviation.map(|deviation| deviation.powi(2)),
            min: sorted[0],
            median,
            max: sorted[sorted.len() - 1],
        })
    }
}

impl Expected {
    /// For 1 to as many trials as there are values. `maximise`: whether the best is the largest.
    fn of(values: &[f64], maximise: bool, joules: Option<f64>) -> Vec<Self> {
        let mut sorted = values.to_vec();
        // From the worst to the best.
        sorted.sort_by(|a, b| if maximise { a.total_cmp(b) } else { b.total_cmp(a) });
        let count = sorted.len() as f64;
        let sum = |weights: &[f64], of: &dyn Fn(f64) -> f64| -> f64 {
            weights.iter().zip(&sorted).map(|(weight, value)| weight * of(*value)).sum()
        };
        (1..=sorted.len())
            .map(|trials| {
                let power = |rank: f64| (rank / count).powf(trials as f64);
                let ranks = (1..=sorted.len()).map(|rank| rank as f64);
                let weights: Vec<f64> = ranks.map(|rank| power(rank) - power(rank - 1.0)).collect();
                let best = sum(&weights, &|value| value);
                let square = sum(&weights, &|value| (value - best).powi(2));
                Self {
                    trials,
                    joules: joules.map(|joules| joules * trials as f64),
                    best,
                    deviation: square.sqrt(),
                    unbiased: sum(&without_replacement(sorted.len(), trials), &|value| value),
                }
            })
            .collect()
    }
}

/// The probability of each value, from the worst to the best, to be the best of `trials` drawn without replacement
/// from `count`: C(rank − 1, trials − 1) / C(count, trials).
fn without_replacement(count: usize, trials: usize) -> Vec<f64> {
    let mut weights = vec![0.0; count];
    // The best of all is among them with probability trials / count; each worse one by what is left.
    let mut weight = trials as f64 / count as f64;
    for rank in (trials..=count).rev() {
        weights[rank - 1] = weight;
        // C(rank − 2, trials − 1) / C(rank − 1, trials − 1) = (rank − trials) / (rank − 1).
        weight *= (rank - trials) as f64 / (rank as f64 - 1.0).max(1.0);
    }
    weights
}

/// The trials that no other one beats in metric and joules, from the cheapest.
fn front(trials: &[Trial], maximise: bool) -> Vec<u32> {
    let mut points: Vec<(f64, f64, u32)> = trials
        .iter()
        .filter(|trial| trial.quality.is_some())
        .filter_map(|trial| Some((trial.cost?.joules?, trial.objective(maximise), trial.id)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut best = f64::INFINITY;
    points.retain(|(_, objective, _)| {
        let better = *objective < best;
        best = best.min(*objective);
        better
    });
    points.into_iter().map(|(_, _, id)| id).collect()
}

/// The sum of all costs; absent without any, or where one of them is not known.
fn total<'a>(costs: impl Iterator<Item = &'a Option<Cost>>) -> Option<Cost> {
    let costs: Option<Vec<Cost>> = costs.copied().collect();
    costs?.into_iter().reduce(Cost::plus)
}

impl Results {
    /// From what has happened so far.
    pub fn of(sweep: &Sweep, journal: &Journal) -> Self {
        let trials = journal.trials().to_vec();
        // Trials of a higher rung are trained for longer: those of the first are comparable draws.
        let first: Vec<&Trial> = trials.iter().filter(|trial| trial.rung == 0).collect();
        let values: Vec<f64> = first.iter().filter_map(|trial| trial.quality).collect();
        let failed = first.len() - values.len();
        let joules: Option<Vec<f64>> = first.iter().map(|trial| trial.cost?.joules).collect();
        let mean_joules =
            joules.and_then(|joules| mean_and_deviation(&joules)).map(|(mean, _)| mean);
        Self {
            pareto_front: front(&trials, sweep.maximise),
            variance: Variance::of(&values, failed),
            expected: Expected::of(&values, sweep.maximise, mean_joules),
            project: projects(&trials, journal),
            notes: notes(sweep, journal),
            sweep: sweep.clone(),
            trials,
        }
    }

    /// For the terminal of this process.
    pub fn text(&self) -> String {
        self.fit(width())
    }

    /// For a terminal of this width.
    fn fit(&self, width: usize) -> String {
        let sweep = &self.sweep;
        let title = format!(
            "{} {}, {} of {} trials, to {} {}",
            word(sweep.model),
            word(sweep.size),
            method_word(sweep.method),
            self.trials.len(),
            if sweep.maximise { "maximise" } else { "minimise" },
            sweep.metric
        );
        let mut text = paragraph(&title, 0, width) + "\n\n" + &self.trial_table().fit(width);
        if let Some(variance) = &self.variance {
            text = text + "\n" + &paragraph(&variance.text(sweep), 2, width) + "\n";
        }
        for (heading, table) in [
            ("expected best of this many trials (Dodge et al. 2019)", self.expected_table()),
            ("in the form of Strubell et al. (2019), Table 4", self.project_table()),
        ] {
            let _ = writeln!(
                text,
                "\n{}\n{}",
                paragraph(heading, 2, width),
                table.fit(width).trim_end()
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {}", paragraph(note, 4, width.saturating_sub(2)));
        }
        text
    }

    fn trial_table(&self) -> Table {
        let names: Vec<&String> =
            self.sweep.parameters.parameters().map(|(name, _)| name).collect();
        let mut head = vec!["trial".to_owned()];
        head.extend(names.iter().map(|name| (*name).clone()));
        let halving = self.sweep.method == Method::Halving;
        head.extend(halving.then(|| "epochs".to_owned()));
        let metric = self.sweep.metric.clone();
        head.extend([&metric, "energy (J)", "CO2e (g)", "electricity", "front"].map(str::to_owned));
        let mut rows = Vec::new();
        let mut best: Vec<&Trial> = self.trials.iter().collect();
        let objective = |trial: &Trial| trial.objective(self.sweep.maximise);
        best.sort_by(|a, b| objective(a).total_cmp(&objective(b)));
        for trial in best {
            let value = |name: &String| trial.values.get(name).cloned().unwrap_or_default();
            let mut row = vec![trial.id.to_string()];
            row.extend(names.iter().map(|name| value(name)));
            row.extend(halving.then(|| trial.epochs.map_or_else(String::new, |n| n.to_string())));
            row.push(
                trial.quality.map_or_else(|| "failed".to_owned(), |value| significant(value, 4)),
            );
            let cost = trial.cost.unwrap_or_default();
            row.extend([
                figure(cost.joules, 3),
                figure(cost.co2e_kg.map(|kg| kg * 1000.0), 3),
                cost.electricity.map_or_else(unknown, Amount::show),
                if self.pareto_front.contains(&trial.id) {
                    "yes".to_owned()
                } else {
                    String::new()
                },
            ]);
            rows.push(row);
        }
        table(&head, rows)
    }

    fn expected_table(&self) -> Table {
        let head = ["trials", "energy (J)", "expected", "sd", "unbiased"].map(str::to_owned);
        let row = |expected: &Expected| {
            vec![
                expected.trials.to_string(),
                figure(expected.joules, 3),
                significant(expected.best, 5),
                significant(expected.deviation, 2),
                significant(expected.unbiased, 5),
            ]
        };
        table(&head, self.expected.iter().map(row))
    }

    fn project_table(&self) -> Table {
        let head = [
            "what",
            "models",
            "hours",
            "energy (J)",
            "kWh·PUE",
            "CO2e (kg)",
            "electricity",
            "cloud ($)",
        ];
        let row = |project: &Project| {
            let cost = project.cost;
            let known = |of: fn(Cost) -> Option<f64>, digits| figure(cost.and_then(of), digits);
            let cloud = cost.and_then(|cost| cost.cloud_usd);
            vec![
                project.what.clone(),
                project.models.to_string(),
                known(|cost| Some(cost.seconds / 3600.0), 3),
                known(|cost| cost.joules, 3),
                known(|cost| cost.facility_kwh, 3),
                known(|cost| cost.co2e_kg, 3),
                cost.and_then(|cost| cost.electricity).map_or_else(unknown, Amount::show),
                cloud.map_or_else(unknown, |(low, high)| {
                    format!("{}–{}", significant(low, 2), significant(high, 2))
                }),
            ]
        };
        table(&head.map(str::to_owned), self.project.iter().map(row))
    }
}

impl Variance {
    fn text(&self, sweep: &Sweep) -> String {
        let Self { trials, failed, mean, min, median, max, .. } = *self;
        let show = |value: f64| significant(value, 4);
        let spread = match (self.squared_deviation, self.standard_deviation) {
            (Some(variance), Some(deviation)) => {
                format!("variance {}, sd {}, ", significant(variance, 3), significant(deviation, 3))
            }
            _ => String::new(),
        };
        let draws = match sweep.method {
            Method::Random => "independent draws",
            Method::Halving => "independent draws, the first rung",
            Method::Grid | Method::Tpe => {
                "not independent draws: a description of these trials only"
            }
        };
        format!(
            "variance over the hyperparameters searched: n {trials} ({failed} failed), mean {}, {spread}min {}, \
             median {}, max {} ({draws})",
            show(mean),
            show(min),
            show(median),
            show(max)
        )
    }
}

/// One model, one tune, everything, as in Table 4.
fn projects(trials: &[Trial], journal: &Journal) -> Vec<Project> {
    let costs: Vec<Option<Cost>> = trials.iter().map(|trial| trial.cost).collect();
    let ended = costs.iter().filter(|cost| cost.is_some());
    let tune = total(ended.clone());
    let count = ended.count();
    let everything = total(costs.iter().chain(journal.lost_attempts()));
    vec![
        Project {
            what: "one model (mean)".to_owned(),
            models: 1,
            cost: tune.map(|cost| cost.over(count as f64)),
        },
        Project { what: "one tune".to_owned(), models: count, cost: tune },
        Project {
            what: "everything, with what failed or was killed".to_owned(),
            models: trials.len() + journal.lost_attempts().len(),
            cost: everything,
        },
    ]
}

fn notes(sweep: &Sweep, journal: &Journal) -> Vec<String> {
    let mut notes = Vec::new();
    if journal.stopped_by_budget {
        let budget = sweep.budget.as_deref().unwrap_or_default();
        notes.push(format!(
            "ended by its budget of {budget}: {} J so far, and another trial may take {} J",
            significant(journal.spent(), 3),
            significant(journal.cost_of_another(), 3)
        ));
    }
    let lost = journal.lost_attempts();
    if !lost.is_empty() {
        let unknown =
            lost.iter().filter(|cost| cost.and_then(|cost| cost.joules).is_none()).count();
        notes.push(format!(
            "trials that were killed and run again: {}, of which {unknown} drew an unknown energy",
            lost.len()
        ));
    }
    let failed = journal.trials().iter().filter(|trial| trial.cost.is_none()).count();
    if failed > 0 {
        notes.push(format!(
            "trials that wrote no record, so that their energy is not known: {failed}"
        ));
    }
    notes
}

fn figure(value: Option<f64>, digits: i32) -> String {
    value.map_or_else(unknown, |value| significant(value, digits))
}

fn unknown() -> String {
    "n/a".to_owned()
}

/// A table whose first column is of words, and the others of figures.
fn table(head: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut columns: Vec<Column> = head.iter().map(Column::figure).collect();
    if let (Some(first), Some(title)) = (columns.first_mut(), head.first()) {
        *first = Column::prose(title);
    }
    Table::new(columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_models::sweep::space::Values;

    fn near(values: &[f64], expected: &[f64]) {
        assert_eq!(values.len(), expected.len());
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 6e-7, "{values:?} is not {expected}");
        }
    }

    fn column(expected: &[Expected], of: fn(&Expected) -> f64) -> Vec<f64> {
        expected.iter().map(of).collect()
    }

    /// Worked out with another program.
    #[test]
    fn the_expected_best_is_that_of_the_vectors() {
        let accuracy = Expected::of(&[0.75, 0.60, 0.80, 0.70, 0.72], true, Some(10.0));
        near(&column(&accuracy, |one| one.best), &[0.714, 0.75, 0.765_84, 0.774_96, 0.781_046_4]);
        let deviations = [0.066_212, 0.047_749, 0.037_761, 0.032_289, 0.028_455];
        near(&column(&accuracy, |one| (one.deviation * 1e6).round() / 1e6), &deviations);
        near(&column(&accuracy, |one| one.unbiased), &[0.714, 0.759, 0.777, 0.79, 0.8]);
        assert_eq!(accuracy[4].joules, Some(50.0));
        let loss = Expected::of(&[2.31, 1.98, 2.05, 3.10, 1.91, 2.40], false, None);
        let best = [2.291_667, 2.084_167, 2.010_324, 1.975_486, 1.955_935, 1.943_789];
        near(&column(&loss, |one| (one.best * 1e6).round() / 1e6), &best);
        let unbiased = [2.291_667, 2.042_667, 1.972, 1.938, 1.921_667, 1.91];
        near(&column(&loss, |one| (one.unbiased * 1e6).round() / 1e6), &unbiased);
        assert!(Expected::of(&[], true, None).is_empty());
    }

    #[test]
    fn the_variance_is_that_of_the_vector() {
        let variance = Variance::of(&[2.31, 1.98, 2.05, 3.10, 1.91, 2.40], 1).unwrap();
        let values = [
            variance.mean,
            variance.squared_deviation.unwrap(),
            variance.standard_deviation.unwrap(),
        ];
        near(&values.map(|value| (value * 1e6).round() / 1e6), &[2.291_667, 0.193_337, 0.439_701]);
        near(&[variance.min, variance.median, variance.max], &[1.91, 2.18, 3.1]);
        assert_eq!((variance.trials, variance.failed), (6, 1));
        assert_eq!(Variance::of(&[], 3), None);
    }

    #[test]
    fn the_front_has_what_no_other_trial_beats() {
        let trial = |id, joules: Option<f64>, quality| {
            let cost = Some(Cost { joules, ..Cost::default() });
            Trial { quality, cost, ..Trial::new(id, Values::new()) }
        };
        let trials = [
            trial(0, Some(10.0), Some(3.0)),
            trial(1, Some(20.0), Some(3.5)),
            trial(2, Some(30.0), Some(2.0)),
            trial(3, Some(30.0), Some(2.5)),
            trial(4, Some(5.0), None),
            trial(5, None, Some(0.1)),
            trial(6, Some(40.0), Some(2.0)),
        ];
        assert_eq!(front(&trials, false), [0, 2], "no energy, no quality, no place");
        assert_eq!(front(&trials, true), [0, 1]);
    }

    #[test]
    fn the_tables_fit_the_terminal_and_have_every_figure() {
        let sweep: Sweep = toml::from_str(
            "model = 'gpt2'\nmethod = 'random'\ntrials = 2\n[parameters]\nrate = { log = [1e-4, 1e-1] }\n\
             dropout = { uniform = [0.0, 0.3] }\nwarmup = { integer = [0, 20] }",
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("sweep.jsonl"), &sweep).unwrap();
        for (id, quality) in [(0, 1.987), (1, 2.412)] {
            let values = ["rate", "dropout", "warmup"]
                .map(|name| (name.to_owned(), "0.01234567".to_owned()));
            let cost = Cost { joules: Some(12_345.0), seconds: 600.0, ..Cost::default() };
            journal.begin(id).unwrap();
            let trial = Trial::new(id, Values::from(values));
            journal.end(Trial { quality: Some(quality), cost: Some(cost), ..trial }).unwrap();
        }
        let results = Results::of(&sweep, &journal);
        for width in [50, 80, 200] {
            let text = results.fit(width);
            let too_wide = text.lines().find(|line| line.chars().count() > width);
            assert_eq!(too_wide, None, "{width}: {text}");
            for figure in ["1.987", "2.412", "12,300", "24,700", "0.01234567"] {
                assert!(text.contains(figure), "{width}: {figure} is not in\n{text}");
            }
        }
    }
}
