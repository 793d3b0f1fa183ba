//! One thread a source: it calls the driver, and nobody waits for it.
//!
//! A driver call that hangs cannot be interrupted, so each source is read on a thread of its own.
//! What was read lies on a shelf until the meter's thread takes it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock::{self, Timestamp};
use crate::source::{Domain, PowerSource, Reading, Request};

/// Mean time between two reads of a source that names no time of its own.
const INTERVAL: Duration = Duration::from_millis(50);
/// No source is left unread for longer, whatever it asks for: a counter of a package may wrap within
/// minutes, and a wrap that nobody saw is energy lost.
const LONGEST: Duration = Duration::from_secs(30);
/// Edges that follow each other faster than this share a read.
const SHORTEST: Duration = Duration::from_millis(5);
/// A read that takes longer is worth a line in the record.
const SLOW: Duration = Duration::from_secs(1);

/// So many slow reads are told one by one.
const MOST_LINES: u32 = 8;

/// What the meter's thread asks of a reader.
enum Ask {
    Edge,
    Last(Sender<Vec<Domain>>),
}

/// What was read, and what was strange about reading it.
#[derive(Default)]
struct Shelf {
    readings: Vec<Reading>,
    warnings: Vec<String>,
    /// When the read in progress began.
    busy: Option<Timestamp>,
}

/// The meter's end of a reader thread.
pub(super) struct Reader {
    name: String,
    asks: Sender<Ask>,
    shelf: Arc<Mutex<Shelf>>,
    /// Index of the source's first domain among all.
    pub(super) first: usize,
    pub(super) domains: usize,
}

impl Reader {
    /// Starts to read `source`; `ready` gets a word after the first read.
    pub(super) fn spawn(
        source: Box<dyn PowerSource>,
        first: usize,
        ready: Sender<()>,
    ) -> io::Result<Self> {
        let name = name(source.domains());
        let domains = source.domains().len();
        let (asks, inbox) = mpsc::channel();
        let shelf = Arc::default();
        let seed = clock::now().as_nanos() ^ (first as u64).wrapping_mul(0xD134_2543_DE82_EF95);
        let thread = Thread {
            source,
            name: name.clone(),
            shelf: Arc::clone(&shelf),
            jitter: Jitter(seed),
            slow: 0,
        };
        thread::Builder::new()
            .name(format!("ergometer {name}"))
            .spawn(move || thread.run(&inbox, &ready))?;
        Ok(Self { name, asks, shelf, first, domains })
    }

    /// Asks for a read now.
    pub(super) fn edge(&self) {
        let _ = self.asks.send(Ask::Edge);
    }

    /// Asks for the last read.
    pub(super) fn last(&self) -> Receiver<Vec<Domain>> {
        let (reply, domains) = mpsc::channel();
        let _ = self.asks.send(Ask::Last(reply));
        domains
    }

    /// Takes what was read since the last time; adds what was strange to `warnings`.
    pub(super) fn take(&self, warnings: &mut Vec<String>) -> Vec<Reading> {
        let mut held = lock(&self.shelf);
        warnings.append(&mut held.warnings);
        std::mem::take(&mut held.readings)
    }

    /// Says of a source that did not answer the last request what is known.
    pub(super) fn lost(&self, now: Timestamp) -> String {
        let since = lock(&self.shelf).busy.map_or(0.0, |since| now.since(since).as_secs_f64());
        format!(
            "source '{}' has hung for {since:.1} s and was not waited for; its energy up to then is kept",
            self.name
        )
    }
}

/// The reader thread's own.
struct Thread {
    source: Box<dyn PowerSource>,
    name: String,
    shelf: Arc<Mutex<Shelf>>,
    jitter: Jitter,
    /// Slow reads so far.
    slow: u32,
}

impl Thread {
    fn run(mut self, inbox: &Receiver<Ask>, ready: &Sender<()>) {
        let mut last = clock::now();
        let mut going = self.read(Request::Edge);
        let _ = ready.send(());
        while going {
            let due = due(self.source.next_read(), last, &mut self.jitter);
            let request = match inbox.recv_timeout(due.since(clock::now())) {
                Err(RecvTimeoutError::Timeout) => Request::Routine,
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(Ask::Edge) if clock::now().since(last) < SHORTEST => continue,
                Ok(Ask::Edge) => Request::Edge,
                Ok(Ask::Last(reply)) => {
                    self.read(Request::Last);
                    let _ = reply.send(self.source.domains().to_vec());
                    return;
                }
            };
            // The next read is due some time after this one: a slow read skips and never stacks.
            last = clock::now();
            going = self.read(request);
        }
    }

    /// Reads once; `false` if the source is not to be asked again.
    fn read(&mut self, request: Request) -> bool {
        let before = clock::now();
        lock(&self.shelf).busy = Some(before);
        let mut readings = Vec::new();
        let source = &mut self.source;
        let read = catch_unwind(AssertUnwindSafe(|| source.read(request, &mut readings)));
        let took = clock::now().since(before);
        let mut held = lock(&self.shelf);
        held.busy = None;
        held.readings.append(&mut readings);
        if took > SLOW && self.slow < MOST_LINES {
            self.slow += 1;
            let text =
                format!("source '{}' took {:.1} s to answer once", self.name, took.as_secs_f64());
            held.warnings.push(text);
        }
        if read.is_err() {
            held.warnings.push(format!(
                "source '{}' panicked and was not read again; its energy up to then is kept",
                self.name
            ));
        }
        read.is_ok()
    }
}

/// What a source is called in a warning: of several of one kind, each by what it reads.
fn name(domains: &[Domain]) -> String {
    match domains {
        [] => "?".to_owned(),
        [domain] => domain.id.clone(),
        [first, ..] => first.source.clone(),
    }
}

/// When to read next, after a read at `last`, if the source `wants` that or does not say.
fn due(wants: Option<Timestamp>, last: Timestamp, jitter: &mut Jitter) -> Timestamp {
    wants.unwrap_or_else(|| jitter.after(last, INTERVAL)).min(last.after(LONGEST))
}

fn lock(shelf: &Mutex<Shelf>) -> std::sync::MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_is_left_unread_for_longer_than_half_a_minute() {
        let mut jitter = Jitter(7);
        let last = Timestamp::from_nanos(1_000_000_000);
        for wants in [None, Some(last), Some(last.after(Duration::from_mins(10)))] {
            for _ in 0..1000 {
                let pause = due(wants, last, &mut jitter).since(last);
                assert!(pause <= Duration::from_secs(30), "{wants:?}: {pause:?}");
            }
        }
    }

    #[test]
    fn routine_reads_come_unevenly_about_twenty_times_a_second() {
        let mut jitter = Jitter(7);
        let last = Timestamp::default();
        let pauses: Vec<_> = (0..1000).map(|_| due(None, last, &mut jitter).since(last)).collect();
        let sum: Duration = pauses.iter().sum();
        assert!((sum.as_secs_f64() / 50.0 - 1.0).abs() < 0.02, "{sum:?}");
        assert!(pauses.iter().min() < Some(&INTERVAL.mul_f64(0.65)));
        assert!(pauses.iter().max() > Some(&INTERVAL.mul_f64(1.35)));
    }
}
