//! `tests/README.md` against the source tree: every case has its tests, and they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Rust files below a folder, with their text, in the order of their names.
pub fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// A row of the table: the case, and the tests that it names.
fn rows() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| case"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [case, expected, tests] = cells[..] else { panic!("not three cells: {line}") };
        assert!(!case.is_empty() && !expected.is_empty(), "{line}");
        // What stands between backticks.
        let named = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(tests.contains("not yet"), !tests.contains('`'), "{line}");
        (case.to_owned(), named)
    })
    .collect()
}

/// The tests of a package, by their path in its binary: `module::test`, behind `prefix`.
fn tests_of(folder: &str, prefix: &str) -> BTreeSet<String> {
    let folder = root().join(folder);
    let mut tests = BTreeSet::new();
    for (path, text) in sources(&folder) {
        let module = path.strip_prefix(&folder).unwrap().with_extension("");
        let mut parts: Vec<_> = module.iter().map(|part| part.to_str().unwrap()).collect();
        parts.pop_if(|last| matches!(*last, "main" | "lib" | "mod"));
        // A test within a file of code is in its `tests`.
        if text.contains("\nmod tests {") {
            parts.push("tests");
        }
        let mut marked = false;
        for line in text.lines().map(str::trim_start) {
            if line == "#[test]" {
                marked = true;
            } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| marked) {
                let (name, _) = rest.split_once('(').unwrap();
                tests.insert(format!("{prefix}{}::{name}", parts.join("::")));
                marked = false;
            }
        }
    }
    tests
}

#[test]
fn every_case_names_tests_that_exist() {
    let mut tests = tests_of("tests/tests/it", "");
    tests.extend(tests_of("crates/ergometer/src", "ergometer::"));
    tests.extend(tests_of("crates/ergometer-burn/src", "ergometer_burn::"));
    tests.extend(tests_of("crates/ergometer-burn/tests/learner", "learner::"));
    tests.extend(tests_of("crates/ergometer-page/src", "ergometer_page::"));
    tests.extend(tests_of("crates/ergometer-stats/src", "ergometer_stats::"));
    tests.extend(tests_of("crates/ergometer-cli/src", "ergometer_cli::"));
    tests.extend(tests_of("crates/ergometer-cli/tests/command", "command::"));
    for example in ["harness", "transformer", "elmo", "bert", "gpt2", "search"] {
        let folders = ["src", "tests"].map(|folder| format!("examples/{example}/{folder}"));
        // Not every example has tests of its own.
        for folder in folders.iter().filter(|folder| root().join(folder).is_dir()) {
            tests.extend(tests_of(folder, &format!("{example}::")));
        }
    }
    tests.extend(tests_of("xtask/src", "xtask::"));
    let rows = rows();
    assert!(rows.len() > 40, "{} rows", rows.len());
    for (case, named) in &rows {
        for test in named {
            let exists = tests.contains(test)
                || (test.contains('/') && root().join("tests").join(test).is_file());
            assert!(exists, "{case}: there is no test `{test}`");
        }
    }
    let waiting = rows.iter().filter(|(_, named)| named.is_empty());
    let waiting: Vec<_> = waiting.map(|(case, _)| case.as_str()).collect();
    assert_eq!(waiting, [""; 0], "cases without a test");
}

/// What [`every_case_names_tests_that_exist`] looks through holds what cargo runs.
#[test]
fn tests_are_found_in_files_and_in_modules_of_tests() {
    let found = tests_of("tests/tests/it", "");
    for test in ["cases::every_case_names_tests_that_exist", "macros::accepts_and_rejects"] {
        assert!(found.contains(test), "{test}");
    }
    let found = tests_of("crates/ergometer/src", "ergometer::");
    for test in [
        "ergometer::timeline::tests::conservation_and_monotonicity",
        "ergometer::source::counter::tests::two_kilowatts_are_possible_and_three_are_not",
    ] {
        assert!(found.contains(test), "{test}");
    }
    assert!(!found.contains("ergometer::source::counter::tests::follow"));
}
