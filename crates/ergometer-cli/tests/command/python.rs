//! Readers that are Python packages: a test says so where one is missing. `ERGOMETER_PYTHON` names another interpreter
//! than `python3`.

use std::process::Command;

use crate::program::text;

/// The output of a Python program that has `module`; `None`, with a line on stderr, where it is missing.
pub fn python(module: &str, program: &str, arguments: &[&str]) -> Option<String> {
    let python = std::env::var("ERGOMETER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("not checked by its reader: {python} has no `{module}`");
        return None;
    }
    let output = Command::new(&python).args(["-c", program]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    Some(text(&output.stdout))
}
