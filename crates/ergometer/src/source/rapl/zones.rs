//! Finds the powercap zones and selects those to be metered.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::{cmp, fs};

use super::Level;
use super::part::Part;

/// A zone's position in the control type: `intel-rapl:0:1` is `[0, 1]`. It orders by number, so zone 10
/// comes after zone 9.
type Address = Vec<u32>;

/// A zone to be metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    /// `package-0`, `package-0:dram` or `psys`.
    pub(super) id: String,
    /// What it measures.
    pub(super) part: Part,
    /// The zone's folder.
    pub(super) folder: PathBuf,
}

/// The content of the powercap folders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Zones {
    /// Packages, each followed by its memory.
    pub(super) metered: Vec<Zone>,
    /// Remarks on zones that were left out, with the reason.
    pub(super) remarks: Vec<String>,
    /// Whether a powercap folder exists.
    pub(super) powercap: bool,
    /// Whether there are zones of the other scope.
    pub(super) others: bool,
    /// Number of entries whose name could not be read, as in a masked sysfs.
    pub(super) nameless: usize,
}

/// Finds the zones of `scope` below `sysfs_root`, by their `name` files.
pub(super) fn find(sysfs_root: &Path, scope: Level) -> Zones {
    let mut zones = Zones::default();
    let mut names = BTreeMap::new();
    for start in ["class/powercap", "devices/virtual/powercap"] {
        let start = sysfs_root.join(start);
        zones.powercap |= start.is_dir();
        // The class folder lists all zones; the device folders nest zones in their control type and
        // subzones in their zone.
        collect(&start, 0, &mut names, &mut zones.nameless);
        if !names.is_empty() {
            break;
        }
    }
    choose(&names, scope, &mut zones);
    zones
}

fn collect(
    folder: &Path,
    depth: usize,
    names: &mut BTreeMap<Address, (String, PathBuf)>,
    nameless: &mut usize,
) {
    const DEEPEST: usize = 3;
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else { continue };
        if file_name == "intel-rapl" {
            if depth < DEEPEST {
                collect(&path, depth + 1, names, nameless);
            }
            continue;
        }
        // `intel-rapl-mmio:0` shows package 0 a second time, through another register.
        let Some(address) = file_name.strip_prefix("intel-rapl:").and_then(address) else {
            continue;
        };
        match fs::read_to_string(path.join("name")) {
            Ok(name) => {
                names.entry(address).or_insert_with(|| (name.trim().to_owned(), path.clone()));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(_) => *nameless += 1,
        }
        if depth < DEEPEST {
            collect(&path, depth + 1, names, nameless);
        }
    }
}

fn address(numbers: &str) -> Option<Address> {
    numbers.split(':').map(|number| number.parse().ok()).collect()
}

fn choose(names: &BTreeMap<Address, (String, PathBuf)>, scope: Level, zones: &mut Zones) {
    let mut packages: BTreeMap<&Address, String> = BTreeMap::new();
    for (address, (name, folder)) in names {
        let above: Option<Address> = address.split_last().map(|(_, parent)| parent.to_vec());
        let parent = above.as_ref().and_then(|above| names.get(above));
        let (id, part) = match (name.as_str(), parent) {
            (name, None) if name.starts_with("package-") => {
                // Two packages of the same name are two, unless they show one counter, which is checked
                // later.
                let taken = packages.values().any(|known| known == name);
                let number = address.first().copied().unwrap_or_default();
                let id = if taken { format!("{name}-zone-{number}") } else { name.to_owned() };
                packages.insert(address, id.clone());
                (id, Part::Package)
            }
            ("dram", Some((parent, _))) => {
                let parent = above.as_ref().and_then(|above| packages.get(above)).unwrap_or(parent);
                (format!("{parent}:dram"), Part::Dram)
            }
            ("psys", _) => ("psys".to_owned(), Part::Platform),
            // Both are part of the package and counted with it.
            ("core" | "uncore", _) => continue,
            (other, _) => {
                zones.remarks.push(format!("zone '{other}' is not known and not added"));
                continue;
            }
        };
        if (part == Part::Platform) != (scope == Level::Platform) {
            if part == Part::Platform {
                zones
                    .remarks
                    .push("psys contains the packages and is not added to them".to_owned());
            }
            zones.others = true;
            continue;
        }
        if zones.metered.iter().any(|zone| zone.id == id) {
            zones.remarks.push(format!("a second zone is called '{id}' and is not added"));
            continue;
        }
        zones.metered.push(Zone { id, part, folder: folder.clone() });
    }
    zones.metered.sort_by(|a, b| natural(&a.id, &b.id));
}

/// Orders `package-2` before `package-10`.
fn natural(a: &str, b: &str) -> cmp::Ordering {
    let key = |id: &str| -> Vec<(u32, String)> {
        id.split(['-', ':'])
            .map(|part| (part.parse().unwrap_or(u32::MAX), part.to_owned()))
            .collect()
    };
    key(a).cmp(&key(b))
}
