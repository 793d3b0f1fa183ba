//! Live figures for collectors.

mod otlp;
mod prometheus;
mod server;
mod text;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ergometer::record::Record;
use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request};
use ergometer::span::Label;
use ergometer::{Kind, Meter, MeterBuilder};

use crate::accounting::Steady;

/// Whatever is waited for comes within this, or never.
const PATIENCE: Duration = Duration::from_mins(1);

/// A device that gives nothing.
struct Silent(Box<dyn PowerSource>);

impl PowerSource for Silent {
    fn domains(&self) -> &[Domain] {
        self.0.domains()
    }
    fn read(&mut self, _: Request, _: &mut Vec<Reading>) {}
}

/// A GPU, a package with its memory, and a second GPU that gives nothing.
fn rig() -> MeterBuilder {
    Meter::builder()
        .label("a \"run\" of \\ two\nlines")
        .rank(1, 2)
        .group("g7")
        .without_probe()
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
        .source(Steady::boxed("rig:package-0", DomainKind::CpuPackage, 40.0))
        .source(Steady::boxed("rig:package-0:dram", DomainKind::Dram, 5.0))
        .source(Box::new(Silent(Steady::boxed("mute", DomainKind::Gpu, 300.0))))
}

/// A step of seven tokens, and one without items.
fn step(meter: &Meter) {
    let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
    step.items(7_u8);
    drop(step);
    drop(meter.enter(Label::new(Kind::Step, "other")));
}

/// Asks until `what` gives something.
fn eventually<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = what() {
            return value;
        }
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a plain HTTP client gets: the head and the body of the answer.
fn get(address: SocketAddr, path: &str) -> std::io::Result<(String, String)> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    Ok((head.to_owned(), body.to_owned()))
}

/// The value of Prometheus' one series of this name.
pub fn series(meter: &Meter, name: &str) -> f64 {
    let (_, body) = get(meter.prometheus().unwrap(), "/metrics").unwrap();
    let families = text::parse(&body);
    let [(_, value)] = &text::family(&families, name).series[..] else { panic!("{families:?}") };
    *value
}

/// Joules of a domain in the record.
fn joules(record: &Record, id: &str) -> f64 {
    let domain = record.domains.iter().find(|domain| domain.domain.id == id).unwrap();
    domain.energy.unwrap().joules.get()
}

/// The meter's last moment may be told before it is known to be the last.
fn assert_same(shown: f64, record: f64) {
    assert!((shown - record).abs() <= 1e-3 * record + 0.05, "{shown} and {record}");
}
