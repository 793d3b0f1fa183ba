//! Hardware → readings.
//!
//! A [`PowerSource`] owns the counters of its domains: it alone reads them and works out their wraparound.
//! The meter calls sources on its background threads, never on those of the metered program. A source that hangs
//! does not hold up the others for long.
//!
//! | source | what it reads | not covered |
//! |---|---|---|
//! | `nvml` | energy counter and power of NVIDIA boards, through the driver's library | vGPU guests, one MIG instance of a board |
//! | `rapl` | energy counters of CPU packages and their memory, through powercap | processors whose RAPL is available only through MSRs |
//! | `perf` | the same counters through `perf_event`, where powercap cannot be read | AMD's `power_core` PMU |
//! | `hwmon` | power of AMD GPUs, Grace sockets and Jetson modules, energy counters of Intel GPUs and of AMD's MI200 and MI300 | devices whose makers do not document what the sensor covers |
//! | `apple` | energy counters of Apple's chips: CPU, GPU and memory | Intel Macs, virtual machines |
//! | `cpu-model` | utilisation and installed memory, from which energy is modelled | whatever utilisation does not show: clocks, kinds of instructions |
//! | `external` | lines of a meter that the user names: a wall plug, a management controller ([`external`]) | |
//! | `fixed` | nothing: a power that the user states ([`fixed::Fixed`]) | |
//! | `replay` | a recorded trace ([`replay::Replay`]) | |
//!
//! No joule is counted twice. `rapl` and `perf` read the same registers, and one of them is used. A stated node, platform or
//! module is used and everything inside it is left out: a node contains everything, a platform the packages
//! and the memory, a module those and its GPU. A stated component is dropped where a sensor measures it, or
//! what contains it. What a meter that the user names measures, or what lies in that, is in no sum but the meter's. The model covers a processor or a memory only where nothing else does. A counter that
//! does not move when the meter starts (as in most virtual machines) is left out where something can replace
//! it, with a remark in the source's [report](SourceReport).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::energy::Method;
use crate::units::{Joules, Watts};

#[cfg(any(test, all(target_os = "macos", target_arch = "aarch64")))]
mod apple;
pub(crate) mod attribution;
mod beside;
mod boards;
mod counter;
pub(crate) mod cpu_model;
pub mod external;
pub mod fixed;
pub(crate) mod host;
pub(crate) mod hwmon;
mod load;
pub(crate) mod nvml;
pub(crate) mod perf;
pub(crate) mod probe;
mod processor_load;
mod proof;
pub(crate) mod rapl;
pub mod replay;
pub(crate) mod stat;
mod sysfs;
mod system;
mod tracked_counter;

pub use cpu_model::{Calibration, Calibrations, Own};

/// The kind of a domain.
///
/// ```
/// use ergometer::source::DomainKind;
///
/// assert_eq!(DomainKind::CpuPackage.as_str(), "cpu-package");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DomainKind {
    /// One GPU board, its memory and circuitry included.
    Gpu,
    /// One CPU package (socket): cores, uncore and any integrated GPU.
    CpuPackage,
    /// The memory attached to one package.
    Dram,
    /// A platform domain that contains the packages.
    Psys,
    /// A module that contains a CPU and a GPU (Grace Hopper).
    Module,
    /// A whole machine.
    Node,
    /// A kind that this version does not know, from a record of a later one.
    #[serde(other)]
    Other,
}

impl DomainKind {
    /// Every kind that is known: all but [`Other`](Self::Other).
    pub const ALL: [Self; 6] =
        [Self::Gpu, Self::CpuPackage, Self::Dram, Self::Psys, Self::Module, Self::Node];

