//! When a register is updated.
//!
//! A counter that moves every 100 ms and is read at any moment shows an energy that is up to 100 ms
//! old: at 400 W, 40 J. But it moves at a steady period, so what reads show of it (it had changed
//! between these two, or it had not) pins its updates down, and every value is known together with
//! the moment from which it held. All times are seconds.
//!
//! `search` finds the period, `beat` follows it.

mod beat;
mod search;
mod window;

use beat::Beat;
use search::Search;
pub(super) use window::Window;

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

/// Time between two reads while a period is looked for: at least this much, and a share of the time since the register
/// changed, from the finest to the coarsest; at the finest this much at most.
pub(super) const BURST: f64 = 0.004;
pub(super) const FINE: f64 = 0.04;
pub(super) const COARSE: f64 = 0.5;
const SPARSE: f64 = 0.05;
/// No update comes sooner after another than such a share of the longest time for which the register was seen to stay.
const STAYS: f64 = 0.9;
/// Periods that are looked for.
const SHORTEST: f64 = 0.006;
pub(super) const LONGEST: f64 = 2.2;
/// Share of the period that a read keeps from where the next update may be, and from where the last one may be. Where
/// many boards share a wake, it has to lie where none of them may be updated.
const DISTANCE: f64 = 0.05;
const BEHIND: f64 = 0.02;
/// Where updates are left out, one of this many reads may be followed by a watch.
const WATCHES: f64 = 4.0;
/// A register is read again so often, if it should have moved and has not.
const PATIENCE: u32 = 5;
/// Updates are watched now and then even where that places them no better, for they may stray or drift: at one
/// edge of when they may be or the other,
/// next after such a share of the number for which the period is known, and after this many at most; after one that
/// strayed, this many at most.
const CHECKED: f64 = 0.25;
const SELDOM: f64 = 256.0;
const SOON: f64 = 32.0;
/// A period is reported if it is known to within this share.
const SURE: f64 = 0.02;
/// A beat is used once it separates this many ticks ahead.
const AHEAD: f64 = 3.0;
/// Updates are separated if each is known to within this share of the period.
const APART: f64 = 0.2;
/// An update is to be known to within such a share of the period, so that most reads show which one they see.
const PLACED: f64 = 0.04;
/// Share of the wanted stride that is kept even then: a read may be costly.
const LEAST_STRIDE: f64 = 0.25;
/// How near to the edge.
const EDGE: f64 = 0.9;
/// What is worth the watch: the place is known so much better for it.
const WORTH: f64 = 0.9;
/// A read tells its moment to within itself; an update that is known to such a share of a read's time is as
/// good as it gets, and so is one that is known to such a share of what ticks stray.
const BLIND: f64 = 0.75;

/// An update that is read at about its own moment, to place it better.
#[derive(Clone, Copy, Debug)]
struct Watch {
    n: f64,
    /// How well it was known before, seconds to either side.
    half: f64,
    /// Where it is read, of when it may be, and when that is.
    place: Place,
    at: f64,
    /// It was said whether it came as expected.
    judged: bool,
}

/// Where in the time in which an update may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Middle,
    Early,
    Late,
}

/// What a read shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    /// It had changed since the read before.
    pub new: bool,
    /// The update whose value it shows, if that is known.
    pub since: Option<Moment>,
}

/// The update moments of one register.
#[derive(Clone, Debug)]
pub(super) struct UpdateTimes {
    /// Every update changes it, as it does a counter of a board that draws power.
    restless: bool,
    /// An update that is known within this many seconds need not be watched.
    target: f64,
    /// This many reads ago a tick has surely passed, and the register has not moved.
    overdue: u32,
    /// The period that it had before it was lost, or that another register of the board has, and how far it
    /// may be off.
    known: Option<(f64, f64)>,
    /// The last read: when it began, and what the register showed.
    last: Option<(f64, u64)>,
    /// When it was seen to change.
    changed: f64,
    /// Seconds that a read takes.
    call: f64,
    /// How old a value can be that is new, by all that was seen so far.
    oldest: f64,
    search: Search,
    beat: Option<Beat>,
    /// The last update that was seen, while the beat is known.
    seen: f64,
    watch: Option<Watch>,
    /// The next update that is watched, and the first one since the period is known.
    next_watch: f64,
    first: f64,
    /// Watches at the edges so far.
    checks: u32,
    /// The number of updates from one that is read to the next, as it was asked for last.
    stride: f64,
}

