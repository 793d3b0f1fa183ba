//! The meter's own thread: readings → timelines → books.

mod finishing;
mod listening;

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::budgets::{Budgets, Known};
use super::callbacks::Callbacks;
use super::command::Command;
use super::journaling::{JournalWriter, RunState};
use super::open_spans::OpenSpans;
use super::stamps::Stamps;
use super::windows::Windows;
use crate::clock::{self, Timestamp};
use crate::forecast::{Forecast, Forecaster, Plan};
use crate::ledger::Ledger;
use crate::ledger::live::{LiveView, RECENT, Reach};
use crate::ledger::phases::Phases;
use crate::ledger::power_log::PowerLog;
use crate::ledger::run_header::{Notes, RunHeader};
use crate::meter::sampler::Guarded;
use crate::meter::sampler::Sampler;
use crate::progress::{Doing, Progress};
use crate::source::{Domain, Reading};
use crate::span::mark::Mark;
use crate::span::ring::Rings;
use crate::timeline::Timeline;
use crate::units::{Joules, Watts};

/// Time between two rounds of booking. Readings wait in their slots meanwhile.
const ROUND: Duration = Duration::from_secs(1);
/// The same while somebody looks at live figures, waits for a budget or keeps a journal.
const BRISK: Duration = Duration::from_millis(250);
/// Time between two rounds while somebody waits for what has ended already: at first, and twice as long each time up to
/// [`SOON_AT_MOST`]. A counter is read within this time, and a sensor that is updated seldom is not updated sooner
/// by being read often.
const SOON: Duration = Duration::from_millis(1);
const SOON_AT_MOST: Duration = Duration::from_millis(40);
/// How long the start of a run waits for the first readings.
const FIRST_READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Two rounds further apart than this: the process could not run.
const STOPPED: Duration = Duration::from_secs(3);
/// Share of a run after which the record has another forecast.
const FORECASTS_APART: f64 = 0.05;
/// A reading stamped further than this ahead of the present moment is not a reading. The clock itself may be
/// put right by some milliseconds.
const FUTURE: Duration = Duration::from_millis(100);

/// What the thread shares with the meter.
pub(super) struct Desk {
    pub rings: Arc<Rings>,
    /// Where what the rings hear is sent too.
    pub commands: Sender<Command>,
    pub inbox: Receiver<Command>,
    pub screen: Arc<LiveView>,
    pub notes: Arc<Mutex<Notes>>,
    pub progress: Arc<Progress>,
}

pub(super) struct Aggregator {
    sampler: Sampler,
    timelines: Vec<Timeline>,
    domains: Vec<Domain>,
    ledger: Ledger,
    phases: Phases,
    rings: Arc<Rings>,
    commands: Sender<Command>,
    inbox: Receiver<Command>,
    /// Taken from the inbox, and not done yet.
    pending: VecDeque<Command>,
    /// Marks of threads that were being torn down, and had no ring any more.
    late: Vec<Mark>,
    screen: Arc<LiveView>,
    notes: Arc<Mutex<Notes>>,
    warnings: Vec<String>,
    stamps: Stamps,
    /// When the clock was looked at last.
    looked: Timestamp,
    /// When marks and readings were booked last.
    booked: Timestamp,
    /// What was read since, with the index of its domain; empty between two rounds.
    taken: Vec<(usize, Reading)>,
    open: OpenSpans,
    writer: Option<JournalWriter>,
    /// When reading began.
    start: Timestamp,
    /// Further moments for which energies will be asked.
    pins: Vec<Timestamp>,
    forecaster: Forecaster,
    /// Those that the record will have.
    forecasts: Vec<Forecast>,
    power: PowerLog,
    /// What is known of the run since it began.
    run: Option<Arc<RunHeader>>,
    /// Up to where energies are final.
    settled: Timestamp,
    /// When the rings were emptied last.
    drained: Timestamp,
    budgets: Budgets,
    windows: Windows,
    callbacks: Callbacks,
    progress: Arc<Progress>,
    /// How often it has looked through its inbox.
    rounds: u64,
}

impl Aggregator {
    /// Starts to read `sources` and waits for their first readings, so that the run's start is
    /// metered; a source that hangs is not waited for.
    pub(super) fn spawn(sources: Vec<Guarded>, desk: Desk) -> io::Result<()> {
        let aggregator = Self::start(sources, desk)?;
        thread::Builder::new().name("ergometer".to_owned()).spawn(move || aggregator.run())?;
        Ok(())
    }

