//! How the period of a register is found.
//!
//! Every pair of reads says something: the register changed between them, so an update lies between, or it
//! did not, and if every update changes it, none does. A period is found once there is one that agrees with
//! all of them, and no other does. Reads may come late and unevenly, as on a busy machine; it then takes
//! more of them.

use super::beat::{Beat, EARLY_STRAY};
use super::{Bracket, LONGEST, SHORTEST};

/// Reads that are kept, and seconds for which they are.
const MOST: usize = 600;
const MEMORY: f64 = 30.0;
/// Changes without which no period is looked for, and without which a known one is not found again.
const CHANGES: usize = 4;
const CHANGES_AGAIN: usize = 3;
/// Half a bracket is narrow up to such a share of the time for which the register stays.
const NARROW: f64 = 0.2;
/// A period that other brackets would confirm by chance more often than this is not believed.
const CHANCE: f64 = 0.02;
/// How unlikely it is that two registers of one board have different periods.
const SURPRISE: f64 = 100.0;

/// One read, and whether the register had changed since the one before.
#[derive(Clone, Copy, Debug)]
struct Read {
    began: f64,
    ended: f64,
    changed: bool,
}

/// The reads of a register whose period is not known.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    reads: Vec<Read>,
    changes: usize,
    /// Changes at which it is worth while to look again.
    next: usize,
}

impl Search {
    /// Takes in a read.
    pub(super) fn read(&mut self, began: f64, ended: f64, changed: bool) {
        let old = self.reads.partition_point(|read| ended - read.began > MEMORY);
        let old = old.max((self.reads.len() + 1).saturating_sub(MOST));
        let forgotten = self.reads.drain(..old).skip(1).filter(|read| read.changed).count();
        self.changes -= forgotten.min(self.changes);
        self.next -= forgotten.min(self.next);
        // Of the first read it is not known what came before.
        self.changes += usize::from(changed && !self.reads.is_empty());
        self.reads.push(Read { began, ended, changed });
    }

    /// How old a value can be when it is new, if every update changes the register: from one change to the
    /// next one it takes no less than the period.
    pub(super) fn longest(&self) -> f64 {
        let brackets: Vec<_> = self.brackets().collect();
        let apart = brackets.windows(2).map(|pair| pair[1].by - pair[0].after);
        apart.fold(LONGEST, f64::min)
    }

    /// Up to when the register surely stays after its last change, if every update changes it and it stays for a share
    /// `sure` of the longest time for which it was seen to; `None` where reads come so late that they tell this badly.
    pub(super) fn idle_until(&self, sure: f64) -> Option<f64> {
        let brackets: Vec<_> = self.brackets().collect();
        let stayed = brackets.windows(2).map(|pair| pair[1].after - pair[0].by).reduce(f64::max)?;
        let last = brackets.last().filter(|last| last.half() < NARROW * stayed)?;
        Some(last.after + sure * stayed)
    }

    fn brackets(&self) -> impl Iterator<Item = Bracket> {
        let pairs = self.reads.windows(2).filter(|pair| pair[1].changed);
        pairs.map(|pair| Bracket { after: pair[0].began, by: pair[1].ended })
    }

    /// The beat that agrees with all that was read, if there is only one; `known`: the period from before,
    /// or that of another register of the board.
    pub(super) fn find(&mut self, restless: bool, known: Option<(f64, f64)>) -> Option<Beat> {
        let enough = if known.is_some() { CHANGES_AGAIN } else { CHANGES };
        if self.changes < self.next.max(enough) || !self.reads.last()?.changed {
            return None;
        }
        self.next = self.changes + 1 + self.changes / 8;
        let brackets: Vec<_> = self.brackets().collect();
        if let Some((period, error)) = known
            && let Some(found) = self.known(&brackets, restless, period, error)
        {
            return Some(found);
        }
        if brackets.len() < CHANGES {
            return None;
        }
        if restless { self.only(&brackets) } else { likely(&brackets, known.is_some()) }
    }

    /// With a tick in each of `brackets` and a period known within `error`.
    fn known(&self, brackets: &[Bracket], restless: bool, period: f64, error: f64) -> Option<Beat> {
        let stray = EARLY_STRAY.0 + EARLY_STRAY.1 * period;
        let first = *narrowest(brackets)?;
        let beat = Beat::new(first, (period - error, period + error), stray);
        let (beat, chance) = fit(beat, brackets, first, stray)?;
        let sure = if restless { self.agrees(&beat, stray) } else { true };
        (sure && chance <= CHANCE * SURPRISE / 10.0).then_some(beat)
    }

    /// The only beat, if every update changes the register.
    fn only(&self, brackets: &[Bracket]) -> Option<Beat> {
        let mut found = None;
        for beat in candidates(brackets) {
            let Some((beat, _, stray)) = beat else { continue };
            if self.agrees(&beat, stray) && found.replace(beat).is_some() {
                return None;
            }
        }
        found
    }

