//! Merging ranks that were interrupted or whose clocks differ, and fields that a merge must keep.

use super::*;
use crate::forecast::{Forecast, Interval};
use crate::record::power::PowerHistory;
use crate::record::{DomainRecord, MoreEpochs};

/// Rank `rank` of two on one machine, with its own board and the package: 380 W.
fn rank(rank: u32, start: f64, seconds: f64) -> Script {
    Script::new(rank, 2, seconds)
        .from(start)
        .gpu(&format!("nvml:GPU-{rank}"), 300.0)
        .cpu("rapl:package-0", 80.0)
        .epoch("train", 0.0, seconds / 2.0)
}

/// The record of the last of `scripts`, resumed after the others.
fn resumed(scripts: &[Script]) -> Record {
    let mut earlier = Vec::new();
    let mut last = None;
    for (attempt, script) in scripts.iter().enumerate() {
        let mut record = script.record();
        record.run.id = format!("run-{}-{attempt}", script.rank);
        record.earlier.clone_from(&earlier);
        earlier.push(record.part());
        last = Some(record);
    }
    last.unwrap()
}

fn whole(record: &Record) -> f64 {
    record.whole().energy.unwrap().joules.get()
}

#[test]
fn the_parts_before_of_all_ranks_are_in_the_whole_and_a_shared_domain_once() {
    let of = |number: u32| {
        resumed(&[rank(number, 0.0, 10.0), rank(number, 100.0, 20.0), rank(number, 200.0, 30.0)])
    };
    let run = Record::merge([of(0), of(1)]).unwrap();
    assert_eq!(run.earlier.len(), 2);
    for (part, seconds) in run.earlier.iter().zip([10.0, 20.0]) {
        close(part.seconds, seconds);
        close(part.energy.unwrap().joules.get(), seconds * (2.0 * 300.0 + 80.0));
        assert_eq!(part.domains.len(), 3, "the package once");
        assert_eq!(part.steps["train"].totals.count, 8);
        close(part.steps["train"].totals.items, 80.0);
        // Half of the time is in epochs, four fifths of which are steps.
        close(part.steps["train"].totals.joules.get(), 0.4 * seconds * 680.0);
    }
    close(whole(&run), 60.0 * 680.0);
    close(run.whole().seconds, 60.0);
    assert_eq!(run.whole().steps["train"].count, 24);
    close(run.whole().footprint.it_energy.unwrap().value.to_joules().get(), 60.0 * 680.0);
    let dollars = run.whole().footprint.cloud_cost.unwrap().low.get();
    close(dollars, 2.0 * 60.0 / 3600.0 * 0.43);
    assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    let again = Record::from_json(&run.to_json().unwrap()).unwrap();
    assert_eq!(again, run);
    // A single rank keeps its parts.
    assert_eq!(Record::merge([of(1)]).unwrap().earlier, of(1).earlier);
}

#[test]
fn a_part_of_other_boards_and_another_site_keeps_its_own_footprint() {
    let mut record = resumed(&[rank(0, 0.0, 3600.0), rank(0, 9000.0, 3600.0)]);
    let alike = record.whole().footprint.co2e.unwrap().value.get();
    let mut site = record.footprint.site.clone();
    site.carbon.grams_per_kwh *= 3.0;
    let footprint = site.footprint(record.earlier[0].energy.as_ref(), 3600.0, 8);
    record.earlier[0].footprint = Some(footprint);
    let whole = record.whole();
    close(whole.footprint.co2e.unwrap().value.get(), alike * 2.0);
    close(whole.footprint.cloud_cost.unwrap().low.get(), 9.0 * 0.43);
}

