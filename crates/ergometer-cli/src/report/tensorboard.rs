//! `--format tensorboard`: an event file with energy, power and joules an item.
//!
//! Each event is the length, the masked CRC-32C of that, a protocol buffer, and its masked CRC-32C. Of the
//! message only a time, a step, and scalars are used. Power has the interval's number as its step, what belongs
//! to an epoch the steps of training that were done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ergometer::Record;

use crate::outcome::Stop;

/// Fields of `tensorflow.Event` and `tensorflow.Summary`: number and wire type.
const WALL_TIME: u8 = 1 << 3 | 1;
const STEP: u8 = 2 << 3;
const FILE_VERSION: u8 = 3 << 3 | 2;
const SUMMARY: u8 = 5 << 3 | 2;
const VALUE: u8 = 1 << 3 | 2;
const TAG: u8 = 1 << 3 | 2;
const SIMPLE_VALUE: u8 = 2 << 3 | 5;

/// The events of a record.
pub fn events(record: &Record) -> Result<Vec<u8>, Stop> {
    let started: jiff::Timestamp = record.run.started.parse().map_err(|error| {
        Stop::new(format!("'{}' has no valid start: {error}", record.run.label))
    })?;
    let started = started.as_nanosecond() as f64 * 1e-9;
    let mut file = Vec::new();
    let mut version = header(started, 0);
    put_bytes(&mut version, FILE_VERSION, b"brain.Event:2");
    append(&mut file, &version);
    let mut scalars = |t: f64, step: u64, values: &[(String, Option<f64>)]| {
        let values = values.iter().filter_map(|(tag, value)| Some((tag, (*value)?)));
        let mut summary = Vec::new();
        for (tag, value) in values.filter(|(_, value)| value.is_finite()) {
            put_bytes(&mut summary, VALUE, &scalar(tag, value));
        }
        if !summary.is_empty() {
            let mut event = header(started + t, step);
            put_bytes(&mut event, SUMMARY, &summary);
            append(&mut file, &event);
        }
    };
    if let Some(power) = &record.power {
        for (index, ((_, end), step)) in power.intervals().zip(0..).enumerate() {
            let value = |(row, domain): (&Vec<_>, &ergometer::record::DomainRecord)| {
                let watts: Option<ergometer::units::Watts> = row.get(index).copied().flatten();
                (format!("power_w/{}", domain.domain.id), watts.map(ergometer::units::Watts::get))
            };
            let values: Vec<_> = power.watts.iter().zip(&record.domains).map(value).collect();
            scalars(end, step, &values);
        }
    }
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    let mut epochs: Vec<_> = record.epochs.iter().collect();
    epochs.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    for epoch in epochs {
        let split = epoch.split.as_str();
        let count = done.entry(split).or_default();
        *count += epoch.steps.as_ref().map_or(1, |steps| steps.count);
        let usage = &epoch.usage;
        let joules = usage.energy.map(|energy| energy.joules.get());
        let steps = epoch.steps.as_ref().filter(|_| joules.is_some());
        let items = steps.and_then(|steps| steps.items.as_ref());
        let power = joules.filter(|_| usage.seconds > 0.0).map(|joules| joules / usage.seconds);
        let values = [
            (format!("{split}/energy_j"), joules),
            (format!("{split}/power_w"), power),
            (format!("{split}/joules_per_step"), steps.map(|steps| steps.joules.mean)),
            (format!("{split}/joules_per_item"), items.map(|items| items.joules_per_item.get())),
        ];
        scalars(epoch.start_s + usage.seconds, *count, &values);
    }
    let total = record.total.energy.map(|energy| energy.joules.get());
    let grams = record.footprint.co2e.map(|gases| gases.value.get());
    let steps = done.values().copied().max().unwrap_or(0);
    let mut values = vec![("run/energy_j".to_owned(), total), ("run/co2e_g".to_owned(), grams)];
    values.extend(
        record.results.iter().map(|(name, value)| (format!("result/{name}"), Some(*value))),
    );
    scalars(record.run.seconds, steps, &values);
    Ok(file)
}

/// The path of an event file: `TensorBoard` looks for files of a certain name in a folder.
pub fn path(output: &Path, record: &Record) -> PathBuf {
    let named = output.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents"));
    if named {
        return output.to_owned();
    }
    let seconds =
        record.run.started.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second);
    let host = record.machine.host.as_deref().unwrap_or("localhost");
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let host: String = host.chars().map(plain).collect();
    output.join(format!("events.out.tfevents.{seconds}.{host}"))
}

fn header(wall_time: f64, step: u64) -> Vec<u8> {
    let mut event = vec![WALL_TIME];
    event.extend(wall_time.to_le_bytes());
    event.push(STEP);
    put_varint(&mut event, step);
    event
}

fn scalar(tag: &str, value: f64) -> Vec<u8> {
    let mut message = Vec::new();
    put_bytes(&mut message, TAG, tag.as_bytes());
    message.push(SIMPLE_VALUE);
    #[expect(clippy::cast_possible_truncation, reason = "the format has no more")]
    message.extend((value as f32).to_le_bytes());
    message
}

fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field);
    put_varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push((value & 0x7f) as u8);
}

/// Appends an event to the file.
fn append(file: &mut Vec<u8>, event: &[u8]) {
    let length = (event.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(crc32c::crc32c(&length)).to_le_bytes());
    file.extend(event);
    file.extend(masked(crc32c::crc32c(event)).to_le_bytes());
}

const fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_format() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(0xe306_9283), 0xc78a_b0e5);
        assert_eq!(masked(crc32c::crc32c(&24_u64.to_le_bytes())), 0x224b_7fa3);
    }

    #[test]
    fn long_numbers_take_several_bytes() {
        let mut message = Vec::new();
        put_varint(&mut message, 300);
        assert_eq!(message, [0xac, 0x02]);
    }
}