    /// Whether no tick lies between two reads that showed the same.
    fn agrees(&self, beat: &Beat, stray: f64) -> bool {
        let period = beat.period().0;
        self.stretches().all(|Bracket { after, by }| {
            let (from, to) = (after + stray, by - stray);
            if to - from <= 0.0 {
                return true;
            }
            if to - from > 2.0 * period {
                return false;
            }
            let about = beat.number(f64::midpoint(from, to));
            [about - 1.0, about, about + 1.0].into_iter().all(|n| {
                let (low, high) = beat.bounds(n);
                low <= from || high >= to
            })
        })
    }

    /// From when a value was first seen to when it was last, for all values.
    fn stretches(&self) -> impl Iterator<Item = Bracket> {
        let values = self.reads.chunk_by(|_, next| !next.changed);
        values.map(|reads| Bracket {
            after: reads[0].ended,
            by: reads.last().map_or(0.0, |read| read.began),
        })
    }
}

fn narrowest(brackets: &[Bracket]) -> Option<&Bracket> {
    brackets.iter().min_by(|a, b| a.half().total_cmp(&b.half()))
}

/// A beat with the chance that it agrees by accident, and how far its ticks may stray.
type Candidate = Option<(Beat, f64, f64)>;

/// The beats of every period that has whole numbers of ticks between two narrow brackets, from the longest
/// period on; `None` for those that disagree with a bracket.
fn candidates(brackets: &[Bracket]) -> impl Iterator<Item = Candidate> + '_ {
    let (early, late) = brackets.split_at(brackets.len() / 2);
    let ends = narrowest(early).zip(narrowest(late)).map(|(first, last)| (*first, *last));
    let most = ends.map_or(0.0, |(first, last)| (last.by - first.after) / SHORTEST);
    let numbers = (1..).map(f64::from).take_while(move |count| *count <= most);
    numbers.filter_map(move |count| {
        let (first, last) = ends?;
        let period = (last.middle() - first.middle()) / count;
        let stray = EARLY_STRAY.0 + EARLY_STRAY.1 * period;
        let low = (last.after - first.by - 2.0 * stray) / count;
        let high = (last.by - first.after + 2.0 * stray) / count;
        if high < SHORTEST || low > LONGEST || low <= 0.0 {
            return None;
        }
        let mut beat = Beat::new(first, (low, high), stray);
        if !beat.cut(count, last, stray) {
            return Some(None);
        }
        Some(fit(beat, brackets, first, stray).map(|(beat, chance)| (beat, chance, stray)))
    })
}

/// `beat`, which has a tick in `first`, cut by all other brackets; and how likely it is that they all agree by
/// accident. A bracket in which one of several ticks may lie is left out until the others have shown which.
fn fit(mut beat: Beat, brackets: &[Bracket], first: Bracket, stray: f64) -> Option<(Beat, f64)> {
    let origin = brackets.iter().position(|bracket| *bracket == first)?;
    let outward = brackets[origin + 1..].iter().chain(brackets[..origin].iter().rev());
    let mut open: Vec<Bracket> = outward.copied().collect();
    let mut chance = 1.0;
    let mut pinned = vec![(0.0, first)];
    loop {
        let mut ambiguous = Vec::new();
        for &bracket in &open {
            let period = beat.period().0;
            if bracket.half() * 2.0 > period {
                continue;
            }
            let n = beat.number(bracket.middle());
            let may_hold = |n: f64| {
                let (low, high) = beat.bounds(n);
                high >= bracket.after - stray && low <= bracket.by + stray
            };
            if may_hold(n - 1.0) || may_hold(n + 1.0) {
                ambiguous.push(bracket);
                continue;
            }
            let (low, high) = beat.bounds(n);
            chance *= ((high - low + 2.0 * (bracket.half() + stray)) / period).min(1.0);
            if !beat.cut(n, bracket, stray) {
                return None;
            }
            pinned.push((n, bracket));
        }
        if ambiguous.is_empty() || ambiguous.len() == open.len() {
            break;
        }
        open = ambiguous;
    }
    pinned.sort_by(|a, b| a.0.total_cmp(&b.0));
    beat.rest_on(&pinned).then_some((beat, chance))
}

/// The longest period that agrees with all brackets, if that is no accident.
fn likely(brackets: &[Bracket], another_known: bool) -> Option<Beat> {
    let surprise = if another_known { SURPRISE } else { 1.0 };
    let (mut tried, mut bound) = (0.0, CHANCE);
    bound /= surprise;
    for candidate in candidates(brackets) {
        tried += 1.0;
        if let Some((beat, chance, _)) = candidate {
            // The two brackets that make the period cannot confirm it.
            return (chance * tried <= bound).then_some(beat);
        }
    }
    None
}
