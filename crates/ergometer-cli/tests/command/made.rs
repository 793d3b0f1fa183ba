//! Records that the tests of several forms share.

use std::path::{Path, PathBuf};

use ergometer::forecast::{Forecast, Interval};
use ergometer::record::power::{LongSpan, PowerHistory};
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{Kind, Meter, Record};

use crate::program::{argument, prints};

/// A name that is markup, a formula and a path in the forms.
pub const HOSTILE: &str = "=a;b</text><script>&\"'_%{\\";

/// A record of two boards and the processors with epochs, steps, phases and results.
pub fn made(label: &str) -> Record {
    let meter = Meter::builder()
        .label(label)
        .region("DE")
        .without_probe()
        .fixed(DomainKind::Gpu, Watts::new(300.0))
        .fixed(DomainKind::Gpu, Watts::new(250.0))
        .fixed(DomainKind::CpuPackage, Watts::new(80.0))
        .start()
        .unwrap();
    for _ in 0..3 {
        for split in ["train", "valid"] {
            let _epoch = meter.enter(Label::new(Kind::Epoch, split));
            for _ in 0..4 {
                let step = meter.span(Kind::Step);
                step.items(64_u32);
                for name in ["forward", HOSTILE] {
                    let _phase = meter.enter(Label::new(Kind::Phase, name));
                    std::thread::sleep(std::time::Duration::from_millis(4));
                }
            }
        }
    }
    meter.result("loss", 0.25);
    meter.finish().unwrap()
}

/// The record in a file of `folder`.
pub fn file(folder: &Path, name: &str, record: &Record) -> PathBuf {
    let path = folder.join(name);
    record.write(&path).unwrap();
    path
}

pub fn total(record: &Record) -> f64 {
    record.total.energy.unwrap().joules.get()
}

pub fn report(path: &Path, format: &str) -> String {
    prints(&["report", argument(path), "--format", format])
}

/// Eight boards over thirty days, with sixty epochs, forecasts and a gap; made by hand from a small record.
pub fn month() -> Record {
    let mut record = made("pretraining of a month");
    let seconds = 30.0 * 86_400.0;
    let stretch = seconds / record.run.seconds;
    let board = record.domains[0].clone();
    let package = record.domains[2].clone();
    record.domains = (0..8).map(|_| board.clone()).chain([package]).collect();
    for (index, row) in record.domains.iter_mut().enumerate() {
        if index < 8 {
            row.domain.id = format!("nvml:GPU-{index}");
            row.domain.label = format!("NVIDIA H100 80GB HBM3, {index}");
        }
    }
    record.machine.accelerators = vec!["NVIDIA H100 80GB HBM3".to_owned(); 8];
    record.run.seconds = seconds;
    let intervals = 800;
    let ends_s: Vec<f64> =
        (1..=intervals).map(|k| seconds * f64::from(k) / f64::from(intervals)).collect();
    let watts = |domain: usize| {
        let at = |k: &f64| {
            let day = k / 86_400.0;
            let phase = day + domain as f64 * 0.4;
            let level = if (day / 0.5).fract() < 0.9 { 610.0 } else { 180.0 };
            let gap = domain == 3 && (12.0..14.0).contains(&day);
            (!gap).then(|| {
                Watts::new(if domain == 8 { 240.0 } else { level + 40.0 * (9.0 * phase).sin() })
            })
        };
        ends_s.iter().map(at).collect::<Vec<_>>()
    };
    let power = PowerHistory {
        watts: (0..9).map(watts).collect(),
        spans: vec![LongSpan {
            kind: Kind::Phase,
            name: "load corpus".to_owned(),
            start_s: 0.0,
            seconds: 40_000.0,
        }],
        ends_s,
    };
    let mut whole = Joules::ZERO;
    for (index, row) in record.domains.iter_mut().enumerate() {
        let energy = row.energy.as_mut().unwrap();
        energy.joules = power.joules(index, 0.0, seconds);
        energy.parts.gain = energy.joules * 0.05;
        energy.standard_uncertainty = energy.joules * 0.05;
        row.mean_power = Some(Watts::new(energy.joules.get() / seconds));
        whole += energy.joules;
    }
    let by_domain: Vec<_> = record.domains.iter().map(|row| row.energy).collect();
    let mut sum = by_domain[0].unwrap();
    sum.joules = whole;
    sum.standard_uncertainty = whole * 0.02;
    record.total = ergometer::energy::Usage { seconds, energy: Some(sum), by_domain };
    let (first, spans) = (record.epochs[0].clone(), record.spans.clone());
    record.epochs = (0..60_u32)
        .map(|k| {
            let mut epoch = first.clone();
            if k % 2 == 0 { "train" } else { "valid" }.clone_into(&mut epoch.split);
            epoch.index = u64::from(k / 2 + 1);
            epoch.start_s = 86_400.0 * f64::from(k / 2) + if k % 2 == 0 { 0.0 } else { 76_000.0 };
            epoch.usage.seconds = if k % 2 == 0 { 75_000.0 } else { 10_000.0 };
            epoch.usage.by_domain = vec![None; 9];
            let joules = (0..9).map(|domain| {
                power.joules(domain, epoch.start_s, epoch.start_s + epoch.usage.seconds)
            });
            let joules: Joules = joules.sum();
            let mut energy = sum;
            energy.joules = joules;
            energy.standard_uncertainty = joules * 0.05;
            epoch.usage.energy = Some(energy);
            epoch.between_steps = vec![Joules::ZERO; 9];
            epoch.steps.iter_mut().for_each(|steps| steps.by_domain = vec![joules / 9.0; 9]);
            epoch
        })
        .collect();
    record.outside_epochs = vec![Joules::ZERO; 9];
    record.spans = spans.into_iter().map(|node| scaled(node, stretch)).collect();
    for steps in record.steps.values_mut() {
        steps.by_domain = vec![whole / 9.0; 9];
    }
    record.forecasts = forecasts(seconds, whole.get());
    record.footprint = record.footprint.site.footprint(record.total.energy.as_ref(), seconds, 8);
    record.power = Some(power);
    record
}

/// A forecast at each twentieth of a run that takes this long and draws this much.
fn forecasts(seconds: f64, joules_in_all: f64) -> Vec<Forecast> {
    let interval = |value: f64, share: f64| Interval {
        value,
        low: value * (1.0 - share),
        high: value * (1.0 + share),
    };
    (1..=20_u32)
        .map(|k| {
            let progress = f64::from(k) / 20.0;
            let joules =
                interval(joules_in_all * (1.0 + 0.08 * (1.0 - progress)), 0.15 * (1.0 - progress));
            let at_s = seconds * progress;
            // Later versions may add to a forecast.
            let forecast = serde_json::json!({
                "progress": progress,
                "at_s": at_s,
                "joules": joules,
                "seconds": interval(seconds, 0.05 * (1.0 - progress)),
            });
            serde_json::from_value::<Forecast>(forecast).unwrap()
        })
        .collect()
}

/// A span with nine domains, and figures of a longer run.
fn scaled(mut node: ergometer::record::SpanNode, by: f64) -> ergometer::record::SpanNode {
    let joules: Joules = node.by_domain.iter().copied().sum();
    node.by_domain = vec![joules * by / 9.0; 9];
    node.exclusive = node.exclusive * by;
    node.standard_uncertainty = node.standard_uncertainty * by;
    node.seconds *= by;
    node.children = node.children.into_iter().map(|child| scaled(child, by)).collect();
    node
}
