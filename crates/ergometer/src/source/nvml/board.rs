//! One board, read over time: when it is read, and what its values mean.

use std::sync::Arc;
use std::time::Duration;

use nvml_wrapper::Nvml;

use super::call::{self, IMPOSSIBLE, Way, Ways};
use super::portrait::{PERIOD, Portrait};
use super::rate::{Judge, Rate, Word};
use super::ticks::{BURST, Moment, Ticks, Window};
use crate::clock::{self, Timestamp};
use crate::meter::Method;
use crate::source::counter::{Advance, Counter};
use crate::source::{Domain, Due, PowerSource, Reading, Request, Value};
use crate::units::Joules;

/// A burst of reads that shows a period lasts so long, seconds.
const LEARNING: f64 = 0.6;
/// The same at the start of a board that is read slowly from then on.
const LEARNING_ONCE: f64 = 1.5;
/// Further bursts while a period has not shown, and seconds between them.
const BURSTS: u32 = 6;
const BETWEEN_BURSTS: f64 = 5.0;
/// The same as long as the counter's own period has not shown.
const BETWEEN_TRIES: f64 = 0.3;
/// An update placed worse than this is watched more often, seconds to either side.
const BLURRED: f64 = 0.012;
/// Updates are to be known within so many seconds: those of what gives the energy, and those of power
/// beside a counter.
const SHARP: f64 = 0.001_8;
const ROUGH: f64 = 0.005;
/// Registers that move faster are read at every nth update, this many seconds apart.
const SPACING: f64 = 0.045;
/// Reads due within this many seconds are one.
const TOGETHER: f64 = 0.001;
/// The end of a run waits no longer for the counter's next update.
const LAST_UPDATE: f64 = 0.15;

/// A board and what is known of it.
#[derive(Debug)]
pub struct Board {
    nvml: Arc<Nvml>,
    index: u32,
    domain: [Domain; 1],
    ways: Ways,
    counter: Counter,
    counter_ticks: Ticks,
    power_ticks: Ticks,
    /// Seconds over which a power sample is averaged.
    window: f64,
    judge: Judge,
    /// Counter values read while its period was being learnt: when the read began and ended,
    /// seconds, and the raw value.
    waiting: Vec<(f64, f64, u64)>,
    /// The counter value that was dated last, and the power sample.
    dated: Option<(f64, u64)>,
    sampled: f64,
    /// When the counter and power are due, seconds.
    agenda: Agenda,
    /// Shortest time that a read of the counter took, seconds.
    cost: f64,
}

/// Times at which something is to be done, seconds.
#[derive(Clone, Copy, Debug)]
struct Agenda {
    energy: Window,
    power: Window,
    /// The present burst of reads ends, and the next one begins.
    burst_end: f64,
    next_burst: f64,
    bursts: u32,
    /// The counter's period was known after the last read.
    beaten: bool,
    /// Until when the counter is read about one update.
    watch: Option<f64>,
}

impl Board {
    /// Asks board `index` who it is and what it can tell.
    pub(super) fn probe(nvml: &Arc<Nvml>, index: u32) -> Result<Self, String> {
        let device = nvml.device_by_index(index).map_err(|error| error.to_string())?;
        let Portrait { domain, ways, window, consumer } = Portrait::of(&device)?;
        let now = clock::checked_now().as_secs_f64();
        let judge = Judge::new((ways.power != Way::None).then_some(window), consumer);
        let slow = judge.rate() == Rate::Second;
        let learnt = now + if slow { LEARNING_ONCE } else { LEARNING };
        Ok(Self {
            nvml: Arc::clone(nvml),
            index,
            domain: [domain],
            ways,
            counter: Counter::new(1000.0, None, IMPOSSIBLE),
            counter_ticks: Ticks::new(true, SHARP),
            power_ticks: Ticks::new(false, if ways.energy == Way::None { SHARP } else { ROUGH }),
            window,
            judge,
            waiting: Vec::new(),
            dated: None,
            sampled: 0.0,
            agenda: Agenda {
                energy: Window::at(now),
                power: Window::at(now),
                burst_end: learnt,
                next_burst: learnt + BETWEEN_TRIES,
                bursts: 0,
                beaten: false,
                watch: None,
            },
            cost: f64::INFINITY,
        })
    }

