//! Devices whose drivers report power through the kernel's hardware monitoring (hwmon).
//!
//! | driver | what is read | domain |
//! |---|---|---|
//! | `amdgpu` | `power1_input`, or `power1_average` where the board has only that; the energy accumulator of MI200 and MI300 in `gpu_metrics` | `gpu`; an APU: `cpu-package` |
//! | `i915`, `xe` | `energy1_input`, the card's energy counter | `gpu` |
//! | `ina3221`, `ina238` | volts × amperes, or the power, of a Jetson module's input rail | `module` |
//! | `ina3221x` (IIO) | the power of that rail on older Jetsons | `module` |
//! | `power_meter` | `power1_average` of an NVIDIA Grace socket | `cpu-package`, with its memory |
//! | `zenergy`, `amd_energy` | `energyN_input` of each socket | `cpu-package` |
//!
//! Every other device that shows a power or an energy is named in the remarks and not used, since it is not
//! known what its sensor covers.
//!
//! Nothing is counted twice. A processor is metered only where there is no RAPL. Tiles (`i915_gt0`) and the
//! chip (`energy2_input`) are part of the card, and a Jetson's other rails are behind its input rail, so
//! neither is added. The power of an AMD APU (a processor with a GPU in it) covers its whole package. It is
//! metered as a `cpu-package`, only where there is no RAPL. NVIDIA's boards are not hwmon devices.
//!
//! Devices are identified by their PCI address (`hwmon:0000:03:00.0`), a Jetson's sensor by its address on
//! the I²C bus. The number in `hwmon3` changes between boots.
//!
//! Not covered: the energy accumulator of AMD's other boards, whose unit is not documented; the second die of an MI200
//! board, whose power is included in the first die's; Jetson AGX modules, which have no rail for the whole module.

mod accumulator;
mod amdgpu;
mod device;
mod intel;
mod jetson;
mod socket;

use std::io;
use std::path::{Path, PathBuf};

use super::boards::{Board, Choice, Maker};
use super::sysfs::{self, permit};
use super::{
    Availability, Domain, DomainKind, PowerSource, Reading, Request, Sensor, SourceReport, Value,
};
use crate::clock;
use crate::energy::Method;
use crate::source::tracked_counter::TrackedCounter;
use crate::units::Watts;
use accumulator::Accumulator;
use device::Device;

/// The source's name.
pub(crate) const NAME: &str = "hwmon";

/// No such device draws more; the largest boards are specified for 1400 W.
pub(crate) const IMPOSSIBLE: Watts = Watts::new(3000.0);

/// Relative standard uncertainty of the gain. None is published for these sensors, so the figure measured
/// for NVIDIA's is used (Yang, Adamek, Armour, SC24, doi 10.1109/SC41406.2024.00028).
pub(crate) const RELATIVE_ERROR: f64 = 0.05;

/// The devices that can be read.
#[derive(Debug)]
pub struct Hwmon {
    domains: Vec<Domain>,
    probes: Vec<Probe>,
    /// Whether a processor's sensor includes its memory.
    memory_inside: bool,
}

/// The boards of AMD and Intel that the kernel shows, in the order of their addresses.
pub(super) fn boards(sysfs_root: &Path) -> Vec<Board> {
    let devices = device::find(&sysfs_root.join("class/hwmon"));
    let board = |device: &Device| {
        let maker = match device.driver.as_str() {
            "amdgpu" => Maker::Amd,
            driver if is_intel(driver) => Maker::Intel,
            _ => return None,
        };
        let uuid = sysfs::word(&device.parent("unique_id")).map(|id| format!("GPU-{id}"));
        Some(Board { maker, address: device.address.clone(), uuid })
    };
    devices.iter().filter_map(board).collect()
}

fn is_intel(driver: &str) -> bool {
    driver == "i915" || driver == "xe"
}

/// How a device is read.
#[derive(Debug)]
enum Probe {
    /// Power in µW.
    Power(PathBuf),
    /// The same of a board with an energy accumulator.
    Accumulated(PathBuf, Box<Accumulator>),
    /// Energy in µJ.
    Energy(PathBuf, TrackedCounter),
    /// Power in mW.
    Milliwatts(PathBuf),
    /// A rail's mV and mA.
    Rail { millivolts: PathBuf, milliamperes: PathBuf },
}

