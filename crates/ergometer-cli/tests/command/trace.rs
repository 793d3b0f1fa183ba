//! `report --format perfetto`.

use std::collections::BTreeMap;

use crate::made::{file, made};
use crate::program::{argument, json};

#[test]
fn a_trace_has_what_its_viewers_require_and_counters_with_the_energy() {
    let folder = tempfile::tempdir().unwrap();
    let record = made("trace");
    let path = file(folder.path(), "run.json", &record);
    let trace = json(&["report", argument(&path), "--format", "perfetto"]);
    let events = trace["traceEvents"].as_array().unwrap();
    let (mut slices, mut counters) =
        (BTreeMap::<u64, Vec<(f64, f64)>>::new(), BTreeMap::<&str, Vec<(f64, f64)>>::new());
    for event in events {
        assert!(
            event["pid"].is_u64() && event["tid"].is_u64() && event["name"].is_string(),
            "{event}"
        );
        let at = || event["ts"].as_f64().unwrap();
        match event["ph"].as_str().unwrap() {
            "M" => assert!(event["args"].is_object()),
            "X" => {
                let length = event["dur"].as_f64().unwrap();
                assert!(at() >= 0.0 && length >= 0.0, "{event}");
                slices
                    .entry(event["tid"].as_u64().unwrap())
                    .or_default()
                    .push((at(), at() + length));
            }
            "C" => {
                let watts = event["args"]["W"].as_f64().unwrap();
                counters.entry(event["name"].as_str().unwrap()).or_default().push((at(), watts));
            }
            other => panic!("{other}"),
        }
    }
    // Slices of a thread are inside each other or apart.
    for slices in slices.values() {
        for (a, b) in slices.iter().flat_map(|a| slices.iter().map(move |b| (a, b))) {
            let apart = a.1 <= b.0 + 1e-3 || b.1 <= a.0 + 1e-3;
            let inside = (a.0 <= b.0 && b.1 <= a.1) || (b.0 <= a.0 && a.1 <= b.1);
            assert!(apart || inside, "{a:?} {b:?}");
        }
    }
    assert_eq!(slices[&1].len(), 6, "a slice for each epoch");
    assert_eq!(counters.len(), 3);
    for row in &record.domains {
        let points = &counters[format!("{} power (W)", row.domain.id).as_str()];
        let joules: f64 =
            points.windows(2).map(|pair| pair[0].1 * (pair[1].0 - pair[0].0) * 1e-6).sum();
        let energy = row.energy.unwrap().joules.get();
        assert!((joules / energy - 1.0).abs() < 1e-4, "{joules} J of {energy} J");
    }
}
