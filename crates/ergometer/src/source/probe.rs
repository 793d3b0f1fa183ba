//! Finds the sources on this machine.

mod externals;
mod found;
pub mod settings;
mod stated;

use std::path::Path;
use std::time::Duration;

use self::externals::Externals;
use self::found::{Found, look, look_also};
use self::settings::Settings;
use self::stated::stated;
use super::boards;
use super::cpu_model::{self, CpuModel, Wanted};
use super::external;
use super::fixed::{self, Fixed};
use super::host;
use super::hwmon::{self, Hwmon};
use super::nvml::{self, Devices};
use super::perf::{self, Perf};
use super::rapl::{self, Level, Rapl};
use super::system::System;
use super::{Availability, DomainKind, PowerSource, SourceReport};
use crate::units::Watts;

/// Time limit for files of the kernel.
const FILE_LIMIT: Duration = Duration::from_secs(5);
/// Time limit for a driver; one that does not keep boards initialised takes seconds for each.
const DRIVER_LIMIT: Duration = Duration::from_secs(30);

/// What helps where there is no Linux kernel to show sensors.
const NO_HWMON: &str = "none here; a board's power can be stated with `MeterBuilder::fixed`";
const NO_COUNTER_OF_THE_PROCESSOR: &str = "none here: `cpu-model` estimates the processor; give it the machine's idle and \
     full power with ERGOMETER_CPU_POWER or `MeterBuilder::cpu_power`";

/// Opens every source and reports on each, in the order `nvml`, `rapl`, `perf`, `hwmon`, `cpu-model`, `external`,
/// `fixed`; the last two only if a meter was named or a power was stated. On a Mac with Apple's chip, `apple` comes before `hwmon`.
///
/// A sensor of `rapl`, `perf` or `hwmon` has to prove that it works. A counter that does not move in 0.3 s
/// (1.1 s for sockets and modules of `hwmon`), or a power of 0, is left out with a remark if something can
/// replace it. A board that stands still is kept, because nothing else measures it, unless another board of its
/// driver works. A domain that never moves during a run has no energy in the record. One that is left out and
/// moves later is named in the record's warnings; for that, a source none of whose domains is used is among the
/// sources, without domains.
///
/// No joule is counted twice:
/// * `perf` and `rapl` read the same registers: `perf` is used only where no zone of `rapl` can be read;
/// * a stated node, platform or module is used, and everything inside it is left out, whichever source
///   measures it. A node contains everything, a platform the packages and the memory, a module those and
///   its GPU;
/// * what a named meter measures, or what lies in that, is in no sum but the meter's; sensors of it are read to be
///   compared with it;
/// * a stated component is dropped where a sensor measures it or what contains it;
/// * the model covers a processor or a memory only where nothing else does.
///
/// `rapl`, `perf` and `hwmon` read files of the Linux kernel. On other systems they are looked for only in a copy of
/// such files that the settings name.
#[must_use]
pub fn probe(settings: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) {
    probe_on(System::current(), settings)
}

fn probe_on(system: System, settings: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) {
    let mut stated_kinds = stated_kinds(settings);
    let mut external = externals::open(settings.externals(), &stated_kinds);
    stated_kinds.retain(|&kind| !covers(&external.kinds, kind));
    let (mut found, memory_inside) = sensors(system, settings, &stated_kinds);
    external.step_back_before(&found);
    let measured = |kind| covers(&external.kinds, kind);
    let (stated, fixed_report) = stated(&settings.fixed, &settings.accelerators, |kind| {
        if measured(kind) {
            return Some(external::NAME.to_owned());
        }
        // A machine may have GPUs with a sensor and others without, which are stated in addition.
        let gives = |found: &&Found| match kind {
            DomainKind::Gpu => found.any(|outer| outer.contains(kind)),
            kind => found.gives(kind),
        };
        found.iter().find(gives).map(|found| found.report.source.clone())
    });
    let given = |kind| {
        measured(kind)
            || found.iter().any(|found| found.gives(kind))
            || stated.iter().any(|source| {
                let stated = source.domains()[0].kind;
                stated == kind || stated.contains(kind)
            })
    };
    let wanted = Wanted {
        package: !given(DomainKind::CpuPackage),
        dram: !given(DomainKind::Dram) && !memory_inside,
    };
    found.push(model(settings, wanted));
    let beside = |found: Found| found.beside(measured, external::NAME, &external.witness);
    let mut found: Vec<Found> = found.into_iter().map(beside).collect();
    found.extend(external.found);

    let (mut sources, mut reports) = (Vec::new(), Vec::new());
    for found in found {
        sources.extend(found.sources);
        sources.extend(found.watched);
        reports.push(found.report);
    }
    sources.extend(stated.into_iter().map(|fixed| Box::new(fixed) as Box<dyn PowerSource>));
    reports.extend(fixed_report);
    (sources, reports)
}

