//! E(t): segments of the settled curve, and what lies between two moments of it.

use std::time::Duration;

use crate::units::Watts;

/// How power runs within a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// It is the same throughout.
    Flat,
    /// It changes by `slope` watts a second, about the segment's mean.
    Slope { slope: f64 },
    /// It jumps from `before` to `after`, watts, at the time `at`.
    Step { at: f64, before: f64, after: f64 },
}

/// A stretch of the curve: seconds, joules, and how power runs between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub from: f64,
    pub to: f64,
    pub e0: f64,
    pub e1: f64,
    pub shape: Shape,
    /// Standard deviation of true power about the shape, watts.
    pub spread: f64,
    /// Seconds from the cell's beginning to its own, and from its own end to the cell's: only there is the energy
    /// known.
    pub before: f64,
    pub after: f64,
    /// It rests on one power sample, which represents this many seconds: where power changes, each sample errs
    /// independently. `None` where the error may persist from segment to segment.
    pub grain: Option<f64>,
    /// How far its ends may be misplaced in time, seconds to either side.
    pub within: f64,
    /// For this many seconds before the ends power may have strayed as well: what they rest on is an
    /// average over more than the segment.
    pub reach: f64,
    /// Variance of the energy at its end that comes from integrating samples, J²; it grows along the
    /// curve.
    pub variance: f64,
}

impl Segment {
    pub(super) fn mean(&self) -> f64 {
        (self.e1 - self.e0) / (self.to - self.from)
    }

    fn energy_at(&self, t: f64) -> f64 {
        let x = t - self.from;
        let e = match self.shape {
            Shape::Flat => self.e0 + self.mean() * x,
            Shape::Slope { slope } => {
                let length = self.to - self.from;
                self.e0 + self.mean() * x - 0.5 * slope * x * (length - x)
            }
            Shape::Step { at, before, .. } if t < at => self.e0 + before * x,
            Shape::Step { after, .. } => self.e1 - after * (self.to - t),
        };
        e.clamp(self.e0, self.e1)
    }

    /// Mean square deviation of power from the segment's mean, W²: of its shape, and from that.
    fn square(&self) -> f64 {
        let length = self.to - self.from;
        let shape = match self.shape {
            Shape::Flat => 0.0,
            Shape::Slope { slope } => (slope * length).powi(2) / 12.0,
            Shape::Step { at, before, after } => {
                let share = (at - self.from) / length;
                share * (1.0 - share) * (after - before).powi(2)
            }
        };
        shape + self.spread.powi(2)
    }

    /// For how long power may have strayed at `t`, seconds: between two exact points of the curve the deviation comes
    /// back to nothing.
    fn away(&self, t: f64) -> f64 {
        let (before, after) = (t - self.from, self.to - t);
        let exact = (before + self.before).min(after + self.after);
        let away = self.grain.map_or(exact, |grain| {
            // A change of power between two samples lies anywhere between them.
            before.min(after).hypot((grain * exact / CHANGES).sqrt()).min(exact)
        });
        away.max(self.reach)
    }

    /// Takes the segment that follows in: flat, and straying as the two did.
    fn absorb(&mut self, next: &Self) {
        let mean = (next.e1 - self.e0) / (next.to - self.from);
        let share = (self.to - self.from) / (next.to - self.from);
        let square = share * (self.square() + (self.mean() - mean).powi(2))
            + (1.0 - share) * (next.square() + (next.mean() - mean).powi(2));
        *self = Self {
            to: next.to,
            e1: next.e1,
            shape: Shape::Flat,
            spread: square.sqrt(),
            after: next.after,
            grain: self.grain.zip(next.grain).map(|(a, b)| a.max(b)),
            within: self.within.max(next.within),
            reach: self.reach.max(next.reach),
            variance: next.variance,
            ..*self
        };
    }

    fn watts_at(&self, t: f64) -> f64 {
        match self.shape {
            Shape::Flat => self.mean(),
            Shape::Slope { slope } => self.mean() + slope * (t - f64::midpoint(self.from, self.to)),
            Shape::Step { at, before, after } => {
                if t < at {
                    before
                } else {
                    after
                }
            }
        }
    }
}

/// The settled part of E(t): continuous, never decreasing, final.
///
/// The past grows coarser with its age ([`Curve::fold`]), so that a run of weeks takes no more memory
/// than one of hours.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    segments: Vec<Segment>,
    /// This many were left by the last folding.
    folded: usize,
}

