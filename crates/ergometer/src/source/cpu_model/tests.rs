use std::fs;

use super::*;

/// (utilisation, watts): package power from RAPL, 30 s a point. `CodeCarbon`'s load profiling,
/// January 2025, MIT licence; energy of a row over its duration.
struct Machine {
    cpuinfo: &'static str,
    logical: u32,
    points: &'static [(f64, f64)],
}

const MACHINES: [Machine; 2] = [
    Machine {
        cpuinfo: "AMD EPYC 8024P 8-Core Processor",
        logical: 16,
        points: &[
            // Load on all cores.
            (0.006, 18.26),
            (0.100, 29.20),
            (0.200, 38.56),
            (0.300, 41.71),
            (0.403, 43.07),
            (0.500, 47.57),
            (0.646, 48.70),
            (0.702, 49.24),
            (0.800, 50.87),
            (0.894, 46.07),
            (1.000, 46.25),
            // Load on some cores.
            (0.000, 17.68),
            (0.068, 37.55),
            (0.186, 41.59),
            (0.248, 43.46),
            (0.373, 47.15),
            (0.503, 49.33),
            (0.562, 49.88),
            (0.716, 51.30),
            (0.781, 45.57),
            (0.875, 46.50),
            (1.000, 46.74),
        ],
    },
    Machine {
        cpuinfo: "Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz",
        logical: 8,
        points: &[
            // Load on all cores.
            (0.025, 5.46),
            (0.125, 6.83),
            (0.218, 8.11),
            (0.325, 9.44),
            (0.412, 14.07),
            (0.513, 23.95),
            (0.608, 29.50),
            (0.713, 44.50),
            (0.802, 47.16),
            (0.889, 48.37),
            (1.000, 49.41),
            // Load on some cores.
            (0.025, 5.67),
            (0.137, 21.06),
            (0.253, 29.37),
            (0.388, 36.63),
            (0.500, 42.76),
            (0.608, 44.52),
            (0.762, 46.78),
            (0.887, 47.67),
            (1.000, 49.65),
        ],
    },
];

/// The mean profile of AWS bare-metal Xeons under stress, as shares of TDP (Davy, Teads, 2021).
const AWS_PROFILE: [(f64, f64); 4] = [(0.0, 0.12), (0.1, 0.32), (0.5, 0.75), (1.0, 1.02)];

fn processor(machine: &Machine, name: &str) -> host::Processor {
    host::Processor {
        name: Some(name.to_owned()),
        logical: machine.logical,
        packages: 1,
        hypervisor: Some(false),
    }
}

/// The share of points above 5 % load whose truth lies within two standard uncertainties.
fn covered(points: impl Iterator<Item = (f64, f64)>, full: Watts, error: f64) -> f64 {
    let inside: Vec<bool> = points
        .filter(|(load, _)| *load > 0.05)
        .map(|(load, truth)| {
            let estimate = package_power(load, full).get();
            (truth - estimate).abs() <= 2.0 * error * estimate
        })
        .collect();
    inside.iter().filter(|inside| **inside).count() as f64 / inside.len() as f64
}

#[test]
fn the_truth_lies_within_two_standard_uncertainties() {
    for machine in &MACHINES {
        let known = processors::estimate(&processor(machine, machine.cpuinfo));
        assert!((known.error - KNOWN_ERROR).abs() < f64::EPSILON, "{}", machine.cpuinfo);
        let share = covered(machine.points.iter().copied(), known.full, known.error);
        assert!(share >= 0.95, "{}: {share}", machine.cpuinfo);

        let unknown = processors::estimate(&processor(machine, "a processor nobody knows"));
        assert!((unknown.error - UNKNOWN_ERROR).abs() < f64::EPSILON);
        let share = covered(machine.points.iter().copied(), unknown.full, unknown.error);
        assert!(share >= 0.95, "{} taken as unknown: {share}", machine.cpuinfo);
    }
    let share = covered(AWS_PROFILE.into_iter(), Watts::new(FULL_SHARE), KNOWN_ERROR);
    assert!(share >= 0.95, "AWS: {share}");
}

#[test]
fn the_stated_error_is_what_the_points_show_and_not_wider_than_needed() {
    let residuals: Vec<f64> = MACHINES
        .iter()
        .flat_map(|machine| {
            let full = processors::estimate(&processor(machine, machine.cpuinfo)).full;
            machine
                .points
                .iter()
                .filter(|(load, _)| *load > 0.05)
                .map(move |(load, truth)| truth / package_power(*load, full).get() - 1.0)
        })
        .collect();
    let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let rms = (squares / residuals.len() as f64).sqrt();
    assert!(rms < KNOWN_ERROR && rms > KNOWN_ERROR / 2.0, "{rms}");
}

