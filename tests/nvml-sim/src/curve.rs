//! Power as a closed form of time, and its integral.

mod levels;
mod noise;
mod trace;

use std::f64::consts::TAU;
use std::sync::Arc;

pub use levels::Levels;

/// Power over time; every period starts at time 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Curve {
    /// Always the same watts.
    Constant(f64),
    /// `low` watts at the start of each period, `high` for the rest.
    Square {
        /// Watts at the start of a period.
        low: f64,
        /// Watts in the rest of it.
        high: f64,
        /// Length of a period, nanoseconds.
        period_ns: u64,
        /// The share of a period that is high.
        duty: f64,
    },
    /// A sine between `low` and `high` watts, rising at the start of each period.
    Sine {
        /// Least watts.
        low: f64,
        /// Greatest watts.
        high: f64,
        /// Length of a period, nanoseconds.
        period_ns: u64,
    },
    /// A sawtooth: in each period from `low` watts straight to `high`.
    Ramp {
        /// Watts at the start of a period.
        low: f64,
        /// Watts at its end.
        high: f64,
        /// Length of a period, nanoseconds.
        period_ns: u64,
    },
    /// Noise or a trace: levels that repeat.
    Levels(Arc<Levels>),
}

impl Curve {
    /// Joules between two times in nanoseconds, exactly; 0 if `to` does not lie after `from`.
    #[must_use]
    pub fn joules(&self, from: u64, to: u64) -> f64 {
        if to <= from {
            return 0.0;
        }
        let (period, whole) = match self {
            Self::Constant(watts) => return watts * seconds(to - from),
            &Self::Square { low, high, period_ns, duty } => {
                (period_ns, seconds(period_ns) * (low * (1.0 - duty) + high * duty))
            }
            &Self::Sine { low, high, period_ns } | &Self::Ramp { low, high, period_ns } => {
                (period_ns, seconds(period_ns) * f64::midpoint(low, high))
            }
            Self::Levels(levels) => (levels.period_ns(), levels.joules()),
        };
        // Whole periods are counted as integers, so that the time since boot costs no digits.
        let periods = (to / period) - (from / period);
        whole * periods as f64 + self.part(to % period) - self.part(from % period)
    }

    /// Mean watts of the `window` that ends at `to`, nanoseconds.
    #[must_use]
    pub fn mean(&self, to: u64, window: u64) -> f64 {
        let window = window.max(1);
        self.joules(to.saturating_sub(window), to) / seconds(window)
    }

    /// Joules from the start of a period to `into` it.
    fn part(&self, into: u64) -> f64 {
        let t = seconds(into);
        match self {
            Self::Constant(watts) => watts * t,
            &Self::Square { low, high, period_ns, duty } => {
                let low_for = seconds(period_ns) * (1.0 - duty);
                low * t.min(low_for) + high * (t - low_for).max(0.0)
            }
            &Self::Sine { low, high, period_ns } => {
                let angle = TAU / seconds(period_ns);
                f64::midpoint(low, high) * t
                    + (high - low) / 2.0 * (1.0 - (angle * t).cos()) / angle
            }
            &Self::Ramp { low, high, period_ns } => {
                low * t + (high - low) * t * t / (2.0 * seconds(period_ns))
            }
            Self::Levels(levels) => levels.part(into),
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const SQUARE: Curve = Curve::Square { low: 100.0, high: 400.0, period_ns: 730 * MS, duty: 0.5 };
    const SINE: Curve = Curve::Sine { low: 100.0, high: 400.0, period_ns: 730 * MS };
    const RAMP: Curve = Curve::Ramp { low: 100.0, high: 400.0, period_ns: 730 * MS };

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn the_square_is_low_then_high() {
        close(SQUARE.joules(0, 365 * MS), 36.5);
        close(SQUARE.joules(365 * MS, 730 * MS), 146.0);
        close(SQUARE.joules(300 * MS, 400 * MS), 6.5 + 14.0);
    }

    #[test]
    fn the_duty_is_the_share_that_is_high() {
        let curve = Curve::Square { low: 100.0, high: 400.0, period_ns: 1000 * MS, duty: 0.2 };
        close(curve.joules(0, 800 * MS), 80.0);
        close(curve.joules(800 * MS, 1000 * MS), 80.0);
        close(curve.joules(5_700 * MS, 12_900 * MS), 10.0 + 80.0 + 6.0 * 160.0 + 80.0 + 40.0);
    }

    #[test]
    fn the_ramp_rises_and_falls_back() {
        close(RAMP.joules(0, 730 * MS), 0.73 * 250.0);
        // From 100 W to the middle, 250 W.
        close(RAMP.joules(0, 365 * MS), 0.365 * 175.0);
        close(RAMP.joules(365 * MS, 730 * MS), 0.365 * 325.0);
        close(RAMP.joules(365 * MS, 1095 * MS), 0.73 * 250.0);
    }

    #[test]
    fn the_sine_is_what_a_fine_sum_of_it_is() {
        let watts = |t: f64| 250.0 + 150.0 * (TAU * t / 0.73).sin();
        let (from, to, steps) = (0.123, 1.987, 1_000_000);
        let step = (to - from) / f64::from(steps);
        let sum: f64 = (0..steps).map(|i| watts(from + (f64::from(i) + 0.5) * step) * step).sum();
        close(SINE.joules(123 * MS, 1987 * MS), sum);
    }

    #[test]
    fn intervals_add_up_after_months_of_uptime() {
        let boot = 10_000_000_000 * MS + 12_345;
        let noise = Curve::Levels(Arc::new(Levels::noise(250.0, 60.0, 50 * MS, 7).unwrap()));
        let trace = Curve::Levels(Arc::new(Levels::trace("0,100\n0.3,400\n1.1,50").unwrap()));
        for curve in [SQUARE, SINE, RAMP, noise, trace, Curve::Constant(250.0)] {
            let whole = curve.joules(boot, boot + 1_234_567_891);
            let split = boot + 777_777_777;
            close(curve.joules(boot, split) + curve.joules(split, boot + 1_234_567_891), whole);
        }
    }

    #[test]
    fn a_whole_period_has_the_mean_power() {
        for curve in [SQUARE, SINE, RAMP] {
            close(curve.mean(5_000 * MS, 730 * MS), 250.0);
        }
    }
}
