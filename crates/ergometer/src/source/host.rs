//! The machine as its system describes it: its processor, its memory, and whether it is virtual.
//!
//! On Linux all of it comes from procfs. Elsewhere [`system`] describes the machine, unless a copy of a procfs is
//! named.

pub(super) mod facts;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

pub(crate) use facts::{Host, Processor};

use super::system;

impl Host {
    /// The machine that `proc_root` (`/proc`) describes.
    pub(crate) fn read(proc_root: &Path) -> Self {
        this_machine(proc_root, system::host).unwrap_or_else(|| {
            let os = match (kernel(proc_root, "ostype"), kernel(proc_root, "osrelease")) {
                (Some(name), Some(release)) => Some(format!("{name} {release}")),
                _ => Some(std::env::consts::OS.to_owned()),
            };
            Self {
                name: name(proc_root),
                os,
                processor: processor(proc_root),
                memory_bytes: memory_bytes(proc_root),
                booted: booted(proc_root),
                uuid: None,
            }
        })
    }
}

/// What the system tells of this machine, unless `proc_root` is a copy of the files of another one.
pub(super) fn this_machine<T>(proc_root: &Path, tell: impl FnOnce() -> Option<T>) -> Option<T> {
    (proc_root == Path::new("/proc")).then(tell).flatten()
}

/// The machine's name in the network.
pub(crate) fn name(proc_root: &Path) -> Option<String> {
    this_machine(proc_root, system::name).or_else(|| kernel(proc_root, "hostname"))
}

/// A word that the kernel shows of itself.
fn kernel(proc_root: &Path, what: &str) -> Option<String> {
    let text = text(&proc_root.join("sys/kernel").join(what)).ok()?;
    Some(text.trim().to_owned())
}

/// Installed memory, as far as the kernel uses it.
fn memory_bytes(proc_root: &Path) -> Option<u64> {
    /// 4 PiB, in KiB: physical addresses of x86-64 and ARM have at most 52 bits.
    const MOST: u64 = 1 << 42;
    let meminfo = text(&proc_root.join("meminfo")).ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    (1..=MOST).contains(&kib).then(|| kib * 1024)
}

/// Limits on the processors that this program may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// Processors in its affinity mask.
    pub(crate) affinity: Option<u32>,
    /// Processor time that its control group may use, in processors.
    pub(crate) quota: Option<f64>,
}

impl Limits {
    /// The limits that `proc_root` and the control groups below `sysfs_root` show for this process.
    pub(crate) fn read(proc_root: &Path, sysfs_root: &Path) -> Self {
        let status = text(&proc_root.join("self/status")).unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        Self {
            affinity: list.and_then(|list| count(list.trim())),
            quota: quota(proc_root, sysfs_root),
        }
    }
}

