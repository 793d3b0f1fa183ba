//! The threads that read: one for all sources, and more where sources hold each other up.
//!
//! To wake a thread costs more than to read a counter, so sources that may be read at the same moment are. But
//! a driver call that hangs cannot be interrupted: a source that does not answer keeps its thread, and a new
//! one goes on with the others. What was read waits in its slot until the meter's thread takes it, so nobody waits
//! for a source.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::clock::{self, Timestamp};
use crate::deadline::Deadline;
use crate::source::{Domain, Due, Reading, Request, Value};

mod guarded;

pub(super) use guarded::Guarded;

/// Mean time after which a source is to be read that names no time of its own; the thread wakes up to [`LEAD`] sooner.
/// It is more than the 100 ms after which most boards are read, whose wakes it then shares.
///
/// [`LEAD`]: crate::source::LEAD
const INTERVAL: Duration = Duration::from_millis(125);
/// It is read sooner, but not before this, where another source is read anyway.
const SOONEST: Duration = Duration::from_millis(60);
/// No source is left unread for longer, whatever it asks for: a counter of a package may wrap within
/// minutes, and a wrap that nobody saw is energy lost.
const LONGEST: Duration = Duration::from_secs(30);
/// Edges that follow each other faster than this share a read.
const SHORTEST: Duration = Duration::from_millis(5);
/// A read that takes longer is worth a line in the record.
const SLOW: Duration = Duration::from_secs(1);
/// This many slow reads of a source are told one by one.
const MOST_LINES: u32 = 8;
/// A source that takes longer to answer is left alone with its thread.
const HANGING: Duration = Duration::from_millis(100);
/// A round of reads that takes longer makes its sources late.
const LONG_ROUND: Duration = Duration::from_millis(10);
/// This many long rounds in a row are no accident: the sources are shared out.
const LONG_ROUNDS: u32 = 4;

/// All sources, and the threads that read them.
pub(super) struct Sampler {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Something was asked, or nothing ever will be.
    asked: Condvar,
    /// A source was read for the first time, or for the last.
    answered: Condvar,
}

struct State {
    slots: Vec<Slot>,
    /// Threads that were started so far.
    workers: usize,
    closed: bool,
}

/// A source, and what there is to know of reading it.
struct Slot {
    name: String,
    /// Index of its first domain among all, and how many it has.
    first: usize,
    domains: usize,
    /// Absent while it is read, and once it has ended.
    source: Option<Guarded>,
    /// The thread that reads it.
    worker: usize,
    asked: Demand,
    due: Due,
    /// When the last read began.
    last: Timestamp,
    /// When the read in progress did.
    busy: Option<Instant>,
    reads: u64,
    slow: u32,
    jitter: Jitter,
    pending: Vec<Reading>,
    /// What it learnt of its domains up to its last read.
    learnt: Option<Vec<Domain>>,
    warnings: Vec<String>,
}

/// What the meter's thread has asked for, that was not done yet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Demand {
    Nothing,
    Edge,
    /// A read at the end of the run, and another one when the source wants it.
    End,
    /// That other one is due.
    Last(Timestamp),
    /// No more.
    Ended,
}

/// A source's last word.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its domains with what was learnt of them, from the index of the first on.
    Domains(usize, Vec<Domain>),
    /// It does not answer; this is to be said of it.
    Lost(String),
    /// It panicked, which was said.
    Gone,
}

impl Sampler {
    /// Starts to read `sources`, and waits `patience` at most until each was read once.
    pub(super) fn start(sources: Vec<Guarded>, patience: Duration) -> io::Result<Self> {
        let mut slots: Vec<Slot> = Vec::with_capacity(sources.len());
        for source in sources {
            let first = slots.last().map_or(0, |slot| slot.first + slot.domains);
            slots.push(Slot::new(source, first));
        }
        let all: Vec<_> = (0..slots.len()).collect();
        let state = Mutex::new(State { slots, workers: 0, closed: false });
        let shared = Shared { state, asked: Condvar::new(), answered: Condvar::new() };
        let sampler = Self { shared: Arc::new(shared) };
        if !all.is_empty() {
            sampler.shared.spawn_reader(&mut sampler.shared.lock(), &all)?;
            sampler.wait(patience, |slot| slot.reads == 0 && slot.asked != Demand::Ended);
        }
        Ok(sampler)
    }

