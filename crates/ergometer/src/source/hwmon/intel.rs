//! Intel's discrete GPUs, by the drivers `i915` and `xe`.
//!
//! `energy1_input` is the card's counter, in µJ. `i915_gt0` and `xe_tile0` are devices for its tiles, and
//! `energy2_input` is its chip (Linux, `Documentation/ABI/testing/sysfs-driver-intel-{i915,xe}-hwmon`).
//! Some cards under `xe` have a card counter that stands still and a chip counter that moves. The drivers
//! extend the hardware's 32 bits to 64, so no range is known and none is needed. GPUs in a processor have
//! no such file; they are part of its package.

use std::path::Path;

use super::device::Device;
use super::{Offer, Probe, domain, impossible, limit};
use crate::energy::Method;
use crate::source::tracked_counter::TrackedCounter;
use crate::source::{DomainKind, proof, sysfs};
use crate::units::Joules;

/// The hardware counts in units of 2^-14 J (Linux, `drivers/gpu/drm/i915/i915_hwmon.c`, and the
/// default of `PKG_POWER_SKU_UNIT`).
const QUANTUM: Joules = Joules::new(1.0 / 16384.0);

/// Whether to use the card's counter: if it moves, or if the chip's does not move either.
fn card_moves(card: &Path, chip: &Path) -> bool {
    let mut card = || sysfs::number::<u64>(card);
    let mut chip = || sysfs::number::<u64>(chip);
    proof::first_to_move(&mut [&mut card, &mut chip]) != Some(1)
}

pub(super) fn offer(driver: &str, device: &Device) -> Offer {
    if driver.starts_with("i915_gt") || driver.starts_with("xe_gt") || driver.starts_with("xe_tile")
    {
        return Offer::Left(format!("{driver} is part of {} and is not added", device.address));
    }
    if driver != "i915" && driver != "xe" {
        return Offer::Nothing;
    }
    let (card, chip) = (device.file("energy1_input"), device.file("energy2_input"));
    let chip_alone = "the chip alone: this card has no counter for all of it";
    let (file, note) = match (card.exists(), driver == "xe" && chip.exists()) {
        (true, true) if !card_moves(&card, &chip) => (
            chip,
            Some(format!(
                "{chip_alone} that moves (energy1_input stands still, energy2_input moves)"
            )),
        ),
        (true, _) => (card, None),
        (false, true) => (chip, Some(chip_alone.to_owned())),
        (false, false) => {
            return Offer::Left(format!("{driver} {} shows no energy", device.address));
        }
    };
    let label = format!("Intel GPU {}", device.address);
    let mut domain = domain(device, DomainKind::Gpu, Method::Counter, label);
    domain.sensor.counter_quantum = Some(QUANTUM);
    domain.power_limit =
        limit(&device.file("power1_max")).or_else(|| limit(&device.file("power1_crit")));
    domain.note = note;
    let followed = TrackedCounter::new(1e6, "µJ", None, impossible(domain.power_limit));
    Offer::Metered(Box::new(domain), Probe::Energy(file, followed))
}
