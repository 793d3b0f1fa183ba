//! The values of settings, from their text.

use std::str::FromStr;
use std::sync::Arc;

use super::{BadSetting, ErrorKind, Errors, InitFailure, MS, Process, Sensor, bad};
use crate::curve::{Curve, Levels};

type Parsed<T> = Result<T, BadSetting>;

pub(super) fn number<T: FromStr>(text: &str) -> Parsed<T> {
    text.parse().map_err(|_| bad(text, "is not a number of that kind"))
}

/// A number that power, or a factor of it, can be: finite, and within what sums stay exact in.
pub(super) fn finite(text: &str) -> Parsed<f64> {
    const MOST: f64 = 1e12;
    match number::<f64>(text)? {
        number if number.abs() <= MOST => Ok(number),
        _ => Err(bad(text, "is no power and no factor")),
    }
}

/// More than any machine has: a slip would take all memory.
pub(super) fn boards(text: &str) -> Parsed<usize> {
    match number(text)? {
        boards @ 0..=1024 => Ok(boards),
        _ => Err(bad(text, "is more than 1024 boards")),
    }
}

pub(super) fn flag(text: &str) -> Parsed<bool> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(bad(text, "is neither yes nor no")),
    }
}

pub(super) fn duration(text: &str) -> Parsed<u64> {
    const UNITS: [(&str, u64); 4] = [("ns", 1), ("us", 1000), ("ms", MS), ("s", 1000 * MS)];
    UNITS
        .iter()
        .find_map(|(unit, nanos)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*nanos))
        .ok_or_else(|| bad(text, "is not a whole number of ns, us, ms or s"))
}

pub(super) fn period(text: &str) -> Parsed<u64> {
    match duration(text)? {
        0 => Err(bad(text, "is no period")),
        period => Ok(period),
    }
}

/// A time of `CLOCK_MONOTONIC`, or one after `nvmlInit` if it begins with a plus.
pub(super) fn moment(text: &str, init_ns: u64) -> Parsed<u64> {
    match text.strip_prefix('+') {
        Some(after) => Ok(init_ns.saturating_add(duration(after)?)),
        None => duration(text),
    }
}

pub(super) fn window(text: &str, init_ns: u64) -> Parsed<(u64, u64)> {
    let (from, to) = text.split_once("..").ok_or_else(|| bad(text, "is not from..to"))?;
    Ok((moment(from, init_ns)?, moment(to, init_ns)?))
}

pub(super) fn optional<T>(text: &str, parse: impl Fn(&str) -> Parsed<T>) -> Parsed<Option<T>> {
    if text == "none" { Ok(None) } else { parse(text).map(Some) }
}

/// A value with an optional `@phase` behind it.
pub(super) fn phased<T>(text: &str, parse: impl Fn(&str) -> Parsed<T>) -> Parsed<(T, u64)> {
    match text.split_once('@') {
        Some((value, phase)) => Ok((parse(value)?, duration(phase)?)),
        None => Ok((parse(text)?, 0)),
    }
}

pub(super) fn sensor(text: &str) -> Parsed<Sensor> {
    let ((period_ns, window_ns), phase_ns) = phased(text, |text| {
        let (every, window) =
            text.split_once('/').ok_or_else(|| bad(text, "is not period/window"))?;
        Ok((period(every)?, period(window)?))
    })?;
    Ok(Sensor { period_ns, window_ns, phase_ns })
}

pub(super) fn curve(text: &str) -> Parsed<Curve> {
    if let Some(path) = text.strip_prefix("trace:") {
        let trace = std::fs::read_to_string(path).map_err(|error| bad(path, &error.to_string()))?;
        let levels = Levels::trace(&trace).map_err(|error| bad(path, &error))?;
        return Ok(Curve::Levels(Arc::new(levels)));
    }
    match *text.split(':').collect::<Vec<_>>() {
        ["constant", watts] => Ok(Curve::Constant(finite(watts)?)),
        ["square", low, high, every] => square(low, high, every, "0.5"),
        ["square", low, high, every, duty] => square(low, high, every, duty),
        ["sine", low, high, every] => {
            Ok(Curve::Sine { low: finite(low)?, high: finite(high)?, period_ns: period(every)? })
        }
        ["ramp", low, high, every] => {
            Ok(Curve::Ramp { low: finite(low)?, high: finite(high)?, period_ns: period(every)? })
        }
        ["noise", mean, sigma, cell, seed] => {
            Levels::noise(finite(mean)?, finite(sigma)?, period(cell)?, number(seed)?)
                .map(|levels| Curve::Levels(Arc::new(levels)))
                .ok_or_else(|| bad(cell, "is too long a cell"))
        }
        _ => Err(bad(text, "is no curve")),
    }
}

fn square(low: &str, high: &str, every: &str, duty: &str) -> Parsed<Curve> {
    let share: f64 = number(duty)?;
    if !(0.0..=1.0).contains(&share) {
        return Err(bad(duty, "is no share of a period"));
    }
    Ok(Curve::Square {
        low: finite(low)?,
        high: finite(high)?,
        period_ns: period(every)?,
        duty: share,
    })
}

/// `every:N`.
pub(super) fn every(text: &str) -> Parsed<u64> {
    let count = text.strip_prefix("every:").ok_or_else(|| bad(text, "is not every:N"))?;
    match number(count)? {
        0 => Err(bad(text, "is never")),
        count => Ok(count),
    }
}

/// `every:N:kind`.
pub(super) fn errors(text: &str) -> Parsed<Errors> {
    let (each, kind) = text.rsplit_once(':').ok_or_else(|| bad(text, "is not every:N:kind"))?;
    let kind = match kind {
        "timeout" => ErrorKind::Timeout,
        "unknown" => ErrorKind::Unknown,
        "no-permission" => ErrorKind::NoPermission,
        _ => return Err(bad(kind, "is no way to fail")),
    };
    Ok(Errors { every: every(each)?, kind })
}

/// `PID:SM,PID:SM`, or `none`: no process.
pub(super) fn processes(text: &str) -> Parsed<Vec<Process>> {
    let process = |text: &str| {
        let (pid, sm) = text.split_once(':').ok_or_else(|| bad(text, "is not pid:percent"))?;
        Ok(Process { pid: number(pid.trim())?, sm: number(sm.trim())? })
    };
    let list = |text: &str| text.split(',').map(process).collect();
    Ok(optional(text, list)?.unwrap_or_default())
}

/// A board has room for seven.
pub(super) fn mig_instances(text: &str) -> Parsed<u32> {
    match number(text)? {
        instances @ 0..=7 => Ok(instances),
        _ => Err(bad(text, "is more than 7 instances")),
    }
}

/// `8.6`.
pub(super) fn version(text: &str) -> Parsed<(i32, i32)> {
    let (major, minor) = text.split_once('.').ok_or_else(|| bad(text, "is not major.minor"))?;
    Ok((number(major)?, number(minor)?))
}

pub(super) fn init_failure(text: &str) -> Parsed<InitFailure> {
    match text {
        "driver-not-loaded" => Ok(InitFailure::DriverNotLoaded),
        "no-permission" => Ok(InitFailure::NoPermission),
        "version-mismatch" => Ok(InitFailure::VersionMismatch),
        _ => Err(bad(text, "is no reason for nvmlInit to fail")),
    }
}
