//! The operating system: which sources it can have and, where it is not Linux, what it tells of the machine.

use super::{Availability, SourceReport};

#[cfg(not(any(target_os = "linux", target_family = "wasm")))]
pub(super) use elsewhere::{host, load, name};
#[cfg(any(target_os = "linux", target_family = "wasm"))]
pub(super) use not_needed::{host, load, name};

/// An operating system, as far as sources depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    MacOs,
    Windows,
    Other,
}

impl System {
    /// The system that this program was built for.
    pub(super) const fn current() -> Self {
        if cfg!(target_os = "linux") {
            Self::Linux
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::Other
        }
    }

    /// The report on a `source` that reads files of the Linux kernel, on another system, where `remedy` helps.
    pub(super) fn without(self, source: &str, remedy: &str) -> SourceReport {
        let system = match self {
            Self::Linux => "Linux",
            Self::MacOs => "macOS",
            Self::Windows => "Windows",
            Self::Other => std::env::consts::OS,
        };
        SourceReport {
            source: source.to_owned(),
            availability: Availability::Unavailable {
                reason: format!("it reads files of the Linux kernel, and this is {system}"),
                remedy: remedy.to_owned(),
            },
            domains: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

/// Linux describes the machine in files, and a program without a system has no machine to describe.
#[cfg(any(target_os = "linux", target_family = "wasm"))]
mod not_needed {
    use crate::source::host::facts::Host;
    use crate::source::processor_load::ProcessorLoad;

    pub(in super::super) const fn host() -> Option<Host> {
        None
    }

    pub(in super::super) const fn name() -> Option<String> {
        None
    }

    pub(in super::super) fn load() -> Option<Box<dyn ProcessorLoad>> {
        None
    }
}

/// What `sysinfo` tells; it runs no program and needs no privilege.
#[cfg(not(any(target_os = "linux", target_family = "wasm")))]
mod elsewhere {
    use std::io;
    use std::time::{Duration, Instant};

    use sysinfo::{CpuRefreshKind, MemoryRefreshKind, Product, RefreshKind, System};

    use crate::source::host::facts::{Host, Processor};
    use crate::source::processor_load::{Load, ProcessorLoad};

    /// After a longer time without a read the machine may have slept.
    const LONGEST: Duration = Duration::from_secs(10);

    #[expect(clippy::unnecessary_wraps, reason = "Linux needs no description")]
    pub(in super::super) fn host() -> Option<Host> {
        let of = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(of);
        let known = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let processor = system.cpus().first().map(|first| Processor {
            name: known(first.brand().to_owned()),
            logical: u32::try_from(system.cpus().len()).unwrap_or(u32::MAX),
            packages: 1,
            siblings: None,
            cores: System::physical_core_count().and_then(|count| u32::try_from(count).ok()),
            hypervisor: None,
        });
        Some(Host {
            name: name(),
            os: System::long_os_version().or_else(|| Some(std::env::consts::OS.to_owned())),
            processor,
            memory_bytes: Some(system.total_memory()).filter(|bytes| *bytes > 0),
            booted: i64::try_from(System::boot_time()).ok().filter(|seconds| *seconds > 0),
            uuid: Product::uuid().and_then(known),
        })
    }

    pub(in super::super) fn name() -> Option<String> {
        System::host_name()
    }

    #[expect(clippy::unnecessary_wraps, reason = "Linux needs no description")]
    pub(in super::super) fn load() -> Option<Box<dyn ProcessorLoad>> {
        Some(Box::new(Processors { system: System::new(), last: None }))
    }

    #[derive(Debug)]
    struct Processors {
        system: System,
        last: Option<Instant>,
    }

    impl ProcessorLoad for Processors {
        fn read(&mut self) -> io::Result<Load> {
            let now = Instant::now();
            let since = self.last.map(|last| now.saturating_duration_since(last));
            if since.is_some_and(|since| since < sysinfo::MINIMUM_CPU_UPDATE_INTERVAL) {
                return Ok(Load::TooSoon);
            }
            self.system.refresh_cpu_usage();
            self.last = Some(now);
            let Some(since) = since else { return Ok(Load::TooSoon) };
            let share = f64::from(self.system.global_cpu_usage()) / 100.0;
            Ok(if since > LONGEST {
                Load::Unknown(format!(
                    "the processors were not read for {:.0} s, in which the machine may have slept",
                    since.as_secs_f64()
                ))
            } else if share.is_finite() {
                Load::Busy(share.clamp(0.0, 1.0))
            } else {
                Load::Unknown("the system shows no processor times".to_owned())
            })
        }

        fn place(&self) -> String {
            "the system's processor times".to_owned()
        }
    }
}
