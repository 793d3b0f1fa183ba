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
mod shape;
mod standstill;

use std::time::Duration;

use crate::clock::{Event, Timestamp, What};
use crate::energy::{Method, Uncertainty};
use crate::source::attribution::is_share;
use crate::source::{Domain, HELD_BACK, Reading, Sensor, Value, cpu_model};
use crate::units::{Joules, Watts};
#[cfg(test)]
use curve::Curve;
use curve::foldable;
use gaps::{Gaps, Unseen};
pub(crate) use health::Health;
use shape::{Basis, Shaper};
use standstill::{Standstill, Stretch};

/// No domain draws more than this; a reading above it is rejected (`cases`: 10^12 W).
const IMPOSSIBLE: f64 = 100e3;
/// Power above this many times the domain's limit is flagged, and power above that many rejected: the limit may have
/// been raised since the run began.
const ABOVE_LIMIT: f64 = 1.5;
const FAR_ABOVE_LIMIT: f64 = 4.0;
/// A mean power is compared with the limit over this time at least, seconds.
const LIMIT_WINDOW: f64 = 0.05;
/// Silence longer than this many sampling periods (three missed samples), and than [`MIN_GAP`], is a
/// gap.
const GAP_PERIODS: f64 = 3.5;
const MIN_GAP: f64 = 0.3;
/// Seconds after which power is integrated without waiting for the counter any longer: more than any
/// source holds its values back, and less than what others wait for a domain ([`PATIENCE`]).
const SILENT_COUNTER: f64 = HELD_BACK + 0.5;
const _: () = assert!(SILENT_COUNTER < PATIENCE.as_secs() as f64);
/// Seconds for which the last level is held at the end of the readings.
const HOLD: f64 = 1.5;
/// A domain none of whose reads succeeds for this many seconds is gone: no level is held.
const LOST: f64 = 0.1;
/// A domain silent for longer than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(12);
/// Jumps of the clock that are remembered.
const REMEMBERED: usize = 64;
/// Seconds after which a sleep of the machine is of no more interest.
const FORGOTTEN: f64 = 60.0;
/// Standard deviation of a rectangular distribution of width 1 (GUM 4.3.7).
const RECTANGULAR: f64 = 0.288_675_134_594_812_9;
/// The same of one that is twice as wide: power in an unseen stretch lies between none and twice the mean.
const TWICE_AS_WIDE: f64 = 2.0 * RECTANGULAR;
/// Between two anchors with at least this many samples, the samples give the shape.
const SHAPED_BY_SAMPLES: usize = 4;
/// Share of its period that a sample must average to stand for all of it.
const UNBROKEN: f64 = 0.8;
/// Joules by which counter and power must have been compared before their ratio scales power.
const COMPARED: f64 = 50.0;

