//! From a device handle to the board it stands for.

use std::ops::Deref;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlReturn_enum_NVML_ERROR_GPU_IS_LOST as GPU_IS_LOST,
    nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID_ARGUMENT,
    nvmlReturn_enum_NVML_ERROR_NO_PERMISSION as NO_PERMISSION,
    nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED as NOT_SUPPORTED,
    nvmlReturn_enum_NVML_ERROR_TIMEOUT as TIMEOUT, nvmlReturn_enum_NVML_ERROR_UNKNOWN as UNKNOWN,
    nvmlReturn_t,
};

use super::Answer;
use crate::config::ErrorKind;
use crate::settings;
use crate::{Board, Machine, monotonic_ns, state};

/// The bits of a handle that stand for the board.
const BOARD_BITS: u32 = 16;

/// The machine; settings that cannot be understood are an invalid argument.
pub(super) fn machine() -> Answer<Arc<Machine>> {
    settings::machine().map_err(|_| INVALID_ARGUMENT)
}

/// A board, or an instance of one, that a handle stands for.
pub(super) struct Found {
    machine: Arc<Machine>,
    /// Number of the board.
    pub index: usize,
    /// Number of its MIG instance, if it is not the whole board.
    pub instance: Option<u32>,
}

impl Deref for Found {
    type Target = Board;

    fn deref(&self) -> &Board {
        &self.machine.boards[self.index]
    }
}

/// The handle of a board or of an instance: both numbers plus one, so that no handle is null.
pub(super) fn handle(index: usize, instance: Option<u32>) -> nvmlDevice_t {
    let instance = instance.map_or(0, |instance| instance as usize + 1);
    std::ptr::without_provenance_mut((instance << BOARD_BITS) | (index + 1))
}

/// The board or instance that `device` stands for, unless the call fails or hangs first.
pub(super) fn found(device: nvmlDevice_t) -> Answer<Found> {
    let number = device.addr();
    let board = number & ((1 << BOARD_BITS) - 1);
    let index = board.checked_sub(1).ok_or(INVALID_ARGUMENT)?;
    let instance = (number >> BOARD_BITS).checked_sub(1).map(u32::try_from);
    let instance = instance.transpose().map_err(|_| INVALID_ARGUMENT)?;
    let machine = machine()?;
    let board = machine.boards.get(index).ok_or(INVALID_ARGUMENT)?;
    let instances = if board.mig { board.mig_instances } else { 0 };
    if instance.is_some_and(|instance| instance >= instances) {
        return Err(INVALID_ARGUMENT);
    }
    hang(board);
    fail(board, index)?;
    Ok(Found { machine, index, instance })
}

/// Waits until the board answers again.
fn hang(board: &Board) {
    let Some((from, to)) = board.faults.hang else { return };
    let mut now = monotonic_ns();
    while (from..to).contains(&now) {
        thread::sleep(Duration::from_nanos(to - now));
        now = monotonic_ns();
    }
}

/// Fails as the board is set to.
fn fail(board: &Board, index: usize) -> Answer<()> {
    if board.is_lost(monotonic_ns()) {
        return Err(GPU_IS_LOST);
    }
    let Some(errors) = board.faults.errors else { return Ok(()) };
    match state::of(index, |state| state::turn(&mut state.calls, errors.every)) {
        Some(_) => Err(failure(errors.kind)),
        None => Ok(()),
    }
}

fn failure(kind: ErrorKind) -> nvmlReturn_t {
    match kind {
        ErrorKind::Timeout => TIMEOUT,
        ErrorKind::Unknown => UNKNOWN,
        ErrorKind::NoPermission => NO_PERMISSION,
    }
}

/// The board that `device` stands for, if it is a whole one that tells more than its identity.
pub(super) fn whole(device: nvmlDevice_t) -> Answer<Found> {
    let found = found(device)?;
    if found.instance.is_some() || found.product.vgpu { Err(NOT_SUPPORTED) } else { Ok(found) }
}
