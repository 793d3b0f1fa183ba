//! Records and reports made by hand.

use std::path::PathBuf;

use ergometer::Record;
use ergometer::energy::{Energy, Method, Uncertainty, Usage};
use ergometer::record::Steps;
use ergometer::units::Joules;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::super::*;

fn energy(joules: f64, standard_uncertainty: f64) -> Energy {
    Energy {
        joules: Joules::new(joules),
        standard_uncertainty: Joules::new(standard_uncertainty),
        parts: Uncertainty { model: Joules::new(standard_uncertainty), ..Uncertainty::default() },
        method: Method::Modelled,
        coverage: 1.0,
    }
}

/// A part of a record, as a file would have it.
fn read<T: DeserializeOwned>(json: serde_json::Value) -> T {
    serde_json::from_value(json).unwrap()
}

pub(super) fn steps(count: u64, seconds: f64, joules: f64, tokens: f64) -> Steps {
    let mean = |sum: f64| {
        let mean = sum / count as f64;
        json!({ "mean": mean, "min": mean * 0.5, "max": mean * 2.0, "p50": mean, "p95": mean * 1.5 })
    };
    read(json!({
        "count": count,
        "seconds": seconds,
        "by_domain": [joules],
        "joules": mean(joules),
        "duration_s": mean(seconds),
        "items": {
            "count": tokens,
            "unit": "tokens",
            "joules_per_item": joules / tokens,
            "per_second": tokens / seconds,
        },
    }))
}

fn usage(seconds: f64, joules: f64) -> Usage {
    let energy = energy(joules, joules * 0.15);
    Usage { seconds, energy: Some(energy), by_domain: vec![Some(energy)] }
}

/// 100 s at 40 W on a CPU without a sensor, as RAPL is not there: one epoch of training and one of validation.
pub fn record(seed: u64, joules: f64) -> Record {
    let epoch = |split: &str, seconds, joules, steps: &Steps| {
        json!({
            "split": split,
            "index": 1,
            "start_s": 0.0,
            "usage": usage(seconds, joules),
            "between_steps": [Joules::new(joules) - steps.by_domain[0]],
            "steps": steps,
        })
    };
    let total = usage(100.0, joules);
    let train = steps(100, 70.0, joules * 0.7, 7000.0);
    let valid = steps(10, 9.0, joules * 0.05, 1000.0);
    read(json!({
        "schema": Record::SCHEMA,
        "run": {
            "id": format!("run-{seed}"),
            "label": "transformer-tiny",
            "started": "2026-01-01T00:00:00Z",
            "seconds": 100.0,
            "command": ["transformer"],
            "ergometer": "0.1.0",
            "git_commit": "0123abc",
        },
        "machine": { "cpu": "A CPU with 2 threads @ 3.00 GHz Turbo", "accelerators": [] },
        "sources": [
            {
                "source": "rapl",
                "availability": {
                    "state": "unavailable",
                    "reason": "no powercap tree in /sys",
                    "remedy": "run on bare metal",
                },
                "domains": [],
                "remarks": [],
            },
            {
                "source": "cpu-model",
                "availability": { "state": "available" },
                "domains": ["cpu-model:package-0"],
                "remarks": [],
            },
        ],
        "domains": [{
            "id": "cpu-model:package-0",
            "kind": "cpu-package",
            "label": "A CPU",
            "source": "cpu-model",
            "method": "modelled",
            "sensor": { "relative_error": 0.15, "absolute_error": 0.0 },
            "energy": total.energy,
            "mean_power": joules / 100.0,
            "readings": 2000,
            "failed_readings": 0,
            "warnings": [],
        }],
        "epochs": [
            epoch("train", 80.0, joules * 0.8, &train),
            epoch("valid", 10.0, joules * 0.1, &valid),
        ],
        "outside_epochs": [joules * 0.1],
        "steps": { "train": train, "valid": valid },
        "spans": [],
        "footprint": Site::current().with_price("0.12").unwrap().footprint(total.energy.as_ref(), 100.0, 0),
        "total": total,
        "results": {
            "exact_match": 0.91,
            "exact_match_first": 0.02,
            "train_loss_first": 6.91,
            "train_loss": 0.45,
        },
        "facts": {
            "model": "transformer",
            "seed": seed.to_string(),
            "backend": "flex",
            "accelerators": "0",
            "quality": "exact_match",
        },
        "warnings": [],
    }))
}

pub fn report(runs: Vec<(Model, Record)>) -> Report {
    report_on(None, &[Backend::Flex], runs.into_iter().map(on_flex).collect())
}

pub(super) fn on_flex((model, record): (Model, Record)) -> (Subject, Record) {
    (Subject { model, size: Size::Tiny, backend: Backend::Flex }, record)
}

/// A report on these backends, or on boards simulated with `--simulate`.
pub(super) fn report_on(
    simulate: Option<&str>,
    backends: &[Backend],
    runs: Vec<(Subject, Record)>,
) -> Report {
    let settings = Settings {
        command: vec!["xtask".to_owned()],
        size: Size::Tiny,
        backends: backends.to_vec(),
        device: 0,
        seed: 1,
        repeats: 1,
        epochs: None,
        profile: Profile::Release,
        preset: Preset::Current,
        simulate: simulate.map(str::to_owned),
        idle_seconds: 0.0,
    };
    let measured = runs
        .into_iter()
        .enumerate()
        .map(|(number, (subject, record))| Measured {
            subject,
            record,
            record_path: PathBuf::from(format!("out/{number}.json")),
            log_path: PathBuf::from(format!("out/{number}.log")),
        })
        .collect();
    let setting = Setting {
        settings,
        software: Software::default(),
        conditions: Vec::new(),
        peaks: Vec::new(),
    };
    let order = [Model::Transformer, Model::Elmo, Model::Bert, Model::Gpt2, Model::Search];
    Report::new(setting, &order, measured, Vec::new()).unwrap()
}

/// One of each.
pub(super) fn two_models() -> Report {
    report(vec![(Model::Transformer, record(1, 4000.0)), (Model::Elmo, record(1, 6000.0))])
}
