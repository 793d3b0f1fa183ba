use std::fs;

use super::fit::{LINE_START, Law, fit, fit_own, line, shares};
use super::own::{OWN_CURVE, OwnCurve};
use super::points::{MACHINES, Machine};
use super::validation::{held_out, pooled, rms};
use super::*;

#[test]
fn the_constants_are_the_fit_to_all_machines() {
    let (full, idle) = shares(&fit(line, LINE_START, &MACHINES.each_ref()));
    assert!((full - FULL_SHARE).abs() <= 0.0005, "full share {full}");
    assert!((idle - IDLE_SHARE).abs() <= 0.0005, "idle share {idle}");
}

#[test]
fn the_stated_error_covers_machines_left_out_and_is_not_wider_than_needed() {
    let rows = validation();
    assert_eq!(rows.iter().map(|row| row.points).collect::<Vec<_>>(), [20, 18, 3, 20, 20]);
    for row in &rows {
        assert!(row.rms >= row.mean.abs() && row.worst.abs() >= row.rms, "{row:?}");
        assert!(row.median <= row.rms * 1.2 && row.covered >= 0.85, "{row:?}");
    }
    let pooled = pooled(&rows);
    assert!(pooled <= KNOWN_ERROR && 1.05 * pooled >= KNOWN_ERROR, "{pooled}");
    let (covered, points) = rows.iter().fold((0.0, 0.0), |(covered, points), row| {
        (covered + row.covered * row.points as f64, points + row.points as f64)
    });
    assert!(covered >= 0.95 * points, "{covered} of {points}");
}

