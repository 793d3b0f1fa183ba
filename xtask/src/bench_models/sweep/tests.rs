//! Whole sweeps on a runner that trains nothing: killed, resumed, ended by budget.

use std::cell::RefCell;

use ergometer::units::Currency;

use super::*;
use crate::bench_models::amount::Amount;
use crate::bench_models::report::tests::records::record;

/// Loss and joules follow from the learning rate; the sweep dies in a trial of this number.
#[derive(Default)]
struct Program {
    dies_in: Option<u32>,
    /// Trials that ran to their end.
    ran: RefCell<Vec<u32>>,
    joules: f64,
}

impl Runner for Program {
    fn run(&mut self, trial: &Trial, _attempt: u32) -> Result<Option<Record>, Stop> {
        if self.dies_in == Some(trial.id) {
            return Err(Stop::failed("killed"));
        }
        self.ran.borrow_mut().push(trial.id);
        let rate: f64 = trial.values["rate"].parse().unwrap();
        let epochs = f64::from(trial.epochs.unwrap_or(1));
        let mut record = record(1, self.joules * epochs);
        record.results.insert("valid_loss".to_owned(), (rate.log10() + 2.0).abs() + 1.0 / epochs);
        Ok(Some(record))
    }

    fn cut_off(&self, _trial: u32, _attempt: u32) -> Option<Cost> {
        Some(Cost { joules: Some(self.joules / 2.0), ..Cost::default() })
    }
}

fn described(text: &str) -> Sweep {
    let sweep: Sweep = toml::from_str(text).unwrap();
    sweep.check().unwrap();
    sweep
}

fn random(trials: u32) -> Sweep {
    described(&format!(
        "model = 'gpt2'\nmethod = 'random'\ntrials = {trials}\nseed = 3\n\
         [parameters]\nrate = {{ log = [1e-4, 1e-1] }}\nbatch = {{ choice = [4, 8] }}"
    ))
}

fn program(joules: f64) -> Program {
    Program { joules, ..Program::default() }
}

fn journal(folder: &tempfile::TempDir, of: &Sweep) -> Journal {
    Journal::open(&folder.path().join("sweep.jsonl"), of).unwrap()
}

/// The trials of a sweep that nothing interrupts.
fn undisturbed(of: &Sweep) -> Vec<Trial> {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal(&folder, of);
    sweep(of, &mut journal, &mut program(10.0), None).unwrap();
    journal.trials().to_vec()
}

const METHODS: [&str; 4] = [
    "method = 'random'\ntrials = 12\n[parameters]\nrate = { log = [1e-4, 1e-1] }",
    "method = 'grid'\n[parameters]\nrate = { choice = [1e-4, 1e-3, 1e-2, 1e-1] }\nbatch = { choice = [4, 8, 16] }",
    "method = 'halving'\ntrials = 9\n[parameters]\nrate = { log = [1e-4, 1e-1] }",
    "method = 'tpe'\ntrials = 12\n[parameters]\nrate = { log = [1e-4, 1e-1] }\nbatch = { choice = [4, 8] }",
];

#[test]
fn a_sweep_that_is_killed_anywhere_goes_on_without_loss_or_repetition() {
    for method in METHODS {
        let of = described(&format!("model = 'gpt2'\n{method}"));
        let whole = undisturbed(&of);
        assert!(whole.len() >= 12, "{method}: {}", whole.len());
        for dies_in in [0, 1, 5, 11] {
            let folder = tempfile::tempdir().unwrap();
            let mut first = Program { dies_in: Some(dies_in), ..program(10.0) };
            assert!(sweep(&of, &mut journal(&folder, &of), &mut first, None).is_err());
            // Half of a line, as a kill in the middle of a write leaves it.
            let path = folder.path().join("sweep.jsonl");
            let mut text = std::fs::read_to_string(&path).unwrap();
            text.push_str("{\"end\":{\"id\":");
            std::fs::write(&path, text).unwrap();

            let mut second = program(10.0);
            let mut resumed = journal(&folder, &of);
            sweep(&of, &mut resumed, &mut second, None).unwrap();
            assert_eq!(resumed.trials(), whole, "{method}, killed in {dies_in}");
            let ran = [first.ran.into_inner(), second.ran.into_inner()].concat();
            assert_eq!(ran, (0..).take(whole.len()).collect::<Vec<u32>>(), "each once");
            // What the killed attempt drew counts, and no trial has it.
            assert_eq!(resumed.lost_attempts().len(), 1);
            let joules: f64 = whole.iter().filter_map(|trial| trial.cost?.joules).sum();
            assert!((resumed.spent() - joules - 5.0).abs() < 1e-9);
            // A third start finds nothing left to do.
            let mut third = program(10.0);
            sweep(&of, &mut journal(&folder, &of), &mut third, None).unwrap();
            assert!(third.ran.into_inner().is_empty());
        }
    }
}

