//! One board, read over time.

mod dating;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use nvml_wrapper::Nvml;

use self::dating::Undated;
use self::schedule::Agenda;
use super::cost::{Asked, Cost, Outage};
use super::reader;
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::source::counter::Counter;
use crate::source::nvml::disturbance::{Finding, Judge, Rate};
use crate::source::nvml::history::{self, History, Sensed};
use crate::source::nvml::probe::Profile;
use crate::source::nvml::query::{self, IMPOSSIBLE, Past, Sample, Way, Ways};
use crate::source::nvml::update_times::{UpdateTimes, Window};
use crate::source::{Domain, Due, PowerSource, Reading, Request, Value};
use crate::units::Joules;

/// A board that did not answer for this many seconds was away: what it drew meanwhile cannot be compared.
const AWAY: f64 = 1.0;
/// Updates are to be known within this many seconds: those of what gives the energy, and those of power
/// beside a counter.
const SHARP: f64 = 0.000_25;
const ROUGH: f64 = 0.002;
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

    /// A read ended at `t` and used this many `seconds` of a processor: how many the thread uses each second besides.
    fn besides(&self, t: f64, seconds: f64) -> f64;
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
        reader::seconds()
    }

    fn besides(&self, t: f64, seconds: f64) -> f64 {
        reader::besides(t, seconds)
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
    /// The driver's own samples, where they are used.
    history: Option<History>,
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
    /// The counter did not answer when it was asked last, though the board did.
    mute: bool,
}

impl Board {
    /// Asks board `index` for its identity and its sensors. Reading it may cost this much (`cost`).
    pub(super) fn probe(nvml: &Arc<Nvml>, index: u32, cost: Cost) -> Result<Self, String> {
        let device = nvml.device_by_index(index).map_err(|error| error.to_string())?;
        let profile = Profile::of(&device)?;
        Ok(Self::new(Installed { nvml: Arc::clone(nvml), index }, profile, cost))
    }
}

