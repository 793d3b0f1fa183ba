//! Power over time in the record: with its energy, through a journal, a resumption and a merge.

use std::path::Path;
use std::time::{Duration, Instant};

use ergometer::record::power::PowerHistory;
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::Watts;
use ergometer::{Kind, Meter, MeterBuilder, Record};

fn builder() -> MeterBuilder {
    let node = Meter::builder().label("power").without_probe();
    node.fixed(DomainKind::Gpu, Watts::new(300.0)).fixed(DomainKind::CpuPackage, Watts::new(40.0))
}

fn work(seconds: f64) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs_f64(seconds) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Half a second of an epoch, with a phase of 0.3 s in it.
fn train(meter: &Meter) {
    let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
    {
        let _phase = meter.enter(Label::new(Kind::Phase, "load"));
        work(0.3);
    }
    work(0.3);
}

/// The integral of each domain's power is its energy, and so it is in each epoch.
fn check(record: &Record) -> &PowerHistory {
    let power = record.power.as_ref().expect("power over time");
    assert_eq!(power.watts.len(), record.domains.len());
    let seconds = record.run.seconds;
    assert_eq!(power.ends_s.last(), Some(&seconds));
    for (index, row) in record.domains.iter().enumerate() {
        let usages = record.epochs.iter().map(|epoch| (epoch.start_s, &epoch.usage));
        for (from, usage) in usages.chain([(0.0, &record.total)]) {
            let joules = usage.by_domain[index].unwrap().joules.get();
            let integral = power.joules(index, from, from + usage.seconds).get();
            assert!(
                (integral / joules - 1.0).abs() < 1e-5,
                "{}: {integral}, {joules}",
                row.domain.id
            );
        }
    }
    power
}

#[test]
fn the_integral_of_power_is_the_energy_of_each_domain_and_epoch() {
    let meter = builder().start().unwrap();
    train(&meter);
    let record = meter.finish().unwrap();
    let power = check(&record);
    assert!(power.ends_s.len() > 8, "{:?}", power.ends_s);
    for (row, watts) in power.watts.iter().zip([300.0, 40.0]) {
        assert!(
            row.iter().all(|power| (power.unwrap().get() / watts - 1.0).abs() < 1e-3),
            "{row:?}"
        );
    }
    let [span] = &power.spans[..] else { panic!("{:?}", power.spans) };
    assert_eq!((span.kind, span.name.as_str()), (Kind::Phase, "load"));
    assert!(span.seconds >= 0.3 && span.start_s >= record.epochs[0].start_s, "{span:?}");
    let read = Record::from_json(&record.to_json().unwrap()).unwrap();
    assert_eq!(read.power, record.power);
}

/// A journal whose program was killed: without the line that is written when a run ends, also one that is dropped.
fn killed(folder: &Path, builder: MeterBuilder) -> std::path::PathBuf {
    let meter = builder.journal(folder).start().unwrap();
    let path = meter.journal().unwrap().to_owned();
    train(&meter);
    train(&meter);
    drop(meter);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.split_inclusive('\n').filter(|line| !line.contains("\"row\":\"end\""));
    let cut = lines.collect::<String>();
    assert!(cut.len() < text.len());
    std::fs::write(&path, cut).unwrap();
    path
}

#[test]
fn a_killed_run_has_its_power_from_the_journal_and_so_has_the_run_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = killed(folder.path(), builder());
    let recovered = Record::recover(&journal).unwrap();
    assert!(!recovered.run.finished);
    let before = check(&recovered);
    assert!(before.ends_s.len() > 16 && before.spans.len() == 2, "{before:?}");
    let meter = builder().resume(&journal).start().unwrap();
    train(&meter);
    let record = meter.finish().unwrap();
    check(&record);
    let part = record.earlier[0].power.as_ref().unwrap();
    assert_eq!(part, before);
    // A lost line of the journal makes it coarser, and takes nothing away.
    let text = std::fs::read_to_string(&journal).unwrap();
    let (first, _) = text.match_indices("\"row\":\"power\"").next().unwrap();
    let damaged = format!("{}X{}", &text[..first], &text[first..]);
    std::fs::write(&journal, damaged).unwrap();
    let recovered = Record::recover(&journal).unwrap();
    assert!(check(&recovered).ends_s.len() < before.ends_s.len());
}

#[test]
fn ranks_are_joined_on_one_axis_unless_one_has_no_power_over_time() {
    let rank = |rank| {
        let meter = builder().rank(rank, 2).start().unwrap();
        train(&meter);
        meter.finish().unwrap()
    };
    let (first, second) = (rank(0), rank(1));
    let merged = Record::merge([first.clone(), second.clone()]).unwrap();
    let power = merged.power.as_ref().unwrap();
    for (index, energy) in merged.total.by_domain.iter().enumerate() {
        let joules = energy.unwrap().joules.get();
        let integral = power.joules(index, 0.0, merged.run.seconds).get();
        assert!((integral / joules - 1.0).abs() < 1e-6, "{integral} J of {joules} J");
    }
    let mut older = second;
    older.power = None;
    assert!(Record::merge([first, older]).unwrap().power.is_none());
}

#[test]
fn a_record_of_an_older_version_has_none_and_is_read() {
    let meter = builder().start().unwrap();
    train(&meter);
    let mut record = meter.finish().unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&record.to_json().unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("power");
    let read = Record::from_json(&json.to_string()).unwrap();
    record.power = None;
    assert_eq!(read, record);
}
