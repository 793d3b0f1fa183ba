//! The models' programs: building, probing and running them.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ergometer::Record;
use ergometer::source::SourceReport;

use super::choices::{Backend, Model, Profile, word};
use super::peak::Peak;
use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};

/// Why a run gave no record.
#[derive(Debug)]
pub enum Failure {
    /// The program rejected its input and has said why on standard error.
    WrongInput,
    /// Anything else.
    Other(String),
}

/// Builds the programs of `models` in one go and returns their paths, in the same order: of the present tree, or of
/// another one, whose dependencies are shared with the present one's. The programs have all of `backends`, and choose
/// one when they run.
pub fn build(
    models: &[Model],
    backends: &[Backend],
    profile: Profile,
    tree: Option<&Path>,
) -> Result<Vec<(Model, PathBuf)>, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--profile", &word(profile)]);
    if let Some(tree) = tree {
        cargo.current_dir(tree).arg("--target-dir").arg(workspace::target_folder()?);
    }
    for &model in models {
        cargo.args(["--package", &word(model)]);
        for backend in backends.iter().filter(|backend| **backend != Backend::Flex) {
            cargo.args(["--features", &format!("{}/{}", word(model), word(*backend))]);
        }
    }
    let line = workspace::typed(&cargo);
    let built = artifacts::built(cargo, artifacts::executable)?;
    models
        .iter()
        .map(|&model| {
            let program = built.iter().find(|(name, _)| *name == word(model));
            program.map(|(_, path)| (model, path.clone())).ok_or_else(|| {
                Stop::failed(format!("`{line}` built no program called {}", word(model)))
            })
        })
        .collect()
}

/// A model's program, told to read the NVML library `nvml` instead of the system's.
fn command(program: &Path, nvml: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command.envs(nvml.map(|library| ("ERGOMETER_NVML_LIBRARY", library)));
    command
}

/// Asks a model's program which power sources it finds.
pub fn probe(program: &Path, nvml: Option<&Path>) -> Result<Vec<SourceReport>, Stop> {
    let line = format!("{} --probe", program.display());
    let output = command(program, nvml)
        .arg("--probe")
        .stderr(Stdio::inherit())
        .output()
        .doing(format!("run `{line}`"))?;
    if !output.status.success() {
        return Err(Stop::failed(format!("`{line}` failed: {}", output.status)));
    }
    serde_json::from_slice(&output.stdout).doing(format!("understand the output of `{line}`"))
}

/// The machine's own peak; `None` where the program cannot tell.
pub fn peak(program: &Path, backend: &str, device: usize) -> Option<Peak> {
    let mut peak = Command::new(program);
    peak.args(["--peak", "--backend", backend, "--device", &device.to_string()]);
    let output = peak.stderr(Stdio::null()).output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

/// Trains a model: progress passes through, what it prints goes to `log`, its record to `record`.
pub fn train(
    program: &Path,
    nvml: Option<&Path>,
    arguments: &[OsString],
    record: &Path,
    log: &Path,
) -> Result<Record, Failure> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let failed = |what: String| Failure::Other(format!("{name}: {what}"));
    // A record of an earlier run must not pass for this one's.
    if let Err(error) = std::fs::remove_file(record)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(failed(format!("cannot replace {}: {error}", record.display())));
    }
    let output = File::create(log)
        .map_err(|error| failed(format!("cannot create {}: {error}", log.display())))?;
    let status = command(program, nvml)
        .args(arguments)
        .arg("--record")
        .arg(record)
        .stdin(Stdio::null())
        .stdout(output)
        .status()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    match status.code() {
        Some(0) => read_record(record).map_err(failed),
        Some(2) => Err(Failure::WrongInput),
        _ => Err(failed(format!("failed: {status}; its output is in {}", log.display()))),
    }
}

fn read_record(path: &Path) -> Result<Record, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("wrote no record {}: {error}", path.display()))?;
    Record::from_json(&text)
        .map_err(|error| format!("wrote a record {} that cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a shell script in place of a model; it has the record's path as `$1`.
    #[cfg(unix)]
    fn run(folder: &Path, script: &str) -> Result<Record, Failure> {
        let arguments = ["-c", script].map(OsString::from);
        let (record, log) = (folder.join("run.json"), folder.join("run.log"));
        train(Path::new("/bin/sh"), Some(Path::new("/sim.so")), &arguments, &record, &log)
    }

    #[cfg(unix)]
    #[test]
    fn the_program_is_told_of_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = run(folder.path(), "echo $ERGOMETER_NVML_LIBRARY; exit 1");
        assert!(matches!(outcome, Err(Failure::Other(_))));
        let log = std::fs::read_to_string(folder.path().join("run.log")).unwrap();
        assert_eq!(log, "/sim.so\n");
    }

    #[cfg(unix)]
    #[test]
    fn exit_code_2_is_the_users_mistake_and_any_other_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(run(folder.path(), "exit 2"), Err(Failure::WrongInput)));
        let Err(Failure::Other(message)) = run(folder.path(), "echo so far; exit 101") else {
            panic!("a failed program gave a record")
        };
        assert!(message.contains("101") && message.contains("run.log"), "{message}");
        assert_eq!(std::fs::read_to_string(folder.path().join("run.log")).unwrap(), "so far\n");
    }

    #[cfg(unix)]
    #[test]
    fn only_a_record_that_this_run_wrote_counts() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("run.json"), "{}").unwrap();
        for (script, complaint) in
            [("exit 0", "wrote no record"), (r#"echo {} >"$1""#, "cannot be read")]
        {
            let Err(Failure::Other(message)) = run(folder.path(), script) else {
                panic!("`{script}` gave a record")
            };
            assert!(message.contains(complaint), "{message}");
        }
    }
}
