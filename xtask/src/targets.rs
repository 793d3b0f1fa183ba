//! `cargo xtask targets`: the library compiles, without a warning, for every system that Burn trains on.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stop::{Doing, Stop};
use crate::workspace;

/// Check the library for other systems: Windows, macOS, Linux on ARM, WebAssembly
///
/// Targets that are not installed are added with rustup. Where that is not possible, they are named and left out.
#[derive(Debug, clap::Args)]
pub struct Targets {}

/// A target, and the features of the library that are checked for it.
struct Target {
    triple: &'static str,
    features: &'static [&'static str],
}

const TARGETS: [Target; 4] = [
    Target { triple: "x86_64-pc-windows-gnu", features: &["--all-features"] },
    Target { triple: "aarch64-apple-darwin", features: &["--all-features"] },
    Target { triple: "aarch64-unknown-linux-gnu", features: &["--all-features"] },
    // Opening a driver's library, sockets and signals need a system.
    Target { triple: "wasm32-unknown-unknown", features: &["--no-default-features"] },
];

const PACKAGES: [&str; 6] =
    ["--package", "ergometer", "--package", "ergometer-macros", "--package", "ergometer-stats"];

impl Targets {
    /// Checks each target that is installed or can be; stops at the first that fails.
    #[expect(clippy::unused_self, reason = "every task is run the same way")]
    pub fn run(&self) -> Result<(), Stop> {
        let installed = installed_in()?;
        let mut left_out = Vec::new();
        for Target { triple, features } in &TARGETS {
            if !installed.join(triple).is_dir()
                && let Err(why) = add(triple)
            {
                left_out.push(format!("{triple} ({why})"));
                continue;
            }
            let mut cargo = workspace::cargo();
            cargo.args(["clippy", "--locked", "--target", triple]);
            cargo.args(PACKAGES).args(*features).args(["--", "--deny", "warnings"]);
            workspace::timed(&mut cargo)?;
        }
        if !left_out.is_empty() {
            eprintln!("==> not checked: {}", left_out.join(", "));
        }
        Ok(())
    }
}

/// The folder with a folder for each installed target.
fn installed_in() -> Result<PathBuf, Stop> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(workspace::root())
        .output()
        .doing("run `rustc --print sysroot`")?;
    let sysroot = String::from_utf8(output.stdout).doing("understand the path of the sysroot")?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib"))
}

/// Installs a target; the error is the reason why that is not possible, in a line.
fn add(triple: &str) -> Result<(), String> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", triple]).current_dir(workspace::root());
    let output = rustup.output().map_err(|error| format!("rustup cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rfind(|line| line.starts_with("error")).unwrap_or("rustup failed");
    Err(line.trim_start_matches("error: ").to_owned())
}
