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
    /// How far its ends may be misplaced in time, seconds to either side.
    pub within: f64,
    /// Power may have strayed for so long before the ends as well, seconds: what they rest on is an
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
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    segments: Vec<Segment>,
}

/// Standard deviation of a rectangular distribution of half-width 1 (GUM 4.3.7).
const RECTANGULAR: f64 = 0.577_350_269_189_625_8;

/// Power that strays from the curve does so for a while, and witnesses see it at one place of a cell
/// only. The factor covers waves just shorter than two cells, which are seen worst (sines and squares
/// of 1.3 cells, tried at every phase).
const PERSISTENCE: f64 = 1.7;

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

    /// Takes back all but the first so many segments.
    pub(super) fn truncate(&mut self, segments: usize) {
        self.segments.truncate(segments);
    }

    pub(super) fn start(&self) -> Option<f64> {
        self.segments.first().map(|segment| segment.from)
    }

    pub(super) fn end(&self) -> Option<f64> {
        self.segments.last().map(|segment| segment.to)
    }

    fn index_of(&self, t: f64) -> usize {
        self.segments.partition_point(|segment| segment.to <= t)
    }

    /// Joules at `t`; level before the first segment and after the last.
    pub(super) fn energy_at(&self, t: f64) -> f64 {
        match (self.segments.get(self.index_of(t)), self.segments.last()) {
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

    /// Standard uncertainty of E(`to`) − E(`from`) that comes from not knowing how power ran within
    /// the segments of its ends, and from their misplacement in time; joules.
    pub(super) fn edges(&self, from: f64, to: f64) -> f64 {
        let length = (to - from).max(0.0);
        let (first, last) = (self.index_of(from), self.index_of(to));
        let at = |index: usize| self.segments.get(index).or(self.segments.last());
        let (Some(a), Some(b)) = (at(first), at(last)) else { return 0.0 };
        // Between two exact points of the curve the deviation comes back to nothing.
        let bridge = |segment: &Segment, t: f64| {
            let away = (t - segment.from).min(segment.to - t).max(segment.reach);
            PERSISTENCE * segment.spread * away
        };
        let misplaced =
            |segment: &Segment, t: f64| segment.watts_at(t) * segment.within * RECTANGULAR;
        let shape = if first == last {
            bridge(a, from).hypot(bridge(a, to)).min(PERSISTENCE * a.spread * length)
        } else {
            bridge(a, from).hypot(bridge(b, to))
        };
        let time = misplaced(a, from).hypot(misplaced(b, to));
        // No more than all that was drawn may be misplaced.
        let most = length * a.watts_at(from).max(b.watts_at(to)).max(a.spread);
        let sampling = (self.variance_at(to) - self.variance_at(from)).max(0.0).sqrt();
        shape.hypot(time.min(most)).hypot(sampling)
    }

    /// Variance of the energy at `t` that comes from integrating samples, J².
    fn variance_at(&self, t: f64) -> f64 {
        let index = self.index_of(t);
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
    fn a_window_within_one_segment_is_uncertain_by_its_length_and_no_more() {
        let mut curve = Curve::default();
        curve.push(Segment { spread: 100.0, ..segment(Shape::Flat) });
        assert!((curve.edges(10.04, 10.05) - PERSISTENCE).abs() < 1e-9);
        assert!(curve.edges(10.0, 10.1) < 1e-9, "both ends are exact");
    }
}