    /// Whether a domain of this kind contains everything of kind `inner`.
    pub(crate) const fn contains(self, inner: Self) -> bool {
        match self {
            Self::Node => !matches!(inner, Self::Node),
            Self::Psys => matches!(inner, Self::CpuPackage | Self::Dram),
            Self::Module => matches!(inner, Self::CpuPackage | Self::Dram | Self::Gpu),
            Self::Gpu | Self::CpuPackage | Self::Dram | Self::Other => false,
        }
    }

    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::CpuPackage => "cpu-package",
            Self::Dram => "dram",
            Self::Psys => "psys",
            Self::Module => "module",
            Self::Node => "node",
            Self::Other => "other",
        }
    }
}

/// A metered thing, with an identity that survives a reboot.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let node = &meter.domains()[0];
/// assert_eq!((node.id.as_str(), node.source.as_str()), ("fixed:node", "fixed"));
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// Stable identity, unique within a machine: `nvml:GPU-8f2c…`, `rapl:package-0`.
    pub id: String,
    /// Its kind.
    pub kind: DomainKind,
    /// Its name for people: `NVIDIA H100 80GB HBM3`.
    pub label: String,
    /// The source that reads it: `nvml`, `rapl`, `perf`, `hwmon`, `apple`, `cpu-model`, `external`, `fixed`,
    /// `replay`.
    pub source: String,
    /// How its energy is obtained.
    pub method: Method,
    /// Known properties of its sensor.
    pub sensor: Sensor,
    /// PCI address (`0000:3b:00.0`) where there is one.
    pub pci_address: Option<String>,
    /// The power limit in force when the run started, where the device has one.
    pub power_limit: Option<Watts>,
    /// What a reader of the figure has to know: a shared board, a model's origin.
    pub note: Option<String>,
}

impl fmt::Display for Domain {
    /// Kind and label: `gpu NVIDIA H100 80GB HBM3`; the label alone where that begins with the kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str();
        if !self.label.starts_with(kind) {
            write!(f, "{kind} ")?;
        }
        f.write_str(&self.label)
    }
}

/// How the sensor of a domain behaves. Every figure is a prior that its source documents.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let sensor = meter.domains()[0].sensor;
/// assert_eq!(sensor.relative_error, 0.2); // of a stated power
/// assert_eq!(sensor.counter_period_s, None); // there is no counter
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    /// Seconds between two updates of the energy counter, if there is a counter and its period is
    /// known.
    pub counter_period_s: Option<f64>,
    /// The counter's resolution, if there is a counter.
    pub counter_quantum: Option<Joules>,
    /// Seconds between two updates of the power reading, if there is one.
    pub power_period_s: Option<f64>,
    /// Seconds over which the sensor averages power before it shows it, if that is known.
    pub power_window_s: Option<f64>,
    /// Relative standard uncertainty of the gain: 0.05 is 5 %. For modelled and assumed domains it is the
    /// model's relative error.
    pub relative_error: f64,
    /// Absolute standard uncertainty of the level in watts, in addition to the relative one.
    pub absolute_error: Watts,
}

/// One observation of a domain.
///
/// ```
/// use std::time::Duration;
/// use ergometer::source::{Reading, Value};
/// use ergometer::{clock, units::Watts};
///
/// // The first domain's power, updated at most 10 ms before or after this moment.
/// let reading = Reading::new(0, clock::now(), Value::Power(Watts::new(120.0)));
/// let reading = reading.known_within(Duration::from_millis(10));
/// assert_eq!(reading.within.as_secs_f64(), 0.01);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Index into [`PowerSource::domains`].
    pub domain: usize,
    /// The moment for which the value holds: for a counter, its update; for an averaged power, the middle
    /// of the averaging window. Where the source cannot determine that moment, it is the time of the read.
    pub at: Timestamp,
    /// How far that moment may lie from `at`, to either side.
    pub within: Duration,
    /// The value.
    pub value: Value,
}

impl Reading {
    /// A value that holds for exactly the moment `at`.
    #[must_use]
    pub const fn new(domain: usize, at: Timestamp, value: Value) -> Self {
        Self { domain, at, within: Duration::ZERO, value }
    }

