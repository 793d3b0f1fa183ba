//! When a register is updated.
//!
//! A counter that moves every 100 ms and is read at any moment shows an energy that is up to 100 ms
//! old: at 400 W, 40 J. But it moves at a steady period, so what reads show of it (it had changed
//! between these two, or it had not) pins its updates down, and every value is known together with
//! the moment from which it held. All times are seconds.

/// A read after which the register showed something new, and the read before it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bracket {
    after: f64,
    by: f64,
}

impl Bracket {
    fn middle(self) -> f64 {
        f64::midpoint(self.after, self.by)
    }

    fn half(self) -> f64 {
        (self.by - self.after) / 2.0
    }
}

/// A moment, and how far it may be off to either side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub at: f64,
    pub within: f64,
}

/// Seconds from the one to the other of which a read is as good as at any other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub from: f64,
    pub by: f64,
}

impl Window {
    pub(super) const NEVER: Self = Self::at(f64::INFINITY);

    pub(super) const fn at(t: f64) -> Self {
        Self { from: t, by: t }
    }

    /// What serves both, if anything does; else the earlier.
    pub(super) fn and(self, other: Self) -> Self {
        let (first, second) = if self.by <= other.by { (self, other) } else { (other, self) };
        if second.from > first.by {
            return first;
        }
        Self { from: first.from.max(second.from), by: first.by }
    }
}

/// Brackets wider than this tell nothing about a period that is not known yet.
const SHARP: f64 = 0.012;
/// Distances of about the same length that make a row.
const ROW: usize = 3;
/// Brackets that are enough to know a period.
const ENOUGH: usize = 3;
/// A period that other brackets would confirm by chance more often than this is not believed.
const CHANCE: f64 = 0.02;
/// How unlikely it is that two registers of one board have different periods.
const SURPRISE: f64 = 100.0;
/// Brackets that are kept while learning.
const MOST: usize = 16;
/// Not every update is seen to change a register: the period may be the shortest time between two
/// changes over a number up to this.
const DIVISORS: u32 = 100;
/// Time between two reads while learning.
pub(super) const BURST: f64 = 0.004;
/// Registers that move more often are as good as read at the moment of their update.
const SHORTEST: f64 = 0.006;
/// No sensor known is updated less often.
const LONGEST: f64 = 0.15;
/// Share of its period in which an update is to be read: the rest is left for a thread that wakes late.
const LEISURE: f64 = 0.8;
/// Share of the period that a read keeps from where an update may be.
const DISTANCE: f64 = 0.05;
/// Update moments stray at least so far, for a driver's clock is not this process's.
const LEAST_STRAY: f64 = 0.000_5;
/// A register that strays further than this share of its period has no steady one.
const MOST_STRAY: f64 = 0.2;

/// The update moments of one register.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    /// Every update changes it, as it does a counter of a board that draws power.
    restless: bool,
    /// An update that is known within so many seconds need not be watched.
    target: f64,
    /// A tick has surely passed and the register has not moved.
    overdue: bool,
    /// The period that another register of the board has, and how far it may be off.
    hinted: Option<(f64, f64)>,
    /// The last read: when it began, and what the register showed.
    last: Option<(f64, u64)>,
    learnt: Vec<Bracket>,
    beat: Option<Beat>,
}

/// A steady period and the place of one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Beat {
    period: f64,
    /// The period may be off by so much to either side.
    drift: f64,
    /// Bounds of one tick.
    tick: Bracket,
    /// The first tick that was pinned down, and how many there were since.
    origin: Bracket,
    count: f64,
    /// How far ticks were seen to stray from the beat.
    stray: f64,
}

impl Ticks {
    /// A register of which nothing is known, but whether every update changes it, and within how many
    /// seconds an update is to be known.
    pub(super) fn new(restless: bool, target: f64) -> Self {
        Self {
            restless,
            target,
            overdue: false,
            hinted: None,
            last: None,
            learnt: Vec::new(),
            beat: None,
        }
    }

    /// The period, if it is known.
    pub(super) fn period(&self) -> Option<f64> {
        self.beat.map(|beat| beat.period)
    }

    /// Takes in the period of another register of the same board: theirs are most likely the same.
    pub(super) fn hint(&mut self, other: &Self) {
        self.hinted = other.beat.map(|beat| (beat.period, beat.drift));
        if let (Some(beat), Some((period, drift))) = (&mut self.beat, self.hinted)
            && (beat.period - period).abs() <= beat.drift + drift
            && drift < beat.drift
        {
            (beat.period, beat.drift) = (period, drift);
        }
    }

    /// How well updates about `t` are placed, seconds to either side.
    pub(super) fn within(&self, t: f64) -> Option<f64> {
        self.beat.map(|beat| beat.at(((t - beat.tick.middle()) / beat.period).round()).within)
    }

    /// Shortly before and after the first update that is due after `t`.
    pub(super) fn around(&self, t: f64) -> Option<(f64, f64)> {
        let beat = self.beat?;
        let n = ((t - beat.tick.after) / beat.period).ceil();
        let moment = beat.at(n);
        let moment = if moment.at - moment.within < t { beat.at(n + 1.0) } else { moment };
        let after = moment.at + moment.within + DISTANCE * beat.period;
        Some((moment.at - moment.within, after))
    }

