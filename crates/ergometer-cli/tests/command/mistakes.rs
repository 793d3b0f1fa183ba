//! What a newcomer gets wrong: each mistake has an exit code, and an error that says what would help.

use std::fs;

use crate::program::{argument, ends_with, text};
use crate::records::{meter, record};

#[test]
fn a_mistake_has_an_exit_code_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| argument(&folder.path().join(name)).to_owned();
    let (good, _) = record(folder.path(), "good.json", meter("one", 50.0));
    let good = argument(&good);
    for (name, content) in [("empty.json", ""), ("bad.json", "{"), ("empty.journal", "")] {
        fs::write(path(name), content).unwrap();
    }
    let (empty, bad, journal, missing, here) =
        (path("empty.json"), path("bad.json"), path("empty.journal"), path("missing"), path(""));
    let cases: [(&[&str], i32, &str); 19] = [
        (&["report", &missing], 2, "give the path of a record"),
        (&["report", &here], 2, "`ergometer ledger`"),
        (&["report", &empty], 2, "the file is empty"),
        (&["report", &bad], 2, "`ergometer run --record`"),
        (&["report", &journal], 2, "the file is empty"),
        (&["report", good, "--output", "/nowhere/a.md"], 2, "a folder that exists"),
        (&["compare", good, &missing], 2, "give the path of a record"),
        (&["merge", good, good], 2, "launcher"),
        (&["merge", &bad], 2, ".json"),
        (&["recover", good], 2, "it needs no recovering"),
        (&["recover", &journal], 2, "the file is empty"),
        (&["resume-info", &missing], 2, "give the path of a record"),
        (&["ledger", &missing], 2, "give the folder"),
        (&["ledger", good], 2, "`ergometer report` the file"),
        (&["footprint"], 2, "--kwh E"),
        (&["footprint", "--watts", "-5", "--hours", "1"], 2, "0 or more"),
        (&["regions", "zzz"], 2, "give an ISO country code"),
        (&["doctor", "--require", "tpu"], 2, "possible values"),
        // Another code would be taken for that of the program.
        (&["run", "--fixed=foo=1", "--", "true"], 125, "expected one of gpu"),
    ];
    for (arguments, code, remedy) in cases {
        let output = ends_with(code, arguments);
        let error = text(&output.stderr);
        assert!(error.starts_with("error: ") && error.contains(remedy), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    ends_with(125, &["run"]);
    ends_with(0, &["run", "--help"]);
    ends_with(2, &[]);
}
