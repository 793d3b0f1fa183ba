//! Energy counters of Intel and AMD processors (RAPL), through the kernel's powercap files.
//!
//! Packages and their memory (`dram`) are metered or, on request ([`Level`]), only `psys`, which contains
//! them. `core` and `uncore` are part of a package, and `intel-rapl-mmio` shows a package a second time, so
//! none of them is added. Where zones of several dies show one register, this is detected from their values
//! and the register is counted once.
//!
//! The files show a 32-bit register in microjoules that starts again at 0 after `max_energy_range_uj`: at
//! 200 W, after five to twenty minutes. The source must be read more often than that; it reports when it
//! was not.
//!
//! [`perf`](super::perf) reads the same registers through `perf_event`.
//!
//! Not covered: processors whose RAPL is available only through MSRs.

pub(super) mod mirror;
pub(super) mod part;
mod zones;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{io, thread};

use super::sysfs::{self, OpenFile, permit};
use super::{Availability, Domain, PowerSource, Reading, Request, SourceReport, Value, host};
use crate::clock;
use crate::source::tracked_counter::TrackedCounter;
use crate::units::Watts;
use zones::Zones;

/// The source's name.
pub(crate) const NAME: &str = "rapl";

/// No package and no package's memory draws more; a reading that implies more is rejected. The largest
/// server packages are specified for 500 W.
pub(crate) const IMPOSSIBLE: Watts = Watts::new(2000.0);

/// Units of a powercap file per joule.
const UNITS_PER_JOULE: f64 = 1e6;

/// The largest difference between two views of one register: 0.1 J, an update period (1 ms) at 100 W.
const MIRROR_SLACK: u64 = 100_000;

/// Which zones are metered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// The packages and the memory beside them.
    #[default]
    Components,
    /// Only the platform (`psys`), which contains them.
    Platform,
}

/// The packages and memories that can be read.
#[derive(Debug)]
pub struct Rapl {
    domains: Vec<Domain>,
    zones: Vec<Zone>,
}

#[derive(Debug)]
struct Zone {
    file: OpenFile,
    counter: TrackedCounter,
}

impl Rapl {
    /// Looks for the zones of `scope` below `sysfs_root` (`/sys`) and reports what was found. `proc_root`
    /// (`/proc`) shows why there are none.
    #[must_use]
    pub fn open(sysfs_root: &Path, proc_root: &Path, scope: Level) -> (Option<Self>, SourceReport) {
        let found = zones::find(sysfs_root, scope);
        let mut remarks = found.remarks.clone();
        let mut rapl = Self { domains: Vec::new(), zones: Vec::new() };
        let mut denied = Vec::new();
        let mut broken = None;
        for zone in &found.metered {
            let file = zone.folder.join("energy_uj");
            match sysfs::number::<u64>(&file) {
                Ok(_) => rapl.add(zone, file, &mut remarks),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => denied.push(file),
                Err(error) => {
                    let reason = format!("{} cannot be read: {error}", file.display());
                    remarks.push(format!("{}: {reason}", zone.id));
                    broken = Some(reason);
                }
            }
        }
        if !denied.is_empty() && !rapl.zones.is_empty() {
            remarks.push(format!("permission denied for some zones; {}", permit(&denied)));
        }
        rapl.drop_mirrors(&mut remarks);
        let availability = if rapl.zones.is_empty() {
            let psys_missing = scope == Level::Platform && found.others;
            let Zones { powercap, nameless, .. } = found;
            Missing { denied, broken, psys_missing, powercap, nameless }.why(sysfs_root, proc_root)
        } else {
            Availability::Available
        };
        let domains = rapl.domains.iter().map(|domain| domain.id.clone()).collect();
        let report = SourceReport { source: NAME.to_owned(), availability, domains, remarks };
        ((!rapl.zones.is_empty()).then_some(rapl), report)
    }

    fn add(&mut self, zone: &zones::Zone, file: PathBuf, remarks: &mut Vec<String>) {
        let range_file = zone.folder.join("max_energy_range_uj");
        let range = sysfs::number(&range_file).ok();
        if range.is_none() {
            remarks.push(format!(
                "{}: {} cannot be read, so energy is lost, with a warning, whenever the counter \
                 wraps",
                zone.id,
                range_file.display()
            ));
        }
        self.domains.push(zone.part.domain(NAME, &zone.id));
        let counter = TrackedCounter::new(UNITS_PER_JOULE, "µJ", range, zone.part.impossible());
        self.zones.push(Zone { file: OpenFile::new(file), counter });
    }

