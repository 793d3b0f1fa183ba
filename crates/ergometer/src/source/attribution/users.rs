//! A program's share in a board of which the driver says which processes use it: NVIDIA's.
//!
//! The share of an interval is the percent of the tree's processes over that of all processes. While nobody uses the
//! board, the last share holds, and none before the first use. Use that the driver hides, or accounts to a server in
//! place of its clients, is charged in full, with a warning: a share of 0 would be made up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::LONGEST;
use super::process_tree::ProcessTree;
use crate::clock::{self, Timestamp};
use crate::source::nvml::{self, Account, Use};
use crate::source::{Domain, PowerSource, Request};

/// How long a process that ended is remembered: longer than the driver takes to tell of it, and longer than the pause
/// between two questions. A program that starts others all the time would fill the memory with their numbers otherwise.
const REMEMBERED: Duration = Duration::from_secs(30);

/// A driver looks a few times a second. Asked again sooner than this, it may have nothing new to tell.
const JUST_ASKED: Duration = Duration::from_secs(1);

const HIDDEN: &str =
    "a board works and its driver does not say for whom: this program is charged for all of it";
const MPS: &str = "programs use a board through MPS, whose server the driver names in their place: this program is charged \
                   for all that the server does";

/// The users of one board.
pub(super) struct Users {
    account: Box<dyn Account>,
    family: Family,
    /// When to ask next, when it was asked last, and since when no answer told a share.
    due: Timestamp,
    asked: Timestamp,
    since: Timestamp,
    /// The last share.
    share: Option<f64>,
    /// What was strange, and how much of it was told.
    warnings: Vec<&'static str>,
    told: usize,
}

impl Users {
    fn new(account: Box<dyn Account>, family: Family, now: Timestamp) -> Self {
        let due = now.after(account.rest());
        Self {
            account,
            family,
            due,
            asked: now,
            since: now,
            share: None,
            warnings: Vec::new(),
            told: 0,
        }
    }

    /// The tree's share since the last one; `None` while it is too early to say.
    ///
    /// # Errors
    ///
    /// Why the driver or the kernel does not tell it.
    pub(super) fn look(&mut self, request: Request, now: Timestamp) -> Result<Option<f64>, String> {
        let last = request == Request::Last;
        if now < self.due && !last {
            return Ok(None);
        }
        self.ask(now, last)
    }

    /// The same, whether it is too early or not: energy waits for it. Right after a question the last share holds.
    ///
    /// # Errors
    ///
    /// As [`Users::look`].
    pub(super) fn look_now(&mut self, now: Timestamp) -> Result<Option<f64>, String> {
        if self.share.is_some() && now.since(self.asked) < JUST_ASKED {
            return Ok(self.share);
        }
        self.ask(now, false)
    }

    fn ask(&mut self, now: Timestamp, last: bool) -> Result<Option<f64>, String> {
        self.asked = now;
        let answer = self.account.ask();
        self.due = now.after(self.account.rest());
        let share = match answer? {
            Use::Percent(percent) => self.part(&percent, now).map_err(|error| error.to_string())?,
            Use::Nobody => self.share.unwrap_or(0.0),
            Use::Hidden => {
                // The driver has perhaps not looked since the last answer.
                let early = now.since(self.since) < LONGEST;
                match self.share {
                    _ if early && !last => return Ok(None),
                    Some(share) if early || share > 0.0 => share,
                    _ => {
                        self.warn(HIDDEN);
                        1.0
                    }
                }
            }
        };
        self.since = now;
        self.share = Some(share);
        Ok(Some(share))
    }

    /// The tree's part of the time that the board worked for these processes.
    fn part(&mut self, percent: &[(u32, u32)], now: Timestamp) -> io::Result<f64> {
        let pids: Vec<u32> = percent.iter().map(|(pid, _)| *pid).collect();
        let Known { own, servers } = self.family.among(&pids, now)?;
        if !servers.is_empty() {
            self.warn(MPS);
        }
        let sum = |of: &dyn Fn(&u32) -> bool| {
            let of = percent.iter().filter(|(pid, _)| of(pid));
            of.map(|(_, percent)| f64::from(*percent)).sum::<f64>()
        };
        let all = sum(&|_| true);
        let charged = sum(&|pid| own.contains(pid) || servers.contains(pid));
        Ok(if all > 0.0 { charged / all } else { 1.0 })
    }

    fn warn(&mut self, text: &'static str) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// What was found strange since the last call, once each.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        let new = self.warnings[self.told..].iter().map(|text| (*text).to_owned()).collect();
        self.told = self.warnings.len();
        new
    }
}

/// Processes that are this tree's, and those that work for other programs, which may be this tree's.
#[derive(Debug, Default)]
struct Known {
    own: BTreeSet<u32>,
    servers: BTreeSet<u32>,
}

/// The tree of this process, for all boards. To look at all processes takes some 10 µs for each, so it is done for a
/// process that was not seen before, and now and then.
#[derive(Clone)]
struct Family(Arc<Mutex<Tree>>);

