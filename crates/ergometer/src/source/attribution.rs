//! Which energy is metered: the whole machine's, or this program's share of it.
//!
//! Only sources that were found on the machine are shared out; powers that the user states, and sources of
//! the user's own, are used as they are. Boards of AMD and Intel are shared by the time of their engines ([`boards`]),
//! those of NVIDIA are metered whole, with a note.

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
use crate::units::Joules;

mod boards;
mod process_tree;

use boards::BoardUse;
use process_tree::{ProcessTree, TreeTime};

/// Whose energy a meter reports.
///
/// On a shared machine, [`Scope::Process`] attributes to a program a part of the processors' and the
/// memory's energy, in proportion to its processor time:
///
/// > ΔE_program = ΔE_machine · Δt(this process and its descendants) / Δt(all)
///
/// The energy of AMD's and Intel's boards is divided in the same way by the time that the kernel accounts to each program
/// on them (`/proc/<pid>/fdinfo`). Who uses them in a way that is not accounted, as by ROCm, is charged for all of them,
/// with a warning. NVIDIA's boards are metered whole.
///
/// The intervals are about half a second long, and times come from `/proc/<pid>/stat` and `/proc/stat`, so
/// shares are known on Linux only. The share is at most 1, and the shares of programs that have no process in
/// common add up to at most 1. Idle energy is shared in the same way: a program alone on a machine is charged
/// for all of it.
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
    /// The share of this process and its descendants in the energy of the processors, the memory, and the boards of AMD
    /// and Intel; other boards are metered whole.
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

/// What divides the energy of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    /// The processors' time.
    Processors,
    /// The time of the engines of the board at this PCI address.
    Engines(String),
    /// Nothing: it is not shared out.
    Nothing,
}

impl By {
    fn of(domain: &Domain) -> Self {
        match (domain.kind, &domain.pci_address) {
            (DomainKind::CpuPackage | DomainKind::Dram, _) => Self::Processors,
            (DomainKind::Gpu, Some(address)) if domain.source == hwmon::NAME => {
                Self::Engines(address.clone())
            }
            _ => Self::Nothing,
        }
    }
}

/// A source that reports this program's share of the processors' and the memory's energy.
#[derive(Debug)]
pub(crate) struct Attributed<S> {
    source: S,
    /// `None` where nothing is shared out.
    tree: Option<ProcessTree>,
    /// `None` where no board is shared out.
    boards: Option<BoardUse>,
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
    /// The last reading, not yet shared out.
    latest: Option<Reading>,
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
        let any = portions.iter().any(|portion| portion.by != By::Nothing);
        let tree = if any { Some(ProcessTree::own(proc_root)?) } else { None };
        let of_boards = portions.iter().any(|portion| matches!(portion.by, By::Engines(_)));
        let boards = tree
            .as_ref()
            .filter(|_| of_boards)
            .map(|tree| BoardUse::open(proc_root, sysfs_root, tree.members()));
        Ok(Self {
            domains: source.domains().iter().map(shared).collect(),
            source,
            tree,
            boards,
            portions,
            share: None,
            since: clock::checked_now(),
            warnings: Vec::new(),
            warned: false,
            scratch: Vec::new(),
        })
    }

    /// Works out the shares since the last ones, if the interval is over.
    fn look(&mut self, request: Request) -> std::io::Result<bool> {
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
fn shared(domain: &Domain) -> Domain {
    let mut told = domain.clone();
    let by = By::of(domain);
    let note = if by != By::Nothing {
        told.id.push_str(SUFFIX);
        told.method = Method::Modelled;
        told.sensor.relative_error = domain.sensor.relative_error.hypot(ATTRIBUTION_ERROR);
        let time = match by {
            By::Engines(_) => "the time of programs on the board, as far as this user may see them",
            _ => "CPU time",
        };
        format!(
            "attributed: this process tree's share of {time}, applied to the energy of {} ({})",
            domain.source,
            domain.method.as_str()
        )
    } else if domain.kind == DomainKind::Gpu {
        "whole board: use by other programs is not separated".to_owned()
    } else {
        "whole: not shared out between programs".to_owned()
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
        for (told, domain) in self.domains.iter_mut().zip(self.source.domains()) {
            *told = shared(domain);
        }
        for reading in self.scratch.drain(..) {
            let domain = reading.domain;
            let Some(portion) = self.portions.get_mut(domain) else { continue };
            match reading.value {
                _ if portion.by == By::Nothing => readings.push(reading),
                Value::Energy(joules) if portion.whole.is_none() => {
                    portion.whole = Some(joules);
                    readings.push(Reading { value: Value::Energy(Joules::ZERO), ..reading });
                }
                Value::Energy(_) => portion.latest = Some(reading),
                Value::Power(watts) => {
                    if let Some(share) = portion.share {
                        readings.push(Reading { value: Value::Power(watts * share), ..reading });
                    }
                }
                Value::Restarted(_) | Value::Missing(_) => readings.push(reading),
            }
        }
        match self.look(request) {
            Ok(true) => {
                readings.extend(self.portions.iter_mut().filter_map(Portion::take));
            }
            Ok(false) => {}
            Err(error) => {
                let at = clock::checked_now();
                let told = self.portions.iter().enumerate();
                readings.extend(told.filter(|(_, told)| told.by != By::Nothing).map(
                    |(domain, _)| {
                        Reading::new(domain, at, Value::Missing(format!("no share: {error}")))
                    },
                ));
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
        warnings.append(&mut self.source.warnings());
        warnings
    }
}

impl Portion {
    const fn new(by: By) -> Self {
        Self { by, share: None, whole: None, latest: None, energy: Joules::ZERO }
    }

    /// Shares out the energy that the domain drew since the last call.
    fn take(&mut self) -> Option<Reading> {
        let share = self.share?;
        let reading = self.latest.take()?;
        let (Value::Energy(now), Some(then)) = (&reading.value, self.whole) else { return None };
        self.energy += (*now - then).max(Joules::ZERO) * share;
        self.whole = Some(*now);
        Some(Reading { value: Value::Energy(self.energy), ..reading })
    }
}

/// Shares out the sources found on the machine, and changes their reports to match.
pub(crate) fn share_out(
    sources: Vec<Box<dyn PowerSource>>,
    reports: &mut [SourceReport],
    proc_root: &Path,
    sysfs_root: &Path,
) -> Vec<Box<dyn PowerSource>> {
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
        match Attributed::new(source, proc_root, sysfs_root) {
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
