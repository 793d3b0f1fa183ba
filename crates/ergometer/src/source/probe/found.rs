//! What was found of a source, and whether it works.

use std::time::Duration;

use crate::bounded::{self, Failure};
use crate::source::beside::{Beside, Witness};
use crate::source::hwmon;
use crate::source::proof::{self, Subset};
use crate::source::{Availability, Domain, DomainKind, PowerSource, SourceReport};

/// Looks for `source` on a new thread. A driver or a file that hangs costs `limit`, once, and the source.
pub(super) fn look(
    source: &str,
    limit: Duration,
    open: impl FnOnce() -> Found + Send + 'static,
) -> Found {
    look_also(source, limit, || (open(), ())).0
}

/// The same, with other results of the search.
pub(super) fn look_also<T: Default + Send + 'static>(
    source: &str,
    limit: Duration,
    open: impl FnOnce() -> (Found, T) + Send + 'static,
) -> (Found, T) {
    bounded::call(limit, open).unwrap_or_else(|failure| {
        let (reason, remedy) = match failure {
            Failure::Hangs => (
                format!("looking for it took longer than {} s", limit.as_secs()),
                "see the system's log (on Linux `dmesg`): a driver, or a file that it shows, does not answer",
            ),
            Failure::Panicked => (
                "looking for it panicked".to_owned(),
                "this is a defect of the meter: please report it with the program's stderr",
            ),
            Failure::NoThread => (
                "no thread could be started to look for it".to_owned(),
                "raise the limit of threads (`ulimit -u`, the container's `pids.max`)",
            ),
        };
        let remedy = remedy.to_owned();
        let report = SourceReport {
            source: source.to_owned(),
            availability: Availability::Unavailable { reason, remedy },
            domains: Vec::new(),
            remarks: Vec::new(),
        };
        (Found::without(report), T::default())
    })
}

/// The result of looking for a source.
pub(super) struct Found {
    pub(super) sources: Vec<Box<dyn PowerSource>>,
    /// Sources none of whose domains is used; they are read to see whether they move after all.
    pub(super) watched: Vec<Box<dyn PowerSource>>,
    pub(super) report: SourceReport,
}

impl Found {
    pub(super) fn new(source: Option<impl PowerSource + 'static>, report: SourceReport) -> Self {
        let boxed = source.map(|source| Box::new(source) as Box<dyn PowerSource>);
        Self { sources: boxed.into_iter().collect(), watched: Vec::new(), report }
    }

    pub(super) const fn without(report: SourceReport) -> Self {
        Self { sources: Vec::new(), watched: Vec::new(), report }
    }

    pub(super) fn any(&self, kind: impl Fn(DomainKind) -> bool) -> bool {
        self.sources.iter().flat_map(PowerSource::domains).any(|domain| kind(domain.kind))
    }

    /// Whether it measures `kind`, or a kind that contains it.
    pub(super) fn gives(&self, kind: DomainKind) -> bool {
        self.any(|given| given == kind || given.contains(kind))
    }

