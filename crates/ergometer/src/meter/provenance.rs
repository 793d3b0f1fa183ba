//! Where a run took place: machine, program, git commit. Reads files only; runs no program.

use std::fs;
use std::path::{Path, PathBuf};

use crate::record::Machine;
use crate::source::host::{self, Host};

/// An identity of the machine, equal for all programs on it, containers included, and different from every
/// other machine's.
///
/// It is a hash of the kernel's boot id, which containers share with their machine. `/etc/machine-id` is
/// read only if there is no boot id, because containers have their own, or one from their image. Neither is
/// published unhashed, as `machine-id(5)` asks.
pub(crate) fn machine_id(proc_root: &Path, etc: &Path) -> Option<String> {
    let read = |what: &str, path: PathBuf| {
        let text = fs::read_to_string(path).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| hashed(what, text))
    };
    read("boot", proc_root.join("sys/kernel/random/boot_id"))
        .or_else(|| read("machine", etc.join("machine-id")))
}

fn hashed(what: &str, identity: &str) -> String {
    format!("{:016x}", fnv_1a(format!("{what}:{identity}").as_bytes()))
}

/// FNV-1a, 64 bits, because the standard library's hashes may change between versions.
/// <https://datatracker.ietf.org/doc/html/rfc9923>
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Properties of this machine that can be read without privilege; a field that cannot be read is `None`.
pub(crate) fn machine(machine_id: Option<String>, proc_root: &Path, sysfs_root: &Path) -> Machine {
    let Host { name, os, processor, memory_bytes, booted, uuid } = Host::read(proc_root);
    let identity = || uuid.map(|uuid| hashed("product", &uuid));
    Machine {
        machine_id: machine_id.or_else(identity),
        host: name,
        os,
        cpu: processor.as_ref().and_then(|processor| processor.name.clone()),
        logical_cpus: processor.as_ref().map(host::Processor::of_machine),
        available_cpus: processor
            .as_ref()
            .map(|processor| available(processor, proc_root, sysfs_root)),
        booted,
        memory_bytes,
        // Filled in from the metered domains.
        accelerators: Vec::new(),
        // On x86 the hypervisor sets the flag; elsewhere it is unknown.
        virtual_machine: processor.and_then(|processor| processor.hypervisor),
    }
}

/// The number of processors that this program may use.
fn available(processor: &host::Processor, proc_root: &Path, sysfs_root: &Path) -> f64 {
    let host::Limits { affinity, quota } = host::Limits::read(proc_root, sysfs_root);
    let seen = f64::from(processor.logical.max(1));
    [affinity.map(f64::from), quota].into_iter().flatten().fold(seen, f64::min)
}

/// The commit that is checked out around the working directory.
pub(crate) fn git_commit() -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let dot_git = here.ancestors().map(|dir| dir.join(".git")).find(|path| path.exists())?;
    commit_of(&dot_git)
}

fn commit_of(dot_git: &Path) -> Option<String> {
    // In a linked work tree `.git` is a file with the path of the real directory.
    let dir = if dot_git.is_dir() {
        dot_git.to_owned()
    } else {
        let text = fs::read_to_string(dot_git).ok()?;
        dot_git.parent()?.join(text.strip_prefix("gitdir:")?.trim())
    };
    let head = fs::read_to_string(dir.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref:").map(str::trim) else {
        return commit(&head);
    };
    // Branches of a linked work tree are in the directory that `commondir` names.
    let common = match fs::read_to_string(dir.join("commondir")) {
        Ok(path) => dir.join(path.trim()),
        Err(_) => dir,
    };
    loose(&common, reference).or_else(|| packed(&common, reference))
}

fn loose(dir: &Path, reference: &str) -> Option<String> {
    let path: PathBuf = dir.join(reference);
    commit(&fs::read_to_string(path).ok()?)
}

fn packed(dir: &Path, reference: &str) -> Option<String> {
    let text = fs::read_to_string(dir.join("packed-refs")).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(_, name)| *name == reference)
        .and_then(|(text, _)| commit(text))
}