/// What the driver of a device offers.
enum Offer {
    /// A domain and how to read it.
    Metered(Box<Domain>, Probe),
    /// The same, with a remark.
    Remarked(Box<Domain>, Probe, String),
    /// Several domains.
    Several(Vec<(Domain, Probe)>),
    /// The device is left out, for this reason.
    Left(String),
    /// A board that is not among those which this list selects.
    Hidden(&'static str),
    /// The device shows neither power nor energy.
    Nothing,
}

impl Offer {
    /// What `device` offers, unless it is a board that `choice` hides.
    fn of(device: &Device, package_source: Option<&str>, choice: &Choice) -> Self {
        let list = choice.hides(&device.address);
        let offer = match (device.driver.as_str(), list) {
            ("amdgpu", _) => amdgpu::offer(device, package_source),
            ("ina3221", _) => jetson::offer(device),
            ("ina3221x", _) => jetson::offer_iio(device),
            ("ina238", _) => jetson::offer_input(device),
            ("power_meter", _) => socket::offer_grace(device, package_source),
            ("zenergy" | "amd_energy", _) => socket::offer_amd(device, package_source),
            // Not opened at all.
            (driver, Some(list)) if is_intel(driver) => Self::Hidden(list),
            (driver, _) => intel::offer(driver, device),
        };
        match (offer, list) {
            (Self::Metered(domain, _) | Self::Remarked(domain, ..), Some(list))
                if domain.kind == DomainKind::Gpu =>
            {
                Self::Hidden(list)
            }
            (offer, _) => offer,
        }
    }
}

impl Hwmon {
    /// Looks for devices below `sysfs_root` (`/sys`) and reports what was found. `package_source` is the
    /// source that already meters the processor's package, if any.
    #[must_use]
    pub fn open(sysfs_root: &Path, package_source: Option<&str>) -> (Option<Self>, SourceReport) {
        Self::open_chosen(sysfs_root, package_source, &Choice::default())
    }

    /// The same without the boards that `choice` hides.
    pub(super) fn open_chosen(
        sysfs_root: &Path,
        package_source: Option<&str>,
        choice: &Choice,
    ) -> (Option<Self>, SourceReport) {
        let class = sysfs_root.join("class/hwmon");
        let mut hwmon = Self { domains: Vec::new(), probes: Vec::new(), memory_inside: false };
        let mut remarks = choice.remarks.clone();
        let mut denied = Vec::new();
        let mut hidden = None;
        let devices = device::find(&class);
        let iio = device::find(&sysfs_root.join("bus/iio/devices"));
        for device in devices.iter().chain(&iio) {
            match Offer::of(device, package_source, choice) {
                Offer::Metered(domain, probe) => {
                    hwmon.memory_inside |= device.driver == "power_meter";
                    hwmon.add(*domain, probe, &mut denied, &mut remarks);
                }
                Offer::Remarked(domain, probe, remark) => {
                    remarks.push(format!("{}: {remark}", domain.id));
                    hwmon.add(*domain, probe, &mut denied, &mut remarks);
                }
                Offer::Several(offers) => {
                    for (domain, probe) in offers {
                        hwmon.add(domain, probe, &mut denied, &mut remarks);
                    }
                }
                Offer::Left(why) => remarks.push(why),
                Offer::Hidden(list) => {
                    hidden = Some(list);
                    let address = &device.address;
                    remarks.push(format!("board {address} is not among {list} and is not metered"));
                }
                Offer::Nothing => remarks.extend(device.unused()),
            }
        }
        if !denied.is_empty() && !hwmon.probes.is_empty() {
            remarks.push(format!("permission denied for some devices; {}", permit(&denied)));
        }
        let availability = if hwmon.probes.is_empty() {
            nothing_to_read(&class, &denied, hidden)
        } else {
            Availability::Available
        };
        let domains = hwmon.domains.iter().map(|domain| domain.id.clone()).collect();
        let report = SourceReport { source: NAME.to_owned(), availability, domains, remarks };
        ((!hwmon.probes.is_empty()).then_some(hwmon), report)
    }

