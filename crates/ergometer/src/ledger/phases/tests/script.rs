//! A program whose phases draw known powers, and boards that show it.

use crate::clock::Timestamp;
use crate::energy::Method;
use crate::ledger::Ledger;
use crate::ledger::node::Node;
use crate::ledger::phases::Phases;
use crate::source::{Reading, Sensor, Value};
use crate::span::mark::{Mark, NO_SPAN};
use crate::span::{Kind, Label};
use crate::timeline::Timeline;
use crate::units::{Joules, Watts};

/// When the program begins, seconds.
const START: f64 = 100.0;
/// Power is constant for so long, seconds.
const GRAIN: f64 = 0.02;
/// Standard deviation of power in a phase, watts.
const NOISE: f64 = 8.0;

#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub name: &'static str,
    pub seconds: f64,
    pub watts: f64,
}

impl Phase {
    pub(super) fn new(name: &'static str, seconds: f64, watts: f64) -> Self {
        Self { name, seconds, watts }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Program {
    pub phases: Vec<Phase>,
    /// Relative standard deviation of a phase's length.
    pub jitter: f64,
    /// By how much power drifts in a minute, as a share.
    pub drift: f64,
    /// Seconds by which power comes after the marks.
    pub lag: f64,
    /// Period and height of a square wave that no mark tells of, seconds and watts to either side.
    pub wave: Option<(f64, f64)>,
}

impl Program {
    pub(super) fn new(phases: &[Phase]) -> Self {
        Self { phases: phases.to_vec(), jitter: 0.1, drift: 0.03, lag: 0.0, wave: None }
    }
}

pub(super) struct Board {
    pub title: &'static str,
    /// Period of the counter, seconds.
    pub counter: Option<f64>,
    /// Period and window of power samples.
    pub power: Option<(f64, f64)>,
    /// How far an update may be misplaced, seconds to either side; and one of power beside a counter.
    pub within: f64,
    pub power_within: f64,
    /// The period strays by so much: a register that is read at any time.
    pub uneven: f64,
}

impl Board {
    pub(super) const ALL: [Self; 9] = [
        Self {
            title: "H100-like",
            counter: Some(0.1),
            power: Some((0.1, 0.025)),
            within: 0.0018,
            power_within: 0.0018,
            uneven: 0.0,
        },
        Self {
            title: "V100-like",
            counter: Some(0.02),
            power: Some((0.02, 0.01)),
            within: 0.0018,
            power_within: 0.0018,
            uneven: 0.0,
        },
        Self {
            title: "RTX-like, counter at 100 ms",
            counter: Some(0.1),
            power: Some((0.1, 1.0)),
            within: 0.0018,
            power_within: 0.0018,
            uneven: 0.0,
        },
        Self {
            title: "RTX-like, counter once a second",
            counter: Some(1.0),
            power: Some((0.1, 1.0)),
            within: 0.0018,
            power_within: 0.0018,
            uneven: 0.0,
        },
        Self {
            title: "Pascal-like",
            counter: None,
            power: Some((0.02, 0.01)),
            within: 0.0018,
            power_within: 0.0018,
            uneven: 0.0,
        },
        Self {
            title: "a 1 s average",
            counter: None,
            power: Some((0.1, 1.0)),
            within: 0.0018,
            power_within: 0.0018,
            uneven: 0.0,
        },
        Self {
            title: "RAPL",
            counter: Some(0.11),
            power: None,
            within: 0.0005,
            power_within: 0.0,
            uneven: 0.18,
        },
        Self {
            title: "H200-like, counter every 5 s, the driver's samples",
            counter: Some(5.0),
            power: Some((0.02, 0.02)),
            within: 0.01,
            power_within: 0.007,
            uneven: 0.4,
        },
        Self {
            title: "H200-like, counter every 5 s, power every 100 ms",
            counter: Some(5.0),
            power: Some((0.1, 0.025)),
            within: 0.01,
            power_within: 0.0018,
            uneven: 0.4,
        },
    ];

    fn sensor(&self) -> Sensor {
        Sensor {
            counter_period_s: self.counter,
            counter_quantum: self.counter.map(|_| Joules::new(0.001)),
            power_period_s: self.power.map(|power| power.0),
            power_window_s: self.power.map(|power| power.1),
            relative_error: 0.0,
            absolute_error: Watts::ZERO,
        }
    }
}

/// Numbers that look random: splitmix64.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn normal(&mut self) -> f64 {
        let (a, b) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

/// Power over time: beginnings and the joules before them.
struct Power {
    steps: Vec<(f64, f64, f64)>,
}

impl Power {
    fn joules(&self, t: f64) -> f64 {
        let index = self.steps.partition_point(|step| step.0 <= t).saturating_sub(1);
        let (from, joules, watts) = self.steps[index];
        joules + watts * (t - from)
    }
}

pub(super) struct Row {
    pub name: &'static str,
    pub joules: f64,
    pub uncertainty: f64,
    pub truth: f64,
}

pub(super) struct Outcome {
    pub labels: Vec<Row>,
    /// Of the steps: joules of the node, and of the statistics.
    pub steps: (f64, f64),
    pub lines: Vec<Timeline>,
    pub lag: Option<f64>,
    power: Power,
    pub end: f64,
}

impl Outcome {
    /// What the curve says of a window of the last `late` seconds, its uncertainty, and the truth.
    pub(super) fn window(&self, late: f64, length: f64, random: &mut Random) -> (f64, f64, f64) {
        let from = self.end - 5.0 - random.uniform() * (late - 5.0);
        let at = Timestamp::from_secs_f64;
        let drawn = self.lines[0].between(at(from), at(from + length));
        let truth = self.power.joules(from + length) - self.power.joules(from);
        (drawn.joules, drawn.parts.standard().get(), truth)
    }
}

fn label(kind: Kind, name: &'static str) -> &'static Label {
    Box::leak(Box::new(Label::new(kind, name)))
}

/// What the program did: its marks by their ends, its power, and the true joules of each phase.
fn run(program: &Program, seconds: f64, random: &mut Random) -> (Vec<Mark>, Power, Vec<f64>) {
    let labels: Vec<_> =
        program.phases.iter().map(|phase| label(Kind::Phase, phase.name)).collect();
    let (step, epoch) = (label(Kind::Step, "step"), label(Kind::Epoch, "train"));
    let mut marks = Vec::new();
    let mut steps = vec![(0.0, 0.0, 60.0)];
    let mut truth = vec![0.0; labels.len()];
    let mut joules = 60.0 * (START + program.lag);
    let (mut t, mut id) = (START, (1 << 40) + 2);
    let at = Timestamp::from_secs_f64;
    let mark = |label: &'static Label, start, end, id, parent| Mark {
        id,
        parent,
        ..Mark::new(label, (at(start), at(end)))
    };
    while t < START + seconds {
        let (begin, parent) = (t, id);
        id += 1;
        for (index, phase) in program.phases.iter().enumerate() {
            let length = phase.seconds * (1.0 + program.jitter * random.normal()).clamp(0.3, 3.0);
            let end = t + length;
            let mut from = t;
            while from < end {
                let to = (from + GRAIN).min(end);
                let drift = 1.0 + program.drift * (from - START) / 60.0;
                let wave = program.wave.map_or(0.0, |(period, watts)| {
                    if (from / period).fract() < 0.5 { watts } else { -watts }
                });
                let watts = (phase.watts * drift + wave + NOISE * random.normal()).max(1.0);
                steps.push((from + program.lag, joules, watts));
                joules += watts * (to - from);
                truth[index] += watts * (to - from);
                from = to;
            }
            marks.push(mark(labels[index], t, end, id, parent));
            id += 1;
            t = end;
        }
        marks.push(mark(step, begin, t, parent, (1 << 40) + 1));
    }
    steps.push((t + program.lag, joules, 60.0));
    marks.push(mark(epoch, START, t, (1 << 40) + 1, NO_SPAN));
    (marks, Power { steps }, truth)
}

fn readings(board: &Board, power: &Power, end: f64, random: &mut Random) -> Vec<(f64, Reading)> {
    let mut readings = Vec::new();
    if let Some(period) = board.counter {
        let mut t = START - 2.0 + period * random.uniform();
        while t < end {
            let off = board.within * (2.0 * random.uniform() - 1.0);
            let value = Value::Energy(Joules::new(power.joules(t)));
            let mut reading = Reading::new(0, Timestamp::from_secs_f64(t + off), value);
            reading.within = std::time::Duration::from_secs_f64(board.within);
            readings.push((t + 0.01, reading));
            t += period * (1.0 + board.uneven * (2.0 * random.uniform() - 1.0));
        }
    }
    if let Some((period, window)) = board.power {
        let mut t = START - 2.0 + period * random.uniform();
        while t < end {
            let off = board.power_within * (2.0 * random.uniform() - 1.0);
            let watts = (power.joules(t) - power.joules(t - window)) / window;
            let middle = Timestamp::from_secs_f64(t - window / 2.0 + off);
            let mut reading = Reading::new(0, middle, Value::Power(Watts::new(watts)));
            reading.within = std::time::Duration::from_secs_f64(board.power_within);
            readings.push((t + 0.01, reading));
            t += period;
        }
    }
    readings.sort_by(|a, b| a.0.total_cmp(&b.0));
    readings
}

/// Runs a program on a board, on the meter's side of things.
pub(super) fn play(program: &Program, board: &Board, seconds: f64, seed: u64) -> Outcome {
    replay(program, board, seconds, seed, true)
}

/// The same, with the powers of phases or without.
pub(super) fn replay(
    program: &Program,
    board: &Board,
    seconds: f64,
    seed: u64,
    powers: bool,
) -> Outcome {
    let mut random = Random(seed);
    let (marks, power, truth) = run(program, seconds, &mut random);
    let end = marks.last().map_or(START, |mark| mark.end.as_secs_f64()) + 3.0;
    let readings = readings(board, &power, end, &mut random);
    let method = if board.counter.is_some() { Method::Counter } else { Method::Integrated };
    let first = Timestamp::from_secs_f64(START - 2.0);
    let mut lines = vec![Timeline::new(board.sensor(), method, first)];
    let mut ledger = Ledger::new(1);
    let mut phases = Phases::new(1);
    let epoch = *marks.last().expect("an epoch");
    phases.begun(&epoch);
    let (mut marks, mut readings) = (marks.into_iter().peekable(), readings.into_iter().peekable());
    let mut now = START - 1.0;
    while now < end {
        now += 1.0;
        while let Some((_, reading)) = readings.next_if(|(t, _)| *t <= now) {
            lines[0].push(&reading);
        }
        let at = Timestamp::from_secs_f64(now);
        let mut new = Vec::new();
        while let Some(mark) = marks.next_if(|mark| mark.end <= at) {
            new.push(mark);
        }
        ledger.inbox().extend(new.iter().copied());
        if powers {
            phases.advance(Some(&new), &mut lines, at);
        }
        let settled = lines[0].settled(at).min(at);
        ledger.book(settled, &lines);
        phases.look_back(&lines);
    }
    let at = Timestamp::from_secs_f64(now);
    lines[0].close(at);
    ledger.phases = phases.sums(&lines);
    ledger.book(at, &lines);
    let (tree, _) = ledger.finish(&lines);
    let step = &tree[&Label::new(Kind::Epoch, "train")].children[&Label::new(Kind::Step, "step")];
    let stats = ledger.epochs.rows[0].steps.as_ref().map_or(0.0, |steps| steps.totals().1[0]);
    let labels = program.phases.iter().zip(truth).map(|(phase, truth)| {
        let node: &Node = &step.children[&Label::new(Kind::Phase, phase.name)];
        let drawn = node.amount[0];
        let uncertainty = drawn.parts.standard().get();
        Row { name: phase.name, joules: drawn.joules, uncertainty, truth }
    });
    let labels = labels.collect();
    let steps = (step.amount[0].joules, stats);
    Outcome { labels, steps, lines, lag: phases.lag(0), power, end: end - 3.0 }
}
