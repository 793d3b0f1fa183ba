//! `ergometer ledger`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::program::{argument, checked, ends_with, ergometer, json, prints, text};
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

/// Records of many runs, as of a lab's months; returns the sums that are expected of them.
pub fn lab(folder: &Path, count: u64) -> BTreeMap<String, (u64, f64, f64)> {
    let (path, mut record) = record(folder, "first.json", meter("first", 50.0));
    fs::remove_file(path).unwrap();
    let mut sums: BTreeMap<String, (u64, f64, f64)> = BTreeMap::new();
    // The same numbers every time, with nothing in common between neighbours.
    let mut state: u64 = count;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for number in 0..count {
        let joules = random(1_000_000) as f64 / 7.0;
        let label = format!("model-{}", random(5));
        record.run.id = format!("{number}-1");
        record.run.label.clone_from(&label);
        record.run.started = format!("2026-{:02}-{:02}T10:00:00Z", 1 + random(12), 1 + random(28));
        record.run.seconds = 1.0 + random(100_000) as f64 / 3.0;
        record.run.finished = random(10) > 0;
        record.run.exit_code = [None, Some(0), Some(1)][usize::try_from(random(3)).unwrap()];
        record.machine.host = Some(format!("node-{}", random(7)));
        record
            .facts
            .insert("learning_rate".to_owned(), format!("{}", 1.0 / (1.0 + random(9) as f64)));
        let energy = record.total.energy.as_mut().unwrap();
        energy.joules = ergometer::units::Joules::new(joules);
        // Some could not be read.
        let mut written = record.clone();
        if random(20) == 0 {
            written.total.energy = None;
        }
        written.write(folder.join(format!("{number}.json"))).unwrap();
        let read = written.total.energy.map_or(0.0, |energy| energy.joules.get());
        for name in [label, "everything".to_owned()] {
            let sum = sums.entry(name).or_default();
            (sum.0, sum.1, sum.2) = (sum.0 + 1, sum.1 + read, sum.2 + written.run.seconds);
        }
    }
    sums
}

/// The rows and the total that are printed, against the sums that are expected.
fn is_as_expected(found: &Value, sums: &BTreeMap<String, (u64, f64, f64)>) {
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len() + 1, sums.len());
    for row in rows.iter().chain([&found["total"]]) {
        let (runs, joules, seconds) = sums[row["name"].as_str().unwrap()];
        assert_eq!(row["runs"], runs, "{row}");
        for (name, expected) in [("joules", joules), ("seconds", seconds)] {
            let value = row[name].as_f64().unwrap();
            assert!((value / expected - 1.0).abs() < 1e-9, "{name}: {value}, {expected}");
        }
    }
}

#[test]
fn totals_of_thousands_are_the_sums_and_what_was_read_before_is_never_trusted_blindly() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sums = lab(folder.path(), 2000);
    // Times of files that changed just now are not relied on.
    let long_ago = SystemTime::now() - Duration::from_mins(1);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let file = fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let ledger = |more: &[&str]| {
        let arguments = [&["ledger", "--json", argument(folder.path())], more].concat();
        let mut command = ergometer(&arguments);
        let output = checked(0, command.env("XDG_CACHE_HOME", cache.path()));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = ledger(&[]);
    is_as_expected(&first, &sums);
    let (total, rows) = (&first["total"], first["rows"].as_array().unwrap());
    for name in ["runs", "not_finished", "failed", "without_energy"] {
        let count = |row: &Value| row[name].as_u64().unwrap();
        assert!(count(total) > 0 && count(total) == rows.iter().map(count).sum::<u64>(), "{name}");
    }
    let kept =
        fs::read_dir(cache.path().join("ergometer")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(ledger(&[]), first);
    assert_eq!(ledger(&["--without-cache"]), first);

    // Damaged in the middle, cut off, of another version, and gone.
    let good = fs::read(&kept).unwrap();
    let older = older_cache(&text(&good));
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in [
        &flipped[..],
        &good[..good.len() / 3],
        b"ergometer-ledger-cache/3\n",
        older.as_bytes(),
        b"",
    ] {
        fs::write(&kept, bad).unwrap();
        assert_eq!(ledger(&[]), first);
    }
    fs::remove_dir_all(cache.path()).unwrap();
    assert_eq!(ledger(&[]), first);

    // A file that is another now, one that is gone and one that is new.
    let path = |name: &str| folder.path().join(name);
    fs::copy(path("1.json"), path("0.json")).unwrap();
    fs::remove_file(path("2.json")).unwrap();
    let mut new = ergometer::Record::read(path("3.json")).unwrap();
    new.run.id = "new".to_owned();
    new.write(path("new.json")).unwrap();
    assert_eq!(ledger(&[]), ledger(&["--without-cache"]));
    assert_eq!(ledger(&[])["total"]["runs"], 1999, "a copy counts once");
}

/// A cache as the version before this one left it: whole, and with digests that mean something else.
fn older_cache(cache: &str) -> String {
    let (head, lines) = cache.split_once('\n').unwrap();
    let line = |line: &str| {
        let json = line.split_once(' ').unwrap().1.replace("\"joules\":", "\"joules\":7");
        format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes()))
    };
    format!("{}\n", head.replace("cache/3", "cache/2"))
        + &lines.lines().map(line).collect::<String>()
}

#[test]
fn a_cache_that_cannot_be_written_costs_nothing_but_time() {
    let folder = tempfile::tempdir().unwrap();
    let sums = lab(folder.path(), 10);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for cache in [&file, Path::new("relative"), Path::new("")] {
        let mut command = ergometer(&["ledger", "--json", argument(folder.path())]);
        let output = checked(0, command.env("XDG_CACHE_HOME", cache).env_remove("HOME"));
        is_as_expected(&serde_json::from_slice(&output.stdout).unwrap(), &sums);
    }
}

