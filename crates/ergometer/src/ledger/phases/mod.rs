//! The power of phases: what spans shorter than a sensor's period draw.
//!
//! A counter says what each *cell* between two of its updates drew, and marks say how many seconds of it belong
//! to each label. Over many cells that is an overdetermined system for the labels' powers (`regression`). They
//! say how power ran within a cell, and by how much the sums over all spans of a label are off (`sums`).
//!
//! ```text
//!  readings ─► cells, samples ─┐
//!                              ├─► equations ─► powers ─► shape of the next cells (timeline)
//!  marks ────► labels ─────────┘                     └──► corrections of sums (ledger)
//! ```

mod labels;
mod lag;
mod regression;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use labels::{LABELS, Labels, Seconds};
use regression::{Class, Equation, Powers, Regression};
use sums::Sums;

use crate::clock::Timestamp;
use crate::ledger::phase_sums::{DomainSums, PhaseSums};
use crate::span::mark::Mark;
use crate::timeline::{Interval, Timeline};

/// Seconds of equations that are solved together before they are only remembered.
const STRETCH: f64 = 20.0;

/// Seconds between two solutions.
const SOLVED_EVERY: f64 = 2.0;

/// Equations that end a stretch early.
const MOST_EQUATIONS: usize = 2048;

/// Pieces of one label each that end a stretch early.
const MOST_PIECES: usize = 16_384;

/// Intervals that wait for their labels.
const MOST_WAITING: usize = 4096;

/// Seconds for which a cell waits for its labels before it takes its shape from its neighbours.
const WAIT: f64 = 2.0;

/// Seconds for which labels are kept at most for a cell that is not in the sums yet.
const LONGEST: f64 = 60.0;

/// Cells from which powers may shape others.
const ENOUGH: usize = 40;

/// Labels explain power if this share of what the neighbours of a cell leave unexplained is more than what
/// they do, as variances.
const EXPLAINED: f64 = 0.25;

/// What is known of the phases of one domain.
#[derive(Clone, Debug, Default)]
struct Domain {
    waiting: VecDeque<Interval>,
    equations: Vec<Equation>,
    regression: Regression,
    powers: Option<Powers>,
    sums: Sums,
    /// Seconds by which power comes after the marks, where that is certain.
    lag: f64,
}

/// The powers of the program's phases.
#[derive(Clone, Debug)]
pub(crate) struct Phases {
    labels: Labels,
    domains: Vec<Domain>,
    /// Where the stretch began that is being solved.
    from: Option<f64>,
    solved: f64,
    news: bool,
}

impl Phases {
    pub(crate) fn new(domains: usize) -> Self {
        Self {
            labels: Labels::default(),
            domains: vec![Domain::default(); domains],
            from: None,
            solved: f64::NEG_INFINITY,
            news: false,
        }
    }

    /// A run or an epoch began.
    pub(crate) fn begun(&mut self, mark: &Mark) {
        self.labels.begun(mark);
    }

    /// Takes in the marks that were left since the last call, up to `now`, and what `timelines` were read
    /// meanwhile; shapes the cells whose labels are known. Without marks it is not known what went on.
    pub(crate) fn advance(
        &mut self,
        marks: Option<&[Mark]>,
        timelines: &mut [Timeline],
        now: Timestamp,
    ) {
        match marks {
            Some(marks) => self.labels.take(marks, now),
            None => self.labels.lose(now),
        }
        for (domain, line) in self.domains.iter_mut().zip(&mut *timelines) {
            domain.collect(line, &self.labels);
        }
        let t = now.as_secs_f64();
        if self.from.is_none() {
            self.from = self.labels.known_from();
        }
        if t - self.solved >= SOLVED_EVERY {
            self.solved = t;
            for (domain, line) in self.domains.iter_mut().zip(&*timelines) {
                domain.solve(line);
            }
            self.news = self.domains.iter().any(|domain| domain.powers.is_some());
        }
        for (domain, line) in self.domains.iter().zip(timelines) {
            domain.shape(line, &self.labels, t);
        }
    }

