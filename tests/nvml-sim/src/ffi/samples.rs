//! The power samples that the driver keeps.

use std::ffi::{c_uint, c_ulonglong};
use std::time::{SystemTime, UNIX_EPOCH};

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_ERROR_NOT_FOUND as NOT_FOUND,
    nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED as NOT_SUPPORTED, nvmlReturn_t, nvmlSample_t,
    nvmlSamplingType_enum_NVML_TOTAL_POWER_SAMPLES as TOTAL_POWER, nvmlSamplingType_t, nvmlValue_t,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT as UNSIGNED_INT, nvmlValueType_t,
};

use super::handle::{Found, whole};
use super::{Answer, code, put};
use crate::monotonic_ns;

/// How far back they reach, nanoseconds: 2.4 s, as on an H200 with driver 580.
const KEPT: u64 = 2_400_000_000;

/// Those after `last_seen`, microseconds of the wall clock.
fn samples(board: &Found, last_seen: u64) -> Answer<Vec<nvmlSample_t>> {
    let sensor = board.samples.ok_or(NOT_SUPPORTED)?;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let wall = u64::try_from(wall).unwrap_or(u64::MAX);
    let now = monotonic_ns();
    let since = now.saturating_sub(sensor.phase_ns) / sensor.period_ns;
    let first = now.saturating_sub(KEPT.saturating_add(sensor.phase_ns)) / sensor.period_ns + 1;
    let sample = |number: u64| {
        let at = number * sensor.period_ns + sensor.phase_ns;
        nvmlSample_t {
            timeStamp: wall.saturating_sub(now.saturating_sub(at)) / 1000,
            sampleValue: nvmlValue_t { uiVal: board.milliwatts(sensor, at) },
        }
    };
    let samples = (first..=since).map(sample).filter(|sample| sample.timeStamp > last_seen);
    let samples: Vec<_> = samples.collect();
    if samples.is_empty() { Err(NOT_FOUND) } else { Ok(samples) }
}

/// See the NVML API reference. There is power alone.
///
/// # Safety
/// `kind` and `count` must be null or valid, `places` null or valid for as many as `count` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetSamples(
    device: nvmlDevice_t,
    wanted: nvmlSamplingType_t,
    last_seen: c_ulonglong,
    kind: *mut nvmlValueType_t,
    count: *mut c_uint,
    places: *mut nvmlSample_t,
) -> nvmlReturn_t {
    if count.is_null() {
        return INVALID_ARGUMENT;
    }
    let all = whole(device).and_then(|board| match wanted {
        TOTAL_POWER => samples(&board, last_seen),
        _ => Err(NOT_SUPPORTED),
    });
    code(all.and_then(|mut samples| {
        if !places.is_null() {
            // SAFETY: not null, and valid by the caller's word.
            samples.truncate(unsafe { count.read() } as usize);
            // SAFETY: there is room for as many by the caller's word.
            unsafe { std::ptr::copy_nonoverlapping(samples.as_ptr(), places, samples.len()) };
        }
        // SAFETY: as the caller promises.
        unsafe {
            put(UNSIGNED_INT, kind)?;
            put(c_uint::try_from(samples.len()).unwrap_or(c_uint::MAX), count)
        }
    }))
}
