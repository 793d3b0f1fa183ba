//! `--replay RECORD`: runs a record's training again and compares the losses bit for bit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::ValueEnum as _;
use ergometer::Record;

use super::args::BenchModels;
use super::child;
use super::choices::{Backend, Model, word};
use crate::stop::{Doing, Stop};

/// What has to agree for two runs to be the same, by the names of its facts.
const FACTS: [(&str, &str); 3] = [
    ("configuration", "configuration fingerprint"),
    ("data", "data fingerprint"),
    ("losses", "losses fingerprint"),
];

impl BenchModels {
    /// Runs again what `path` is the record of, with the present programs. Losses that differ are a failure.
    pub fn run_again(&self, path: &Path, nvml: Option<&Path>, out: &Path) -> Result<(), Stop> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Stop::wrong_input(format!("cannot read {}: {error}", path.display()))
        })?;
        let old = Record::from_json(&text)
            .map_err(|error| Stop::wrong_input(format!("{}: {error}", path.display())))?;
        let (model, arguments) = recipe(&old).map_err(Stop::wrong_input)?;
        let backend = old.facts.get("backend").and_then(|name| Backend::from_str(name, true).ok());
        let backends = [backend.unwrap_or_default()];
        let program = child::build(&[model], &backends, self.profile, None)?;
        let (_, program) = program.first().ok_or_else(|| Stop::failed("nothing was built"))?;
        let (record, log) = (out.join("replay.json"), out.join("replay.log"));
        if same_file(path, &record) {
            return Err(Stop::wrong_input(
                "--replay would overwrite its own record: give another --out",
            ));
        }
        let line = arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>();
        eprintln!("==> {} {}", word(model), line.join(" "));
        let new = match child::train(program, nvml, &arguments, &record, &log) {
            Ok(new) => new,
            Err(child::Failure::WrongInput) => return Err(Stop::relayed(2)),
            Err(child::Failure::Other(message)) => return Err(Stop::failed(message)),
        };
        let (lines, same) = agreement(&old.facts, &new.facts);
        print!("{lines}");
        if let (Some(old), Some(new)) = (old.total.energy, new.total.energy) {
            let change = (new.joules.get() / old.joules.get() - 1.0) * 100.0;
            println!("energy: {} then, {} now ({change:+.1} %)", old.joules, new.joules);
        }
        if same { Ok(()) } else { Err(Stop::failed("the losses are not the same")) }
    }
}

/// The model of a record, and the arguments of its program without the record's own path.
fn recipe(record: &Record) -> Result<(Model, Vec<OsString>), String> {
    let name = record.facts.get("model").ok_or("the record names no model")?;
    let model =
        Model::from_str(name, true).map_err(|_| format!("there is no model '{name}' here"))?;
    let mut words = record.run.command.iter().skip(1);
    if record.run.command.is_empty() {
        return Err("the record has no command line".to_owned());
    }
    let mut arguments = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--record" | "--journal") {
            words.next();
        } else if !word.starts_with("--record=") && !word.starts_with("--journal=") {
            arguments.push(word.into());
        }
    }
    Ok((model, arguments))
}

/// One line for each fact that has to agree, and whether the losses do.
fn agreement(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> (String, bool) {
    let mut lines = String::new();
    let mut same = false;
    for (what, fact) in FACTS {
        let line = match (old.get(fact), new.get(fact)) {
            (Some(old), Some(new)) if old == new => {
                same = what == "losses";
                format!("{what}: the same to the bit ({new})")
            }
            (Some(old), Some(new)) => format!("{what}: not the same ({old} then, {new} now)"),
            _ => format!("{what}: a record has no fingerprint of it"),
        };
        lines = lines + &line + "\n";
    }
    (lines, same)
}

fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().doing("find").ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_models::report::tests::records::record;

    #[test]
    fn the_arguments_are_the_records_but_for_its_own_path() {
        let mut old = record(1, 10.0);
        let line =
            "target/release/gpt2 --size smoke --record a.json --seed 7 --journal=j --rate 0.1";
        old.run.command = line.split(' ').map(str::to_owned).collect();
        old.facts.insert("model".to_owned(), "gpt2".to_owned());
        let (model, arguments) = recipe(&old).unwrap();
        assert_eq!(model, Model::Gpt2);
        assert_eq!(arguments, ["--size", "smoke", "--seed", "7", "--rate", "0.1"]);
        old.facts.insert("model".to_owned(), "perceptron".to_owned());
        assert_eq!(recipe(&old).unwrap_err(), "there is no model 'perceptron' here");
        old.run.command.clear();
        old.facts.insert("model".to_owned(), "gpt2".to_owned());
        assert_eq!(recipe(&old).unwrap_err(), "the record has no command line");
    }

    #[test]
    fn only_equal_losses_are_the_same_run() {
        let facts = |losses: &str| -> BTreeMap<String, String> {
            FACTS.map(|(_, fact)| (fact.to_owned(), losses.to_owned())).into()
        };
        assert!(agreement(&facts("a"), &facts("a")).1);
        let (lines, same) = agreement(&facts("a"), &facts("b"));
        assert!(!same && lines.contains("losses: not the same (a then, b now)"), "{lines}");
        let (lines, same) = agreement(&BTreeMap::new(), &facts("b"));
        assert!(!same && lines.contains("losses: a record has no fingerprint"), "{lines}");
        // The same data with other losses is a failure too.
        let mut other = facts("a");
        other.insert("losses fingerprint".to_owned(), "c".to_owned());
        assert!(!agreement(&facts("a"), &other).1);
    }
}
