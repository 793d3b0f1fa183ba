//! A model of processor and memory power, for machines without a sensor: most virtual machines.
//!
//! # Processor
//! Utilisation is the busy share of all logical processors between two reads of `/proc/stat`
//! (user + nice + system + irq + softirq; not idle, iowait or steal), on other systems what they
//! show of it. Power follows from it as
//!
//! > P(u) = P_full · (i + (1 − i) · u),  P_full = r · TDP
//!
//! with r = [`FULL_SHARE`] and i = [`IDLE_SHARE`].
//!
//! *Fitted to* package power from RAPL of four machines (Intel Xeon E3-1240 V2, 69 W; AMD EPYC 8024P, 90 W; AMD Ryzen
//! Threadripper 1950X, 180 W; two Intel Xeon E5-2620 v3, 85 W each) under load on all and on some cores, 88 points of
//! 30 s (`CodeCarbon`'s load profiling, January 2025, MIT), and to the mean profile of seven AWS bare-metal Xeon types
//! under stress (Davy, "Building an AWS EC2 carbon emissions dataset", Teads, 2021): least squares of the logarithm of
//! power above 5 % load, each of the five with the same weight.
//!
//! *How good it is*: [`validation()`] fits it to all but one of the five and tries it on that one. Over all points the
//! median error is 32 %, and 95 % are within ± 80 %. The errors come from what utilisation cannot show: clocks, the kind
//! of instructions, how far a maker's TDP lies above what a part draws (0.52 to 1.02 of it). [`KNOWN_ERROR`] follows from
//! them. `cargo xtask accuracy` prints the figures of each machine.
//!
//! *What was tried and left out*: an exponent that bends the line, and the number of processors over which the load is
//! spread, are no better on the machine left out (0.42 each, against 0.40 of the line). The clock over its highest helps
//! a little, with 0.38 as a factor of the part above idle and 0.36 as one of the whole; but a virtual machine is not shown
//! its clock.
//!
//! *The machine's own idle and full power*, where the user states them, do better than any law of TDP: between the two
//! lies a curve ([`own_validation`]), whose median error is 13 % on machines left out of its fit.
//!
//! Where the processor is not in the table of TDPs, its size stands in ([`TDP_PER_ROOT`], [`UNKNOWN_ERROR`]), or on a
//! virtual machine that of servers in general ([`TDP_PER_LOGICAL_CPU`], [`UNKNOWN_HOST_ERROR`]). The power of parts
//! that are made for one cloud is not published: [`UNPUBLISHED_ERROR`] is added.
//!
//! # Virtual machines
//! The energy is the virtual processors' share of the host's, which a guest cannot see; [`VIRTUAL_ERROR`] is added. A
//! virtual processor is a thread of the host's where the guest is shown two threads to a core. Where it is shown one, it
//! may be either a thread or a core, and one and a half threads are taken, with an error that covers both.
//!
//! # Memory
//! [`DRAM_PER_GIB`] for all installed memory, busy or not.
//!
//! # Containers
//! Where fewer processors are seen than the package has (LXC shows a container its own), or the control group of a container
//! has a CPU quota, the model gives that share of the package: `P_full` times the processors seen, or the quota, over the
//! machine's. Where `/proc/stat` shows nothing but zeros (gVisor), utilisation is not known: power is taken half way between
//! idle and full, with [`UNSEEN_ERROR`] beside the model's.
//!
//! Everything that runs on the machine is in these numbers, not only the metered program.

mod calibrated;
mod fit;
mod known;
mod own;
mod points;
mod processors;
mod validation;

use std::path::Path;
use std::time::Duration;

use super::load;
use super::processor_load::{Load, ProcessorLoad};
use super::{
    Availability, Domain, DomainKind, PowerSource, Reading, Request, Sensor, SourceReport, Value,
    host,
};
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::units::{Joules, Watts};

