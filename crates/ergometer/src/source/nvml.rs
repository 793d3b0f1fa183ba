//! NVIDIA boards, through the driver's own library (NVML).
//!
//! The library is opened at run time: without a driver there is no meter, and no error. No program
//! is run.
//!
//! Every board is read, whatever `CUDA_VISIBLE_DEVICES` says, and known by its UUID and PCI
//! address; an index means nothing across CUDA, NVML and a reboot. On a board the source reads
//! * the energy counter (field 83, or `nvmlDeviceGetTotalEnergyConsumption`; Volta and newer), in
//!   millijoules since the driver was loaded, and
//! * instantaneous power (field 186; else `nvmlDeviceGetPowerUsage`, on most boards since Ampere a
//!   1 s average).
//!
//! Whether a board has them is asked of the board, not concluded from its name. The counter is read
//! only on [`Request::Routine`](super::Request): reading it often has been seen to disturb it. Then
//! the source waits for the counter's next update, at most one period (0.1 s), so that the value is
//! known together with the moment for which it holds.
//!
//! What is known of the sensors: Yang, Adamek, Armour, "Part-time power measurements", SC24, doi
//! 10.1109/SC41406.2024.00028 (arXiv:2312.02741).
//!
//! Not covered: Grace Hopper's module power, vGPU guests, the share of one MIG instance.

use std::path::Path;

use super::{Availability, PowerSource, SourceReport};

#[cfg(feature = "nvml")]
mod board;
mod devices;
#[cfg(feature = "nvml")]
mod library;
#[cfg(feature = "nvml")]
mod pace;
mod visible;

pub use devices::{BoardIdentity, Choice, Chosen, DeviceId, Devices, Environment, choose};

#[cfg(feature = "nvml")]
pub use library::Nvml;

/// The source's name.
pub const NAME: &str = "nvml";

/// Opens the NVML `library` (by default the system's `libnvidia-ml.so.1`) and says what was found.
#[must_use]
pub fn open(library: Option<&Path>) -> (Option<Box<dyn PowerSource>>, SourceReport) {
    #[cfg(feature = "nvml")]
    {
        let (source, report) = Nvml::open(library);
        (source.map(|source| Box::new(source) as Box<dyn PowerSource>), report)
    }
    #[cfg(not(feature = "nvml"))]
    {
        let _ = library;
        let availability = Availability::Unavailable {
            reason: "this program was built without NVML".to_owned(),
            remedy: "build with the `nvml` feature of `ergometer`".to_owned(),
        };
        (None, report(availability))
    }
}

fn report(availability: Availability) -> SourceReport {
    SourceReport { source: NAME.to_owned(), availability, domains: Vec::new(), remarks: Vec::new() }
}
