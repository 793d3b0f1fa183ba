//! Cells of known energy → segments of the curve.
//!
//! A counter that is read every 100 ms says what each *cell* of 100 ms drew, and nothing of how power
//! ran inside. Its neighbours do: where power jumps from one level to another inside a cell, the
//! cell's own energy says when (subcell resolution: Harten, J. Comput. Phys. 83, 1989, doi
//! 10.1016/0021-9991(89)90226-X); where it changes smoothly, a limited slope follows it (van Leer,
//! J. Comput. Phys. 32, 1979, doi 10.1016/0021-9991(79)90145-1). Either way the energy of the cell is
//! kept exactly.
//!
//! What power did besides is measured by the witnesses: instantaneous samples that took no part in
//! the shape. Their deviation from it is the curve's *spread*.

use std::collections::VecDeque;

use super::curve::{Curve, Segment, Shape};

/// A stretch of time whose energy is known: seconds, joules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    pub from: f64,
    pub to: f64,
    pub e0: f64,
    pub e1: f64,
    /// How far its ends may be misplaced, seconds to either side; of a [`Basis::Loose`] cell, its sample.
    pub within: f64,
    pub basis: Basis,
    /// Variance of the energy at its end that comes from sampling, J².
    pub variance: f64,
}

/// What a cell's energy rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Basis {
    /// All of its time was measured.
    Whole,
    /// The same, by one of many samples that follow each other without a gap. No other sample tells what power did within.
    Averaged,
    /// A sample stands for more time than it observed, between values of a counter at these two moments.
    Sample { from: f64, to: f64 },
    /// The same without a counter: nothing makes up for what it did not see.
    Loose,
}

impl Cell {
    fn watts(&self) -> f64 {
        (self.e1 - self.e0) / (self.to - self.from)
    }

    fn whole(&self) -> bool {
        matches!(self.basis, Basis::Whole | Basis::Averaged)
    }
}

/// Relative standard deviation of power within a cell, as long as nothing is known of it: devices
/// that train swing between idling and their limit, and a square wave between 1 and 4 has 0.6.
const UNSEEN_SWING: f64 = 0.35;

/// What remains of it however steady the witnesses are: they see moments, not everything.
const SEEN_SWING: f64 = 0.1;

/// The same within a [`Basis::Averaged`] cell: twice the uncertainty of a short span there covers half a wave between 1 and 4.
const AVERAGED_SWING: f64 = 0.2;

/// Witnesses that count: the last ones, for power changes its ways.
const MEMORY: f64 = 24.0;

/// Witnesses that outweigh [`UNSEEN_SWING`].
const CONVINCING: f64 = 1.5;

/// What witnesses show holds no further than this many seconds from them: a domain that did not answer may have done
/// anything meanwhile.
const TOLD: f64 = 1.0;

/// Seconds that a sample may average and still tell what power does within a cell.
const INSTANTANEOUS: f64 = 0.15;

/// A jump counts as one if it is this much larger than what power does on either side of it.
const JUMP: f64 = 4.0;

/// Power that changes by a smaller share from cell to cell is flat.
const STEADY: f64 = 0.01;

/// How far true power strays from the curve, as witnesses show it.
#[derive(Clone, Copy, Debug, Default)]
struct Stray {
    weight: f64,
    /// Mean square deviation, W².
    square: f64,
}

impl Stray {
    fn saw(&mut self, deviation: f64) {
        self.weight = (self.weight + 1.0).min(MEMORY);
        self.square += (deviation.powi(2) - self.square) / self.weight;
    }

    /// Standard deviation of power whose mean is `mean`, watts.
    fn watts(&self, mean: f64) -> f64 {
        let square = (self.weight * self.square + CONVINCING * (UNSEEN_SWING * mean).powi(2))
            / (self.weight + CONVINCING);
        square.sqrt().max(SEEN_SWING * mean)
    }
}

