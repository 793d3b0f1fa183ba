//! `--simulate`: GPUs that are not there, to try the benchmark out without any.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use serde_json::Value;

use super::choices::word;
use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};

/// Most boards that a machine is simulated with.
const MOST: u32 = 16;

/// What is said of energies that are made up.
pub fn notice(boards: &str) -> String {
    format!(
        "SIMULATED: the GPU energies below are made up (--simulate {boards}), no GPU was metered; \
         DO NOT PUBLISH them"
    )
}

/// Boards to simulate: a generation, and how many of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    generation: Generation,
    boards: u32,
}

/// A generation that the simulated library knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Generation {
    H100,
    A100,
    V100,
    Rtx,
    Pascal,
}

impl FromStr for Simulation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `rtx` ends with the letter that a number of boards follows.
        let (name, boards) = match text.rsplit_once('x') {
            Some((name, count)) if !count.is_empty() => (name, count.parse().ok()),
            _ => (text, Some(1)),
        };
        let boards = boards
            .filter(|boards| (1..=MOST).contains(boards))
            .ok_or_else(|| format!("the number of boards is not one of 1 to {MOST}"))?;
        let generation = Generation::from_str(name, false).map_err(|_| {
            let known: Vec<_> =
                Generation::value_variants().iter().map(|known| word(*known)).collect();
            format!("unknown board '{name}'; expected one of {}", known.join(", "))
        })?;
        Ok(Self { generation, boards })
    }
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(self.generation))?;
        if self.boards > 1 { write!(f, "x{}", self.boards) } else { Ok(()) }
    }
}

impl Simulation {
    /// Builds the simulated library and puts it with its settings into a folder under `out`.
    pub fn library(self, out: &Path) -> Result<PathBuf, Stop> {
        let library = self.install(&build()?, out)?;
        eprintln!("{}", notice(&self.to_string()));
        Ok(library)
    }

    /// Copies the library at `built`, and gives the copy's path.
    fn install(self, built: &Path, out: &Path) -> Result<PathBuf, Stop> {
        let folder = std::path::absolute(out.join("simulated-nvml"))
            .doing(format!("find the folder {}", out.display()))?;
        std::fs::create_dir_all(&folder)
            .doing(format!("create the folder {}", folder.display()))?;
        let library = folder.join("libnvidia-ml.so.1");
        std::fs::copy(built, &library).doing(format!("write {}", library.display()))?;
        let settings = folder.join("libnvidia-ml.so.1.conf");
        std::fs::write(&settings, self.settings())
            .doing(format!("write {}", settings.display()))?;
        Ok(library)
    }

    /// The settings of the simulated library. The boards' name gets into every record, so that
    /// none passes for a measured one.
    fn settings(self) -> String {
        let (name, low, high) = match self.generation {
            Generation::H100 => ("H100", 100, 600),
            Generation::A100 => ("A100", 60, 350),
            Generation::V100 => ("V100", 40, 260),
            Generation::Rtx => ("GeForce RTX 3090", 30, 330),
            Generation::Pascal => ("P100", 30, 260),
        };
        format!(
            "generation={}\nname=Simulated {name}\nboards={}\ncurve=square:{low}:{high}:730ms\n",
            word(self.generation),
            self.boards
        )
    }
}

/// Builds the simulated library and says where it is.
pub fn build() -> Result<PathBuf, Stop> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--release", "--package", "nvml-sim"]);
    let line = workspace::typed(&cargo);
    let mut built = artifacts::built(cargo, library)?;
    built.pop().ok_or_else(|| Stop::failed(format!("`{line}` built no library")))
}

/// The path of the loadable library that a line of cargo's messages announces.
fn library(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message.get("target")?.get("name")? != "nvml_sim" {
        return None;
    }
    let files = message.get("filenames")?.as_array()?.iter().filter_map(Value::as_str);
    files.map(PathBuf::from).find(|path| path.extension().is_some_and(|end| end == "so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_a_generation_and_a_number() {
        for (text, generation, boards) in [
            ("h100", Generation::H100, 1),
            ("h100x4", Generation::H100, 4),
            ("rtx", Generation::Rtx, 1),
            ("rtxx2", Generation::Rtx, 2),
            ("pascalx16", Generation::Pascal, 16),
        ] {
            let parsed: Simulation = text.parse().unwrap();
            assert_eq!(parsed, Simulation { generation, boards }, "{text}");
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_board_is_said() {
        for (text, said) in [
            ("z80", "unknown board 'z80'; expected one of h100, a100, v100, rtx, pascal"),
            ("", "unknown board ''"),
            ("h100x0", "1 to 16"),
            ("h100x17", "1 to 16"),
            ("h100xx", "unknown board 'h100xx'"),
            ("h100x-1", "1 to 16"),
        ] {
            let error = text.parse::<Simulation>().unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn cargo_announces_the_library() {
        let message = r#"{"target":{"name":"nvml_sim"},
            "filenames":["/t/libnvml_sim.so","/t/libnvml_sim.rlib"]}"#;
        assert_eq!(library(message), Some(PathBuf::from("/t/libnvml_sim.so")));
        assert_eq!(library(&message.replace("nvml_sim\"}", "libc\"}")), None);
        assert_eq!(library("   Compiling nvml-sim v0.1.0"), None);
    }

    #[test]
    fn the_copy_has_its_settings_beside_it() {
        let out = tempfile::tempdir().unwrap();
        let built = out.path().join("built.so");
        std::fs::write(&built, "a library").unwrap();
        let simulation: Simulation = "a100x2".parse().unwrap();
        let library = simulation.install(&built, out.path()).unwrap();
        assert_eq!(library, out.path().join("simulated-nvml/libnvidia-ml.so.1"));
        assert_eq!(std::fs::read_to_string(&library).unwrap(), "a library");
        let settings = std::fs::read_to_string(library.with_extension("1.conf")).unwrap();
        for line in ["generation=a100", "boards=2", "name=Simulated A100"] {
            assert!(settings.lines().any(|known| known == line), "{settings}");
        }
    }
}
