//! How often a board's energy counter is read, and whether it is believed.
//!
//! Read at its own period a counter says exactly what each stretch of 100 ms drew. But reading has
//! been seen to disturb it: on one consumer board (RTX 4090, Dauner et al.) polling every 0.5 ms,
//! 10 ms, 100 ms and 1 s left the counter 95 %, 76 %, 13 % and 1.6 % below integrated power. So no
//! board is read fast on trust. What a fast stretch of a few seconds gave is held back until it has
//! been compared with power integrated over the same stretch; if the counter lost energy, the stretch
//! is given up, power stands in for it, and the counter is read once a second. A second look at the
//! slow rate tells a board that reading disturbs from one whose two sensors merely disagree.

mod comparison;
mod sentence;

use comparison::{Comparison, HALF, Swing, UNSEEN_SWING, integral};
pub(super) use sentence::Pace;

use crate::source::nvml::update_times::Moment;

/// How often the counter is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    /// Once in each period of its own, or a few.
    Own,
    /// Once a second, or less often where a read is costly.
    Second,
    /// Not at all.
    Never,
}

/// Why a rate runs.
#[derive(Clone, Debug, PartialEq)]
enum Reason {
    /// Nothing spoke against it when it began.
    Untried,
    /// It was compared with integrated power: counter over power, and its standard uncertainty.
    Compared { ratio: f64, error: f64 },
    /// A consumer board, on which fast reading has done harm elsewhere; it is tried once the slow
    /// rate is known.
    Consumer,
    /// The same, and its power is an average, which tells too late whether reading does harm.
    Averaged,
    /// The fast rate lost energy: counter over power when fast, and its standard uncertainty.
    Disturbed { fast: f64, error: f64 },
    /// As [`Reason::Disturbed`], and the slow rate loses less.
    Confirmed { fast: f64, slow: f64 },
    /// Power told nothing in the trial: most of it was not seen.
    Unseen,
    /// Without power there is nothing to compare it with.
    Unchecked,
    /// A read takes this many seconds of a processor, so the counter is read seldom.
    Costly { seconds: f64 },
    /// Not to be believed: what the counter and what power gave, joules.
    Broken { counter: f64, power: f64 },
}

/// What is to be said of the counter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Finding {
    /// It stood at this many joules at this moment.
    Energy(Moment, f64),
    /// What it showed since the last `Energy` is not used.
    Restarted(String),
    /// It showed what cannot be.
    Impossible(String),
}

/// Seconds of a fast stretch that is held back until it is compared.
const TRIAL: f64 = 3.0;
/// Seconds after which a fast stretch is judged for good, if it looked bad at first: sampled power
/// beats with the load.
pub(super) const SECOND_LOOK: f64 = 8.0;
/// Seconds of a trial in which power told nothing: the timeline does not wait for longer.
const UNSEEN_TRIAL: f64 = 7.0;
/// A stretch of which most was not seen is given up after this many seconds.
const LONGEST_STRETCH: f64 = 60.0;
/// Seconds of later stretches, whose values are used at once.
const WATCH: f64 = 10.0;
/// Trials before the fast rate is only watched.
const TRIALS: u32 = 2;
/// Seconds at the slow rate after which it is known what the counter shows undisturbed.
const REFERENCE: f64 = 10.0;
/// Loss that is put down to two sensors of one board: their gains differ by a few per cent.
const DISAGREEMENT: f64 = 0.06;
/// The same where the counter's undisturbed ratio to power is known.
const TOLERANCE: f64 = 0.03;
/// Standard uncertainties beyond which a difference is none of sampling.
const CERTAIN: f64 = 3.5;
/// Seconds that power may average to tell in time whether reading does harm.
const QUICK: f64 = 0.15;
/// Ratios of counter to power beyond which the counter is not believed.
const BELIEVABLE: std::ops::RangeInclusive<f64> = 0.1..=10.0;
/// Seconds without a change after which a counter stands still.
const STILL: f64 = 5.0;
/// Power samples that are kept for a comparison, at most: those of a minute and more. A counter that fails for ever is
/// never compared.
const MOST_SAMPLES: usize = 8192;
/// A reference is used from this relative uncertainty on: with more, fast reading that does harm would pass.
const CLEAR: f64 = 0.03;
/// From this relative uncertainty on a comparison tells whether reading does harm.
const VAGUE: f64 = 0.05;

