//! The program from outside: what it writes, and how it refuses wrong input.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Runs the program in `directory` with `arguments`.
fn transformer(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_transformer"))
        .current_dir(directory)
        .args(arguments)
        .output()
        .expect("the program starts")
}

/// Runs a training of size `smoke` with `arguments` and gives its record.
fn record(arguments: &[&str], directory: &Path) -> Value {
    let all = [&["--size", "smoke", "--quiet", "--record", "record.json"], arguments].concat();
    let output = transformer(directory, &all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&fs::read(directory.join("record.json")).unwrap()).unwrap()
}

#[test]
fn help_names_what_can_be_chosen() {
    let here = TempDir::new().unwrap();
    let output = transformer(here.path(), &["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for option in
        ["--size", "--backend", "--device", "--seed", "--parallel", "--source", "--region"]
    {
        assert!(help.contains(option), "{option} is not in\n{help}");
    }
}

#[test]
fn a_run_leaves_a_record_of_its_epochs_steps_and_quality() {
    let here = TempDir::new().unwrap();
    let record = record(&["--seed", "3", "--region", "DE"], here.path());
    for (fact, value) in
        [("model", "transformer"), ("size", "smoke"), ("seed", "3"), ("quality", "exact_match")]
    {
        assert_eq!(record["facts"][fact], value);
    }
    for result in ["exact_match", "exact_match_first", "valid_loss_first"] {
        assert!(record["results"][result].is_number(), "no {result} in {}", record["results"]);
    }
    let loss = |name: &str| record["results"][name].as_f64().unwrap();
    assert!(loss("train_loss") < loss("train_loss_first"));
    assert!(loss("valid_loss") < loss("valid_loss_first"));

    assert!(loss("training_flops") > loss("training_flops_first_epoch"));

    let epochs = record["epochs"].as_array().unwrap();
    let splits: Vec<_> = epochs.iter().map(|epoch| epoch["split"].as_str().unwrap()).collect();
    assert_eq!(splits, ["train", "valid", "train", "valid"]);
    assert_eq!(epochs[0]["steps"]["count"], 4);
    assert_eq!(epochs[0]["steps"]["items"]["unit"], "tokens");
    assert!(epochs[0]["steps"]["items"]["count"].as_f64().unwrap() > 100.0);
}

#[test]
fn a_seed_repeats_a_training() {
    let facts = |arguments: &[&str]| {
        let here = TempDir::new().unwrap();
        record(&[arguments, &["--epochs", "1"]].concat(), here.path())["facts"].clone()
    };
    let of = |facts: &Value, what: &str| facts[&format!("{what} fingerprint")].clone();
    let (first, again, other) =
        (facts(&["--seed", "7"]), facts(&["--seed", "7"]), facts(&["--seed", "8"]));
    for what in ["losses", "data", "configuration"] {
        assert!(of(&first, what).is_string());
        assert_eq!(of(&first, what), of(&again, what), "{what}, to the bit");
        assert_ne!(of(&first, what), of(&other, what), "{what}");
    }
    // A hyperparameter changes the losses and not the data.
    let tuned = facts(&["--seed", "7", "--rate", "0.7"]);
    assert_eq!(of(&first, "data"), of(&tuned, "data"));
    assert_ne!(of(&first, "losses"), of(&tuned, "losses"));
    assert_ne!(of(&first, "configuration"), of(&tuned, "configuration"));
}

#[test]
fn a_parallel_corpus_is_learned_plain_or_packed() {
    let here = TempDir::new().unwrap();
    let (source, target): (String, String) = (0..100)
        .map(|number| (format!("the number {number} is\n"), format!("die Zahl {number} ist\n")))
        .unzip();
    fs::write(here.path().join("corpus.en"), source).unwrap();
    let packed = fs::File::create(here.path().join("corpus.de.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packed.write_all(target.as_bytes()).unwrap();
    packed.finish().unwrap();

    let record = record(&["--parallel", "corpus", "--source", "en", "--target", "de"], here.path());
    assert_eq!(record["facts"]["quality"], "perplexity");
    assert_eq!(record["facts"]["corpus"], "corpus.en and corpus.de.gz");
    let results = &record["results"];
    let (first, last) = (&results["perplexity_first"], &results["perplexity"]);
    assert!(last.as_f64().unwrap() < first.as_f64().unwrap());
    let perplexity = results["valid_loss"].as_f64().unwrap().exp();
    assert!((perplexity - last.as_f64().unwrap()).abs() < 1e-9 * perplexity);
}

#[test]
fn wrong_input_is_one_line_and_exit_code_2() {
    let here = TempDir::new().unwrap();
    for (name, bytes) in [
        ("two.en", &b"one\ntwo\n"[..]),
        ("two.de", b"eins\nzwei\n"),
        ("two.fr", b"un\n"),
        ("two.es", b""),
        ("two.pl", b"jeden\ndw\xf3ch\n"),
    ] {
        fs::write(here.path().join(name), bytes).unwrap();
    }
    let parallel = |target| vec!["--parallel", "two", "--source", "en", "--target", target];
    for (arguments, reason) in [
        (parallel("it"), "cannot read two.it"),
        (parallel("fr"), "two.en has 2 lines and two.fr has 1"),
        (parallel("es"), "two.es is empty"),
        (parallel("pl"), "two.pl is not UTF-8: line 2"),
        (vec!["--device", "7"], "backend flex has no device 7"),
        (vec!["--backend", "abacus"], "backend 'abacus' is not in this program"),
        (vec!["--region", "Germny"], "Germny"),
        (vec!["--pue", "0.5"], "0.5"),
    ] {
        let output = transformer(here.path(), &[&["--size", "smoke"], &arguments[..]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("error: ") && said.contains(reason), "{said}");
    }
}

#[test]
fn the_probe_names_every_source() {
    let here = TempDir::new().unwrap();
    let output = transformer(here.path(), &["--probe"]);
    assert!(output.status.success());
    let sources: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> =
        sources.as_array().unwrap().iter().map(|source| source["source"].as_str()).collect();
    for name in ["nvml", "rapl"] {
        assert!(names.contains(&Some(name)), "{names:?}");
    }
}