#[test]
fn a_program_that_ended_with_an_error_is_shown_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (code, name) in [("0", "a.json"), ("3", "b.json")] {
        let path = folder.path().join(name);
        let line = format!("exit {code}");
        let arguments = ["run", "--without-probe", "--fixed=node=50", "--quiet", "--record"];
        let arguments = [&arguments[..], &[argument(&path), "--", "sh", "-c", &line]].concat();
        ends_with(code.parse().unwrap(), &arguments);
    }
    let found = json(&["ledger", "--json", argument(folder.path())]);
    let total = &found["total"];
    assert_eq!(
        (&total["runs"], &total["failed"], &total["not_finished"]),
        (&2.into(), &1.into(), &0.into())
    );
    let failed = ergometer::Record::read(folder.path().join("b.json")).unwrap();
    let joules = failed.total.energy.unwrap().joules.get();
    assert!((total["joules_failed"].as_f64().unwrap() - joules).abs() < 1e-9);
    assert!(prints(&["ledger", argument(folder.path())]).contains("failed"));
}

/// The records of a lab with machines in two countries, and one without a price.
pub fn in_two_currencies(folder: &Path) -> [ergometer::Record; 4] {
    let priced = |label: &str, price: &str| meter(label, 50.0).price(price);
    let unpriced = ergometer::Meter::builder().label("nowhere").without_probe();
    let unpriced =
        unpriced.fixed(ergometer::source::DomainKind::Node, ergometer::units::Watts::new(50.0));
    [
        ("a.json", priced("here", "0.31 EUR")),
        ("b.json", priced("here", "0.31 EUR")),
        ("c.json", priced("there", "0.12 USD")),
        ("d.json", unpriced),
    ]
    .map(|(name, builder)| record(folder, name, builder).1)
}

/// The price of a record's electricity.
fn cost(record: &ergometer::Record) -> f64 {
    record.footprint.electricity_cost.unwrap().value.get()
}

#[test]
fn money_is_added_up_in_its_own_currency_and_never_in_two() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c, _] = in_two_currencies(folder.path());
    let found = json(&["ledger", "--json", argument(folder.path())]);
    let close = |sums: &Value, expected: &[(&str, f64)]| {
        assert_eq!(sums.as_object().unwrap().len(), expected.len(), "{sums}");
        for (currency, expected) in expected {
            let sum = sums[currency].as_f64().unwrap();
            assert!((sum / expected - 1.0).abs() < 1e-9, "{sums}: {currency} {expected}");
        }
    };
    let euros = [("EUR", cost(&a) + cost(&b))];
    close(&found["total"]["electricity_cost"], &[euros[0], ("USD", cost(&c))]);
    let of = |label: &str| {
        let mut rows = found["rows"].as_array().unwrap().iter();
        rows.find(|row| row["name"] == label).unwrap()["electricity_cost"].clone()
    };
    close(&of("here"), &euros);
    close(&of("there"), &[("USD", cost(&c))]);
    close(&of("nowhere"), &[]);
    let table = checked(0, ergometer(&["ledger", argument(folder.path())]).env("COLUMNS", "200"));
    let table = text(&table.stdout);
    let row = |label: &str| table.lines().find(|line| line.contains(label)).unwrap().to_owned();
    assert!(row("here").contains(" EUR") && !row("here").contains('$'), "{table}");
    assert!(row("everything").contains(" EUR + $"), "{table}");
    assert!(row("nowhere").contains("n/a"), "{table}");
}

#[test]
fn the_parts_of_a_run_whose_price_changed_its_currency_have_a_sum_each() {
    let folder = tempfile::tempdir().unwrap();
    let first = journal(folder.path(), meter("moved", 50.0).price("0.31 EUR"));
    let resumed = meter("moved", 50.0).price("0.12 USD").resume(&first);
    let (path, whole) = record(folder.path(), "resumed.json", resumed);
    let sums = &json(&["ledger", "--json", argument(folder.path())])["total"]["electricity_cost"];
    let before = whole.earlier[0].footprint.as_ref().unwrap();
    let euros = before.electricity_cost.unwrap().value.get();
    for (currency, expected) in [("EUR", euros), ("USD", cost(&whole))] {
        assert!((sums[currency].as_f64().unwrap() / expected - 1.0).abs() < 1e-9, "{sums}");
    }
    // Of the whole run there is no one figure.
    assert_eq!(whole.whole().footprint.electricity_with_currency(), None);
    let latex = prints(&["report", argument(&path), "--format", "latex"]);
    assert!(latex.contains(" & -- & -- "), "{latex}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_how_to_get_one_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("tables");
    let output = ends_with(2, &["ledger", argument(folder.path()), "--parquet", argument(&tables)]);
    assert!(text(&output.stderr).contains("--features parquet") && !tables.exists());
}

#[test]
fn runs_of_which_nothing_was_read_have_no_sum() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "none.json", ergometer::Meter::builder().label("none").without_probe());
    let found = json(&["ledger", argument(folder.path()), "--json"]);
    let sums = ["joules", "joules_failed", "co2e_g", "cloud_low_usd"];
    for row in [&found["total"], &found["rows"][0]] {
        assert_eq!(row["runs"], 1);
        assert!(sums.iter().all(|sum| row[sum].is_null()), "{row}");
        assert_eq!(row["electricity_cost"], serde_json::json!({}));
    }
    // Energy without boards: nothing was rented.
    record(folder.path(), "some.json", meter("some", 50.0));
    let total = &json(&["ledger", argument(folder.path()), "--json"])["total"];
    assert!(total["joules"].as_f64().unwrap() > 0.0, "{total}");
    assert!(total["cloud_low_usd"].is_null(), "{total}");
}
