//! The one thread that reads hardware.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Live;
use super::timeline::Timeline;
use crate::clock::{self, Timestamp};
use crate::run::ledger::Ledger;
use crate::source::{PowerSource, Reading, Request};
use crate::span::ring::{Command, Rings};
use crate::units::{Joules, Watts};

/// Mean time between two power readings: half the 100 ms update period of most boards.
const POWER_INTERVAL: Duration = Duration::from_millis(50);
/// Time between two counter readings; faster ones have disturbed the counter of a consumer board.
const COUNTER_INTERVAL: Duration = Duration::from_secs(1);
/// How long the start of a run waits for the first readings.
const FIRST_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// What the thread hands back at the end of a run.
pub(crate) struct Books {
    pub timelines: Vec<Timeline>,
    pub ledger: Ledger,
    pub warnings: Vec<String>,
}

pub(super) struct Sampler {
    sources: Vec<Slot>,
    timelines: Vec<Timeline>,
    ledger: Ledger,
    rings: Arc<Rings>,
    inbox: Receiver<Command>,
    live: Arc<Mutex<Live>>,
    warnings: Vec<String>,
    readings: Vec<Reading>,
    start: Timestamp,
    jitter: Jitter,
}

struct Slot {
    source: Box<dyn PowerSource>,
    /// Index of its first domain among all.
    first: usize,
    /// It panicked and is not asked again.
    broken: bool,
}

impl Sampler {
    pub(super) fn new(
        sources: Vec<Box<dyn PowerSource>>,
        rings: Arc<Rings>,
        inbox: Receiver<Command>,
        live: Arc<Mutex<Live>>,
    ) -> Self {
        let mut timelines = Vec::new();
        let mut slots = Vec::new();
        for source in sources {
            let first = timelines.len();
            timelines.extend(
                source
                    .domains()
                    .iter()
                    .map(|domain| Timeline::new(domain.sensor, domain.method)),
            );
            slots.push(Slot { source, first, broken: false });
        }
        Self {
            sources: slots,
            ledger: Ledger::new(timelines.len()),
            timelines,
            jitter: Jitter(clock::now().as_nanos() ^ rings.meter),
            rings,
            inbox,
            live,
            warnings: Vec::new(),
            readings: Vec::new(),
            start: clock::now(),
        }
    }

    /// Starts the thread and waits for the first readings, so that the run's start is metered.
    pub(super) fn spawn(mut self) -> io::Result<()> {
        let (ready, first_readings) = mpsc::channel();
        thread::Builder::new().name("ergometer".to_owned()).spawn(move || {
            self.read(Request::Edge);
            self.start = clock::now();
            let _ = ready.send(());
            self.run();
        })?;
        let _ = first_readings.recv_timeout(FIRST_READ_TIMEOUT);
        Ok(())
    }

    fn run(mut self) {
        let mut next_power = self.jitter.after(self.start, POWER_INTERVAL);
        let mut next_counter = self.start.after(COUNTER_INTERVAL);
        loop {
            let wait = next_power.min(next_counter).since(clock::now());
            let command = self.inbox.recv_timeout(wait);
            let now = clock::now();
            let request = match command {
                Ok(Command::Finish(end, reply)) => {
                    let _ = reply.send(self.finish(end));
                    return;
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Command::Nudge) => Request::Edge,
                Err(RecvTimeoutError::Timeout) if now >= next_counter => Request::Edge,
                Err(RecvTimeoutError::Timeout) => Request::Routine,
            };
            self.read(request);
            // From now, not from the missed deadline: a slow read skips and never stacks.
            let now = clock::now();
            next_power = self.jitter.after(now, POWER_INTERVAL);
            if request == Request::Edge {
                next_counter = now.after(COUNTER_INTERVAL);
            }
            self.book(now);
        }
    }

    fn read(&mut self, request: Request) {
        for slot in self.sources.iter_mut().filter(|slot| !slot.broken) {
            self.readings.clear();
            let source = &mut slot.source;
            let readings = &mut self.readings;
            if catch_unwind(AssertUnwindSafe(|| source.read(request, readings))).is_err() {
                slot.broken = true;
                let name = slot.source.domains().first().map_or("?", |domain| &domain.source);
                self.warnings.push(format!(
                    "source '{name}' panicked and was not read again; its energy up to then is kept"
                ));
            }
            for reading in &self.readings {
                if let Some(line) = self.timelines.get_mut(slot.first + reading.domain) {
                    line.push(reading);
                }
            }
        }
    }

    fn book(&mut self, now: Timestamp) {
        // Asked before draining, so that every mark that ended by then has been left.
        let settled =
            self.timelines.iter().map(|line| line.settled(now)).min().unwrap_or(now).min(now);
        self.rings.drain(self.ledger.inbox());
        self.ledger.book(settled, &self.timelines);
        self.show(settled);
    }

    fn show(&self, settled: Timestamp) {
        let lines = || self.timelines.iter().filter(|line| !line.is_empty());
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.steps.clone_from(&self.ledger.live_steps);
        live.seconds = settled.since(self.start).as_secs_f64();
        live.total = lines().next().is_some().then(|| {
            lines().map(|line| Joules::new(line.between(self.start, settled).joules)).sum()
        });
        live.power = lines()
            .filter_map(|line| line.recent_power(COUNTER_INTERVAL))
            .reduce(|a: Watts, b| a + b);
    }

    fn finish(mut self, end: Timestamp) -> Books {
        self.read(Request::Last);
        for line in &mut self.timelines {
            line.close(end);
        }
        self.rings.drain(self.ledger.inbox());
        self.ledger.book(end, &self.timelines);
        self.show(end);
        Books { timelines: self.timelines, ledger: self.ledger, warnings: self.warnings }
    }
}

/// Uneven intervals, so that sampling does not beat with the program's own period.
struct Jitter(u64);

impl Jitter {
    /// The moment between 0.6 and 1.4 of `interval` after `from`.
    fn after(&mut self, from: Timestamp, interval: Duration) -> Timestamp {
        // Weyl sequence with the golden ratio: evenly spread and never periodic.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let unit = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        from.after(interval.mul_f64(0.6 + 0.8 * unit))
    }
}
