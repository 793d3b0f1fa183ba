//! Runs made in pairs: one of each side, one after the other, in random order.
//!
//! What changes slowly (temperature, other work on the machine) is in both runs of a pair and cancels in their
//! ratio. So do the gain errors of the same sensors.

use serde::{Deserialize, Serialize};

use crate::mean_and_deviation;
use crate::student::{NORMAL, quantile};
use crate::verdict::Interval;

/// Probability of each tail outside a 95 % interval.
const TAIL: f64 = 0.025;
/// The most pairs that [`pairs_needed`] tries.
const MOST_PAIRS: u32 = 10_000;

/// How one side compares with the other over pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Number of pairs.
    pub pairs: usize,
    /// Geometric mean of new / base, less 1.
    pub relative: f64,
    /// Its 95 % interval, by Student's t on the logarithms.
    pub interval_95: Interval,
    /// Standard deviation of the logarithm of a pair's ratio.
    pub log_deviation: f64,
    /// Hodges–Lehmann: the median of all means of two logarithms, less 1. One odd pair hardly moves it.
    pub hodges_lehmann: f64,
    /// Its interval by the exact distribution of Wilcoxon's signed ranks, with at least 95 %. Fewer than six
    /// pairs have none.
    pub hodges_lehmann_interval: Option<Interval>,
}

impl Paired {
    /// Compares `(base, new)` pairs of positive values; `None` with fewer than two.
    #[must_use]
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let logs: Vec<f64> = pairs.iter().map(|(base, new)| (new / base).ln()).collect();
        if logs.iter().any(|log| !log.is_finite()) {
            return None;
        }
        let (mean, deviation) = mean_and_deviation(&logs)?;
        let deviation = deviation?;
        let count = logs.len() as f64;
        let reach = quantile(1.0 - TAIL, count - 1.0) * deviation / count.sqrt();
        let (estimate, range) = hodges_lehmann(&logs);
        Some(Self {
            pairs: logs.len(),
            relative: mean.exp_m1(),
            interval_95: Interval { low: (mean - reach).exp_m1(), high: (mean + reach).exp_m1() },
            log_deviation: deviation,
            hodges_lehmann: estimate.exp_m1(),
            hodges_lehmann_interval: range
                .map(|(low, high)| Interval { low: low.exp_m1(), high: high.exp_m1() }),
        })
    }
}

/// The median of `values`' Walsh averages (means of two, each with itself too), and the exact interval of at least
/// 95 % by signed ranks. Not a number for no values.
#[must_use]
pub fn hodges_lehmann(values: &[f64]) -> (f64, Option<(f64, f64)>) {
    let mut walsh = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (index, one) in values.iter().enumerate() {
        walsh.extend(values[index..].iter().map(|other| f64::midpoint(*one, *other)));
    }
    let estimate = median(&mut walsh);
    let interval =
        ranks_outside(values.len()).map(|out| (walsh[out - 1], walsh[walsh.len() - out]));
    (estimate, interval)
}

/// The median of all differences `new - base`: Hodges–Lehmann for sets that are not paired. Not a number without
/// values on both sides.
#[must_use]
pub fn shift(base: &[f64], new: &[f64]) -> f64 {
    let differences = new.iter().flat_map(|new| base.iter().map(move |base| new - base));
    median(&mut differences.collect::<Vec<_>>())
}

/// The median, which sorts `values`; not a number for none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// The largest k for which P(W ≤ k − 1) ≤ 2.5 %, W being the sum of positive signed ranks of `count` values: the
/// k-th smallest and largest Walsh averages are the ends of the interval. `None` where there is none.
fn ranks_outside(count: usize) -> Option<usize> {
    let most = count * (count + 1) / 2;
    // How likely each sum of ranks is: every rank is in it or not, with equal probability.
    let mut likely = vec![0.0_f64; most + 1];
    likely[0] = 1.0;
    for rank in 1..=count {
        for sum in (0..=most).rev() {
            let with = if sum >= rank { likely[sum - rank] } else { 0.0 };
            likely[sum] = f64::midpoint(likely[sum], with);
        }
    }
    let below = likely.iter().scan(0.0, |total, one| {
        *total += one;
        Some(*total)
    });
    let outside = below.take_while(|total| *total <= TAIL).count();
    (outside > 0).then_some(outside)
}