    /// The same, with a moment that is known only to ± `within`.
    #[must_use]
    pub const fn known_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }
}

/// The content of a reading.
///
/// ```
/// use ergometer::source::Value;
/// use ergometer::units::Joules;
///
/// /// What a counter of microjoules says, since it showed `first`.
/// fn drawn(first: u64, now: Option<u64>) -> Value {
///     match now {
///         Some(now) if now >= first => Value::Energy(Joules::new((now - first) as f64 / 1e6)),
///         Some(_) => Value::Restarted("the counter went back".to_owned()),
///         None => Value::Missing("the file cannot be read".to_owned()),
///     }
/// }
/// assert_eq!(drawn(500_000, Some(2_000_000)), Value::Energy(Joules::new(1.5)));
/// assert!(matches!(drawn(500_000, None), Value::Missing(_))); // never 0
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Joules drawn since the source first read this counter: unwrapped, never decreasing.
    Energy(Joules),
    /// The counter restarted (driver reload) or could not be followed, so the energy since the last
    /// `Energy` is lost. The next `Energy` continues from the last one's value.
    Restarted(String),
    /// Power at this moment, as the sensor reports it.
    Power(Watts),
    /// The read failed, or returned an impossible value; with the reason.
    Missing(String),
}

/// The reason for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// A periodic read.
    Routine,
    /// A run or an epoch begins or ends about now, so a value close to now is most useful.
    Edge,
    /// The run ends. The source must return everything that it has held back, as it will not be read again.
    Last,
}

/// The window of time for a source's next read; any moment in it serves equally well. The wider it is, the
/// fewer wakes it takes to read all sources.
///
/// ```
/// use std::time::Duration;
/// use ergometer::{clock, source::Due};
///
/// // A sensor that is updated once a second, just now.
/// let now = clock::now();
/// let due = Due { from: now.after(Duration::from_millis(1000)), by: now.after(Duration::from_millis(1900)) };
/// assert!(due.from > Due::at(now).by);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// An earlier read would return nothing new.
    pub from: Timestamp,
    /// A later read would lose information.
    pub by: Timestamp,
}

impl Due {
    /// Due at this moment.
    #[must_use]
    pub const fn at(moment: Timestamp) -> Self {
        Self { from: moment, by: moment }
    }

    /// When to wake for several sources; `None` if there are none. It is up to [`LEAD`] before the first of them must
    /// be read, for a thread may wake late, but not before all those may be read that could be read with it. How long
    /// before varies, so that reads do not keep step with a register that is updated as often.
    pub(crate) fn together(dues: impl Iterator<Item = Self> + Clone) -> Option<Timestamp> {
        let by = dues.clone().map(|due| due.by).min()?;
        let from = dues.map(|due| due.from).filter(|from| *from <= by).max().unwrap_or(by);
        let share = 0.25 + 0.75 * spread(by.as_nanos());
        Some(by.before(by.since(from).min(LEAD).mul_f64(share)))
    }
}

