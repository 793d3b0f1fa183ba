//! When a board's energy counter is updated.
//!
//! A counter that moves every 100 ms and is read at any moment shows an energy that is up to 100 ms
//! old: at 400 W, 40 J. So the source learns at the start how often the counter moves, and from
//! then on reads it just before and just after it is due to move: what the counter shows is then
//! known together with the moment for which it holds. That takes a handful of reads a second;
//! reading all the time has been seen to disturb the counter of a consumer board.

use std::thread;
use std::time::Duration;

use crate::clock::{self, Timestamp};

/// Time between two reads while waiting for a counter to move.
pub(super) const STEP: Duration = Duration::from_millis(1);

/// A counter that moves at least this often is as good as read at the moment of its update.
const CONTINUOUS: Duration = Duration::from_millis(6);

/// How long learning may take: three updates of the slowest counter known, and some.
const PATIENCE: Duration = Duration::from_millis(350);

/// Updates that a watch may miss, because its thread slept too long, before it gives up.
const MISSES: u32 = 4;

/// Updates after which a counter's period is known well enough.
const ENOUGH: usize = 4;

/// Two reads this close to each other, one before and one after an update, tell its moment.
const SHARP: Duration = Duration::from_millis(4);

/// How well an update is predicted at best: a read, a step and the thread's own delay.
const TOLERANCE: Duration = Duration::from_millis(3);

/// How often a counter moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// It did not show: readings hold for a moment within the last period.
    Unknown,
    /// More often than can be told apart.
    Continuous,
    /// At a steady period.
    Steady(Beat),
}

/// A steady period, known the better the longer it has been followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Beat {
    origin: Timestamp,
    beats: u64,
    last: Timestamp,
}

impl Beat {
    /// Time between two updates.
    pub(super) fn period(&self) -> Duration {
        self.last.since(self.origin).div_f64(self.beats as f64)
    }

    /// The first update due after `at`, and by how much it may come earlier or later.
    fn next(&self, at: Timestamp) -> (Timestamp, Duration) {
        let period = self.period();
        let periods = at.since(self.last).div_duration_f64(period).floor() + 1.0;
        // The ends of the stretch that was followed are known to a step each.
        let drift = STEP.mul_f64(periods / self.beats as f64);
        (self.last.after(period.mul_f64(periods)), TOLERANCE + drift.min(period / 2))
    }

    /// Takes in an update seen at `at`.
    fn follow(&mut self, at: Timestamp) {
        let beats = at.since(self.last).div_duration_f64(self.period()).round();
        if beats >= 1.0 {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at least 1"
            )]
            let beats = beats as u64;
            self.beats += beats;
            self.last = at;
        }
    }
}

/// What a counter showed, and when it was updated to that.
pub(super) type Updated = (Timestamp, u64);

/// What waiting for an update gave.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Watch {
    /// The values of a few updates, in the order of their time: of the one before the wait began,
    /// if that can be told, of the last but one and of the last.
    Seen(Vec<Updated>),
    /// None came when it was due.
    Lost,
}

/// Learns the pace of a counter by reading it until it has moved a few times.
pub(super) fn learn<E>(mut read: impl FnMut() -> Result<(Timestamp, u64), E>) -> Result<Pace, E> {
    let start = clock::now();
    let (mut before_at, mut before) = read()?;
    let mut moves = Moves::default();
    loop {
        thread::sleep(STEP);
        let (at, raw) = read()?;
        if raw != before {
            moves.saw(before_at, at);
        }
        (before_at, before) = (at, raw);
        let spent = at.since(start);
        if moves.sharp.len() >= ENOUGH && moves.period.is_some() {
            break;
        }
        // A busy machine may need longer; a counter that never moved will not.
        if spent > PATIENCE && (moves.period.is_some() || !moves.any || spent > 3 * PATIENCE) {
            break;
        }
    }
    Ok(moves.pace())
}

/// Updates of a counter while its pace is being learnt.
#[derive(Debug, Default)]
struct Moves {
    any: bool,
    /// Moments of those that were seen sharply.
    sharp: Vec<Timestamp>,
    /// The last one was.
    last_was_sharp: bool,
    /// Shortest time between two that followed each other.
    period: Option<Duration>,
}

impl Moves {
    /// The counter moved between two reads.
    fn saw(&mut self, before: Timestamp, after: Timestamp) {
        self.any = true;
        if after.since(before) > SHARP {
            self.last_was_sharp = false;
            return;
        }
        let at = middle(before, after);
        if let (true, Some(last)) = (self.last_was_sharp, self.sharp.last()) {
            let period = at.since(*last);
            self.period = Some(self.period.map_or(period, |shortest| shortest.min(period)));
        }
        self.sharp.push(at);
        self.last_was_sharp = true;
    }

    fn pace(&self) -> Pace {
        let (Some(period), [origin, .., last]) = (self.period, &self.sharp[..]) else {
            return Pace::Unknown;
        };
        if period <= CONTINUOUS {
            return Pace::Continuous;
        }
        let mut beat = Beat { origin: *origin, beats: 1, last: origin.after(period) };
        beat.follow(*last);
        Pace::Steady(beat)
    }
}