/// `text` as a commit hash: 40 hexadecimal digits, or 64 in SHA-256 repositories.
fn commit(text: &str) -> Option<String> {
    let name = text.trim();
    let digits = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    (digits && matches!(name.len(), 40 | 64)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::corrupt::{damaged_tree, write};

    #[test]
    fn the_hash_is_fnv_1a() {
        // Test vectors of the hash's authors.
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    proptest! {
        #[test]
        fn of_a_damaged_repository_a_commit_is_one_or_none(
            files in damaged_tree(&[
                (".git/HEAD", "ref: refs/heads/main\n"),
                (".git/refs/heads/main", "0123456789abcdef0123456789abcdef01234567\n"),
                (
                    ".git/packed-refs",
                    "# pack-refs with: peeled\n89abcdef0123456789abcdef0123456789abcdef refs/heads/main\n",
                ),
            ]),
        ) {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), &files);
            if let Some(name) = commit_of(&folder.path().join(".git")) {
                prop_assert!(matches!(name.len(), 40 | 64));
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }
    }

    #[test]
    fn what_head_names_is_no_commit_unless_it_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let name = "0123456789abcdef0123456789abcdef01234567";
        fs::write(folder.path().join("secret"), "not for a record\n").unwrap();
        for (head, expected) in [
            (format!("{name}\n"), Some(name.to_owned())),
            (String::new(), None),
            ("ref: secret".to_owned(), None),
        ] {
            fs::write(folder.path().join("HEAD"), head).unwrap();
            assert_eq!(commit_of(folder.path()), expected);
        }
    }

    #[test]
    fn the_machines_processors_and_those_of_the_program_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (proc, sys) = (folder.path().join("proc"), folder.path().join("sys"));
        fs::create_dir_all(proc.join("self")).unwrap();
        let cpu = |n| format!("processor\t: {n}\nphysical id\t: 0\nsiblings\t: 256\n\n");
        fs::write(proc.join("cpuinfo"), (0..8).map(cpu).collect::<String>()).unwrap();
        let counts = || {
            let machine = machine(None, &proc, &sys);
            (machine.logical_cpus, machine.available_cpus)
        };
        assert_eq!(counts(), (Some(256), Some(8.0)));
        // An affinity applies to the program and does not change the machine's count.
        fs::write(proc.join("self/status"), "Cpus_allowed_list:\t1,5\n").unwrap();
        assert_eq!(counts(), (Some(256), Some(2.0)));
        fs::create_dir_all(sys.join("fs/cgroup")).unwrap();
        fs::write(sys.join("fs/cgroup/cpu.max"), "150000 100000\n").unwrap();
        assert_eq!(counts(), (Some(256), Some(1.5)));
    }

    #[test]
    fn containers_of_a_machine_are_one_machine_and_others_are_not() {
        let place = |boot: Option<&str>, machine: Option<&str>| {
            let folder = tempfile::tempdir().unwrap();
            let random = folder.path().join("sys/kernel/random");
            fs::create_dir_all(&random).unwrap();
            let write = |path: PathBuf, text: Option<&str>| {
                if let Some(text) = text {
                    fs::write(path, format!("{text}\n")).unwrap();
                }
            };
            write(random.join("boot_id"), boot);
            write(folder.path().join("machine-id"), machine);
            machine_id(folder.path(), folder.path())
        };
        let (boot, other) = (Some("f2d77c6d"), Some("0a11bd22"));
        let (image, own) = (Some("3d1219c7"), Some("99aa01bc"));
        assert_eq!(place(boot, image), place(boot, own), "two containers of one machine");
        assert_eq!(place(boot, None), place(boot, own));
        assert_ne!(place(boot, image), place(other, image), "one image on two machines");
        assert_eq!(place(None, own), place(None, own));
        assert_ne!(place(None, own), place(None, image));
        assert_eq!((place(None, None), place(Some(" "), None)), (None, None));
        let shown = place(boot, image).unwrap();
        assert_eq!(shown.len(), 16);
        assert!(!shown.contains("f2d77c6d") && !shown.contains("3d1219c7"));
    }
}
