//! The C functions that `nvml-wrapper` looks for, and one of our own.
//!
//! Nothing here keeps state: every answer follows from the settings and the clock, so that loading,
//! unloading and loading again gives the same machine.

use std::ffi::{CStr, c_char, c_int, c_longlong, c_uint, c_ulonglong, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::{env, ffi::OsStr, fs};

use nvml_wrapper_sys::bindings::{
    field_id, nvmlDevice_t, nvmlFieldValue_t, nvmlPciInfo_t,
    nvmlReturn_enum_NVML_ERROR_DRIVER_NOT_LOADED as DRIVER_NOT_LOADED,
    nvmlReturn_enum_NVML_ERROR_GPU_IS_LOST as GPU_IS_LOST,
    nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE as INSUFFICIENT_SIZE,
    nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_ERROR_LIB_RM_VERSION_MISMATCH as VERSION_MISMATCH,
    nvmlReturn_enum_NVML_ERROR_NO_PERMISSION as NO_PERMISSION,
    nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED as NOT_SUPPORTED,
    nvmlReturn_enum_NVML_SUCCESS as SUCCESS, nvmlReturn_t,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT as UNSIGNED_INT,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG as UNSIGNED_LONG_LONG,
};

use crate::config::InitFailure;
use crate::{Board, Machine, monotonic_ns};

/// The file this library was loaded from.
fn own_path() -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    let here: *const c_void = (nvmlInit_v2 as extern "C" fn() -> nvmlReturn_t) as *const c_void;
    // SAFETY: `here` lies in this library and `info` is a valid place for the answer, whose name
    // lives as long as the library is loaded.
    unsafe {
        if libc::dladdr(here, &raw mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        Some(PathBuf::from(OsStr::from_bytes(CStr::from_ptr(info.dli_fname).to_bytes())))
    }
}

fn machine() -> Result<Machine, nvmlReturn_t> {
    let beside = own_path().and_then(|path| {
        let mut name = path.into_os_string();
        name.push(".conf");
        fs::read_to_string(name).ok()
    });
    let text = beside.or_else(|| env::var("ERGOMETER_SIM_NVML").ok()).unwrap_or_default();
    Machine::parse(&text).map_err(|error| {
        eprintln!("nvml-sim: {error}");
        INVALID_ARGUMENT
    })
}

/// A device handle is the board's index plus one, so that no handle is null.
fn index(device: nvmlDevice_t) -> Option<usize> {
    (device as usize).checked_sub(1)
}

fn board(device: nvmlDevice_t) -> Result<Board, nvmlReturn_t> {
    let board = index(device).and_then(|index| machine().ok()?.boards.into_iter().nth(index));
    match board {
        Some(board) if board.lost => Err(GPU_IS_LOST),
        Some(board) => Ok(board),
        None => Err(INVALID_ARGUMENT),
    }
}

fn answer(result: Result<(), nvmlReturn_t>) -> nvmlReturn_t {
    result.err().unwrap_or(SUCCESS)
}

/// Writes `text` and a NUL to `place`, which has room for `length` bytes.
///
/// # Safety
/// `place` must be valid for `length` bytes.
unsafe fn put_text(text: &str, place: *mut c_char, length: c_uint) -> Result<(), nvmlReturn_t> {
    if place.is_null() {
        return Err(INVALID_ARGUMENT);
    }
    if text.len() >= length as usize {
        return Err(INSUFFICIENT_SIZE);
    }
    // SAFETY: `place` has room for `length` bytes, more than text and NUL.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), place, text.len());
        *place.add(text.len()) = 0;
    }
    Ok(())
}

/// # Safety
/// `place` must be null or valid for a `T`.
unsafe fn put<T>(value: T, place: *mut T) -> Result<(), nvmlReturn_t> {
    if place.is_null() {
        return Err(INVALID_ARGUMENT);
    }
    // SAFETY: not null, and valid by the caller's word.
    unsafe { place.write(value) };
    Ok(())
}

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
        DRIVER_NOT_LOADED => c"Driver Not Loaded",
        GPU_IS_LOST => c"GPU is lost",
        VERSION_MISMATCH => c"Driver/library version mismatch",
        _ => c"Unknown Error",
    };
    text.as_ptr()
}

/// See the NVML API reference.
///
/// # Safety
/// `version` must be valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(
    version: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    answer(unsafe { put_text("570.00", version, length) })
}

/// See the NVML API reference.
///
/// # Safety
/// `count` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> nvmlReturn_t {
    let boards = machine().map(|machine| c_uint::try_from(machine.boards.len()).unwrap_or(0));
    // SAFETY: as the caller promises.
    answer(boards.and_then(|boards| unsafe { put(boards, count) }))
}

/// See the NVML API reference.
///
/// # Safety
/// `device` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(
    index: c_uint,
    device: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    let handle = std::ptr::without_provenance_mut(index as usize + 1);
    // SAFETY: as the caller promises.
    answer(board(handle).and_then(|_| unsafe { put(handle, device) }))
}

