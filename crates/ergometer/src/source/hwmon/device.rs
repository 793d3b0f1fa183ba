//! Which hwmon devices there are, and what each hangs on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::sysfs;

/// One entry of the class folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// The folder with its files.
    pub(super) folder: PathBuf,
    /// What its `name` file says: `amdgpu`.
    pub(super) driver: String,
    /// Where the device sits: a PCI address, an I²C address; the entry's own name where the kernel
    /// does not say.
    pub(super) address: String,
}

impl Device {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of the device itself, behind the hwmon entry.
    pub(super) fn parent(&self, name: &str) -> PathBuf {
        self.folder.join("device").join(name)
    }

    pub(super) fn pci_address(&self) -> Option<String> {
        is_pci(&self.address).then(|| self.address.clone())
    }
}

/// Lists the entries of `class` (`/sys/class/hwmon`) by their address.
pub(super) fn find(class: &Path) -> Vec<Device> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut devices: Vec<_> = entries
        .filter_map(|entry| {
            let folder = entry.path();
            let driver = sysfs::word(&folder.join("name"))?;
            let behind = fs::canonicalize(folder.join("device")).ok();
            let address =
                behind.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
            let own = entry.file_name();
            let address = address.or(own.to_str())?.to_owned();
            Some(Device { folder, driver, address })
        })
        .collect();
    devices.sort_by(|a, b| (&a.address, &a.folder).cmp(&(&b.address, &b.folder)));
    devices
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
    fn pci_addresses() {
        assert!(is_pci("0000:03:00.0") && is_pci("10000:e1:00.7"));
        for other in ["1-0040", "hwmon3", "0000:03:00", "0000:03:00.00", "000g:03:00.0", ""] {
            assert!(!is_pci(other), "{other}");
        }
    }
}
