//! When a domain was not observed, and what that leaves unknown.

/// Seconds unobserved and joules unknown from the beginning up to a moment; between two knots both grow
/// linearly, before the first and after the last they stand still.
#[derive(Clone, Copy, Debug, Default)]
struct Knot {
    t: f64,
    unseen: Unseen,
}

/// What was not observed of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Unseen {
    pub seconds: f64,
    /// Standard uncertainty of the energy, joules.
    pub joules: f64,
}

/// The gaps of a timeline.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    knots: Vec<Knot>,
}

impl Gaps {
    /// Adds a gap in which mean power is uncertain by `watts` (standard uncertainty); what lies before the
    /// end of the last gap is in that one already.
    pub(super) fn add(&mut self, from: f64, to: f64, watts: f64) {
        let last = self.knots.last().copied().unwrap_or(Knot { t: from, ..Knot::default() });
        let from = from.max(last.t);
        if to <= from {
            return;
        }
        let seconds = to - from;
        let unseen = Unseen {
            seconds: last.unseen.seconds + seconds,
            joules: last.unseen.joules + seconds * watts,
        };
        if self.knots.is_empty() || from > last.t {
            self.knots.push(Knot { t: from, unseen: last.unseen });
        }
        self.knots.push(Knot { t: to, unseen });
    }

    /// What was drawn in the gaps since `since` became known, and was put between `from` and `to`: an interval
    /// that holds all of that misses nothing, and one that holds part of it is off by the rest.
    pub(super) fn make_up(&mut self, since: f64, from: f64, to: f64) {
        let Some(last) = self.knots.last().copied() else { return };
        let from = from.max(last.t);
        let missed = self.between(since, from);
        if to <= from || missed == Unseen::default() {
            return;
        }
        let unseen = Unseen {
            seconds: last.unseen.seconds - missed.seconds,
            joules: last.unseen.joules - missed.joules,
        };
        if from > last.t {
            self.knots.push(Knot { t: from, unseen: last.unseen });
        }
        self.knots.push(Knot { t: to, unseen });
    }

    /// What was not observed from `from` to `to`.
    pub(super) fn between(&self, from: f64, to: f64) -> Unseen {
        let (a, b) = (self.until(from), self.until(to.max(from)));
        let off = |a: f64, b: f64| (b - a).abs();
        Unseen { seconds: off(a.seconds, b.seconds), joules: off(a.joules, b.joules) }
    }

    fn until(&self, t: f64) -> Unseen {
        let next = self.knots.partition_point(|knot| knot.t <= t);
        let before = next.checked_sub(1).and_then(|index| self.knots.get(index));
        match (before, self.knots.get(next)) {
            (Some(a), Some(b)) => {
                let share = (t - a.t) / (b.t - a.t);
                let along = |a: f64, b: f64| a + (b - a) * share;
                Unseen {
                    seconds: along(a.unseen.seconds, b.unseen.seconds),
                    joules: along(a.unseen.joules, b.unseen.joules),
                }
            }
            (Some(last), None) => last.unseen,
            (None, _) => Unseen::default(),
        }
    }

    /// Forgets knots inside stretches as long as `most` allows for a stretch that ends at a moment. What was
    /// unobserved is then spread over the stretch; its sum is kept.
    pub(super) fn fold(&mut self, most: impl Fn(f64) -> f64) {
        let mut kept: Vec<Knot> = Vec::new();
        for (index, &knot) in self.knots.iter().enumerate() {
            let inside = kept.last().zip(self.knots.get(index + 1));
            if !inside.is_some_and(|(before, next)| next.t - before.t <= most(next.t)) {
                kept.push(knot);
            }
        }
        self.knots = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps() -> Gaps {
        let mut gaps = Gaps::default();
        for i in 0..1000 {
            let from = f64::from(i) * 10.0;
            gaps.add(from, from + 1.0, 50.0);
        }
        gaps
    }

    #[test]
    fn an_interval_holds_its_overlap_with_every_gap() {
        let gaps = gaps();
        assert_eq!(gaps.between(0.0, 10.0), Unseen { seconds: 1.0, joules: 50.0 });
        assert_eq!(gaps.between(0.5, 10.5), Unseen { seconds: 1.0, joules: 50.0 });
        assert_eq!(gaps.between(2.0, 9.0), Unseen::default());
        assert_eq!(gaps.between(-5.0, 1e9), Unseen { seconds: 1000.0, joules: 50_000.0 });
        assert_eq!(gaps.between(7.0, 3.0), Unseen::default());
    }

    #[test]
    fn a_gap_that_is_made_up_for_is_missing_from_its_parts_and_not_from_the_whole() {
        let mut gaps = Gaps::default();
        gaps.add(10.0, 20.0, 100.0);
        gaps.add(30.0, 40.0, 50.0);
        gaps.make_up(30.0, 40.0, 41.0);
        assert_eq!(gaps.between(25.0, 45.0), Unseen::default());
        assert_eq!(gaps.between(25.0, 35.0), Unseen { seconds: 5.0, joules: 250.0 });
        assert_eq!(gaps.between(40.0, 50.0), Unseen { seconds: 10.0, joules: 500.0 });
        assert_eq!(gaps.between(0.0, 50.0), Unseen { seconds: 10.0, joules: 1000.0 });
    }

    #[test]
    fn a_gap_that_is_reported_twice_counts_once() {
        let mut gaps = Gaps::default();
        gaps.add(1.0, 3.0, 10.0);
        gaps.add(2.0, 4.0, 10.0);
        gaps.add(2.0, 3.0, 10.0);
        assert_eq!(gaps.between(0.0, 5.0), Unseen { seconds: 3.0, joules: 30.0 });
    }

    #[test]
    fn folding_keeps_the_sum_and_what_is_recent() {
        let (whole, mut folded) = (gaps(), gaps());
        folded.fold(|t| if t < 9000.0 { 100.0 } else { 0.0 });
        assert!(folded.knots.len() < whole.knots.len() / 4, "{}", folded.knots.len());
        assert_eq!(folded.between(-1.0, 1e5), whole.between(-1.0, 1e5));
        for t in [9100.0, 9500.5, 9990.3] {
            assert_eq!(folded.between(t, 1e5), whole.between(t, 1e5));
        }
        let off = folded.between(3000.0, 4000.0).seconds - 100.0;
        assert!(off.abs() <= 10.0, "{off}");
    }
}
