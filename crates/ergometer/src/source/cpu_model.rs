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
//! *Fitted to* package power from RAPL of two servers (Intel Xeon E3-1240 V2, 69 W; AMD EPYC 8024P,
//! 90 W) under load on all and on some cores, 42 points of 30 s (`CodeCarbon`'s load profiling,
//! January 2025, MIT), and to the mean profile of seven AWS bare-metal Xeon types under stress (Davy,
//! "Building an AWS EC2 carbon emissions dataset", Teads, 2021): least squares of the logarithm of
//! power above 5 % load, each of the three with the same weight.
//!
//! *How good it is*: [`validation()`] fits it to two of the three and tries it on the third. The
//! relative residuals then have a root mean square of 0.34 (EPYC), 0.36 (E3) and 0.51 (AWS), 0.41
//! over all, and the worst is 0.88. They come from what utilisation cannot show: clocks, the kind of
//! instructions, how far a maker's TDP lies above what a part draws. [`KNOWN_ERROR`] follows from
//! them.
//!
//! *What was tried and left out*, because it is no better on the machine left out (0.41 as above):
//! an exponent that bends the line, 0.42; the number of processors over which the load is spread,
//! 0.48; the clock over its highest, to a fitted power, 0.50 as a factor of the part above idle and
//! 0.57 as a factor of the whole. Between the two servers alone, of which the clock is known at each
//! point, the latter does help, from 0.73 to 0.53; but that is a fit to one machine, and a virtual
//! machine is not shown its clock. What the clock does to power differs too much: at a third of full
//! load and 42 % of its clock the one drew a fifth of its full power, the other, at half its clock
//! and a tenth of full load, six tenths.
//!
//! Where the processor is not in the table of TDPs, [`TDP_PER_LOGICAL_CPU`] stands in, and
//! [`UNKNOWN_ERROR`] holds. On a virtual machine the model gives the share of its virtual
//! processors in a host nobody can see.
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

mod fit;
mod points;
mod processors;
mod validation;

use std::path::Path;
use std::time::Duration;

use super::load::{self, Load, ProcessorLoad};
use super::{
    Availability, Domain, DomainKind, PowerSource, Reading, Request, Sensor, SourceReport, Value,
    host,
};
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::units::{Joules, Watts};

pub use validation::validation;

/// The source's name.
pub(crate) const NAME: &str = "cpu-model";

/// Power of a fully busy package as a share of its TDP, fitted; alone the machines have 0.52 (EPYC
/// 8024P), 0.72 (E3-1240 V2) and 1.02 (AWS Xeons).
pub const FULL_SHARE: f64 = 0.785;

/// Power of an idle package as a share of its power when fully busy, fitted to points above 5 %
/// load; what was seen of packages without load is 0.38 (EPYC 8024P), 0.11 (E3-1240 V2) and 0.12 (AWS
/// Xeons).
pub const IDLE_SHARE: f64 = 0.293;

/// Relative standard uncertainty where the TDP is known: the pooled root mean square of the
/// residuals on machines left out of the fit, 0.41, and a tenth more, since they are but three.
pub const KNOWN_ERROR: f64 = 0.45;

/// TDP of one logical processor where the model is not known: the value that makes the relative
/// residuals of the processors in the table of this module least (Σ t² / Σ t, 5.0 W). The table runs
/// from 1.4 W to 11.4 W, its median is 3.9 W.
pub const TDP_PER_LOGICAL_CPU: Watts = Watts::new(5.0);

/// Exponent of the curve from the machine's own idle power to its own full power, where the user gives both: power
/// rises fast with the first busy processors and little with the last. Chosen so that the median error is small on
/// each of the two servers (15 %, 7 %) and the mean of the AWS Xeons (9 %), each with its own two figures. From 0.30
/// to 0.38 the median over all points is 12 to 15 %.
pub(crate) const OWN_EXPONENT: f64 = 0.35;

/// Standard uncertainty then: a share of the power, and one of full less idle power, so that 95 % of the points lie
/// within two of them. It was set after the errors of these three machines; a fourth may lie further off.
pub(crate) const OWN_ERROR: (f64, f64) = (0.1, 0.2);

