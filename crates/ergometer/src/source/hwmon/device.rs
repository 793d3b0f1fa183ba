//! The hwmon devices and the bus addresses that they sit at.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::sysfs;

/// An entry of the class folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// The folder with its files.
    pub(super) folder: PathBuf,
    /// The content of its `name` file: `amdgpu`.
    pub(super) driver: String,
    /// A PCI or I²C address; the entry's own name where the kernel shows no address.
    pub(super) address: String,
}

impl Device {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of the device behind the hwmon entry.
    pub(super) fn parent(&self, name: &str) -> PathBuf {
        self.folder.join("device").join(name)
    }

    /// A file of the entry or, with older drivers, of the device behind it.
    pub(super) fn either(&self, name: &str) -> PathBuf {
        let own = self.file(name);
        if own.exists() { own } else { self.parent(name) }
    }

    /// A remark on a device that shows a power or an energy and is not used.
    pub(super) fn unused(&self) -> Option<String> {
        let shows = |folder: &Path| {
            let names = fs::read_dir(folder).into_iter().flatten().flatten();
            let mut names: Vec<String> =
                names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            names.into_iter().find(|name| is_reading(name))
        };
        let file = shows(&self.folder).or_else(|| shows(&self.folder.join("device")))?;
        let Self { driver, address, .. } = self;
        Some(format!(
            "{driver} {address} shows {file}, which is not used: it is not known what that sensor covers"
        ))
    }

    pub(super) fn pci_address(&self) -> Option<String> {
        is_pci(&self.address).then(|| self.address.clone())
    }
}

/// The entries of `class` (`/sys/class/hwmon`), ordered by address.
pub(super) fn find(class: &Path) -> Vec<Device> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut devices: Vec<_> = entries
        .filter_map(|entry| {
            let folder = entry.path();
            let driver = sysfs::word(&folder.join("name"))?;
            let behind = fs::canonicalize(folder.join("device")).ok();
            let last = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
            // An IIO entry is the device itself; its parent folder is the device that it sits on.
            let around = || fs::canonicalize(&folder).ok()?.parent().and_then(last);
            let address = behind.as_deref().and_then(last);
            let address = address.or_else(|| around().filter(|name| is_i2c(name)));
            let own = entry.file_name();
            let address = address.or_else(|| own.to_str().map(ToOwned::to_owned))?;
            Some(Device { folder, driver, address })
        })
        .collect();
    devices.sort_by(|a, b| (&a.address, &a.folder).cmp(&(&b.address, &b.folder)));
    devices
}

/// Whether `text` is an address on an I²C bus, `6-0040`.
fn is_i2c(text: &str) -> bool {
    text.split_once('-').is_some_and(|(bus, address)| {
        let number = !bus.is_empty() && bus.bytes().all(|byte| byte.is_ascii_digit());
        number && address.len() == 4 && address.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether a file of this name shows a power or an energy: `power1_input`, `in_power0_input`.
fn is_reading(name: &str) -> bool {
    let name = name.strip_prefix("in_").unwrap_or(name);
    let number = name.strip_prefix("power").or_else(|| name.strip_prefix("energy"));
    let rest = number.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    matches!(rest, Some("_input" | "_average"))
}

/// Whether `text` is a PCI address, `0000:03:00.0`.
fn is_pci(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let Some((place, function)) = text.rsplit_once('.') else { return false };
    let parts: Vec<_> = place.split(':').collect();
    let [domain, bus, device] = parts[..] else { return false };
    // Some machines have PCI domains of five digits.
    (hex(domain, 4) || hex(domain, 5)) && hex(bus, 2) && hex(device, 2) && hex(function, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_known_by_their_names() {
        for name in ["power1_input", "power12_average", "energy3_input", "in_power0_input"] {
            assert!(is_reading(name), "{name}");
        }
        for name in ["power1_cap", "temp1_input", "in1_input", "energy1_label", "power"] {
            assert!(!is_reading(name), "{name}");
        }
        assert!(is_i2c("6-0040") && !is_i2c("devices") && !is_i2c("0000:03:00.0"));
    }

    #[test]
    fn pci_addresses() {
        assert!(is_pci("0000:03:00.0") && is_pci("10000:e1:00.7"));
        for other in ["1-0040", "hwmon3", "0000:03:00", "0000:03:00.00", "000g:03:00.0", ""] {
            assert!(!is_pci(other), "{other}");
        }
    }
}
