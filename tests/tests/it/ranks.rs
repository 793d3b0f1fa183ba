//! Ranks as processes of their own on one simulated machine of four boards, and their merge.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::{env, fs};

use ergometer::energy::Energy;
use ergometer::record::Record;
use ergometer::record::rank::Origin;
use ergometer::record::rank::Rank;
use ergometer::units::Watts;
use ergometer::{ErrorKind, Meter, source::DomainKind};
use nvml_sim::{Installed, Machine, monotonic_ns};

use crate::accounting::assert_conserved;

/// Four boards of different generations whose power changes in different ways.
const SETTINGS: &str = "boards=4
0.generation=h100;0.curve=square:100:600:730ms
1.generation=h100;1.curve=sine:150:500:1900ms
2.generation=a100;2.curve=ramp:80:380:1300ms
3.generation=v100;3.curve=constant:240";

/// A standard uncertainty of more than this share says nothing.
const SURE: f64 = 0.15;

fn uuid(board: usize) -> String {
    format!("GPU-00000000-0000-4000-8000-{board:012}")
}

/// A simulated machine, and where ranks put their records.
struct Place {
    machine: Installed,
}

impl Place {
    fn new() -> Self {
        Self { machine: Installed::new(SETTINGS) }
    }

    fn record_of(&self, rank: u32) -> PathBuf {
        self.machine.folder().join(format!("{rank}.json"))
    }

    /// Starts a rank of two that sees `boards`.
    fn start(&self, rank: u32, boards: &[usize], begin: u64, seconds: f64) -> Child {
        let visible: Vec<String> = boards.iter().map(|&board| uuid(board)).collect();
        Command::new(env!("CARGO_BIN_EXE_rank"))
            .arg(self.machine.library())
            .arg(self.record_of(rank))
            .args([begin.to_string(), seconds.to_string()])
            .env("RANK", rank.to_string())
            .env("LOCAL_RANK", rank.to_string())
            .env("WORLD_SIZE", "2")
            .env("TORCHELASTIC_RUN_ID", "of-the-test")
            .env("CUDA_VISIBLE_DEVICES", visible.join(","))
            .env_remove("ERGOMETER_NVML_LIBRARY")
            .env_remove("ERGOMETER_PROC_ROOT")
            .spawn()
            .unwrap()
    }

    /// The records of two ranks: boards, delay before the first begins and length, seconds. On a machine that
    /// is busy with other tests the boards' counters may not be learnt in so short a run: a few attempts are
    /// granted.
    fn ranks(&self, ranks: [(&[usize], f64, f64); 2]) -> [Record; 2] {
        let attempts = (0..4).map(|_| self.attempt(ranks));
        let mut last = None;
        for records in attempts {
            if records.iter().all(is_sure) {
                return records;
            }
            last = Some(records);
        }
        last.unwrap()
    }

