//! Which energy is metered: the whole machine's, or this program's share of it.
//!
//! Only sources that were found on the machine are shared out; powers that the user states, and sources of
//! the user's own, are used as they are. Boards of AMD and Intel are shared by the time of their engines ([`boards`]),
//! those of NVIDIA by what the driver says of their users ([`users`]). A board of which neither is known is metered whole,
//! with a note.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::system::System;
use super::{
    Availability, Domain, DomainKind, Due, PowerSource, Reading, Request, SourceReport, Value,
    fixed, hwmon,
};
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::source::nvml::Account;
use crate::units::{Joules, Watts};

mod boards;
mod process_tree;
mod users;

use boards::BoardUse;
use process_tree::{ProcessTree, TreeTime};
use users::Users;

/// Whose energy a meter reports.
///
/// On a shared machine, [`Scope::Process`] attributes to a program a part of the processors' and the
/// memory's energy, in proportion to its processor time:
///
/// > ΔE_program = ΔE_machine · Δt(this process and its descendants) / Δt(all)
///
/// The energy of AMD's and Intel's boards is divided in the same way by the time that the kernel accounts to each program
/// on them (`/proc/<pid>/fdinfo`). Who uses them in a way that is not accounted, as by ROCm, is charged for all of them,
/// with a warning.
///
/// The energy of NVIDIA's boards is divided by the time in which their multiprocessors worked for each process, which the
/// driver says (`nvmlDeviceGetProcessUtilization`); while they work for nobody, the last share holds, and before the first
/// use there is none. What the driver hides is charged in full, with a warning. A board is metered whole, with a note,
/// where the driver does not say it (MIG, virtual boards), and in a container with process numbers of its own, as the
/// driver uses the host's. The driver looks a few times a second, so that a share of half a second is coarse.
///
/// The intervals are about half a second long, and times come from `/proc/<pid>/stat` and `/proc/stat`, so
/// shares are known on Linux only. The share is at most 1, and the shares of programs that have no process in
/// common add up to at most 1, except where use is charged in full. Idle energy of processors and memory is shared in the
/// same way: a program alone on a machine is charged for all of it.
///
/// This is an *attribution*: it divides a measured energy, but is not a measurement. It ignores that a
/// second on a core at a high clock, or in wide vector instructions, draws more than another. A share
/// therefore has a relative standard uncertainty of 30 % in addition to the sensor's, and such a domain is
/// called [modelled](crate::energy::Method::Modelled).
///
/// ```
/// use ergometer::{Meter, Scope};
///
/// let meter = Meter::builder().scope(Scope::Process).start()?;
/// assert!(meter.finish()?.domains.iter().all(|row| !row.domain.id.starts_with("rapl:") || row.domain.id.ends_with("/process")));
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scope {
    /// The whole machine's.
    #[default]
    Machine,
    /// The share of this process and its descendants in the energy of the processors, the memory, and the boards. A board
    /// of which it is not known who uses it is metered whole.
    Process,
}

/// Relative standard uncertainty of a share, in addition to the sensor's own. A judgement: programs with
/// the same processor time draw within about a factor of two of each other, as clocks, hyper-threads and
/// instructions differ. A factor of two is two standard deviations of 0.3.
pub const ATTRIBUTION_ERROR: f64 = 0.3;

/// The suffix of a shared domain's identity, which distinguishes it from the whole domain.
const SUFFIX: &str = "/process";

/// Whether a domain's identity is that of one program's share. Shares of several programs add up, while
/// whole domains that several programs meter are the same energy.
pub(crate) fn is_share(id: &str) -> bool {
    id.ends_with(SUFFIX)
}

/// Time between two looks at the processes. There may be a thousand, of some 10 µs each.
const INTERVAL: Duration = Duration::from_millis(500);
/// With fewer ticks (10 ms each) than this a share is too coarse; then the interval grows.
const FEWEST_TICKS: u64 = 5;
/// The longest interval.
const LONGEST: Duration = Duration::from_secs(2);
/// A counter with so long between two values is read seldom: its energy does not wait for the next share.
const SELDOM: Duration = Duration::from_secs(2);
/// At most this many powers are kept for the first share.
const EARLY: usize = 1024;

/// What divides the energy of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    /// The processors' time.
    Processors,
    /// The time of the engines of the board at this PCI address.
    Engines(String),
    /// What the driver says of the users of this source's board.
    Users,
    /// Nothing: it is metered whole, which this note says.
    Nothing(String),
}

