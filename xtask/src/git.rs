//! Git, as the tasks call it.

use std::path::Path;
use std::process::{Command, Stdio};

/// Git in the repository at `root`; it waits for no input.
pub fn git(root: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(root).stdin(Stdio::null());
    git
}

/// What git prints in a repository of a test, with an author for its commits.
#[cfg(test)]
pub fn printed(root: &Path, arguments: &[&str]) -> String {
    let author = ["-c", "user.name=a", "-c", "user.email=a@b"];
    let output = git(root, &[&author, arguments].concat()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
