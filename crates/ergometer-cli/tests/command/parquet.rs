//! `ledger --parquet`.

use std::fs;
use std::path::Path;

use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::Field;
use ergometer::span::Label;
use ergometer::{Kind, Meter};

use crate::ledger::{in_two_currencies, lab};
use crate::program::{argument, ends_with, json, text};
use crate::python::python;
use crate::records::{journal, meter, record};

/// The values of some columns, row by row.
fn rows(folder: &Path, table: &str, columns: &[&str]) -> Vec<Vec<Field>> {
    let file = fs::File::open(folder.join(format!("{table}.parquet"))).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let of = |row: ::parquet::record::Row| {
        let field = |name: &&str| {
            row.get_column_iter().find(|(column, _)| column == name).unwrap().1.clone()
        };
        columns.iter().map(field).collect()
    };
    reader.get_row_iter(None).unwrap().map(|row| of(row.unwrap())).collect()
}

fn sum(rows: &[Vec<Field>]) -> f64 {
    let number = |row: &Vec<Field>| match row[0] {
        Field::Double(number) => number,
        Field::Null => 0.0,
        _ => panic!("{row:?}"),
    };
    rows.iter().map(number).sum()
}

#[test]
fn the_tables_have_every_part_once_and_the_same_sums() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sums = lab(folder.path(), 300);
    // A run that was resumed, and a copy of a record.
    let first = journal(folder.path(), meter("long", 50.0));
    let resumed = meter("long", 50.0).resume(&first);
    let (_, resumed) = record(folder.path(), "resumed.json", resumed);
    fs::copy(folder.path().join("7.json"), folder.path().join("copy.json")).unwrap();
    let arguments =
        ["ledger", "--json", "--parquet", argument(out.path()), argument(folder.path())];
    let total = json(&arguments)["total"].clone();
    let table = |name: &str, columns: &[&str]| rows(out.path(), name, columns);
    let runs = table("runs", &["it_joules", "label", "part"]);
    assert_eq!((runs.len(), total["runs"].as_u64()), (302, Some(302)));
    let joules = sums["everything"].1 + resumed.whole().energy.unwrap().joules.get();
    assert!((sum(&runs) / joules - 1.0).abs() < 1e-9);
    for (name, value) in [
        ("seconds", "/seconds"),
        ("co2e_g", "/co2e_g"),
        ("electricity_cost", "/electricity_cost/USD"),
    ] {
        let column = sum(&table("runs", &[name]));
        let total = total.pointer(value).unwrap().as_f64().unwrap();
        assert!((column / total - 1.0).abs() < 1e-9, "{name}");
    }
    // One epoch of three steps in each record, and one in the journal.
    assert_eq!(table("epochs", &["joules"]).len(), 302);
    let steps = table("steps", &["steps", "items", "split"]);
    assert_eq!(steps.len(), 301);
    assert!(
        steps.iter().all(|row| row[0] == Field::Long(3) && row[1] == Field::Double(24.0)),
        "{steps:?}"
    );
    assert!(table("spans", &["path"]).contains(&vec![Field::Str("train/step".to_owned())]));
    let trials = table("trials", &["number", "is_result", "name"]);
    assert_eq!(trials.iter().filter(|row| row[1] == Field::Bool(true)).count(), 301);
    let rate = |row: &&Vec<Field>| row[2] == Field::Str("learning_rate".to_owned());
    assert_eq!(trials.iter().filter(rate).count(), 300);
    // Written again, they take the place of the old ones, and nothing else is left.
    json(&arguments);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 5);
}

#[test]
fn what_was_not_read_is_null_and_not_0() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let meter = Meter::builder().without_environment().without_probe().label("unread");
    let meter = meter.start().unwrap();
    {
        let _epoch = meter.span(Label::new(Kind::Epoch, "train"));
        meter.span(Label::new(Kind::Step, "train").with_unit("tokens")).items(8_u32);
    }
    meter.finish().unwrap().write(folder.path().join("a.json")).unwrap();
    json(&["ledger", "--json", "--parquet", argument(out.path()), argument(folder.path())]);
    let tables: [(&str, &[&str]); 4] = [
        ("runs", &["it_joules", "co2e_g", "electricity_cost", "electricity_currency"]),
        ("epochs", &["joules", "steps_joules", "between_steps_joules", "gpu_joules"]),
        ("steps", &["joules", "mean_joules", "joules_per_item", "cpu_joules"]),
        ("spans", &["joules", "exclusive_joules", "standard_uncertainty_joules"]),
    ];
    for (table, columns) in tables {
        let rows = rows(out.path(), table, columns);
        let is_null = |row: &Vec<Field>| row.iter().all(|field| *field == Field::Null);
        assert!(!rows.is_empty() && rows.iter().all(is_null), "{table}: {rows:?}");
    }
}

#[test]
fn duckdb_reads_them_and_has_the_same_sums() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    lab(folder.path(), 500);
    let total = json(&[
        "ledger",
        "--json",
        "--by",
        "month",
        "--parquet",
        argument(out.path()),
        argument(folder.path()),
    ]);
    // The queries of docs/ledger.md.
    let page = include_str!("../../../../docs/ledger.md");
    let queries: Vec<&str> =
        page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(queries.len() >= 3, "{page}");
    let program = "\
import duckdb, json, os, sys
os.chdir(sys.argv[1])
for query in sys.argv[2:]:
    print(json.dumps([[str(value) for value in row] for row in duckdb.sql(query).fetchall()]))
";
    let arguments: Vec<&str> = [argument(out.path())].into_iter().chain(queries).collect();
    let Some(read) = python("duckdb", program, &arguments) else { return };
    let months: Vec<Vec<String>> = serde_json::from_str(read.lines().next().unwrap()).unwrap();
    let rows = total["rows"].as_array().unwrap();
    assert_eq!(months.len(), rows.len(), "{read}");
    for (month, row) in months.iter().zip(rows) {
        assert_eq!(
            (&month[0], month[1].parse().ok()),
            (&row["name"].as_str().unwrap().to_owned(), row["runs"].as_u64())
        );
        let kwh = row["joules"].as_f64().unwrap() / 3.6e6;
        assert!((month[2].parse::<f64>().unwrap() / kwh - 1.0).abs() < 1e-9, "{month:?}, {row}");
    }
    assert!(read.lines().all(|line| line != "[]"), "a query that finds nothing: {read}");
}

#[test]
fn the_cost_of_electricity_has_its_currency_beside_it() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let records = in_two_currencies(folder.path());
    json(&["ledger", "--json", "--parquet", argument(out.path()), argument(folder.path())]);
    let rows = rows(out.path(), "runs", &["run_id", "electricity_cost", "electricity_currency"]);
    assert_eq!(rows.len(), records.len());
    for record in records {
        let row = rows.iter().find(|row| row[0] == Field::Str(record.run.id.clone())).unwrap();
        let expected = record
            .footprint
            .electricity_with_currency()
            .map_or([Field::Null, Field::Null], |(cost, currency)| {
                [Field::Double(cost.value.get()), Field::Str(currency.to_string())]
            });
        assert_eq!(row[1..], expected);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = record(folder.path(), "a.json", meter("one", 50.0));
    let output = ends_with(2, &["ledger", argument(folder.path()), "--parquet", argument(&path)]);
    let error = text(&output.stderr);
    assert!(error.contains("runs.parquet") && error.contains("name a folder"), "{error}");
}