    fn start(sources: Vec<Guarded>, desk: Desk) -> io::Result<Self> {
        let Desk { rings, commands, inbox, screen, notes, progress } = desk;
        let domains: Vec<_> =
            sources.iter().flat_map(|source| source.domains().iter().cloned()).collect();
        let sampler = Sampler::start(sources, FIRST_READ_TIMEOUT)?;
        let start = clock::check();
        let timelines: Vec<_> = domains.iter().map(|domain| Timeline::of(domain, start)).collect();
        let mut ledger = Ledger::new(timelines.len());
        ledger.progress = Arc::clone(&progress);
        Ok(Self {
            sampler,
            ledger,
            phases: Phases::new(timelines.len()),
            timelines,
            domains,
            rings,
            commands,
            inbox,
            pending: VecDeque::new(),
            late: Vec::new(),
            screen,
            notes,
            warnings: Vec::new(),
            stamps: Stamps::new(),
            looked: start,
            booked: start,
            taken: Vec::new(),
            open: OpenSpans::default(),
            writer: None,
            start,
            pins: vec![start],
            forecaster: Forecaster::new(Plan::default()),
            forecasts: Vec::new(),
            power: PowerLog::default(),
            run: None,
            settled: start,
            drained: start,
            budgets: Budgets::default(),
            windows: Windows::default(),
            callbacks: Callbacks::default(),
            progress,
            rounds: 0,
        })
    }

    fn run(mut self) {
        let mut next = self.start.after(ROUND);
        let mut soon = SOON;
        loop {
            self.progress.begin(Doing::Listening);
            let (command, now) = self.listen(next);
            match command {
                Some(Command::Watch(budget)) => self.budgets.watch(budget),
                Some(Command::Finish(ending, reply)) => {
                    self.finish(ending, &reply);
                    return;
                }
                Some(Command::Stop) => return,
                _ => {}
            }
            self.sampler.relieve_stalled();
            self.collect();
            self.progress.begin(Doing::Booking);
            self.book(now);
            let spent = self.look_at_budgets(clock::checked_now());
            let awaited = self.screen.is_awaited();
            let round = now.after(if awaited {
                soon
            } else if self.is_asked() {
                BRISK
            } else {
                ROUND
            });
            soon = if awaited { (2 * soon).min(SOON_AT_MOST) } else { SOON };
            next = spent.map_or(round, |spent| spent.min(round));
        }
    }

    /// Whether what is booked is waited for.
    fn is_asked(&self) -> bool {
        let awaited = !self.budgets.is_empty() || !self.windows.is_empty();
        self.screen.take_viewed() || self.writer.is_some() || awaited
    }

    /// Returns the moment at which the next budget will be spent, as power is.
    fn look_at_budgets(&mut self, now: Timestamp) -> Option<Timestamp> {
        let Self { timelines, budgets, callbacks, warnings, settled, .. } = self;
        if budgets.is_empty() {
            return None;
        }
        let lines = || timelines.iter().filter(|line| line.gives());
        let power = lines().filter_map(|line| line.recent_power(RECENT)).map(Watts::get).sum();
        let drawn = |from, to| lines().map(|line| line.between(from, to).joules).sum();
        budgets.look(&Known { now, settled: *settled, power, drawn: &drawn }, callbacks, warnings)
    }

    /// Takes what was read into the timelines.
    fn collect(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        self.sampler
            .take(&mut self.warnings, |domain, reading| taken.push((domain, reading.clone())));
        // Before they read, the readers look at the clock: what they found comes first.
        self.watch_the_clock();
        for (domain, reading) in taken.drain(..) {
            // Taken as it is, it would make every later reading one that comes too late.
            if reading.at.since(self.looked) > FUTURE {
                self.timelines[domain].reject("a reading stamped in the future was rejected");
            } else {
                self.timelines[domain].push(&reading);
            }
        }
        self.taken = taken;
    }

    fn book(&mut self, now: Timestamp) {
        let before = std::mem::replace(&mut self.booked, now);
        if now.since(before) > STOPPED {
            self.timelines.iter_mut().for_each(|line| line.resumed(now));
        }
        // Marks first: they say how power ran in the cells that settle.
        let known = self.ledger.inbox().len();
        let drained = self.ledger.has_room();
        if drained {
            self.drain();
        }
        let marks = drained.then(|| &self.ledger.inbox()[known..]);
        self.phases.advance(marks, &mut self.timelines, now);
        let settled =
            self.timelines.iter_mut().map(|line| line.settled(now)).min().unwrap_or(now).min(now);
        self.settled = settled;
        self.ledger.book(settled, &self.timelines);
        self.follow_power();
        self.windows.answer(settled, false, &self.domains, &self.timelines);
        self.phases.look_back(&self.timelines);
        if let Some(sums) = self.phases.news(&self.timelines) {
            self.ledger.phases = sums;
        }
        let epochs =
            if drained && self.screen.are_epochs_awaited() { self.foresee(now) } else { settled };
        self.show(settled, now);
        if drained {
            self.screen.reach(Reach { settled, epochs }, false);
        }
        if let Some(mut writer) = self.writer.take() {
            self.progress.begin(Doing::Journaling);
            writer.write(now, self.run_state());
            self.writer = Some(writer);
        }
        self.fold();
    }

