//! One board, read over time: when it is read, and what its values mean.

use std::sync::Arc;
use std::time::Duration;

use nvml_wrapper::Nvml;

use super::cost::{Cost, Outage, thread_seconds};
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::source::counter::{Advance, Counter};
use crate::source::nvml::disturbance::{Finding, Judge, Rate, SECOND_LOOK};
use crate::source::nvml::probe::{PERIOD, Profile};
use crate::source::nvml::query::{self, IMPOSSIBLE, Sample, Way, Ways};
use crate::source::nvml::update_times::{LONGEST, Moment, UpdateTimes, Window};
use crate::source::{Domain, Due, HELD_BACK, PowerSource, Reading, Request, Value};
use crate::units::Joules;

/// A burst of reads that is to show a period goes on for this many seconds at most, where something changes, and
/// for this many where nothing does.
const LEARNING: f64 = 12.0;
const UNMOVED: f64 = 2.5;
/// What the counter shows in a burst is held back for this many seconds, to be dated by the period. Then it is dated by
/// its reads alone, as whoever waits for it would go by integrated power instead. A trial of its rate (`disturbance`)
/// begins with the first value, so the two add nothing to each other.
const HELD: f64 = 6.0;
const _: () = assert!(HELD < HELD_BACK && SECOND_LOOK < HELD_BACK);
/// The same at the start of a board that is read slowly from then on.
const LEARNING_ONCE: f64 = 1.5;
/// Seconds between two bursts: twice as many after each, up to the second number.
const BETWEEN_BURSTS: (f64, f64) = (2.0, 60.0);
/// A counter whose period is not known is read after this many seconds, unevenly.
const BLINDLY: f64 = 0.1;
/// A board that did not answer for so long was away: what it drew meanwhile cannot be compared.
const AWAY: f64 = 1.0;
/// Updates are to be known within this many seconds: those of what gives the energy, and those of power
/// beside a counter.
const SHARP: f64 = 0.000_25;
const ROUGH: f64 = 0.005;
/// Registers that move faster are read at every nth update, this many seconds apart.
const SPACING: f64 = 0.045;
/// Seconds between two reads of a counter that is read slowly.
const SLOWLY: f64 = 1.0;
/// Reads due within this many seconds are one.
const TOGETHER: f64 = 0.001;
/// The end of a run waits no longer for the counter's next update.
const LAST_UPDATE: f64 = 0.15;

/// What a board is read through, and the clock by which it is.
pub(super) trait Driver: Send {
    /// Reads the counter, power or both, in these ways.
    fn read(&self, ways: Ways, energy: bool, power: bool) -> Result<Sample, String>;

    /// This moment.
    fn now(&self) -> Timestamp;

    /// Seconds of a processor that the calling thread has used.
    fn used(&self) -> f64;
}

/// A board of the installed driver.
pub(super) struct Installed {
    nvml: Arc<Nvml>,
    index: u32,
}

impl Driver for Installed {
    fn read(&self, ways: Ways, energy: bool, power: bool) -> Result<Sample, String> {
        ways.read(&self.nvml, self.index, energy, power)
    }

    fn now(&self) -> Timestamp {
        clock::checked_now()
    }

    fn used(&self) -> f64 {
        thread_seconds()
    }
}

/// A board and what is known of it.
pub(super) struct Board<D = Installed> {
    driver: D,
    domain: [Domain; 1],
    ways: Ways,
    counter: Counter,
    counter_ticks: UpdateTimes,
    power_ticks: UpdateTimes,
    /// Seconds over which a power sample is averaged.
    window: f64,
    judge: Judge,
    /// Counter values read while its period was being learnt.
    waiting: Vec<Undated>,
    /// The counter value that was dated last, and the power sample.
    dated: Option<(f64, u64)>,
    sampled: f64,
    /// When the counter and power are due, seconds.
    agenda: Agenda,
    cost: Cost,
    outage: Outage,
}

/// A counter value of which it is not known yet since when it holds.
#[derive(Clone, Copy, Debug)]
struct Undated {
    /// When the read before began, which showed another value.
    after: f64,
    /// When the read began and ended.
    began: f64,
    ended: f64,
    raw: u64,
}

/// Times at which something is to be done, seconds.
#[derive(Clone, Copy, Debug)]
struct Agenda {
    energy: Window,
    power: Window,
    /// When the present burst of reads began and is to end, how many reads it had, when the next one may begin,
    /// and seconds from one to the next.
    burst: (f64, f64),
    burst_reads: f64,
    next_burst: f64,
    between_bursts: f64,
    /// The counter's period was known after the last read.
    beaten: bool,
    /// Until when the counter is read about one update.
    watch: Option<f64>,
}

