//! The rank of this process in a run of several processes.
//!
//! Launchers set environment variables. They are checked in this order, and the first that is set counts:
//!
//! | launcher | rank | local rank | number of ranks | group |
//! |---|---|---|---|---|
//! | torchrun | `RANK` | `LOCAL_RANK` | `WORLD_SIZE` | `TORCHELASTIC_RUN_ID`, unless it is `none` |
//! | Horovod | `HOROVOD_RANK` | `HOROVOD_LOCAL_RANK` | `HOROVOD_SIZE` | |
//! | Open MPI | `OMPI_COMM_WORLD_RANK` | `OMPI_COMM_WORLD_LOCAL_RANK` | `OMPI_COMM_WORLD_SIZE` | `PMIX_NAMESPACE` |
//! | MVAPICH2 | `MV2_COMM_WORLD_RANK` | `MV2_COMM_WORLD_LOCAL_RANK` | `MV2_COMM_WORLD_SIZE` | |
//! | MVAPICH 3 and later | `MVP_COMM_WORLD_RANK` | `MVP_COMM_WORLD_LOCAL_RANK` | `MVP_COMM_WORLD_SIZE` | |
//! | PALS (HPE Cray) | `PALS_RANKID` | `PALS_LOCAL_RANKID` | `PALS_SIZE`, else `PMI_SIZE` | `PALS_APID` |
//! | JSM (IBM `jsrun`) | `JSM_NAMESPACE_RANK` | `JSM_NAMESPACE_LOCAL_RANK` | `JSM_NAMESPACE_SIZE` | |
//! | PMI (MPICH, Intel MPI) | `PMI_RANK` | `MPI_LOCALRANKID`, else `PMI_LOCAL_RANK` | `PMI_SIZE` | |
//! | `PMIx` alone | `PMIX_RANK` | | none | |
//! | ALPS (`aprun`) | `ALPS_APP_PE` | | none | |
//! | Flux | `FLUX_TASK_RANK` | `FLUX_TASK_LOCAL_ID` | `FLUX_JOB_SIZE` | `FLUX_JOB_ID` |
//! | Slurm | `SLURM_PROCID` | `SLURM_LOCALID` | `SLURM_STEP_NUM_TASKS`, else `SLURM_NTASKS` | `SLURM_JOB_ID.SLURM_STEP_ID` |
//!
//! The inner launcher comes before the outer one. torchrun, `mpirun` and Flux are started inside a Slurm
//! allocation, and their ranks still see the Slurm variables of the helper process, which number machines,
//! not ranks. If a launcher has no group, the Slurm job's is used.
//!
//! A launcher that is recognised but not understood (a rank without the number of ranks, or not below it)
//! is reported. Outer launchers are then believed only if they have the same rank, since another process's
//! number would be worse than none. [`MeterBuilder::rank`](crate::MeterBuilder::rank) sets it.
//!
//! Limitation: a program in a Slurm batch script that is not started by `srun` appears as rank 0 of the
//! whole allocation.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The place of a process among those of its run.
///
/// ```
/// # use ergometer::{Meter, record::rank::Origin, source::DomainKind, units::Watts};
/// let meter = Meter::builder().rank(0, 4).without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let rank = meter.finish()?.run.rank.unwrap();
/// assert_eq!((rank.rank, rank.world_size, rank.origin), (0, 4, Origin::Set));
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// Its number, from 0.
    pub rank: u32,
    /// Its number among those on its machine, from 0, if the launcher provides it.
    pub local_rank: Option<u32>,
    /// The number of processes.
    pub world_size: u32,
    /// Where the rank comes from.
    pub origin: Origin,
}