/// Takes cells in and gives each its shape once its neighbours are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Shaper {
    /// Power is not a stated constant.
    varies: bool,
    curve: Curve,
    /// The last two cells that were shaped, then those that are not yet.
    cells: VecDeque<Cell>,
    shaped: usize,
    front: Option<(f64, f64)>,
    /// Samples beyond the settled curve: middle, watts.
    witnesses: VecDeque<(f64, f64)>,
    /// Time of the last one that was compared with the curve.
    heard: f64,
    /// Seconds that a witness averages, if they are few enough to tell what power does in a cell.
    window: Option<f64>,
    /// How far beyond a sample's cell power may have strayed unseen, seconds.
    reach: f64,
    stray: Stray,
    last_sample: Option<f64>,
    /// Cells wait until they are shaped.
    held: bool,
    /// Variance of the energy at the front that comes from sampling, J².
    variance: f64,
}

impl Shaper {
    /// `window` is the time over which a power sample is averaged, seconds. Samples bear witness of
    /// what power does in a cell if that is short.
    pub(super) fn new(varies: bool, window: f64) -> Self {
        let instantaneous = window <= INSTANTANEOUS;
        Self {
            varies,
            window: instantaneous.then_some(window),
            // Half of it to either side, and in the mean half of that away.
            reach: if instantaneous { 0.0 } else { window / 4.0 },
            ..Self::default()
        }
    }

    /// Whether samples tell how power ran between two moments.
    pub(super) fn instantaneous(&self) -> bool {
        self.window.is_some()
    }

    pub(super) fn curve(&self) -> &Curve {
        &self.curve
    }

    /// Makes the past coarser, but for `pins` (see [`Curve::fold`]).
    pub(super) fn fold(&mut self, pins: &[f64]) {
        self.curve.fold(pins);
    }

    /// Takes the settled curve away, to be given back.
    pub(super) fn take_curve(&mut self) -> Curve {
        std::mem::take(&mut self.curve)
    }

    /// Gives the settled curve back, as it was when it had this many segments.
    pub(super) fn give_curve(&mut self, mut curve: Curve, segments: usize) {
        curve.truncate(segments);
        self.curve = curve;
    }

    /// Where the cells end: seconds and joules.
    pub(super) fn front(&self) -> Option<(f64, f64)> {
        self.front
    }

    /// Begins the curve at `t` with 0 J.
    pub(super) fn begin(&mut self, t: f64) {
        self.front.get_or_insert((t, 0.0));
    }

    /// A power sample that may bear witness, in counter joules a second.
    pub(super) fn witness(&mut self, t: f64, watts: f64) {
        if self.window.is_some() {
            self.witnesses.push_back((t, watts));
        }
    }

    /// Continues the curve to `to` and `energy`.
    pub(super) fn push(&mut self, to: f64, energy: f64, within: f64, basis: Basis) {
        let Some((from, e0)) = self.front else { return };
        if to <= from {
            return;
        }
        let e1 = energy.max(e0);
        let mut cell = Cell { from, to, e0, e1, within, basis, variance: 0.0 };
        if !cell.whole() && self.window.is_some() {
            // What one sample does not see, the difference to the next lets guess.
            if let Some(before) = self.last_sample.replace(cell.watts()) {
                let difference = cell.watts() - before;
                self.stray.saw(difference * std::f64::consts::FRAC_1_SQRT_2);
                if basis == Basis::Loose {
                    // Power changed between the two samples, at a time that is anybody's guess, and neither
                    // need be where it was placed; taken as twice a rectangular distribution, for power may
                    // have changed more than once.
                    let apart = to - from + 2.0 * within;
                    self.variance += (difference * apart).powi(2) / 3.0;
                }
            }
        }
        cell.variance = self.variance;
        self.front = Some((to, e1));
        self.cells.push_back(cell);
        while !self.held && self.cells.len() > self.shaped + 2 {
            self.shape_next();
        }
    }

