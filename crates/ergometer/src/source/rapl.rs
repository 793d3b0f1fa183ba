//! Intel and AMD processors' own energy counters (RAPL), through the kernel's powercap files.
//!
//! Packages and the memory beside them (`dram`) are metered. `core` and `uncore` lie inside a
//! package, `psys` contains the packages, and `intel-rapl-mmio` shows a package a second time:
//! none of them is ever added.
//!
//! The files show a 32-bit register in microjoules; it starts again at 0 after
//! `max_energy_range_uj`, at 200 W after five to twenty minutes. The source must be read more often
//! than that; it says so when it was not.
//!
//! Not covered: `perf_event`'s `power` events, and processors that show RAPL only through MSRs.

mod zones;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use super::counter::{Advance, Counter};
use super::{
    Availability, Domain, DomainKind, PowerSource, Reading, Request, Sensor, SourceReport, Value,
    host,
};
use crate::clock::{self, Timestamp};
use crate::meter::Method;
use crate::units::{Joules, Watts};

/// The source's name.
pub const NAME: &str = "rapl";

/// Power no package and no package's memory can draw; a reading that implies more is rejected.
/// The largest server packages are specified for 500 W.
pub const IMPOSSIBLE: Watts = Watts::new(2000.0);

/// Between two reads further apart than this a second wrap is looked for: a register of 65,536 J
/// wraps in 328 s at 200 W.
const ATTENTIVE: Duration = Duration::from_mins(1);

/// The register counts in units of 2^-16 J on AMD and on Intel's server memory, 2^-14 J on Intel
/// packages (Intel SDM vol. 3B, 15.10); the coarser one is assumed.
const QUANTUM: Joules = Joules::new(1.0 / 16384.0);

/// "Updated every 1 ms" (AMD PPR, `Core::X86::Msr::PKG_ENERGY_STAT`; Intel SDM vol. 3B: about 1 ms).
const PERIOD_S: f64 = 0.001;

/// Relative standard uncertainty of packages: on Haswell and newer RAPL is measured and follows
/// the wall meter within 2 % or so; AMD's is partly modelled (Hackenberg et al. 2015, doi
/// 10.1109/IPDPSW.2015.70; Schöne et al. 2021, doi 10.1109/Cluster48925.2021.00087).
const PACKAGE_ERROR: f64 = 0.03;

/// Relative standard uncertainty of memory domains: within 20 % of a board meter over
/// configurations (Desrochers, Paradis, Weaver 2016, doi 10.1145/2989081.2989088), taken as two
/// standard deviations.
const DRAM_ERROR: f64 = 0.10;

/// The packages and memories that can be read.
#[derive(Debug)]
pub struct Rapl {
    domains: Vec<Domain>,
    zones: Vec<Zone>,
}

#[derive(Debug)]
struct Zone {
    file: PathBuf,
    counter: Counter,
}