impl Board {
    /// Asks board `index` who it is and what it can tell. To read it may `cost` so much.
    pub(super) fn probe(nvml: &Arc<Nvml>, index: u32, cost: Cost) -> Result<Self, String> {
        let device = nvml.device_by_index(index).map_err(|error| error.to_string())?;
        let profile = Profile::of(&device)?;
        Ok(Self::new(Installed { nvml: Arc::clone(nvml), index }, profile, cost))
    }
}

impl<D: Driver> Board<D> {
    /// A board that is read through `driver` and of which no more is known than its `profile`.
    fn new(driver: D, profile: Profile, cost: Cost) -> Self {
        let Profile { domain, ways, window, consumer } = profile;
        let now = driver.now().as_secs_f64();
        let judge = Judge::new((ways.power != Way::None).then_some(window), consumer);
        let slow = judge.rate() == Rate::Second;
        let learnt = now + if slow { LEARNING_ONCE } else { LEARNING };
        Self {
            driver,
            domain: [domain],
            ways,
            counter: Counter::new(1000.0, None, IMPOSSIBLE),
            counter_ticks: UpdateTimes::new(true, SHARP),
            power_ticks: UpdateTimes::new(
                false,
                if ways.energy == Way::None { SHARP } else { ROUGH },
            ),
            window,
            judge,
            waiting: Vec::new(),
            dated: None,
            sampled: 0.0,
            agenda: Agenda {
                energy: Window::at(now),
                power: Window::at(now),
                burst: (now, learnt),
                burst_reads: 0.0,
                next_burst: learnt + BETWEEN_BURSTS.0,
                between_bursts: BETWEEN_BURSTS.0,
                beaten: false,
                watch: None,
            },
            cost,
            outage: Outage::default(),
        }
    }

    /// Reads the counter, power or both, and says what they mean.
    fn look(&mut self, energy: bool, say: &mut impl FnMut(Timestamp, Duration, Value)) {
        let (before, used) = (self.driver.now(), self.driver.used());
        let sample = self.driver.read(self.ways, energy, self.ways.power != Way::None);
        let (took, used) = (self.driver.now().since(before), self.driver.used() - used);
        let at = before.after(took / 2);
        let during = (before.as_secs_f64(), before.as_secs_f64() + took.as_secs_f64());
        let mut missing = |text| say(at, Duration::ZERO, Value::Missing(text));
        let sample = match sample {
            Ok(sample) => sample,
            Err(error) => {
                self.outage.failed(during.1);
                return missing(error);
            }
        };
        let away = self.outage.over(during.1);
        if away > 0.0 {
            self.agenda.energy = Window::at(during.1);
        }
        if away > AWAY {
            self.judge.interrupted();
        }
        self.cost.take(energy, used);
        let mut words = Vec::new();
        match sample.millijoules {
            Some(Ok(raw)) => {
                self.take_energy(during, raw, &mut words);
            }
            Some(Err(error)) => missing(format!("energy counter: {error}")),
            None => {}
        }
        match sample.watts {
            Some(Ok(watts)) => {
                let moment = self.date_power(during, watts);
                match query::power(watts) {
                    Value::Missing(text) => say(at, Duration::ZERO, Value::Missing(text)),
                    value => {
                        if let Some(moment) = moment {
                            let middle = moment.at - self.window / 2.0;
                            if self.ways.energy != Way::None {
                                self.judge.power(middle, watts);
                            }
                            say(Timestamp::from_secs_f64(middle), length(moment.within), value);
                        }
                    }
                }
            }
            Some(Err(error)) => say(at, Duration::ZERO, Value::Missing(format!("power: {error}"))),
            None => {}
        }
        for word in words {
            tell(word, at, say);
        }
    }

    /// Finds the moment since which the counter shows `raw`, read within the call, and what to say
    /// of it.
    fn take_energy(&mut self, (began, ended): (f64, f64), raw: u64, words: &mut Vec<Finding>) {
        let before = self.counter_ticks.last_read();
        let shown = self.counter_ticks.read(began, ended, raw);
        if !shown.new {
            self.judge.unchanged(ended, self.counter_ticks.changed(), words);
        }
        let period = self.counter_ticks.period();
        if let Some(period) = period {
            let own = self.cost.counter_every(period);
            let costly = own >= SLOWLY && own > 1.5 * period;
            self.judge.costs(costly.then_some((own, self.cost.of_counter())));
        }
        let after = before.unwrap_or(f64::NEG_INFINITY);
        if period.is_none() {
            // What is read while the period is being learnt is dated later.
            if shown.new {
                self.waiting.push(Undated { after, began, ended, raw });
            }
            if self.learns(ended) && ended < self.agenda.burst.0 + HELD {
                return;
            }
        }
        self.date_waiting(words);
        if period.is_some() && shown.new {
            // Without a moment it is known all the same that it changed since the read before.
            let since = shown.since.unwrap_or_else(|| between(after, ended));
            self.count(since, raw, words);
        }
    }

