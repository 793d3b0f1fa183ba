//! The built program.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// `ergometer` with these arguments, on a machine without any hardware to read.
pub fn ergometer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ergometer"));
    command.args(arguments).stdin(Stdio::null());
    // The variables of the machine that runs the tests are not those of the test.
    for name in [
        "ERGOMETER",
        "ERGOMETER_CPU_POWER",
        "ERGOMETER_JOURNAL",
        "ERGOMETER_LABEL",
        "ERGOMETER_NVML_LIBRARY",
        "ERGOMETER_OUTPUT",
        "ERGOMETER_PARENT",
        "ERGOMETER_PROCESSORS",
        "ERGOMETER_PUE",
        "ERGOMETER_REGION",
        "CUDA_VISIBLE_DEVICES",
        "NO_COLOR",
    ] {
        command.env_remove(name);
    }
    // What is kept from one test to the next is that of its own folder.
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.env("ERGOMETER_SYSFS_ROOT", "/nowhere").env("ERGOMETER_PROC_ROOT", "/nowhere");
    command
}

/// Its output, which has to end with `code`.
pub fn ends_with(code: i32, arguments: &[&str]) -> Output {
    checked(code, &mut ergometer(arguments))
}

/// The output of a command that has to end with `code`.
pub fn checked(code: i32, command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{stdout}\n{stderr}");
    output
}

/// What it prints to stdout, with exit code 0.
pub fn prints(arguments: &[&str]) -> String {
    text(&ends_with(0, arguments).stdout)
}

/// The same as JSON.
pub fn json(arguments: &[&str]) -> serde_json::Value {
    let printed = prints(arguments);
    serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{printed}"))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path as an argument.
pub fn argument(path: &Path) -> &str {
    path.to_str().expect("a temporary path in UTF-8")
}

/// Waits until `ready` gives something, for a minute at most.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come about within a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}
