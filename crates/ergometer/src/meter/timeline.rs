//! The curve E(t) of one domain.
//!
//! Joules drawn since the domain was first read, as a function of time: continuous, never
//! decreasing, linear between *knots*. Power samples give it its shape; where there is a counter, its
//! readings are *anchors* through which the curve passes exactly, the power between two of them being
//! scaled to fit. What lies before [`Timeline::settled`] no longer changes.
//!
//! ```text
//!  counter   C0 ────────────────── C1 ────────────── C2        anchors, about one a second
//!  power      p p p p p p p p p p p p p p p p p p p p p p      samples, about 20 a second
//!  E(t)      C0 + (C1−C0)·∫p / ∫p over [C0,C1]                 settled up to the last anchor
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::Uncertainty;
use crate::clock::Timestamp;
use crate::source::{Sensor, Value};
use crate::units::{Joules, Watts};

/// No domain draws more than this; a reading above it is rejected (`cases`: 10^12 W).
const IMPOSSIBLE: f64 = 100e3;
/// Silence longer than this many sampling periods, and than [`MIN_GAP`], is a gap.
const GAP_PERIODS: f64 = 4.0;
const MIN_GAP: f64 = 0.5;
/// Seconds after which power is integrated without waiting for the counter any longer.
const SILENT_COUNTER: f64 = 5.0;
/// Seconds for which the last level is held at the end of the readings.
const HOLD: f64 = 1.5;
/// A domain silent for longer than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(10);
/// Standard deviation of a rectangular distribution of width 1 (GUM 4.3.7).
const RECTANGULAR: f64 = 0.288_675_134_594_812_9;

/// A point of the curve.
#[derive(Clone, Copy, Debug)]
struct Knot {
    t: f64,
    e: f64,
}

/// A counter reading: when, the counter's joules, and the curve's joules there.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    t: f64,
    counter: f64,
    e: f64,
}

/// A stretch of time in which the domain was not observed.
#[derive(Clone, Copy, Debug)]
struct Gap {
    from: f64,
    to: f64,
    /// Standard uncertainty of the mean power over the gap, watts.
    watts: f64,
}

/// A stretch of constant power.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: f64,
    to: f64,
    watts: f64,
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
}

/// Counts and remarks about a domain's readings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    pub readings: u64,
    pub failed: u64,
    /// Joules by the counter and by integrated power over the same intervals, where both were read.
    pub counter_joules: f64,
    pub integrated_joules: f64,
    pub compared: bool,
    /// Distinct remarks in the order of their first occurrence, with their number.
    pub remarks: Vec<(String, u64)>,
}

impl Health {
    fn remark(&mut self, text: &str) {
        const MOST: usize = 16;
        if let Some((_, count)) = self.remarks.iter_mut().find(|(known, _)| known == text) {
            *count += 1;
        } else if self.remarks.len() < MOST {
            self.remarks.push((text.to_owned(), 1));
        }
    }
}

/// E(t) of one domain, built from its readings.
#[derive(Debug)]
pub(crate) struct Timeline {
    sensor: Sensor,
    modelled: bool,
    /// The settled curve.
    knots: VecDeque<Knot>,
    /// Power samples at or after the last knot's time.
    samples: Vec<(f64, f64)>,
    /// The last counter reading.
    anchor: Option<Anchor>,
    /// Scale between counter and integrated power in the last anchored interval.
    gain: f64,
    gaps: Vec<Gap>,
    pub(crate) health: Health,
}

impl Timeline {
    pub(crate) fn new(sensor: Sensor, modelled: bool) -> Self {
        Self {
            sensor,
            modelled,
            knots: VecDeque::new(),
            samples: Vec::new(),
            anchor: None,
            gain: 1.0,
            gaps: Vec::new(),
            health: Health::default(),
        }
    }