    /// Shapes cells by their neighbours from now on, as soon as they are there.
    pub(super) fn shape_freely(&mut self) {
        self.held = false;
        while self.cells.len() > self.shaped + 2 {
            self.shape_next();
        }
    }

    /// Shapes each cell that ends by `to` with the pieces of power that `pieces` has for it and their spread,
    /// or by its neighbours; later ones wait.
    pub(super) fn shape_by(
        &mut self,
        to: f64,
        pieces: impl Fn(f64, f64) -> Option<(Vec<(f64, f64, f64)>, f64)>,
    ) {
        self.held = true;
        while self.cells.len() > self.shaped + 2
            && let Some(cell) = self.cells.get(self.shaped).copied().filter(|cell| cell.to <= to)
        {
            match pieces(cell.from, cell.to).filter(|_| cell.whole()) {
                Some((pieces, spread)) => self.push_pieces(&cell, &pieces, spread),
                None => self.shape_next(),
            }
        }
    }

    /// Appends a cell in pieces of constant power each, scaled so that its energy is kept.
    fn push_pieces(&mut self, cell: &Cell, pieces: &[(f64, f64, f64)], spread: f64) {
        let joules: f64 = pieces.iter().map(|(from, to, watts)| (to - from) * watts).sum();
        let energy = cell.e1 - cell.e0;
        let (mut from, mut e0) = (cell.from, cell.e0);
        for (index, &(begin, end, watts)) in pieces.iter().enumerate() {
            let last = index + 1 == pieces.len();
            let power = if joules > 0.0 { watts * energy / joules } else { cell.watts() };
            let to = if last { cell.to } else { end };
            let e1 = if last { cell.e1 } else { (e0 + (end - begin) * power).min(cell.e1) };
            if to <= from {
                continue;
            }
            self.curve.push(Segment {
                from,
                to,
                e0,
                e1,
                shape: Shape::Flat,
                spread: if self.varies { spread.max(SEEN_SWING / 2.0 * cell.watts()) } else { 0.0 },
                before: from - cell.from,
                after: cell.to - to,
                grain: None,
                within: cell.within,
                reach: 0.0,
                variance: cell.variance,
            });
            (from, e0) = (to, e1);
        }
        self.hear_witnesses(cell.basis == Basis::Averaged);
        self.leave_cell();
    }

    /// The cell that was shaped last becomes a neighbour.
    fn leave_cell(&mut self) {
        if self.shaped >= 2 {
            self.cells.pop_front();
        } else {
            self.shaped += 1;
        }
    }

    /// Shapes what is left, without waiting for neighbours.
    pub(super) fn flush(&mut self) {
        while self.cells.len() > self.shaped {
            self.shape_next();
        }
    }

