//! Figures → Prometheus' text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::export::{STEP_ENERGY, STEP_TIME, Subject};
use crate::ledger::live::{Live, LiveDomain};
use crate::source::Domain;
use crate::source::attribution::is_share;
use crate::units::Joules;

/// One series: its labels beside those of all, and its value.
type Series<'a> = (Vec<(&'a str, &'a str)>, f64);

/// The figures of `subject`, as they are whenever they are encoded.
pub(super) fn registry(subject: Arc<Subject>) -> Registry {
    let head = &subject.head;
    let mut labels = vec![("run", head.label.clone())];
    labels.extend(head.placement.rank.as_ref().map(|rank| ("rank", rank.rank.to_string())));
    labels.extend(head.machine.machine_id.clone().map(|id| ("machine", id)));
    let labels = labels.into_iter().map(|(name, value)| (Cow::from(name), Cow::from(value)));
    let mut registry = Registry::with_prefix_and_labels("ergometer", labels);
    registry.register_collector(Box::new(Figures(subject)));
    registry
}

struct Figures(Arc<Subject>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let live = self.0.live();
        let mut families = Families(encoder);
        self.domains(&live, &mut families)?;
        steps(&live, &mut families)?;
        self.sources(&mut families)?;
        self.run(&live, &mut families)
    }
}

impl Figures {
    fn domains(&self, live: &Live, families: &mut Families<'_>) -> fmt::Result {
        let run = self.0.head.id();
        let of = |value: fn(&LiveDomain) -> Option<f64>| {
            let domains = self.0.domains(live).map(|(domain, live)| (labels(domain, &run), live));
            domains.filter_map(move |(labels, live)| Some((labels, value(live)?))).collect()
        };
        families.counter(
            "energy_joules_total",
            "Energy drawn by a domain since the run began",
            of(|domain| Some(domain.energy?.get())),
        )?;
        families.gauge(
            "energy_uncertainty_joules",
            "Standard uncertainty of the energy of a domain",
            of(|domain| Some(domain.standard_uncertainty?.get())),
        )?;
        families.gauge(
            "power_watts",
            "Mean power of a domain over the last second",
            of(|domain| Some(domain.power?.get())),
        )?;
        families.gauge(
            "domain_observed",
            "Whether a domain gave something and has not fallen silent since",
            of(|domain| Some(f64::from(u8::from(domain.observed)))),
        )?;
        families.counter(
            "reads_failed_total",
            "Reads of a domain that failed or gave what cannot be",
            of(|domain| Some(domain.failed as f64)),
        )
    }

    fn sources(&self, families: &mut Families<'_>) -> fmt::Result {
        let sources = self.0.sources();
        let series = sources.iter().map(|(name, reason)| {
            let mut labels = vec![("source", *name)];
            labels.extend(reason.map(|reason| ("reason", reason)));
            (labels, f64::from(u8::from(reason.is_none())))
        });
        families.gauge(
            "source_available",
            "Whether a source can be read here, and why not",
            series.collect(),
        )
    }

    fn run(&self, live: &Live, families: &mut Families<'_>) -> fmt::Result {
        let head = &self.0.head;
        let id = head.id();
        let mut labels = vec![("run_id", id.as_str()), ("version", env!("CARGO_PKG_VERSION"))];
        labels.extend(head.machine.host.as_deref().map(|host| ("host", host)));
        labels.extend(head.placement.group.as_deref().map(|group| ("group", group)));
        families.gauge("run_info", "What identifies the run", vec![(labels, 1.0)])?;
        let whole = live.whole();
        let run = |value: Option<f64>| value.map(|value| (Vec::new(), value)).into_iter().collect();
        families.counter(
            "run_energy_joules_total",
            "Energy of the run with all parts before its interruptions",
            run(whole.energy.map(Joules::get)),
        )?;
        families.counter(
            "run_seconds_total",
            "Time of the run with all parts before its interruptions, up to which its energy is known",
            run(Some(whole.seconds)),
        )?;
        families.gauge(
            "run_parts",
            "Parts of the run, with those before its interruptions",
            run(Some(live.earlier.parts as f64 + 1.0)),
        )
    }
}

/// The labels of a domain of the run with the identity `run`.
fn labels<'a>(domain: &'a Domain, run: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut labels = vec![
        ("domain", domain.id.as_str()),
        ("kind", domain.kind.as_str()),
        ("method", domain.method.as_str()),
        ("source", &domain.source),
        ("name", &domain.label),
    ];
    // A share is its program's alone: the same domain of another program is another energy.
    if is_share(&domain.id) {
        labels.push(("program", run));
    }
    labels
}

fn steps(live: &Live, families: &mut Families<'_>) -> fmt::Result {
    let steps = || live.steps.iter().map(|(name, steps)| (vec![("step", *name)], steps));
    families.counter(
        "steps_total",
        "Steps worked out so far",
        steps().map(|(labels, steps)| (labels, steps.count as f64)).collect(),
    )?;
    let items = steps().filter(|(_, steps)| !steps.unit.is_empty()).map(|(mut labels, steps)| {
        labels.push(("unit", &steps.unit));
        (labels, steps.items)
    });
    families.counter("items_total", "Items of the steps worked out so far", items.collect())?;
    families.counter(
        "step_energy_joules_total",
        STEP_ENERGY,
        steps().map(|(labels, steps)| (labels, steps.joules.get())).collect(),
    )?;
    families.counter(
        "step_seconds_total",
        STEP_TIME,
        steps().map(|(labels, steps)| (labels, steps.seconds)).collect(),
    )
}

/// Writes what there is, and nothing of what there is not.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counter(&mut self, name: &str, help: &str, series: Vec<Series<'_>>) -> fmt::Result {
        self.family(name, help, MetricType::Counter, series)
    }

    fn gauge(&mut self, name: &str, help: &str, series: Vec<Series<'_>>) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, series)
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        series: Vec<Series<'_>>,
    ) -> fmt::Result {
        if series.is_empty() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in series {
            // As a gauge, whose name is written as it is: in Prometheus' own text format the name of a
            // counter ends in `_total` where its type is told too, in OpenMetrics' it does not.
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}
