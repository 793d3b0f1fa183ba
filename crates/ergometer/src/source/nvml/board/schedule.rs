//! When a board is read next: at the updates of its registers where their period is known, in bursts where it is not.

use super::{Board, Driver, ROUGH};
use crate::source::nvml::disturbance::{Pace, Rate};
use crate::source::nvml::query::Way;
use crate::source::nvml::update_times::{UpdateTimes, Window};
use crate::source::spread;

/// A burst of reads that is to show a period goes on for this many seconds at most, where something changes, and
/// for this many where nothing does.
const LEARNING: f64 = 12.0;
const UNMOVED: f64 = 2.5;
/// How long the first burst of a board lasts that is read slowly from then on.
const LEARNING_ONCE: f64 = 1.5;
/// Seconds between two bursts: twice as many after each, up to the second number.
const BETWEEN_BURSTS: (f64, f64) = (2.0, 60.0);
/// A counter whose period is not known is read after this many seconds, unevenly.
pub(super) const BLINDLY: f64 = 0.1;
/// Registers that move faster are read at every nth update, this many seconds apart.
const SPACING: f64 = 0.045;
/// The driver's own samples are fetched after so many seconds, at least and at most: it keeps them for 2.4 s.
const OF_PAST: (f64, f64) = (1.0, 1.6);
/// A read that is due at no particular moment may come this many seconds sooner, or a tenth of the time between two.
const SHARED: f64 = 0.1;
/// Seconds between two reads of a counter that is read slowly.
pub(super) const SLOWLY: f64 = 1.0;

/// Times at which something is to be done, seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agenda {
    pub(super) energy: Window,
    pub(super) power: Window,
    /// When the present burst of reads began and is to end, when the next one may begin, and seconds from one to the next.
    pub(super) burst: (f64, f64),
    next_burst: f64,
    between_bursts: f64,
    /// The counter's period was known after the last read.
    beaten: bool,
    /// Until when the counter is read about one update.
    watch: Option<f64>,
}

impl Agenda {
    /// Of a board that is read first at `now`, and slowly (`slow`) once its period is known.
    pub(super) fn new(now: f64, slow: bool) -> Self {
        let learnt = now + if slow { LEARNING_ONCE } else { LEARNING };
        Self {
            energy: Window::at(now),
            power: Window::at(now),
            burst: (now, learnt),
            next_burst: learnt + BETWEEN_BURSTS.0,
            between_bursts: BETWEEN_BURSTS.0,
            beaten: false,
            watch: None,
        }
    }
}

impl<D: Driver> Board<D> {
    /// Whether the counter is read at all.
    pub(super) fn counts(&self) -> bool {
        self.ways.energy != Way::None && self.judge.rate() != Rate::Never
    }

    /// Whether a period is being looked for at `t`.
    pub(super) fn learns(&self, t: f64) -> bool {
        let (begin, end) = self.agenda.burst;
        let moved = self.counter_ticks.changed().max(self.power_ticks.changed()).max(begin);
        t < end && t - moved < UNMOVED && self.cost.may_learn() && self.may_burst()
    }

    /// How often the counter is read, at its own rate and at the slow one.
    pub(super) fn pace(&self) -> Pace {
        let ticks = &self.counter_ticks;
        let own = match ticks.period() {
            Some(period) => usual_stride(self.cost.counter_every(SPACING), period) * period,
            None => self.cost.counter_every(BLINDLY),
        };
        let slow = self.cost.counter_every(SLOWLY.max(ticks.period().unwrap_or(0.0)));
        Pace { period: ticks.sure_period(), longest: ticks.longest(), own, slow }
    }

    /// Whether the counter may be read fast to learn its period: where reading may disturb it, only
    /// before its first value is used.
    fn may_burst(&self) -> bool {
        self.judge.harmless() || self.dated.is_none()
    }

    /// Works out when to read next, after a read at `t`; `energy` and `power`: the counter was in it, and power.
    pub(super) fn plan(&mut self, t: f64, energy: bool, power: bool) {
        if let Some(retry) = self.outage.next_try(t) {
            (self.agenda.energy, self.agenda.power) = (retry, retry);
            return;
        }
        self.plan_bursts(t);
        let learning = self.learns(t);
        if energy || self.agenda.energy.from <= t {
            self.agenda.energy = self.next_of_counter(t, learning);
        }
        self.power_ticks.hint(&self.counter_ticks);
        if power || self.agenda.power.from <= t {
            self.agenda.power = self.next_of_power(t, learning);
        } else if learning || !self.counts() || self.mute {
            // A search wants it sooner, and so does a counter that gives nothing any more.
            let next = self.next_of_power(t, learning);
            if next.by < self.agenda.power.by {
                self.agenda.power = next;
            }
        }
    }

    /// Begins a burst of reads where a period is not known, now and then.
    fn plan_bursts(&mut self, t: f64) {
        let known = |ticks: &UpdateTimes, way| {
            matches!(way, Way::None | Way::Samples) || ticks.period().is_some()
        };
        let counter = known(&self.counter_ticks, self.ways.energy);
        if self.agenda.beaten && !counter {
            // It strayed too far: learn anew, at once.
            (self.agenda.next_burst, self.agenda.between_bursts) = (t, BETWEEN_BURSTS.0);
        }
        self.agenda.beaten = self.ways.energy != Way::None && counter;
        // Power beside a counter can do without; where it never changes, nothing shows its period.
        let tried = self.agenda.between_bursts >= BETWEEN_BURSTS.1;
        let power = known(&self.power_ticks, self.ways.power) || self.agenda.beaten && tried;
        if counter && power {
            self.agenda.burst.1 = self.agenda.burst.1.min(t);
        } else if !self.learns(t) && t >= self.agenda.next_burst && self.cost.may_search() {
            self.agenda.burst = (t, t + LEARNING);
            self.agenda.next_burst = t + LEARNING + self.agenda.between_bursts;
            self.agenda.between_bursts = (2.0 * self.agenda.between_bursts).min(BETWEEN_BURSTS.1);
        }
    }