#[test]
fn power_rises_with_utilisation_and_stays_between_idle_and_full() {
    let full = Watts::new(100.0);
    let curve: Vec<f64> =
        (0..=100).map(|u| package_power(f64::from(u) / 100.0, full).get()).collect();
    assert!(curve.windows(2).all(|pair| pair[0] <= pair[1]));
    assert_eq!(package_power(-1.0, full), package_power(0.0, full));
    assert_eq!(package_power(7.0, full), full);
}

/// A proc tree with one known processor and `kib` of memory.
fn proc_tree(kib: u64) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let cpu = |n| format!("processor\t: {n}\nmodel name\t: AMD EPYC 8024P 8-Core Processor\n\n");
    fs::write(root.path().join("cpuinfo"), (0..16).map(cpu).collect::<String>()).unwrap();
    fs::write(root.path().join("meminfo"), format!("MemTotal: {kib} kB\nMemFree: 1 kB\n")).unwrap();
    write_stat(root.path(), 0, 0);
    root
}

fn write_stat(root: &Path, busy: u64, idle: u64) {
    let text = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3 4\n");
    fs::write(root.join("stat"), text).unwrap();
}

const BOTH: Wanted = Wanted { package: true, dram: true };

fn energies(readings: &[Reading], domain: usize) -> Vec<(Timestamp, f64)> {
    readings
        .iter()
        .filter(|reading| reading.domain == domain)
        .map(|reading| match reading.value {
            Value::Energy(joules) => (reading.at, joules.get()),
            ref other => panic!("expected energy, found {other:?}"),
        })
        .collect()
}

#[test]
fn energy_follows_the_busy_share_of_each_interval() {
    let root = proc_tree(16 * 1024 * 1024);
    let (model, report) = CpuModel::open(root.path(), BOTH);
    let mut model = model.unwrap();
    assert_eq!(report.availability, Availability::Available);
    assert_eq!(report.domains, ["cpu-model:package", "cpu-model:dram"]);
    assert!(model.domains().iter().all(|domain| domain.method == Method::Modelled));

    let mut readings = Vec::new();
    model.read(Request::Routine, &mut readings);
    write_stat(root.path(), 750, 250);
    model.read(Request::Routine, &mut readings);
    write_stat(root.path(), 750, 1250);
    model.read(Request::Routine, &mut readings);

    let full = Watts::new(90.0 * FULL_SHARE);
    let package = energies(&readings, 0);
    for (pair, utilisation) in package.windows(2).zip([0.75, 0.0]) {
        let expected = package_power(utilisation, full) * pair[1].0.since(pair[0].0);
        assert!((pair[1].1 - pair[0].1 - expected.get()).abs() < 1e-12, "{utilisation}");
    }
    let dram = energies(&readings, 1);
    let expected = Watts::new(16.0 * 0.3725) * dram[2].0.since(dram[0].0);
    assert!((dram[2].1 - dram[0].1 - expected.get()).abs() < 1e-12);
}

#[test]
fn an_interval_without_a_tick_is_left_to_the_next_reading() {
    let root = proc_tree(1024);
    let mut model = CpuModel::open(root.path(), BOTH).0.unwrap();
    let mut readings = Vec::new();
    model.read(Request::Routine, &mut readings);
    model.read(Request::Routine, &mut readings);
    assert_eq!(energies(&readings, 0).len(), 1);
    write_stat(root.path(), 16, 0);
    model.read(Request::Routine, &mut readings);
    let package = energies(&readings, 0);
    let expected = Watts::new(90.0 * FULL_SHARE) * package[1].0.since(package[0].0);
    assert!((package[1].1 - expected.get()).abs() < 1e-12);
}

#[test]
fn a_clock_that_stands_still_is_missing_and_not_zero() {
    let root = proc_tree(1024);
    let mut model = CpuModel::open(root.path(), BOTH).0.unwrap();
    let package = model.package.as_mut().unwrap();
    let jiffies = Jiffies { busy: 1, idle: 1 };
    let at = |seconds| Timestamp::default().after(Duration::from_secs(seconds));
    assert!(matches!(package.advance(jiffies, at(0)), Some(Value::Energy(_))));
    assert!(matches!(package.advance(jiffies, at(5)), Some(Value::Missing(_))));
}

#[test]
fn without_proc_nothing_is_made_up() {
    let root = tempfile::tempdir().unwrap();
    let (model, report) = CpuModel::open(root.path(), BOTH);
    assert!(model.is_none());
    let Availability::Unavailable { reason, .. } = report.availability else {
        panic!("available without /proc")
    };
    assert!(reason.contains("stat") && reason.contains("meminfo"), "{reason}");
}

#[test]
fn a_file_that_vanishes_is_missing_and_the_memory_goes_on() {
    let root = proc_tree(1024);
    let mut model = CpuModel::open(root.path(), BOTH).0.unwrap();
    fs::remove_file(root.path().join("stat")).unwrap();
    let mut readings = Vec::new();
    model.read(Request::Routine, &mut readings);
    assert!(matches!(readings[0].value, Value::Missing(_)));
    assert!(matches!(readings[1].value, Value::Energy(_)));
}