    /// Takes the settled curves into the power of the run, before they are folded.
    fn follow_power(&mut self) {
        if let Some(run) = &self.run {
            self.power.advance(run.start, self.settled, &self.timelines, &mut self.ledger.long);
        }
    }

    /// Works out the epochs that are over and were read to their ends, for those who wait for them: the readings
    /// that follow, with which energies are final, may be a long time in coming. Returns up to when all epochs that
    /// ended are known.
    fn foresee(&mut self, now: Timestamp) -> Timestamp {
        let read = self.timelines.iter().map(Timeline::read_to).min().unwrap_or(now);
        let (mut some, mut all) = (false, true);
        for (_, end) in self.ledger.over() {
            some |= end <= read;
            all &= end <= read;
        }
        if some {
            let Self { timelines, ledger, .. } = self;
            Timeline::preview(timelines, read, |timelines| ledger.foresee(read, timelines));
        }
        if !all {
            self.sampler.edge();
        }
        if all { now } else { read.min(now) }
    }

    /// Keeps memory flat: the past grows coarser, but where energies will be asked for.
    fn fold(&mut self) {
        let Self { timelines, pins, open, ledger, budgets, windows, .. } = self;
        Timeline::fold(timelines, || {
            let asked = pins.iter().copied().chain(open.starts()).chain(budgets.starts());
            asked.chain(windows.pins()).chain(ledger.pins()).collect()
        });
    }

    fn drain(&mut self) {
        let inbox = self.ledger.inbox();
        let known = inbox.len();
        let folded = self.rings.drain(inbox);
        // Looked at afterwards: none of them was stamped after that.
        self.drained = self.watch_the_clock();
        // A span may have begun, been numbered and ended in the past, all since the inbox was found empty.
        // What was said of it was sent before its mark was left, so it is there now.
        self.hear(false);
        let inbox = self.ledger.inbox();
        inbox.append(&mut self.late);
        let marks = &mut inbox[known..];
        let open = &self.open;
        self.stamps.put_right(marks, self.drained, |mark| open.start_of(mark.id));
        self.rings.ended(self.open.end(marks));
        self.budgets.end(marks);
        self.ledger.folded += folded;
    }

    fn run_state(&mut self) -> RunState<'_> {
        RunState {
            timelines: &mut self.timelines,
            ledger: &mut self.ledger,
            open: &self.open,
            domains: &self.domains,
            warnings: &self.warnings,
            forecasts: &self.forecasts,
            power: &mut self.power,
        }
    }

    /// Shows the run up to `settled`, and each domain as far as it is settled itself, `limit` at most.
    fn show(&mut self, settled: Timestamp, limit: Timestamp) {
        self.ledger.reports.print();
        let Some(start) = self.run.as_ref().map(|run| run.start) else { return };
        let timelines = &self.timelines;
        let lines = || timelines.iter().filter(|line| line.gives());
        let Self { ledger, forecaster, forecasts, .. } = self;
        self.screen.update(|live| {
            live.steps.clone_from(&ledger.live_steps);
            live.epochs = ledger.live_epochs();
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
            forecaster.observe(live.run_progress());
            live.forecast = forecaster.forecast();
            if let Some(forecast) = live.forecast {
                let last = forecasts.last();
                let apart =
                    forecast.progress - last.map_or(f64::NEG_INFINITY, |last| last.progress);
                let came_true = forecast.is_final() && !last.is_some_and(Forecast::is_final);
                let due = came_true || apart >= FORECASTS_APART && forecast.progress < 1.0;
                // A plan may have more steps than numbers: the reader of the record is asked.
                if due && forecast.check().is_ok() {
                    forecasts.push(forecast);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::ledger::live::Live;
    use crate::span::{Kind, Label, Span};

    #[test]
    fn an_epoch_that_began_was_numbered_and_ended_between_two_looks_keeps_its_number() {
        let (commands, inbox) = mpsc::channel();
        let hear = commands.clone();
        let rings = Rings::new(move |word| drop(hear.send(Command::Word(word))));
        let meter = rings.meter;
        let screen = Arc::new(LiveView::new(Live::default()));
        let (notes, progress) = (Arc::default(), Arc::default());
        let desk = Desk { rings, commands, inbox, screen, notes, progress };
        let mut aggregator = Aggregator::start(Vec::new(), desk).unwrap();
        let label = Label::new(Kind::Epoch, "train");
        let start = aggregator.start;
        let (_, now) = aggregator.listen(clock::now());
        // After the inbox was found empty, and before the marks are taken.
        for number in [7, 3] {
            let span = Span::open_at(meter, label, start);
            crate::private::index(&span, number);
            span.close_at(start);
        }
        aggregator.book(now);
        let mut numbers: Vec<_> =
            aggregator.ledger.epochs.rows.iter().map(|epoch| epoch.index).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [3, 7]);
        assert_eq!(aggregator.open.starts().count(), 0, "both have ended");
    }
}
