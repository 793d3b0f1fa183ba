//! Which process of a run that takes several this one is.
//!
//! Launchers say it in the environment. They are asked in this order, and the first that says it
//! counts:
//!
//! | launcher | rank | local rank | number of ranks | group |
//! |---|---|---|---|---|
//! | torchrun | `RANK` | `LOCAL_RANK` | `WORLD_SIZE` | `TORCHELASTIC_RUN_ID`, unless it is `none` |
//! | Open MPI | `OMPI_COMM_WORLD_RANK` | `OMPI_COMM_WORLD_LOCAL_RANK` | `OMPI_COMM_WORLD_SIZE` | `PMIX_NAMESPACE` |
//! | PMI (MPICH, Intel MPI) | `PMI_RANK` | `MPI_LOCALRANKID` | `PMI_SIZE` | |
//! | Slurm | `SLURM_PROCID` | `SLURM_LOCALID` | `SLURM_STEP_NUM_TASKS`, else `SLURM_NTASKS` | `SLURM_JOB_ID.SLURM_STEP_ID` |
//!
//! The inner launcher comes before the outer one: torchrun and `mpirun` are started inside a Slurm
//! allocation, and what runs under them still sees the Slurm variables of their own helper process,
//! whose number is that of the machine, not of the rank. Where a launcher gives no group, the Slurm
//! job's is taken.
//!
//! A launcher that names a rank without the number of ranks, or a rank that does not lie below it, is
//! passed over with a remark.
//!
//! Not told apart: a program in a Slurm batch script that is not started by `srun` sees itself as rank
//! 0 of the whole allocation.

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// A process's place among those of its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// Its number, from 0.
    pub rank: u32,
    /// Its number among those on its machine, from 0, where the launcher gives it.
    pub local_rank: Option<u32>,
    /// How many there are.
    pub world_size: u32,
    /// Who said so.
    pub origin: Origin,
}

/// Who gave a process its rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The program, through [`MeterBuilder::rank`](crate::MeterBuilder::rank).
    Set,
    /// torchrun, or who sets the same variables.
    Torchrun,
    /// Open MPI's `mpirun`.
    OpenMpi,
    /// A launcher that speaks PMI: MPICH's and Intel MPI's.
    Pmi,
    /// Slurm's `srun`.
    Slurm,
}

impl Origin {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Torchrun => "torchrun",
            Self::OpenMpi => "open-mpi",
            Self::Pmi => "pmi",
            Self::Slurm => "slurm",
        }
    }
}

impl Rank {
    /// Rank `rank` of `world_size`, as the program states it.
    pub(crate) fn set(rank: u32, world_size: u32) -> Result<Self> {
        if rank < world_size {
            return Ok(Self { rank, local_rank: None, world_size, origin: Origin::Set });
        }
        let message = format!("rank {rank} of {world_size} ranks");
        Err(Error::new(ErrorKind::InvalidSetting, message)
            .with_remedy("ranks count from 0 to one less than their number"))
    }
}

/// Where a run's process stands: what its record needs so that it can be merged with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub rank: Option<Rank>,
    /// What ties the ranks of a run together.
    pub group: Option<String>,
    /// What was passed over, one line each.
    pub remarks: Vec<String>,
}

struct Launcher {
    origin: Origin,
    rank: &'static str,
    local_rank: &'static str,
    /// The first that is there counts.
    world_size: &'static [&'static str],
    group: Option<&'static str>,
}

