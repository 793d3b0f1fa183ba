//! AMD GPUs and APUs.
//!
//! `power1_input` is instantaneous, `power1_average` an average over a time that the kernel does not state.
//! The chip determines which of them a board has. Both are power of the socket, on APUs including the
//! processor's cores (Linux, `Documentation/gpu/amdgpu/thermal.rst`).

use super::device::Device;
use super::{Offer, Probe, domain, limit};
use crate::energy::Method;
use crate::source::{DomainKind, sysfs};

/// The driver queries the firmware at most once a millisecond (`smu_cmn_update_table` through
/// `smu_cmn_get_metrics_table`: a cache of 1 ms).
const PERIOD_S: f64 = 0.001;

pub(super) fn offer(device: &Device, package_source: Option<&str>) -> Offer {
    let instantaneous = device.file("power1_input");
    let averaged = device.file("power1_average");
    let (file, mean) = if instantaneous.exists() {
        (instantaneous, false)
    } else if averaged.exists() {
        (averaged, true)
    } else {
        let address = &device.address;
        return Offer::Left(format!("amdgpu {address} shows no power: its driver reads none"));
    };
    let name = sysfs::word(&device.parent("product_name"));
    // Only APUs have a northbridge, and so a label for its voltage; on the MI300A the driver hides it.
    let apu = sysfs::word(&device.file("in1_label")).is_some_and(|label| label == "vddnb")
        || name.as_ref().is_some_and(|name| name.contains("MI300A"));
    if let Some(source) = package_source.filter(|_| apu) {
        return Offer::Left(format!(
            "amdgpu {} is part of a processor that {source} measures, and is not added to it",
            device.address
        ));
    }
    let (kind, what) = if apu { (DomainKind::CpuPackage, "APU") } else { (DomainKind::Gpu, "GPU") };
    let label = name.unwrap_or_else(|| format!("AMD {what} {}", device.address));
    let mut domain = domain(device, kind, Method::Integrated, label);
    domain.sensor.power_period_s = Some(PERIOD_S);
    domain.power_limit =
        limit(&device.file("power1_cap")).or_else(|| limit(&device.file("power1_crit")));
    let mut notes = Vec::new();
    if mean {
        notes.push("power is averaged by the firmware, over a time that is not stated");
    }
    notes.push(if apu {
        "power of the whole APU: the processor and the GPU in it"
    } else {
        "the socket's power, which on some boards leaves out memory and regulators"
    });
    domain.note = Some(notes.join("; "));
    Offer::Metered(Box::new(domain), Probe::Power(file))
}
