//! A board whose driver gives its own samples of power, until it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::*;
use super::late::profile_of;
use crate::source::nvml::DEFAULT_SHARE;

/// Seconds between two samples, and between two updates of the counter and of power.
const SPACING: f64 = 0.02;
const PERIOD: f64 = 0.1;
const WATTS: f64 = 300.0;
/// Seconds that a call takes, and one that reads the counter.
const CALL: f64 = 20e-6;
const COUNTER: f64 = 3e-3;

/// What the driver does when it is asked for samples and has none.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Error,
    Nothing,
    /// It gives the same ones again and again.
    Old,
    Zero,
}

/// The board, on a clock that only calls and waits move. It gives no samples between two moments.
struct Driven {
    now: AtomicU64,
    /// Nanoseconds of a processor that calls have used.
    used: AtomicU64,
    without: (f64, f64),
    fault: Fault,
    counter_costs: f64,
}

impl Driven {
    fn seconds(&self) -> f64 {
        self.now.load(Ordering::Relaxed) as f64 * 1e-9
    }

    fn pass(&self, seconds: f64) {
        let nanos = u64::try_from(length(seconds).as_nanos()).unwrap();
        self.now.fetch_add(nanos, Ordering::Relaxed);
    }

    fn samples(&self, t: f64) -> Result<Vec<Past>, String> {
        let last = (t / SPACING).floor() * SPACING;
        let (begin, end) = self.without;
        let silent = (begin..end).contains(&t);
        let newest = match (silent, self.fault) {
            (true, Fault::Error) => return Err("not supported".to_owned()),
            (true, Fault::Nothing) => return Ok(Vec::new()),
            (true, Fault::Old) => (begin / SPACING).floor() * SPACING,
            _ => last,
        };
        let watts = if silent { 0.0 } else { WATTS };
        let age = |k: i32| t - newest + f64::from(k) * SPACING;
        Ok((0..119).rev().map(|k| Past { age: age(k), watts }).collect())
    }
}

impl Driver for Arc<Driven> {
    fn read(&self, ways: Ways, energy: bool, power: bool) -> Result<Sample, String> {
        let t = self.seconds();
        let mut sample = Sample::default();
        if power && ways.power == Way::Samples {
            sample.past = Some(self.samples(t));
        }
        if energy {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
            let millijoules = ((t / PERIOD).floor() * PERIOD * WATTS * 1e3) as u64;
            sample.millijoules = Some(Ok(millijoules));
        }
        if power && ways.power == Way::Field {
            // It swings a little, for otherwise nothing would tell when it is updated.
            let swing = ((t / PERIOD).floor() * 0.7).sin();
            sample.watts = Some(Ok(((WATTS + swing) * 1e3).round() / 1e3));
        }
        let took = if energy { self.counter_costs } else { CALL };
        self.used.fetch_add(u64::try_from(length(took).as_nanos()).unwrap(), Ordering::Relaxed);
        self.pass(took);
        Ok(sample)
    }

    fn now(&self) -> Timestamp {
        Timestamp::default().after(Duration::from_nanos(self.now.load(Ordering::Relaxed)))
    }

    fn used(&self) -> f64 {
        self.used.load(Ordering::Relaxed) as f64 * 1e-9
    }
}

/// What was read in a run.
struct Run {
    powers: Vec<f64>,
    energies: Vec<f64>,
    note: String,
    window: f64,
}

fn run(fault: Fault, without: (f64, f64), lasts: f64, counter_costs: f64) -> Run {
    let driver =
        Driven { now: AtomicU64::new(0), used: AtomicU64::new(0), without, fault, counter_costs };
    let driver = Arc::new(driver);
    driver.pass(100.0);
    let mut profile = profile_of(PERIOD, (SPACING, SPACING));
    profile.ways.power = Way::Samples;
    profile.instead = Some(Sensed { way: Way::Field, period: PERIOD, window: 0.025 });
    let mut board = Board::new(Arc::clone(&driver), profile, Cost::new(DEFAULT_SHARE, 1));
    let (mut powers, mut energies) = (Vec::new(), Vec::new());
    let end = 100.0 + lasts;
    let mut ended = false;
    while !ended {
        ended = driver.seconds() >= end;
        let mut readings = Vec::new();
        board.read(if ended { Request::Last } else { Request::Routine }, &mut readings);
        for reading in readings {
            match reading.value {
                Value::Power(watts) => {
                    assert!((watts.get() - WATTS).abs() < 2.0);
                    powers.push(reading.at.as_secs_f64() - 100.0);
                }
                Value::Energy(_) => {
                    let at = reading.at.as_secs_f64();
                    assert!(driver.seconds() - at < 12.0, "{at} s at {} s", driver.seconds());
                    energies.push(at - 100.0);
                }
                _ => {}
            }
        }
        let due = board.next_read().unwrap().by.as_secs_f64();
        driver.pass((due - driver.seconds()).max(1e-6));
    }
    let domain = &board.domains()[0];
    let note = domain.note.clone().unwrap_or_default();
    Run { powers, energies, note, window: domain.sensor.power_window_s.unwrap() }
}

fn longest_pause(moments: &[f64], from: f64, to: f64) -> f64 {
    let inside = moments.iter().copied().filter(|t| (from..to).contains(t));
    let mut last = from;
    let mut longest = 0.0_f64;
    for t in inside.chain([to]) {
        longest = longest.max(t - last);
        last = t;
    }
    longest
}

/// It was for ever: no power was read any more, and nothing told the phases of a training apart.
#[test]
fn power_is_read_by_itself_once_the_driver_gives_no_samples() {
    for fault in [Fault::Error, Fault::Nothing, Fault::Old, Fault::Zero] {
        let found = run(fault, (110.0, f64::INFINITY), 60.0, COUNTER);
        assert!(longest_pause(&found.powers, 2.0, 9.0) < 0.03, "{fault:?}: samples");
        assert!(longest_pause(&found.powers, 9.0, 59.0) < 6.5, "{fault:?}: soon");
        assert!(longest_pause(&found.powers, 17.0, 59.0) < 0.5, "{fault:?}: as before");
        assert!(found.note.contains("it gave none"), "{fault:?}: {}", found.note);
        assert!((found.window - 0.025).abs() < 1e-12, "{fault:?}");
    }
}

#[test]
fn samples_are_used_again_when_they_are_back() {
    let found = run(Fault::Error, (110.0, 130.0), 120.0, COUNTER);
    assert!(longest_pause(&found.powers, 80.0, 118.0) < 0.03);
    assert!((found.window - SPACING).abs() < 1e-12);
    assert!(found.note.contains("it gave none"), "{}", found.note);
    let never = run(Fault::Error, (0.0, 0.0), 30.0, COUNTER);
    assert!(!never.note.contains("it gave none"), "{}", never.note);
    // The end of a program that reads nothing but edges for a while is none of the driver's silence.
    assert!(longest_pause(&never.powers, 2.0, 28.0) < 0.03);
}

/// Where a read takes less, the counter is read at its own period, and its first values are held back until power has
/// been compared with them.
#[test]
fn a_counter_is_not_held_back_for_ever_for_want_of_samples() {
    for fault in [Fault::Error, Fault::Nothing, Fault::Old, Fault::Zero] {
        let found = run(fault, (100.0, f64::INFINITY), 60.0, 0.000_6);
        assert!(longest_pause(&found.energies, 1.0, 55.0) < 2.5, "{fault:?}");
    }
}
