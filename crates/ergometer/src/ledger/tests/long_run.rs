//! A run of weeks on a scripted clock: memory stays flat, and the sums stay true.

use std::time::Instant;

use crate::clock::Timestamp;
use crate::energy::{Method, Uncertainty};
use crate::ledger::Ledger;
use crate::ledger::power_log::PowerLog;
use crate::source::{Reading, Sensor, Value};
use crate::span::mark::Mark;
use crate::span::{Kind, Label};
use crate::timeline::{Drawn, Timeline};
use crate::units::{Joules, Watts};

const MINUTE: u64 = 60_000_000_000;
const HOUR: u64 = 60 * MINUTE;
/// The run begins a second after the first readings.
const BEGIN: u64 = MINUTE;

/// Power of a domain: 100 W and 400 W in turn, 3.65 s each.
const PERIOD: f64 = 7.3;

/// Joules of a domain from the origin to `t` seconds.
fn energy(t: f64) -> f64 {
    let whole = (t / PERIOD).floor();
    // Not by the remainder, whose rounding may disagree with the quotient's.
    let part = (t - whole * PERIOD).max(0.0);
    let half = PERIOD / 2.0;
    whole * PERIOD * 250.0 + 100.0 * part.min(half) + 400.0 * (part - half).max(0.0)
}

struct Script {
    domains: u32,
    epochs: u64,
    /// Hours of each of them.
    hours: u64,
    steps_an_epoch: u64,
}

/// What came of a script.
struct Month {
    ledger: Ledger,
    timelines: Vec<Timeline>,
    /// The most segments that a curve had after a round.
    longest: usize,
    /// Wall-clock seconds of each tenth of the steps.
    tenths: [f64; 10],
    begin: Timestamp,
    end: Timestamp,
    power: PowerLog,
}

