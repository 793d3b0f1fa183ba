//! Power and energy.

use std::ffi::{c_int, c_longlong, c_uint, c_ulonglong};
use std::thread;
use std::time::Duration;

use nvml_wrapper_sys::bindings::{
    NVML_POWER_SCOPE_GPU, field_id, nvmlDevice_t, nvmlFieldValue_t,
    nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED as NOT_SUPPORTED,
    nvmlReturn_enum_NVML_SUCCESS as SUCCESS, nvmlReturn_t,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT as UNSIGNED_INT,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG as UNSIGNED_LONG_LONG,
};

use super::handle::{Found, found, whole};
use super::{Answer, give};
use crate::config::Sensor;
use crate::{Board, disturb, monotonic_ns, state, thread_ns};

/// What garbage powers are, in turn, milliwatts.
const GARBAGE_POWERS: [c_uint; 2] = [1_000_000_000, c_uint::MAX];

/// What a garbage counter shows, millijoules.
const GARBAGE_ENERGY: c_ulonglong = 1 << 60;

/// Spends this many nanoseconds in a call.
fn take_time(board: &Board, nanos: u64) {
    if !board.faults.spin {
        return thread::sleep(Duration::from_nanos(nanos));
    }
    // A thread that has to wait for a processor has not spent it.
    let begin = thread_ns();
    while thread_ns() - begin < nanos {
        std::hint::spin_loop();
    }
}

/// Reads the energy counter, millijoules, with all that may go wrong.
fn energy(board: &Found) -> Answer<c_ulonglong> {
    board.counter_ns.ok_or(NOT_SUPPORTED)?;
    take_time(board, board.faults.latency_ns);
    state::of(board.index, |state| {
        let every = board.faults.garbage.unwrap_or(u64::MAX);
        if state::turn(&mut state.counters, every).is_some() {
            return Ok(GARBAGE_ENERGY);
        }
        // The clock is read under the lock: of two threads the later one sees the later time.
        let now = monotonic_ns();
        let Some(recovery) = board.faults.disturb_ns else {
            return board.millijoules(now).ok_or(NOT_SUPPORTED);
        };
        let counted = board.counted(now).ok_or(NOT_SUPPORTED)?;
        let joules = disturb::read(&mut state.disturbed, board, counted, recovery, now);
        Ok(board.counter_shows(joules))
    })
}

/// Reads a power, milliwatts, with all that may go wrong.
fn power(board: &Found, sensor: Option<Sensor>) -> Answer<c_uint> {
    let sensor = sensor.ok_or(NOT_SUPPORTED)?;
    take_time(board, board.faults.power_latency_ns);
    let every = board.faults.garbage.unwrap_or(u64::MAX);
    match state::of(board.index, |state| state::turn(&mut state.powers, every)) {
        Some(turn) => Ok(GARBAGE_POWERS[usize::from(turn % 2 == 0)]),
        None => Ok(board.milliwatts(sensor, monotonic_ns())),
    }
}

/// The enforced limit, milliwatts.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a saturating cast")]
fn limit(board: &Board) -> c_uint {
    (board.limit * 1000.0) as c_uint
}

/// See the NVML API reference.
///
/// # Safety
/// `millijoules` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTotalEnergyConsumption(
    device: nvmlDevice_t,
    millijoules: *mut c_ulonglong,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { give(whole(device).and_then(|board| energy(&board)), millijoules) }
}

/// See the NVML API reference.
///
/// # Safety
/// `milliwatts` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPowerUsage(
    device: nvmlDevice_t,
    milliwatts: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { give(whole(device).and_then(|board| power(&board, board.usage)), milliwatts) }
}

/// See the NVML API reference.
///
/// # Safety
/// `milliwatts` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEnforcedPowerLimit(
    device: nvmlDevice_t,
    milliwatts: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { give(whole(device).map(|board| limit(&board)), milliwatts) }
}

/// See the NVML API reference.
///
/// # Safety
/// `milliwatts` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPowerManagementLimit(
    device: nvmlDevice_t,
    milliwatts: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { nvmlDeviceGetEnforcedPowerLimit(device, milliwatts) }
}

/// See the NVML API reference.
///
/// # Safety
/// `values` must be null or valid for `count` field values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetFieldValues(
    device: nvmlDevice_t,
    count: c_int,
    values: *mut nvmlFieldValue_t,
) -> nvmlReturn_t {
    let found = match found(device) {
        Ok(found) => found,
        Err(error) => return error,
    };
    let Ok(count) = usize::try_from(count) else { return INVALID_ARGUMENT };
    if values.is_null() || count == 0 {
        return INVALID_ARGUMENT;
    }
    for place in 0..count {
        // SAFETY: `place` is one of the field values that the caller promises. What they hold is
        // read one field at a time, for a caller need not have set those that are answers.
        unsafe { fill(&found, values.add(place)) };
    }
    SUCCESS
}

/// A field's value, and how wide it is.
enum Value {
    Narrow(c_uint),
    Wide(c_ulonglong),
}

/// Answers a query for a field.
///
/// # Safety
/// `place` must be valid, and its `fieldId` and `scopeId` set.
unsafe fn fill(found: &Found, place: *mut nvmlFieldValue_t) {
    // SAFETY: as the caller promises.
    let (id, scope) = unsafe { ((*place).fieldId, (*place).scopeId) };
    let before = monotonic_ns();
    let value = field(found, id, scope);
    let now = monotonic_ns();
    // SAFETY: as the caller promises.
    unsafe {
        (*place).timestamp = c_longlong::try_from(now / 1000).unwrap_or(0);
        (*place).latencyUsec = c_longlong::try_from((now - before) / 1000).unwrap_or(0).max(1);
        (*place).nvmlReturn = value.as_ref().err().copied().unwrap_or(SUCCESS);
        match value {
            Ok(Value::Narrow(value)) => {
                (*place).valueType = UNSIGNED_INT;
                (*place).value.uiVal = value;
            }
            Ok(Value::Wide(value)) => {
                (*place).valueType = UNSIGNED_LONG_LONG;
                (*place).value.ullVal = value;
            }
            Err(_) => {}
        }
    }
}

fn field(found: &Found, id: u32, scope: u32) -> Answer<Value> {
    // There is neither a module nor memory of its own: the one scope is the whole board.
    if scope != NVML_POWER_SCOPE_GPU || found.instance.is_some() || found.product.vgpu {
        return Err(NOT_SUPPORTED);
    }
    match id {
        field_id::NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION | field_id::NVML_FI_DEV_ENERGY
            if found.counter_field =>
        {
            energy(found).map(Value::Wide)
        }
        field_id::NVML_FI_DEV_POWER_INSTANT => power(found, found.power).map(Value::Narrow),
        field_id::NVML_FI_DEV_POWER_AVERAGE => power(found, found.average).map(Value::Narrow),
        field_id::NVML_FI_DEV_POWER_MAX_LIMIT
        | field_id::NVML_FI_DEV_POWER_DEFAULT_LIMIT
        | field_id::NVML_FI_DEV_POWER_CURRENT_LIMIT
        | field_id::NVML_FI_DEV_POWER_REQUESTED_LIMIT => Ok(Value::Narrow(limit(found))),
        _ => Err(NOT_SUPPORTED),
    }
}