    /// Reads the counter, power or both, and says what they mean.
    fn look(&mut self, energy: bool, say: &mut impl FnMut(Timestamp, Duration, Value)) {
        let before = clock::checked_now();
        let sample = self.ways.read(&self.nvml, self.index, energy, self.ways.power != Way::None);
        let took = clock::checked_now().since(before);
        let at = before.after(took / 2);
        let during = (before.as_secs_f64(), before.as_secs_f64() + took.as_secs_f64());
        let mut missing = |text| say(at, Duration::ZERO, Value::Missing(text));
        let sample = match sample {
            Ok(sample) => sample,
            Err(error) => return missing(error),
        };
        let mut words = Vec::new();
        match sample.millijoules {
            Some(Ok(raw)) => {
                self.cost = self.cost.min(took.as_secs_f64());
                self.take_energy(during, raw, &mut words);
            }
            Some(Err(error)) => missing(format!("energy counter: {error}")),
            None => {}
        }
        match sample.watts {
            Some(Ok(watts)) => {
                let moment = self.date_power(during, watts);
                match call::power(watts) {
                    Value::Missing(text) => say(at, Duration::ZERO, Value::Missing(text)),
                    value => {
                        if let Some(moment) = moment {
                            let middle = moment.at - self.window / 2.0;
                            if self.ways.energy != Way::None {
                                self.judge.power(middle, watts, &mut words);
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
    fn take_energy(&mut self, (began, t): (f64, f64), raw: u64, words: &mut Vec<Word>) {
        let before = self.counter_ticks.last_read();
        let new = self.counter_ticks.read(began, t, raw);
        let period = self.counter_ticks.period();
        if let Some(period) = period {
            self.judge.costs(self.cost / period);
        }
        if period.is_none() && t < self.agenda.burst_end && self.may_burst() {
            // What is read while the period is being learnt is dated later.
            self.waiting.push((began, t, raw));
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        // Of a consumer board it is not used: fast reading may have disturbed the counter.
        let harmless = self.judge.rate() == Rate::Own;
        for (began, t, raw) in waiting.into_iter().filter(|_| harmless) {
            let moment = match period {
                Some(_) => self.counter_ticks.shown(began, t),
                None => Some(Moment { at: t - PERIOD / 2.0, within: PERIOD / 2.0 }),
            };
            self.count(moment, raw, words);
        }
        let moment = match (period, before) {
            (Some(_), _) => self.counter_ticks.shown(began, t),
            (None, Some(before)) if new && t - before < PERIOD => {
                Some(Moment { at: f64::midpoint(before, t), within: (t - before) / 2.0 })
            }
            (None, _) => Some(Moment { at: t - PERIOD / 2.0, within: PERIOD / 2.0 }),
        };
        self.count(moment, raw, words);
    }

    /// Takes in that the counter has shown `raw` since `moment`, if that is known.
    fn count(&mut self, moment: Option<Moment>, raw: u64, words: &mut Vec<Word>) {
        let Some(moment) = moment else { return };
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
                words.push(Word::Restarted(format!(
                    "the energy counter went to {raw} mJ, as when the driver is reloaded; what was \
                     drawn since the last read is lost"
                )));
            }
            Advance::Impossible => words.push(Word::Impossible(format!(
                "energy counter: {raw} mJ implies more than {IMPOSSIBLE}, which cannot be"
            ))),
        }
    }

    /// The update whose power a read shows; `None` if it is known already or cannot be told.
    fn date_power(&mut self, (began, t): (f64, f64), watts: f64) -> Option<Moment> {
        self.power_ticks.read(began, t, watts.to_bits());
        let moment = if self.power_ticks.period().is_some() {
            self.power_ticks.shown(began, t)?
        } else {
            let period = self.domain[0].sensor.power_period_s.unwrap_or(PERIOD);
            Moment { at: t - period / 2.0, within: period / 2.0 }
        };
        let new = moment.at > self.sampled + 0.5 * self.power_ticks.period().unwrap_or(0.0);
        new.then(|| {
            self.sampled = moment.at;
            moment
        })
    }

    /// Whether the counter is read at all.
    fn counts(&self) -> bool {
        self.ways.energy != Way::None && self.judge.rate() != Rate::Never
    }

    /// Whether the counter may be read fast to learn its period: where reading may disturb it, only
    /// before its first value is used.
    fn may_burst(&self) -> bool {
        self.judge.rate() == Rate::Own || self.dated.is_none()
    }

    /// Works out when to read next, after a read at `t`; `energy`: the counter was in it.
    fn plan(&mut self, t: f64, energy: bool) {
        // Without a counter every update counts.
        let spacing = if self.ways.energy == Way::None { 0.0 } else { SPACING };
        let stride = |period: f64| (spacing / period).ceil().max(1.0);
        let learning = t < self.agenda.burst_end;
        if self.agenda.beaten && self.counter_ticks.period().is_none() {
            // It strayed too far: learn anew, at once.
            self.agenda.next_burst = t;
            self.agenda.bursts = self.agenda.bursts.min(BURSTS - 1);
        }
        self.agenda.beaten = self.counter_ticks.period().is_some();
        let known = |ticks: &Ticks, way| way == Way::None || ticks.period().is_some();
        if !learning
            && t >= self.agenda.next_burst
            && self.agenda.bursts < BURSTS
            && !(known(&self.counter_ticks, self.ways.energy)
                && known(&self.power_ticks, self.ways.power))
        {
            self.agenda.bursts += 1;
            self.agenda.burst_end = t + LEARNING;
            // Without its period a counter is worth little; power can wait.
            let counter = known(&self.counter_ticks, self.ways.energy);
            let rest = if counter { BETWEEN_BURSTS } else { BETWEEN_TRIES };
            self.agenda.next_burst = t + LEARNING + rest;
        }
        let learning = t < self.agenda.burst_end;
        if energy || self.agenda.energy.from <= t {
            let watch = self.agenda.watch.take();
            // A beat that is not yet sharp would be lost within a second.
            let blurred = self.counter_ticks.within(t).is_some_and(|within| within > BLURRED);
            let rest = if blurred { 0.3 } else { 1.0 };
            let slowly = Window { from: t + 0.9 * rest, by: t + rest };
            self.agenda.energy =
                match (self.ways.energy, self.judge.rate(), self.counter_ticks.period()) {
                    (Way::None, ..) | (_, Rate::Never, _) => Window::NEVER,
                    (_, Rate::Own, Some(period)) => {
                        self.counter_ticks.next_read(t, stride(period)).unwrap_or(slowly)
                    }
                    // About one update, as it wants to be watched, then a second's rest.
                    (_, Rate::Second, Some(_)) => {
                        let watch = watch.filter(|after| t < *after);
                        let from = if watch.is_some() { t } else { slowly.by };
                        self.agenda.watch =
                            watch.or(self.counter_ticks.around(from).map(|(_, by)| by));
                        self.counter_ticks.next_read(from, 1.0).unwrap_or(slowly)
                    }
                    (_, _, None) if learning && self.may_burst() => Window::at(t + BURST),
                    (_, _, None) => slowly,
                };
        }
        self.power_ticks.hint(&self.counter_ticks);
        // Where the counter is read at its own period, what its reads see of power is enough.
        let beside = self.agenda.beaten && self.judge.rate() == Rate::Own;
        let sharp = self.power_ticks.within(t).is_some_and(|within| within <= ROUGH);
        self.agenda.power = match (self.ways.power, self.power_ticks.period()) {
            (Way::None, _) => Window::NEVER,
            (_, Some(_)) if beside && sharp => Window::NEVER,
            (_, Some(period)) => {
                self.power_ticks.next_read(t, stride(period)).unwrap_or(Window::at(t + period))
            }
            (_, None) if learning => Window::at(t + BURST),
            (_, None) if beside => Window::NEVER,
            (_, None) => {
                // Uneven, so as not to beat with the sensor or the program.
                let uneven = 0.6 + 0.8 * (t * 1000.0 * 0.618_034).fract();
                Window { from: t + 0.6 * SPACING, by: t + uneven * SPACING }
            }
        };
    }
}

impl PowerSource for Board {
    fn domains(&self) -> &[Domain] {
        &self.domain
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let mut say = |at, within, value| {
            readings.push(Reading::new(0, at, value).known_within(within));
        };
        let now = clock::checked_now().as_secs_f64();
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
            self.judge.last(&mut words);
            for word in words {
                tell(word, clock::checked_now(), &mut say);
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

impl Board {
    /// Puts what was learnt into the domain.
    fn sum_up(&mut self) {
        let domain = &mut self.domain[0];
        if self.ways.energy != Way::None {
            let period = self.counter_ticks.period();
            domain.sensor.counter_period_s = period;
            if self.judge.rate() == Rate::Never {
                domain.method = Method::Integrated;
            }
            let said = self.judge.sentence(period);
            domain.note = Some(match domain.note.take() {
                Some(note) => format!("{note}; {said}"),
                None => said,
            });
        }
        if let Some(period) = self.power_ticks.period() {
            domain.sensor.power_period_s = Some(period);
        }
    }
}

fn tell(word: Word, now: Timestamp, say: &mut impl FnMut(Timestamp, Duration, Value)) {
    match word {
        Word::Energy(moment, joules) => say(
            Timestamp::from_secs_f64(moment.at),
            length(moment.within),
            Value::Energy(Joules::new(joules)),
        ),
        Word::Restarted(text) => say(now, Duration::ZERO, Value::Restarted(text)),
        Word::Impossible(text) => say(now, Duration::ZERO, Value::Missing(text)),
    }
}

fn length(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
