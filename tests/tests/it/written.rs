//! Whatever was written can be read: records and journals of any values that a program may set.

use std::sync::Barrier;
use std::time::Duration;
use std::{fs, thread};

use ergometer::energy::Usage;
use ergometer::footprint::{Cited, Footprint, Site};
use ergometer::record::DomainRecord;
use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::{Money, UsDollars, Watts};
use ergometer::{ErrorKind, Kind, Meter, MeterBuilder};
use proptest::prelude::*;

/// What a program may say of a run.
#[derive(Clone, Debug)]
struct Said {
    text: String,
    numbers: Vec<f64>,
    counts: Vec<u64>,
}

fn said() -> impl Strategy<Value = Said> {
    let number = prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
        0.0..1e6,
    ];
    let count = prop_oneof![any::<u64>(), Just(u64::MAX), Just(1 << 53), 0..9_u64];
    (".{0,9}", prop::collection::vec(number, 6), prop::collection::vec(count, 6))
        .prop_map(|(text, numbers, counts)| Said { text, numbers, counts })
}

fn node() -> MeterBuilder {
    Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0))
}

/// A run of which all of it is said, and its journal.
fn run(said: &Said, builder: MeterBuilder) -> (Record, String) {
    let folder = tempfile::tempdir().unwrap();
    let Said { text, numbers, counts } = said;
    let meter =
        builder.label(text.clone()).group(text.clone()).journal(folder.path()).start().unwrap();
    meter.plan(|plan| {
        plan.epochs = counts[0];
        plan.done = counts[1];
        plan.train_steps = counts[2];
        plan.valid_steps = counts[3];
    });
    for &index in &counts[2..] {
        let epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        epoch.index(index);
        for &items in numbers {
            let label = Label::intern(text);
            let step = meter.enter(Label::new(Kind::Step, label).with_unit(label));
            step.items(items);
        }
    }
    meter.result(text.clone(), numbers[0]);
    meter.result("loss", numbers[1]);
    meter.fact(text.clone(), text);
    let journal = meter.journal().unwrap().to_owned();
    let record = meter.finish().unwrap();
    (record, fs::read_to_string(journal).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_program_says_of_a_run_can_be_read_again(said in said()) {
        let (record, journal) = run(&said, node());
        let read = Record::from_json(&record.to_json().unwrap()).unwrap();
        prop_assert_eq!(&read.epochs, &record.epochs);
        prop_assert_eq!(&read.steps, &record.steps);
        prop_assert_eq!(&read.facts, &record.facts);
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole.journal");
        fs::write(&whole, &journal).unwrap();
        prop_assert_eq!(&Record::recover(&whole).unwrap(), &read, "finished, as it was");
        // The same without its last line, as of a program that was killed.
        let cut = folder.path().join("cut.journal");
        let end = journal.trim_end().rfind('\n').unwrap();
        fs::write(&cut, &journal[..=end]).unwrap();
        let recovered = Record::recover(&cut).unwrap();
        prop_assert_eq!(recovered.epochs.len(), record.epochs.len(), "{:?}", recovered.warnings);
        prop_assert!(!recovered.warnings.iter().any(|line| line.contains("damaged")));
        prop_assert_eq!(&Record::from_json(&recovered.to_json().unwrap()).unwrap(), &recovered);
    }

    #[test]
    fn a_site_is_refused_where_it_is_set_or_can_be_read_again(said in said()) {
        let mut site = Site::strubell2019();
        let [pue, grams, price, low, high] = said.numbers[..5].try_into().unwrap();
        site.pue.value = pue;
        site.carbon.grams_per_kwh = grams;
        site.electricity_price.as_mut().unwrap().value = Money::new(price);
        let rent = site.accelerator.as_mut().unwrap();
        (rent.low, rent.high) = (UsDollars::new(low), UsDollars::new(high));
        site.wue = Some(Cited::new(low, "a test", 2026));
        site.market = Some(site.carbon.clone());
        for part in 0..7 {
            // One part at a time, and all at once.
            let mut one = Site::current();
            match part {
                0 => one.pue = site.pue.clone(),
                1 => one.carbon = site.carbon.clone(),
                2 => one.electricity_price = site.electricity_price.clone(),
                3 => one.accelerator = site.accelerator.clone(),
                4 => one.wue = site.wue.clone(),
                5 => one.market = site.market.clone(),
                _ => one = site.clone(),
            }
            match node().site(one).accelerators(u32::MAX).start() {
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::InvalidSetting),
                Ok(meter) => {
                    let record = meter.finish().unwrap();
                    let read = Record::from_json(&record.to_json().unwrap());
                    prop_assert_eq!(read.unwrap(), record);
                }
            }
        }
    }
}

