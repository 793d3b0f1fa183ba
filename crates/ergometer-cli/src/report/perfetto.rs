//! `--format perfetto`: a trace for ui.perfetto.dev and `chrome://tracing`.
//!
//! The JSON form of trace events: epochs and the longest spans are complete events (`X`) on threads of the run's
//! process, and the power of each domain is a counter (`C`). A counter cannot be absent, so a domain's time
//! without observation is a slice of its own.

use ergometer::Record;
use ergometer::record::power::PowerHistory;
use serde_json::{Value, json};

use crate::outcome::{Stop, note};

/// The run's process in the trace; further records are the next ones.
const FIRST_PROCESS: usize = 1;
/// Thread of the epochs.
const EPOCHS: usize = 1;
/// First thread of the spans.
const SPANS: usize = 10;
/// First thread of what was not observed.
const UNOBSERVED: usize = 1000;

/// A slice: name, category, start, seconds, further figures.
struct Slice {
    name: String,
    kind: &'static str,
    start: f64,
    seconds: f64,
    figures: Value,
}

/// A trace of all records, each a process that begins at 0.
pub fn trace(records: &[Record]) -> Result<String, Stop> {
    let mut events = Vec::new();
    for (record, process) in records.iter().zip(FIRST_PROCESS..) {
        if record.power.is_none() {
            note(format!(
                "'{}' has no power over time (it is of an older version, or nothing was read): its trace has epochs alone",
                record.run.label
            ));
        }
        add(record, process, &mut events);
    }
    let trace = json!({ "displayTimeUnit": "ms", "traceEvents": events });
    serde_json::to_string(&trace)
        .map(|text| text + "\n")
        .map_err(|error| Stop::new(format!("the trace cannot be written: {error}")))
}

fn add(record: &Record, process: usize, events: &mut Vec<Value>) {
    let label = &record.run.label;
    events.push(json!({ "ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": { "name": label } }));
    let mut thread = |thread: usize, name: &str, slices: &mut dyn Iterator<Item = &Slice>| {
        events.push(json!({ "ph": "M", "name": "thread_name", "pid": process, "tid": thread, "args": { "name": name } }));
        events.push(json!({ "ph": "M", "name": "thread_sort_index", "pid": process, "tid": thread, "args": { "sort_index": thread } }));
        for slice in slices {
            events.push(json!({
                "ph": "X", "pid": process, "tid": thread, "name": slice.name, "cat": slice.kind,
                "ts": micros(slice.start), "dur": micros(slice.seconds), "args": slice.figures,
            }));
        }
    };
    let epochs = epochs(record);
    for (lane, slices) in lanes(&epochs).iter().enumerate() {
        let name = if lane == 0 { "epochs".to_owned() } else { format!("epochs {}", lane + 1) };
        thread(EPOCHS + lane.min(SPANS - EPOCHS - 1), &name, &mut slices.iter().copied());
    }
    let Some(power) = &record.power else { return };
    let spans = spans(power);
    for (lane, slices) in lanes(&spans).iter().enumerate() {
        let name = if lane == 0 { "spans".to_owned() } else { format!("spans {}", lane + 1) };
        thread(SPANS + lane, &name, &mut slices.iter().copied());
    }
    for (index, row) in record.domains.iter().enumerate() {
        let missing = unobserved(power, index);
        if !missing.is_empty() {
            let name = format!("{} not observed", row.domain.id);
            thread(UNOBSERVED + index, &name, &mut missing.iter());
        }
    }
    for (index, row) in record.domains.iter().enumerate() {
        counters(power, index, &format!("{} power (W)", row.domain.id), process, events);
    }
}

fn counters(
    power: &PowerHistory,
    index: usize,
    name: &str,
    process: usize,
    events: &mut Vec<Value>,
) {
    let mut counter = |t: f64, watts: f64| {
        events.push(json!({
            "ph": "C", "pid": process, "tid": 0, "name": name, "ts": micros(t), "args": { "W": watts },
        }));
    };
    let mut last = None;
    for ((start, end), watts) in power.intervals().zip(&power.watts[index]) {
        if let Some(watts) = watts {
            counter(start, watts.get());
            last = Some((end, watts.get()));
        }
    }
    // A counter keeps its value until the next: the last one ends with the run.
    if let Some((end, watts)) = last {
        counter(end, watts);
    }
}

fn epochs(record: &Record) -> Vec<Slice> {
    let slice = |epoch: &ergometer::record::Epoch| Slice {
        name: format!("{} {}", epoch.split, epoch.index),
        kind: "epoch",
        start: epoch.start_s,
        seconds: epoch.usage.seconds,
        figures: match epoch.usage.energy {
            Some(energy) => json!({
                "joules": energy.joules.get(),
                "standard_uncertainty_j": energy.standard_uncertainty.get(),
                "steps": epoch.steps.as_ref().map_or(0, |steps| steps.count),
            }),
            None => json!({}),
        },
    };
    record.epochs.iter().map(slice).collect()
}

fn spans(power: &PowerHistory) -> Vec<Slice> {
    let slice = |span: &ergometer::record::power::LongSpan| Slice {
        name: span.name.clone(),
        kind: span.kind.as_str(),
        start: span.start_s,
        seconds: span.seconds,
        figures: json!({}),
    };
    power.spans.iter().map(slice).collect()
}

/// The stretches in which the domain was not observed.
fn unobserved(power: &PowerHistory, index: usize) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    for ((start, end), watts) in power.intervals().zip(&power.watts[index]) {
        if watts.is_some() {
            continue;
        }
        match slices.last_mut().filter(|last| last.start + last.seconds >= start) {
            Some(last) => last.seconds = end - last.start,
            None => slices.push(Slice {
                name: "not observed".to_owned(),
                kind: "gap",
                start,
                seconds: end - start,
                figures: json!({}),
            }),
        }
    }
    slices
}

/// Slices in lanes, in each of which one is inside another or apart from it, as a trace requires of a thread.
fn lanes(slices: &[Slice]) -> Vec<Vec<&Slice>> {
    let mut sorted: Vec<&Slice> = slices.iter().collect();
    sorted.sort_by(|a, b| a.start.total_cmp(&b.start).then(b.seconds.total_cmp(&a.seconds)));
    let mut lanes: Vec<(Vec<f64>, Vec<&Slice>)> = Vec::new();
    for slice in sorted {
        let (start, end) = (slice.start, slice.start + slice.seconds);
        let fits = |open: &mut Vec<f64>| {
            while open.last().is_some_and(|last| *last <= start) {
                open.pop();
            }
            open.last().is_none_or(|last| end <= *last)
        };
        let lane = lanes.iter().position(|(open, _)| fits(&mut open.clone()));
        let lane = lane.unwrap_or_else(|| {
            lanes.push((Vec::new(), Vec::new()));
            lanes.len() - 1
        });
        let (open, inside) = &mut lanes[lane];
        fits(open);
        open.push(end);
        inside.push(slice);
    }
    lanes.into_iter().map(|(_, inside)| inside).collect()
}

/// Seconds as microseconds, to the nanosecond.
fn micros(seconds: f64) -> f64 {
    (seconds * 1e9).round() / 1e3
}
