//! A steady period and the place of its ticks, from all that reads have shown of them.
//!
//! Each bracket of two reads holds one tick: `after ≤ tick + n · period ≤ by`. What all of them allow is a
//! polygon in the plane of (tick, period), a feasibility interval in two dimensions (Duda et al., Estimating
//! global time in distributed systems, ICDCS 1987). Its corners bound every later tick: the longer the
//! register has been followed, the better the period is known, whatever a single read was worth.

use std::collections::VecDeque;

use super::{Bracket, Moment};

/// Brackets that are kept: the last ones that said anything new.
const MOST: usize = 48;
/// Two clocks do not keep one ratio: quartz that warms drifts by this much, seconds per second.
const WANDER: f64 = 2e-6;
/// Ticks are taken to stray at least so far, seconds to either side: what reads have not shown may be. It is more
/// after a tick that came outside of what was expected, and less after one that did not.
const LEAST_STRAY: f64 = 0.000_5;
const SURPRISED: f64 = 1.5;
const CONFIRMED: f64 = 0.95;
/// The least stray by which brackets are reconciled; each try after it is half as much again. As long as there
/// are few brackets, so much more: that they agree without may be chance.
const FIRST_STRAY: f64 = 0.000_1;
pub(super) const EARLY_STRAY: (f64, f64) = (0.000_5, 0.01);
const FEW: f64 = 4.0;
const MORE_STRAY: f64 = 1.5;
/// A register that strays further than this share of its period has no steady one.
const MOST_STRAY: f64 = 0.2;

/// A tick in a bracket, this many periods after the first one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pinned {
    n: f64,
    bracket: Bracket,
}

/// A time of the tick of reference and a period that agree with all brackets.
type Corner = (f64, f64);

/// The period of a register and the place of its ticks.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    pinned: VecDeque<Pinned>,
    /// The corners of the polygon, in order around it.
    corners: Vec<Corner>,
    /// The tick that `corners` are about, counted from the first one.
    reference: f64,
    /// The middle of the times that they allow for it.
    middle: f64,
    /// The middle of the periods that they allow, and half their range.
    period: (f64, f64),
    /// When the last bracket was that said anything new.
    learnt: f64,
    /// Bounds of the period from before there were brackets.
    limits: (f64, f64),
    /// By how much ticks have to stray for all brackets to agree.
    stray: f64,
    /// By how much they may, as watching them where they should not be has shown.
    margin: f64,
}

impl Beat {
    /// A beat with a tick in `first` and a period between two bounds; ticks may stray by `stray`.
    pub(super) fn new(first: Bracket, period: (f64, f64), stray: f64) -> Self {
        let (low, high) = (first.after - stray, first.by + stray);
        let corners = vec![(low, period.0), (high, period.0), (high, period.1), (low, period.1)];
        let pinned = VecDeque::from([Pinned { n: 0.0, bracket: first }]);
        let mut beat = Self {
            pinned,
            corners,
            reference: 0.0,
            middle: 0.0,
            period: (0.0, 0.0),
            learnt: first.by,
            limits: period,
            stray,
            margin: LEAST_STRAY,
        };
        beat.measure();
        beat
    }

    /// Works out what is asked for at every read.
    fn measure(&mut self) {
        let (low, high) = self.bounds(self.reference);
        self.middle = f64::midpoint(low, high);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &(_, period) in &self.corners {
            (low, high) = (low.min(period), high.max(period));
        }
        self.period = (f64::midpoint(low, high), (high - low) / 2.0);
    }

    /// Bounds of the tick `n` periods after the first one, without what ticks stray.
    pub(super) fn bounds(&self, n: f64) -> (f64, f64) {
        let since = n - self.reference;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (tick, period) in &self.corners {
            let t = tick + since * period;
            // No corner is not a number; `f64::min` would ask for each.
            low = if t < low { t } else { low };
            high = if t > high { t } else { high };
        }
        (low, high)
    }

    /// Half the distance of these bounds.
    pub(super) fn half(&self, n: f64) -> f64 {
        let (low, high) = self.bounds(n);
        (high - low) / 2.0
    }

    pub(super) fn stray(&self) -> f64 {
        self.stray
    }

    /// When the tick `n` periods after the first one was or will be.
    pub(super) fn at(&self, n: f64) -> Moment {
        let (low, high) = self.bounds(n);
        let at = f64::midpoint(low, high);
        let wander = WANDER * (at - self.learnt).abs();
        Moment { at, within: (high - low) / 2.0 + wander + self.stray + self.margin }
    }

    /// A tick was looked for at the edge of when it may be: whether it was outside.
    pub(super) fn checked(&mut self, outside: bool) {
        let factor = if outside { SURPRISED } else { CONFIRMED };
        let most = MOST_STRAY * self.period().0;
        self.margin = (self.margin * factor).clamp(LEAST_STRAY, most.max(LEAST_STRAY));
    }

    /// The period, and how far it may be off.
    pub(super) fn period(&self) -> (f64, f64) {
        self.period
    }

    /// Which tick is due about `t`.
    pub(super) fn number(&self, t: f64) -> f64 {
        self.reference + ((t - self.middle) / self.period.0).round()
    }