    /// Asks for a read of every source now.
    pub(super) fn edge(&self) {
        let now = clock::checked_now();
        self.ask(|slot| {
            if slot.asked == Demand::Nothing
                && (slot.busy.is_some() || now.since(slot.last) >= SHORTEST)
            {
                slot.asked = Demand::Edge;
            }
        });
    }

    /// Sees to it that a source that hangs holds up no other.
    pub(super) fn relieve_stalled(&self) {
        self.shared.relieve_stalled(&mut self.shared.lock());
    }

    /// Gives `take` what was read since the last time, with the index of its domain among all; adds what was
    /// strange to `warnings`.
    pub(super) fn take(&self, warnings: &mut Vec<String>, mut take: impl FnMut(usize, &Reading)) {
        for slot in &mut self.shared.lock().slots {
            warnings.append(&mut slot.warnings);
            for reading in slot.pending.drain(..).filter(|reading| reading.domain < slot.domains) {
                take(slot.first + reading.domain, &reading);
            }
        }
    }

    /// Reads every source for the last time; waits `patience` at most.
    pub(super) fn finish(&self, patience: Duration) -> Vec<Answer> {
        self.ask(|slot| {
            if slot.asked != Demand::Ended {
                slot.asked = Demand::End;
            }
        });
        self.wait(patience, |slot| slot.asked != Demand::Ended);
        self.shared.lock().slots.iter().map(Slot::answer).collect()
    }

    fn ask(&self, ask: impl Fn(&mut Slot)) {
        self.shared.lock().slots.iter_mut().for_each(ask);
        self.shared.asked.notify_all();
    }

