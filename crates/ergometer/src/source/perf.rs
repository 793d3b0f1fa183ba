//! RAPL through `perf_event`: the same registers as powercap's ([`rapl`](super::rapl)), through another
//! interface. It may be available where powercap is readable only by root, or masked in a container.
//!
//! The kernel's `power` PMU counts `energy-pkg` and `energy-ram` on one processor of each socket;
//! `energy-psys` contains them and is read on request, alone ([`Level`]). `energy-cores` and `energy-gpu`
//! are part of the package and never added. The kernel extends the 32-bit register to 64 bits, in units of
//! 2^-32 J as stated in the event's `scale` file. They last for 99 days at 500 W.
//!
//! [`probe`](super::probe::probe) leaves out a counter that is shown but stands still, as under
//! hypervisors.
//!
//! Opening needs `kernel.perf_event_paranoid` of 0 or less, or `CAP_PERFMON`.
//!
//! Not covered: AMD's `power_core` PMU, whose cores are part of the package.

#[cfg(all(feature = "perf", target_os = "linux"))]
mod kernel;
mod pmu;

use std::path::Path;
use std::{fmt, io};

use super::rapl::Level;
use super::{
    Availability, Domain, PowerSource, Reading, Request, SourceReport, Value, host, sysfs,
};
use crate::clock;
use crate::source::tracked_counter::TrackedCounter;
use pmu::{Event, Pmu, Socket};

/// The source's name.
pub(crate) const NAME: &str = "perf";

/// Reads a kernel counter: its value in the event's units, or why it cannot be read.
type Count = Box<dyn FnMut() -> io::Result<u64> + Send>;

/// Opens an event of a PMU on a processor.
type Open<'a> = &'a mut dyn FnMut(&Pmu, &Event, &Socket) -> io::Result<Count>;

/// The packages and memories that can be read.
pub(crate) struct Perf {
    domains: Vec<Domain>,
    counters: Vec<Counter>,
}

struct Counter {
    count: Count,
    followed: TrackedCounter,
}

impl Perf {
    /// Looks for the events of `scope` below `sysfs_root` (`/sys`), opens them and reports what was found.
    /// `proc_root` (`/proc`) shows why there are none.
    #[must_use]
    pub fn open(sysfs_root: &Path, proc_root: &Path, scope: Level) -> (Option<Self>, SourceReport) {
        #[cfg(all(feature = "perf", target_os = "linux"))]
        {
            Self::open_with(sysfs_root, proc_root, scope, &mut kernel::open)
        }
        #[cfg(not(all(feature = "perf", target_os = "linux")))]
        {
            let mut unsupported = |pmu: &Pmu, _: &Event, _: &Socket| -> io::Result<Count> {
                let reason = format!(
                    "{} is there, but this program was built without `perf_event`",
                    pmu.folder.display()
                );
                Err(io::Error::new(io::ErrorKind::Unsupported, reason))
            };
            Self::open_with(sysfs_root, proc_root, scope, &mut unsupported)
        }
    }

    fn open_with(
        sysfs_root: &Path,
        proc_root: &Path,
        scope: Level,
        open: Open<'_>,
    ) -> (Option<Self>, SourceReport) {
        let mut perf = Self { domains: Vec::new(), counters: Vec::new() };
        let mut remarks = Vec::new();
        let availability = match pmu::find(sysfs_root, scope, &mut remarks) {
            Ok(pmu) => perf.add_all(&pmu, proc_root, open, &mut remarks),
            Err(availability) => availability,
        };
        let domains = perf.domains.iter().map(|domain| domain.id.clone()).collect();
        let report = SourceReport { source: NAME.to_owned(), availability, domains, remarks };
        ((!perf.counters.is_empty()).then_some(perf), report)
    }