    /// Leaves out zones that show a register a second time.
    fn drop_mirrors(&mut self, remarks: &mut Vec<String>) {
        let mut later = 1;
        while later < self.zones.len() {
            let original = (0..later).find(|&earlier| self.mirrors(later, earlier));
            let Some(original) = original else {
                later += 1;
                continue;
            };
            self.zones.remove(later);
            let mirror = self.domains.remove(later);
            let original = &mut self.domains[original];
            remarks.push(format!(
                "{} shows the same counter as {} and is not added",
                mirror.id, original.id
            ));
            let shown = format!("also shown as {}", mirror.label);
            original.note = Some(match original.note.take() {
                Some(note) => format!("{note}; {shown}"),
                None => shown,
            });
        }
    }

    fn mirrors(&self, later: usize, earlier: usize) -> bool {
        self.domains[later].kind == self.domains[earlier].kind
            && mirror::same(
                &mut || sysfs::number(&self.zones[earlier].file.path),
                &mut || sysfs::number(&self.zones[later].file.path),
                MIRROR_SLACK,
                &mut || thread::sleep(Duration::from_micros(500)),
            )
    }
}

impl PowerSource for Rapl {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Reads every counter on any request: a read takes microseconds and disturbs nothing.
    fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
        for (domain, zone) in self.zones.iter_mut().enumerate() {
            let before = clock::checked_now();
            let raw = zone.file.number();
            let at = before.after(clock::checked_now().since(before) / 2);
            let mut push = |value| readings.push(Reading::new(domain, at, value));
            match raw {
                Ok(raw) => zone.counter.take(raw, at, push),
                Err(error) => {
                    push(Value::Missing(format!(
                        "{} cannot be read: {error}",
                        zone.file.path.display()
                    )));
                }
            }
        }
    }
}

/// What was found where no zone can be read.
struct Missing {
    /// Files that may not be read.
    denied: Vec<PathBuf>,
    /// Why another file cannot be read.
    broken: Option<String>,
    /// The platform was asked for, and there are only zones of its components.
    psys_missing: bool,
    /// There is a powercap folder.
    powercap: bool,
    /// Number of entries whose name could not be read.
    nameless: usize,
}

impl Missing {
    /// The first row that applies is the reason, with its remedy.
    fn why(self, sysfs_root: &Path, proc_root: &Path) -> Availability {
        let folder = sysfs_root.join("class/powercap");
        let folder = folder.display();
        let masked = self.nameless > 0 || host::powercap_is_masked(proc_root);
        let virtual_machine =
            host::processor(proc_root).unwrap_or_default().hypervisor == Some(true);
        let denied = self.denied.first().map(|file| file.display().to_string());
        let permission = permit(&self.denied);
        let rows = [
            (
                denied.is_some(),
                format!(
                    "permission denied reading {} (readable by root only since Linux 5.10, CVE-2020-8694)",
                    denied.unwrap_or_default()
                ),
                permission.as_str(),
            ),
            (
                self.broken.is_some(),
                self.broken.unwrap_or_default(),
                "check the kernel log for errors of the intel_rapl driver",
            ),
            (
                self.psys_missing,
                "this machine's RAPL has no psys zone".to_owned(),
                "meter the packages and the memory instead, as is the default",
            ),
            (
                masked,
                format!("the container masks the powercap files behind {folder}"),
                "start the container with `--security-opt systempaths=unconfined` or with \
                 `-v /sys/devices/virtual/powercap:/sys/devices/virtual/powercap:ro`",
            ),
            (
                virtual_machine,
                format!("a virtual machine without RAPL: no zone under {folder}"),
                "run on the bare machine; hypervisors do not pass RAPL to their guests",
            ),
            (
                self.powercap,
                format!("no package zone under {folder}"),
                "load the driver with `sudo modprobe intel_rapl_msr` (Intel since 2011, AMD since \
                 Zen; Linux 5.8 or newer)",
            ),
            (
                host::in_container(proc_root),
                format!("{folder} is not there in this container"),
                "mount the host's /sys/class/powercap and /sys/devices/virtual/powercap into the \
                 container, read-only",
            ),
            (
                true,
                format!("{folder} does not exist: the kernel has no powercap"),
                "load the driver with `sudo modprobe intel_rapl_msr`, on a kernel built with \
                 CONFIG_POWERCAP and CONFIG_INTEL_RAPL",
            ),
        ];
        let row = rows.into_iter().find(|(applies, ..)| *applies);
        let (_, reason, remedy) = row.unwrap_or_default();
        Availability::Unavailable { reason, remedy: remedy.to_owned() }
    }
}
