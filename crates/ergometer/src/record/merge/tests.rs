//! Hand-made records of ranks whose domains draw a constant power.

mod attempts;
mod properties;
pub(in crate::record) mod script;

use super::*;
use crate::energy::Method;
use crate::footprint::Site;
use crate::source::Availability;
use script::Script;

fn merged(scripts: &[Script]) -> Record {
    Record::merge(scripts.iter().map(Script::record)).unwrap()
}

fn joules(record: &Record) -> f64 {
    record.total.energy.unwrap().joules.get()
}

fn ids(record: &Record) -> Vec<&str> {
    record.domains.iter().map(|row| row.domain.id.as_str()).collect()
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{a} is not {b}");
}

fn says(record: &Record, text: &str) -> bool {
    record.warnings.iter().any(|line| line.contains(text))
}

/// Four ranks, two per machine; each has a board, and both on a machine meter its package.
fn four() -> Vec<Script> {
    let rank = |rank: u32| {
        Script::new(rank, 4, 100.0)
            .on(rank / 2)
            .gpu(&format!("nvml:GPU-{rank}"), 300.0)
            .cpu("rapl:package-0", 80.0)
            .epoch("train", 10.0, 50.0)
            .epoch("train", 55.0, 95.0)
    };
    (0..4).map(rank).collect()
}

#[test]
fn boards_add_up_and_packages_count_once_a_machine() {
    let run = merged(&four());
    close(joules(&run), 100.0 * (4.0 * 300.0 + 2.0 * 80.0));
    assert_eq!(run.domains.len(), 6);
    close(run.run.seconds, 100.0);
    assert!(ids(&run).contains(&"node-0/rapl:package-0"), "{:?}", ids(&run));
    assert!(ids(&run).contains(&"node-1/rapl:package-0"));
    assert_eq!(run.footprint.accelerators, 4);
    assert_eq!(run.ranks.len(), 4);
    assert_eq!(run.ranks[3].domains, ["node-1/rapl:package-0", "node-1/nvml:GPU-3"]);
    close(run.ranks[3].energy.unwrap().joules.get(), 38_000.0);
    assert_eq!(run.results, [("loss".to_owned(), 0.5)].into());
    assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    assert_eq!(run.sources.len(), 1);
    assert_eq!(run.sources[0].domains.len(), 6);
}

#[test]
fn steps_are_counted_and_each_rank_keeps_its_own() {
    let run = merged(&four());
    let train = &run.steps["train"];
    assert_eq!((train.count, train.items.as_ref().unwrap().count), (32, 320.0));
    // 64 s of steps on four boards and two packages.
    close(train.seconds, 64.0);
    close(train.by_domain.iter().map(|joules| joules.get()).sum(), 64.0 * 1360.0);
    close(train.items.as_ref().unwrap().joules_per_item.get(), 64.0 * 1360.0 / 320.0);
    close(train.items.as_ref().unwrap().per_second, 5.0);
    close(train.joules.mean, 64.0 * 1360.0 / 32.0);
    assert_eq!((train.joules.min, train.joules.p95), (None, None), "they share the packages");
    close(train.duration_s.mean, 8.0);
    assert_eq!((train.duration_s.max, train.duration_s.p50), (Some(8.0), None));
    for rank in 0..4 {
        let own = &run.steps[&format!("train@{rank}")];
        assert_eq!(own.count, 8);
        close(own.joules.p95.unwrap(), 64.0 * 380.0 / 8.0);
        close(own.by_domain.iter().map(|joules| joules.get()).sum(), 64.0 * 380.0);
    }
    let boards = |rank: u32| {
        let id = format!("nvml:GPU-{rank}");
        Script::new(rank, 2, 10.0).gpu(&id, 300.0).epoch("train", 0.0, 10.0)
    };
    let apart = merged(&[boards(0), boards(1)]);
    close(apart.steps["train"].joules.max.unwrap(), 600.0);
}

#[test]
fn epochs_are_joined_by_split_and_number() {
    let run = merged(&four());
    let rows: Vec<_> = run.epochs.iter().map(|e| (e.split.as_str(), e.index)).collect();
    assert_eq!(rows, [("train", 1), ("train", 2)]);
    for epoch in &run.epochs {
        close(epoch.usage.seconds, 40.0);
        close(epoch.usage.energy.unwrap().joules.get(), 40.0 * 1360.0);
        assert_eq!(epoch.steps.as_ref().unwrap().count, 16);
    }
    close(run.epochs[1].start_s, 55.0);
    assert_eq!(run.spans.len(), 1);
    assert_eq!((run.spans[0].count, run.spans[0].children[0].count), (4, 4));
    close(run.spans[0].by_domain.iter().map(|joules| joules.get()).sum(), 80.0 * 1360.0);
}

