//! What a build has made, and where it lies.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::stop::{Doing, Stop};
use crate::workspace;

/// Runs a build and gives what `artifact` finds in the lines of cargo's messages.
pub fn built<T>(mut cargo: Command, artifact: fn(&str) -> Option<T>) -> Result<Vec<T>, Stop> {
    let line = workspace::typed(&cargo);
    eprintln!("==> {line}");
    // Cargo names what it has built; where that lies depends on the user's settings.
    cargo.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let mut child = cargo.spawn().doing(format!("run `{line}`"))?;
    let mut built = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for message in BufReader::new(stdout).lines() {
            built.extend(artifact(&message.doing(format!("read the output of `{line}`"))?));
        }
    }
    let status = child.wait().doing(format!("wait for `{line}`"))?;
    if !status.success() {
        return Err(Stop::failed(format!("`{line}` failed: {status}")));
    }
    Ok(built)
}

/// Name and path of the program that a line of cargo's messages announces.
pub fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_announces_programs_and_much_else() {
        let program = r#"{"reason":"compiler-artifact","target":{"name":"elmo","kind":["bin"]},
            "executable":"/w/target/release/elmo","fresh":true}"#;
        assert_eq!(
            executable(program),
            Some(("elmo".to_owned(), PathBuf::from("/w/target/release/elmo")))
        );
        let library =
            r#"{"reason":"compiler-artifact","target":{"name":"burn"},"executable":null}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable("   Compiling burn v0.22.1"), None);
    }
}
