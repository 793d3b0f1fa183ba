//! Budgets of the run and of its spans.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};

use super::callbacks::{Callback, Callbacks};
use crate::budget::{Budget, Spent};
use crate::clock::Timestamp;
use crate::footprint::Site;
use crate::printable;
use crate::record::resume::Earlier;
use crate::span::Kind;
use crate::span::mark::Mark;
use crate::span::word::Began;
use crate::units::Joules;

/// Budgets of spans that are watched at once. Each is looked at in every round; a run has a few.
const MOST_OPEN: usize = 1024;

/// Spans of one name whose spent budgets are reported one by one.
const REPORTED: u64 = 16;

/// A budget of the run, and what is to happen when it is used up.
pub(super) struct RunBudget {
    pub budget: Budget,
    /// The energy that uses it up.
    pub energy: Joules,
    pub spent: Callback,
}

impl fmt::Debug for RunBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunBudget").field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// The budgets that are not spent, and how often spans of a name have spent theirs.
#[derive(Default)]
pub(super) struct Budgets {
    open: Vec<Open>,
    spent: BTreeMap<&'static str, u64>,
    /// Spans that ended and when: the word of their budget takes another way, and may come later.
    ended: Vec<(u64, Timestamp)>,
    /// When the run began.
    start: Timestamp,
    /// What the run came to before its interruptions.
    earlier: Earlier,
    /// Whether a span counts that already.
    is_counted: bool,
}

/// A budget that is watched.
struct Open {
    budget: Budget,
    /// The energy that uses it up.
    energy: Joules,
    /// From when on energy counts.
    start: Timestamp,
    /// When its span ended, if it has.
    end: Option<Timestamp>,
    /// What was drawn before the run was resumed, and counts.
    earlier: Joules,
    of: Of,
}

/// What has the budget.
enum Of {
    /// The run, and whom to tell.
    Run(Callback),
    Span(Began),
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

/// The state of a budget.
enum State {
    /// Not spent; it will be at this moment, as power is.
    Open(Option<Timestamp>),
    /// Its span has ended within it.
    Kept,
    /// By these joules in these seconds.
    Spent(Joules, f64),
}

impl Known<'_> {
    /// Of an open span, as of the run, what was not read yet goes on at the last second's power. A span that has
    /// ended is judged by what was read.
    fn state(&self, open: &Open) -> State {
        let Self { now, settled, power, drawn } = *self;
        if open.end.is_some_and(|end| end > settled) {
            return State::Open(None);
        }
        let to = open.end.unwrap_or(now);
        let read = settled.min(to).max(open.start);
        let joules =
            open.earlier.get() + drawn(open.start, read) + power * to.since(read).as_secs_f64();
        let left = open.energy.get() - joules;
        if left <= 0.0 {
            State::Spent(Joules::new(joules), to.since(open.start).as_secs_f64())
        } else if open.end.is_some() {
            State::Kept
        } else {
            let at = || Timestamp::from_secs_f64(now.as_secs_f64() + left / power);
            State::Open((power > 0.0).then(at))
        }
    }
}

impl Budgets {
    /// The run began at `start`, and came to `earlier` before its interruptions.
    ///
    /// That counts in every budget of the run, and in that of the first span of kind `run` which has one: that span is
    /// the run. What a phase or a function drew before is not known.
    pub(super) fn begin_run(&mut self, start: Timestamp, earlier: Earlier) {
        (self.start, self.earlier) = (start, earlier);
    }

    /// The run has a budget.
    pub(super) fn watch(&mut self, run: RunBudget) {
        let RunBudget { budget, energy, spent } = run;
        let (start, earlier) = (self.start, self.earlier.energy);
        self.open.push(Open { budget, energy, start, end: None, earlier, of: Of::Run(spent) });
    }

    /// A span has a budget at `site`, or a text that should be one; those that cannot be kept are reported in `warnings`.
    pub(super) fn begin(
        &mut self,
        began: Began,
        budget: Result<Budget, &'static str>,
        site: Option<&Site>,
        warnings: &mut Vec<String>,
    ) {
        let checked = budget
            .map_err(str::to_owned)
            .and_then(|budget| Ok((budget, self.check(began, budget, site)?)));
        match checked {
            Ok((budget, energy)) => {
                let end = self.ended.iter().find(|(span, _)| *span == began.span);
                let end = end.map(|(_, end)| *end);
                let is_run = began.label.kind == Kind::Run && !self.is_counted;
                self.is_counted |= is_run;
                let earlier = if is_run { self.earlier.energy } else { Joules::ZERO };
                let start = began.start;
                self.open.push(Open { budget, energy, start, end, earlier, of: Of::Span(began) });
            }
            Err(why) => {
                let line = format!("the budget of '{}' is not kept: {why}", began.label.name);
                if !warnings.contains(&line) {
                    warnings.push(line);
                }
            }
        }
    }