    /// When it was read last.
    pub(super) fn last_read(&self) -> Option<f64> {
        self.last.map(|(t, _)| t)
    }

    /// Takes in that the register showed `value` at some time from `began` to `t`; whether that is
    /// new.
    pub(super) fn read(&mut self, began: f64, t: f64, value: u64) -> bool {
        // A beat that was not followed for long no longer tells one update from the next.
        let blurred = |beat: Beat| {
            let periods = (t - beat.tick.middle()) / beat.period;
            beat.at(periods).within > beat.period / 3.0
        };
        if self.beat.is_some_and(blurred) {
            self.beat = None;
            self.learnt.clear();
        }
        let before = self.last.replace((began, value));
        let Some((after, old)) = before else { return true };
        if old == value {
            // Only one read may wonder: the one after the tick that it waited for.
            let passed = |moment: Moment| moment.at - moment.within > after;
            self.overdue = self.restless
                && t - after < self.beat.map_or(0.0, |beat| beat.period)
                && (self.overdue || self.shown(began, t).is_some_and(passed));
            return false;
        }
        self.overdue = false;
        let bracket = Bracket { after, by: t };
        match self.beat.as_mut().map(|beat| beat.follow(bracket)) {
            Some(false) => {
                self.beat = None;
                self.learnt.clear();
            }
            None if bracket.half() * 2.0 <= SHARP => {
                self.learnt.push(bracket);
                if self.learnt.len() > MOST {
                    self.learnt.remove(0);
                }
                self.beat = Beat::of(&self.learnt, self.hinted, self.restless);
            }
            Some(true) | None => {}
        }
        true
    }

    /// The update whose value a read from `began` to `t` shows; `None` while the period is not known,
    /// or if the read is so close to an update that it may have come before or after.
    pub(super) fn shown(&self, began: f64, t: f64) -> Option<Moment> {
        let beat = self.beat?;
        let after = |moment: Moment| moment.at + moment.within <= began;
        let first = beat.at(((began - beat.tick.by) / beat.period).floor());
        let surely = if after(first) { first } else { beat.step(first, -1.0) };
        let next = beat.step(surely, 1.0);
        (after(surely) && t <= next.at - next.within).then_some(surely)
    }

    /// When to read next, after a read at `t`, so as to see the value of every `stride`th update and
    /// to know its moment; `None` while the period is not known.
    pub(super) fn next_read(&self, t: f64, stride: f64) -> Option<Window> {
        let beat = self.beat?;
        if self.overdue {
            return Some(Window::at(t + BURST));
        }
        let mut moment = beat.at(((t - beat.tick.after) / beat.period).floor());
        // A watched update is read before, at and, if it has not come by then, after the time it is due.
        loop {
            let (before, after) = (moment.at - moment.within, moment.at + moment.within);
            let watched = moment.within > self.target && moment.within < beat.period / 3.0;
            if watched && t < before {
                return Some(Window::at(before));
            } else if watched && t < moment.at {
                return Some(Window::at(moment.at));
            } else if t < after {
                let distance = DISTANCE * beat.period;
                if watched {
                    return Some(Window::at(after + distance));
                }
                let seen = beat.step(moment, stride - 1.0);
                let from = seen.at + seen.within + distance;
                let next = beat.step(seen, 1.0);
                let by = (next.at - next.within - distance).min(from + LEISURE * beat.period);
                return Some(Window { from, by: by.max(from) });
            }
            moment = beat.step(moment, 1.0);
        }
    }
}

/// How far the distance of two brackets' middles may be from that of the ticks in them.
fn tolerance(a: Bracket, b: Bracket) -> f64 {
    a.half() + b.half() + 0.001
}

impl Beat {
    /// A beat of `period` with ticks in `first` and, `count` periods later, in `tick`.
    fn new(origin: Bracket, tick: Bracket, count: f64, period: f64) -> Self {
        let drift = (origin.half() + tick.half()) / count;
        Self { period, drift, tick, origin, count, stray: LEAST_STRAY }
    }

    /// The beat that explains the last of `brackets`: as a row of updates none of which was missed, by
    /// the `hinted` period, or by a fraction of the shortest distance.
    fn of(brackets: &[Bracket], hinted: Option<(f64, f64)>, restless: bool) -> Option<Self> {
        if let Some(beat) = Self::in_a_row(brackets) {
            return Some(beat);
        }
        let most = brackets.len().checked_sub(ENOUGH).filter(|_| !restless)?;
        (0..=most).find_map(|first| {
            let brackets = &brackets[first..];
            let tried = (first + 1) as f64;
            hinted
                .and_then(|hint| Self::explaining(brackets, hint, tried))
                .or_else(|| Self::divided(brackets, tried * hinted.map_or(1.0, |_| SURPRISE)))
        })
    }

