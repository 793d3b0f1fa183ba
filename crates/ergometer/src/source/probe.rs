//! Finds the sources on this machine.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::boards;
use super::cpu_model::{self, Calibrations, CpuModel, KnownPower, Own, Wanted};
use super::fixed::{self, Fixed};
use super::host;
use super::hwmon::{self, Hwmon};
use super::nvml::{self, Devices};
use super::perf::{self, Perf};
use super::proof::{self, Subset};
use super::rapl::{self, Level, Rapl};
use super::system::System;
use super::{Availability, Domain, DomainKind, PowerSource, SourceReport};
use crate::bounded::{self, Failure};
use crate::error::{Error, ErrorKind, Result};
use crate::units::Watts;

/// Time limit for files of the kernel.
const FILE_LIMIT: Duration = Duration::from_secs(5);
/// Time limit for a driver; one that does not keep boards initialised takes seconds for each.
const DRIVER_LIMIT: Duration = Duration::from_secs(30);

/// The variable that states the power of the processors.
const CPU_POWER: &str = "ERGOMETER_CPU_POWER";
/// The variable that names a file of measured processors.
const PROCESSORS: &str = "ERGOMETER_PROCESSORS";

/// Where to look for sources, and which to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Root of sysfs: `/sys`, or `ERGOMETER_SYSFS_ROOT`.
    pub sysfs_root: PathBuf,
    /// Root of procfs: `/proc`, or `ERGOMETER_PROC_ROOT`.
    pub proc_root: PathBuf,
    /// The NVML library: the system's own, or `ERGOMETER_NVML_LIBRARY`.
    pub nvml_library: Option<PathBuf>,
    /// Which boards are metered, of any maker.
    pub devices: Devices,
    /// Share of one core that reading the boards may take.
    pub nvml_share: f64,
    /// The environment variables that choose boards: those of this process.
    pub environment: nvml::Environment,
    /// Power of this machine's processors when idle and when fully busy; `None` if not known.
    pub cpu_power: Option<Own>,
    /// The same as text, as `20,180`: the value of `ERGOMETER_CPU_POWER`. Only used if `cpu_power` is `None`.
    pub cpu_power_text: Option<String>,
    /// A file of processors that were measured ([`Calibrations`]); `None` if there is none.
    pub processors: Option<PathBuf>,
    /// The same from `ERGOMETER_PROCESSORS`. Only used if `processors` is `None`.
    pub processors_variable: Option<PathBuf>,
    /// Constant powers that the user states.
    pub fixed: Vec<(DomainKind, Watts)>,
    /// Whether the platform (`psys`) is metered alone, instead of its packages and memory.
    pub platform: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let value = |name| env::var_os(name).filter(|value| !value.is_empty());
        let path = |name| value(name).map(PathBuf::from);
        Self {
            sysfs_root: path("ERGOMETER_SYSFS_ROOT").unwrap_or_else(|| "/sys".into()),
            proc_root: path("ERGOMETER_PROC_ROOT").unwrap_or_else(|| "/proc".into()),
            nvml_library: path("ERGOMETER_NVML_LIBRARY"),
            devices: Devices::default(),
            nvml_share: nvml::DEFAULT_SHARE,
            environment: nvml::Environment::current(),
            cpu_power: None,
            cpu_power_text: value(CPU_POWER).map(|text| text.to_string_lossy().into_owned()),
            processors: None,
            processors_variable: path(PROCESSORS),
            fixed: Vec::new(),
            platform: false,
        }
    }
}

impl Settings {
    /// The stated power of the processors, if any. The error says that its text is not valid.
    fn stated_cpu_power(&self) -> Result<Option<Own>, String> {
        match (self.cpu_power, &self.cpu_power_text) {
            (None, Some(text)) => Own::parse(text).map(Some).ok_or_else(|| {
                format!(
                    "{CPU_POWER}={text:?} is not valid and is not used: give two powers in watts, idle and fully \
                     busy, of which the second is the larger, as 20,180"
                )
            }),
            (own, _) => Ok(own),
        }
    }

