//! The library and the machine.

use std::ffi::{c_char, c_int, c_uint};

use nvml_wrapper_sys::bindings::{
    nvmlReturn_enum_NVML_ERROR_DRIVER_NOT_LOADED as DRIVER_NOT_LOADED,
    nvmlReturn_enum_NVML_ERROR_GPU_IS_LOST as GPU_IS_LOST,
    nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE as INSUFFICIENT_SIZE,
    nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_ERROR_LIB_RM_VERSION_MISMATCH as VERSION_MISMATCH,
    nvmlReturn_enum_NVML_ERROR_NO_PERMISSION as NO_PERMISSION,
    nvmlReturn_enum_NVML_ERROR_NOT_FOUND as NOT_FOUND,
    nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED as NOT_SUPPORTED,
    nvmlReturn_enum_NVML_ERROR_TIMEOUT as TIMEOUT, nvmlReturn_enum_NVML_SUCCESS as SUCCESS,
    nvmlReturn_t,
};

use super::handle::machine;
use super::{give, give_text};
use crate::config::InitFailure;

/// See the NVML API reference.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> nvmlReturn_t {
    match machine() {
        Ok(machine) => match machine.init {
            None => SUCCESS,
            Some(InitFailure::DriverNotLoaded) => DRIVER_NOT_LOADED,
            Some(InitFailure::NoPermission) => NO_PERMISSION,
            Some(InitFailure::VersionMismatch) => VERSION_MISMATCH,
        },
        Err(error) => error,
    }
}

/// See the NVML API reference. No flag makes a difference.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> nvmlReturn_t {
    nvmlInit_v2()
}

/// See the NVML API reference.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> nvmlReturn_t {
    SUCCESS
}

/// See the NVML API reference.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(result: nvmlReturn_t) -> *const c_char {
    let text = match result {
        SUCCESS => c"Success",
        INVALID_ARGUMENT => c"Invalid Argument",
        NOT_SUPPORTED => c"Not Supported",
        NO_PERMISSION => c"Insufficient Permissions",
        NOT_FOUND => c"Not Found",
        INSUFFICIENT_SIZE => c"Insufficient Size",
        DRIVER_NOT_LOADED => c"Driver Not Loaded",
        TIMEOUT => c"Timeout",
        GPU_IS_LOST => c"GPU is lost",
        VERSION_MISMATCH => c"Driver/library version mismatch",
        _ => c"Unknown Error",
    };
    text.as_ptr()
}

/// See the NVML API reference.
///
/// # Safety
/// `version` must be null or valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(
    version: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { give_text(Ok("570.00"), version, length) }
}

/// See the NVML API reference.
///
/// # Safety
/// `version` must be null or valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetNVMLVersion(
    version: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { give_text(Ok("12.570.00"), version, length) }
}

/// See the NVML API reference.
///
/// # Safety
/// `version` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetCudaDriverVersion(version: *mut c_int) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { give(Ok(12_080), version) }
}

/// See the NVML API reference.
///
/// # Safety
/// `version` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { nvmlSystemGetCudaDriverVersion(version) }
}

/// See the NVML API reference.
///
/// # Safety
/// `count` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> nvmlReturn_t {
    let boards = machine().map(|machine| c_uint::try_from(machine.boards.len()).unwrap_or(0));
    // SAFETY: as the caller promises.
    unsafe { give(boards, count) }
}

/// The true energy of `board` between two times of `CLOCK_MONOTONIC`, millijoules; NaN for a board
/// that is not there.
#[unsafe(no_mangle)]
pub extern "C" fn ergometer_sim_energy_mj(board: c_uint, from_ns: u64, to_ns: u64) -> f64 {
    machine().map_or(f64::NAN, |machine| {
        machine
            .boards
            .get(board as usize)
            .map_or(f64::NAN, |board| board.curve.joules(from_ns, to_ns) * 1000.0)
    })
}
