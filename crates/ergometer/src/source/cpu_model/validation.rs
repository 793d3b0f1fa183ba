//! How good the model is on a machine that its fit has not seen.

use serde::Serialize;

use super::KNOWN_ERROR;
use super::fit::{LINE_START, Law, Seen, fit, line, loaded, shares};
use super::points::{MACHINES, Machine};

/// A machine held against the model as fitted to all the others.
///
/// Residuals are relative to the estimate, as the stated error is: power over estimate − 1. They
/// are those of the points above 5 % load; the machine's TDP is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldOut {
    /// The processor, or what the points are the mean of.
    pub machine: &'static str,
    /// Number of points.
    pub points: usize,
    /// [`FULL_SHARE`](super::FULL_SHARE) as fitted to the others.
    pub full_share: f64,
    /// [`IDLE_SHARE`](super::IDLE_SHARE) as fitted to the others.
    pub idle_share: f64,
    /// Mean residual: positive where the machine draws more than the model says.
    pub mean: f64,
    /// Root mean square of the residuals.
    pub rms: f64,
    /// The residual that is furthest from 0.
    pub worst: f64,
    /// The relative standard uncertainty that the model states: [`KNOWN_ERROR`].
    pub stated: f64,
    /// Share of the points within two stated standard uncertainties, 0 to 1.
    pub covered: f64,
}

/// Fits the model anew without each machine in turn, and tries it on that machine.
///
/// The figures are worked out from the points, in well under a second. The *fit* has not seen the
/// machine it is tried on; the *stated error* was set after these residuals, of three sources, so
/// that a fourth may lie further off than they suggest.
#[must_use]
pub fn validation() -> Vec<HeldOut> {
    held_out(line, LINE_START, &MACHINES.each_ref())
        .into_iter()
        .map(|(machine, parameters, residuals)| {
            let (full_share, idle_share) = shares(&parameters);
            let count = residuals.len() as f64;
            let inside = residuals.iter().filter(|residual| residual.abs() <= 2.0 * KNOWN_ERROR);
            HeldOut {
                machine,
                points: residuals.len(),
                full_share,
                idle_share,
                mean: residuals.iter().sum::<f64>() / count,
                rms: rms(&residuals),
                worst: residuals
                    .iter()
                    .copied()
                    .fold(0.0, |a, b| if b.abs() > a.abs() { b } else { a }),
                stated: KNOWN_ERROR,
                covered: inside.count() as f64 / count,
            }
        })
        .collect()
}

/// Root mean square over machines of the [`HeldOut::rms`] of each; NaN of none.
#[cfg(test)]
pub(super) fn pooled(rows: &[HeldOut]) -> f64 {
    rms(&rows.iter().map(|row| row.rms).collect::<Vec<_>>())
}

/// Each machine's name, the parameters fitted to the others, and its residuals under them.
pub(super) fn held_out<const N: usize>(
    law: Law<N>,
    start: [f64; N],
    machines: &[&'static Machine],
) -> Vec<(&'static str, [f64; N], Vec<f64>)> {
    let residuals = |left_out: &'static Machine| {
        let others: Vec<&Machine> =
            machines.iter().copied().filter(|machine| machine.name != left_out.name).collect();
        let parameters = fit(law, start, &others);
        let residual = |(seen, share): (Seen, f64)| share / law(&parameters, seen) - 1.0;
        (left_out.name, parameters, loaded(left_out).map(residual).collect())
    };
    machines.iter().copied().map(residuals).collect()
}

pub(super) fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}