    /// Takes a reading in; readings of one domain come in the order of their time.
    pub(crate) fn push(&mut self, at: Timestamp, value: &Value) {
        match value {
            Value::Energy(joules) => self.push_energy(at, *joules),
            Value::Power(watts) => self.push_power(at.as_secs_f64(), *watts),
            Value::Restarted(reason) => {
                self.health.failed += 1;
                self.health.remark(reason);
                // The next counter value starts a new anchored stretch; power, if any, bridges.
                self.settle_by_power(at.as_secs_f64());
                self.anchor = None;
            }
            Value::Missing(reason) => {
                self.health.failed += 1;
                self.health.remark(reason);
            }
        }
    }

    fn push_energy(&mut self, at: Timestamp, joules: Joules) {
        let value = joules.get();
        // A counter shows the value of its last update, on average half a period ago.
        let t = at.as_secs_f64() - self.sensor.counter_period_s.unwrap_or(0.0) / 2.0;
        let plausible = match self.anchor {
            Some(a) => value >= a.counter && value - a.counter <= IMPOSSIBLE * (t - a.t).max(1.0),
            None => true,
        };
        if !value.is_finite() || !plausible {
            self.health.failed += 1;
            self.health.remark("an energy reading that cannot be was rejected");
            return;
        }
        match self.anchor {
            Some(anchor) if t <= anchor.t => return,
            Some(anchor) => self.settle_by_counter(anchor, t, value),
            None => {
                self.settle_by_power(t);
                self.hold_until(t);
                if self.knots.is_empty() {
                    self.add_knot(t, 0.0);
                }
            }
        }
        self.health.readings += 1;
        let e = self.knots.back().map_or(0.0, |knot| knot.e);
        self.anchor = Some(Anchor { t, counter: value, e });
    }

    fn push_power(&mut self, t: f64, power: Watts) {
        let watts = power.get();
        if !watts.is_finite() || !(0.0..=IMPOSSIBLE).contains(&watts) {
            self.health.failed += 1;
            self.health.remark("a power reading that cannot be was rejected");
            return;
        }
        if self.samples.last().is_some_and(|&(last, _)| t <= last) {
            return;
        }
        self.health.readings += 1;
        self.samples.push((t, watts));
        match self.anchor {
            Some(anchor) if t - anchor.t > SILENT_COUNTER => {
                self.health.remark("the energy counter fell silent; power was integrated instead");
                self.settle_by_power(t);
            }
            Some(_) => {}
            None => self.settle_by_power(t),
        }
    }

    /// Appends the curve from where it ends to a new counter reading.
    fn settle_by_counter(&mut self, anchor: Anchor, to: f64, counter: f64) {
        let Some(&start) = self.knots.back() else { return };
        if to <= start.t {
            return;
        }
        // What integrated power has already put into the curve since the last anchor counts too.
        let joules = (counter - anchor.counter - (start.e - anchor.e)).max(0.0);
        let pieces = self.pieces(start.t, to);
        let integral: f64 = pieces.iter().map(Piece::joules).sum();
        if integral > 0.0 {
            self.health.counter_joules += joules;
            self.health.integrated_joules += integral;
            self.health.compared = true;
            self.gain = joules / integral;
            let mut e = start.e;
            for piece in &pieces {
                e += piece.joules() * self.gain;
                self.add_knot(piece.to, e);
            }
        }
        // Exactly through the anchor, whatever rounding did above.
        self.add_knot(to, start.e + joules);
        self.forget_samples(to);
    }

    /// Appends the curve up to the last power sample before `to`, at the sensor's own scale.
    fn settle_by_power(&mut self, to: f64) {
        let Some(&(first, _)) = self.samples.first() else { return };
        if self.knots.is_empty() {
            self.knots.push_back(Knot { t: first, e: 0.0 });
        }
        let Some(&start) = self.knots.back() else { return };
        let end = self.samples.iter().rev().map(|&(t, _)| t).find(|&t| t <= to).unwrap_or(first);
        if end <= start.t {
            return;
        }
        let mut e = start.e;
        for piece in self.pieces(start.t, end) {
            e += piece.joules() * self.gain;
            self.add_knot(piece.to, e);
        }
        self.note_sampling_gaps(start.t, end);
        self.forget_samples(end);
    }

