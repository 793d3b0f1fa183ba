//! The meter's own thread: readings → timelines → books.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::Screen;
use super::crew::{Answer, Crew};
use super::keeper::{Keeper, OpenSpans, Standing};
use super::limits::{Known, Limits};
use super::timeline::Timeline;
use super::watch::{self, Watch};
use super::windows::Windows;
use crate::clock::{self, Timestamp};
use crate::forecast::{Forecast, Forecaster, Plan};
use crate::run::assemble::Head;
use crate::run::earlier::Earlier;
use crate::run::journal::Journal;
use crate::run::ledger::Ledger;
use crate::source::{Domain, PowerSource};
use crate::span::ring::{Command, Rings};
use crate::units::{Joules, Watts};

/// Time between two rounds of booking. Readings wait on their shelves meanwhile.
const ROUND: Duration = Duration::from_secs(1);
/// The same while somebody looks at live figures, waits for a budget or keeps a journal.
const BRISK: Duration = Duration::from_millis(250);
/// Rings that are full are emptied this often at most. What comes faster shares marks, so that spans in a tight
/// loop take neither memory nor a processor.
const DRAINS_APART: Duration = Duration::from_millis(100);
/// How long the start of a run waits for the first readings.
const FIRST_READ_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the end of a run waits for the last ones.
const LAST_READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Share by which the clock may stray from the system's before the record says so: calibration leaves a
/// thirtieth of it.
const STRAY: f64 = 1e-3;
/// Share of a run after which the record has another forecast.
const FORECASTS_APART: f64 = 0.05;
/// Over which power is averaged for live display.
pub(super) const RECENT: Duration = Duration::from_secs(1);

/// What the thread hands back at the end of a run.
pub(crate) struct Ended {
    pub timelines: Vec<Timeline>,
    pub ledger: Ledger,
    /// The domains with what was learnt of their sensors.
    pub domains: Vec<Domain>,
    pub warnings: Vec<String>,
    /// The forecasts that were made on the way.
    pub forecasts: Vec<Forecast>,
    /// The journal, for its last row.
    pub journal: Option<Journal>,
}

/// What is left of a command that was taken from the inbox.
enum Noted {
    /// Nothing.
    Done,
    /// All sources are to be read.
    Edge,
    /// All of it.
    ToDo(Command),
}

pub(super) struct Sampler {
    crew: Crew,
    timelines: Vec<Timeline>,
    domains: Vec<Domain>,
    ledger: Ledger,
    rings: Arc<Rings>,
    inbox: Receiver<Command>,
    /// Taken from the inbox, and not done yet.
    pending: VecDeque<Command>,
    screen: Arc<Screen>,
    warnings: Vec<String>,
    strayed: bool,
    open: OpenSpans,
    keeper: Option<Keeper>,
    /// When reading began.
    start: Timestamp,
    /// Further moments for which energies will be asked.
    pins: Vec<Timestamp>,
    watches: Vec<Watch>,
    forecaster: Forecaster,
    /// Those that the record will have.
    forecasts: Vec<Forecast>,
    /// What is known of the run since it began.
    run: Option<Arc<Head>>,
    /// Up to where energies are final.
    settled: Timestamp,
    /// When the rings were emptied last.
    drained: Timestamp,
    limits: Limits,
    windows: Windows,
}

impl Sampler {
    /// Starts to read `sources` and waits for their first readings, so that the run's start is
    /// metered; a source that hangs is not waited for.
    pub(super) fn spawn(
        sources: Vec<Box<dyn PowerSource>>,
        rings: Arc<Rings>,
        inbox: Receiver<Command>,
        screen: Arc<Screen>,
    ) -> io::Result<()> {
        let sampler = Self::start(sources, rings, inbox, screen)?;
        thread::Builder::new().name("ergometer".to_owned()).spawn(move || sampler.run())?;
        Ok(())
    }