/// Rank 1 meters longest, and only rank 0 validates.
#[test]
fn what_only_a_rank_does_that_is_not_believed_is_taken_from_outside() {
    let shared = |rank, seconds| {
        let script = Script::new(rank, 2, seconds).gpu(&format!("nvml:GPU-{rank}"), 200.0);
        script.cpu("rapl:package-0", 50.0).epoch("train", 0.0, 50.0)
    };
    let run = merged(&[shared(0, 80.0).epoch("valid", 60.0, 70.0), shared(1, 81.0)]);
    assert_eq!(ids(&run), ["nvml:GPU-0", "rapl:package-0", "nvml:GPU-1"]);
    let valid = &run.epochs[1];
    assert_eq!(valid.split, "valid");
    let of = |index: usize| valid.usage.by_domain[index].map(|energy| energy.joules.get());
    close(of(0).unwrap(), 2000.0);
    close(of(1).unwrap(), 500.0);
    assert_eq!(of(2), None, "rank 1 did not say what its board drew meanwhile");
    close(run.outside_epochs[1].get(), 81.0 * 50.0 - 3000.0);
    close(run.outside_epochs[2].get(), 31.0 * 200.0);
    assert!(says(&run, "rank 1: not in every epoch 'valid'"), "{:?}", run.warnings);
    assert_eq!(
        run.spans.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(),
        ["train", "valid"]
    );
    close(run.spans[1].by_domain[1].get(), 500.0);
}

#[test]
fn a_domain_is_metered_as_long_as_any_rank_meters_it() {
    let board =
        |rank, start, seconds| Script::new(rank, 2, seconds).from(start).gpu("nvml:GPU-0", 250.0);
    // A fifth of the second rank's time lies outside the first's.
    let run = merged(&[board(0, 0.0, 10.0), board(1, 4.0, 7.5)]);
    close(run.run.seconds, 11.5);
    let energy = run.total.energy.unwrap();
    close(energy.joules.get(), 250.0 * 11.5);
    close(energy.coverage, 1.0);
    let estimate = 250.0 * 1.5 / 3.0_f64.sqrt();
    close(energy.parts.gaps.get(), estimate);
    close(energy.parts.gain.get(), 0.01 * 250.0 * 11.5);
    assert!(says(&run, "375 J of 2875 J is estimated") || says(&run, "is estimated"));
    // Two ranks that never overlap: nothing is estimated, and the time between them is not observed.
    let run = merged(&[board(0, 0.0, 10.0), board(1, 12.0, 8.0)]);
    let energy = run.total.energy.unwrap();
    close(energy.joules.get(), 250.0 * 18.0);
    close(energy.coverage, 0.9);
    assert_eq!(energy.parts.gaps, Joules::ZERO);
    assert_eq!(run.warnings.len(), 1, "{:?}", run.warnings);
    assert!(says(&run, "ranks 0, 1: ran at no time together"), "{:?}", run.warnings);
}

#[test]
fn shares_of_processes_add_up() {
    let rank = |rank, watts| {
        let (kind, method) = (DomainKind::CpuPackage, Method::Modelled);
        Script::new(rank, 2, 10.0).with("rapl:package-0/process", kind, method, watts)
    };
    let run = merged(&[rank(0, 30.0), rank(1, 20.0)]);
    assert_eq!(ids(&run), ["rapl:package-0/process"]);
    close(joules(&run), 500.0);
    close(run.outside_epochs[0].get(), 500.0);
    close(run.total.energy.unwrap().coverage, 1.0);
}

