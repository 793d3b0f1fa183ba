//! The meters that the user names.

use std::time::Duration;

use super::found::Found;
use crate::bounded::{self, Failure};
use crate::source::beside::Witness;
use crate::source::external::{self, External, Lines};
use crate::source::{Availability, DomainKind, PowerSource, SourceReport};

/// Time limit for one of them: longer than it waits for its first line.
const LIMIT: Duration = Duration::from_secs(10);

/// What the named meters measure.
#[derive(Default)]
pub(super) struct Externals {
    /// Absent where none was named.
    pub(super) found: Option<Found>,
    /// The kinds of what they measure, all of it.
    pub(super) kinds: Vec<DomainKind>,
    pub(super) witness: Witness,
}

impl Externals {
    /// Leaves out what lies in something that a sensor of the machine measures, as boards in a module.
    pub(super) fn step_back_before(&mut self, sensors: &[Found]) {
        let around = |kind| sensors.iter().find(|found| found.any(|outer| outer.contains(kind)));
        for kind in std::mem::take(&mut self.kinds) {
            match (around(kind), self.found.take()) {
                (Some(sensor), Some(found)) => {
                    let by = &sensor.report.source;
                    self.found = Some(found.beside(|inner| inner == kind, by, &self.witness));
                }
                (_, found) => {
                    self.found = found;
                    self.kinds.push(kind);
                }
            }
        }
    }
}

/// Opens the meters. Those of what lies in one of the `stated` kinds are left out.
pub(super) fn open(named: &[External], stated: &[DomainKind]) -> Externals {
    let mut externals = Externals::default();
    if named.is_empty() {
        return externals;
    }
    let mut remarks = Vec::new();
    let mut sources: Vec<Lines> = Vec::new();
    let mut failed: Vec<DomainKind> = Vec::new();
    let number_of = |kind: DomainKind, before: &[Lines]| {
        1 + before.iter().filter(|lines| lines.domains()[0].kind == kind).count()
    };
    for one in named {
        let word = one.kind.as_str();
        if let Some(outer) = stated.iter().find(|outer| outer.contains(one.kind)) {
            let outer = outer.as_str();
            remarks.push(format!("a meter of {word} is not used: it lies in the stated {outer}"));
            continue;
        }
        let (external, number) = (one.clone(), number_of(one.kind, &sources));
        let opened = bounded::call(LIMIT, move || Lines::open(&external, number));
        match opened.unwrap_or_else(|failure| Err(format!("{} {}", one.place(), why(failure)))) {
            Ok(lines) => sources.push(lines),
            Err(why) => {
                remarks.push(format!("the meter of {word} is not used: {why}"));
                failed.push(one.kind);
            }
        }
    }
    // Without one of several meters the others do not measure the whole.
    sources.retain(|lines| {
        let domain = &lines.domains()[0];
        let whole = !failed.contains(&domain.kind);
        if !whole {
            remarks.push(format!("{} is not used without the other meter of its kind", domain.id));
        }
        whole
    });
    externals.kinds = sources.iter().map(|lines| lines.domains()[0].kind).collect();
    externals.found = Some(found(sources, remarks, &externals));
    externals
}

fn found(mut sources: Vec<Lines>, remarks: Vec<String>, externals: &Externals) -> Found {
    for lines in &mut sources {
        lines.compare(externals.witness.clone());
    }
    let (availability, remarks) = if sources.is_empty() {
        let reason = remarks.join("; ");
        let remedy =
            "have it write `time,watts` lines, at least every 5 s, before this program starts";
        (Availability::Unavailable { reason, remedy: remedy.to_owned() }, Vec::new())
    } else {
        (Availability::Available, remarks)
    };
    let domains = sources.iter().map(|lines| lines.domains()[0].id.clone()).collect();
    let source = external::NAME.to_owned();
    let report = SourceReport { source, availability, domains, remarks };
    let sources = sources.into_iter().map(|lines| Box::new(lines) as Box<dyn PowerSource>);
    let found = Found { sources: sources.collect(), watched: Vec::new(), report };
    // A meter of the boards lies in that of the machine.
    externals.kinds.iter().fold(found, |found, outer| {
        found.beside(|kind| outer.contains(kind), external::NAME, &externals.witness)
    })
}

const fn why(failure: Failure) -> &'static str {
    match failure {
        Failure::Hangs => "cannot be opened within 10 s",
        Failure::Panicked => "cannot be opened: the meter panicked",
        Failure::NoThread => "cannot be opened: no thread can be started",
    }
}
