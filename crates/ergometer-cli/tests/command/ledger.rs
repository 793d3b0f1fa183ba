//! `ergometer ledger`.

use std::fs;

use crate::program::{argument, ends_with, json, prints, text};
use crate::records::{journal, meter, record};

#[test]
fn totals_are_the_sum_of_the_records_and_journals_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("2026/11");
    fs::create_dir_all(&below).unwrap();
    let (_, a) = record(folder.path(), "a.json", meter("one", 50.0));
    let (_, b) = record(&below, "b.json", meter("one", 60.0));
    let (_, c) = record(&below, "c.json", meter("two", 70.0));
    // A journal with its record beside it, one of a run that was killed, and a copy of a record.
    let killed = journal(&below, meter("two", 80.0));
    ends_with(0, &["recover", argument(&killed)]);
    fs::copy(folder.path().join("a.json"), below.join("copy.json")).unwrap();
    fs::write(below.join("package.json"), "{}").unwrap();
    let killed = ergometer::Record::recover(&killed).unwrap();

    let found = json(&["ledger", argument(folder.path()), "--json"]);
    let joules = |record: &ergometer::Record| record.total.energy.unwrap().joules.get();
    let close = |value: &serde_json::Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!(
            (value - expected).abs() < 1e-9 * expected.max(1.0),
            "{value}, {expected}: {found}"
        );
    };
    let (total, rows) = (&found["total"], &found["rows"]);
    assert_eq!((&total["runs"], &total["not_finished"]), (&4.into(), &1.into()));
    close(&total["joules"], joules(&a) + joules(&b) + joules(&c) + joules(&killed));
    close(&total["joules_not_finished"], joules(&killed));
    close(
        &total["co2e_g"],
        [&a, &b, &c, &killed].map(|one| one.footprint.co2e.unwrap().value.get()).iter().sum(),
    );
    assert_eq!((&rows[0]["name"], &rows[0]["runs"]), (&"one".into(), &2.into()));
    close(&rows[0]["joules"], joules(&a) + joules(&b));
    close(&rows[1]["seconds"], c.run.seconds + killed.run.seconds);
    assert_eq!(found["passed_over"].as_array().unwrap().len(), 1);
    for by in ["month", "machine", "model"] {
        let table = prints(&["ledger", argument(folder.path()), "--by", by]);
        assert!(table.contains(by) && table.contains("everything"), "{table}");
    }
    let month = json(&["ledger", argument(folder.path()), "--by", "month", "--json"]);
    assert_eq!(month["rows"][0]["name"], a.run.started[..7]);
}

#[test]
fn parts_of_a_run_and_ranks_of_a_merged_record_do_not_count_twice() {
    let folder = tempfile::tempdir().unwrap();
    let first = journal(folder.path(), meter("long", 50.0));
    let resumed = meter("long", 50.0).resume(&first);
    let (_, whole) = record(folder.path(), "resumed.json", resumed);
    let rank = |rank| {
        let builder = meter("ranks", 100.0).rank(rank, 2);
        record(folder.path(), &format!("rank-{rank}.json"), builder).0
    };
    let (a, b) = (rank(0), rank(1));
    let run = folder.path().join("run.json");
    ends_with(0, &["merge", argument(&a), argument(&b), "--output", argument(&run)]);
    let merged = ergometer::Record::read(&run).unwrap();

    let found = json(&["ledger", argument(folder.path()), "--json"]);
    // The two parts of the one, and the other.
    assert_eq!(found["total"]["runs"], 3);
    let joules = whole.whole().energy.unwrap().joules + merged.total.energy.unwrap().joules;
    let total = found["total"]["joules"].as_f64().unwrap();
    assert!((total / joules.get() - 1.0).abs() < 1e-9, "{total}, {joules}");
}

#[test]
fn what_ranks_did_before_an_interruption_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let rank = |rank| {
        let of_rank = || meter("ranks", 100.0).rank(rank, 2).group("job");
        let first = journal(folder.path(), of_rank());
        record(folder.path(), &format!("rank-{rank}.json"), of_rank().resume(&first)).0
    };
    let (a, b) = (rank(0), rank(1));
    let run = folder.path().join("run.json");
    ends_with(0, &["merge", argument(&a), argument(&b), "--output", argument(&run)]);
    let whole = ergometer::Record::read(&run).unwrap().whole();

    let found = json(&["ledger", argument(folder.path()), "--json"]);
    // Two attempts of two ranks on one machine.
    assert_eq!(found["total"]["runs"], 2);
    let total = found["total"]["joules"].as_f64().unwrap();
    let expected = whole.energy.unwrap().joules.get();
    assert!((total / expected - 1.0).abs() < 1e-9, "{total}, {expected}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = text(&ends_with(2, &["ledger", "/nowhere/records"]).stderr);
    assert!(error.contains("/nowhere/records"), "{error}");
}
