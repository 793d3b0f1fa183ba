//! `regions`, `sources`, `completions`, `man`, and what holds for every command.

use std::io::Read as _;
use std::process::Stdio;

use crate::program::{argument, checked, ends_with, ergometer, json, prints, text};

#[test]
fn regions_are_searched_by_code_and_name() {
    let found = json(&["regions", "germany", "--json"]);
    let codes: Vec<&str> =
        found.as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect();
    assert!(
        codes.contains(&"DE") && codes.iter().any(|code| code.starts_with("aws:")),
        "{codes:?}"
    );
    assert_eq!(json(&["regions", "europe-west3", "--json"])[0]["code"], "gcp:europe-west3");
    // A name that is in no column, and one that is spelt wrong.
    assert_eq!(json(&["regions", "deu", "--json"])[0]["code"], "DE");
    assert!(text(&ends_with(2, &["regions", "Germny"]).stderr).contains("DE (Germany)"));
    let all = prints(&["regions"]);
    for part in ["WORLD", "US-CAMX", "Our World in Data", "g CO2e/kWh"] {
        assert!(all.contains(part), "{part}");
    }
}

#[test]
fn prices_are_searched_by_place_and_accelerator() {
    let found = json(&["prices", "germany", "--json"]);
    let prices = found["electricity"].as_array().unwrap();
    assert!(prices.len() == 2 && prices.iter().all(|price| price["currency"] == "EUR"), "{found}");
    let found = json(&["prices", "h100", "--json"]);
    assert_eq!(found["electricity"].as_array().unwrap().len(), 0);
    let quotes = found["accelerators"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| one["quotes"].as_array().unwrap());
    assert!(
        quotes.clone().count() > 6 && quotes.clone().all(|quote| quote["date"].is_string()),
        "{found}"
    );
    assert_eq!(json(&["prices", "deu", "--json"])["electricity"][0]["place"], "DE");
    assert!(text(&ends_with(2, &["prices", "switzerland"]).stderr).contains("LU (Luxembourg)"));
    assert!(prints(&["prices", "de"]).contains("Eurostat"));
}

#[test]
fn every_constant_has_a_year_and_a_source() {
    let all = json(&["sources", "--json"]);
    let all = all.as_array().unwrap();
    assert!(all.len() > 15, "{all:?}");
    for constant in all {
        let years = constant["years"].as_str().unwrap();
        assert!(years.starts_with("20"), "{constant}");
        assert!(constant["source"].as_str().unwrap().len() > 5, "{constant}");
    }
    assert!(prints(&["sources"]).contains("Ascierto"));
}

#[test]
fn the_papers_tables_follow_from_their_inputs() {
    let printed = prints(&["paper"]);
    for part in ["Table 1", "Table 2", "Table 3", "Table 4", "626 155", "$1.35 an hour"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let tables = json(&["paper", "--json"]);
    assert_eq!(tables[1]["table"], 3);
    assert!(tables[1]["figures"].as_array().unwrap().len() > 20);
}

#[test]
fn shells_and_man_have_every_command() {
    let commands = [
        "doctor",
        "run",
        "report",
        "calibrate",
        "compare",
        "recover",
        "merge",
        "resume-info",
        "ledger",
        "footprint",
        "paper",
        "regions",
        "prices",
        "sources",
    ];
    for shell in ["bash", "zsh", "fish"] {
        let script = prints(&["completions", shell]);
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
    }
    assert!(prints(&["man"]).contains("Exit codes"));
    let folder = tempfile::tempdir().unwrap();
    prints(&["man", "--output", argument(folder.path())]);
    for command in commands {
        let page = folder.path().join(format!("ergometer-{command}.1"));
        assert!(page.is_file(), "{command}");
    }
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    let mut child =
        ergometer(&["regions"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn no_table_is_wider_than_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let [record, other] = ["a.json", "b.json"].map(|name| folder.path().join(name));
    for path in [&record, &other] {
        let label = "a label that is longer than a column of a narrow terminal should be";
        let arguments = ["run", "--quiet", "--label", label, "--fixed", "gpu=312.5"];
        let more = ["--record", argument(path), "--journal", argument(folder.path()), "--", "true"];
        prints(&[&arguments[..], &more].concat());
    }
    let (record, other) = (argument(&record), argument(&other));
    let folder = argument(folder.path());
    let commands: [&[&str]; 10] = [
        &["report", record],
        &["compare", record, other],
        &["ledger", folder],
        &["resume-info", folder],
        &["footprint", "--watts", "1515.43", "--hours", "84", "--gpus", "8xP100"],
        &["regions"],
        &["sources"],
        &["paper"],
        &["doctor", "--seconds", "0.1"],
        &["doctor", "--seconds", "0.1", "--fixed", "gpu=312.5"],
    ];
    for width in [60, 80, 120, 200] {
        for arguments in commands {
            let mut command = ergometer(arguments);
            let output = checked(0, command.env("COLUMNS", width.to_string()));
            let printed = text(&output.stdout);
            for line in printed.lines() {
                assert!(line.chars().count() <= width, "{width}, {arguments:?}: {line}\n{printed}");
            }
        }
    }
}
