//! NVIDIA Jetson modules. An INA3221 measures three rails, one of which feeds the module; on Thor an INA238
//! measures only the input.
//!
//! The input rail is `VDD_IN` on Orin Nano, Orin NX, Xavier NX and TX2, and `POM_5V_IN` on the first Nano
//! (Jetson Linux Developer Guide, "Power Monitor"). The other rails are behind it.

use super::device::Device;
use super::{Offer, Probe, domain};
use crate::energy::Method;
use crate::source::{DomainKind, sysfs};
use crate::units::Watts;

/// The rails that feed a whole module.
const TOTAL: [&str; 2] = ["VDD_IN", "POM_5V_IN"];

const INPUT: &str = "the module's input: its processor, GPU and memory";

/// The sensor's offset is at most 80 µV over a shunt of 5 mΩ, or 16 mA (TI SBOS576, "Shunt voltage
/// offset"): 0.3 W at 19 V, taken as two standard deviations.
const ABSOLUTE_ERROR: Watts = Watts::new(0.15);

/// The input of a Thor, measured by an INA238: the module and its carrier board.
pub(super) fn offer_input(device: &Device) -> Offer {
    let files = ["label", "in0_label", "in1_label", "curr1_label", "power1_label"];
    let labels: Vec<_> = files.iter().filter_map(|file| sysfs::word(&device.file(file))).collect();
    if !labels.iter().any(|label| label == "VIN") {
        return Offer::Nothing;
    }
    let mut domain =
        domain(device, DomainKind::Module, Method::Integrated, "Jetson module (VIN)".to_owned());
    domain.sensor.absolute_error = ABSOLUTE_ERROR;
    domain.note = Some(
        "the input of the module and of the board that carries it: processor, GPU and memory"
            .to_owned(),
    );
    let power = device.file("power1_input");
    let probe = if power.exists() {
        Probe::Power(power)
    } else {
        Probe::Rail {
            millivolts: device.file("in1_input"),
            milliamperes: device.file("curr1_input"),
        }
    };
    Offer::Metered(Box::new(domain), probe)
}

/// An INA3221 under NVIDIA's older kernels, an IIO device: `rail_name_0`, `in_power0_input` in mW.
pub(super) fn offer_iio(device: &Device) -> Offer {
    let rail =
        |channel: u32| Some((channel, sysfs::word(&device.file(&format!("rail_name_{channel}")))?));
    let rails: Vec<_> = (0..3).filter_map(rail).collect();
    let total = rails.iter().find(|(_, name)| TOTAL.contains(&name.as_str()));
    let Some((channel, name)) = total else {
        return no_total(device, rails.iter().map(|(_, name)| name));
    };
    let mut domain =
        domain(device, DomainKind::Module, Method::Integrated, format!("Jetson module ({name})"));
    domain.sensor.absolute_error = ABSOLUTE_ERROR;
    domain.note = Some(INPUT.to_owned());
    let power = device.file(&format!("in_power{channel}_input"));
    Offer::Metered(Box::new(domain), Probe::Milliwatts(power))
}

fn no_total<'a>(device: &Device, labels: impl Iterator<Item = &'a String>) -> Offer {
    let labels: Vec<_> = labels.map(String::as_str).collect();
    Offer::Left(format!(
        "{} {} measures {}, none of which feeds a whole module",
        device.driver,
        device.address,
        if labels.is_empty() { "rails without a name".to_owned() } else { labels.join(", ") }
    ))
}

pub(super) fn offer(device: &Device) -> Offer {
    let rails: Vec<(u32, String)> = (1..=3)
        .filter_map(|channel| {
            Some((channel, sysfs::word(&device.file(&format!("in{channel}_label")))?))
        })
        .collect();
    let total = rails.iter().find(|(_, label)| TOTAL.contains(&label.as_str()));
    let Some((channel, rail)) = total else {
        return no_total(device, rails.iter().map(|(_, label)| label));
    };
    let label = format!("Jetson module ({rail})");
    let mut domain = domain(device, DomainKind::Module, Method::Integrated, label);
    let interval = sysfs::number::<u32>(&device.file("update_interval")).ok();
    let interval = interval.filter(|millis| *millis > 0);
    domain.sensor.power_period_s = interval.map(|millis| f64::from(millis) * 1e-3);
    domain.sensor.absolute_error = ABSOLUTE_ERROR;
    domain.note = Some(INPUT.to_owned());
    let probe = Probe::Rail {
        millivolts: device.file(&format!("in{channel}_input")),
        milliamperes: device.file(&format!("curr{channel}_input")),
    };
    Offer::Metered(Box::new(domain), probe)
}