/// The sensors of the machine, without those that lie in one of the `stated` kinds, and whether that of the processor
/// includes the memory.
fn sensors(system: System, settings: &Settings, stated: &[DomainKind]) -> (Vec<Found>, bool) {
    let has_sysfs = system == System::Linux || settings.sysfs_root != Path::new("/sys");
    let outside = |found: Found| found.unless_inside(stated);

    let mut found = vec![outside(nvidia(settings))];
    if has_sysfs {
        found.extend(processor(settings).map(outside));
    } else {
        let without = |name| Found::without(system.without(name, NO_COUNTER_OF_THE_PROCESSOR));
        found.extend([rapl::NAME, perf::NAME].map(without));
    }
    #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
    found.push(outside(look(super::apple::NAME, FILE_LIMIT, || {
        let (apple, report) = super::apple::of_this_mac();
        Found::new(apple, report).proven()
    })));
    let package = found.iter().find(|found| found.gives(DomainKind::CpuPackage));
    let package = package
        .map(|found| found.report.source.clone())
        .or_else(|| covers(stated, DomainKind::CpuPackage).then(|| fixed::NAME.to_owned()));
    let (hwmon, memory_inside) = if has_sysfs {
        hwmon_sensors(settings, package)
    } else {
        (Found::without(system.without(hwmon::NAME, NO_HWMON)), false)
    };
    let memory_inside = memory_inside && hwmon.gives(DomainKind::CpuPackage);
    found.push(outside(hwmon));
    (found, memory_inside)
}

/// The selected devices, without the boards of other makers in a list.
#[must_use]
pub(crate) fn left_to_nvml(settings: &Settings) -> Devices {
    match &settings.devices {
        Devices::List(ids) => {
            Devices::List(boards::of_others(ids, &hwmon::boards(&settings.sysfs_root)))
        }
        devices => devices.clone(),
    }
}

/// Only the powers that the program states and the meters that it names, without looking for hardware.
#[must_use]
pub fn fixed_only(settings: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) {
    let Externals { found, kinds, .. } =
        externals::open(&settings.external, &stated_kinds(settings));
    let measured = |kind| covers(&kinds, kind).then(|| external::NAME.to_owned());
    let (stated, report) = stated(&settings.fixed, &settings.accelerators, measured);
    let (mut sources, mut reports) = (Vec::new(), Vec::new());
    if let Some(found) = found {
        sources.extend(found.sources.into_iter().chain(found.watched));
        reports.push(found.report);
    }
    sources.extend(stated.into_iter().map(|fixed| Box::new(fixed) as Box<dyn PowerSource>));
    reports.extend(report);
    (sources, reports)
}

/// The kinds whose power the user states.
fn stated_kinds(settings: &Settings) -> Vec<DomainKind> {
    let can_be = |&(kind, watts): &(DomainKind, Watts)| {
        Fixed::new(kind, watts, fixed::DEFAULT_ERROR).is_ok()
    };
    settings.fixed.iter().copied().filter(can_be).map(|(kind, _)| kind).collect()
}

/// Whether `kind` is among `kinds` or part of one of them.
fn covers(kinds: &[DomainKind], kind: DomainKind) -> bool {
    kinds.iter().any(|&one| one == kind || one.contains(kind))
}

/// NVIDIA boards.
fn nvidia(settings: &Settings) -> Found {
    look(nvml::NAME, DRIVER_LIMIT, {
        let settings = settings.clone();
        move || {
            let library = settings.nvml_library.as_deref();
            let (devices, environment) = (left_to_nvml(&settings), &settings.environment);
            let (sources, report) = nvml::open(
                library,
                &settings.proc_root,
                &devices,
                environment,
                settings.nvml_share,
            );
            Found { sources, watched: Vec::new(), report }
        }
    })
}

/// What the kernel shows of AMD and Intel boards, sockets and modules, and whether the reading of the processor
/// includes the memory. `package` is the source that meters the processor already.
fn hwmon_sensors(settings: &Settings, package: Option<String>) -> (Found, bool) {
    look_also(hwmon::NAME, FILE_LIMIT, {
        let settings = settings.clone();
        move || {
            let root = &settings.sysfs_root;
            let (devices, environment) = (&settings.devices, &settings.environment);
            let choice = boards::Choice::of(devices, environment, root, &hwmon::boards(root));
            let (hwmon, report) = Hwmon::open_chosen(root, package.as_deref(), &choice);
            let memory_inside = hwmon.as_ref().is_some_and(Hwmon::has_memory_inside);
            (Found::new(hwmon, report).proven(), memory_inside)
        }
    })
}