    /// Ends a stretch of time once it is long enough and `timelines` have settled past it.
    pub(crate) fn look_back(&mut self, timelines: &[Timeline]) {
        let (Some(from), Some(to)) = (self.from, self.labels.known_to()) else { return };
        let settled = timelines.iter().filter_map(Timeline::reach).map(Timestamp::as_secs_f64);
        let to = settled.fold(to, f64::min);
        let many = self.domains.iter().any(|domain| domain.equations.len() > MOST_EQUATIONS);
        if to - from < STRETCH && !many && self.labels.len() <= MOST_PIECES || to <= from {
            return;
        }
        for (domain, line) in self.domains.iter_mut().zip(timelines) {
            domain.end_stretch(line, &self.labels);
        }
        // What is not in the sums yet needs its labels still.
        let open = self.domains.iter().filter_map(Domain::open_from);
        self.labels.forget(open.fold(to - WAIT, f64::min).max(to - LONGEST));
        self.from = Some(to);
    }

    /// By how much power comes after the marks in a domain, seconds, where that is certain.
    pub(crate) fn lag(&self, domain: usize) -> Option<f64> {
        self.domains.get(domain).map(|domain| domain.lag).filter(|lag| *lag != 0.0)
    }

    /// The corrections as they stand, if they changed since this was asked last.
    pub(crate) fn news(&mut self, timelines: &[Timeline]) -> Option<PhaseSums> {
        std::mem::take(&mut self.news).then(|| self.sums(timelines))
    }

    /// The corrections as they stand.
    pub(crate) fn sums(&self, timelines: &[Timeline]) -> PhaseSums {
        let sums = self.domains.iter().zip(timelines).map(|(domain, line)| {
            let mut sums = domain.sums.clone();
            domain.add_stretch(&mut sums, line, &self.labels);
            let paths = self.labels.paths().len();
            DomainSums {
                joules: sums.joules[..paths].to_vec(),
                seconds: sums.seconds[..paths].to_vec(),
                covariance: (0..paths)
                    .map(|l| (0..paths).map(|m| sums.covariance(l, m)).collect())
                    .collect(),
            }
        });
        PhaseSums { domains: sums.collect(), paths: self.labels.paths().to_vec() }
    }
}

impl Domain {
    /// Takes in what was read, as far as its labels are known.
    fn collect(&mut self, line: &mut Timeline, labels: &Labels) {
        self.waiting.extend(line.take_intervals());
        let Some(known) = labels.known_to() else {
            self.waiting.clear();
            return;
        };
        self.waiting.make_contiguous().sort_by(|a, b| a.to.total_cmp(&b.to));
        while self.waiting.len() > MOST_WAITING
            || self.waiting.front().is_some_and(|interval| interval.to - self.lag <= known)
        {
            let Some(interval) = self.waiting.pop_front() else { break };
            self.equations.extend(equation(&interval, labels, self.lag));
        }
    }

    fn solve(&mut self, line: &Timeline) {
        if let Some(powers) = self.regression.solve(&self.equations, line.is_counted()) {
            self.powers = Some(powers);
        }
    }

    /// Whether labels tell more of the power within a cell than its neighbours do.
    fn explains(powers: &Powers) -> bool {
        powers.cells >= ENOUGH && powers.residual < EXPLAINED * powers.bend
    }

    /// Shapes the cells of `line` whose labels are known, and those that have waited for them long enough.
    fn shape(&self, line: &mut Timeline, labels: &Labels, now: f64) {
        let powers = self.powers.as_ref().filter(|powers| Self::explains(powers));
        let (Some(powers), Some(known)) = (powers, labels.known_to()) else {
            line.shape_freely();
            return;
        };
        let spread = 1.5 * powers.residual.sqrt();
        let lag = self.lag;
        line.shape_by((known + lag).max(now - WAIT), |from, to| {
            let stretches = labels.stretches(from - lag, to - lag)?;
            let piece = |(from, to, label): (f64, f64, labels::Index)| {
                (from + lag, to + lag, powers.watts[usize::from(label)])
            };
            Some((stretches.map(piece).collect(), spread))
        });
    }