impl<D: Driver> Board<D> {
    /// A board that is read through `driver` and of which no more is known than its `profile`.
    fn new(driver: D, profile: Profile, cost: Cost) -> Self {
        let Profile { domain, ways, window, instead, consumer } = profile;
        let now = driver.now().as_secs_f64();
        let history = instead.map(|register| History::new(window, register, now));
        let judge = Judge::new((ways.power != Way::None).then_some(window), consumer);
        let slow = judge.rate() == Rate::Second;
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
            history,
            judge,
            waiting: Vec::new(),
            dated: None,
            sampled: 0.0,
            agenda: Agenda::new(now, slow),
            cost: if ways.energy == Way::None { cost.without_counter() } else { cost },
            outage: Outage::default(),
            mute: false,
        }
    }

    /// Reads the counter, power or both, and says what they mean. `before` is the present moment. Returns whether power was
    /// asked for.
    fn look(
        &mut self,
        before: Timestamp,
        energy: bool,
        say: &mut impl FnMut(Timestamp, Duration, Value),
    ) -> bool {
        let again = self.history.is_some_and(|history| history.asks_again(before.as_secs_f64()));
        let ways = if again { Ways { power: Way::Samples, ..self.ways } } else { self.ways };
        let power = match ways.power {
            Way::None => false,
            // The curve up to a value of the counter is made of them.
            Way::Samples => true,
            // It comes with the counter, unless it is costly as well.
            Way::Field | Way::Call => {
                let due = self.agenda.power.from <= before.as_secs_f64() + TOGETHER;
                due || !energy || self.cost.allows_both()
            }
        };
        let asked = Asked::new(energy, power);
        let known = self.cost.estimate(asked);
        let began = if known.is_none() { self.driver.used() } else { 0.0 };
        let sample = self.driver.read(ways, energy, power);
        let took = self.driver.now().since(before);
        let used = known.unwrap_or_else(|| self.driver.used() - began);
        let at = before.after(took / 2);
        let during = (before.as_secs_f64(), before.as_secs_f64() + took.as_secs_f64());
        self.cost.pay(during.1, used, self.driver.besides(during.1, used));
        let mut missing = |text| say(at, Duration::ZERO, Value::Missing(text));
        let sample = match sample {
            Ok(sample) => sample,
            Err(error) => {
                self.outage.failed(during.1);
                missing(error);
                return power;
            }
        };
        let away = self.outage.over(during.1);
        if away > 0.0 {
            self.agenda.energy = Window::at(during.1);
            if let Some(history) = &mut self.history {
                history.given(during.1);
            }
        }
        if away > AWAY {
            self.judge.interrupted();
        }
        if known.is_none() {
            self.cost.take(asked, used);
        }
        let mut words = Vec::new();
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
        if let Some(past) = sample.past {
            self.take_history(during, past, again, say);
        }
        // After power, which the counter is judged by.
        match sample.millijoules {
            Some(Ok(raw)) => {
                self.mute = false;
                self.take_energy(during, raw, &mut words);
            }
            Some(Err(error)) => {
                self.mute = true;
                say(at, Duration::ZERO, Value::Missing(format!("energy counter: {error}")));
            }
            None => {}
        }
        for word in words {
            tell(word, at, say);
        }
        power
    }

    /// Takes in the driver's samples, or why there are none; `again`: they were asked for though they had ceased.
    fn take_history(
        &mut self,
        during: (f64, f64),
        past: Result<Vec<Past>, String>,
        again: bool,
        say: &mut impl FnMut(Timestamp, Duration, Value),
    ) {
        let Some(history) = &mut self.history else { return };
        if again {
            let past = past.unwrap_or_default();
            if let Some(samples) = history.resume(during.1, &past) {
                self.read_power_by(samples);
                self.take_past(during, &past, say);
            }
            return;
        }
        match past {
            Ok(past) => self.take_past(during, &past, say),
            Err(error) => {
                let at = Timestamp::from_secs_f64(during.1);
                say(at, Duration::ZERO, Value::Missing(format!("power: {error}")));
            }
        }
        let gone = self.history.as_mut().and_then(|history| history.give_up(during.1));
        if let Some(register) = gone {
            self.read_power_by(register);
        }
    }

    /// Passes on what is new of the samples that the driver took, in a call between these moments.
    fn take_past(
        &mut self,
        (began, ended): (f64, f64),
        past: &[Past],
        say: &mut impl FnMut(Timestamp, Duration, Value),
    ) {
        let within = length(history::within(past));
        for &Past { age, watts } in past {
            let stamped = began - age;
            // Where the wall clock was set, older stamps may be anything. And it is read a little after the meter's clock,
            // so that the last sample may seem to be newer than it was before.
            if stamped <= self.sampled + self.window / 4.0 || stamped > ended + history::AHEAD {
                continue;
            }
            self.sampled = stamped;
            let middle = stamped - self.window / 2.0 - history::LATE;
            let value = query::power(watts);
            if let Value::Power(_) = value {
                self.judge.power(middle, watts);
                if let Some(history) = &mut self.history {
                    history.given(ended);
                }
            }
            say(Timestamp::from_secs_f64(middle), within, value);
        }
    }

    /// Reads power in another way from now on. The domain's timeline keeps the sensor that it began with: between samples
    /// that are further apart than that one's it takes nothing for seen.
    fn read_power_by(&mut self, sensed: Sensed) {
        let Sensed { way, period, window } = sensed;
        (self.ways.power, self.window) = (way, window);
        let sensor = &mut self.domain[0].sensor;
        (sensor.power_period_s, sensor.power_window_s) = (Some(period), Some(window));
    }
}

impl<D: Driver> PowerSource for Board<D> {
    fn domains(&self) -> &[Domain] {
        &self.domain
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let mut say = |at, within, value| {
            readings.push(Reading::new(0, at, value).known_within(within));
        };
        let before = self.driver.now();
        let now = before.as_secs_f64();
        let energy = self.counts()
            && (request != Request::Routine || self.agenda.energy.from <= now + TOGETHER);
        let power = self.look(before, energy, &mut say);
        self.plan(now, energy, power);
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
        let now = self.driver.now().as_secs_f64();
        let without = self.history.map_or(0.0, |history| history.without(now));
        self.judge.paced(self.pace());
        let domain = &mut self.domain[0];
        if without > 0.0 {
            let said =
                format!("for {without:.0} s the driver gave none, and power was read by itself");
            let before = domain.note.take();
            domain.note = Some(before.map_or(said.clone(), |note| format!("{note}; {said}")));
        }
        if self.ways.energy != Way::None {
            let period = self.counter_ticks.sure_period();
            domain.sensor.counter_period_s = period;
            if self.judge.rate() == Rate::Never {
                domain.method = Method::Integrated;
            }
            let said = self.judge.sentence();
            domain.note = Some(match domain.note.take() {
                Some(note) => format!("{note}; {said}"),
                None => said,
            });
        }
        let by_itself = self.ways.power != Way::Samples;
        if let Some(period) = self.power_ticks.sure_period().filter(|_| by_itself) {
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
    mod samples;
}
