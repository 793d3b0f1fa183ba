//! The program as its users see it: a short run and its record, wrong input.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn gpt2(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gpt2")).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A short run with these arguments, and its record.
fn record(arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("record.json");
    let path = path.to_str().expect("a plain path");
    let run = gpt2(&[&["--size", "smoke", "--quiet", "--record", path], arguments].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON")
}

/// Wrong input ends before training: exit code 2, and one line that says `what`.
fn refused(arguments: &[&str], what: &str) {
    let run = gpt2(arguments);
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
fn a_smoke_run_records_epochs_phases_and_perplexity() {
    let record = record(&[]);
    let facts = &record["facts"];
    for (fact, value) in [("model", "gpt2"), ("corpus", "generated-english"), ("size", "smoke")] {
        assert_eq!(facts[fact], value, "{fact}");
    }
    let epochs = record["epochs"].as_array().expect("epochs");
    let splits: Vec<&str> = epochs.iter().filter_map(|epoch| epoch["split"].as_str()).collect();
    assert_eq!(splits, ["train", "valid", "train", "valid"]);
    let steps = &epochs[0]["steps"];
    assert_eq!(steps["count"], 10);
    assert_eq!(steps["items"]["count"], 10.0 * 4.0 * 16.0);
    // Three times the forward pass of four windows: 2 layers, width 16, as many tokens as characters.
    let vocabulary = facts["parameters"].as_str().and_then(|text| text.parse::<u64>().ok());
    let flops = facts["training FLOPs a step"].as_str().and_then(|text| text.parse::<u64>().ok());
    assert!(flops > vocabulary, "{flops:?} {vocabulary:?}");
    let counted = |name: &str| record["results"][name].as_f64().expect(name);
    let step = flops.expect("a number") as f64;
    assert!((counted("training_flops_first_epoch") - 10.0 * step).abs() < 0.5, "{step}");
    assert!((counted("training_flops") - 20.0 * step).abs() < 0.5, "{step}");
    let result = |name: &str| record["results"][name].as_f64().expect(name);
    assert!(result("perplexity") < result("perplexity_first"));
    // The curve has every epoch's held-out loss, to the bit.
    let ends = [("valid_loss_epoch_1", "valid_loss_first"), ("valid_loss_epoch_2", "valid_loss")];
    for (point, end) in ends {
        assert_eq!(record["results"][point], record["results"][end], "{point}");
    }
    assert!(record["results"].get("valid_loss_epoch_3").is_none());
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
fn it_trains_on_a_text_by_characters_and_by_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    let lines = "The cat sat on the mat.\nNobody's dog barked, did it?\n".repeat(40);
    let text = file(directory.path(), "text.txt", lines.as_bytes());
    for tokens in ["characters", "bytes"] {
        let record = record(&["--text", &text, "--tokens", tokens, "--epochs", "1"]);
        assert_eq!(record["facts"]["corpus"], text.as_str());
    }
}

#[test]
fn wrong_input_is_one_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let short = file(directory.path(), "short.txt", b"Too short.\n");
    refused(&["--text", "no-such-file.txt"], "cannot read no-such-file.txt");
    refused(&["--text", &short], "need at least 65");
    refused(&["--size", "big"], "it has smoke, tiny, small, base, medium, large, xl");
    refused(&["--backend", "abacus"], "abacus");
}
