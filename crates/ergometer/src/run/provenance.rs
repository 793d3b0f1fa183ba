//! Where a run took place: machine, program, git commit. Reads files only; runs no program.

use std::fs;
use std::path::{Path, PathBuf};

use super::record::Machine;
use crate::source::{Domain, DomainKind};

/// What can be read of this machine without privilege; a field that cannot be read is `None`.
pub(super) fn machine(domains: &[Domain]) -> Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
    };
    let kernel = |name: &str| {
        let text = fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let memory_bytes = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let kib: u64 = field(&text, "MemTotal")?.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    });
    let os = match (kernel("ostype"), kernel("osrelease")) {
        (Some(name), Some(release)) => Some(format!("{name} {release}")),
        _ => Some(std::env::consts::OS.to_owned()),
    };
    Machine {
        host: kernel("hostname"),
        os,
        cpu: field(&cpuinfo, "model name"),
        logical_cpus: std::thread::available_parallelism()
            .ok()
            .and_then(|count| u32::try_from(count.get()).ok()),
        memory_bytes,
        accelerators: domains
            .iter()
            .filter(|domain| domain.kind == DomainKind::Gpu)
            .map(|domain| domain.label.clone())
            .collect(),
        // The flag is set by the hypervisor on x86; elsewhere nothing is claimed.
        virtual_machine: field(&cpuinfo, "flags")
            .map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
    }
}

/// The commit that is checked out around the working directory.
pub(super) fn git_commit() -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let dot_git = here.ancestors().map(|dir| dir.join(".git")).find(|path| path.exists())?;
    commit_of(&dot_git)
}

fn commit_of(dot_git: &Path) -> Option<String> {
    // In a linked work tree `.git` is a file that names the real directory.
    let dir = if dot_git.is_dir() {
        dot_git.to_owned()
    } else {
        let text = fs::read_to_string(dot_git).ok()?;
        dot_git.parent()?.join(text.strip_prefix("gitdir:")?.trim())
    };
    let head = fs::read_to_string(dir.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref:").map(str::trim) else {
        return Some(head.trim().to_owned());
    };
    // Branches of a linked work tree live in the directory that `commondir` names.
    let common = match fs::read_to_string(dir.join("commondir")) {
        Ok(path) => dir.join(path.trim()),
        Err(_) => dir,
    };
    loose(&common, reference).or_else(|| packed(&common, reference))
}

fn loose(dir: &Path, reference: &str) -> Option<String> {
    let path: PathBuf = dir.join(reference);
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn packed(dir: &Path, reference: &str) -> Option<String> {
    let text = fs::read_to_string(dir.join("packed-refs")).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(_, name)| *name == reference)
        .map(|(commit, _)| commit.to_owned())
}
