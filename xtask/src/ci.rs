//! `cargo xtask ci`: what the continuous integration runs, cheapest check first.

use crate::stop::Stop;
use crate::targets::Targets;
use crate::test::Test;
use crate::tidy::Tidy;
use crate::workspace;

/// Check the modules, the format, the lints, the documentation, the build and other systems, then run the tests
#[derive(Debug, clap::Args)]
pub struct Ci {}

/// A check: its arguments for cargo, and what its environment needs.
struct Check {
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

/// Cheapest first. Clippy and rustdoc share the metadata of the dependencies; only the tests
/// generate code for them.
const CHECKS: [Check; 9] = [
    Check { arguments: &["fmt", "--all", "--check"], environment: &[] },
    Check {
        // With the annotated program that is to compile without the feature `macros` too.
        arguments: &[
            "check",
            "--package",
            "ergometer",
            "--lib",
            "--test",
            "unmeasured",
            "--no-default-features",
            "--locked",
        ],
        environment: &[],
    },
    // Each exporter without the other: what is checked later has both.
    alone(&["check", "--package", "ergometer", "--lib", "--features", "otlp", "--locked"]),
    alone(&["check", "--package", "ergometer", "--lib", "--features", "prometheus", "--locked"]),
    Check {
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "--deny",
            "warnings",
        ],
        environment: &[],
    },
    // What would be published, from the index that the lints have fetched. That the packages build as well is checked
    // by `cargo publish --dry-run` with the same `-p`, which needs the registry and half an hour.
    alone(&[
        "package",
        "--no-verify",
        "--allow-dirty",
        "--offline",
        "--locked",
        "--package",
        "ergometer-macros",
        "--package",
        "ergometer",
        "--package",
        "ergometer-burn",
        "--package",
        "ergometer-stats",
        "--package",
        "ergometer-cli",
    ]),
    Check {
        arguments: &["doc", "--workspace", "--no-deps", "--locked"],
        environment: &[("RUSTDOCFLAGS", "--deny warnings")],
    },
    // By itself, as it is off in the workspace.
    alone(&[
        "test",
        "--package",
        "ergometer-cli",
        "--features",
        "parquet",
        "--test",
        "command",
        "--locked",
        "--",
        "parquet",
    ]),
    Check {
        // The rings between threads, in all interleavings: other flags, so another folder.
        arguments: &[
            "test",
            "--package",
            "ergometer",
            "--lib",
            "--no-default-features",
            "--locked",
            "--",
            "interleavings",
        ],
        environment: &[("RUSTFLAGS", "--cfg loom"), ("CARGO_TARGET_DIR", "target/loom")],
    },
];

/// A check that needs nothing of its environment.
const fn alone(arguments: &'static [&'static str]) -> Check {
    Check { arguments, environment: &[] }
}

impl Ci {
    /// Runs the checks, stopping at the first that fails, then the tests.
    #[expect(clippy::unused_self, reason = "every task is run the same way")]
    pub fn run(&self) -> Result<(), Stop> {
        Tidy {}.run()?;
        for check in &CHECKS {
            let mut cargo = workspace::cargo();
            cargo.args(check.arguments).envs(check.environment.iter().copied());
            workspace::timed(&mut cargo)?;
        }
        Targets {}.run()?;
        Test::default().run()
    }
}