    /// The measured processors; none if no file is named.
    ///
    /// # Errors
    ///
    /// Those of [`Calibrations::read`].
    pub(crate) fn calibrations(&self) -> Result<Calibrations> {
        match self.processors.as_ref().or(self.processors_variable.as_ref()) {
            Some(path) => {
                let file = path.clone();
                let read = bounded::call(FILE_LIMIT, move || Calibrations::read(&file));
                read.unwrap_or_else(|_| {
                    Err(Error::new(ErrorKind::Io, "the file does not answer")
                        .with_remedy("name a plain file on a disk that answers"))
                })
                .map_err(|error| error.about(path))
            }
            None => Ok(Calibrations::default()),
        }
    }

    /// What is known of the processors' power, and what of the environment is not used and why.
    pub(crate) fn known_power(&self) -> (KnownPower, Vec<String>) {
        let mut remarks = Vec::new();
        let own = self.stated_cpu_power().unwrap_or_else(|invalid| {
            remarks.push(invalid);
            None
        });
        let calibrations = self.calibrations().unwrap_or_else(|error| {
            remarks.push(format!("measured processors ({PROCESSORS}) are not used: {error}"));
            Calibrations::default()
        });
        (KnownPower { own, calibrations }, remarks)
    }
}

/// Opens every source and reports on each, in the order `nvml`, `rapl`, `perf`, `hwmon`, `cpu-model`,
/// `fixed`; the last only if a power was stated. On a Mac with Apple's chip, `apple` comes before `hwmon`.
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
    let has_sysfs = system == System::Linux || settings.sysfs_root != Path::new("/sys");
    let stated_kinds: Vec<DomainKind> = settings
        .fixed
        .iter()
        .filter(|&&(kind, watts)| Fixed::new(kind, watts, fixed::DEFAULT_ERROR).is_ok())
        .map(|&(kind, _)| kind)
        .collect();
    let outside = |found: Found| found.unless_inside(&stated_kinds);

    let mut found = vec![outside(nvidia(settings))];
    if has_sysfs {
        found.extend(processor(settings).map(outside));
    } else {
        found.extend([rapl::NAME, perf::NAME].map(|name| Found::without(system.without(name))));
    }
    #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
    found.push(outside(look(super::apple::NAME, FILE_LIMIT, || {
        let (apple, report) = super::apple::of_this_mac();
        Found::new(apple, report).proven()
    })));
    let package = found.iter().find(|found| found.gives(DomainKind::CpuPackage));
    let package = package
        .map(|found| found.report.source.clone())
        .or_else(|| covers(&stated_kinds, DomainKind::CpuPackage).then(|| fixed::NAME.to_owned()));
    let (hwmon, memory_inside) = if has_sysfs {
        hwmon_sensors(settings, package)
    } else {
        (Found::without(system.without(hwmon::NAME)), false)
    };
    let memory_inside = memory_inside && hwmon.gives(DomainKind::CpuPackage);
    found.push(outside(hwmon));

    let (stated, fixed_report) = stated(&settings.fixed, |kind| {
        // A machine may have GPUs with a sensor and others without, which are stated in addition.
        let gives = |found: &&Found| match kind {
            DomainKind::Gpu => found.any(|outer| contains(outer, kind)),
            kind => found.gives(kind),
        };
        found.iter().find(gives).map(|found| found.report.source.clone())
    });
    let given = |kind| {
        found.iter().any(|found| found.gives(kind))
            || stated.iter().any(|source| {
                let stated = source.domains()[0].kind;
                stated == kind || contains(stated, kind)
            })
    };
    let wanted = Wanted {
        package: !given(DomainKind::CpuPackage),
        dram: !given(DomainKind::Dram) && !memory_inside,
    };
    found.push(model(settings, wanted));

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

/// Only the powers that the user states, without looking for hardware.
#[must_use]
pub fn fixed_only(settings: &Settings) -> (Vec<Box<dyn PowerSource>>, Vec<SourceReport>) {
    let (stated, report) = stated(&settings.fixed, |_| None);
    let sources = stated.into_iter().map(|fixed| Box::new(fixed) as Box<dyn PowerSource>).collect();
    (sources, report.into_iter().collect())
}