/// Where a process's rank comes from.
///
/// ```
/// use ergometer::record::rank::Origin;
///
/// assert_eq!(Origin::OpenMpi.as_str(), "open-mpi"); // as in a record
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Origin {
    /// The program, through [`MeterBuilder::rank`](crate::MeterBuilder::rank).
    Set,
    /// torchrun, or another launcher that sets the same variables.
    Torchrun,
    /// Horovod's `horovodrun`.
    Horovod,
    /// Open MPI's `mpirun`.
    OpenMpi,
    /// MVAPICH's `mpirun_rsh`.
    Mvapich,
    /// PALS, the launcher of HPE Cray machines.
    Pals,
    /// JSM, IBM's `jsrun`.
    Jsm,
    /// A launcher that uses PMI: MPICH's and Intel MPI's.
    Pmi,
    /// A launcher that uses only `PMIx`.
    Pmix,
    /// ALPS, the launcher of older Cray machines.
    Alps,
    /// Flux.
    Flux,
    /// Slurm's `srun`.
    Slurm,
    /// A launcher known to a later version of this library.
    #[serde(other)]
    Other,
}

impl Origin {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Torchrun => "torchrun",
            Self::Horovod => "horovod",
            Self::OpenMpi => "open-mpi",
            Self::Mvapich => "mvapich",
            Self::Pals => "pals",
            Self::Jsm => "jsm",
            Self::Pmi => "pmi",
            Self::Pmix => "pmix",
            Self::Alps => "alps",
            Self::Flux => "flux",
            Self::Slurm => "slurm",
            Self::Other => "other",
        }
    }
}

impl Rank {
    /// Rank `rank` of `world_size`, as set by the program.
    pub(crate) fn set(rank: u32, world_size: u32) -> Result<Self> {
        if rank < world_size {
            return Ok(Self { rank, local_rank: None, world_size, origin: Origin::Set });
        }
        let message = format!("rank {rank} of {world_size} ranks");
        Err(Error::new(ErrorKind::InvalidSetting, message)
            .with_remedy("ranks are numbered from 0 to one less than their number"))
    }
}

/// A process's place in its run, as its record needs it to be merged with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    pub rank: Option<Rank>,
    /// An identifier that the ranks of a run share.
    pub group: Option<String>,
    /// Variables that were ignored, one line each.
    pub remarks: Vec<String>,
}

struct Launcher {
    origin: Origin,
    rank: &'static str,
    /// The first variable that is set counts, here and below.
    local_rank: &'static [&'static str],
    /// Empty if the launcher does not provide the number of ranks.
    world_size: &'static [&'static str],
    group: Option<&'static str>,
}

impl Launcher {
    const fn new(
        origin: Origin,
        rank: &'static str,
        local_rank: &'static [&'static str],
        world_size: &'static [&'static str],
    ) -> Self {
        Self { origin, rank, local_rank, world_size, group: None }
    }

    const fn grouped_by(self, group: &'static str) -> Self {
        Self { group: Some(group), ..self }
    }
}