const LAUNCHERS: [Launcher; 4] = [
    Launcher {
        origin: Origin::Torchrun,
        rank: "RANK",
        local_rank: "LOCAL_RANK",
        world_size: &["WORLD_SIZE"],
        group: Some("TORCHELASTIC_RUN_ID"),
    },
    Launcher {
        origin: Origin::OpenMpi,
        rank: "OMPI_COMM_WORLD_RANK",
        local_rank: "OMPI_COMM_WORLD_LOCAL_RANK",
        world_size: &["OMPI_COMM_WORLD_SIZE"],
        group: Some("PMIX_NAMESPACE"),
    },
    Launcher {
        origin: Origin::Pmi,
        rank: "PMI_RANK",
        local_rank: "MPI_LOCALRANKID",
        world_size: &["PMI_SIZE"],
        group: None,
    },
    Launcher {
        origin: Origin::Slurm,
        rank: "SLURM_PROCID",
        local_rank: "SLURM_LOCALID",
        world_size: &["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
        group: None,
    },
];

/// What the environment says, as `lookup` gives its variables.
pub(crate) fn standing(lookup: impl Fn(&str) -> Option<String>) -> Standing {
    let lookup = |name: &str| {
        lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let mut found = Standing::default();
    for launcher in &LAUNCHERS {
        let Some(rank) = lookup(launcher.rank) else { continue };
        match launcher.read(&rank, &lookup, &mut found.remarks) {
            Ok(rank) => {
                found.rank = Some(rank);
                found.group = launcher.group(&lookup).or_else(|| slurm_step(&lookup));
                break;
            }
            Err(why) => found.remarks.push(format!("{}={rank} is no rank: {why}", launcher.rank)),
        }
    }
    found
}

impl Launcher {
    fn read(
        &self,
        rank: &str,
        lookup: &impl Fn(&str) -> Option<String>,
        remarks: &mut Vec<String>,
    ) -> Result<Rank, String> {
        let rank: u32 = rank.parse().map_err(|_| "it is no number".to_owned())?;
        let size = self.world_size.iter().find_map(|name| Some((name, lookup(name)?)));
        let (name, size) = size.ok_or_else(|| format!("{} is not set", self.world_size[0]))?;
        let world_size: u32 = size.parse().map_err(|_| format!("{name}={size} is no number"))?;
        if rank >= world_size {
            return Err(format!("{name} is {world_size}"));
        }
        let local_rank = lookup(self.local_rank).and_then(|text| match text.parse() {
            Ok(local) if local < world_size => Some(local),
            _ => {
                remarks.push(format!("{}={text} is no local rank", self.local_rank));
                None
            }
        });
        Ok(Rank { rank, local_rank, world_size, origin: self.origin })
    }

    /// torchrun calls a run `none` unless its user calls it something.
    fn group(&self, lookup: &impl Fn(&str) -> Option<String>) -> Option<String> {
        let id = lookup(self.group?).filter(|id| id != "none")?;
        Some(format!("{}:{id}", self.origin.as_str()))
    }
}

/// A job has a step for each `srun`, and each is a run of its own.
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
    use crate::damage::damaged;

    /// `NAME=value` pairs, separated by spaces.
    fn of(environment: &str) -> Standing {
        let pairs: Vec<_> =
            environment.split(' ').filter_map(|pair| pair.split_once('=')).collect();
        standing(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name)?;
            Some(pair.1.to_owned())
        })
    }

    #[test]
    fn each_launcher_in_its_order() {
        use Origin::{OpenMpi, Pmi, Slurm, Torchrun};
        let slurm = "SLURM_PROCID=1 SLURM_LOCALID=0 SLURM_NTASKS=2 SLURM_JOB_ID=77";
        let mpi = "OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_SIZE=8";
        let torch = "RANK=3 LOCAL_RANK=3 WORLD_SIZE=4";
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
    fn what_is_no_rank_is_a_remark() {
        let slurm = "SLURM_PROCID=1 SLURM_NTASKS=2";
        let table = [
            ("RANK=one WORLD_SIZE=4", None, "RANK=one is no rank: it is no number"),
            ("RANK=-1 WORLD_SIZE=4", None, "it is no number"),
            ("RANK=0", None, "WORLD_SIZE is not set"),
            ("RANK=0 WORLD_SIZE=many", None, "WORLD_SIZE=many is no number"),
            ("RANK=4 WORLD_SIZE=4", None, "WORLD_SIZE is 4"),
            ("RANK=0 WORLD_SIZE=0", None, "WORLD_SIZE is 0"),
            ("RANK=0 WORLD_SIZE=1 LOCAL_RANK=x", Some(0), "LOCAL_RANK=x is no local rank"),
            (&format!("RANK=9 WORLD_SIZE=4 {slurm}"), Some(1), "RANK=9 is no rank"),
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
            assert_eq!(of(environment), Standing::default(), "{environment}");
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
