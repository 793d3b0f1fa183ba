//! Joins the ranks' forecasts into the run's.

use super::{Merge, numbers};
use crate::forecast::{Forecast, Interval};

/// Forecasts of ranks belong together if their shares of the steps differ by at most this.
const NEAR: f64 = 0.05;

/// The forecasts of the run, and a warning.
///
/// Each rank is weighted with the share of its energy that the merged total includes. So a domain metered
/// by several ranks counts once, and a final forecast equals the total. The errors of ranks have the same
/// causes, so the intervals add linearly. The run lasts as long as its longest rank.
pub(super) fn join(merge: &Merge<'_>) -> (Vec<Forecast>, Option<String>) {
    let shares = shares(merge);
    let contributes = |index: &usize| shares[*index] > 0.0;
    let members: Vec<usize> = (0..merge.parts.len()).filter(contributes).collect();
    let of = |index: usize| &merge.parts[index].record.forecasts;
    let without: Vec<u32> = members
        .iter()
        .filter(|&&index| of(index).is_empty())
        .map(|&index| merge.parts[index].rank.rank)
        .collect();
    let Some(&first) = members.first() else { return (Vec::new(), None) };
    if without.len() == members.len() {
        return (Vec::new(), None);
    }
    if !without.is_empty() {
        let line = format!("{}: made no forecasts, so that the run has none", numbers(&without));
        return (Vec::new(), Some(line));
    }
    let joined = of(first).iter().filter_map(|base| {
        let mut sum: Option<Forecast> = None;
        for &index in &members {
            let near = of(index).iter().min_by(|a, b| {
                (a.progress - base.progress).abs().total_cmp(&(b.progress - base.progress).abs())
            })?;
            if (near.progress - base.progress).abs() > NEAR {
                return None;
            }
            let start = merge.parts[index].start;
            let own = Forecast {
                at_s: near.at_s + start,
                joules: near.joules.scaled(shares[index]),
                seconds: near.seconds.shifted(start),
                ..*near
            };
            sum = Some(match sum {
                None => own,
                Some(sum) => together(&sum, &own),
            });
        }
        sum
    });
    (joined.collect(), None)
}

fn together(a: &Forecast, b: &Forecast) -> Forecast {
    let join = |a: &Interval, b: &Interval, f: fn(f64, f64) -> f64| Interval {
        value: f(a.value, b.value),
        low: f(a.low, b.low),
        high: f(a.high, b.high),
    };
    Forecast {
        progress: a.progress.min(b.progress),
        at_s: a.at_s.max(b.at_s),
        joules: join(&a.joules, &b.joules, |a, b| a + b),
        seconds: join(&a.seconds, &b.seconds, f64::max),
    }
}

/// The share of each rank's energy that the total includes.
fn shares(merge: &Merge<'_>) -> Vec<f64> {
    let mut taken = vec![0.0; merge.parts.len()];
    for whole in &merge.wholes {
        for &(part, joules) in &whole.from {
            taken[part] += joules.get();
        }
    }
    let total = |part: &super::RankRun| part.record.total.energy.map_or(0.0, |e| e.joules.get());
    let parts = merge.parts.iter().zip(taken);
    parts.map(|(part, taken)| if total(part) > 0.0 { taken / total(part) } else { 0.0 }).collect()
}
