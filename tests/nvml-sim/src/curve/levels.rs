//! Levels of power that follow one another and repeat, with their running sum.

use super::seconds;

/// Piecewise-constant power with a period.
///
/// A sum up to the start of each level is kept, so that any integral is two look-ups however long
/// ago it began.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    all: Vec<Level>,
    period_ns: u64,
    joules: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Level {
    /// When it begins, nanoseconds into the period.
    start_ns: u64,
    watts: f64,
    /// Joules from the start of the period to the start of this level.
    before: f64,
}

impl Levels {
    /// Levels of `(start, watts)` that repeat after `period_ns`; `None` unless the first starts at
    /// 0 and each lasts.
    pub(super) fn new(
        starts: impl IntoIterator<Item = (u64, f64)>,
        period_ns: u64,
    ) -> Option<Self> {
        let mut levels: Vec<Level> = Vec::new();
        let mut joules = 0.0;
        for (start_ns, watts) in starts {
            match levels.last() {
                None if start_ns != 0 => return None,
                None => {}
                Some(last) => joules += last.watts * seconds(lasts(last.start_ns, start_ns)?),
            }
            levels.push(Level { start_ns, watts, before: joules });
        }
        let last = levels.last()?;
        joules += last.watts * seconds(lasts(last.start_ns, period_ns)?);
        Some(Self { all: levels, period_ns, joules })
    }

    /// Length of a period, nanoseconds.
    #[must_use]
    pub fn period_ns(&self) -> u64 {
        self.period_ns
    }

    /// Joules of a whole period.
    #[must_use]
    pub fn joules(&self) -> f64 {
        self.joules
    }

    /// Joules from the start of a period to `into` it.
    pub(super) fn part(&self, into: u64) -> f64 {
        let after = self.all.partition_point(|level| level.start_ns <= into);
        let level = self.all[after.saturating_sub(1)];
        level.before + level.watts * seconds(into - level.start_ns)
    }
}

fn lasts(from: u64, to: u64) -> Option<u64> {
    to.checked_sub(from).filter(|nanos| *nanos > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_summed_and_repeat() {
        const S: u64 = 1_000_000_000;
        let levels = Levels::new([(0, 100.0), (2 * S, 300.0), (3 * S, 50.0)], 5 * S).unwrap();
        assert_eq!((levels.period_ns(), levels.joules()), (5 * S, 600.0));
        for (into, joules) in [(0, 0.0), (1, 100.0), (2, 200.0), (3, 500.0), (4, 550.0)] {
            assert!((levels.part(into * S) - joules).abs() < 1e-9, "{into} s");
        }
    }

    #[test]
    fn a_level_must_last() {
        assert_eq!(Levels::new([(0, 1.0), (0, 2.0)], 5), None);
        assert_eq!(Levels::new([(0, 1.0), (5, 2.0)], 5), None);
        assert_eq!(Levels::new([(1, 1.0)], 5), None);
        assert_eq!(Levels::new([], 5), None);
    }
}
