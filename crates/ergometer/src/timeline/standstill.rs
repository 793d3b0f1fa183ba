//! Whether a sensor has shown that it works, and when it stopped.
//!
//! Every metered thing draws something at any time, so a counter that never moves, or a power that is always 0, is not
//! a measurement of 0 J. A counter that moved and then stands still has stopped, if it stands for much longer than it
//! ever took to move.

/// Seconds of readings without a sign before a sensor counts as not working.
const LEAST_TRIAL: f64 = 1.0;
/// Everything that is metered draws at least this, watts: a counter of a coarse unit is given the time that takes.
const LEAST_POWER: f64 = 0.5;
/// Units that a counter may lag behind before it counts as standing.
const UNITS: f64 = 4.0;
/// Seconds that a sensor which had moved may stand still, at least, and how many times the longest that it stood
/// before.
const LEAST_REST: f64 = 3.0;
const RESTS: f64 = 4.0;
/// A counter that moves again counted during the pause if the pause has this share of its mean power before.
const COUNTED_ON: f64 = 0.25;

/// The signs of one sensor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standstill {
    /// The first reading, the last one with a sign that the sensor works, and the last one since without, seconds.
    first: Option<f64>,
    alive: Option<f64>,
    still: Option<f64>,
    /// The longest time between two signs, seconds.
    longest: f64,
    /// Joules between the first reading and the last sign.
    joules: f64,
}

/// A stretch in which a sensor stood still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    pub from: f64,
    pub to: f64,
    /// Mean power up to it.
    pub watts: f64,
}

impl Standstill {
    /// A reading at `t` at which `joules` were drawn since the last sign, or 0 where there is no sign of any; returns
    /// the stretch in which the sensor stood still, if that has ended.
    pub(super) fn take(&mut self, t: f64, moved: bool, joules: f64) -> Option<Stretch> {
        let first = *self.first.get_or_insert(t);
        if !moved {
            self.still = Some(t);
            return None;
        }
        let stood = self.stretch();
        let before = self.alive.replace(t).unwrap_or(first);
        let rest = self.still.take().map_or(0.0, |still| (still - before).max(0.0));
        let counted_on =
            stood.is_some_and(|stood| joules >= COUNTED_ON * stood.watts * (t - stood.from));
        if stood.is_none() || counted_on {
            self.longest = self.longest.max(rest);
        }
        self.joules += joules;
        stood.filter(|_| !counted_on)
    }

    /// No more will be read, up to `t`: what gave no sign up to there has given none.
    pub(super) fn end(&mut self, t: f64) {
        if self.alive.is_none() && self.first.is_some() {
            self.still = Some(t);
        }
    }

    /// The stretch at whose end it stands still, if it does so for longer than it should.
    pub(super) fn stretch(&self) -> Option<Stretch> {
        let (first, from, to) = (self.first?, self.alive?, self.still?);
        let least = LEAST_REST.max(RESTS * self.longest);
        let watts = self.joules / (from - first).max(f64::MIN_POSITIVE);
        let watts = if from > first { watts } else { 0.0 };
        (to - from > least).then_some(Stretch { from, to, watts })
    }

    /// Whether it has been read for long enough to have shown that it works, and has not; a counter counts in units of
    /// `quantum` joules.
    pub(super) fn never_worked(&self, quantum: f64) -> bool {
        let (Some(first), None, Some(still)) = (self.first, self.alive, self.still) else {
            return false;
        };
        let length = still - first;
        length >= LEAST_TRIAL && length * LEAST_POWER > UNITS * quantum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds readings of `joules(t)` every 0.1 s; returns what it is at the end and the stretches that ended.
    fn follow(seconds: f64, joules: impl Fn(f64) -> f64) -> (Standstill, Vec<Stretch>) {
        let mut standstill = Standstill::default();
        let mut last = joules(0.0);
        let mut ended = Vec::new();
        let times = (0_u32..).map(|read| f64::from(read) / 10.0);
        for t in times.take_while(|t| *t <= seconds) {
            let now = joules(t);
            ended.extend(standstill.take(t, now > last, now - last));
            last = now;
        }
        (standstill, ended)
    }

    #[test]
    fn a_counter_that_never_moves_is_no_sensor_after_the_time_that_its_unit_takes() {
        let never = |seconds, quantum| follow(seconds, |_| 7.0).0.never_worked(quantum);
        assert!(!never(0.9, 0.0), "too early to say");
        assert!(never(1.0, 0.001));
        assert!(!never(3.0, 1.0), "a joule may take two seconds at half a watt");
        assert!(never(8.1, 1.0));
        assert!(!follow(10.0, |t| 5.0 * t).0.never_worked(0.001));
        assert!(!Standstill::default().never_worked(0.0), "nothing was read");
        // One reading, and none that shows more.
        let mut once = Standstill::default();
        once.take(0.0, false, 0.0);
        once.end(5.0);
        assert!(once.never_worked(0.001));
    }

    #[test]
    fn a_counter_that_stops_for_good_stands_still_from_its_last_move() {
        let (standstill, ended) = follow(20.0, |t| 50.0 * t.min(8.0));
        let Some(Stretch { from, to, watts }) = standstill.stretch() else {
            panic!("{standstill:?}")
        };
        assert!(
            (from - 8.0).abs() < 0.11 && (to - 20.0).abs() < 0.11 && (watts - 50.0).abs() < 1.0
        );
        assert_eq!(ended, []);
    }

    #[test]
    fn one_that_goes_on_after_a_while_has_lost_what_it_does_not_show() {
        let (standstill, ended) =
            follow(20.0, |t| if t < 8.0 { 50.0 * t } else { 400.0 + 50.0 * (t - 14.0).max(0.0) });
        assert_eq!(standstill.stretch(), None);
        assert_eq!(ended.len(), 1, "{ended:?}");
        assert!((ended[0].to - ended[0].from - 6.0).abs() < 0.2, "{ended:?}");
        // Here the counter shows afterwards what was drawn meanwhile: nothing is lost.
        let (_, ended) = follow(20.0, |t| if (8.0..14.0).contains(&t) { 400.0 } else { 50.0 * t });
        assert_eq!(ended, []);
    }

    #[test]
    fn a_slow_counter_does_not_stand_still() {
        // A meter that counts watt-hours moves every 36 s at 100 W.
        let (standstill, ended) = follow(200.0, |t| (t * 100.0 / 3600.0).floor() * 3600.0);
        assert_eq!((standstill.stretch(), ended), (None, vec![]));
    }
}
