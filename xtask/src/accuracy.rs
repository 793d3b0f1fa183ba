//! `cargo xtask accuracy`: how far the numbers are off, written to `docs/accuracy.md`.

mod busy;
mod forecasts;
mod model;
mod phases;
mod section;

use std::path::PathBuf;

use crate::bench_models::simulate;
use crate::stop::{Doing, Stop};
use crate::workspace;

/// Hold the meter against simulated boards whose energy is known exactly, the CPU model against
/// machines it was not fitted to, and forecasts against what runs came to
///
/// It takes twenty minutes and wants the machine for itself.
#[derive(Debug, clap::Args)]
pub struct Accuracy {
    /// Seed of the windows and of the boards' phases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of the metered run
    #[arg(long, default_value_t = 90, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(10..=100))]
    seconds: u32,
    /// Windows of each length
    #[arg(long, default_value_t = 400, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    windows: u32,
    /// Play the phases of a step only, on a scripted clock, and put their section into the page that is there
    #[arg(long)]
    phases: bool,
    /// Meter boards beside busy threads only, and put their section into the page that is there
    #[arg(long)]
    busy: bool,
    /// Try the model of the CPU only, and put its section into the page that is there
    #[arg(long)]
    model: bool,
    /// Length of each run of eight boards; there are five, four of them beside busy threads
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(20..=100))]
    busy_seconds: u32,
    /// Where the page goes
    #[arg(long, default_value = "docs/accuracy.md", value_name = "FILE")]
    out: PathBuf,
}

impl Accuracy {
    /// Runs the comparison and writes the page.
    pub fn run(&self) -> Result<(), Stop> {
        let out = workspace::root().join(&self.out);
        let all = !self.phases && !self.busy && !self.model;
        let mut page = if all {
            self.play()?
        } else {
            std::fs::read_to_string(&out).doing(format!("read {}", out.display()))?
        };
        if all || self.model {
            page = model::SECTION.put(&page, &model::section()?);
        }
        if all || self.phases {
            page = phases::SECTION.put(&page, &phases::section()?);
        }
        if all || self.busy {
            let Self { seed, busy_seconds: seconds, windows, .. } = *self;
            let text = busy::section(busy::Run { seed, seconds, windows })?;
            page = busy::SECTION.put(&page, &text);
        }
        print!("{page}");
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder)
                .doing(format!("create the folder {}", folder.display()))?;
        }
        std::fs::write(&out, page.as_bytes()).doing(format!("write {}", out.display()))?;
        eprintln!("written to {}", self.out.display());
        Ok(())
    }

    /// Meters boards in real time, and trains; the page without its phases.
    fn play(&self) -> Result<String, Stop> {
        let library = simulate::build()?;
        let mut cargo = workspace::cargo();
        cargo.args(["run", "--locked", "--release", "--package", "ergometer-tests"]);
        cargo.args(["--bin", "accuracy", "--", "--library"]).arg(library);
        for (name, value) in [
            ("--seed", self.seed),
            ("--seconds", self.seconds.into()),
            ("--windows", self.windows.into()),
        ] {
            cargo.arg(name).arg(value.to_string());
        }
        let line = workspace::typed(&cargo);
        let run = cargo.stderr(std::process::Stdio::inherit()).output();
        let run = run.doing(format!("run `{line}`"))?;
        let mut page = String::from_utf8_lossy(&run.stdout).into_owned();
        if !run.status.success() {
            return Err(Stop::failed(format!("`{line}` did not run to its end: {}", run.status)));
        }
        page += &forecasts::section()?;
        Ok(page)
    }
}
