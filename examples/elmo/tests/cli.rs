//! The program as its users see it: help, a short run and its record, wrong input.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn elmo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_elmo")).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A short run with these arguments, and its record.
fn record(arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("record.json");
    let path = path.to_str().expect("a plain path");
    let run = elmo(&[&["--size", "smoke", "--quiet", "--record", path], arguments].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON")
}

/// The names of all spans below `node`.
fn names(node: &Value, into: &mut Vec<String>) {
    for child in node.as_array().into_iter().flatten() {
        into.push(child["name"].as_str().unwrap_or_default().to_owned());
        names(&child["children"], into);
    }
}

/// Wrong input ends before training: exit code 2, and one line that says `what`.
fn refused(arguments: &[&str], what: &str) {
    let run = elmo(arguments);
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
fn help_names_every_flag() {
    let help = text(&elmo(&["--help"]).stdout);
    for flag in ["--text", "--size", "--backend", "--device", "--seed", "--epochs", "--record"] {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
}

#[test]
fn a_smoke_run_records_epochs_phases_and_perplexity() {
    let record = record(&["--epochs", "2"]);
    let facts = &record["facts"];
    for (fact, value) in [
        ("model", "elmo"),
        ("size", "smoke"),
        ("corpus", "generated-english"),
        ("quality", "perplexity"),
        ("backend", "flex"),
    ] {
        assert_eq!(facts[fact], value, "{fact}");
    }

    let epochs = record["epochs"].as_array().expect("epochs");
    let splits: Vec<&str> = epochs.iter().filter_map(|epoch| epoch["split"].as_str()).collect();
    assert_eq!(splits, ["train", "valid", "train", "valid"]);
    let steps = &epochs[0]["steps"];
    assert_eq!(steps["count"], 4);
    assert_eq!(steps["items"]["unit"], "tokens");
    assert_eq!(steps["items"]["count"], 4.0 * 2.0 * 5.0);
    let counted = |name: &str| record["results"][name].as_f64().expect(name);
    let first = counted("training_flops_first_epoch");
    assert!(first > 0.0 && (counted("training_flops") - 2.0 * first).abs() < 0.5, "{first}");

    let mut spans = Vec::new();
    names(&record["spans"], &mut spans);
    for phase in ["baseline", "forward", "backward", "optimizer"] {
        assert!(spans.iter().any(|span| span == phase), "{phase} is not in {spans:?}");
    }

    let result = |name: &str| record["results"][name].as_f64().expect(name);
    assert!(result("perplexity") < result("perplexity_first"));
    assert!((result("valid_loss").exp() / result("perplexity") - 1.0).abs() < 1e-9);
    assert!(result("train_loss") > 0.0);
}

#[test]
fn the_seed_decides_the_result() {
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
fn it_trains_on_plain_and_packed_text() {
    let directory = tempfile::tempdir().expect("a directory");
    let lines = "The cat sat on the mat.\nNobody's dog barked, did it?\n".repeat(40);
    let plain = file(directory.path(), "plain.txt", lines.as_bytes());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(lines.as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    let packed = file(directory.path(), "packed.gz", &packed);
    let record = record(&["--text", &plain, &packed]);
    assert_eq!(record["facts"]["corpus"], format!("{plain} {packed}"));
}

#[test]
fn wrong_input_is_one_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = file(directory.path(), "empty.txt", b"");
    let latin = file(directory.path(), "latin.txt", b"caf\xe9 au lait\n");
    let short = file(directory.path(), "short.txt", b"Two words.\nToo few.\n");
    refused(&["--text", "no-such-file.txt"], "cannot read no-such-file.txt");
    refused(&["--text", &empty], "is empty");
    refused(&["--text", &latin], "is not UTF-8");
    refused(&["--text", &short, "--size", "tiny"], "need at least");
    refused(&["--backend", "abacus"], "abacus");
    refused(&["--device", "17"], "17");
    refused(&["--region", "Atlantis"], "Atlantis");
}