/// The judge of one counter.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    /// Seconds that a power sample averages.
    window: f64,
    /// It is a board on which fast reading has done harm.
    consumer: bool,
    rate: Rate,
    reason: Reason,
    pace: Pace,
    /// How often it was read at its own rate, the last time.
    tried: Pace,
    trials: u32,
    /// The counter over power at the slow rate, and its standard uncertainty.
    reference: Option<(f64, f64)>,
    /// How power has varied in the stretches so far.
    usual: Swing,
    /// Power samples since the stretch began: seconds, watts.
    samples: Vec<(f64, f64)>,
    /// The stretch's first counter value: seconds, joules.
    begin: Option<(f64, f64)>,
    /// Its last one.
    end: Option<(f64, f64)>,
    held: Vec<(Moment, f64)>,
}

impl Judge {
    /// `window`: seconds that a power sample averages, if the board has a power sensor. `consumer`:
    /// it is made for the desk.
    pub(super) fn new(window: Option<f64>, consumer: bool) -> Self {
        let (rate, reason) = match (window, consumer) {
            (None, _) => (Rate::Second, Reason::Unchecked),
            (Some(window), true) if window > QUICK => (Rate::Second, Reason::Averaged),
            (Some(_), true) => (Rate::Second, Reason::Consumer),
            (Some(_), false) => (Rate::Own, Reason::Untried),
        };
        Self {
            window: window.unwrap_or(0.0),
            consumer,
            rate,
            reason,
            pace: Pace::UNKNOWN,
            tried: Pace::UNKNOWN,
            trials: 0,
            reference: None,
            usual: Swing::UNKNOWN,
            samples: Vec::new(),
            begin: None,
            end: None,
            held: Vec::new(),
        }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether the counter may be read fast to learn its period: where reading may disturb it, it may not.
    pub(super) fn harmless(&self) -> bool {
        self.rate == Rate::Own || self.is_costly() && !self.consumer
    }

    /// Whether the counter is read seldom as a read takes long.
    pub(super) fn is_costly(&self) -> bool {
        matches!(self.reason, Reason::Costly { .. })
    }

    /// Takes in how often the counter is read.
    pub(super) fn paced(&mut self, pace: Pace) {
        self.pace = pace;
        if self.rate == Rate::Own {
            self.tried = pace;
        }
    }

    /// Takes in that the counter can be read only seldom, as a read takes this many seconds of a processor; `None` if it can
    /// be read as often as is wanted.
    pub(super) fn costs(&mut self, costly: Option<f64>, words: &mut Vec<Finding>) {
        match (costly, &self.reason) {
            // What a trial gave of a board whose counter is known to suffer is not used before it is judged.
            (Some(seconds), _) if self.rate == Rate::Own && self.consumer && self.trial() => {
                self.reject(Reason::Costly { seconds }, Rate::Second, words);
            }
            (Some(seconds), _) if self.rate == Rate::Own => {
                self.release(words);
                (self.rate, self.reason) = (Rate::Second, Reason::Costly { seconds });
                let end = self.end;
                self.begin_stretch(end);
            }
            // It is read slowly at first as well.
            (Some(seconds), Reason::Costly { .. } | Reason::Consumer) => {
                self.reason = Reason::Costly { seconds };
            }
            (None, Reason::Costly { .. }) if self.consumer => self.reason = Reason::Consumer,
            (None, Reason::Costly { .. }) => {
                (self.rate, self.reason, self.trials) = (Rate::Own, Reason::Untried, 0);
                let end = self.end;
                self.begin_stretch(end);
            }
            _ => {}
        }
    }

    /// The board was away: nothing is known of its power meanwhile, and the counter has all of it.
    pub(super) fn interrupted(&mut self) {
        self.begin_stretch(None);
        self.samples.clear();
        self.end = None;
    }

    /// Takes in that the counter shows at `t` what it has shown since it `changed`. Its values may still wait to be dated.
    pub(super) fn unchanged(&mut self, t: f64, changed: f64, words: &mut Vec<Finding>) {
        let (Some(&(first, _)), true) = (self.samples.first(), self.rate != Rate::Never) else {
            return;
        };
        let since = self.end.map_or(first, |(t, _)| t).max(first).max(changed);
        if t - since > STILL {
            let power = integral(&self.samples, (since, t), self.window, self.usual);
            if power.conclusive() {
                let reason = Reason::Broken { counter: 0.0, power: power.power };
                self.reject(reason, Rate::Never, words);
            }
        }
    }

    /// Takes in a power sample.
    pub(super) fn power(&mut self, t: f64, watts: f64) {
        if self.rate == Rate::Never {
            return;
        }
        if self.samples.len() >= MOST_SAMPLES {
            self.samples.drain(..MOST_SAMPLES / 2);
        }
        self.samples.push((t, watts));
    }

    /// Takes in that the counter stood at `joules` at `moment`.
    pub(super) fn energy(&mut self, moment: Moment, joules: f64, words: &mut Vec<Finding>) {
        if self.rate == Rate::Never {
            return;
        }
        self.begin.get_or_insert((moment.at, joules));
        self.end = Some((moment.at, joules));
        if self.trial() {
            self.held.push((moment, joules));
        } else {
            words.push(Finding::Energy(moment, joules));
        }
        let length = self.stretch().map_or(0.0, |(from, to)| to - from);
        let due = match self.rate {
            // Of an average more is needed to see the same difference.
            Rate::Own if self.trial() => TRIAL.max(SECOND_LOOK * self.window),
            Rate::Own => WATCH,
            Rate::Second | Rate::Never => REFERENCE,
        };
        if length < due {
            return;
        }
        match self.comparison() {
            Some(comparison) if comparison.conclusive() => self.conclude(comparison, words),
            // A board whose counter is known to suffer is not read fast without a check.
            _ if self.trial() && length >= due.max(UNSEEN_TRIAL) && self.consumer => {
                self.reject(Reason::Unchecked, Rate::Second, words);
            }
            // Power told nothing. Nothing speaks against the counter either, and from now on it is only watched.
            _ if self.trial() && length >= due.max(UNSEEN_TRIAL) => {
                (self.reason, self.trials) = (Reason::Unseen, TRIALS);
                self.release(words);
                let end = self.end;
                self.begin_stretch(end);
            }
            // The next stretch may tell.
            Some(found) if found.unseen >= HALF && length >= LONGEST_STRETCH => {
                let end = self.end;
                self.begin_stretch(end);
            }
            _ => {}
        }
    }

    /// The counter's driver was reloaded, or the like: begin anew.
    pub(super) fn restarted(&mut self, words: &mut Vec<Finding>) {
        self.release(words);
        self.begin_stretch(None);
        self.end = None;
    }

    /// The run ends: what is held back is used, if nothing speaks against it.
    pub(super) fn last(&mut self, words: &mut Vec<Finding>) {
        match self.comparison() {
            Some(found) if found.conclusive() && !self.held.is_empty() => {
                self.conclude(found, words);
                if !self.held.is_empty() {
                    // It looked bad, and there is no second look.
                    let reason = Reason::Disturbed { fast: found.ratio(), error: found.error };
                    self.reject(reason, Rate::Second, words);
                }
            }
            _ => self.release(words),
        }
    }

    /// Whether what the counter gives now is held back.
    fn trial(&self) -> bool {
        self.rate == Rate::Own && self.trials < TRIALS
    }

    fn stretch(&self) -> Option<(f64, f64)> {
        Some((self.begin?.0, self.end?.0))
    }

    fn comparison(&self) -> Option<Comparison> {
        let (from, to) = self.stretch()?;
        let counter = self.end?.1 - self.begin?.1;
        if to <= from || self.samples.is_empty() {
            return None;
        }
        let found = integral(&self.samples, (from, to), self.window, self.usual);
        // What an average says of the edges of a stretch lies about a quarter of it to either side.
        let edges = UNSEEN_SWING * std::f64::consts::SQRT_2 * self.window / 4.0 / (to - from);
        Some(Comparison { counter, error: found.error.hypot(edges), ..found })
    }

    fn conclude(&mut self, found: Comparison, words: &mut Vec<Finding>) {
        let ratio = found.ratio();
        let off = 1.0 + CERTAIN * found.error;
        if ratio * off < *BELIEVABLE.start() || ratio / off > *BELIEVABLE.end() {
            let reason = Reason::Broken { counter: found.counter, power: found.power };
            return self.reject(reason, Rate::Never, words);
        }
        match self.rate {
            Rate::Own => {
                let (expected, error, tolerance) = match self.reference {
                    Some((ratio, error)) => (ratio, error, TOLERANCE),
                    None => (1.0, 0.0, DISAGREEMENT),
                };
                let error = error.hypot(found.error);
                if 1.0 - ratio / expected > tolerance + CERTAIN * error {
                    if self.stretch().is_some_and(|(from, to)| to - from < SECOND_LOOK) {
                        return;
                    }
                    let reason = Reason::Disturbed { fast: ratio, error: found.error };
                    return self.reject(reason, Rate::Second, words);
                }
                if error > VAGUE && !self.trial() {
                    // It says nothing either way: the next stretch may.
                    let end = self.end;
                    return self.begin_stretch(end);
                }
                self.trials += 1;
                self.reason = Reason::Compared { ratio, error: found.error };
            }
            Rate::Second => {
                if !self.refer(found) {
                    // A longer stretch tells more.
                    return;
                }
            }
            Rate::Never => {}
        }
        self.release(words);
        let end = self.end;
        self.begin_stretch(end);
    }

    /// Takes in what the counter shows at the slow rate; `false` if that is too vague.
    fn refer(&mut self, found: Comparison) -> bool {
        let ratio = found.ratio();
        if let Reason::Disturbed { fast, error } = self.reason {
            let error = error.hypot(found.error);
            if 1.0 - fast / ratio > TOLERANCE + CERTAIN * error {
                self.reason = Reason::Confirmed { fast, slow: ratio };
            } else if error > CLEAR {
                return false;
            } else {
                // Its sensors disagree at any rate; that is no disturbance.
                (self.rate, self.trials) = (Rate::Own, 0);
            }
        } else if found.error > CLEAR {
            return false;
        } else if self.reason == Reason::Consumer {
            (self.rate, self.trials) = (Rate::Own, 0);
        }
        self.reference = Some((ratio, found.error));
        true
    }

    /// Gives up the stretch and goes on at `rate`.
    fn reject(&mut self, reason: Reason, rate: Rate, words: &mut Vec<Finding>) {
        (self.reason, self.rate) = (reason, rate);
        self.held.clear();
        words.push(Finding::Restarted(self.sentence()));
        self.begin_stretch(None);
        self.end = None;
    }

    fn release(&mut self, words: &mut Vec<Finding>) {
        words.extend(self.held.drain(..).map(|(moment, joules)| Finding::Energy(moment, joules)));
    }

    /// A new stretch begins where the counter stands now, `at`.
    fn begin_stretch(&mut self, at: Option<(f64, f64)>) {
        if let Some((from, to)) = self.stretch() {
            self.usual.remember(Swing::of(&self.samples, from, to));
        }
        self.begin = at;
        // The sample before the stretch belongs to its first moments.
        let from = at.map_or(f64::INFINITY, |(t, _)| t);
        let keep = self.samples.partition_point(|&(t, _)| t <= from).saturating_sub(1);
        self.samples.drain(..keep);
    }
}

#[cfg(test)]
mod tests;