/// Whether a domain of kind `outer` contains everything of kind `inner`.
pub(crate) const fn contains(outer: DomainKind, inner: DomainKind) -> bool {
    use DomainKind::{CpuPackage, Dram, Gpu, Module, Node, Other, Psys};
    match outer {
        Node => !matches!(inner, Node),
        Psys => matches!(inner, CpuPackage | Dram),
        Module => matches!(inner, CpuPackage | Dram | Gpu),
        Gpu | CpuPackage | Dram | Other => false,
    }
}

/// Whether `kind` is among `kinds` or part of one of them.
fn covers(kinds: &[DomainKind], kind: DomainKind) -> bool {
    kinds.iter().any(|&one| one == kind || contains(one, kind))
}

/// Whether the sensor of a board with this name covers the whole board. AMD's MI200 boards appear as two,
/// of which the second has no sensor. A board without a name may be one of those.
fn is_whole_board(label: &str) -> bool {
    let unnamed = label.starts_with("AMD GPU ");
    !unnamed && !label.contains("MI2")
}

/// The result of looking for a source.
struct Found {
    sources: Vec<Box<dyn PowerSource>>,
    /// Sources none of whose domains is used; they are read to see whether they move after all.
    watched: Vec<Box<dyn PowerSource>>,
    report: SourceReport,
}

impl Found {
    fn new(source: Option<impl PowerSource + 'static>, report: SourceReport) -> Self {
        let boxed = source.map(|source| Box::new(source) as Box<dyn PowerSource>);
        Self { sources: boxed.into_iter().collect(), watched: Vec::new(), report }
    }

    const fn without(report: SourceReport) -> Self {
        Self { sources: Vec::new(), watched: Vec::new(), report }
    }

    fn any(&self, kind: impl Fn(DomainKind) -> bool) -> bool {
        self.sources.iter().flat_map(PowerSource::domains).any(|domain| kind(domain.kind))
    }

    /// Whether it measures `kind`, or a kind that contains it.
    fn gives(&self, kind: DomainKind) -> bool {
        self.any(|given| given == kind || contains(given, kind))
    }

    /// Leaves out domains that stand still.
    fn proven(mut self) -> Self {
        // Sockets and modules; virtual machines have none. Boards are not waited for, as they are watched during the
        // run.
        let slow = |domain: &Domain| domain.source == hwmon::NAME && domain.kind != DomainKind::Gpu;
        let still = proof::standing_still(&mut self.sources, slow);
        let stands = |domain: &Domain| still.contains(&domain.id);
        let domains: Vec<Domain> =
            self.sources.iter().flat_map(|source| source.domains().to_vec()).collect();
        let boards = || domains.iter().filter(|domain| domain.kind == DomainKind::Gpu);
        let another_works = boards().any(|board| !stands(board));
        let mut left_out = Vec::new();
        for domain in domains.iter().filter(|domain| stands(domain)) {
            let id = &domain.id;
            if domain.kind != DomainKind::Gpu {
                self.report.remarks.push(format!("{id} stands still and is not used"));
            } else if another_works && !is_whole_board(&domain.label) {
                self.report.remarks.push(format!(
                    "{id} shows no power while another board does, as the second die of a board \
                     whose sensor is the first one's: it is not metered"
                ));
            } else {
                self.report.remarks.push(format!(
                    "{id} has shown no power yet: if it never does, it has no energy in the record"
                ));
                continue;
            }
            left_out.push(id.clone());
        }
        if left_out.is_empty() {
            return self;
        }
        let used = |domain: &Domain| !left_out.contains(&domain.id);
        let subsets = self.sources.into_iter().map(|source| Subset::of(source, used));
        (self.sources, self.watched) = subsets.partition(|source| !source.domains().is_empty());
        self.report.domains.retain(|id| !left_out.contains(id));
        if self.sources.is_empty() {
            self.report.availability = Availability::Unavailable {
                reason: format!(
                    "{} can be read and stand still, as in most virtual machines, so they measure nothing",
                    left_out.join(", ")
                ),
                remedy:
                    "run on the bare machine; hypervisors do not pass these sensors to their guests"
                        .to_owned(),
            };
        }
        self
    }

