//! Readings of one domain → E(t).
//!
//! Joules drawn since the domain was first read, as a function of time: continuous and never
//! decreasing. Counter readings are *anchors*, through which the curve passes exactly. Between two of
//! them power samples give the shape, scaled to fit, where there are enough of them; where anchors
//! follow each other as fast as samples do, each stretch between two of them is a *cell* whose shape
//! its neighbours give (`shape`). Without a counter, power samples are integrated. What lies
//! before [`Timeline::settled`] no longer changes.
//!
//! ```text
//!  counter   C0 ────────────────── C1 ────────────── C2        anchors
//!  power      p p p p p p p p p p p p p p p p p p p p p p      samples
//!  E(t)      C0 + (C1−C0)·∫p / ∫p over [C0,C1]                 settled up to about the last anchor
//! ```

mod curve;
mod gaps;
mod health;
mod readings;
mod settle;
mod shape;
mod standstill;

use std::time::Duration;

use crate::clock::{Event, Timestamp, What};
use crate::energy::{Method, Uncertainty};
use crate::source::attribution::is_share;
use crate::source::{Domain, Sensor, cpu_model};
use crate::units::{Joules, Watts};
#[cfg(test)]
use curve::Curve;
use curve::foldable;
use gaps::{Gaps, Unseen};
pub(crate) use health::Health;
use shape::Shaper;
use standstill::Standstill;

/// A domain silent for longer than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(12);
/// Jumps of the clock that are remembered.
const REMEMBERED: usize = 64;
/// Seconds after which a sleep of the machine is of no more interest.
const FORGOTTEN: f64 = 60.0;
/// Standard deviation of a rectangular distribution of width 1 (GUM 4.3.7).
const RECTANGULAR: f64 = 0.288_675_134_594_812_9;
/// Standard uncertainty of when a sensor of power saw what it shows, seconds: the sums over phases of a load that was
/// switched at known times were off as if an H200's sensor came 3 to 5 ms late (`docs/measurements`).
const DELAY: f64 = 0.005;
/// Share of its period that a sample must average to stand for all of it.
const UNBROKEN: f64 = 0.8;

/// A counter reading: when, the counter's joules, and the curve's joules there.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    t: f64,
    within: f64,
    counter: f64,
    e: f64,
}

/// A power sample: when, how far that may be off to either side, and what it showed.
#[derive(Clone, Copy, Debug)]
struct Sample {
    t: f64,
    within: f64,
    watts: f64,
}

/// A stretch of constant power, and how far the sample may be misplaced that it rests on.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: f64,
    to: f64,
    watts: f64,
    within: f64,
}

impl Piece {
    fn joules(&self) -> f64 {
        (self.to - self.from) * self.watts
    }
}

/// Energy of an interval of one domain.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drawn {
    pub joules: f64,
    pub parts: Uncertainty,
    /// Seconds of the interval in which the domain was not observed.
    pub unobserved: f64,
    /// The part `edges` of a sum of intervals if all of them had errors of one sign.
    pub edges_linear: f64,
}

/// A stretch of time whose energy was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    pub from: f64,
    pub to: f64,
    pub joules: f64,
    /// By power samples.
    pub sample: bool,
    /// `joules` are what it drew more than the same stretch this many seconds before.
    pub more_than: Option<f64>,
    /// How far its ends may be misplaced, seconds to either side.
    pub within: f64,
}

/// E(t) of one domain, built from its readings.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    sensor: Sensor,
    method: Method,
    shaper: Shaper,
    /// Power samples at or after the end of the cells, and the one before.
    samples: Vec<Sample>,
    /// The last counter reading.
    anchor: Option<Anchor>,
    /// When the counter last gave something, or the wait for it began.
    counter_since: f64,
    gaps: Gaps,
    /// Stretches in which the clock jumped: what was drawn is known, but not when.
    jumps: Vec<(f64, f64)>,
    /// When the machine slept lately, and for how long: seconds.
    sleeps: Vec<(f64, f64)>,
    /// From when on it has been possible to read it.
    ran: Timestamp,
    standstill: Standstill,
    /// Whether what never moves has no energy.
    watched: bool,
    /// The power limit in force when the run began, watts.
    limit: Option<f64>,
    /// From here to there, seconds, nothing is known of the last stretch of the curve.
    silent_from: f64,
    silent_to: f64,
    /// When a read failed first since the last one that did not, and the last time that one did.
    failing: Option<(f64, f64)>,
    /// What was read since [`Timeline::take_intervals`] was called last.
    intervals: Vec<Interval>,
    /// Where the last of them ends that was integrated.
    integrated_to: Option<(f64, f64)>,
    /// When somebody first waited for it.
    born: Timestamp,
    pub(crate) health: Health,
}

impl Timeline {
    pub(crate) fn new(sensor: Sensor, method: Method, born: Timestamp) -> Self {
        let window = sensor.power_window_s.unwrap_or(0.0);
        Self {
            sensor,
            method,
            shaper: Shaper::new(method != Method::Assumed, window),
            samples: Vec::new(),
            anchor: None,
            counter_since: born.as_secs_f64(),
            gaps: Gaps::default(),
            jumps: Vec::new(),
            sleeps: Vec::new(),
            ran: born,
            standstill: Standstill::default(),
            watched: method.is_measured(),
            limit: None,
            silent_from: f64::INFINITY,
            silent_to: f64::NEG_INFINITY,
            failing: None,
            intervals: Vec::new(),
            integrated_to: None,
            born,
            health: Health::default(),
        }
    }

