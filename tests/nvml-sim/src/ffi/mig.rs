//! Boards in parts.

use std::ffi::c_uint;

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_ERROR_NOT_FOUND as NOT_FOUND,
    nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED as NOT_SUPPORTED, nvmlReturn_t,
};

use super::handle::{found, handle, whole};
use super::{code, give, put};

/// Most instances that a board with MIG has room for.
const MOST: c_uint = 7;

/// See the NVML API reference.
///
/// # Safety
/// `current` and `pending` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMigMode(
    device: nvmlDevice_t,
    current: *mut c_uint,
    pending: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    code(whole(device).and_then(|board| unsafe {
        put(c_uint::from(board.mig), current)?;
        put(c_uint::from(board.mig), pending)
    }))
}

/// See the NVML API reference.
///
/// # Safety
/// `count` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMaxMigDeviceCount(
    device: nvmlDevice_t,
    count: *mut c_uint,
) -> nvmlReturn_t {
    let most = whole(device).map(|board| if board.mig { MOST } else { 0 });
    // SAFETY: as the caller promises.
    unsafe { give(most, count) }
}

/// See the NVML API reference.
///
/// # Safety
/// `instance` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMigDeviceHandleByIndex(
    device: nvmlDevice_t,
    index: c_uint,
    instance: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    let handle = whole(device).and_then(|board| match board.mig {
        false => Err(NOT_SUPPORTED),
        true if index >= MOST => Err(INVALID_ARGUMENT),
        true if index >= board.mig_instances => Err(NOT_FOUND),
        true => Ok(handle(board.index, Some(index))),
    });
    // SAFETY: as the caller promises.
    unsafe { give(handle, instance) }
}

/// See the NVML API reference.
///
/// # Safety
/// `parent` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetDeviceHandleFromMigDeviceHandle(
    instance: nvmlDevice_t,
    parent: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    let board = found(instance).and_then(|found| match found.instance {
        Some(_) => Ok(handle(found.index, None)),
        None => Err(INVALID_ARGUMENT),
    });
    // SAFETY: as the caller promises.
    unsafe { give(board, parent) }
}

/// See the NVML API reference.
///
/// # Safety
/// `is_instance` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceIsMigDeviceHandle(
    device: nvmlDevice_t,
    is_instance: *mut c_uint,
) -> nvmlReturn_t {
    let answer = found(device).map(|found| c_uint::from(found.instance.is_some()));
    // SAFETY: as the caller promises.
    unsafe { give(answer, is_instance) }
}
