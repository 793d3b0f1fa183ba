//! The `power` PMU, as sysfs describes it.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::source::rapl::Level;
use crate::source::rapl::part::Part;
use crate::source::{Availability, sysfs};

/// Plausible joules per unit: the kernel states 2^-32 J (`arch/x86/events/rapl.c`), and the coarsest
/// register counts whole joules.
const UNITS: RangeInclusive<f64> = 1e-12..=1.0;

/// The PMU, with the events and sockets to be metered.
#[derive(Debug)]
pub(super) struct Pmu {
    pub(super) folder: PathBuf,
    pub(super) events: Vec<Event>,
    pub(super) sockets: Vec<Socket>,
}

/// One of its events.
#[derive(Debug)]
pub(super) struct Event {
    /// `energy-pkg`.
    pub(super) name: &'static str,
    pub(super) part: Part,
    /// Joules per unit.
    pub(super) joules: f64,
}

/// The processor to read a socket on, or a die where a socket has several registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) cpu: usize,
    /// `package-0`, or `package-0-die-1`, as in powercap.
    pub(super) id: String,
}

impl Event {
    /// The domain's identity within the source, the same as powercap's.
    pub(super) fn id(&self, socket: &Socket) -> String {
        match self.part {
            Part::Package => socket.id.clone(),
            Part::Dram => format!("{}:dram", socket.id),
            Part::Platform => "psys".to_owned(),
        }
    }
}

/// Reads the PMU's description; the error says why there is nothing to meter.
pub(super) fn find(
    sysfs_root: &Path,
    scope: Level,
    remarks: &mut Vec<String>,
) -> Result<Pmu, Availability> {
    let folder = sysfs_root.join("bus/event_source/devices/power");
    let unavailable = |reason: String, remedy: &str| {
        Err(Availability::Unavailable { reason, remedy: remedy.to_owned() })
    };
    if !folder.is_dir() {
        return unavailable(
            format!("the kernel shows no energy counters: no {}", folder.display()),
            "load the driver with `sudo modprobe rapl`; virtual machines and processors without \
             RAPL have none",
        );
    }
    let wanted: &[(&str, Part)] = match scope {
        Level::Components => &[("energy-pkg", Part::Package), ("energy-ram", Part::Dram)],
        Level::Platform => &[("energy-psys", Part::Platform)],
    };
    let events: Vec<_> =
        wanted.iter().filter_map(|&(name, part)| event(&folder, name, part, remarks)).collect();
    if events.is_empty() {
        return unavailable(
            format!("{} has no {}", folder.join("events").display(), wanted[0].0),
            "run on the bare machine; most virtual machines show no energy of their processors",
        );
    }
    let cpumask = folder.join("cpumask");
    let cpus = sysfs::word(&cpumask).and_then(|mask| list(&mask)).unwrap_or_default();
    if cpus.is_empty() {
        return unavailable(
            format!("{} names no processor to read on", cpumask.display()),
            "mount the host's whole /sys, read-only, where this runs",
        );
    }
    let mut sockets = sockets(sysfs_root, &cpus);
    if scope == Level::Platform {
        // There is one platform, and its register is on the first socket.
        sockets.truncate(1);
    }
    Ok(Pmu { folder, events, sockets })
}

fn event(
    folder: &Path,
    name: &'static str,
    part: Part,
    remarks: &mut Vec<String>,
) -> Option<Event> {
    let file = folder.join("events").join(name);
    fs::symlink_metadata(&file).ok()?;
    let beside = |suffix: &str| sysfs::word(&file.with_file_name(format!("{name}.{suffix}")));
    let unit = beside("unit").unwrap_or_default();
    let scale = beside("scale").unwrap_or_default();
    match scale.parse::<f64>() {
        Ok(joules) if unit == "Joules" && UNITS.contains(&joules) => {
            Some(Event { name, part, joules })
        }
        _ => {
            remarks.push(format!(
                "{name} is not used: its scale '{scale}' and unit '{unit}' are not joules"
            ));
            None
        }
    }
}

/// The sockets of `cpus`, in their order.
fn sockets(sysfs_root: &Path, cpus: &[usize]) -> Vec<Socket> {
    let topology = |cpu: usize, file: &str| {
        let folder = sysfs_root.join(format!("devices/system/cpu/cpu{cpu}/topology"));
        sysfs::number::<u32>(&folder.join(file)).ok()
    };
    let packages: Vec<_> = cpus.iter().map(|&cpu| topology(cpu, "physical_package_id")).collect();
    let mut sockets: Vec<Socket> = Vec::new();
    for (&cpu, package) in cpus.iter().zip(&packages) {
        let shared = packages.iter().filter(|other| *other == package).count() > 1;
        let id = match (package, topology(cpu, "die_id")) {
            (Some(package), Some(die)) if shared => format!("package-{package}-die-{die}"),
            (Some(package), _) if !shared => format!("package-{package}"),
            // The kernel does not show the package; the processor's number does not change while the
            // machine runs.
            _ => format!("package-of-cpu-{cpu}"),
        };
        if sockets.iter().all(|socket| socket.id != id) {
            sockets.push(Socket { cpu, id });
        }
    }
    sockets
}

/// The numbers of a kernel list, without duplicates: `0,64` or `0-3,8`.
fn list(text: &str) -> Option<Vec<usize>> {
    /// Linux supports at most this many processors (`NR_CPUS` of x86).
    const MOST_PROCESSORS: usize = 8192;
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let (first, last) = (number(first)?, number(last)?);
        if last >= MOST_PROCESSORS || last < first {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_lists() {
        assert_eq!(list("0"), Some(vec![0]));
        assert_eq!(list("0,64"), Some(vec![0, 64]));
        assert_eq!(list("0-2,8"), Some(vec![0, 1, 2, 8]));
        assert_eq!(list("3,0-1,1"), Some(vec![0, 1, 3]), "each once");
        for wrong in ["", "x", "1-", "0,,1", "0-99999999999", "0-8192", "3-1"] {
            assert_eq!(list(wrong), None, "{wrong:?}");
        }
    }
}