/// Power is integrated over this many seconds at least before it is taken for an interval of known energy.
const INTEGRATED: f64 = 0.2;
/// Seconds that a momentary sample of power stands for.
const LEAST_WINDOW: f64 = 0.002;
/// Averages overlap if they are no further apart than such a share of what they average.
const OVERLAPPING: f64 = 0.5;
/// Intervals that are kept until they are taken.
const MOST_INTERVALS: usize = 4096;

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

    /// Takes a reading in; those of one kind come in the order of their time.
    pub(crate) fn push(&mut self, reading: &Reading) {
        let t = reading.at.as_secs_f64();
        match &reading.value {
            Value::Energy(joules) => self.push_energy(t, reading.within.as_secs_f64(), *joules),
            Value::Power(watts) => self.push_power(t, reading.within.as_secs_f64(), *watts),
            Value::Restarted(reason) => {
                self.health.failed += 1;
                self.health.remark(reason);
                // The next counter value starts a new anchored stretch; power, if any, bridges.
                self.settle_by_power(t);
                self.anchor = None;
                self.counter_since = t;
            }
            Value::Missing(reason) => {
                self.reject(reason);
                let first = self.failing.map_or(t, |(first, _)| first);
                self.failing = Some((first, t));
            }
        }
    }

    /// The domain gave a value for `t`. One from before it failed may come late.
    fn answered(&mut self, t: f64) {
        self.failing = self.failing.filter(|&(first, _)| t <= first);
    }

    /// Whether the domain is gone: read after read failed since the last one that did not.
    fn is_lost(&self) -> bool {
        self.failing.is_some_and(|(first, last)| last - first >= LOST)
    }

    /// A reading that is not used, with the reason.
    pub(crate) fn reject(&mut self, reason: &str) {
        self.health.failed += 1;
        self.health.remark(reason);
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

    fn push_energy(&mut self, t: f64, within: f64, joules: Joules) {
        let value = joules.get();
        let most = self.most();
        let plausible = match self.anchor {
            Some(a) => {
                let length = (t - a.t).max(1.0) + self.asleep(a.t, t);
                value >= a.counter && value - a.counter <= most * length
            }
            None => true,
        };
        if !value.is_finite() || !plausible {
            self.reject("an energy reading that cannot be was rejected");
            return;
        }
        self.health.readings += 1;
        self.answered(t);
        let since = self.anchor.map_or(0.0, |anchor| value - anchor.counter);
        self.watch(t, since > 0.0, since);
        if let Some(anchor) = self.anchor.filter(|anchor| t - anchor.t > LIMIT_WINDOW) {
            // How long it took is known to within the time of both readings.
            self.compare_with_limit(since / (t - anchor.t + within + anchor.within));
        }
        let known = self.shaper.front().map_or(f64::NEG_INFINITY, |(front, _)| front);
        if t < known || (t <= known && self.anchor.is_some()) {
            // It comes late, and power has stood in for it: as an anchor at the curve's end it would
            // give that energy once more.
            return;
        }
        if let Some(anchor) = self.anchor {
            self.settle_by_counter(anchor, t, within, value);
            if self.silent_to > anchor.t && self.silent_to <= known {
                // It went on counting while it was away, and this has all of that.
                self.gaps.make_up(self.silent_from, known, t);
            }
        } else {
            self.settle_by_power(t);
            self.hold_until(t);
            self.shaper.begin(t);
        }
        let e = self.shaper.front().map_or(0.0, |(_, e)| e);
        self.anchor = Some(Anchor { t, within, counter: value, e });
        self.counter_since = t;
    }

    fn push_power(&mut self, t: f64, within: f64, power: Watts) {
        let watts = power.get();
        if !watts.is_finite() || !(0.0..=self.most()).contains(&watts) {
            self.reject("a power reading that cannot be was rejected");
            return;
        }
        let last = self.samples.last().copied();
        if last.is_some_and(|last| t <= last.t) {
            return;
        }
        self.health.readings += 1;
        self.answered(t);
        self.compare_with_limit(watts);
        let pause = last.map_or(0.0, |last| t - last.t);
        if self.anchor.is_some() && pause > self.longest_pause() {
            // All of the domain was silent: the counter may follow.
            self.counter_since = self.counter_since.max(t);
        }
        // A counter tells better than power whether it moves.
        if self.anchor.is_none() {
            self.watch(t, watts > 0.0, watts * pause);
        }
        self.samples.push(Sample { t, within, watts });
        self.note_sample(t, within, watts);
        if self.method != Method::Counter || t - self.counter_since > SILENT_COUNTER {
            if self.anchor.take().is_some() {
                self.health.remark("the energy counter fell silent; power was integrated instead");
            }
            self.settle_by_power(t);
        } else {
            self.shaper.witness(t, watts * self.gain());
        }
    }

    /// Power that the domain cannot draw.
    fn most(&self) -> f64 {
        self.limit.map_or(IMPOSSIBLE, |limit| (limit * FAR_ABOVE_LIMIT).min(IMPOSSIBLE))
    }

    fn compare_with_limit(&mut self, watts: f64) {
        if self.limit.is_some_and(|limit| watts > limit * ABOVE_LIMIT) {
            let before = self.health.above_limit.unwrap_or(0.0);
            self.health.above_limit = Some(before.max(watts));
        }
    }

    /// Looks whether the sensor still moves.
    fn watch(&mut self, t: f64, moved: bool, joules: f64) {
        if !self.watched {
            return;
        }
        if let Some(stretch) = self.standstill.take(t, moved, joules) {
            self.stood_still(stretch);
            self.health.remark(
                "the sensor stood still for a while: what was drawn then may not be in the total",
            );
        }
    }

    fn stood_still(&mut self, Stretch { from, to, watts }: Stretch) {
        self.gaps.add(from, to, TWICE_AS_WIDE * watts);
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

    /// Counter over integrated power, as far as they could be compared.
    fn gain(&self) -> f64 {
        if self.health.integrated_joules < COMPARED {
            return 1.0;
        }
        self.health.counter_joules / self.health.integrated_joules
    }

    /// Appends the curve from where it ends to a new counter reading.
    fn settle_by_counter(&mut self, anchor: Anchor, to: f64, within: f64, counter: f64) {
        let Some((from, e0)) = self.shaper.front() else { return };
        if to <= from {
            return;
        }
        // What integrated power has already put into the curve since the last anchor counts too.
        let joules = (counter - anchor.counter - (e0 - anchor.e)).max(0.0);
        let within = within.max(anchor.within);
        let asleep = self.asleep(anchor.t, to);
        if asleep > 0.0 {
            self.health.remark(&format!(
                "the machine slept {asleep:.0} s between two readings of the counter; the {joules:.0} J between \
                 them are in the total"
            ));
        }
        let pieces = self.pieces(from, to);
        let integral: f64 = pieces.iter().map(Piece::joules).sum();
        if integral > 0.0 && asleep <= 0.0 {
            // Where samples are missing, power is a guess.
            let seen = self.seen_throughout(from, to);
            if seen {
                self.health.counter_joules += joules;
                self.health.integrated_joules += integral;
                self.health.compared = true;
            }
            let inside =
                self.samples.iter().filter(|sample| (from..to).contains(&sample.t)).count();
            if self.shaper.instantaneous() && inside >= SHAPED_BY_SAMPLES && seen {
                let scale = joules / integral;
                let basis = Basis::Sample { from, to };
                let mut e = e0;
                for piece in &pieces {
                    e += piece.joules() * scale;
                    self.shaper.push(piece.to, e.min(e0 + joules), within, basis);
                }
            }
        }
        // Exactly through the anchor, whatever rounding did above.
        self.shaper.push(to, e0 + joules, within, Basis::Whole);
        // What was drawn while the machine slept was drawn in no span.
        if from <= anchor.t && self.asleep(from, to) <= 0.0 {
            self.note(Interval { from, to, joules, sample: false, more_than: None, within });
        }
        self.forget_samples(to);
    }

    /// Seconds without a sample that are a gap.
    fn longest_pause(&self) -> f64 {
        (self.sensor.power_period_s.unwrap_or(0.1) * GAP_PERIODS).max(MIN_GAP)
    }

    /// Whether there are samples all the way from `from` to `to`.
    fn seen_throughout(&self, from: f64, to: f64) -> bool {
        let pause = self.longest_pause();
        let beside = |pair: &[Sample]| pair[1].t <= from || pair[0].t >= to;
        let apart = |pair: &[Sample]| pair[1].t - pair[0].t > pause;
        !self.samples.windows(2).any(|pair| apart(pair) && !beside(pair))
    }

    /// Appends the curve up to the last power sample before `to`, at the counter's scale.
    fn settle_by_power(&mut self, to: f64) {
        let Some(first) = self.samples.first().map(|first| first.t).filter(|t| *t <= to) else {
            return;
        };
        self.shaper.begin(first);
        let Some((from, mut e)) = self.shaper.front() else { return };
        let newest = self.samples.iter().rev().find(|sample| sample.t <= to);
        let Some(&Sample { t: end, within, .. }) = newest else { return };
        if end <= from {
            return;
        }
        let gain = self.gain();
        let basis = match (self.sensor.power_window_s, self.sensor.power_period_s) {
            (Some(window), Some(period)) if (UNBROKEN..=1.5).contains(&(window / period)) => {
                Basis::Whole
            }
            _ => Basis::Loose,
        };
        for piece in self.pieces(from, end) {
            e += piece.joules() * gain;
            self.shaper.push(piece.to, e, piece.within, basis);
        }
        self.note_sampling_gaps(from, end);
        self.forget_samples(end);
        let (begin, e0) = *self.integrated_to.get_or_insert((end, e));
        let window = self.sensor.power_window_s.unwrap_or(0.0);
        let least = INTEGRATED.max(2.0 * window);
        if end - begin >= least {
            self.integrated_to = Some((end, e));
            if end - begin < 2.0 * least {
                let joules = e - e0;
                let (from, to, sample) = (begin, end, false);
                self.note(Interval { from, to, joules, sample, more_than: None, within });
            }
        }
    }

    /// Takes note of a sample as the energy of the time that it averages. Two averages of more than the time
    /// between them share most of it: their difference is what was drawn at the one end and not at the other.
    fn note_sample(&mut self, t: f64, within: f64, watts: f64) {
        let window = self.sensor.power_window_s.unwrap_or(0.0).max(LEAST_WINDOW);
        let period = self.sensor.power_period_s.unwrap_or(window);
        let joules = watts * window;
        let (from, to) = (t - window / 2.0, t + window / 2.0);
        if period >= UNBROKEN * window {
            self.note(Interval { from, to, joules, sample: true, more_than: None, within });
        } else if let [.., before, _] = self.samples[..]
            && t - before.t < OVERLAPPING * window
        {
            let joules = joules - before.watts * window;
            let from = before.t + window / 2.0;
            let more_than = Some(window);
            self.note(Interval { from, to, joules, sample: true, more_than, within });
        }
    }

    fn note(&mut self, interval: Interval) {
        if self.method != Method::Assumed && self.intervals.len() < MOST_INTERVALS {
            self.intervals.push(interval);
        }
    }

    /// What was read since this was called last, as far as it was a sensor that was read.
    pub(crate) fn take_intervals(&mut self) -> Vec<Interval> {
        std::mem::take(&mut self.intervals)
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

    /// Drops the samples that no later piece of the curve can need: all but the last before `t`.
    fn forget_samples(&mut self, t: f64) {
        let before = self.samples.partition_point(|sample| sample.t <= t);
        self.samples.drain(..before.saturating_sub(1));
    }

    /// Pieces of constant power that cover `[from, to]`: each sample stands for the time that is
    /// nearer to it than to its neighbours, which sums to the trapezoidal rule.
    fn pieces(&self, from: f64, to: f64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut begin = from;
        for (index, &Sample { t, within, watts }) in self.samples.iter().enumerate() {
            let end = match self.samples.get(index + 1) {
                Some(next) => f64::midpoint(t, next.t).min(to),
                None => to,
            };
            if end > begin {
                pieces.push(Piece { from: begin, to: end, watts, within });
                begin = end;
            }
        }
        pieces
    }

    fn note_sampling_gaps(&mut self, from: f64, to: f64) {
        let limit = self.longest_pause();
        for pair in self.samples.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            if b.t - a.t > limit && b.t > from && a.t < to {
                self.gaps.add(a.t, b.t, RECTANGULAR * a.watts.max(b.watts));
                self.health.remark("power samples were missed; the gap was bridged by its edges");
            }
        }
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

    /// Continues the curve to `end` at its last level.
    ///
    /// The level is held for as long as the domain may just not have given a newer one; beyond that
    /// the domain was not observed, and nothing is added that could not be vouched for.
    fn hold_until(&mut self, end: f64) {
        let Some((last, e)) = self.shaper.front() else { return };
        if last >= end {
            return;
        }
        self.shaper.flush();
        let level = match self.samples.last() {
            Some(last) => last.watts * self.gain(),
            None => self.shaper.curve().watts_at(last),
        };
        // Of what is gone, or has been silent since, nothing is known.
        let longest = if self.is_lost() || last <= self.silent_to { 0.0 } else { HOLD };
        let held = last + (end - last).min(longest);
        let e = e + level * (held - last);
        if held > last {
            self.shaper.push(held, e, 0.0, Basis::Loose);
        }
        if end > held {
            // It may have drawn nothing, and as much as it can: twice the uncertainty reaches that far.
            let most = self.limit.map_or(level, |limit| limit.max(level));
            self.gaps.add(held, end, most / 2.0);
            if held > self.silent_to {
                self.silent_from = held;
            }
            self.silent_to = end;
            self.health.remark("not observed for a while: what it drew then is not in the total");
            self.shaper.push(end, e, 0.0, Basis::Sample { from: held, to: end });
        }
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
