//! `cargo xtask paper`: what `ergometer paper` prints.

use crate::stop::{Doing, Stop};
use crate::workspace;

/// Print Tables 1 to 4 of Strubell et al. (2019), worked out again, beside the printed figures: `ergometer paper`
#[derive(Debug, clap::Args)]
pub struct Paper {
    /// Print JSON: Tables 1, 3 and 4
    #[arg(long)]
    json: bool,
}

impl Paper {
    pub fn run(&self) -> Result<(), Stop> {
        let mut cargo = workspace::cargo();
        cargo.args(["run", "--locked", "--quiet", "--package", "ergometer-cli", "--", "paper"]);
        cargo.args(self.json.then_some("--json"));
        let line = workspace::typed(&cargo);
        let status = cargo.status().doing(format!("run `{line}`"))?;
        if status.success() { Ok(()) } else { Err(Stop::relayed(1)) }
    }
}
