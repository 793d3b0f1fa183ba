//! Versions of what the models were built with.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::git::git;
use crate::workspace;

/// What the models were built with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// `rustc --version`.
    pub rustc: Option<String>,
    /// Version of the `ergometer` library.
    pub ergometer: Option<String>,
    /// Version of Burn.
    pub burn: Option<String>,
    /// Commit of the work tree.
    pub git_commit: Option<String>,
    /// Whether tracked files differ from that commit.
    pub git_modified: Option<bool>,
}

/// Reads the versions; what cannot be read is absent.
pub fn read() -> Software {
    let root = workspace::root();
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Software {
        rustc: first_line(Command::new(rustc).arg("--version").current_dir(&root)),
        ergometer: locked_version(&lock, "ergometer"),
        burn: locked_version(&lock, "burn"),
        git_commit: first_line(&mut git(&root, &["rev-parse", "HEAD"])),
        git_modified: git(&root, &["status", "--porcelain", "--untracked-files=no"])
            .output()
            .ok()
            .filter(|output| output.status.success())
            .map(|output| !output.stdout.is_empty()),
    }
}

/// The first line a command prints, if it succeeds and prints one.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// The version of `package` in the text of a `Cargo.lock`.
fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"burn-core\"\nversion = \"0.22.0\"\n\n\
            [[package]]\nname = \"burn\"\nversion = \"0.22.1\"\nsource = \"registry\"\n";
        assert_eq!(locked_version(lock, "burn").as_deref(), Some("0.22.1"));
        assert_eq!(locked_version(lock, "bur"), None);
        assert_eq!(locked_version("name = \"burn\"", "burn"), None);
    }
}
