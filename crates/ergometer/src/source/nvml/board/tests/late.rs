//! A board whose reader comes late, on a scripted clock.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::super::dating::HELD;
use super::super::*;
use crate::source::nvml::DEFAULT_SHARE;
use crate::source::nvml::probe::PERIOD;
use crate::source::nvml::update_times::tests::Noise;
use crate::source::{DomainKind, HELD_BACK, Sensor};
use crate::timeline::Timeline;

mod wakes;

/// When the board is read first, seconds.
const START: f64 = 100.0;
/// Windows lie in this many seconds from there on; a long run lasts [`REST`] longer.
const WINDOWS: f64 = 6.0;
const REST: f64 = 8.0;
/// Seconds that a read takes.
const CALL: f64 = 20e-6;

/// Power as a function of time.
#[derive(Clone, Copy, Debug)]
enum Curve {
    /// Low and high, and the period.
    Square(f64, f64, f64),
    Ramp(f64, f64, f64),
    Sine(f64, f64, f64),
}

impl Curve {
    /// Joules up to `t`.
    fn joules(self, t: f64) -> f64 {
        let (Self::Square(low, high, period)
        | Self::Ramp(low, high, period)
        | Self::Sine(low, high, period)) = self;
        let (whole, part) = ((t / period).floor(), t.rem_euclid(period));
        let mean = f64::midpoint(low, high);
        let inside = match self {
            Self::Square(..) => {
                low * part.min(period / 2.0) + high * (part - period / 2.0).max(0.0)
            }
            Self::Ramp(..) => low * part + (high - low) * part * part / (2.0 * period),
            Self::Sine(..) => {
                let turn = std::f64::consts::TAU / period;
                mean * part + (high - low) / 2.0 * (1.0 - (turn * part).cos()) / turn
            }
        };
        whole * period * mean + inside
    }
}

/// A board, and the thread that reads it.
#[derive(Clone, Copy, Debug)]
struct Script {
    curve: Curve,
    /// Period of the counter, and period and window of power.
    counter: f64,
    power: (f64, f64),
    /// Until `busy` seconds have passed, the thread wakes up to this late, seconds; in a share `held` of calls it is
    /// held up by as much.
    late: f64,
    held: f64,
    busy: f64,
    /// Seconds of a processor that a read of one register uses.
    cost: f64,
    /// Length of an epoch, at whose ends the board is read.
    epoch: f64,
    /// Length of the run.
    lasts: f64,
    seed: u64,
}

/// The registers of a scripted board, and the clock that only reads and waits move.
struct Registers {
    script: Script,
    phases: (f64, f64),
    now: Arc<AtomicU64>,
    noise: Mutex<Noise>,
    /// Registers read so far.
    reads: AtomicU64,
    /// What the counter has shown, and since when.
    shown: Mutex<Vec<(u64, f64)>>,
}

impl Registers {
    /// Registers whose moments are drawn by the script's seed, on the clock `now`.
    fn new(script: Script, now: Arc<AtomicU64>) -> Self {
        let mut noise = Noise::new(script.seed);
        let phases = (script.counter * noise.unit(), script.power.0 * noise.unit());
        Self {
            script,
            phases,
            now,
            noise: Mutex::new(noise),
            reads: AtomicU64::new(0),
            shown: Mutex::default(),
        }
    }

    fn seconds(&self) -> f64 {
        Timestamp::as_secs_f64(self.now())
    }

    fn pass(&self, seconds: f64) {
        let nanos = length(seconds).as_nanos();
        self.now.fetch_add(u64::try_from(nanos).unwrap(), Ordering::Relaxed);
    }

    fn unit(&self) -> f64 {
        self.noise.lock().unwrap().unit()
    }

    /// A pause of a thread that has to wait for a processor.
    fn pause(&self) -> f64 {
        let busy = self.seconds() < START + self.script.busy;
        if busy { self.script.late * self.unit() } else { 1e-4 * self.unit() }
    }