/// How many pairs show a change of `difference` (0.05 is 5 %) with probability `power`, where logarithms of ratios
/// deviate by `log_deviation`. `None` where more than 10,000 would be needed or an argument makes no sense.
#[must_use]
pub fn pairs_needed(log_deviation: f64, difference: f64, power: f64) -> Option<u32> {
    let ratio = (log_deviation / difference.ln_1p()).powi(2);
    if !ratio.is_finite() {
        return None;
    }
    // Student's quantiles exceed the normal ones, so that fewer than these cannot do.
    let normal = (NORMAL + quantile(power, 1e6)).powi(2) * ratio;
    let fewest = (2..MOST_PAIRS).find(|&pairs| f64::from(pairs) >= normal).unwrap_or(MOST_PAIRS);
    (fewest..=MOST_PAIRS).find(|&pairs| {
        let freedom = f64::from(pairs - 1);
        let reach = quantile(1.0 - TAIL, freedom) + quantile(power, freedom);
        reach.powi(2) * ratio <= f64::from(pairs)
    })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;
    use crate::Verdict;

    const BASE: [f64; 8] = [100.2, 103.1, 98.7, 101.5, 99.9, 104.0, 100.8, 102.2];
    const NEW: [f64; 8] = [91.0, 94.9, 90.2, 91.8, 92.5, 93.6, 92.9, 92.0];

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1.5e-6, "{value} is not {expected}");
    }

    /// Values worked out with another program.
    #[test]
    fn pairs_have_the_ratio_and_both_intervals_of_the_vector() {
        let pairs: Vec<(f64, f64)> = BASE.into_iter().zip(NEW).collect();
        let paired = Paired::of(&pairs).unwrap();
        assert_eq!(paired.pairs, 8);
        near(1.0 + paired.relative, 0.911_790);
        near(1.0 + paired.interval_95.low, 0.903_374);
        near(1.0 + paired.interval_95.high, 0.920_284);
        near(paired.log_deviation, 0.011_092_18);
        near(1.0 + paired.hodges_lehmann, 0.911_721);
        let interval = paired.hodges_lehmann_interval.unwrap();
        near(1.0 + interval.low, 0.902_214);
        near(1.0 + interval.high, 0.921_627);
        assert_eq!(Verdict::of(paired.interval_95, 0.02), Verdict::Less);
        let logs = |values: [f64; 8]| values.map(f64::ln);
        near(shift(&logs(BASE), &logs(NEW)).exp(), 0.911_915);
    }

    #[test]
    fn fewer_than_six_pairs_have_no_signed_rank_interval() {
        assert_eq!(ranks_outside(8), Some(4));
        assert_eq!((ranks_outside(6), ranks_outside(5)), (Some(1), None));
        assert_eq!(Paired::of(&[(1.0, 1.1)]), None);
        assert_eq!(Paired::of(&[(1.0, 1.1), (0.0, 1.0)]), None, "nothing is relative to 0");
        assert!(hodges_lehmann(&[]).0.is_nan());
    }

    /// Of the noncentral t distribution, worked out with another program.
    #[test]
    fn the_number_of_pairs_is_that_of_the_vector() {
        for (deviation, difference, most, surer) in [
            (0.02, 0.10, 3, 3),
            (0.05, 0.10, 5, 6),
            (0.10, 0.10, 11, 14),
            (0.15, 0.10, 22, 29),
            (0.05, 0.05, 11, 14),
            (0.02, 0.02, 11, 13),
        ] {
            let needed = |power| pairs_needed(deviation, difference, power);
            assert_eq!(needed(0.8), Some(most), "{deviation} {difference}");
            assert_eq!(needed(0.9), Some(surer), "{deviation} {difference}");
        }
        assert_eq!(pairs_needed(0.1, 0.0, 0.8), None);
        assert_eq!(pairs_needed(f64::NAN, 0.1, 0.8), None);
    }

    /// Ten pairs of runs with noise of 2 % each and a drift over the pairs; `true` where the new one takes `more`.
    fn tries(more: f64) -> Vec<Verdict> {
        let mut rng = StdRng::seed_from_u64(20);
        let mut noise = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let mut pair = |index: usize| {
            let drift = 1.0 + 0.01 * index as f64;
            let run = |noise: f64| 100.0 * drift * (1.0 + 0.02 * noise);
            (run(noise()), run(noise()) * (1.0 + more))
        };
        let mut one = || {
            let pairs: Vec<_> = (0..10).map(&mut pair).collect();
            Verdict::of(Paired::of(&pairs).unwrap().interval_95, 0.02)
        };
        (0..20).map(|_| one()).collect()
    }

    #[test]
    fn a_thing_does_not_differ_from_itself_and_a_tenth_more_is_found() {
        let found =
            |verdicts: &[Verdict], verdict| verdicts.iter().filter(|one| **one == verdict).count();
        let same = tries(0.0);
        assert_eq!(found(&same, Verdict::More) + found(&same, Verdict::Less), 0, "{same:?}");
        let more = tries(0.1);
        assert!(found(&more, Verdict::More) >= 19, "{more:?}");
    }
}
