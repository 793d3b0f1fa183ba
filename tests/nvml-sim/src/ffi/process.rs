//! Who uses a board, and how much.

use std::ffi::{c_uint, c_ulonglong};
use std::time::{SystemTime, UNIX_EPOCH};

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlProcessInfo_t, nvmlProcessUtilizationSample_t,
    nvmlReturn_enum_NVML_ERROR_NOT_FOUND as NOT_FOUND,
    nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED as NOT_SUPPORTED, nvmlReturn_t, nvmlUtilization_t,
};

use super::handle::{Found, found, whole};
use super::{Answer, give, give_list};
use crate::config::Process;

/// Bytes that each process is said to use.
const MEMORY: c_ulonglong = 1 << 30;

/// See the NVML API reference. There is one sample a process, of now.
///
/// # Safety
/// `count` must be null or valid, `samples` null or valid for as many as `count` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetProcessUtilization(
    device: nvmlDevice_t,
    samples: *mut nvmlProcessUtilizationSample_t,
    count: *mut c_uint,
    last_seen: c_ulonglong,
) -> nvmlReturn_t {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let now = c_ulonglong::try_from(now).unwrap_or(c_ulonglong::MAX);
    let sample = |process: &Process| nvmlProcessUtilizationSample_t {
        pid: process.pid,
        timeStamp: now,
        smUtil: process.sm,
        memUtil: 0,
        encUtil: 0,
        decUtil: 0,
    };
    let list = whole(device).and_then(|board| match &board.utilisation {
        Some(_) if board.mig => Err(NOT_SUPPORTED),
        Some(processes) if processes.is_empty() || last_seen >= now => Err(NOT_FOUND),
        Some(processes) => Ok(processes.iter().map(sample).collect()),
        None => Err(NOT_SUPPORTED),
    });
    // SAFETY: as the caller promises.
    unsafe { give_list(list, samples, count) }
}

/// See the NVML API reference. With MIG, processes are dealt out to the instances in turn.
///
/// # Safety
/// `count` must be null or valid, `processes` null or valid for as many as `count` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: nvmlDevice_t,
    count: *mut c_uint,
    processes: *mut nvmlProcessInfo_t,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    unsafe { give_list(running(device), processes, count) }
}

fn running(device: nvmlDevice_t) -> Answer<Vec<nvmlProcessInfo_t>> {
    let found = found(device)?;
    if found.product.vgpu {
        return Err(NOT_SUPPORTED);
    }
    let processes = found.utilisation.as_deref().unwrap_or_default();
    Ok((0..)
        .zip(processes)
        .map(|(number, process)| (instance_of(&found, number), process))
        .filter(|(instance, _)| found.instance.is_none() || found.instance == *instance)
        .map(|(instance, process)| nvmlProcessInfo_t {
            pid: process.pid,
            usedGpuMemory: MEMORY,
            gpuInstanceId: instance.map_or(c_uint::MAX, |instance| instance + 1),
            computeInstanceId: instance.map_or(c_uint::MAX, |_| 0),
        })
        .collect())
}

/// The instance that the `number`-th process runs in.
fn instance_of(board: &Found, number: u32) -> Option<u32> {
    if board.mig { number.checked_rem(board.mig_instances) } else { None }
}

/// See the NVML API reference. The sum over the processes.
///
/// # Safety
/// `utilisation` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    device: nvmlDevice_t,
    utilisation: *mut nvmlUtilization_t,
) -> nvmlReturn_t {
    let rates = whole(device).and_then(|board| {
        if board.mig {
            return Err(NOT_SUPPORTED);
        }
        let processes = board.utilisation.as_deref().unwrap_or_default();
        let sum = processes.iter().fold(0_u32, |sum, process| sum.saturating_add(process.sm));
        Ok(nvmlUtilization_t { gpu: sum.min(100), memory: 0 })
    });
    // SAFETY: as the caller promises.
    unsafe { give(rates, utilisation) }
}
