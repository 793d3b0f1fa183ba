//! The verdict of an interval, by a margin.

use std::fmt;

use serde::{Deserialize, Serialize};

/// From low to high, relative to the base: 0.05 is 5 % more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in the interval.
    #[must_use]
    pub fn has(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// How something compares with its base, judged from a 95 % interval and not from an estimate. That an
/// interval has 0 in it does not make two things equal: for that it has to lie within the margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval lies below the margin.
    Less,
    /// The interval lies above the margin.
    More,
    /// The interval lies within the margin.
    NoDifference,
    /// The interval crosses an end of the margin.
    Undecided,
}

impl Verdict {
    /// The verdict on a relative change with this interval, by a margin on both sides of 0.
    #[must_use]
    pub fn of(interval: Interval, margin: f64) -> Self {
        let Interval { low, high } = interval;
        if low > margin {
            Self::More
        } else if high < -margin {
            Self::Less
        } else if low >= -margin && high <= margin {
            Self::NoDifference
        } else {
            Self::Undecided
        }
    }

    /// The verdict in words.
    #[must_use]
    pub fn words(self, margin: f64) -> String {
        match self {
            Self::NoDifference => format!("no difference beyond {} %", rounded(margin * 100.0)),
            Self::Less => "less".to_owned(),
            Self::More => "more".to_owned(),
            Self::Undecided => "undecided".to_owned(),
        }
    }
}

/// Without the noise of a binary fraction.
fn rounded(value: f64) -> impl fmt::Display {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_interval_decides() {
        let of = |low, high| Verdict::of(Interval { low, high }, 0.02);
        assert_eq!(of(0.021, 0.2), Verdict::More);
        assert_eq!(of(-0.3, -0.021), Verdict::Less);
        assert_eq!(of(-0.02, 0.02), Verdict::NoDifference);
        assert_eq!(of(0.001, 0.019), Verdict::NoDifference, "certain, but too small to matter");
        assert_eq!(of(0.01, 0.09), Verdict::Undecided);
        assert_eq!(of(-0.1, 0.1), Verdict::Undecided, "0 inside does not prove equality");
        assert_eq!(of(f64::NAN, f64::NAN), Verdict::Undecided);
        assert_eq!(Verdict::NoDifference.words(0.02), "no difference beyond 2 %");
    }
}
