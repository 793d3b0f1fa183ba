//! How good the model is on a machine that its fit has not seen.

use serde::Serialize;

use super::KNOWN_ERROR;
use super::fit::{
    LEAST_LOAD, LINE_START, Law, Seen, fit, fit_own, line, loaded, own, own_ratios, shares,
};
use super::own::{OWN_ERROR, OwnCurve};
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
    /// Median of the residuals' amounts.
    pub median: f64,
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
/// machine it is tried on; the *stated error* was set after these residuals, of five sources, so
/// that a sixth may lie further off than they suggest.
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
                median: median(residuals.iter().map(|residual| residual.abs())),
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

/// The amounts of all residuals of [`validation`], of all machines.
#[must_use]
pub fn errors() -> Vec<f64> {
    let rows = held_out(line, LINE_START, &MACHINES.each_ref());
    rows.iter().flat_map(|(_, _, residuals)| residuals).map(|residual| residual.abs()).collect()
}

/// Root mean square over machines of the [`HeldOut::rms`] of each; NaN of none.
#[cfg(test)]
pub(super) fn pooled(rows: &[HeldOut]) -> f64 {
    rms(&rows.iter().map(|row| row.rms).collect::<Vec<_>>())
}

/// A machine whose own idle and full power are known, held against the curve between the two as fitted to all the
/// others.
///
/// Errors are relative to the estimate, as in [`HeldOut`], and of the points above 5 % load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnHeldOut {
    /// The processor, or what the points are the mean of.
    pub machine: &'static str,
    /// Number of points.
    pub points: usize,
    /// Load from which power is full, as fitted to the others.
    pub reached: f64,
    /// Exponent below that, as fitted to the others.
    pub exponent: f64,
    /// Amount of the error of each point, in ascending order.
    pub errors: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// Share of the points within two stated standard uncertainties, 0 to 1.
    pub covered: f64,
}

/// Fits the curve between idle and full power anew without each machine in turn, and tries it on that machine, whose own
/// two powers are known ([`MeterBuilder::cpu_power`](crate::MeterBuilder::cpu_power)).
#[must_use]
pub fn own_validation() -> Vec<OwnHeldOut> {
    let row = |left_out: &'static Machine| {
        let others: Vec<&Machine> =
            MACHINES.iter().filter(|machine| machine.name != left_out.name).collect();
        let curve = fit_own(&others);
        let OwnCurve { reached, exponent } = curve;
        let own = own(left_out);
        let spread = (own.full - own.idle).get();
        let loaded = left_out.points.iter().filter(|point| point.load > LEAST_LOAD);
        let within = |ratio: f64, load: f64| {
            let power = curve.power(load, own).get();
            (ratio - 1.0).abs() * power <= 2.0 * (OWN_ERROR.0 * power + OWN_ERROR.1 * spread)
        };
        let inside = own_ratios(left_out, curve)
            .zip(loaded)
            .filter(|(ratio, point)| within(*ratio, point.load))
            .count();
        let mut errors: Vec<f64> =
            own_ratios(left_out, curve).map(|ratio| (ratio - 1.0).abs()).collect();
        errors.sort_by(f64::total_cmp);
        OwnHeldOut {
            machine: left_out.name,
            points: errors.len(),
            reached,
            exponent,
            median: median(errors.iter().copied()),
            covered: inside as f64 / errors.len() as f64,
            errors,
        }
    };
    MACHINES.iter().map(row).collect()
}

/// The median of `values`; NaN of none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
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
