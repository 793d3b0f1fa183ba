//! Budgets of spans.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use crate::budget::Budget;
use crate::clock::Timestamp;
use crate::footprint::Site;
use crate::printable;
use crate::span::Kind;
use crate::span::ring::Mark;
use crate::span::word::Began;
use crate::units::Joules;

/// Budgets that are watched at once. Each is looked at in every round; a run has a few.
const MOST_OPEN: usize = 1024;

/// Spans of one name whose spent budgets are told one by one.
const TOLD: u64 = 16;

/// The spans with a budget that is not spent, and how often those of a name have spent theirs.
#[derive(Default)]
pub(super) struct Limits {
    open: Vec<Limit>,
    spent: BTreeMap<&'static str, u64>,
    /// Spans that ended and when: the word of their budget takes another way, and may come later.
    ended: Vec<(u64, Timestamp)>,
    /// What the run drew before its interruptions, until a span counts it.
    earlier: Joules,
}

struct Limit {
    began: Began,
    budget: Budget,
    /// The energy that uses it up.
    energy: Joules,
    /// When the span ended, if it has.
    end: Option<Timestamp>,
    /// What was drawn before the run was resumed, and counts.
    earlier: Joules,
}

/// What is known of energy at a moment.
pub(super) struct Known<'a> {
    pub now: Timestamp,
    /// Up to here energies are final.
    pub settled: Timestamp,
    /// Watts of the last second.
    pub power: f64,
    /// Joules over all domains between two settled moments.
    pub drawn: &'a dyn Fn(Timestamp, Timestamp) -> f64,
}

impl Limits {
    /// The run goes on with one that drew `earlier`. It counts in the budget of the first span of kind `run`
    /// that has one: that span is the run, and what a phase or a function drew before is not known.
    pub(super) fn resume(&mut self, earlier: Joules) {
        self.earlier = earlier;
    }

    /// A span has a budget at `site`, or what should be one; `warnings` say of those that cannot be kept.
    pub(super) fn begin(
        &mut self,
        began: Began,
        budget: Result<Budget, &'static str>,
        site: Option<&Site>,
        warnings: &mut Vec<String>,
    ) {
        let kept = budget.map_err(str::to_owned).and_then(|budget| {
            if began.label.kind == Kind::Step {
                return Err("steps have none; give the run one".to_owned());
            }
            if self.open.len() >= MOST_OPEN {
                return Err(format!("{MOST_OPEN} budgets are watched already"));
            }
            let site = site.ok_or("nothing is metered")?;
            let energy = budget.energy(site).map_err(|error| error.to_string())?;
            Ok((budget, energy))
        });
        match kept {
            Ok((budget, energy)) => {
                let end = self.ended.iter().find(|(span, _)| *span == began.span);
                let end = end.map(|(_, end)| *end);
                let earlier = match began.label.kind {
                    Kind::Run => std::mem::take(&mut self.earlier),
                    _ => Joules::ZERO,
                };
                self.open.push(Limit { began, budget, energy, end, earlier });
            }
            Err(why) => {
                let line = format!("the budget of '{}' is not kept: {why}", began.label.name);
                if !warnings.contains(&line) {
                    warnings.push(line);
                }
            }
        }
    }

    /// These spans are over.
    pub(super) fn end(&mut self, marks: &[Mark]) {
        for mark in marks.iter().filter(|mark| mark.label.kind != Kind::Step) {
            self.ended.push((mark.id, mark.end));
            for limit in self.open.iter_mut().filter(|limit| limit.began.span == mark.id) {
                limit.end = Some(mark.end);
            }
        }
    }

    /// No word is on its way of a span that has ended.
    pub(super) fn heard_all(&mut self) {
        self.ended.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Moments from which on energies will be asked for.
    pub(super) fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.open.iter().map(|limit| limit.began.start)
    }

    /// Tells of each budget that is spent, once; forgets the spans that ended before. Gives the moment at
    /// which the next will be spent, as power is.
    ///
    /// Of an open span what was not read yet goes on at the last second's power. One that has ended is judged
    /// by what was read.
    pub(super) fn look(
        &mut self,
        known: &Known<'_>,
        warnings: &mut Vec<String>,
    ) -> Option<Timestamp> {
        let Known { now, settled, power, drawn } = *known;
        let mut next: Option<Timestamp> = None;
        let spent = &mut self.spent;
        self.open.retain(|limit| {
            let start = limit.began.start;
            if limit.end.is_some_and(|end| end > settled) {
                return true;
            }
            let to = limit.end.unwrap_or(now);
            let read = settled.min(to).max(start);
            let earlier = limit.earlier;
            let joules = earlier.get() + drawn(start, read) + power * to.since(read).as_secs_f64();
            let left = limit.energy.get() - joules;
            if left > 0.0 {
                if power > 0.0 && limit.end.is_none() {
                    let at = Timestamp::from_secs_f64(now.as_secs_f64() + left / power);
                    next = Some(next.map_or(at, |next| next.min(at)));
                }
                return limit.end.is_none();
            }
            let name = limit.began.label.name;
            let times = spent.entry(name).or_default();
            *times += 1;
            if *times <= TOLD {
                let (budget, seconds) = (limit.budget, to.since(start).as_secs_f64());
                let joules = Joules::new(joules);
                let before = if earlier > Joules::ZERO {
                    format!(" since it was resumed, {earlier} of it before")
                } else {
                    String::new()
                };
                let line = format!(
                    "the budget of {budget} of '{name}' is spent: {joules} in {seconds:.3} s{before}"
                );
                // An output that is closed is no error of the program's.
                let _ = writeln!(io::stderr(), "ergometer: {}", printable::line(&line));
                warnings.push(line);
            }
            false
        });
        next
    }

    /// What has to be known of those that were not told one by one.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.spent.iter().filter(|(_, times)| **times > TOLD).map(|(name, times)| {
            format!("the budget of '{name}' was spent by {times} spans, of which the first {TOLD} are told")
        })
    }
}
