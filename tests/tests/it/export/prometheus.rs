//! The address that Prometheus reads.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{ErrorKind, Meter};

use super::text::{Family, family, parse};
use super::{assert_same, eventually, get, joules, rig, step};
use crate::accounting::Steady;

const ENERGY: &str = "ergometer_energy_joules_total";

/// The figures, in the form and with the type that they have to have.
fn scrape(address: SocketAddr) -> Vec<Family> {
    let (head, body) = get(address, "/metrics").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 ") || head.starts_with("HTTP/1.1 200 "), "{head}");
    let content = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(head.to_ascii_lowercase().contains(content), "{head}");
    parse(&body)
}

/// The energy of a domain, if it is there and not 0.
fn drawn(families: &[Family], domain: &str) -> Option<f64> {
    let energy = families.iter().find(|family| family.name == ENERGY)?;
    energy.with("domain", domain).filter(|joules| *joules > 0.0)
}

#[test]
fn figures_are_read_while_the_run_goes_on_and_end_as_the_record() {
    let meter = rig().prometheus(0).start().unwrap();
    let address = meter.prometheus().unwrap();
    for _ in 0..5 {
        step(&meter);
    }
    let ready = |families: &Vec<Family>| {
        let steps = families.iter().find(|family| family.name == "ergometer_steps_total");
        steps.and_then(|steps| steps.with("step", "step")) == Some(5.0)
            && drawn(families, "gpu-0").is_some()
    };
    let first = eventually(|| Some(scrape(address)).filter(ready));
    let before = drawn(&first, "gpu-0").unwrap();
    let second = eventually(|| {
        Some(scrape(address)).filter(|families| drawn(families, "gpu-0") > Some(before))
    });
    let record = meter.finish().unwrap();
    let last = scrape(address);

    // Counters never go down, and no series that was there is gone.
    for pair in [[&first, &second], [&second, &last]] {
        for old in pair[0].iter().filter(|family| family.kind == "counter") {
            let new = family(pair[1], &old.name);
            for (labels, before) in &old.series {
                let (_, now) = new.series.iter().find(|(other, _)| other == labels).unwrap();
                assert!(now >= before, "{} {labels:?}: {before}, then {now}", old.name);
            }
        }
    }

    let names: Vec<_> = last.iter().map(|family| (&family.name[..], &family.kind[..])).collect();
    assert_eq!(
        names,
        [
            (ENERGY, "counter"),
            ("ergometer_energy_uncertainty_joules", "gauge"),
            ("ergometer_power_watts", "gauge"),
            ("ergometer_domain_observed", "gauge"),
            ("ergometer_reads_failed_total", "counter"),
            ("ergometer_steps_total", "counter"),
            ("ergometer_items_total", "counter"),
            ("ergometer_step_energy_joules_total", "counter"),
            ("ergometer_step_seconds_total", "counter"),
            ("ergometer_source_available", "gauge"),
            ("ergometer_run_info", "gauge"),
            ("ergometer_run_energy_joules_total", "counter"),
            ("ergometer_run_seconds_total", "counter"),
            ("ergometer_run_parts", "gauge"),
        ]
    );

    let energy = family(&last, ENERGY);
    for id in ["gpu-0", "rig:package-0", "rig:package-0:dram"] {
        assert_same(energy.with("domain", id).unwrap(), joules(&record, id));
    }
    let whole = family(&last, "ergometer_run_energy_joules_total").series[0].1;
    assert_same(whole, record.total.energy.unwrap().joules.get());
    let power = family(&last, "ergometer_power_watts").with("domain", "gpu-0").unwrap();
    assert!((power - 300.0).abs() < 1.0, "{power}");
    // What gave nothing has no figures, but the one that says so.
    for name in [ENERGY, "ergometer_energy_uncertainty_joules", "ergometer_power_watts"] {
        assert_eq!(family(&last, name).with("domain", "mute"), None);
    }
    let observed = family(&last, "ergometer_domain_observed");
    assert_eq!(observed.with("domain", "mute"), Some(0.0));
    assert_eq!(observed.with("domain", "gpu-0"), Some(1.0));

    assert_eq!(family(&last, "ergometer_steps_total").with("step", "other"), Some(5.0));
    let items = family(&last, "ergometer_items_total");
    assert_eq!(items.with("unit", "tokens"), Some(35.0));
    assert_eq!(items.with("step", "other"), None, "a step without items has none");

    let (labels, _) = &energy.series[0];
    assert_eq!(labels["run"], record.run.label, "escaped, and back again");
    assert_eq!(labels["rank"], "1");
    assert_eq!(labels.get("machine"), record.machine.machine_id.as_ref());
    assert_eq!(
        [&labels["kind"], &labels["method"], &labels["source"]],
        ["gpu", "counter", "steady"]
    );
    let (labels, _) = &family(&last, "ergometer_run_info").series[0];
    assert_eq!([&labels["run_id"], &labels["group"]], [&record.run.id, "g7"]);
}