#[test]
fn a_budget_ends_a_sweep_before_it_is_exceeded_and_a_higher_one_lets_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let of = random(20);
    let mut first = journal(&folder, &of);
    sweep(&of, &mut first, &mut program(10.0), Some(75.0)).unwrap();
    assert_eq!((first.trials().len(), first.stopped_by_budget), (7, true));
    assert!(first.spent() <= 75.0);
    let results =
        Results::of(&Sweep { budget: Some("75 J".to_owned()), ..of.clone() }, &first).text();
    assert!(results.contains("ended by its budget of 75 J: 70.0 J so far"), "{results}");
    let raised = Sweep { budget: Some("1 kWh".to_owned()), ..of };
    let mut second = journal(&folder, &raised);
    sweep(&raised, &mut second, &mut program(10.0), Some(3.6e6)).unwrap();
    assert_eq!((second.trials().len(), second.stopped_by_budget), (20, false));
}

#[test]
fn another_sweeps_journal_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let of = random(3);
    sweep(&of, &mut journal(&folder, &of), &mut program(1.0), None).unwrap();
    let refused = Journal::open(&folder.path().join("sweep.jsonl"), &random(4));
    assert!(refused.is_err());
}

#[test]
fn the_best_third_goes_on_for_three_times_the_epochs() {
    let trials = undisturbed(&described(&format!("model = 'gpt2'\n{}", METHODS[2])));
    let rungs: Vec<(u32, Option<u32>)> =
        trials.iter().map(|trial| (trial.rung, trial.epochs)).collect();
    let expected = [vec![(0, Some(1)); 9], vec![(1, Some(3)); 3], vec![(2, Some(9))]].concat();
    assert_eq!(rungs, expected);
    let mut first: Vec<&Trial> = trials.iter().filter(|trial| trial.rung == 0).collect();
    first.sort_by(|a, b| a.objective(false).total_cmp(&b.objective(false)));
    let best: Vec<_> = first[..3].iter().map(|trial| &trial.values).collect();
    assert_eq!(trials[9..12].iter().map(|trial| &trial.values).collect::<Vec<_>>(), best);
    assert_eq!(&trials[12].values, best[0]);
}

#[test]
fn the_estimator_looks_where_trials_were_good() {
    let rates = |method: &str| -> Vec<f64> {
        let of = described(&format!(
            "model = 'gpt2'\nmethod = '{method}'\ntrials = 60\nseed = 5\n[parameters]\nrate = {{ log = [1e-6, 1e2] }}"
        ));
        let trials = undisturbed(&of);
        trials[30..].iter().map(|trial| trial.values["rate"].parse().unwrap()).collect()
    };
    // The best rate is 0.01.
    let near = |rates: Vec<f64>| rates.iter().filter(|rate| (1e-3..1e-1).contains(*rate)).count();
    let (drawn, estimated) = (near(rates("random")), near(rates("tpe")));
    assert!(estimated > drawn + 5, "{estimated} of 30 against {drawn}");
}

