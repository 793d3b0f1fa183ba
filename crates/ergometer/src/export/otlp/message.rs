//! Figures → OpenTelemetry's messages.

use std::env;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::clock::Timestamp;
use crate::energy::StepTotals;
use crate::export::{STEP_ENERGY, STEP_TIME, Subject};
use crate::ledger::live::{Live, LiveDomain};
use crate::ledger::run_header::RunHeader;
use crate::source::{Domain, DomainKind};

/// The version of the conventions that the names are from.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.42.0";

/// The figures as they are `now`; timestamps begin at `origin`, Unix nanoseconds.
pub(super) fn request(
    subject: &Subject,
    live: &Live,
    now: Timestamp,
    origin: i128,
) -> ExportMetricsServiceRequest {
    let head = &*subject.head;
    let figures = Figures {
        subject,
        live,
        now: now.since(head.start).as_secs_f64(),
        start: nanos(head.date()),
        begun: u64::try_from(origin + i128::from(head.start.as_nanos())).unwrap_or_default(),
    };
    let mut metrics = figures.domains();
    metrics.extend(figures.steps());
    metrics.extend(figures.whole());
    metrics.push(figures.sources());
    metrics.retain(|metric| match &metric.data {
        Some(Data::Sum(sum)) => !sum.data_points.is_empty(),
        Some(Data::Gauge(gauge)) => !gauge.data_points.is_empty(),
        _ => false,
    });
    let scope = InstrumentationScope {
        name: "ergometer".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes: resource(head), ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                schema_url: SCHEMA.to_owned(),
            }],
            schema_url: SCHEMA.to_owned(),
        }],
    }
}

/// What made the figures. The run is the instance of the service: so two at a time are distinguished.
fn resource(head: &RunHeader) -> Vec<KeyValue> {
    let service = env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    let mut attributes = vec![
        text("service.name", service.unwrap_or_else(|| "ergometer".to_owned())),
        text("service.instance.id", head.id()),
        text("ergometer.run.id", head.id()),
    ];
    attributes.extend(head.machine.host.as_ref().map(|host| text("host.name", host)));
    attributes.extend(head.machine.machine_id.as_ref().map(|id| text("ergometer.machine.id", id)));
    attributes
        .extend(head.placement.group.as_ref().map(|group| text("ergometer.run.group", group)));
    attributes
}

struct Figures<'a> {
    subject: &'a Subject,
    live: &'a Live,
    /// Seconds since the run began.
    now: f64,
    /// When the run began, as its record says, and by the wall clock as it is now: Unix nanoseconds. They
    /// differ where the machine slept.
    start: u64,
    begun: u64,
}