/// The pooled root mean square on machines left out.
fn pooled_of<const N: usize>(law: Law<N>, start: [f64; N], machines: &[&'static Machine]) -> f64 {
    let rows = held_out(law, start, machines);
    rms(&rows.iter().map(|(_, _, residuals)| rms(residuals)).collect::<Vec<_>>())
}

/// What the documentation says of laws that were given up.
#[test]
fn neither_curve_nor_cores_help_on_a_machine_left_out_and_the_clock_does_a_little() {
    let curve: Law<3> = |&[full, idle, exponent], seen| {
        let rise = 1.0 - (1.0 - seen.load).powf(exponent.exp());
        let (full, idle) = shares(&[full, idle]);
        full * (idle + (1.0 - idle) * rise)
    };
    let cores: Law<3> = |&[full, idle, power], seen| {
        let (full, idle) = shares(&[full, idle]);
        full * (idle + (1.0 - idle) * seen.load * seen.each.powf(power))
    };
    let clock: Law<3> = |&[full, idle, power], seen| {
        let (full, idle) = shares(&[full, idle]);
        full * (idle + (1.0 - idle) * seen.load * seen.clock.powf(power))
    };
    let clock_of_all: Law<3> =
        |&[full, idle, power], seen| line(&[full, idle], seen) * seen.clock.powf(power);

    let all = MACHINES.each_ref();
    let start = |third| [LINE_START[0], LINE_START[1], third];
    let chosen = pooled_of(line, LINE_START, &all);
    assert!((chosen - 0.40).abs() < 0.01, "line: {chosen}");
    for (name, law, third, documented, helps) in [
        ("curve", curve, 0.0, 0.42, false),
        ("cores", cores, 0.2, 0.42, false),
        ("clock", clock, 1.0, 0.38, true),
        ("clock of all", clock_of_all, 1.0, 0.36, true),
    ] {
        let found = pooled_of(law, start(third), &all);
        assert!((found - documented).abs() < 0.01, "{name}: {found}, not {documented}");
        assert_eq!(found < chosen, helps, "{name}: {found} against {chosen}");
    }
}

fn processor(machine: &Machine, name: &str) -> host::Processor {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let logical = machine.logical as u32;
    let name = Some(name.to_owned());
    host::Processor {
        name,
        logical,
        packages: 1,
        hypervisor: Some(false),
        ..host::Processor::default()
    }
}

#[test]
fn a_known_processor_and_an_unknown_one_draw_what_is_stated_of_them() {
    // The mean profile is of no one processor.
    for machine in &MACHINES[..2] {
        for (name, error) in
            [(machine.name, KNOWN_ERROR), ("a processor nobody knows", UNKNOWN_ERROR)]
        {
            let estimate = processors::estimate(&processor(machine, name), None);
            assert!((estimate.error - error).abs() < f64::EPSILON, "{name}");
            let loaded = machine.points.iter().filter(|point| point.load > 0.05);
            let inside: Vec<bool> = loaded
                .map(|point| {
                    let watts = package_power(point.load, estimate.full).get();
                    (point.watts - watts).abs() <= 2.0 * error * watts
                })
                .collect();
            let covered = inside.iter().filter(|inside| **inside).count();
            assert!(covered * 100 >= 95 * inside.len(), "{} as {name}: {inside:?}", machine.name);
        }
    }
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

/// Time spent since the start of a test; the machine had run before.
fn write_stat(root: &Path, busy: u64, idle: u64) {
    let (busy, idle) = (busy + 5000, idle + 5000);
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
    let at = |seconds| Timestamp::default().after(Duration::from_secs(seconds));
    assert!(matches!(package.advance(Load::TooSoon, at(0)), Some(Value::Energy(_))));
    assert!(matches!(package.advance(Load::TooSoon, at(5)), Some(Value::Missing(_))));
}

/// The processors of a system without procfs, as a script shows them.
#[derive(Debug)]
struct Script(std::vec::IntoIter<std::io::Result<Load>>);

impl ProcessorLoad for Script {
    fn read(&mut self) -> std::io::Result<Load> {
        self.0.next().unwrap()
    }

    fn place(&self) -> String {
        "a script".to_owned()
    }
}

#[test]
fn where_a_system_shows_shares_and_no_ticks_energy_follows_from_them() {
    let script = vec![
        Ok(Load::TooSoon),
        Ok(Load::Busy(0.75)),
        Ok(Load::TooSoon),
        Ok(Load::Busy(0.25)),
        Err(std::io::Error::other("as asked")),
        Ok(Load::Unknown("not read for an hour".to_owned())),
        Ok(Load::Busy(1.0)),
    ];
    let mut model = CpuModel { domains: Vec::new(), package: None, dram: None };
    let processor = host::Processor { logical: 8, packages: 1, ..host::Processor::default() };
    model.add_package(
        Some(Box::new(Script(script.into_iter()))),
        &processor,
        None,
        &KnownPower::default(),
    );
    let full = Watts::new(8.0 * TDP_PER_LOGICAL_CPU.get() * FULL_SHARE);
    let mut readings = Vec::new();
    for _ in 0..7 {
        model.read(Request::Routine, &mut readings);
    }
    let [first, busy, less, missing, gap, after] = &readings[..] else { panic!("{readings:?}") };
    assert!(matches!(missing.value, Value::Missing(ref why) if why.contains("as asked")));
    assert!(matches!(gap.value, Value::Restarted(ref why) if why.contains("an hour")));
    let known = [first, busy, less, after].map(|reading| match reading.value {
        Value::Energy(joules) => joules.get(),
        ref other => panic!("expected energy, found {other:?}"),
    });
    // The interval that was too short belongs to the next; the one that is not known has no energy.
    let drawn = |from: &Reading, to: &Reading, share| {
        (package_power(share, full) * to.at.since(from.at)).get()
    };
    let expected = [drawn(first, busy, 0.75), drawn(busy, less, 0.25), drawn(gap, after, 1.0)];
    assert!(known[0].abs() < 1e-12);
    for (pair, expected) in known.windows(2).zip(expected) {
        assert!((pair[1] - pair[0] - expected).abs() < 1e-12, "{known:?}");
    }
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

#[test]
fn a_machine_left_out_is_within_15_percent_by_its_own_idle_and_full_power() {
    let OwnCurve { reached, exponent } = fit_own(&MACHINES.each_ref());
    let OwnCurve { reached: stated, exponent: stated_exponent } = OWN_CURVE;
    assert!((reached - stated).abs() <= 0.01, "{reached}");
    assert!((exponent - stated_exponent).abs() <= 0.01, "{exponent}");

    let rows = own_validation();
    let errors: Vec<f64> = rows.iter().flat_map(|row| row.errors.iter().copied()).collect();
    assert_eq!(errors.len(), 81);
    assert!(median(errors) <= 0.15, "{rows:?}");
    for row in &rows {
        assert!(row.covered >= 0.95, "{row:?}");
    }
    let of_machines = rows.iter().map(|row| row.median).sum::<f64>() / rows.len() as f64;
    assert!(of_machines <= 0.15, "{rows:?}");
}

#[test]
fn own_power_is_read_from_text_or_refused() {
    let own = Own { idle: Watts::new(20.0), full: Watts::new(180.5) };
    assert_eq!(Own::parse("20, 180.5"), Some(own));
    for text in ["", "20", "180,20", "-1,20", "1,inf", "nan,20", "20,180,3"] {
        assert_eq!(Own::parse(text), None, "{text}");
    }
    assert_eq!((own.power(0.0), own.power(-1.0)), (own.idle, own.idle));
    assert_eq!((own.power(1.0), own.power(0.9)), (own.full, own.full));
    let curve: Vec<f64> = (0..=100).map(|u| own.power(f64::from(u) / 100.0).get()).collect();
    assert!(curve.windows(2).all(|pair| pair[0] <= pair[1]));
}

#[test]
fn where_no_time_is_shown_power_is_half_way_between_idle_and_full_and_says_so() {
    let root = proc_tree(1024);
    fs::write(root.path().join("stat"), "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0\n").unwrap();
    let (model, report) = CpuModel::open(root.path(), BOTH);
    let mut model = model.unwrap();
    assert!(report.remarks[0].contains("shows no time"), "{report:?}");
    let domain = model.domains()[0].clone();
    assert!((domain.sensor.relative_error - KNOWN_ERROR.hypot(UNSEEN_ERROR)).abs() < 1e-12);
    let mut readings = Vec::new();
    model.read(Request::Routine, &mut readings);
    model.read(Request::Routine, &mut readings);
    let package = energies(&readings, 0);
    let power = package_power(0.5, Watts::new(90.0 * FULL_SHARE));
    let expected = power * package[1].0.since(package[0].0);
    assert!((package[1].1 - expected.get()).abs() < 1e-12);
    // The error covers both an idle and a busy processor.
    let (idle, full) = (IDLE_SHARE, 1.0);
    let mean = f64::midpoint(idle, full);
    assert!(((full - idle) / 12.0_f64.sqrt() / mean - UNSEEN_ERROR).abs() < 5e-4);
}
