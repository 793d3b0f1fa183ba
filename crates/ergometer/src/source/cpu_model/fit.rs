//! Fitting a law of power to points.

use super::own::{Own, OwnCurve};
use super::points::{Machine, Point};
use crate::units::Watts;

/// Points at or below this load are left out: a machine that trains is not idle, and no sensor
/// agrees with another on what idle is.
pub(super) const LEAST_LOAD: f64 = 0.05;

/// Steps of the search; the laws here have converged after a few hundred.
const STEPS: usize = 4000;

/// What a law knows of a point, its power aside.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// Busy share of all logical processors.
    pub(super) load: f64,
    /// Mean clock over the highest.
    #[cfg_attr(not(test), expect(dead_code, reason = "only laws that were given up ask for it"))]
    pub(super) clock: f64,
    /// Busy share of those logical processors that had work.
    #[cfg_attr(not(test), expect(dead_code, reason = "only laws that were given up ask for it"))]
    pub(super) each: f64,
}

/// Power as a share of TDP, from `N` parameters.
pub(super) type Law<const N: usize> = fn(&[f64; N], Seen) -> f64;

/// The law of this model: a straight line from idle to full power.
///
/// Parameters: the logarithm of the full share, the log-odds of the idle share.
pub(super) fn line(parameters: &[f64; 2], seen: Seen) -> f64 {
    let (full, idle) = shares(parameters);
    full * (idle + (1.0 - idle) * seen.load)
}

/// Full share and idle share of a [`line`]'s parameters.
pub(super) fn shares([full, idle]: &[f64; 2]) -> (f64, f64) {
    (full.exp(), 1.0 / (1.0 + (-idle).exp()))
}

/// Where every search for a [`line`] starts.
pub(super) const LINE_START: [f64; 2] = [-0.3, -0.8];

/// Above [`LEAST_LOAD`]: what is known of the point, and its power as a share of TDP.
pub(super) fn loaded(machine: &Machine) -> impl Iterator<Item = (Seen, f64)> + '_ {
    machine.points.iter().filter(|point| point.load > LEAST_LOAD).map(|point| {
        let Point { load, watts, clock, on } = *point;
        let each = (load * machine.logical / on).min(1.0);
        (Seen { load, clock: clock / machine.top_clock, each }, watts / machine.tdp)
    })
}

/// The parameters of `law` that fit `machines` best.
pub(super) fn fit<const N: usize>(law: Law<N>, start: [f64; N], machines: &[&Machine]) -> [f64; N] {
    least_squares(start, machines, |parameters, machine| {
        loaded(machine).map(|(seen, share)| share / law(parameters, seen)).collect()
    })
}

/// Where every search for a curve between a machine's own powers starts.
const OWN_START: [f64; 2] = [0.8, 0.8];

/// The load from which power is full and the exponent below it that fit `machines` best, each with its own idle and
/// full power.
pub(super) fn fit_own(machines: &[&Machine]) -> OwnCurve {
    let curve =
        |&[reached, exponent]: &[f64; 2]| OwnCurve { reached: reached.clamp(0.3, 1.0), exponent };
    let found = least_squares(OWN_START, machines, |parameters, machine| {
        own_ratios(machine, curve(parameters)).collect()
    });
    curve(&found)
}

/// Idle and full power as a machine's points show them: the least of all, and the mean at full load.
pub(super) fn own(machine: &Machine) -> Own {
    let watts = machine.points.iter().map(|point| point.watts);
    let idle = watts.fold(f64::INFINITY, f64::min);
    let full: Vec<f64> =
        machine.points.iter().filter(|point| point.load > 0.99).map(|point| point.watts).collect();
    let full = full.iter().sum::<f64>() / full.len() as f64;
    Own { idle: Watts::new(idle), full: Watts::new(full) }
}

/// Above [`LEAST_LOAD`]: power over what `curve` makes of the machine's own idle and full power.
pub(super) fn own_ratios(machine: &Machine, curve: OwnCurve) -> impl Iterator<Item = f64> + '_ {
    let own = own(machine);
    let loaded = machine.points.iter().filter(|point| point.load > LEAST_LOAD);
    loaded.map(move |point| point.watts / curve.power(point.load, own).get())
}

/// The parameters under which the `ratios` of power over estimate are nearest to 1: least squares of their logarithms,
/// every machine of the same weight whatever the number of its points.
fn least_squares<const N: usize>(
    start: [f64; N],
    machines: &[&Machine],
    ratios: impl Fn(&[f64; N], &Machine) -> Vec<f64>,
) -> [f64; N] {
    let cost = |parameters: &[f64; N]| {
        let of = |machine: &&Machine| {
            let squares: Vec<f64> =
                ratios(parameters, machine).iter().map(|ratio| ratio.ln().powi(2)).collect();
            squares.iter().sum::<f64>() / squares.len() as f64
        };
        let sum: f64 = machines.iter().map(of).sum();
        if sum.is_finite() { sum } else { f64::MAX }
    };
    descend(cost, start)
}

/// The downhill simplex method (Nelder and Mead, The Computer Journal 7, 1965).
fn descend<const N: usize>(cost: impl Fn(&[f64; N]) -> f64, start: [f64; N]) -> [f64; N] {
    let with_cost = |point: [f64; N]| (cost(&point), point);
    let mut simplex = vec![with_cost(start)];
    simplex.extend((0..N).map(|axis| {
        let mut corner = start;
        corner[axis] += 0.3;
        with_cost(corner)
    }));
    for _ in 0..STEPS {
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (worst, others) = (simplex[N], &simplex[..N]);
        if worst.0 - others[0].0 < 1e-14 {
            break;
        }
        let mut centre = [0.0; N];
        for (_, corner) in others {
            for (sum, value) in centre.iter_mut().zip(corner) {
                *sum += value / N as f64;
            }
        }
        // The point on the line from the worst corner through the centre of the others.
        let beyond = |factor: f64| {
            let mut point = centre;
            for (value, worst) in point.iter_mut().zip(worst.1) {
                *value += factor * (*value - worst);
            }
            with_cost(point)
        };
        let (best, second_worst) = (others[0], others[N - 1]);
        let reflected = beyond(1.0);
        let next = if reflected.0 < best.0 {
            let expanded = beyond(2.0);
            if expanded.0 < reflected.0 { expanded } else { reflected }
        } else if reflected.0 < second_worst.0 {
            reflected
        } else {
            beyond(-0.5)
        };
        if next.0 < worst.0 {
            simplex[N] = next;
            continue;
        }
        for corner in &mut simplex[1..] {
            let mut point = corner.1;
            for (value, best) in point.iter_mut().zip(best.1) {
                *value = f64::midpoint(*value, best);
            }
            *corner = with_cost(point);
        }
    }
    simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    simplex[0].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_the_lowest_point_of_a_curved_valley() {
        // Rosenbrock's function: its minimum is at (1, 1).
        let [x, y] = descend(|[x, y]| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2), [-1.2, 1.0]);
        assert!((x - 1.0).abs() < 1e-4 && (y - 1.0).abs() < 1e-4, "({x}, {y})");
    }
}