    fn now(&self) -> Timestamp {
        Timestamp::default().after(Duration::from_nanos(self.now.load(Ordering::Relaxed)))
    }

    /// Whether a value of the counter came at another time than its reading states, beyond the stated error.
    fn misplaces(&self, reading: &Reading) -> bool {
        let Value::Energy(joules) = reading.value else { return false };
        let shown = self.shown.lock().unwrap();
        let off = |raw: u64| (raw - shown[0].0) as f64 - joules.get() * 1e3;
        let found = shown.iter().find(|(raw, _)| off(*raw).abs() < 0.5).unwrap();
        let late = reading.at.as_secs_f64() - found.1;
        late.abs() > reading.within.as_secs_f64() + 1e-6
    }
}

impl Driver for Arc<Registers> {
    fn read(&self, _ways: Ways, energy: bool, power: bool) -> Result<Sample, String> {
        let script = &self.script;
        self.reads.fetch_add(u64::from(energy) + u64::from(power), Ordering::Relaxed);
        let held = |registers: &Registers| {
            if registers.unit() < script.held { registers.pause() } else { 0.0 }
        };
        self.pass(CALL / 2.0 + held(self));
        let t = self.seconds();
        let update = |period: f64, phase: f64| phase + ((t - phase) / period).floor() * period;
        let mut sample = Sample::default();
        if energy {
            let at = update(script.counter, self.phases.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
            let millijoules = (script.curve.joules(at) * 1e3) as u64;
            self.shown.lock().unwrap().push((millijoules, at));
            sample.millijoules = Some(Ok(millijoules));
        }
        if power {
            let (period, window) = script.power;
            let at = update(period, self.phases.1);
            let joules = script.curve.joules(at) - script.curve.joules(at - window);
            sample.watts = Some(Ok((joules / window * 1e3).round() / 1e3));
        }
        self.pass(CALL / 2.0 + held(self));
        Ok(sample)
    }

    fn now(&self) -> Timestamp {
        Registers::now(self)
    }

    fn used(&self) -> f64 {
        self.reads.load(Ordering::Relaxed) as f64 * self.script.cost
    }

    fn besides(&self, _t: f64, _seconds: f64) -> f64 {
        0.0
    }
}

/// What is known of a board whose counter and power are updated so often; power with its window.
pub(super) fn profile_of(counter: f64, power: (f64, f64)) -> Profile {
    Profile {
        domain: Domain {
            id: "nvml:GPU-0".to_owned(),
            kind: DomainKind::Gpu,
            label: "a board".to_owned(),
            source: "nvml".to_owned(),
            method: Method::Counter,
            sensor: Sensor {
                counter_period_s: Some(counter),
                counter_quantum: Some(Joules::new(0.001)),
                power_period_s: Some(power.0),
                power_window_s: Some(power.1),
                relative_error: 0.0,
                absolute_error: crate::units::Watts::ZERO,
            },
            pci_address: None,
            power_limit: None,
            note: None,
        },
        ways: Ways { energy: Way::Field, power: Way::Field },
        window: power.1,
        instead: None,
        consumer: false,
    }
}

/// What was found of a run.
struct Played {
    line: Timeline,
    /// When it began and ended, and the ends of epochs, by the clock.
    begin: f64,
    edges: Vec<f64>,
    /// When the first value of the counter was given out.
    given: f64,
    /// Values of the counter that were misplaced by more than stated.
    misplaced: usize,
}

impl Script {
    fn play(self) -> Played {
        let registers = Arc::new(Registers::new(self, Arc::default()));
        registers.pass(START);
        let mut board = Board::new(
            Arc::clone(&registers),
            profile_of(PERIOD, self.power),
            Cost::new(DEFAULT_SHARE, 1),
        );
        let mut line = Timeline::of(&board.domains()[0], registers.now());
        let (mut readings, mut misplaced, mut given) = (Vec::new(), 0, f64::INFINITY);
        let mut read = |board: &mut Board<Arc<Registers>>, request| {
            board.read(request, &mut readings);
            for reading in readings.drain(..) {
                misplaced += usize::from(registers.misplaces(&reading));
                if matches!(reading.value, Value::Energy(_)) {
                    given = registers.seconds().min(given);
                }
                line.push(&reading);
            }
            line.settled(registers.now());
        };
        registers.pass(registers.pause());
        read(&mut board, Request::Edge);
        let begin = registers.seconds();
        let end = begin + self.lasts;
        let mut edges = vec![begin];
        loop {
            let next = edges[edges.len() - 1] + self.epoch;
            let due = Due::together(board.next_read().into_iter());
            let due = due.map_or(f64::INFINITY, Timestamp::as_secs_f64);
            let wake = due.min(next).min(end);
            registers.pass((wake - registers.seconds()).max(0.0));
            let at_end = registers.seconds() >= end;
            registers.pass(registers.pause());
            if at_end {
                break;
            }
            let edge = registers.seconds() >= next;
            while registers.seconds() >= edges[edges.len() - 1] + self.epoch {
                edges.push(edges[edges.len() - 1] + self.epoch);
            }
            read(&mut board, if edge { Request::Edge } else { Request::Routine });
        }
        read(&mut board, Request::Edge);
        let last = board.last_read(registers.now()).as_secs_f64();
        registers.pass((last - registers.seconds()).max(0.0));
        read(&mut board, Request::Last);
        line.close(Timestamp::from_secs_f64(end));
        Played { line, begin, edges, given, misplaced }
    }
}

/// Windows, and how many of them held the truth.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    all: u32,
    covered: u32,
}

