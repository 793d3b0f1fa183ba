//! What an OpenTelemetry collector gets, and one that is away, hangs or refuses.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use ergometer::clock::pretend;
use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{ErrorKind, Meter, MeterBuilder};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, NumberDataPoint};
use prost::Message as _;

use super::{PATIENCE, assert_same, joules, rig, step};
use crate::child;

const OFTEN: Duration = Duration::from_millis(20);
const NEVER: Duration = Duration::from_hours(1);

/// What a collector answers: the status, and the message.
type Answer = (u16, ExportMetricsServiceResponse);

fn good() -> Answer {
    (200, ExportMetricsServiceResponse::default())
}

/// A receiver, which gives what it got and answers as `answer` does until that ends it.
fn collector(
    answer: impl Fn(usize) -> Option<Answer> + Send + 'static,
) -> (String, Receiver<ExportMetricsServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    thread::spawn(move || {
        for index in 0.. {
            let Some((status, message)) = answer(index) else { return };
            let (stream, _) = listener.accept().unwrap();
            // One that was given up before it was sent whole is not counted.
            if let Ok(request) = receive(&stream) {
                let _ = sender.send(request);
                let _ = reply(&stream, status, &message.encode_to_vec());
            }
        }
    });
    (url, received)
}

fn receive(stream: &TcpStream) -> io::Result<ExportMetricsServiceRequest> {
    let mut lines = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if line == "\r\n" {
            break;
        }
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(line.trim_end().to_ascii_lowercase());
    }
    assert_eq!(head[0], "post /v1/metrics http/1.1");
    let field = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)).unwrap();
    assert_eq!(field("content-type: "), "application/x-protobuf");
    let mut body = vec![0; field("content-length: ").parse().unwrap()];
    lines.read_exact(&mut body)?;
    Ok(ExportMetricsServiceRequest::decode(&body[..]).unwrap())
}

fn reply(mut stream: &TcpStream, status: u16, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} said\r\nContent-Length: {length}\r\n\r\n")?;
    stream.write_all(body)
}

/// Attributes as text.
fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let all: BTreeMap<_, _> = pairs.iter().map(|pair| (pair.key.clone(), text(pair))).collect();
    assert_eq!(all.len(), pairs.len(), "a key twice: {pairs:?}");
    all
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value.as_ref().unwrap() {
        Number::AsDouble(number) => *number,
        Number::AsInt(number) => f64::from(i32::try_from(*number).unwrap()),
    }
}

/// A metric of a message: its unit, whether it is a counter, its points.
struct Found {
    unit: String,
    counter: bool,
    points: Vec<(BTreeMap<String, String>, NumberDataPoint)>,
}

impl Found {
    /// The value of the one point whose attribute is this.
    fn of(&self, attribute: &str, value: &str) -> Option<f64> {
        let mut points = self.points.iter().filter(|(attributes, _)| {
            attributes.get(attribute).is_some_and(|known| known == value)
        });
        let (_, point) = points.next()?;
        assert!(points.next().is_none(), "more than one {attribute} {value}");
        Some(number(point))
    }
}

/// The metrics of a message by name; counters are cumulative and monotone.
fn metrics(message: &ExportMetricsServiceRequest) -> BTreeMap<String, Found> {
    let [resource] = &message.resource_metrics[..] else { panic!("{message:?}") };
    let [scope] = &resource.scope_metrics[..] else { panic!("{message:?}") };
    assert_eq!(scope.scope.as_ref().unwrap().name, "ergometer");
    assert!(scope.schema_url.starts_with("https://opentelemetry.io/schemas/"));
    let found = scope.metrics.iter().map(|metric| {
        assert!(!metric.description.is_empty(), "{metric:?}");
        let (counter, points) = match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic, "{metric:?}");
                assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
                (true, &sum.data_points)
            }
            Data::Gauge(gauge) => (false, &gauge.data_points),
            other => panic!("{other:?}"),
        };
        assert!(!points.is_empty(), "{metric:?}");
        let points = points.iter().map(|point| (attributes(&point.attributes), point.clone()));
        let points = points.collect();
        (metric.name.clone(), Found { unit: metric.unit.clone(), counter, points })
    });
    let all: BTreeMap<_, _> = found.collect();
    assert_eq!(all.len(), scope.metrics.len(), "a metric twice");
    all
}

fn energy(message: &ExportMetricsServiceRequest, id: &str) -> Option<f64> {
    metrics(message).get("hw.energy").and_then(|energy| energy.of("hw.id", id))
}