impl Figures<'_> {
    fn domains(&self) -> Vec<Metric> {
        // What a node draws has a name of its own, so that it is not added to what is in it.
        let [parts, node] = [false, true].map(|node| {
            move |value: fn(&LiveDomain) -> Option<f64>| {
                let domains = self.subject.domains(self.live);
                let domains =
                    domains.filter(move |(domain, _)| (domain.kind == DomainKind::Node) == node);
                let point = |(domain, live): (&Domain, &LiveDomain)| {
                    let value = Number::AsDouble(value(live)?);
                    Some(self.point(live.seconds, value, self.hardware(domain)))
                };
                domains.filter_map(point).collect::<Vec<_>>()
            }
        });
        let energy = |live: &LiveDomain| Some(live.energy?.get());
        let power = |live: &LiveDomain| Some(live.power?.get());
        let uncertainty = |live: &LiveDomain| Some(live.standard_uncertainty?.get());
        let each = |value: fn(&LiveDomain) -> i64| {
            let domains = self.subject.domains(self.live);
            let point = |(domain, live): (&Domain, &LiveDomain)| {
                self.point(self.now, Number::AsInt(value(live)), self.hardware(domain))
            };
            domains.map(point).collect()
        };
        let uncertainties = [parts(uncertainty), node(uncertainty)].concat();
        vec![
            sum("hw.energy", "J", "Energy consumed by the component", parts(energy)),
            sum("hw.host.energy", "J", "Energy consumed by the host", node(energy)),
            gauge(
                "hw.power",
                "W",
                "Mean power of the component over the last second",
                parts(power),
            ),
            gauge("hw.host.power", "W", "Mean power of the host over the last second", node(power)),
            gauge(
                "ergometer.energy.uncertainty",
                "J",
                "Standard uncertainty of the energy",
                uncertainties,
            ),
            gauge(
                "ergometer.domain.observed",
                "1",
                "Whether the component gave something and has not fallen silent since",
                each(|live| i64::from(live.observed)),
            ),
            sum(
                "ergometer.domain.reads.failed",
                "{read}",
                "Reads that failed or gave what cannot be",
                each(|live| live.failed.cast_signed()),
            ),
        ]
    }

    fn steps(&self) -> Vec<Metric> {
        let of = |value: fn(&StepTotals) -> Option<Number>| {
            let point = |(name, steps): (&&str, &StepTotals)| {
                let mut attributes = self.run();
                attributes.push(text("ergometer.step", *name));
                if !steps.unit.is_empty() {
                    attributes.push(text("ergometer.unit", &*steps.unit));
                }
                Some(self.point(self.now, value(steps)?, attributes))
            };
            self.live.steps.iter().filter_map(point).collect()
        };
        let count = of(|steps| Some(Number::AsInt(steps.count.cast_signed())));
        let items = of(|steps| (!steps.unit.is_empty()).then_some(Number::AsDouble(steps.items)));
        let joules = of(|steps| Some(Number::AsDouble(steps.joules.get())));
        let seconds = of(|steps| Some(Number::AsDouble(steps.seconds)));
        vec![
            sum("ergometer.steps", "{step}", "Steps worked out so far", count),
            sum("ergometer.items", "{item}", "Items of the steps worked out so far", items),
            sum("ergometer.step.energy", "J", STEP_ENERGY, joules),
            sum("ergometer.step.duration", "s", STEP_TIME, seconds),
        ]
    }

    /// The run with all parts before its interruptions. Gauges, as its sums did not begin with this process.
    fn whole(&self) -> [Metric; 3] {
        let whole = self.live.whole();
        let point = |value: Number| self.point(self.live.seconds, value, self.run());
        let energy = whole.energy.map(|energy| point(Number::AsDouble(energy.get())));
        let parts = Number::AsInt(self.live.earlier.parts.saturating_add(1).cast_signed());
        [
            gauge(
                "ergometer.run.energy",
                "J",
                "Energy of the run with all parts before its interruptions",
                energy.into_iter().collect(),
            ),
            gauge(
                "ergometer.run.duration",
                "s",
                "Time of the run with all parts before its interruptions",
                vec![point(Number::AsDouble(whole.seconds))],
            ),
            gauge("ergometer.run.parts", "{part}", "Parts of the run", vec![point(parts)]),
        ]
    }

    fn sources(&self) -> Metric {
        let point = |(name, reason): (&str, Option<&str>)| {
            let mut attributes = self.run();
            attributes.push(text("ergometer.source", name));
            attributes.extend(reason.map(|reason| text("ergometer.reason", reason)));
            self.point(self.now, Number::AsInt(i64::from(reason.is_none())), attributes)
        };
        let points = self.subject.sources().into_iter().map(point).collect();
        gauge("ergometer.source.available", "1", "Whether the source can be read here", points)
    }

    /// What every figure of the run has.
    fn run(&self) -> Vec<KeyValue> {
        let head = &self.subject.head;
        let mut attributes = vec![text("ergometer.run.label", &head.label)];
        attributes.extend(head.placement.rank.as_ref().map(|rank| KeyValue {
            key: "ergometer.rank".to_owned(),
            value: Some(AnyValue { value: Some(Value::IntValue(rank.rank.into())) }),
            ..KeyValue::default()
        }));
        attributes
    }

    /// What says which component a figure is of.
    fn hardware(&self, domain: &Domain) -> Vec<KeyValue> {
        let mut attributes = self.run();
        attributes.extend([
            text("hw.id", &domain.id),
            text("hw.name", &domain.label),
            text("ergometer.method", domain.method.as_str()),
            text("ergometer.source", &domain.source),
            text("ergometer.domain.kind", domain.kind.as_str()),
        ]);
        let kind = match domain.kind {
            DomainKind::Gpu => Some("gpu"),
            DomainKind::CpuPackage => Some("cpu"),
            DomainKind::Dram => Some("memory"),
            // The conventions have no word for these, and allow another.
            DomainKind::Psys => Some("platform"),
            DomainKind::Module => Some("module"),
            DomainKind::Node | DomainKind::Other => None,
        };
        attributes.extend(kind.map(|kind| text("hw.type", kind)));
        if domain.source == "nvml" {
            attributes.push(text("hw.vendor", "NVIDIA"));
        }
        // `rapl:package-0:dram` is the memory of `rapl:package-0`.
        let parent = domain.id.rsplit_once(':').map(|(parent, _)| parent);
        let parent = parent.filter(|id| self.subject.domains.iter().any(|other| other.id == **id));
        attributes.extend(parent.map(|id| text("hw.parent", id)));
        attributes
    }

    /// A value that holds for the moment `seconds` after the run began.
    ///
    /// It is dated by the wall clock as it is now, so that one that was wrong when the run began dates
    /// nothing that is sent after it was set.
    fn point(&self, seconds: f64, value: Number, attributes: Vec<KeyValue>) -> NumberDataPoint {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never negative"
        )]
        let since = (seconds * 1e9) as u64;
        NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start,
            time_unix_nano: self.begun.saturating_add(since).max(self.start),
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }
}

fn nanos(date: jiff::Timestamp) -> u64 {
    u64::try_from(date.as_nanosecond()).unwrap_or_default()
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }),
        ..KeyValue::default()
    }
}

fn sum(name: &str, unit: &str, description: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    let data = Data::Sum(Sum {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
        is_monotonic: true,
    });
    metric(name, unit, description, data)
}

fn gauge(name: &str, unit: &str, description: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    metric(name, unit, description, Data::Gauge(Gauge { data_points }))
}

fn metric(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}
