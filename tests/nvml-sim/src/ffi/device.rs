//! Which board it is.

use std::ffi::{CStr, c_char, c_int, c_uint};

use nvml_wrapper_sys::bindings::{
    nvmlBrandType_t, nvmlDevice_t, nvmlDeviceArchitecture_t, nvmlEnableState_t, nvmlPciInfo_t,
    nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_ERROR_NOT_FOUND as NOT_FOUND, nvmlReturn_t,
};

use super::handle::{found, handle, machine, whole};
use super::{Answer, code, give, give_text, put, put_text};

/// UUID of a board or of an instance of it.
fn uuid(index: usize, instance: Option<u32>) -> String {
    match instance {
        None => format!("GPU-00000000-0000-4000-8000-{index:012x}"),
        Some(instance) => format!("MIG-00000000-0000-4000-8{:03x}-{index:012x}", instance + 1),
    }
}

/// Bus of board `index`; all are device 0 in domain 0.
fn bus(index: usize) -> c_uint {
    0x3b + c_uint::try_from(index).unwrap_or(0)
}

/// Domain, bus, device and function in `0000:3b:00.0` or `00000000:3B:00.0`.
fn pci_address(text: &str) -> Option<[c_uint; 4]> {
    let hex = |text: &str| c_uint::from_str_radix(text, 16).ok();
    let (front, function) = text.split_once('.')?;
    match front.split(':').collect::<Vec<_>>()[..] {
        [domain, bus, device] => Some([hex(domain)?, hex(bus)?, hex(device)?, hex(function)?]),
        [bus, device] => Some([0, hex(bus)?, hex(device)?, hex(function)?]),
        _ => None,
    }
}

/// # Safety
/// `text` must be null or a C string.
unsafe fn text<'a>(text: *const c_char) -> Answer<&'a str> {
    if text.is_null() {
        return Err(INVALID_ARGUMENT);
    }
    // SAFETY: not null, and a C string by the caller's word.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| INVALID_ARGUMENT)
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
    let handle = handle(index as usize, None);
    // SAFETY: as the caller promises.
    unsafe { give(whole_or_vgpu(handle), device) }
}

/// The same handle, if it stands for a board that is there and answers.
fn whole_or_vgpu(device: nvmlDevice_t) -> Answer<nvmlDevice_t> {
    found(device).and_then(|found| match found.instance {
        None => Ok(device),
        Some(_) => Err(INVALID_ARGUMENT),
    })
}

/// See the NVML API reference. Knows MIG instances, too.
///
/// # Safety
/// `wanted` must be null or a C string, `device` null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByUUID(
    wanted: *const c_char,
    device: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    let handle = unsafe { text(wanted) }.and_then(|wanted| {
        let handle = machine()?
            .boards
            .iter()
            .enumerate()
            .flat_map(|(index, board)| {
                let instances = if board.mig { board.mig_instances } else { 0 };
                let instances = (0..instances).map(move |instance| (index, Some(instance)));
                std::iter::once((index, None)).chain(instances)
            })
            .find(|(index, instance)| uuid(*index, *instance) == wanted)
            .map(|(index, instance)| handle(index, instance))
            .ok_or(NOT_FOUND)?;
        found(handle).map(|_| handle)
    });
    // SAFETY: as the caller promises.
    unsafe { give(handle, device) }
}

/// See the NVML API reference.
///
/// # Safety
/// `address` must be null or a C string, `device` null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByPciBusId_v2(
    address: *const c_char,
    device: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    let handle = unsafe { text(address) }.and_then(|address| {
        let address = pci_address(address).ok_or(INVALID_ARGUMENT)?;
        let index = (0..machine()?.boards.len())
            .find(|index| address == [0, bus(*index), 0, 0])
            .ok_or(NOT_FOUND)?;
        whole_or_vgpu(handle(index, None))
    });
    // SAFETY: as the caller promises.
    unsafe { give(handle, device) }
}

/// See the NVML API reference. An instance has its own number.
///
/// # Safety
/// `index` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetIndex(
    device: nvmlDevice_t,
    index: *mut c_uint,
) -> nvmlReturn_t {
    let number = found(device).and_then(|found| match found.instance {
        Some(instance) => Ok(instance),
        None => c_uint::try_from(found.index).map_err(|_| INVALID_ARGUMENT),
    });
    // SAFETY: as the caller promises.
    unsafe { give(number, index) }
}

/// See the NVML API reference.
///
/// # Safety
/// `place` must be null or valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUUID(
    device: nvmlDevice_t,
    place: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    let text = found(device).map(|found| uuid(found.index, found.instance));
    // SAFETY: as the caller promises.
    unsafe { give_text(text, place, length) }
}

/// See the NVML API reference.
///
/// # Safety
/// `name` must be null or valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(
    device: nvmlDevice_t,
    name: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    let text = found(device).map(|found| match found.instance {
        None => found.name.clone(),
        Some(_) => format!("{} MIG", found.name),
    });
    // SAFETY: as the caller promises.
    unsafe { give_text(text, name, length) }
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
    code(found(device).and_then(|found| {
        let bus = bus(found.index);
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
        unsafe {
            put_text(&text, info.busId.as_mut_ptr(), 32)?;
            put_text(&text[4..], info.busIdLegacy.as_mut_ptr(), 16)?;
            put(info, pci)
        }
    }))
}

/// See the NVML API reference.
///
/// # Safety
/// `architecture` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetArchitecture(
    device: nvmlDevice_t,
    architecture: *mut nvmlDeviceArchitecture_t,
) -> nvmlReturn_t {
    let value = found(device).map(|found| found.product.architecture as _);
    // SAFETY: as the caller promises.
    unsafe { give(value, architecture) }
}

/// See the NVML API reference.
///
/// # Safety
/// `brand` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetBrand(
    device: nvmlDevice_t,
    brand: *mut nvmlBrandType_t,
) -> nvmlReturn_t {
    let value = found(device).map(|found| found.product.brand as _);
    // SAFETY: as the caller promises.
    unsafe { give(value, brand) }
}

/// See the NVML API reference.
///
/// # Safety
/// `major` and `minor` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCudaComputeCapability(
    device: nvmlDevice_t,
    major: *mut c_int,
    minor: *mut c_int,
) -> nvmlReturn_t {
    // SAFETY: as the caller promises.
    code(found(device).and_then(|found| unsafe {
        put(found.product.compute.0, major)?;
        put(found.product.compute.1, minor)
    }))
}

/// See the NVML API reference.
///
/// # Safety
/// `mode` must be null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPersistenceMode(
    device: nvmlDevice_t,
    mode: *mut nvmlEnableState_t,
) -> nvmlReturn_t {
    let on = whole(device).map(|board| nvmlEnableState_t::from(board.product.persistence));
    // SAFETY: as the caller promises.
    unsafe { give(on, mode) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_each_form() {
        for text in ["0000:3b:00.0", "00000000:3B:00.0", "3b:00.0"] {
            assert_eq!(pci_address(text), Some([0, 0x3b, 0, 0]), "{text}");
        }
        assert_eq!(pci_address("0001:3c:01.2"), Some([1, 0x3c, 1, 2]));
        assert_eq!(pci_address("GPU-0"), None);
    }

    #[test]
    fn every_board_and_instance_has_a_uuid() {
        assert_eq!(uuid(1, None), "GPU-00000000-0000-4000-8000-000000000001");
        assert_eq!(uuid(1, Some(0)), "MIG-00000000-0000-4000-8001-000000000001");
        assert_ne!(uuid(1, Some(0)), uuid(1, Some(1)));
    }
}