/// A new field of a record has to be thought of here: what a journal without an end makes of it.
#[test]
fn recovery_accounts_for_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let first = node().rank(1, 2).journal(folder.path()).start().unwrap();
    let journal = first.journal().unwrap().to_owned();
    drop(first.finish().unwrap());
    let meter = node().rank(1, 2).group("g").journal(folder.path()).resume(&journal);
    let meter = meter.idle(Duration::from_millis(300)).start().unwrap();
    meter.plan(|plan| (plan.epochs, plan.train_steps) = (1, 400));
    meter.result("loss", 0.5);
    meter.fact("seed", 7);
    {
        let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        for _ in 0..400 {
            let step = meter.enter(Label::new(Kind::Step, "train").with_unit("tokens"));
            step.items(8_u32);
            thread::sleep(Duration::from_millis(5));
        }
    }
    let journal = meter.journal().unwrap().to_owned();
    let done = meter.finish().unwrap();
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &text[..=text.trim_end().rfind('\n').unwrap()]).unwrap();
    let Record {
        schema,
        mut run,
        machine,
        sources,
        domains,
        total,
        epochs,
        more_epochs,
        outside_epochs,
        steps,
        steps_by_name,
        method_shares,
        spans,
        footprint,
        results,
        facts,
        ranks,
        forecasts,
        earlier,
        power,
        warnings,
        ..
    } = Record::recover(&journal).unwrap();
    assert_eq!(schema, done.schema);
    run.finished = true;
    // The utilisation of the processor is known at the end alone.
    assert!(run.cpu_utilisation.is_none());
    run.cpu_utilisation = done.run.cpu_utilisation;
    assert_eq!(run, done.run);
    assert_eq!((machine, sources), (done.machine, done.sources));
    assert_eq!(domains.len(), done.domains.len());
    for (row, expected) in domains.iter().zip(&done.domains) {
        assert_eq!(row.domain, expected.domain);
        assert_eq!(
            (row.readings, row.failed_readings),
            (expected.readings, expected.failed_readings)
        );
        assert_eq!(row.idle_power, expected.idle_power);
        let joules = |row: &DomainRecord| row.energy.unwrap().joules;
        assert_eq!(joules(row), joules(expected));
    }
    let joules = |usage: &Usage| usage.energy.unwrap().joules;
    assert_eq!(joules(&total), joules(&done.total));
    assert_eq!((epochs, outside_epochs), (done.epochs, done.outside_epochs));
    assert_eq!(method_shares, done.method_shares);
    assert_eq!((more_epochs, steps_by_name), (done.more_epochs, done.steps_by_name));
    assert_eq!((steps, spans), (done.steps, done.spans));
    let kwh = |footprint: &Footprint| footprint.it_energy.unwrap().value;
    assert_eq!((kwh(&footprint), &footprint.site), (kwh(&done.footprint), &done.footprint.site));
    assert_eq!((results, facts), (done.results, done.facts));
    assert!(ranks.is_empty() && done.ranks.is_empty());
    assert!(forecasts.len() > 1, "{forecasts:?}");
    assert_eq!(forecasts, done.forecasts);
    assert_eq!((earlier.len(), &earlier), (1, &done.earlier));
    let (power, of_done) = (power.unwrap(), done.power.unwrap());
    assert_eq!((&power.ends_s, power.spans), (&of_done.ends_s, of_done.spans));
    let rows = power.watts.iter().flatten().zip(of_done.watts.iter().flatten());
    for (watts, expected) in rows {
        let (watts, expected) = (watts.unwrap().get(), expected.unwrap().get());
        assert!((watts / expected - 1.0).abs() < 1e-5, "{watts} W for {expected} W");
    }
    assert!(done.warnings.iter().all(|line| warnings.contains(line)), "{warnings:?}");
}

#[test]
fn an_epoch_may_have_any_number() {
    let meter = node().start().unwrap();
    for index in [1_795_448_119_056_961_177, u64::MAX] {
        meter.enter(Label::new(Kind::Epoch, "train")).index(index);
    }
    drop(meter.enter(Label::new(Kind::Epoch, "train")));
    let record = meter.finish().unwrap();
    let read = Record::from_json(&record.to_json().unwrap()).unwrap();
    let numbers: Vec<_> = read.epochs.iter().map(|epoch| epoch.index).collect();
    assert_eq!(numbers, [1_795_448_119_056_961_177, u64::MAX, 1]);
}

#[test]
fn a_record_that_could_not_be_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = node().start().unwrap().finish().unwrap();
    record.footprint.site.pue.value = f64::NAN;
    let path = folder.path().join("run.json");
    assert_eq!(record.write(&path).unwrap_err().kind(), ErrorKind::Format);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_sensor_whose_error_is_no_number_is_refused() {
    for error in [f64::NAN, f64::INFINITY, -0.1] {
        let mut source = crate::accounting::Steady::new("own", DomainKind::Gpu, 300.0);
        source.domain[0].sensor.relative_error = error;
        let refused = Meter::builder().without_probe().source(Box::new(source)).start();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidSetting, "{error}");
    }
}

#[test]
fn one_path_is_written_by_many_threads_at_a_time() {
    const THREADS: usize = 8;
    const TIMES: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let record = node().start().unwrap().finish().unwrap();
    let path = folder.path().join("run.json");
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                for _ in 0..TIMES {
                    record.write(&path).unwrap();
                    // Whoever reads it meanwhile has all of it.
                    Record::from_json(&fs::read_to_string(&path).unwrap()).unwrap();
                }
            });
        }
    });
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [path]);
}

#[test]
fn meters_that_start_at_once_have_journals_of_their_own() {
    const THREADS: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                node().journal(folder.path()).start().unwrap().finish().unwrap();
            });
        }
    });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), THREADS);
}