    /// Leaves out domains that stand still.
    pub(super) fn proven(mut self) -> Self {
        // Sockets and modules; virtual machines have none. Boards are not waited for, as they are watched during the
        // run.
        let slow = |domain: &Domain| domain.source == hwmon::NAME && domain.kind != DomainKind::Gpu;
        let still = proof::standing_still(&mut self.sources, slow);
        let stands = |domain: &Domain| still.contains(&domain.id);
        let domains: Vec<Domain> =
            self.sources.iter().flat_map(|source| source.domains().to_vec()).collect();
        let boards = || domains.iter().filter(|domain| domain.kind == DomainKind::Gpu);
        let another_works = boards().any(|board| !stands(board));
        let mut left_out = Vec::new();
        for (index, domain) in domains.iter().enumerate().filter(|(_, domain)| stands(domain)) {
            let id = &domain.id;
            if domain.kind != DomainKind::Gpu {
                self.report.remarks.push(format!("{id} stands still and is not used"));
            } else if another_works && !is_whole_board(&domain.label) {
                // Domains come in the order of addresses, and a board's dies follow each other. The first may be hidden.
                let before = index.checked_sub(1).map(|before| &domains[before]);
                let first = before
                    .filter(|first| first.kind == DomainKind::Gpu && !stands(first))
                    .map(|first| format!(" (by the order of addresses that of {})", first.id));
                self.report.remarks.push(format!(
                    "{id} shows no power while another board does, as the second die of a board \
                     whose sensor is the first one's{}: it is not metered",
                    first.unwrap_or_default()
                ));
            } else {
                self.report.remarks.push(format!(
                    "{id} has shown no power yet: if it never does, it has no energy in the record"
                ));
                continue;
            }
            left_out.push(id.clone());
        }
        if left_out.is_empty() {
            return self;
        }
        let used = |domain: &Domain| !left_out.contains(&domain.id);
        let subsets = self.sources.into_iter().map(|source| Subset::of(source, used));
        (self.sources, self.watched) = subsets.partition(|source| !source.domains().is_empty());
        self.report.domains.retain(|id| !left_out.contains(id));
        if self.sources.is_empty() {
            self.report.availability = Availability::Unavailable {
                reason: format!(
                    "{} can be read and stand still, as in most virtual machines, so they measure nothing",
                    left_out.join(", ")
                ),
                remedy:
                    "run on the bare machine; hypervisors do not pass these sensors to their guests"
                        .to_owned(),
            };
        }
        self
    }

    /// Leaves the source out if everything that it measures is part of a stated domain.
    pub(super) fn unless_inside(self, stated: &[DomainKind]) -> Self {
        let outer = |kind| stated.iter().find(|&&outer| outer.contains(kind)).copied();
        let domains = self.sources.iter().flat_map(PowerSource::domains);
        let mut outers = domains.map(|domain| outer(domain.kind));
        match outers.next().flatten().filter(|_| outers.all(|outer| outer.is_some())) {
            Some(outer) => {
                let outer = outer.as_str();
                self.not_used(&format!("it lies in the {outer} whose power is stated"))
            }
            None => self,
        }
    }

    /// Keeps domains of the kinds that something else measures as a whole out of every sum. They are read to be compared
    /// with it.
    pub(super) fn beside(
        mut self,
        measured: impl Fn(DomainKind) -> bool,
        by: &str,
        whole: &Witness,
    ) -> Self {
        let domains = self.sources.iter().flat_map(PowerSource::domains);
        let covered = domains.filter(|domain| measured(domain.kind));
        let covered: Vec<String> = covered.map(|domain| domain.id.clone()).collect();
        if covered.is_empty() {
            return self;
        }
        let used = |domain: &Domain| !covered.contains(&domain.id);
        let sources = self.sources.into_iter().map(|source| Beside::of(source, used, whole));
        let (used, beside): (Vec<_>, Vec<_>) =
            sources.partition(|source| !source.domains().is_empty());
        (self.sources, self.watched) = (used, self.watched.into_iter().chain(beside).collect());
        self.report.domains.retain(|id| !covered.contains(id));
        self.report.remarks.push(format!(
            "{}: in no sum, as {by} measures what contains it; read to be compared with that",
            covered.join(", ")
        ));
        self
    }

    fn not_used(mut self, why: &str) -> Self {
        self.sources.clear();
        self.watched.clear();
        self.report.domains.clear();
        self.report.remarks.push(format!("not used: {why}"));
        self
    }
}

/// Whether the sensor of a board with this name covers the whole board. AMD's MI200 boards appear as two,
/// of which the second has no sensor. A board without a name may be one of those.
fn is_whole_board(label: &str) -> bool {
    let unnamed = label.starts_with("AMD GPU ");
    !unnamed && !label.contains("MI2")
}