    /// Leaves the source out if everything that it measures is part of a stated domain.
    fn unless_inside(self, stated: &[DomainKind]) -> Self {
        let outer = |kind| stated.iter().find(|&&outer| contains(outer, kind)).copied();
        let domains = self.sources.iter().flat_map(PowerSource::domains);
        let mut outers = domains.map(|domain| outer(domain.kind));
        match outers.next().flatten().filter(|_| outers.all(|outer| outer.is_some())) {
            Some(outer) => {
                let outer = outer.as_str();
                self.not_used(&format!("it lies in the {outer} whose power is stated"))
            }
            None => self,
        }
    }

    fn not_used(mut self, why: &str) -> Self {
        self.sources.clear();
        self.watched.clear();
        self.report.domains.clear();
        self.report.remarks.push(format!("not used: {why}"));
        self
    }
}

/// NVIDIA boards.
fn nvidia(settings: &Settings) -> Found {
    look(nvml::NAME, DRIVER_LIMIT, {
        let settings = settings.clone();
        move || {
            let library = settings.nvml_library.as_deref();
            let (devices, environment) = (left_to_nvml(&settings), &settings.environment);
            let (sources, report) = nvml::open_within(
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

/// Looks for `source` on a new thread. A driver or a file that hangs costs `limit`, once, and the source.
fn look(source: &str, limit: Duration, open: impl FnOnce() -> Found + Send + 'static) -> Found {
    look_also(source, limit, || (open(), ())).0
}

/// The same, with other results of the search.
fn look_also<T: Default + Send + 'static>(
    source: &str,
    limit: Duration,
    open: impl FnOnce() -> (Found, T) + Send + 'static,
) -> (Found, T) {
    bounded::call(limit, open).unwrap_or_else(|failure| {
        let (reason, remedy) = match failure {
            Failure::Hangs => (
                format!("looking for it took longer than {} s", limit.as_secs()),
                "see the system's log (on Linux `dmesg`): a driver, or a file that it shows, does not answer",
            ),
            Failure::Panicked => (
                "looking for it panicked".to_owned(),
                "this is a defect of the meter: please report it with the program's stderr",
            ),
            Failure::NoThread => (
                "no thread could be started to look for it".to_owned(),
                "raise the limit of threads (`ulimit -u`, the container's `pids.max`)",
            ),
        };
        let remedy = remedy.to_owned();
        let report = SourceReport {
            source: source.to_owned(),
            availability: Availability::Unavailable { reason, remedy },
            domains: Vec::new(),
            remarks: Vec::new(),
        };
        (Found::without(report), T::default())
    })
}

/// The stated powers that are used, and the report on them if any were stated. `measured` returns the name
/// of the source that replaces the stated power of a kind, if any.
fn stated(
    powers: &[(DomainKind, Watts)],
    measured: impl Fn(DomainKind) -> Option<String>,
) -> (Vec<Fixed>, Option<SourceReport>) {
    if powers.is_empty() {
        return (Vec::new(), None);
    }
    let mut sources: Vec<Fixed> = Vec::new();
    let mut remarks = Vec::new();
    for &(kind, watts) in powers {
        let word = kind.as_str();
        let fixed = match Fixed::new(kind, watts, fixed::DEFAULT_ERROR) {
            Ok(fixed) => fixed,
            Err(error) => {
                remarks.push(error.to_string());
                continue;
            }
        };
        if let Some(outer) = powers.iter().find(|(outer, _)| contains(*outer, kind)) {
            let outer = outer.0.as_str();
            remarks.push(format!("{word} at {watts} is not used: it lies in the stated {outer}"));
            continue;
        }
        if let Some(source) = measured(kind) {
            remarks.push(format!("{word} at {watts} is not used: {source} measures it"));
            continue;
        }
        let before = sources.iter().filter(|source| source.domains()[0].kind == kind).count();
        sources.push(if before == 0 { fixed } else { fixed.with_number(before + 1) });
    }
    let availability = if sources.is_empty() {
        Availability::Unavailable {
            reason: remarks.join("; "),
            remedy: "state powers between 0 W and 100 kW, of what nothing measures".to_owned(),
        }
    } else {
        Availability::Available
    };
    let domains = sources.iter().map(|source| source.domains()[0].id.clone()).collect();
    let report = SourceReport { source: fixed::NAME.to_owned(), availability, domains, remarks };
    (sources, Some(report))
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
