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

/// A board and what happens to it. Moments are seconds from the start.
#[derive(Clone, Copy, Debug)]
struct Script {
    power: Way,
    /// It gives no samples between two moments, in this way.
    without: (f64, f64),
    fault: Fault,
    /// No call succeeds between two moments.
    broken: (f64, f64),
    /// The counter alone does not answer between two moments.
    mute: (f64, f64),
    /// Seconds that the counter takes to read, and power.
    counter_costs: f64,
    power_costs: f64,
    /// The number of boards that share what reading may take.
    boards: usize,
    /// When it is read first, and how long it is read.
    first: f64,
    lasts: f64,
}

/// Without any fault.
const SOUND: Script = Script {
    power: Way::Samples,
    without: (0.0, 0.0),
    fault: Fault::Error,
    broken: (0.0, 0.0),
    mute: (0.0, 0.0),
    counter_costs: COUNTER,
    power_costs: CALL,
    boards: 1,
    first: 0.0,
    lasts: 60.0,
};

/// The board, on a clock that only calls and waits move.
struct Driven {
    script: Script,
    now: AtomicU64,
    /// Nanoseconds of a processor that calls have used.
    used: AtomicU64,
}

/// When the clock begins.
const START: f64 = 100.0;

impl Driven {
    fn seconds(&self) -> f64 {
        self.now.load(Ordering::Relaxed) as f64 * 1e-9
    }

    fn is_in(&self, (begin, end): (f64, f64)) -> bool {
        (begin..end).contains(&(self.seconds() - START))
    }

    fn pass(&self, seconds: f64) {
        let nanos = u64::try_from(length(seconds).as_nanos()).unwrap();
        self.now.fetch_add(nanos, Ordering::Relaxed);
    }

    fn samples(&self, t: f64) -> Result<Vec<Past>, String> {
        let last = (t / SPACING).floor() * SPACING;
        let silent = self.is_in(self.script.without);
        let newest = match (silent, self.script.fault) {
            (true, Fault::Error) => return Err("not supported".to_owned()),
            (true, Fault::Nothing) => return Ok(Vec::new()),
            (true, Fault::Old) => START + self.script.without.0,
            _ => last,
        };
        let watts = if silent && matches!(self.script.fault, Fault::Zero) { 0.0 } else { WATTS };
        let age = |k: i32| t - newest + f64::from(k) * SPACING;
        Ok((0..119).rev().map(|k| Past { age: age(k), watts }).collect())
    }
}