    /// The timeline of `domain`, whose sensor has to show that it works, and whose limit bounds its power.
    pub(crate) fn of(domain: &Domain, born: Timestamp) -> Self {
        let limit = domain.power_limit.map(Watts::get);
        // A share of what the machine draws may well be 0, and so may what the user states.
        let modelled = domain.source == cpu_model::NAME && !is_share(&domain.id);
        Self {
            limit: limit.filter(|limit| limit.is_finite() && *limit > 0.0),
            watched: domain.method.is_measured() || modelled,
            ..Self::new(domain.sensor, domain.method, born)
        }
    }

    /// The clock jumped between two moments, or the machine slept.
    pub(crate) fn interrupted(&mut self, event: &Event) {
        let (from, to) = (event.from.as_secs_f64(), event.to.as_secs_f64());
        match event.what {
            What::Jumped { .. } => {
                if self.jumps.len() == REMEMBERED {
                    self.jumps.remove(0);
                }
                self.jumps.push((from, to));
            }
            What::Slept { time } => {
                let since = self.anchor.map_or(from, |anchor| anchor.t);
                self.sleeps.retain(|(at, _)| since - at < FORGOTTEN);
                self.sleeps.push((to, time.as_secs_f64()));
            }
            What::Left { .. } => {}
        }
    }

    /// This process could not run up to `now`, and so read nothing.
    pub(crate) fn resumed(&mut self, now: Timestamp) {
        self.ran = now;
    }

