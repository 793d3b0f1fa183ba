//! What a search came to, as figures of its record.

use ergometer::Meter;
use ergometer_stats::{Interval, Paired};
use harness::result;

use super::Outcome;
use crate::evolution::{Cost, Search};
use crate::genes::Candidate;

/// Names of the contestants, in the order of [`Outcome::contestants`].
pub const CONTESTANTS: [&str; 3] = ["seed", "evolved", "random"];

/// The comparisons that are made: one contestant, and the one that it is compared with.
pub const PAIRS: [(usize, usize); 3] = [(1, 0), (2, 0), (1, 2)];

/// Mean held-out loss of a contestant over the fresh seeds, nats a token.
pub fn mean_loss(fresh: &[[f64; 3]], contestant: usize) -> f64 {
    fresh.iter().map(|losses| losses[contestant]).sum::<f64>() / fresh.len() as f64
}

/// By how much the perplexity of one contestant is above that of another, relative to it, with its 95 % interval over
/// the fresh seeds. `None` with fewer than two seeds, and where a training diverged.
pub fn compared(fresh: &[[f64; 3]], (one, base): (usize, usize)) -> Option<(f64, Interval)> {
    let perplexities = fresh.iter().map(|losses| (losses[base].exp(), losses[one].exp()));
    let paired = Paired::of(&perplexities.collect::<Vec<_>>())?;
    Some((paired.relative, paired.interval_95))
}

/// Records the outcome's figures. What is not known is left out.
pub fn record(meter: &Meter, outcome: &Outcome) {
    let searches = [("evolution", &outcome.evolution), ("random", &outcome.random)];
    for (name, search) in searches {
        of_search(meter, name, search);
    }
    of_cost(meter, "fresh", &outcome.fresh_cost);
    for (contestant, name) in CONTESTANTS.iter().enumerate() {
        result(meter, &format!("{name}_loss"), Some(mean_loss(&outcome.fresh, contestant)));
        meter.fact(format!("{name} architecture"), outcome.contestants[contestant].word());
    }
    for (one, base) in PAIRS {
        let name = format!("{}_over_{}", CONTESTANTS[one], CONTESTANTS[base]);
        let change = compared(&outcome.fresh, (one, base));
        result(meter, &name, change.map(|(relative, _)| relative));
        result(meter, &format!("{name}_low"), change.map(|(_, interval)| interval.low));
        result(meter, &format!("{name}_high"), change.map(|(_, interval)| interval.high));
    }
    result(meter, "space_size", Some(outcome.space_size));
    result(meter, "fresh_seeds", Some(outcome.fresh.len() as f64));
    meter.fact("random search trials", outcome.random.trials.len());
    meter.fact("random search fingerprint", &outcome.random_losses);
}

fn of_search(meter: &Meter, name: &str, search: &Search<Candidate>) {
    of_cost(meter, name, &search.cost());
    result(meter, &format!("{name}_trials"), Some(search.trials.len() as f64));
    result(meter, &format!("{name}_trials_cut"), Some(search.trials_cut() as f64));
    result(meter, &format!("{name}_joules_cut"), search.cut().joules);
    result(meter, &format!("{name}_best_loss"), search.best().map(|trial| -trial.fitness));
}

fn of_cost(meter: &Meter, name: &str, cost: &Cost) {
    result(meter, &format!("{name}_joules"), cost.joules);
    result(meter, &format!("{name}_flops"), Some(cost.flops as f64));
    result(meter, &format!("{name}_steps"), Some(cost.steps as f64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_pair_the_seeds_and_count_in_perplexity() {
        // The evolved one is 0.1 nats below the seed on each, the random one above and below it.
        let fresh = [[2.0, 1.9, 2.3], [3.0, 2.9, 2.8], [2.5, 2.4, 2.6]];
        let (relative, interval) = compared(&fresh, (1, 0)).unwrap();
        assert!((relative - (-0.1_f64).exp_m1()).abs() < 1e-12);
        assert!((interval.low - interval.high).abs() < 1e-9 && interval.high < 0.0);
        let (_, interval) = compared(&fresh, (2, 0)).unwrap();
        assert!(interval.has(0.0), "{interval:?}");
        assert!((mean_loss(&fresh, 1) - 2.4).abs() < 1e-12);
        // One seed has no interval, and one that diverged no comparison.
        assert_eq!(compared(&fresh[..1], (1, 0)), None);
        assert_eq!(compared(&[[2.0, f64::INFINITY, 2.0], [2.0, 2.0, 2.0]], (1, 0)), None);
    }
}