    fn start(
        sources: Vec<Box<dyn PowerSource>>,
        rings: Arc<Rings>,
        inbox: Receiver<Command>,
        screen: Arc<Screen>,
    ) -> io::Result<Self> {
        let domains: Vec<_> =
            sources.iter().flat_map(|source| source.domains().iter().cloned()).collect();
        let crew = Crew::start(sources, FIRST_READ_TIMEOUT)?;
        let start = clock::now();
        let timelines = domains.iter().map(|domain| {
            Timeline::new(domain.sensor, domain.method, start).with_limit(domain.power_limit)
        });
        let timelines: Vec<_> = timelines.collect();
        Ok(Self {
            crew,
            ledger: Ledger::new(timelines.len()),
            timelines,
            domains,
            rings,
            inbox,
            pending: VecDeque::new(),
            screen,
            warnings: Vec::new(),
            strayed: false,
            open: OpenSpans::default(),
            keeper: None,
            start,
            pins: vec![start],
            watches: Vec::new(),
            forecaster: Forecaster::new(Plan::default()),
            forecasts: Vec::new(),
            run: None,
            settled: start,
            drained: start,
            limits: Limits::default(),
            windows: Windows::default(),
        })
    }

    fn run(mut self) {
        let mut next = self.start.after(ROUND);
        loop {
            let (command, now) = self.listen(next);
            match command {
                Ok(Command::Start(run)) => {
                    self.pins.push(run.start);
                    self.limits.resume(Earlier::of(&run.earlier).energy);
                    self.run = Some(run);
                    continue;
                }
                Ok(Command::Watch(watch)) => self.watches.push(watch),
                Ok(Command::Keep(keeper)) => {
                    self.ledger.log = keeper.log();
                    self.keeper = Some(*keeper);
                    continue;
                }
                Ok(Command::Finish(end, reply)) => {
                    let _ = reply.send(self.finish(end));
                    return;
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.give_up();
                    return;
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
            self.watch_the_clock();
            self.crew.mind();
            self.collect();
            self.book(now);
            let spent = self.look_at_budgets();
            let round = now.after(if self.is_asked() { BRISK } else { ROUND });
            next = spent.map_or(round, |spent| spent.min(round));
        }
    }

    /// Whether what is booked is waited for.
    fn is_asked(&self) -> bool {
        let budgets = !self.watches.is_empty() || !self.limits.is_empty();
        let budgets = budgets || !self.windows.is_empty();
        self.screen.was_looked_at() || self.keeper.is_some() || budgets
    }

    /// Gives the moment at which the next budget will be spent, as power is.
    fn look_at_budgets(&mut self) -> Option<Timestamp> {
        let spans = self.look_at_limits(clock::now());
        let (false, Some(run)) = (self.watches.is_empty(), &self.run) else { return spans };
        let live = self.screen.change(|live| live.clone());
        let now = clock::now();
        let seconds = now.since(run.start).as_secs_f64();
        let runs = watch::look(&mut self.watches, &live, now, seconds, &mut self.warnings);
        runs.into_iter().chain(spans).min()
    }

    fn look_at_limits(&mut self, now: Timestamp) -> Option<Timestamp> {
        let Self { timelines, limits, warnings, settled, .. } = self;
        if limits.is_empty() {
            return None;
        }
        let power = timelines.iter().filter_map(|line| line.recent_power(RECENT));
        let power = power.map(Watts::get).sum();
        let drawn = |from, to| {
            let lines = timelines.iter().filter(|line| line.gives());
            lines.map(|line| line.between(from, to).joules).sum()
        };
        limits.look(&Known { now, settled: *settled, power, drawn: &drawn }, warnings)
    }

    /// Waits until `next` or for something to do; gives that, and a moment before which nothing was
    /// begun that is not known.
    fn listen(&mut self, next: Timestamp) -> (Result<Command, RecvTimeoutError>, Timestamp) {
        let mut command = match self.pending.pop_front() {
            Some(command) => Ok(command),
            None => self.wait(next),
        };
        let mut now = None;
        let mut asked = false;
        loop {
            // However many asked, one read answers.
            match (command.map(|command| self.note(command)), now) {
                (Ok(Noted::Edge), _) => asked = true,
                (Ok(Noted::Done), _) | (Err(RecvTimeoutError::Timeout), None) => {}
                (command, now) => {
                    if command.is_err() {
                        self.limits.heard_all();
                    }
                    if asked {
                        self.crew.edge();
                    }
                    let command = command.map(|noted| match noted {
                        Noted::ToDo(command) => command,
                        Noted::Edge | Noted::Done => Command::Drain,
                    });
                    return (command, now.unwrap_or_else(clock::now));
                }
            }
            // Asked before the inbox is found empty, and before anything is taken: every mark that
            // ended by then has been left, and the word of every epoch that began by then.
            now = Some(clock::now());
            command = match self.pending.pop_front() {
                Some(command) => Ok(command),
                None => self.inbox.try_recv().map_err(|_| RecvTimeoutError::Timeout),
            };
        }
    }

    /// Waits until `next` or for something to do, which full rings are not if they were emptied just before.
    fn wait(&mut self, mut next: Timestamp) -> Result<Command, RecvTimeoutError> {
        loop {
            let command = self.inbox.recv_timeout(next.since(clock::now()));
            let soonest = self.drained.after(DRAINS_APART);
            if !matches!(command, Ok(Command::Drain)) || clock::now() >= soonest {
                return command;
            }
            next = next.min(soonest);
        }
    }

    /// Takes in what a command says, if that is all it is for.
    fn note(&mut self, command: Command) -> Noted {
        match command {
            Command::Nudge => return Noted::Edge,
            Command::Begun(mark) => {
                self.open.begin(mark);
                return Noted::Edge;
            }
            Command::Pin(moment) => self.pins.push(moment),
            Command::Number(span, index) => self.ledger.numbers.give(span, index),
            Command::Report(span) => self.ledger.said.ask(span),
            Command::Measure(window) => {
                self.windows.add(window);
                return Noted::Edge;
            }
            Command::Limit(began, budget) => {
                let site = self.run.as_ref().filter(|_| !self.domains.is_empty());
                let site = site.map(|run| &run.site);
                self.limits.begin(began, budget, site, &mut self.warnings);
            }
            #[cfg(feature = "tracing")]
            Command::Warn(line) => {
                if !self.warnings.contains(&line) {
                    self.warnings.push(line);
                }
            }
            Command::Drain => {}
            command => return Noted::ToDo(command),
        }
        Noted::Done
    }

    fn watch_the_clock(&mut self) {
        let stray = clock::stray();
        if stray.abs() > STRAY && !self.strayed {
            self.strayed = true;
            self.warnings.push(format!(
                "the processor's time-stamp counter and the system's clock came to differ by {:.1} %: \
                 times, and energies that are a power over time, may be off by as much",
                stray.abs() * 100.0
            ));
        }
    }

    /// Takes what was read into the timelines.
    fn collect(&mut self) {
        let timelines = &mut self.timelines;
        self.crew.take(&mut self.warnings, |domain, reading| timelines[domain].push(reading));
    }

    fn book(&mut self, now: Timestamp) {
        let settled =
            self.timelines.iter_mut().map(|line| line.settled(now)).min().unwrap_or(now).min(now);
        self.settled = settled;
        if self.ledger.has_room() {
            self.drain();
        }
        self.ledger.book(settled, &self.timelines);
        self.windows.answer(settled, false, &self.domains, &self.timelines);
        self.show(settled, now);
        if let Some(mut keeper) = self.keeper.take() {
            keeper.keep(now, self.standing());
            self.keeper = Some(keeper);
        }
        self.fold();
    }

    /// Keeps memory flat: the past grows coarser, but where energies will be asked for.
    fn fold(&mut self) {
        let Self { timelines, pins, open, ledger, limits, windows, .. } = self;
        Timeline::fold(timelines, || {
            let asked = pins.iter().copied().chain(open.starts()).chain(limits.starts());
            asked.chain(windows.pins()).chain(ledger.pins()).collect()
        });
    }

    fn drain(&mut self) {
        let inbox = self.ledger.inbox();
        let known = inbox.len();
        let folded = self.rings.drain(inbox);
        self.drained = clock::now();
        // A span may have begun, been numbered and ended in the past, all since the inbox was found empty.
        // What was said of it was sent before its mark was left, so it is there now.
        let mut edge = false;
        while let Ok(command) = self.inbox.try_recv() {
            match self.note(command) {
                Noted::Edge => edge = true,
                Noted::ToDo(command) => self.pending.push_back(command),
                Noted::Done => {}
            }
        }
        if edge {
            self.pending.push_back(Command::Nudge);
        }
        let inbox = self.ledger.inbox();
        self.open.end(&inbox[known..]);
        self.limits.end(&inbox[known..]);
        self.ledger.folded += folded;
    }

    fn standing(&mut self) -> Standing<'_> {
        Standing {
            timelines: &mut self.timelines,
            ledger: &mut self.ledger,
            open: &self.open,
            domains: &self.domains,
            warnings: &self.warnings,
            forecasts: &self.forecasts,
        }
    }

    /// The meter was dropped: what is known up to now goes into the journal.
    fn give_up(mut self) {
        if self.keeper.is_some() {
            let now = clock::now();
            self.collect();
            self.close(now);
        }
        self.rings.close();
    }

    /// Books everything up to `end`, the end of the run.
    fn close(&mut self, end: Timestamp) {
        for line in &mut self.timelines {
            line.close(end);
        }
        self.settled = end;
        self.drain();
        self.rings.close();
        self.look_at_limits(end);
        self.warnings.extend(self.limits.warnings());
        self.ledger.book(end, &self.timelines);
        self.windows.answer(end, true, &self.domains, &self.timelines);
        self.show(end, end);
        if let Some(mut keeper) = self.keeper.take() {
            keeper.last(end, self.standing());
            self.keeper = Some(keeper);
        }
    }

    /// Shows the run up to `settled`, and each domain as far as it is settled itself, `limit` at most.
    fn show(&mut self, settled: Timestamp, limit: Timestamp) {
        self.ledger.said.print();
        let Some(start) = self.run.as_ref().map(|run| run.start) else { return };
        let timelines = &self.timelines;
        let lines = || timelines.iter().filter(|line| line.gives());
        let Self { ledger, forecaster, forecasts, .. } = self;
        self.screen.change(|live| {
            live.steps.clone_from(&ledger.live_steps);
            live.seconds = settled.since(start).as_secs_f64();
            live.total = lines().next().is_some().then(|| {
                lines().map(|line| Joules::new(line.between(start, settled).joules)).sum()
            });
            live.power =
                lines().filter_map(|line| line.recent_power(RECENT)).reduce(|a: Watts, b| a + b);
            for (domain, line) in live.domains.iter_mut().zip(timelines) {
                domain.update(line, start, limit);
            }
            forecaster.set_plan(live.plan);
            forecaster.observe(live.standing());
            live.forecast = forecaster.forecast();
            if let Some(forecast) = live.forecast {
                let last = forecasts.last();
                let apart =
                    forecast.progress - last.map_or(f64::NEG_INFINITY, |last| last.progress);
                let came_true = forecast.is_final() && !last.is_some_and(Forecast::is_final);
                if came_true || apart >= FORECASTS_APART && forecast.progress < 1.0 {
                    forecasts.push(forecast);
                }
            }
        });
    }

    fn finish(mut self, end: Timestamp) -> Ended {
        for answer in self.crew.finish(LAST_READ_TIMEOUT) {
            match answer {
                Answer::Domains(first, domains) => {
                    for (known, learnt) in self.domains.iter_mut().skip(first).zip(domains) {
                        *known = learnt;
                    }
                }
                Answer::Lost(warning) => self.warnings.push(warning),
                Answer::Gone => {}
            }
        }
        self.collect();
        self.close(end);
        Ended {
            timelines: self.timelines,
            ledger: self.ledger,
            domains: self.domains,
            warnings: self.warnings,
            forecasts: self.forecasts,
            journal: self.keeper.map(Keeper::journal),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::meter::Live;
    use crate::span::{Kind, Label, Span};

    #[test]
    fn an_epoch_that_began_was_numbered_and_ended_between_two_looks_keeps_its_number() {
        let (commands, inbox) = mpsc::channel();
        let rings = Rings::new(commands);
        let meter = rings.meter;
        let screen = Arc::new(Screen::new(Live::default()));
        let mut sampler = Sampler::start(Vec::new(), rings, inbox, screen).unwrap();
        let label = Label::new(Kind::Epoch, "train");
        let start = sampler.start;
        let (_, now) = sampler.listen(clock::now());
        // After the inbox was found empty, and before the marks are taken.
        for number in [7, 3] {
            let span = Span::open(meter, label, Some(start));
            crate::private::index(&span, number);
            span.close_at(start);
        }
        sampler.book(now);
        let mut numbers: Vec<_> =
            sampler.ledger.epochs.rows.iter().map(|epoch| epoch.index).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [3, 7]);
        assert_eq!(sampler.open.starts().count(), 0, "both have ended");
    }
}