/// See the NVML API reference.
///
/// # Safety
/// `uuid` must be valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUUID(
    device: nvmlDevice_t,
    uuid: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    let text = format!("GPU-00000000-0000-4000-8000-{:012x}", index(device).unwrap_or(0));
    // SAFETY: as the caller promises.
    answer(board(device).and_then(|_| unsafe { put_text(&text, uuid, length) }))
}

/// See the NVML API reference.
///
/// # Safety
/// `name` must be valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(
    device: nvmlDevice_t,
    name: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    answer(board(device).and_then(|board| unsafe { put_text(&board.name, name, length) }))
}

/// See the NVML API reference. Board `n` sits at `0000:(0x3b + n):00.0`.
///
/// # Safety
/// `pci` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPciInfo_v3(
    device: nvmlDevice_t,
    pci: *mut nvmlPciInfo_t,
) -> nvmlReturn_t {
    let bus = 0x3b + c_uint::try_from(index(device).unwrap_or(0)).unwrap_or(0);
    let mut info = nvmlPciInfo_t {
        busIdLegacy: [0; 16],
        domain: 0,
        bus,
        device: 0,
        pciDeviceId: 0x2330_10de,
        pciSubSystemId: 0,
        busId: [0; 32],
    };
    let text = format!("00000000:{bus:02X}:00.0");
    // SAFETY: both places have the room they are said to have; `pci` as the caller promises.
    answer(board(device).and_then(|_| unsafe {
        put_text(&text, info.busId.as_mut_ptr(), 32)?;
        put_text(&text[4..], info.busIdLegacy.as_mut_ptr(), 16)?;
        put(info, pci)
    }))
}

/// See the NVML API reference.
///
/// # Safety
/// `energy` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTotalEnergyConsumption(
    device: nvmlDevice_t,
    energy: *mut c_ulonglong,
) -> nvmlReturn_t {
    let millijoules =
        board(device).and_then(|board| board.millijoules(monotonic_ns()).ok_or(NOT_SUPPORTED));
    // SAFETY: as the caller promises.
    answer(millijoules.and_then(|value| unsafe { put(value, energy) }))
}

/// See the NVML API reference.
///
/// # Safety
/// `power` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPowerUsage(
    device: nvmlDevice_t,
    power: *mut c_uint,
) -> nvmlReturn_t {
    let milliwatts = board(device).and_then(|board| {
        let sensor = board.usage.ok_or(NOT_SUPPORTED)?;
        Ok(board.milliwatts(sensor, monotonic_ns()))
    });
    // SAFETY: as the caller promises.
    answer(milliwatts.and_then(|value| unsafe { put(value, power) }))
}

/// See the NVML API reference.
///
/// # Safety
/// `values` must be valid for `count` field values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetFieldValues(
    device: nvmlDevice_t,
    count: c_int,
    values: *mut nvmlFieldValue_t,
) -> nvmlReturn_t {
    let board = match board(device) {
        Ok(board) => board,
        Err(error) => return error,
    };
    let Ok(count) = usize::try_from(count) else { return INVALID_ARGUMENT };
    if values.is_null() || count == 0 {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as the caller promises.
    for value in unsafe { std::slice::from_raw_parts_mut(values, count) } {
        fill(&board, value);
    }
    SUCCESS
}

fn fill(board: &Board, field: &mut nvmlFieldValue_t) {
    let now = monotonic_ns();
    field.timestamp = c_longlong::try_from(now / 1000).unwrap_or(0);
    field.latencyUsec = 1;
    let energy = board.millijoules(now).filter(|_| board.counter_field);
    let power = board.power.map(|sensor| board.milliwatts(sensor, now));
    match (field.fieldId, energy, power) {
        (field_id::NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, Some(energy), _) => {
            field.valueType = UNSIGNED_LONG_LONG;
            field.value.ullVal = energy;
            field.nvmlReturn = SUCCESS;
        }
        (field_id::NVML_FI_DEV_POWER_INSTANT, _, Some(power)) => {
            field.valueType = UNSIGNED_INT;
            field.value.uiVal = power;
            field.nvmlReturn = SUCCESS;
        }
        _ => field.nvmlReturn = NOT_SUPPORTED,
    }
}

/// See the NVML API reference.
///
/// # Safety
/// `limit` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEnforcedPowerLimit(
    device: nvmlDevice_t,
    limit: *mut c_uint,
) -> nvmlReturn_t {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a saturating cast")]
    let milliwatts = board(device).map(|board| (board.limit * 1000.0) as c_uint);
    // SAFETY: as the caller promises.
    answer(milliwatts.and_then(|value| unsafe { put(value, limit) }))
}

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
    answer(board(device).and_then(|board| unsafe {
        put(c_uint::from(board.mig), current)?;
        put(c_uint::from(board.mig), pending)
    }))
}

/// The true energy of `board` between two times of `CLOCK_MONOTONIC`, millijoules; NaN for a board
/// that is not there.
#[unsafe(no_mangle)]
pub extern "C" fn ergometer_sim_energy_mj(board: c_uint, from_ns: u64, to_ns: u64) -> f64 {
    machine()
        .ok()
        .and_then(|machine| machine.boards.into_iter().nth(board as usize))
        .map_or(f64::NAN, |board| board.curve.joules(from_ns, to_ns) * 1000.0)
}
