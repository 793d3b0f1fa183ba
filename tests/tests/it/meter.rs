//! The life of a meter: installing, finishing, misbehaving sources.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use ergometer::source::{Availability, Domain, DomainKind, PowerSource, Reading, Request};
use ergometer::span::{Label, future::metered};
use ergometer::units::Watts;
use ergometer::{ErrorKind, Kind, Meter, Span};

use crate::accounting::Steady;

fn fixed(watts: f64) -> ergometer::MeterBuilder {
    Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(watts))
}

/// The installed meter is the process's own, so everything about it is one test.
#[test]
fn the_installed_meter_gets_the_spans_of_the_process() {
    drop(ergometer::span("before any meter"));
    let meter = fixed(100.0).label("installed").install().unwrap();
    let second = fixed(100.0).install().unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AlreadyInstalled);
    {
        let step = Span::enter(Label::new(Kind::Step, "step").with_unit("tokens"));
        step.items(7_u8);
        drop(ergometer::span("inside"));
    }
    // A future that is polled twice, with a span of its own across the pause.
    let mut future = pin!(metered(Label::new(Kind::Function, "task"), async {
        let _inner = ergometer::span("in the task");
        Pause::default().await;
        5
    }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    drop(ergometer::span("meanwhile"));
    assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(5));

    let record = meter.finish().unwrap();
    drop(ergometer::span("after the meter"));
    assert_eq!(record.run.label, "installed");
    let names: Vec<_> = record.spans.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["step", "meanwhile", "task"]);
    assert_eq!(record.spans[0].children[0].name, "inside");
    assert_eq!(record.spans[2].children[0].name, "in the task");
    assert_eq!(meter.finish().unwrap_err().kind(), ErrorKind::Finished);
    // The place is free again.
    fixed(1.0).install().unwrap().finish().unwrap();
}

#[test]
fn a_budget_that_nothing_can_use_up_is_an_error() {
    let meter = Meter::builder().without_probe().start().unwrap();
    let error = meter.budget("2 kWh".parse().unwrap(), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    assert!(error.to_string().contains("nothing is metered"), "{error}");
    meter.finish().unwrap();
}

/// Pending once, then ready.
#[derive(Default)]
struct Pause {
    polled: bool,
}

impl Future for Pause {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.polled, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn a_stated_power_is_assumed_and_says_so() {
    let meter = fixed(100.0).start().unwrap();
    let record = meter.finish().unwrap();
    let energy = record.domains[0].energy.unwrap();
    assert_eq!(energy.method, ergometer::energy::Method::Assumed);
    let expected = 100.0 * record.run.seconds;
    assert!((energy.joules.get() - expected).abs() <= 1e-3 * expected + 1e-6);
    assert!(energy.standard_uncertainty.get() > 0.0);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let kind = |builder: ergometer::MeterBuilder| builder.start().unwrap_err().kind();
    assert_eq!(kind(fixed(f64::NAN)), ErrorKind::InvalidSetting);
    assert_eq!(kind(fixed(1.0).pue(0.5)), ErrorKind::InvalidSetting);
    assert_eq!(kind(fixed(1.0).region("Germny")), ErrorKind::UnknownRegion);
}

/// Gives one reading, then panics.
struct Panicking(Box<dyn PowerSource>, u32);

impl PowerSource for Panicking {
    fn domains(&self) -> &[Domain] {
        self.0.domains()
    }
    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        self.1 += 1;
        assert!(self.1 < 2, "a source with a defect");
        self.0.read(request, readings);
    }
}

#[test]
fn a_source_that_panics_is_reported_and_the_others_go_on() {
    let meter = Meter::builder()
        .without_probe()
        .source(Box::new(Panicking(Steady::boxed("bad", DomainKind::Gpu, 300.0), 0)))
        .source(Steady::boxed("good", DomainKind::CpuPackage, 40.0))
        .start()
        .unwrap();
    let record = meter.finish().unwrap();
    assert!(record.warnings.iter().any(|line| line.contains("panicked")), "{:?}", record.warnings);
    let good = record.domains[1].energy.unwrap().joules.get();
    assert!((good - 40.0 * record.run.seconds).abs() < 1e-3);
}

/// A device that never gives a reading.
struct Silent(Box<dyn PowerSource>);

impl PowerSource for Silent {
    fn domains(&self) -> &[Domain] {
        self.0.domains()
    }
    fn read(&mut self, _: Request, _: &mut Vec<Reading>) {}
}

#[test]
fn what_was_not_read_is_absent_and_never_zero() {
    let meter = Meter::builder()
        .without_probe()
        .source(Box::new(Silent(Steady::boxed("mute", DomainKind::Gpu, 300.0))))
        .start()
        .unwrap();
    drop(meter.span(Kind::Step));
    let record = meter.finish().unwrap();
    assert_eq!(record.domains[0].energy, None);
    assert_eq!(record.total.energy, None);
    assert!(record.warnings.iter().any(|line| line.contains("mute: nothing could be read")));
    let table = record.to_string();
    assert!(!table.contains(" 0 J"), "{table}");
}

#[test]
fn every_source_says_what_it_found() {
    let empty = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .sysfs_root(empty.path())
        .nvml_library(empty.path().join("libnvidia-ml.so.1"))
        .start()
        .unwrap();
    for name in ["nvml", "rapl"] {
        let report = meter.sources().iter().find(|report| report.source == name).unwrap();
        match &report.availability {
            Availability::Unavailable { reason, remedy } => {
                assert!(!reason.is_empty() && !remedy.is_empty());
                assert!(!reason.contains('\n') && !remedy.contains('\n'));
            }
            Availability::Available => panic!("{name} found something in an empty directory"),
        }
    }
    meter.finish().unwrap();
}
