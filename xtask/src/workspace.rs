//! Where the workspace is, and the cargo that runs this program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::stop::{Doing, Stop};

/// The root of the workspace.
pub fn root() -> PathBuf {
    // At run time cargo names the package's present folder; the built-in path is for a binary that
    // is started by hand.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map(Path::to_path_buf).unwrap_or(package)
}

/// The folder that cargo builds the workspace in.
pub fn target_folder() -> Result<PathBuf, Stop> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--locked", "--no-deps", "--format-version", "1"]);
    let output = metadata.output().doing("run `cargo metadata`")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .doing("understand the output of `cargo metadata`")?;
    let folder = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    folder.map(PathBuf::from).ok_or_else(|| Stop::failed("`cargo metadata` names no target folder"))
}

/// A cargo command at the root of the workspace, of the toolchain that runs this program.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// A command as one would type it.
pub fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .map_or_else(Default::default, |name| name.to_string_lossy().into_owned());
    command.get_args().fold(program, |line, argument| {
        let argument = argument.to_string_lossy();
        if argument.contains(' ') {
            format!("{line} '{argument}'")
        } else {
            format!("{line} {argument}")
        }
    })
}

/// Runs a command, printing the command and how long it took.
pub fn timed(command: &mut Command) -> Result<(), Stop> {
    let line = typed(command);
    eprintln!("==> {line}");
    let start = Instant::now();
    let status = command.status().doing(format!("run `{line}`"))?;
    if status.success() {
        eprintln!("==> {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    } else {
        Err(Stop::failed(format!("`{line}` failed: {status}")))
    }
}
