//! A grid whose carbon intensity changes during the run.

use std::time::{Duration, SystemTime};

use ergometer::footprint::{CarbonSeries, IntensityKind, Site};
use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::{ErrorKind, Kind, Meter, MeterBuilder};

use crate::accounting::{Steady, work};

/// Grams a kilowatt-hour of one joule.
const KWH: f64 = 3.6e6;

/// From now on 100 g/kWh for half a second, and then 900.
fn series() -> CarbonSeries {
    let now = SystemTime::now();
    let at = |seconds: f64| now + Duration::from_secs_f64(seconds);
    let values = [(now - Duration::from_mins(1), 100.0), (at(0.5), 900.0), (at(3600.0), 500.0)];
    CarbonSeries::new("Here", IntensityKind::LifeCycle, "a test", values).unwrap()
}

fn builder() -> MeterBuilder {
    let site = Site::current().with_carbon_series(series()).unwrap().with_pue(2.0).unwrap();
    // The boundary lies between two readings: the counter gives any moment exactly.
    Meter::builder()
        .without_probe()
        .site(site)
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
        .source(Steady::boxed("cpu-0", DomainKind::CpuPackage, 60.0))
}

/// What `Σ ΔE·I(t)` comes to at 360 W, if the run took `seconds` and began `late` after the series.
fn expected(record: &Record) -> f64 {
    let seconds = record.run.seconds;
    let joules = record.total.energy.unwrap().joules.get();
    // The share of the time that lies before the change, by the record's own start.
    let start: jiff::Timestamp = record.run.started.parse().unwrap();
    let site = serde_json::to_value(&record.footprint.site).unwrap();
    let change = site["carbon_series"]["points"][1]["from"].as_str().unwrap().to_owned();
    let change: jiff::Timestamp = change.parse().unwrap();
    let before = (change.duration_since(start).as_secs_f64() / seconds).clamp(0.0, 1.0);
    2.0 * joules / KWH * (100.0 * before + 900.0 * (1.0 - before))
}

fn assert_gases(record: &Record) {
    let gases = record.footprint.co2e.unwrap();
    let expected = expected(record);
    assert!(
        (gases.value.get() - expected).abs() < 2e-2 * expected,
        "{} g for {expected} g",
        gases.value.get()
    );
    let relative = record.total.energy.unwrap();
    let relative = relative.standard_uncertainty.get() / relative.joules.get();
    let stated = gases.standard_uncertainty.get() / gases.value.get();
    assert!((stated - relative).abs() < 1e-9, "{stated} for {relative}");
    let mean = record.footprint.mean_intensity.unwrap();
    assert!((100.0..900.0).contains(&mean), "{mean}");
    assert_eq!(record.footprint.site.carbon.source, "a test");
}

fn run(builder: MeterBuilder) -> Record {
    let meter = builder.start().unwrap();
    {
        let _epoch = meter.span(Kind::Epoch);
        work(Duration::from_millis(1200));
    }
    meter.finish().unwrap()
}

#[test]
fn each_joule_counts_at_the_intensity_of_its_moment() {
    let record = run(builder());
    assert_gases(&record);
    assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
    let site = serde_json::to_value(&record.footprint.site).unwrap();
    let points = site["carbon_series"]["points"].as_array().unwrap();
    assert_eq!(points.len(), 2, "the values that held during the run, and no others");
    assert!(!record.warnings.iter().any(|line| line.contains("series")), "{:?}", record.warnings);
    let table = record.to_string();
    assert!(table.contains("g/kWh by energy, 2 values of 100.0 to 900.0 over time"), "{table}");
}

#[test]
fn a_journal_of_a_run_that_was_given_up_has_its_gases() {
    let folder = tempfile::tempdir().unwrap();
    let meter = builder().journal(folder.path()).start().unwrap();
    work(Duration::from_millis(1200));
    let journal = meter.journal().unwrap().to_owned();
    drop(meter);
    // The meter's own thread writes the end.
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    let record = loop {
        let record = Record::recover(&journal).unwrap();
        if record.run.seconds > 1.0 {
            break record;
        }
        assert!(std::time::Instant::now() < deadline, "the journal has no end");
        std::thread::yield_now();
    };
    assert!(!record.run.finished);
    assert_gases(&record);
    let part = Record::recover(&journal).unwrap();
    let resumed = run(builder().resume(&journal));
    // Each part at its own intensities.
    let grams = |record: &Record| record.footprint.co2e.unwrap().value.get();
    let whole = resumed.whole().footprint.co2e.unwrap().value.get();
    let sum = grams(&part) + grams(&resumed);
    assert!((whole - sum).abs() < 1e-6 * sum, "{whole} g for {sum} g");
}

#[test]
fn ranks_are_merged_at_their_own_intensities() {
    let ranks = std::thread::scope(|scope| {
        [0, 1]
            .map(|rank| {
                scope.spawn(move || {
                    let source = Steady::boxed(&format!("gpu-{rank}"), DomainKind::Gpu, 300.0);
                    let site = Site::current().with_carbon_series(fixed_series()).unwrap();
                    run(Meter::builder().without_probe().site(site).source(source).rank(rank, 2))
                })
            })
            .map(|thread| thread.join().unwrap())
    });
    let grams = |record: &Record| record.footprint.co2e.unwrap().value.get();
    let sum: f64 = ranks.iter().map(grams).sum();
    let merged = Record::merge(ranks).unwrap();
    assert!((grams(&merged) - sum).abs() < 1e-6 * sum, "{} g for {sum} g", grams(&merged));
    assert_eq!(Record::from_json(&merged.to_json().unwrap()).unwrap(), merged);
}

/// The same for all ranks: another value every 100 ms.
fn fixed_series() -> CarbonSeries {
    let hour = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 3600 * 3600;
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(hour);
    let values = (0_u32..36_600).map(|tenth| {
        (start + Duration::from_millis(100) * tenth, f64::from(100 + 100 * (tenth % 5)))
    });
    CarbonSeries::new("Here", IntensityKind::LifeCycle, "a test", values).unwrap()
}

#[test]
fn what_the_series_does_not_reach_over_is_said() {
    let past = SystemTime::now() - Duration::from_hours(24);
    let values = [(past, 100.0), (past + Duration::from_hours(1), 300.0)];
    let series = CarbonSeries::new("Here", IntensityKind::Direct, "a test", values).unwrap();
    let site = Site::current().with_carbon_series(series).unwrap();
    let meter = Meter::builder().without_probe().source(Steady::boxed("a", DomainKind::Gpu, 1.0));
    let record = meter.site(site.clone()).start().unwrap().finish().unwrap();
    let told = |line: &String| line.contains("does not cover 100 % of the run's time");
    assert!(record.warnings.iter().any(told), "{:?}", record.warnings);
    let mean = record.footprint.mean_intensity.unwrap();
    assert!((mean - 300.0).abs() < 1e-9, "{mean}");

    let error = Meter::builder().site(site.clone()).region("DE").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    assert!(site.region("DE").unwrap().carbon_series.is_none(), "the later one counts");
}