    fn shape_next(&mut self) {
        let index = self.shaped;
        let cell = self.cells[index];
        let watts = |offset: isize| {
            let neighbour = self.cells.get(index.checked_add_signed(offset)?)?;
            (neighbour.whole() == cell.whole()).then(|| neighbour.watts())
        };
        let mean = cell.watts();
        let around = [watts(-2), watts(-1), watts(1), watts(2)];
        let shape = if cell.whole() { shape(&cell, around) } else { Shape::Flat };
        // What a slope cannot follow of the neighbours' power.
        let [_, left, right, _] = around;
        let bend = match shape {
            Shape::Step { .. } => 0.0,
            _ => (left.unwrap_or(mean) - 2.0 * mean + right.unwrap_or(mean)).abs() / 4.0,
        };
        let (before, after, grain) = match cell.basis {
            Basis::Sample { from, to } => {
                (cell.from - from, to - cell.to, Some(cell.to - cell.from))
            }
            Basis::Whole | Basis::Averaged | Basis::Loose => (0.0, 0.0, None),
        };
        self.curve.push(Segment {
            from: cell.from,
            to: cell.to,
            e0: cell.e0,
            e1: cell.e1,
            shape,
            spread: 0.0,
            before,
            after,
            grain,
            // A misplaced sample makes no difference while power is steady, where a misplaced counter value does.
            within: if cell.basis == Basis::Loose { 0.0 } else { cell.within },
            reach: match cell.basis {
                Basis::Whole | Basis::Averaged => 0.0,
                Basis::Sample { .. } => self.reach,
                // Its ends are no exact points of the curve.
                Basis::Loose => self.reach.max((cell.to - cell.from) / 2.0) + cell.within,
            },
            variance: cell.variance,
        });
        let averaged = cell.basis == Basis::Averaged;
        let untold = self.hear_witnesses(averaged);
        // A sample that is misplaced may be that of its neighbours' time.
        let beside = |watts: Option<f64>| watts.map_or(0.0, |watts| (watts - mean).abs());
        let misplaced = match cell.basis {
            Basis::Loose if cell.within > 0.0 => {
                let reach = self.reach.max((cell.to - cell.from) / 2.0) + cell.within;
                beside(left).max(beside(right)) * cell.within / reach
            }
            _ => 0.0,
        };
        let stray = if averaged { AVERAGED_SWING * mean } else { self.stray.watts(mean) };
        let spread = stray.hypot(bend).hypot(misplaced);
        let unseen = cell.basis == Basis::Whole && untold.min(cell.to - cell.from) > TOLD;
        let spread = if unseen { spread.max(UNSEEN_SWING * mean) } else { spread };
        let spread = if self.varies { spread } else { 0.0 };
        self.curve.set_last_spread(spread);
        self.leave_cell();
    }

    /// Compares the curve with the samples it has reached, unless it was made of them (`averaged`). Gives the longest
    /// time, in seconds, of which no sample told anything: from the last sample before them to the end of the curve.
    fn hear_witnesses(&mut self, averaged: bool) -> f64 {
        let (Some(start), Some(end), Some(window)) =
            (self.curve.start(), self.curve.end(), self.window)
        else {
            return f64::INFINITY;
        };
        let half = window / 2.0;
        let mut untold = 0.0_f64;
        while let Some(&(t, watts)) = self.witnesses.front()
            && t + half <= end
        {
            self.witnesses.pop_front();
            untold = untold.max(t - self.heard);
            self.heard = t;
            if t - half >= start && !averaged {
                let curve = if window > 0.0 {
                    (self.curve.energy_at(t + half) - self.curve.energy_at(t - half)) / window
                } else {
                    self.curve.watts_at(t)
                };
                self.stray.saw(watts - curve);
            }
        }
        untold.max(end - self.heard)
    }
}

/// The shape of `cell` between the mean powers of its neighbours: two before, two after.
fn shape(cell: &Cell, around: [Option<f64>; 4]) -> Shape {
    let mean = cell.watts();
    let [far_left, Some(left), Some(right), far_right] = around else { return Shape::Flat };
    let jump = right - left;
    let beside =
        (left - far_left.unwrap_or(left)).abs().max((right - far_right.unwrap_or(right)).abs());
    let between = (mean - left) * (right - mean) >= 0.0;
    if between && jump.abs() > STEADY * mean && jump.abs() > JUMP * beside {
        // before · x + after · (length − x) = energy
        let share = ((mean - right) / (left - right)).clamp(0.0, 1.0);
        let at = cell.from + share * (cell.to - cell.from);
        return Shape::Step { at, before: left, after: right };
    }
    let (rise, fall) = (mean - left, right - mean);
    if rise * fall <= 0.0 || jump.abs() <= STEADY * mean {
        return Shape::Flat;
    }
    // Monotonised central difference: never beyond a neighbour's power at either end.
    let most = 2.0 * rise.abs().min(fall.abs());
    let change = (jump / 2.0).abs().min(most).copysign(jump);
    Shape::Slope { slope: change / (cell.to - cell.from) }
}

#[cfg(test)]
mod tests;
