//! Which energy is metered: the whole machine's, or this program's share of it.
//!
//! Only sources that were found on the machine are shared out; powers that the user states, and sources of
//! the user's own, are used as they are. Boards are metered whole, with a note.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::system::System;
use super::{
    Availability, Domain, DomainKind, Due, PowerSource, Reading, Request, SourceReport, Value,
    fixed,
};
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::units::Joules;

mod process_tree;

use process_tree::{ProcessTree, TreeTime};

/// Whose energy a meter reports.
///
/// On a shared machine, [`Scope::Process`] attributes to a program a part of the processors' and the
/// memory's energy, in proportion to its processor time:
///
/// > ΔE_program = ΔE_machine · Δt(this process and its descendants) / Δt(all)
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
    /// The share of this process and its descendants in the energy of the processors and the memory; boards
    /// are metered whole.
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

/// A source that reports this program's share of the processors' and the memory's energy.
#[derive(Debug)]
pub(crate) struct Attributed<S> {
    source: S,
    /// `None` where nothing is shared out.
    tree: Option<ProcessTree>,
    domains: Vec<Domain>,
    portions: Vec<Portion>,
    /// The last share, and the start of the interval after it.
    share: Option<f64>,
    since: Timestamp,
    scratch: Vec<Reading>,
}

/// The energy attributed for one domain.
#[derive(Clone, Debug, Default)]
struct Portion {
    /// The whole domain's energy that has been shared out so far.
    whole: Option<Joules>,
    /// The last reading, not yet shared out.
    latest: Option<Reading>,
    energy: Joules,
}

const fn is_shared(kind: DomainKind) -> bool {
    matches!(kind, DomainKind::CpuPackage | DomainKind::Dram)
}

impl<S: PowerSource> Attributed<S> {
    /// Shares out `source` by the processor time of this process and its descendants, read from `proc_root`
    /// (`/proc`).
    ///
    /// # Errors
    ///
    /// Errors of reading `proc_root`: it is missing, or does not contain this process.
    pub fn new(source: S, proc_root: &Path) -> std::io::Result<Self> {
        let any = source.domains().iter().any(|domain| is_shared(domain.kind));
        let tree = if any { Some(ProcessTree::own(proc_root)?) } else { None };
        let domains: Vec<Domain> = source.domains().iter().map(shared).collect();
        let portions = vec![Portion::default(); domains.len()];
        let since = clock::checked_now();
        Ok(Self { source, tree, domains, portions, share: None, since, scratch: Vec::new() })
    }

    /// The share since the last one, if the interval is over.
    fn look(&mut self, request: Request) -> std::io::Result<Option<f64>> {
        let Some(tree) = &mut self.tree else { return Ok(None) };
        let length = clock::checked_now().since(self.since);
        if request == Request::Routine && length < INTERVAL {
            return Ok(None);
        }
        let enough = |spent: TreeTime| {
            spent.machine >= FEWEST_TICKS || length >= LONGEST || request == Request::Last
        };
        let Some(spent) = tree.advance(enough)? else { return Ok(None) };
        // If nobody used the machine, the last share is used again.
        let share = spent.share().or(self.share).unwrap_or(0.0);
        self.share = Some(share);
        self.since = clock::checked_now();
        Ok(Some(share))
    }
}

/// The domain as it is reported: shared out, or whole with a note.
fn shared(domain: &Domain) -> Domain {
    let mut told = domain.clone();
    let note = if is_shared(domain.kind) {
        told.id.push_str(SUFFIX);
        told.method = Method::Modelled;
        told.sensor.relative_error = domain.sensor.relative_error.hypot(ATTRIBUTION_ERROR);
        format!(
            "attributed: this process tree's share of CPU time, applied to the energy of {} ({})",
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
            let (Some(told), Some(portion)) =
                (self.domains.get(domain), self.portions.get_mut(domain))
            else {
                continue;
            };
            match reading.value {
                _ if !is_shared(told.kind) => readings.push(reading),
                Value::Energy(joules) if portion.whole.is_none() => {
                    portion.whole = Some(joules);
                    readings.push(Reading { value: Value::Energy(Joules::ZERO), ..reading });
                }
                Value::Energy(_) => portion.latest = Some(reading),
                Value::Power(watts) => {
                    if let Some(share) = self.share {
                        readings.push(Reading { value: Value::Power(watts * share), ..reading });
                    }
                }
                Value::Restarted(_) | Value::Missing(_) => readings.push(reading),
            }
        }
        match self.look(request) {
            Ok(Some(share)) => {
                readings.extend(self.portions.iter_mut().filter_map(|portion| portion.take(share)));
            }
            Ok(None) => {}
            Err(error) => {
                let at = clock::checked_now();
                let told = self.domains.iter().enumerate();
                readings.extend(told.filter(|(_, told)| is_shared(told.kind)).map(
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
        self.source.warnings()
    }
}

impl Portion {
    /// Shares out the energy that the domain drew since the last call.
    fn take(&mut self, share: f64) -> Option<Reading> {
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
        match Attributed::new(source, proc_root) {
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
