//! Processor time of a process and its descendants, and of the whole machine.
//!
//! Children are found by their parent's number in `/proc/<pid>/stat`. A process that was once in the tree
//! stays in it, even if its parent ends and another process adopts it. When a child has ended and its
//! parent has waited for it, its time is included in the parent's cutime and cstime. The time already
//! counted while the child lived is subtracted there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::source::stat::{self, Jiffies};
use crate::source::sysfs::read_start;

/// The fields of `/proc/<pid>/stat` that are used; times in ticks of 10 ms (`USER_HZ`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    parent: u32,
    /// Start time; together with its number it identifies the process.
    start: u64,
    /// utime + stime, of all its threads.
    own: u64,
    /// cutime + cstime: of children that ended and were waited for, and of their children.
    reaped: u64,
}

type Processes = BTreeMap<u32, Process>;

/// Processor time in an interval, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TreeTime {
    /// By the tree.
    pub(super) tree: u64,
    /// By the whole machine; at least the sum over all processes.
    pub(super) machine: u64,
}

impl TreeTime {
    /// The tree's share, 0 to 1; `None` if no processor time was used at all.
    pub(super) fn share(self) -> Option<f64> {
        (self.machine > 0).then(|| (self.tree as f64 / self.machine as f64).min(1.0))
    }
}

/// A process and its descendants.
#[derive(Debug)]
pub(super) struct ProcessTree {
    proc_root: PathBuf,
    root: u32,
    members: BTreeSet<u32>,
    /// As of the start of the current interval.
    processes: Processes,
    machine: Jiffies,
}

impl ProcessTree {
    /// The tree of process `root`, counting time from now on.
    pub(super) fn open(proc_root: &Path, root: u32) -> io::Result<Self> {
        let machine = stat::read(&proc_root.join("stat"))?;
        let processes = processes(proc_root)?;
        let members = members(&processes, BTreeSet::from([root]));
        if members.is_empty() {
            return Err(gone(root));
        }
        Ok(Self { proc_root: proc_root.to_owned(), root, members, processes, machine })
    }

    /// The tree of this process, with the number that it has in `proc_root`.
    pub(super) fn own(proc_root: &Path) -> io::Result<Self> {
        // It contains the program's name, truncated to 15 bytes, possibly in the middle of a character.
        let text = fs::read(proc_root.join("self/stat"))?;
        let text = String::from_utf8_lossy(&text);
        let number = text.split(' ').next().and_then(|number| number.parse().ok());
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "self/stat has no number");
        Self::open(proc_root, number.ok_or_else(invalid)?)
    }

    /// The processes of the tree, as of the last call that counted.
    pub(super) const fn members(&self) -> &BTreeSet<u32> {
        &self.members
    }

    /// Whether there was such a process at the last call that counted, of the tree or not.
    pub(super) fn knows(&self, pid: u32) -> bool {
        self.processes.contains_key(&pid)
    }

    /// The time spent since the last call that counted. `keep` decides whether this call counts.
    ///
    /// Fails when no process of the tree is left.
    pub(super) fn advance(
        &mut self,
        keep: impl FnOnce(TreeTime) -> bool,
    ) -> io::Result<Option<TreeTime>> {
        let machine = stat::read(&self.proc_root.join("stat"))?;
        let now = processes(&self.proc_root)?;
        let is_who_it_was = |pid: &u32| match (self.processes.get(pid), now.get(pid)) {
            (Some(before), Some(now)) => before.start == now.start,
            _ => false,
        };
        let known = self.members.iter().copied().filter(is_who_it_was).collect();
        let members = members(&now, known);
        if members.is_empty() {
            return Err(gone(self.root));
        }
        let each = spent(&self.processes, &now);
        let all = sum(each.values());
        let spent = TreeTime {
            tree: sum(members.iter().filter_map(|pid| each.get(pid))),
            machine: machine.since(&self.machine).busy.max(all),
        };
        if !keep(spent) {
            return Ok(None);
        }
        (self.members, self.processes, self.machine) = (members, now, machine);
        Ok(Some(spent))
    }
}