    /// Dates what was read while the period was not known.
    fn date_waiting(&mut self, words: &mut Vec<Finding>) {
        let waiting = std::mem::take(&mut self.waiting);
        // Of a consumer board it is not used: fast reading may have disturbed the counter.
        let last = waiting.len().saturating_sub(1);
        let harmless = self.judge.harmless();
        let longest = self.counter_ticks.longest();
        for (index, value) in waiting.into_iter().enumerate() {
            if !harmless && index < last {
                continue;
            }
            let Undated { after, began, ended, raw } = value;
            // Where the update is not known, the value may be as old as a new value can be.
            let moment = self.counter_ticks.shown(began, ended);
            let moment = moment.unwrap_or_else(|| between(after.max(began - longest), ended));
            self.count(moment, raw, words);
        }
    }

    /// Takes in that the counter has shown `raw` since `moment`.
    fn count(&mut self, moment: Moment, raw: u64, words: &mut Vec<Finding>) {
        // A counter that has not moved has not been updated, whatever the beat says.
        if self.dated.is_some_and(|(at, dated)| dated == raw || moment.at <= at) {
            return;
        }
        self.dated = Some((moment.at, raw));
        match self.counter.advance(raw, Timestamp::from_secs_f64(moment.at)) {
            Advance::First | Advance::Advanced(_) | Advance::Wrapped(_) => {
                self.judge.energy(moment, self.counter.joules(), words);
            }
            Advance::Restarted => {
                self.judge.restarted(words);
                words.push(Finding::Restarted(format!(
                    "the energy counter went to {raw} mJ, as when the driver is reloaded; what was \
                     drawn since the last read is lost"
                )));
            }
            Advance::Impossible => words.push(Finding::Impossible(format!(
                "energy counter: {raw} mJ implies more than {IMPOSSIBLE}, which cannot be"
            ))),
        }
    }

    /// The update whose power a read shows; `None` if it is known already or cannot be told.
    fn date_power(&mut self, (began, t): (f64, f64), watts: f64) -> Option<Moment> {
        let after = self.power_ticks.last_read();
        let new = self.power_ticks.read(began, t, watts.to_bits()).new;
        if self.power_ticks.period().is_some() {
            let moment = self.power_ticks.shown(began, t)?;
            let next = moment.at > self.sampled + 0.5 * self.power_ticks.period().unwrap_or(0.0);
            return next.then(|| {
                self.sampled = moment.at;
                moment
            });
        }
        let period = self.domain[0].sensor.power_period_s.unwrap_or(PERIOD);
        let after = after.filter(|_| new);
        undated(after, t, period, self.sampled).inspect(|moment| self.sampled = moment.at)
    }

    /// Whether the counter is read at all.
    fn counts(&self) -> bool {
        self.ways.energy != Way::None && self.judge.rate() != Rate::Never
    }

    /// Whether a period is being looked for at `t`.
    fn learns(&self, t: f64) -> bool {
        let (begin, end) = self.agenda.burst;
        let moved = self.counter_ticks.changed().max(self.power_ticks.changed()).max(begin);
        let (_, reads) = self.cost.search(0.0);
        t < end && t - moved < UNMOVED && self.agenda.burst_reads < reads && self.may_burst()
    }

    /// Whether the counter may be read fast to learn its period: where reading may disturb it, only
    /// before its first value is used.
    fn may_burst(&self) -> bool {
        self.judge.harmless() || self.dated.is_none()
    }

    /// Works out when to read next, after a read at `t`; `energy`: the counter was in it.
    fn plan(&mut self, t: f64, energy: bool) {
        if let Some(retry) = self.outage.next_try(t) {
            (self.agenda.energy, self.agenda.power) = (retry, retry);
            return;
        }
        self.plan_bursts(t);
        let learning = self.learns(t);
        self.agenda.burst_reads += f64::from(u8::from(learning));
        if energy || self.agenda.energy.from <= t {
            self.agenda.energy = self.next_of_counter(t, learning);
        }
        self.power_ticks.hint(&self.counter_ticks);
        self.agenda.power = self.next_of_power(t, learning);
    }

