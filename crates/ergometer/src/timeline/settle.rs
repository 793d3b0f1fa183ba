//! How the curve grows: by the counter, by power where there is no counter, and at its last level where there is neither.

use super::shape::Basis;
use super::{Anchor, Interval, Piece, RECTANGULAR, Sample, Timeline, UNBROKEN};

/// Silence longer than this many sampling periods (three missed samples), and than [`MIN_GAP`], is a
/// gap.
const GAP_PERIODS: f64 = 3.5;
const MIN_GAP: f64 = 0.3;
/// Seconds for which the last level is held at the end of the readings.
pub(super) const HOLD: f64 = 1.5;
/// Samples that are further apart than this many times what each of them averages leave some of the time out.
const LONGEST_GAP: f64 = 3.0;
/// Between two anchors with at least this many samples, the samples give the shape.
const SHAPED_BY_SAMPLES: usize = 4;
/// Joules by which counter and power must have been compared before their ratio scales power.
const COMPARED: f64 = 50.0;
/// Power is integrated over this many seconds at least before it is taken for an interval of known energy.
const INTEGRATED: f64 = 0.2;

impl Timeline {
    /// Appends the curve from where it ends to a new counter reading.
    pub(super) fn settle_by_counter(&mut self, anchor: Anchor, to: f64, within: f64, counter: f64) {
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
        // After an outage the energy is that of more time than the curve has still to go.
        let whole = from <= anchor.t;
        let unbroken = whole && self.samples_are_unbroken() && self.saw_all(from, to);
        let mut noted = false;
        let pieces = self.pieces(from, to);
        let integral: f64 = pieces.iter().map(Piece::joules).sum();
        if integral > 0.0 && asleep <= 0.0 {
            // Where samples are missing, power is a guess.
            let seen = self.seen_throughout(from, to);
            if seen && whole {
                self.health.counter_joules += joules;
                self.health.integrated_joules += integral;
                self.health.compared = true;
            }
            let inside =
                self.samples.iter().filter(|sample| (from..to).contains(&sample.t)).count();
            if self.shaper.instantaneous() && inside >= SHAPED_BY_SAMPLES && seen {
                let scale = joules / integral;
                let mut e = e0;
                for piece in &pieces {
                    e += piece.joules() * scale;
                    let (basis, within) = if unbroken {
                        (Basis::Averaged, piece.within)
                    } else {
                        (Basis::Sample { from, to }, within)
                    };
                    self.shaper.push(piece.to, e.min(e0 + joules), within, basis);
                }
                if unbroken && to - from >= 2.0 * INTEGRATED {
                    self.note_parts(from, to, &pieces, scale);
                    noted = true;
                }
            }
        }
        // Exactly through the anchor, whatever rounding did above.
        self.shaper.push(to, e0 + joules, within, Basis::Whole);
        // What was drawn while the machine slept was drawn in no span.
        if !noted && whole && self.asleep(from, to) <= 0.0 {
            self.note(Interval { from, to, joules, sample: false, more_than: None, within });
        }
        self.forget_samples(to);
    }

    /// Notes what was drawn between two values of a counter in parts of [`INTEGRATED`] seconds: samples that leave no
    /// time out tell what each of them drew.
    fn note_parts(&mut self, from: f64, to: f64, pieces: &[Piece], scale: f64) {
        let (mut begin, mut joules) = (from, 0.0);
        for piece in pieces {
            joules += piece.joules() * scale;
            let rest = to - piece.to;
            if piece.to - begin >= INTEGRATED && (rest >= INTEGRATED || rest <= 0.0) {
                let (from, to, within) = (begin, piece.to, piece.within);
                self.note(Interval { from, to, joules, sample: false, more_than: None, within });
                (begin, joules) = (to, 0.0);
            }
        }
    }

    /// Whether no sample is missing between two moments.
    fn saw_all(&self, from: f64, to: f64) -> bool {
        let most = LONGEST_GAP * self.sensor.power_window_s.unwrap_or(0.0);
        let inside = self.samples.iter().map(|sample| sample.t).filter(|t| (from..to).contains(t));
        let mut last = from;
        for t in inside.chain([to]) {
            if t - last > most {
                return false;
            }
            last = t;
        }
        true
    }

    /// Whether samples follow each other as closely as each of them averages.
    fn samples_are_unbroken(&self) -> bool {
        match (self.sensor.power_window_s, self.sensor.power_period_s) {
            (Some(window), Some(period)) => (UNBROKEN..=1.5).contains(&(window / period)),
            _ => false,
        }
    }

    /// Appends the curve up to the last power sample before `to`, at the counter's scale.
    pub(super) fn settle_by_power(&mut self, to: f64) {
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
        let unbroken = self.samples_are_unbroken() && self.saw_all(from, end);
        let basis = if unbroken { Basis::Averaged } else { Basis::Loose };
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

    /// Continues the curve to `end` at its last level.
    ///
    /// The level is held for as long as the domain may just not have given a newer one; beyond that
    /// the domain was not observed, and nothing is added that could not be vouched for.
    pub(super) fn hold_until(&mut self, end: f64) {
        let Some((last, e)) = self.shaper.front() else { return };
        if last >= end {
            return;
        }
        self.shaper.flush();
        let level = match self.samples.last() {
            Some(last) => last.watts * self.gain(),
            None => self.shaper.curve().watts_at(last),
        };
        // A single value of a counter does not tell a power. Nothing is known of a sensor that is gone or has been silent since.
        let known = !self.samples.is_empty() || !self.is_empty();
        let gone = self.is_lost() || last <= self.silent_to;
        let longest = if known && !gone { HOLD } else { 0.0 };
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

    /// Counter over integrated power, as far as they could be compared.
    pub(super) fn gain(&self) -> f64 {
        if self.health.integrated_joules < COMPARED {
            return 1.0;
        }
        self.health.counter_joules / self.health.integrated_joules
    }

    /// Seconds without a sample that are a gap.
    pub(super) fn longest_pause(&self) -> f64 {
        (self.sensor.power_period_s.unwrap_or(0.1) * GAP_PERIODS).max(MIN_GAP)
    }

    /// Whether there are samples all the way from `from` to `to`.
    fn seen_throughout(&self, from: f64, to: f64) -> bool {
        let pause = self.longest_pause();
        let beside = |pair: &[Sample]| pair[1].t <= from || pair[0].t >= to;
        let apart = |pair: &[Sample]| pair[1].t - pair[0].t > pause;
        !self.samples.windows(2).any(|pair| apart(pair) && !beside(pair))
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

    /// Drops the samples that no later piece of the curve can need: all but the last before `t`.
    fn forget_samples(&mut self, t: f64) {
        let before = self.samples.partition_point(|sample| sample.t <= t);
        self.samples.drain(..before.saturating_sub(1));
    }
}
