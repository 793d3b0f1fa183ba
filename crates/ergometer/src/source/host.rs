//! What the kernel says of the machine: its processor, and whether it is a virtual one.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// The processor as `/proc/cpuinfo` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Processor {
    /// `model name`.
    pub(crate) name: Option<String>,
    /// Logical processors.
    pub(crate) logical: u32,
    /// Different `physical id`s; 1 where the kernel shows none.
    pub(crate) packages: u32,
    /// Whether the processor reports a hypervisor; `None` where it has no flags to tell by.
    pub(crate) hypervisor: Option<bool>,
}

/// Reads `<proc>/cpuinfo`; `None` if it cannot be read.
pub(crate) fn processor(proc_root: &Path) -> Option<Processor> {
    text(&proc_root.join("cpuinfo")).ok().map(|text| parse(&text))
}

/// A file's text; names of files and programs in it need not be UTF-8.
fn text(file: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())
}

fn parse(cpuinfo: &str) -> Processor {
    let mut found = Processor::default();
    let mut packages = BTreeSet::new();
    for (key, value) in cpuinfo.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "processor" => found.logical += 1,
            "model name" if found.name.is_none() => found.name = Some(value.to_owned()),
            "physical id" => {
                packages.insert(value);
            }
            // x86 only; the bit is reserved for hypervisors (CPUID.1:ECX[31]).
            "flags" if found.hypervisor.is_none() => {
                found.hypervisor = Some(value.split_whitespace().any(|flag| flag == "hypervisor"));
            }
            _ => {}
        }
    }
    found.packages = u32::try_from(packages.len()).unwrap_or(u32::MAX).max(1);
    found
}

/// Whether a container runtime has mounted something over powercap (Docker and Podman do by
/// default since CVE-2020-8694).
pub(crate) fn powercap_is_masked(proc_root: &Path) -> bool {
    text(&proc_root.join("self/mountinfo")).is_ok_and(|mounts| {
        mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .any(|point| point.ends_with("/devices/virtual/powercap"))
    })
}

/// Whether this process runs in a container, as far as its own files show it.
pub(crate) fn in_container(proc_root: &Path) -> bool {
    const RUNTIMES: [&str; 6] = ["docker", "kubepods", "containerd", "libpod", "lxc", "podman"];
    let names_a_runtime = |file: &str| {
        text(&proc_root.join(file))
            .is_ok_and(|text| RUNTIMES.iter().any(|runtime| text.contains(runtime)))
    };
    names_a_runtime("1/cgroup") || names_a_runtime("self/cgroup")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_packages_of_a_virtual_machine() {
        let one = |processor: u32, package: u32| {
            format!(
                "processor\t: {processor}\nmodel name\t: Some CPU @ 2.0GHz\nphysical id\t: \
                 {package}\nflags\t\t: fpu hypervisor lm\n\n"
            )
        };
        let text: String = [one(0, 0), one(1, 0), one(2, 1), one(3, 1)].concat();
        let expected = Processor {
            name: Some("Some CPU @ 2.0GHz".to_owned()),
            logical: 4,
            packages: 2,
            hypervisor: Some(true),
        };
        assert_eq!(parse(&text), expected);
    }

    #[test]
    fn a_processor_without_flags_tells_nothing_of_a_hypervisor() {
        let found = parse("processor\t: 0\nBogoMIPS\t: 50.00\n");
        assert_eq!((found.logical, found.packages, found.hypervisor), (1, 1, None));
    }
}