    /// For how long the machine slept between two moments, seconds.
    fn asleep(&self, from: f64, to: f64) -> f64 {
        self.sleeps.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, time)| time).sum()
    }

    /// Whether the sensor could be read for a while, and never showed anything.
    pub(crate) fn never_worked(&self) -> bool {
        let quantum = self.sensor.counter_quantum.map_or(0.0, Joules::get);
        self.standstill.never_worked(quantum)
    }

    /// Whether it gives an energy: something was read, from a sensor that works.
    pub(crate) fn gives(&self) -> bool {
        !self.is_empty() && !self.never_worked()
    }

    /// Whether its energy is a counter's.
    pub(crate) fn is_counted(&self) -> bool {
        self.anchor.is_some()
    }

    /// Whether what was read of it left no moment out.
    pub(crate) fn is_unbroken(&self) -> bool {
        let Sensor { power_window_s, power_period_s, .. } = self.sensor;
        let share =
            power_window_s.zip(power_period_s).map_or(0.0, |(window, period)| window / period);
        self.is_counted() || share >= UNBROKEN
    }

    /// Seconds by which the sensor may come late, one standard uncertainty: a sensor of power is a filter, and how far it
    /// is behind nobody states.
    pub(crate) fn delay(&self) -> f64 {
        if self.sensor.power_window_s.is_some() { DELAY } else { 0.0 }
    }

    /// Joules of the curve from `from` to `to`, seconds.
    pub(crate) fn joules(&self, from: f64, to: f64) -> f64 {
        let curve = self.shaper.curve();
        (curve.energy_at(to) - curve.energy_at(from)).max(0.0)
    }

    /// Shapes each cell that ends by `to` with the pieces of power that `pieces` has for it and their spread;
    /// later ones wait for the next call.
    pub(crate) fn shape_by(
        &mut self,
        to: f64,
        pieces: impl Fn(f64, f64) -> Option<(Vec<(f64, f64, f64)>, f64)>,
    ) {
        self.shaper.shape_by(to, pieces);
    }

    /// Shapes cells by their neighbours, as soon as they are there.
    pub(crate) fn shape_freely(&mut self) {
        self.shaper.shape_freely();
    }

    /// Up to where the curve is final, at `now`.
    ///
    /// A domain that fell silent is not waited for: what it drew since stays open, and if its counter
    /// comes back, it is added after `now`.
    pub(crate) fn settled(&mut self, now: Timestamp) -> Timestamp {
        if now.since(self.read_to().max(self.ran)) > PATIENCE {
            self.settle_by_power(now.as_secs_f64());
            self.hold_until(now.as_secs_f64());
            self.shaper.flush();
            return now;
        }
        self.shaper.curve().end().map_or(self.born, Timestamp::from_secs_f64)
    }

    /// Up to where it was read. What lies before that no longer changes in sum, while its shape may, up to where
    /// the curve has [settled](Self::settled).
    pub(crate) fn read_to(&self) -> Timestamp {
        self.shaper.front().map_or(self.born, |(t, _)| Timestamp::from_secs_f64(t))
    }

    /// Makes the curve reach `end`, the end of the run, with what is known.
    pub(crate) fn close(&mut self, end: Timestamp) {
        let end = end.as_secs_f64();
        self.settle_by_power(end);
        self.hold_until(end);
        self.shaper.flush();
        self.standstill.end(end);
        if let Some(stretch) = self.standstill.stretch() {
            self.stood_still(stretch);
            self.health.remark(
                "the sensor stands still since a while: what was drawn since is not in the total",
            );
        }
    }

    /// What `view` sees of the timelines if the run ended at `end`; they go on as if nothing were.
    pub(crate) fn preview<R>(
        lines: &mut [Self],
        end: Timestamp,
        view: impl FnOnce(&[Self]) -> R,
    ) -> R {
        let before: Vec<_> = lines.iter_mut().map(Self::all_but_the_curve).collect();
        for line in &mut *lines {
            line.close(end);
        }
        let seen = view(lines);
        for (line, (before, segments)) in lines.iter_mut().zip(before) {
            // The settled curve is only ever appended to.
            let curve = line.shaper.take_curve();
            *line = before;
            line.shaper.give_curve(curve, segments);
        }
        seen
    }

    /// A copy without the settled curve, which is long, and the number of its segments.
    fn all_but_the_curve(&mut self) -> (Self, usize) {
        let curve = self.shaper.take_curve();
        let copy = self.clone();
        let segments = curve.len();
        self.shaper.give_curve(curve, segments);
        (copy, segments)
    }

    /// What of an interval lies where the clock jumped: its energy is known, and when it was drawn is not.
    fn in_jumps(&self, t0: f64, t1: f64) -> Unseen {
        let mut sum = Unseen::default();
        for &(from, to) in &self.jumps {
            let (from, to) = (from.max(t0), to.min(t1));
            if from < to {
                let curve = self.shaper.curve();
                sum.seconds += to - from;
                sum.joules += RECTANGULAR * (curve.energy_at(to) - curve.energy_at(from));
            }
        }
        sum
    }

    /// Whether anything was read at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.shaper.curve().end().is_none()
    }

    /// Energy drawn from `start` to `end`, with its uncertainty; the interval has to be settled.
    ///
    /// E(end) − E(start) exactly, so that intervals that tile another sum to it.
    pub(crate) fn between(&self, start: Timestamp, end: Timestamp) -> Drawn {
        let (t0, t1) = (start.as_secs_f64(), end.as_secs_f64());
        let length = (t1 - t0).max(0.0);
        let (joules, edges) = self.shaper.curve().between(t0, t1);
        let systematic =
            joules * self.sensor.relative_error + self.sensor.absolute_error.get() * length;
        let quantum = self
            .sensor
            .counter_quantum
            .map_or(0.0, |quantum| quantum.get() * RECTANGULAR * std::f64::consts::SQRT_2);
        let (unseen, jumped) = (self.gaps.between(t0, t1), self.in_jumps(t0, t1));
        let measured = self.method.is_measured();
        let (gain, model) = if measured { (systematic, 0.0) } else { (0.0, systematic) };
        Drawn {
            joules,
            parts: Uncertainty {
                gain: Joules::new(gain),
                model: Joules::new(model),
                gaps: Joules::new(unseen.joules + jumped.joules),
                edges: Joules::new(edges),
                quantum: Joules::new(quantum),
            },
            unobserved: (unseen.seconds + jumped.seconds).min(length),
            edges_linear: edges,
        }
    }

    /// Makes the past of those that are long coarser, the more so the older it is; exact at `pins`.
    pub(crate) fn fold(lines: &mut [Self], pins: impl FnOnce() -> Vec<Timestamp>) {
        if !lines.iter().any(|line| line.shaper.curve().is_long()) {
            return;
        }
        let mut pins: Vec<f64> = pins().into_iter().map(Timestamp::as_secs_f64).collect();
        pins.sort_by(f64::total_cmp);
        for line in lines.iter_mut().filter(|line| line.shaper.curve().is_long()) {
            line.shaper.fold(&pins);
            if let Some(end) = line.shaper.curve().end() {
                line.gaps.fold(|t| foldable(end - t));
            }
        }
    }

    /// Up to where the curve is settled, if anything was read.
    pub(crate) fn reach(&self) -> Option<Timestamp> {
        self.shaper.curve().end().map(Timestamp::from_secs_f64)
    }

    /// Whether something was read and the domain has not fallen silent since.
    pub(crate) fn observed(&self) -> bool {
        self.shaper.curve().end().is_some_and(|end| end > self.silent_to)
    }

    /// Mean power over the last `window` of the settled curve; `None` if nothing is known of part of it.
    pub(crate) fn recent_power(&self, window: Duration) -> Option<Watts> {
        let curve = self.shaper.curve();
        let (end, window_s) = (curve.end()?, window.as_secs_f64());
        // What a counter counted while the machine slept is no power of the moment it woke up.
        let known = end - window_s >= self.silent_to && self.asleep(end - window_s, end) <= 0.0;
        if known { curve.recent_power(window) } else { None }
    }

    #[cfg(test)]
    pub(crate) fn segments(&self) -> usize {
        self.curve().len()
    }

    #[cfg(test)]
    fn curve(&self) -> &Curve {
        self.shaper.curve()
    }
}

#[cfg(test)]
mod tests;
