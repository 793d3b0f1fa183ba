//! What reading a board takes of a processor, and how often that allows to read it.

use crate::source::HELD_BACK;
use crate::source::nvml::update_times::{COARSE, FINE, Window};

/// Share of that for the counter; the rest is for power beside it, for learning, for waking and for the ledger.
pub(super) const FOR_COUNTER: f64 = 0.5;
/// However much a read costs, a counter is read after this many seconds. Intervals vary by 40 %, and a timeline does not
/// wait for longer.
pub(super) const SELDOM: f64 = 6.0;
const _: () = assert!(1.4 * SELDOM < HELD_BACK);
/// What power beside a counter may take, and what learning when a board is updated may take, over what the counter may.
pub(super) const BESIDE: f64 = 0.3;
pub(super) const LEARNING: f64 = 0.12;
/// Power of a board whose counter gives nothing may take so much, as an update that is missed is energy that is guessed: 2 % of
/// a core at the default share, which a call of 0.1 ms at 50 updates a second needs a quarter of.
const ALONE: f64 = 20.0;
/// Before it has been earned, learning may spend what the counter may take in this many seconds: in all, 0.29 s of a
/// processor at the default share.
pub(super) const ADVANCE: f64 = 290.0;
/// A search is not begun with less than this many reads.
const FEW_READS: f64 = 8.0;
/// Where counters may be read only this many seconds apart or more, what the reading thread takes besides comes out of
/// the share too. Elsewhere a call is cheap, and it would save little to leave out updates.
const SPARING: f64 = 1.0;
/// However much it costs, power beside a counter is read after this many seconds, give or take 40 %: with fewer samples
/// nothing tells whether a counter is to be believed.
pub(super) const SELDOM_POWER: f64 = 18.0;
/// The rest of the share is the ledger's, which has a thread of its own.
const OF_READER: f64 = 0.8;
/// Whatever the thread takes besides, reads may take this part of what they may take else.
const LEAST: f64 = 0.5;
/// A mean over about this many reads.
const MEMORY: f64 = 16.0;
/// A read is short if it takes less than this many seconds of a processor: to ask for a thread's time takes a microsecond.
const SHORT: f64 = 0.000_1;
/// One of this many short reads is measured, once there is a mean.
const MEASURED: u32 = 8;

/// A running mean.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    count: f64,
    value: f64,
    /// Reads until one is measured again.
    unmeasured: u32,
}

impl Mean {
    fn take(&mut self, value: f64) {
        let change = self.change(value);
        self.value += change;
    }

    /// By how much a `value` changes it.
    fn change(&mut self, value: f64) -> f64 {
        self.count = (self.count + 1.0).min(MEMORY);
        // One read that was slow for another reason is not to count for long.
        let value = if self.count > 3.0 { value.min(8.0 * self.value + 1e-5) } else { value };
        (value - self.value) / self.count
    }

    /// What the next read takes as far as it is known; `None` if it is to be measured.
    fn estimate(&mut self) -> Option<f64> {
        let known = self.count >= MEMORY && self.value < SHORT && self.unmeasured > 0;
        self.unmeasured = if known { self.unmeasured - 1 } else { MEASURED - 1 };
        known.then_some(self.value)
    }
}

/// What a read asks a board for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Counter,
    Power,
    Both,
}

impl Asked {
    pub(super) fn new(counter: bool, power: bool) -> Self {
        match (counter, power) {
            (true, true) => Self::Both,
            (true, false) => Self::Counter,
            (false, _) => Self::Power,
        }
    }
}

/// What reads of one board cost, and what is left for them.
///
/// Every read is paid for from one account. What is needed all the time takes less than comes in. Reads that are there
/// to learn when the board is updated, which are dense, are made only while something is left. So all reads in `t`
/// seconds take no more than the advance, and `t` times what comes in each second; except that a counter is read every
/// [`SELDOM`] seconds even if nothing is left, power every [`SELDOM_POWER`], and power by itself often where the counter
/// gives nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Share of one core that reading all boards may take, with what comes on top.
    share: f64,
    /// Seconds of a processor, each second, that the counter may take.
    allowance: f64,
    /// The same of all reads.
    income: f64,
    /// The part of both that is left by what the reading thread takes besides, where that counts.
    part: f64,
    /// Seconds of a processor that are left, and the time of the last read.
    left: f64,
    reckoned: f64,
    /// Seconds of a processor that the counter takes in a read, and power. `both` is their sum.
    counter: Mean,
    power: Mean,
    both: Mean,
}