    fn add_all(
        &mut self,
        pmu: &Pmu,
        proc_root: &Path,
        open: Open<'_>,
        remarks: &mut Vec<String>,
    ) -> Availability {
        let mut failure = None;
        for socket in &pmu.sockets {
            for event in &pmu.events {
                let id = event.id(socket);
                // The first read shows whether the processor really has the event that the kernel lists.
                let first = open(pmu, event, socket).and_then(|mut count| {
                    count()?;
                    Ok(count)
                });
                match first {
                    Ok(count) => self.add(&id, event, count),
                    Err(error) => {
                        remarks
                            .push(format!("{NAME}:{id}: {} cannot be opened: {error}", event.name));
                        failure.get_or_insert((event.name, error));
                    }
                }
            }
        }
        match failure {
            Some((name, error)) if self.counters.is_empty() => refused(name, &error, proc_root),
            _ => Availability::Available,
        }
    }

    fn add(&mut self, id: &str, event: &Event, count: Count) {
        let part = event.part;
        self.domains.push(part.domain(NAME, id));
        let units_per_joule = 1.0 / event.joules;
        let followed =
            TrackedCounter::new(units_per_joule, "units", Some(u64::MAX), part.impossible());
        self.counters.push(Counter { count, followed });
    }
}

impl PowerSource for Perf {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Reads every counter on any request: a read takes microseconds and disturbs nothing.
    fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
        for (domain, counter) in self.counters.iter_mut().enumerate() {
            let before = clock::checked_now();
            let raw = (counter.count)();
            let at = before.after(clock::checked_now().since(before) / 2);
            let mut push = |value| readings.push(Reading::new(domain, at, value));
            match raw {
                Ok(raw) => counter.followed.take(raw, at, push),
                Err(error) => {
                    push(Value::Missing(format!("the kernel's counter cannot be read: {error}")));
                }
            }
        }
    }
}

impl fmt::Debug for Perf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Perf").field("domains", &self.domains).finish_non_exhaustive()
    }
}

fn refused(event: &str, error: &io::Error, proc_root: &Path) -> Availability {
    let level = sysfs::number::<i64>(&proc_root.join("sys/kernel/perf_event_paranoid")).ok();
    let (reason, remedy) = match error.kind() {
        // The kernel refuses nobody at this level, so something else does.
        io::ErrorKind::PermissionDenied if level.is_some_and(|level| level <= 0) => {
            let level = level.unwrap_or_default();
            let who = if host::has_seccomp_filter(proc_root) {
                "a seccomp filter, as container runtimes set one,"
            } else {
                "a security module"
            };
            (
                format!(
                    "permission denied opening {event}: {who} forbids perf_event_open (the kernel itself allows \
                     it: kernel.perf_event_paranoid is {level})"
                ),
                "start the container with `--cap-add PERFMON` and a seccomp profile that allows perf_event_open, \
                 or with `--security-opt seccomp=unconfined`"
                    .to_owned(),
            )
        }
        io::ErrorKind::PermissionDenied => {
            let is = level.map_or_else(String::new, |level| format!("is {level} and "));
            let contained = if host::in_container(proc_root) {
                "; in a container, start it with `--cap-add PERFMON`"
            } else {
                ""
            };
            (
                format!(
                    "permission denied opening {event}: kernel.perf_event_paranoid {is}must be 0 \
                     or less without CAP_PERFMON"
                ),
                format!(
                    "run `sudo sysctl kernel.perf_event_paranoid=0` (until the next boot), or \
                     `sudo setcap cap_perfmon+ep` on the program{contained}"
                ),
            )
        }
        io::ErrorKind::Unsupported => (
            error.to_string(),
            "build on Linux with the feature `perf`, which is a default".to_owned(),
        ),
        _ => (
            format!("{event} cannot be opened: {error}"),
            "check that the kernel was built with CONFIG_PERF_EVENTS_INTEL_RAPL and that the \
             processor has RAPL"
                .to_owned(),
        ),
    };
    Availability::Unavailable { reason, remedy }
}

#[cfg(test)]
mod tests;