/// The number of entries in a kernel list: 5 for `0-3,8`.
fn count(numbers: &str) -> Option<u32> {
    numbers.split(',').try_fold(0_u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// The smallest quota among this process's control group and its ancestors (`cpu.max`, or
/// `cpu.cfs_quota_us` of cgroup v1), in processors.
fn quota(proc_root: &Path, sysfs_root: &Path) -> Option<f64> {
    let groups = text(&proc_root.join("self/cgroup")).unwrap_or_default();
    let root = sysfs_root.join("fs/cgroup");
    let share = |quota: &str, period: &str| {
        let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
        (quota > 0.0 && period > 0.0).then(|| quota / period)
    };
    let unified = |group: &Path| {
        let max = text(&group.join("cpu.max")).ok()?;
        let (quota, period) = max.trim().split_once(' ')?;
        share(quota, period)
    };
    let old = |group: &Path| {
        let read = |name: &str| text(&group.join(name)).ok();
        share(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?)
    };
    let path =
        |line: &str| line.rsplit_once(':').map(|(_, path)| path.trim_start_matches('/').to_owned());
    let own =
        groups.lines().find(|line| line.starts_with("0::")).and_then(path).unwrap_or_default();
    let own = root.join(own);
    let around = own.ancestors().take_while(|group| group.starts_with(&root)).filter_map(unified);
    let v1 = ["cpu", "cpu,cpuacct"].into_iter().filter_map(|name| old(&root.join(name)));
    around.chain(v1).reduce(f64::min)
}

/// When the kernel started, seconds since 1970.
fn booted(proc_root: &Path) -> Option<i64> {
    let stat = text(&proc_root.join("stat")).ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok().filter(|seconds| *seconds > 0)
}

/// Reads `<proc>/cpuinfo`; `None` if it cannot be read.
pub(super) fn processor(proc_root: &Path) -> Option<Processor> {
    text(&proc_root.join("cpuinfo")).ok().map(|text| parse(&text))
}

/// A file's text, which need not be valid UTF-8: names of files and programs may not be.
fn text(file: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())
}

fn parse(cpuinfo: &str) -> Processor {
    let mut found = Processor::default();
    let mut packages = BTreeSet::new();
    let (mut implementer, mut part) = (None, None);
    for (key, value) in cpuinfo.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "processor" => found.logical += 1,
            "model name" if found.name.is_none() => found.name = Some(value.to_owned()),
            "physical id" => {
                packages.insert(value);
            }
            "siblings" => found.siblings = found.siblings.max(value.parse().ok()),
            "cpu cores" => found.cores = found.cores.max(value.parse().ok()),
            "CPU implementer" => implementer = number(value),
            "CPU part" => part = number(value),
            // x86 only; the bit is reserved for hypervisors (CPUID.1:ECX[31]).
            "flags" if found.hypervisor.is_none() => {
                found.hypervisor = Some(value.split_whitespace().any(|flag| flag == "hypervisor"));
            }
            _ => {}
        }
    }
    found.packages = u32::try_from(packages.len()).unwrap_or(u32::MAX).max(1);
    let core = implementer.zip(part).and_then(|(implementer, part)| arm_core(implementer, part));
    found.name = found.name.or_else(|| core.map(str::to_owned));
    found
}

/// A number as `0x41`.
fn number(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The core of a server's Arm processor, for which the kernel shows numbers and no name
/// (`arch/arm64/include/asm/cputype.h`). The maker of the processor is not among them.
fn arm_core(implementer: u32, part: u32) -> Option<&'static str> {
    Some(match (implementer, part) {
        (0x41, 0xd0c) => "Arm Neoverse-N1",
        (0x41, 0xd40) => "Arm Neoverse-V1",
        (0x41, 0xd49) => "Arm Neoverse-N2",
        (0x41, 0xd4f) => "Arm Neoverse-V2",
        (0x41, 0xd84) => "Arm Neoverse-V3",
        (0x41, 0xd8e) => "Arm Neoverse-N3",
        (0xc0, 0xac3 | 0xac4) => "Ampere-1",
        _ => return None,
    })
}

/// Whether a container runtime has mounted something over powercap (Docker and Podman do so by default
/// since CVE-2020-8694).
pub(crate) fn powercap_is_masked(proc_root: &Path) -> bool {
    text(&proc_root.join("self/mountinfo")).is_ok_and(|mounts| {
        mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .any(|point| point.ends_with("/devices/virtual/powercap"))
    })
}

/// Whether this process runs in a container, according to its own files: a runtime's name in the path of
/// its control group, a file that a runtime leaves, or, under cgroup v2, a group path of `/`. (A cgroup
/// namespace shows that path; outside containers only the kernel's own processes have it.)
pub(crate) fn in_container(proc_root: &Path) -> bool {
    const RUNTIMES: [&str; 6] = ["docker", "kubepods", "containerd", "libpod", "lxc", "podman"];
    const MARKS: [&str; 3] = [".dockerenv", "run/.containerenv", "run/systemd/container"];
    let names_a_runtime = |file: &str| {
        text(&proc_root.join(file))
            .is_ok_and(|text| RUNTIMES.iter().any(|runtime| text.contains(runtime)))
    };
    let in_namespace = || {
        text(&proc_root.join("self/cgroup"))
            .is_ok_and(|text| text.lines().any(|line| line.trim_end() == "0::/"))
    };
    names_a_runtime("1/cgroup")
        || names_a_runtime("self/cgroup")
        || in_namespace()
        || MARKS.iter().any(|mark| proc_root.join("self/root").join(mark).exists())
}