impl Tally {
    fn take(&mut self, script: &Script, line: &Timeline, from: f64, to: f64) {
        let at = Timestamp::from_secs_f64;
        let drawn = line.between(at(from), at(to));
        let truth = script.curve.joules(to) - script.curve.joules(from);
        let off = (drawn.joules - truth).abs();
        self.all += 1;
        self.covered += u32::from(off <= 2.0 * drawn.parts.standard().get());
    }
}

/// Lengths of windows, seconds.
const LENGTHS: [f64; 5] = [0.03, 0.1, 0.3, 1.0, 3.0];

const CURVES: [Curve; 4] = [
    Curve::Square(100.0, 300.0, 0.43),
    Curve::Ramp(150.0, 600.0, 1.9),
    Curve::Sine(100.0, 400.0, 0.73),
    Curve::Square(100.0, 400.0, 0.13),
];

/// Periods of counters, and the periods and windows of the power beside them.
const REGISTERS: [(f64, (f64, f64)); 4] =
    [(0.02, (0.02, 0.01)), (0.1, (0.1, 0.025)), (0.25, (0.1, 0.025)), (1.0, (0.1, 0.025))];

/// How late the reader is, and for how many seconds: never, at first, always.
const READERS: [(f64, f64); 4] =
    [(0.0, 0.0), (0.08, 3.0), (0.08, f64::INFINITY), (0.3, f64::INFINITY)];