impl Rapl {
    /// Looks for zones below `sysfs_root` (`/sys`) and says what was found; `proc_root` (`/proc`)
    /// tells why there are none.
    #[must_use]
    pub fn open(sysfs_root: &Path, proc_root: &Path) -> (Option<Self>, SourceReport) {
        let found = zones::find(sysfs_root);
        let mut remarks = found.remarks;
        let mut rapl = Self { domains: Vec::new(), zones: Vec::new() };
        let mut denied = Vec::new();
        let mut broken = None;
        for zone in found.metered {
            let file = zone.folder.join("energy_uj");
            match energy_uj(&file) {
                Ok(_) => rapl.add(&zone, file, &mut remarks),
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
        let availability = if !rapl.zones.is_empty() {
            Availability::Available
        } else if !denied.is_empty() {
            Availability::Unavailable {
                reason: format!(
                    "permission denied reading {} (readable by root only since Linux 5.10, \
                     CVE-2020-8694)",
                    denied[0].display()
                ),
                remedy: permit(&denied),
            }
        } else if let Some(reason) = broken {
            Availability::Unavailable {
                reason,
                remedy: "check the kernel log for errors of the intel_rapl driver".to_owned(),
            }
        } else {
            absent(sysfs_root, proc_root, found.powercap, found.nameless)
        };
        let domains = rapl.domains.iter().map(|domain| domain.id.clone()).collect();
        let report = SourceReport { source: NAME.to_owned(), availability, domains, remarks };
        ((!rapl.zones.is_empty()).then_some(rapl), report)
    }

    fn add(&mut self, zone: &zones::Zone, file: PathBuf, remarks: &mut Vec<String>) {
        let range_file = zone.folder.join("max_energy_range_uj");
        let range = fs::read_to_string(&range_file).ok().and_then(|text| text.trim().parse().ok());
        if range.is_none() {
            remarks.push(format!(
                "{}: {} cannot be read, so energy is lost, and said to be, whenever the counter \
                 wraps",
                zone.id,
                range_file.display()
            ));
        }
        self.domains.push(Domain {
            id: format!("{NAME}:{}", zone.id),
            kind: if zone.dram { DomainKind::Dram } else { DomainKind::CpuPackage },
            label: zone.id.replace(':', " "),
            source: NAME.to_owned(),
            method: Method::Counter,
            sensor: Sensor {
                counter_period_s: Some(PERIOD_S),
                counter_quantum: Some(QUANTUM),
                power_period_s: None,
                power_window_s: None,
                relative_error: if zone.dram { DRAM_ERROR } else { PACKAGE_ERROR },
                absolute_error: Watts::ZERO,
            },
            pci_address: None,
            power_limit: None,
            note: None,
        });
        self.zones.push(Zone { file, counter: Counter::new(1e6, range, IMPOSSIBLE) });
    }
}

impl PowerSource for Rapl {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Reads every counter on either request: a read takes microseconds and disturbs nothing.
    fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
        for (domain, zone) in self.zones.iter_mut().enumerate() {
            let before = clock::now();
            let raw = energy_uj(&zone.file);
            let at = before.after(clock::now().since(before) / 2);
            let mut push = |value| readings.push(Reading::new(domain, at, value));
            match raw {
                Ok(raw) => zone.take(raw, at, &mut push),
                Err(error) => {
                    push(Value::Missing(format!(
                        "{} cannot be read: {error}",
                        zone.file.display()
                    )));
                }
            }
        }
    }
}

impl Zone {
    fn take(&mut self, raw: u64, at: Timestamp, push: &mut impl FnMut(Value)) {
        let interval = self.counter.last_read().map_or(Duration::ZERO, |last| at.since(last));
        match self.counter.advance(raw, at) {
            Advance::First | Advance::Advanced(_) | Advance::Wrapped(_) => {
                push(Value::Energy(Joules::new(self.counter.joules())));
                if interval > ATTENTIVE
                    && self.counter.unambiguous().is_some_and(|longest| interval > longest)
                {
                    push(Value::Missing(format!(
                        "{:.0} s between two reads: the counter may have wrapped more than once",
                        interval.as_secs_f64()
                    )));
                }
            }
            Advance::Restarted => push(Value::Restarted(format!(
                "the counter went to {raw} µJ in a way that is no wrap; what was drawn in the last \
                 {:.1} s is lost",
                interval.as_secs_f64()
            ))),
            Advance::Impossible => push(Value::Missing(format!(
                "{raw} µJ implies more than {IMPOSSIBLE}, which cannot be"
            ))),
        }
    }
}

/// Reads a counter file without allocating. It is opened anew each time: that costs a microsecond
/// and survives a zone that goes and comes back (CPU hotplug, driver reload).
fn energy_uj(file: &Path) -> io::Result<u64> {
    let mut text = [0; 32];
    let length = File::open(file)?.read_at(&mut text, 0)?;
    std::str::from_utf8(&text[..length])
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no number"))
}

fn permit(files: &[PathBuf]) -> String {
    let paths: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    format!(
        "run `sudo chmod a+r {}` (until the next boot; a udev or tmpfiles.d rule makes it last), \
         or run as root",
        paths.join(" ")
    )
}

fn absent(sysfs_root: &Path, proc_root: &Path, powercap: bool, nameless: usize) -> Availability {
    let masked = nameless > 0 || host::powercap_is_masked(proc_root);
    let processor = host::processor(proc_root).unwrap_or_default();
    let folder = sysfs_root.join("class/powercap");
    let folder = folder.display();
    let (reason, remedy) = if masked {
        (
            format!("the container masks the powercap files behind {folder}"),
            "start the container with `--security-opt systempaths=unconfined` or with \
             `-v /sys/devices/virtual/powercap:/sys/devices/virtual/powercap:ro`"
                .to_owned(),
        )
    } else if processor.hypervisor == Some(true) {
        (
            format!("a virtual machine without RAPL: no zone under {folder}"),
            "run on the bare machine; hypervisors do not pass RAPL to their guests".to_owned(),
        )
    } else if powercap {
        (
            format!("no package zone under {folder}"),
            "load the driver with `sudo modprobe intel_rapl_msr` (Intel since 2011, AMD since \
             Zen; Linux 5.8 or newer)"
                .to_owned(),
        )
    } else if host::in_container(proc_root) {
        (
            format!("{folder} is not there in this container"),
            "mount the host's /sys/class/powercap and /sys/devices/virtual/powercap into the \
             container, read-only"
                .to_owned(),
        )
    } else {
        (
            format!("{folder} does not exist: the kernel has no powercap"),
            "load the driver with `sudo modprobe intel_rapl_msr`, on a kernel built with \
             CONFIG_POWERCAP and CONFIG_INTEL_RAPL"
                .to_owned(),
        )
    };
    Availability::Unavailable { reason, remedy }
}