    fn attempt(&self, ranks: [(&[usize], f64, f64); 2]) -> [Record; 2] {
        let begin = monotonic_ns() + 300_000_000;
        let children: Vec<Child> = (0..)
            .zip(ranks)
            .map(|(rank, (boards, delay, seconds))| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let delay = (delay * 1e9) as u64;
                self.start(rank, boards, begin + delay, seconds)
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        [0, 1].map(|rank| {
            Record::from_json(&fs::read_to_string(self.record_of(rank)).unwrap()).unwrap()
        })
    }
}

/// Whether the energy of each board is known well enough to be held against the truth.
fn is_sure(record: &Record) -> bool {
    let energies = record.domains.iter().filter(|row| row.domain.kind == DomainKind::Gpu);
    let mut energies = energies.filter_map(|row| row.energy);
    energies.all(|energy| energy.standard_uncertainty.get() < SURE * energy.joules.get())
}

/// When a rank metered, nanoseconds.
fn interval(record: &Record) -> (u64, u64) {
    let fact = |name: &str| record.facts[name].parse().unwrap();
    (fact("from_ns"), fact("to_ns"))
}

fn energy(record: &Record, id: &str) -> Energy {
    let row = record.domains.iter().find(|row| row.domain.id == id);
    row.unwrap_or_else(|| panic!("no {id}: {record}")).energy.unwrap()
}

/// The true energy of a board, joules.
fn truth(board: usize, (from, to): (u64, u64)) -> f64 {
    Machine::parse(SETTINGS).unwrap().boards[board].curve.joules(from, to)
}

/// `said` is the boards' energy, each over its interval, within two standard uncertainties.
fn assert_boards(run: &Record, intervals: [(u64, u64); 4]) {
    let (mut joules, mut true_joules, mut variance) = (0.0, 0.0, 0.0);
    for (board, interval) in intervals.into_iter().enumerate() {
        let said = energy(run, &format!("nvml:{}", uuid(board)));
        let (value, error) = (said.joules.get(), said.standard_uncertainty.get());
        let truth = truth(board, interval);
        assert!(
            (value - truth).abs() <= 2.0 * error,
            "{board}: {value} ± {error} J, not {truth} J"
        );
        assert!(error < SURE * truth, "{board}: {error} J of {truth} J says nothing");
        joules += value;
        true_joules += truth;
        variance += error * error;
    }
    assert!((joules - true_joules).abs() <= 2.0 * variance.sqrt(), "{joules} {true_joules}");
}

#[test]
fn two_ranks_with_boards_of_their_own_come_to_the_machine() {
    let place = Place::new();
    let ranks = place.ranks([(&[0, 2], 0.0, 3.0), (&[1, 3], 0.0, 3.0)]);
    let [first, second] = ranks.each_ref().map(interval);
    let run = Record::merge(ranks.clone()).unwrap();

    assert_boards(&run, [first, second, first, second]);
    // Four boards, and one set of processors and memory.
    assert_eq!(run.domains.len(), ranks[0].domains.len() + 2);
    let gpus = run.domains.iter().filter(|row| row.domain.kind == DomainKind::Gpu);
    assert_eq!(gpus.count(), 4);
    assert_eq!(run.footprint.accelerators, 4);
    assert_conserved(&run);
    assert_eq!(run.epochs.len(), 2);
    let steps = |record: &Record| record.steps["train"].count;
    assert_eq!(steps(&run), steps(&ranks[0]) + steps(&ranks[1]));
    assert_eq!(run.steps["train"].items.as_ref().unwrap().count, 64.0 * steps(&run) as f64);
    assert_eq!(run.steps["train@1"].joules, ranks[1].steps["train"].joules);
    assert_eq!(run.run.group.as_deref(), Some("torchrun:of-the-test"));
    assert!(run.warnings.iter().all(|line| !line.contains("missing")), "{:?}", run.warnings);
}

#[test]
fn two_ranks_that_see_all_boards_come_to_the_machine_and_not_to_twice_that() {
    let place = Place::new();
    let all: &[usize] = &[0, 1, 2, 3];
    // The second begins later and ends later than the first.
    let ranks = place.ranks([(all, 0.0, 3.0), (all, 0.7, 2.8)]);
    let [first, second] = ranks.each_ref().map(interval);
    let union = (first.0.min(second.0), first.1.max(second.1));
    assert!(second.0 > first.0 && second.1 > first.1, "{first:?} {second:?}");
    let run = Record::merge(ranks.clone()).unwrap();

    assert_boards(&run, [union; 4]);
    assert_eq!(run.domains.len(), ranks[0].domains.len());
    let seconds = (union.1 - union.0) as f64 * 1e-9;
    assert!((run.run.seconds - seconds).abs() < 0.01, "{} s, not {seconds} s", run.run.seconds);
    assert!(run.warnings.iter().any(|line| line.contains("is estimated")), "{:?}", run.warnings);
    assert_conserved(&run);
    // Each rank saw all of it.
    for rank in &ranks {
        assert_eq!(run.ranks[0].domains.len(), rank.domains.len());
    }
    let table = run.to_string();
    assert!(table.contains("2 ranks") && table.contains("1 of 2"), "{table}");
    assert_eq!(Record::from_json(&run.to_json().unwrap()).unwrap(), run);

    // The order does not matter, one alone stays as it is, and one twice is refused.
    let [a, b] = ranks;
    assert_eq!(Record::merge([b, a.clone()]).unwrap(), run);
    let alone = Record::merge([a.clone()]).unwrap();
    assert_eq!(alone.total, a.total);
    assert!(alone.warnings.iter().any(|line| line.starts_with("rank 1 of 2 is missing")));
    assert_eq!(Record::merge([a.clone(), a]).unwrap_err().kind(), ErrorKind::Mismatch);
}

fn fixed() -> ergometer::MeterBuilder {
    Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0))
}

#[test]
fn a_rank_that_is_set_is_in_the_record() {
    let record = fixed().rank(1, 4).group("mine").start().unwrap().finish().unwrap();
    let expected = Rank { rank: 1, local_rank: None, world_size: 4, origin: Origin::Set };
    assert_eq!(record.run.rank, Some(expected));
    assert_eq!(record.run.group.as_deref(), Some("mine"));
    assert_eq!(record.machine.machine_id.as_ref().unwrap().len(), 16);
    let error = fixed().rank(4, 4).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{error}");
}

#[test]
fn a_record_from_before_there_were_ranks_is_read() {
    let record = fixed().start().unwrap().finish().unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&record.to_json().unwrap()).unwrap();
    json["run"].as_object_mut().unwrap().retain(|key, _| key != "rank" && key != "group");
    json["machine"].as_object_mut().unwrap().remove("machine_id");
    assert!(!json.as_object().unwrap().contains_key("ranks"), "nothing new in a record of one");
    let read = Record::from_json(&json.to_string()).unwrap();
    assert_eq!((&read.run.group, &read.machine.machine_id), (&None, &None));
    assert_eq!(read.total, record.total);
}