#[test]
fn records_of_different_attempts_are_refused_or_named() {
    // Rank 0 was never interrupted, and rank 1 resumed after rank 0 had ended.
    let one = resumed(&[rank(0, 0.0, 10.0)]);
    let two = resumed(&[rank(1, 0.0, 10.0), rank(1, 100.0, 20.0)]);
    let error = Record::merge([one.clone(), two.clone()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    assert!(error.to_string().contains("different attempts"), "{error}");
    // If no record mentions an interruption, the clocks show it.
    let fresh = resumed(&[rank(1, 100.0, 20.0)]);
    let run = Record::merge([one, fresh]).unwrap();
    assert!(says(&run, "ran at no time together"), "{:?}", run.warnings);
    // Only rank 1 crashed and resumed, while rank 0 ran.
    let one = resumed(&[rank(0, 0.0, 130.0)]);
    let run = Record::merge([one, two]).unwrap();
    assert!(says(&run, "interrupted as often"), "{:?}", run.warnings);
    assert_eq!(run.earlier.len(), 1);
}

#[test]
fn a_clock_at_1970_is_reported_and_its_rank_laid_beside_the_others() {
    const WRONG: f64 = -1_700_000_000.0;
    let by_epoch = |number: u32, start: f64, epoch: f64| {
        let script = Script::new(number, 3, 100.0).on(number).from(start);
        script.gpu(&format!("nvml:GPU-{number}"), 300.0).epoch("train", epoch, 90.0)
    };
    let run = merged(&[by_epoch(0, 0.0, 20.0), by_epoch(1, WRONG, 15.0), by_epoch(2, 2.0, 18.0)]);
    // According to its epoch rank 1 began 5 s after rank 0.
    close(run.run.seconds, 105.0);
    close(run.epochs[0].start_s, 20.0);
    assert_eq!(run.run.started, by_epoch(0, 0.0, 20.0).record().run.started);
    assert!(says(&run, "rank 1: by the clock"), "{:?}", run.warnings);
    assert!(says(&run, "by epoch train 1"), "{:?}", run.warnings);
    close(joules(&run), 3.0 * 30_000.0);
    let dollars = run.footprint.cloud_cost.unwrap().high.get();
    close(dollars, 3.0 * 105.0 / 3600.0 * 1.46);

    // Without a common epoch the starts are used; of two clocks that differ, the later is believed.
    let plain = |number: u32, start: f64| {
        let script = Script::new(number, 2, 50.0).on(number).from(start);
        script.gpu(&format!("nvml:GPU-{number}"), 300.0)
    };
    let run = merged(&[plain(0, WRONG), plain(1, 7.0)]);
    close(run.run.seconds, 50.0);
    assert_eq!(run.run.started, plain(1, 7.0).record().run.started);
    assert!(says(&run, "rank 0: by the clock"), "{:?}", run.warnings);

    // The clock of one machine was set between the starts of its ranks.
    let run = merged(&[plain(0, WRONG).on(0), plain(1, 0.0).on(0)]);
    close(run.run.seconds, 50.0);
}

#[test]
fn forecasts_add_up_to_the_total_and_a_shared_domain_counts_once() {
    let with = |number: u32| {
        let mut record = rank(number, 0.0, 100.0).record();
        let at = |progress: f64, joules: f64, reach: f64| Forecast {
            progress,
            at_s: 100.0 * progress,
            joules: Interval { value: joules, low: joules - reach, high: joules + reach },
            seconds: Interval { value: 100.0, low: 90.0, high: 110.0 },
        };
        // Rank 1 is slightly further each time.
        let ahead = f64::from(number) * 0.02;
        record.forecasts = vec![
            at(0.25 + ahead, 40_000.0, 4000.0),
            at(0.9, 38_000.0, 1000.0),
            at(1.0, 38_000.0, 0.0),
        ];
        record
    };
    let run = Record::merge([with(0), with(1)]).unwrap();
    assert_eq!(run.forecasts.len(), 3);
    // 80 W of rank 1's 380 W are the package's, which rank 0 has as well.
    let both = 1.0 + 300.0 / 380.0;
    close(run.forecasts[0].joules.value, 40_000.0 * both);
    close(run.forecasts[0].joules.high, 44_000.0 * both);
    let last = run.forecasts[2];
    assert!(last.is_final());
    close(last.joules.value, joules(&run));
    close(last.seconds.value, 100.0);

    let mut silent = with(1);
    silent.forecasts.clear();
    let run = Record::merge([with(0), silent]).unwrap();
    assert!(run.forecasts.is_empty() && says(&run, "made no forecasts"), "{:?}", run.warnings);
}

/// Every new field of a record must be added here, with the result of a merge.
#[test]
fn a_merge_accounts_for_every_field() {
    let with = |number: u32| {
        let mut record = resumed(&[rank(number, 0.0, 10.0), rank(number, 100.0, 20.0)]);
        let more = MoreEpochs {
            count: 3,
            usage: record.epochs[0].usage.clone(),
            steps: None,
            steps_by_name: Vec::new(),
            between_steps: record.epochs[0].between_steps.clone(),
        };
        record.more_epochs.insert("valid".to_owned(), more);
        record.results.insert(format!("of {number}"), 1.0);
        record.facts.insert("seed".to_owned(), number.to_string());
        record.warnings.push("careful".to_owned());
        let certain = Interval { value: 7600.0, low: 7600.0, high: 7600.0 };
        let seconds = certain.scaled(20.0 / 7600.0);
        record.forecasts = vec![Forecast { progress: 1.0, at_s: 20.0, joules: certain, seconds }];
        let watts = |row: &DomainRecord| vec![row.mean_power; 2];
        record.power = Some(PowerHistory {
            ends_s: vec![15.0, 20.0],
            watts: record.domains.iter().map(watts).collect(),
            spans: Vec::new(),
        });
        record
    };
    let ranks = [with(0), with(1)];
    let Record {
        schema,
        run,
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
        ranks: rows,
        programs,
        forecasts,
        earlier,
        power,
        warnings,
    } = Record::merge(ranks.clone()).unwrap();
    let joules = 20.0 * 680.0;
    let power = power.expect("both ranks have it");
    let drawn =
        |from, to| (0..domains.len()).map(|index| power.joules(index, from, to).get()).sum::<f64>();
    close(drawn(0.0, 20.0), joules);
    close(drawn(0.0, 10.0), joules / 2.0);
    assert_eq!(schema, Record::SCHEMA);
    let RunInfo {
        id,
        label,
        started,
        seconds,
        asleep_seconds: _,
        cpu_utilisation: _,
        idle_seconds,
        command,
        ergometer,
        git_commit,
        rank,
        group,
        finished,
        exit_code,
    } = run;
    let first = &ranks[0].run;
    assert_eq!(
        (id.as_str(), &label, &started),
        ("torchrun:a-merged", &first.label, &first.started)
    );
    close(seconds, 20.0);
    assert_eq!(
        (idle_seconds, command, ergometer),
        (None, first.command.clone(), first.ergometer.clone())
    );
    assert_eq!((git_commit, rank, group, finished), (None, None, first.group.clone(), true));
    assert_eq!((machine.accelerators.len(), sources[0].domains.len(), domains.len()), (2, 3, 3));
    close(total.energy.unwrap().joules.get(), joules);
    assert_eq!((epochs.len(), spans.len(), more_epochs["valid"].count), (1, 1, 3));
    close(outside_epochs.iter().map(|outside| outside.get()).sum(), joules / 2.0);
    assert_eq!(steps.keys().collect::<Vec<_>>(), ["train", "train@0", "train@1"]);
    assert!(steps_by_name.is_empty(), "they have one name");
    assert_eq!(method_shares.len(), 1, "{method_shares:?}");
    close(footprint.it_energy.unwrap().value.to_joules().get(), joules);
    assert_eq!(results.len(), 3, "{results:?}");
    assert_eq!((facts["seed"].as_str(), facts["seed@1"].as_str()), ("0", "1"));
    assert_eq!((rows.len(), programs.len(), exit_code), (2, 0, None));
    close(forecasts[0].joules.value, joules);
    close(earlier[0].energy.unwrap().joules.get(), 10.0 * 680.0);
    assert_eq!(warnings, ["careful"]);
}