    /// Whether its reading of the processor includes the memory.
    pub(super) const fn has_memory_inside(&self) -> bool {
        self.memory_inside
    }

    fn add(
        &mut self,
        domain: Domain,
        probe: Probe,
        denied: &mut Vec<PathBuf>,
        remarks: &mut Vec<String>,
    ) {
        if self.domains.iter().any(|other| other.id == domain.id) {
            remarks.push(format!("{} appears a second time and is not added", domain.id));
            return;
        }
        let module = |other: &&Domain| other.kind == DomainKind::Module;
        if domain.kind == DomainKind::Module
            && let Some(other) = self.domains.iter().find(module)
        {
            let (id, other) = (&domain.id, &other.id);
            remarks.push(format!("{id} feeds the module that {other} measures, and is not added"));
            return;
        }
        for file in probe.files() {
            match Trial::of(sysfs::number::<i64>(file)) {
                Trial::Works => {}
                Trial::Asleep => remarks.push(format!(
                    "{} does not answer, as when a device sleeps; it is tried again later",
                    domain.id
                )),
                Trial::Denied => {
                    remarks.push(format!("{}: permission denied", domain.id));
                    denied.push(file.to_owned());
                    return;
                }
                Trial::Broken(error) => {
                    remarks.push(format!(
                        "{}: {} cannot be read: {error}",
                        domain.id,
                        file.display()
                    ));
                    return;
                }
            }
        }
        self.domains.push(domain);
        self.probes.push(probe);
    }
}

/// Result of a first read.
#[derive(Debug)]
enum Trial {
    Works,
    /// The device sleeps or is being reset, and may answer later.
    Asleep,
    /// This user may not read the file.
    Denied,
    Broken(io::Error),
}

impl Trial {
    fn of(read: io::Result<i64>) -> Self {
        /// Operation not permitted: amdgpu's answer while the board sleeps or is reset.
        const EPERM: i32 = 1;
        match read {
            Ok(_) => Self::Works,
            Err(error) if error.raw_os_error() == Some(EPERM) => Self::Asleep,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Self::Denied,
            Err(error) => Self::Broken(error),
        }
    }
}

impl Probe {
    fn files(&self) -> impl Iterator<Item = &Path> {
        let (first, second) = match self {
            Self::Power(file)
            | Self::Accumulated(file, _)
            | Self::Milliwatts(file)
            | Self::Energy(file, _) => (file, None),
            Self::Rail { millivolts, milliamperes } => (millivolts, Some(milliamperes)),
        };
        [Some(first), second].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// Why no device is metered, and the remedy.
fn nothing_to_read(class: &Path, denied: &[PathBuf], hidden: Option<&str>) -> Availability {
    let (reason, remedy) = match (denied, hidden) {
        ([first, ..], _) => {
            (format!("permission denied reading {}", first.display()), permit(denied))
        }
        ([], Some(list)) => (
            format!("no AMD or Intel board is among {list}"),
            "name the boards it trains on, or meter all with `MeterBuilder::devices`".to_owned(),
        ),
        ([], None) => (
            format!(
                "no AMD or Intel GPU and no Jetson module that shows its power under {}",
                class.display()
            ),
            "where there is one, load its driver (amdgpu, i915 or xe, ina3221 or ina238); in a \
             container, mount the host's /sys"
                .to_owned(),
        ),
    };
    Availability::Unavailable { reason, remedy }
}

impl PowerSource for Hwmon {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Reads every device on any request.
    fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
        for (domain, probe) in self.probes.iter_mut().enumerate() {
            let before = clock::checked_now();
            let raw = probe.files().map(sysfs::number::<i64>).collect::<io::Result<Values>>();
            let half = clock::checked_now().since(before) / 2;
            let at = before.after(half);
            let most = impossible(self.domains[domain].power_limit);
            let mut push =
                |value| readings.push(Reading::new(domain, at, value).known_within(half));
            match (raw, probe) {
                (Ok(raw), Probe::Energy(file, followed)) => match u64::try_from(raw.0[0]) {
                    Ok(raw) => followed.take(raw, at, push),
                    Err(_) => push(Value::Missing(format!("{} is negative", file.display()))),
                },
                (Ok(raw), Probe::Power(_)) => push(power(raw.0[0] as f64 * 1e-6, most)),
                (Ok(raw), Probe::Accumulated(_, accumulator)) => {
                    let watts = raw.0[0] as f64 * 1e-6;
                    accumulator.take(watts, at, &mut push);
                    push(power(watts, most));
                }
                (Ok(raw), Probe::Milliwatts(_)) => push(power(raw.0[0] as f64 * 1e-3, most)),
                (Ok(raw), Probe::Rail { .. }) => {
                    // Two wrong signs would multiply to a plausible power.
                    let watts = raw.0[0] as f64 * raw.0[1] as f64 * 1e-6;
                    let wrong = raw.0.iter().all(|raw| *raw < 0);
                    push(power(if wrong { -watts } else { watts }, most));
                }
                (Err(error), probe) => {
                    let file = probe.files().next().map(Path::display);
                    let file = file.map(|file| file.to_string()).unwrap_or_default();
                    push(Value::Missing(format!("{file} cannot be read: {error}")));
                }
            }
        }
    }
}

/// Up to two numbers, stored without an allocation.
struct Values([i64; 2]);

impl FromIterator<i64> for Values {
    fn from_iter<I: IntoIterator<Item = i64>>(numbers: I) -> Self {
        let mut values = [0; 2];
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = number;
        }
        Self(values)
    }
}

/// A power of `watts`, or a missing value if it is not between 0 and `most`.
fn power(watts: f64, most: Watts) -> Value {
    if (0.0..=most.get()).contains(&watts) {
        Value::Power(Watts::new(watts))
    } else {
        Value::Missing(format!("{watts} W is not a power; it must lie between 0 and {most}"))
    }
}

/// A domain of `device` with the fields that all domains have in common.
fn domain(device: &Device, kind: DomainKind, method: Method, label: String) -> Domain {
    Domain {
        id: format!("{NAME}:{}", device.address),
        kind,
        label,
        source: NAME.to_owned(),
        method,
        sensor: Sensor {
            counter_period_s: None,
            counter_quantum: None,
            power_period_s: None,
            power_window_s: None,
            relative_error: RELATIVE_ERROR,
            absolute_error: Watts::ZERO,
        },
        pci_address: device.pci_address(),
        power_limit: None,
        note: None,
    }
}

/// A board's power above its limit times this is impossible. The margin is large because limits may be
/// raised while a program runs, and power may exceed them briefly.
const BEYOND_LIMIT: f64 = 4.0;

/// The lowest power that is impossible for a device with this limit.
fn impossible(limit: Option<Watts>) -> Watts {
    limit.map_or(IMPOSSIBLE, |limit| (limit * BEYOND_LIMIT).min(IMPOSSIBLE))
}

/// A limit in µW; `None` if it is 0 or cannot be read.
fn limit(file: &Path) -> Option<Watts> {
    let microwatts = sysfs::number::<u64>(file).ok()?;
    (microwatts > 0).then(|| Watts::new(microwatts as f64 * 1e-6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeping_device_is_asked_again_and_a_forbidden_one_is_not() {
        let error = |code| Err(io::Error::from_raw_os_error(code));
        assert!(matches!(Trial::of(Ok(0)), Trial::Works));
        assert!(matches!(Trial::of(error(1)), Trial::Asleep), "EPERM");
        assert!(matches!(Trial::of(error(13)), Trial::Denied), "EACCES");
        assert!(matches!(Trial::of(error(19)), Trial::Broken(_)), "ENODEV");
    }

    #[test]
    fn what_is_no_power_is_missing() {
        let most = impossible(None);
        assert_eq!(power(0.0, most), Value::Power(Watts::ZERO));
        assert_eq!(power(355.5, most), Value::Power(Watts::new(355.5)));
        for watts in [-0.1, 3000.1, 1e12] {
            assert!(matches!(power(watts, most), Value::Missing(_)), "{watts}");
        }
        let most = impossible(Some(Watts::new(300.0)));
        assert_eq!(power(1199.0, most), Value::Power(Watts::new(1199.0)));
        assert!(matches!(power(1201.0, most), Value::Missing(_)));
    }
}
