//! `report --format tensorboard`, read back by `tensorboard` where Python has it.

use std::fs;

use serde_json::Value;

use crate::made::{file, made, total};
use crate::program::{argument, ends_with, prints, text};
use crate::python::python;

#[test]
fn an_event_file_has_its_checksums_and_is_read_by_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let record = made("events");
    let path = file(folder.path(), "run.json", &record);
    let log = folder.path().join("log");
    prints(&["report", argument(&path), "--format", "tensorboard", "--output", argument(&log)]);
    let events = fs::read_dir(&log).unwrap().next().unwrap().unwrap().path();
    assert!(argument(&events).contains("events.out.tfevents."), "{events:?}");
    let bytes = fs::read(&events).unwrap();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let length = usize::try_from(length).unwrap();
        let event = &bytes[at + 12..at + 12 + length];
        let sum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let masked =
            |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(sum(at + 8), masked(&bytes[at..at + 8]));
        assert_eq!(sum(at + 12 + length), masked(event));
        at += 16 + length;
        count += 1;
    }
    assert!(count > 6, "{count} events");
    let error = ends_with(2, &["report", argument(&path), "--format", "tensorboard"]);
    assert!(text(&error.stderr).contains("--output"), "{}", text(&error.stderr));
    let program = "import sys, json\n\
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
        log = EventAccumulator(sys.argv[1]); log.Reload()\n\
        print(json.dumps({tag: [[e.step, e.value] for e in log.Scalars(tag)] for tag in log.Tags()['scalars']}))";
    let Some(read) = python("tensorboard", program, &[argument(&log)]) else { return };
    let read: Value = serde_json::from_str(&read).unwrap();
    let joules = read["run/energy_j"][0][1].as_f64().unwrap();
    assert!((joules / total(&record) - 1.0).abs() < 1e-6, "{joules} J");
    let train = read["train/joules_per_item"].as_array().unwrap();
    assert_eq!(
        train.iter().map(|event| event[0].as_u64().unwrap()).collect::<Vec<_>>(),
        [4, 8, 12]
    );
    let power = read[format!("power_w/{}", record.domains[0].domain.id)].as_array().unwrap();
    assert_eq!(power.len(), record.power.unwrap().ends_s.len());
}
