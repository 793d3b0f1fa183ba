//! Which sources there are on this machine.

use std::env;
use std::path::PathBuf;

use super::cpu_model::{CpuModel, Wanted};
use super::fixed::{self, Fixed};
use super::nvml::{self, Devices};
use super::rapl::Rapl;
use super::{Availability, DomainKind, PowerSource, SourceReport};
use crate::units::Watts;

/// Where the sources look.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Root of sysfs: `/sys`, or `ERGOMETER_SYSFS_ROOT`.
    pub sysfs_root: PathBuf,
    /// Root of procfs: `/proc`, or `ERGOMETER_PROC_ROOT`.
    pub proc_root: PathBuf,
    /// The NVML library: the system's own, or `ERGOMETER_NVML_LIBRARY`.
    pub nvml_library: Option<PathBuf>,
    /// Which NVIDIA boards are metered.
    pub devices: Devices,
    /// Constant powers that the user states.
    pub fixed: Vec<(DomainKind, Watts)>,
}

impl Default for Settings {
    fn default() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            sysfs_root: path("ERGOMETER_SYSFS_ROOT").unwrap_or_else(|| "/sys".into()),
            proc_root: path("ERGOMETER_PROC_ROOT").unwrap_or_else(|| "/proc".into()),
            nvml_library: path("ERGOMETER_NVML_LIBRARY"),
            devices: Devices::default(),
            fixed: Vec::new(),
        }
    }
}

/// Opens every source and says what each found, in the order `nvml`, `rapl`, `cpu-model`, `fixed`.
///
/// No joule is counted twice: the model gives a processor or a memory only where neither RAPL nor
/// the user does, and a stated processor or memory steps back where RAPL measures it.
#[must_use]
pub fn probe(settings: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) {
    let mut sources: Vec<Box<dyn PowerSource>> = Vec::new();

    let (nvml, nvml_report) = nvml::open(settings.nvml_library.as_deref());
    sources.extend(nvml);

    let (rapl, rapl_report) = Rapl::open(&settings.sysfs_root, &settings.proc_root);
    let measured = |kind| {
        rapl.as_ref().is_some_and(|rapl| rapl.domains().iter().any(|domain| domain.kind == kind))
    };
    let (stated, fixed_report) = stated(&settings.fixed, measured);
    let given =
        |kind| measured(kind) || stated.iter().any(|source| source.domains()[0].kind == kind);
    let wanted = Wanted { package: !given(DomainKind::CpuPackage), dram: !given(DomainKind::Dram) };
    let (model, model_report) = CpuModel::open(&settings.proc_root, wanted);

    sources.extend(rapl.map(|rapl| Box::new(rapl) as Box<dyn PowerSource>));
    sources.extend(model.map(|model| Box::new(model) as Box<dyn PowerSource>));
    sources.extend(stated.into_iter().map(|fixed| Box::new(fixed) as Box<dyn PowerSource>));
    (sources, vec![nvml_report, rapl_report, model_report, fixed_report])
}

/// Only the powers that the user states: no hardware is looked for.
#[must_use]
pub fn fixed_only(settings: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) {
    let (stated, report) = stated(&settings.fixed, |_| false);
    let sources = stated.into_iter().map(|fixed| Box::new(fixed) as Box<dyn PowerSource>).collect();
    (sources, vec![report])
}

fn stated(
    powers: &[(DomainKind, Watts)],
    measured: impl Fn(DomainKind) -> bool,
) -> (Vec<Fixed>, SourceReport) {
    let mut sources: Vec<Fixed> = Vec::new();
    let mut remarks = Vec::new();
    for &(kind, watts) in powers {
        if matches!(kind, DomainKind::CpuPackage | DomainKind::Dram) && measured(kind) {
            remarks.push(format!("{} at {watts} is not used: rapl measures it", kind.as_str()));
            continue;
        }
        match Fixed::new(kind, watts, fixed::DEFAULT_ERROR) {
            Ok(fixed) => {
                let before =
                    sources.iter().filter(|source| source.domains()[0].kind == kind).count();
                sources.push(if before == 0 { fixed } else { fixed.with_number(before + 1) });
            }
            Err(error) => remarks.push(error.to_string()),
        }
    }
    let availability = if !sources.is_empty() {
        Availability::Available
    } else if remarks.is_empty() {
        Availability::Unavailable {
            reason: "no power was stated".to_owned(),
            remedy: "state the watts of what has no sensor, with `MeterBuilder::fixed`".to_owned(),
        }
    } else {
        Availability::Unavailable {
            reason: remarks.join("; "),
            remedy: "state powers between 0 W and 100 kW, of what nothing measures".to_owned(),
        }
    };
    let domains = sources.iter().map(|source| source.domains()[0].id.clone()).collect();
    let report = SourceReport { source: fixed::NAME.to_owned(), availability, domains, remarks };
    (sources, report)
}