fn label(kind: Kind, name: &'static str) -> &'static Label {
    Box::leak(Box::new(Label::new(kind, name)))
}

impl Script {
    /// Counters are read every 100 ms, and power between; the meter's thread comes round four times a second.
    fn play(&self) -> Month {
        const ROUND: u64 = 250_000_000;
        const READING: u64 = 100_000_000;
        let sensor = Sensor {
            counter_period_s: Some(0.1),
            counter_quantum: Some(Joules::new(0.001)),
            power_period_s: Some(0.1),
            power_window_s: Some(0.025),
            relative_error: 0.05,
            absolute_error: Watts::ZERO,
        };
        let first = Timestamp::from_nanos(BEGIN - 1_000_000_000);
        let line = || Timeline::new(sensor, Method::Counter, first);
        let mut timelines: Vec<_> = (0..self.domains).map(|_| line()).collect();
        let mut ledger = Ledger::new(timelines.len());
        let (step, epoch) = (label(Kind::Step, "step"), label(Kind::Epoch, "train"));

        let length = self.epochs * self.hours * HOUR;
        let steps = self.epochs * self.steps_an_epoch;
        let at = |k: u64| BEGIN + nanos(k as f64 / steps as f64 * length as f64);
        let (mut k, mut over, mut reading) = (0, 0, BEGIN / READING - 10);
        let mut longest = 0;
        let mut power = PowerLog::default();
        let mut tenths = [0.0; 10];
        let mut clock = Instant::now();
        let mut tenth = 0;
        let rounds = length / ROUND + 8;
        for round in 0..rounds {
            let now = BEGIN + round * ROUND;
            while reading * READING <= now {
                let t = reading as f64 * 0.1;
                for (domain, line) in timelines.iter_mut().enumerate() {
                    let moment = Timestamp::from_nanos(reading * READING);
                    line.push(&Reading::new(domain, moment, Value::Energy(Joules::new(energy(t)))));
                    let power = (energy(t + 0.05) - energy(t + 0.025)) / 0.025;
                    let moment = Timestamp::from_nanos(reading * READING + READING * 3 / 8);
                    line.push(&Reading::new(domain, moment, Value::Power(Watts::new(power))));
                }
                reading += 1;
            }
            while k < steps && at(k + 1) <= now {
                let epoch_id = 2 + over;
                let id = 1_000_000 + k;
                let (start, end) = (Timestamp::from_nanos(at(k)), Timestamp::from_nanos(at(k + 1)));
                let (parent, items) = (epoch_id, 8.0);
                let mark = Mark { id, parent, items, ..Mark::new(step, (start, end)) };
                ledger.inbox().push(mark);
                k += 1;
                if k.is_multiple_of(self.steps_an_epoch) {
                    let start = Timestamp::from_nanos(at(over * self.steps_an_epoch));
                    let mark = Mark { id: epoch_id, ..Mark::new(epoch, (start, end)) };
                    ledger.inbox().push(mark);
                    over += 1;
                }
            }
            let now = Timestamp::from_nanos(now);
            let settled =
                timelines.iter_mut().map(|line| line.settled(now)).min().unwrap_or(now).min(now);
            ledger.book(settled, &timelines);
            power.advance(Timestamp::from_nanos(BEGIN), settled, &timelines, &mut ledger.long);
            // The epoch that is open is known to the meter's thread from its beginning.
            let open = Timestamp::from_nanos(at(over * self.steps_an_epoch));
            Timeline::fold(&mut timelines, || {
                let known = [Timestamp::from_nanos(BEGIN), open];
                known.into_iter().chain(ledger.pins()).collect()
            });
            longest = longest.max(timelines.iter().map(Timeline::segments).max().unwrap_or(0));
            let done = usize::try_from(10 * (round + 1) / rounds).unwrap_or(10);
            if done > tenth {
                tenths[tenth] = clock.elapsed().as_secs_f64();
                clock = Instant::now();
                tenth = done;
            }
        }
        let (begin, end) = (Timestamp::from_nanos(BEGIN), Timestamp::from_nanos(BEGIN + length));
        ledger.book(Timestamp::from_nanos(u64::MAX), &timelines);
        power.advance(begin, end, &timelines, &mut ledger.long);
        Month { ledger, timelines, longest, tenths, begin, end, power }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a month at most")]
fn nanos(nanos: f64) -> u64 {
    nanos as u64
}

impl Month {
    /// Everything that has to hold however long it was.
    fn check(&self, script: &Script) {
        let truth =
            |from: Timestamp, to: Timestamp| energy(to.as_secs_f64()) - energy(from.as_secs_f64());
        assert_eq!(self.ledger.epochs.rows.len() as u64, script.epochs);
        let outside = self.ledger.epochs.outside(self.begin, self.end, &self.timelines);
        assert!(!self.ledger.epochs.overlap());
        let power = self.power.history(self.begin, self.end, &self.timelines).expect("it was read");
        let intervals = power.ends_s.len();
        assert!((100..=1000).contains(&intervals), "{intervals} intervals");
        power.check(self.timelines.len()).unwrap();
        for (domain, line) in self.timelines.iter().enumerate() {
            // Edges of epochs are ends of intervals, and all of them together are the run.
            let whole = line.between(self.begin, self.end).joules;
            let spans = self.ledger.epochs.rows.iter();
            let spans = spans.map(|row| (row.start, row.end, row.amount[domain].joules));
            for (from, to, joules) in spans.chain([(self.begin, self.end, whole)]) {
                let at = |moment: Timestamp| moment.since(self.begin).as_secs_f64();
                let integral = power.joules(domain, at(from), at(to)).get();
                assert!((integral / joules - 1.0).abs() < 1e-6, "{integral} J of {joules} J");
            }
        }
        for (domain, line) in self.timelines.iter().enumerate() {
            let mut epochs = 0.0;
            for epoch in &self.ledger.epochs.rows {
                let steps = epoch.steps.as_ref().expect("every epoch has steps");
                let (count, steps) = steps.totals();
                assert_eq!(count, script.steps_an_epoch);
                let joules = epoch.amount[domain].joules;
                let sum = steps[domain] + epoch.between_steps[domain];
                assert!((sum / joules - 1.0).abs() < 1e-9, "steps {sum} J of {joules} J");
                close(&epoch.amount[domain], truth(epoch.start, epoch.end));
                epochs += joules;
            }
            let whole = line.between(self.begin, self.end);
            let sum = epochs + outside[domain];
            assert!((sum / whole.joules - 1.0).abs() < 1e-9, "{sum} J of {} J", whole.joules);
            close(&whole, truth(self.begin, self.end));
            // A span of whose beginning nobody knew, open for nearly the whole time.
            for minutes in [1_u64, 17, 61] {
                let from = Timestamp::from_nanos(BEGIN + minutes * MINUTE + 1_234_567_890);
                let drawn = line.between(from, self.end);
                let off = (drawn.joules - truth(from, self.end)).abs();
                assert!(off <= 1e-3 * drawn.joules, "{minutes} min: {off} J of {} J", drawn.joules);
            }
        }
    }
}

/// But for the gain, which the script's sensor has none of, the curve is exact to its edges.
fn close(drawn: &Drawn, truth: f64) {
    let edges = Uncertainty { gain: Joules::new(0.0), ..drawn.parts }.standard().get();
    let off = (drawn.joules - truth).abs();
    assert!(off <= 3.0 * edges + 1e-6 * truth, "{} ± {edges} J for {truth} J", drawn.joules);
}

#[test]
fn a_run_of_many_hours_takes_no_more_memory_than_one_of_a_few() {
    let script = |epochs| Script { domains: 1, epochs, hours: 2, steps_an_epoch: 5000 };
    let short = script(1).play();
    short.check(&script(1));
    let long = script(8).play();
    long.check(&script(8));
    // With the logarithm of the time: at most 128 · 2 · ln 8 more are left by a folding, and the next waits
    // for half as many.
    assert!(long.longest < short.longest + 800, "{} after {}", long.longest, short.longest);
}

/// For `cargo xtask performance`, which reads the line.
fn play_and_tell(script: &Script) {
    let month = script.play();
    month.check(script);
    let [first, .., last] = month.tenths;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    println!("first tenth {first:.3} s, last tenth {last:.3} s, peak {peak}");
}

#[test]
#[ignore = "takes minutes: `cargo xtask performance` runs it, alone and optimised"]
fn a_month_of_a_hundred_million_steps() {
    play_and_tell(&Script { domains: 2, epochs: 30, hours: 24, steps_an_epoch: 3_333_334 });
}

#[test]
#[ignore = "takes minutes: `cargo xtask performance` runs it, alone and optimised"]
fn a_day_of_64_domains() {
    play_and_tell(&Script { domains: 64, epochs: 1, hours: 24, steps_an_epoch: 1_000_000 });
}
