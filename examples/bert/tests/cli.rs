//! The program as its users see it: a short run and its record, wrong input.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bert(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bert")).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A short run with these arguments, and its record.
fn record(arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("record.json");
    let path = path.to_str().expect("a plain path");
    let run = bert(&[&["--size", "smoke", "--quiet", "--record", path], arguments].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON")
}

/// Wrong input ends before training: exit code 2, and one line that says `what`.
fn refused(arguments: &[&str], what: &str) {
    let run = bert(arguments);
    let message = text(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains(what), "{message:?} does not say {what:?}");
    assert!(run.stdout.is_empty());
}

fn file(directory: &Path, name: &str, bytes: &[u8]) -> String {
    let path = directory.join(name);
    fs::write(&path, bytes).expect("a file");
    path.to_str().expect("a plain path").to_owned()
}

#[test]
fn a_smoke_run_records_epochs_and_three_measures_of_quality() {
    let record = record(&[]);
    let facts = &record["facts"];
    for (fact, value) in [("model", "bert"), ("corpus", "generated-documents"), ("size", "smoke")] {
        assert_eq!(facts[fact], value, "{fact}");
    }
    let epochs = record["epochs"].as_array().expect("epochs");
    let splits: Vec<&str> = epochs.iter().filter_map(|epoch| epoch["split"].as_str()).collect();
    assert_eq!(splits, ["train", "valid", "train", "valid"]);
    let steps = &epochs[0]["steps"];
    assert_eq!(steps["count"], 10);
    let tokens = steps["items"]["count"].as_f64().expect("tokens");
    assert!(tokens > 10.0 * 4.0 * 8.0 && tokens <= 10.0 * 4.0 * 24.0, "{tokens}");
    for name in ["masked_accuracy", "masked_perplexity", "next_sentence_accuracy"] {
        for name in [name.to_owned(), format!("{name}_first")] {
            assert!(record["results"][&name].is_f64(), "{name}");
        }
    }
    let result = |name: &str| record["results"][name].as_f64().expect(name);
    let majority = result("next_sentence_majority");
    assert!((0.5..=1.0).contains(&majority), "{majority}");
    let pairs = result("next_sentence_pairs");
    assert!(pairs > 0.0 && pairs <= 16.0, "{pairs}");
    // Ten steps of the short shape, then eight of it and two of the long one.
    let fact = |name: &str| facts[name].as_str().and_then(|text| text.parse::<f64>().ok());
    let (short, long) = (
        fact("training FLOPs a step").unwrap(),
        fact("training FLOPs a step, last tenth").unwrap(),
    );
    assert!((result("training_flops_first_epoch") - 10.0 * short).abs() < 0.5, "{short}");
    assert!((result("training_flops") - 18.0 * short - 2.0 * long).abs() < 0.5, "{long}");
    assert!(result("masked_perplexity") < result("masked_perplexity_first"));
}

#[test]
fn the_seed_decides_the_losses() {
    let facts = |arguments: &[&str]| record(arguments)["facts"].clone();
    let of = |facts: &Value, what: &str| facts[&format!("{what} fingerprint")].clone();
    let (first, again, other) =
        (facts(&["--seed", "7"]), facts(&["--seed", "7"]), facts(&["--seed", "8"]));
    for what in ["losses", "data", "configuration"] {
        assert!(of(&first, what).is_string());
        assert_eq!(of(&first, what), of(&again, what), "{what}, to the bit");
        assert_ne!(of(&first, what), of(&other, what), "{what}");
    }
    // A hyperparameter changes the losses and not the data.
    let tuned = facts(&["--seed", "7", "--rate", "0.01"]);
    assert_eq!(of(&first, "data"), of(&tuned, "data"));
    assert_ne!(of(&first, "losses"), of(&tuned, "losses"));
    assert_ne!(of(&first, "configuration"), of(&tuned, "configuration"));
}

#[test]
fn it_trains_on_documents_of_ones_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let document = "The cat sat on the mat.\nNobody's dog barked, did it?\nIt was late.\n\n";
    let text = file(directory.path(), "text.txt", document.repeat(20).as_bytes());
    let valid = file(directory.path(), "valid.txt", document.repeat(4).as_bytes());
    let record = record(&["--text", &text, "--valid", &valid, "--epochs", "1"]);
    assert_eq!(record["facts"]["corpus"], text.as_str());
}

#[test]
fn wrong_input_is_one_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let one = file(directory.path(), "one.txt", b"One document.\nOf two sentences.\n");
    refused(&["--text", "no-such-file.txt"], "cannot read no-such-file.txt");
    refused(&["--text", &one], "a blank line between them");
    refused(&["--size", "big"], "it has smoke, tiny, mini, small, medium, base, large");
}