    /// When to read the counter next, after a read at `t`.
    fn next_of_counter(&mut self, t: f64, learning: bool) -> Window {
        let watch = self.agenda.watch.take();
        let rate = self.judge.rate();
        let Some(period) = self.counter_ticks.period() else {
            return match (self.ways.energy, rate) {
                (Way::None, _) | (_, Rate::Never) => Window::NEVER,
                _ if learning => {
                    let wanted = self.counter_ticks.search_on(t, self.cost.coarseness()) - t;
                    self.in_search(t, wanted)
                }
                (_, rate) => {
                    let wanted = if rate == Rate::Own { BLINDLY } else { SLOWLY };
                    unevenly(t, self.cost.counter_every(wanted))
                }
            };
        };
        let may_learn = self.cost.may_learn();
        // A beat that is not sharp enough yet to last would be lost: a few reads more cost less than to learn it anew.
        let rest = self.cost.counter_every(SLOWLY.max(period));
        let blurred = self.counter_ticks.within(t + rest).is_some_and(|then| then > 0.2 * period);
        let rest = if blurred && may_learn { 3.0 * period } else { rest };
        let slowly = Window { from: t + 0.9 * rest, by: t + rest };
        match (self.ways.energy, rate) {
            (Way::None, _) | (_, Rate::Never) => Window::NEVER,
            (_, Rate::Own) => {
                // Without power every update counts.
                let stride = stride(t, self.cost.counter_every(SPACING), period);
                self.counter_ticks.next_read(t, stride, may_learn).unwrap_or(slowly)
            }
            // About one update, as it wants to be watched, then a second's rest.
            (_, Rate::Second) => {
                let watch = watch.filter(|after| t < *after);
                let from = if watch.is_some() { t } else { slowly.by };
                self.agenda.watch = watch.or(self.counter_ticks.around(from).map(|(_, by)| by));
                self.counter_ticks.next_read(from, 1.0, may_learn).unwrap_or(slowly)
            }
        }
    }

    /// When to read next in a search that would read again after `wanted` seconds: boards that are searched at the same
    /// time share wakes.
    fn in_search(&self, t: f64, wanted: f64) -> Window {
        let every = self.cost.search_every(wanted);
        Window { from: t + 0.8 * every, by: t + every }
    }

    /// When to read power next, after a read at `t`.
    fn next_of_power(&mut self, t: f64, learning: bool) -> Window {
        match self.ways.power {
            Way::None => return Window::NEVER,
            Way::Samples => {
                let every = self.cost.power_every(OF_PAST.0, true).min(OF_PAST.1);
                return Window { from: t + 0.9 * every, by: t + every };
            }
            Way::Field | Way::Call => {}
        }
        let alone = !self.counts() || self.mute;
        // Where the counter is read at its own period, what its reads see of power is enough.
        let beside = self.agenda.beaten
            && !alone
            && self.cost.allows_both()
            && self.judge.rate() == Rate::Own
            && self.cost.counter_every(SPACING) < 10.0 * SPACING
            && self.counter_ticks.period().is_some_and(|period| period < 3.0 * SPACING);
        let sharp = self.power_ticks.within(t).is_some_and(|within| within <= ROUGH);
        if beside && (sharp || self.power_ticks.period().is_none() && !learning) {
            return Window::NEVER;
        }
        // Without a counter every update counts.
        let every = self.cost.power_every(if alone { 0.0 } else { SPACING }, !alone);
        match self.power_ticks.period() {
            Some(period) => {
                let may_learn = self.cost.may_learn();
                let next = self.power_ticks.next_read(t, stride(t, every, period), may_learn);
                let next = next.unwrap_or(Window::at(t + period));
                // Only an update that is watched needs a read of its own.
                if beside && !next.is_moment() { Window::NEVER } else { next }
            }
            // Where reads are costly the counter's period comes first.
            None if learning && (alone || self.agenda.beaten || !self.cost.is_sparing()) => {
                // Beside a counter it need not be known as well.
                let coarseness = self.cost.coarseness() * if alone { 1.0 } else { 2.0 };
                let wanted = self.power_ticks.search_on(t, coarseness) - t;
                self.in_search(t, wanted)
            }
            None => unevenly(t, every.max(SPACING)),
        }
    }
}

/// About `every` seconds after a read at `t`, within the time that other wakes are to be shared in. Where reads are rare
/// they come no sooner for that: each costs more than a wake.
fn unevenly(t: f64, every: f64) -> Window {
    let after = uneven(t) * every;
    let sooner = SHARED.max(0.1 * every);
    Window { from: t + (after - sooner).max(0.6 * every), by: t + after }
}

/// A number about 1, so as not to beat with the sensor or the program.
fn uneven(t: f64) -> f64 {
    0.6 + 0.8 * spread(t.to_bits())
}

/// The number of updates from the one that is read at `t` to the next, for a register that is to be read after
/// `every` seconds. Where that leaves out some, the number varies: power that is sampled evenly beats with the steps of a
/// training, and a counter would be found to disagree with it.
fn stride(t: f64, every: f64, period: f64) -> f64 {
    let updates = usual_stride(every, period);
    if every > SPACING { (uneven(t) * updates).round().max(1.0) } else { updates }
}

/// The same in the mean.
fn usual_stride(every: f64, period: f64) -> f64 {
    let updates = every / period;
    (if every > SPACING { updates } else { (updates - 0.001).ceil() }).max(1.0)
}
