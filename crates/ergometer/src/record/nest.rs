//! The record of a run, and those of the programs inside it that metered themselves → one record with both.
//!
//! ```text
//! records of programs ──► ranks merged ──► windows in the run ──► what the run drew in each ─┐
//!                                                                                            ├─► record
//! record of the run ─────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! * **The energy is that of the run.** Its power over time says what each domain drew while a program's meter ran.
//!   Where several programs ran at once, each moment is divided equally among them, so that nothing counts twice.
//! * **A program's record says how that divides** among its epochs, steps and spans, in every domain that both
//!   metered. Its figures are scaled to what the run drew.
//! * **A domain that only the run metered** (a sensor that the program may not read) is divided by the run's own
//!   power over time among epochs, and by time inside them, with the uncertainty of that.
//! * **One program** keeps the names of its epochs and steps. Of several, each name has the program's behind it.

mod domains;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::energy::{Energy, Usage};
use crate::record::power::{LongSpan, MOST_SPANS, longest};
use crate::record::{Epoch, MoreEpochs, NamedSteps, Program, Record, SpanNode, Steps};
use crate::span::Kind;
use crate::units::Joules;
use domains::{Shares, Windows};

impl Record {
    /// This run with the epochs, steps and spans of the programs inside it, whose records are `programs`.
    ///
    /// `ergometer run` meters a program and its children; what these mark with this library is in their own records.
    /// The result is one record: time, energy and footprint are those of this run, and everything below is the
    /// programs'. No energy counts twice. Ranks of one run are [merged](Record::merge) first. Records of other
    /// machines are left out, with a warning. Forecasts and [earlier parts](Record::earlier) of a program stay in
    /// its own record.
    ///
    /// ```
    /// use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
    ///
    /// let meter = || Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start();
    /// let (run, program) = (meter()?, meter()?);
    /// drop(program.span(Kind::Step));
    /// let program = program.finish()?;
    /// let record = run.finish()?.nest([program]);
    /// assert_eq!(record.steps["run"].count, 1);
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    #[must_use]
    pub fn nest(mut self, programs: impl IntoIterator<Item = Self>) -> Self {
        let records = self.on_this_machine(programs);
        let (records, warnings) = of_programs(records);
        self.warnings.extend(warnings);
        let inside = self.windows(records);
        let windows = Windows::of(inside.iter().map(|one| (one.start, one.end)));
        let shares: Vec<_> = inside.iter().map(|one| Shares::new(&self, one, &windows)).collect();
        let alone = inside.len() == 1;
        let added: Vec<_> = inside
            .iter()
            .zip(&shares)
            .map(|(one, shares)| Nested { inside: one, shares, alone }.figures())
            .collect();
        for (one, figures) in inside.into_iter().zip(added) {
            self.add(one, figures);
        }
        self.epochs.sort_by(|a, b| end(a).total_cmp(&end(b)));
        if let Some(power) = &mut self.power {
            longest(&mut power.spans, MOST_SPANS);
        }
        self
    }

    /// The records that this machine's energy can be divided among.
    fn on_this_machine(&mut self, programs: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let here = self.machine.machine_id.clone();
        let (near, far): (Vec<_>, Vec<_>) = programs.into_iter().partition(|record| {
            let there = &record.machine.machine_id;
            here.is_none() || there.is_none() || *there == here
        });
        self.warnings.extend(far.into_iter().map(|record| {
            let host = record.machine.host.unwrap_or_else(|| "another machine".to_owned());
            format!(
                "{} ran on {host}, which this run did not meter: it is not included",
                record.run.label
            )
        }));
        near
    }