#[test]
fn failures_are_trials_and_their_cost_is_in_everything() {
    struct Half(u32);
    impl Runner for Half {
        fn run(&mut self, trial: &Trial, _attempt: u32) -> Result<Option<Record>, Stop> {
            self.0 += 1;
            let mut record = record(1, 10.0);
            // Every other one diverges: it has a cost and no loss. One writes no record at all.
            if trial.id.is_multiple_of(2) {
                record.results.insert("valid_loss".to_owned(), 2.0);
            }
            Ok((trial.id != 3).then_some(record))
        }
        fn cut_off(&self, _trial: u32, _attempt: u32) -> Option<Cost> {
            None
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let of = random(6);
    let mut journal = journal(&folder, &of);
    let mut half = Half(0);
    sweep(&of, &mut journal, &mut half, None).unwrap();
    assert_eq!(half.0, 6);
    let results = serde_json::to_value(Results::of(&of, &journal)).unwrap();
    assert_eq!(
        (&results["variance"]["trials"], &results["variance"]["failed"]),
        (&3.into(), &3.into())
    );
    let [one, tune, everything] = [0, 1, 2].map(|row| &results["project"][row]);
    assert_eq!((one["models"].as_u64(), one["cost"]["joules"].as_f64()), (Some(1), Some(10.0)));
    assert_eq!((tune["models"].as_u64(), tune["cost"]["joules"].as_f64()), (Some(5), Some(50.0)));
    // What one of them drew is not known, so that the sum is not either.
    assert_eq!(
        (everything["models"].as_u64(), &everything["cost"]),
        (Some(6), &serde_json::Value::Null)
    );
    let text = Results::of(&of, &journal).text();
    assert!(text.contains("wrote no record") && text.contains("Table 4"), "{text}");
}

#[test]
fn wrong_descriptions_are_refused_with_what_is_wrong() {
    for (text, said) in [
        ("method = 'random'\n[parameters]\nrate = { log = [1e-4, 1e-1] }", "trials has to be"),
        ("method = 'grid'\n[parameters]\nrate = { log = [1e-4, 1e-1] }", "choices only"),
        (
            "method = 'random'\ntrials = 3\nbudget = '3 apples'\n[parameters]\nrate = { log = [1e-4, 1e-1] }",
            "apples",
        ),
        (
            "method = 'halving'\ntrials = 3\n[halving]\nfactor = 1\n[parameters]\nrate = { choice = [1] }",
            "factor",
        ),
    ] {
        let sweep: Sweep = toml::from_str(&format!("model = 'gpt2'\n{text}")).unwrap();
        let error = sweep.check().unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert!(toml::from_str::<Sweep>("model = 'gpt2'\nmethod = 'annealing'").is_err());
}

#[test]
fn costs_add_up_and_what_is_not_known_stays_so() {
    let known =
        Cost { seconds: 1.0, joules: Some(2.0), cloud_usd: Some((1.0, 3.0)), ..Cost::default() };
    let sum = known.plus(known);
    assert_eq!((sum.seconds, sum.joules, sum.cloud_usd), (2.0, Some(4.0), Some((2.0, 6.0))));
    assert_eq!(known.plus(Cost::default()).joules, None);
    assert_eq!(sum.over(4.0).joules, Some(1.0));
}

/// Trials of 3.6 MJ at a PUE of 1, each at its own price.
struct Priced(Vec<&'static str>);

impl Runner for Priced {
    fn run(&mut self, trial: &Trial, _attempt: u32) -> Result<Option<Record>, Stop> {
        let mut record = record(1, 3.6e6);
        let site = record.footprint.site.clone().with_pue(1.0).unwrap();
        let site = site.with_price(self.0[trial.id as usize]).unwrap();
        record.footprint = site.footprint(record.total.energy.as_ref(), 100.0, 0);
        record.results.insert("valid_loss".to_owned(), 2.0);
        Ok(Some(record))
    }
    fn cut_off(&self, _trial: u32, _attempt: u32) -> Option<Cost> {
        None
    }
}

#[test]
fn electricity_is_added_up_in_its_currency_and_never_in_two() {
    let results = |prices: [&'static str; 2]| {
        let folder = tempfile::tempdir().unwrap();
        let of = random(2);
        let mut journal = journal(&folder, &of);
        sweep(&of, &mut journal, &mut Priced(prices.into()), None).unwrap();
        let results = Results::of(&of, &journal);
        (serde_json::to_value(&results).unwrap(), results.text())
    };
    let (json, text) = results(["0.25 EUR", "0.75 EUR"]);
    let tune = &json["project"][1]["cost"]["electricity"];
    assert_eq!((tune["value"].as_f64(), tune["currency"].as_str()), (Some(1.0), Some("EUR")));
    for cell in ["0.25 EUR", "0.75 EUR", "0.50 EUR", "1.0 EUR"] {
        assert!(text.contains(cell), "{cell}: {text}");
    }
    let (json, text) = results(["0.25 EUR", "0.75 USD"]);
    assert!(text.contains("0.25 EUR") && text.contains("$0.75"), "each trial has its own: {text}");
    assert!(json["project"][1]["cost"]["joules"].is_number());
    for row in [0, 1, 2] {
        assert!(json["project"][row]["cost"]["electricity"].is_null(), "{json}");
    }
}

#[test]
fn a_cost_in_a_journal_of_before_there_were_currencies_is_in_us_dollars() {
    let read = |text: &str| serde_json::from_str::<Cost>(text).unwrap().electricity;
    let dollars = Amount { value: 0.5, currency: Currency::USD };
    assert_eq!(read(r#"{"seconds": 1.0, "electricity_usd": 0.5}"#), Some(dollars));
    assert_eq!(read(r#"{"seconds": 1.0, "electricity_usd": null}"#), None);
    assert_eq!(read(r#"{"seconds": 1.0}"#), None);
}
