//! By how much power comes after the marks.
//!
//! A program hands work to an asynchronous device and does not wait: its marks run ahead. The shift at which labels explain
//! the readings best says by how much; it is used where nothing else explains them nearly as well.

use super::labels::Labels;
use super::regression::{Equation, Regression};

/// Shifts that are tried: from this many steps before to this many after, of this many seconds.
const STEPS: std::ops::RangeInclusive<i32> = -2..=50;
const STEP: f64 = 0.02;
/// Shifts that are closer to each other than this are one.
const APART: f64 = 0.045;
/// The smallest shift that is distinguished from none, seconds.
const LEAST: f64 = 0.005;
/// A shift is certain if it leaves no more than this share of what none leaves unexplained, and every other leaves so
/// many times as much.
const SHARE: f64 = 0.5;
const WORSE: f64 = 1.5;
/// Equations that are tried.
const MOST: usize = 200;

/// The shift from `now` that explains `equations` with such `noise`, if there is one and it is certain.
pub(super) fn find(
    equations: &[Equation],
    labels: &Labels,
    noise: &[f64; 2],
    now: f64,
) -> Option<f64> {
    let every = equations.len().div_ceil(MOST).max(1);
    let some: Vec<Equation> = equations.iter().step_by(every).copied().collect();
    let misfit = |lag: f64| {
        let tried = relabelled(&some, labels, lag);
        let enough = tried.len() * 10 >= some.len() * 8;
        enough.then(|| Regression::misfit(&tried, noise)).flatten()
    };
    let tried: Vec<(f64, f64)> = STEPS
        .filter_map(|step| {
            let lag = f64::from(step) * STEP;
            Some((lag, misfit(lag)?))
        })
        .collect();
    let better = |a: &(f64, f64), b: &(f64, f64)| if b.1 < a.1 { *b } else { *a };
    let mut best = tried.iter().copied().reduce(|a, b| better(&a, &b))?;
    let mut step = STEP / 2.0;
    while step > LEAST / 4.0 {
        for lag in [best.0 - step, best.0 + step] {
            if let Some(misfit) = misfit(lag) {
                best = better(&best, &(lag, misfit));
            }
        }
        step /= 2.0;
    }
    let others = tried.iter().filter(|(lag, _)| (lag - best.0).abs() > APART);
    let next = others.map(|(_, misfit)| *misfit).fold(f64::INFINITY, f64::min);
    let certain = best.1 < SHARE * misfit(now)? && next > WORSE * best.1;
    (certain && (best.0 - now).abs() >= LEAST).then_some(best.0)
}

/// `equations` with the labels of `lag` seconds before.
pub(super) fn relabelled(equations: &[Equation], labels: &Labels, lag: f64) -> Vec<Equation> {
    equations.iter().filter_map(|equation| relabel(equation, labels, lag)).collect()
}

/// The equation with the seconds of the labels of `lag` seconds before, where they are known.
pub(super) fn relabel(equation: &Equation, labels: &Labels, lag: f64) -> Option<Equation> {
    let (from, to) = (equation.from - lag, equation.to - lag);
    let mut seconds = labels.seconds(from, to)?;
    if let Some(before) = equation.more_than {
        let less = labels.seconds(from - before, to - before)?;
        seconds.iter_mut().zip(less).for_each(|(seconds, less)| *seconds -= less);
    }
    // An end that lies later is a gain for the label there, and, of a difference, a loss for that before.
    let ago = |t: f64| equation.more_than.and_then(|before| labels.at(t - before));
    let moved = [from, to].map(|t| (labels.at(t), ago(t)));
    Some(Equation { seconds, moved, ..*equation })
}