    /// Each program with its time in this run, in the order of their starts.
    fn windows(&self, records: Vec<Self>) -> Vec<Inside> {
        let began = self.run.started.parse::<jiff::Timestamp>().ok();
        let mut inside: Vec<Inside> = records
            .into_iter()
            .map(|record| {
                let start = record.run.started.parse::<jiff::Timestamp>().ok();
                let start = began
                    .zip(start)
                    .map_or(0.0, |(began, start)| start.duration_since(began).as_secs_f64());
                let start = start.clamp(0.0, self.run.seconds);
                let end = (start + record.run.seconds).min(self.run.seconds);
                Inside { name: record.run.label.clone(), record, start, end }
            })
            .collect();
        inside.sort_by(|a, b| a.start.total_cmp(&b.start));
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for one in &mut inside {
            let count = seen.entry(one.name.clone()).or_default();
            *count += 1;
            if *count > 1 {
                one.name = format!("{} #{count}", one.name);
            }
        }
        inside
    }

    fn add(&mut self, inside: Inside, figures: Figures) {
        let Inside { record, name, start, end } = inside;
        let Figures { drawn, epochs, more_epochs, steps, steps_by_name, span } = figures;
        let in_epochs = epochs.iter().map(|epoch| &epoch.usage);
        for usage in in_epochs.chain(more_epochs.values().map(|more| &more.usage)) {
            for (outside, energy) in self.outside_epochs.iter_mut().zip(&usage.by_domain) {
                let joules = energy.map_or(0.0, |energy| energy.joules.get());
                *outside = Joules::new((outside.get() - joules).max(0.0));
            }
        }
        self.epochs.extend(epochs);
        self.more_epochs.extend(more_epochs);
        self.steps.extend(steps);
        self.steps_by_name.extend(steps_by_name);
        self.spans.push(span);
        if let Some(power) = &mut self.power {
            let own = record.power.iter().flat_map(|power| power.spans.clone());
            let own = own.map(|span| LongSpan { start_s: span.start_s + start, ..span });
            power.spans.extend(own);
            let (kind, name) = (Kind::Run, name.clone());
            power.spans.push(LongSpan { kind, name, start_s: start, seconds: end - start });
        }
        add_values(&mut self.results, record.results, &name);
        add_values(&mut self.facts, record.facts, &name);
        let mut warnings = record.warnings;
        warnings.retain(|line| !self.warnings.contains(line));
        if !record.run.finished {
            warnings.push(
                "did not finish its run: what it marked in its last second may be missing"
                    .to_owned(),
            );
        }
        if !record.earlier.is_empty() {
            warnings
                .push("went on with an earlier run, whose parts are in its own record".to_owned());
        }
        self.warnings.extend(warnings.into_iter().map(|line| format!("{name}: {line}")));
        let was_read = self.total.energy.is_some();
        self.programs.push(Program {
            run_id: record.run.id,
            ranks: record.ranks.into_iter().map(|rank| rank.run_id).collect(),
            name,
            command: record.run.command,
            start_s: start,
            seconds: record.run.seconds,
            joules: was_read.then(|| drawn.into_iter().map(Joules::new).sum()),
            finished: record.run.finished,
        });
        // A program may have been such a run itself.
        let deeper = record.programs.into_iter();
        let deeper = deeper.map(|program| Program { start_s: program.start_s + start, ..program });
        self.programs.extend(deeper);
    }
}

fn end(epoch: &Epoch) -> f64 {
    epoch.start_s + epoch.usage.seconds
}

/// The values of a name that is taken are added as `name@program`.
fn add_values<T: PartialEq>(
    all: &mut BTreeMap<String, T>,
    more: BTreeMap<String, T>,
    program: &str,
) {
    for (name, value) in more {
        match all.get(&name) {
            None => drop(all.insert(name, value)),
            Some(known) if *known == value => {}
            Some(_) => drop(all.insert(format!("{name}@{program}"), value)),
        }
    }
}

