//! How well a share is known from a sample.

use crate::{Interval, NORMAL};

/// The 95 % interval of a share of which `hits` of `count` were seen, by Wilson's score (1927); `None` without any.
#[must_use]
pub fn wilson(hits: f64, count: f64) -> Option<Interval> {
    if !(count > 0.0 && (0.0..=count).contains(&hits)) {
        return None;
    }
    let (share, square) = (hits / count, NORMAL * NORMAL);
    let scale = 1.0 + square / count;
    let middle = (share + square / (2.0 * count)) / scale;
    let variance = share * (1.0 - share) / count + square / (4.0 * count * count);
    let half = NORMAL * variance.sqrt() / scale;
    Some(Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table I of Newcombe (1998), method 3.
    #[test]
    fn intervals_are_those_of_newcombes_table() {
        let rows = [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ];
        for (hits, count, low, high) in rows {
            let interval = wilson(hits, count).unwrap();
            assert!((interval.low - low).abs() < 6e-5, "{hits} of {count}: {interval:?}");
            assert!((interval.high - high).abs() < 6e-5, "{hits} of {count}: {interval:?}");
        }
    }

    #[test]
    fn what_is_not_a_share_has_no_interval() {
        for (hits, count) in [(0.0, 0.0), (-1.0, 5.0), (6.0, 5.0), (f64::NAN, 5.0)] {
            assert_eq!(wilson(hits, count), None);
        }
        assert!(wilson(5.0, 5.0).unwrap().high > 0.999_999);
    }
}