/// Whether a seccomp filter decides which system calls this process may make.
pub(crate) fn has_seccomp_filter(proc_root: &Path) -> bool {
    text(&proc_root.join("self/status")).is_ok_and(|text| {
        let mode = text.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        mode.is_some_and(|mode| mode.trim() == "2")
    })
}

/// Whether this is an NVIDIA Jetson.
#[cfg(feature = "nvml")]
pub(crate) fn is_jetson(proc_root: &Path) -> bool {
    text(&proc_root.join("device-tree/model")).is_ok_and(|model| model.contains("Jetson"))
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
            siblings: None,
            cores: None,
            hypervisor: Some(true),
        };
        assert_eq!(parse(&text), expected);
    }

    #[test]
    fn an_arm_core_has_a_name_and_an_unknown_one_has_none() {
        let text = |part: &str| {
            format!("processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n").repeat(2)
        };
        let found = parse(&text("0xd4f"));
        assert_eq!((found.name.as_deref(), found.logical), (Some("Arm Neoverse-V2"), 2));
        assert_eq!(parse(&text("0xfff")).name, None);
        assert_eq!(parse(&text("d4f")).name, None);
    }

    #[test]
    fn processors_seen_affinity_quota_and_siblings_are_four_different_things() {
        let text = "processor\t: 0\nphysical id\t: 0\nsiblings\t: 256\n\nprocessor\t: 1\nphysical id\t: 0\n";
        let found = parse(text);
        assert_eq!((found.logical, found.siblings, found.of_machine()), (2, Some(256), 256));
        assert_eq!(parse("processor\t: 0\nprocessor\t: 1\n").of_machine(), 2);

        let folder = tempfile::tempdir().unwrap();
        let (proc, sys) = (folder.path().join("proc"), folder.path().join("sys"));
        let write = |path: std::path::PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Limits::read(&proc, &sys), Limits::default());
        write(proc.join("self/status"), "Name:\tx\nCpus_allowed_list:\t0-3,8\n");
        write(proc.join("self/cgroup"), "0::/a/b\n");
        write(sys.join("fs/cgroup/a/b/cpu.max"), "max 100000\n");
        write(sys.join("fs/cgroup/a/cpu.max"), "250000 100000\n");
        let limits = Limits::read(&proc, &sys);
        assert_eq!((limits.affinity, limits.quota), (Some(5), Some(2.5)));
        write(sys.join("fs/cgroup/a/cpu.max"), "max 100000\n");
        write(sys.join("fs/cgroup/cpu/cpu.cfs_quota_us"), "-1\n");
        write(sys.join("fs/cgroup/cpu/cpu.cfs_period_us"), "100000\n");
        assert_eq!(Limits::read(&proc, &sys).quota, None);
        write(proc.join("stat"), "cpu 1 2 3 4\nbtime 1764101234\n");
        assert_eq!(booted(&proc), Some(1_764_101_234));
    }

    #[test]
    fn containers_are_known_by_their_control_group_or_by_a_file() {
        let place = |files: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let file = folder.path().join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            in_container(folder.path())
        };
        assert!(place(&[("self/cgroup", "0::/\n")]), "cgroup v2 with a namespace");
        assert!(place(&[("self/cgroup", "12:cpu:/docker/1\n0::/docker/1\n")]));
        assert!(place(&[("self/cgroup", "0::/user.slice\n"), ("self/root/.dockerenv", "")]));
        assert!(place(&[("self/root/run/systemd/container", "systemd-nspawn")]));
        assert!(!place(&[("self/cgroup", "0::/user.slice/user-1000.slice/session-1.scope\n")]));
        assert!(!place(&[("1/cgroup", "0::/init.scope\n")]));
        assert!(!place(&[]));
    }

    #[test]
    fn a_processor_without_flags_tells_nothing_of_a_hypervisor() {
        let found = parse("processor\t: 0\nBogoMIPS\t: 50.00\n");
        assert_eq!((found.logical, found.packages, found.hypervisor), (1, 1, None));
    }
}
