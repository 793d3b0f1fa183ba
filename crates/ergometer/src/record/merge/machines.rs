//! Determines which ranks ran on one machine.
//!
//! No single sign decides against all others. A boot id identifies a machine, but some containers have
//! their own, and copies of a frozen virtual machine share one. A board is in one machine, whatever that
//! machine is called.

use super::{RankRun, numbers};
use crate::record::Machine;
use crate::source::DomainKind;

/// Two readings of a kernel's start may differ by this many seconds, since it is rounded.
const SAME_START: i64 = 2;

/// The machines of the parts.
pub(super) struct Machines {
    /// The machine of each part.
    pub(super) of: Vec<usize>,
    pub(super) names: Vec<String>,
}

/// The result of comparing the machines of two parts.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Same,
    Different,
    /// One machine, although something contradicts it.
    SameAlthough(String),
    /// Two machines, although something suggests one.
    DifferentAlthough(String),
}

impl Machines {
    pub(super) fn of(parts: &[RankRun], warnings: &mut Vec<String>) -> Self {
        let mut of: Vec<usize> = Vec::new();
        let (mut hosts, mut ids): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let mut by_host: Vec<u32> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let machine = &part.record.machine;
            if machine.machine_id.is_none() {
                by_host.push(part.rank.rank);
            }
            let mut found = None;
            for (other, &number) in parts[..index].iter().zip(&of) {
                let (same, why) = match verdict(other, part) {
                    Verdict::Same => (true, None),
                    Verdict::Different => (false, None),
                    Verdict::SameAlthough(why) => (true, Some(why)),
                    Verdict::DifferentAlthough(why) => (false, Some(why)),
                };
                if let Some(why) = why {
                    let ranks = numbers(&[other.rank.rank, part.rank.rank]);
                    warnings.push(format!("{ranks}: {why}"));
                }
                if same {
                    found = Some(number);
                    break;
                }
            }
            of.push(found.unwrap_or_else(|| {
                let host = machine.host.clone().unwrap_or_else(|| "unknown".to_owned());
                ids.push(machine.machine_id.clone().unwrap_or_else(|| format!("host {host}")));
                hosts.push(host);
                hosts.len() - 1
            }));
        }
        if !by_host.is_empty() {
            let ranks = numbers(&by_host);
            warnings.push(format!("{ranks}: the machine is known by its host name only"));
        }
        let unique = |host: &String| hosts.iter().filter(|other| *other == host).count() == 1;
        let names = hosts.iter().zip(&ids).enumerate().map(|(number, (host, id))| {
            let before = ids[..number].iter().filter(|other| *other == id).count();
            let id = id.get(..8).unwrap_or(id);
            match (unique(host), before) {
                (true, _) => host.clone(),
                (false, 0) => format!("{host}-{id}"),
                // Different machines with the same identity.
                (false, _) => format!("{host}-{id}-{}", before + 1),
            }
        });
        Self { names: names.collect(), of }
    }
}

/// Whether the identity is a UUID, which does not depend on the machine.
pub(super) fn is_board_of_its_own(identity: &str) -> bool {
    const LENGTH: usize = 36;
    identity.strip_prefix("nvml:GPU-").is_some_and(|uuid| uuid.len() == LENGTH)
}

fn verdict(one: &RankRun, other: &RankRun) -> Verdict {
    let (a, b) = (&one.record.machine, &other.record.machine);
    let (Some(here), Some(there)) = (&a.machine_id, &b.machine_id) else {
        let nameless = a.machine_id.is_none() && b.machine_id.is_none();
        return if nameless && a.host == b.host { Verdict::Same } else { Verdict::Different };
    };
    let against = difference(a, b);
    if here == there {
        return match against {
            None => Verdict::Same,
            Some(what) => Verdict::DifferentAlthough(format!(
                "their machines have one boot id and {what}: they are taken for different ones, as copies of a \
                 virtual machine are"
            )),
        };
    }
    let apart = a.booted.zip(b.booted).filter(|(a, b)| a.abs_diff(*b) > SAME_START.unsigned_abs());
    match (shared_board(one, other), against) {
        (Some(board), None) if apart.is_none() => Verdict::SameAlthough(format!(
            "their machines have boot ids of their own and share {board}: they are taken for one, as containers may have \
             boot ids of their own"
        )),
        (Some(board), against) => {
            let what = against.unwrap_or("kernels that did not start together");
            Verdict::DifferentAlthough(format!(
                "their machines have boot ids of their own, share {board} and have {what}: the board counts once, \
                 processors and memory for each"
            ))
        }
        (None, None) if looks_like_one(a, b) => Verdict::DifferentAlthough(
            "their machines have boot ids of their own, and all else that is known of them is the same: if they are \
             containers of one machine, processors and memory are counted twice"
                .to_owned(),
        ),
        (None, _) => Verdict::Different,
    }
}

/// A property that differs although it cannot differ within one machine.
fn difference(a: &Machine, b: &Machine) -> Option<&'static str> {
    let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    if differ(&a.cpu, &b.cpu) {
        Some("processors of different models")
    } else if differ(&a.os, &b.os) {
        Some("different kernels")
    } else {
        None
    }
}

/// Whether everything but the boot id suggests one machine, including the kernel's start within two
/// seconds.
fn looks_like_one(a: &Machine, b: &Machine) -> bool {
    let together =
        a.booted.zip(b.booted).is_some_and(|(a, b)| a.abs_diff(b) <= SAME_START.unsigned_abs());
    together && a.cpu == b.cpu && a.os == b.os && a.logical_cpus == b.logical_cpus
}

fn shared_board<'a>(one: &'a RankRun, other: &'a RankRun) -> Option<&'a str> {
    let boards = |part: &'a RankRun| {
        let rows = part.record.domains.iter().map(|row| &row.domain);
        let boards = rows.filter(|domain| domain.kind == DomainKind::Gpu);
        boards.map(|domain| domain.id.as_str()).filter(|id| is_board_of_its_own(id))
    };
    boards(one).find(|id| boards(other).any(|known| known == *id))
}