    /// Adds the corrections of the stretch that is being solved to `sums`.
    fn add_stretch(&self, sums: &mut Sums, line: &Timeline, labels: &Labels) {
        let (Some(powers), Some(settled)) = (&self.powers, line.reach()) else { return };
        let settled = settled.as_secs_f64();
        let cells = self.equations.iter().filter(|cell| cell.class == Class::Cell);
        let (mut curve, mut late): (Seconds, Seconds) = ([0.0; LABELS], [0.0; LABELS]);
        let mut known = Vec::new();
        for cell in cells.filter(|cell| cell.to <= settled) {
            // Where its labels are not known any more, there is nothing to hold the powers against.
            let Some(stretches) = labels.stretches(cell.from, cell.to) else { continue };
            for (from, to, label) in stretches {
                curve[usize::from(label)] += line.joules(from, to);
                late[usize::from(label)] +=
                    powers.late(labels, (from, to), label, line.delay()).unwrap_or(0.0);
            }
            known.push(*cell);
        }
        sums.add(&known, line.is_unbroken(), powers, (&curve, &late));
    }

    /// Where the first begins of what was read and is not in the sums.
    fn open_from(&self) -> Option<f64> {
        let waiting = self.waiting.iter().map(|interval| interval.from - self.lag.max(0.0));
        let unsettled = self.equations.iter().map(|equation| equation.from - self.lag.max(0.0));
        waiting.chain(unsettled).reduce(f64::min)
    }

    fn end_stretch(&mut self, line: &Timeline, labels: &Labels) {
        self.solve(line);
        let noise = self.powers.as_ref().map(|powers| powers.noise);
        if let Some(lag) =
            noise.and_then(|noise| lag::find(&self.equations, labels, &noise, self.lag))
        {
            self.lag = lag;
            self.equations = lag::relabelled(&self.equations, labels, lag);
            // What was learnt so far took other moments for those of the labels.
            self.regression = Regression::default();
            self.solve(line);
        }
        let mut sums = std::mem::take(&mut self.sums);
        self.add_stretch(&mut sums, line, labels);
        self.sums = sums;
        // What has not settled belongs to the next.
        let settled = line.reach().map_or(f64::NEG_INFINITY, Timestamp::as_secs_f64);
        let (now, later) = self.equations.iter().partition::<Vec<Equation>, _>(|e| e.to <= settled);
        self.regression.remember(&now, line.is_counted());
        self.equations = later;
    }
}

impl Powers {
    /// Joules that a sensor shows too much between two moments under `label`, if it shows what was drawn `delay` seconds
    /// before.
    fn late(
        &self,
        labels: &Labels,
        (from, to): (f64, f64),
        label: labels::Index,
        delay: f64,
    ) -> Option<f64> {
        let watts = |label: labels::Index| self.watts[usize::from(label)];
        let before = labels.stretches(from - delay, to - delay)?;
        let shown: f64 = before.map(|(from, to, label)| (to - from) * watts(label)).sum();
        Some(shown - (to - from) * watts(label))
    }
}

fn equation(interval: &Interval, labels: &Labels, lag: f64) -> Option<Equation> {
    let &Interval { from, to, joules, sample, more_than, within } = interval;
    let class = if sample { Class::Sample } else { Class::Cell };
    let misplaced = within * within / 3.0;
    let (seconds, moved) = ([0.0; LABELS], [(None, None); 2]);
    let plain = Equation { from, to, joules, class, seconds, more_than, moved, misplaced };
    lag::relabel(&plain, labels, lag)
}
