//! Which program ran, when, and on which machine.

use serde::{Deserialize, Serialize};

use super::rank::Rank;
use crate::units::Joules;

/// Which program ran, when and for how long.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().label("my-run").without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let run = meter.finish()?.run;
/// assert_eq!(run.label, "my-run");
/// assert!(run.finished && run.seconds > 0.0);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// Unique identity of the run.
    pub id: String,
    /// The user's name for it.
    pub label: String,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// Duration on the monotonic clock, seconds, without the time in which the machine slept.
    pub seconds: f64,
    /// How long the machine slept during the run, seconds; `None` where that cannot be determined (only on
    /// Linux it can). For several ranks, the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asleep_seconds: Option<f64>,
    /// Busy share of the machine's logical processors over the run, 0 to 1, by all programs together; `None` where the
    /// kernel does not show it, in merged records and in those of programs that died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_utilisation: Option<f64>,
    /// How long the baseline was measured before the run, seconds; `None` if it was not.
    pub idle_seconds: Option<f64>,
    /// The program's command line, with `***` for recognised secrets; only the program's name if
    /// [`MeterBuilder::without_command_line`](crate::MeterBuilder::without_command_line) was called.
    pub command: Vec<String>,
    /// Version of this library.
    pub ergometer: String,
    /// Commit of the git work tree that the program ran in, if there is one.
    pub git_commit: Option<String>,
    /// The rank of the process in a run of several; `None` for a single process and in a merged record.
    #[serde(default)]
    pub rank: Option<Rank>,
    /// The identifier that the ranks of a run share, if there is one.
    #[serde(default)]
    pub group: Option<String>,
    /// Whether the program ended the run; `false` if the record was [recovered](super::Record::recover) from the
    /// journal of a program that died first.
    #[serde(default = "yes")]
    pub finished: bool,
    /// The exit code of the program that `ergometer run` metered, 128 + n if signal n ended it; `None` of a program
    /// that metered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
}

/// A program inside a run that marked spans of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Program {
    /// [`RunInfo::id`] of its own record.
    pub run_id: String,
    /// [`RunInfo::id`] of the records of its ranks, if it had several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<String>,
    /// The name it has in this record: its label, with a number where several programs have the same.
    pub name: String,
    /// Its command line.
    pub command: Vec<String>,
    /// Seconds from the start of the run to the start of its meter.
    pub start_s: f64,
    /// How long its meter ran, seconds.
    pub seconds: f64,
    /// What the run drew meanwhile, divided among the programs that ran at once; `None` if nothing was read.
    pub joules: Option<Joules>,
    /// Whether it ended its run itself; `false` if its record was recovered from its journal.
    pub finished: bool,
}

/// Older records without this field are from before there were journals, and finished.
fn yes() -> bool {
    true
}

/// The machine, as far as it can be described without privilege.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let machine = meter.finish()?.machine;
/// assert!(machine.logical_cpus.is_none_or(|count| count > 0)); // `None` where it is not known, never 0
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// Identity of the running machine, 16 hexadecimal digits: a hash of the kernel's boot id (of
    /// `/etc/machine-id` if there is none). The containers of a machine have the same, different machines
    /// with the same name do not. It changes when the machine is restarted.
    #[serde(default)]
    pub machine_id: Option<String>,
    /// Host name.
    pub host: Option<String>,
    /// Operating system and kernel release.
    pub os: Option<String>,
    /// CPU model name.
    pub cpu: Option<String>,
    /// Logical processors of the machine; in a container, those of the packages that it sees.
    pub logical_cpus: Option<u32>,
    /// Processors that the program may use: the smallest of those that it sees, its affinity and the CPU
    /// quota of its container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_cpus: Option<f64>,
    /// When the kernel started, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booted: Option<i64>,
    /// Installed memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Accelerator boards by label.
    pub accelerators: Vec<String>,
    /// Whether it is a virtual machine, if that can be determined.
    pub virtual_machine: Option<bool>,
}