#[test]
fn nothing_counts_twice_that_ranks_meter_in_different_ways() {
    use DomainKind::{CpuPackage, Dram, Gpu, Node};
    use Method::{Assumed, Counter, Modelled};
    type Row = (&'static str, DomainKind, Method);
    let table: [(&[Row], &[Row], &[&str]); 8] = [
        (
            &[("rapl:package-0", CpuPackage, Counter)],
            &[("perf:package-0", CpuPackage, Counter)],
            &["rapl:package-0"],
        ),
        (
            &[("cpu-model:package", CpuPackage, Modelled), ("cpu-model:dram", Dram, Modelled)],
            &[("rapl:package-0", CpuPackage, Counter), ("rapl:package-1", CpuPackage, Counter)],
            &["cpu-model:dram", "rapl:package-0", "rapl:package-1"],
        ),
        (&[("fixed:node", Node, Assumed)], &[("nvml:GPU-0", Gpu, Counter)], &["fixed:node"]),
        (
            &[("rapl:package-0/process", CpuPackage, Modelled)],
            &[("rapl:package-0", CpuPackage, Counter)],
            &["rapl:package-0"],
        ),
        (
            &[("cpu-model:package/process", CpuPackage, Modelled)],
            &[("cpu-model:package", CpuPackage, Modelled)],
            &["cpu-model:package"],
        ),
        (
            &[("cpu-model:package", CpuPackage, Modelled)],
            &[("fixed:cpu-package", CpuPackage, Assumed)],
            &["fixed:cpu-package"],
        ),
        // There may be several boards, and domains that one rank meters together are different ones.
        (
            &[("fixed:gpu", Gpu, Assumed)],
            &[("nvml:GPU-0", Gpu, Counter)],
            &["fixed:gpu", "nvml:GPU-0"],
        ),
        (
            &[("fixed:node", Node, Assumed), ("own:gpu", Gpu, Counter)],
            &[("own:gpu", Gpu, Counter)],
            &["fixed:node", "own:gpu"],
        ),
    ];
    for (first, second, expected) in table {
        let script = |rank, rows: &[Row]| {
            rows.iter().fold(Script::new(rank, 2, 10.0), |script, &(id, kind, method)| {
                script.with(id, kind, method, 100.0)
            })
        };
        for turned in [false, true] {
            let (a, b) = if turned { (1, 0) } else { (0, 1) };
            let run = merged(&[script(a, first), script(b, second)]);
            let mut found: Vec<String> =
                ids(&run).into_iter().map(|id| id.replace("perf:", "rapl:")).collect();
            found.sort();
            assert_eq!(found, expected);
            close(joules(&run), 1000.0 * expected.len() as f64);
        }
        // On separate machines they are different domains.
        let run = merged(&[script(0, first), script(1, second).on(1)]);
        assert_eq!(run.domains.len(), first.len() + second.len());
    }
}

#[test]
fn machines_are_told_apart_by_identity_and_not_by_name() {
    let rank = |rank: u32, id: Option<&str>, host: &str| {
        let mut record = Script::new(rank, 2, 10.0).cpu("rapl:package-0", 100.0).record();
        record.machine.machine_id = id.map(str::to_owned);
        record.machine.host = Some(host.to_owned());
        record
    };
    let containers = [rank(0, Some("aaaabbbbcccc"), "0f3e"), rank(1, Some("aaaabbbbcccc"), "77d1")];
    close(joules(&Record::merge(containers).unwrap()), 1000.0);
    let namesakes =
        [rank(0, Some("aaaabbbbcccc"), "worker"), rank(1, Some("ddddeeeeffff"), "worker")];
    let run = Record::merge(namesakes).unwrap();
    close(joules(&run), 2000.0);
    assert_eq!(ids(&run), ["worker-aaaabbbb/rapl:package-0", "worker-ddddeeee/rapl:package-0"]);
    let old = Record::merge([rank(0, None, "a"), rank(1, None, "a")]).unwrap();
    close(joules(&old), 1000.0);
    assert!(says(&old, "ranks 0, 1: the machine is known by its host name only"));
}

#[test]
fn no_sign_of_a_machine_is_believed_against_all_others() {
    const BOARD: &str = "nvml:GPU-8932f937-d72c-4106-c12f-20bd9faed9f6";
    let rank = |rank: u32, id: &str, change: fn(&mut Machine)| {
        let script = Script::new(rank, 2, 10.0).cpu("rapl:package-0", 50.0).gpu(BOARD, 300.0);
        let mut record = script.record();
        record.machine = Machine {
            machine_id: Some(id.to_owned()),
            host: Some(format!("container-{rank}")),
            cpu: Some("AMD EPYC 9754".to_owned()),
            os: Some("Linux 6.8.0".to_owned()),
            logical_cpus: Some(256),
            booted: Some(1_764_101_234 + i64::from(rank)),
            ..record.machine
        };
        change(&mut record.machine);
        record
    };
    let merge = |a: Record, b: Record| Record::merge([a, b]).unwrap();
    let nothing: fn(&mut Machine) = |_| ();

    // Containers with boot ids of their own and one board: one machine, and it is reported.
    let run = merge(rank(0, "aaaabbbbcccc", nothing), rank(1, "ddddeeeeffff", nothing));
    close(joules(&run), 3500.0);
    assert!(says(&run, "boot ids of their own and share nvml:GPU-8932f937"), "{:?}", run.warnings);

    // The same with different processor models: the board counts once, the packages of both count.
    let other: fn(&mut Machine) = |machine| machine.cpu = Some("Xeon".to_owned());
    let run = merge(rank(0, "aaaabbbbcccc", nothing), rank(1, "ddddeeeeffff", other));
    close(joules(&run), 4000.0);
    assert!(says(&run, "the board counts once"), "{:?}", run.warnings);

    // One boot id and different processors: copies of a virtual machine.
    let mut copy = rank(1, "aaaabbbbcccc", other);
    copy.domains[1].domain.id = BOARD.replace("8932", "1111");
    let run = merge(rank(0, "aaaabbbbcccc", nothing), copy);
    close(joules(&run), 7000.0);
    assert!(says(&run, "one boot id and processors of different models"), "{:?}", run.warnings);

    // Only the other signs suggest one machine: counted for each, and reported.
    let without = |mut record: Record| {
        record.domains[1].domain.id = format!("hwmon:{}", record.run.id);
        record
    };
    let run =
        merge(without(rank(0, "aaaabbbbcccc", nothing)), without(rank(1, "ddddeeeeffff", nothing)));
    close(joules(&run), 7000.0);
    assert!(says(&run, "counted twice"), "{:?}", run.warnings);
}

#[test]
fn missing_ranks_are_said() {
    let run = merged(&[Script::new(1, 5, 1.0).gpu("g", 1.0), Script::new(3, 5, 1.0).gpu("h", 1.0)]);
    assert!(says(&run, "ranks 0, 2, 4 of 5 are missing"), "{:?}", run.warnings);
    let run = merged(&[Script::new(0, 2, 1.0).gpu("g", 1.0)]);
    assert!(says(&run, "rank 1 of 2 is missing"), "{:?}", run.warnings);
}

#[test]
fn what_only_some_ranks_say_names_them() {
    let mut records: Vec<Record> = four().iter().map(Script::record).collect();
    for (index, record) in records.iter_mut().enumerate() {
        record.warnings.push("all say this".to_owned());
        record.facts.insert("seed".to_owned(), format!("{}", index / 3));
    }
    records[2].domains[1].warnings.push("a gap".to_owned());
    records[1].warnings.push("a span was left open".to_owned());
    records[3].sources[0].availability =
        Availability::Unavailable { reason: "no driver".to_owned(), remedy: "install".to_owned() };
    let run = Record::merge(records).unwrap();
    assert_eq!(run.warnings, ["all say this", "rank 1: a span was left open"]);
    let package = &run.domains[4];
    assert_eq!(package.domain.id, "node-1/rapl:package-0");
    assert_eq!(
        (package.warnings.as_slice(), package.readings),
        (&["rank 2: a gap".to_owned()][..], 20)
    );
    assert_eq!(run.facts["seed"], "0");
    assert_eq!(run.facts["seed@3"], "1");
    let Availability::Unavailable { reason, .. } = &run.sources[1].availability else { panic!() };
    assert_eq!(reason, "rank 3: no driver");
}

#[test]
fn records_that_do_not_belong_together_are_refused() {
    let record = |rank| Script::new(rank, 2, 1.0).gpu("g", 1.0).record();
    let refused = |change: fn(&mut Record), text: &str| {
        let mut other = record(1);
        change(&mut other);
        let error = Record::merge([record(0), other]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    refused(|other| other.run.rank.as_mut().unwrap().rank = 0, "rank 0 is there twice");
    refused(|other| other.run.rank.as_mut().unwrap().world_size = 3, "one of 2, rank 1 one of 3");
    refused(|other| other.run.rank = None, "names no rank");
    refused(|other| other.run.group = Some("slurm:7".to_owned()), "of run 'slurm:7'");
    refused(
        |other| other.footprint.site = Site::current().region("DE").unwrap(),
        "the grid of rank 0 is",
    );
    refused(
        |other| other.footprint.site = Site::current().with_pue(1.1).unwrap(),
        "the PUE of rank 0 is 1.54, that of rank 1 1.1",
    );
    let error = Record::merge([merged(&[Script::new(0, 2, 1.0)]), record(1)]).unwrap_err();
    assert!(error.to_string().contains("of several ranks already"), "{error}");
    assert_eq!(Record::merge([]).unwrap_err().kind(), ErrorKind::Mismatch);
    let mut odd = record(1);
    odd.run.started = "yesterday".to_owned();
    assert_eq!(Record::merge([record(0), odd]).unwrap_err().kind(), ErrorKind::Format);
    // A record that was written without a launcher matches any group.
    let mut without = record(1);
    without.run.group = None;
    assert_eq!(
        Record::merge([without, record(0)]).unwrap().run.group.as_deref(),
        Some("torchrun:a")
    );
}

#[test]
fn stated_accelerators_are_not_added_up() {
    let mut records: Vec<Record> = four().iter().map(Script::record).collect();
    for record in &mut records {
        record.footprint.accelerators = 8;
    }
    let run = Record::merge(records).unwrap();
    assert_eq!(run.footprint.accelerators, 8);
    assert!(says(&run, "accelerators were stated by hand"));
}