    /// Begins a burst of reads where a period is not known, now and then.
    fn plan_bursts(&mut self, t: f64) {
        let known = |ticks: &UpdateTimes, way| way == Way::None || ticks.period().is_some();
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
        } else if !self.learns(t) && t >= self.agenda.next_burst {
            self.agenda.burst = (t, t + LEARNING);
            self.agenda.burst_reads = 0.0;
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
                    let wanted = self.counter_ticks.search_on(t) - t;
                    Window::at(t + self.cost.search(wanted).0)
                }
                (_, rate) => {
                    let wanted = if rate == Rate::Own { BLINDLY } else { SLOWLY };
                    let every = self.cost.counter_every(wanted);
                    Window { from: t + 0.6 * every, by: t + uneven(t) * every }
                }
            };
        };
        // A beat that is not sharp enough yet to last would be lost.
        let rest = SLOWLY.max(period);
        let blurred = self.counter_ticks.within(t + rest).is_some_and(|then| then > 0.2 * period);
        let rest = if blurred { 3.0 * period } else { rest };
        let rest = self.cost.counter_every(rest);
        let slowly = Window { from: t + 0.9 * rest, by: t + rest };
        match (self.ways.energy, rate) {
            (Way::None, _) | (_, Rate::Never) => Window::NEVER,
            (_, Rate::Own) => {
                // Without power every update counts.
                let stride = stride(t, self.cost.counter_every(SPACING), period);
                self.counter_ticks.next_read(t, stride).unwrap_or(slowly)
            }
            // About one update, as it wants to be watched, then a second's rest.
            (_, Rate::Second) => {
                let watch = watch.filter(|after| t < *after);
                let from = if watch.is_some() { t } else { slowly.by };
                self.agenda.watch = watch.or(self.counter_ticks.around(from).map(|(_, by)| by));
                self.counter_ticks.next_read(from, 1.0).unwrap_or(slowly)
            }
        }
    }

    /// When to read power next, after a read at `t`.
    fn next_of_power(&mut self, t: f64, learning: bool) -> Window {
        if self.ways.power == Way::None {
            return Window::NEVER;
        }
        let alone = self.ways.energy == Way::None;
        // Where the counter is read at its own period, what its reads see of power is enough.
        let beside = self.agenda.beaten
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
                let next = self.power_ticks.next_read(t, stride(t, every, period));
                let next = next.unwrap_or(Window::at(t + period));
                // Only an update that is watched needs a read of its own.
                if beside && !next.is_moment() { Window::NEVER } else { next }
            }
            None if learning => {
                let wanted = self.power_ticks.search_on(t) - t;
                Window::at(t + self.cost.search(wanted).0)
            }
            None => {
                let every = every.max(SPACING);
                Window { from: t + 0.6 * every, by: t + uneven(t) * every }
            }
        }
    }
}

/// A number about 1, so as not to beat with the sensor or the program.
fn uneven(t: f64) -> f64 {
    0.6 + 0.8 * (t * 1000.0 * 0.618_034).fract()
}

/// Every how many updates a register is read after `t` that is to be read `every` so many seconds. Where that leaves out
/// some, the number is uneven too: power that is sampled evenly beats with the steps of a training, and a counter
/// would be found to disagree with it.
fn stride(t: f64, every: f64, period: f64) -> f64 {
    let updates = every / period;
    if updates <= 1.0 || every <= SPACING {
        (updates - 0.001).ceil().max(1.0)
    } else {
        (uneven(t) * updates).round().max(1.0)
    }
}

/// The update whose power a read at `t` shows, of a register whose beat is not known; `after`: when the read before
/// began, if it showed another power. A change was seen between two reads, however often the register is updated.
/// Power that is unchanged was updated no longer ago than the longest `period`, and tells nothing new until that has
/// passed since the last one, which was `sampled`.
fn undated(after: Option<f64>, t: f64, period: f64, sampled: f64) -> Option<Moment> {
    let moment = match after {
        Some(after) => between(after.max(t - period), t),
        None => Moment { at: t - period, within: period / 2.0 },
    };
    (moment.at > sampled).then_some(moment)
}

/// Some moment between two, if the first one is not too long ago for any value.
fn between(after: f64, by: f64) -> Moment {
    let after = after.max(by - LONGEST);
    Moment { at: f64::midpoint(after, by), within: (by - after) / 2.0 }
}

