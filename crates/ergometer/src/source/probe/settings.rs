//! Where sources are looked for, and which are used.

use std::env;
use std::path::PathBuf;

use super::FILE_LIMIT;
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::source::DomainKind;
use crate::source::cpu_model::{Calibrations, KnownPower, Own};
use crate::source::external::{self, External};
use crate::source::nvml::{self, Devices};
use crate::units::Watts;

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
    /// Meters of the user's own.
    pub external: Vec<External>,
    /// The same from `ERGOMETER_EXTERNAL` and `ERGOMETER_EXTERNAL_COMMAND`. Only used if `external` is empty.
    pub external_variables: Vec<External>,
    /// Constant powers that the user states.
    pub fixed: Vec<(DomainKind, Watts)>,
    /// Accelerators by name and number, whose power is assumed by what was published of them.
    pub accelerators: Vec<(String, u32)>,
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
            external: Vec::new(),
            external_variables: {
                let text = |name| Some(value(name)?.to_string_lossy().into_owned());
                let file = text(external::FILE_VARIABLE).as_deref().map(External::parse_file);
                let command = text(external::COMMAND_VARIABLE);
                file.into_iter().chain(command.as_deref().map(External::parse_command)).collect()
            },
            fixed: Vec::new(),
            accelerators: Vec::new(),
            platform: false,
        }
    }
}

impl Settings {
    /// The meters that are named, in the program or else in the environment.
    pub(super) fn externals(&self) -> &[External] {
        if self.external.is_empty() { &self.external_variables } else { &self.external }
    }

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