/// The last this many seconds are never folded: a span that began then finds the curve as it was.
const HORIZON: f64 = 120.0;

/// A stretch becomes one segment when it is no longer than such a share of its age. A span that began
/// so long ago, of which nobody knew, has its beginning misplaced by half of that at worst.
const COARSENESS: f64 = 1.0 / 128.0;

/// Segments that are not worth folding.
const FEW: usize = 512;

/// How long a stretch may be that becomes one, if it ends `age` seconds before the curve.
pub(super) fn foldable(age: f64) -> f64 {
    if age > HORIZON { age * COARSENESS } else { 0.0 }
}

/// Standard deviation of a rectangular distribution of half-width 1 (GUM 4.3.7).
const RECTANGULAR: f64 = 0.577_350_269_189_625_8;

/// Power that strays from the curve does so for a while, and witnesses see it at one place of a cell
/// only. The factor covers waves just shorter than two cells, which are seen worst (sines and squares
/// of 1.3 cells, tried at every phase).
const PERSISTENCE: f64 = 1.7;

/// Two samples differ by √2 times what power strays by, and the moment between them at which it changed has a variance
/// of 1/12 of their distance squared.
const CHANGES: f64 = 6.0;

impl Curve {
    /// Appends a segment that begins where the curve ends.
    pub(super) fn push(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// Says how far power strays from the last segment's shape, watts.
    pub(super) fn set_last_spread(&mut self, watts: f64) {
        if let Some(last) = self.segments.last_mut() {
            last.spread = watts;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Takes back all but the first this many segments.
    pub(super) fn truncate(&mut self, segments: usize) {
        self.segments.truncate(segments);
    }

    pub(super) fn start(&self) -> Option<f64> {
        self.segments.first().map(|segment| segment.from)
    }

    pub(super) fn end(&self) -> Option<f64> {
        self.segments.last().map(|segment| segment.to)
    }

    /// Whether folding would be worth its while.
    pub(super) fn is_long(&self) -> bool {
        self.segments.len() > self.folded + self.folded / 2 + FEW
    }

    /// Makes one segment of each old stretch that is short for its age and holds none of `pins`, which
    /// are in order.
    ///
    /// E(t) stays as it was at `pins`, at the ends of the new segments, and in the last two minutes.
    pub(super) fn fold(&mut self, pins: &[f64]) {
        let Some(end) = self.end() else { return };
        let mut pins = pins.iter().copied().peekable();
        let mut folded: Vec<Segment> = Vec::new();
        // The last of them may grow.
        let mut open = false;
        for segment in &self.segments {
            while pins.next_if(|&pin| pin < segment.from).is_some() {}
            let pinned = pins.peek().is_some_and(|&pin| pin < segment.to);
            match folded.last_mut() {
                Some(last)
                    if open && !pinned && segment.to - last.from <= foldable(end - segment.to) =>
                {
                    last.absorb(segment);
                }
                _ => folded.push(*segment),
            }
            open = !pinned;
        }
        self.folded = folded.len();
        self.segments = folded;
    }

    /// Index of the segment that `t` is in. It is mostly the first or one of the last: the others are not looked at then,
    /// as they are in no cache.
    fn index_of(&self, t: f64) -> usize {
        let ended = |segment: &Segment| segment.to <= t;
        if self.segments.first().is_none_or(|first| !ended(first)) {
            return 0;
        }
        let length = self.segments.len();
        let (mut width, mut begin) = (1, length);
        while begin > 0 && !ended(&self.segments[begin - 1]) {
            begin = length.saturating_sub(width);
            width *= 2;
        }
        begin + self.segments[begin..].partition_point(ended)
    }

    /// Joules at `t`; level before the first segment and after the last.
    pub(super) fn energy_at(&self, t: f64) -> f64 {
        self.energy_in(self.index_of(t), t)
    }

    fn energy_in(&self, index: usize, t: f64) -> f64 {
        match (self.segments.get(index), self.segments.last()) {
            (Some(segment), _) => segment.energy_at(t.max(segment.from)),
            (None, Some(last)) => last.e1,
            (None, None) => 0.0,
        }
    }

    /// Watts about `t`, as the curve has it.
    pub(super) fn watts_at(&self, t: f64) -> f64 {
        self.segments
            .get(self.index_of(t))
            .or(self.segments.last())
            .map_or(0.0, |segment| segment.watts_at(t))
    }

    /// E(`to`) − E(`from`), joules, and its standard uncertainty that comes from not knowing how power
    /// ran within the segments of its ends, and from their misplacement in time.
    pub(super) fn between(&self, from: f64, to: f64) -> (f64, f64) {
        let (first, last) = (self.index_of(from), self.index_of(to));
        let joules = (self.energy_in(last, to) - self.energy_in(first, from)).max(0.0);
        let length = (to - from).max(0.0);
        let at = |index: usize| self.segments.get(index).or(self.segments.last());
        let (Some(a), Some(b)) = (at(first), at(last)) else { return (joules, 0.0) };
        let bridge = |segment: &Segment, t: f64| PERSISTENCE * segment.spread * segment.away(t);
        let (watts_a, watts_b) = (self.watts_about(first, from), self.watts_about(last, to));
        // Power cannot stray for longer than the interval lasts.
        let longest = PERSISTENCE * a.spread.max(b.spread) * length;
        let shape = bridge(a, from).hypot(bridge(b, to)).min(longest);
        let time = RECTANGULAR * (watts_a * a.within).hypot(watts_b * b.within);
        // No more than all that was drawn may be misplaced.
        let most = length * watts_a.max(watts_b).max(a.spread);
        let variance = self.variance_in(last, to) - self.variance_in(first, from);
        let sampling = variance.max(0.0).sqrt();
        (joules, shape.hypot(time.min(most)).hypot(sampling))
    }

    /// The highest power that may be that of `t`, in the segment `index`: an end that is misplaced may lie beyond `t`.
    fn watts_about(&self, index: usize, t: f64) -> f64 {
        let Some(segment) = self.segments.get(index).or(self.segments.last()) else { return 0.0 };
        let mean = |index: usize| self.segments.get(index).map_or(0.0, Segment::mean);
        let (start, end) = (segment.from - segment.before, segment.to + segment.after);
        let before = if t - start < segment.within && index > 0 { mean(index - 1) } else { 0.0 };
        let after = if end - t < segment.within { mean(index + 1) } else { 0.0 };
        segment.watts_at(t).max(before).max(after)
    }

    /// Variance of the energy at `t`, in the segment `index`, that comes from integrating samples, J².
    fn variance_in(&self, index: usize, t: f64) -> f64 {
        let before = index.checked_sub(1).map_or(0.0, |before| self.segments[before].variance);
        self.segments.get(index).map_or(before, |segment| {
            let share = (t - segment.from) / (segment.to - segment.from);
            before + (segment.variance - before) * share.clamp(0.0, 1.0)
        })
    }

    /// Mean power over the last `window` of the curve.
    pub(super) fn recent_power(&self, window: Duration) -> Option<Watts> {
        let (start, end) = (self.start()?, self.end()?);
        let from = (end - window.as_secs_f64()).max(start);
        let energy = self.energy_at(end) - self.energy_at(from);
        (end > from).then(|| Watts::new(energy / (end - from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(shape: Shape) -> Segment {
        Segment {
            from: 10.0,
            to: 10.1,
            e0: 5.0,
            e1: 30.0,
            shape,
            spread: 0.0,
            before: 0.0,
            after: 0.0,
            grain: None,
            within: 0.0,
            reach: 0.0,
            variance: 0.0,
        }
    }

    /// 250 W on average over 0.1 s, in every shape.
    #[test]
    fn every_shape_passes_through_both_ends_with_the_power_it_names() {
        let at = 10.05;
        for (shape, half) in [
            (Shape::Flat, 12.5),
            (Shape::Slope { slope: 1000.0 }, 11.25),
            (Shape::Step { at, before: 100.0, after: 400.0 }, 5.0),
        ] {
            let segment = segment(shape);
            assert!((segment.energy_at(10.0) - 5.0).abs() < 1e-9, "{shape:?}");
            assert!((segment.energy_at(10.05) - 5.0 - half).abs() < 1e-9, "{shape:?}");
            assert!((segment.energy_at(10.1) - 30.0).abs() < 1e-9, "{shape:?}");
        }
    }

    #[test]
    fn the_segment_of_a_moment_is_the_first_that_ends_after_it() {
        for length in 0..40_u32 {
            let mut curve = Curve::default();
            for k in 0..length {
                let (from, to) = (f64::from(k), f64::from(k + 1));
                curve.push(Segment { from, to, ..segment(Shape::Flat) });
            }
            for half in -2..2 * 42 {
                let t = f64::from(half) / 2.0;
                let first = curve.segments.iter().position(|segment| segment.to > t);
                assert_eq!(curve.index_of(t), first.unwrap_or(curve.len()), "{t} s of {length}");
            }
        }
    }

    #[test]
    fn a_window_within_one_segment_is_uncertain_by_its_length_and_no_more() {
        let mut curve = Curve::default();
        curve.push(Segment { spread: 100.0, ..segment(Shape::Flat) });
        assert!((curve.between(10.04, 10.05).1 - PERSISTENCE).abs() < 1e-9);
        assert!(curve.between(10.0, 10.1).1 < 1e-9, "both ends are exact");
    }

    #[test]
    fn a_window_across_two_segments_is_uncertain_by_its_length_and_no_more() {
        // What they rest on averages a second, so that power may have strayed for long.
        let mut curve = Curve::default();
        let first = Segment { spread: 100.0, reach: 0.25, ..segment(Shape::Flat) };
        curve.push(first);
        curve.push(Segment { from: 10.1, to: 10.2, e0: 30.0, e1: 55.0, ..first });
        let (_, short) = curve.between(10.095, 10.105);
        assert!((short - PERSISTENCE).abs() < 1e-6, "{short} J of 10 ms");
        assert!(curve.between(10.02, 10.18).1 > 10.0 * short, "a long one has two ends");
    }

    /// An hour of cells of 100 ms, at 100 W and 400 W in turn for 7 s each.
    fn hour() -> Curve {
        let mut curve = Curve::default();
        let mut e0 = 0.0;
        for k in 0..36_000 {
            let from = 0.1 * f64::from(k);
            let watts = if (k / 70) % 2 == 0 { 100.0 } else { 400.0 };
            let e1 = e0 + 0.1 * watts;
            let to = 0.1 * f64::from(k + 1);
            curve.push(Segment { from, to, e0, e1, ..segment(Shape::Flat) });
            e0 = e1;
        }
        curve
    }

    #[test]
    fn folding_keeps_the_curve_at_its_pins_and_of_late_and_tells_what_it_blurs() {
        let (whole, mut folded) = (hour(), hour());
        let pins = [3.333, 1234.567, 1800.0, 3000.01];
        folded.fold(&pins);
        assert!(folded.len() < 2500, "{}", folded.len());
        for t in pins.into_iter().chain([0.0, 3481.23, 3599.99, 3600.0, 4000.0]) {
            let (a, b) = (whole.energy_at(t), folded.energy_at(t));
            assert!((a - b).abs() < 1e-9, "at {t}: {b} for {a}");
        }
        let mut covered = 0;
        for i in 0..1000 {
            let t = f64::from(i) * 3.47;
            let (truth, _) = whole.between(t, 3600.0);
            let (joules, edges) = folded.between(t, 3600.0);
            let off = (joules - truth).abs();
            assert!(off <= 300.0 * foldable(3600.0 - t) / 2.0 + 1e-6, "{t}: {joules} for {truth}");
            covered += u32::from(off <= 2.0 * edges + 1e-6);
        }
        assert!(covered >= 950, "{covered} of 1000");
        let once = folded.clone();
        folded.fold(&pins);
        assert_eq!(folded.len(), once.len(), "what was folded stays");
    }

    #[test]
    fn a_folded_stretch_strays_as_its_parts_did() {
        let halves = |shape| {
            let mut first = Segment { to: 10.05, e1: 17.5, spread: 30.0, ..segment(shape) };
            first.absorb(&Segment { from: 10.05, e0: 17.5, spread: 30.0, ..segment(shape) });
            (first.mean(), first.spread)
        };
        let (mean, flat) = halves(Shape::Flat);
        assert!((mean - 250.0).abs() < 1e-9 && (flat - 30.0).abs() < 1e-9, "{mean} ± {flat}");
        let (_, sloping) = halves(Shape::Slope { slope: 2000.0 });
        let alone = (2000.0_f64 * 0.05).powi(2) / 12.0;
        assert!((sloping - (alone + 900.0).sqrt()).abs() < 1e-9, "{sloping}");
    }
}