impl UpdateTimes {
    /// A register of which nothing is known, but whether every update changes it, and within how many
    /// seconds an update is to be known.
    pub(super) fn new(restless: bool, target: f64) -> Self {
        Self {
            restless,
            target,
            overdue: 0,
            known: None,
            last: None,
            changed: f64::NEG_INFINITY,
            call: 0.0,
            oldest: LONGEST,
            search: Search::default(),
            beat: None,
            seen: f64::NEG_INFINITY,
            watch: None,
            next_watch: f64::NEG_INFINITY,
            first: 0.0,
            checks: 0,
            stride: 1.0,
        }
    }

    /// The period, if it is known.
    pub(super) fn period(&self) -> Option<f64> {
        self.beat.as_ref().map(|beat| beat.period().0)
    }

    /// The period, if it is known well enough to be reported.
    pub(super) fn sure_period(&self) -> Option<f64> {
        let known = self.beat.as_ref().map(Beat::period);
        known.filter(|(period, error)| *error <= SURE * period).map(|(period, _)| period)
    }

    /// Takes in the period of another register of the same board: theirs are most likely the same.
    pub(super) fn hint(&mut self, other: &Self) {
        let Some((period, error)) = other.beat.as_ref().map(Beat::period) else { return };
        match &mut self.beat {
            Some(beat) => {
                let (own, off) = beat.period();
                if (own - period).abs() <= off + error && 2.0 * error < off {
                    beat.narrow((period, error));
                }
            }
            None => self.known = Some((period, error)),
        }
    }

    /// How well updates about `t` are placed, seconds to either side.
    pub(super) fn within(&self, t: f64) -> Option<f64> {
        self.beat.as_ref().map(|beat| beat.at(beat.number(t)).within)
    }

    /// Shortly before and after the first update that is due after `t`.
    pub(super) fn around(&self, t: f64) -> Option<(f64, f64)> {
        let beat = self.beat.as_ref()?;
        let mut n = beat.number(t) - 1.0;
        let mut moment = beat.at(n);
        while moment.at - moment.within < t {
            n += 1.0;
            moment = beat.at(n);
        }
        let after = moment.at + moment.within + BEHIND * beat.period().0;
        Some((moment.at - moment.within, after))
    }

    /// How old a value can be that is new.
    pub(super) fn longest(&self) -> f64 {
        match self.beat.as_ref().map(Beat::period) {
            Some((period, error)) => period + error,
            None if self.restless => self.oldest,
            None => LONGEST,
        }
    }

    /// When the last read began.
    pub(super) fn last_read(&self) -> Option<f64> {
        self.last.map(|(t, _)| t)
    }

    /// When it was seen to change.
    pub(super) fn changed(&self) -> f64 {
        self.changed
    }

    /// Takes in that the register showed `value` at some time from `began` to `t`.
    pub(super) fn read(&mut self, began: f64, t: f64, value: u64) -> Shown {
        let took = t - began;
        self.call = if self.call > 0.0 { self.call.min(took) } else { took };
        let before = self.last.replace((began, value));
        let new = before.is_none_or(|(_, old)| old != value);
        if before.is_some() && new {
            self.changed = t;
        }
        self.lose_what_is_blurred(t);
        if self.beat.is_none() {
            self.search.read(began, t, new);
            if new {
                self.oldest = self.oldest.min(self.search.longest());
            }
            let found = self.search.find(self.restless, self.known);
            // What will soon be too blurred to tell one update from the next would be lost again, and with it all that
            // was read; it will be found again, and sharper.
            if let Some(beat) = found.filter(|beat| !is_blurred(beat, beat.number(t) + AHEAD)) {
                self.seen = beat.number(t);
                let after = |n: f64| beat.at(n).at > t;
                while after(self.seen) {
                    self.seen -= 1.0;
                }
                self.beat = Some(beat);
                (self.overdue, self.watch) = (0, None);
                (self.first, self.next_watch) = (self.seen, self.seen);
                self.search = Search::default();
            }
            return Shown { new, since: self.shown(began, t) };
        }
        let Some((after, _)) = before else { return Shown { new, since: self.shown(began, t) } };
        if new {
            self.follow(Bracket { after, by: t });
        }
        let since = self.since(new, (began, t));
        self.weigh_the_watch(t, new);
        self.wonder(new, t, after);
        Shown { new, since }
    }

    /// A beat that was not followed for long no longer tells one update from the next.
    fn lose_what_is_blurred(&mut self, t: f64) {
        let Some(beat) = &self.beat else { return };
        if is_blurred(beat, beat.number(t)) {
            let known = beat.period();
            self.lose(known);
        }
    }