/// A saturating sum.
fn sum<'a>(ticks: impl Iterator<Item = &'a u64>) -> u64 {
    ticks.fold(0, |sum, ticks| sum.saturating_add(*ticks))
}

fn gone(root: u32) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("process {root} and its children are gone"))
}

/// The `roots` that still live, and all their descendants.
fn members(processes: &Processes, roots: BTreeSet<u32>) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, process) in processes {
        children.entry(process.parent).or_default().push(*pid);
    }
    let mut members = BTreeSet::new();
    let mut left: Vec<u32> = roots.into_iter().filter(|pid| processes.contains_key(pid)).collect();
    while let Some(pid) = left.pop() {
        if members.insert(pid) {
            left.extend(children.get(&pid).into_iter().flatten());
        }
    }
    members
}

/// Ticks that each living process accounts for between two looks: its own, and those of children that ended
/// in between, minus the ticks counted before.
fn spent(before: &Processes, now: &Processes) -> BTreeMap<u32, u64> {
    let earlier =
        |pid: u32, process: &Process| before.get(&pid).filter(|then| then.start == process.start);
    // A process older than the newest one seen before was missed then; its time is not of this interval.
    let newest = before.values().map(|process| process.start).max().unwrap_or(0);
    let lives = |pid: u32| {
        now.get(&pid).zip(before.get(&pid)).is_some_and(|(now, then)| now.start == then.start)
    };
    // For processes that ended: the ticks counted before, by the ancestor whose times now include them.
    let mut known: BTreeMap<u32, u64> = BTreeMap::new();
    for (pid, ended) in before.iter().filter(|(pid, _)| !lives(**pid)) {
        let mut heir = ended.parent;
        // Ancestors that also ended have passed it on; no chain is longer than the number of processes.
        for _ in 0..before.len() {
            match before.get(&heir) {
                Some(parent) if heir != *pid && !lives(heir) => heir = parent.parent,
                _ => break,
            }
        }
        // The time of its own children is in `reaped`, or passed on by them.
        let known = known.entry(heir).or_default();
        *known = known.saturating_add(ended.own).saturating_add(ended.reaped);
    }
    now.iter()
        .map(|(&pid, process)| {
            let then = match earlier(pid, process) {
                None if process.start < newest => return (pid, 0),
                then => then,
            };
            let own = process.own.saturating_sub(then.map_or(0, |then| then.own));
            let reaped = process.reaped.saturating_sub(then.map_or(0, |then| then.reaped));
            let counted = known.get(&pid).copied().unwrap_or(0);
            (pid, own.saturating_add(reaped.saturating_sub(counted)))
        })
        .collect()
}

/// Every visible process, without those that end meanwhile.
fn processes(proc_root: &Path) -> io::Result<Processes> {
    let mut found = Processes::new();
    let mut text = [0; 1024];
    for entry in fs::read_dir(proc_root)? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let read =
            File::open(entry.path().join("stat")).and_then(|file| read_start(&file, &mut text));
        let Ok(length) = read else { continue };
        if let Some(process) = parse(&String::from_utf8_lossy(&text[..length])) {
            found.insert(pid, process);
        }
    }
    Ok(found)
}

/// Reads a line of `/proc/<pid>/stat` (`proc_pid_stat(5)`).
fn parse(line: &str) -> Option<Process> {
    // The program's name is in parentheses and may contain parentheses and spaces itself.
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The manual numbers the fields from 1; the first field here is its third.
    let field = |number: usize| fields.get(number - 3);
    // The time of children is signed there.
    let ticks =
        |number| field(number)?.parse::<i64>().ok().map(|ticks| ticks.max(0).unsigned_abs());
    Some(Process {
        parent: field(4)?.parse().ok()?,
        own: ticks(14)?.saturating_add(ticks(15)?),
        reaped: ticks(16)?.saturating_add(ticks(17)?),
        start: ticks(22)?,
    })
}

#[cfg(test)]
mod tests;
