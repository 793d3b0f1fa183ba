//! Slow drivers, slow counters, and boards that go away.

use std::path::Path;
use std::thread;
use std::time::Duration;

use ergometer::Kind;
use ergometer::private::sources::nvml;
use ergometer::source::PowerSource;
use ergometer::span::Label;
use ergometer::{Devices, Meter};
use nvml_sim::AMPLE_SHARE;

use crate::boards::only;
use crate::nvml::{BOARD_0, BOARD_1, Simulated, domain, drive, energies};

/// The board of `machine`, which reading may take this `share` of a core for.
fn board_within(machine: &Simulated, share: f64) -> Box<dyn PowerSource> {
    let (library, environment) = (machine.library(), nvml::Environment::default());
    nvml::open(Some(&library), Path::new("/proc"), &Devices::All, &environment, share).0.remove(0)
}

#[test]
fn a_counter_of_any_period_is_told_with_the_moments_for_which_it_holds() {
    for (millis, seconds) in [(20, 3), (250, 4), (1000, 7)] {
        let settings = format!("curve=constant:300;counter={millis}ms@7ms");
        let machine = Simulated::new(&settings);
        let board = &mut *board_within(&machine, AMPLE_SHARE);
        let seen = energies(&drive(board, Duration::from_secs(seconds)));
        assert!(seen.len() > 3, "{millis} ms: {seen:?}");
        for pair in seen.windows(2) {
            let [(from, early, before), (to, late, after)] = [pair[0], pair[1]];
            let off = (after - before - 300.0 * (to - from)).abs();
            assert!(off <= 300.0 * (early + late) + 0.01, "{millis} ms: {pair:?}");
        }
        let period = board.domains()[0].sensor.counter_period_s;
        let truth = f64::from(millis) / 1e3;
        let right = |period: f64| (period - truth).abs() < 0.03 * truth;
        // On a machine that is busy with other tests 20 ms may be too short.
        assert!(period.map_or(millis == 20, right), "{millis} ms: {period:?}");
    }
}

#[test]
fn a_counter_whose_period_was_not_learnt_is_said_to_be_so() {
    // Too short a time for three updates.
    let machine = Simulated::new("curve=constant:300;counter=1000ms");
    let board = &mut *board_within(&machine, AMPLE_SHARE);
    let seen = energies(&drive(board, Duration::from_millis(800)));
    assert!(seen.first().is_some_and(|(_, within, _)| *within > 0.5), "it may be old: {seen:?}");
    let domain = &board.domains()[0];
    assert_eq!(domain.sensor.counter_period_s, None);
    let note = domain.note.clone().unwrap();
    assert!(note.contains("period was not learnt"), "{note}");
}

#[test]
fn a_driver_that_takes_its_time_shows_the_period_too() {
    let machine = Simulated::new("curve=constant:300;latency=2400us");
    let board = &mut *board_within(&machine, nvml::DEFAULT_SHARE);
    // Two seconds, or more on a machine that is busy with other tests.
    let learnt = (0..20).find_map(|_| {
        drive(board, Duration::from_secs(2));
        board.domains()[0].sensor.counter_period_s
    });
    let period = learnt.expect("not learnt in 40 s");
    assert!((period - 0.1).abs() < 0.002, "{period}");
}

fn epoch(meter: &Meter, millis: u64) {
    let span = meter.enter(Label::new(Kind::Epoch, "train"));
    thread::sleep(Duration::from_millis(millis));
    drop(span);
}

#[test]
fn a_lost_board_gives_no_energy_from_its_last_good_reading_on() {
    let settings = "boards=2;curve=constant:300;limit=500";
    let machine = Simulated::new(settings);
    let meter = only(&machine).devices(Devices::All).start().unwrap();
    epoch(&meter, 1500);
    machine.set(&format!("{settings};1.lost=yes"));
    // What was under way when it was lost is over.
    thread::sleep(Duration::from_millis(300));
    epoch(&meter, 900);
    let record = meter.finish().unwrap();
    let lost = record.domains.iter().position(|row| row.domain.id == BOARD_1).unwrap();
    let before = record.epochs[0].usage.by_domain[lost].unwrap();
    assert!((before.joules.get() / 450.0 - 1.0).abs() < 0.1, "{before:?}");
    let usage = &record.epochs[1].usage;
    assert_eq!(usage.by_domain[lost], None);
    let coverage = usage.energy.unwrap().coverage;
    assert!(coverage < 1e-6, "the sum lacks it, and says so: {coverage}");
    assert!(usage.by_domain[1 - lost].unwrap().coverage > 0.99);
    let whole = domain(&record, BOARD_1).energy.unwrap();
    assert!(whole.coverage < 0.75, "{whole:?}");
    let off = (whole.joules.get() - 300.0 * record.run.seconds).abs();
    assert!(off <= 2.0 * whole.standard_uncertainty.get(), "its limit bounds it: {whole:?}");
}

#[test]
fn a_board_that_was_away_has_the_energy_of_that_time_in_its_counter() {
    let settings = "boards=2;curve=constant:300";
    let machine = Simulated::new(settings);
    let meter = only(&machine).devices(Devices::All).start().unwrap();
    epoch(&meter, 1500);
    machine.set(&format!("{settings};1.lost=yes"));
    epoch(&meter, 2500);
    machine.set(settings);
    // It is tried again within seconds.
    epoch(&meter, 4000);
    let record = meter.finish().unwrap();
    for id in [BOARD_0, BOARD_1] {
        let row = domain(&record, id);
        let energy = row.energy.unwrap();
        let off = energy.joules.get() / (300.0 * record.run.seconds) - 1.0;
        assert!(off.abs() < 0.03 && energy.coverage > 0.99, "{id}: {row:?}");
        let note = row.domain.note.clone().unwrap();
        assert!(!note.contains("not used") && !note.contains("once a second"), "{id}: {note}");
    }
}
