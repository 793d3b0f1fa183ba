//! Live figures for collectors: OpenTelemetry and Prometheus.
//!
//! Behind the features `otlp` and `prometheus`, and only where `MeterBuilder::otlp` or
//! `MeterBuilder::prometheus` was called: nothing else in this library opens a socket. Each has a thread of its own, which copies [`Live`] and waits for
//! nobody but its collector; the training and the meter's threads do not wait for it. A collector that is
//! away, hangs or refuses costs a warning in the record, one of each kind.
//!
//! | Prometheus | OpenTelemetry | |
//! |---|---|---|
//! | `ergometer_energy_joules_total` | `hw.energy` (`hw.host.energy` of a node) | counter, joules a domain drew since the run began |
//! | `ergometer_energy_uncertainty_joules` | `ergometer.energy.uncertainty` | its standard uncertainty |
//! | `ergometer_power_watts` | `hw.power` (`hw.host.power` of a node) | mean power over the last second |
//! | `ergometer_domain_observed` | `ergometer.domain.observed` | 0 of a domain that gave nothing or fell silent |
//! | `ergometer_reads_failed_total` | `ergometer.domain.reads.failed` | counter of failed reads |
//! | `ergometer_source_available` | `ergometer.source.available` | 0 of a source that is not there, with the reason |
//! | `ergometer_steps_total` | `ergometer.steps` | counter of steps |
//! | `ergometer_items_total` | `ergometer.items` | counter of their items, where they have a unit |
//! | `ergometer_step_energy_joules_total` | `ergometer.step.energy` | counter, joules in steps, inclusive: each of several steps that are open at the same time counts them whole |
//! | `ergometer_step_seconds_total` | `ergometer.step.duration` | counter, seconds in steps, inclusive |
//! | `ergometer_run_info` | resource attributes | 1, with what identifies the run |
//! | `ergometer_run_energy_joules_total` | `ergometer.run.energy` | joules of the run with all parts before its interruptions |
//! | `ergometer_run_seconds_total` | `ergometer.run.duration` | its seconds |
//! | `ergometer_run_parts` | `ergometer.run.parts` | how many parts it has |
//!
//! What was not read is left out, and never reported as 0. Domains never hold one another, so that their sum is
//! the machine's.
//!
//! Counters of domains and of steps begin at 0 with each process, as collectors expect of a restart, and never
//! go down within one: a run that goes on may do so on another machine. The figures of the run (`run_energy`,
//! `run_seconds`) have all parts before its interruptions where it was
//! [resumed](crate::MeterBuilder::resume).
//!
//! Labels of each series: `run` is the label of the run, `rank` its rank where it has one, `machine` the
//! machine's identity; of those of a domain, `domain` is its identity, `kind`, `method` and `source` what
//! they are in the record, and `program` is the run's identity where the domain is a program's share
//! ([`Scope::Process`](crate::Scope::Process)). Ranks of one machine meter the same domains, and their shares
//! are their own: take the greatest by `machine`, `domain` and `program` before adding up, which is the rule of
//! [`Record::merge`](crate::Record::merge).
//!
//! OpenTelemetry's names are those of its
//! [conventions for hardware](https://opentelemetry.io/docs/specs/semconv/hardware/common/) (1.42, in
//! development): attributes `hw.id`, `hw.name`, `hw.type`, `hw.parent`; what it has no name for begins with
//! `ergometer.`.
//!
//! # Not covered
//!
//! TLS: send to a collector on this machine, which passes it on.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "prometheus")]
mod prometheus;
mod settings;

use std::collections::BTreeMap;
use std::io;
#[cfg(feature = "prometheus")]
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "prometheus")]
pub use prometheus::Listen;
pub(crate) use settings::Settings;

use crate::ledger::live::{Live, LiveDomain, LiveView};
use crate::ledger::run_header::RunHeader;
use crate::source::{Availability, Domain};

/// What the counter of the energy in steps is: see [`Live::steps`](crate::meter::Live::steps).
const STEP_ENERGY: &str = "Energy in steps over all domains, inclusive: each step that is open at the same time as others counts it whole";
/// What the counter of the time in steps is.
const STEP_TIME: &str =
    "Time in steps, inclusive: each step that is open at the same time as others counts it whole";