impl By {
    fn of(domain: &Domain) -> Self {
        match (domain.kind, &domain.pci_address) {
            (DomainKind::CpuPackage | DomainKind::Dram, _) => Self::Processors,
            (DomainKind::Gpu, Some(address)) if domain.source == hwmon::NAME => {
                Self::Engines(address.clone())
            }
            (DomainKind::Gpu, _) => Self::whole_board(None),
            _ => Self::Nothing("whole: not shared out between programs".to_owned()),
        }
    }

    fn whole_board(reason: Option<&str>) -> Self {
        let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        Self::Nothing(format!("whole board: use by other programs is not separated{because}"))
    }

    const fn divides(&self) -> bool {
        !matches!(self, Self::Nothing(_))
    }
}

/// A source that reports this program's share of the processors' and the memory's energy.
pub(crate) struct Attributed<S> {
    source: S,
    /// `None` where nothing is shared out.
    tree: Option<ProcessTree>,
    /// `None` where no board is shared out by the time of its engines.
    boards: Option<BoardUse>,
    /// `None` where this is no board whose driver tells of its users.
    users: Option<Users>,
    domains: Vec<Domain>,
    portions: Vec<Portion>,
    /// The last share of the processors, and the start of the interval after it.
    share: Option<f64>,
    since: Timestamp,
    warnings: Vec<String>,
    warned: bool,
    scratch: Vec<Reading>,
}

/// The energy attributed for one domain.
#[derive(Clone, Debug)]
struct Portion {
    by: By,
    /// The last share.
    share: Option<f64>,
    /// The whole domain's energy that has been shared out so far.
    whole: Option<Joules>,
    /// The last power, the joules of powers since the last share, and those since `whole` under the shares of their
    /// time: the domain's, and the program's.
    power: Option<(Timestamp, Watts)>,
    unshared: Joules,
    seen: (Joules, Joules),
    /// The last reading of the counter, not yet shared out, and when that was.
    latest: Option<Reading>,
    counted: Option<Timestamp>,
    /// Powers that were read before the first share, which a counter does not cover that is dated later.
    early: Vec<(Watts, Reading)>,
    energy: Joules,
}

impl<S: PowerSource> Attributed<S> {
    /// Shares out `source` by the processor time of this process and its descendants, read from `proc_root`
    /// (`/proc`), and by their time on boards, of which `sysfs_root` (`/sys`) shows how busy they are.
    ///
    /// # Errors
    ///
    /// Errors of reading `proc_root`: it is missing, or does not contain this process.
    pub fn new(source: S, proc_root: &Path, sysfs_root: &Path) -> std::io::Result<Self> {
        let portions: Vec<Portion> =
            source.domains().iter().map(|domain| Portion::new(By::of(domain))).collect();
        let any = portions.iter().any(|portion| portion.by.divides());
        let tree = if any { Some(ProcessTree::own(proc_root)?) } else { None };
        let of_boards = portions.iter().any(|portion| matches!(portion.by, By::Engines(_)));
        let boards = tree
            .as_ref()
            .filter(|_| of_boards)
            .map(|tree| BoardUse::open(proc_root, sysfs_root, tree.members()));
        Ok(Self { tree, boards, ..Self::by(source, portions) })
    }

    /// Shares out the board of `source` by its `users`, or meters it whole where they are not known, for this reason.
    fn by_users(source: S, users: Result<Users, String>) -> Self {
        let by = match &users {
            Ok(_) => By::Users,
            Err(reason) => By::whole_board(Some(reason)),
        };
        let portions = source.domains().iter().map(|_| Portion::new(by.clone())).collect();
        Self { users: users.ok(), ..Self::by(source, portions) }
    }

    fn by(source: S, portions: Vec<Portion>) -> Self {
        let mut this = Self {
            domains: source.domains().to_vec(),
            source,
            tree: None,
            boards: None,
            users: None,
            portions,
            share: None,
            since: clock::checked_now(),
            warnings: Vec::new(),
            warned: false,
            scratch: Vec::new(),
        };
        this.tell();
        this
    }

    /// Says of each domain what is known of it, and what divides it.
    fn tell(&mut self) {
        let known = self.source.domains().iter().zip(&self.portions);
        for (told, (domain, portion)) in self.domains.iter_mut().zip(known) {
            *told = shared(domain, &portion.by);
        }
    }

