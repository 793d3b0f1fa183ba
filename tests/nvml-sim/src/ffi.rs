//! The C functions that NVML's clients look for, and one of our own.
//!
//! Every answer follows from the settings and the clock, so that loading, unloading and loading
//! again gives the same machine; only misbehaviour that depends on how often it is asked has a
//! memory.

mod device;
mod handle;
mod mig;
mod power;
mod process;
mod samples;
mod system;

use std::ffi::{c_char, c_uint};

use nvml_wrapper_sys::bindings::{
    nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE as INSUFFICIENT_SIZE,
    nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_SUCCESS as SUCCESS, nvmlReturn_t,
};

/// A value for the caller, or the reason why there is none.
type Answer<T> = Result<T, nvmlReturn_t>;

fn code(answer: Answer<()>) -> nvmlReturn_t {
    answer.err().unwrap_or(SUCCESS)
}

/// Writes an answer to `place`.
///
/// # Safety
/// `place` must be null or valid for a `T`.
unsafe fn give<T>(answer: Answer<T>, place: *mut T) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    code(answer.and_then(|value| unsafe { put(value, place) }))
}

/// Writes `value` to `place`.
///
/// # Safety
/// `place` must be null or valid for a `T`.
unsafe fn put<T>(value: T, place: *mut T) -> Answer<()> {
    if place.is_null() {
        return Err(INVALID_ARGUMENT);
    }
    // SAFETY: not null, and valid by the caller's word.
    unsafe { place.write(value) };
    Ok(())
}

/// Writes a text and a NUL to `place`, which has room for `length` bytes.
///
/// # Safety
/// `place` must be null or valid for `length` bytes.
unsafe fn give_text(
    answer: Answer<impl AsRef<str>>,
    place: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    code(answer.and_then(|text| unsafe { put_text(text.as_ref(), place, length) }))
}

/// Writes `text` and a NUL to `place`, which has room for `length` bytes.
///
/// # Safety
/// `place` must be null or valid for `length` bytes.
unsafe fn put_text(text: &str, place: *mut c_char, length: c_uint) -> Answer<()> {
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

/// Writes `values` to `place` as NVML gives lists: `count` says how many there is room for, and is
/// then how many there are.
///
/// # Safety
/// `count` must be null or valid, `place` null or valid for as many values as `count` says.
unsafe fn give_list<T: Copy>(
    answer: Answer<Vec<T>>,
    place: *mut T,
    count: *mut c_uint,
) -> nvmlReturn_t {
    if count.is_null() {
        return INVALID_ARGUMENT;
    }
    code(answer.and_then(|values| {
        // SAFETY: not null, and valid by the caller's word.
        let room = unsafe { count.replace(c_uint::try_from(values.len()).unwrap_or(c_uint::MAX)) };
        if values.is_empty() {
            return Ok(());
        }
        if place.is_null() || values.len() > room as usize {
            return Err(INSUFFICIENT_SIZE);
        }
        // SAFETY: there is room for as many by the caller's word.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), place, values.len()) };
        Ok(())
    }))
}
