//! Hardware → readings.
//!
//! A [`PowerSource`] owns the counters of its domains: it alone reads them and works out their
//! wraparound. They are called from background threads of the meter, in such a way that one that hangs holds
//! up no other for long; nothing here runs on the threads of the metered program.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::meter::Method;
use crate::units::{Joules, Watts};

mod boards;
mod counter;
pub mod cpu_model;
pub mod fixed;
mod follow;
pub(crate) mod host;
#[cfg(test)]
mod hostile;
pub mod hwmon;
pub mod nvml;
pub mod perf;
pub mod probe;
mod proof;
pub mod rapl;
pub mod replay;
pub mod share;
mod stat;
mod sysfs;

/// What kind of thing a domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
}

impl DomainKind {
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
        }
    }
}

/// One thing that is metered, with an identity that outlasts a reboot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// Stable identity, unique within a machine: `nvml:GPU-8f2c…`, `rapl:package-0`.
    pub id: String,
    /// What kind of thing it is.
    pub kind: DomainKind,
    /// For people: `NVIDIA H100 80GB HBM3`.
    pub label: String,
    /// The source that reads it: `nvml`, `rapl`, `perf`, `hwmon`, `cpu-model`, `fixed`, `replay`.
    pub source: String,
    /// How its energy is obtained.
    pub method: Method,
    /// What is known of the sensor behind it.
    pub sensor: Sensor,
    /// PCI address (`0000:3b:00.0`) where there is one.
    pub pci_address: Option<String>,
    /// The power limit in force when the run started, where the device has one.
    pub power_limit: Option<Watts>,
    /// What a reader of the number has to know: a shared board, a model's origin.
    pub note: Option<String>,
}

/// How the sensor of a domain behaves; every figure is a prior that its source documents.
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
    /// Relative standard uncertainty of the gain: 0.05 is 5 %. For modelled and assumed domains
    /// this is the model's relative error.
    pub relative_error: f64,
    /// Absolute standard uncertainty of the level, in watts, added to the relative one.
    pub absolute_error: Watts,
}

/// One observation of a domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Index into [`PowerSource::domains`].
    pub domain: usize,
    /// The moment for which the value holds: of a counter, when it was updated to that; of a power
    /// that the sensor averages, the middle of what it averages. Where the source cannot tell, when
    /// it was read.
    pub at: Timestamp,
    /// How far from `at` that moment may lie, to either side.
    pub within: Duration,
    /// What was read.
    pub value: Value,
}

impl Reading {
    /// A value that holds for the moment `at` exactly.
    #[must_use]
    pub const fn new(domain: usize, at: Timestamp, value: Value) -> Self {
        Self { domain, at, within: Duration::ZERO, value }
    }

    /// The same, held for a moment known to ± `within` only.
    #[must_use]
    pub const fn known_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }
}

/// What a reading says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Joules drawn since the source first read this counter: unwrapped, never decreasing.
    Energy(Joules),
    /// The counter restarted (driver reload) or could not be followed: what was drawn since the
    /// last `Energy` is lost. The next `Energy` continues from the last one's value.
    Restarted(String),
    /// Power at this moment, as the sensor gives it.
    Power(Watts),
    /// The read failed, or gave what cannot be; with the reason.
    Missing(String),
}

/// Why a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// It is time to.
    Routine,
    /// A run or an epoch begins or ends about now: what lies nearest to now is worth most.
    Edge,
    /// The run ends: whatever the source has held back is due now, for it is not read again.
    Last,
}

/// When a source is to be read: any moment from the one to the other serves as well. The wider that is, the
/// fewer wakes it takes to read all sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Before this a read tells nothing new.
    pub from: Timestamp,
    /// After this it would tell less.
    pub by: Timestamp,
}

impl Due {
    /// Due at this moment.
    #[must_use]
    pub const fn at(moment: Timestamp) -> Self {
        Self { from: moment, by: moment }
    }
}

/// Hardware, or what stands for it.
///
/// An implementation reports a failed read as [`Value::Missing`] and goes on with its other
/// domains; it never panics and never gives a made-up number.
pub trait PowerSource: Send {
    /// The domains this source reads: their number, order and identity are fixed. What is learnt of
    /// their sensors, and the remarks on them, may be added up to the last read.
    fn domains(&self) -> &[Domain];

    /// Appends what there is to say; a source may hold a reading back and give it later, as long as
    /// the readings of one domain and one kind come in the order of their time.
    fn read(&mut self, request: Request, readings: &mut Vec<Reading>);

    /// When it wants to be read next; by default every 90 to 130 ms, unevenly.
    fn next_read(&self) -> Option<Due> {
        None
    }

    /// When it wants to be read for the last time, after a read at the end of the run just before `now`; by
    /// default at once.
    fn last_read(&self, now: Timestamp) -> Timestamp {
        now
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
}

/// Whether a source can be read here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Availability {
    /// It gives readings.
    Available,
    /// It gives none.
    Unavailable {
        /// Why, in one line.
        reason: String,
        /// What would change that, in one line.
        remedy: String,
    },
}

/// What the probe found of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// The source's name.
    pub source: String,
    /// Whether it can be read.
    pub availability: Availability,
    /// Ids of the domains it gives.
    pub domains: Vec<String>,
    /// Domains that are there but cannot be read, and other remarks.
    pub remarks: Vec<String>,
}