impl Driver for Arc<Driven> {
    fn read(&self, ways: Ways, energy: bool, power: bool) -> Result<Sample, String> {
        let t = self.seconds();
        if self.is_in(self.script.broken) {
            self.pass(CALL);
            return Err("it is lost".to_owned());
        }
        let mut sample = Sample::default();
        if power && ways.power == Way::Samples {
            sample.past = Some(self.samples(t));
        }
        if energy {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
            let millijoules = ((t / PERIOD).floor() * PERIOD * WATTS * 1e3) as u64;
            let mute = self.is_in(self.script.mute);
            let answer = if mute { Err("not supported".to_owned()) } else { Ok(millijoules) };
            sample.millijoules = Some(answer);
        }
        if power && ways.power == Way::Field {
            // It swings a little, for otherwise nothing would tell when it is updated.
            let swing = ((t / PERIOD).floor() * 0.7).sin();
            sample.watts = Some(Ok(((WATTS + swing) * 1e3).round() / 1e3));
        }
        let took = if energy { self.script.counter_costs } else { 0.0 }
            + if power { self.script.power_costs } else { 0.0 };
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

    fn besides(&self, _t: f64, _seconds: f64) -> f64 {
        0.0
    }
}

/// What was read in a run.
struct Run {
    powers: Vec<f64>,
    energies: Vec<f64>,
    note: String,
    window: f64,
}

impl Script {
    fn run(self) -> Run {
        let driver = Driven { script: self, now: AtomicU64::new(0), used: AtomicU64::new(0) };
        let driver = Arc::new(driver);
        driver.pass(START);
        let mut profile = profile_of(PERIOD, (SPACING, SPACING));
        profile.ways.power = self.power;
        if self.power == Way::Samples {
            profile.instead = Some(Sensed { way: Way::Field, period: PERIOD, window: 0.025 });
        }
        let cost = Cost::new(DEFAULT_SHARE, self.boards);
        let mut board = Board::new(Arc::clone(&driver), profile, cost);
        driver.pass(self.first);
        let (mut powers, mut energies) = (Vec::new(), Vec::new());
        let (mut ended, mut reads) = (false, 0);
        while !ended {
            let now = driver.seconds() - START;
            ended = now >= self.lasts;
            reads += 1;
            assert!(f64::from(reads) < 1000.0 + 100.0 * now, "{self:?}: {reads} reads in {now} s");
            let mut readings = Vec::new();
            board.read(if ended { Request::Last } else { Request::Routine }, &mut readings);
            for reading in readings {
                let at = reading.at.as_secs_f64() - START;
                match reading.value {
                    Value::Power(watts) => {
                        assert!((watts.get() - WATTS).abs() < 2.0);
                        powers.push(at);
                    }
                    Value::Energy(_) => {
                        assert!(ended || now - at < 12.0, "{self:?}: {at} s at {now} s");
                        energies.push(at);
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

/// Beside a costly counter power is read every 18 s at most, and as often as without one when that does not answer.
#[test]
fn power_is_read_often_where_a_costly_counter_does_not_answer() {
    let script = Script {
        power: Way::Field,
        mute: (60.0, 120.0),
        counter_costs: 0.000_5,
        power_costs: 0.000_5,
        boards: 8,
        lasts: 180.0,
        ..SOUND
    };
    let Run { powers, energies, .. } = script.run();
    let pauses = [(20.0, 60.0), (70.0, 120.0), (130.0, 180.0)]
        .map(|(from, to)| longest_pause(&powers, from, to));
    assert!(pauses[1] < 0.5, "{pauses:?}");
    let noticed = longest_pause(&powers, 60.0, 120.0);
    assert!(noticed < 1.4 * 6.0 + 0.5, "from one read of the counter to the next: {noticed}");
    assert!(pauses[0] > 3.0 && pauses[2] > 3.0 && pauses[2] < 26.0, "{pauses:?}");
    assert!(longest_pause(&energies, 120.0, 180.0) < 9.0);
}

/// Power was read neither beside the counter nor by itself.
#[test]
fn power_is_read_beside_a_cheap_counter_however_costly_it_is() {
    for (counter_costs, power_costs) in [(25e-6, 112e-6), (10e-6, 0.001), (100e-6, 0.002)] {
        let script = Script {
            power: Way::Field,
            counter_costs,
            power_costs,
            boards: 8,
            lasts: 180.0,
            ..SOUND
        };
        let pause = longest_pause(&script.run().powers, 20.0, 180.0);
        assert!(pause < 26.0, "{pause} s: {script:?}");
    }
}

/// No power was read any more, and nothing told the phases of a training apart.
#[test]
fn power_is_read_by_itself_once_the_driver_gives_no_samples() {
    for fault in [Fault::Error, Fault::Nothing, Fault::Old, Fault::Zero] {
        let found = Script { without: (10.0, f64::INFINITY), fault, lasts: 200.0, ..SOUND }.run();
        assert!(longest_pause(&found.powers, 2.0, 9.0) < 0.03, "{fault:?}: samples");
        assert!(longest_pause(&found.powers, 9.0, 199.0) < 6.5, "{fault:?}: soon");
        // They are asked for again each minute.
        assert!(longest_pause(&found.powers, 17.0, 199.0) < 0.5, "{fault:?}: as before");
        assert!(found.note.contains("the driver gave none"), "{fault:?}: {}", found.note);
        assert!((found.window - 0.025).abs() < 1e-12, "{fault:?}");
    }
}

#[test]
fn samples_are_used_again_when_they_are_back() {
    let found = Script { without: (10.0, 30.0), lasts: 120.0, ..SOUND }.run();
    assert!(longest_pause(&found.powers, 80.0, 118.0) < 0.03);
    assert!((found.window - SPACING).abs() < 1e-12);
    assert!(found.note.contains("the driver gave none"), "{}", found.note);
}

/// A counter that takes more than its share was read without them, and the curve up to its value had none.
#[test]
fn samples_come_with_a_counter_however_much_that_costs() {
    for counter_costs in [0.000_6, COUNTER, 0.01, 0.03] {
        let found = Script { counter_costs, ..SOUND }.run();
        assert!(!found.note.contains("the driver gave none"), "{}", found.note);
        assert!(longest_pause(&found.powers, 2.0, 59.9) < 0.05, "{counter_costs} s");
        for energy in found.energies.iter().filter(|energy| **energy > 2.0) {
            let nearest = found.powers.iter().map(|power| (power - energy).abs());
            assert!(nearest.reduce(f64::min).unwrap() < 0.12, "{counter_costs} s");
        }
    }
}

/// Where a read takes less, the counter is read at its own period, and its first values are held back until power has
/// been compared with them.
#[test]
fn a_counter_is_not_held_back_for_ever_for_want_of_samples() {
    for fault in [Fault::Error, Fault::Nothing, Fault::Old, Fault::Zero] {
        for begin in [0.0, 0.5] {
            let without = (begin, f64::INFINITY);
            let found = Script { without, fault, counter_costs: 0.000_6, ..SOUND }.run();
            assert!(longest_pause(&found.energies, 1.0, 55.0) < 2.5, "{fault:?} from {begin} s");
        }
    }
}

/// Power that is never asked for was due for ever, and the board read without a pause.
#[test]
fn a_board_is_read_no_more_often_after_a_call_that_failed_or_a_late_first_read() {
    for power in [Way::None, Way::Field, Way::Samples] {
        for counter_costs in [CALL, COUNTER, 0.01] {
            let script = Script { power, counter_costs, ..SOUND };
            for script in [
                Script { broken: (20.0, 20.2), ..script },
                Script { broken: (20.0, 40.0), ..script },
                Script { first: 3.0, ..script },
            ] {
                let found = script.run();
                assert!(longest_pause(&found.energies, 45.0, 59.0) < 10.0, "{script:?}");
            }
        }
    }
}