pub use calibrated::{Calibration, Calibrations};
pub use own::Own;
use processors::OwnPower;
pub use validation::{errors, median, own_validation, validation};

/// The source's name.
pub(crate) const NAME: &str = "cpu-model";

/// Power of a fully busy package as a share of its TDP, fitted; alone the machines have 0.52 (EPYC 8024P), 0.59
/// (E5-2620 v3), 0.72 (E3-1240 V2), 0.92 (Threadripper 1950X) and 1.02 (AWS Xeons).
pub const FULL_SHARE: f64 = 0.813;

/// Power of an idle package as a share of its power when fully busy, fitted to points above 5 % load; what was seen of
/// packages without load is 0.11 (E3-1240 V2) to 0.38 (EPYC 8024P).
pub const IDLE_SHARE: f64 = 0.269;

/// Relative standard uncertainty where the TDP is known: the pooled root mean square of the residuals on machines left
/// out of the fit, 0.41, rounded up.
pub const KNOWN_ERROR: f64 = 0.42;

/// Added in quadrature where the TDP is not the maker's figure. A judgement.
pub const UNPUBLISHED_ERROR: f64 = 0.3;

/// Added in quadrature on virtual machines: how much of the host's idle power is the guest's, and at which clocks a host
/// runs whose other guests cannot be seen. A judgement.
pub const VIRTUAL_ERROR: f64 = 0.2;

/// TDP of a package with n logical processors where the model is not known: this × √n. Over the processors in the
/// table of this module, from 8 to 384 logical processors, that is off by 20 % (root mean square).
pub const TDP_PER_ROOT: Watts = Watts::new(30.0);

/// Relative standard uncertainty where the TDP is not known: [`KNOWN_ERROR`] and the 0.20 of `TDP_PER_ROOT`, in
/// quadrature.
pub const UNKNOWN_ERROR: f64 = 0.47;

/// TDP of one logical processor of a host whose model and size are not known: the value that makes the relative
/// residuals of the servers in the table, of 48 logical processors and more, least (Σ t² / Σ t, 3.4 W). They run from
/// 1.2 W to 5 W.
pub const TDP_PER_LOGICAL_CPU: Watts = Watts::new(3.4);

/// Relative standard uncertainty of a share of such a host: [`KNOWN_ERROR`] and the spread of those servers, 0.30, in
/// quadrature.
pub const UNKNOWN_HOST_ERROR: f64 = 0.52;

/// Power of memory: Lannelongue, Grealey, Inouye, "Green Algorithms", Advanced Science 2021, doi
/// 10.1002/advs.202100707 (preprint 2020): 0.3725 W a gigabyte.
pub const DRAM_PER_GIB: Watts = Watts::new(0.3725);

/// Relative standard uncertainty of memory power: sticks of 4 GB to 64 GB draw 2 W to 6 W each, so
/// the figure is right for small ones and several times too high for large ones. A judgement.
pub(crate) const DRAM_ERROR: f64 = 0.5;

/// Relative standard uncertainty of power half way between idle and full where utilisation is not known: that of a
/// rectangular distribution between the two, 0.211 of full power, over their mean, 0.635.
pub const UNSEEN_ERROR: f64 = 0.333;

/// Without progress of the processors' times for this long the domain counts as not observed.
const STALE: Duration = Duration::from_secs(1);

/// Package power at `utilisation` (0 to 1; what lies outside is moved to the edge) of a processor
/// that draws `full` when all its logical processors are busy.
#[must_use]
pub fn package_power(utilisation: f64, full: Watts) -> Watts {
    full * (IDLE_SHARE + (1.0 - IDLE_SHARE) * utilisation.clamp(0.0, 1.0))
}

/// What the user knows of the power of the machine's processors.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownPower {
    /// Idle and full power of all processors of the machine.
    pub own: Option<Own>,
    /// Machines that were measured; used where `own` is not known.
    pub calibrations: Calibrations,
}