    /// Drops the samples that no later piece of the curve can need: all but the last before `t`.
    fn forget_samples(&mut self, t: f64) {
        let before = self.samples.partition_point(|&(at, _)| at <= t);
        self.samples.drain(..before.saturating_sub(1));
    }

    fn add_knot(&mut self, t: f64, e: f64) {
        match self.knots.back_mut() {
            Some(last) if t <= last.t => last.e = last.e.max(e),
            Some(last) => {
                let e = e.max(last.e);
                self.knots.push_back(Knot { t, e });
            }
            None => self.knots.push_back(Knot { t, e }),
        }
    }

    /// Pieces of constant power that cover `[from, to]`: each sample stands for the time that is
    /// nearer to it than to its neighbours, which sums to the trapezoidal rule.
    fn pieces(&self, from: f64, to: f64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut begin = from;
        for (index, &(t, watts)) in self.samples.iter().enumerate() {
            let end = match self.samples.get(index + 1) {
                Some(&(next, _)) => f64::midpoint(t, next).min(to),
                None => to,
            };
            if end > begin {
                pieces.push(Piece { from: begin, to: end, watts });
                begin = end;
            }
        }
        pieces
    }

    fn note_sampling_gaps(&mut self, from: f64, to: f64) {
        let period = self.sensor.power_period_s.unwrap_or(0.1);
        let limit = (period * GAP_PERIODS).max(MIN_GAP);
        for pair in self.samples.windows(2) {
            let [(t0, p0), (t1, p1)] = [pair[0], pair[1]];
            if t1 - t0 > limit && t1 > from && t0 < to {
                let watts = RECTANGULAR * p0.max(p1);
                self.gaps.push(Gap { from: t0, to: t1, watts });
                self.health.remark("power samples were missed; the gap was bridged by its edges");
            }
        }
    }

    /// Up to where the curve is final.
    pub(crate) fn settled(&self, now: Timestamp) -> Timestamp {
        let Some(last) = self.knots.back() else { return now };
        let settled = seconds(last.t);
        // A domain that fell silent is closed as unobserved rather than waited for.
        if now.since(settled) > PATIENCE { now } else { settled }
    }

    /// Makes the curve reach `end`, the end of the run, with what is known.
    pub(crate) fn close(&mut self, end: Timestamp) {
        let end = end.as_secs_f64();
        self.settle_by_power(end);
        self.hold_until(end);
    }

    /// Continues the curve to `end` at its last level.
    ///
    /// The level is held for as long as the domain may just not have given a newer one; beyond that
    /// the domain was not observed, and nothing is added that could not be vouched for.
    fn hold_until(&mut self, end: f64) {
        let Some(&last) = self.knots.back() else { return };
        if last.t >= end {
            return;
        }
        let level = match self.samples.last() {
            Some(&(_, watts)) => watts * self.gain,
            None => self.slope_before(last.t).unwrap_or(0.0),
        };
        let hold = (end - last.t).min(HOLD);
        self.add_knot(last.t + hold, last.e + level * hold);
        if end > last.t + hold {
            self.gaps.push(Gap { from: last.t + hold, to: end, watts: 0.0 });
            self.health.remark("not observed for a while: what it drew then is not in the total");
            self.add_knot(end, last.e + level * hold);
        }
    }

    fn slope_before(&self, t: f64) -> Option<f64> {
        let index = self.knots.partition_point(|knot| knot.t < t);
        let (a, b) = (self.knots.get(index.checked_sub(1)?)?, self.knots.get(index)?);
        (b.t > a.t).then(|| (b.e - a.e) / (b.t - a.t))
    }