#[test]
fn the_collector_gets_the_run_and_at_the_end_the_record() {
    let (url, received) = collector(|_| Some(good()));
    let meter = rig().otlp(url).otlp_interval(OFTEN).start().unwrap();
    for _ in 0..5 {
        step(&meter);
    }
    // Two messages with energies that differ, before the end.
    let next = || received.recv_timeout(PATIENCE).unwrap();
    let mut messages = vec![next()];
    let drawn = |message: &_| energy(message, "gpu-0").filter(|joules| *joules > 0.0);
    while messages.iter().filter_map(drawn).max_by(f64::total_cmp)
        <= messages.iter().find_map(drawn)
    {
        messages.push(next());
    }
    let record = meter.finish().unwrap();
    messages.extend(received.try_iter());
    // On a busy machine a send may take longer than it may; the next has all there is.
    let late = |line: &String| line.contains("did not answer in time");
    let about = |line: &&String| line.contains("collector") && !late(line);
    assert_eq!(record.warnings.iter().find(about), None, "{:?}", record.warnings);

    // Counters never go down, nor does time; all count from one start.
    let mut before: BTreeMap<(String, BTreeMap<String, String>), NumberDataPoint> = BTreeMap::new();
    for message in &messages {
        for (name, metric) in metrics(message) {
            for (attributes, point) in metric.points {
                assert!(point.time_unix_nano >= point.start_time_unix_nano);
                if let Some(old) = before.insert((name.clone(), attributes), point.clone()) {
                    assert_eq!(point.start_time_unix_nano, old.start_time_unix_nano);
                    assert!(point.time_unix_nano >= old.time_unix_nano);
                    assert!(!metric.counter || number(&point) >= number(&old), "{name}");
                }
            }
        }
    }

    let last = messages.last().unwrap();
    let found = metrics(last);
    let forms: BTreeMap<_, _> = found
        .iter()
        .map(|(name, metric)| (&name[..], (&metric.unit[..], metric.counter)))
        .collect();
    let expected = BTreeMap::from([
        ("hw.energy", ("J", true)),
        ("hw.power", ("W", false)),
        ("ergometer.energy.uncertainty", ("J", false)),
        ("ergometer.domain.observed", ("1", false)),
        ("ergometer.domain.reads.failed", ("{read}", true)),
        ("ergometer.steps", ("{step}", true)),
        ("ergometer.items", ("{item}", true)),
        ("ergometer.step.energy", ("J", true)),
        ("ergometer.step.duration", ("s", true)),
        ("ergometer.source.available", ("1", false)),
        ("ergometer.run.energy", ("J", false)),
        ("ergometer.run.duration", ("s", false)),
        ("ergometer.run.parts", ("{part}", false)),
    ]);
    assert_eq!(forms, expected);

    for id in ["gpu-0", "rig:package-0", "rig:package-0:dram"] {
        assert_same(found["hw.energy"].of("hw.id", id).unwrap(), joules(&record, id));
    }
    assert!((found["hw.power"].of("hw.id", "gpu-0").unwrap() - 300.0).abs() < 1.0);
    for name in ["hw.energy", "hw.power", "ergometer.energy.uncertainty"] {
        assert_eq!(found[name].of("hw.id", "mute"), None, "what gave nothing has no figures");
    }
    assert_eq!(found["ergometer.domain.observed"].of("hw.id", "mute"), Some(0.0));
    assert_eq!(found["ergometer.steps"].of("ergometer.step", "step"), Some(5.0));
    assert_eq!(found["ergometer.items"].of("ergometer.unit", "tokens"), Some(35.0));
    assert_eq!(found["ergometer.items"].of("ergometer.step", "other"), None);

    let about = |id: &str| {
        let points = &found["hw.energy"].points;
        points.iter().find(|(attributes, _)| attributes["hw.id"] == id).unwrap().0.clone()
    };
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let memory = text(&[
        ("hw.id", "rig:package-0:dram"),
        ("hw.name", "rig:package-0:dram"),
        ("hw.type", "memory"),
        ("hw.parent", "rig:package-0"),
        ("ergometer.domain.kind", "dram"),
        ("ergometer.method", "counter"),
        ("ergometer.source", "steady"),
        ("ergometer.run.label", &record.run.label),
        ("ergometer.rank", "1"),
    ]);
    assert_eq!(about("rig:package-0:dram"), memory);
    assert_eq!(about("gpu-0")["hw.type"], "gpu");
    assert_eq!(about("rig:package-0")["hw.type"], "cpu");
    let resource = attributes(&last.resource_metrics[0].resource.as_ref().unwrap().attributes);
    let service = env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "ergometer".to_owned());
    assert_eq!(resource["service.name"], service);
    assert_eq!(resource["service.instance.id"], record.run.id);
    assert_eq!(resource["ergometer.run.id"], record.run.id);
    assert_eq!(resource["ergometer.run.group"], "g7");
    assert_eq!(resource.get("host.name"), record.machine.host.as_ref());
}

fn node() -> MeterBuilder {
    Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0))
}

#[test]
fn a_whole_machine_has_the_name_that_is_not_added_to_its_parts() {
    let (url, received) = collector(|_| Some(good()));
    let meter = node().otlp(url + "/").otlp_interval(NEVER).start().unwrap();
    let record = meter.finish().unwrap();
    let messages: Vec<_> = received.try_iter().collect();
    let [message] = &messages[..] else { panic!("{messages:?}") };
    let found = metrics(message);
    let id = &record.domains[0].domain.id;
    assert_same(found["hw.host.energy"].of("hw.id", id).unwrap(), joules(&record, id));
    assert!(!found.contains_key("hw.energy") && !found.contains_key("hw.power"));
    assert!(!found.contains_key("ergometer.steps"), "there were none");
}