impl Cost {
    /// `share` of one core is for `boards` boards.
    pub(super) fn new(share: f64, boards: usize) -> Self {
        let allowance = FOR_COUNTER * share / boards.max(1) as f64;
        Self {
            share,
            allowance,
            income: (1.0 + BESIDE + LEARNING) * allowance,
            part: 1.0,
            left: ADVANCE * allowance,
            reckoned: f64::INFINITY,
            counter: Mean::default(),
            power: Mean::default(),
            both: Mean::default(),
        }
    }

    /// What the next read takes of a processor as far as it is known, seconds; `None` if it is to be measured.
    pub(super) fn estimate(&mut self, asked: Asked) -> Option<f64> {
        match asked {
            Asked::Counter => self.counter.estimate(),
            Asked::Power => self.power.estimate(),
            Asked::Both => self.both.estimate(),
        }
    }

    /// The same of a board that has no counter.
    pub(super) fn without_counter(self) -> Self {
        Self { income: (ALONE + LEARNING) * self.allowance, ..self }
    }

    /// A read that ended at `t` took this many `seconds` of a processor, and the thread takes so many each second `besides`
    /// reads of boards.
    pub(super) fn pay(&mut self, t: f64, seconds: f64, besides: f64) {
        let reads = FOR_COUNTER * (1.0 + BESIDE + LEARNING);
        self.part = ((OF_READER - besides / self.share) / reads).clamp(LEAST, 1.0);
        let earned = self.part() * self.income * (t - self.reckoned).max(0.0);
        self.reckoned = t;
        self.left = ((self.left + earned).min(ADVANCE * self.allowance) - seconds).max(0.0);
    }

    /// The part of what reads may take that they do take.
    fn part(&self) -> f64 {
        if self.is_sparing() { self.part } else { 1.0 }
    }

    /// A read gave something, and took this many `seconds` of a processor.
    ///
    /// Of a read of both it is not seen which took how much. The one that was never read by itself has what the other leaves;
    /// until either was, the counter has all. Where both were, they change in proportion.
    pub(super) fn take(&mut self, asked: Asked, seconds: f64) {
        match asked {
            Asked::Counter => self.counter.take(seconds),
            Asked::Power => self.power.take(seconds),
            Asked::Both => {
                let change = self.both.change(seconds);
                let counters = match (self.counter.count > 0.0, self.power.count > 0.0) {
                    (true, true) if self.both.value > 0.0 => self.counter.value / self.both.value,
                    (true, false) => 0.0,
                    _ => 1.0,
                };
                self.counter.value = (self.counter.value + counters * change).max(0.0);
                self.power.value = (self.power.value + (1.0 - counters) * change).max(0.0);
            }
        }
        self.both.value = self.counter.value + self.power.value;
    }

    /// Seconds of a processor that a read with the counter takes.
    pub(super) fn of_counter(&self) -> f64 {
        if self.allows_both() { self.both.value } else { self.counter.value }
    }

    /// Whether power is read whenever the counter is, due or not: where the counter is cheap, or power adds little to it.
    pub(super) fn allows_both(&self) -> bool {
        let cheap = self.counter.value < SPARING * self.allowance;
        cheap || self.adds_little()
    }

    /// Whether power takes little beside the counter.
    fn adds_little(&self) -> bool {
        self.power.value <= BESIDE * self.counter.value
    }

    /// Whether reads are so costly that the counter may be read only [`SPARING`] seconds apart or more.
    pub(super) fn is_sparing(&self) -> bool {
        self.of_counter() >= SPARING * self.allowance
    }

    /// Reads that may still be made to learn when the board is updated.
    fn reads_left(&self) -> f64 {
        self.left / self.of_counter().max(self.power.value).max(1e-9)
    }

    /// Whether a read may be made that is there to learn when the board is updated.
    pub(super) fn may_learn(&self) -> bool {
        self.reads_left() >= 1.0
    }

    /// Whether a search for the period may begin.
    pub(super) fn may_search(&self) -> bool {
        self.reads_left() >= FEW_READS
    }

    /// How coarse a search has to be, as a share of the time since the last update, so as to come to an end.
    pub(super) fn coarseness(&self) -> f64 {
        (FEW_READS / self.reads_left().max(1.0)).clamp(FINE, COARSE)
    }

    /// Seconds between two reads of the counter, if it would be read every `wanted` seconds.
    pub(super) fn counter_every(&self, wanted: f64) -> f64 {
        wanted.max((self.of_counter() / (self.part() * self.allowance)).min(SELDOM))
    }

    /// The same of power: beside a counter it may take a part of that; where there is no counter every update counts,
    /// and it may take many times as much.
    pub(super) fn power_every(&self, wanted: f64, beside_counter: bool) -> f64 {
        let (share, most) = if beside_counter { (BESIDE, SELDOM_POWER) } else { (ALONE, SELDOM) };
        // Cheap samples are what tells most of what lies between two values of a costly counter.
        let part = if self.adds_little() { 1.0 } else { self.part() };
        wanted.max((self.power.value / (share * part * self.allowance)).min(most))
    }

