//! A real Prometheus server, where there is one.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use ergometer::source::DomainKind;
use ergometer::{Meter, Record};
use serde_json::Value;

use super::{assert_same, eventually, get, joules, rig, step};
use crate::accounting::{Steady, work};
use crate::cases;

/// Servers so far; each has an address of its own.
static SERVERS: AtomicU8 = AtomicU8::new(1);

/// A server that is killed at the end of the test.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one that reads the `targets` five times a second, in `folder`.
    fn start(folder: &std::path::Path, targets: &[SocketAddr]) -> Option<Self> {
        let config = folder.join("prometheus.yml");
        let targets: Vec<_> = targets.iter().map(|target| format!("'{target}'")).collect();
        let targets = targets.join(", ");
        let text = format!(
            "global: {{scrape_interval: 200ms}}\n\
             scrape_configs: [{{job_name: training, static_configs: [{{targets: [{targets}]}}]}}]\n"
        );
        fs::write(&config, text).unwrap();
        // A port that was free a moment ago, of an address that nobody else here is given.
        let own = Ipv4Addr::new(127, 0, 1, SERVERS.fetch_add(1, Ordering::Relaxed));
        let address = TcpListener::bind((own, 0)).unwrap().local_addr().unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Some(Self { process: command.spawn().ok()?, address })
    }

    /// The series that a query gives: their labels and values.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let escape = |byte: u8| match byte {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        };
        let query: String = query.bytes().map(escape).collect();
        let Ok((head, body)) = get(self.address, &format!("/api/v1/query?query={query}")) else {
            return Vec::new();
        };
        if !head.contains(" 200 ") {
            return Vec::new();
        }
        let answer: Value = serde_json::from_str(&body).unwrap();
        let series = answer["data"]["result"].as_array().unwrap().iter();
        series
            .map(|one| {
                let value = one["value"][1].as_str().unwrap().parse().unwrap();
                (one["metric"].clone(), value)
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_prometheus_server_has_the_energy_of_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let meter = rig().prometheus(0).start().unwrap();
    let Some(server) = Server::start(folder.path(), &[meter.prometheus().unwrap()]) else {
        eprintln!("not checked: there is no Prometheus server here");
        return;
    };
    // It is read while the run goes on, twice at least, before the run ends.
    let gpu = "ergometer_energy_joules_total{domain=\"gpu-0\"}";
    let first = eventually(|| server.query(gpu).pop().filter(|(_, joules)| *joules > 0.0));
    step(&meter);
    eventually(|| server.query(gpu).pop().filter(|(_, joules)| *joules > first.1));
    let record = meter.finish().unwrap();

    let steps = "ergometer_steps_total{step=\"step\"}";
    eventually(|| server.query(steps).pop().filter(|(_, steps)| *steps == 1.0));
    let expected = joules(&record, "gpu-0");
    let (labels, joules) = eventually(|| {
        server.query(gpu).pop().filter(|(_, joules)| (joules - expected).abs() < 1e-3 * expected)
    });
    assert_same(joules, expected);
    assert_eq!(labels["job"], "training");
    assert_eq!(labels["run"], record.run.label);
    assert_eq!(labels["method"], "counter");
    // The sum over domains, each counted once a machine.
    let sum = "sum(max by (machine, domain) (ergometer_energy_joules_total))";
    let total = record.total.energy.unwrap().joules.get();
    let (_, shown) = server.query(sum).pop().unwrap();
    assert_same(shown, total);
    assert!(server.query("ergometer_energy_joules_total{domain=\"mute\"}").is_empty());
    // The queries of docs/running.md are well-formed, and give something.
    let queries = documented_queries(&record.run.label);
    assert_eq!(queries.len(), 4, "{queries:#?}");
    for query in queries {
        eventually(|| server.query(&query).pop());
    }
}

/// The queries of docs/running.md, for a run of this label.
fn documented_queries(label: &str) -> Vec<String> {
    let page = fs::read_to_string(cases::root().join("docs/running.md")).unwrap();
    let queries =
        page.lines().filter(|line| line.starts_with("sum") || line.starts_with("ergometer_"));
    queries
        .filter_map(|line| {
            Some(line.split_once(" #")?.0.replace("\"my-run\"", &format!("{label:?}")))
        })
        .collect()
}

#[test]
fn programs_that_have_shares_of_a_machine_add_up_as_their_merged_record_does() {
    let folder = tempfile::tempdir().unwrap();
    let start = |rank| {
        let board = Steady::boxed("gpu-0", DomainKind::Gpu, 300.0);
        let share = Steady::boxed("cpu-0/process", DomainKind::CpuPackage, 16.0);
        let meter = Meter::builder().label("shares").without_probe().source(board).source(share);
        meter.rank(rank, 3).prometheus(0).start().unwrap()
    };
    let meters: Vec<Meter> = (0..3).map(start).collect();
    let addresses: Vec<_> = meters.iter().map(|meter| meter.prometheus().unwrap()).collect();
    let Some(server) = Server::start(folder.path(), &addresses) else {
        eprintln!("not checked: there is no Prometheus server here");
        return;
    };
    work(Duration::from_secs(2));
    let records: Vec<_> = meters.iter().map(|meter| meter.finish().unwrap()).collect();
    let shares: f64 = records.iter().map(|record| joules(record, "cpu-0/process")).sum();
    let merged = Record::merge(records).unwrap();
    let total = merged.total.energy.unwrap().joules.get();
    assert!((joules(&merged, "cpu-0/process") - shares).abs() < 1e-6 * shares);

    let query =
        documented_queries("shares").into_iter().find(|query| query.contains("run=")).unwrap();
    let of_kind = |kind: &str| query.replace("run=", &format!("kind=\"{kind}\",run="));
    let joules = |query: &str| server.query(query).pop().map_or(0.0, |(_, kwh)| kwh * 3.6e6);
    eventually(|| ((joules(&of_kind("cpu-package")) - shares).abs() < 1e-3 * shares).then_some(()));
    // The board counts once, from the rank that saw most of it.
    eventually(|| ((joules(&query) - total).abs() < 0.02 * total).then_some(()));
}