/// Which domains a [`CpuModel`] is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The processor.
    pub package: bool,
    /// The memory.
    pub dram: bool,
}

/// The modelled processor and memory of this machine.
#[derive(Debug)]
pub(crate) struct CpuModel {
    domains: Vec<Domain>,
    package: Option<Package>,
    dram: Option<Dram>,
}

#[derive(Debug)]
struct Package {
    domain: usize,
    /// `None` where it shows no time at all.
    load: Option<Box<dyn ProcessorLoad>>,
    power: Power,
    last: Option<Timestamp>,
    energy: Joules,
}

/// What power follows from utilisation by.
#[derive(Clone, Copy, Debug)]
enum Power {
    /// A line up to this power when fully busy.
    Estimated(Watts),
    /// A curve between the machine's own idle and full power.
    Own(Own),
}

impl Power {
    fn at(self, utilisation: f64) -> Watts {
        match self {
            Self::Estimated(full) => package_power(utilisation, full),
            Self::Own(own) => own.power(utilisation),
        }
    }
}

#[derive(Debug)]
struct Dram {
    domain: usize,
    watts: Watts,
    start: Option<Timestamp>,
}

impl CpuModel {
    /// A model of the machine that `proc_root` (`/proc`) describes, for the `wanted` domains.
    #[cfg(test)]
    pub(super) fn open(proc_root: &Path, wanted: Wanted) -> (Option<Self>, SourceReport) {
        Self::open_within(proc_root, wanted, None, &KnownPower::default())
    }

    /// The same in a container that may use no more than `quota` processors, with what is `known` of their power.
    pub(super) fn open_within(
        proc_root: &Path,
        wanted: Wanted,
        quota: Option<f64>,
        known: &KnownPower,
    ) -> (Option<Self>, SourceReport) {
        let mut model = Self { domains: Vec::new(), package: None, dram: None };
        let mut remarks = Vec::new();
        let machine = host::Host::read(proc_root);
        let processor = machine.processor.unwrap_or_default();
        if wanted.package {
            let stat = proc_root.join("stat");
            match load::open(proc_root, processor.logical) {
                Ok(load) => {
                    if load.is_none() {
                        remarks.push(format!(
                            "{} shows no time at all: utilisation is not known, and power is taken half way \
                             between idle and full",
                            stat.display()
                        ));
                    }
                    model.add_package(load, &processor, quota, known);
                }
                Err(error) => remarks.push(format!("{} cannot be read: {error}", stat.display())),
            }
        }
        if wanted.dram {
            match machine.memory_bytes {
                Some(bytes) => {
                    let gib = bytes as f64 / (1_u64 << 30) as f64;
                    model.add_dram(gib, processor.hypervisor == Some(true));
                }
                None => remarks
                    .push(format!("{} shows no MemTotal", proc_root.join("meminfo").display())),
            }
        }
        let availability = if !model.domains.is_empty() {
            Availability::Available
        } else if remarks.is_empty() {
            remarks.push("not used: other sources give the processor and the memory".to_owned());
            Availability::Available
        } else {
            Availability::Unavailable {
                reason: remarks.join("; "),
                remedy: "run where /proc is mounted".to_owned(),
            }
        };
        let domains = model.domains.iter().map(|domain| domain.id.clone()).collect();
        let report = SourceReport { source: NAME.to_owned(), availability, domains, remarks };
        ((!model.domains.is_empty()).then_some(model), report)
    }

