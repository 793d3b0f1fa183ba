//! Powers of labels → how far the sums over each label's spans are off.
//!
//! The energy of a cell is shared out by seconds × power of each label in it, scaled so that it is kept. What the
//! curve gave each label of it is subtracted: the rest is the correction.

use super::labels::{LABELS, Seconds};
use super::regression::{Class, Equation, Matrix, Powers};

/// Corrections of one domain's sums, by label.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub joules: Seconds,
    pub seconds: Seconds,
    /// Covariance of what is left: what changes from cell to cell, and what the powers' errors make of it.
    random: Box<Matrix>,
    systematic: Box<Matrix>,
    /// What they would change by if the sensor came as late as it may: all of one sign.
    late: Seconds,
    /// Stretches whose powers were estimated one after the other: their errors are alike.
    stretches: f64,
}

/// Stretches over which the error of a power stays about the same.
const ALIKE: f64 = 3.0;

impl Default for Sums {
    fn default() -> Self {
        Self {
            joules: [0.0; LABELS],
            seconds: [0.0; LABELS],
            random: Box::new([[0.0; LABELS]; LABELS]),
            systematic: Box::new([[0.0; LABELS]; LABELS]),
            late: [0.0; LABELS],
            stretches: 0.0,
        }
    }
}

impl Sums {
    /// Takes a stretch of time in: its `cells`, whose energy is `exact` or integrated, the powers of that time,
    /// what the curve gave each label, and what the sensor's delay may have added to it.
    pub(super) fn add(
        &mut self,
        cells: &[Equation],
        exact: bool,
        powers: &Powers,
        (curve, late): (&Seconds, &Seconds),
    ) {
        let mut jacobian = [[0.0; LABELS]; LABELS];
        let noise = powers.noise[0];
        for cell in cells.iter().filter(|cell| cell.class == Class::Cell) {
            let predicted = cell.predicted(&powers.watts);
            let length = cell.to - cell.from;
            let share: Seconds = std::array::from_fn(|l| {
                if predicted > 0.0 {
                    cell.seconds[l] * powers.watts[l] / predicted
                } else {
                    cell.seconds[l] / length
                }
            });
            let scale = if predicted > 0.0 { cell.joules / predicted } else { 1.0 };
            let inside = |l: &usize| cell.seconds[*l] > 0.0;
            for l in (0..LABELS).filter(inside) {
                self.joules[l] += share[l] * cell.joules;
                self.seconds[l] += cell.seconds[l];
                jacobian[l][l] += scale * cell.seconds[l];
                self.random[l][l] += noise * cell.seconds[l];
                for m in (0..LABELS).filter(inside) {
                    jacobian[l][m] -= scale * share[l] * cell.seconds[m];
                    // A counter's cell is kept: what one label has too much the others have too little.
                    let kept = share[l] * share[m] * length
                        - share[m] * cell.seconds[l]
                        - share[l] * cell.seconds[m];
                    self.random[l][m] += if exact { noise * kept } else { 0.0 };
                }
            }
        }
        for (sum, joules) in self.joules.iter_mut().zip(curve) {
            *sum -= joules;
        }
        self.late.iter_mut().zip(late).for_each(|(sum, joules)| *sum += joules);
        self.stretches += 1.0;
        let occurring: Vec<usize> = (0..LABELS).filter(|&l| jacobian[l][l] != 0.0).collect();
        // J C Jᵀ
        let mut half = [[0.0; LABELS]; LABELS];
        for &l in &occurring {
            for &m in &occurring {
                half[l][m] =
                    occurring.iter().map(|&k| jacobian[l][k] * powers.covariance[k][m]).sum();
            }
        }
        for &l in &occurring {
            for &m in &occurring {
                let entry: f64 = occurring.iter().map(|&k| half[l][k] * jacobian[m][k]).sum();
                self.systematic[l][m] += entry;
            }
        }
    }

    /// Covariance of the corrected sums of two labels, J².
    pub(super) fn covariance(&self, l: usize, m: usize) -> f64 {
        let powers = self.stretches.clamp(1.0, ALIKE) * self.systematic[l][m];
        self.random[l][m] + powers + self.late[l] * self.late[m]
    }
}