/// The model of what no sensor measures.
fn model(settings: &Settings, wanted: Wanted) -> Found {
    let (known, invalid) = settings.known_power();
    let mut model = look(cpu_model::NAME, FILE_LIMIT, {
        let (proc_root, sysfs_root) = (settings.proc_root.clone(), settings.sysfs_root.clone());
        move || {
            // A job's control group on a machine that it has to itself is not a container: there the whole
            // machine is metered.
            let quota = host::Limits::read(&proc_root, &sysfs_root).quota;
            let quota = quota.filter(|_| host::in_container(&proc_root));
            let (model, report) = CpuModel::open_within(&proc_root, wanted, quota, &known);
            Found::new(model, report)
        }
    });
    model.report.remarks.extend(invalid);
    model
}

/// RAPL, through powercap or `perf_event`.
fn processor(settings: &Settings) -> [Found; 2] {
    if !settings.platform {
        return components(settings);
    }
    let [rapl, perf] = registers(settings, Level::Platform);
    if !rapl.sources.is_empty() || !perf.sources.is_empty() {
        return [rapl, perf];
    }
    let mut found = components(settings);
    for (found, platform) in found.iter_mut().zip([rapl, perf]) {
        if let Availability::Unavailable { reason, .. } = platform.report.availability {
            found.report.remarks.push(format!(
                "the platform was requested but is not available ({reason}): its components are \
                 metered instead"
            ));
        }
    }
    found
}

fn components(settings: &Settings) -> [Found; 2] {
    registers(settings, Level::Components)
}

/// Both interfaces to the registers of `scope`; at most one is used.
fn registers(settings: &Settings, scope: Level) -> [Found; 2] {
    let roots = (settings.sysfs_root.clone(), settings.proc_root.clone());
    let rapl = look(rapl::NAME, FILE_LIMIT, {
        let (sysfs, proc) = roots.clone();
        move || {
            let (rapl, report) = Rapl::open(&sysfs, &proc, scope);
            Found::new(rapl, report).proven()
        }
    });
    if !rapl.sources.is_empty() {
        let perf = SourceReport {
            source: perf::NAME.to_owned(),
            availability: Availability::Available,
            domains: Vec::new(),
            remarks: vec!["not used: rapl reads the same counters".to_owned()],
        };
        return [rapl, Found::without(perf)];
    }
    let perf = look(perf::NAME, FILE_LIMIT, move || {
        let (perf, report) = Perf::open(&roots.0, &roots.1, scope);
        Found::new(perf, report).proven()
    });
    let mut rapl = rapl;
    if !perf.sources.is_empty() {
        rapl.watched.clear();
        rapl.report.remarks.push("not used: perf reads the same counters".to_owned());
    }
    [rapl, perf]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings of a machine without a driver, that look nowhere else.
    fn settings() -> Settings {
        Settings {
            sysfs_root: "/sys".into(),
            proc_root: "/proc".into(),
            nvml_library: Some("/nowhere/libnvidia-ml.so.1".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn on_other_systems_no_source_advises_what_helps_on_linux() {
        for (system, name) in [(System::MacOs, "macOS"), (System::Windows, "Windows")] {
            let (sources, reports) = probe_on(system, &settings());
            let of = |source: &str| reports.iter().find(|report| report.source == source).unwrap();
            for source in [rapl::NAME, perf::NAME, hwmon::NAME] {
                let Availability::Unavailable { reason, remedy } = &of(source).availability else {
                    panic!("{source} is available on {name}")
                };
                assert!(reason.contains("Linux") && reason.contains(name), "{reason}");
                for command in ["sudo", "modprobe", "sysctl", "chmod", "/sys", "dmesg"] {
                    assert!(!remedy.contains(command), "{source}: {remedy}");
                }
            }
            // Here the files of Linux stand for what the system shows.
            let domains = sources.iter().flat_map(PowerSource::domains);
            let kinds: Vec<_> = domains.map(|domain| (domain.kind, &*domain.source)).collect();
            let model = cpu_model::NAME;
            assert_eq!(kinds, [(DomainKind::CpuPackage, model), (DomainKind::Dram, model)]);
        }
    }

    #[test]
    fn on_other_systems_a_copy_of_linux_files_is_read_where_one_is_named() {
        let tree = tempfile::tempdir().unwrap();
        let copy = Settings { sysfs_root: tree.path().to_owned(), ..settings() };
        let (_, reports) = probe_on(System::MacOs, &copy);
        let (_, on_linux) = probe_on(System::Linux, &copy);
        assert_eq!(reports, on_linux);
    }
}
