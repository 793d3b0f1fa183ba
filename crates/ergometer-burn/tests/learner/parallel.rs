//! One training in four processes, each with a board of its own and a quarter of the data.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use burn::optim::SgdConfig;
use burn::tensor::Device;
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{Learner, SupervisedTraining};
use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::{Devices, Meter};
use ergometer_burn::EnergyTraining as _;
use nvml_sim::{AMPLE_SHARE, Installed, Machine, monotonic_ns};

use crate::toy::{self, Diary, Line};
use crate::{assert_conserved, close};

const TEST: &str = "parallel::four_processes_come_to_the_energy_of_their_machine";
const RANKS: u32 = 4;
const EPOCHS: usize = 3;
/// Of each rank: six batches of training data, three of validation data.
const ITEMS: (u8, u8) = (22, 10);
/// Where a rank finds the library; it leaves its record beside it.
const LIBRARY: &str = "ERGOMETER_TEST_LIBRARY";

const SETTINGS: &str = "boards=4
0.generation=h100;0.curve=square:200:600:730ms
1.generation=h100;1.curve=sine:150:500:1900ms
2.generation=a100;2.curve=ramp:80:380:1300ms
3.generation=v100;3.curve=constant:240";

fn uuid(board: u32) -> String {
    format!("GPU-00000000-0000-4000-8000-{board:012}")
}

/// One rank's training. Gradients are not exchanged, which metering knows nothing of.
fn train(library: &Path) {
    let nowhere = Path::new("/nowhere");
    let meter = Meter::builder()
        .label("parallel")
        .nvml_library(library)
        .overhead(AMPLE_SHARE)
        .devices(Devices::Visible)
        .sysfs_root(nowhere)
        .proc_root(nowhere)
        .start()
        .unwrap();
    meter.fact("from_ns", monotonic_ns());
    let directory = tempfile::tempdir().unwrap();
    let (train, valid) = (Diary::new(&meter, "train"), Diary::new(&meter, "valid"));
    let training = SupervisedTraining::metered(
        &meter,
        directory.path(),
        toy::loader(&train, ITEMS.0),
        toy::loader(&valid, ITEMS.1),
    )
    .num_epochs(EPOCHS)
    .with_application_logger(None)
    .renderer(Box::new(CliMetricsRenderer::new()));
    let model = Line::new(&Device::flex().autodiff());
    let result = training.launch(Learner::new(model, SgdConfig::new().init(), 0.1));
    assert!(result.error.is_none(), "{:?}", result.error);
    meter.fact("to_ns", monotonic_ns());
    let record = meter.finish().unwrap();
    let rank = record.run.rank.as_ref().unwrap().rank;
    record.write(library.with_file_name(format!("{rank}.json"))).unwrap();
}

/// The records of all ranks.
fn ranks(machine: &Installed) -> Vec<Record> {
    let children: Vec<_> = (0..RANKS)
        .map(|rank| {
            Command::new(env::current_exe().unwrap())
                .args([TEST, "--exact", "--nocapture"])
                .env(LIBRARY, machine.library())
                .env("RANK", rank.to_string())
                .env("LOCAL_RANK", rank.to_string())
                .env("WORLD_SIZE", RANKS.to_string())
                .env("TORCHELASTIC_RUN_ID", "of-the-test")
                .env("CUDA_VISIBLE_DEVICES", uuid(rank))
                .env_remove("ERGOMETER_NVML_LIBRARY")
                .env_remove("ERGOMETER_PROC_ROOT")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let record = |rank| {
        let file = machine.folder().join(format!("{rank}.json"));
        Record::from_json(&fs::read_to_string(file).unwrap()).unwrap()
    };
    (0..RANKS).map(record).collect()
}

#[test]
fn four_processes_come_to_the_energy_of_their_machine() {
    if let Some(library) = env::var_os(LIBRARY) {
        return train(Path::new(&library));
    }
    let machine = Installed::new(SETTINGS);
    let ranks = ranks(&machine);
    let run = Record::merge(ranks.clone()).unwrap();

    let curves = Machine::parse(SETTINGS).unwrap();
    let (mut sum, mut truth, mut variance) = (0.0, 0.0, 0.0);
    for (board, record) in ranks.iter().enumerate() {
        let fact = |name: &str| record.facts[name].parse::<u64>().unwrap();
        let joules = curves.boards[board].curve.joules(fact("from_ns"), fact("to_ns"));
        let id = format!("nvml:{}", uuid(u32::try_from(board).unwrap()));
        let row = run.domains.iter().find(|row| row.domain.id == id).unwrap();
        let said = row.energy.unwrap();
        let off = (said.joules.get() - joules).abs();
        let error = said.standard_uncertainty.get();
        assert!(off <= 2.0 * error, "{id}: {} ± {error} J for {joules} J", said.joules.get());
        sum += said.joules.get();
        truth += joules;
        variance += error * error;
    }
    assert!((sum - truth).abs() <= 2.0 * variance.sqrt(), "{sum} J for {truth} J");
    let total = run.total.energy.unwrap().joules.get();
    assert!(close(total, sum, 1e-9), "{total} J of boards with {sum} J");

    let boards = run.domains.iter().filter(|row| row.domain.kind == DomainKind::Gpu).count();
    assert_eq!((boards, run.footprint.accelerators), (4, 4));
    let steps = &run.steps["train"];
    assert_eq!(steps.count, u64::from(RANKS) * 18);
    let items = f64::from(RANKS * u32::from(ITEMS.0)) * EPOCHS as f64;
    assert!(close(steps.items.as_ref().unwrap().count, items, 1e-12), "{steps:?}");
    assert_eq!(run.epochs.len(), 2 * EPOCHS);
    run.epochs.iter().for_each(assert_conserved);
    assert!(run.warnings.iter().all(|line| !line.contains("missing")), "{:?}", run.warnings);
}