impl<D: Driver> PowerSource for Board<D> {
    fn domains(&self) -> &[Domain] {
        &self.domain
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let mut say = |at, within, value| {
            readings.push(Reading::new(0, at, value).known_within(within));
        };
        let now = self.driver.now().as_secs_f64();
        let energy = self.counts()
            && (request != Request::Routine || self.agenda.energy.from <= now + TOGETHER);
        self.look(energy, &mut say);
        self.plan(now, energy);
        if request == Request::Edge && energy && self.judge.rate() == Rate::Second {
            // The update after the edge tells as much as the one before it.
            if let Some((_, after)) = self.counter_ticks.around(now) {
                self.agenda.energy = self.agenda.energy.and(Window::at(after));
            }
        }
        if request == Request::Last {
            let mut words = Vec::new();
            self.date_waiting(&mut words);
            self.judge.last(&mut words);
            for word in words {
                tell(word, self.driver.now(), &mut say);
            }
            self.sum_up();
        }
    }

    fn next_read(&self) -> Option<Due> {
        let Window { from, by } = self.agenda.energy.and(self.agenda.power);
        Some(Due { from: Timestamp::from_secs_f64(from), by: Timestamp::from_secs_f64(by) })
    }

    /// When the counter has been updated once more, which holds for a moment after the end.
    fn last_read(&self, now: Timestamp) -> Timestamp {
        let t = now.as_secs_f64();
        match self.counter_ticks.around(t) {
            Some((_, after)) if self.counts() => {
                Timestamp::from_secs_f64(after.min(t + LAST_UPDATE))
            }
            _ => now,
        }
    }
}

impl<D: Driver> Board<D> {
    /// Puts what was learnt into the domain.
    fn sum_up(&mut self) {
        let domain = &mut self.domain[0];
        if self.ways.energy != Way::None {
            let period = self.counter_ticks.sure_period();
            domain.sensor.counter_period_s = period;
            if self.judge.rate() == Rate::Never {
                domain.method = Method::Integrated;
            }
            let said = self.judge.sentence(period, self.counter_ticks.longest());
            domain.note = Some(match domain.note.take() {
                Some(note) => format!("{note}; {said}"),
                None => said,
            });
        }
        if let Some(period) = self.power_ticks.sure_period() {
            domain.sensor.power_period_s = Some(period);
        }
    }
}

fn tell(word: Finding, now: Timestamp, say: &mut impl FnMut(Timestamp, Duration, Value)) {
    match word {
        Finding::Energy(moment, joules) => say(
            Timestamp::from_secs_f64(moment.at),
            length(moment.within),
            Value::Energy(Joules::new(joules)),
        ),
        Finding::Restarted(text) => say(now, Duration::ZERO, Value::Restarted(text)),
        Finding::Impossible(text) => say(now, Duration::ZERO, Value::Missing(text)),
    }
}

fn length(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    mod late;

    use super::*;

    /// A register that is updated every 20 ms is read every 4 ms before its period is known. Its updates were once
    /// taken to be half of the longest period old.
    #[test]
    fn a_change_of_power_is_dated_between_the_reads_that_show_it() {
        let mut sampled = f64::NEG_INFINITY;
        let mut dated = 0;
        for read in 1..500_u32 {
            let (before, t) = (10.0 + f64::from(read - 1) * 0.004, 10.0 + f64::from(read) * 0.004);
            let update = |t: f64| (t / 0.02 + 1e-9).floor();
            let changed = update(before) < update(t);
            if let Some(moment) = undated(changed.then_some(before), t, PERIOD, sampled) {
                sampled = moment.at;
                if changed {
                    dated += 1;
                    assert!((moment.at - update(t) * 0.02).abs() <= moment.within + 1e-9);
                    assert!(moment.within < 0.003, "{moment:?}");
                }
            }
        }
        assert!(dated > 95, "{dated}");
    }

    #[test]
    fn power_that_is_unchanged_is_no_new_sample_before_it_can_have_been_updated() {
        let (mut sampled, mut count) = (10.0, 0);
        for read in 1..=1000 {
            let t = 10.0 + f64::from(read) * 0.01;
            // The change between the last sample and a later read lies after the sample, whenever it came.
            if let Some(moment) = undated(None, t, PERIOD, sampled) {
                assert!(moment.at <= t - PERIOD + 1e-9);
                sampled = moment.at;
                count += 1;
            }
        }
        assert!(count > 0);
        let change = undated(Some(20.0), 20.01, PERIOD, sampled).unwrap();
        assert!(change.at - sampled >= PERIOD, "{change:?} after {sampled}");
    }
}