    /// The beat of the last `brackets` that follow each other at about the same distance.
    fn in_a_row(brackets: &[Bracket]) -> Option<Self> {
        let last = brackets.last()?;
        let distances: Vec<f64> =
            brackets.windows(2).map(|pair| pair[1].middle() - pair[0].middle()).collect();
        let mut sorted = distances.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = *sorted.get(sorted.len() / 2)?;
        let length = distances.iter().rev().take_while(|d| (0.6..1.4).contains(&(*d / usual)));
        let length = length.count();
        if length < ROW {
            return None;
        }
        let row = &brackets[brackets.len() - 1 - length..];
        let first = row.first()?;
        let count = length as f64;
        let period = (last.middle() - first.middle()) / count;
        let steady = row.iter().enumerate().all(|(n, bracket)| {
            let off = bracket.middle() - first.middle() - n as f64 * period;
            off.abs() <= tolerance(*first, *bracket)
        });
        (steady && (SHORTEST..=LONGEST).contains(&period))
            .then(|| Self::new(*first, *last, count, period))
    }

    /// The longest fraction of the shortest distance that explains all `brackets`, after so many other
    /// periods were `tried`.
    fn divided(brackets: &[Bracket], tried: f64) -> Option<Self> {
        let widest = |pair: &[Bracket]| 2.0 * tolerance(pair[0], pair[1]);
        // The shortest distance makes the period, so it cannot confirm it.
        let free = brackets.windows(2).map(widest).fold(0.0, f64::max);
        let shortest = brackets
            .windows(2)
            .map(|pair| pair[1].middle() - pair[0].middle())
            .fold(f64::INFINITY, f64::min);
        (1..=DIVISORS)
            .map(|divisor| (f64::from(divisor), shortest / f64::from(divisor)))
            .filter(|(_, period)| (SHORTEST..=LONGEST).contains(period))
            .find_map(|(divisor, period)| {
                let error = free / 2.0 / divisor;
                Self::explaining(brackets, (period, error), tried * divisor * period / free)
            })
    }

    /// The beat of `period`, known within `error`, that has a tick in every one of `brackets`, if that is no
    /// coincidence among so many that were `tried`.
    fn explaining(
        brackets: &[Bracket],
        (mut period, mut error): (f64, f64),
        tried: f64,
    ) -> Option<Self> {
        let (first, rest) = brackets.split_first()?;
        let (mut count, mut last) = (0.0, first);
        // How likely brackets of this width would agree if there were no such period.
        let mut chance = tried;
        for bracket in rest {
            let distance = bracket.middle() - first.middle();
            let periods = (distance / period).round();
            let own = tolerance(*first, *bracket);
            let allowed = own + periods * error;
            // A bracket this wide, or this far away, agrees with anything.
            if allowed > period / 3.0 {
                continue;
            }
            if periods < 1.0 || (distance - periods * period).abs() > allowed {
                return None;
            }
            chance *= 2.0 * allowed / period;
            last = bracket;
            if own / periods < error || count < 1.0 {
                (period, error, count) = (distance / periods, own / periods, periods);
            } else {
                count = periods;
            }
        }
        if count < 1.0 || chance > CHANCE {
            return None;
        }
        Some(Self::new(*first, *last, count, period))
    }

    /// Where the tick `n` periods after the known one lies.
    fn at(&self, n: f64) -> Moment {
        Moment {
            at: self.tick.middle() + n * self.period,
            within: self.tick.half() + n.abs() * self.drift + self.stray,
        }
    }

    fn step(&self, moment: Moment, n: f64) -> Moment {
        let from = ((moment.at - self.tick.middle()) / self.period).round();
        self.at(from + n)
    }

    /// Takes in that a tick lies in `bracket`; `false` if there is no steady beat.
    fn follow(&mut self, bracket: Bracket) -> bool {
        if bracket.half() * 2.0 >= self.period {
            // More than one tick may lie in it: nothing new, unless there was none.
            return true;
        }
        let mut n = ((bracket.middle() - self.tick.middle()) / self.period).round();
        // A wide bracket holds the tick that the beat expects in it, wherever its middle lies.
        for candidate in [n, n - 1.0, n + 1.0] {
            let moment = self.at(candidate);
            if moment.at >= bracket.after && moment.at <= bracket.by {
                n = candidate;
                break;
            }
        }
        let expected = self.at(n);
        if expected.within > self.period / 2.0 {
            return false;
        }
        let (low, high) = (expected.at - expected.within, expected.at + expected.within);
        if bracket.after <= low && bracket.by >= high {
            // So much was known. To take it for the tick would let what ticks stray add up.
            return true;
        }
        let tick = Bracket { after: low.max(bracket.after), by: high.min(bracket.by) };
        if tick.after > tick.by {
            // It came earlier or later than it can have: ticks stray further than was known.
            self.stray += tick.after - tick.by;
            if self.stray > MOST_STRAY * self.period {
                return false;
            }
            self.tick = Bracket { after: low.min(bracket.by), by: high.max(bracket.after) };
        } else {
            self.tick = tick;
        }
        self.count += n;
        if n > 0.0 {
            self.period = (self.tick.middle() - self.origin.middle()) / self.count;
            self.drift = (self.tick.half() + self.origin.half()) / self.count;
        }
        true
    }
}

#[cfg(test)]
mod tests;
