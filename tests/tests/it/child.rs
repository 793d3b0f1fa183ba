//! A test in a process of its own: as another user, in another environment, without a network.
//!
//! A process has one user, one environment and one installed meter, which the tests of this binary
//! share. A test that needs its own starts this binary once more for itself alone.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::{env, fs};

/// Set in the process that a test was started anew in.
const MARK: &str = "ERGOMETER_TEST_CHILD";

/// User and group of nobody, who owns nothing.
const NOBODY: u32 = 65_534;

/// Whether this process was started for one test.
pub fn is_one() -> bool {
    env::var_os(MARK).is_some()
}

/// This binary for `test` alone, started by a `launcher` (`unshare …`) if there is one.
pub fn of(test: &str, launcher: &[&str]) -> Command {
    let this = env::current_exe().unwrap();
    let mut words = launcher.iter().map(OsStr::new).chain([this.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args([test, "--exact", "--nocapture"]);
    command.env(MARK, "1").stdin(Stdio::null());
    command
}

/// `program` with the signals that end a program by default: what runs the tests may ignore some, as a shell
/// does in the background, and a meter leaves what is ignored as it is.
pub fn with_default_signals(program: &str) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", "--default-signal=TERM", program]);
    command
}

/// Runs the test of a child, and holds it to it.
pub fn passes(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{command:?}: {}\n{said}{errors}", output.status);
}

/// Where this process is root's, runs `test` as nobody and says so; else it is to be done here.
pub fn passed_as_nobody(test: &str) -> bool {
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() != 0) {
        return false;
    }
    assert!(!is_one(), "still root");
    // Nobody may not look into the folder that this binary was built in.
    let folder = tempfile::tempdir().unwrap();
    let allow = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), allow).unwrap();
    let copy = folder.path().join("it");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    let mut command = Command::new(&copy);
    command.args([test, "--exact", "--nocapture"]).env(MARK, "1").stdin(Stdio::null());
    passes(command.uid(NOBODY).gid(NOBODY).current_dir("/"));
    true
}