    /// Waits until no source is `unfinished`, `patience` at most.
    fn wait(&self, patience: Duration, unfinished: impl Fn(&Slot) -> bool) {
        let mut deadline = Deadline::after(patience);
        let mut state = self.shared.lock();
        while state.slots.iter().any(&unfinished) && !deadline.has_passed() {
            state = deadline.wait(&self.shared.answered, state);
            self.shared.relieve_stalled(&mut state);
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.asked.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives `slots` to a new thread.
    fn spawn_reader(self: &Arc<Self>, state: &mut State, slots: &[usize]) -> io::Result<()> {
        let worker = state.workers;
        let shared = Arc::clone(self);
        // It waits for the state, which is the caller's until all is written.
        thread::Builder::new()
            .name(format!("ergometer-read-{worker}"))
            .spawn(move || shared.work(worker))?;
        state.workers += 1;
        for &slot in slots {
            state.slots[slot].worker = worker;
        }
        Ok(())
    }

    fn relieve_stalled(self: &Arc<Self>, state: &mut State) {
        for slot in 0..state.slots.len() {
            let Slot { busy, worker, .. } = state.slots[slot];
            if busy.is_none_or(|since| since.elapsed() < HANGING) {
                continue;
            }
            let beside = |(index, other): (usize, &Slot)| {
                let held_up = other.worker == worker && other.asked != Demand::Ended;
                (held_up && index != slot).then_some(index)
            };
            let held_up: Vec<_> = state.slots.iter().enumerate().filter_map(beside).collect();
            if !held_up.is_empty()
                && let Err(error) = self.spawn_reader(state, &held_up)
            {
                let name = &state.slots[slot].name;
                let text = format!("source '{name}' holds up others: no thread for them: {error}");
                if !state.slots[slot].warnings.contains(&text) {
                    state.slots[slot].warnings.push(text);
                }
            }
        }
    }

    /// Reads the sources of `worker` until they are read no more.
    fn work(self: &Arc<Self>, worker: usize) {
        let (mut round, mut readings) = (Vec::new(), Vec::new());
        let mut long_rounds = 0;
        let mut state = self.lock();
        while !state.closed {
            let (now, begin) = (clock::check(), Instant::now());
            let Some(next) = state.plan(worker, now, &mut round) else { return };
            if now < next {
                let asked = self.asked.wait_timeout(state, next.since(now));
                state = asked.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            for &slot in &round {
                state = self.read(state, (worker, slot), &mut readings);
            }
            // What another thread was given meanwhile is not this one's to give.
            round.retain(|&slot| state.slots[slot].worker == worker);
            let long = round.len() > 1 && begin.elapsed() > LONG_ROUND;
            long_rounds = if long { long_rounds + 1 } else { 0 };
            if long_rounds == LONG_ROUNDS {
                long_rounds = 0;
                // Without another thread they go on as they are.
                let _ = self.spawn_reader(&mut state, &round[round.len() / 2..]);
            }
        }
    }

    /// Reads one source of `worker`, with the state given back meanwhile; `readings` is left empty.
    fn read<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        (worker, index): (usize, usize),
        readings: &mut Vec<Reading>,
    ) -> MutexGuard<'a, State> {
        let (at, begin) = (clock::checked_now(), Instant::now());
        let slot = &mut state.slots[index];
        // Another thread's by now, if the source before it took long.
        let source = if slot.worker == worker { slot.source.take() } else { None };
        let Some(mut source) = source else { return state };
        (slot.last, slot.busy) = (at, Some(begin));
        let asked = slot.asked;
        let request = match asked {
            Demand::Nothing | Demand::Ended => Request::Routine,
            Demand::Edge | Demand::End => Request::Edge,
            Demand::Last(_) => Request::Last,
        };
        if asked == Demand::Edge {
            // What is asked from here on is another one.
            slot.asked = Demand::Nothing;
        }
        drop(state);
        let jumps = clock::jumps();
        let read = source.read(request, readings);
        let took = begin.elapsed();
        if clock::jumps_by_now() != jumps {
            // A source of the program's own may have asked the clock before that was known. Its next values
            // cover this time too.
            readings.retain(|reading| !matches!(reading.value, Value::Energy(_) | Value::Power(_)));
        }
        let ended = matches!(request, Request::Last) || read.is_err();
        let learnt = (ended && read.is_ok()).then(|| source.domains().to_vec());
        let mut warnings = source.take_warnings();
        let (again, over) = if ended { (None, Some(source)) } else { (Some(source), None) };
        let mut state = self.lock();
        let slot = &mut state.slots[index];
        slot.pending.append(readings);
        slot.warnings.append(&mut warnings);
        slot.learnt = learnt;
        slot.done(asked, took, read.is_err(), again);
        if slot.reads == 1 || slot.asked == Demand::Ended {
            self.answered.notify_all();
        }
        if over.is_some() {
            // To drop a source is a call into it as well, which may hang.
            slot.busy = Some(Instant::now());
            drop(state);
            drop(over);
            state = self.lock();
            state.slots[index].busy = None;
        }
        state
    }
}

impl State {
    /// When the next read of `worker` is due, if there is any, and in `round` what may be read at `now`.
    fn plan(&self, worker: usize, now: Timestamp, round: &mut Vec<usize>) -> Option<Timestamp> {
        // What lies further ahead was planned by a clock that had jumped.
        let sane = |due: Due| if due.by > now.after(LONGEST) { Due::at(now) } else { due };
        let own = self.slots.iter().enumerate().filter(|(_, slot)| slot.worker == worker);
        let dues = own.filter_map(|(index, slot)| Some((index, sane(slot.due()?))));
        round.clear();
        round.extend(dues.clone().filter(|(_, due)| due.from <= now).map(|(index, _)| index));
        Due::together(dues.map(|(_, due)| due))
    }
}

impl Slot {
    fn new(source: Guarded, first: usize) -> Self {
        let now = clock::checked_now();
        Self {
            name: name(source.domains()),
            first,
            domains: source.domains().len(),
            source: Some(source),
            worker: 0,
            asked: Demand::Edge,
            due: Due::at(now),
            last: now,
            busy: None,
            reads: 0,
            slow: 0,
            jitter: Jitter(now.as_nanos() ^ (first as u64).wrapping_mul(0xD134_2543_DE82_EF95)),
            pending: Vec::new(),
            learnt: None,
            warnings: Vec::new(),
        }
    }