/// How long the end of a run waits for what is exported to arrive.
pub(crate) const LAST_EXPORT: Duration = Duration::from_secs(2);

/// What the figures are of.
pub(crate) struct Subject {
    screen: Arc<LiveView>,
    head: Arc<RunHeader>,
    domains: Vec<Domain>,
}

impl Subject {
    /// Domains of one identity, which a program's own sources may give, are numbered: series that cannot
    /// be told apart are an error to those who read them.
    pub(crate) fn new(
        screen: Arc<LiveView>,
        head: Arc<RunHeader>,
        mut domains: Vec<Domain>,
    ) -> Self {
        for index in 1..domains.len() {
            let (before, rest) = domains.split_at_mut(index);
            let same = before.iter().filter(|other| other.id == rest[0].id).count();
            if same > 0 {
                rest[0].id = format!("{}#{}", rest[0].id, index + 1);
            }
        }
        Self { screen, head, domains }
    }

    /// The sources by name, each with the reason if it is not there; several of one name are there if one
    /// is.
    fn sources(&self) -> BTreeMap<&str, Option<&str>> {
        let mut sources = BTreeMap::new();
        for report in &self.head.sources {
            let reason = match &report.availability {
                Availability::Available => None,
                Availability::Unavailable { reason, .. } => Some(reason.as_str()),
            };
            sources
                .entry(report.source.as_str())
                .and_modify(|known: &mut Option<&str>| *known = known.and(reason))
                .or_insert(reason);
        }
        sources
    }

    /// What is known now. The meter's thread holds the lock for as long as it takes to write some numbers.
    fn live(&self) -> Live {
        self.screen.snapshot()
    }

    /// The domains with what they drew.
    fn domains<'a>(&'a self, live: &'a Live) -> impl Iterator<Item = (&'a Domain, &'a LiveDomain)> {
        self.domains.iter().zip(&live.domains)
    }
}

/// What can be exported once there is something to: the address is held, the collector named.
pub(crate) struct Opened {
    #[cfg(feature = "prometheus")]
    prometheus: Option<TcpListener>,
    #[cfg(feature = "otlp")]
    otlp: Option<otlp::Target>,
}

impl Opened {
    /// Begins to export.
    pub(crate) fn start(self, subject: Subject) -> io::Result<Exporters> {
        let subject = Arc::new(subject);
        #[cfg(feature = "prometheus")]
        let serve = |listener| prometheus::Endpoint::start(listener, Arc::clone(&subject));
        #[cfg(feature = "otlp")]
        let push = |target| otlp::Push::start(target, Arc::clone(&subject));
        Ok(Exporters {
            #[cfg(feature = "prometheus")]
            prometheus: self.prometheus.map(serve).transpose()?,
            #[cfg(feature = "otlp")]
            otlp: self.otlp.map(push).transpose()?,
        })
    }
}

/// What exports the figures of a meter; it ends when it is dropped.
pub(crate) struct Exporters {
    #[cfg(feature = "prometheus")]
    prometheus: Option<prometheus::Endpoint>,
    #[cfg(feature = "otlp")]
    otlp: Option<otlp::Push>,
}

impl Exporters {
    /// Sends the last figures, for `limit` at most, and gives what went wrong meanwhile, one line a kind.
    /// Prometheus' address shows them until this is dropped.
    pub(crate) fn finish(&self, limit: Duration) -> Vec<String> {
        let mut warnings = Vec::new();
        #[cfg(feature = "otlp")]
        warnings.extend(self.otlp.iter().flat_map(|otlp| otlp.finish(limit)));
        #[cfg(feature = "prometheus")]
        warnings.extend(self.prometheus.iter().filter_map(prometheus::Endpoint::warning));
        let _ = limit;
        warnings
    }

    /// Where Prometheus' text is to be read.
    #[cfg(feature = "prometheus")]
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        Some(self.prometheus.as_ref()?.address())
    }
}