    fn lose(&mut self, known: (f64, f64)) {
        self.known = Some((known.0, known.1.max(0.001 * known.0)));
        self.oldest = self.oldest.min(known.0 + known.1);
        self.beat = None;
        self.overdue = 0;
    }

    /// The register changed between two reads.
    fn follow(&mut self, bracket: Bracket) {
        let Some(beat) = &mut self.beat else { return };
        let (period, error) = beat.period();
        // More than one tick may lie in a long one: nothing new, unless there was none.
        if bracket.half() * 2.0 < period
            && let Some(n) = beat.only_tick(bracket)
            && !beat.follow(n, bracket)
        {
            // It has no steady period, or another one.
            self.lose((period, error));
            (self.known, self.oldest) = (None, LONGEST);
        }
    }

    /// Whether a watch in the middle of when tick `n` may be would place it better.
    fn blurred(&self, n: f64) -> bool {
        let blind = |beat: &Beat| BLIND * self.call.max(beat.stray());
        let target = |beat: &Beat| self.target.min(PLACED * beat.period().0).max(blind(beat));
        self.beat.as_ref().is_some_and(|beat| beat.half(n) > target(beat))
    }

    /// Whether the update that was watched came, and whether its place is known better for it.
    fn weigh_the_watch(&mut self, t: f64, new: bool) {
        let goes_on = |ticks: &Self, watch: Watch| {
            let half = ticks.beat.as_ref().map_or(f64::INFINITY, |beat| beat.half(watch.n));
            watch.place == Place::Middle && half <= WORTH * watch.half && ticks.blurred(watch.n)
        };
        let (Some(beat), Some(watch)) = (&self.beat, self.watch) else { return };
        let Moment { at, within } = beat.at(watch.n);
        let (seen, over) = (self.seen >= watch.n, at + within < t);
        if watch.place != Place::Middle && t >= watch.at && !watch.judged {
            // A late read of the early edge tells nothing, nor does a register that an update need not change.
            let tells = (watch.place == Place::Late || t < at) && (self.restless || new);
            let came = if self.restless { seen } else { new };
            let outside = came != (watch.place == Place::Late);
            self.checks += 1;
            if let (true, Some(beat)) = (tells, &mut self.beat) {
                beat.checked(outside);
                if outside {
                    self.first = self.first.max(watch.n - SOON / CHECKED);
                }
            }
            self.watch = Some(Watch { judged: true, ..watch });
        }
        if seen || over {
            let rest = if goes_on(self, watch) {
                1.0
            } else {
                (CHECKED * (watch.n - self.first)).clamp(1.0, SELDOM)
            };
            self.next_watch = watch.n + rest.floor().max(self.least_rest(watch.n));
            self.watch = None;
        }
    }

    /// The least number of updates from the watch of `n` to the next. Where updates are left out, a watch costs a read
    /// of its own. So there are few, once the period is known well enough to last from one watch to the next.
    fn least_rest(&self, n: f64) -> f64 {
        let rest = WATCHES * self.stride;
        let lasts = |beat: &Beat| beat.at(n + rest).within < APART / 2.0 * beat.period().0;
        if self.stride > 1.0 && self.beat.as_ref().is_some_and(lasts) { rest } else { 1.0 }
    }

    /// The update that a read from `began` to `t` shows.
    fn since(&mut self, new: bool, (began, t): (f64, f64)) -> Option<Moment> {
        let sure = self.shown(began, t);
        let beat = self.beat.as_ref()?;
        let about = beat.number(f64::midpoint(began, t));
        let after = beat.at(about + 1.0);
        let only = t <= after.at - after.within && (0.5..1.5).contains(&(about - self.seen));
        let moment = match sure {
            Some(moment) => moment,
            // It came while the update was due, and no other was. That it has changed tells, if the one before was seen.
            None if self.restless && new && only => beat.at(about),
            None => return None,
        };
        self.seen = self.seen.max(beat.number(moment.at));
        Some(moment)
    }

    /// A tick that has surely passed should have changed the register.
    fn wonder(&mut self, new: bool, t: f64, after: f64) {
        let Some(beat) = &self.beat else { return };
        let passed = self.restless && !new && {
            let mut n = beat.number(t);
            let mut moment = beat.at(n);
            if moment.at + moment.within > t {
                n -= 1.0;
                moment = beat.at(n);
            }
            // Only one read may wonder: the one after the tick that it waited for.
            t - after < beat.period().0 && (self.overdue > 0 || moment.at - moment.within > after)
        };
        self.overdue = if passed && self.overdue < PATIENCE { self.overdue + 1 } else { 0 };
    }

