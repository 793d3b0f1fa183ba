//! The program as its users see it: a short search and its record, wrong input.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn search(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_search")).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A short search with these arguments: its record, and what it printed.
fn run(arguments: &[&str]) -> (Value, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("record.json");
    let path = path.to_str().expect("a plain path");
    let run = search(&[&["--size", "smoke", "--quiet", "--record", path], arguments].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    let record = serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON");
    (record, text(&run.stdout))
}

/// Wrong input ends before training: exit code 2, and one line that says `what`.
fn refused(arguments: &[&str], what: &str) {
    let run = search(arguments);
    let message = text(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains(what), "{message:?} does not say {what:?}");
    assert!(run.stdout.is_empty());
}

#[test]
fn a_smoke_search_records_every_trial_and_what_the_cut_ones_took() {
    let (record, printed) = run(&[]);
    let facts = &record["facts"];
    for (fact, value) in [("model", "search"), ("size", "smoke"), ("quality", "perplexity")] {
        assert_eq!(facts[fact], value, "{fact}");
    }
    let result =
        |name: &str| record["results"][name].as_f64().unwrap_or_else(|| panic!("no {name}"));
    let (evolution, random) = (result("evolution_trials"), result("random_trials"));
    assert!((evolution - 6.0).abs() < 1e-9 && random >= 1.0, "{evolution} {random}");

    // Every stretch of every trial is an epoch, and the winners' trainings on fresh seeds are too.
    let epochs = record["epochs"].as_array().expect("epochs");
    let steps = |split: &str| {
        let of = epochs.iter().filter(|epoch| epoch["split"] == split);
        of.map(|epoch| epoch["steps"]["count"].as_f64().expect("a count")).sum::<f64>()
    };
    let counted =
        ["evolution_steps", "random_steps", "fresh_steps"].map(result).iter().sum::<f64>();
    assert!((steps("train") - counted).abs() < 1e-9, "{counted}");
    assert!((result("fresh_steps") - 3.0 * 2.0 * 6.0).abs() < 1e-9);
    let trainings = epochs.iter().filter(|epoch| epoch["split"] == "train").count();
    assert_eq!(trainings * 2, epochs.len(), "each is followed by an evaluation");

    // What was cut is a part of what was taken, and a search that was cut is not free.
    let cut = result("evolution_trials_cut");
    // There is no hurdle yet for the first population.
    assert!((3.0..=evolution).contains(&cut), "{cut}");
    for what in ["evolution", "random"] {
        let flops = result(&format!("{what}_flops"));
        assert!(flops > 0.0);
        if record["total"]["energy"].is_object() {
            let (joules, cut) =
                (result(&format!("{what}_joules")), result(&format!("{what}_joules_cut")));
            assert!(joules >= cut && joules > 0.0, "{what}: {joules} {cut}");
        }
    }
    let all = ["evolution_flops", "random_flops", "fresh_flops"].map(result).iter().sum::<f64>();
    assert!((all / result("training_flops") - 1.0).abs() < 1e-12);
    // The trials are spans of their own, each search one around its trials.
    let spans = record["spans"].to_string();
    for name in ["evolution", "random search", "fresh seeds", "trial", "forward", "backward"] {
        assert!(spans.contains(&format!("\"{name}\"")), "no span {name} in {spans}");
    }
    // The curve is of the best so far.
    let curve: Vec<f64> = (1..)
        .map_while(|epoch| record["results"][&format!("valid_loss_epoch_{epoch}")].as_f64())
        .collect();
    assert!(curve.len() >= 6 && curve.windows(2).all(|two| two[1] <= two[0]), "{curve:?}");

    for part in [
        "evolution: 6 trials",
        "÷ 1.0: 656347 kWh, 284019 kg CO2e",
        "÷ 18.7: 15215 kg CO2e",
        "÷ 88.2: 7468 kWh",
        "Whether one way to search beats the other they do not show",
        "seed: mean loss",
        "evolved over random: ",
    ] {
        assert!(printed.contains(part), "{part:?} is not in {printed}");
    }
}

#[test]
fn the_seed_decides_the_search() {
    let facts = |arguments: &[&str]| {
        let arguments = [&["--random-trials", "2", "--fresh-seeds", "1"], arguments].concat();
        run(&arguments).0["facts"].clone()
    };
    let of = |facts: &Value, what: &str| facts[&format!("{what} fingerprint")].clone();
    let (first, again, other) =
        (facts(&["--seed", "7"]), facts(&["--seed", "7"]), facts(&["--seed", "8"]));
    for what in ["losses", "random search", "data", "configuration"] {
        assert!(of(&first, what).is_string());
        assert_eq!(of(&first, what), of(&again, what), "{what}, to the bit");
        assert_ne!(of(&first, what), of(&other, what), "{what}");
    }
    for what in ["evolved architecture", "random architecture"] {
        assert_eq!(first[what], again[what]);
    }
    // Without a number of trials the meter ends random search; evolution does not depend on it.
    let metered = run(&["--seed", "7", "--fresh-seeds", "1"]).0["facts"].clone();
    assert_eq!(of(&metered, "losses"), of(&first, "losses"));
    // A hyperparameter changes the losses and not the data.
    let tuned = facts(&["--seed", "7", "--rate", "0.03"]);
    assert_eq!(of(&first, "data"), of(&tuned, "data"));
    assert_ne!(of(&first, "losses"), of(&tuned, "losses"));
}

#[test]
fn without_hurdles_every_trial_trains_to_the_end() {
    let (record, printed) =
        run(&["--without-hurdles", "--trials", "4", "--random-trials", "2", "--fresh-seeds", "2"]);
    let result = |name: &str| record["results"][name].as_f64().expect(name);
    for (name, value) in
        [("evolution_trials_cut", 0.0), ("evolution_steps", 4.0 * 6.0), ("random_steps", 12.0)]
    {
        assert!((result(name) - value).abs() < 1e-9, "{name}");
    }
    assert!(printed.contains("no hurdle was made"), "{printed}");
}

#[test]
fn it_searches_on_a_parallel_corpus() {
    let directory = tempfile::tempdir().expect("a directory");
    let (source, target): (String, String) = (0..100)
        .map(|number| (format!("the number {number} is\n"), format!("die Zahl {number} ist\n")))
        .unzip();
    fs::write(directory.path().join("corpus.en"), source).expect("a file");
    fs::write(directory.path().join("corpus.de"), target).expect("a file");
    let prefix = directory.path().join("corpus");
    let prefix = prefix.to_str().expect("a plain path");
    let (record, _) =
        run(&["--parallel", prefix, "--trials", "3", "--random-trials", "1", "--fresh-seeds", "1"]);
    let corpus = record["facts"]["corpus"].as_str().expect("a name");
    assert!(corpus.ends_with("corpus.de"), "{corpus}");
}

#[test]
fn wrong_input_is_one_line() {
    refused(&["--parallel", "no-such-corpus"], "cannot read no-such-corpus.en");
    refused(&["--size", "big"], "it has smoke, tiny, small, base");
    refused(&["--epochs", "2"], "search has no --epochs");
    refused(&["--backend", "abacus"], "abacus");
}