impl Beat {
    /// Waits for an update, reading as little as possible. `first` was read at `from`.
    pub(super) fn watch<E>(
        &mut self,
        (from, first): (Timestamp, u64),
        mut read: impl FnMut() -> Result<(Timestamp, u64), E>,
    ) -> Result<Watch, E> {
        let (mut last, mut before) = (from, first);
        // Updates since the first read; unknown after a sleep in which there may have been two.
        let mut updates = Some(0);
        for miss in 0..MISSES {
            let (due, tolerance) = self.next(last);
            // The prediction may be what was wrong: wait for the next with more care.
            let tolerance = (tolerance * (1 << (2 * miss))).min(self.period());
            let late = due.after(tolerance + self.period());
            thread::sleep(due.before(tolerance).since(clock::now()));
            let (at, raw) = loop {
                let (at, raw) = read()?;
                if raw != before {
                    break (at, raw);
                }
                if at > late {
                    return Ok(Watch::Lost);
                }
                last = at;
                thread::sleep(STEP);
            };
            updates = updates.filter(|_| at.since(last) < self.period()).map(|seen| seen + 1);
            if at.since(last) <= SHARP {
                let moment = middle(last, at);
                self.follow(moment);
                let first = updates.map(|updates| (updates, first));
                return Ok(Watch::Seen(self.seen(first, before, (moment, raw))));
            }
            (last, before) = (at, raw);
        }
        Ok(Watch::Lost)
    }

    /// The values seen, each with the moment of its update, counted back from the `last` one: the
    /// `first` with the number of updates since, and the one `before` the last.
    fn seen(&self, first: Option<(u32, u64)>, before: u64, last: Updated) -> Vec<Updated> {
        let period = self.period();
        let first = first
            .filter(|(updates, _)| *updates > 1)
            .map(|(updates, value)| (last.0.before(period * updates), value));
        first.into_iter().chain([(last.0.before(period), before), last]).collect()
    }
}

fn middle(from: Timestamp, to: Timestamp) -> Timestamp {
    from.after(to.since(from) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANOS_PER_MS: u64 = 1_000_000;

    /// A counter that moves every `period` of the real clock.
    fn counter(period: Duration) -> impl FnMut() -> Result<(Timestamp, u64), ()> {
        let period = u64::try_from(period.as_nanos()).unwrap();
        move || {
            let at = clock::now();
            Ok((at, at.as_nanos() / period))
        }
    }

    fn steady(pace: Pace) -> Beat {
        match pace {
            Pace::Steady(beat) => beat,
            other => panic!("expected a steady pace, found {other:?}"),
        }
    }

    #[test]
    fn a_fast_counter_is_continuous_and_a_stuck_one_is_unknown() {
        assert_eq!(learn(counter(Duration::from_micros(100))), Ok(Pace::Continuous));
        assert_eq!(learn(|| Ok::<_, ()>((clock::now(), 7))), Ok(Pace::Unknown));
    }

    #[test]
    fn a_pace_is_learnt_from_what_was_seen_sharply() {
        let at = |ms| Timestamp::from_nanos(ms * NANOS_PER_MS);
        let mut moves = Moves::default();
        for (before, after) in [(99, 101), (180, 203), (299, 301), (399, 401), (700, 702)] {
            moves.saw(at(before), at(after));
        }
        let beat = steady(moves.pace());
        assert_eq!((beat.origin, beat.beats, beat.last), (at(100), 6, at(701)));
    }

    #[test]
    fn an_update_is_due_a_whole_number_of_periods_after_the_last() {
        let at = |ms| Timestamp::from_nanos(ms * NANOS_PER_MS);
        let mut beat = Beat { origin: at(100), beats: 4, last: at(500) };
        assert_eq!(beat.next(at(1234)).0, at(1300));
        beat.follow(at(1304));
        assert_eq!((beat.beats, beat.last), (12, at(1304)));
        assert_eq!(beat.period(), Duration::from_micros(100_333) + Duration::from_nanos(333));
    }

    #[test]
    fn a_watched_update_has_the_values_of_both_sides() {
        let mut read = counter(Duration::from_millis(40));
        let mut beat = steady(learn(&mut read).unwrap());
        let from = read().unwrap();
        if let Watch::Seen(seen) = beat.watch(from, &mut read).unwrap() {
            // This counter counts its own updates: value n is shown from n periods on.
            for (at, value) in seen {
                let off = at.as_nanos().abs_diff(value * 40 * NANOS_PER_MS);
                assert!(off < 8 * NANOS_PER_MS, "{value} at {at:?}");
            }
        }
    }

    #[test]
    fn values_are_dated_back_by_whole_periods() {
        let at = |ms| Timestamp::from_nanos(ms * NANOS_PER_MS);
        let beat = Beat { origin: at(0), beats: 10, last: at(1000) };
        let last = (at(1300), 4);
        assert_eq!(beat.seen(Some((1, 3)), 3, last), [(at(1200), 3), last]);
        assert_eq!(beat.seen(Some((3, 1)), 3, last), [(at(1000), 1), (at(1200), 3), last]);
        assert_eq!(beat.seen(None, 3, last), [(at(1200), 3), last]);
    }

    #[test]
    fn a_counter_that_stops_is_lost_and_not_waited_for() {
        let mut beat = steady(learn(counter(Duration::from_millis(20))).unwrap());
        let start = clock::now();
        let mut stuck = || Ok::<_, ()>((clock::now(), 7));
        assert_eq!(beat.watch((start, 7), &mut stuck), Ok(Watch::Lost));
    }
}