    /// The update whose value a read from `began` to `t` shows; `None` while the period is not known,
    /// or if the read is so close to an update that it may have come before or after.
    pub(super) fn shown(&self, began: f64, t: f64) -> Option<Moment> {
        let beat = self.beat.as_ref()?;
        let mut n = beat.number(began);
        let mut moment = beat.at(n);
        if moment.at + moment.within > began {
            n -= 1.0;
            moment = beat.at(n);
        }
        let next = beat.at(n + 1.0);
        (moment.at + moment.within <= began && t <= next.at - next.within).then_some(moment)
    }

    /// When to read next while the period is looked for, after a read at `t`: the longer the register has not changed,
    /// the longer it takes, as a share `coarseness` of that time.
    pub(super) fn search_on(&self, t: f64, coarseness: f64) -> f64 {
        let since = if self.changed.is_finite() { t - self.changed } else { 0.0 };
        let next = t + (coarseness * since).clamp(BURST, SPARSE * coarseness / FINE);
        let idle = if self.restless { self.search.idle_until(STAYS) } else { None };
        idle.map_or(next, |idle| next.max(idle))
    }

    /// When to read next, after a read at `t`, so as to see the value of every `stride`th update and
    /// to know its moment; `None` while the period is not known. If it `may_watch`, an update may be read at its own
    /// moment, to place it better.
    pub(super) fn next_read(&mut self, t: f64, stride: f64, may_watch: bool) -> Option<Window> {
        self.stride = stride;
        let beat = self.beat.as_ref()?;
        if self.overdue > 0 {
            return Some(Window::at(t + BURST));
        }
        let period = beat.period().0;
        let distance = DISTANCE * period;
        // The first update that this read has not seen for sure.
        let mut n = beat.number(t);
        while beat.at(n).at - beat.at(n).within > t {
            n -= 1.0;
        }
        while beat.at(n).at + beat.at(n).within < t || n <= self.seen {
            n += 1.0;
        }
        if may_watch && let Some(watch) = self.watch_of(n, t) {
            let Moment { at, within } = beat.at(n - 1.0);
            let shown = |read: f64| n - 1.0 <= self.seen || at + within <= read;
            if self.last_read().is_some_and(shown) {
                self.watch = Some(watch);
                return Some(Window::at(watch.at));
            }
            // The one before it is read first: unless it was seen, a new value at this moment may be its.
            let Moment { at, within } = beat.at(n);
            if t <= at - within - distance {
                return Some(Window { from: t, by: at - within - distance });
            }
        }
        // No further than updates can be separated: each that is seen narrows the period. A watch whose update had not
        // come yet is completed by the next read, which shows it.
        let begun = self.watch.is_some_and(|watch| watch.n >= n);
        let stride = if begun { 1.0 } else { stride };
        let (mut skipped, least) = (0.0, (LEAST_STRIDE * stride).floor());
        while skipped + 1.0 < stride
            && (skipped < least || beat.at(n + skipped + 1.0).within < APART * period)
        {
            skipped += 1.0;
        }
        n += skipped;
        let moment = beat.at(n);
        let from = moment.at + moment.within + BEHIND * period;
        let next = beat.at(n + 1.0);
        Some(Window { from, by: (next.at - next.within - distance).max(from) })
    }

    /// How update `n` is watched from `t` on, if that is due and can still be done.
    fn watch_of(&self, n: f64, t: f64) -> Option<Watch> {
        let beat = self.beat.as_ref()?;
        let Moment { at, within } = beat.at(n);
        let place = match (self.blurred(n), self.checks % 2) {
            (true, _) => Place::Middle,
            (false, 0) => Place::Late,
            (false, _) => Place::Early,
        };
        let at = match place {
            Place::Middle => at,
            Place::Early => at - EDGE * within,
            Place::Late => at + EDGE * within,
        };
        let due = n >= self.next_watch && t < at && within < beat.period().0 / 3.0;
        due.then(|| Watch { n, half: beat.half(n), place, at, judged: false })
    }
}

/// Whether tick `n` cannot be separated from its neighbours.
fn is_blurred(beat: &Beat, n: f64) -> bool {
    beat.at(n).within > beat.period().0 / 3.0
}

#[cfg(test)]
pub(super) mod tests;