    /// Whether anything was read at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.knots.is_empty()
    }

    /// E(t), joules.
    fn energy_at(&self, t: f64) -> f64 {
        let index = self.knots.partition_point(|knot| knot.t <= t);
        match (
            index.checked_sub(1).and_then(|before| self.knots.get(before)),
            self.knots.get(index),
        ) {
            (Some(a), Some(b)) => a.e + (b.e - a.e) * ((t - a.t) / (b.t - a.t)),
            // After the last knot the domain was not observed; before the first it was not metered.
            (Some(a), None) => a.e,
            (None, Some(b)) => b.e,
            (None, None) => 0.0,
        }
    }

    /// Power and length of the piece of the curve around `t`: the larger power of the neighbours.
    fn neighbourhood(&self, t: f64) -> (f64, f64) {
        let index = self.knots.partition_point(|knot| knot.t <= t);
        let first = index.saturating_sub(2);
        let last = (index + 1).min(self.knots.len().saturating_sub(1));
        let mut watts = 0.0_f64;
        let mut length = 0.0_f64;
        for i in first..last {
            let (a, b) = (self.knots[i], self.knots[i + 1]);
            if b.t > a.t {
                watts = watts.max((b.e - a.e) / (b.t - a.t));
                length = length.max(b.t - a.t);
            }
        }
        (watts, length)
    }

    /// Energy drawn from `start` to `end`, with its uncertainty; the interval has to be settled.
    ///
    /// E(end) − E(start) exactly, so that intervals that tile another sum to it.
    pub(crate) fn between(&self, start: Timestamp, end: Timestamp) -> Drawn {
        let (t0, t1) = (start.as_secs_f64(), end.as_secs_f64());
        let length = (t1 - t0).max(0.0);
        let joules = (self.energy_at(t1) - self.energy_at(t0)).max(0.0);

        let systematic =
            joules * self.sensor.relative_error + self.sensor.absolute_error.get() * length;
        let (p0, l0) = self.neighbourhood(t0);
        let (p1, l1) = self.neighbourhood(t1);
        let period = self.sensor.counter_period_s.or(self.sensor.power_period_s).unwrap_or(0.0);
        // An edge lies somewhere within the piece of the curve it falls into, and within the
        // sensor's period; a span shorter than that cannot be off by more than its own length.
        let edge =
            |watts: f64, piece: f64| watts * RECTANGULAR * piece.max(period).min(length * 2.0);
        let edges = edge(p0, l0).hypot(edge(p1, l1));
        let quantum = self
            .sensor
            .counter_quantum
            .map_or(0.0, |quantum| quantum.get() * RECTANGULAR * std::f64::consts::SQRT_2);
        let mut unobserved = 0.0;
        let mut gaps = 0.0;
        for gap in &self.gaps {
            let overlap = (gap.to.min(t1) - gap.from.max(t0)).max(0.0);
            unobserved += overlap;
            gaps += overlap * gap.watts;
        }
        let (gain, model) = if self.modelled { (0.0, systematic) } else { (systematic, 0.0) };
        Drawn {
            joules,
            parts: Uncertainty {
                gain: Joules::new(gain),
                model: Joules::new(model),
                gaps: Joules::new(gaps),
                edges: Joules::new(edges),
                quantum: Joules::new(quantum),
            },
            unobserved,
        }
    }

    /// Mean power over the last `window` of the settled curve.
    pub(crate) fn recent_power(&self, window: Duration) -> Option<Watts> {
        let last = self.knots.back()?;
        let from = (last.t - window.as_secs_f64()).max(self.knots.front()?.t);
        let energy = last.e - self.energy_at(from);
        (last.t > from).then(|| Watts::new(energy / (last.t - from)))
    }
}

fn seconds(t: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped at 0")]
    Timestamp::from_nanos((t.max(0.0) * 1e9) as u64)
}

#[cfg(test)]
mod tests;
