//! The RAPL registers and their properties, which are the same for powercap and `perf_event`.

use super::IMPOSSIBLE;
use crate::energy::Method;
use crate::source::{Domain, DomainKind, Sensor};
use crate::units::{Joules, Watts};

/// The register counts in units of 2^-16 J on AMD and on Intel's server memory, 2^-14 J on Intel
/// packages (Intel SDM vol. 3B, 15.10); the coarser one is assumed.
const QUANTUM: Joules = Joules::new(1.0 / 16384.0);

/// Sapphire and Emerald Rapids count the platform in whole joules (Linux,
/// `drivers/powercap/intel_rapl_common.c`, `rapl_defaults_spr_server`).
const PLATFORM_QUANTUM: Joules = Joules::new(1.0);

/// "Updated every 1 ms" (AMD PPR, `Core::X86::Msr::PKG_ENERGY_STAT`; Intel SDM vol. 3B: about 1 ms).
const PERIOD_S: f64 = 0.001;

/// Relative standard uncertainty of packages. On Haswell and newer RAPL is measured and agrees with a wall
/// meter within about 2 %; AMD's is partly modelled (Hackenberg et al. 2015, doi 10.1109/IPDPSW.2015.70;
/// Schöne et al. 2021, doi 10.1109/Cluster48925.2021.00087).
const PACKAGE_ERROR: f64 = 0.03;

/// Relative standard uncertainty of memory domains: within 20 % of a board meter over
/// configurations (Desrochers, Paradis, Weaver 2016, doi 10.1145/2989081.2989088), taken as two
/// standard deviations.
const DRAM_ERROR: f64 = 0.10;

/// Relative standard uncertainty of the platform. The machine's maker chooses its sensor, and no comparison
/// over many machines is known. A judgement.
const PLATFORM_ERROR: f64 = 0.10;

/// No platform of up to eight sockets draws more.
const PLATFORM_IMPOSSIBLE: Watts = Watts::new(10_000.0);

/// A register, by what it measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Part {
    Package,
    Dram,
    Platform,
}

impl Part {
    pub(in crate::source) const fn kind(self) -> DomainKind {
        match self {
            Self::Package => DomainKind::CpuPackage,
            Self::Dram => DomainKind::Dram,
            Self::Platform => DomainKind::Psys,
        }
    }

    /// The lowest power that is impossible for it.
    pub(in crate::source) const fn impossible(self) -> Watts {
        match self {
            Self::Package | Self::Dram => IMPOSSIBLE,
            Self::Platform => PLATFORM_IMPOSSIBLE,
        }
    }

    /// Its domain in `source`, with the identity `id` (`package-0`, `package-0:dram`, `psys`).
    pub(in crate::source) fn domain(self, source: &str, id: &str) -> Domain {
        let (period, quantum, error) = match self {
            Self::Package => (Some(PERIOD_S), QUANTUM, PACKAGE_ERROR),
            Self::Dram => (Some(PERIOD_S), QUANTUM, DRAM_ERROR),
            Self::Platform => (None, PLATFORM_QUANTUM, PLATFORM_ERROR),
        };
        Domain {
            id: format!("{source}:{id}"),
            kind: self.kind(),
            label: id.replace(':', " "),
            source: source.to_owned(),
            method: Method::Counter,
            sensor: Sensor {
                counter_period_s: period,
                counter_quantum: Some(quantum),
                power_period_s: None,
                power_window_s: None,
                relative_error: error,
                absolute_error: Watts::ZERO,
            },
            pci_address: None,
            power_limit: None,
            note: (self == Self::Platform).then(|| {
                "packages, memory and whatever else the machine's maker put behind this sensor"
                    .to_owned()
            }),
        }
    }
}