/// The sensors have no gain error, so all of the stated uncertainty comes from when they were read.
#[test]
fn stated_errors_of_a_boards_first_seconds_hold_however_late_its_reader_is() {
    for (counter, power) in REGISTERS {
        for (late, busy) in READERS {
            // Windows by their length, then epochs.
            let mut tallies = [Tally::default(); LENGTHS.len() + 1];
            for (seed, curve) in (0..12).flat_map(|seed| CURVES.map(|curve| (seed, curve))) {
                let epoch = if seed % 2 == 0 { 0.3 } else { 0.9 };
                let lasts = WINDOWS + REST;
                let script = Script {
                    curve,
                    counter,
                    power,
                    late,
                    held: 0.1,
                    busy,
                    cost: 0.0,
                    epoch,
                    lasts,
                    seed,
                };
                let played = script.play();
                assert_eq!(played.misplaced, 0, "{script:?}");
                let mut noise = Noise::new(seed + 1000);
                for (tally, length) in tallies.iter_mut().zip(LENGTHS) {
                    for _ in 0..10 {
                        let from = played.begin + noise.unit() * (WINDOWS - length);
                        tally.take(&script, &played.line, from, from + length);
                    }
                }
                let within = |pair: &&[f64]| pair[1] < played.begin + WINDOWS;
                for pair in played.edges.windows(2).filter(within) {
                    tallies[LENGTHS.len()].take(&script, &played.line, pair[0], pair[1]);
                }
            }
            for Tally { all, covered } in tallies {
                let what = format!("{counter} s, up to {late} s late for {busy} s: {tallies:?}");
                assert!(all >= 300 && covered * 100 >= all * 95, "{what}");
            }
        }
    }
}

/// Counters whose period is not learnt for long: each read comes several updates late, or some show nothing new.
#[test]
fn values_are_held_back_for_a_bounded_time_even_if_the_period_is_never_learnt() {
    let mut unlearnt = 0;
    for (counter, power, late) in [(0.1, (0.1, 0.025), 0.3), (0.02, (0.02, 0.01), 0.08)] {
        for seed in 0..8 {
            let script = Script {
                curve: Curve::Square(100.0, 300.0, 0.43),
                counter,
                power,
                late,
                held: 0.5,
                busy: f64::INFINITY,
                cost: 0.0,
                epoch: 0.9,
                lasts: 12.0,
                seed,
            };
            let played = script.play();
            let after = played.given - played.begin;
            assert!(after <= HELD_BACK, "{script:?}: given out after {after} s");
            unlearnt += u32::from(after > HELD);
        }
    }
    assert!(unlearnt > 0, "the bound was never needed");
}

/// A training of some seconds on a busy machine: 24 steps of 81 ms under a square wave of 130 ms, over which the power of
/// the steps is 200 W. A counter of 20 ms was once condemned as standing still while its values waited to be dated, and
/// the steps then had the power of a few samples: up to 35 W off.
#[test]
fn steps_of_a_short_training_have_its_mean_power_however_late_the_reader_is() {
    let mut report = String::new();
    for (late, lasts) in [(0.0, 3.5), (0.08, 3.5), (0.08, 8.0), (0.08, 14.0)] {
        let mut off: Vec<f64> = Vec::new();
        for seed in 0..32 {
            let script = Script {
                curve: Curve::Square(100.0, 300.0, 0.13),
                counter: 0.02,
                power: (0.02, 0.01),
                late,
                held: 0.1,
                busy: f64::INFINITY,
                cost: 0.0,
                epoch: 0.9,
                lasts,
                seed,
            };
            let played = script.play();
            let at = Timestamp::from_secs_f64;
            let (mut joules, mut truth, mut variance) = (0.0, 0.0, 0.0);
            for step in 0..24_u32 {
                let from =
                    played.begin + 0.2 + f64::from(step) * 0.081 + f64::from(step / 8) * 0.35;
                let drawn = played.line.between(at(from), at(from + 0.081));
                joules += drawn.joules;
                variance += drawn.parts.standard().get().powi(2);
                truth += script.curve.joules(from + 0.081) - script.curve.joules(from);
            }
            let error = (joules - truth).abs();
            assert!(error <= 2.0 * variance.sqrt(), "{script:?}: {joules} J of {truth} J");
            off.push(error / (24.0 * 0.081));
        }
        off.sort_by(f64::total_cmp);
        let worst = off[off.len() - 1];
        let median = off[off.len() / 2];
        let _ =
            writeln!(report, "{late} s late, {lasts} s: median {median:.1} W, worst {worst:.1} W");
        assert!(worst <= 10.0, "{report}");
    }
}
