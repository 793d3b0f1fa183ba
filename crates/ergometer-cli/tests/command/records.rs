//! Records for the other tests, and `report`, `recover`, `merge`, `resume-info`.

use std::fs;
use std::path::{Path, PathBuf};

use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{Kind, Meter, MeterBuilder, Record};

use crate::program::{argument, ends_with, json, prints, text};

/// A meter of stated watts.
pub fn meter(label: &str, watts: f64) -> MeterBuilder {
    let meter = Meter::builder().label(label).without_probe().price("0.12 USD");
    meter.fixed(DomainKind::Node, Watts::new(watts))
}

/// A record with an epoch of three steps, in a file of `folder`.
pub fn record(folder: &Path, name: &str, builder: MeterBuilder) -> (PathBuf, Record) {
    let meter = builder.start().unwrap();
    {
        let _epoch = meter.enter(ergometer::span::Label::new(Kind::Epoch, "train"));
        for _ in 0..3 {
            let step = meter.span(Kind::Step);
            step.items(8_u32);
        }
    }
    meter.result("loss", 0.25);
    let record = meter.finish().unwrap();
    let path = folder.join(name);
    record.write(&path).unwrap();
    (path, record)
}

/// A journal that its program did not live to finish: that of a meter that was dropped.
pub fn journal(folder: &Path, builder: MeterBuilder) -> PathBuf {
    let meter = builder.journal(folder).start().unwrap();
    let path = meter.journal().unwrap().to_owned();
    drop(meter.enter(ergometer::span::Label::new(Kind::Epoch, "train")));
    drop(meter);
    path
}

#[test]
fn a_report_has_the_formats_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let (path, record) = record(folder.path(), "a.json", meter("one", 50.0));
    let report = |format: &str| prints(&["report", argument(&path), "--format", format]);
    assert_eq!(report("table"), record.to_string());
    assert_eq!(report("markdown"), record.to_markdown());
    assert_eq!(report("csv"), record.to_csv().unwrap());
    assert_eq!(report("json"), record.to_json().unwrap());
    assert_eq!(prints(&["report", "--json", argument(&path)]), record.to_json().unwrap());
    let file = folder.path().join("report.md");
    let arguments =
        ["report", argument(&path), "--format", "markdown", "--output", argument(&file)];
    assert_eq!(prints(&arguments), "");
    assert_eq!(fs::read_to_string(file).unwrap(), record.to_markdown());
}

#[test]
fn several_records_are_a_list_or_have_a_column_for_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (a, _) = record(folder.path(), "a.json", meter("one", 50.0));
    let (b, _) = record(folder.path(), "b.json", meter("two", 60.0));
    let both = [argument(&a), argument(&b)];
    let list = json(&["report", "--json", both[0], both[1]]);
    assert_eq!(
        (&list[0]["run"]["label"], &list[1]["run"]["label"]),
        (&"one".into(), &"two".into())
    );
    let rows = prints(&["report", "--format", "csv", both[0], both[1]]);
    let mut lines = rows.lines();
    assert!(lines.next().unwrap().starts_with("record,scope,name,"), "{rows}");
    let rows_of = |file: &str| rows.lines().filter(|line| line.starts_with(file)).count();
    assert!(rows_of(both[0]) > 1 && rows_of(both[0]) == rows_of(both[1]), "{rows}");
    assert_eq!(rows.lines().count(), 1 + 2 * rows_of(both[0]));
}

#[test]
fn a_file_that_is_not_a_record_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.json");
    fs::write(&path, "{\"a\": 1}").unwrap();
    for path in [&path, &folder.path().join("missing.json"), &folder.path().join("x.journal")] {
        let error = text(&ends_with(2, &["report", argument(path)]).stderr);
        assert!(error.starts_with("error:") && error.contains(argument(path)), "{error}");
    }
}

#[test]
fn a_journal_is_recovered_beside_itself_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), meter("killed", 50.0));
    let path = argument(&journal);
    let written = json(&["recover", "--json", path]);
    assert_eq!(written[0]["finished"], false);
    let record = journal.with_extension("json");
    assert_eq!(Record::read(&record).unwrap(), Record::recover(&journal).unwrap());
    let error = text(&ends_with(2, &["recover", path]).stderr);
    assert!(error.contains("already there") && error.contains("--force"), "{error}");
    ends_with(0, &["recover", "--force", path]);
    ends_with(0, &["recover", path, "--output", argument(&folder.path().join("other.md"))]);
}

#[test]
fn ranks_are_merged_and_a_machine_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let rank = |rank| {
        let builder = meter("ranks", 100.0).rank(rank, 2);
        record(folder.path(), &format!("rank-{rank}.json"), builder).0
    };
    let (a, b) = (rank(0), rank(1));
    let run = folder.path().join("run.json");
    let arguments = ["merge", argument(&a), argument(&b), "--output", argument(&run)];
    let printed = prints(&arguments);
    let merged = Record::read(&run).unwrap();
    assert_eq!(printed, merged.to_string());
    assert_eq!((merged.ranks.len(), merged.domains.len()), (2, 1));
    let error = text(&ends_with(2, &["merge", argument(&a), argument(&a)]).stderr);
    assert!(error.contains("rank"), "{error}");
}

#[test]
fn resume_info_shows_where_each_run_stands() {
    let folder = tempfile::tempdir().unwrap();
    let journals = folder.path().join("journals");
    let first = journal(&journals, meter("long", 50.0));
    let second = meter("long", 50.0).journal(&journals).resume(&first).start().unwrap();
    drop(second.enter(ergometer::span::Label::new(Kind::Epoch, "train")));
    let record = second.finish().unwrap();
    let all = json(&["resume-info", "--json", argument(&journals)]);
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 2);
    let of = |id: &str| all.iter().find(|one| one["run_id"] == id).unwrap();
    let last = of(&record.run.id);
    assert_eq!((&last["finished"], &last["earlier_parts"]), (&true.into(), &1.into()));
    assert_eq!(last["last_epoch"]["train"], record.epochs[0].index);
    assert!(
        (last["joules"].as_f64().unwrap() - record.whole().energy.unwrap().joules.get()).abs()
            < 1e-9
    );
    let before = of(&record.earlier[0].run_id);
    assert_eq!(before["finished"], false);
    let table = prints(&["resume-info", argument(&journals)]);
    assert!(table.contains("finished") && table.contains("resume_latest"), "{table}");
}