    /// The tick that lies in `bracket`, if it can be only one.
    pub(super) fn only_tick(&self, bracket: Bracket) -> Option<f64> {
        let about = self.number(bracket.middle());
        let inside = |n: &f64| {
            let Moment { at, within } = self.at(*n);
            at + within >= bracket.after && at - within <= bracket.by
        };
        let mut found = [about - 1.0, about, about + 1.0].into_iter().filter(inside);
        match (found.next(), found.next()) {
            (Some(n), None) => Some(n),
            // It came earlier or later than it can have: the nearest.
            (None, _) => {
                let off = |n: f64| {
                    let at = self.at(n).at;
                    (bracket.after - at).max(at - bracket.by)
                };
                let around = [about - 1.0, about, about + 1.0];
                around.into_iter().min_by(|a, b| off(*a).total_cmp(&off(*b)))
            }
            (Some(_), Some(_)) => None,
        }
    }

    /// Cuts off what disagrees with tick `n` in `bracket`, where ticks may stray by `stray`; `false` if
    /// nothing is left.
    pub(super) fn cut(&mut self, n: f64, bracket: Bracket, stray: f64) -> bool {
        let left = self.cut_off(n, bracket, stray);
        self.measure();
        left
    }

    fn cut_off(&mut self, n: f64, bracket: Bracket, stray: f64) -> bool {
        self.refer_to(n);
        let (low, high) = (bracket.after - stray, bracket.by + stray);
        self.keep(|tick| tick - low);
        self.keep(|tick| high - tick);
        !self.corners.is_empty()
    }

    fn refer_to(&mut self, n: f64) {
        let periods = n - self.reference;
        for corner in &mut self.corners {
            corner.0 += periods * corner.1;
        }
        self.reference = n;
    }

    /// Keeps the part of the polygon in which `inside` of the tick of reference is not negative.
    fn keep(&mut self, inside: impl Fn(f64) -> f64) {
        let corners = &self.corners;
        if corners.iter().all(|corner| inside(corner.0) >= 0.0) {
            return;
        }
        let mut kept: Vec<Corner> = Vec::with_capacity(corners.len() + 1);
        for (index, &to) in corners.iter().enumerate() {
            let from = corners[(index + corners.len() - 1) % corners.len()];
            let (before, here) = (inside(from.0), inside(to.0));
            if (before < 0.0) != (here < 0.0) {
                let share = before / (before - here);
                kept.push((from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1)));
            }
            if here >= 0.0 {
                kept.push(to);
            }
        }
        self.corners = kept;
    }

    /// Takes in that the tick `n` lies in `bracket`; `false` if there is no steady beat.
    pub(super) fn follow(&mut self, n: f64, bracket: Bracket) -> bool {
        let (low, high) = self.bounds(n);
        let wander = WANDER * (bracket.by - self.learnt).max(0.0);
        let slack = self.stray + wander;
        if bracket.after - slack <= low && bracket.by + slack >= high {
            return true;
        }
        self.learnt = bracket.by;
        self.pinned.push_back(Pinned { n, bracket });
        if self.pinned.len() > MOST {
            self.pinned.pop_front();
        }
        self.reconcile()
    }

    /// Works the polygon out anew, with the least stray that leaves anything of it.
    pub(super) fn reconcile(&mut self) -> bool {
        let Some(&last) = self.pinned.back() else { return false };
        let now = last.bracket.by;
        let period = self.period().0;
        let few = (FEW / self.pinned.len() as f64).min(1.0).powi(2);
        let mut stray = FIRST_STRAY + few * (EARLY_STRAY.0 + EARLY_STRAY.1 * period);
        while stray <= MOST_STRAY * period {
            if let Some(corners) = self.agreeing(last.n, now, stray) {
                (self.corners, self.reference, self.stray) = (corners, last.n, stray);
                self.measure();
                return true;
            }
            stray *= MORE_STRAY;
        }
        false
    }

    /// What agrees with all brackets, about tick `n`, where ticks may stray by `stray`.
    fn agreeing(&self, n: f64, now: f64, stray: f64) -> Option<Vec<Corner>> {
        let wide = |pinned: &Pinned| stray + WANDER * (now - pinned.bracket.by).max(0.0);
        let last = self.pinned.back()?;
        let mut trial =
            Self { pinned: VecDeque::new(), ..Self::new(last.bracket, self.limits, wide(last)) };
        trial.reference = last.n;
        // From the latest on, so that numbers stay small and the oldest say what only they can.
        for pinned in self.pinned.iter().rev().skip(1) {
            if !trial.cut_off(pinned.n, pinned.bracket, wide(pinned)) {
                return None;
            }
        }
        trial.refer_to(n);
        Some(trial.corners)
    }

    /// Takes these ticks, in the order of time, for all that is known, with the least stray that they allow.
    pub(super) fn rest_on(&mut self, ticks: &[(f64, Bracket)]) -> bool {
        let last = &ticks[ticks.len().saturating_sub(MOST)..];
        self.pinned = last.iter().map(|&(n, bracket)| Pinned { n, bracket }).collect();
        self.learnt = last.last().map_or(self.learnt, |(_, bracket)| bracket.by);
        self.reconcile()
    }

    /// Takes in bounds of the period from elsewhere.
    pub(super) fn narrow(&mut self, (period, error): (f64, f64)) {
        let before = self.limits;
        self.limits = (before.0.max(period - error), before.1.min(period + error));
        if self.limits.0 > self.limits.1 || !self.reconcile() {
            self.limits = before;
            self.reconcile();
        }
    }
}