    fn add_package(
        &mut self,
        load: Option<Box<dyn ProcessorLoad>>,
        processor: &host::Processor,
        quota: Option<f64>,
        known: &KnownPower,
    ) {
        let mut estimate = processors::estimate(processor, quota);
        let measured = || {
            let calibration = known.calibrations.find(processor.name.as_deref()?)?;
            Some(OwnPower::calibrated(calibration, processor, quota))
        };
        let own = known.own.map(OwnPower::stated).or_else(measured);
        let power = own.as_ref().map_or(Power::Estimated(estimate.full), |own| Power::Own(own.own));
        if let Some(own) = &own {
            estimate.error = own.error;
            estimate.note.clone_from(&own.note);
        }
        if load.is_none() {
            estimate.error = estimate.error.hypot(UNSEEN_ERROR);
            estimate.note.push_str("; its utilisation cannot be seen and is taken as one half");
        }
        self.package = Some(Package {
            domain: self.domains.len(),
            load,
            power,
            last: None,
            energy: Joules::ZERO,
        });
        self.add("package", DomainKind::CpuPackage, estimate.label, estimate.error, estimate.note);
        if let (Some(own), Some(domain)) = (own, self.domains.last_mut()) {
            domain.sensor.absolute_error = own.absolute_error;
        }
    }

    fn add_dram(&mut self, gib: f64, virtual_machine: bool) {
        let watts = DRAM_PER_GIB * gib;
        self.dram = Some(Dram { domain: self.domains.len(), watts, start: None });
        let whose = if virtual_machine { "this virtual machine's" } else { "this machine's" };
        let note = format!(
            "modelled: {whose} {gib:.1} GiB at {} W/GiB (Green Algorithms 2020), busy or not",
            DRAM_PER_GIB.get()
        );
        self.add("dram", DomainKind::Dram, format!("{gib:.0} GiB memory"), DRAM_ERROR, note);
    }

    fn add(&mut self, id: &str, kind: DomainKind, label: String, error: f64, note: String) {
        self.domains.push(Domain {
            id: format!("{NAME}:{id}"),
            kind,
            label,
            source: NAME.to_owned(),
            method: Method::Modelled,
            sensor: Sensor {
                counter_period_s: None,
                counter_quantum: None,
                power_period_s: None,
                power_window_s: None,
                relative_error: error,
                absolute_error: Watts::ZERO,
            },
            pci_address: None,
            power_limit: None,
            note: Some(note),
        });
    }
}

impl PowerSource for CpuModel {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Returns modelled energy on either request; nothing for the processor while its times have not
    /// moved enough since the last reading (on Linux 10 ms, elsewhere 200 ms).
    fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
        if let Some(package) = &mut self.package {
            let before = clock::checked_now();
            let load = package.load.as_mut().map(|load| load.read());
            let at = before.after(clock::checked_now().since(before) / 2);
            let value = match load {
                None => package.advance(Load::Busy(0.5), at),
                Some(Ok(load)) => package.advance(load, at),
                Some(Err(error)) => {
                    Some(Value::Missing(format!("{} cannot be read: {error}", package.place())))
                }
            };
            let domain = package.domain;
            readings.extend(value.map(|value| Reading::new(domain, at, value)));
        }
        if let Some(dram) = &mut self.dram {
            let at = clock::checked_now();
            let start = *dram.start.get_or_insert(at);
            let value = Value::Energy(dram.watts * at.since(start));
            readings.push(Reading::new(dram.domain, at, value));
        }
    }
}

impl Package {
    fn place(&self) -> String {
        self.load.as_ref().map(|load| load.place()).unwrap_or_default()
    }

    fn advance(&mut self, load: Load, at: Timestamp) -> Option<Value> {
        let Some(then) = self.last else {
            self.last = Some(at);
            return Some(Value::Energy(self.energy));
        };
        let interval = at.since(then);
        match load {
            Load::Busy(share) => self.energy += self.power.at(share) * interval,
            Load::TooSoon => {
                return (interval > STALE).then(|| {
                    let seconds = interval.as_secs_f64();
                    Value::Missing(format!("{} has not moved for {seconds:.1} s", self.place()))
                });
            }
            Load::Unknown(why) => {
                self.last = Some(at);
                return Some(Value::Restarted(why));
            }
        }
        self.last = Some(at);
        Some(Value::Energy(self.energy))
    }
}

#[cfg(test)]
mod tests;