    /// The energy that uses a span's budget up, or why it cannot be kept.
    fn check(&self, began: Began, budget: Budget, site: Option<&Site>) -> Result<Joules, String> {
        if began.label.kind == Kind::Step {
            return Err("steps have none; give the run one".to_owned());
        }
        if self.spans().count() >= MOST_OPEN {
            return Err(format!("{MOST_OPEN} budgets are watched already"));
        }
        let site = site.ok_or("nothing is metered")?;
        budget.energy(site).map_err(|error| error.to_string())
    }

    fn spans(&self) -> impl Iterator<Item = &Open> {
        self.open.iter().filter(|open| matches!(open.of, Of::Span(_)))
    }

    /// These spans are over.
    pub(super) fn end(&mut self, marks: &[Mark]) {
        for mark in marks.iter().filter(|mark| mark.label.kind != Kind::Step) {
            self.ended.push((mark.id, mark.end));
            for open in &mut self.open {
                if matches!(open.of, Of::Span(began) if began.span == mark.id) {
                    open.end = Some(mark.end);
                }
            }
        }
    }

    /// No word is on its way of a span that has ended.
    pub(super) fn heard_all(&mut self) {
        self.ended.clear();
    }

    /// The run ends: from now on no spent budget is reported to the program.
    pub(super) fn end_run(&mut self) {
        self.open.retain(|open| matches!(open.of, Of::Span(_)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Moments from which on energies will be asked for.
    pub(super) fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.open.iter().map(|open| open.start)
    }

    /// Reports each budget that is spent, once, and forgets the spans that ended within theirs. Returns the moment at
    /// which the next will be spent, as power is.
    ///
    /// What the run drew before its interruptions is enough to use a budget up before anything was read.
    pub(super) fn look(
        &mut self,
        known: &Known<'_>,
        callbacks: &Callbacks,
        warnings: &mut Vec<String>,
    ) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        let over = self.open.extract_if(.., |open| match known.state(open) {
            State::Open(at) => {
                next = next.into_iter().chain(at).min();
                false
            }
            State::Kept | State::Spent(..) => true,
        });
        for open in over.collect::<Vec<_>>() {
            let State::Spent(joules, seconds) = known.state(&open) else { continue };
            match open.of {
                Of::Run(callback) => {
                    let seconds = self.earlier.seconds + seconds;
                    let spent = Spent {
                        budget: open.budget,
                        energy: joules,
                        seconds,
                        earlier: open.earlier,
                    };
                    warnings.push(spent.to_string());
                    if self.earlier.unread > 0 {
                        warnings.push(format!(
                            "in {} before the run was resumed nothing could be read: the budget of {} does not \
                             count what was drawn then",
                            printable::counted(self.earlier.unread, "part"),
                            open.budget
                        ));
                    }
                    callbacks.call(callback, spent);
                }
                Of::Span(began) => {
                    warnings.extend(self.report(
                        began,
                        &open.budget,
                        open.earlier,
                        joules,
                        seconds,
                    ));
                }
            }
        }
        next
    }

    /// Reports on the standard error output that a span has spent its budget, and returns the line; beyond some of a
    /// name they are only counted.
    fn report(
        &mut self,
        began: Began,
        budget: &Budget,
        earlier: Joules,
        joules: Joules,
        seconds: f64,
    ) -> Option<String> {
        let name = began.label.name;
        let times = self.spent.entry(name).or_default();
        *times += 1;
        if *times > REPORTED {
            return None;
        }
        let before = if earlier > Joules::ZERO {
            format!(" since it was resumed, {earlier} of it before")
        } else {
            String::new()
        };
        let line = format!(
            "the budget of {budget} of '{name}' is spent: {joules} in {seconds:.3} s{before}"
        );
        // A closed output is not an error of the program.
        let _ = writeln!(io::stderr(), "ergometer: {}", printable::line(&line));
        Some(line)
    }

    /// What has to be known of those that were not reported one by one.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.spent.iter().filter(|(_, times)| **times > REPORTED).map(|(name, times)| {
            format!(
                "the budget of '{name}' was spent by {times} spans, of which the first {REPORTED} are reported"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::units::KilowattHours;

    /// The run's start.
    const START: f64 = 100.0;

    /// Looks `seconds` after the run's start: `joules` were drawn by `read` seconds, and power is 100 W.
    fn look(
        budgets: &mut Budgets,
        (joules, read): (f64, f64),
        seconds: f64,
        callbacks: &Callbacks,
        warnings: &mut Vec<String>,
    ) -> Option<f64> {
        let at = |seconds: f64| Timestamp::from_secs_f64(START + seconds);
        let drawn = |_, _| joules;
        let power = if joules > 0.0 { 100.0 } else { 0.0 };
        let known = Known { now: at(seconds), settled: at(read), power, drawn: &drawn };
        budgets.look(&known, callbacks, warnings).map(Timestamp::as_secs_f64)
    }

    fn run(earlier: Earlier) -> Budgets {
        let mut budgets = Budgets::default();
        budgets.begin_run(Timestamp::from_secs_f64(START), earlier);
        budgets
    }

    #[test]
    fn a_budget_is_spent_once_and_foreseen() {
        let (tell, told) = mpsc::channel();
        let budget = Budget::Energy(KilowattHours::new(1000.0 / 3.6e6));
        let energy = Joules::new(1000.0);
        let spent = Box::new(move |spent| tell.send(spent).unwrap());
        let panics = Box::new(|_| panic!("the program's mistake"));
        let mut budgets = run(Earlier::default());
        budgets.watch(RunBudget { budget, energy, spent });
        budgets.watch(RunBudget { budget, energy, spent: panics });
        let mut warnings = Vec::new();
        let callbacks = Callbacks::default();
        let mut look = |joules, read, seconds: f64| {
            look(&mut budgets, (joules, read), seconds, &callbacks, &mut warnings)
        };
        // 800 J half a second ago: 850 J now, 1000 J in 1.5 s.
        let next = look(800.0, 8.0, 8.5).unwrap();
        assert!((next - 110.0).abs() < 1e-6, "{next}");
        assert!(told.try_recv().is_err());
        assert_eq!(look(970.0, 9.7, 10.0), None);
        let spent = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!((spent.energy.get() - 1000.0).abs() < 1e-9, "{spent:?}");
        assert_eq!(look(2000.0, 20.0, 20.0), None);
        assert!(told.recv().is_err(), "once, and then it is dropped");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        let begin = Instant::now();
        while !callbacks.warnings().iter().any(|line| line.contains("panicked")) {
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
    }

    #[test]
    fn a_resumed_run_has_one_budget_with_the_parts_before() {
        let (tell, told) = mpsc::channel();
        let watch = |joules: f64| {
            let tell = tell.clone();
            let energy = Joules::new(joules);
            let budget = Budget::Energy(energy.to_kwh());
            RunBudget { budget, energy, spent: Box::new(move |spent| tell.send(spent).unwrap()) }
        };
        let mut budgets = run(Earlier {
            parts: 3,
            seconds: 9.0,
            energy: Joules::new(600.0),
            unread: 1,
            ..Earlier::default()
        });
        budgets.watch(watch(1000.0));
        budgets.watch(watch(500.0));
        let callbacks = Callbacks::default();
        let mut warnings = Vec::new();
        let mut look = |joules, seconds: f64| {
            look(&mut budgets, (joules, seconds), seconds, &callbacks, &mut warnings)
        };
        // 600 J of 500 J were spent before anything was read.
        assert_eq!(look(0.0, 0.1), None);
        let spent = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!((spent.energy, spent.earlier), (Joules::new(600.0), Joules::new(600.0)));
        assert!(told.try_recv().is_err(), "400 J of the other are left");
        // 600 + 300 J at 100 W: the rest lasts a second.
        let next = look(300.0, 3.0).unwrap();
        assert!((next - 104.0).abs() < 1e-6, "{next}");
        look(401.0, 4.0);
        let spent = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!((spent.energy.get() - 1001.0).abs() < 1e-9, "{spent:?}");
        assert!((spent.seconds - 13.0).abs() < 1e-9, "{spent:?}");
        assert!(spent.to_string().contains("before the run was resumed"), "{spent}");
        assert!(warnings.iter().any(|line| line.contains("nothing could be read")), "{warnings:?}");
    }
}
