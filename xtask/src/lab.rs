//! The records of a lab that never was: thousands, made of one real run.

use std::path::{Path, PathBuf};
use std::process::Command;

use ergometer::Record;
use ergometer::units::Joules;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::stop::{Doing, Stop};
use crate::{artifacts, workspace};

/// The command and a small training, built.
pub struct Programs {
    pub ergometer: PathBuf,
    training: PathBuf,
}

impl Programs {
    pub fn build() -> Result<Self, Stop> {
        let mut cargo = workspace::cargo();
        cargo.args(["build", "--release", "--locked"]);
        cargo.args(["--package", "ergometer-cli", "--features", "ergometer-cli/parquet"]);
        cargo.args(["--package", "plain-loop"]);
        let built = artifacts::built(cargo, artifacts::executable)?;
        let find = |wanted: &str| {
            let found = built.iter().find(|(name, _)| name == wanted);
            found
                .map(|(_, path)| path.clone())
                .ok_or_else(|| Stop::failed(format!("cargo built no program called {wanted}")))
        };
        Ok(Self { ergometer: find("ergometer")?, training: find("plain-loop")? })
    }

    /// The record of `ergometer run` of the training, with its epochs, steps and spans.
    fn record(&self, folder: &Path) -> Result<Record, Stop> {
        let path = folder.join("first.json");
        let mut command = Command::new(&self.ergometer);
        command.args(["run", "--without-probe", "--fixed=node=50", "--quiet", "--record"]);
        command.arg(&path).arg("--").arg(&self.training);
        output(&mut command)?;
        let record = Record::read(&path).doing(format!("read {}", path.display()))?;
        std::fs::remove_file(&path).doing(format!("remove {}", path.display()))?;
        Ok(record)
    }

    /// Writes `count` records to `folder`: of a year, five labels and seven machines, with some that failed or were
    /// killed. Returns the bytes of each.
    pub fn records(&self, folder: &Path, count: u32) -> Result<u64, Stop> {
        let mut record = self.record(folder)?;
        let mut random = StdRng::seed_from_u64(1);
        let mut bytes = 0;
        for number in 0..count {
            let (month, day) = (random.random_range(1..=12), random.random_range(1..=28));
            record.run.id = format!("{number}-1");
            record.run.label = format!("model-{}", random.random_range(0..5));
            record.run.started = format!("2026-{month:02}-{day:02}T10:00:00Z");
            record.run.seconds = random.random_range(10.0..100_000.0);
            record.run.finished = random.random_range(0..10) > 0;
            record.run.exit_code = Some(u8::from(random.random_range(0..10) == 0));
            record.machine.host = Some(format!("node-{}", random.random_range(0..7)));
            if let Some(energy) = &mut record.total.energy {
                energy.joules = Joules::new(random.random_range(1e3..1e8));
            }
            let path = folder.join(format!("{number}.json"));
            let text = record.to_json().doing("write a record as JSON")?;
            bytes += text.len() as u64;
            std::fs::write(&path, text).doing(format!("write {}", path.display()))?;
        }
        Ok(bytes / u64::from(count.max(1)))
    }
}

/// What a command prints to stdout, if it ends with 0.
pub fn output(command: &mut Command) -> Result<String, Stop> {
    let line = workspace::typed(command);
    let output = command.output().doing(format!("run `{line}`"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Stop::failed(format!("`{line}` failed: {}\n{errors}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
