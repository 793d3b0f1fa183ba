//! What a board shows at a time, as a closed form.

use crate::config::{Board, Sensor};

impl Board {
    /// What the energy counter shows at `now`, millijoules, on a board that reads do not disturb.
    #[must_use]
    pub fn millijoules(&self, now: u64) -> Option<u64> {
        let (from, to) = self.counted(now)?;
        Some(self.counter_shows(self.curve.joules(from, to)))
    }

    /// What `sensor` shows at `now`, milliwatts.
    #[must_use]
    pub fn milliwatts(&self, sensor: Sensor, now: u64) -> u32 {
        let shown = last_update(now, sensor.period_ns, sensor.phase_ns);
        let watts = self.curve.mean(shown, sensor.window_ns) * self.gain;
        u32::try_from(whole(watts * 1000.0)).unwrap_or(u32::MAX)
    }

    /// The interval whose energy the counter shows at `now`.
    pub(crate) fn counted(&self, now: u64) -> Option<(u64, u64)> {
        let reset = self.faults.reset_at.filter(|at| *at <= now);
        let from = reset.unwrap_or(self.start_ns);
        // A counter that is reset moves again.
        let stuck = self.faults.stuck_after.filter(|at| reset.is_none_or(|reset| reset < *at));
        let now = stuck.map_or(now, |at| now.min(at));
        Some((from, last_update(now, self.counter_ns?, self.counter_phase_ns)))
    }

    /// What the counter makes of a true energy, millijoules.
    pub(crate) fn counter_shows(&self, joules: f64) -> u64 {
        whole(joules * self.counter_gain.unwrap_or(self.gain) * 1000.0)
    }

    /// Whether every call for it fails at `now`.
    pub(crate) fn is_lost(&self, now: u64) -> bool {
        self.lost || self.faults.lost_after.is_some_and(|at| at <= now)
    }
}

/// The last time not after `now` that is `phase` after a multiple of `period`; 0 before the first.
fn last_update(now: u64, period: u64, phase: u64) -> u64 {
    now.checked_sub(phase % period).map_or(0, |since| now - since % period)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a saturating cast")]
fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use crate::{Board, Machine};

    const MS: u64 = 1_000_000;

    fn board(settings: &str) -> Board {
        Machine::parse_since(settings, 0).unwrap().boards.remove(0)
    }

    #[test]
    fn a_sensor_shows_its_last_update() {
        let board = board("curve=square:100:400:200ms;power=100ms/25ms");
        let sensor = board.power.unwrap();
        // At 100 ms the low half has just ended, at 200 ms the high one.
        assert_eq!(board.milliwatts(sensor, 1_150 * MS), 100_000);
        assert_eq!(board.milliwatts(sensor, 1_250 * MS), 400_000);
        assert_eq!(board.millijoules(1_250 * MS), Some(300_000));
        assert_eq!(board.millijoules(1_299 * MS), Some(300_000));
    }

    #[test]
    fn updates_come_at_their_phase() {
        let board = board("curve=ramp:0:1000:1s;power=100ms/10ms@37ms;counter=100ms@161ms");
        let sensor = board.power.unwrap();
        // 1000 W a second: the last 10 ms before 237 ms have a mean of 232 W.
        for (now, shown) in [(236, 132_000), (237, 232_000), (336, 232_000), (337, 332_000)] {
            assert_eq!(board.milliwatts(sensor, now * MS), shown, "{now} ms");
        }
        // A phase longer than the period is one within it: 61 ms, 161 ms, ...
        for (now, shown) in [(60, 0), (61, 1861), (160, 1861), (161, 12_961)] {
            assert_eq!(board.millijoules(now * MS), Some(shown), "{now} ms");
        }
    }

    #[test]
    fn a_counter_sticks_and_starts_again() {
        let stuck = board("curve=constant:100;stuck-after=5s");
        assert_eq!(stuck.millijoules(4_999 * MS), Some(490_000));
        assert_eq!(stuck.millijoules(9_000 * MS), Some(500_000));
        let reset = board("curve=constant:100;start=1s;stuck-after=5s;reset-at=7s");
        for (now, joules) in [(6, 400), (7, 0), (8, 100)] {
            assert_eq!(reset.millijoules(now * 1000 * MS), Some(joules * 1000), "{now} s");
        }
        let then_stuck = board("curve=constant:100;stuck-after=8s;reset-at=7s");
        assert_eq!(then_stuck.millijoules(9_000 * MS), Some(100_000));
    }

    #[test]
    fn the_counter_has_a_gain_of_its_own() {
        let both = board("curve=constant:100;gain=1.1");
        assert_eq!(both.millijoules(1_000 * MS), Some(110_000));
        let apart = board("curve=constant:100;gain=1.1;counter-gain=0.9");
        assert_eq!(apart.millijoules(1_000 * MS), Some(90_000));
        assert_eq!(apart.milliwatts(apart.power.unwrap(), 1_000 * MS), 110_000);
    }

    #[test]
    fn a_board_is_lost_from_a_moment_on() {
        let board = board("lost-after=5s");
        assert!(!board.is_lost(4_999 * MS) && board.is_lost(5_000 * MS));
    }
}
