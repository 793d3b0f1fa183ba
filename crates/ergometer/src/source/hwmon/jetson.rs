//! NVIDIA Jetson modules: an INA3221 measures three rails, of which one feeds the module.
//!
//! `VDD_IN` on Orin Nano, Orin NX, Xavier NX and TX2, `POM_5V_IN` on the first Nano (Jetson Linux
//! Developer Guide, "Power Monitor"); the other rails are behind it.

use super::device::Device;
use super::{Offer, Probe, domain};
use crate::meter::Method;
use crate::source::{DomainKind, sysfs};
use crate::units::Watts;

/// The rails that feed a whole module.
const TOTAL: [&str; 2] = ["VDD_IN", "POM_5V_IN"];

/// The sensor's offset of 80 µV at most over a shunt of 5 mΩ is 16 mA (TI SBOS576, "Shunt voltage
/// offset"): 0.3 W at 19 V, taken as two standard deviations.
const ABSOLUTE_ERROR: Watts = Watts::new(0.15);

pub(super) fn offer(device: &Device) -> Offer {
    let rails: Vec<(u32, String)> = (1..=3)
        .filter_map(|channel| {
            Some((channel, sysfs::word(&device.file(&format!("in{channel}_label")))?))
        })
        .collect();
    let total = rails.iter().find(|(_, label)| TOTAL.contains(&label.as_str()));
    let Some((channel, rail)) = total else {
        let labels: Vec<_> = rails.iter().map(|(_, label)| label.as_str()).collect();
        return Offer::Left(format!(
            "ina3221 {} measures {}, none of which feeds a whole module",
            device.address,
            if labels.is_empty() { "rails without a name".to_owned() } else { labels.join(", ") }
        ));
    };
    let label = format!("Jetson module ({rail})");
    let mut domain = domain(device, DomainKind::Module, Method::Integrated, label);
    let interval = sysfs::number::<u32>(&device.file("update_interval")).ok();
    let interval = interval.filter(|millis| *millis > 0);
    domain.sensor.power_period_s = interval.map(|millis| f64::from(millis) * 1e-3);
    domain.sensor.absolute_error = ABSOLUTE_ERROR;
    domain.note = Some("the module's input: its processor, GPU and memory".to_owned());
    let probe = Probe::Rail {
        millivolts: device.file(&format!("in{channel}_input")),
        milliamperes: device.file(&format!("curr{channel}_input")),
    };
    Offer::Metered(Box::new(domain), probe)
}