/// A record for each program: the ranks of one run are merged, where they can be.
fn of_programs(records: Vec<Record>) -> (Vec<Record>, Vec<String>) {
    type Run = (Option<String>, String, u32);
    let (mut single, mut runs) = (Vec::new(), BTreeMap::<Run, Vec<Record>>::new());
    for record in records {
        match &record.run.rank {
            Some(rank) if rank.world_size > 1 => {
                let run = (record.run.group.clone(), record.run.label.clone(), rank.world_size);
                runs.entry(run).or_default().push(record);
            }
            _ => single.push(record),
        }
    }
    let mut warnings = Vec::new();
    for ranks in runs.into_values() {
        match Record::merge(ranks.iter().cloned()) {
            Ok(merged) => single.push(merged),
            Err(error) => {
                warnings.push(format!(
                    "the ranks are shown one by one, as they cannot be merged: {error}"
                ));
                single.extend(ranks);
            }
        }
    }
    (single, warnings)
}

/// A program and its time in the run, seconds from the run's start.
struct Inside {
    record: Record,
    name: String,
    start: f64,
    end: f64,
}

/// What a program adds to the record of the run.
struct Figures {
    /// What the run drew in the program's time, joules by domain.
    drawn: Vec<f64>,
    epochs: Vec<Epoch>,
    more_epochs: BTreeMap<String, MoreEpochs>,
    steps: BTreeMap<String, Steps>,
    steps_by_name: BTreeMap<String, Vec<NamedSteps>>,
    span: SpanNode,
}

/// A program's figures on their way to the domains of the run.
struct Nested<'a> {
    inside: &'a Inside,
    shares: &'a Shares<'a>,
    /// No other program is in the run.
    alone: bool,
}