    /// Seconds between two reads of a search that would read every `wanted` seconds.
    pub(super) fn search_every(&self, wanted: f64) -> f64 {
        wanted.max(3.0 * self.of_counter().max(self.power.value))
    }
}

/// When to read again a board that did not answer: soon at first, for a call may fail, and after some seconds
/// where the board is gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage {
    /// When the first call failed, and how many have since.
    since: Option<(f64, i32)>,
}

impl Outage {
    const FIRST: f64 = 0.05;
    const LONGEST: f64 = 3.0;

    /// A call failed at `t`.
    pub(super) fn failed(&mut self, t: f64) {
        let (since, count) = self.since.unwrap_or((t, 0));
        self.since = Some((since, count.saturating_add(1)));
    }

    /// A call succeeded at `t`: how long none had, seconds.
    pub(super) fn over(&mut self, t: f64) -> f64 {
        self.since.take().map_or(0.0, |(since, _)| t - since)
    }

    /// When to try again, after the last call failed at `t`.
    pub(super) fn next_try(&self, t: f64) -> Option<Window> {
        let (_, count) = self.since?;
        let pause = (Self::FIRST * 2.0_f64.powi(count.min(16) - 1)).min(Self::LONGEST);
        Some(Window { from: t + pause, by: t + 1.2 * pause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::nvml::DEFAULT_SHARE;

    #[test]
    fn a_quick_driver_is_read_as_wanted_and_a_slow_one_within_its_share() {
        // Seconds a call, and what eight boards that are read every 100 ms may then take of a core.
        for (call, share) in
            [(0.000_5, FOR_COUNTER * DEFAULT_SHARE), (0.002_4, 0.003_3), (0.01, 0.013_4)]
        {
            let mut cost = Cost::new(DEFAULT_SHARE, 8);
            for _ in 0..40 {
                cost.take(Asked::Counter, call);
            }
            let every = cost.counter_every(0.1);
            assert!(8.0 * call / every <= share, "{call} s: every {every} s");
            let generous = Cost { allowance: 1.0, ..cost };
            assert!((generous.counter_every(0.1) - 0.1).abs() < 1e-12, "the user allows more");
        }
        let mut quick = Cost::new(DEFAULT_SHARE, 8);
        quick.take(Asked::Both, 0.000_01);
        assert!((quick.counter_every(0.1) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn what_the_thread_takes_besides_is_taken_from_a_slow_driver_and_not_from_a_quick_one() {
        // Each second eight boards, a counter every so often, and power by itself.
        let taken = |call: f64, besides: f64| {
            let mut cost = Cost::new(DEFAULT_SHARE, 8);
            for second in 0..40 {
                cost.take(Asked::Counter, call);
                cost.take(Asked::Power, call);
                cost.take(Asked::Both, 2.0 * call);
                cost.pay(f64::from(second), call, besides);
            }
            8.0 * call * (1.0 / cost.counter_every(0.1) + 1.0 / cost.power_every(0.1, true))
        };
        let reads = FOR_COUNTER * (1.0 + BESIDE) * DEFAULT_SHARE;
        for call in [0.000_2, 0.000_3] {
            assert!((taken(call, 0.0) - reads).abs() < 1e-9, "all that reads may take");
            let mut less = reads;
            for besides in [0.000_5, 0.000_7, 0.000_8] {
                let reads = taken(call, besides);
                assert!(reads < less && reads + besides <= OF_READER * DEFAULT_SHARE, "{reads}");
                less = reads;
            }
            assert!(taken(call, 0.1) >= LEAST * reads, "it is read all the same");
        }
        assert!((taken(0.000_01, 0.1) - taken(0.000_01, 0.0)).abs() < 1e-12, "a quick driver");
        let mut cost = Cost::new(DEFAULT_SHARE, 8);
        for second in 0..40 {
            cost.take(Asked::Both, 0.000_52);
            cost.take(Asked::Power, 0.000_02);
            cost.pay(f64::from(second), 0.000_5, 0.001);
        }
        let every = 0.000_02 / (BESIDE * FOR_COUNTER * DEFAULT_SHARE / 8.0);
        assert!(
            (cost.power_every(0.1, true) - every).abs() < 1e-3 && cost.is_sparing(),
            "cheap power"
        );
        let seldom = 8.0 * 0.01 * (1.0 / SELDOM + 1.0 / SELDOM_POWER);
        assert!((taken(0.01, 0.1) - seldom).abs() < 1e-9, "a very slow one");
    }

    /// What power adds was in the mean of reads with the counter: without it the counter was cheap, so power was read again,
    /// so it was costly.
    #[test]
    fn a_driver_is_costly_or_it_is_not() {
        let limit = SPARING * Cost::new(DEFAULT_SHARE, 8).allowance;
        // Power is read by itself each so many reads, if ever; and it takes so much of that when the counter is read as well.
        for (power, together, alone) in [
            (0.0, 1.0, 5),
            (0.1, 1.0, 5),
            (0.2, 1.0, 50),
            (0.4, 1.0, 50),
            (0.5, 0.5, 5),
            (1.0, 1.0, 5),
            (1.0, 1.0, 1000),
            (1.0, 0.1, 5),
            (4.0, 1.0, 5),
        ] {
            for counter in (1..60).map(|k| 0.05 * f64::from(k) * limit) {
                let mut cost = Cost::new(DEFAULT_SHARE, 8);
                let power = power * counter;
                let (mut changes, mut before, mut used, mut told) = (0, false, 0.0, 0.0);
                for read in 0..600 {
                    // A driver's calls differ by some per cent.
                    let varies = 1.0 + 0.03 * f64::from(read * 7 % 11 - 5) / 5.0;
                    if read % alone == alone - 1 {
                        cost.take(Asked::Power, varies * power);
                        continue;
                    }
                    let both = cost.allows_both();
                    let takes = counter + if both { together * power } else { 0.0 };
                    if read >= 300 {
                        (used, told) = (used + varies * takes, told + cost.of_counter());
                        changes += u32::from(before != both);
                    }
                    before = both;
                    cost.take(Asked::new(true, both), varies * takes);
                }
                let what = format!("{counter} s, and {power} s ({together}, {alone})");
                // On the edge itself the mean of some reads decides.
                let most = if (counter / limit - 1.0).abs() < 0.01 { 6 } else { 0 };
                assert!(changes <= most, "{changes}: {what}");
                assert!((0.98..1.03).contains(&(told / used)), "{}: {what}", told / used);
            }
        }
    }

    /// A board without power has no other reads to tell its counter's cost from.
    #[test]
    fn what_is_read_alone_costs_what_it_costs() {
        let mut cost = Cost::new(DEFAULT_SHARE, 8);
        for _ in 0..40 {
            cost.take(Asked::Counter, 0.000_5);
            assert!((cost.of_counter() - 0.000_5).abs() < 1e-12 && cost.is_sparing());
        }
    }

    #[test]
    fn a_driver_that_becomes_quick_again_is_read_as_wanted_again() {
        let mut cost = Cost::new(DEFAULT_SHARE, 8);
        for call in [0.000_5, 0.000_01, 0.000_5] {
            for _ in 0..60 {
                let both = cost.allows_both();
                cost.take(Asked::new(true, both), if both { 2.0 * call } else { call });
                cost.take(Asked::Power, call);
            }
            assert_eq!(cost.counter_every(0.2) > 0.2, call > 0.000_1);
        }
    }

    #[test]
    fn a_read_that_was_slow_once_is_not_held_against_a_driver() {
        let mut cost = Cost::new(DEFAULT_SHARE, 1);
        for k in 0..200 {
            cost.take(Asked::Both, if k == 100 { 0.5 } else { 0.000_02 });
        }
        assert!((cost.counter_every(0.1) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn one_of_eight_short_reads_is_measured_and_a_driver_that_becomes_slow_is_noticed() {
        let mut cost = Cost::new(DEFAULT_SHARE, 1);
        let mut measured = |seconds: f64, reads: u32| {
            let measured = (0..reads).filter(|read| {
                // A counter that takes long is measured each time, which measures nothing of power.
                if read % 4 == 0 && cost.estimate(Asked::Both).is_none() {
                    cost.take(Asked::Both, 0.01);
                }
                let known = cost.estimate(Asked::Power);
                if known.is_none() {
                    cost.take(Asked::Power, seconds);
                }
                assert!(known.is_none_or(|known| known < SHORT));
                known.is_none()
            });
            measured.count()
        };
        assert_eq!(measured(0.000_01, 16), 16, "nothing is known yet");
        assert_eq!(measured(0.000_01, 800), 100);
        let slow = measured(0.002, 800);
        assert!(slow > 750, "{slow}");
        assert_eq!(measured(0.002, 100), 100, "of long ones each is");
    }

    #[test]
    fn a_lost_board_is_tried_again_every_few_seconds() {
        let mut outage = Outage::default();
        let (mut t, mut tries) = (0.0, 0);
        while t < 600.0 {
            outage.failed(t);
            tries += 1;
            t = outage.next_try(t).unwrap().by;
        }
        assert!((150..220).contains(&tries), "{tries}");
        assert!((590.0..700.0).contains(&outage.over(t)));
        assert_eq!(outage.next_try(t), None);
    }
}