#[test]
fn promtool_finds_nothing_to_say_about_the_text() {
    let meter = rig().prometheus(0).start().unwrap();
    step(&meter);
    meter.finish().unwrap();
    let (_, text) = get(meter.prometheus().unwrap(), "/metrics").unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let child = promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("not checked: there is no promtool here");
        return;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn a_source_that_is_not_there_is_told_with_its_reason() {
    let empty = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .sysfs_root(empty.path())
        .nvml_library(empty.path().join("libnvidia-ml.so.1"))
        .prometheus(0)
        .start()
        .unwrap();
    let record = meter.finish().unwrap();
    let families = scrape(meter.prometheus().unwrap());
    let available = family(&families, "ergometer_source_available");
    for report in &record.sources {
        let shown = available.with("source", &report.source).unwrap();
        assert_eq!(shown == 1.0, report.availability == ergometer::source::Availability::Available);
    }
    let (labels, _) =
        available.series.iter().find(|(labels, _)| labels["source"] == "nvml").unwrap();
    assert!(labels["reason"].contains("libnvidia-ml.so.1"), "{labels:?}");
}

fn node() -> ergometer::MeterBuilder {
    Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0))
}

#[test]
fn only_this_machine_is_served_unless_told_otherwise() {
    let meter = node().prometheus(0).start().unwrap();
    let address = meter.prometheus().unwrap();
    assert_eq!(address.ip().to_string(), "127.0.0.1");
    assert_ne!(address.port(), 0);
    let other = node().prometheus(([127, 0, 0, 2], 0)).start().unwrap();
    assert_eq!(other.prometheus().unwrap().ip().to_string(), "127.0.0.2");
    assert!(get(other.prometheus().unwrap(), "/metrics").is_ok());
    assert_eq!(node().start().unwrap().prometheus(), None);
    let (head, _) = get(address, "/elsewhere").unwrap();
    assert!(head.contains(" 404 "), "{head}");
}

/// The status of the answer to a request with these headers.
fn status(address: SocketAddr, headers: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET /metrics HTTP/1.1\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let figures = answer.contains("ergometer_run_info");
    let status = answer.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(figures, status == "200", "{answer}");
    status
}

#[test]
fn a_name_that_a_stranger_may_give_this_machine_is_not_answered() {
    let meter = node().prometheus(0).start().unwrap();
    let address = meter.prometheus().unwrap();
    for host in ["localhost", "localhost:9184", "127.0.0.1", "[::1]:80", "train.localhost"] {
        assert_eq!(status(address, &format!("Host: {host}\r\n")), "200", "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:9184", "192.0.2.1", "evil.example."] {
        assert_eq!(status(address, &format!("Host: {host}\r\n")), "421", "{host}");
    }
    assert_eq!(status(address, "Host: localhost\r\nhost: evil.example\r\n"), "400");
    assert_eq!(status(address, ""), "200", "no page in a browser can leave the host out");

    let open = node().prometheus(([0, 0, 0, 0], 0)).start().unwrap();
    let port = open.prometheus().unwrap().port();
    // From this machine it is reached through loopback all the same.
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(status(address, "Host: localhost\r\n"), "200");
    assert_eq!(status(address, "Host: evil.example\r\n"), "421");
}

#[test]
fn a_port_that_is_taken_is_an_error_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = node().prometheus(port).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(error.remedy().unwrap().contains("another port"), "{error}");
}

#[test]
fn clients_that_hang_hold_up_neither_others_nor_the_run() {
    let meter = node().prometheus(0).start().unwrap();
    let address = meter.prometheus().unwrap();
    let mut hanging: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    for connection in hanging.iter_mut().skip(10) {
        connection.write_all(b"GET /metrics HT").unwrap();
    }
    step(&meter);
    assert!(!scrape(address).is_empty());
    let record = meter.finish().unwrap();
    assert_eq!(record.steps["run"].count, 2);
    assert!(!scrape(address).is_empty());
    drop(hanging);
}

#[test]
fn with_the_last_clone_of_the_meter_the_address_is_gone() {
    let meter = node().prometheus(0).start().unwrap();
    let address = meter.prometheus().unwrap();
    let clone = meter.clone();
    drop(meter);
    assert!(!scrape(address).is_empty());
    drop(clone);
    eventually(|| TcpStream::connect(address).is_err().then_some(()));
}

#[test]
fn domains_of_one_identity_are_told_apart() {
    let twin = || Steady::boxed("twin", DomainKind::Gpu, 300.0);
    let meter = Meter::builder().without_probe().source(twin()).source(twin()).prometheus(0);
    let meter = meter.start().unwrap();
    meter.finish().unwrap();
    let families = scrape(meter.prometheus().unwrap());
    let energy = family(&families, ENERGY);
    assert!(energy.with("domain", "twin").is_some() && energy.with("domain", "twin#2").is_some());
}
