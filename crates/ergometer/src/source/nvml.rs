//! NVIDIA boards, through the driver's own library (NVML).
//!
//! The library is opened at run time: without a driver there is no meter, and no error. No program
//! is run.
//!
//! The boards that [`Devices`] asks for are read, by default those that `CUDA_VISIBLE_DEVICES` shows.
//! A board is known by its UUID and PCI address; an index means nothing across CUDA, NVML and a reboot. On a board the source reads
//! * the energy counter (field 83, or `nvmlDeviceGetTotalEnergyConsumption`; Volta and newer), in
//!   millijoules since the driver was loaded, and
//! * instantaneous power (field 186; else `nvmlDeviceGetPowerUsage`, on most boards since Ampere a
//!   1 s average).
//!
//! Whether a board has them is asked of the board, not concluded from its name. When either was
//! updated is learnt from the readings themselves (`update_times`), so that a value is known together with
//! the moment for which it holds. How often the counter is read, at its own period or once a second, is decided
//! by comparing it with integrated power (`disturbance`) and by what a read costs (`cost`); the record says how
//! often it was and why.
//!
//! Each board is a source of its own, so that one that hangs holds up no other.
//!
//! What is known of the sensors: Yang, Adamek, Armour, "Part-time power measurements", SC24, doi
//! 10.1109/SC41406.2024.00028 (arXiv:2312.02741).
//!
//! Which processes used a board is asked of the driver as well, where a program's share is wanted (`users`).
//!
//! Not covered: Grace Hopper's module power, vGPU guests, the share of one MIG instance.

use std::path::Path;

use super::{Availability, PowerSource, SourceReport};

mod account;
#[cfg(feature = "nvml")]
mod board;
#[cfg(feature = "nvml")]
mod cost;
mod devices;
#[cfg(feature = "nvml")]
mod disturbance;
#[cfg(feature = "nvml")]
mod history;
mod identity;
#[cfg(feature = "nvml")]
mod library;
#[cfg(feature = "nvml")]
mod probe;
#[cfg(feature = "nvml")]
mod query;
#[cfg(feature = "nvml")]
mod reader;
#[cfg(feature = "nvml")]
mod update_times;
#[cfg(feature = "nvml")]
mod users;
mod visible;

pub(crate) use account::{Account, Use};
pub use devices::{Choice, Chosen, DeviceId, Devices, Environment, choose};
pub use identity::BoardIdentity;

/// The source's name.
pub const NAME: &str = "nvml";

/// Share of one core that reading all boards may take, as long as the user says nothing else.
pub const DEFAULT_SHARE: f64 = 0.002;

/// The part of it that goes to asking who uses the boards, where that is asked.
pub(crate) const FOR_ACCOUNTS: f64 = 0.25;

/// Opens the NVML `library` (by default the system's `libnvidia-ml.so.1`) and says what was found of
/// the boards that `devices` asks for, where `environment` shows some.
///
/// Reading all boards may take this `share` of one core: where a call to the driver takes long,
/// boards are read less often, but at least every few seconds. `proc_root` shows what machine this is.
#[must_use]
pub fn open(
    library: Option<&Path>,
    proc_root: &Path,
    devices: &Devices,
    environment: &Environment,
    share: f64,
) -> (Vec<Box<dyn PowerSource>>, SourceReport) {
    #[cfg(feature = "nvml")]
    {
        let (boards, report) = library::open(library, proc_root, devices, environment, share);
        (boards.into_iter().map(|board| Box::new(board) as Box<dyn PowerSource>).collect(), report)
    }
    #[cfg(not(feature = "nvml"))]
    {
        let _ = (library, proc_root, devices, environment, share);
        let availability = Availability::Unavailable {
            reason: "this program was built without NVML".to_owned(),
            remedy: "build with the `nvml` feature of `ergometer`".to_owned(),
        };
        (Vec::new(), report(availability))
    }
}

/// The driver's accounts of who uses the boards with these UUIDs, or why there are none. Asking may take this `share` of
/// one core.
pub(crate) fn accounts(
    library: Option<&Path>,
    boards: Vec<String>,
    share: f64,
) -> Vec<Result<Box<dyn Account>, String>> {
    #[cfg(feature = "nvml")]
    {
        use crate::bounded;
        let (count, library) = (boards.len(), library.map(Path::to_path_buf));
        let open = move || users::open(library.as_deref(), &boards, share);
        bounded::call(library::PATIENCE, open).unwrap_or_else(|_| {
            (0..count).map(|_| Err("the driver does not answer".to_owned())).collect()
        })
    }
    #[cfg(not(feature = "nvml"))]
    {
        let _ = (library, share);
        let without = |_| Err("this program was built without NVML".to_owned());
        boards.into_iter().map(without).collect()
    }
}

fn report(availability: Availability) -> SourceReport {
    SourceReport { source: NAME.to_owned(), availability, domains: Vec::new(), remarks: Vec::new() }
}