struct Tree {
    proc_root: PathBuf,
    processes: ProcessTree,
    /// Processes of the tree, and when each was seen last. Those that ended stay for a while, as a driver tells of them
    /// later, or until another has their number.
    ever: BTreeMap<u32, Timestamp>,
    looked: Timestamp,
}

impl Family {
    fn open(proc_root: &Path, now: Timestamp) -> io::Result<Self> {
        let processes = ProcessTree::own(proc_root)?;
        let ever = processes.members().iter().map(|pid| (*pid, now)).collect();
        let proc_root = proc_root.to_owned();
        Ok(Self(Arc::new(Mutex::new(Tree { proc_root, processes, ever, looked: now }))))
    }

    /// Which of `pids` are the tree's.
    fn among(&self, pids: &[u32], now: Timestamp) -> io::Result<Known> {
        let mut tree = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = |pid: &u32| !tree.ever.contains_key(pid) && !tree.processes.knows(*pid);
        if now.since(tree.looked) >= LONGEST || pids.iter().any(new) {
            tree.look(now)?;
        }
        let (own, others): (BTreeSet<u32>, BTreeSet<u32>) =
            pids.iter().partition(|pid| tree.ever.contains_key(pid));
        let servers = others.into_iter().filter(|pid| tree.is_server(*pid)).collect();
        Ok(Known { own, servers })
    }
}

impl Tree {
    fn look(&mut self, now: Timestamp) -> io::Result<()> {
        self.processes.advance(|_| true)?;
        let Self { processes, ever, .. } = self;
        ever.retain(|pid, seen| !processes.knows(*pid) && now.since(*seen) < REMEMBERED);
        ever.extend(processes.members().iter().map(|pid| (*pid, now)));
        self.looked = now;
        Ok(())
    }

    /// Whether this is the server of NVIDIA's Multi-Process Service.
    fn is_server(&self, pid: u32) -> bool {
        let name = fs::read(self.proc_root.join(pid.to_string()).join("comm"));
        // The kernel keeps 15 bytes of a name.
        name.is_ok_and(|name| name.starts_with(b"nvidia-cuda-mps"))
    }
}

/// The users of NVIDIA's boards among `sources`, by the identity of their domains, or why they are not known: by what
/// `accounts` gives for the boards' UUIDs.
pub(super) fn of_boards(
    sources: &[Box<dyn PowerSource>],
    proc_root: &Path,
    accounts: impl FnOnce(Vec<String>) -> Vec<Result<Box<dyn Account>, String>>,
) -> BTreeMap<String, Result<Users, String>> {
    let boards = sources.iter().filter_map(|source| source.domains().first());
    let boards: Vec<&Domain> = boards.filter(|domain| domain.source == nvml::NAME).collect();
    if boards.is_empty() {
        return BTreeMap::new();
    }
    let now = clock::checked_now();
    let family = Family::open(proc_root, now)
        .map_err(|error| format!("{} cannot be read: {error}", proc_root.display()))
        .and_then(|family| {
            has_the_drivers_numbers(proc_root).then_some(family).ok_or_else(|| {
                "the driver numbers processes as the host does, and this program runs in a container that has numbers of \
                 its own (share the host's with `--pid=host`)"
                    .to_owned()
            })
        });
    let users: Vec<_> = match family {
        Ok(family) => {
            let uuid = |board: &&Domain| board.id.split_once(':').map(|(_, uuid)| uuid.to_owned());
            let accounts = accounts(boards.iter().filter_map(uuid).collect());
            let users = |account: Box<dyn Account>| Users::new(account, family.clone(), now);
            accounts.into_iter().map(|account| account.map(users)).collect()
        }
        Err(reason) => boards.iter().map(|_| Err(reason.clone())).collect(),
    };
    boards.iter().map(|board| board.id.clone()).zip(users).collect()
}

/// Whether processes have the numbers in `proc_root` that the driver knows them by: those of the machine's first PID
/// namespace. Drivers differ in whether they translate them for others: version 560 does so for the list of processes,
/// but not for their use (github.com/Project-HAMi/HAMi-core, issue 112).
fn has_the_drivers_numbers(proc_root: &Path) -> bool {
    /// `PROC_PID_INIT_INO` of the kernel's `include/linux/proc_ns.h`.
    const FIRST: &str = "pid:[4026531836]";
    let own = fs::read_link(proc_root.join("self/ns/pid"));
    own.is_ok_and(|own| own == Path::new(FIRST)) || is_the_hosts(proc_root)
}

/// Whether `proc_root` is the host's, shown in a container: this process has several numbers there, the host's first,
/// and number 2 is a kernel's thread, which no other namespace has.
fn is_the_hosts(proc_root: &Path) -> bool {
    let read = |file| fs::read(proc_root.join(file)).unwrap_or_default();
    let status = read("self/status");
    let status = String::from_utf8_lossy(&status);
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    numbers.split_whitespace().count() > 1 && read("2/comm") == b"kthreadd\n"
}

#[cfg(all(test, unix))]
mod tests;
