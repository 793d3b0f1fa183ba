//! Processors with a power or energy sensor per socket that the kernel shows as a hwmon device.

use super::device::Device;
use super::{Offer, Probe, domain, impossible};
use crate::energy::Method;
use crate::source::tracked_counter::TrackedCounter;
use crate::source::{DomainKind, sysfs};
use crate::units::Joules;

/// The register counts in units of 2^-16 J (AMD PPR, `Core::X86::Msr::RAPL_PWR_UNIT`).
const QUANTUM: Joules = Joules::new(1.0 / 65536.0);

/// NVIDIA Grace: ACPI power meters; `power1_oem_info` names what each measures (NVIDIA, "Grace Performance
/// Tuning Guide", power telemetry). "Grace Power" is a socket with its memory; "CPU Power" and "`SysIO`
/// Power" are parts of it. "Module Power" contains it and, on Grace Hopper, the GPU, which NVML reads.
pub(super) fn offer_grace(device: &Device, package_source: Option<&str>) -> Offer {
    let address = &device.address;
    let Some(what) = sysfs::word(&device.either("power1_oem_info")) else {
        return Offer::Nothing;
    };
    if ["CPU Power Socket", "SysIO Power Socket"].iter().any(|part| what.starts_with(part)) {
        return Offer::Left(format!(
            "power_meter {address} ('{what}') is part of its socket and is not added"
        ));
    }
    if what.starts_with("Module Power Socket") {
        return Offer::Left(format!(
            "power_meter {address} ('{what}') contains a socket and a GPU that are metered separately, and is not added"
        ));
    }
    let Some(socket) = what.strip_prefix("Grace Power Socket") else {
        let what: String = what.chars().take(60).collect();
        return Offer::Left(format!(
            "power_meter {address} ('{what}') is not used: it is not known what that sensor covers"
        ));
    };
    if let Some(source) = package_source {
        return Offer::Left(format!(
            "power_meter {address} ('{what}') is a processor that {source} measures, and is not added to it"
        ));
    }
    let label = format!("NVIDIA Grace socket {}", socket.trim());
    let mut domain = domain(device, DomainKind::CpuPackage, Method::Integrated, label);
    let interval = sysfs::number::<u32>(&device.either("power1_average_interval")).ok();
    let seconds = interval.filter(|millis| *millis > 0).map(|millis| f64::from(millis) * 1e-3);
    domain.sensor.power_period_s = seconds;
    domain.sensor.power_window_s = seconds;
    domain.note = Some("the socket with its memory".to_owned());
    Offer::Metered(Box::new(domain), Probe::Power(device.either("power1_average")))
}

/// AMD's energy counters under the drivers `amd_energy` and `zenergy`: `Esocket0` is a socket, `Ecore000`
/// one of its cores.
pub(super) fn offer_amd(device: &Device, package_source: Option<&str>) -> Offer {
    let (driver, address) = (&device.driver, &device.address);
    if let Some(source) = package_source {
        return Offer::Left(format!(
            "{driver} {address} shows the registers that {source} reads, and is not added"
        ));
    }
    // Cores come first: up to 256 of them, then a few sockets.
    let sockets = (1..=1024).filter_map(|number| {
        let label = sysfs::word(&device.file(&format!("energy{number}_label")))?;
        label.starts_with("Esocket").then_some((number, label))
    });
    let offers: Vec<_> = sockets
        .map(|(number, label)| {
            let mut domain =
                domain(device, DomainKind::CpuPackage, Method::Counter, format!("package {label}"));
            domain.id = format!("{}:{label}", domain.id);
            domain.sensor.counter_quantum = Some(QUANTUM);
            let followed = TrackedCounter::new(1e6, "µJ", None, impossible(None));
            (domain, Probe::Energy(device.file(&format!("energy{number}_input")), followed))
        })
        .collect();
    if offers.is_empty() {
        return Offer::Left(format!("{driver} {address} names no socket and is not used"));
    }
    Offer::Several(offers)
}