impl Nested<'_> {
    fn named(&self, name: &str) -> String {
        if self.alone { name.to_owned() } else { format!("{name} ({})", self.inside.name) }
    }

    fn figures(&self) -> Figures {
        let record = &self.inside.record;
        let joules = self.shares.epochs(&record.epochs);
        let rows = record.epochs.iter().zip(&joules);
        let epochs: Vec<Epoch> = rows.map(|(epoch, joules)| self.epoch(epoch, joules)).collect();
        let left = self.left(&epochs);
        let more_epochs: BTreeMap<_, _> = record
            .more_epochs
            .iter()
            .map(|(split, more)| (self.named(split), self.more(more, &left)))
            .collect();
        let mut steps = BTreeMap::new();
        let mut steps_by_name = BTreeMap::new();
        for (split, all) in &record.steps {
            // Those of each rank are in the sum over ranks.
            if record.is_of_one_rank(split) {
                continue;
            }
            let name = self.named(split);
            let of_split = epochs.iter().filter(|epoch| epoch.split == name);
            let of_split = of_split.filter_map(|epoch| epoch.steps.as_ref());
            let of_more = more_epochs.get(&name).and_then(|more| more.steps.as_ref());
            let mut unmetered = vec![0.0; self.shares.len()];
            let mut any = false;
            for steps in of_split.chain(of_more) {
                any = true;
                unmetered.iter_mut().zip(&steps.by_domain).for_each(|(sum, one)| *sum += one.get());
            }
            if !any {
                unmetered =
                    left.joules.iter().map(|joules| joules * left.share(all.seconds)).collect();
            }
            let all_steps = self.shares.steps(all, &unmetered);
            if let Some(rows) = record.steps_by_name.get(split) {
                steps_by_name.insert(name.clone(), self.by_name(rows, all, &all_steps));
            }
            steps.insert(name, all_steps);
        }
        let span = self.span(&epochs, &more_epochs);
        Figures {
            drawn: self.shares.drawn.clone(),
            epochs,
            more_epochs,
            steps,
            steps_by_name,
            span,
        }
    }

    fn epoch(&self, epoch: &Epoch, unmetered: &[f64]) -> Epoch {
        let usage = self.shares.usage(&epoch.usage, unmetered, self.inside.start + epoch.start_s);
        let (steps, steps_by_name, between_steps) = self.inner_steps(
            (&usage, epoch.usage.seconds),
            (epoch.steps.as_ref(), &epoch.steps_by_name, &epoch.between_steps),
        );
        Epoch {
            split: self.named(&epoch.split),
            index: epoch.index,
            start_s: self.inside.start + epoch.start_s,
            usage,
            steps,
            steps_by_name,
            between_steps,
        }
    }

    /// Epochs without rows: where they lie in the run is not known.
    fn more(&self, more: &MoreEpochs, left: &Left) -> MoreEpochs {
        let share = left.share(more.usage.seconds);
        let unmetered: Vec<f64> = left.joules.iter().map(|joules| joules * share).collect();
        let usage = self.shares.usage(&more.usage, &unmetered, self.inside.start);
        let (steps, steps_by_name, between_steps) = self.inner_steps(
            (&usage, more.usage.seconds),
            (more.steps.as_ref(), &more.steps_by_name, &more.between_steps),
        );
        MoreEpochs { count: more.count, usage, steps, steps_by_name, between_steps }
    }

    /// The steps of epochs with this `usage`, and what lies between them.
    fn inner_steps(
        &self,
        (usage, seconds): (&Usage, f64),
        (steps, named, between): (Option<&Steps>, &[NamedSteps], &[Joules]),
    ) -> (Option<Steps>, Vec<NamedSteps>, Vec<Joules>) {
        let whole: Vec<f64> =
            usage.by_domain.iter().map(|one| one.map_or(0.0, |one| one.joules.get())).collect();
        let scaled = steps.map(|steps| {
            let share = share(steps.seconds, seconds);
            let unmetered: Vec<f64> = whole.iter().map(|joules| joules * share).collect();
            self.shares.steps(steps, &unmetered)
        });
        let by_name =
            steps.zip(scaled.as_ref()).map(|(all, scaled)| self.by_name(named, all, scaled));
        let in_steps =
            |domain: usize| scaled.as_ref().map_or(0.0, |one| one.by_domain[domain].get());
        let rest: Vec<f64> =
            whole.iter().enumerate().map(|(at, joules)| (joules - in_steps(at)).max(0.0)).collect();
        let between = self.shares.joules(between, &rest);
        (scaled, by_name.unwrap_or_default(), between)
    }

    fn by_name(&self, rows: &[NamedSteps], all: &Steps, scaled: &Steps) -> Vec<NamedSteps> {
        let row = |row: &NamedSteps| {
            let share = share(row.steps.seconds, all.seconds);
            let unmetered: Vec<f64> =
                scaled.by_domain.iter().map(|one| one.get() * share).collect();
            NamedSteps { steps: self.shares.steps(&row.steps, &unmetered), ..row.clone() }
        };
        rows.iter().map(row).collect()
    }

    /// What the epochs with rows leave of the program's time and energy.
    fn left(&self, epochs: &[Epoch]) -> Left {
        let mut left =
            Left { joules: self.shares.drawn.clone(), seconds: self.inside.record.run.seconds };
        for epoch in epochs {
            left.seconds -= epoch.usage.seconds;
            for (joules, energy) in left.joules.iter_mut().zip(&epoch.usage.by_domain) {
                *joules = (*joules - energy.map_or(0.0, |energy| energy.joules.get())).max(0.0);
            }
        }
        left
    }

    /// The program as a span, with its own inside.
    fn span(&self, epochs: &[Epoch], more: &BTreeMap<String, MoreEpochs>) -> SpanNode {
        let record = &self.inside.record;
        let mut of_splits: BTreeMap<String, (f64, Vec<f64>)> = BTreeMap::new();
        let rows = epochs.iter().map(|epoch| (&epoch.split, &epoch.usage));
        for (split, usage) in rows.chain(more.iter().map(|(split, more)| (split, &more.usage))) {
            let (seconds, joules) = of_splits.entry(split.clone()).or_default();
            *seconds += usage.seconds;
            joules.resize(self.shares.len(), 0.0);
            for (sum, energy) in joules.iter_mut().zip(&usage.by_domain) {
                *sum += energy.map_or(0.0, |energy| energy.joules.get());
            }
        }
        let whole = &self.shares.drawn;
        let children = self.spread(&record.spans, (whole, record.run.seconds), &of_splits);
        let sum: f64 = whole.iter().sum();
        let inner: f64 = children.iter().map(joules_of).sum();
        SpanNode {
            kind: Kind::Run,
            name: self.inside.name.clone(),
            count: 1,
            folded: 0,
            seconds: self.inside.end - self.inside.start,
            by_domain: whole.iter().copied().map(Joules::new).collect(),
            inclusive: None,
            standard_uncertainty: self.shares.uncertainty(whole),
            exclusive: Joules::new((sum - inner).max(0.0)),
            children,
        }
    }

    /// The spans inside one of `seconds` in which `whole` was drawn. In domains that the program did not meter,
    /// epochs have what the run drew in their time, and other spans the rest by their time.
    fn spread(
        &self,
        nodes: &[SpanNode],
        (whole, seconds): (&[f64], f64),
        of_splits: &BTreeMap<String, (f64, Vec<f64>)>,
    ) -> Vec<SpanNode> {
        let of_epoch = |node: &SpanNode| {
            let (seconds, joules) =
                of_splits.get(&self.named(&node.name)).filter(|_| node.kind == Kind::Epoch)?;
            let share = share(node.seconds, *seconds);
            Some(joules.iter().map(|joules| joules * share).collect::<Vec<f64>>())
        };
        let fixed: Vec<Option<Vec<f64>>> = nodes.iter().map(of_epoch).collect();
        let in_epochs =
            |domain: usize| fixed.iter().flatten().map(|joules| joules[domain]).sum::<f64>();
        let taken: Vec<f64> = (0..whole.len()).map(in_epochs).collect();
        let timed = |is_fixed: bool| {
            let nodes =
                nodes.iter().zip(&fixed).filter(move |(_, fixed)| fixed.is_some() == is_fixed);
            nodes.map(|(node, _)| node.seconds).sum::<f64>()
        };
        let time = (seconds - timed(true)).max(timed(false));
        let node = |(node, fixed): (&SpanNode, &Option<Vec<f64>>)| {
            let rest = || {
                let share = share(node.seconds, time);
                let left = whole.iter().zip(&taken).map(|(whole, taken)| (whole - taken).max(0.0));
                left.map(|left| left * share).collect()
            };
            // Epochs of several threads at once may have more than there is.
            let fit = |(at, joules): (usize, &f64)| joules * share(whole[at], taken[at]).min(1.0);
            let unmetered: Vec<f64> = fixed
                .as_ref()
                .map_or_else(rest, |joules| joules.iter().enumerate().map(fit).collect());
            self.node(node, &unmetered, of_splits)
        };
        nodes.iter().zip(&fixed).map(node).collect()
    }

    fn node(
        &self,
        node: &SpanNode,
        unmetered: &[f64],
        of_splits: &BTreeMap<String, (f64, Vec<f64>)>,
    ) -> SpanNode {
        let by_domain = self.shares.joules(&node.by_domain, unmetered);
        let whole: Vec<f64> = by_domain.iter().map(|joules| joules.get()).collect();
        let children = self.spread(&node.children, (&whole, node.seconds), of_splits);
        let (before, sum) = (joules_of(node), whole.iter().sum::<f64>());
        let inner: f64 = children.iter().map(joules_of).sum();
        let scale = (before > 0.0).then(|| sum / before);
        SpanNode {
            inclusive: node.inclusive.zip(scale).map(|(joules, scale)| joules * scale),
            standard_uncertainty: self.shares.uncertainty_of(node, &whole),
            exclusive: Joules::new((sum - inner).max(0.0)),
            by_domain,
            children,
            ..node.clone()
        }
    }
}

/// What is left of a program's time and energy outside its epochs.
struct Left {
    joules: Vec<f64>,
    seconds: f64,
}

impl Left {
    fn share(&self, seconds: f64) -> f64 {
        share(seconds, self.seconds)
    }
}

/// `part` of `whole`, at most 1; 0 of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

fn joules_of(node: &SpanNode) -> f64 {
    node.by_domain.iter().map(|joules| joules.get()).sum()
}

/// Sum over domains.
fn total(by_domain: &[Option<Energy>]) -> Option<Energy> {
    Energy::across(by_domain.iter().flatten())
}