    fn due(&self) -> Option<Due> {
        match self.asked {
            Demand::Nothing => Some(self.due),
            Demand::Edge | Demand::End => Some(Due::at(Timestamp::default())),
            Demand::Last(at) => Some(Due::at(at)),
            Demand::Ended => None,
        }
    }

    /// It was read, which took so long, as was `asked` when that began; `source` is absent if it is not to be
    /// read again.
    fn done(&mut self, asked: Demand, took: Duration, panicked: bool, source: Option<Guarded>) {
        self.busy = None;
        self.reads += 1;
        let (name, seconds) = (&self.name, took.as_secs_f64());
        if took > SLOW && self.slow < MOST_LINES {
            self.slow += 1;
            self.warnings.push(format!("source '{name}' took {seconds:.1} s to answer once"));
        }
        if panicked {
            self.warnings.push(format!(
                "source '{name}' panicked and was not read again; its energy up to then is kept"
            ));
        }
        let Some(source) = source else {
            self.asked = Demand::Ended;
            return;
        };
        // The next read is due some time after this one: a slow read skips and never stacks.
        self.due = due(source.next_read(), self.last, &mut self.jitter);
        self.asked = match (asked, self.asked) {
            (Demand::End, _) => Demand::Last(source.last_read()),
            // Asked meanwhile.
            (_, Demand::End) => Demand::End,
            (_, Demand::Edge) if took >= SHORTEST => Demand::Edge,
            _ => Demand::Nothing,
        };
        self.source = Some(source);
    }

    fn answer(&self) -> Answer {
        match (&self.learnt, self.asked) {
            (Some(learnt), Demand::Ended) => Answer::Domains(self.first, learnt.clone()),
            (None, Demand::Ended) => Answer::Gone,
            _ => {
                let since = self.busy.map_or(0.0, |since| since.elapsed().as_secs_f64());
                Answer::Lost(format!(
                    "source '{}' has hung for {since:.1} s and was not waited for; its energy up to \
                     then is kept",
                    self.name
                ))
            }
        }
    }
}

/// What a source is called in a warning: of several of one kind, each by what it reads.
fn name(domains: &[Domain]) -> String {
    match domains {
        [] => "without domains".to_owned(),
        [domain] => domain.id.clone(),
        [first, ..] => first.source.clone(),
    }
}

/// When to read next, after a read at `last`, if the source `wants` that or does not say.
fn due(wants: Option<Due>, last: Timestamp, jitter: &mut Jitter) -> Due {
    let Due { from, by } = wants
        .unwrap_or_else(|| Due { from: last.after(SOONEST), by: jitter.after(last, INTERVAL) });
    // A stretch that ends before it begins would be waited for without rest.
    let by = by.min(last.after(LONGEST));
    Due { from: from.min(by), by }
}

/// Uneven intervals, so that sampling does not beat with the program's own period.
struct Jitter(u64);

impl Jitter {
    /// The moment between 0.84 and 1.16 of `interval` after `from`.
    fn after(&mut self, from: Timestamp, interval: Duration) -> Timestamp {
        // Weyl sequence with the golden ratio: evenly spread and never periodic.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let unit = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        from.after(interval.mul_f64(0.84 + 0.32 * unit))
    }
}

#[cfg(test)]
mod tests;