    /// Works out the shares since the last ones, if the interval is over; or where a counter that is read `seldom` gave a
    /// value, which would come too late if it waited for the next.
    fn look(&mut self, request: Request, seldom: bool) -> Result<bool, String> {
        if let Some(users) = &mut self.users {
            let now = clock::checked_now();
            let share = if seldom { users.look_now(now) } else { users.look(request, now) }?;
            if share.is_some() {
                self.portions.iter_mut().for_each(|portion| portion.share = share);
            }
            return Ok(share.is_some());
        }
        self.look_at_time(request).map_err(|error| error.to_string())
    }

    /// The same, by the time that the kernel accounts to processes.
    fn look_at_time(&mut self, request: Request) -> std::io::Result<bool> {
        let Some(tree) = &mut self.tree else { return Ok(false) };
        let length = clock::checked_now().since(self.since);
        if request == Request::Routine && length < INTERVAL {
            return Ok(false);
        }
        let enough = |spent: TreeTime| {
            spent.machine >= FEWEST_TICKS || length >= LONGEST || request == Request::Last
        };
        let Some(spent) = tree.advance(enough)? else { return Ok(false) };
        // If nobody used the machine, the last share is used again.
        let share = spent.share().or(self.share).unwrap_or(0.0);
        self.share = Some(share);
        let boards = self.boards.as_mut();
        let boards = boards.map(|boards| boards.advance(tree.members(), length.as_secs_f64()));
        for portion in &mut self.portions {
            portion.share = match (&portion.by, &boards) {
                (By::Processors, _) => Some(share),
                (By::Engines(address), Some(boards)) => Some(boards.of(address)),
                _ => None,
            };
        }
        if boards.is_some_and(|boards| boards.hidden) && !self.warned {
            self.warned = true;
            self.warnings.push(
                "this program uses boards in a way that the kernel does not account to programs, as by ROCm: it is \
                 charged for all of their energy"
                    .to_owned(),
            );
        }
        self.since = clock::checked_now();
        Ok(true)
    }
}

/// The domain as it is reported: shared out, or whole with a note.
fn shared(domain: &Domain, by: &By) -> Domain {
    let mut told = domain.clone();
    let time = match by {
        By::Processors => Ok("CPU time"),
        By::Engines(_) => Ok("the time of programs on the board, as far as this user may see them"),
        By::Users => {
            Ok("the time of the board's multiprocessors, as the driver accounts it to processes")
        }
        By::Nothing(note) => Err(note),
    };
    let note = match time {
        Ok(time) => {
            told.id.push_str(SUFFIX);
            told.method = Method::Modelled;
            told.sensor.relative_error = domain.sensor.relative_error.hypot(ATTRIBUTION_ERROR);
            format!(
                "attributed: this process tree's share of {time}, applied to the energy of {} ({})",
                domain.source,
                domain.method.as_str()
            )
        }
        Err(note) => note.clone(),
    };
    told.note = Some(match &domain.note {
        Some(known) => format!("{known}; {note}"),
        None => note,
    });
    told
}

impl<S: PowerSource> PowerSource for Attributed<S> {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        self.scratch.clear();
        self.source.read(request, &mut self.scratch);
        self.tell();
        let mut seldom = false;
        for reading in self.scratch.drain(..) {
            let domain = reading.domain;
            let Some(portion) = self.portions.get_mut(domain) else { continue };
            match reading.value {
                _ if !portion.by.divides() => readings.push(reading),
                Value::Energy(joules) if portion.whole.is_none() => {
                    portion.whole = Some(joules);
                    readings.push(Reading { value: Value::Energy(Joules::ZERO), ..reading });
                }
                Value::Energy(_) => {
                    let before = portion.counted.replace(reading.at);
                    seldom |= before.is_some_and(|before| reading.at.since(before) >= SELDOM);
                    portion.latest = Some(reading);
                }
                Value::Power(watts) => match portion.share {
                    Some(share) => {
                        portion.see(reading.at, watts);
                        readings.push(Reading { value: Value::Power(watts * share), ..reading });
                    }
                    None if portion.early.len() < EARLY => portion.early.push((watts, reading)),
                    None => {}
                },
                Value::Restarted(_) | Value::Missing(_) => readings.push(reading),
            }
        }
        match self.look(request, seldom && request != Request::Last) {
            Ok(true) => {
                for portion in &mut self.portions {
                    portion.take_early(readings);
                    readings.extend(portion.take());
                }
            }
            Ok(false) => {}
            Err(error) => {
                let at = clock::checked_now();
                let told = self.portions.iter().enumerate();
                readings.extend(told.filter(|(_, told)| told.by.divides()).map(|(domain, _)| {
                    Reading::new(domain, at, Value::Missing(format!("no share: {error}")))
                }));
            }
        }
    }

    fn next_read(&self) -> Option<Due> {
        self.source.next_read()
    }

    fn last_read(&self, now: Timestamp) -> Timestamp {
        self.source.last_read(now)
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.users.iter_mut().flat_map(Users::warnings));
        warnings.append(&mut self.source.warnings());
        warnings
    }
}