#[test]
fn a_meter_that_is_dropped_sends_what_there_was() {
    let (url, received) = collector(|_| Some(good()));
    let meter = rig().otlp(url).otlp_interval(NEVER).start().unwrap();
    step(&meter);
    drop(meter);
    let message = received.try_recv().expect("it was sent before the meter was gone");
    assert!(energy(&message, "gpu-0").unwrap() > 0.0);
    assert_eq!(metrics(&message)["ergometer.steps"].of("ergometer.step", "step"), Some(1.0));
}

/// The lines of the record about the collector.
fn told(meter: &Meter) -> Vec<String> {
    let record = meter.finish().unwrap();
    assert_eq!(record.steps["run"].count, 2);
    record.warnings.into_iter().filter(|line| line.contains("the collector at")).collect()
}

#[test]
fn a_collector_that_refuses_and_then_is_away_is_told_once_each() {
    let (url, received) = collector(|index| (index < 3).then(|| (503, good().1)));
    let meter = node().otlp(url).otlp_interval(OFTEN).start().unwrap();
    step(&meter);
    // Until it has closed, and some sends went nowhere.
    while received.recv_timeout(PATIENCE).is_ok() {}
    let mut lines = told(&meter);
    lines.retain(|line| !line.contains("did not answer in time"));
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("HTTP 503")).count(), 1, "{lines:?}");
}

#[test]
fn a_collector_that_rejects_figures_is_quoted() {
    let (url, _received) = collector(|_| {
        let partial = ExportMetricsPartialSuccess {
            rejected_data_points: 3,
            error_message: "too many of them".to_owned(),
        };
        Some((200, ExportMetricsServiceResponse { partial_success: Some(partial) }))
    });
    let meter = node().otlp(url).otlp_interval(NEVER).start().unwrap();
    step(&meter);
    let lines = told(&meter);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("rejected 3") && lines[0].contains("too many of them"), "{lines:?}");
}

/// It takes connections, and answers none for as long as the test goes on: had anything to wait for it,
/// the test would not end.
#[test]
fn a_collector_that_hangs_holds_up_neither_steps_nor_the_end() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", hanging.local_addr().unwrap());
    for dropped in [false, true] {
        let meter = node().otlp(&url).otlp_interval(OFTEN).start().unwrap();
        // A send is under way, and stays so.
        let (_connection, _) = hanging.accept().unwrap();
        step(&meter);
        if dropped {
            drop(meter);
        } else {
            let lines = told(&meter);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].contains("did not answer"), "{lines:?}");
        }
    }
}

#[test]
fn what_is_no_collector_is_refused_at_the_start() {
    let refused = |builder: MeterBuilder, why: &str| {
        let error = builder.start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        assert!(error.to_string().contains(why) && error.remedy().is_some(), "{error}");
    };
    refused(node().otlp("https://collector.example:4318"), "TLS");
    refused(node().otlp("localhost:4318"), "http://");
    refused(node().otlp("/v1/metrics"), "http://");
    refused(node().otlp("http://"), "is no collector");
    refused(node().otlp("http://localhost:4318").otlp_interval(Duration::ZERO), "interval");
}

#[test]
fn points_carry_the_time_at_which_they_are_sent_once_a_wrong_clock_is_set() {
    const TEST: &str =
        "export::otlp::points_carry_the_time_at_which_they_are_sent_once_a_wrong_clock_is_set";
    if !child::is_one() {
        return child::passes(&mut child::of(TEST, &[]));
    }
    if !cfg!(target_os = "linux") {
        return;
    }
    // Fifty years behind, as on a board without a battery for its clock.
    let behind = 50 * 365 * 24 * 3_600_000_000_000_i64;
    let dates = |message: &ExportMetricsServiceRequest| -> Vec<[i128; 2]> {
        let points = metrics(message).into_values().flat_map(|metric| metric.points);
        points
            .map(|(_, point)| [point.start_time_unix_nano, point.time_unix_nano].map(i128::from))
            .collect()
    };
    // From the test's start on, and no later than now.
    let began = jiff::Timestamp::now().as_nanosecond();
    let hold = |dates: &[i128; 2], shift: i64| {
        let shift = i128::from(shift);
        let now = jiff::Timestamp::now().as_nanosecond();
        dates
            .iter()
            .all(|date| (began - 1_000_000_000..=now + 1_000_000_000).contains(&(date + shift)))
    };
    let (url, received) = collector(|_| Some(good()));
    pretend::set_wall(-behind);
    let meter = rig().otlp(url).otlp_interval(OFTEN).start().unwrap();
    step(&meter);
    let first = received.recv_timeout(PATIENCE).unwrap();
    assert!(dates(&first).iter().all(|dates| hold(dates, behind)), "{:?}", dates(&first));
    pretend::set_wall(behind);
    step(&meter);
    let record = meter.finish().unwrap();
    let last = received.try_iter().last().unwrap();
    assert!(dates(&last).iter().all(|dates| hold(dates, 0)), "{:?}", dates(&last));
    let told = record.warnings.iter().any(|line| line.contains("wall clock was set by"));
    assert!(told, "{:?}", record.warnings);
}
