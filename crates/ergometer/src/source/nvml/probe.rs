//! Who a board is, and what is known of its sensors.

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::Brand;
use nvml_wrapper::enums::device::DeviceArchitecture;
use nvml_wrapper::error::NvmlError;

use super::NAME;
use super::history::{self, Sensed};
use super::reader;
use crate::energy::Method;
use crate::source::nvml::query::{self, Way, Ways};
use crate::source::{Domain, DomainKind, Sensor};
use crate::units::{Joules, Watts};

/// Gain error of a board's sensor: proportional, different from board to board, within ±5 %
/// (Yang et al. 2024, section on steady state). Taken as one standard deviation, as the ±5 %
/// come from few boards of a kind.
const GAIN_ERROR: f64 = 0.05;

/// Seconds between updates of the counter, as long as they are not known: most boards since Turing
/// (Yang et al. 2024, table of update periods).
pub(super) const PERIOD: f64 = 0.1;

/// Where a read of the counter takes more seconds of a processor, it cannot be read at each of its updates, and the
/// driver's own samples of power tell more for less: 3 ms and 0.3 ms on an H200 (`docs/measurements`).
const COSTLY: f64 = 0.000_5;

/// What is known of a board before it is read.
pub(super) struct Profile {
    pub domain: Domain,
    pub ways: Ways,
    /// Seconds over which a power sample is averaged.
    pub window: f64,
    /// How power is read if the driver gives its own samples no more, where those are used.
    pub instead: Option<Sensed>,
    /// It is made for the desk.
    pub consumer: bool,
}

impl Profile {
    /// Asks `device` who it is and what it can tell.
    pub(super) fn of(device: &Device) -> Result<Self, String> {
        let uuid = device.uuid().map_err(|error| format!("its UUID cannot be read: {error}"))?;
        let mut ways = Ways::of(device);
        let name = device.name().unwrap_or_else(|_| "NVIDIA board".to_owned());
        let register = sensor(device.architecture().ok(), &name, ways.power);
        let history = history(device, ways);
        if history.is_some() {
            ways.power = Way::Samples;
        }
        let instead = history.map(|_| register);
        let Sensed { period, window, .. } = match history {
            Some(spacing) => Sensed { way: Way::Samples, period: spacing, window: spacing },
            None => register,
        };
        let Ways { energy, power } = ways;
        let method = match (energy, power) {
            (Way::None, Way::None) => {
                return Err(match device.power_usage() {
                    Ok(_) | Err(NvmlError::NotSupported) => {
                        "it has neither an energy counter nor a power sensor".to_owned()
                    }
                    Err(error) => format!("its power cannot be read: {error}"),
                });
            }
            (Way::None, _) => Method::Integrated,
            _ => Method::Counter,
        };
        let consumer = name.contains("GeForce")
            || matches!(device.brand(), Ok(Brand::GeForce | Brand::GeForceRTX | Brand::Titan));
        let domain = Domain {
            id: format!("{NAME}:{uuid}"),
            kind: DomainKind::Gpu,
            source: NAME.to_owned(),
            method,
            sensor: Sensor {
                counter_period_s: (energy != Way::None).then_some(PERIOD),
                counter_quantum: (energy != Way::None).then_some(Joules::new(0.001)),
                power_period_s: (power != Way::None).then_some(period),
                power_window_s: (power != Way::None).then_some(window),
                relative_error: GAIN_ERROR,
                absolute_error: Watts::ZERO,
            },
            pci_address: device.pci_info().ok().map(|pci| {
                // Function 0: the others of a board are its audio and USB controllers.
                format!("{:04x}:{:02x}:{:02x}.0", pci.domain, pci.bus, pci.device)
            }),
            power_limit: device
                .enforced_power_limit()
                .ok()
                .map(|milliwatts| Watts::new(f64::from(milliwatts) / 1000.0)),
            note: note(device, &name, power, window),
            label: name,
        };
        Ok(Self { domain, ways, window, instead, consumer })
    }
}

/// Seconds between the driver's own samples of power, where they are to be used: beside a counter whose reads are
/// costly, on boards where it is known what a sample is. On a Hopper it is the mean power since the one before. Power can
/// be read by itself there too, with about as short a mean, if the driver gives no samples any more.
fn history(device: &Device, ways: Ways) -> Option<f64> {
    let known = device.architecture().ok() == Some(DeviceArchitecture::Hopper);
    if !known || ways.energy == Way::None || ways.power != Way::Field {
        return None;
    }
    let read = || {
        let before = reader::seconds();
        device.total_energy_consumption().ok()?;
        Some(reader::seconds() - before)
    };
    let quickest = read()?.min(read()?).min(read()?);
    if quickest < COSTLY {
        return None;
    }
    history::spacing(&query::past(device).ok()?)
}

/// Seconds between updates of the power sensor, and seconds that it averages (Yang et al. 2024,
/// results by architecture).
fn sensor(architecture: Option<DeviceArchitecture>, name: &str, power: Way) -> Sensed {
    use DeviceArchitecture::{Ampere, Hopper, Maxwell, Pascal, Turing, Volta};
    let quarter = ["A100", "A30", "A800", "H100", "H200", "H800", "GH200"];
    let data_centre = quarter.iter().any(|board| name.contains(board));
    let (period, window) = match (architecture, power) {
        (Some(Pascal | Volta), _) => (0.02, 0.01),
        (Some(Ampere), Way::Field | Way::Call) if data_centre => (0.1, 0.025),
        (Some(Hopper), Way::Field) => (0.1, 0.025),
        (Some(Maxwell | Turing), _) => (0.1, 0.1),
        (_, Way::Call) => (0.1, 1.0),
        _ if data_centre => (0.1, 0.025),
        _ => (0.1, 0.1),
    };
    Sensed { way: power, period, window }
}

fn note(device: &Device, name: &str, power: Way, window: f64) -> Option<String> {
    let mut notes = Vec::new();
    if device.mig_mode().is_ok_and(|mode| mode.current == 1) {
        notes.push(
            "shared: MIG is on and the sensors show the whole board, whoever uses its instances",
        );
    }
    if name.contains("GH200") {
        notes.push("instantaneous power of a Grace Hopper module may contain its CPU");
    }
    if power == Way::Samples {
        notes.push("power is the driver's own samples");
    }
    if power != Way::None && window >= 0.5 {
        notes.push(
            "power is a 1 s average; its readings are placed in the middle of what they average",
        );
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}