impl Portion {
    const fn new(by: By) -> Self {
        Self {
            by,
            share: None,
            whole: None,
            power: None,
            unshared: Joules::ZERO,
            seen: (Joules::ZERO, Joules::ZERO),
            latest: None,
            counted: None,
            early: Vec::new(),
            energy: Joules::ZERO,
        }
    }

    /// Takes note of power, of which the program's share is not known yet.
    fn see(&mut self, at: Timestamp, watts: Watts) {
        if let Some((since, before)) = self.power.replace((at, watts)) {
            self.unshared += (before + watts) * 0.5 * at.since(since);
        }
    }

    /// Shares out the powers that were read before the first share.
    fn take_early(&mut self, readings: &mut Vec<Reading>) {
        let Some(share) = self.share else { return };
        readings.extend(
            self.early
                .drain(..)
                .map(|(watts, reading)| Reading { value: Value::Power(watts * share), ..reading }),
        );
    }

    /// Shares out the energy that the domain drew since the last call.
    fn take(&mut self) -> Option<Reading> {
        let share = self.share?;
        let joules = std::mem::take(&mut self.unshared);
        self.seen = (self.seen.0 + joules, self.seen.1 + joules * share);
        let reading = self.latest.take()?;
        let (Value::Energy(now), Some(then)) = (&reading.value, self.whole) else { return None };
        // A counter that is read seldom tells what was drawn under several shares, and power how much under each.
        let (all, own) = std::mem::take(&mut self.seen);
        let share = if all > Joules::ZERO { own / all } else { share };
        self.energy += (*now - then).max(Joules::ZERO) * share;
        self.whole = Some(*now);
        Some(Reading { value: Value::Energy(self.energy), ..reading })
    }
}

/// Shares out the sources found on the machine, and changes their reports to match. `accounts` gives the drivers' accounts
/// of boards by UUID, or why there are none.
pub(crate) fn share_out(
    sources: Vec<Box<dyn PowerSource>>,
    reports: &mut [SourceReport],
    proc_root: &Path,
    sysfs_root: &Path,
    accounts: impl FnOnce(Vec<String>) -> Vec<Result<Box<dyn Account>, String>>,
) -> Vec<Box<dyn PowerSource>> {
    let mut users = users::of_boards(&sources, proc_root, accounts);
    let mut kept = Vec::new();
    for source in sources {
        let Some(name) = source.domains().first().map(|domain| domain.source.clone()) else {
            // It watches sensors that are left out.
            kept.push(source);
            continue;
        };
        if name == fixed::NAME {
            kept.push(source);
            continue;
        }
        let ids: Vec<String> = source.domains().iter().map(|domain| domain.id.clone()).collect();
        let report = reports.iter_mut().find(|report| report.source == name);
        let attributed = match users.remove(&ids[0]) {
            Some(users) => Ok(Attributed::by_users(source, users)),
            None => Attributed::new(source, proc_root, sysfs_root),
        };
        match attributed {
            Ok(shared) => {
                let listed = report.map(|report| &mut report.domains).into_iter().flatten();
                for listed in listed {
                    if let Some(index) = ids.iter().position(|id| id == listed) {
                        listed.clone_from(&shared.domains[index].id);
                    }
                }
                kept.push(Box::new(shared));
            }
            Err(error) => {
                let Some(report) = report else { continue };
                report.domains.retain(|listed| !ids.contains(listed));
                report.availability = no_share(System::current(), proc_root, &error);
            }
        }
    }
    kept
}

/// Why the share of this program is not known.
fn no_share(system: System, proc_root: &Path, error: &std::io::Error) -> Availability {
    let elsewhere = if system == System::Linux {
        "run where /proc shows this process, or "
    } else {
        "shares are known on Linux only: "
    };
    Availability::Unavailable {
        reason: format!(
            "this program's share of it is not known: {} cannot be read: {error}",
            proc_root.display()
        ),
        remedy: format!("{elsewhere}meter the whole machine (`Scope::Machine`)"),
    }
}

#[cfg(test)]
mod tests;