/// Relative standard uncertainty where the TDP is not known: [`KNOWN_ERROR`] and the spread of TDP
/// per logical processor in the table, 0.39, in quadrature. Both servers, taken for unknown, lie
/// within twice this at 95 % of their points.
pub const UNKNOWN_ERROR: f64 = 0.60;

/// Power of memory: Lannelongue, Grealey, Inouye, "Green Algorithms", Advanced Science 2021, doi
/// 10.1002/advs.202100707 (preprint 2020): 0.3725 W a gigabyte.
pub const DRAM_PER_GIB: Watts = Watts::new(0.3725);

/// Relative standard uncertainty of memory power: sticks of 4 GB to 64 GB draw 2 W to 6 W each, so
/// the figure is right for small ones and several times too high for large ones. A judgement.
pub(crate) const DRAM_ERROR: f64 = 0.5;

/// Relative standard uncertainty of power half way between idle and full where utilisation is not known: that of a
/// rectangular distribution between the two, 0.204 of full power, over their mean, 0.647.
pub const UNSEEN_ERROR: f64 = 0.316;

/// Without progress of the processors' times for this long the domain counts as not observed.
const STALE: Duration = Duration::from_secs(1);

/// Package power at `utilisation` (0 to 1; what lies outside is moved to the edge) of a processor
/// that draws `full` when all its logical processors are busy.
#[must_use]
pub fn package_power(utilisation: f64, full: Watts) -> Watts {
    full * (IDLE_SHARE + (1.0 - IDLE_SHARE) * utilisation.clamp(0.0, 1.0))
}

/// Package power at `utilisation` of a processor that draws `own` power when idle and when all its logical processors
/// are busy.
#[must_use]
pub(crate) fn own_power(utilisation: f64, own: Own) -> Watts {
    own.idle + (own.full - own.idle) * utilisation.clamp(0.0, 1.0).powf(OWN_EXPONENT)
}

/// What the processors of a machine draw in all when idle, and when they are fully busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// When idle.
    pub idle: Watts,
    /// When all logical processors are busy.
    pub full: Watts,
}

impl Own {
    /// From text as `20,180`, in watts; `None` if it is not two powers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (idle, full) = text.split_once(',')?;
        let watts = |text: &str| text.trim().parse().ok().map(Watts::new);
        Some(Self { idle: watts(idle)?, full: watts(full)? }).filter(Self::can_be)
    }

    /// Whether these are powers, and the second is more than the first.
    #[must_use]
    pub fn can_be(&self) -> bool {
        let (idle, full) = (self.idle.get(), self.full.get());
        idle >= 0.0 && full > idle && full <= 100e3
    }
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
    /// A line up to so much when fully busy.
    Estimated(Watts),
    /// The machine's own figures.
    Stated(Own),
}

impl Power {
    fn at(self, utilisation: f64) -> Watts {
        match self {
            Self::Estimated(full) => package_power(utilisation, full),
            Self::Stated(own) => own_power(utilisation, own),
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
        Self::open_within(proc_root, wanted, None, None)
    }

    /// The same in a container that may use no more than `quota` processors, of a machine whose `own` power is known.
    pub(super) fn open_within(
        proc_root: &Path,
        wanted: Wanted,
        quota: Option<f64>,
        own: Option<Own>,
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
                    model.add_package(load, &processor, quota, own);
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
        own: Option<Own>,
    ) {
        let mut estimate = processors::estimate(processor, quota);
        let power = own.map_or(Power::Estimated(estimate.full), Power::Stated);
        if let Some(Own { idle, full }) = own {
            estimate.error = OWN_ERROR.0;
            estimate.note = format!(
                "modelled: from {idle} when idle to {full} when fully busy, as the user states, by utilisation; all \
                 packages of the machine"
            );
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
        if let (Some(Own { idle, full }), Some(domain)) = (own, self.domains.last_mut()) {
            domain.sensor.absolute_error = (full - idle) * OWN_ERROR.1;
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

    /// Gives modelled energy on either request; nothing for the processor while its times have not
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