/// A number from 0 to 1 for each whole number: multiples of the golden ratio are evenly spread, and never periodic.
pub(crate) fn spread(number: u64) -> f64 {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A thread is woken so long before it must read, if it may read then: beside busy threads it runs some milliseconds late.
pub(crate) const LEAD: Duration = Duration::from_millis(20);

/// A source holds no value back for longer than this, seconds: it may date or judge values by those that follow them.
pub(crate) const HELD_BACK: f64 = 9.0;

/// Hardware, or a substitute for it.
///
/// An implementation reports a failed read as [`Value::Missing`] and continues with its other domains. It
/// never panics and never returns a made-up number.
///
/// ```
/// use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request, Sensor, Value};
/// use ergometer::{Meter, clock, energy::Method, units::Watts};
///
/// struct WallMeter([Domain; 1]);
///
/// impl PowerSource for WallMeter {
///     fn domains(&self) -> &[Domain] {
///         &self.0
///     }
///
///     fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
///         let watts = Watts::new(120.0); // ask the device
///         readings.push(Reading::new(0, clock::now(), Value::Power(watts)));
///     }
/// }
///
/// let node = Domain {
///     id: "wall:0".to_owned(),
///     kind: DomainKind::Node,
///     label: "wall meter".to_owned(),
///     source: "wall".to_owned(),
///     method: Method::Integrated,
///     sensor: Sensor {
///         counter_period_s: None,
///         counter_quantum: None,
///         power_period_s: Some(0.1),
///         power_window_s: None,
///         relative_error: 0.01,
///         absolute_error: Watts::ZERO,
///     },
///     pci_address: None,
///     power_limit: None,
///     note: None,
/// };
/// let meter = Meter::builder().without_probe().source(Box::new(WallMeter([node]))).start()?;
/// std::thread::sleep(std::time::Duration::from_millis(300));
/// let record = meter.finish()?;
/// let power = record.domains[0].mean_power.unwrap();
/// assert!((power.get() - 120.0).abs() < 1.0, "{power}");
/// # Ok::<(), ergometer::Error>(())
/// ```
pub trait PowerSource: Send {
    /// The domains that this source reads. Their number, order and identity are fixed; properties of their
    /// sensors and remarks may be added up to the last read.
    fn domains(&self) -> &[Domain];

    /// Appends the new readings. A source may hold a reading back and return it later, as long as the
    /// readings of one domain and one kind are in the order of time.
    fn read(&mut self, request: Request, readings: &mut Vec<Reading>);

    /// The window for its next read; by default 90 to 130 ms later, at uneven intervals.
    fn next_read(&self) -> Option<Due> {
        None
    }

    /// The time of its last read, after a read at the end of the run just before `now`; by default at once.
    fn last_read(&self, now: Timestamp) -> Timestamp {
        now
    }

    /// What the record has to warn of, of what was found since the last call. Called after each read.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}

impl PowerSource for Box<dyn PowerSource> {
    fn domains(&self) -> &[Domain] {
        (**self).domains()
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        (**self).read(request, readings);
    }

    fn next_read(&self) -> Option<Due> {
        (**self).next_read()
    }

    fn last_read(&self, now: Timestamp) -> Timestamp {
        (**self).last_read(now)
    }

    fn warnings(&mut self) -> Vec<String> {
        (**self).warnings()
    }
}

/// Whether a source can be read here.
///
/// ```
/// use ergometer::{Meter, source::Availability};
///
/// let meter = Meter::builder().start()?;
/// for report in meter.sources() {
///     if let Availability::Unavailable { reason, remedy } = &report.availability {
///         println!("{}: {reason}; {remedy}", report.source);
///         assert!(!reason.is_empty());
///     }
/// }
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Availability {
    /// It can be read.
    Available,
    /// It cannot be read.
    Unavailable {
        /// Why, in one line.
        reason: String,
        /// The remedy, in one line.
        remedy: String,
    },
}

/// The result of probing one source.
///
/// ```
/// use ergometer::{Meter, source::Availability};
///
/// let meter = Meter::builder().sysfs_root("/nowhere").proc_root("/nowhere").start()?;
/// let rapl = meter.sources().iter().find(|report| report.source == "rapl").unwrap();
/// let Availability::Unavailable { reason, remedy } = &rapl.availability else { panic!("{rapl:?}") };
/// assert!(!reason.is_empty() && !remedy.is_empty());
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceReport {
    /// The source's name.
    pub source: String,
    /// Whether it can be read.
    pub availability: Availability,
    /// Ids of its domains.
    pub domains: Vec<String>,
    /// Domains that exist but cannot be read, and other remarks.
    pub remarks: Vec<String>,
}

#[cfg(test)]
mod tests {
    mod corrupt_trees;
}
