//! When a board's registers changed: the moments that its reads show.

use super::schedule::{BLINDLY, SLOWLY};
use super::{Board, Driver};
use crate::clock::Timestamp;
use crate::source::HELD_BACK;
use crate::source::counter::Advance;
use crate::source::nvml::disturbance::{Finding, SECOND_LOOK};
use crate::source::nvml::probe::PERIOD;
use crate::source::nvml::query::IMPOSSIBLE;
use crate::source::nvml::update_times::{LONGEST, Moment};

/// What the counter shows in a burst is held back for this many seconds, to be dated by the period. Then it is dated by
/// its reads alone: a timeline that waited longer would use integrated power instead. A trial of its rate (`disturbance`)
/// begins with the first value, so the two add nothing to each other.
pub(super) const HELD: f64 = 6.0;
const _: () = assert!(HELD < HELD_BACK && SECOND_LOOK < HELD_BACK);

/// A counter value of which it is not known yet since when it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undated {
    /// When the read before began, which showed another value.
    after: f64,
    /// When the read began and ended.
    began: f64,
    ended: f64,
    raw: u64,
}

impl<D: Driver> Board<D> {
    /// Finds the moment since which the counter shows `raw`, read within the call, and what to say
    /// of it.
    pub(super) fn take_energy(
        &mut self,
        (began, ended): (f64, f64),
        raw: u64,
        words: &mut Vec<Finding>,
    ) {
        let before = self.counter_ticks.last_read();
        let shown = self.counter_ticks.read(began, ended, raw);
        if !shown.new {
            self.judge.unchanged(ended, self.counter_ticks.changed(), words);
        }
        let period = self.counter_ticks.period();
        self.judge.paced(self.pace());
        if period.is_some() || !self.learns(ended) {
            let wanted = period.unwrap_or(BLINDLY);
            let own = self.cost.counter_every(wanted);
            // What a read takes varies by some per cent, and each change begins a comparison anew.
            let (least, times) = if self.judge.is_costly() { (0.8, 1.2) } else { (1.0, 1.5) };
            let costly = own >= least * SLOWLY && own > times * wanted;
            self.judge.costs(costly.then_some(self.cost.of_counter()), words);
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
            let longest = self.counter_ticks.longest();
            let since = shown.since.unwrap_or_else(|| between(after.max(began - longest), ended));
            self.count(since, raw, words);
        }
    }

    /// Dates what was read while the period was not known.
    pub(super) fn date_waiting(&mut self, words: &mut Vec<Finding>) {
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

    /// The update whose power a read shows; `None` if it is known already or cannot be determined.
    pub(super) fn date_power(&mut self, (began, t): (f64, f64), watts: f64) -> Option<Moment> {
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

#[cfg(test)]
mod tests {
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
