//! `ergometer calibrate RECORD...`: what processors draw, for machines where no sensor shows it.
//!
//! Each record in which a sensor measured the processors is a point: their mean power and how busy they were. A
//! baseline before the run is a point without load. The curve of the model goes through these points.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ergometer::Record;
use ergometer::energy::Method;
use ergometer::report::Column;
use ergometer::source::{Calibration, Calibrations, Domain, DomainKind, Own};
use ergometer::units::Watts;
use serde::Serialize;

use crate::journals;
use crate::outcome::{Outcome, Stop, note};
use crate::table::{spread, table, wrapped};

/// The points have to span this share of what lies between idle and full power: what is outside is extrapolated.
const LEAST_SPAN: f64 = 0.3;
/// The file if none is named.
const FILE: &str = "processors.json";

/// Work out what processors draw when idle and when busy, from records in which RAPL measured them
///
/// The file is for machines with the same processors where RAPL cannot be read (containers, virtual machines): name it
/// there with `ERGOMETER_PROCESSORS`, `--processors` or `MeterBuilder::processors`. It takes records at two loads at
/// least, or one of a busy machine with a baseline: `ergometer run --idle 10s --record a.json -- CMD`.
#[derive(Debug, clap::Args)]
pub struct Calibrate {
    /// Records and journals
    #[arg(required = true, value_name = "RECORD|JOURNAL")]
    paths: Vec<PathBuf>,
    /// File to write; other processors that are in it stay
    #[arg(long, short, value_name = "FILE", default_value = FILE)]
    output: PathBuf,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// What a record says of a machine's processors.
#[derive(Debug)]
struct Measured {
    name: String,
    logical_cpus: u32,
    source: String,
    date: String,
    /// Utilisation and power of all packages: over the run, and before it.
    points: Vec<(f64, f64)>,
}

/// A processor, and how well the curve fits.
#[derive(Debug, Serialize)]
struct Fitted {
    #[serde(flatten)]
    calibration: Calibration,
    /// The point that is furthest from the curve, as a share of its power.
    furthest: f64,
}

impl Calibrate {
    pub fn run(self) -> Result<Outcome, Stop> {
        let mut found: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
        for path in &self.paths {
            match measured(&journals::read(path)?) {
                Ok(measured) => found.entry(measured.name.clone()).or_default().push(measured),
                Err(why) => note(format!("{}: not used: {why}", path.display())),
            }
        }
        if found.is_empty() {
            return Err(Stop::new("no record has the power of its processors").with_remedy(
                "meter a program on a machine where RAPL can be read (see `ergometer doctor`)",
            ));
        }
        let fitted: Vec<Fitted> =
            found.values().map(|records| fit(records)).collect::<Result<_, _>>()?;
        let mut file = if self.output.exists() {
            Calibrations::read(&self.output)?
        } else {
            Calibrations::default()
        };
        for one in &fitted {
            file.set(one.calibration.clone());
        }
        std::fs::write(&self.output, file.to_json()? + "\n").map_err(|error| {
            Stop::new(format!("'{}' cannot be written: {error}", self.output.display()))
        })?;
        if self.json {
            return Outcome::json(&fitted);
        }
        let rows = fitted.iter().map(|Fitted { calibration, furthest }| {
            vec![
                calibration.name.clone(),
                calibration.records.to_string(),
                format!("{:.1} W", calibration.idle.get()),
                format!("{:.1} W", calibration.full.get()),
                format!("{:.0} %", calibration.highest_utilisation * 100.0),
                spread(*furthest),
            ]
        });
        let figures = ["records", "idle", "fully busy", "busiest record", "furthest point"];
        let mut text = table([Column::name("processor")], figures, rows);
        text += &wrapped(&format!(
            "Written to {}. Where RAPL cannot be read, set ERGOMETER_PROCESSORS to this file.",
            self.output.display()
        ));
        Ok(Outcome::of(text))
    }
}

/// What a record says of the processors; the error says why it cannot be used.
fn measured(record: &Record) -> Result<Measured, String> {
    let machine = &record.machine;
    let packages: Vec<_> = record
        .domains
        .iter()
        .filter(|row| row.domain.kind == DomainKind::CpuPackage)
        .filter(|row| matches!(row.domain.method, Method::Counter | Method::Integrated))
        .collect();
    if !record.ranks.is_empty() {
        return Err("it is merged from several ranks: give their own records".to_owned());
    }
    let around = |domain: &Domain| {
        matches!(domain.kind, DomainKind::Node | DomainKind::Psys | DomainKind::Module)
            && matches!(domain.method, Method::Counter | Method::Integrated)
    };
    let first = packages.first().ok_or_else(|| {
        if record.domains.iter().any(|row| around(&row.domain)) {
            "it has the power of more than the processors, and their part of it is not known: idle, most of what a \
             machine draws is its power supply, memory, disks and fans"
        } else {
            "no sensor measured its processors"
        }
    })?;
    let name = machine.cpu.clone().ok_or("it has no name of the processor")?;
    let logical_cpus = machine.logical_cpus.ok_or("it has no number of processors")?;
    let sum = |watts: Vec<Option<Watts>>| -> Option<f64> {
        watts.into_iter().map(|watts| watts.map(Watts::get)).sum()
    };
    let idle = sum(packages.iter().map(|row| row.idle_power).collect());
    let mean = sum(packages.iter().map(|row| row.mean_power).collect());
    let busy = record.run.cpu_utilisation.zip(mean);
    let points: Vec<_> = idle.map(|watts| (0.0, watts)).into_iter().chain(busy).collect();
    if points.is_empty() {
        return Err("it has neither the processors' utilisation nor a baseline".to_owned());
    }
    let date = record.run.started.get(..10).unwrap_or_default().to_owned();
    Ok(Measured { name, logical_cpus, source: first.domain.source.clone(), date, points })
}

/// Idle and full power of a processor by its records.
fn fit(records: &[Measured]) -> Result<Fitted, Stop> {
    let Some(first) = records.first() else { return Err(Stop::new("no record")) };
    let name = &first.name;
    if records.iter().any(|record| record.logical_cpus != first.logical_cpus) {
        return Err(Stop::new(format!("machines with different numbers of '{name}'"))
            .with_remedy("give the records of one kind of machine"));
    }
    let points: Vec<(f64, f64)> =
        records.iter().flat_map(|record| record.points.iter().copied()).collect();
    let own = curve(&points).ok_or_else(|| {
        let loads: Vec<String> = points
            .iter()
            .map(|(load, watts)| format!("{:.0} % at {watts:.1} W", load * 100.0))
            .collect();
        Stop::new(format!("'{name}': no idle and full power follow from {}", loads.join(", ")))
            .with_remedy(
                "add a record at another load, or one with a baseline (`ergometer run --idle 10s`)",
            )
    })?;
    let mut sources: Vec<String> = records.iter().map(|record| record.source.clone()).collect();
    sources.sort();
    sources.dedup();
    let off = |(load, watts): &(f64, f64)| (own.power(*load).get() / watts - 1.0).abs();
    let calibration = Calibration {
        name: name.clone(),
        logical_cpus: first.logical_cpus,
        idle: own.idle,
        full: own.full,
        highest_utilisation: points.iter().map(|(load, _)| *load).fold(0.0, f64::max),
        records: u32::try_from(records.len()).unwrap_or(u32::MAX),
        sources,
        measured: records.iter().map(|record| record.date.clone()).max().unwrap_or_default(),
    };
    Ok(Fitted { furthest: points.iter().map(off).fold(0.0, f64::max), calibration })
}

/// The idle and full power between which the model's curve comes nearest to the points of load and power, relative to
/// power; `None` if they do not show both.
fn curve(points: &[(f64, f64)]) -> Option<Own> {
    let shares = || points.iter().map(|(load, _)| Own::share(*load));
    let span = shares().fold(f64::NEG_INFINITY, f64::max) - shares().fold(f64::INFINITY, f64::min);
    if span < LEAST_SPAN {
        return None;
    }
    // P = idle (1 − s) + full s, divided by P: two unknowns, least squares.
    let (mut aa, mut ab, mut bb, mut a, mut b) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for ((_, watts), share) in points.iter().zip(shares()) {
        let (idle, full) = ((1.0 - share) / watts, share / watts);
        aa += idle * idle;
        ab += idle * full;
        bb += full * full;
        a += idle;
        b += full;
    }
    let determinant = aa * bb - ab * ab;
    let idle = ((a * bb - b * ab) / determinant).max(0.0);
    let full = if idle > 0.0 { (b * aa - a * ab) / determinant } else { b / bb };
    let own = Own { idle: Watts::new(idle), full: Watts::new(full) };
    own.can_be().then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_the_curve_give_back_its_idle_and_full_power() {
        let truth = Own { idle: Watts::new(42.0), full: Watts::new(166.0) };
        let at = |load: f64| (load, truth.power(load).get());
        for loads in [vec![0.0, 1.0], vec![0.0, 0.3], vec![0.2, 0.5, 0.9]] {
            let found = curve(&loads.iter().map(|load| at(*load)).collect::<Vec<_>>()).unwrap();
            let off = |found: Watts, truth: Watts| (found.get() / truth.get() - 1.0).abs();
            assert!(
                off(found.idle, truth.idle) < 1e-9 && off(found.full, truth.full) < 1e-9,
                "{found:?}"
            );
        }
        assert_eq!(curve(&[at(0.85), at(0.95)]), None, "power is full at both");
        assert_eq!(curve(&[(0.0, 100.0), (1.0, 50.0)]), None, "it does not rise");
        assert_eq!(curve(&[at(0.5)]), None);
    }
}