/// In order from inner to outer launchers.
const LAUNCHERS: [Launcher; 12] = [
    Launcher::new(Origin::Torchrun, "RANK", &["LOCAL_RANK"], &["WORLD_SIZE"])
        .grouped_by("TORCHELASTIC_RUN_ID"),
    Launcher::new(Origin::Horovod, "HOROVOD_RANK", &["HOROVOD_LOCAL_RANK"], &["HOROVOD_SIZE"]),
    Launcher::new(
        Origin::OpenMpi,
        "OMPI_COMM_WORLD_RANK",
        &["OMPI_COMM_WORLD_LOCAL_RANK"],
        &["OMPI_COMM_WORLD_SIZE"],
    )
    .grouped_by("PMIX_NAMESPACE"),
    Launcher::new(
        Origin::Mvapich,
        "MV2_COMM_WORLD_RANK",
        &["MV2_COMM_WORLD_LOCAL_RANK"],
        &["MV2_COMM_WORLD_SIZE"],
    ),
    Launcher::new(
        Origin::Mvapich,
        "MVP_COMM_WORLD_RANK",
        &["MVP_COMM_WORLD_LOCAL_RANK"],
        &["MVP_COMM_WORLD_SIZE"],
    ),
    Launcher::new(Origin::Pals, "PALS_RANKID", &["PALS_LOCAL_RANKID"], &["PALS_SIZE", "PMI_SIZE"])
        .grouped_by("PALS_APID"),
    Launcher::new(
        Origin::Jsm,
        "JSM_NAMESPACE_RANK",
        &["JSM_NAMESPACE_LOCAL_RANK"],
        &["JSM_NAMESPACE_SIZE"],
    ),
    Launcher::new(Origin::Pmi, "PMI_RANK", &["MPI_LOCALRANKID", "PMI_LOCAL_RANK"], &["PMI_SIZE"]),
    Launcher::new(Origin::Pmix, "PMIX_RANK", &[], &[]),
    Launcher::new(Origin::Alps, "ALPS_APP_PE", &[], &[]),
    Launcher::new(Origin::Flux, "FLUX_TASK_RANK", &["FLUX_TASK_LOCAL_ID"], &["FLUX_JOB_SIZE"])
        .grouped_by("FLUX_JOB_ID"),
    Launcher::new(
        Origin::Slurm,
        "SLURM_PROCID",
        &["SLURM_LOCALID"],
        &["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
    ),
];

/// The rank according to the environment, whose variables `lookup` returns.
pub(crate) fn placement(lookup: impl Fn(&str) -> Option<String>) -> Placement {
    let lookup = |name: &str| {
        lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let mut found = Placement::default();
    // Launcher variables that were not understood.
    let mut doubtful: Vec<(&str, String)> = Vec::new();
    for launcher in &LAUNCHERS {
        let Some(text) = lookup(launcher.rank) else { continue };
        match launcher.read(&text, &lookup, &mut found.remarks) {
            Ok(rank) => {
                if let Some((name, inner)) = doubtful.iter().find(|(_, inner)| *inner != text) {
                    found.remarks.push(format!(
                        "{}={text} is not taken for the rank either, as {name}={inner} is another; state it \
                         with `MeterBuilder::rank`",
                        launcher.rank
                    ));
                    continue;
                }
                found.rank = Some(rank);
                found.group = launcher.group(&lookup).or_else(|| slurm_step(&lookup));
                // If an outer launcher has all variables, an inner one may lack the number of ranks.
                found.remarks.retain(|remark| !remark.ends_with(NO_SIZE));
                break;
            }
            Err(why) => {
                found.remarks.push(format!("{}={text} is not a rank: {why}", launcher.rank));
                doubtful.push((launcher.rank, text));
            }
        }
    }
    found
}

/// The end of a remark about a launcher that provides ranks without their number.
const NO_SIZE: &str = "this launcher does not give the number of ranks";

impl Launcher {
    fn read(
        &self,
        rank: &str,
        lookup: &impl Fn(&str) -> Option<String>,
        remarks: &mut Vec<String>,
    ) -> Result<Rank, String> {
        let first = |names: &'static [&'static str]| {
            names.iter().find_map(|name| Some((*name, lookup(name)?)))
        };
        let rank: u32 = rank.parse().map_err(|_| "it is not a number".to_owned())?;
        let Some(expected) = self.world_size.first() else { return Err(NO_SIZE.to_owned()) };
        let size = first(self.world_size);
        let (name, size) = size.ok_or_else(|| format!("{expected} is not set"))?;
        let world_size: u32 = size.parse().map_err(|_| format!("{name}={size} is not a number"))?;
        if rank >= world_size {
            return Err(format!("{name} is {world_size}"));
        }
        let local_rank = first(self.local_rank).and_then(|(name, text)| match text.parse() {
            Ok(local) if local < world_size => Some(local),
            _ => {
                remarks.push(format!("{name}={text} is not a local rank"));
                None
            }
        });
        Ok(Rank { rank, local_rank, world_size, origin: self.origin })
    }

    /// torchrun's group is `none` unless its user sets one.
    fn group(&self, lookup: &impl Fn(&str) -> Option<String>) -> Option<String> {
        let id = lookup(self.group?).filter(|id| id != "none")?;
        Some(format!("{}:{id}", self.origin.as_str()))
    }
}

/// A job has a step for each `srun`, and each is a separate run.
fn slurm_step(lookup: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let job = lookup("SLURM_JOB_ID")?;
    Some(match lookup("SLURM_STEP_ID") {
        Some(step) => format!("slurm:{job}.{step}"),
        None => format!("slurm:{job}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::corrupt::damaged;

    /// `NAME=value` pairs, separated by spaces.
    fn of(environment: &str) -> Placement {
        let pairs: Vec<_> =
            environment.split(' ').filter_map(|pair| pair.split_once('=')).collect();
        placement(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name)?;
            Some(pair.1.to_owned())
        })
    }

    #[test]
    fn each_launcher_in_its_order() {
        use Origin::{Flux, Horovod, Jsm, Mvapich, OpenMpi, Pals, Pmi, Slurm, Torchrun};
        let slurm = "SLURM_PROCID=1 SLURM_LOCALID=0 SLURM_NTASKS=2 SLURM_JOB_ID=77";
        let mpi = "OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_SIZE=8";
        let torch = "RANK=3 LOCAL_RANK=3 WORLD_SIZE=4";
        let hydra = "PMI_RANK=2 PMI_SIZE=3";
        let table = [
            (torch.to_owned(), (3, Some(3), 4, Torchrun), None),
            (format!("{torch} TORCHELASTIC_RUN_ID=none"), (3, Some(3), 4, Torchrun), None),
            (
                format!("{torch} TORCHELASTIC_RUN_ID=a7"),
                (3, Some(3), 4, Torchrun),
                Some("torchrun:a7"),
            ),
            (format!("{torch} {mpi} {slurm}"), (3, Some(3), 4, Torchrun), Some("slurm:77")),
            (format!("{mpi} {slurm}"), (5, Some(1), 8, OpenMpi), Some("slurm:77")),
            (format!("{mpi} PMIX_NAMESPACE=x@1"), (5, Some(1), 8, OpenMpi), Some("open-mpi:x@1")),
            ("PMI_RANK=0 PMI_SIZE=1".to_owned(), (0, None, 1, Pmi), None),
            ("PMI_RANK=2 PMI_SIZE=3 MPI_LOCALRANKID=2".to_owned(), (2, Some(2), 3, Pmi), None),
            (format!("{hydra} PMI_LOCAL_RANK=0"), (2, Some(0), 3, Pmi), None),
            (
                format!("HOROVOD_RANK=2 HOROVOD_LOCAL_RANK=0 HOROVOD_SIZE=4 {mpi} {slurm}"),
                (2, Some(0), 4, Horovod),
                Some("slurm:77"),
            ),
            (
                format!(
                    "MV2_COMM_WORLD_RANK=6 MV2_COMM_WORLD_LOCAL_RANK=2 MV2_COMM_WORLD_SIZE=8 {hydra} {slurm}"
                ),
                (6, Some(2), 8, Mvapich),
                Some("slurm:77"),
            ),
            (
                "MVP_COMM_WORLD_RANK=6 MVP_COMM_WORLD_SIZE=8".to_owned(),
                (6, None, 8, Mvapich),
                None,
            ),
            (
                "PALS_RANKID=5 PALS_LOCAL_RANKID=1 PALS_APID=e5f PMI_RANK=5 PMI_SIZE=8".to_owned(),
                (5, Some(1), 8, Pals),
                Some("pals:e5f"),
            ),
            (
                "JSM_NAMESPACE_RANK=11 JSM_NAMESPACE_LOCAL_RANK=5 JSM_NAMESPACE_SIZE=12 PMIX_RANK=11"
                    .to_owned(),
                (11, Some(5), 12, Jsm),
                None,
            ),
            (
                format!("FLUX_TASK_RANK=3 FLUX_TASK_LOCAL_ID=1 FLUX_JOB_SIZE=4 FLUX_JOB_ID=f2 {slurm}"),
                (3, Some(1), 4, Flux),
                Some("flux:f2"),
            ),
            // `srun --mpi=pmix`.
            (format!("PMIX_RANK=1 {slurm}"), (1, Some(0), 2, Slurm), Some("slurm:77")),
            (slurm.to_owned(), (1, Some(0), 2, Slurm), Some("slurm:77")),
            (
                format!("{slurm} SLURM_STEP_ID=4 SLURM_STEP_NUM_TASKS=16"),
                (1, Some(0), 16, Slurm),
                Some("slurm:77.4"),
            ),
        ];
        for (environment, (rank, local_rank, world_size, origin), group) in table {
            let found = of(&environment);
            let expected = Rank { rank, local_rank, world_size, origin };
            assert_eq!(found.rank, Some(expected), "{environment}");
            assert_eq!(found.group.as_deref(), group, "{environment}");
            assert!(found.remarks.is_empty(), "{environment}: {:?}", found.remarks);
        }
    }

    #[test]
    fn what_is_not_understood_is_reported_and_not_guessed() {
        let slurm = "SLURM_PROCID=1 SLURM_NTASKS=2";
        let table = [
            ("RANK=one WORLD_SIZE=4", None, "RANK=one is not a rank: it is not a number"),
            ("RANK=-1 WORLD_SIZE=4", None, "it is not a number"),
            ("RANK=0", None, "WORLD_SIZE is not set"),
            ("RANK=0 WORLD_SIZE=many", None, "WORLD_SIZE=many is not a number"),
            ("RANK=4 WORLD_SIZE=4", None, "WORLD_SIZE is 4"),
            ("RANK=0 WORLD_SIZE=0", None, "WORLD_SIZE is 0"),
            ("RANK=0 WORLD_SIZE=1 LOCAL_RANK=x", Some(0), "LOCAL_RANK=x is not a local rank"),
            (&format!("RANK=9 WORLD_SIZE=4 {slurm}"), None, "RANK=9 is not a rank"),
            (&format!("RANK=1 {slurm}"), Some(1), "WORLD_SIZE is not set"),
            ("PMIX_RANK=3", None, "does not give the number of ranks"),
            ("ALPS_APP_PE=3", None, "does not give the number of ranks"),
            // Under `mpirun` of a launcher that uses only PMIx, Slurm's variable numbers machines.
            (&format!("PMIX_RANK=3 {slurm}"), None, "PMIX_RANK=3 is not a rank"),
            (&format!("FLUX_TASK_RANK=3 {slurm}"), None, "FLUX_JOB_SIZE is not set"),
        ];
        for (environment, rank, remark) in table {
            let found = of(environment);
            assert_eq!(found.rank.map(|rank| rank.rank), rank, "{environment}");
            assert!(found.remarks[0].contains(remark), "{environment}: {:?}", found.remarks);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_set_the_answer_is_a_rank_or_a_remark(
            text in damaged(
                b"RANK=3 LOCAL_RANK=3 WORLD_SIZE=4 TORCHELASTIC_RUN_ID=a7 OMPI_COMM_WORLD_RANK=5 \
                  OMPI_COMM_WORLD_SIZE=8 PMI_RANK=2 PMI_SIZE=3 SLURM_PROCID=1 SLURM_NTASKS=2 \
                  SLURM_JOB_ID=77",
            ),
        ) {
            let environment = String::from_utf8_lossy(&text);
            let found = of(&environment);
            if let Some(rank) = &found.rank {
                prop_assert!(rank.rank < rank.world_size);
                prop_assert!(rank.local_rank.is_none_or(|local| local < rank.world_size));
            } else {
                let named = LAUNCHERS.iter().any(|launcher| {
                    environment
                        .split(' ')
                        .filter_map(|pair| pair.split_once('='))
                        .find(|(name, _)| *name == launcher.rank)
                        .is_some_and(|(_, value)| !value.trim().is_empty())
                });
                prop_assert_eq!(named, !found.remarks.is_empty());
            }
        }

        #[test]
        fn a_rank_is_read_as_it_was_set(size in 1_u32.., rank in any::<u32>()) {
            let rank = rank % size;
            let found = of(&format!("PMI_RANK={rank} PMI_SIZE={size}"));
            let expected = Rank { rank, local_rank: None, world_size: size, origin: Origin::Pmi };
            prop_assert_eq!(found.rank, Some(expected));
        }
    }

    #[test]
    fn nothing_said_is_no_rank_and_no_remark() {
        for environment in
            ["", "RANK= WORLD_SIZE=4", "WORLD_SIZE=4", "SLURM_JOB_ID=7 SLURM_NTASKS=4"]
        {
            assert_eq!(of(environment), Placement::default(), "{environment}");
        }
    }

    #[test]
    fn a_rank_that_is_set_lies_below_their_number() {
        assert_eq!(Rank::set(1, 2).unwrap().origin, Origin::Set);
        for (rank, size) in [(2, 2), (0, 0)] {
            assert_eq!(Rank::set(rank, size).unwrap_err().kind(), ErrorKind::InvalidSetting);
        }
    }
}
